"""Headers that keep browsers from doing more with an answer than it is for. Every answer of both ports has them."""

from __future__ import annotations

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NO_PAGE = {
    **SECURITY_HEADERS,
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Headers for responses other than pages, such as errors."""
STRICT_TRANSPORT = "Strict-Transport-Security"
YEAR = 365 * 24 * 3600  # seconds


def strict_transport(host: str) -> dict[str, str]:
    """Return the header that makes browsers come over TLS only, for a request with that `Host`.

    There is none for `localhost`, where it would count for everything else that is served on somebody's machine.
    """
    name = host.partition(":")[0].lower()
    if not name or name == "localhost" or name.endswith(".localhost"):
        return {}
    return {STRICT_TRANSPORT: f"max-age={YEAR}"}
