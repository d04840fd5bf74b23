"""A short version of the fault test, and proof that its checks can fail; the full one is `make faults`."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import os
import queue
import random
import signal
import socket
import sqlite3
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPMessage
from pathlib import Path
from typing import Any, cast

import pytest

from agentchat.protocol.events import Draft, now
from agentchat.store import SessionRecord
from agentchat.store.sqlite import SqliteStore
from tests.clients import Frame
from tests.faults.__main__ import play
from tests.faults.acts import KINDS
from tests.faults.acts.expiry import Expiry
from tests.faults.acts.kind import Stage
from tests.faults.acts.notes import MEMORY, Notes
from tests.faults.checks import violations
from tests.faults.checks.commands import acknowledged, once
from tests.faults.checks.desk import waiting
from tests.faults.checks.files import Change, changes, contents
from tests.faults.checks.gone import Remains, remains
from tests.faults.checks.mcp import results
from tests.faults.checks.notes import remembered
from tests.faults.checks.pages import pages
from tests.faults.checks.refusals import refused
from tests.faults.checks.tasks import plan
from tests.faults.checks.timeouts import timeouts
from tests.faults.checks.upgrades import kept
from tests.faults.evidence import Conversation, Evidence
from tests.faults.model import problems
from tests.faults.person import Person
from tests.faults.plan import OTHERS, Life, Part, Plan
from tests.faults.resources import THREADS, Resources
from tests.faults.rest import PATIENCE, Answered, Caller, Request
from tests.faults.schedule import Schedule
from tests.faults.servers import STARTS_WITHIN, News, Zygote
from tests.faults.talk import Acknowledged, Talk
from tests.faults.zygote import STACK
from tests.rest_client import Answer

SEEDS = range(1, 31)  # kinds of acting are played until they have reached everything
FEW = (
    ("rest", "repeats"), ("files", "delete", "refusals"), ("tasks", "notes"), ("sse", "desk"), ("expiry", "groups"),
    ("upgrades", "building"), ("clocks", "asking"), ("mcp",), ("timeouts",),
)  # fmt: skip
TOGETHER = range(1, 4)

Log = list[Frame]


@pytest.mark.parametrize("kinds", FEW, ids="-".join)
def test_nothing_is_lost_when_things_break(zygote: Zygote, kinds: Sequence[str]) -> None:
    """Nothing is lost when servers are killed and connections cut at random moments, whatever people do meanwhile."""
    figures: Counter[str] = Counter()
    reaches = [figure for kind in kinds for figure in KINDS[kind].reaches]
    for seed in SEEDS:
        wrong, own = play(zygote, [seed], only=kinds)
        figures.update(own)
        assert wrong == {}
        if is_reached := all(figures[figure] for figure in reaches):
            break
    assert is_reached, [figure for figure in reaches if not figures[figure]]


def test_all_kinds_are_played() -> None:
    """Each kind of acting is among the few that are played together."""
    assert sorted(kind for kinds in FEW for kind in kinds) == sorted(OTHERS)


def test_nothing_is_lost_when_all_comes_together(zygote: Zygote) -> None:
    """The same with several kinds of acting in one schedule."""
    wrong, figures = play(zygote, TOGETHER)

    assert wrong == {}
    assert figures["kills"] > 0
    assert figures["cuts"] > 0
    assert figures["memories compared"] > 0
    assert figures["servers back to their baseline"] == len(TOGETHER)


def log() -> Log:
    """Return the log of two turns, one with a tool that needs approval and one that asks, and a withdrawn message."""
    call, book = {"call": "c1"}, {"call": "c2"}
    content: list[tuple[int, str, dict[str, Any]]] = [
        (1, "user_message", {"id": "a", "text": "<m1> one"}),
        (1, "turn_started", {"message_id": "a"}),
        (1, "execute_function", {"func_name": "send", "arguments": call}),
        (1, "input_request", {"request_id": "q1", "prompt": "?", "password": False, "tool": {"arguments": call}}),
        (2, "user_message", {"id": "b", "text": "<m2> two"}),
        (1, "input_response", {"request_id": "q1", "text": "approve"}),
        (1, "executed_function", {"func_name": "send", "arguments": call, "content": "Sent", "is_exec_success": True}),
        (1, "turn_completed", {"status": "completed"}),
        (2, "turn_started", {"message_id": "b"}),
        (2, "execute_function", {"func_name": "book_async", "arguments": book}),
        (2, "input_request", {"request_id": "q2", "prompt": "Which day, c2?", "password": False, "tool": None}),
        (2, "input_response", {"request_id": "q2", "text": "Monday"}),
        (
            2,
            "executed_function",
            {
                "func_name": "book_async",
                "arguments": book,
                "content": "Booked c2 on Monday",
                "is_exec_success": True,
            },
        ),
        (3, "user_message", {"id": "c", "text": "<m3> three"}),
        (3, "turn_completed", {"status": "stopped"}),
        (2, "turn_completed", {"status": "completed"}),
    ]
    return [{"seq": n, "ts": "", "turn": t, "type": type, "content": c} for n, (t, type, c) in enumerate(content, 1)]


def first_frame(last: int, asked: Sequence[str] = (), queue: Sequence[int] = ()) -> dict[str, Any]:
    questions = [{"request_id": id} for id in asked]
    waiting = [{"turn": turn} for turn in queue]
    return {"last_seq": last, "open_requests": questions, "queue": waiting, "status": "waiting" if asked else "idle"}


def judged(events: Log, view: Log | None = None, **more: Any) -> list[str]:
    first = first_frame(4, asked=["q1"])
    seen = copy.deepcopy(events if view is None else view)
    what: dict[str, Any] = {
        "views": {"Ada": seen},
        "accepted": ["a", "b", "c"],
        "texts": frozenset({"<m1> one", "<m2> two", "<m3> three"}),
        "confirmations": [first],
        "reminded": ["m1", "m2"],
    }
    ran = more.pop("ran", [("send", "c1"), ("book_async", "c2"), ("book_async", "c2")])
    return violations(Evidence([Conversation(events, **(what | more))], ran, ends=1))


def test_a_good_log_passes() -> None:
    assert judged(log()) == []


def without(*seqs: int) -> Callable[[Log], Log]:
    """Return the log without those events, renumbered."""
    return lambda events: numbered([event for event in events if event["seq"] not in seqs])


def numbered(events: Log) -> Log:
    return [{**event, "seq": place} for place, event in enumerate(events, 1)]


def again(seq: int, at: int | None = None) -> Callable[[Log], Log]:
    """Return the log with that event repeated."""
    return lambda events: numbered([*events[: at or seq], events[seq - 1], *events[at or seq :]])


def changed(seq: int, **content: Any) -> Callable[[Log], Log]:
    def change(events: Log) -> Log:
        events[seq - 1]["content"] |= content
        return events

    return change


def with_event(at: int, turn: int, type: str, **content: Any) -> Callable[[Log], Log]:
    """Return the log with another event inserted after `at`."""
    event = {"seq": 0, "ts": "", "turn": turn, "type": type, "content": content}
    return lambda events: numbered([*events[:at], event, *events[at:]])


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda events: [*events[:5], *events[6:]], "has the seq 7"),
        (without(1), "it has no message"),
        (without(2, 1, 3, 4, 6, 7, 8), "the turns are [2, 3]"),
        (without(16), "completed 0 times"),
        (again(8), "completed 2 times"),
        (again(2), "started 2 times"),
        (again(1, at=4), "was changed at 5, after it had begun"),
        (without(2), "without having started"),
        (without(8), "started while turn 1 was running"),
        (again(7, at=8), "is outside of 2 to 8"),
        (changed(2, message_id="b"), "it answers b"),
        (changed(8, status="failed"), "it ended failed, with the errors []"),
        (with_event(7, 1, "error", code="internal"), "it has the error"),
        (
            with_event(4, 1, "rewind", turns=[1, 2], reason="edit"),
            "turn 2 was rewound at 5, started at 10 and ended completed",
        ),
        (without(6), "was open, and its turn ended completed"),
        (again(6), "has 2 answers"),
        (again(4, at=5), "and again at"),
        (without(4), "has no question before it"),
        (changed(6, text="deny"), "nobody had said yes"),
        (without(3), "its start is in no log"),
        (changed(13, content="Booked c2 on Friday"), "was told ['Monday']"),
        (changed(5, text="<m2> other"), "nobody wrote"),
        (changed(5, id="z"), "nobody sent the message"),
        (with_event(16, 4, "user_message", id="a", text="<m1> one"), "has the turns [1, 4]"),
    ],
)
def test_a_bad_log_is_found_out(damage: Callable[[Log], Log], complaint: str) -> None:
    """Each check finds a bad log."""
    assert any(complaint in found for found in judged(damage(log()))), judged(damage(log()))


@pytest.mark.parametrize(
    ("evidence", "complaint"),
    [
        ({"view": log()[:-1]}, "Ada saw 15 events of 16"),
        ({"view": [*log()[:3], *log()[4:]]}, "Ada saw event 5 (user_message) where 4 was due"),
        ({"view": [*log()[:4], *log()[3:]]}, "where 5 was due"),
        ({"view": changed(6, text="deny")(log())}, "but the log has"),
        ({"view": [*log(), {**log()[-1], "seq": 17}]}, "but the log ends at 16"),
        ({"accepted": ["a", "b", "c", "d"]}, "the message d was sent until it was seen, and has the turns []"),
        ({"refused": ["b"]}, "the message b was refused"),
        ({"confirmations": [first_frame(16, queue=[1])]}, "turns {1} in the queue"),
        ({"confirmations": [first_frame(16, asked=["q0"])]}, "open questions"),
        ({"confirmations": [first_frame(17)]}, "it ends at 16"),
        ({"reminded": ["m2"]}, "the model was reminded of ['m2']"),
        ({"reminded": ["m1"]}, "started and counting were ['m1', 'm2']"),
        ({"reminded": ["m2", "m1"]}, "the model was reminded of ['m2', 'm1']"),
        ({"reminded": ["m1", "m2", "m1"]}, "the model was reminded of"),
        ({"ran": [("send", "c1"), ("send", "c1"), ("book_async", "c2")]}, "send c1 ran 2 times"),
        ({"ran": [("book_async", "c2")]}, "and never ran"),
        ({"ran": [("send", "c1"), *[("book_async", "c2")] * 3]}, "book_async c2 ran 3 times"),
    ],
)
def test_what_people_saw_is_compared(evidence: dict[str, Any], complaint: str) -> None:
    """Compare what people saw with the log, and with what tools and the model were told."""
    assert any(complaint in found for found in judged(log(), **evidence)), judged(log(), **evidence)


def test_a_history_that_no_model_accepts() -> None:
    """Calls without results, and results without calls, are reported."""
    call = {"role": "assistant", "tool_calls": [{"id": "c"}]}
    result = {"role": "tool", "tool_call_id": "c"}
    user = {"role": "user", "content": "hello"}

    assert problems([user, call, result, user]) == []
    assert problems([user, call, user]) != []
    assert problems([user, call]) != []
    assert problems([user, call, result, result]) != []


def answer(body: object, status: int = 200) -> Answer:
    return Answer(status, HTTPMessage(), json.dumps(body).encode())


def event(seq: int, turn: int, type: str, **content: Any) -> Frame:
    return {"seq": seq, "ts": "", "turn": turn, "type": type, "content": content}


PUT = Change("a.txt", b"12345", is_acknowledged=True)
MADE = [event(1, 0, "file_changed", path="a.txt", kind="created", size=5)]
GONE = [*MADE, event(2, 0, "file_changed", path="a.txt", kind="deleted", size=0)]
PLANNED = [event(1, 1, "task_created", id=1, status="open"), event(2, 0, "task_updated", id=1, status="done")]
NOTED = [
    event(1, 1, "user_message", name="Ada"),
    event(2, 1, "execute_function", func_name="note"),
    event(3, 1, "executed_function", func_name="note", arguments={"call": "c1"}, is_exec_success=True),
]
DROPPED = [
    event(1, 1, "user_message", name="Ada"),
    event(2, 1, "execute_function", func_name="drop", arguments={"call": "c9"}),
    event(3, 1, "executed_function", func_name="drop", arguments={"call": "c9"}, content="Nothing known"),
]
ADDED = [event(1, 1, "executed_function", func_name="add", arguments={"a": 4}, content="5", is_exec_success=True)]
FAILED = [event(1, 1, "executed_function", **{**ADDED[0]["content"], "is_exec_success": False})]
RETRIED = [
    event(1, 1, "user_message", text="a"),
    event(2, 1, "rewind", reason="retry"),
    event(3, 2, "user_message", text="a"),
]
EDITED = [
    event(1, 1, "user_message", text="a"),
    event(2, 2, "user_message", text="b"),
    event(3, 3, "user_message", text="b"),
]
SAID = Acknowledged("k1", 1, "user_message", "text", "a")


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (contents(MADE, [PUT], {"a.txt": b"12345"}, {"a.txt": b"12345"}), ""),
        (contents(MADE, [PUT], {"a.txt": b"12345"}, {}), "the file a.txt is not on disk"),
        (contents(MADE, [PUT], {"a.txt": b"54321"}, {"a.txt": b"12345"}), "a.txt served has 5 bytes"),
        (contents(MADE, [PUT], {"a.txt": b"1234"}, {"a.txt": b"12345"}), "a.txt served has 4 bytes"),
        (contents(GONE, [PUT], {}, {"a.txt": b"12345"}), "a.txt is on disk, and was deleted"),
        (contents([], [], {"b.txt": b""}, {}), "the log knows nothing of it"),
        (changes(MADE, [PUT]), ""),
        (changes([], [PUT]), "was acknowledged, and has the events []"),
        (changes(MADE * 2, [PUT]), "was acknowledged, and has the events [1, 1]"),
        (changes(MADE, [Change("a.txt", b"12345", is_refused=True)]), "was refused, and has the events [1]"),
        (plan(PLANNED, [{"id": 1, "status": "done"}]), ""),
        (plan(PLANNED, [{"id": 1, "status": "open"}]), "by the log it is {1: 'done'}"),
        (plan([*PLANNED, event(3, 0, "rewind", turns=[1])], [{"id": 1, "status": "done"}]), "by the log it is {}"),
        (remembered([NOTED], {"c1": "value of c1"}, set(), set()), ""),
        (remembered([NOTED], {}, set(), set()), "c1 was noted, and is not remembered"),
        (remembered([NOTED, DROPPED], {}, set(), set(), ["c9"]), "c1 was noted, and is not remembered"),
        (remembered([NOTED], {}, set(), set(), ["c9"]), ""),
        (remembered([NOTED], {"c1": "value of c1"}, {"c1"}, {"c1"}), "c1 was erased, and is still remembered"),
        (remembered([NOTED], {"c1": "other"}, set(), set()), "c1 is remembered as 'other'"),
        (waiting(200, ["s"], ["s"]), ""),
        (waiting(200, ["s"], []), "the desk shows []"),
        (waiting(409, [], []), "was answered 409"),
        (results(ADDED), ""),
        (results([event(1, 1, "executed_function", **{**ADDED[0]["content"], "content": "6"})]), "were added to '6'"),
        (results(FAILED), "come back"),
        (results([*FAILED, event(2, 2, "turn_completed", status="completed")]), ""),
        (pages(ADDED, [answer({"events": ADDED, "last_seq": 1}), answer({"events": [], "last_seq": 1})]), ""),
        (pages(ADDED, [answer({"events": [], "last_seq": 1})]), "pages had the events []"),
        (pages(ADDED, [answer({}, 404)]), "were answered [404]"),
        (refused(["T"], [{"title": "U"}], [ADDED]), ""),
        (refused(["T"], [{"title": "T"}], []), "the title 'T' was refused"),
        (refused(["T"], [], [[event(1, 0, "session_renamed", title="T")]]), "the title 'T' was refused"),
        (timeouts({"q": 1.5}, 1.5), ""),
        (timeouts({"q": 0.2}, 1.5), "question q was given up after 0.2 seconds"),
        (kept("s", ADDED, [*ADDED, *MADE]), ""),
        (kept("s", ADDED, []), "and is None"),
        (acknowledged(RETRIED, [SAID]), ""),
        (acknowledged(MADE, [SAID]), "was acknowledged, and the log has"),
        (acknowledged(RETRIED, [SAID, dataclasses.replace(SAID, seq=3)]), "with the seqs [1, 3]"),
        (once(RETRIED, {"k": "retry"}, {}), ""),
        (once(RETRIED, {}, {}), "0 retries were sent, and the log has 1"),
        (once(EDITED, {}, {"k": "b"}), "the edit k took effect at [2, 3]"),
        (once([event(n, 0, "session_renamed", title="T") for n in (1, 2)], {}, {}), "'T' was given 2 times"),
        (once([event(n, n, "text", content="R", operator=True) for n in (1, 2)], {}, {}), "'R' 2 times"),
    ],
)
def test_what_people_did_is_compared(found: Iterator[str], complaint: str) -> None:
    """The checks of each kind of acting pass what is right and find what is wrong."""
    complaints = list(found)
    assert any(complaint in each for each in complaints) if complaint else complaints == [], complaints


def test_traces_of_a_session_that_is_gone(tmp_path: Path) -> None:
    """Folders, rows and answers that are left of a deleted session are reported."""
    SqliteStore(tmp_path).close()
    nothing = Remains("s", {"": 404}, is_listed=False, found_by="")
    assert list(remains(nothing, tmp_path)) == []

    (tmp_path / "workspaces" / "s").mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "agentchat.db")) as db, db:
        db.execute("INSERT INTO memories (session, turn, memory) VALUES ('s', 1, '{}')")
    found = list(remains(Remains("s", {"": 200}, is_listed=True, found_by="m1"), tmp_path))
    for trace in ("answered {'': 200}", "still listed", "found by 'm1'", "left workspaces", "left 1 rows in memories"):
        assert any(trace in each for each in found), trace


def test_a_refusal_that_comes_late() -> None:
    """A request is sent again at once if the store works again before its refusal is read."""
    notes: queue.SimpleQueue[Answered] = queue.SimpleQueue()
    caller = Caller(notes.put, Counter(), [])
    refusal = Answer(507, HTTPMessage(), b'{"error": {"code": "store_full", "message": "The disk is full."}}')
    with socket.create_server(("127.0.0.1", 0)) as closed:
        page = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    caller.up(page)
    request = Request(Talk(people=[], to_say=deque()), "PATCH", "/api", body={"title": "A"})
    caller.is_store_refusing = True
    caller.take(Answered(request, refusal))
    assert (request.tries, caller.unanswered) == (0, [request])
    caller.store_works()
    notes.get(timeout=PATIENCE)
    caller.take(Answered(request, refusal))
    notes.get(timeout=PATIENCE)
    assert request.tries == 2


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage with three conversations, the last of which is to expire."""
    talks = [talk_with([event(1, 1, "user_message", id=id, name="Ada")], id) for id in ("a", "b", "c")]
    talks[-1].doom = "expiry"
    caller = Caller(lambda answered: None, Counter(), [])
    stage = Stage(random.Random(1), Counter(), tmp_path, talks, caller, lambda what: None, [], ["expiry", "notes"])
    with contextlib.closing(SqliteStore(stage.data)) as store:
        for talk in talks:
            store.create(SessionRecord(id=talk.id, agent="clerk", created=now()))
            store.append(talk.id, [Draft("user_message", '{"id": "m", "name": "Ada", "text": ""}', 1)])
    return stage


