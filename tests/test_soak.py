"""Nothing is left over in the server when people leave: the short form of `make soak`."""

from __future__ import annotations

from benchmarks.soak import more, soak


def test_the_server_stays_as_small_as_it_was() -> None:
    """Threads, descriptors, memory and objects are the same after a few hundred turns as after the first of them."""
    first, last = soak(turns=160, clients=8, looks=2)
    assert last.turns >= 2 * first.turns > 150
    assert more(first, last) == []
