"""Logins by OpenID Connect: a person goes to a provider and comes back with a code that stands for who they are.

url, kept = openid.begin("/desk")     # send the browser to `url`, with openid.set_cookie(kept)

kept = openid.cookie(header)          # it came back: its `Cookie` header and the query of its address
identity, back = openid.finish(query, kept)

The authorization code flow with PKCE. What belongs to a login under way is in the browser's own cookie, signed, so
nobody can be made to finish a login that somebody else began, and logins that nobody finishes cost no memory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from agentchat import installation
from agentchat.auth.paths import safe_path
from agentchat.auth.provider import Json, Provider, is_secure, printable, untrusted
from agentchat.auth.sealed import Seal
from agentchat.protocol.errors import ChatError, SettingsError

if TYPE_CHECKING:
    from agentchat.settings import Settings

LIFETIME = 600  # seconds from begin to finish, and of the cookie
COOKIE = "agentchat_oidc"
MAX_QUERY = 8192  # characters
MAX_CODE = 4096  # characters
MAX_LOGIN = 64  # characters
MAX_NAME = 100  # characters
MAX_GROUPS = 10_000

_ACCESS_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")


@dataclass(frozen=True)
class Identity:
    """The person that a provider vouches for."""

    subject: str
    """The provider's id of them, which never changes."""
    login: str
    name: str
    roles: frozenset[str]


