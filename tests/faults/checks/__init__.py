"""The checks: each takes evidence of a schedule and describes what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.faults.checks.commands import acknowledged, once
from tests.faults.checks.memory import memory
from tests.faults.checks.questions import questions
from tests.faults.checks.tools import tools
from tests.faults.checks.turns import messages, turns
from tests.faults.checks.views import confirmations, numbering, views
from tests.faults.evidence import Conversation, Evidence

Check = Callable[[Conversation], Iterator[str]]


def violations(evidence: Evidence) -> list[str]:
    """Run the checks that hold for every schedule; those of one kind of acting are called by it."""
    found: list[str] = []
    for conversation in evidence.conversations:
        for check in CHECKS:
            found += check(conversation)
    found += tools(evidence)
    interrupted = [f for c in evidence.conversations for f in c.log if f["content"].get("status") == "interrupted"]
    if len(interrupted) > evidence.ends * max(len(evidence.conversations), 1):
        found.append(f"{len(interrupted)} turns were interrupted, but the server ended {evidence.ends} times only")
    return found


def commands(conversation: Conversation) -> Iterator[str]:
    """Check that commands count, and count once."""
    yield from acknowledged(conversation.log, conversation.acknowledged)
    yield from once(conversation.log, conversation.commands, conversation.edits)


CHECKS: tuple[Check, ...] = (numbering, views, confirmations, messages, turns, questions, commands, memory)
"""For conversations that are still there."""
GONE: tuple[Check, ...] = (numbering,)
"""For deleted ones, of which only what people saw is left."""
