"""Attacks from the rest of the web on people who have logged in; each is tried here, and gets nowhere."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from agentchat import app, cli, logs, settings
from agentchat.auth.accounts import Accounts
from agentchat.auth.attempts import Attempts
from agentchat.protocol.errors import SettingsError
from tests.accounts import PASSWORD, cheap
from tests.agent_files import write_agents
from tests.clients import PATIENCE
from tests.conftest import Fork, Serve
from tests.lying_provider import CLIENT_ID, CLIENT_SECRET, LyingProvider
from tests.rest_client import SESSIONS, Answer, RestClient
from tests.test_access import API, BODIES, HELPFUL, Caller, World, address, listed, running, shown
from tests.test_foreign_pages import foreign as foreign

serve = sys.modules["agentchat.cli.serve"]  # which the function of that name hides

pytest_plugins = ["tests.browser"]

EVIL = "https://evil.example"
HEADERS = (
    "X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy", "Content-Security-Policy",
    "Cross-Origin-Resource-Policy", "Cross-Origin-Opener-Policy",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("attacks")) as world:
        yield world


@pytest.fixture
def owner(world: World) -> Caller:
    return world.caller("owner")


def cookie_of(caller: Caller) -> str:
    return caller.shows["Cookie"].partition("=")[2]


def with_cookie(caller: Caller, **headers: str) -> Caller:
    """Return what a page of somebody else makes the person's browser send."""
    return Caller(caller.name, {"Cookie": caller.shows["Cookie"], **headers}, caller.person)


# Requests forged by other pages


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Referer": EVIL},
    ],
)
def test_changes_by_other_pages(world: World, owner: Caller, headers: dict[str, str]) -> None:
    """Nothing changes at the request of another page, or of one that does not say which it is, cookie or not."""
    id = world.session(owner)
    known = len(listed(world, owner))
    forged = with_cookie(owner, **headers)
    for route in world.routes:
        if route.method == "GET":
            continue
        body = BODIES.get(route.handle.__name__, {} if route.body is not None else None)
        for type in ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            given = {"Content-Type": type} if type else {}
            answer = world.ask(forged, route.method, address(route, id), body, given)
            assert (answer.status, answer.code in {"origin_refused", "request_foreign"}) == (403, True), shown(route)
            assert "Set-Cookie" not in answer.headers
    assert len(listed(world, owner)) == known
    assert world.ask(owner, "GET", f"{SESSIONS}/{id}").json["messages"] == 0


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x"])
def test_bodies_that_forms_can_send(world: World, owner: Caller, type: str) -> None:
    """A body counts as JSON only if it says so, even from our own page: no form can say that."""
    for path, body in {f"{API}/login": {"login": "ada", "password": PASSWORD}, SESSIONS: {}}.items():
        answer = world.ask(owner, "POST", path, body, {"Content-Type": type})
        assert (answer.status, answer.code) == (415, "type_unsupported")
        assert "Set-Cookie" not in answer.headers


