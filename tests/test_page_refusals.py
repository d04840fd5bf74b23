"""The page when the server refuses something: its sentence stands near, nothing that was written is lost, try again."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from agentchat.store import sqlite
from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, say, session_of, turn
from tests.rest_client import SESSIONS, RestClient

pytest_plugins = ["tests.browser"]

ASKER = '''
"""Asks when."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def when() -> str:
        return chat.ask("When?")

    agent = ConversableAgent("asker", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(when, caller=agent, executor=user, description="Ask when.")
    return user, agent
'''


def refused_message(page: Page) -> Locator:
    """Return the message that was not sent."""
    return page.locator('.message[data-role="person"][data-state="refused"]')


def card(page: Page) -> Locator:
    return page.locator(".error-card")


def again(place: Page | Locator) -> Locator:
    return place.get_by_role("button", name="Try again", exact=True)


def upload(page: Page, name: str, size: int) -> Locator:
    page.locator(".file-picker").set_input_files({"name": name, "mimeType": "text/plain", "buffer": b"x" * size})
    return page.locator(".upload", has_text=name)


def edit(page: Page, number: int, text: str) -> Locator:
    """Edit the message of a turn; return it."""
    message = turn(page, number).locator('.message[data-role="person"]')
    message.hover()
    message.get_by_role("button", name="Edit", exact=True).click()
    message.get_by_role("textbox").fill(text)
    message.get_by_role("textbox").press("Enter")
    return message


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> contextlib.AbstractContextManager[None]:
    """Return a context in which another program keeps the database locked."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 10)  # ms

    @contextlib.contextmanager
    def lock() -> Iterator[None]:
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "agentchat.db")) as db:
            db.execute("BEGIN IMMEDIATE")
            yield

    return lock()


@pytest.mark.own_server
def test_too_fast(serve: Serve, model: ModelServer, page: Page) -> None:
    """A message that came too fast keeps its words, and so does an edit; both can be sent again."""
    page.goto(serve("--messages-per-second", "0.3", model=model).page)  # three in ten seconds
    say(page, "Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    for number in (2, 3):
        say(page, f"And number {number}?")
    expect(turn(page, 3)).to_have_attribute("data-state", "completed")
    say(page, "A message that is too fast")
    expect(refused_message(page)).to_contain_text("A message that is too fast")
    expect(card(page)).to_contain_text("This is too much at once. Wait")
    expect(again(refused_message(page))).to_be_visible()
    message = edit(page, 3, "An edit that is too fast")
    expect(message.get_by_role("alert")).to_contain_text("This is too much at once. Wait")
    expect(message.get_by_role("textbox")).to_have_value("An edit that is too fast")
    page.reload()
    expect(page.get_by_role("article").get_by_text("A message that is too fast")).to_be_visible()


@pytest.mark.own_server
def test_a_full_queue(serve: Serve, model: ModelServer, page: Page) -> None:
    """A message for which there is no room among those that wait is sent again when the person says so."""
    gate = threading.Event()
    model.script(Reply("It is sunny.", gate_after=(1, gate)), *[Reply("Fine.")] * 3)
    page.goto(serve("--waiting-messages", "1", model=model).page)
    for text in ("Oslo?", "Rome?", "Paris?"):
        say(page, text)
        expect(page.get_by_role("article").get_by_text(text)).to_be_visible()
    expect(card(page)).to_contain_text("the limit is 1 messages in this conversation")
    expect(refused_message(page)).to_contain_text("Paris?")
    gate.set()
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")
    again(refused_message(page)).click()
    expect(turn(page, 3)).to_have_attribute("data-state", "completed")
    expect(card(page)).to_have_count(0)


@pytest.mark.own_server
def test_a_place_in_line(serve: Serve, model: ModelServer, page: Page) -> None:
    """A turn that waits for those of others tells its place."""
    gate = threading.Event()
    model.script(Reply("It is sunny.", gate_after=(1, gate)))
    server = serve("--turns", "1", model=model)
    with ChatClient(server.websocket, name="Bob") as first, ChatClient(server.websocket, name="Cy") as second:
        first.say("Oslo?")
        first.until("turn_started")
        second.say("Rome?")
        second.until("place")
        page.goto(server.page)
        say(page, "Paris?")
        expect(page.locator(".message-note")).to_have_text("Waits for 1 other turn")
        gate.set()
        expect(turn(page, 1)).to_have_attribute("data-state", "completed")


@pytest.mark.own_server
def test_too_many_conversations(serve: Serve, model: ModelServer, page: Page) -> None:
    """A message that would begin one conversation too many is kept, and so are files for one."""
    server = serve("--sessions-in-all", "1", model=model)
    other = RestClient(server).new_session()
    page.goto(server.page)
    say(page, "Oslo?")
    expect(page.get_by_text("No other conversation can begin now: there are 1, the limit.").first).to_be_visible()
    expect(page.get_by_role("article").get_by_text("Oslo?")).to_be_visible()
    assert other.client.ask("DELETE", other.path).status == 204
    again(page).or_(page.get_by_role("button", name="Reconnect")).first.click()
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")


@pytest.mark.own_server
def test_a_full_disk_quota(serve: Serve, model: ModelServer, page: Page) -> None:
    """A file for which there is no room is uploaded again once something was deleted."""
    server = serve("--storage-per-session", "1", model=model)
    page.goto(server.page)
    expect(upload(page, "first.txt", 900_000)).to_have_attribute("data-state", "done")
    second = upload(page, "second.txt", 500_000)
    expect(second).to_contain_text("There is no room for more files: the files of this conversation would take 1.4 MiB")
    path = f"{SESSIONS}/{session_of(page)}/files/first.txt"
    assert RestClient(server).ask("DELETE", path).status == 204
    again(second).click()
    expect(second).to_have_attribute("data-state", "done")


@pytest.mark.own_server
def test_a_locked_store(
    serve: Serve, model: ModelServer, page: Page, locked: contextlib.AbstractContextManager[None]
) -> None:
    """Everything that the store refuses says so where it was done, and works afterwards."""
    server = serve(model=model)
    page.goto(server.page)
    say(page, "Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    sentence = "Another program keeps the database locked. Try again in a moment."
    with locked:
        say(page, "Rome?")
        expect(card(page)).to_contain_text(sentence)
        file = upload(page, "notes.txt", 10)
        expect(file).to_contain_text(sentence)
        page.locator(".title-button").click()
        title = page.locator("form", has=page.get_by_role("textbox", name="Title"))
        title.get_by_role("textbox").fill("Cities")
        title.get_by_role("textbox").press("Enter")
        expect(title).to_contain_text(sentence)
        page.get_by_role("button", name="Bad answer").click()
        comment = page.get_by_placeholder("What was wrong? (optional)")
        comment.fill("Rome is not Oslo")
        comment.press("Enter")
        expect(page.locator(".session-errors")).to_contain_text("You wrote: Rome is not Oslo")
    title.get_by_role("button", name="Save").click()
    expect(page.locator(".title-button")).to_have_text("Cities")
    again(file).click()
    expect(file).to_have_attribute("data-state", "done")
    again(refused_message(page)).click()
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")


def test_an_id_in_use(serve: Serve, model: ModelServer, page: Page) -> None:
    """A message whose id is in use gets another one when it is sent again."""
    server = serve(model=model)
    page.goto(server.page)
    say(page, "Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    renamed = RestClient(server).ask(
        "PATCH", f"{SESSIONS}/{session_of(page)}", {"title": "Cities"}, {"Idempotency-Key": "in-use"}
    )
    assert renamed.status == 200
    page.evaluate("window.realUUID = crypto.randomUUID.bind(crypto); crypto.randomUUID = () => 'in-use'")
    say(page, "Rome?")
    expect(card(page)).to_contain_text("This id was used before")
    page.evaluate("crypto.randomUUID = window.realUUID")
    again(refused_message(page)).click()
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")


def test_somebody_was_faster(serve: Serve, model: ModelServer, somebody: Somebody, tmp_path: Path) -> None:
    """The second person to answer a question is told who was first, and keeps the words."""
    model.script(Reply(tools=[("when", {})]), Reply("Fine."))
    server = serve("--agents", write_agents(tmp_path, asker=ASKER), model=model)
    ada = somebody("Ada")
    ada.goto(server.page)
    say(ada, "Plan it.")
    question = ada.locator(".question-card")
    expect(question).to_contain_text("When?")
    request = json.dumps(RestClient(server).get(f"{SESSIONS}/{session_of(ada)}").json["open_requests"][0]["request_id"])
    ada.evaluate(  # Ben's answer arrives first, and Ada's page learns of it last
        "() => { const send = WebSocket.prototype.send; WebSocket.prototype.send = function (data) {"
        "  if (!data.includes('input_response')) return send.call(this, data);"
        f"  fetch(`{SESSIONS}/{session_of(ada)}/input`, {{ method: 'POST',"
        "     headers: { 'Content-Type': 'application/json' },"
        f"    body: JSON.stringify({{ request_id: {request}, text: 'On Monday', name: 'Ben' }}) }})"
        "   .then(() => send.call(this, data)); } }"
    )
    say(ada, "On Tuesday, please")
    expect(question).to_contain_text("Ben has answered this question already.")
    expect(question).to_contain_text("You wrote: On Tuesday, please")
    assert (
        contents(RestClient(server).get(f"{SESSIONS}/{session_of(ada)}/events").json["events"], "input_response")[0][
            "text"
        ]
        == "On Monday"
    )


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [(503, "search_timeout", "The search took longer than 3 seconds. Search for longer or rarer words."),
     (429, "too_many_requests", "Your address has too many requests at once; the limit is 100."),
     (503, "server_full", "The server has too many requests at once. Try again in a moment.")],
)  # fmt: skip
def test_a_search_that_is_refused(
    serve: Serve, model: ModelServer, page: Page, status: int, code: str, sentence: str
) -> None:
    """The sentence stands below the search field, and what was found before is not taken for its result."""
    page.goto(serve(model=model).page)
    say(page, "Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")

    def refuse(route: Route) -> None:
        route.fulfill(status=status, json={"error": {"code": code, "message": sentence}})

    page.route("**/sessions?q=*", refuse)
    page.locator(".search").fill("a")
    expect(page.locator(".conversation-list-note")).to_have_text(sentence)
    expect(page.locator(".conversation-list li")).to_have_count(0)
    page.unroute("**/sessions?q=*")
    page.locator(".search").fill("Oslo")
    expect(page.locator(".conversation-list li")).to_have_count(1)
    expect(page.locator(".conversation-list-note")).to_have_text("")


def test_a_server_that_takes_nobody_else(serve: Serve, model: ModelServer, page: Page) -> None:
    """While the server is full, the page says so in the server's words, and begins by itself afterwards."""
    server = serve(model=model)
    sentence = "The server has too many connections at once. Try again in a moment."
    page.route(
        "**/api/config",
        lambda route: route.fulfill(status=503, json={"error": {"code": "server_full", "message": sentence}}),
    )
    page.goto(server.page)
    expect(page.locator(".starting")).to_have_text(sentence)
    page.unroute("**/api/config")
    expect(page.locator(".welcome")).to_be_visible()


def test_the_state_of_the_connection_is_said_once(serve: Serve, page: Page) -> None:
    """By the line in the middle of the page until it has begun, and in the bar on top afterwards."""
    server = serve("demo")
    waiting: list[Route] = []
    page.route("**/api/config", lambda route: waiting.append(route))
    with page.expect_request("**/api/config"):
        page.goto(server.page)
    line, label = page.locator(".starting"), page.locator(".status-label")
    expect(line).to_have_text("Connecting to the server…")
    expect(label).to_be_hidden()
    waiting.pop().abort()
    expect(line).to_have_text("The server does not answer. The page tries again by itself.")
    expect(label).to_be_hidden()
    page.unroute("**/api/config")
    page.get_by_role("button", name="Reconnect now").click()
    expect(label).to_have_text("Online")
    expect(line).to_be_hidden()


def test_the_desk_says_that_the_server_does_not_answer(serve: Serve, page: Page) -> None:
    """It is not an empty page until then, and begins by itself."""
    server = serve("demo")
    waiting: list[Route] = []
    page.route("**/me", lambda route: waiting.append(route))
    with page.expect_request("**/me"):
        page.goto(f"{server.page}desk")
    line = page.locator(".starting")
    expect(line).to_have_text("Connecting to the server…")
    waiting.pop().abort()
    expect(line).to_have_text("The server does not answer. The page tries again by itself.")
    page.unroute("**/me")
    for route in waiting:
        route.continue_()
    expect(page.get_by_label("Your name")).to_be_visible()
    expect(line).to_be_hidden()
