"""The words of texts and questions, in the form in which they are compared."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from agentchat.knowledge.stop_words import STOP_WORDS

MAX_WORDS = 1000  # of a question, that are looked at
MAX_TERMS = 64  # of them that are looked up
LEAST_LETTERS = 4  # of a word that may be spelt otherwise
RESEMBLANCE = 0.5  # of its pieces, so many are the same

# Letters of scripts that are written without spaces, or (Hangul) with endings at their words.
UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff]+)"
)
# Accents, vowel points and signs that nobody sees.
ACCENTS = re.compile(
    "[\u00ad\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]"
)
_SIGNS = "".join(
    chr(code) for code in range(0x900, 0x1800) if unicodedata.category(chr(code)) in {"Mn", "Mc"}
)  # vowels and the like of Indian and Asian scripts, which are parts of words
WORD = re.compile(f"[^\\W_](?:[^\\W_]|[{_SIGNS}])*")


def fold(text: str) -> str:
    """In small letters and without accents."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", ACCENTS.sub("", folded))


def indexed(text: str) -> str:
    """The terms of a text, as FTS5 is given them."""
    return " ".join(terms(text, with_ends=True))


def terms(text: str, with_ends: bool = False) -> Iterator[str]:
    """What is looked up: words; of scripts without spaces, each sign with its neighbour.

    With the ends of the latter any single sign is the beginning of a term.
    """
    for word in WORD.findall(fold(text)):
        for place, run in enumerate(UNSPACED.split(word)):
            if place % 2 and len(run) > 1:
                yield from (run[at : at + 2] for at in range(len(run) - (not with_ends)))
            elif run:
                yield run


@dataclass(frozen=True)
class Asked:
    """A question, made ready to be looked up. Nothing that stands in quotes means anything to FTS5."""

    terms: list[str]
    """What it is about."""
    pairs: list[str]
    """Terms that stand next to each other."""

    @property
    def words(self) -> str:
        """FTS5's expression for any of the terms; neighbours that are neighbours in a text, too, count once more."""
        single = (f'"{term}"*' if len(term) == 1 and UNSPACED.fullmatch(term) else f'"{term}"' for term in self.terms)
        return " OR ".join([*single, *(f'"{pair}"' for pair in self.pairs)])

    @property
    def trigrams(self) -> str:
        """FTS5's expression for any piece of three letters: finds other forms, parts and misspellings of words."""
        return " OR ".join(f'"{piece}"' for piece in dict.fromkeys(p for term in self.terms for p in pieces(term)))

    def resembles(self, text: str) -> bool:
        """Whether a word is in the text, in much the same spelling."""
        return any(
            sum(piece in text for piece in pieces(term)) >= RESEMBLANCE * len(pieces(term))
            for term in self.terms
            if len(term) >= LEAST_LETTERS
        )


def pieces(term: str) -> list[str]:
    """Of three letters."""
    return [term[at : at + 3] for at in range(len(term) - 2)]


def ask(question: str) -> Asked:
    every = list(itertools.islice(terms(question), MAX_WORDS))
    telling = [term for term in every if term not in STOP_WORDS]
    pairs = [f"{one} {two}" for one, two in itertools.pairwise(every) if not {one, two} & STOP_WORDS]
    return Asked(list(dict.fromkeys(telling or every))[:MAX_TERMS], list(dict.fromkeys(pairs))[:MAX_TERMS])