def talk_with(log: Log, id: str) -> Talk:
    person = Person(Part("Ada", "member"), "clerk", lambda seen: None)
    person.session = id
    return Talk([person], deque(), log=log, turns={1: "done"})


def test_what_is_at_rest_expires(stage: Stage) -> None:
    Expiry(stage).server_ended()
    assert [talk.state for talk in stage.talks] == ["live", "live", "gone"]


def test_what_goes_on_unseen_does_not_expire(stage: Stage) -> None:
    """A conversation is not made older if the next server goes on with what nobody has seen yet."""
    with contextlib.closing(SqliteStore(stage.data)) as store:
        store.append("c", [Draft("user_message", '{"id": "retried", "name": "Ada", "text": ""}', 2)])
    Expiry(stage).server_ended()
    assert [talk.state for talk in stage.talks] == ["live"] * 3


def test_what_is_asked_again_does_not_expire(stage: Stage) -> None:
    """A conversation is not made older if a request about it is going to be repeated."""
    stage.caller.send(Request(stage.talks[-1], "POST", "/retry"))
    Expiry(stage).server_ended()
    assert [talk.state for talk in stage.talks] == ["live"] * 3


def test_the_author_of_a_note_is_who_wrote_last(stage: Stage) -> None:
    """The person whose note is erased is the one who edited the message last, as it waited."""
    [talk, *_] = stage.talks
    talk.log.append(event(2, 1, "user_message", id="a", name="Bob"))
    stage.chance.random = lambda: 0.0  # type: ignore[method-assign]
    notes = Notes(stage)
    made = event(3, 1, "executed_function", func_name="note", arguments={"call": "c1"}, is_exec_success=True)
    notes.seen(talk, made)
    [(erase, _)] = notes.choices(talk)
    erase(talk)
    assert [request.what for request in stage.caller.unanswered] == [f"{MEMORY}/c1?name=Bob"]


