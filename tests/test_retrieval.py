"""The retrieval benchmark: its labels are valid, and its figures do not get worse."""

from __future__ import annotations

import pytest

from benchmarks import retrieval

FLOORS = {"docs": (0.46, 0.33), "corpus": (0.9, 0.8)}  # recall@5 and MRR


@pytest.mark.parametrize("corpus", FLOORS)
def test_enough_is_found(corpus: str) -> None:
    """Recall and MRR stay above the floors, which are below benchmarks/README.md because the documents change."""
    figures = retrieval.measure(corpus).shipped
    recall, mrr = FLOORS[corpus]

    assert figures.recall >= recall, figures.missed
    assert figures.mrr >= mrr, figures.missed


@pytest.mark.parametrize("corpus", FLOORS)
def test_each_question_can_be_answered(corpus: str) -> None:
    """Each question has a label that matches a passage."""
    assert retrieval.unanswerable(corpus) == []
