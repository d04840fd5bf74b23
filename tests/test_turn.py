"""One turn, as its agents write to it: streams, events, progress, and nothing after its end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agentchat.audit import Audit
from agentchat.cancellation import Stopped
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft
from agentchat.protocol.questions import Request
from agentchat.protocol.session_events import UserMessage, error_draft, turn_completed_draft
from agentchat.sessions import turn as turns
from agentchat.sessions.cursor import Cursor, Frame, MessageStream
from agentchat.sessions.log import Log
from agentchat.sessions.pending_questions import PendingQuestions
from agentchat.sessions.turn import Turn
from agentchat.store import SessionRecord
from tests.scripted_sessions import FailingStore

ENDED = [Draft("turn_completed", "{}", 1)]


class Host:
    """A session that consists of the turn only."""

    def __init__(self, store: FailingStore) -> None:
        record = SessionRecord("s", "agent", "2026-11-20T00:00:00.000Z")
        store.create(record)
        self.log = Log(record, store, lambda: frozenset({"sk-secret"}))
        self.questions = PendingQuestions(self.log, Audit(Path("audit.jsonl")))

    def end(self, drafts: Sequence[Draft], history: str | None, completes: Sequence[MessageStream]) -> None:
        self.log.append(drafts, history, completes)

    def give_way(self) -> None:
        """Do nothing: nobody else runs."""

    def wait_unless_closing(self, seconds: float) -> None:
        """Return at once: nothing is closing."""


@pytest.fixture
def store() -> FailingStore:
    return FailingStore()


@pytest.fixture
def host(store: FailingStore) -> Host:
    return Host(store)


@pytest.fixture
def turn(host: Host) -> Turn:
    return Turn(host, UserMessage("m", "hello", "Ada", {}, 1))


def streaming(host: Host) -> dict[str, str]:
    return {message.message_id: "".join(message.texts) for message in host.log.view.streaming}


def test_streams_end_with_their_events(turn: Turn, host: Host) -> None:
    """Each stream ends with its event; one that restarts loses its earlier text."""
    turn.stream("a", "agent", "one ")
    turn.stream("b", "agent", "thought", {"kind": "reasoning"})
    turn.stream("a", "agent", "two")
    assert streaming(host) == {"a": "one two", "b": "thought"}
    turn.restart("a")
    turn.stream("a", "agent", "three")
    turn.append("reasoning", {"message_id": "b"})
    assert streaming(host) == {"a": "three"}
    turn.end(ENDED, None)
    assert streaming(host) == {}


def test_no_key_gets_out(turn: Turn, host: Host, store: FailingStore) -> None:
    """No key appears in events, progress, the agents' memory, or the turn's error, summary and changes."""
    turn.progress("c", "tool", 1, None, "sk-secret")
    states = [state.frame for state in host.log.states.values()]
    turn.append("text", {"content": "sk-secret"}, '["sk-secret"]')
    error = error_draft(1, ChatError("model_rejected", model="m", status=400, hint="It says: sk-secret."))
    changes = [{"path": "a.txt", "kind": "created", "diff": "+sk-secret"}]
    turn.end([error, turn_completed_draft(1, "failed", summary="sk-secret", code_changes=changes)], None)
    kept = [*states, *(event.body for event in store.read("s")), store.history("s", 1)]
    assert len(kept) == 5
    assert "sk-secret" not in str(kept)
    assert store.history("s", 1) == '["[key]"]'


def test_progress_ends_with_the_tool(turn: Turn, host: Host) -> None:
    """Progress ends with its tool and with the turn."""
    for call in ("c", "d"):
        turn.progress(call, "tool", 1, 2, "")
    turn.append("executed_function", {"call_id": "c"})
    assert [report["id"] for report in turn.progress_reports.contents] == ["d"]
    turn.end(ENDED, None)
    assert host.log.states == {}


@pytest.mark.parametrize(
    "act",
    [
        lambda turn: turn.append("text", {}),
        lambda turn: turn.ask(Request("agent", "Really?"), lambda limit: ""),
        lambda turn: turn.progress("c", "tool", 1, None, ""),
    ],
)
def test_nothing_comes_after_the_end(turn: Turn, store: FailingStore, act: Callable[[Turn], object]) -> None:
    """A tool left running can't write anything after the turn's end."""
    turn.close()
    turn.end(ENDED, None)
    with pytest.raises(Stopped):
        act(turn)
    assert [event.type for event in store.read("s")] == ["turn_completed"]


def test_an_end_waits_for_the_store(turn: Turn, store: FailingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a turn waits for the store, even in a stopped turn, whose other waits are cut short."""
    monkeypatch.setattr(turns, "STORE_RETRY", 0)
    turn.token.stop("stopped")
    store.failures = 2
    turn.end(ENDED, "remembered")
    assert [event.type for event in store.read("s")] == ["turn_completed"]
    assert store.history("s", 1) == "remembered"


def test_readers_are_told_that_a_turn_waits_for_the_store(
    turn: Turn, host: Host, store: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that waits for the store says why, once, and no longer when it goes on."""
    monkeypatch.setattr(turns, "STORE_RETRY", 0)
    cursor = Cursor(host.log, 0)
    frames: list[Frame] = []
    host.log.follow(lambda: frames.extend(cursor.advance()))
    store.failures = 3
    turn.append("text", {"content": "hello"})
    told, event = [json.loads(frame.text) for frame in frames]
    assert (told["type"], told["content"]["code"], "seq" in told) == ("error", "store_failed", False)
    assert event["type"] == "text"
    assert host.log.states == {}


def test_whoever_sees_a_question_can_answer_it(turn: Turn, host: Host) -> None:
    """A question can be answered as soon as it is seen, even while its event is being appended."""
    request = Request("agent", "Really?")

    def answer() -> None:
        host.log.unfollow(answer)
        threading.Thread(target=host.questions.answer, args=(request.id, "yes", "Ada", None)).start()

    host.log.follow(answer)
    assert turn.ask(request, lambda limit: "").text == "yes"
