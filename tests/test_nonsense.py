"""Models that call tools with invalid data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

DELETER = '''
"""Deletes."""
import pathlib
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def delete_all(folder: str = "EVERYTHING") -> str:
        (pathlib.Path(chat.services.folder) / "ran.txt").write_text(folder)
        return f"deleted {folder}"

    agent = ConversableAgent("deleter", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(delete_all, caller=agent, executor=user, description="Deletes a folder.")
    return user, agent
'''


@pytest.mark.parametrize("arguments", ['{"folder": "reports', "{not json", '{"folder":"a"}{"folder":"b"}', "[]", '"s"'])
def test_broken_arguments_run_nothing(serve: Serve, model: ModelServer, tmp_path: Path, arguments: str) -> None:
    """Broken arguments never run the tool, least of all with its defaults.

    The model is told, and its next call is carried out.
    """
    server = serve("--agents", write_agents(tmp_path, deleter=DELETER), model=model)
    model.script(
        Reply(tools=[("delete_all", arguments)]), Reply(tools=[("delete_all", {"folder": "this"})]), Reply("Done.")
    )
    with ChatClient(server.websocket) as client:
        frames = client.ask("Delete this")

    assert [call["arguments"] for call in contents(frames, "execute_function")] == [{"folder": "this"}]
    assert (tmp_path / "data" / "ran.txt").read_text() == "this"
    assert "Error" in contents(frames, "tool_response")[0]["content"]
    for request in model.requests:  # a strict model server accepts every history we send
        for message in request["body"]["messages"]:
            for call in message.get("tool_calls", []):
                assert isinstance(json.loads(call["function"]["arguments"]), dict)


def test_a_call_with_an_enormous_number(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A tool call with a huge index works, although AG2 would make a list of a thousand million places."""
    server = serve("--agents", write_agents(tmp_path, deleter=DELETER), model=model)
    calls = [
        {"index": number, "id": f"c{number}", "type": "function", "function": {"name": "delete_all", "arguments": "{}"}}
        for number in (0, 999_999_999)
    ]
    model.script(Reply(tokens=[{"tool_calls": calls}]), Reply("Done."))
    with ChatClient(server.websocket) as client:
        frames = client.ask("Delete all")

    assert [call["call_id"] for call in contents(frames, "execute_function")] == ["c0", "c999999999"]
    assert contents(frames, "turn_completed")[0]["status"] == "completed"


def test_a_refusal_is_an_answer(serve: Serve, model: ModelServer) -> None:
    """A refusal, which some models send in a separate field, is shown as the answer."""
    model.script(Reply(tokens=[{"refusal": "I cannot "}, {"refusal": "help."}]))
    with ChatClient(serve(model=model).websocket) as client:
        frames = client.ask("Do evil")

    assert contents(frames, "turn_completed")[0]["summary"] == "I cannot help."
