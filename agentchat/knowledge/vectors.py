"""The meaning of passages as vectors: made by an embedding model, kept in the index, compared with a question's."""

from __future__ import annotations

import math
import operator
import threading
import time
from array import array
from collections.abc import Sequence
from typing import Protocol

from agentchat.knowledge.index import Index

BATCH = 64  # passages in one request
PATIENCE = 20.0  # seconds that one search spends on passages that have no vector yet


class EmbeddingError(Exception):
    """The embedding model gave no vectors; the sentence says why."""


class Embed(Protocol):
    """An embedding model."""

    @property
    def model(self) -> str: ...

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text. Raises EmbeddingError."""


class Vectors:
    """The vectors of one model."""

    def __init__(self, index: Index, embed: Embed) -> None:
        self._index = index
        self._embed = embed
        self._making = threading.Lock()  # held by the one search that makes what is missing
        self._lock = threading.Lock()  # guards `_known`
        self._known: dict[str, array[float]] = {}

    def complete(self) -> int:
        """Make what is missing, for a while. Returns how many passages are left without. Raises EmbeddingError."""
        end = time.monotonic() + PATIENCE
        with self._making:
            while missing := self._index.without_vector(self._embed.model, BATCH):
                if time.monotonic() > end:
                    return self._index.count_without_vector(self._embed.model)
                chunks = self._index.chunks([number for _, number in missing])
                there = [(hash, chunks[number][1].whole) for hash, number in missing if number in chunks]
                vectors = self._make([text for _, text in there])
                self._index.put_vectors(
                    self._embed.model, {hash: vector for (hash, _), vector in zip(there, vectors, strict=True)}
                )
        return 0

    def ranked(self, question: str, sources: Sequence[str], limit: int) -> list[int]:
        """The passages whose meaning is nearest to the question's. Raises EmbeddingError."""
        [asked] = self._make([question])
        passages = self._index.hashes(sources)
        vectors = self._load({hash for _, hash in passages})
        near = [
            (sum(map(operator.mul, asked, vectors[hash])), number)
            for number, hash in passages
            if hash in vectors and len(vectors[hash]) == len(asked)
        ]
        return [number for _, number in sorted(near, key=lambda item: (-item[0], item[1]))[:limit]]

    def forget(self) -> None:
        """Those of passages that are no longer there."""
        self._index.forget_vectors()
        there = {hash for _, hash in self._index.hashes(list(self._index.sources()))}
        with self._lock:
            self._known = {hash: vector for hash, vector in self._known.items() if hash in there}

    def _load(self, hashes: set[str]) -> dict[str, array[float]]:
        with self._lock:
            new = hashes - self._known.keys()
            self._known |= self._index.vectors(self._embed.model, sorted(new))
            return {hash: self._known[hash] for hash in hashes if hash in self._known}

    def _make(self, texts: Sequence[str]) -> list[array[float]]:
        vectors = self._embed(texts)
        if len(vectors) != len(texts):
            raise EmbeddingError(f"{self._embed.model} sent {len(vectors)} vectors for {len(texts)} texts")
        return [_unit(vector, self._embed.model) for vector in vectors]


def _unit(vector: Sequence[float], model: str) -> array[float]:
    length = math.sqrt(sum(number * number for number in vector))
    if not vector or not math.isfinite(length) or length == 0:
        raise EmbeddingError(f"{model} sent a vector that cannot be used")
    return array("f", [number / length for number in vector])
