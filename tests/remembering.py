"""Helpers for memory: send as a person, and read notes as the model and REST see them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.clients import PATIENCE, ChatClient
from tests.model_server import ModelServer, Reply
from tests.rest_client import Answer, Conversation, RestClient

MEMORY = "/api/agent-chat/memory"
ONE, OTHER = "agentchat_browser=one", "agentchat_browser=other"


Who = dict[str, str]  # name and cookie


def headers(who: Who) -> dict[str, str]:
    return {"Cookie": who["cookie"]} if "cookie" in who else {}


def named(who: Who) -> dict[str, str]:
    return {"name": who["name"]} if "name" in who else {}


def say(session: Conversation, text: str, who: Who) -> Any:
    """Send a message as that person and return the turn that answers it."""
    body = {"text": text, **named(who)}
    answer = session.client.ask("POST", f"{session.path}/messages?wait={PATIENCE}", body, headers(who))
    assert answer.status == 200
    return answer.json


def remember(session: Conversation, model: ModelServer, who: Who, key: str, value: str) -> None:
    model.script(Reply(tools=[("remember", {"key": key, "value": value})]), Reply("I shall remember."))
    assert say(session, "Remember this", who)["status"] == "completed"


def told(turn: Any) -> list[str]:
    """Return the results of the turn's tools."""
    return [event["content"]["content"] for event in turn["events"] if event["type"] == "executed_function"]


def known(model: ModelServer, place: int = -1) -> str:
    """Return the notes about the person in a request to the model."""
    system = str(model.requests[place]["body"]["messages"][0]["content"])
    return system.rpartition("What you know of the person: ")[2]


def known_of(session: Conversation, model: ModelServer, who: Who) -> str:
    say(session, "Who am I?", who)
    return known(model)


def written(client: ChatClient, text: str) -> None:
    """Wait until that message is in the log."""
    client.until("user_message", lambda content: content["text"] == text)


def memory(rest: RestClient, who: Who, method: str = "GET", key: str = "") -> Answer:
    path = MEMORY + ("/" + quote(key, safe="") if key else "")
    query = "".join(f"?name={quote(name)}" for name in named(who).values())
    return rest.ask(method, path + query, None, headers(who))


def notes(rest: RestClient, who: Who) -> dict[str, str]:
    return {note["key"]: note["value"] for note in memory(rest, who).json["notes"]}
