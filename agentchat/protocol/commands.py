"""Commands that carry an id of the client's choice: however often one is sent, it counts once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from agentchat.protocol.validation import check_id


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


@dataclass(frozen=True)
class Accepted:
    """A command that was carried out."""

    digest: str
    result: str


def command(scope: str, id: str | None, name: str, **asked: object) -> Command | None:
    """Return the command `name`, None if it has no id. Raises ChatError for an id that cannot be used."""
    if id is None:
        return None
    check_id(id)
    return Command(scope, id, digest(name, **asked))


def digest(name: str, **asked: object) -> str:
    """Return the digest of what a command asks for, which must be JSON values."""
    return hashlib.sha256(json.dumps([name, asked], sort_keys=True).encode()).hexdigest()
