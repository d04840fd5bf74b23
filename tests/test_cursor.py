"""A reader's cursor in a log: what it is sent, in which order, and how it catches up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentchat.protocol.events import Draft, encode
from agentchat.sessions import cursor as cursors
from agentchat.sessions import log as logs
from agentchat.sessions.cursor import Cursor, Frame, MessageStream
from agentchat.sessions.log import Log
from agentchat.store import SessionRecord
from tests.memory_store import MemoryStore


@pytest.fixture
def log() -> Log:
    store, record = MemoryStore(), SessionRecord("s", "agent", "2026-11-20T00:00:00.000Z")
    store.create(record)
    return Log(record, store, frozenset)


def say(log: Log, text: str = "", completes: MessageStream | None = None, **more: object) -> None:
    """Return an agent's answer."""
    content = {"content": text, "message_id": "m", **more}
    log.append([Draft("text", encode(content), 1)], completes=[completes] if completes is not None else [])


def streaming(log: Log, *texts: str, id: str = "m", **about: str) -> MessageStream:
    message = MessageStream(id, "agent", about)
    message.texts += texts
    log.set_streaming([*log.view.streaming, message])
    return message


def shown(frames: list[Frame]) -> list[Any]:
    """Summarize frames: seq for the log, (offset, text) for streams, the type for the rest."""
    found: list[Any] = []
    for frame in frames:
        content = json.loads(frame.text)
        is_stream = content["type"] == "stream"
        assert frame.seq == content.get("seq")
        live = (content["content"]["offset"], content["content"]["content"]) if is_stream else content["type"]
        found.append(frame.seq if frame.seq is not None else live)
    return found


@pytest.mark.parametrize(
    ("after", "recovered", "seqs"), [(0, True, [1, 2, 3]), (2, True, [3]), (3, True, []), (4, False, [1, 2, 3]),
                                     (-1, False, [1, 2, 3])],
)  # fmt: skip
def test_where_a_cursor_begins(log: Log, after: int, recovered: bool, seqs: list[int]) -> None:
    """A cursor starts after an event of the log, or at the beginning if its position isn't in the log."""
    for _ in range(3):
        say(log)
    cursor = Cursor(log, after)
    assert (cursor.recovered, shown(cursor.advance()), cursor.advance()) == (recovered, seqs, [])


def test_tokens_between_two_looks_are_one_frame(log: Log) -> None:
    """Tokens between two reads form one frame. Offsets count characters, and the event follows the rest of its text."""
    cursor = Cursor(log, 0)
    message = streaming(log, "one ", "🌦 ")
    assert shown(cursor.advance()) == [(0, "one 🌦 ")]
    message.texts += ["three ", "four"]
    say(log, "one 🌦 three four", completes=message)
    assert shown(cursor.advance()) == [(6, "three four"), 1]


def test_messages_that_alternate(log: Log) -> None:
    """Alternating messages have separate offsets; one that restarts begins at 0."""
    cursor = Cursor(log, 0)
    thought, answer = streaming(log, "hm", id="t"), streaming(log, "a", id="a")
    assert shown(cursor.advance()) == [(0, "hm"), (0, "a")]
    thought.texts.append("!")
    answer.texts.append("b")
    assert shown(cursor.advance()) == [(2, "!"), (1, "b")]
    log.set_streaming([])
    streaming(log, "again", id="a")
    assert shown(cursor.advance()) == [(0, "again")]


def test_who_joins_in_mid_message_sees_it_from_its_beginning(log: Log) -> None:
    """A reader who joins in mid-message gets it from its beginning; one who joins after its end gets only the event."""
    message = streaming(log, "one ", "two")
    early = Cursor(log, 0)
    assert shown(early.advance()) == [(0, "one two")]
    say(log, completes=message)
    assert shown(Cursor(log, 0).advance()) == [1]


