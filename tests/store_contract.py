"""The contract of every store; a store's test module inherits StoreContract and opens the store."""

from __future__ import annotations

import json
import threading

import pytest

from agentchat.protocol.commands import Accepted, Command
from agentchat.protocol.errors import DuplicateCommand, DuplicateMessage
from agentchat.protocol.events import Draft
from agentchat.protocol.identity import UNNAMED, user_id
from agentchat.store import INDEXED, PAGE_CHARS, SessionRecord, Store

CREATED = "2026-11-21T05:09:42.304Z"


def draft(type: str = "text", turn: int = 1, key: str | None = None, **content: object) -> Draft:
    return Draft(type, json.dumps(content), turn, key)


def said(text: str, turn: int = 1) -> Draft:
    return draft("user_message", turn, text=text)


def titles(store: Store) -> list[str]:
    return [found.session.title for found in store.find("", None, 10)]


def handoff(kind: str, turn: int = 1) -> Draft:
    return draft("handoff", turn, kind=kind)


def held(store: Store) -> dict[str, str]:
    """Return the listed sessions and who holds them."""
    return {record.id: record.held for record in store.held()}


def counted(store: Store) -> dict[str, int]:
    """Return the number of messages of each session."""
    return {found.session.id: found.session.messages for found in store.find("", None, 10)}


def found(store: Store, words: str) -> dict[str, list[int]]:
    """Return the sessions found and the matching excerpts."""
    return {f.session.id: [seq for seq, _ in f.places] for f in store.find(words, None, 10)}


