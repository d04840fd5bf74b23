"""Announcements for screen readers: answers once and whole, as they are shown, and questions at once."""

from __future__ import annotations

import threading
from pathlib import Path

from playwright.sync_api import Page, expect

from agentchat.app import Running
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import say, turn

pytest_plugins = ["tests.browser"]

ANSWER = (
    "**Sunny**, see [the map](https://example.org):\n\n| City | °C |\n|---|--:|\n| Oslo | 20 |\n\n- one\n- two `k`\n"
)
ASKER = '''
"""Asks."""
from autogen import ConversableAgent, UserProxyAgent

def build(llm_config, chat):
    agent = ConversableAgent("asker", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)

    def ask() -> str:
        return chat.ask("On **which** day?")

    agent.register_for_llm(description="asks")(ask)
    user.register_for_execution()(ask)
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


def test_a_question_is_read_at_once(serve: Serve, model: ModelServer, page: Page, tmp_path: Path) -> None:
    """With who asks it, before anything else happens."""
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "asker.py").write_text(ASKER)
    server = serve("--agents", str(agents), "--default-agent", "asker", model=model)
    model.script(Reply(tools=[("ask", {})]))
    page.goto(server.page)
    page.evaluate(NOTE)
    say(page, "Book")
    expect(page.locator(".question-card")).to_be_visible()
    page.wait_for_function("() => said.length > 0")
    assert page.evaluate("said.at(-1)") == "Asker asks: On which day?"
