"""Turns that end without an answer: people are told, wherever they read."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agentchat.app import Running
from agentchat.protocol.session_events import NO_ANSWER
from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import say
from tests.rest_client import Conversation, RestClient

pytest_plugins = ["tests.browser"]

# Says nothing unless it is asked a question.
SILENT = '''
"""Rarely speaks."""
from autogen import Agent, ConversableAgent, UserProxyAgent, register_function

def reply(recipient, messages, sender, config):
    text = messages[-1].get("content") or ""
    if text == "look":
        call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        return True, {"content": "", "tool_calls": [call]}
    return True, "Yes?" if text.endswith("?") else None

def look() -> str:
    return ""

def build(llm_config, chat):
    agent = ConversableAgent("monk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(look, caller=agent, executor=user, description="Look.")
    agent.register_reply([Agent, None], reply)
    return user, agent
'''


@pytest.fixture
def server(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    weather = (Path(__file__).parent.parent / "agents" / "weather.py").read_text()
    concierge = (Path(__file__).parent.parent / "agents" / "concierge.py").read_text()
    return serve("--agents", write_agents(tmp_path, monk=SILENT, weather=weather, concierge=concierge), model=model)


@pytest.fixture
def monk(server: Running) -> Conversation:
    return RestClient(server).new_session(agent="monk")


@pytest.mark.parametrize("text", ["Say nothing.", "look"])
def test_over_rest(monk: Conversation, text: str) -> None:
    """A turn without a word, perhaps with tools, is completed with a notice; others have none."""
    silent, spoken = monk.ask(text), monk.ask("Now?")

    assert (silent["status"], silent["summary"], silent["notice"]) == ("completed", "", NO_ANSWER)
    assert silent["events"][-1]["content"]["notice"] == NO_ANSWER
    assert (spoken["summary"], spoken["notice"]) == ("Yes?", None)
    assert "notice" not in spoken["events"][-1]["content"]


def test_as_one_answer(monk: Conversation) -> None:
    """The chat API says in the message that there is no answer."""
    silent, spoken = (
        monk.client.post(f"/api/v1/chat/{monk.id}", {"message": text}).json["message"] for text in ("Hm.", "Now?")
    )

    assert (silent["content"], silent["notice"]) == ("", NO_ANSWER)
    assert spoken["content"] == "Yes?"
    assert "notice" not in spoken


def test_in_exports(monk: Conversation) -> None:
    """Exports say at the end of the turn that there is no answer."""
    monk.ask("Say nothing.")
    monk.ask("look")

    assert f"Say nothing.\n\n*{NO_ANSWER}*\n\n## user" in monk.get("/export", format="markdown").body.decode()
    assert f"<i>{NO_ANSWER}</i>" in monk.get("/export", format="html").body.decode()


def test_on_the_page(server: Running, page: Page) -> None:
    """The page says at the end of the turn, now and after a reload, that there is no answer."""
    page.goto(f"{server.page}?agent=monk")
    say(page, "Say nothing.")
    for reload in (False, True):
        if reload:
            page.reload()
        expect(page.locator('.turn[data-turn="1"] .turn-notice')).to_have_text(NO_ANSWER)
    say(page, "look")
    expect(page.locator('.turn[data-turn="2"] .turn-notice')).to_have_text(NO_ANSWER)
    expect(page.locator(".announcer")).to_contain_text(NO_ANSWER)
    say(page, "Now?")
    expect(page.locator('.message[data-role="agent"]')).to_contain_text("Yes?")
    expect(page.locator(".turn-notice")).to_have_count(2)


def end_of(frames: list[dict[str, Any]]) -> Any:
    return contents(frames, "turn_completed")[-1]


def test_an_empty_answer_of_a_model(server: Running, model: ModelServer) -> None:
    """An empty answer has a notice of its own, which is enough, also for those who see only the last word."""
    session = RestClient(server).new_session()
    with ChatClient(server.websocket, session=session.id, show="final") as final:
        model.script(Reply(""))
        turn = session.ask("Oslo?")
        final.until("turn_completed")

    assert "notice" not in end_of(turn["events"])
    assert turn["notice"] == contents(turn["events"], "text")[-1]["notice"] == contents(final.log, "text")[-1]["notice"]


def test_turns_that_need_no_notice(server: Running, model: ModelServer) -> None:
    """Nobody expects an answer of a turn that was stopped, failed, or that a human has."""
    gate = threading.Event()
    model.script(Reply("It is sunny.", gate_after=(2, gate)), Reply(status=401))
    with ChatClient(server.websocket, agent="weather") as client:
        client.say("Oslo?")
        client.until("stream")
        client.command("stop")
        client.until("turn_completed")
    gate.set()
    failed = RestClient(server).new_session().ask("Oslo?")
    held = RestClient(server).new_session(agent="concierge")
    with ChatClient(server.websocket, session=held.id, role="operator", name="Ann") as ann:
        ann.command("take")
        ann.until("handoff")
        passed_on = held.ask("Oslo?")

    assert (client.frames[-1]["content"]["status"], failed["status"]) == ("stopped", "failed")
    for end in (client.frames[-1]["content"], end_of(failed["events"]), end_of(passed_on["events"])):
        assert "notice" not in end
