"""Logging in and out: with an account, with OpenID Connect, and the first account of a new server."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable
from http import HTTPStatus

from agentchat.access import Need
from agentchat.audit import Audit, Field
from agentchat.auth import identification
from agentchat.auth.accounts import User
from agentchat.auth.attempts import Attempts
from agentchat.auth.identification import Identification
from agentchat.auth.oidc import OpenId
from agentchat.auth.paths import safe_path
from agentchat.http import requests, responses
from agentchat.http.handler import LOGIN_PAGE
from agentchat.http.routes import Call, Reply, route
from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import ADMIN, OPERATOR

API = "/api/agent-chat"
CALLBACK = f"{API}/oidc/callback"
TO_ROOT = "../../.."  # from the addresses below oidc/, wherever the server's own paths lie; a path follows


class FirstAccount:
    """The secret of the link that makes the first account, as long as there is none."""

    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(32)
        self.making = threading.Lock()  # lets one request at a time make it, so that it is the only one

    def check(self, secret: str) -> None:
        """Raise ChatError for another secret."""
        if not hmac.compare_digest(secret.encode("utf-8", "replace"), self.secret.encode()):
            raise ChatError("not_found")


class LoginRoutes:
    def __init__(
        self,
        known: Identification,
        attempts: Attempts,
        audit: Audit,
        first: FirstAccount,
        openid: OpenId | None,
        changed: Callable[[], None],
        *,
        login_seconds: float,
    ) -> None:
        """`changed` lets changes of accounts take effect."""
        self._known = known
        self._accounts = known.accounts
        self._attempts = attempts
        self._audit = audit
        self._first = first
        self._openid = openid
        self._changed = changed
        self._seconds = login_seconds

    @route("GET", f"{API}/login", Need.NOTHING, answers={200: responses.LoginWays})
    def list_login_ways(self, call: Call) -> Reply:
        """List the ways to log in."""
        ways = {
            "needed": not self._known.is_open,
            "password": not self._known.is_open and self._accounts.has_passwords,
            "openid": self._openid is not None,
            "first": self._known.is_required and self._accounts.is_empty,
        }
        return Reply(200, ways)

    @route("POST", f"{API}/login", Need.NOTHING, answers={200: responses.Me},
           errors=("login_refused", "too_many_attempts"))  # fmt: skip
    def log_in(self, call: Call, body: requests.Login) -> Reply:
        """Log in with an account."""
        address = call.caller.address
        self._attempts.begin(body.login, address)
        user = self._accounts.check_password(body.login, body.password)
        if user is None:
            known = self._accounts.by_login(body.login)  # people type passwords into the wrong field
            self._audit.write("login_failed", None, address, login=known.login if known else "")
            raise ChatError("login_refused")
        self._attempts.succeeded(body.login, address)
        return Reply(200, about(user), cookies=[self._begin(call, user, "password")])

    @route("POST", f"{API}/first-account", Need.NOTHING, answers={201: responses.Me},
           errors=("not_found", "account_unusable", "password_unusable", "login_taken",
                   "too_many_attempts"))  # fmt: skip
    def make_first_account(self, call: Call, body: requests.FirstAccount) -> Reply:
        """Make the first account, which is an admin's, by the link that was printed at start."""
        self._attempts.begin("", call.caller.address)
        with self._first.making:
            if not (self._known.is_required and self._accounts.is_empty):
                raise ChatError("not_found")
            self._first.check(body.secret)
            user = self._accounts.add(body.login, body.password, body.name, (ADMIN, OPERATOR))
        self._audit.write("user_added", (user.id, user.login), call.caller.address, way="first account")
        self._changed()
        return Reply(201, about(user), cookies=[self._begin(call, user, "password")])

    @route("POST", f"{API}/logout", Need.NOTHING, answers={204: None})
    def log_out(self, call: Call, body: requests.Logout) -> Reply:
        """End this login, or all of this user."""
        kind, _, id = call.caller.credential.partition(":")
        if kind == "login":
            ended = self._accounts.end_logins(call.caller.person) if body.everywhere else self._accounts.end_login(id)
            self._audit.write("logout", self._who(call), call.caller.address, logins=int(ended))
            self._changed()
        return Reply(204, cookies=[identification.cookie(call.own, "", 0)])

    @route("POST", f"{API}/ticket", Need.KNOWN, answers={201: responses.Ticket}, changes_nothing=True)
    def make_ticket(self, call: Call) -> Reply:
        """Return what stands for you in one address (`?ticket=`), once, within a minute."""
        return Reply(201, {"ticket": self._known.tickets.issue(call.caller) if call.caller.is_known else ""})

    @route("GET", f"{API}/oidc/begin", Need.NOTHING, answers={303: None}, errors=("not_found",),
           sent_headers={"Location": "The provider, or the login page with the code of an error"})  # fmt: skip
    def begin_openid_login(self, call: Call, query: requests.BackQuery) -> Reply:
        """Begin to log in with OpenID Connect."""
        openid = self._provider()
        back = safe_path(query.back)
        try:
            address, kept = openid.begin(back)
        except ChatError as error:
            return Reply(HTTPStatus.SEE_OTHER, None, {"Location": f"{TO_ROOT}{LOGIN_PAGE}#error={error.code}"})
        return Reply(HTTPStatus.SEE_OTHER, None, {"Location": address}, cookies=[openid.set_cookie(kept)])

    @route("GET", CALLBACK, Need.NOTHING, answers={303: None}, errors=("not_found",), is_way_back=True,
           sent_headers={"Location": "The page, or the login page with the code of an error"})  # fmt: skip
    def finish_openid_login(self, call: Call) -> Reply:
        """Come back from the provider."""
        openid = self._provider()
        cookies = [openid.set_cookie("")]
        try:
            person, back = openid.finish(call.query, openid.cookie(call.cookies))
            user = self._accounts.external(openid.issuer, person.subject, person.login, person.name, person.roles)
        except ChatError as error:
            self._audit.write("login_failed", None, call.caller.address, way="openid", code=error.code)
            location = f"{TO_ROOT}{LOGIN_PAGE}#error={error.code}"
            return Reply(HTTPStatus.SEE_OTHER, None, {"Location": location}, cookies=cookies)
        cookies.append(self._begin(call, user, "openid"))
        return Reply(HTTPStatus.SEE_OTHER, None, {"Location": TO_ROOT + back}, cookies=cookies)

    def _provider(self) -> OpenId:
        if self._openid is None:
            raise ChatError("not_found")
        return self._openid

    def _begin(self, call: Call, user: User, way: str) -> str:
        """Begin a login, always with a new secret, and return its cookie."""
        secret, login = self._accounts.begin_login(user.id, call.caller.address, call.agent)
        about: dict[str, Field] = {"way": way, "login_id": login.id, "roles": user.roles}
        self._audit.write("login", (user.id, user.login), call.caller.address, **about)
        return identification.cookie(call.own, secret, self._seconds)

    def _who(self, call: Call) -> tuple[str, str] | None:
        user = self._accounts.user(call.caller.person)
        return (user.id, user.login) if user is not None else None


def about(user: User) -> dict[str, object]:
    """Return a user as they see themselves."""
    return {
        "id": user.id,
        "login": user.login,
        "name": user.name,
        "roles": sorted(user.roles),
        "colour": user.colour,
        "language": user.language,
        "created": user.created,
    }
