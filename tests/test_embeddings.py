"""Semantic search: vectors from a model server's /v1/embeddings are kept and combined with word search."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentchat.knowledge import Knowledge
from agentchat.models import config
from agentchat.models.embeddings import Embeddings
from agentchat.protocol.errors import SettingsError
from tests.conftest import KEY, Serve
from tests.embedding_server import EmbeddingServer
from tests.rest_client import RestClient

Open = Callable[..., Knowledge]


@pytest.fixture
def embeddings() -> Iterator[EmbeddingServer]:
    with EmbeddingServer() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "garage.txt").write_text("Leave your car on deck three.")
    (folder / "health.txt").write_text("The doctor comes on Monday.")
    return folder


@pytest.fixture
def opened(tmp_path: Path, folder: Path, embeddings: EmbeddingServer) -> Iterator[Open]:
    """Open a knowledge with semantic search, closed at the end of the test."""
    environment = {"OAI_CONFIG_LIST": json.dumps([entry(embeddings.base_url)])}
    chosen = config.load(environment, tmp_path, timeout=10)
    all_opened: list[Knowledge] = []

    def open(model: str = "words-1") -> Knowledge:
        embed = Embeddings(chosen.llm_config, model)
        all_opened.append(Knowledge([folder], tmp_path / "knowledge.db", embed))
        return all_opened[-1]

    yield open
    for knowledge in all_opened:
        knowledge.close()
    chosen.close()


def entry(base_url: str) -> dict[str, object]:
    return {"model": "scripted", "api_key": KEY, "base_url": base_url, "max_retries": 0}


def test_what_means_the_same_is_found(opened: Open) -> None:
    """A passage with the same meaning is found without sharing a word."""
    knowledge = opened()

    assert knowledge.search("automobile", 1)[0].source == "docs/garage.txt"
    assert knowledge.search("physician", 1)[0].source == "docs/health.txt"
    assert knowledge.search("physician").note == ""


def test_words_count_as_well(opened: Open) -> None:
    """A document that ranks high in both searches comes first."""
    assert opened().search("Monday", 1)[0].source == "docs/health.txt"


def test_only_documents_that_the_filter_lets_through(opened: Open) -> None:
    """The filter applies to semantic search, too."""
    assert [passage.source for passage in opened().search("automobile", 5, "health")] == ["docs/health.txt"]


def test_what_has_not_changed_is_embedded_once(opened: Open, folder: Path, embeddings: EmbeddingServer) -> None:
    """Unchanged passages are embedded once.

    Changes elsewhere, another name or a new process don't matter; another model does.
    """
    opened().search("automobile")
    assert len(embeddings.texts) == 3
    (folder / "health.txt").write_text("The doctor comes on Tuesday.")
    (folder / "garage.txt").rename(folder / "cars.txt")
    again = opened()
    again.search("automobile")

    assert embeddings.texts[3:] == ["The doctor comes on Tuesday.", "automobile"]
    assert again.search("automobile", 1)[0].source == "docs/cars.txt"
    opened("words-2").search("automobile")
    assert [request["model"] for request in embeddings.requests[-2:]] == ["words-2", "words-2"]


def test_many_passages_go_in_batches(opened: Open, folder: Path, embeddings: EmbeddingServer) -> None:
    """Passages are embedded in batches, neither one by one nor all at once."""
    for number in range(150):
        (folder / f"{number}.txt").write_text(f"Paragraph {number}.")
    opened().search("automobile")

    assert [len(request["input"]) for request in embeddings.requests] == [64, 64, 24, 1]


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ((500, b"{}"), "answered with HTTP 500"),
        ((401, b'{"error": {"message": "who are you"}}'), "answered with HTTP 401"),
        ((200, b"nonsense"), "makes no sense"),
        ((200, b"[]"), "usable vectors"),
        ((200, b"{}"), "usable vectors"),
        ((200, b'{"object": "list", "model": "x", "data": []}'), "usable vectors"),
        ((200, b'{"data": [{"index": 0, "embedding": "AAAA"}]}'), "usable vectors"),
        ((200, b'{"data": [{"index": 0, "embedding": [0, 0]}, {"index": 1, "embedding": [0, 0]}]}'), "cannot be used"),
        ((200, b'{"data": [{"index": 0, "embedding": [null]}, {"index": 1, "embedding": [1]}]}'), "usable vectors"),
    ],
)
def test_a_server_that_fails(
    opened: Open, embeddings: EmbeddingServer, odd: tuple[int, bytes], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """If the embedding server fails, word search answers alone and says so; later, semantic search works again."""
    knowledge = opened()
    embeddings.odd = odd
    found = knowledge.search("Monday")

    assert found[0].source == "docs/health.txt"
    assert found.note.startswith("Searched by words alone, not by meaning")
    assert said in found.note
    assert KEY not in found.note
    assert "Searching by words alone" in caplog.text
    embeddings.odd = None
    assert knowledge.search("automobile", 1)[0].source == "docs/garage.txt"


def test_a_server_that_is_gone(opened: Open, embeddings: EmbeddingServer, folder: Path, tmp_path: Path) -> None:
    """An unreachable server is reported differently from one that refuses."""
    with EmbeddingServer() as gone:
        base_url = gone.base_url
    chosen = config.load({"OAI_CONFIG_LIST": json.dumps([entry(base_url)])}, tmp_path, timeout=10)
    knowledge = Knowledge([folder], tmp_path / "other.db", Embeddings(chosen.llm_config, "words-1"))
    found = knowledge.search("Monday")
    knowledge.close()
    chosen.close()

    assert found[0].source == "docs/health.txt"
    assert "cannot be reached" in found.note


def test_the_demo_model_has_none(serve: Serve, folder: Path, embeddings: EmbeddingServer) -> None:
    """The demo model has no embeddings, but the documents can be searched."""
    server = serve("demo", "--knowledge", str(folder), "--embedding-model", "words-1")
    assert len(RestClient(server).get("/api/agent-chat/knowledge").json["sources"]) == 2
    assert embeddings.requests == []


def test_no_server_for_it(tmp_path: Path) -> None:
    """A missing embedding server is reported at the start, with what to do."""
    entries = [{"model": "m", "api_type": "azure", "api_key": KEY, "base_url": "https://x.invalid", "api_version": "1"}]
    chosen = config.load({"OAI_CONFIG_LIST": json.dumps(entries)}, tmp_path, timeout=10)

    with pytest.raises(SettingsError, match="needs a model entry that speaks the OpenAI protocol"):
        Embeddings(chosen.llm_config, "words-1")
    chosen.close()
