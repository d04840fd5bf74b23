"""Search by meaning: vectors of passages, made by an embedding model and compared with a question's."""

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
EMBED_SECONDS = 20.0  # that one search spends on passages that have no vector yet


class EmbeddingError(Exception):
    """The embedding model returned no usable vectors; the message says why."""


class Embed(Protocol):
    """An embedding model."""

    @property
    def model(self) -> str: ...

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text. Raises EmbeddingError."""


class Vectors:
    """The vectors of all passages, by one model. Thread-safe."""

    def __init__(self, index: Index, embed: Embed) -> None:
        self._index = index
        self._embed = embed
        self._embedding = threading.Lock()  # guards missing vectors in the index: one search embeds at a time
        self._lock = threading.Lock()  # guards `_cache`
        self._cache: dict[str, array[float]] = {}  # by the passage's hash

    def embed_missing(self) -> int:
        """Embed passages without a vector for up to EMBED_SECONDS; return how many are left. Raises EmbeddingError."""
        end = time.monotonic() + EMBED_SECONDS
        with self._embedding:
            while missing := self._index.without_vector(self._embed.model, BATCH):
                if time.monotonic() > end:
                    return self._index.count_without_vector(self._embed.model)
                chunks = self._index.chunks([number for _, number in missing])
                texts = {hash: chunks[number][1].whole for hash, number in missing if number in chunks}
                vectors = self._embedded(list(texts.values()))
                self._index.put_vectors(self._embed.model, dict(zip(texts, vectors, strict=True)))
        return 0

    def nearest(self, question: str, sources: Sequence[str], limit: int) -> list[int]:
        """Return the passages closest in meaning to the question, best first. Raises EmbeddingError."""
        [asked] = self._embedded([question])
        passages = self._index.hashes(sources)
        vectors = self._load({hash for _, hash in passages})
        near = [
            (sum(map(operator.mul, asked, vectors[hash])), number)
            for number, hash in passages
            if hash in vectors and len(vectors[hash]) == len(asked)
        ]
        return [number for _, number in sorted(near, key=lambda item: (-item[0], item[1]))[:limit]]

    def drop_unused(self) -> None:
        """Drop the vectors of passages that no longer exist."""
        self._index.drop_unused_vectors()
        used = {hash for _, hash in self._index.hashes(list(self._index.sources()))}
        with self._lock:
            self._cache = {hash: vector for hash, vector in self._cache.items() if hash in used}

    def _load(self, hashes: set[str]) -> dict[str, array[float]]:
        with self._lock:
            new = hashes - self._cache.keys()
            self._cache |= self._index.vectors(self._embed.model, sorted(new))
            return {hash: self._cache[hash] for hash in hashes if hash in self._cache}

    def _embedded(self, texts: Sequence[str]) -> list[array[float]]:
        vectors = self._embed(texts)
        if len(vectors) != len(texts):
            raise EmbeddingError(f"{self._embed.model} sent {len(vectors)} vectors for {len(texts)} texts")
        return [_normalized(vector, self._embed.model) for vector in vectors]


def _normalized(vector: Sequence[float], model: str) -> array[float]:
    length = math.sqrt(sum(number * number for number in vector))
    if not vector or not math.isfinite(length) or length == 0:
        raise EmbeddingError(f"{model} sent a vector that cannot be used")
    return array("f", [number / length for number in vector])