class OpenId:
    """One provider, and this server as it is registered there. Thread-safe; nothing is fetched before it is needed."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str = "",
        redirect_uri: str = "",
        scopes: Iterable[str] = ("openid", "profile", "email"),
        groups_claim: str = "groups",
        roles: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """`roles` names for each role the groups whose members have it. Raises SettingsError."""
        try:
            import agentchat.auth.id_tokens  # noqa: F401 - needs the package `joserfc`, which is optional
        except ImportError as error:
            raise SettingsError(
                f"OpenID Connect needs another package: {installation.install_command('oidc')} ({error})."
            ) from error
        _check_issuer(issuer)
        if not client_id:
            raise SettingsError("--oidc-issuer needs --oidc-client-id, the id that the provider gave to this server.")
        if urlsplit(redirect_uri).scheme not in {"http", "https"} or "#" in redirect_uri:
            raise SettingsError(
                f"A provider must know where to send people back to, and {redirect_uri!r} is no such address. "
                "Set --public-url to the address of the page, such as https://chat.example.com."
            )
        self.issuer = issuer
        self.redirect_uri = redirect_uri
        self._client_id = client_id
        self._client_secret = client_secret
        self._scope = " ".join(dict.fromkeys(["openid", *scopes]))
        self._groups_claim = groups_claim
        self._roles = {role: frozenset(groups) for role, groups in (roles or {}).items()}
        self._is_public = redirect_uri.lower().startswith("https:")
        self._cookie = f"__Host-{COOKIE}" if self._is_public else COOKIE  # which no neighbour in our domain can set
        self._provider = Provider(issuer)
        self._seal = Seal(LIFETIME)

    def begin(self, back: str = "/") -> tuple[str, str]:
        """Return the provider's address to send the browser to, and the value of the cookie to give it (HttpOnly).

        `back` is the path to go to after the login. Raises ChatError.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "back": safe_path(back)}
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self._scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": _encoded(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        address = self._provider.description()["authorization_endpoint"]
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", self._seal.close(kept)

    def finish(self, query: str, kept: str) -> tuple[Identity, str]:
        """Return the person who came back, and the path to go to.

        `query` is that of the address to which the provider sent the browser; `kept` is the value of the browser's
        cookie, which has to be deleted now. Raises ChatError.
        """
        given, login = _parameters(query), self._seal.open(kept)
        if login is None or not hmac.compare_digest(given.get("state", "").encode(), login["state"].encode()):
            raise ChatError("oidc_state", minutes=LIFETIME // 60)
        description = self._provider.description()
        self._check_sender(given, description)
        if "error" in given:
            said = printable(given["error"], 60)
            if words := printable(given.get("error_description", "")):
                said += f" ({words})"
            raise ChatError("oidc_refused", said=said)
        tokens = self._tokens(given.get("code", ""), login["verifier"], description)
        claims = self._claims(tokens, login["nonce"], description)
        return self._identity(claims | self._further_claims(claims["sub"], tokens, description)), login["back"]

    def set_cookie(self, kept: str) -> str:
        """Return the `Set-Cookie` header that lets a browser keep a value; "" takes it away again."""
        security = "; Secure" if self._is_public else ""
        age = LIFETIME if kept else 0
        return f"{self._cookie}={kept}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{security}"

    def cookie(self, header: str | None) -> str:
        """Return the value in a `Cookie` header; "" if there is none, or several, of which one isn't ours."""
        pairs = [pair.partition("=") for pair in (header or "").split(";")]
        found = [value.strip() for name, _, value in pairs if name.strip() == self._cookie]
        return found[0] if len(found) == 1 else ""

    def _check_sender(self, given: Mapping[str, str], description: Json) -> None:
        """Check which provider sent the browser (RFC 9207)."""
        sender = given.get("iss")
        if sender is None and description.get("authorization_response_iss_parameter_supported") is not True:
            return
        if sender != self.issuer:
            raise untrusted("another provider than ours sent you here (iss)")

    def _tokens(self, code: str, verifier: str, description: Json) -> Json:
        """Exchange the code for tokens."""
        if not 0 < len(code) <= MAX_CODE:
            raise untrusted("it sent you back without a code")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        login = None
        methods = description.get("token_endpoint_auth_methods_supported")
        knows_basic = not isinstance(methods, list) or "client_secret_basic" in methods
        if self._client_secret and knows_basic:
            login = quote_plus(self._client_id), quote_plus(self._client_secret)
        else:
            form["client_id"] = self._client_id
            if self._client_secret:
                form["client_secret"] = self._client_secret
        tokens = self._provider.post(description["token_endpoint"], form, login)
        access_token = tokens.get("access_token")
        is_usable = isinstance(access_token, str) and _ACCESS_TOKEN.fullmatch(access_token) is not None
        if not is_usable or str(tokens.get("token_type")).lower() != "bearer":
            raise untrusted("it gave no access token of the type Bearer")
        return tokens

    def _claims(self, tokens: Json, nonce: str, description: Json) -> Json:
        """Return the claims of the ID token; if no key fits, the keys may have changed since they were fetched."""
        from agentchat.auth import id_tokens

        expected = id_tokens.Expected(self.issuer, self._client_id, nonce, tokens["access_token"])
        allowed = id_tokens.algorithms(description.get("id_token_signing_alg_values_supported"))
        for fetch in (self._provider.keys, self._provider.newer_keys):
            try:
                return id_tokens.claims_of(tokens.get("id_token"), fetch(), allowed, expected)
            except id_tokens.KeyMissing:
                continue
        raise untrusted("its ID token is not signed with one of its keys")

    def _further_claims(self, subject: str, tokens: Json, description: Json) -> Json:
        """Return what the provider tells about the person beside the ID token."""
        if "userinfo_endpoint" not in description:
            return {}
        claims = self._provider.get(description["userinfo_endpoint"], tokens["access_token"])
        if claims.get("sub") != subject:
            raise untrusted("it tells about somebody else than who logged in (sub)")
        return claims

    def _identity(self, claims: Json) -> Identity:
        subject = str(claims["sub"])
        known = (claims.get(each) for each in ("preferred_username", "email", "nickname"))
        login = next(filter(None, (_one_line(each, MAX_LOGIN) for each in known)), _one_line(subject, MAX_LOGIN))
        groups = self._groups(claims)
        roles = frozenset(role for role, members in self._roles.items() if members & groups)
        return Identity(subject, login, _one_line(claims.get("name"), MAX_NAME) or login, roles)

    def _groups(self, claims: Json) -> frozenset[str]:
        """Return the groups in the claim, which may be in another one, as `realm_access.roles`."""
        found: object = claims.get(self._groups_claim)
        if found is None:
            found = claims
            for part in self._groups_claim.split("."):
                found = found.get(part) if isinstance(found, dict) else None
        groups = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        return frozenset(each for each in groups[:MAX_GROUPS] if isinstance(each, str))


def configured(settings: Settings, redirect_uri: str) -> OpenId | None:
    """Return the provider that the settings name, if they name one. Raises SettingsError."""
    if not settings.oidc_issuer:
        for option in ("oidc_client_id", "oidc_client_secret", "oidc_admins", "oidc_operators"):
            if getattr(settings, option):
                raise SettingsError(f"--{option.replace('_', '-')} needs --oidc-issuer, the address of the provider.")
        return None
    return OpenId(
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_client_secret,
        redirect_uri,
        settings.oidc_scopes.replace(",", " ").split(),
        settings.oidc_groups_claim,
        {"admin": _names(settings.oidc_admins), "operator": _names(settings.oidc_operators)},
    )


def _names(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _check_issuer(issuer: str) -> None:
    if not is_secure(issuer) or "?" in issuer:
        raise SettingsError(
            f"--oidc-issuer must be the https address of the provider, such as https://login.example.com, not "
            f"{printable(issuer)!r}. Only one on this machine may have http."
        )


def _parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query, of which each may stand there once."""
    pairs = parse_qsl(query[:MAX_QUERY], keep_blank_values=True)
    given = dict(pairs)
    if len(query) > MAX_QUERY or len(given) != len(pairs):
        raise ChatError("bad_request", problem="its query is too long or has a parameter twice")
    return given


def _one_line(text: object, limit: int) -> str:
    """Return text of a provider as one line of characters that can be seen, "" if it isn't text."""
    if not isinstance(text, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())[:limit].strip()


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
