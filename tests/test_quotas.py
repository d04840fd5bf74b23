"""Quotas of a day: counted once, refused beyond, and told."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from agentchat.protocol import session_events
from agentchat.protocol.events import Draft, encode
from agentchat.protocol.session_events import UserMessage
from agentchat.sessions.quotas import Quotas, QuotaUsed
from agentchat.sessions.rules import SessionRules
from agentchat.store import SessionRecord
from agentchat.store.sqlite import SqliteStore
from tests.clients import ChatClient, contents, wait_until
from tests.conftest import Fork, Serve, config_list
from tests.model_server import ModelServer, Reply
from tests.rest_client import RestClient

ME = "/api/agent-chat/me"
NOON = datetime(2030, 1, 31, 12, tzinfo=timezone.utc)
USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "cost": 0.5, "agents": {}}


def near_days() -> list[str]:
    """Return the days around now, so that it makes no difference when the test runs."""
    now = datetime.now(timezone.utc)
    return [f"{now + timedelta(days=days):%Y-%m-%d}" for days in (-1, 0, 1)]


def rows(folder: Path) -> list[tuple[Any, ...]]:
    """Return what was counted, on all days together."""
    with closing(sqlite3.connect(folder / "agentchat.db")) as db:
        return db.execute(
            "SELECT user, agent, sum(turns), sum(tokens), sum(cost) FROM usage GROUP BY user, agent ORDER BY user"
        ).fetchall()


def use(folder: Path, days: Sequence[str], user: str, turns: int = 0, tokens: int = 0, cost: float = 0) -> None:
    """Write that a person has used so much on each of these days."""
    with closing(sqlite3.connect(folder / "agentchat.db")) as db, db:
        values = [(day, user, "weather", turns, tokens, cost) for day in days]
        db.executemany("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?)", values)


# Counting


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path / "data")
    store.create(SessionRecord("s", "weather", "2030-01-01T00:00:00.000Z"))
    return store


def turn(store: SqliteStore, number: int, usage: Any = USAGE, user: str = "u-ada", agent: str = "weather") -> None:
    message = UserMessage(f"m{number}", "Hello", "Ada", {}, number, user)
    started = Draft("turn_started", encode({"message_id": message.id, "agent": agent}), number)
    store.append("s", [session_events.user_message_draft(message, message.key), *([started] if agent else [])])
    store.append("s", [session_events.turn_completed_draft(number, "completed", usage=usage)])


def test_turns_are_counted(store: SqliteStore, tmp_path: Path) -> None:
    """Turns count for the author of the message as it was last edited, with their tokens and what they cost."""
    with closing(store):
        turn(store, 1)
        edited = UserMessage("m2", "Hi", "Bob", {}, 2, "u-bob")
        store.append("s", [session_events.user_message_draft(edited, None)])
        turn(store, 3, {"prompt_tokens": None, "completion_tokens": None, "cost": None, "agents": {}})
        assert rows(tmp_path / "data") == [("u-ada", "weather", 2, 12, 0.5)]
        store.append("s", [Draft("turn_started", encode({"message_id": "m2", "agent": "weather"}), 2)])
        store.append("s", [session_events.turn_completed_draft(2, "stopped", usage=USAGE)])
        assert rows(tmp_path / "data")[1] == ("u-bob", "weather", 1, 12, 0.5)


def test_what_does_not_count(store: SqliteStore, tmp_path: Path) -> None:
    """A human's answer, a withdrawn message, and an end that is written twice count nothing."""
    with closing(store):
        turn(store, 1, agent="human")
        turn(store, 2, agent="")
        assert rows(tmp_path / "data") == []
        turn(store, 4)
        store.append("s", [session_events.turn_completed_draft(4, "interrupted", usage=USAGE)])
        assert rows(tmp_path / "data") == [("u-ada", "weather", 1, 12, 0.5)]


def test_programs_without_a_name(store: SqliteStore, tmp_path: Path) -> None:
    """Their turns count as everybody's, and so are nobody's quota."""
    with closing(store):
        turn(store, 1, user="")
        turn(store, 2, user="")
        assert rows(tmp_path / "data") == [("you", "weather", 2, 24, 1.0)]
        Quotas(store.usage, SessionRules(turns_per_day=1)).check("")


def test_model_servers_that_exaggerate(store: SqliteStore, tmp_path: Path) -> None:
    """Numbers that make no sense are bounded, and lose no turn."""
    with closing(store):
        for number, (tokens, cost) in enumerate([(10**400, 1e300), (-5, -1.0)], 1):
            turn(store, number, {"prompt_tokens": tokens, "completion_tokens": 1, "cost": cost, "agents": {}})
        [(_, _, turns, tokens, cost)] = rows(tmp_path / "data")
        assert (turns, tokens, cost) == (2, 10**12 + 2, 1e6)


def test_old_days_are_removed(store: SqliteStore, tmp_path: Path) -> None:
    """Days are kept for a year."""
    with closing(store):
        use(tmp_path / "data", ["2020-01-01", near_days()[0]], "u-bob", turns=1)
        turn(store, 1)
        assert [(user, turns) for user, _, turns, *_ in rows(tmp_path / "data")] == [("u-ada", 1), ("u-bob", 1)]


# Checking


