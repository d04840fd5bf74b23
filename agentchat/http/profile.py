"""The account of whoever asks: profile, password, logins, tokens, usage; its download and its deletion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta, timezone

from agentchat.access import Need
from agentchat.audit import Audit
from agentchat.auth import identification, names
from agentchat.auth.accounts import Login, Token, User
from agentchat.auth.attempts import Attempts
from agentchat.auth.identification import Identification
from agentchat.http import requests, responses
from agentchat.http.archive import archive
from agentchat.http.login import about
from agentchat.http.routes import ZIP, Call, Reply, Stream, route
from agentchat.protocol import events
from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import Caller
from agentchat.sessions.quotas import Quotas
from agentchat.sessions.registry import Sessions
from agentchat.sessions.user_notes import UserNotes
from agentchat.store.usage import Usage

ME = "/api/agent-chat/me"
YOU = "you"
"""The id and the name of everybody where nobody logs in."""

_SECRETS = ("too_many_attempts", "login_refused", "not_allowed")


class ProfileRoutes:
    def __init__(
        self,
        known: Identification,
        attempts: Attempts,
        audit: Audit,
        quotas: Quotas,
        usage: Usage,
        sessions: Sessions,
        notes: UserNotes,
        erase: Callable[[User, Caller], int],
        changed: Callable[[], None],
        *,
        login_seconds: float,
    ) -> None:
        """`erase` deletes a user with all that is theirs, and returns how many sessions that were.

        `changed` lets changes of accounts take effect.
        """
        self._known = known
        self._accounts = known.accounts
        self._attempts = attempts
        self._audit = audit
        self._quotas = quotas
        self._usage = usage
        self._sessions = sessions
        self._notes = notes
        self._erase = erase
        self._changed = changed
        self._seconds = login_seconds

    @route("GET", ME, Need.KNOWN, answers={200: responses.Profile})
    def read_profile(self, call: Call, query: requests.NameQuery) -> Reply:
        """Return who you are, and your usage of the day."""
        return Reply(200, self.profile(call))

    @route("PATCH", ME, Need.SELF, answers={200: responses.Profile}, errors=("account_unusable", "not_allowed"))
    def change_profile(self, call: Call, body: requests.ProfileChange) -> Reply:
        """Change your name, colour or language."""
        user = self._user(call)
        changes = body.model_dump(exclude_none=True)
        self._accounts.set_profile(user.id, **changes)
        self._write("profile_changed", call, user, fields=list(changes))
        return Reply(200, self.profile(call))

    @route("POST", f"{ME}/password", Need.SELF, answers={204: None}, errors=("password_unusable", *_SECRETS))
    def change_password(self, call: Call, body: requests.NewPassword) -> Reply:
        """Change your password. Your other logins end."""
        user = self._user(call)
        if not self._accounts.has_password(user.id):
            raise ChatError("not_allowed", problem="you log in another way, and have no password here")
        self._check_password(call, user, body.old)
        login = self._login_id(call)
        secret = self._accounts.change_password(user.id, body.new, login)
        self._write("password_changed", call, user)
        return Reply(204, cookies=[self._cookie(call, secret)] if login else [])

    @route("GET", f"{ME}/logins", Need.SELF, answers={200: responses.LoginList}, errors=("not_allowed",))
    def list_logins(self, call: Call) -> Reply:
        """List the browsers in which you have logged in."""
        here = self._login_id(call)
        logins = self._accounts.logins(self._user(call).id)
        return Reply(200, {"logins": [_login(each, here) for each in logins]})

    @route("DELETE", f"{ME}/logins/{{login}}", Need.SELF, answers={204: None}, errors=("not_found", "not_allowed"))
    def end_login(self, call: Call) -> Reply:
        """End one of your logins, and the connections of that browser."""
        user, id = self._user(call), call.path["login"]
        if id not in {login.id for login in self._accounts.logins(user.id)} or not self._accounts.end_login(id):
            raise ChatError("not_found")
        self._write("logout", call, user, logins=1)
        return Reply(204, cookies=[self._cookie(call, "")] if id == self._login_id(call) else [])

    @route("GET", f"{ME}/tokens", Need.SELF, answers={200: responses.TokenList}, errors=("not_allowed",))
    def list_tokens(self, call: Call) -> Reply:
        """List your tokens."""
        return Reply(200, {"tokens": [_token(each) for each in self._accounts.tokens(self._user(call).id)]})

    @route("POST", f"{ME}/tokens", Need.SELF, answers={201: responses.NewToken},
           errors=("account_unusable", "token_unusable", "not_allowed"))  # fmt: skip
    def make_token(self, call: Call, body: requests.NewToken) -> Reply:
        """Make a token for a program. It is shown this once."""
        user = self._user(call)
        expires = events.time(datetime.now(timezone.utc) + timedelta(days=body.days)) if body.days else ""
        secret, token = self._accounts.add_token(user.id, body.name, body.scope, expires)
        self._write("token_added", call, user, token=token.id, name=token.name, scope=token.scope, expires=expires)
        return Reply(201, {**_token(token), "token": secret})

    @route("DELETE", f"{ME}/tokens/{{token}}", Need.SELF, answers={204: None}, errors=("not_found", "not_allowed"))
    def revoke_token(self, call: Call) -> Reply:
        """Revoke one of your tokens, and end the connections of its program."""
        user, id = self._user(call), call.path["token"]
        if id not in {token.id for token in self._accounts.tokens(user.id)} or not self._accounts.revoke(id):
            raise ChatError("not_found")
        self._write("token_revoked", call, user, token=id)
        return Reply(204)

    @route("GET", f"{ME}/export", Need.SELF, answers={200: responses.Archive}, errors=("not_allowed",), types=(ZIP,),
           sent_headers={"Content-Disposition": "The file's name"}, waits=True)  # fmt: skip
    def export_everything(self, call: Call) -> Stream:
        """Download everything that is yours as a zip file."""
        user = self._user(call)
        here = self._login_id(call)
        parts = {
            "profile": about(user),
            "logins": [_login(each, here) for each in self._accounts.logins(user.id)],
            "tokens": [_token(each) for each in self._accounts.tokens(user.id)],
            "notes": [asdict(each) for each in self._notes.entries(user.id)],
            "usage": self._usage.all_of(user.id),
        }
        self._audit.write("exported", (user.id, user.login), call.caller.address)
        headers = {"Content-Disposition": 'attachment; filename="agentchat.zip"'}
        return Stream(ZIP, archive(parts, self._sessions, self._sessions.owned_by(user.id)), headers)

    @route("DELETE", ME, Need.SELF, answers={204: None}, errors=("closing", *_SECRETS))
    def delete_everything(self, call: Call, body: requests.Confirmation) -> Reply:
        """Delete your account and everything that is yours."""
        user = self._user(call)
        if self._accounts.has_password(user.id):
            self._check_password(call, user, body.confirm)
        elif names.key(body.confirm) != names.key(user.login):
            raise ChatError("not_allowed", problem=f"to confirm it, give your login name, {user.login}")
        sessions = self._erase(user, call.caller)
        self._audit.write("account_deleted", (user.id, user.login), call.caller.address, sessions=sessions)
        return Reply(204, cookies=[self._cookie(call, "")])

    def profile(self, call: Call) -> dict[str, object]:
        user = self._accounts.user(call.caller.person) if call.caller.is_known else None
        you = user or User(YOU, YOU, YOU, frozenset(), "", "", "")
        has_password = user is not None and self._accounts.has_password(user.id)
        return {
            **about(you),
            "has_password": has_password,
            "can_log_out": call.caller.credential.startswith("login:"),
            "usage": self._quotas.about(call.caller.person),
        }

    def _user(self, call: Call) -> User:
        """Return the account of the caller. Raises ChatError where nobody logs in."""
        user = self._accounts.user(call.caller.person) if call.caller.is_known else None
        if user is None:
            raise ChatError("not_allowed", problem="nobody logs in to this server, so nothing here is yours alone")
        return user

    def _check_password(self, call: Call, user: User, password: str) -> None:
        """Raise ChatError unless that is the user's password. Guesses are slowed down as they are at the login."""
        self._attempts.begin(user.login, call.caller.address)
        if self._accounts.check_password(user.login, password) is None:
            self._audit.write("login_failed", (user.id, user.login), call.caller.address, way="own password")
            raise ChatError("login_refused")
        self._attempts.succeeded(user.login, call.caller.address)

    def _login_id(self, call: Call) -> str:
        """Return the id of the login that sends the request; "" if a proxy names the user."""
        kind, _, id = call.caller.credential.partition(":")
        return id if kind == "login" else ""

    def _cookie(self, call: Call, secret: str) -> str:
        return identification.cookie(call.own, secret, self._seconds)

    def _write(self, event: str, call: Call, user: User, **fields: str | int | list[str]) -> None:
        """Write a change of an account to the audit log, and let it take effect."""
        self._audit.write(event, (user.id, user.login), call.caller.address, **fields)
        self._changed()


def _login(login: Login, here: str) -> dict[str, object]:
    return {**_without_user(asdict(login)), "current": login.id == here}


def _token(token: Token) -> dict[str, object]:
    return _without_user(asdict(token))


def _without_user(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "user"}
