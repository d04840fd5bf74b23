"""Counters and histograms, by labels of which there are never too many."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentchat.protocol.events import clean

Labels = tuple[str, ...]

OTHER = "other"
"""Stands for all names beyond those that a label may have."""
MAX_NAMES = 50
NAME_CHARS = 64


class Names:
    """The names that one label may have: the first that come; all others are `other`."""

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._lock = threading.Lock()  # guards `_known`
        self._known: dict[str, str] = {}  # as labels, by the names as they came

    def label(self, name: str) -> str:
        """Return the name as a label has it: without what cannot be written, and not too long."""
        known = self._known.get(name)
        if known is not None:
            return known
        with self._lock:
            if len(self._known) >= self._limit:
                return OTHER
            return self._known.setdefault(name, clean(name)[:NAME_CHARS] or OTHER)


class Counter:
    """A number that only grows, by labels."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards `_values`
        self._values: dict[Labels, float] = {}

    def add(self, *labels: str, amount: float = 1) -> None:
        """Count one more, or so many."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + amount

    @property
    def values(self) -> Mapping[Labels, float]:
        """The numbers by labels, as they are now."""
        with self._lock:
            return dict(self._values)


@dataclass
class Distribution:
    """The number of values below each bound and above the one before; the last are above all bounds."""

    counts: list[int]
    sum: float = 0.0

    def copy(self) -> Distribution:
        return Distribution(list(self.counts), self.sum)

    def __add__(self, other: Distribution) -> Distribution:
        return Distribution([a + b for a, b in zip(self.counts, other.counts, strict=True)], self.sum + other.sum)

    def __sub__(self, other: Distribution) -> Distribution:
        return Distribution([a - b for a, b in zip(self.counts, other.counts, strict=True)], self.sum - other.sum)


class Histogram:
    """The distribution of values, by labels."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self._lock = threading.Lock()  # guards `_values`
        self._values: dict[Labels, Distribution] = {}

    def observe(self, value: float, *labels: str) -> None:
        """Add a value."""
        place = bisect_left(self.bounds, value)
        with self._lock:
            found = self._values.setdefault(labels, self._empty())
            found.counts[place] += 1
            found.sum += value

    @property
    def values(self) -> Mapping[Labels, Distribution]:
        """The distributions by labels, as they are now."""
        with self._lock:
            return {labels: each.copy() for labels, each in self._values.items()}

    @property
    def all(self) -> Distribution:
        """The distribution of the values of all labels."""
        return sum(self.values.values(), self._empty())

    def quantile(self, share: float, among: Distribution) -> float | None:
        """Return the value below which that share of a distribution lies, as far as the bounds tell; None if empty."""
        total = sum(among.counts)
        if not total:
            return None
        wanted, below = share * total, 0
        for place, count in enumerate(among.counts[:-1]):
            if count and below + count >= wanted:
                low = self.bounds[place - 1] if place else 0.0
                return low + (self.bounds[place] - low) * (wanted - below) / count
            below += count
        return self.bounds[-1]

    def _empty(self) -> Distribution:
        return Distribution([0] * (len(self.bounds) + 1))
