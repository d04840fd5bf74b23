"""Checks of the desk: it shows the conversations that humans have or are wanted in, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def waiting(status: int, held: Sequence[str], shown: Sequence[str]) -> Iterator[str]:
    """Check what the desk shows after a request that was answered with that status."""
    if status != 200:
        yield f"an operator was answered {status}, in a conversation that was there to be taken"
    if list(shown) != list(held):
        yield f"the desk shows {list(shown)}; held are {list(held)}"
