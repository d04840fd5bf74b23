"""A session's log: events are stored first, then shown to followers."""

from __future__ import annotations

from typing import Any

import pytest

from agentchat.protocol.errors import ChatError, DuplicateMessage, StoreError
from agentchat.protocol.events import Draft, encode
from agentchat.sessions import log as logs
from agentchat.sessions.cursor import MessageStream
from agentchat.sessions.log import Log
from agentchat.store import SessionRecord
from tests.scripted_sessions import FailingStore


def draft(type: str = "text", turn: int = 1, key: str | None = None, **content: object) -> Draft:
    return Draft(type, encode(content), turn, key)


def opened(store: FailingStore) -> Log:
    record = store.session("s")
    assert record is not None
    return Log(record, store, lambda: frozenset({"sk-secret"}))


@pytest.fixture
def store() -> FailingStore:
    return FailingStore()


@pytest.fixture
def log(store: FailingStore) -> Log:
    store.create(SessionRecord("s", "agent", "2026-11-20T00:00:00.000Z"))
    return opened(store)


def test_an_event_is_stored_before_it_is_shown(log: Log, store: FailingStore) -> None:
    """An event is stored before it is shown: a follower finds it in the store and in the view."""
    seen: list[tuple[int, int]] = []
    log.follow(lambda: seen.append((log.view.last_seq, len(store.read("s")))))
    log.append([draft(), draft()])
    assert seen == [(2, 2)]


def test_what_fails_shows_nothing(log: Log, store: FailingStore) -> None:
    """Nothing is shown if the store fails, the key is a duplicate, or a check fails."""
    log.append([draft(key="k")])
    woken: list[None] = []
    log.follow(lambda: woken.append(None))

    def refuse() -> None:
        raise ChatError("busy")

    store.failures = 1
    with pytest.raises(StoreError):
        log.append([draft()])
    with pytest.raises(DuplicateMessage):
        log.append([draft(), draft(key="k")])
    with pytest.raises(ChatError):
        log.append([draft()], check=refuse)
    assert (log.view.last_seq, woken) == (1, [])


def test_followers_come_and_go(log: Log) -> None:
    """Each follower is called once per change for as long as it follows."""
    calls: list[str] = []

    def one() -> None:
        calls.append("one")

    def two() -> None:
        calls.append("two")

    log.follow(one)
    log.follow(two)
    log.append([draft()])
    log.unfollow(one)
    log.set_state("queue", "queue", {})
    assert calls == ["one", "two", "two"]


def test_reading_from_memory_and_from_the_store(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest events are read from memory, older ones from the store, with the same result."""
    monkeypatch.setattr(logs, "TAIL", 3)
    for _ in range(5):
        log.append([draft()])
    assert len(log.view.tail) == 3
    assert [[event.seq for event, _ in log.read(after)] for after in range(6)] == [
        [1, 2, 3, 4, 5], [2, 3, 4, 5], [3, 4, 5], [4, 5], [5], [],
    ]  # fmt: skip
    assert [event.seq for event, _ in log.read(2, limit=2)] == [3, 4]
    assert [event.seq if event else None for event in map(log.event, (-1, 0, 1, 5, 6))] == [None, None, 1, 5, None]


def test_an_event_completes_what_was_streamed(log: Log) -> None:
    """An event ends its stream in the same moment in which it appears."""
    one, two = MessageStream("1", "agent", {}), MessageStream("2", "agent", {})
    log.set_streaming([one, two])
    log.append([draft()], completes=[one])
    assert log.view.streaming == (two,)
    assert log.view.tail[-1][1] == (one,)


def test_live_states(log: Log) -> None:
    """Live states are the newest of each subject, numbered in order."""
    for number in (1, 2):
        log.set_state("queue", "queue", {"number": number})
    log.set_state("presence", "presence", {})
    log.clear_state("presence")
    assert [(state.number, state.frame) for state in log.states.values()] == [
        (2, '{"type":"queue","content":{"number":2}}')
    ]
    assert log.state_number == 3


def test_secrets_are_taken_out(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and passwords are redacted however JSON escapes them; very short passwords would redact too much."""
    log.redaction.hide('hunter"2é')
    log.redaction.hide("abc")
    assert log.redaction.redact('sk-secret abc hunter"2é') == "[key] abc [password]"
    assert log.redaction.redact_json(encode({"a": 'hunter"2é'})) == '{"a":"[password]"}'


def test_a_handover_is_known_at_once(log: Log, store: FailingStore) -> None:
    """A handover is known at once, also when the session is opened later."""
    changed: list[str | None] = []
    log._held_changed = lambda: changed.append(log.held.state if log.held else None)
    hand: dict[str, Any] = {"from": "agent", "to": "human", "reason": "upset"}
    log.append([draft("handoff", kind="agents", **hand)])
    log.append([draft("handoff", kind="wanted", **hand)])
    log.append([draft("handoff", kind="taken", **{**hand, "to": "Ann"})])
    again = opened(store)
    assert again.held == log.held
    log.append([draft("handoff", kind="returned", **hand)])
    assert changed == ["waiting", "taken", None]
    assert again.held is not None
    assert (again.held.operator, again.held.reason) == ("Ann", "upset")


def test_nothing_is_appended_to_a_deleted_log(log: Log) -> None:
    """Nothing is appended to a deleted log, and its readers are told."""
    woken: list[bool] = []
    log.follow(lambda: woken.append(log.is_deleted))
    log.delete()
    with pytest.raises(ChatError, match="deleted"):
        log.append([draft()])
    assert woken == [True]


def test_one_turn(log: Log) -> None:
    """Reading one turn returns its message as last edited, its start and its end."""
    message: dict[str, Any] = {"name": "Ada", "context": {}, "id": "m"}
    log.append([draft("user_message", text="one", **message), draft("user_message", text="two", **message)])
    assert (log.message(1).text, log.message(1).user, log.message(1).seq) == ("two", "", 2)
    assert (log.first_seq(1), log.has_started(1), log.final_status(1)) == (1, False, None)
    log.append([draft("turn_started"), draft("turn_completed", status="stopped"), draft("rewind", turns=[1, 3])])
    assert (log.has_started(1), log.final_status(1)) == (True, "stopped")
    assert log.rewound == {1, 3}
