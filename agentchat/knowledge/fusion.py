"""Several rankings as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

K = 60  # of reciprocal rank fusion: how little the first places count more than those behind them


def fused(rankings: Iterable[tuple[Sequence[int], float]]) -> list[tuple[int, float]]:
    """Reciprocal rank fusion: each ranking, best first, comes with its weight."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking, weight in rankings:
        for rank, number in enumerate(ranking, 1):
            scores[number] += weight / (K + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
