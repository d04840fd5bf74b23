"""The page, in a real browser, as a person uses it."""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from agentchat.app import Running
from tests.clients import ChatClient
from tests.conftest import Fork, Serve, config_list
from tests.local_model_server import LocalModelServer, listing
from tests.model_server import ModelServer, Reply
from tests.pages import answers, say, session_of, turn

pytest_plugins = ["tests.browser"]

QUESTION = "What is the weather in Oslo?"
HOSTILE = (
    "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script> "
    "[click](javascript:document.title='hacked') ![x](http://evil.example/x.png) <b>bold</b>"
)


def test_the_main_job(serve: Serve, page: Page) -> None:
    """A suggestion, a tool card, an answer and a second question all work, and survive a reload."""
    server = serve("demo")
    page.goto(server.page)
    expect(page.get_by_text("offline demo model").first).to_be_visible()
    page.get_by_text(QUESTION).click()
    card = page.locator(".tool-card")
    expect(card).to_have_attribute("data-state", "ok")
    expect(card).to_contain_text("weather_forecast")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    card.locator("summary").click()
    expect(card).to_contain_text("cityOslo")
    expect(card).to_contain_text("Mock forecast for Oslo")
    say(page, "What did I write before?")
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")
    expect(turn(page, 2)).to_contain_text(QUESTION)
    said = page.locator(".message").all_inner_texts()

    page.reload()
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")
    assert page.locator(".message").all_inner_texts() == said
    expect(page.locator(".tool-card")).to_have_attribute("data-state", "ok")


def test_text_streams_in_place(server: Running, model: ModelServer, page: Page) -> None:
    """Text streams into one bubble, which shows its author from the first token and ends with the whole text."""
    gate = threading.Event()
    model.script(Reply("one two three", gate_after=(1, gate)))
    page.goto(server.page)
    say(page, "count")
    bubble = page.locator('.message[data-role="agent"]')
    expect(bubble).to_contain_text("one")
    expect(bubble).to_have_attribute("data-state", "streaming")
    expect(turn(page, 1).locator(".speaker")).to_contain_text("Forecaster")
    gate.set()
    expect(bubble).to_contain_text("one two three")
    expect(bubble).to_have_attribute("data-state", "done")
    expect(bubble).to_have_count(1)


def test_an_answer_is_copied(server: Running, model: ModelServer, page: Page, context: BrowserContext) -> None:
    """With a click on the button below it, as it was written."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    model.script(Reply("It is **sunny**."))
    page.goto(server.page)
    say(page, "Oslo?")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    page.get_by_role("button", name="Copy answer").click()
    expect(page.get_by_role("button", name="Copy answer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "It is **sunny**."


def test_a_reload_in_mid_answer(server: Running, model: ModelServer, page: Page) -> None:
    """A reload in mid-answer shows the text from its beginning, then the rest."""
    gate = threading.Event()
    model.script(Reply("one two three four", gate_after=(2, gate)))
    page.goto(server.page)
    say(page, "count")
    expect(page.locator('.message[data-role="agent"]')).to_contain_text("one two")
    page.reload()
    expect(page.locator('.message[data-role="agent"]')).to_contain_text("one two")
    gate.set()
    expect(page.locator('.message[data-role="agent"]')).to_contain_text("one two three four")


def test_stop(server: Running, model: ModelServer, page: Page) -> None:
    """A stopped answer keeps its partial text, marked as stopped; the conversation goes on."""
    model.script(Reply("one two three", gate_after=(2, threading.Event())))
    page.goto(server.page)
    say(page, "count")
    expect(page.locator('.message[data-role="agent"]')).to_contain_text("one two")
    page.get_by_role("button", name="Stop").click()
    expect(turn(page, 1)).to_have_attribute("data-state", "stopped")
    expect(page.locator('.message[data-role="agent"]')).to_have_attribute("data-state", "partial")
    expect(page.locator('.message[data-role="agent"]')).to_contain_text("one two")
    say(page, "go on")
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")


def test_messages_wait_in_order(server: Running, model: ModelServer, page: Page) -> None:
    """Messages sent while the agent is busy are shown as queued, then answered in order."""
    gate = threading.Event()
    model.script(Reply("first", gate=gate), Reply("second"))
    page.goto(server.page)
    say(page, "a")
    expect(turn(page, 1)).to_have_attribute("data-state", "running")
    say(page, "b")
    expect(turn(page, 2)).to_have_attribute("data-state", "queued")
    gate.set()
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")
    assert answers(page) == ["first", "second"]


def test_a_second_tab_shows_the_same(server: Running, model: ModelServer, page: Page, context: BrowserContext) -> None:
    """A second tab opened by address alone shows the same conversation, and each tab sees the other's messages."""
    page.goto(server.page)
    say(page, "hello")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    other = context.new_page()
    other.goto(f"{server.page}?session={session_of(page)}")
    expect(turn(other, 1)).to_have_attribute("data-state", "completed")
    model.script(Reply("for both of you"))
    say(other, "and here")
    for tab in (page, other):
        expect(turn(tab, 2)).to_contain_text("for both of you")


