"""`python -m benchmarks retrieval`: how well the knowledge search answers labelled questions.

A question is answered by any passage that matches one of its labels. recall@5 is the share of questions with such a
passage among the first five; MRR is the mean of 1/rank of the first such passage, 0 if it is not among the first ten.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentchat import installation
from agentchat.knowledge import Embed, Knowledge, Passage
from agentchat.knowledge.index import Index
from agentchat.knowledge.passage import passage
from agentchat.knowledge.words import parse_query
from agentchat.models import config
from agentchat.models.embeddings import Embeddings

HERE = Path(__file__).resolve().parent
CORPORA = {
    "docs": [installation.DOCS, installation.README],
    "corpus": [HERE / "corpus"],
}
FIRST = 5
DEPTH = 10


@dataclass(frozen=True)
class Question:
    question: str
    answers: list[tuple[str, str]]
    """Labels: the id of a document, and a text that an answering passage in it contains."""

    def is_answered_by(self, passage: Passage) -> bool:
        text = _flat(passage.text)
        return any(passage.source == source and _flat(says) in text for source, says in self.answers)


@dataclass(frozen=True)
class Figures:
    """The results of all questions about one corpus."""

    recall: float
    mrr: float
    missed: list[str]


@dataclass(frozen=True)
class Measured:
    words: Figures
    """BM25 alone."""
    shipped: Figures


def questions(corpus: str) -> list[Question]:
    return [Question(**each) for each in json.loads((HERE / "questions" / f"{corpus}.json").read_text("utf-8"))]


def measure(corpus: str, embed: Embed | None = None) -> Measured:
    asked = questions(corpus)
    with _opened(corpus, embed) as (knowledge, index):
        sources = {source.id: source for source in knowledge.sources()}
        shipped = [knowledge.search(each.question, DEPTH) for each in asked]
        words = []
        for each in asked:
            numbers = index.by_words(parse_query(each.question), list(sources), DEPTH)
            found = index.chunks(numbers)
            words.append([passage(sources[found[number][0]], found[number][1], 0) for number in numbers])
    return Measured(_figures(asked, words), _figures(asked, shipped))


def unanswerable(corpus: str) -> list[str]:
    """Return the questions whose labels match no passage."""
    with _opened(corpus) as (knowledge, index):
        numbers = [number for number, _ in index.hashes([source.id for source in knowledge.sources()])]
        sources = {source.id: source for source in knowledge.sources()}
        passages = [passage(sources[id], chunk, 0) for id, chunk in index.chunks(numbers).values()]
    return [each.question for each in questions(corpus) if not any(map(each.is_answered_by, passages))]


@contextlib.contextmanager
def _opened(corpus: str, embed: Embed | None = None) -> Iterator[tuple[Knowledge, Index]]:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "knowledge.db"
        knowledge = Knowledge(CORPORA[corpus], database, embed)
        knowledge.sources()  # builds the index
        index = Index(database)
        try:
            yield knowledge, index
        finally:
            index.close()
            knowledge.close()


def _figures(asked: Sequence[Question], found: Sequence[Sequence[Passage]]) -> Figures:
    ranks = [_rank(question, passages) for question, passages in zip(asked, found, strict=True)]
    return Figures(
        sum(rank is not None and rank <= FIRST for rank in ranks) / len(ranks),
        sum(1 / rank for rank in ranks if rank is not None) / len(ranks),
        [each.question for each, rank in zip(asked, ranks, strict=True) if rank is None or rank > FIRST],
    )


def _rank(question: Question, passages: Sequence[Passage]) -> int | None:
    return next((rank for rank, each in enumerate(passages, 1) if question.is_answered_by(each)), None)


def _flat(text: str) -> str:
    return " ".join(text.split())


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks retrieval", description=__doc__)
    parser.add_argument("--missed", action="store_true", help="list the questions that were not answered")
    parser.add_argument("--embedding-model", default="", help="measure with this model of the configured model server")
    options = parser.parse_args(arguments)
    with contextlib.closing(config.load(os.environ, Path.cwd(), timeout=60)) as chosen:
        embed = Embeddings(chosen.llm_config, options.embedding_model) if options.embedding_model else None
        measured = {corpus: measure(corpus, embed) for corpus in CORPORA}
    shipped = "as shipped" if embed is None else options.embedding_model
    print(f"| {'corpus':8} | {'questions':>9} | {'search':24} | {'recall@5':>8} | {'MRR':>5} |")
    print("|---|--:|---|--:|--:|")
    for corpus, each in measured.items():
        for name, figures in (("BM25 alone", each.words), (shipped, each.shipped)):
            number = len(questions(corpus))
            print(f"| {corpus:8} | {number:9} | {name:24} | {figures.recall:8.3f} | {figures.mrr:5.3f} |")
        for question in each.shipped.missed if options.missed else ():
            print(f"    missed: {question}")
    return 0
