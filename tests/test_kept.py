"""Values that agents keep come back as they were after a restart; others are refused in words."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from tests.agent_files import PICTURES, TYPES, write_agents
from tests.clients import ChatClient, Frame, contents, types
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import RestClient


def visit(city: str) -> tuple[Reply, Reply]:
    return Reply(tools=[("visit", {"city": city})]), Reply(f"You saw {city}.")


def results(frames: list[Frame]) -> list[Any]:
    return [content["content"] for content in contents(frames, "executed_function")]


def picture_uri(color: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (2, 2), color).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def pictures_in(request: Any) -> list[str]:
    """Return the colours of the pictures that the model got."""
    messages = request["body"]["messages"]
    parts = [part for message in messages if isinstance(message["content"], list) for part in message["content"]]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    files = [io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))) for url in urls]
    return [Image.open(file).convert("RGB").tobytes()[:3].hex() for file in files]


def test_context_variables_come_back_as_they_were(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A set, a date and a pydantic model are the same after a restart, and the tool goes on with them."""
    agents = write_agents(tmp_path, types=TYPES)
    first = serve("--agents", agents, model=model)
    with ChatClient(first.websocket, agent="types") as client:
        session = client.confirmed()["session_id"]
        for city in ("Oslo", "Rome"):
            model.script(*visit(city))
            client.ask(f"Visit {city}.")
    first.close()
    second = serve("--agents", agents, model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.until("turn_completed", turn=2)
        model.script(*visit("Bergen"))
        client.ask("Visit Bergen.")
    assert results(client.log) == [
        "seen ['Oslo'], None, Order(number=8)",
        "seen ['Oslo', 'Rome'], datetime.date(2026, 1, 1), Order(number=9)",
        "seen ['Bergen', 'Oslo', 'Rome'], datetime.date(2026, 1, 1), Order(number=10)",
    ]
    assert contents(client.log, "error") == []


def test_a_conversation_with_a_picture_goes_on(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """The model sees the picture in each turn, before and after a restart."""
    agents = write_agents(tmp_path, pictures=PICTURES)
    first = serve("--agents", agents, model=model)
    with ChatClient(first.websocket, agent="pictures") as client:
        session = client.confirmed()["session_id"]
        client.ask(f"What colour is <img {picture_uri('red')}> this?")
        client.ask(f"And <img {picture_uri('blue')}> this?")
        client.ask("Which was the first?")
    first.close()
    second = serve("--agents", agents, model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.until("turn_completed", turn=3)
        client.ask("And the last?")
        client.ask("Sure?")
    assert [content["status"] for content in contents(client.log, "turn_completed")] == ["completed"] * 5
    assert contents(client.log, "error") == []
    seen = [pictures_in(request) for request in model.requests]
    assert seen == [["ff0000"], *[["ff0000", "0000ff"]] * 4]
    assert "PIL" not in str(model.requests)


def test_what_cannot_be_kept_is_refused_in_words(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A connection in a context variable is refused once; the answer, other variables and the conversation stay."""
    agents = write_agents(tmp_path, keeper=KEEPER)
    first = serve("--agents", agents, model=model)
    with ChatClient(first.websocket, agent="keeper") as client:
        session = client.confirmed()["session_id"]
        for what in ("set", "connection", "local"):
            model.script(Reply(tools=[("keep", {"what": what})]))
        model.script(Reply("Kept."))
        client.ask("Keep it.")
        assert types(client.log)[-3:] == ["error", "error", "turn_completed"]
        model.script(Reply(tools=[("look", {})]), Reply("There."))
        client.ask("Is it there?")
    errors = contents(client.log, "error")
    assert [error["code"] for error in errors] == ["not_kept", "not_kept"]
    assert errors[0]["message"] == (
        "The context variable 'connection' holds a http.client.HTTPConnection, which cannot be kept: a http.client."
        "HTTPConnection is not plain data. When the agents are built again, it is missing."
    )
    assert "its class Local is defined inside a function" in errors[1]["message"]
    assert [content["status"] for content in contents(client.log, "turn_completed")] == ["completed"] * 2
    assert contents(client.log, "turn_completed")[0]["summary"] == "Kept."
    first.close()

    second = serve("--agents", agents, model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.until("turn_completed", turn=2)
        model.script(Reply(tools=[("look", {})]), Reply("Not there."))
        client.ask("Is it there?")
    assert results(client.log)[-2:] == ["connection local opened set={1}", "opened set={1}"]
    assert len(contents(client.log, "error")) == 2


def test_a_refusal_is_no_failure(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Over REST, a turn of which something cannot be kept is a completed one."""
    rest = RestClient(serve("--agents", write_agents(tmp_path, keeper=KEEPER), model=model))
    kept = (Reply(tools=[("keep", {"what": "connection"})]), Reply("Kept."))
    session = rest.new_session(agent="keeper")
    model.script(*kept)
    turn = session.ask("Keep it.")
    assert (turn["status"], turn["summary"], turn["error"]) == ("completed", "Kept.", None)
    assert [event["content"]["code"] for event in turn["events"] if event["type"] == "error"] == ["not_kept"]
    model.script(*kept)
    answer = rest.ask("POST", f"/api/v1/chat/{rest.new_session(agent='keeper').id}", {"message": "Keep it."})
    assert (answer.status, answer.json["message"]["content"]) == (200, "Kept.")


def test_variables_survive_a_restart_at_a_question(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Values that tools changed or returned are the same when a turn is resumed at its question."""
    agents = write_agents(tmp_path, keeper=KEEPER)
    first_calls: list[tuple[str, dict[str, object]]] = [
        ("keep", {"what": "set"}),
        ("give", {"city": "Oslo"}),
        ("count", {"upto": 2}),
    ]
    model.script(Reply(tools=first_calls), Reply(tools=[("wait", {"where": "here"})]), Reply("Done."))
    first = serve("--agents", agents, model=model)
    with ChatClient(first.websocket, agent="keeper") as client:
        session = client.confirmed()["session_id"]
        client.say("Keep it.")
        request = client.until("input_request")["content"]["request_id"]
    first.close()
    second = serve("--agents", agents, model=model)
    with ChatClient(second.websocket, session=session) as client:
        client.command("input_response", request_id=request, text="Go on")
        client.until("turn_completed", lambda content: content["status"] == "completed")
    assert results(client.log)[-1] == "Go on with city opened set={1}"
    told = [message["content"] for message in model.requests[-1]["body"]["messages"] if message["role"] == "tool"]
    assert told == [
        "kept set", "here is Oslo", "{'all': {0, 1}, 'last': Fraction(1, 2)}", "Go on with city opened set={1}",
    ]  # fmt: skip


KEEPER = '''
"""Keeps all kinds of things in context variables."""
from http.client import HTTPConnection
from fractions import Fraction
from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import ContextVariables, ReplyResult, TerminateTarget
from autogen.agentchat.group.patterns import DefaultPattern
from autogen.io.base import IOStream
from agentchat.teams import manager_of
from pydantic import BaseModel

def build(llm_config, chat):
    class Local(BaseModel):
        number: int = 1

    # AG2 gives tools a copy of the variables, which a connection does not have
    variables = ContextVariables(data={"set": set(), "opened": HTTPConnection("localhost")})

    def names() -> str:
        shown = [f"{name}={value}" if name == "set" else name for name, value in variables.items()]
        return " ".join(sorted(shown))

    def keep(what: str) -> str:
        """Keep a thing."""
        if what == "set":
            variables["set"].add(1)
        else:
            variables[what] = {"connection": HTTPConnection("localhost"), "local": Local()}[what]
        return f"kept {what}"

    def give(city: str) -> ReplyResult:
        """Give a city."""
        return ReplyResult(message=f"here is {city}", context_variables=ContextVariables(data={"city": {city}}))

    def count(upto: int) -> dict:
        """Count."""
        return {"all": set(range(upto)), "last": Fraction(1, upto)}

    def look() -> str:
        """Look what is there."""
        return names()

    def wait(where: str) -> str:
        """Wait for a person."""
        return f"{IOStream.get_default().input('Go on?')} with {names()}"

    tools = [keep, give, count, look, wait]
    agent = ConversableAgent("keeper", functions=tools, llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    pattern = DefaultPattern(
        initial_agent=agent, agents=[agent], context_variables=variables, user_agent=user,
        group_after_work=TerminateTarget(),
    )
    return user, manager_of(pattern)
'''
