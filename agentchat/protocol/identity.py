"""Who somebody is, as far as that can be known without a login: what is remembered of people is kept by it."""

from __future__ import annotations

import hashlib
import secrets

COOKIE = "agentchat_browser"
MAX_AGE = 365 * 24 * 3600  # seconds
UNNAMED = "user"


def new_cookie() -> str:
    """A `Set-Cookie` for a browser that has none yet. No script can read it."""
    return f"{COOKIE}={secrets.token_urlsafe(24)}; Path=/; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax"


def browser(header: str | None) -> str:
    """The browser that sent this `Cookie` header, "" for one without ours."""
    # Not http.cookies: it finds nothing once another server's cookie, which browsers send us as well, breaks the rules.
    for cookie in (header or "").split(";"):
        name, _, value = cookie.partition("=")
        if name.strip() == COOKIE:
            return value.strip()
    return ""


def user_id(name: str, browser: str, session_id: str = "") -> str:
    """An id that may be shown, and that nobody can turn back into a cookie.

    One name in one browser is one person; a program is whom it says it is. Who says nothing is known in one session
    only; without a session that is "".
    """
    if browser:
        return "b-" + _digest(f"{browser}\n{name}")
    if name != UNNAMED:
        return "n-" + _digest(name)
    return "s-" + _digest(session_id) if session_id else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