def test_a_cursor_that_lags_catches_up_in_batches(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lagging cursor catches up in batches, loses nothing, and gets live states only afterwards."""
    monkeypatch.setattr(cursors, "BATCH_BYTES", 1)
    monkeypatch.setattr(logs, "TAIL", 2)
    cursor = Cursor(log, 0)
    for _ in range(5):
        say(log)
    log.set_state("queue", "queue", {})
    streaming(log, "live")
    found, lagging = [], []
    while cursor.is_behind:
        lagging.append(cursor.is_lagging)
        found.append(shown(cursor.advance()))
    assert found == [[1], [2], [3], [4], [5, (0, "live"), "queue"]]
    assert lagging == [True, True, True, False, False]


def test_live_states_are_told_once(log: Log) -> None:
    """Live states are sent once, newest only, not to their author. Older ones are in the first frame."""
    log.set_state("queue", "queue", {"n": 0})
    ada, bob = object(), object()
    readers = [Cursor(log, 0, owner) for owner in (ada, bob)]
    log.set_state("typing:Ada", "typing", {}, origin=ada)
    log.set_state("queue", "queue", {"n": 1})
    log.set_state("queue", "queue", {"n": 2})
    assert [shown(reader.advance()) for reader in readers] == [["queue"], ["typing", "queue"]]
    assert [reader.advance() for reader in readers] == [[], []]


def test_who_sees_what(log: Log) -> None:
    """`final` gets no streams and no progress, `agents` no progress."""
    readers = {show: Cursor(log, 0, show=show) for show in ("final", "agents", "tools", "all")}
    streaming(log, "live")
    log.set_state("progress:1", "progress", {})
    assert {show: shown(reader.advance()) for show, reader in readers.items()} == {
        "final": [], "agents": [(0, "live")], "tools": [(0, "live"), "progress"], "all": [(0, "live"), "progress"],
    }  # fmt: skip


def test_output_is_no_part_of_an_answer(log: Log) -> None:
    """Readers who see tools see what programs print, from its beginning, and then the log; others never do."""
    readers = {show: Cursor(log, 0, show=show) for show in ("final", "agents", "tools", "all")}
    output = streaming(log, "1\n", id="output-c1", kind="output", call_id="c1")
    thought = streaming(log, "hm", id="t", kind="reasoning")
    assert {show: shown(reader.advance()) for show, reader in readers.items()} == {
        "final": [], "agents": [(0, "hm")], "tools": [(0, "1\n"), (0, "hm")], "all": [(0, "1\n"), (0, "hm")],
    }  # fmt: skip
    output.texts.append("2\n")
    say(log, "hm", completes=thought)
    late = Cursor(log, 0, show="tools")
    assert [shown(reader.advance()) for reader in (readers["agents"], readers["tools"], late)] == [
        [1], [1, (2, "2\n")], [1, (0, "1\n2\n")],
    ]  # fmt: skip
    [frame] = Cursor(log, 1).advance()
    assert json.loads(frame.text)["content"].items() >= {"kind": "output", "call_id": "c1"}.items()
    log.set_streaming([])
    assert shown(readers["tools"].advance()) == []


def test_words_on_their_way_to_the_agent_are_not_said(log: Log) -> None:
    """A message on its way to the agent isn't shown as an answer, even if it quotes the field that marks it."""
    quoting = encode({"content": 'a "message_id" of mine', "sender": "user"})
    log.append([Draft("text", quoting, 1)])
    say(log, "an answer")
    assert shown(Cursor(log, 0, show="agents").advance()) == [2]
    assert [event.is_said for event, _ in log.read(0)] == [False, True]
    assert Draft("text", quoting, 1).searchable is None


def test_the_last_answer_is_known_at_the_end(log: Log) -> None:
    """`final` holds back an answer, and what follows it, until it is known to be the turn's last."""
    cursor = Cursor(log, 0, show="final")
    say(log, "a thought")
    log.append([Draft("file_changed", "{}", 0)])
    assert cursor.advance() == []
    say(log, "the answer")
    assert shown(cursor.advance()) == [2]
    log.append([Draft("turn_completed", "{}", 2)])
    assert cursor.advance() == []
    log.append([Draft("turn_completed", "{}", 1)])
    assert shown(cursor.advance()) == [3, 4, 5]


def test_a_result_that_is_the_last_word(log: Log) -> None:
    """A tool's result that is said after it, or a picture, is the last word like any answer; empty texts are none."""
    cursors = {show: Cursor(log, 0, show=show) for show in ("final", "agents")}
    say(log, "Let me see.")
    log.append([Draft("tool_response", encode({"content": "Done.", "sender": "clerk", "tool_responses": []}), 1)])
    say(log, "Done.", sender="clerk")
    say(log, " ")
    say(log, "", notice="The model gave an empty answer.")
    log.append([Draft("turn_completed", "{}", 1)])
    picture = encode({"content": [{"type": "image_url", "image_url": {"url": "data:"}}], "message_id": "p"})
    log.append([Draft("text", picture, 2), Draft("turn_completed", "{}", 2)])
    empty = encode({"content": "", "message_id": "e", "notice": "The model gave an empty answer."})
    log.append([Draft("text", empty, 3), Draft("turn_completed", "{}", 3)])

    assert shown(cursors["final"].advance()) == [3, 6, 7, 8, 9, 10]
    assert shown(cursors["agents"].advance()) == [1, 3, 4, 5, 6, 7, 8, 9, 10]


def test_a_log_that_is_deleted(log: Log) -> None:
    """When a log is deleted, its readers are told, and unread events are gone."""
    cursor = Cursor(log, 0)
    say(log)
    log.delete()
    log.store.delete("s")
    log.view = cursors.LogView(1)  # nothing in memory
    assert (cursor.has_ended, cursor.advance()) == (True, [])


def test_output_before_the_end_of_a_turn(log: Log) -> None:
    """Output that is printed just before the event that ends its stream is delivered before that event."""
    output = MessageStream("output-1", "agent", {"kind": "output"})
    log.set_streaming([output])
    cursor = Cursor(log, after=0)
    output.texts.append("Done.")
    say(log, "The end.", completes=output)

    assert [json.loads(frame.text)["type"] for frame in cursor.advance()] == ["stream", "text"]
