"""The vectors of passages: which are kept, and which are missing."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agentchat.knowledge import Knowledge, vectors
from tests.embedding_server import embedded

SIZE = 20_000  # numbers in a vector


class Embedder:
    """An embedding model in this process that makes large vectors."""

    model = "words-1"

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        return [embedded(text) + [0.0] * SIZE for text in texts]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


@pytest.fixture
def knowledge(tmp_path: Path, folder: Path) -> Iterator[Knowledge]:
    knowledge = Knowledge([folder], tmp_path / "knowledge.db", Embedder())
    yield knowledge
    knowledge.close()


def test_vectors_of_removed_passages_leave_memory(knowledge: Knowledge, folder: Path) -> None:
    """Vectors of removed passages leave memory, however often the documents change."""
    file, memory = folder / "news.txt", []
    tracemalloc.start()
    try:
        for number in range(25):
            file.write_text(f"This is news number {number}.")
            assert knowledge.search("news")[0].text == f"This is news number {number}."
            memory.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()

    assert memory[-1] - memory[9] < 5 * SIZE * 4


def test_vectors_of_other_passages_stay(knowledge: Knowledge, folder: Path) -> None:
    """Removing a document keeps the vectors of the others."""
    (folder / "stays.txt").write_text("Leave your car on deck three.")
    (folder / "goes.txt").write_text("The doctor comes on Monday.")
    assert knowledge.search("automobile")[0].source == "docs/stays.txt"
    (folder / "goes.txt").unlink()

    assert [passage.source for passage in knowledge.search("vehicle")] == ["docs/stays.txt"]


def test_passages_without_a_vector_are_counted(
    knowledge: Knowledge, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passages without a vector when the time is up are counted, also those with the same text."""
    for number in range(5):
        (folder / f"{number}.txt").write_text(f"Paragraph {number}.")
    (folder / "again.txt").write_text("Paragraph 4.")
    monkeypatch.setattr(vectors, "BATCH", 2)
    monkeypatch.setattr(vectors, "EMBED_SECONDS", -1.0)

    assert knowledge.search("paragraph").note == "6 passages cannot be found by meaning yet."
    monkeypatch.undo()
    assert knowledge.search("paragraph").note == ""
