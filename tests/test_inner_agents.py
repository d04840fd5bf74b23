"""A tool with agents of its own keeps their conversation to itself."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

BOSS = '''
"""Has a tool that has a model think."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def think(about: str) -> str:
        inner = ConversableAgent("thinker", llm_config=llm_config, human_input_mode="NEVER")
        asker = ConversableAgent("asker", llm_config=False, human_input_mode="NEVER", default_auto_reply="")
        return asker.initiate_chat(inner, message=about, max_turns=1).summary

    def reply(about: str) -> str:
        inner = ConversableAgent("thinker", llm_config=llm_config, human_input_mode="NEVER")
        return str(inner.generate_reply([{"role": "user", "content": about}]))

    agent = ConversableAgent("boss", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (think, reply):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''


def test_agents_of_a_tool(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Agents inside a tool are invisible: people see the tool's result. Their cost is counted."""
    server = serve("--agents", write_agents(tmp_path, boss=BOSS), model=model)
    for tool in ("think", "reply"):
        model.script(
            Reply(tools=[(tool, {"about": "moss"})], usage=(10, 1)),
            Reply("An inner thought.", usage=(100, 2)),
            Reply("Moss is green.", usage=(1000, 3)),
        )
        with ChatClient(server.websocket) as client:
            client.confirmed()
            frames = client.ask("What is moss?")

        texts = [(t["sender"], t.get("within")) for t in contents(frames, "text") if t["sender"] != "user"]
        assert texts[-1] == ("boss", None), tool
        assert {within for _, within in texts[:-1]} <= {"boss"}, tool
        tool_events = [f["content"] for f in frames if f["type"] in {"execute_function", "executed_function"}]
        assert not any("within" in content for content in tool_events), tool
        assert "An inner" not in "".join(c["content"] for c in contents(frames, "stream") if "within" not in c), tool
        [end] = contents(frames, "turn_completed")
        assert (end["summary"], end["usage"]["prompt_tokens"]) == ("Moss is green.", 1110), tool


def test_a_stop_in_an_inner_answer(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A stop during an inner agent's answer ends the turn at once; the next turn works."""
    server = serve("--agents", write_agents(tmp_path, boss=BOSS), model=model)
    gate = threading.Event()
    model.script(Reply(tools=[("think", {"about": "moss"})]), Reply("An inner thought.", gate_after=(1, gate)))
    with ChatClient(server.websocket) as client:
        client.confirmed()
        client.say("What is moss?")
        model.wait_for(lambda counts: counts.tokens > 0)
        client.command("stop")
        end = client.until("turn_completed")["content"]
        gate.set()
        again = client.ask("And now?")

    assert (end["status"], end["summary"]) == ("stopped", "")
    assert contents(again, "turn_completed")[0]["summary"] == "You said: And now?"
