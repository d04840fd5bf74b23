"""Conversations that earlier versions kept go on: with real databases of their servers, as SQL.

The files in old_databases/ are named after the commit whose server wrote them; it was killed at the end.
"""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.agent_files import PICTURES, ROUND_ROBIN, TYPES, write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

DATABASES = Path(__file__).parent / "old_databases"
COMMITS = [path.stem for path in sorted(DATABASES.glob("*.sql"))]

INTERRUPTED = "[This answer was interrupted: the server went down.]"
QUESTION = "Do you remember?"
TOLD = {
    "pair": ["My name is Ada.", "Hello Ada.", "What is the weather in Oslo?", "It is sunny in Oslo.", "Sunny in Oslo."],
    "team": ["Build a bridge.", "I plan a bridge.", "I build the bridge."],
    "stopped": ["My name is Bob.", "Hello Bob.", "Count.", "One two \n\n[The person stopped this answer.]"],
    "killed": [
        "My name is Dan.", "Hello Dan.", "And in Bergen?", "It is sunny in Bergen.",
        INTERRUPTED,
    ],
    "guide": ["Visit Oslo.", "seen ['Oslo']", "You saw Oslo."],
    "helped": [
        "My name is Eve.", "Hello Eve.", "Are you human?", "[Ann, a human, answered here:] Yes, I am Ann.",
        "[Ann, a human, has handed the conversation back to you. You answer again. Note: Eve is kind.]",
    ],
    "picture": ["What colour is [picture] this?", "It is red."],
    "types": ["Visit Oslo.", "seen ['Oslo'] order 7", "You saw Oslo."],
    "asking": ["My name is Cid.", "Hello Cid.", "Book Rome.", "Booked Rome on Monday.", "Booked."],
}  # fmt: skip
"""The texts in each kind of conversation that the model is sent again, beside tool calls."""


BY_THE_LOG = {
    "pair": ["My name is Ada.", "Hello Ada.", "What is the weather in Oslo?", "Sunny in Oslo."],
    "stopped": ["My name is Bob.", "Hello Bob.", "Count.", "One two"],
    "killed": ["My name is Dan.", "Hello Dan.", "And in Bergen?", INTERRUPTED],
    "guide": ["Visit Oslo.", "You saw Oslo."],
    "asking": ["My name is Cid.", "Hello Cid.", "Book Rome.", INTERRUPTED],
}
"""The same where the log has to stand in, which has no results of tools in the agents' words."""

DAMAGES = [
    "", "{", "null", "[1]", "[" * 100_000, '{"version": 2, "messages": [], "has_ended": true}',
    '{"version": 1, "messages": [{}], "has_ended": true}', '{"messages": "none", "has_ended": true}',
]  # fmt: skip


def load(commit: str, data: Path) -> sqlite3.Connection:
    """Write the database into that folder."""
    data.mkdir()
    db = sqlite3.connect(data / "agentchat.db")
    db.executescript((DATABASES / f"{commit}.sql").read_text())
    return db


def agents(folder: Path) -> str:
    return write_agents(folder, pair=PAIR, team=ROUND_ROBIN, guide=GUIDE, multimodal=PICTURES, context_types=TYPES)


def said(request: Any) -> list[str]:
    """Return the texts of the messages that the model was sent, without the system's."""
    contents = [each["content"] for each in request["body"]["messages"] if each["role"] != "system"]
    parts = [content if isinstance(content, list) else [{"text": content}] for content in contents if content]
    return ["".join(part["text"] for part in each) for each in parts]


def ask(client: ChatClient, model: ModelServer, text: str = QUESTION) -> list[str]:
    """Ask behind all that was kept, and return what the model was told first, without the question."""
    asked = len(model.requests)
    client.command("message", text=text, id=text)
    started = client.until("user_message", lambda content: content["id"] == text)
    client.until("turn_completed", lambda content: content["status"] == "completed", turn=started["turn"])
    *told, question = said(model.requests[asked])
    assert question == text
    return told


