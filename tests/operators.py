"""Helpers for handovers: people, operators, and the desk as an event stream."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from httpx_sse import connect_sse

from agentchat.app import Running
from tests.clients import PATIENCE, ChatClient
from tests.model_server import ModelServer, Reply
from tests.rest_client import Answer, Conversation, RestClient

DESK = "/api/agent-chat/desk"
WANTED = (Reply(tools=[("hand_to_human", {"reason": "is upset"})]), Reply("Somebody will come."))


def desk(rest: RestClient) -> list[dict[str, Any]]:
    """Return the waiting conversations, without times."""
    conversations: list[dict[str, Any]] = rest.get(DESK).json["conversations"]
    assert all(conversation.pop("since") for conversation in conversations)
    return conversations


def wanted(session: Conversation, model: ModelServer, text: str = "A human!", name: str = "Ada") -> Any:
    """Let the agent ask for a human and return the turn."""
    model.script(*WANTED)
    return session.ask(text, name=name)


def take(session: Conversation, name: str = "Ann") -> Answer:
    answer = session.post("take", {"name": name})
    assert answer.status == 200
    return answer


def reply(session: Conversation, text: str, name: str = "Ann", **more: object) -> int:
    answer = session.post("reply", {"text": text, "name": name, **more})
    assert answer.status == 200
    return int(answer.json["seq"])


def hand_back(session: Conversation, note: str = "", name: str = "Ann") -> Answer:
    answer = session.post("hand-back", {"note": note, "name": name})
    assert answer.status == 200
    return answer


def held(session: Conversation) -> tuple[str, str] | None:
    about = session.get().json["held"]
    return (about["state"], about["operator"]) if about else None


def asked(model: ModelServer) -> list[str]:
    """Return the last messages the model was sent, without the system message."""
    return [str(message["content"]) for message in model.requests[-1]["body"]["messages"][1:]]


def code(client: ChatClient) -> str:
    return str(client.until("error")["content"]["code"])


def written(client: ChatClient, text: str) -> None:
    """Wait until that message is in the log."""
    client.until("user_message", lambda content: content["text"] == text)


def said(session: Conversation) -> list[tuple[str, str]]:
    """Return who said what, as a reader of the log sees it."""
    found = []
    for event in session.log:
        content = event["content"]
        if event["type"] == "user_message":
            found.append((content["name"], content["text"]))
        elif event["type"] == "text" and "message_id" in content:
            found.append((content["sender"], content["content"]))
    return found


class Seat:
    """One operator's event stream of the desk."""

    def __init__(self, events: Iterator[Any], response: httpx.Response) -> None:
        self._events = events
        self.response = response

    def until(self, condition: Callable[[Any], bool]) -> Any:
        """Return the next state of the desk that fits."""
        for event in self._events:
            if event.event == "heartbeat":
                continue
            assert event.event == "desk"
            if condition(desk := json.loads(event.data)):
                return desk
        raise AssertionError("the stream has ended")


@contextlib.contextmanager
def seat(server: Running, name: str) -> Iterator[Seat]:
    with (
        httpx.Client(timeout=PATIENCE, trust_env=False) as client,
        connect_sse(client, "GET", server.page.rstrip("/") + DESK, params={"name": name}) as source,
    ):
        yield Seat(source.iter_sse(), source.response)


@contextlib.contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    """Return the server's stored data, read as another process would."""
    with contextlib.closing(sqlite3.connect(folder / "data" / "agentchat.db")) as db, db:
        yield db