def test_errors_are_shown_in_words(server: Running, model: ModelServer, page: Page) -> None:
    """An error is shown as a card with a sentence; the next question is answered."""
    model.script(Reply(status=401))
    page.goto(server.page)
    say(page, "hello")
    expect(page.locator('.error-card[data-code="model_auth"]')).to_contain_text("refused the API key")
    expect(turn(page, 1)).to_have_attribute("data-state", "failed")
    say(page, "hello again")
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")


def test_nothing_that_is_said_can_run(server: Running, model: ModelServer, page: Page) -> None:
    """Text from the model, a tool or a person never runs as code, and never makes the page send a request."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    model.script(Reply(tools=[("weather_forecast", {"city": HOSTILE})]), Reply(HOSTILE))
    page.goto(server.page)
    say(page, HOSTILE)
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    page.locator(".tool-card summary").click()

    expect(page.locator('.message[data-role="agent"]').last).to_contain_text("<script>document.title='hacked'</script>")
    for kind in ("img", "script", "b", "a[href^=javascript]"):
        assert page.locator(f".turn {kind}").count() == 0, kind
    assert page.evaluate("document.title") != "hacked"
    assert not [url for url in requests if "evil" in url]


def test_a_server_that_restarts(fork: Fork, model: ModelServer, page: Page) -> None:
    """When the server restarts, the page says it is offline, keeps what is written, reconnects and sends it."""
    environment = config_list(model)
    with fork("--port", "0", "--ws-port", "0", environment=environment) as first:
        page.goto(first.page)
        say(page, "hello")
        expect(turn(page, 1)).to_have_attribute("data-state", "completed")
        ports = [re.findall(r":(\d+)/", address)[0] for address in (first.page, first.websocket)]
        first.signal(signal.SIGKILL)
        first.end()
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "offline")
    expect(page.locator(".status-label")).to_have_text("Trying again…")
    say(page, "written while the server was away")
    expect(page.locator('.message[data-state="pending"]')).to_contain_text("written while")
    with fork("--port", ports[0], "--ws-port", ports[1], environment=environment):
        expect(page.locator("[data-status]")).to_have_attribute("data-status", "online")
        expect(turn(page, 2)).to_have_attribute("data-state", "completed")
        expect(page.locator('.message[data-role="person"]')).to_have_count(2)


def test_past_conversations_are_listed(server: Running, page: Page) -> None:
    """Past conversations are listed by their first words, and open with one click."""
    page.goto(server.page)
    say(page, "the first conversation")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    page.get_by_role("link", name="New conversation").click()
    say(page, "the second conversation")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(page.locator(".conversation-list li")).to_have_count(2)
    page.locator(".conversation-list").get_by_text("the first conversation").click()
    expect(page.locator('.message[data-role="person"]')).to_contain_text("the first conversation")
    page.go_back()
    expect(page.locator('.message[data-role="person"]')).to_contain_text("the second conversation")


def test_a_broken_agent_is_shown_with_its_reason(serve: Serve, page: Page, tmp_path: Path) -> None:
    """A broken agent is shown in the picker with its reason, and can't be selected."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "broken.py").write_text('"""Does not work."""\nimport no_such_module')
    server = serve("demo", "--agents", str(tmp_path / "agents"))
    page.goto(server.page)

    expect(page.get_by_text("No module named 'no_such_module'")).to_be_visible()


def test_enter_sends_and_shift_enter_breaks_the_line(server: Running, page: Page) -> None:
    """Enter sends and Shift+Enter breaks the line; an empty message is not sent."""
    page.goto(server.page)
    field = page.locator("#composer textarea")
    field.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_have_count(0)
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    assert field.input_value() == "one\ntwo"
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.locator('.message[data-role="person"]')).to_have_text(re.compile("one\\s+two"))
    expect(field).to_have_value("")


def test_on_a_phone(server: Running, page: Page) -> None:
    """Nothing is wider than a phone's screen, whatever the messages contain."""
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(server.page)
    say(page, "a" * 300 + " and `" + "b" * 300 + "`")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")

    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_conversation_begun_by_a_program(server: Running, page: Page) -> None:
    """A conversation created by a program opens in the browser by its id."""
    with ChatClient(server.websocket, name="Ada") as client:
        session = client.confirmed()["session_id"]
        client.ask(QUESTION)
    page.goto(f"{server.page}?session={session}")

    expect(page.locator('.message[data-role="person"]')).to_contain_text(QUESTION)
    expect(page.locator(".tool-card")).to_have_attribute("data-state", "ok")


def test_a_model_on_this_machine_is_offered(serve: Serve, page: Page) -> None:
    """The demo notice names a model server that runs on the same machine, and the command that uses it."""
    with LocalModelServer({"/v1/models": listing("qwen3", "phi4")}) as ollama:
        server = serve("demo", "--local-servers", f"ollama:{ollama.port}")
        server.search.wait()
        page.goto(server.page)
        note = page.locator(".demo-note")
        expect(note).to_contain_text("Ollama is running on this machine.")
        command = f"python main.py --model ollama:qwen3 --local-servers ollama:{ollama.port}"
        expect(note.locator("code").last).to_have_text(command)


def test_without_models_on_this_machine(serve: Serve, page: Page) -> None:
    """If no model server was found, the demo notice says nothing about them."""
    page.goto(serve("demo").page)
    expect(page.locator(".demo-note")).to_be_visible()
    expect(page.locator(".demo-note")).not_to_contain_text("this machine")