@pytest.mark.parametrize("commit", COMMITS)
def test_conversations_go_on(serve: Serve, model: ModelServer, tmp_path: Path, commit: str) -> None:
    """Each conversation shows its log and answers again, and the agents know what was said."""
    with closing(load(commit, tmp_path / "data")) as db:
        events = dict(db.execute("SELECT session, count(*) FROM events GROUP BY session").fetchall())
    served = serve("--agents", agents(tmp_path), model=model)
    for session, count in events.items():
        with ChatClient(served.websocket, session=session) as client:
            confirmed = client.confirmed()
            assert (confirmed["session_id"], confirmed["replaced"]) == (session, None)
            if session == "asking":
                model.script(Reply("Booked."))
                [request] = confirmed["open_requests"]
                client.command("input_response", request_id=request["request_id"], text="Monday")
                client.until("turn_completed", turn=2)
            assert ask(client, model) == TOLD[session]
        assert len(client.log) > count
        assert [frame["seq"] for frame in client.log] == list(range(1, len(client.log) + 1))


def test_variables_of_earlier_versions(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Context variables go on; those that an earlier version kept as text start over, and people are told."""
    load("8448e39", tmp_path / "data").close()
    served = serve("--agents", agents(tmp_path), model=model)
    visit = Reply(tools=[("visit", {"city": "Bergen"})])
    with ChatClient(served.websocket, session="guide") as client:
        model.script(visit)
        ask(client, model)
    assert contents(client.log, "executed_function")[-1]["content"] == "seen ['Oslo', 'Bergen']"
    assert contents(client.log, "error") == []
    with ChatClient(served.websocket, session="types") as client:
        model.script(Reply("Yes."))
        ask(client, model)
    [error] = contents(client.log, "error")
    assert error["code"] == "not_restored"
    assert error["message"] == (
        "The context variable 'seen' could not be brought back: an older version of this server kept it as text. "
        "The agents go on without it."
    )


def test_the_log_stands_in(serve: Serve, model: ModelServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where what was kept cannot be read, or a newer version wrote it, the agents get the words of the log."""
    damages = itertools.cycle(DAMAGES)
    with closing(load("a686287", tmp_path / "data")) as db, db:
        for session, turn in db.execute("SELECT session, turn FROM memories").fetchall():
            where = (next(damages), session, turn)
            db.execute("UPDATE memories SET memory = ? WHERE session = ? AND turn = ?", where)
    served = serve("--agents", agents(tmp_path), model=model)
    for session, told in (TOLD | BY_THE_LOG).items():
        if session in {"picture", "types"}:  # newer than this database
            continue
        with ChatClient(served.websocket, session=session) as client:
            assert client.confirmed()["open_requests"] == []
            assert ask(client, model) == told
    assert "its version is 2, this server knows those up to 1" in caplog.text


PAIR = '''
"""Knows the weather, and asks before it books."""

from autogen import ConversableAgent, UserProxyAgent, register_function
from autogen.io.base import IOStream


def weather(city: str) -> str:
    return f"It is sunny in {city}."


def book(city: str) -> str:
    day = IOStream.get_default().input(f"Which day in {city}?")
    return f"Booked {city} on {day}."


def build(llm_config, chat):
    agent = ConversableAgent("forecaster", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (weather, book):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''

GUIDE = '''
"""Remembers the cities it was in, in context variables."""

from autogen import ConversableAgent, GroupChatManager, UserProxyAgent
from autogen.agentchat.group import ContextVariables, ReplyResult, TerminateTarget
from autogen.agentchat.group.patterns import DefaultPattern


def build(llm_config, chat):
    def visit(city: str, context_variables: ContextVariables) -> ReplyResult:
        """Visit a city."""
        context_variables["seen"] = [*context_variables["seen"], city]
        return ReplyResult(message=f"seen {context_variables['seen']}", context_variables=context_variables)

    agent = ConversableAgent("guide", llm_config=llm_config, functions=[visit], human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    pattern = DefaultPattern(
        initial_agent=agent,
        agents=[agent],
        user_agent=user,
        context_variables=ContextVariables(data={"seen": []}),
        group_after_work=TerminateTarget(),
    )
    prepared = pattern.prepare_group_chat(max_rounds=30, messages="Hello")
    return user, next(part for part in prepared if isinstance(part, GroupChatManager))
'''
