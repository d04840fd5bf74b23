"""Announcements for screen readers: answers once and whole, as they are shown, and questions at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from agentchat.app import Running
from tests.clients import wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import CUTTABLE, say, session_of, turn
from tests.rest_client import RestClient

pytest_plugins = ["tests.browser"]

ANSWER = (
    "**Sunny**, see [the map](https://example.org):\n\n| City | °C |\n|---|--:|\n| Oslo | 20 |\n\n- one\n- two `k`\n"
)
ASKER = '''
"""Asks."""
from autogen import ConversableAgent, UserProxyAgent
from agentchat.chat import needs_approval

def build(llm_config, chat):
    agent = ConversableAgent("asker", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)

    def ask() -> str:
        return chat.ask("On **which** day?")

    @needs_approval
    def book(day: str) -> str:
        return f"Booked for {day}."

    for tool in (ask, book):
        agent.register_for_llm(description="asks")(tool)
        user.register_for_execution()(tool)
    return user, agent
'''
NOTE = """
    window.said = [];
    const note = ({ addedNodes }) => addedNodes.forEach(({ textContent }) => said.push(textContent));
    const announcer = document.querySelector(".announcer");
    new MutationObserver((all) => all.forEach(note)).observe(announcer, { childList: true, subtree: true });
"""


def test_an_answer_is_read_once_it_is_whole(server: Running, model: ModelServer, page: Page) -> None:
    """Nothing is read while it streams in; then its text, without the marks of Markdown."""
    gate = threading.Event()
    model.script(Reply(ANSWER, gate_after=(6, gate)))
    page.goto(server.page)
    page.evaluate(NOTE)
    say(page, "Oslo?")
    expect(page.locator('.message[data-role="agent"] .prose')).to_contain_text("see the map")
    assert page.evaluate("said") == []
    gate.set()
    page.wait_for_function("() => said.length > 0")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    read = page.evaluate("said.map((each) => each.replace(/\\s+/g, ' '))")
    assert read == ["Forecaster: Sunny, see the map: City °C Oslo 20 one two k"]


def test_an_answer_that_was_missed_is_read(server: Running, model: ModelServer, page: Page) -> None:
    """Once, when the connection is back; what was there before is not read again."""
    page.add_init_script(CUTTABLE)
    gate = threading.Event()
    model.script(Reply("It is cold."), Reply("It is **sunny**.", gate=gate))
    page.goto(server.page)
    page.evaluate(NOTE)
    say(page, "Bergen?")
    page.wait_for_function("() => said.length > 0")
    say(page, "Oslo?")
    expect(turn(page, 2)).to_have_attribute("data-state", "running")
    page.evaluate("cut()")
    gate.set()
    address = f"/api/agent-chat/sessions/{session_of(page)}"
    wait_until(lambda: RestClient(server).get(address).json["status"] == "idle")
    page.evaluate("isCut = false")
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")
    page.wait_for_function("() => said.length > 1")
    assert page.evaluate("said") == ["Forecaster: It is cold.", "Forecaster: It is sunny."]


@pytest.fixture
def asker(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    """A server whose agent asks."""
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "asker.py").write_text(ASKER)
    return serve("--agents", str(agents), "--default-agent", "asker", model=model)


def test_a_question_is_read_at_once(asker: Running, model: ModelServer, page: Page) -> None:
    """With who asks it, before anything else happens."""
    model.script(Reply(tools=[("ask", {})]))
    page.goto(asker.page)
    page.evaluate(NOTE)
    say(page, "Book")
    expect(page.locator(".question-card")).to_be_visible()
    page.wait_for_function("() => said.length > 0")
    assert page.evaluate("said.at(-1)") == "Asker asks: On which day?"


def test_what_was_said_before_a_question_is_read_before_it(asker: Running, model: ModelServer, page: Page) -> None:
    """Even if the server takes a while to render it."""
    waiting: list[Route] = []
    is_held = True
    page.route("**/render", lambda route: waiting.append(route) if is_held else route.continue_())
    model.script(Reply("I *could* book it.", tools=[("book", {"day": "Monday"})]))
    page.goto(asker.page)
    page.evaluate(NOTE)
    say(page, "Book")
    expect(page.locator(".question-card")).to_be_visible()
    is_held = False
    for route in waiting:
        route.continue_()
    page.wait_for_function("() => said.length > 1")
    assert page.evaluate("said") == ["Asker: I could book it.", "book waits for your yes."]
