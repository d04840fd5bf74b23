"""Checks of time-outs: no question is given up before its time, whatever the server's clock says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

SLACK = 0.5  # seconds by which the event may be seen late


def timeouts(waited: Mapping[str, float], limit: float) -> Iterator[str]:
    """Check how long the questions waited that were given up."""
    for id, seconds in waited.items():
        if seconds < limit - SLACK:
            yield f"question {id} was given up after {seconds:.1f} seconds; the limit is {limit}"
