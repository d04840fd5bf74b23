"""Search documents for passages that answer a question.

The documents are ordinary files. Every search first brings the index up to date with them.
"""

from __future__ import annotations

import fnmatch
import hashlib
import logging
import os
import sqlite3
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import BufferedReader
from pathlib import Path, PurePosixPath

from agentchat.knowledge.chunking import Chunk, chunks
from agentchat.knowledge.decoding import decode
from agentchat.knowledge.document import Unreadable
from agentchat.knowledge.index import Index, Source
from agentchat.knowledge.passage import ADDRESS, Passage, Passages, address, cited, passage
from agentchat.knowledge.reading import PDF, read
from agentchat.knowledge.sources import File, Sources
from agentchat.knowledge.vectors import Embed, EmbeddingError, Vectors
from agentchat.knowledge.words import fold, parse_query
from agentchat.protocol.errors import SettingsError

__all__ = [
    "ADDRESS",
    "MOST_PASSAGES",
    "Embed",
    "EmbeddingError",
    "Knowledge",
    "Passage",
    "Passages",
    "Source",
    "address",
    "cited",
]

log = logging.getLogger(__name__)

MOST_PASSAGES = 50
CANDIDATES = 50  # of each ranking
BY_WORDS, BY_SPELLING, BY_MEANING = 1.0, 0.3, 1.0  # weights of the rankings (benchmarks/README.md)
FUSION_K = 60  # of reciprocal rank fusion: the larger, the less the first ranks stand out


class Knowledge:
    """Documents in folders and files, and the search in them. Thread-safe.

    `embed` adds search by meaning. Raises SettingsError if the database cannot be used.
    """

    def __init__(self, sources: Sequence[Path], database: Path, embed: Embed | None = None) -> None:
        try:
            self._index = Index(database)
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(f"The index of the documents, {database}, cannot be used: {error}.") from error
        self._sources = Sources(sources)
        self._vectors = Vectors(self._index, embed) if embed else None
        self._refreshing = threading.Lock()  # held by the one thread that looks for changes; guards what follows
        self._converting = threading.Lock()  # held by the one thread that has the text of a whole document in memory
        self._begun = self._done = 0  # refreshes
        self._files: dict[str, File] = {}
        self._known = self._index.sources()

    def close(self) -> None:
        """Close the index; searches that are still running fail."""
        self._index.close()

    def search(self, query: str, match_count: int = 5, source_filter: str = "") -> Passages:
        """Return the passages that answer the query best, at most 50.

        `source_filter` limits the search to documents whose id it is, contains, or matches as a pattern with `*`.
        """
        known = self._refresh()
        allowed = sorted(id for id in _matching(source_filter, list(known)) if not known[id].problem)
        asked = parse_query(query)
        found = Passages()
        rankings = [
            (self._index.by_words(asked, allowed, CANDIDATES), BY_WORDS),
            (self._index.by_spelling(asked, allowed, CANDIDATES), BY_SPELLING),
        ]
        if self._vectors and query.strip() and allowed:
            try:
                found.note = _missing_note(self._vectors.embed_missing())
                rankings.append((self._vectors.nearest(query, allowed, CANDIDATES), BY_MEANING))
            except EmbeddingError as error:
                log.warning("Searching by words alone: %s", error)
                found.note = f"Searched by words alone, not by meaning: {error}."
        best = _fused(rankings)[: max(1, min(match_count, MOST_PASSAGES))]
        passages = self._index.chunks([number for number, _ in best])
        for number, score in best:
            if number in passages:
                source, chunk = passages[number]
                found.append(passage(known[source], chunk, score))
        return found

    def sources(self) -> list[Source]:
        """Return all documents, including those that cannot be read, by id."""
        return sorted(self._refresh().values(), key=lambda source: source.id)

    def open(self, source_id: str) -> tuple[str, BufferedReader]:
        """Return a document's content type and its content, as a file: many that are read at once take no memory.

        Raises KeyError if there is no such document, and OSError.
        """
        self._refresh()
        file = self._files[source_id]
        try:
            if file.type == PDF:
                return "application/pdf", self._sources.open(file)
            with self._converting:
                return "text/plain; charset=utf-8", _on_disk(decode(self._sources.read(file)))
        except Unreadable as error:
            raise KeyError(source_id) from error

    def _refresh(self) -> dict[str, Source]:
        """Bring the index up to date and return its sources.

        Calls made during a refresh, which may have missed a change, share the next one.
        """
        arrived = self._begun
        with self._refreshing:
            if self._done <= arrived:
                self._begun += 1
                self._update()
                self._done = self._begun
            return self._known

    def _update(self) -> None:
        assert self._refreshing.locked()
        files = self._sources.find()
        known = dict(self._known)
        for id in known.keys() - files.keys():
            self._index.remove(id)
            del known[id]
        for id, file in files.items():
            before = known.get(id)
            if before is None or (before.signature, before.type) != (file.signature or file.problem, file.type):
                known[id] = self._add(file, before)
        if known != self._known and self._vectors:
            self._vectors.drop_unused()
        self._files, self._known = files, known

    def _add(self, file: File, before: Source | None) -> Source:
        """Index the file, unless its content is the same as before."""
        name = PurePosixPath(file.id).name
        source = Source(file.id, file.type, file.signature or file.problem, "", name, 0, file.problem)
        passages: list[Chunk] = []
        try:
            data = self._sources.read(file)
            source = replace(source, size=len(data), hash=hashlib.blake2b(data, digest_size=16).hexdigest())
            if before and (before.hash, before.type) == (source.hash, source.type):
                self._index.touch(file.id, source.signature)
                return replace(before, signature=source.signature)
            document = read(file.type, data, name)
            passages = list(chunks(document))
            source = replace(source, title=document.title)
        except Unreadable as error:
            source = replace(source, problem=str(error))
        if not passages and not source.problem:
            source = replace(source, problem="it has no text" if source.size else "it is empty")
        if source.problem and (before is None or before.problem != source.problem):
            log.warning("The document %s cannot be searched: %s", file.id, source.problem)
        self._index.put(source, passages)
        return source


def _on_disk(text: str) -> BufferedReader:
    """Return a file without a name that holds the text."""
    with tempfile.TemporaryFile() as file:
        file.write(text.encode(errors="replace"))
        file.seek(0)
        return open(os.dup(file.fileno()), "rb")


def _missing_note(passages: int) -> str:
    return f"{passages} passages cannot be found by meaning yet." if passages else ""


def _fused(rankings: Iterable[tuple[Sequence[int], float]]) -> list[tuple[int, float]]:
    """Combine weighted rankings by reciprocal rank fusion into passages with scores, best first."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking, weight in rankings:
        for rank, number in enumerate(ranking, 1):
            scores[number] += weight / (FUSION_K + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _matching(source_filter: str, ids: list[str]) -> list[str]:
    wanted = source_filter.strip()
    if not wanted or wanted in ids:
        return [wanted] if wanted else ids
    wanted = fold(wanted)
    has_pattern = "*" in wanted or "?" in wanted
    return [id for id in ids if wanted in fold(id) or (has_pattern and fnmatch.fnmatchcase(fold(id), wanted))]
