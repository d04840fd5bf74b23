"""Checks of pages of events over REST: put together, they are the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.faults.evidence import Log
from tests.rest_client import Answer


def pages(log: Log, answers: Sequence[Answer]) -> Iterator[str]:
    """Check the pages of one log, read to the end."""
    if any(answer.status != 200 for answer in answers):
        yield f"pages of the log were answered {[answer.status for answer in answers]}"
        return
    events = [event for answer in answers for event in answer.json["events"]]
    last = answers[-1].json["last_seq"]
    if events != list(log[:last]):
        yield f"pages had the events {[event['seq'] for event in events]}, or others than the log's first {last}"