def test_a_day(store: SqliteStore, tmp_path: Path) -> None:
    """Usage counts until midnight UTC, and the error says how long that is."""
    clock = [NOON]
    with closing(store):
        quotas = Quotas(store.usage, SessionRules(turns_per_day=2, tokens_per_day=1500), lambda: clock[0])
        use(tmp_path / "data", ["2030-01-30"], "u-ada", turns=9)
        use(tmp_path / "data", ["2030-01-31"], "u-ada", turns=1, tokens=200)
        quotas.check("u-ada")
        quotas.update("s", ["u-ada", "u-bob"])
        with pytest.raises(QuotaUsed) as refused:
            quotas.check("u-ada")
        assert refused.value.retry_after == 12 * 3600
        assert "your 2 turns for today. Left: 1,300 tokens." in str(refused.value)
        quotas.check("u-bob")
        quotas.update("s", [])
        quotas.check("u-ada")

        use(tmp_path / "data", ["2030-01-31"], "u-bob", tokens=1500)
        with pytest.raises(QuotaUsed):
            quotas.check("u-bob")
        assert quotas.about("u-bob") == {
            "day": "2030-01-31",
            "used": {"turns": 0, "tokens": 1500, "cost": 0.0},
            "limit": {"turns": 2, "tokens": 1500, "cost": None},
            "left": {"turns": 2, "tokens": 0, "cost": None},
        }
        clock[0] += timedelta(hours=12)
        quotas.check("u-bob")


@pytest.mark.parametrize(
    ("option", "used", "words"),
    [
        ("--turns-per-day=3", {"turns": 3}, "your 3 turns for today"),
        ("--tokens-per-day=1000", {"tokens": 1001}, "your 1,000 tokens for today"),
        ("--cost-per-day=0.5", {"cost": 0.5}, "your $0.50 for today"),
    ],
)
def test_what_is_refused(serve: Serve, tmp_path: Path, option: str, used: dict[str, Any], words: str) -> None:
    """Messages, retries and edits of whoever has nothing left are refused, and those of others are not."""
    running = serve("demo", option)
    rest = RestClient(running)
    session = rest.new_session()
    sent = session.ask("Hello", name="Ada")
    ada = session.log[0]["content"]["user"]
    use(tmp_path / "data", near_days()[:1], ada, **used)
    with closing(sqlite3.connect(tmp_path / "data" / "agentchat.db")) as db, db:
        db.execute("DELETE FROM usage WHERE day <> ?", (near_days()[0],))
    session.ask("Yesterday makes no difference", name="Ada")
    with closing(sqlite3.connect(tmp_path / "data" / "agentchat.db")) as db, db:
        db.execute("DELETE FROM usage")
    use(tmp_path / "data", near_days()[1:], ada, **used)

    answers = [
        session.post("messages", {"text": "Hello", "name": "Ada"}),
        session.post("edit", {"seq": sent["seq"], "text": "Hello!", "name": "Ada"}),
        session.post("retry", {}),
    ]
    assert [answer.status for answer in answers] == [429] * 3
    assert {answer.code for answer in answers} == {"quota_used"}
    assert all(0 < int(answer.headers["Retry-After"]) <= 86_400 for answer in answers)
    assert words in answers[0].json["error"]["message"]
    with ChatClient(running.websocket, session=session.id, name="Ada") as client:
        client.confirmed()
        client.say("Hello")
        assert client.until("error")["content"]["code"] == "quota_used"
    assert session.ask("Hello", name="Bob")["status"] == "completed"
    left = rest.get(ME, name="Ada").json["usage"]["left"]
    assert [value for value in left.values() if value is not None] == [0]


def test_turns_that_have_not_ended(serve: Serve, model: ModelServer) -> None:
    """Turns that run or wait count already, and go on to their end; a repeated message is not refused."""
    gate = threading.Event()
    model.script(Reply("One.", gate_after=(0, gate)), Reply("Two."))
    rest = RestClient(serve("--turns-per-day", "2", model=model))
    session, other = rest.new_session(), rest.new_session()
    for id in ("m1", "m2"):
        assert session.post("messages", {"text": "Hello", "name": "Ada", "id": id}).status == 202
    for each in (session, other):
        assert each.post("messages", {"text": "Hello", "name": "Ada", "id": "m3"}).code == "quota_used"
    assert session.post("messages", {"text": "Hello", "name": "Ada", "id": "m2"}).status == 202
    assert session.post("stop", {"turn": 2}).status == 202
    assert other.post("messages", {"text": "Hello", "name": "Ada", "id": "m3"}).status == 202
    gate.set()
    wait_until(lambda: [c["status"] for c in contents(session.log, "turn_completed")] == ["stopped", "completed"])
    wait_until(lambda: [c["status"] for c in contents(other.log, "turn_completed")] == ["completed"])


@pytest.mark.own_server
def test_a_kill_counts_nothing_twice(fork: Fork, model: ModelServer, tmp_path: Path) -> None:
    """A turn that was completed counts after a kill, and one that runs counts once, without what nobody knows."""
    options = ("--port", "0", "--ws-port", "0")
    gate = threading.Event()
    model.script(Reply("One.", usage=(10, 1)), Reply("Two.", gate_after=(1, gate)))
    with fork(*options, environment=config_list(model)) as server:
        session = RestClient(server).new_session()
        session.ask("Hello", name="Ada")
        with ChatClient(server.websocket, session=session.id, name="Ada") as client:
            client.confirmed()
            client.say("Hello again")
            client.until("stream")
            server.signal(signal.SIGKILL)
            server.end()
    gate.set()
    with fork(*options, environment=config_list(model)) as server:
        used = RestClient(server).get(ME, name="Ada").json["usage"]
        assert used["limit"] == {"turns": None, "tokens": None, "cost": None}
    assert [(agent, turns, tokens) for _, agent, turns, tokens, _ in rows(tmp_path / "data")] == [("weather", 2, 11)]
