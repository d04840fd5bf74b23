"""Feedback on answers: who may give it, who sees it, and that it is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentchat.protocol.visibility import SHOWS
from tests.clients import ChatClient, contents
from tests.model_server import ModelServer

Connect = Callable[..., ChatClient]


@pytest.fixture
def answer(client: ChatClient) -> dict[str, Any]:
    """Return an agent's answer."""
    return next(frame for frame in client.ask("hello") if frame["type"] == "text" and "message_id" in frame["content"])


def test_everybody_sees_it(client: ChatClient, connect: Connect, answer: dict[str, Any], model: ModelServer) -> None:
    """Everybody sees feedback, live and later, at any level of detail; it belongs to no turn, and no agent is told."""
    session = client.frames[0]["content"]["session_id"]
    live = {show: connect(session=session, show=show) for show in SHOWS}
    client.command("feedback", seq=answer["seq"], score=1, comment="Just right.")
    given = client.until("feedback")
    content = dict(given["content"])
    assert (given["turn"], content.pop("uuid") != "") == (0, True)
    assert content == {
        "seq": answer["seq"],
        "message_id": answer["content"]["message_id"],
        "score": 1,
        "comment": "Just right.",
        "name": "user",
    }

    for show in SHOWS:
        assert live[show].until("feedback") == given
        assert connect(session=session, show=show).until("feedback") == given
    client.ask("and now?")
    assert "Just right" not in str(model.requests[-1])


def test_the_newest_counts(client: ChatClient, connect: Connect, answer: dict[str, Any]) -> None:
    """The newest feedback counts, and all of it is logged; members and operators may give it, viewers may not."""
    session = client.frames[0]["content"]["session_id"]
    operator = connect(session=session, role="operator", name="Ann")
    viewer = connect(session=session, role="viewer")
    client.command("feedback", seq=answer["seq"], score=-1)
    client.command("feedback", seq=answer["seq"], score=0)
    operator.until("feedback", lambda content: content["score"] == 0)
    operator.command("feedback", seq=answer["seq"], score=1)
    viewer.until("feedback", lambda content: content["name"] == "Ann")
    viewer.command("feedback", seq=answer["seq"], score=1)

    assert viewer.until("error")["content"]["code"] == "read_only"
    given = [(each["name"], each["score"]) for each in contents(viewer.log, "feedback")]
    assert given == [("user", -1), ("user", 0), ("Ann", 1)]


@pytest.mark.parametrize("place", ["message", "proxy", "end", "nowhere"])
def test_only_answers_can_be_rated(client: ChatClient, answer: dict[str, Any], place: str) -> None:
    """Only answers that exist can be rated, not other events."""
    seqs = {"message": 1, "proxy": 3, "end": client.log[-1]["seq"], "nowhere": 99}
    client.command("feedback", seq=seqs[place], score=1)
    assert client.until("error")["content"]["code"] == "answer_unknown"
