"""The things that are yours: profile, password, logins and tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentchat.audit import Audit
from agentchat.auth.accounts import Accounts
from tests.browsers import API, PASSWORD, Browser, close_code
from tests.clients import PATIENCE
from tests.conftest import Serve
from tests.rest_client import SESSIONS, RestClient

ME = f"{API}/me"
NEW = "a better horse battery"

pytestmark = pytest.mark.own_server


@pytest.fixture
def ada(accounts: Accounts, serve: Serve) -> Browser:
    """Return the browser of Ada, who is logged in, on a server with accounts of Ada and Bob."""
    for login in ("ada", "bob"):
        accounts.add(login, PASSWORD)
    browser = Browser(serve("demo"))
    assert browser.log_in("ada").status == 200
    return browser


def name_on(query: str, browser: Browser) -> str:
    with browser.connect(query) as client:
        return str(json.loads(client.recv(PATIENCE))["content"]["name"])


def test_a_profile(ada: Browser) -> None:
    """A profile has what was set; REST knows a new name at once, connections once they are made again."""
    before = ada.ask("GET", ME).json
    assert (before["login"], before["name"], before["roles"], before["has_password"]) == ("ada", "ada", [], True)
    assert before["can_log_out"]
    assert before["usage"]["limit"] == {"turns": None, "tokens": None, "cost": None}
    with ada.connect() as old:
        session = json.loads(old.recv(PATIENCE))["content"]["session_id"]
        changed = ada.ask("PATCH", ME, {"name": "Ada L.", "colour": "#3366CC", "language": "de"})
        assert (changed.status, changed.json) == (200, ada.ask("GET", ME).json)
        assert [changed.json[field] for field in ("name", "colour", "language")] == ["Ada L.", "#3366cc", "de"]

        old.send("Hello")
        frames = (json.loads(old.recv(PATIENCE)) for _ in range(100))
        assert next(frame for frame in frames if frame["type"] == "user_message")["content"]["name"] == "ada"
    assert name_on(f"session={session}", ada) == "Ada L."
    sent = ada.ask("POST", f"{SESSIONS}/{session}/messages", {"text": "Hello again"})
    events = ada.ask("GET", f"{SESSIONS}/{session}/events").json["events"]
    assert next(event for event in events if event["seq"] == sent.json["seq"])["content"]["name"] == "Ada L."


@pytest.mark.parametrize("change", [{"name": " "}, {"colour": "red"}, {"language": "<b>"}, {"login": "eve"}])
def test_a_profile_that_cannot_be(ada: Browser, change: dict[str, str]) -> None:
    """Nothing of a change counts that has something unusable in it."""
    before = ada.ask("GET", ME).json
    assert ada.ask("PATCH", ME, {"name": "Ada L.", **change}).status == 400
    assert ada.ask("GET", ME).json == before


def test_a_new_password(ada: Browser, tmp_path: Path) -> None:
    """A new password ends the other logins; this one goes on, with another cookie."""
    elsewhere, stolen = ada.another("ada"), ada.another("bob")
    stolen.cookies = dict(ada.cookies)
    with ada.connect() as here, elsewhere.connect() as there:
        here.recv(PATIENCE)
        assert ada.ask("POST", f"{ME}/password", {"old": PASSWORD, "new": NEW}).status == 204
        assert close_code(there) == 1008
        here.send("still here")
        assert json.loads(here.recv(PATIENCE))
    assert [browser.ask("GET", ME).status for browser in (ada, elsewhere, stolen)] == [200, 401, 401]
    assert ada.log_in("ada", PASSWORD).status == 401
    assert ada.log_in("ada", NEW).status == 200
    written = (tmp_path / "data" / "audit.jsonl").read_text()
    assert "password_changed" in written
    assert NEW not in written


def test_a_guess_at_the_old_password(ada: Browser) -> None:
    """A wrong old password changes nothing, and guesses are slowed down as they are at the login."""
    for number in range(5):
        answer = ada.ask("POST", f"{ME}/password", {"old": f"guess {number}", "new": NEW})
        assert (answer.status, answer.code) == (401, "login_refused")
    answers = [ada.ask("POST", f"{API}/login", {"login": "ada", "password": "guess"}) for _ in range(4)]
    refused = [answer for answer in answers if answer.status == 429]  # on a slow machine not the first
    assert refused
    assert refused[0].code == "too_many_attempts"
    assert int(refused[0].headers["Retry-After"]) > 0
    assert ada.ask("GET", ME).status == 200


def test_a_new_password_that_is_too_short(ada: Browser) -> None:
    """An unusable password changes nothing, and ends no login."""
    elsewhere = ada.another("ada")
    answer = ada.ask("POST", f"{ME}/password", {"old": PASSWORD, "new": "short"})
    assert (answer.status, answer.code) == (400, "password_unusable")
    assert elsewhere.ask("GET", ME).status == 200


def test_logins(ada: Browser) -> None:
    """People see their own logins, and end them one by one."""
    phone, bob = ada.another("ada"), ada.another("bob")
    listed = ada.ask("GET", f"{ME}/logins").json["logins"]
    assert sorted(login["current"] for login in listed) == [False, True]
    [other] = [login["id"] for login in listed if not login["current"]]
    assert bob.ask("DELETE", f"{ME}/logins/{other}").status == 404
    with phone.connect() as client:
        client.recv(PATIENCE)
        assert ada.ask("DELETE", f"{ME}/logins/{other}").status == 204
        assert close_code(client) == 1008
    assert phone.ask("GET", ME).status == 401
    assert ada.ask("DELETE", f"{ME}/logins/{other}").status == 404

    [here] = [login["id"] for login in ada.ask("GET", f"{ME}/logins").json["logins"]]
    assert ada.ask("DELETE", f"{ME}/logins/{here}").status == 204
    assert not ada.cookies["agentchat_login"]


def test_a_ticket_of_a_login_that_has_ended(ada: Browser) -> None:
    """A ticket ends with what it stands for."""
    ticket = ada.ask("POST", f"{API}/ticket", {}).json["ticket"]
    assert ada.ask("POST", f"{API}/logout", {}).status == 204
    ada.cookies.clear()
    assert ada.ask("GET", f"{SESSIONS}?ticket={ticket}").status in {401, 403}


def test_tokens(ada: Browser) -> None:
    """A token is shown once, does what its scope allows, touches no credentials, and can be revoked."""
    made = ada.ask("POST", f"{ME}/tokens", {"name": "ci", "scope": "read", "days": 30})
    assert made.status == 201
    bearer = {"Authorization": f"Bearer {made.json['token']}"}
    program = RestClient(ada.server)
    assert program.ask("GET", ME, None, bearer).json["login"] == "ada"
    assert program.ask("POST", SESSIONS, {}, bearer).code == "not_allowed"
    for method, path in [("GET", "/tokens"), ("GET", "/logins"), ("PATCH", ""), ("POST", "/tokens")]:
        answer = program.ask(method, ME + path, None if method == "GET" else {}, bearer)
        assert (answer.status, answer.code) == (403, "not_allowed")

    [listed] = ada.ask("GET", f"{ME}/tokens").json["tokens"]
    assert made.json.items() > {name: listed[name] for name in ("id", "name", "scope", "expires")}.items()
    assert listed["last_used"]
    assert "token" not in listed
    assert ada.another("bob").ask("DELETE", f"{ME}/tokens/{listed['id']}").status == 404
    assert ada.ask("DELETE", f"{ME}/tokens/{listed['id']}").status == 204
    assert program.ask("GET", ME, None, bearer).status == 401


def test_tokens_that_cannot_be(ada: Browser) -> None:
    """A token cannot allow more than its user may do, and ends in a number of days."""
    asked: list[dict[str, object]] = [
        {"scope": "operator"},
        {"scope": "all"},
        {"scope": "read", "days": 0},
        {"scope": "read", "days": 10**9},
    ]
    for each in asked:
        assert ada.ask("POST", f"{ME}/tokens", {"name": "ci", **each}).status == 400
    assert ada.ask("GET", f"{ME}/tokens").json["tokens"] == []


def test_the_audit_log_of_profiles(ada: Browser, tmp_path: Path) -> None:
    """Changes of accounts are in the audit log, with who made them."""
    ada.ask("PATCH", ME, {"name": "Ada L."})
    token = ada.ask("POST", f"{ME}/tokens", {"name": "ci", "scope": "read"}).json
    ada.ask("DELETE", f"{ME}/tokens/{token['id']}")
    ada.ask("POST", f"{ME}/password", {"old": "a wrong guess", "new": NEW})
    newest = Audit(tmp_path / "data" / "audit.jsonl").last(4)
    assert [entry["event"] for entry in newest] == ["login_failed", "token_revoked", "token_added", "profile_changed"]
    assert {entry["who"]["login"] for entry in newest} == {"ada"}
    assert token["token"] not in json.dumps(newest)


def test_where_nobody_logs_in(serve: Serve) -> None:
    """Where nobody logs in, everybody is `you`, and there is nothing to change."""
    rest = RestClient(serve("demo"))
    you = rest.get(ME)
    assert (you.status, you.json["id"], you.json["name"], you.json["roles"]) == (200, "you", "you", [])
    for method, path, body in [
        ("PATCH", "", {"name": "Ada"}), ("GET", "/logins", None), ("GET", "/tokens", None),
        ("POST", "/tokens", {"name": "ci", "scope": "read"}), ("POST", "/password", {"old": "x", "new": "y"}),
        ("DELETE", "/logins/l-1", None), ("DELETE", "/tokens/t-1", None),
    ]:  # fmt: skip
        answer = rest.ask(method, ME + path, body)
        assert (answer.status, answer.code) == (403, "not_allowed")
        assert "nobody logs in" in answer.json["error"]["message"]