def test_methods_that_change_nothing(world: World, owner: Caller) -> None:
    """HEAD and OPTIONS do nothing, and no header or parameter turns a method into another one."""
    id = world.session(owner)
    path = f"{SESSIONS}/{id}"
    override = {"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "DELETE", "X-Method-Override": "DELETE"}
    for method in ("HEAD", "GET", "OPTIONS", "POST", "TRACE", "CONNECT"):
        for caller in (owner, with_cookie(owner)):
            world.ask(caller, method, f"{path}?_method=DELETE", None, override)
            world.ask(caller, method, f"{path}/stop?_method=POST", None, override)
    preflight = {"Access-Control-Request-Method": "DELETE"}
    foreign = with_cookie(owner, Origin=EVIL)
    assert world.ask(foreign, "OPTIONS", path, None, preflight).code == "origin_refused"
    assert world.ask(owner, "GET", path).status == 200
    stranger = world.caller("stranger")
    assert [world.ask(stranger, "HEAD", f"{SESSIONS}/{each}").status for each in (id, "x")] == [404, 404]


@pytest.mark.parametrize("origin", [None, EVIL, "null", "http://127.0.0.1:1", "http://localhost", "file://", ""])
def test_sockets_of_other_pages(world: World, owner: Caller, origin: str | None) -> None:
    """No other page gets a WebSocket with somebody's cookie, nor one that doesn't say where it comes from."""
    headers = {"Cookie": owner.shows["Cookie"], **({} if origin is None else {"Origin": origin})}
    with pytest.raises(InvalidStatus) as refused, connect(world.served.websocket, additional_headers=headers):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "headers", [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_reading_by_other_pages(world: World, owner: Caller, headers: dict[str, str]) -> None:
    """Another page reads nothing with somebody's cookie, streams included; no answer allows it to."""
    id = world.session(owner)
    for route in world.routes:
        if route.method == "GET":
            for accept in ({}, {"Accept": "text/event-stream"}):
                answer = world.ask(with_cookie(owner, **headers), "GET", address(route, id), None, accept)
                assert (answer.status, answer.code) == (403, "origin_refused"), shown(route)
                assert "Access-Control-Allow-Origin" not in answer.headers


ATTACK = """
async ([page, socket, session]) => {
  const got = [];
  const form = (path, enctype, name, value) => new Promise(done => {
    const frame = Object.assign(document.createElement("iframe"), { name: `f${Math.random()}`, onload: done });
    document.body.append(frame);
    const form = Object.assign(document.createElement("form"), {
      action: page + path, method: "POST", enctype, target: frame.name,
    });
    form.append(Object.assign(document.createElement("input"), { name, value }));
    document.body.append(form);
    form.submit();
    setTimeout(done, 1000);
  });
  const sessions = "/api/agent-chat/sessions";
  for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    await form(sessions, enctype, '{"title":"', '"}');
    await form(`${sessions}/${session}/messages`, enctype, '{"text":"forged","context":{"a":"', '"}}');
    await form("/api/agent-chat/logout", enctype, '{"everywhere":true}', "");
  }
  const given = { mode: "no-cors", credentials: "include", method: "POST" };
  for (const body of ['{"text":"forged"}', new Blob(['{"text":"forged"}'], { type: "text/plain" }), undefined]) {
    await fetch(`${page}${sessions}/${session}/messages`, { ...given, body }).catch(() => {});
    await fetch(`${page}/api/agent-chat/logout`, { ...given, body }).catch(() => {});
  }
  navigator.sendBeacon(`${page}${sessions}`, "{}");
  for (const method of ["DELETE", "PUT", "PATCH"])
    await fetch(`${page}${sessions}/${session}`, { method, credentials: "include" }).catch(() => {});
  for (const path of [sessions, `${sessions}/${session}`, "/api/config"])
    await fetch(page + path, { credentials: "include" }).then(a => a.text()).then(t => got.push(t)).catch(() => {});
  await new Promise(done => {
    const events = new EventSource(`${page}${sessions}/${session}/events`, { withCredentials: true });
    events.onmessage = message => got.push(message.data);
    events.onerror = () => { events.close(); done(); };
  });
  await new Promise(done => {
    const open = new WebSocket(`${socket}?session=${session}`);
    open.onopen = () => got.push("open");
    open.onmessage = message => got.push(message.data);
    open.onclose = done;
  });
  const frames = [];
  for (const path of ["/", "/desk", "/login", `${sessions}/${session}/export?format=html`])
    await new Promise(done => {
      const frame = Object.assign(document.createElement("iframe"), { src: page + path, onload: done, onerror: done });
      document.body.append(frame);
      frames.push(frame);
      setTimeout(done, 1000);
    });
  for (const frame of frames)  // a frame of ours would be another origin's, and have no document here
    if (frame.contentDocument === null && frame.contentWindow.length) got.push("framed");
  return got;
}
"""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_foreign_page(world: World, owner: Caller, foreign: int, browser: Chromium, host: str) -> None:
    """In a browser that has logged in, another page sends, reads, follows and frames nothing; nor of the same host."""
    id = world.session(owner)
    known = len(listed(world, owner))
    context = browser.new_context()
    log_in(context, world, owner)
    page = context.new_page()
    framed: list[str] = []
    page.on("console", lambda message: framed.append(message.text) if "frame" in message.text.lower() else None)
    page.goto(f"http://{host}:{foreign}/")
    got = page.evaluate(ATTACK, [world.origin, world.served.websocket, id])
    context.close()
    assert got == []
    assert len([text for text in framed if "frame-ancestors" in text or "frame" in text]) >= 3
    assert len(listed(world, owner)) == known  # and the login lasts
    assert world.ask(owner, "GET", f"{SESSIONS}/{id}").json["messages"] == 0


def log_in(context: BrowserContext, world: World, caller: Caller) -> None:
    cookie: Any = {
        "name": "agentchat_login", "value": cookie_of(caller), "url": world.origin, "httpOnly": True, "sameSite": "Lax",
    }  # fmt: skip
    context.add_cookies([cookie])


# Logins


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests try as often as they like."""
    monkeypatch.setattr(Attempts, "begin", lambda self, login, address: None)


@pytest.mark.usefixtures("patient")
def test_a_cookie_from_before(world: World, owner: Caller) -> None:
    """A cookie that somebody else has set is worth nothing after the login: each has a new secret."""
    planted = "planted-by-somebody-else"
    browser = Caller("nobody", {"Cookie": f"agentchat_login={planted}", "Origin": world.origin})
    answer = world.ask(browser, "POST", f"{API}/login", {"login": "ada", "password": PASSWORD})
    [cookie] = answer.headers.get_all("Set-Cookie") or []
    assert answer.status == 200
    assert planted not in cookie
    assert world.ask(browser, "GET", SESSIONS).code == "login_needed"
    ours = cookie.partition(";")[0]
    again = world.ask(Caller("", {"Cookie": ours, "Origin": world.origin}), "POST", f"{API}/login",
                      {"login": "stan", "password": PASSWORD})  # fmt: skip
    if again.status == 200:
        assert ours not in str(again.headers)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_being_logged_in_as_somebody_else(world: World, headers: dict[str, str]) -> None:
    """No other page logs somebody in, so that they would write into its account."""
    world.user("owner")
    answer = world.ask(Caller("", headers), "POST", f"{API}/login", {"login": "ada", "password": PASSWORD})
    assert (answer.status, answer.code) == (403, "origin_refused")
    assert "Set-Cookie" not in answer.headers


def same(answers: list[Answer]) -> bool:
    """Return True if nobody can tell these answers apart."""
    about = [(a.status, sorted((n, v) for n, v in a.headers.items() if n != "Date"), a.body) for a in answers]
    return all(each == about[0] for each in about)


@pytest.mark.usefixtures("patient")
def test_finding_out_who_has_an_account(world: World) -> None:
    """A wrong password, an unknown name, and a user without a password are answered alike."""
    world.user("owner")
    if world.accounts.by_login("ci") is None:
        world.accounts.add("ci", None)
    nobody = world.caller("nobody")
    names = ("ada", "ADA", "nobody", "ci", "", "x" * 200, "a\x00b", "ﬁ", "root")
    asked = [world.ask(nobody, "POST", f"{API}/login", {"login": name, "password": "wrong"}) for name in names]
    assert asked[0].code == "login_refused"
    assert same(asked)
    about = {"login": "ada", "password": PASSWORD, "name": ""}
    made = [
        world.ask(nobody, "POST", f"{API}/first-account", {**about, "login": name, "secret": secret})
        for name in ("ada", "eve") for secret in ("x", "y" * 43)
    ]  # fmt: skip
    assert made[0].status == 404
    assert same(made)


def test_the_time_that_a_login_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many hashes are computed for an unknown name as for a known one."""
    monkeypatch.setattr(Attempts, "begin", lambda self, login, address: None)
    with running(tmp_path) as world:
        world.user("owner")
        world.accounts.add("ci", None)
        counts = {}
        for name in ("ada", "nobody", "ci"):
            before = world.hasher.computed
            world.ask(world.caller("nobody"), "POST", f"{API}/login", {"login": name, "password": "wrong password"})
            counts[name] = world.hasher.computed - before
        assert set(counts.values()) == {1}


def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    """Guessing makes one wait, for a name that exists as for one that doesn't."""
    with running(tmp_path) as world:
        world.user("owner")
        nobody = world.caller("nobody")
        answers = []
        for name in ("ada", "nobody"):
            for _ in range(7):
                answer = world.ask(nobody, "POST", f"{API}/login", {"login": name, "password": "wrong password"})
            answers.append((answer.status, answer.code, "Retry-After" in answer.headers))
        assert answers == [(429, "too_many_attempts", True)] * 2


@pytest.mark.own_server
def test_the_link_for_the_first_account(serve: Serve) -> None:
    """It makes one account, however many use it at once."""
    running = serve("demo", "--accounts")
    secret = running.first_account.partition("#first=")[2]
    client = RestClient(running)

    def make(number: int) -> int:
        about = {"secret": secret, "login": f"ada{number}", "password": PASSWORD}
        return client.post(f"{API}/first-account", about).status

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(make, range(4))) == [201, 404, 404, 404]


# Secrets in the wrong place


def test_secrets_in_the_wrong_place(world: World) -> None:
    """A token is no cookie, a cookie no token, and a ticket neither."""
    owner, token, nobody = world.caller("owner"), world.caller("write token"), world.caller("nobody")
    bearer, login = token.shows["Authorization"].partition(" ")[2], cookie_of(owner)
    ticket = world.ask(owner, "POST", f"{API}/ticket").json["ticket"]
    for headers, query in [
        ({"Cookie": f"agentchat_login={bearer}"}, ""),
        ({"Cookie": f"agentchat_login={ticket}"}, ""),
        ({"Authorization": f"Bearer {login}"}, ""),
        ({"Authorization": f"Bearer {ticket}"}, ""),
        ({"Authorization": f"Basic {bearer}"}, ""),
        ({"Authorization": bearer}, ""),
        ({"Cookie": f"agentchat_browser={login}"}, ""),
        ({}, f"?ticket={bearer}"),
        ({}, f"?ticket={login}"),
        ({}, f"?token={bearer}"),
        ({}, f"?access_token={bearer}"),
        ({}, f"?agentchat_login={login}"),
    ]:
        assert world.ask(nobody, "GET", SESSIONS + query, None, headers).code == "login_needed", (headers, query)
        with pytest.raises(InvalidStatus) as refused, connect(
            world.served.websocket + query, additional_headers={"Origin": world.origin, **headers}
        ):  # fmt: skip
            pass
        assert refused.value.response.status_code == 401
    assert world.ask(nobody, "GET", f"{SESSIONS}?ticket={ticket}").status == 200
    assert world.ask(nobody, "GET", f"{SESSIONS}?ticket={ticket}").code == "login_needed"


@pytest.mark.parametrize(
    "value", ["", " ", "x" * 7000, "\xff\xfe", "act_", "act_" + "x" * 43, "%00", "'; DROP TABLE users"]
)
def test_values_that_are_no_secrets(world: World, value: str) -> None:
    """Whatever stands where a secret should is refused, and breaks nothing."""
    nobody = world.caller("nobody")
    for headers, query in [
        ({"Authorization": f"Bearer {value}"}, ""),
        ({"Cookie": f"agentchat_login={value}"}, ""),
        ({}, f"?ticket={quote(value, encoding='latin-1')}"),
    ]:
        answer = world.ask(nobody, "GET", SESSIONS + query, None, headers)
        assert (answer.status, answer.code) == (401, "login_needed"), (headers, query)
        if value.isascii():
            with pytest.raises(InvalidStatus) as refused, connect(
                world.served.websocket + query, additional_headers={"Origin": world.origin, **headers}
            ):  # fmt: skip
                pass
            assert refused.value.response.status_code == 401


def test_headers_given_twice(world: World, owner: Caller) -> None:
    """Two tokens are refused, and so is one beside a name of a proxy: nobody chooses between them."""
    token = world.caller("write token").shows["Authorization"]
    for port, path in ((urlsplit(world.served.page).port, SESSIONS), (urlsplit(world.served.websocket).port, "/")):
        assert port is not None
        with closing(socket.create_connection(("127.0.0.1", port), PATIENCE)) as client:
            upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            twice = f"Authorization: {token}\r\nAuthorization: {token}\r\n"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{upgrade}{key}{twice}\r\n".encode())
            assert client.recv(12) == b"HTTP/1.1 400"


def test_a_cookie_that_a_neighbour_adds(world: World, owner: Caller) -> None:
    """Another server on this host cannot log a browser in as somebody else: of two logins none counts."""
    planted = cookie_of(world.caller("stranger"))
    for cookies in ((planted, cookie_of(owner)), (cookie_of(owner), planted)):
        shows = {"Cookie": "; ".join(f"agentchat_login={each}" for each in cookies), "Origin": world.origin}
        assert world.ask(Caller("", shows), "GET", SESSIONS).code == "login_needed"
        with pytest.raises(InvalidStatus), connect(world.served.websocket, additional_headers=shows):
            pass


def test_a_token_beside_a_cookie(world: World, owner: Caller) -> None:
    """A token that is not good is refused, whatever cookie comes with it."""
    shows = {**owner.shows, "Authorization": "Bearer act_nothing"}
    assert world.ask(Caller("", shows), "GET", SESSIONS).code == "login_needed"


def test_the_log(fork: Fork, tmp_path: Path) -> None:
    """No password, cookie, token or ticket is in the log, or in the audit, even at its most talkative."""
    data = tmp_path / "data"
    data.mkdir()
    with closing(Accounts(data, passwords=cheap())) as accounts:
        user = accounts.add("ada", PASSWORD)
        token, _ = accounts.add_token(user.id, "ci", "write")
    options = ("demo", "--port", "0", "--ws-port", "0", "--log-level", "DEBUG", "--access-log", "--agents",
               write_agents(tmp_path, helpful=HELPFUL))  # fmt: skip
    with fork(*options, environment={}) as server:
        origin = server.page.rstrip("/")
        client = RestClient(server)
        login = client.post(f"{API}/login", {"login": "ada", "password": PASSWORD})
        client.post(f"{API}/login", {"login": "ada", "password": "a wrong password"})
        client.post(f"{API}/login", {"login": "a password as a name", "password": "x"})
        cookie = str(login.headers["Set-Cookie"]).partition(";")[0]
        tickets = [
            client.ask("POST", f"{API}/ticket", None, {"Authorization": f"Bearer {token}"}).json["ticket"]
            for _ in range(3)
        ]
        assert [client.get(SESSIONS, ticket=tickets[0]).status for _ in range(2)] == [200, 401]
        for query, headers in [
            (f"?ticket={tickets[1]}", {}),
            ("", {"Authorization": f"Bearer {token}"}),
            ("", {"Cookie": cookie}),
        ]:
            address = server.websocket + query
            with connect(address, additional_headers={"Origin": origin, **headers}, open_timeout=PATIENCE) as socket:
                socket.recv(PATIENCE)
        with pytest.raises(InvalidStatus), connect(f"{server.websocket}?ticket={tickets[1]}"):
            pass
        client.ask("GET", "/nothing", None, {"Authorization": f"Bearer {token}", "Cookie": cookie})
        written = server.log + (data / "audit.jsonl").read_text()
    secrets = [PASSWORD, "a wrong password", "a password as a name", cookie.partition("=")[2], token, *tickets]
    assert "/login" in written
    assert f"GET {SESSIONS}?ticket=…: 200" in written
    assert written.count("opens, session") == written.count("closes with 1000 after") == 3
    assert written.count(f"from 127.0.0.1, {user.id}") == 6
    assert [secret for secret in secrets if secret in written] == []


# Being sent elsewhere

ELSEWHERE = (
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/%09/evil.example/",
    "/\t/evil.example",
    "javascript:alert(1)", "//evil.example/..", "///evil.example", "/\r\nLocation: https://evil.example", "http:evil",
    "@evil.example", ".evil.example", "/a//evil.example",
)  # fmt: skip


@pytest.fixture(scope="module")
def provider() -> Iterator[LyingProvider]:
    with LyingProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def with_provider(tmp_path_factory: pytest.TempPathFactory, provider: LyingProvider) -> Iterator[World]:
    options = ("--oidc-issuer", provider.issuer, "--oidc-client-id", CLIENT_ID, "--oidc-client-secret", CLIENT_SECRET)
    with running(tmp_path_factory.mktemp("provider"), *options) as world:
        yield world


@pytest.mark.parametrize("back", ELSEWHERE)
def test_addresses_to_go_back_to(with_provider: World, back: str) -> None:
    """After a login people get to a path of this server, and nowhere else."""
    world = with_provider
    answer = world.ask(Caller("", {}), "GET", f"{API}/oidc/begin?back={quote(back)}")
    if answer.status == 303:  # then it is a path that looks odd, and no more
        assert back.startswith("/%")
    else:
        assert (answer.status, answer.code) == (400, "bad_request")
    for page in ("/", "/desk"):
        sent = world.ask(Caller("", {}), "GET", f"{page}?back={quote(back)}")
        [kept] = parse_qs(urlsplit(sent.headers["Location"]).query)["back"]
        assert (sent.headers["Location"].partition("?")[0], kept) == ("login", f"{page[1:]}?back={quote(back)}")


def test_coming_back_from_a_provider(with_provider: World, provider: LyingProvider) -> None:
    """The provider's site sends people back, which other sites cannot use: not without what the browser keeps."""
    world = with_provider
    begun = world.ask(Caller("", {}), "GET", f"{API}/oidc/begin?back=/desk")
    kept = str(begun.headers["Set-Cookie"]).partition(";")[0]
    query = provider.log_in(begun.headers["Location"])
    path = f"{API}/oidc/callback?{query}"
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    for other in ({}, {"Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Dest": "image"}):
        given = {"Sec-Fetch-Site": "cross-site", **({**linked, **other} if other else {}), "Cookie": kept}
        assert world.ask(Caller("", given), "GET", path).code == "origin_refused"
    assert world.ask(Caller("", linked), "GET", f"{API}/oidc/begin").code == "origin_refused"
    for shown_by_others in ({}, {"Cookie": kept + "x"}):
        sent = world.ask(Caller("", {**linked, **shown_by_others}), "GET", path)
        assert sent.headers["Location"].startswith("../../../login#error=oidc_")
        assert "agentchat_login" not in str(sent.headers.get_all("Set-Cookie"))
    sent = world.ask(Caller("", {**linked, "Cookie": kept}), "GET", path)
    assert (sent.status, sent.headers["Location"]) == (303, "../../../desk")
    cookies = sent.headers.get_all("Set-Cookie") or []
    [login] = [cookie for cookie in cookies if cookie.startswith("agentchat_login=")]
    assert world.ask(Caller("", {"Cookie": login.partition(";")[0]}), "GET", SESSIONS).status == 200


# Answers


def test_headers_of_every_answer(world: World, owner: Caller) -> None:
    """Every answer has the headers that keep browsers in bounds: of all routes, files, errors and refusals."""
    id = world.session(owner)
    for caller in (owner, world.caller("nobody"), Caller("", {"Origin": EVIL})):
        for route in world.routes:
            if route.method == "GET":
                answer = world.ask(caller, "GET", address(route, id))
                is_framed = answer.status == 200 and route.path.endswith("/view")  # by our own page
                check(answer, "'self'" if is_framed else "'none'")
        for method, path in [
            ("GET", "/"), ("GET", "/desk"), ("GET", "/static/js/chat.js"), ("GET", "/nothing"), ("PUT", "/"),
            ("POST", SESSIONS), ("OPTIONS", SESSIONS), ("HEAD", SESSIONS), ("BREW", SESSIONS), ("GET", "/%"),
        ]:  # fmt: skip
            check(world.ask(caller, method, path))
    check(world.ask(Caller("", {"Host": "evil.example"}), "GET", "/"))


@pytest.mark.parametrize("port", ["page", "websocket"])
@pytest.mark.parametrize(
    "request_head",
    [
        "nonsense\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 70_000 + "\r\n\r\n",
        "GET /a\x7f HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ],
)  # fmt: skip
def test_headers_of_refusals(world: World, port: str, request_head: str) -> None:
    """So have refusals that no handler has seen, on both ports."""
    address = world.served.page if port == "page" else world.served.websocket
    with closing(socket.create_connection(("127.0.0.1", urlsplit(address).port or 0), PATIENCE)) as client:
        client.sendall(request_head.encode("latin-1"))
        response = http.client.HTTPResponse(client)
        response.begin()
        check(Answer(response.status, response.headers, response.read()))
        assert response.status >= 400


def check(answer: Answer, ancestors: str = "'none'") -> None:
    missing = [name for name in HEADERS if len(answer.headers.get_all(name) or []) != 1]
    assert missing == [], (answer.status, answer.headers.items())
    assert f"frame-ancestors {ancestors}" in answer.headers["Content-Security-Policy"]
    assert "camera=()" in answer.headers["Permissions-Policy"]


def test_cookies_under_tls(tmp_path: Path, provider: LyingProvider) -> None:
    """Where people come over TLS, no cookie is sent without it; elsewhere each has the other bounds."""
    options = ("--oidc-issuer", provider.issuer, "--oidc-client-id", CLIENT_ID, "--oidc-client-secret", CLIENT_SECRET)
    for public, folder in (("HTTPS://Chat.example.com", "secure"), ("http://127.0.0.1:1", "plain")):
        (tmp_path / folder).mkdir()
        with running(tmp_path / folder, *options, "--public-url", public) as world:
            world.user("owner")
            own = {"Origin": public.lower(), "Host": urlsplit(public).netloc.lower()}
            answers = [
                world.ask(Caller("", own), "POST", f"{API}/login", {"login": "ada", "password": PASSWORD}),
                world.ask(Caller("", own), "POST", f"{API}/logout", {}),
                world.ask(Caller("", own), "GET", f"{API}/oidc/begin"),
                world.ask(Caller("", {"Host": own["Host"]}), "GET", "/login"),
            ]
        for answer in answers[: 3 if answers[3].status == 404 else 4]:
            [cookie] = answer.headers.get_all("Set-Cookie") or []
            bounds = set(cookie.split("; "))
            assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= bounds
            assert ("Secure" in bounds) == (folder == "secure"), cookie


# Starting


def refusal(*arguments: str) -> str:
    """Start a server with these settings; return why it does not, "" if it does."""
    chosen = settings.load(["demo", "--port", "0", "--ws-port", "0", "--local-servers", "none", *arguments], {})
    try:
        with app.serving(chosen, {}):
            return ""
    except SettingsError as error:
        return str(error)


REACHABLE = [
    ("--host", "0.0.0.0"), ("--host", "::"), ("--public-url", "https://chat.example.com"),
    ("--public-url", "http://localhost:8001"), ("--trusted-proxies", "10.0.0.5"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", REACHABLE)
def test_a_server_that_others_reach(tmp_path: Path, two_agents: Path, arguments: tuple[str, ...]) -> None:
    """A server that other machines can reach does not start unless people have to log in, or it is told otherwise."""
    places = ("--data-dir", str(tmp_path / "data"), "--agents", str(two_agents))
    refused = refusal(*places, *arguments)
    ways = ("user add", "--accounts", "--oidc-issuer", "--auth-header", "--no-auth")
    assert [way for way in ways if way not in refused] == []
    assert refusal(*places, *arguments, "--no-auth") == ""
    assert refusal(*places, *arguments, "--accounts") == ""


def test_a_server_with_accounts(tmp_path: Path, two_agents: Path) -> None:
    """With an account it starts anywhere, and one with tokens alone does not count."""
    data = tmp_path / "data"
    data.mkdir()
    places = ("--data-dir", str(data), "--agents", str(two_agents), "--host", "0.0.0.0")
    with closing(Accounts(data, passwords=cheap())) as accounts:
        accounts.add("ci", None)
        assert "--no-auth" in refusal(*places)
        accounts.add("ada", PASSWORD)
        assert refusal(*places) == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--no-auth", "--accounts"), "Choose one of them"),
        (("--no-auth", "--oidc-issuer", "https://a.example", "--oidc-client-id", "x"), "Choose one of them"),
        (("--no-auth", "--auth-header", "X-User", "--trusted-proxies", "10.0.0.1"), "Choose one of them"),
        (("--auth-header", "X-User"), "--trusted-proxies"),
        (("--trusted-proxies", "0.0.0.0/0", "--auth-header", "X-User"), "every address"),
        (("--trusted-proxies", "nonsense"), "--trusted-proxies"),
        (("--oidc-issuer", "https://a.example"), "--oidc-client-id"),
        (("--oidc-issuer", "http://a.example", "--oidc-client-id", "x"), "https"),
    ],
)
def test_settings_that_contradict(tmp_path: Path, two_agents: Path, arguments: tuple[str, ...], said: str) -> None:
    """Settings of which each says something else are refused, not guessed at."""
    places = ("--data-dir", str(tmp_path / "data"), "--agents", str(two_agents))
    assert said in refusal(*places, *arguments)


def test_the_status_of_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with status 2 and one sentence."""
    monkeypatch.setattr(serve, "_stop_signals", list)  # signals and logging are the tests' own
    monkeypatch.setattr(logs, "set_up", lambda level, format: None)
    monkeypatch.setenv("AGENTCHAT_DATA_DIR", str(tmp_path))
    assert cli.main(["demo", "--host", "0.0.0.0", "--port", "0", "--ws-port", "0"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "--no-auth" in said.err
