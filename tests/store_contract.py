"""What every store must do. A store's test module inherits StoreContract and says how to open one."""

from __future__ import annotations

import json
import threading

import pytest

from agentchat.errors import DuplicateMessage
from agentchat.events import Draft
from agentchat.store import SessionRecord, Store

CREATED = "2026-11-21T05:09:42.304Z"


def draft(type: str = "text", turn: int = 1, key: str | None = None, **content: object) -> Draft:
    return Draft(type, json.dumps(content), turn, key)


class StoreContract:
    """The questions. `store` is open and empty, with a session named s."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _session(self, store: Store) -> None:
        store.create(SessionRecord("s", "weather", CREATED))

    def test_a_new_session_is_empty(self, store: Store) -> None:
        """It knows its agent and when it was made."""
        assert store.session("s") == SessionRecord("s", "weather", CREATED, last_seq=0, last_turn=0)
        assert store.read("s") == []

    def test_an_unknown_session(self, store: Store) -> None:
        """Reading finds nothing; appending is a mistake of the caller."""
        assert store.session("nobody") is None
        assert store.read("nobody") == []
        with pytest.raises(KeyError):
            store.append("nobody", [draft()])

    def test_events_are_numbered_without_gaps(self, store: Store) -> None:
        """From 1, over several appends, each session on its own."""
        store.create(SessionRecord("other", "weather", CREATED))
        store.append("s", [draft(), draft()])
        store.append("other", [draft()])
        store.append("s", [draft()])

        assert [event.seq for event in store.read("s")] == [1, 2, 3]
        assert [event.seq for event in store.read("other")] == [1]

    def test_what_is_read_is_what_was_appended(self, store: Store) -> None:
        """Every field, whatever the text holds."""
        text = 'quotes " and \\, a line\nbreak, \x00, ø, 漢, 🌦'
        [appended] = store.append("s", [draft("text", turn=7, content=text)])

        [event] = store.read("s")
        assert event == appended
        assert (event.type, event.turn, event.content) == ("text", 7, {"content": text})
        assert json.loads(event.frame)["content"] == {"content": text}

    def test_reading_begins_behind_a_place_and_ends_at_a_limit(self, store: Store) -> None:
        """Pages, oldest first; a place beyond the end has nothing behind it."""
        store.append("s", [draft() for _ in range(10)])

        assert [event.seq for event in store.read("s", after=4, limit=3)] == [5, 6, 7]
        assert store.read("s", after=10) == []
        assert store.read("s", after=99) == []

    def test_a_key_stands_once_in_a_session(self, store: Store) -> None:
        """The second append is refused as a whole and names the first event."""
        store.create(SessionRecord("other", "weather", CREATED))
        [first] = store.append("s", [draft("user_message", key="message:1")])
        with pytest.raises(DuplicateMessage) as refused:
            store.append("s", [draft(), draft("user_message", key="message:1")])

        assert refused.value.event == first
        assert len(store.read("s")) == 1
        assert len(store.append("other", [draft(key="message:1")])) == 1

    def test_a_session_knows_its_newest_event_and_turn(self, store: Store) -> None:
        """After a restart numbering goes on from there."""
        store.append("s", [draft("user_message", turn=1), draft("turn_started", turn=1)])
        store.append("s", [draft("user_message", turn=2), draft("text", turn=1)])

        session = store.session("s")
        assert session is not None
        assert (session.last_seq, session.last_turn) == (4, 2)

    def test_memories_stand_with_their_turn(self, store: Store) -> None:
        """The newest of each turn counts; they come in the order of the turns."""
        store.append("s", [draft(turn=2)], memory="second")
        store.append("s", [draft(turn=1)], memory="first, unfinished")
        store.append("s", [draft(turn=1)], memory="first")
        store.append("s", [draft(turn=3)])

        assert store.memories("s") == ["first", "second"]

    def test_a_refused_append_leaves_no_memory(self, store: Store) -> None:
        """Events and memory are one transaction."""
        store.append("s", [draft(key="k")], memory="kept")
        with pytest.raises(DuplicateMessage):
            store.append("s", [draft(key="k")], memory="lost")

        assert store.memories("s") == ["kept"]

    def test_open_turns(self, store: Store) -> None:
        """Those that were started and never completed, in any session."""
        store.create(SessionRecord("t", "weather", CREATED))
        store.append("s", [draft("turn_started", turn=1), draft("turn_completed", turn=1)])
        store.append("s", [draft("turn_started", turn=2)])
        store.append("t", [draft("turn_started", turn=1)])

        assert sorted(store.open_turns()) == [("s", 2), ("t", 1)]

    def test_unanswered_messages(self, store: Store) -> None:
        """Those whose turn neither started nor ended, oldest first."""
        for turn in (1, 2, 3, 4):
            store.append("s", [draft("user_message", turn=turn)])
        store.append("s", [draft("turn_started", turn=1), draft("turn_completed", turn=2)])

        assert [event.turn for event in store.unanswered("s")] == [3, 4]

    def test_empty_sessions_are_discarded(self, store: Store) -> None:
        """Old ones only, and never one with an event."""
        store.create(SessionRecord("old", "weather", "2026-11-01T00:00:00.000Z"))
        store.create(SessionRecord("used", "weather", "2026-11-01T00:00:00.000Z"))
        store.append("used", [draft()])
        store.discard_empty(before="2026-11-20T00:00:00.000Z")

        assert store.session("old") is None
        assert store.session("used") is not None
        assert store.session("s") is not None

    def test_many_threads_append_at_once(self, store: Store) -> None:
        """Every seq was given to exactly one event, and each thread's events are in its order."""
        start = threading.Barrier(8)

        def append(thread: int) -> None:
            start.wait()
            for number in range(25):
                store.append("s", [draft(thread=thread, number=number)])

        threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        events = store.read("s", limit=1000)
        assert [event.seq for event in events] == list(range(1, 201))
        for number in range(8):
            own = [event.content["number"] for event in events if event.content["thread"] == number]
            assert own == list(range(25))

    def test_racing_duplicates_are_kept_once(self, store: Store) -> None:
        """The same message from eight threads: one is accepted, seven are told which."""
        start = threading.Barrier(8)
        seqs: list[int] = []
        refused: list[int] = []

        def append() -> None:
            start.wait()
            try:
                seqs.append(store.append("s", [draft(key="k")])[0].seq)
            except DuplicateMessage as duplicate:
                refused.append(duplicate.event.seq)

        threads = [threading.Thread(target=append) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert seqs == [1]
        assert refused == [1] * 7