class StoreContract:
    """Tests that every store must pass. `store` is open and empty except for a session named s."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _session(self, store: Store) -> None:
        store.create(SessionRecord("s", "weather", CREATED))

    def test_a_new_session_is_empty(self, store: Store) -> None:
        """A new session is empty, and knows its agent and creation time."""
        assert store.session("s") == SessionRecord("s", "weather", CREATED, updated=CREATED)
        assert store.read("s") == []

    def test_sessions_in_one_folder(self, store: Store) -> None:
        """Sessions of one folder are found in the order of their creation, and by the names that clients gave them."""
        for id, called in [("b", ""), ("a", "mine"), ("c", "mine")]:
            store.create(SessionRecord(id, "weather", CREATED, folder="project-1", called=called))
        store.create(SessionRecord("d", "weather", CREATED, folder="project-2", called="mine"))
        assert store.in_folder("project-1") == ["b", "a", "c"]
        assert store.in_folder("project-1", "mine") == ["a", "c"]
        assert [store.in_folder(folder) for folder in ("", "s", "project-3")] == [[], [], []]
        record = store.session("a")
        assert record is not None
        assert (record.folder, record.called) == ("project-1", "mine")
        store.delete("b")
        assert store.in_folder("project-1") == ["a", "c"]

    def test_an_unknown_session(self, store: Store) -> None:
        """Reading an unknown session returns nothing; appending to it is a caller's error."""
        assert store.session("nobody") is None
        assert store.read("nobody") == []
        with pytest.raises(KeyError):
            store.append("nobody", [draft()])

    def test_events_are_numbered_without_gaps(self, store: Store) -> None:
        """Events are numbered from 1 without gaps, across appends, for each session on its own."""
        store.create(SessionRecord("other", "weather", CREATED))
        store.append("s", [draft(), draft()])
        store.append("other", [draft()])
        store.append("s", [draft()])

        assert [event.seq for event in store.read("s")] == [1, 2, 3]
        assert [event.seq for event in store.read("other")] == [1]

    def test_what_is_read_is_what_was_appended(self, store: Store) -> None:
        """Events are read back as appended: every field, any text."""
        text = 'quotes " and \\, a line\nbreak, \x00, ø, 漢, 🌦'
        [appended] = store.append("s", [draft("text", turn=7, content=text)])

        [event] = store.read("s")
        assert event == appended
        assert (event.type, event.turn, event.content) == ("text", 7, {"content": text})
        assert json.loads(event.frame)["content"] == {"content": text}

    def test_reading_begins_behind_a_place_and_ends_at_a_limit(self, store: Store) -> None:
        """Events are read in pages, oldest first; nothing follows the end."""
        store.append("s", [draft() for _ in range(10)])

        assert [event.seq for event in store.read("s", after=4, limit=3)] == [5, 6, 7]
        assert store.read("s", after=10) == []
        assert store.read("s", after=99) == []

    def test_a_page_of_large_events_is_shorter(self, store: Store) -> None:
        """Not all of a log with large events is in memory at once; reading on, nothing is missed."""
        store.append("s", [draft("text", content="x" * (PAGE_CHARS // 3)) for _ in range(10)])
        store.append("s", [draft("text", content="x" * 2 * PAGE_CHARS), draft()])

        pages: list[list[int]] = [[0]]
        while page := store.read("s", after=pages[-1][-1]):
            pages.append([event.seq for event in page])
        assert pages[1:] == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11], [12]]

    def test_a_store_that_is_well(self, store: Store) -> None:
        """A store that is well says so, again and again, and nothing is written meanwhile."""
        store.append("s", [draft()])
        for _ in range(3):
            store.check()
        assert [event.seq for event in store.append("s", [draft()])] == [2]

    def test_what_an_epoch_reached(self, store: Store) -> None:
        """The store's own epoch reached the end of each log; one that it doesn't know reached nothing."""
        assert store.reached("s", store.epoch) == 0
        store.append("s", [draft(), draft()])
        assert store.reached("s", store.epoch) == 2
        assert store.reached("nobody", store.epoch) == 0
        assert store.reached("s", "another") is None

    def test_a_key_stands_once_in_a_session(self, store: Store) -> None:
        """A key is unique within a session: a second append is refused as a whole, naming the first event."""
        store.create(SessionRecord("other", "weather", CREATED))
        [first] = store.append("s", [draft("input_response", key="answer:1")])
        with pytest.raises(DuplicateMessage) as refused:
            store.append("s", [draft(), draft("input_response", key="answer:1")])

        assert refused.value.event == first
        assert len(store.read("s")) == 1
        assert len(store.append("other", [draft(key="answer:1")])) == 1

    def test_a_session_knows_its_newest_event_and_turn(self, store: Store) -> None:
        """A session knows its newest event and turn, so that numbering continues after a restart."""
        store.append("s", [said("one", turn=1), draft("turn_started", turn=1)])
        store.append("s", [said("two", turn=2), draft("text", turn=1)])

        session = store.session("s")
        assert session is not None
        assert (session.last_seq, session.last_turn) == (4, 2)

    def test_owners(self, store: Store) -> None:
        """A store knows how many sessions each owner has; those of nobody belong to nobody."""
        for number, owner in enumerate(["ada", "ada", "bob"]):
            store.create(SessionRecord(str(number), "weather", CREATED), owner)
        assert [store.owned(owner) for owner in ("ada", "bob", "eve", "")] == [2, 1, 0, 0]
        assert [store.owner(session_id) for session_id in ("0", "2", "s", "unknown")] == ["ada", "bob", "", ""]
        store.delete("0")
        assert store.owned("ada") == 1

    def test_messages_that_count(self, store: Store) -> None:
        """A session's messages are counted once each, edited or not, and without those that were rewound."""
        store.create(SessionRecord("other", "weather", CREATED))
        store.append("other", [said("one")])
        store.append("s", [said("one"), draft("turn_started"), said("two", 2), said("two, edited", 2)])
        store.append("s", [draft("text", 3, content="An operator"), said("three", 4)])
        assert counted(store) == {"s": 3, "other": 1}
        store.append("s", [draft("rewind", 2, turns=[2, 3]), said("two", 5)])
        assert counted(store) == {"s": 3, "other": 1}
        store.append("s", [draft("rewind", 1, turns=[1, 4, 5]), said("one", 6)])
        assert counted(store) == {"s": 1, "other": 1}

    def test_memories_stand_with_their_turn(self, store: Store) -> None:
        """The newest memory of each turn counts; memories are returned in the order of the turns."""
        store.append("s", [draft(turn=2)], history="second")
        store.append("s", [draft(turn=1)], history="first, unfinished")
        store.append("s", [draft(turn=1)], history="first")
        store.append("s", [draft(turn=3)])

        assert list(store.histories("s").items()) == [(1, "first"), (2, "second")]
        assert [store.history("s", turn) for turn in (1, 2, 3)] == ["first", "second", None]

    def test_a_refused_append_leaves_no_memory(self, store: Store) -> None:
        """A refused append stores no memory: events and memory are one transaction."""
        store.append("s", [draft(key="k")], history="kept")
        with pytest.raises(DuplicateMessage):
            store.append("s", [draft(key="k")], history="lost")

        assert store.histories("s") == {1: "kept"}

    def test_open_turns(self, store: Store) -> None:
        """Open turns are those that started and never completed, in any session."""
        store.create(SessionRecord("t", "weather", CREATED))
        store.append("s", [draft("turn_started", turn=1), draft("turn_completed", turn=1)])
        store.append("s", [draft("turn_started", turn=2)])
        store.append("t", [draft("turn_started", turn=1)])

        assert sorted(store.open_turns()) == [("s", 2), ("t", 1)]

    def test_unanswered_messages(self, store: Store) -> None:
        """Unanswered messages are those whose turn neither started nor ended, oldest first."""
        store.create(SessionRecord("t", "weather", CREATED))
        for turn in (1, 2, 3, 4):
            store.append("s", [said("something", turn=turn)])
        store.append("s", [draft("turn_started", turn=1), draft("turn_completed", turn=2)])

        assert [event.turn for event in store.unanswered("s")] == [3, 4]
        assert store.unanswered("t") == []
        assert store.sessions_unanswered() == ["s"]

    def test_empty_sessions_are_discarded(self, store: Store) -> None:
        """Only old sessions without events are discarded."""
        store.create(SessionRecord("old", "weather", "2026-11-01T00:00:00.000Z"))
        store.create(SessionRecord("used", "weather", "2026-11-01T00:00:00.000Z"))
        store.append("used", [draft()])
        store.discard_empty(before="2026-11-20T00:00:00.000Z")

        assert store.session("old") is None
        assert store.session("used") is not None
        assert store.session("s") is not None

    def test_events_of_a_type(self, store: Store) -> None:
        """All events of a type are returned in order, however long the log."""
        store.append("s", [draft("rewind"), draft(), draft("input_request"), draft(), draft("rewind")])

        assert [(e.seq, e.type) for e in store.read_types("s", {"rewind"})] == [(1, "rewind"), (5, "rewind")]
        assert [e.seq for e in store.read_types("s", INDEXED)] == [1, 3, 5]
        assert store.read_types("s", {"text"})[0].seq == 2

    def test_bounds_of_a_turn(self, store: Store) -> None:
        """The bounds of a turn are each version of its message, its start and its end."""
        store.append("s", [said("on", turn=2), said("one", turn=2), draft("turn_started", turn=1), draft(turn=2)])
        store.append("s", [draft("turn_started", turn=2), draft("turn_completed", turn=2)])

        types = [event.type for event in store.turn_bounds("s", 2)]
        assert types == ["user_message", "user_message", "turn_started", "turn_completed"]
        assert store.turn_bounds("s", 3) == []

    def test_the_event_of_a_key(self, store: Store) -> None:
        """A key finds the event of its own session only."""
        [event] = store.append("s", [draft(key="k")])

        assert store.keyed("s", "k") == event
        assert store.keyed("s", "other") is None

    def test_a_command_is_recorded_with_its_events(self, store: Store) -> None:
        """A command is carried out once in its session: a second append with its id changes nothing."""
        store.create(SessionRecord("other", "weather", CREATED))
        first, same = Command("s", "c1", "digest"), Command("other", "c1", "digest")
        store.append("s", [draft(), draft()], command=first)
        with pytest.raises(DuplicateCommand) as refused:
            store.append("s", [draft(key="k")], history="lost", command=Command("s", "c1", "another"))

        assert refused.value.accepted == Accepted("digest", "2") == store.accepted("s", "c1")
        assert len(store.read("s")) == 2
        assert store.keyed("s", "k") is None
        assert store.histories("s") == {}
        assert len(store.append("other", [draft()], command=same)) == 1
        assert store.accepted("s", "c2") is None

    def test_a_refused_append_records_no_command(self, store: Store) -> None:
        """A command whose events are refused was not carried out."""
        store.append("s", [draft(key="k")])
        with pytest.raises(DuplicateMessage):
            store.append("s", [draft(key="k")], command=Command("s", "c1", "digest"))

        assert store.accepted("s", "c1") is None

    def test_a_command_without_events(self, store: Store) -> None:
        """Commands that append nothing are recorded with a result of their own."""
        store.accept(Command("s", "c1", "digest", "7"))
        with pytest.raises(DuplicateCommand):
            store.accept(Command("s", "c1", "digest", "8"))

        assert store.accepted("s", "c1") == Accepted("digest", "7")

    def test_commands_about_sessions(self, store: Store) -> None:
        """A deleted session takes its commands along, but not the one that deleted it; a creation counts once."""
        create = Command("creator", "c1", "create", "new")
        store.create(SessionRecord("new", "weather", CREATED), command=create)
        with pytest.raises(DuplicateCommand):
            store.create(SessionRecord("newer", "weather", CREATED), command=create)
        store.append("new", [draft()], command=Command("new", "c2", "digest"))
        assert store.delete("new", Command("new", "c3", "delete", ""))
        assert not store.delete("new", Command("new", "c4", "delete", ""))

        assert store.session("newer") is None
        assert store.accepted("creator", "c1") == Accepted("create", "new")
        known = [store.accepted("new", id) for id in ("c2", "c3", "c4")]
        assert known == [None, Accepted("delete", ""), None]

    def test_a_command_that_erases_notes(self, store: Store) -> None:
        """A command that erases notes is recorded if there were any."""
        store.note("ann", "city", "Oslo")
        store.forget("ann", "town", Command("ann", "c1", "forget", "0"))
        store.forget("ann", "city", Command("ann", "c2", "forget", "1"))

        assert store.accepted("ann", "c1") is None
        assert store.accepted("ann", "c2") == Accepted("forget", "1")

    def test_a_session_has_a_title(self, store: Store) -> None:
        """A session's title is its own, or else the beginning of its first message."""
        assert titles(store) == [""]
        store.append("s", [said("What is the weather in Oslo? " + "Really? " * 50)])
        store.append("s", [said("And tomorrow?", turn=2)])
        assert titles(store) == [("What is the weather in Oslo? " + "Really? " * 50)[:80]]

        store.append("s", [draft("session_renamed", title="First", turn=0)])
        store.append("s", [draft("session_renamed", title="Weather, ø", turn=0)])
        assert titles(store) == ["Weather, ø"]

    def test_sessions_are_listed_newest_first(self, store: Store) -> None:
        """Sessions are listed by their last event, newest first, in pages without gaps."""
        for number in range(5):
            store.create(SessionRecord(f"n{number}", "weather", f"2026-11-1{number}T00:00:00.000Z"))
        store.append("n1", [draft()])

        everyone = [found.session.id for found in store.find("", None, 100)]
        assert everyone == ["n1", "s", "n4", "n3", "n2", "n0"]
        pages, before = [], None
        while page := store.find("", before, 4):
            pages.append([found.session.id for found in page])
            before = (page[-1].session.updated, page[-1].session.id)
        assert pages == [everyone[:4], everyone[4:]]

    def test_sessions_are_found_by_what_was_said_in_them(self, store: Store) -> None:
        """Search matches all words in one text, the last by prefix. Tool calls and echoes are not searched."""
        store.create(SessionRecord("t", "weather", CREATED))
        store.append("s", [said("What is the weather in Oslo?")])
        store.append("s", [draft("text", content="Oslo: cloudy and cold", message_id="m1")])
        store.append("t", [draft("text", content="Oslo, but not by a person"), draft("tool_call", content="Oslo")])
        store.append("t", [draft("session_renamed", title="Trip to Bergen", turn=0)])

        assert found(store, "oslo") == {"s": [1, 2]}
        assert found(store, "OSLO clou") == {"s": [2]}
        assert found(store, "oslo bergen") == {}
        assert found(store, "berg") == {"t": [0]}
        assert found(store, 'w"ea*ther') == {}
        assert found(store, "!!!") == {}
        assert found(store, "") == {"s": [], "t": []}
        store.append("t", [draft("session_renamed", title="Oslo", turn=0)])
        assert found(store, "bergen") == {}
        assert found(store, "oslo") == {"s": [1, 2], "t": [0]}

    def test_a_deleted_session_leaves_nothing(self, store: Store) -> None:
        """A deleted session leaves no events, memories or index entries; other sessions stay."""
        store.create(SessionRecord("t", "weather", CREATED))
        for id in ("s", "t"):
            store.append(id, [said("Oslo")], history="something")

        assert store.delete("s")
        assert not store.delete("s")
        assert store.session("s") is None
        assert store.read("s") == []
        assert found(store, "oslo") == {"t": [1]}
        assert store.sessions_unanswered() == ["t"]
        store.create(SessionRecord("s", "weather", CREATED))
        assert (store.read("s"), store.histories("s"), found(store, "oslo")) == ([], {}, {"t": [1]})

    def test_sessions_expire_by_their_last_event(self, store: Store) -> None:
        """Sessions expire by their last event, or by their creation if they have none."""
        store.create(SessionRecord("old", "weather", "2026-11-01T00:00:00.000Z"))
        store.create(SessionRecord("old, but used", "weather", "2026-11-01T00:00:00.000Z"))
        store.append("old, but used", [draft()])

        store.create(SessionRecord("older", "weather", "2026-10-01T00:00:00.000Z"))
        before = "2026-11-21T00:00:00.000Z"
        assert (store.expired(before, 9), store.expired(before, 1)) == (["older", "old"], ["older"])
        assert (store.count(before), store.count()) == (2, 4)
        assert store.newest() == store.read("old, but used")[-1].ts

    def test_a_session_takes_its_notes_with_it(self, store: Store) -> None:
        """Notes about a person without a name, who is known only in a session, go with it."""
        ada, nobody = user_id("Ada", "", "noted"), user_id(UNNAMED, "", "noted")
        store.create(SessionRecord("noted", "weather", CREATED))
        for user in (ada, nobody):
            store.note(user, "city", "Oslo")
        assert store.delete("noted")
        assert [len(store.notes(user)) for user in (ada, nobody)] == [1, 0]

    def test_a_session_is_held_by_its_newest_handoff(self, store: Store) -> None:
        """A session is held according to its newest handover.

        Other events and agents' hand-offs don't count; the last in an append wins.
        """
        store.create(SessionRecord("t", "weather", CREATED))
        assert held(store) == {}
        store.append("s", [handoff("wanted")])
        store.append("t", [handoff("taken", turn=0), handoff("agents")])
        assert held(store) == {"s": "waiting", "t": "taken"}
        store.append("s", [said("Hello?"), draft("turn_completed")], history="m")
        store.append("s", [draft("session_renamed", title="Urgent", turn=0)])
        assert held(store) == {"s": "waiting", "t": "taken"}
        store.append("s", [handoff("taken", turn=0), handoff("agents")])
        store.append("t", [handoff("returned", turn=2), handoff("wanted", turn=3)])
        assert held(store) == {"s": "taken", "t": "waiting"}
        store.append("s", [handoff("wanted"), handoff("returned")])

        assert held(store) == {"t": "waiting"}
        session = store.session("s")
        assert session is not None
        assert (session.held, session.title) == ("", "Urgent")
        assert {f.session.id: f.session.held for f in store.find("", None, 10)} == {"s": "", "t": "waiting"}
        assert store.delete("t")
        assert held(store) == {}

    def test_a_refused_append_hands_nothing_over(self, store: Store) -> None:
        """A refused append hands nothing over: events and holder are one transaction."""
        store.append("s", [draft(key="k")])
        with pytest.raises(DuplicateMessage):
            store.append("s", [handoff("taken"), draft("session_renamed", title="Lost", turn=0), draft(key="k")])

        assert held(store) == {}
        assert titles(store) == [""]

    def test_a_turn_may_be_known_by_its_memory_alone(self, store: Store) -> None:
        """Operators' messages have a memory but no turn_started; numbering continues after them. Ticks have turn 0."""
        store.append("s", [said("Hello", turn=1)])
        store.append("s", [draft("text", turn=4, content="Hello", operator=True)], history="heard")
        store.append("s", [draft("task_updated", turn=0), draft("text", turn=9)])

        session = store.session("s")
        assert session is not None
        assert (session.last_seq, session.last_turn) == (4, 4)
        assert held(store) == {}

    def test_handoffs_and_tasks_are_read_by_their_types(self, store: Store) -> None:
        """Hand-offs and tasks are read by type, in order, however they are mixed."""
        order = ["task_created", "handoff", "text", "task_updated", "task_created", "rewind"]
        store.append("s", [draft(type, kind="agents") for type in order])

        assert [e.seq for e in store.read_types("s", {"task_created", "task_updated"})] == [1, 4, 5]
        assert [e.seq for e in store.read_types("s", {"handoff"})] == [2]
        assert [e.seq for e in store.read_types("s", {"handoff", "text", "rewind"})] == [2, 3, 6]

    def test_notes_are_kept_by_person_and_key(self, store: Store) -> None:
        """The newest note of a person and key counts; notes are sorted by key, and never another person's."""
        for user, key, value in (("a", "b", "1"), ("a", "Ä/%2F 🌦", "2"), ("b", "b", "3"), ("a", "b", "4")):
            store.note(user, key, value)

        assert [(note.key, note.value) for note in store.notes("a")] == [("b", "4"), ("Ä/%2F 🌦", "2")]
        assert [(note.key, note.value) for note in store.notes("b")] == [("b", "3")]
        assert all(note.updated > CREATED for note in store.notes("a"))
        assert (store.notes("A"), store.notes("")) == ([], [])

    def test_nothing_is_noted_in_a_session_that_is_gone(self, store: Store) -> None:
        """A tool that goes on after its session was deleted leaves nothing behind."""
        store.note("a", "b", "1", "s")
        store.delete("s")
        with pytest.raises(KeyError):
            store.note("a", "c", "2", "s")
        assert [note.key for note in store.notes("a")] == ["b"]

    def test_notes_are_forgotten(self, store: Store) -> None:
        """One note or all notes of a person are forgotten, and nothing else; the number is returned."""
        for user in ("a", "b"):
            for key in ("x", "y", "z"):
                store.note(user, key, user)

        assert [store.forget("a", "x"), store.forget("a", "x"), store.forget("a", ""), store.forget("c")] == [
            1,
            0,
            0,
            0,
        ]
        assert [note.key for note in store.notes("a")] == ["y", "z"]
        assert [store.forget("a"), store.forget("a")] == [2, 0]
        assert (store.notes("a"), len(store.notes("b"))) == ([], 3)

    def test_notes_outlive_sessions(self, store: Store) -> None:
        """Notes outlive sessions, because they belong to people."""
        store.note("a", "x", "1")
        store.delete("s")
        store.discard_empty(before="2027-01-01T00:00:00.000Z")

        assert [note.value for note in store.notes("a")] == ["1"]

    def test_many_threads_append_at_once(self, store: Store) -> None:
        """Concurrent appends give each seq to exactly one event and keep each thread's order."""
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
        """One of eight threads that append the same message is accepted; the other seven learn which."""
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