class SlowZygote:
    """Its servers say that they are up a moment after they were started."""

    def __init__(self, folder: Path) -> None:
        self.started = 0
        self._tell: Callable[[News], None]
        (folder / "server.log").touch()

    def start(self, *order: Any) -> int:
        self._tell = order[-1]
        self.started += 1
        address = {"pid": os.getpid(), "address": "ws://127.0.0.1:1/", "page": "http://127.0.0.1:1/"}
        threading.Timer(0.05, self._tell, [address]).start()
        return self.started

    def signal(self, server: int, number: int) -> None:
        self._tell({"stacks": True} if number == signal.SIGUSR1 else {"ended": min(signal.SIGTERM - number, 0)})


def test_a_server_that_is_about_to_start_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule that is over while its server still starts goes on when that is up."""
    monkeypatch.setattr("tests.faults.schedule.PATIENCE", 0.5)
    monkeypatch.setattr("tests.faults.plan.draw", lambda *_: Plan(["messages"], deque([Life()]), []))
    zygote = SlowZygote(tmp_path)
    assert Schedule(1, cast(Zygote, zygote), tmp_path, Counter()).play() == []
    assert zygote.started == 2


def test_stacks_of_a_server(zygote: Zygote, tmp_path: Path) -> None:
    """A server that may be stuck writes what its threads do, and goes on."""
    news: queue.SimpleQueue[News] = queue.SimpleQueue()
    options = ["--port", "0", "--ws-port", "0", "--data-dir", str(tmp_path / "data")]
    server = zygote.start(tmp_path, options, {}, {}, news.put)
    assert "address" in news.get(timeout=STARTS_WITHIN)
    zygote.signal(server, signal.SIGUSR1)
    assert "stacks" in news.get(timeout=PATIENCE)
    assert f"{STACK} MainThread:" in (tmp_path / "server.log").read_text()
    zygote.signal(server, signal.SIGTERM)
    assert news.get(timeout=PATIENCE)["ended"] == 0


def test_threads_that_are_not_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that keeps threads is reported."""
    monkeypatch.setattr("tests.faults.resources.WITHIN", 0.0)
    resources = Resources()
    resources.begin(os.getpid())
    assert resources.wait(Counter()) == []
    over = threading.Event()
    threads = [threading.Thread(target=over.wait, daemon=True) for _ in range(THREADS + 1)]
    for thread in threads:
        thread.start()
    found = resources.wait(Counter())
    over.set()
    assert "after everybody has left" in found[0]
