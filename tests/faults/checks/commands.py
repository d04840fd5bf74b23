"""Checks of commands: what was acknowledged is in the log, and each command counts once however often it is sent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tests.faults.evidence import Log
from tests.faults.talk import Acknowledged


def acknowledged(log: Log, said: Sequence[Acknowledged]) -> Iterator[str]:
    """Check that the log has each event that an answer named, and that a repeated command got the same answer."""
    seqs: dict[str, set[int]] = defaultdict(set)
    for each in said:
        seqs[each.key].add(each.seq)
        event = log[each.seq - 1] if each.seq <= len(log) else None
        if event is None or event["type"] != each.type or event["content"].get(each.field) != each.value:
            yield f"{each} was acknowledged, and the log has {event}"
    for key, found in seqs.items():
        if len(found) > 1:
            yield f"the command {key} was acknowledged with the seqs {sorted(found)}"


def once(log: Log, commands: Mapping[str, str], edits: Mapping[str, str]) -> Iterator[str]:
    """Check that no command took effect twice."""
    retries = sum(f["type"] == "rewind" and f["content"]["reason"] == "retry" for f in log)
    sent = sum(type == "retry" for type in commands.values())
    if retries > sent:
        yield f"{sent} retries were sent, and the log has {retries}"
    titles = Counter(f["content"]["title"] for f in log if f["type"] == "session_renamed")
    yield from (f"the title {title!r} was given {n} times" for title, n in titles.items() if n > 1)
    for id, text in edits.items():
        places = [place for place, f in enumerate(log) if f["type"] == "user_message" and f["content"]["text"] == text]
        made = [place for place in places if not _is_retry(log, place)]
        if len(made) > 1:
            yield f"the edit {id} took effect at {[log[place]['seq'] for place in made]}"
    replies = Counter(f["content"]["content"] for f in log if f["type"] == "text" and f["content"].get("operator"))
    yield from (f"the operator said {text!r} {n} times" for text, n in replies.items() if n > 1)
    notes = Counter(
        f["content"]["reason"] for f in log if f["type"] == "handoff" and f["content"]["kind"] == "returned"
    )
    yield from (f"it was handed back {n} times with {note!r}" for note, n in notes.items() if n > 1 and note)


def _is_retry(log: Log, place: int) -> bool:
    before = log[place - 1] if place else None
    return before is not None and before["type"] == "rewind" and before["content"]["reason"] == "retry"
