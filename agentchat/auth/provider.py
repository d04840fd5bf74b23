"""An OpenID provider as it describes itself: its addresses, its algorithms and its keys, fetched and kept for a while.

Every request has a limit in time and in size and follows no redirect: the answers decide who gets in.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx

from agentchat.protocol.errors import ChatError

DISCOVERY = "/.well-known/openid-configuration"
MAX_ANSWER = 512 * 2**10  # bytes
MAX_ADDRESS = 2000  # characters
READ_TIMEOUT = 5.0  # seconds without a byte
TIMEOUT = 10.0  # seconds for a whole answer
KEPT = 3600.0  # seconds that a description and keys are used
NEWER_KEYS = 5  # requests for keys in a minute because of one that is not there
FAILURE_KEPT = 1.0  # seconds in which a provider that failed is not asked again, for those who waited with the first

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Json = dict[str, Any]


class Provider:
    """A provider, as far as it is known. Any thread can call the methods: one of them fetches, the others wait."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._lock = threading.Lock()  # guards the fields below, and lets one thread fetch what all want
        self._description: Json = {}
        self._described_at = 0.0
        self._keys: list[Json] = []
        self._keys_at = 0.0
        self._asked_at: list[float] = []  # for newer keys
        self._failure: ChatError | None = None
        self._failed_at = 0.0

    def description(self) -> Json:
        """Return the checked discovery document. Raises ChatError."""
        with self._lock:
            return self._current()

    def keys(self) -> list[Json]:
        """Return the keys with which the provider signs. Raises ChatError."""
        with self._lock:
            if not self._keys or time.monotonic() > self._keys_at + KEPT:
                self._fetch_keys()
            return self._keys

    def newer_keys(self) -> list[Json]:
        """Return the keys as they are now, or the known ones if that was asked too often. Raises ChatError."""
        with self._lock:
            now = time.monotonic()
            self._asked_at = [at for at in self._asked_at if at > now - 60]
            if len(self._asked_at) < NEWER_KEYS:
                self._asked_at.append(now)
                self._fetch_keys()
            return self._keys

    def get(self, url: str, token: str) -> Json:
        """Fetch what the access token gives access to. Raises ChatError."""
        return self._answer("GET", url, headers={"Authorization": f"Bearer {token}"})

    def post(self, url: str, form: Mapping[str, str], login: tuple[str, str] | None) -> Json:
        """Send a form, with a name and a password if there is a `login`. Raises ChatError."""
        return self._answer("POST", url, login, data=form)

    def _current(self) -> Json:
        assert self._lock.locked()
        now = time.monotonic()
        if self._description and now < self._described_at + KEPT:
            return self._description
        if self._failure is not None and now < self._failed_at + FAILURE_KEPT:
            raise self._failure.with_traceback(None)
        try:
            self._description = self._checked(self._answer("GET", self.issuer.rstrip("/") + DISCOVERY))
            self._failure = None
        except ChatError as error:
            self._failure, self._failed_at = error, time.monotonic()
            raise
        self._described_at = time.monotonic()
        return self._description

    def _fetch_keys(self) -> None:
        assert self._lock.locked()
        found = self._answer("GET", self._current()["jwks_uri"]).get("keys")
        if not isinstance(found, list):
            raise untrusted("its key set has no keys")
        self._keys = [key for key in found if isinstance(key, dict)]
        self._keys_at = time.monotonic()

    def _checked(self, found: Json) -> Json:
        found = {name: value for name, value in found.items() if value is not None}
        if found.get("issuer") != self.issuer:
            raise untrusted(
                f"it calls itself {printable(found.get('issuer'))}, not {self.issuer}. "
                "If that is the right one, set --oidc-issuer to the name it gives itself, letter by letter"
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            self._check_address(name, found.get(name))
        if "userinfo_endpoint" in found:
            self._check_address("userinfo_endpoint", found["userinfo_endpoint"])
        methods = found.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise untrusted("it does not know PKCE with S256, which protects the login")
        return found

    def _check_address(self, name: str, address: object) -> None:
        problem = f"its {name} is not an address with https"
        if not isinstance(address, str) or len(address) > MAX_ADDRESS or not is_secure(address):
            raise untrusted(problem)
        if address.startswith("http:") and not self.issuer.startswith("http:"):
            raise untrusted(problem)

    def _answer(self, method: str, url: str, login: tuple[str, str] | None = None, **options: Any) -> Json:
        """Send a request and return the JSON object that answers it. Raises ChatError."""
        status, body = self._exchange(method, url, login, **options)
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if status != 200:
            said = ""
            if isinstance(found, dict) and isinstance(found.get("error"), str):
                said = f" ({printable(found['error'])})"
            if 300 <= status < 400:
                said = ", a redirect, which is not followed"
            raise self._unreachable(f"{urlsplit(url).path} answers with HTTP {status}{said}")
        if not isinstance(found, dict):
            raise untrusted(f"{urlsplit(url).path} does not answer with a JSON object")
        return found

    def _exchange(self, method: str, url: str, login: tuple[str, str] | None, **options: Any) -> tuple[int, bytes]:
        deadline = _Deadline(TIMEOUT)
        try:
            with deadline, _client(url) as client:
                request = client.build_request(method, url, extensions={"trace": deadline.trace}, **options)
                response = client.send(request, auth=login, stream=True)
                body = _body(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ImportError) as error:  # certificates or SOCKS are missing
            is_late = deadline.is_over or isinstance(error, httpx.TimeoutException)
            problem = "it does not answer in time" if is_late else printable(error).rstrip(".") or type(error).__name__
            raise self._unreachable(problem) from error
        if deadline.is_over:  # the end of an answer without a length looks like that
            raise self._unreachable("it does not answer in time")
        return response.status_code, body

    def _unreachable(self, problem: str) -> ChatError:
        return ChatError("oidc_unreachable", issuer=self.issuer, problem=problem)


def _client(url: str) -> httpx.Client:
    """Return a client that reaches this machine directly, and others through the proxy of the environment, if any."""
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    direct = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
    is_tls = url.startswith("https:")  # without it, no certificates have to be loaded
    return httpx.Client(headers=headers, timeout=READ_TIMEOUT, follow_redirects=False, verify=is_tls, mounts=direct)


def _body(response: httpx.Response) -> bytes:
    """Read the body of a response. Raises ChatError if it is too large."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise untrusted("it compresses its answers, though it was asked not to")
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > MAX_ANSWER:
            raise untrusted(f"its answer is larger than {MAX_ANSWER:,} bytes")
    return bytes(body)


class _Deadline:
    """Ends an exchange after so many seconds, also one that goes on byte by byte.

    httpx has timeouts for each read only, and a socket that another thread waits for may be shut down, not closed.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._stream: Any = None
        self._lock = threading.Lock()  # guards the fields above
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *exception: object) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Keep the newest network stream; httpcore calls this at each step."""
        stream = info.get("return_value")
        if hasattr(stream, "get_extra_info"):
            with self._lock:
                self._stream = stream
                if self.is_over:
                    self._shut_down()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            if self._stream is not None:
                self._shut_down()

    def _shut_down(self) -> None:
        assert self._lock.locked()
        with suppress(OSError):  # it is closed already
            self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def is_secure(address: str) -> bool:
    """Return True for an address with https and a host, or with http on this machine, and without a login."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.fragment or not address.isascii() or not address.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def untrusted(problem: str) -> ChatError:
    """The error for an answer with which nobody can be let in."""
    return ChatError("oidc_untrusted", problem=problem)


def printable(text: object, limit: int = 200) -> str:
    """Return foreign text so that it is safe in a sentence, a page and a log: bounded, and of plain characters only."""
    kept = "".join(c if c.isalnum() or c in " -_.,:;/?!()+=@#~*'" else " " for c in str(text)[: 4 * limit])
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"
