"""Commands that carry an id of the client's choice: however often one is sent, it counts once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agentchat.protocol.attachments import Reference
from agentchat.protocol.validation import ID_CHARS, check_id


@dataclass(frozen=True)
class Command:
    """A command with an id. Where it is carried out, the store records it in the same transaction."""

    scope: str
    """The session in which the id counts once; for a command to none, whatever names its sender."""
    id: str
    digest: str
    """The digest of all that is asked for: the same id with another one is a mistake."""
    result: str | None = None
    """The answer to repetitions; None for the `seq` of the last event that the command appends."""
    person: str = ""
    """The person who sent it, if it may end their access: they may still repeat it."""


@dataclass(frozen=True)
class Accepted:
    """A command that was carried out."""

    digest: str
    result: str
    person: str = ""


def command(scope: str, id: str | None, digest: str, result: str | None = None, person: str = "") -> Command | None:
    """Return the command with that id, None if it has none. Raises ChatError for an id that cannot be used."""
    if id is None:
        return None
    check_id(id)
    return Command(scope, id, digest, result, person)


def stop_of(session_id: str, turn: int) -> Command:
    """Return the record of a stop that the next server has to carry out if this one ends. No client can use its id."""
    return Command(session_id, f"stop of turn {turn}".ljust(ID_CHARS + 1), "", "")


def digest(name: str, **asked: object) -> str:
    """Return the digest of a command, whose contents are JSON values."""
    return hashlib.sha256(json.dumps([name, asked], sort_keys=True).encode()).hexdigest()


def message_digest(text: str, context: Mapping[str, Any], files: Iterable[Reference] = ()) -> str:
    """Return the digest of a person's message. The name may change before it is sent again."""
    attached = [[each.path, each.sha256] for each in files]
    return digest("message", text=text, context=context, **({"attachments": attached} if attached else {}))


def reply_digest(text: str, operator: str) -> str:
    """Return the digest of what an operator says in the agents' place."""
    return digest("reply", text=text, operator=operator)
