"""An OpenID provider that can lie: a real one with PKCE, rotating keys and client secrets, and whatever a test changes.

with LyingProvider() as provider:
    provider.claims["aud"] = "another-program"     # None leaves a claim out
    query = provider.log_in(url)                   # of the address to which it sends the browser back
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import httpx
from joserfc.jwk import Key, RSAKey
from joserfc.jws import JWSRegistry

CLIENT_ID = "chat & co"  # has to be encoded wherever it goes
CLIENT_SECRET = "s3cret:with/odd characters"
Answer = Callable[[BaseHTTPRequestHandler], None]


class LyingProvider:
    """The provider and its thread. What it says are plain fields, to be changed by tests."""

    def __init__(self, key: Key | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.provider = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="provider", daemon=True)
        self._server.tls = tls
        self.issuer = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self.key = key or RSAKey.generate_key(2048)
        self.ended = threading.Event()
        self._browser = httpx.Client(trust_env=False, verify=False)
        self.asked: list[str] = []
        """The path of each request."""
        self.tell_the_truth()

    def tell_the_truth(self) -> None:
        self.algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}[self.key.key_type]
        self.description: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": [self.algorithm],
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        self.keys: list[Any] = [{**self.key.as_dict(private=False), "kid": "1"}]
        self.kid: str | None = "1"
        self.signing_key: Key = self.key
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.person: dict[str, Any] = {"sub": "1f-7", "preferred_username": "maria", "name": "María Söder"}
        self.tokens: dict[str, Any] = {}
        self.back: dict[str, str | None] = {}
        """Parameters of the address to which the browser is sent back."""
        self.answers: dict[str, Answer] = {}
        """Answers of single paths."""
        self.codes: dict[str, dict[str, str]] = {}
        self.asked.clear()

    def __enter__(self) -> LyingProvider:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._browser.close()
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def log_in(self, url: str) -> str:
        """Be the browser: follow `url`, and return the query with which it is sent back."""
        response = self._browser.get(url)
        assert response.status_code == 302, response.text
        return urlsplit(response.headers["Location"]).query

    def drip(self, handler: BaseHTTPRequestHandler) -> None:
        """Send a header that never ends, byte by byte, until the client has had enough."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.ended.wait(0.02):
            handler.wfile.write(b".")

    def drip_body(self, handler: BaseHTTPRequestHandler) -> None:
        """Send a body that never ends."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not self.ended.wait(0.02):
            handler.wfile.write(b" ")

    def stay_silent(self, handler: BaseHTTPRequestHandler) -> None:
        """Say nothing for as long as the client waits."""
        handler.rfile.read(1)

    def say(self, status: int, body: object, **headers: str) -> Answer:
        """An answer with that body, JSON unless it is bytes."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            handler.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        return answer

    def authorize(self, handler: BaseHTTPRequestHandler, given: dict[str, str]) -> None:
        assert given["response_type"] == "code"
        assert given["client_id"] == CLIENT_ID
        assert given["code_challenge_method"] == "S256"
        assert "openid" in given["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = given
        parameters = {"code": code, "state": given["state"], "iss": self.issuer} | self.back
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        self.say(302, {}, Location=f"{given['redirect_uri']}?{query}")(handler)

    def token(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        scheme, _, login = handler.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, password = base64.b64decode(login).decode().partition(":")
            client = unquote_plus(name), unquote_plus(password)
        else:
            client = form.get("client_id", ""), form.get("client_secret", "")
        begun = self.codes.pop(form["code"], None)
        challenge = _encoded(hashlib.sha256(form["code_verifier"].encode()).digest())
        if client != (CLIENT_ID, CLIENT_SECRET):
            return self.say(401, {"error": "invalid_client"})(handler)
        is_known = begun is not None and begun["redirect_uri"] == form["redirect_uri"]
        if begun is None or not is_known or begun["code_challenge"] != challenge:
            return self.say(400, {"error": "invalid_grant"})(handler)
        access_token = secrets.token_urlsafe(16)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": self.person["sub"],
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": begun["nonce"],
            "at_hash": _half_hash(self.algorithm, access_token),
        } | self.claims
        tokens = {"access_token": access_token, "token_type": "Bearer", "id_token": self.signed(claims)} | self.tokens
        return self.say(200, {name: value for name, value in tokens.items() if value is not None})(handler)

    def signed(self, claims: dict[str, Any]) -> str:
        """Sign without the checks of a library, which would not make some of these tokens."""
        header = {"alg": self.algorithm, "kid": self.kid} | self.header
        parts = [{name: value for name, value in part.items() if value is not None} for part in (header, claims)]
        content = ".".join(_encoded(json.dumps(part).encode()) for part in parts).encode()
        return f"{content.decode()}.{_encoded(self._signature(header['alg'], content))}"

    def _signature(self, algorithm: Any, content: bytes) -> bytes:
        if algorithm == "none":
            return b""
        if algorithm == "HS256":  # with the public key as the secret, which everybody has
            assert isinstance(self.key, RSAKey)
            return hmac.digest(self.key.as_pem(private=False), content, hashlib.sha256)
        return JWSRegistry.algorithms[algorithm].sign(content, self.signing_key)


class _Server(ThreadingHTTPServer):
    provider: LyingProvider
    tls: ssl.SSLContext | None
    daemon_threads = True
    block_on_close = False

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with contextlib.suppress(ssl.SSLError), self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)  # unless the client does not trust us


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    disable_nagle_algorithm = True  # otherwise each answer takes 40 ms

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(_single(self.rfile.read(int(self.headers["Content-Length"])).decode()))

    def log_message(self, *arguments: object) -> None:
        """Tests say themselves what went wrong."""

    def _answer(self, form: dict[str, str]) -> None:
        provider, parts = self.server.provider, urlsplit(self.path)
        provider.asked.append(parts.path)
        try:
            if answer := provider.answers.get(parts.path):
                answer(self)
            elif parts.path == "/authorize":
                provider.authorize(self, _single(parts.query))
            elif parts.path == "/token":
                provider.token(self, form)
            else:
                said = {
                    "/.well-known/openid-configuration": provider.description,
                    "/keys": {"keys": provider.keys},
                    "/userinfo": provider.person,
                }[parts.path]
                provider.say(200, said)(self)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True  # the client has had enough


def _single(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


def _half_hash(algorithm: str, token: str) -> str:
    size = {"Ed25519": "512"}.get(algorithm, algorithm[2:])
    digest = hashlib.new(f"sha{size}", token.encode()).digest()
    return _encoded(digest[: len(digest) // 2])


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
