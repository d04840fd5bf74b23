"""The terms of texts and questions: what the index compares."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

MAX_WORDS = 1000  # of a question; the rest is ignored
MAX_TERMS = 64  # of a question that are looked up
MIN_LETTERS = 4  # of a word that is also looked for in other spellings
MIN_RESEMBLANCE = 0.5  # share of a word's pieces that a text must have

# Letters of scripts written without spaces, and Hangul, whose words carry endings: each letter is a term of its own.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
TERM = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+")
IGNORED = frozenset({"Mn", "Mc", "Me", "Cf"})  # Unicode categories of accents, vowel signs and invisible characters

# Words that say how something is asked, not what about. The benchmark does not miss those of other languages.
ENGLISH = """
    a about after all also am an and any are as at be been being between but by can cannot could did do does doing
    for from get give got had has have having he her him his how i if in into is it its just let like me might must
    my no not of on one or our out please should show so some such tell than that the their them then there these
    they this those to too up us use want was we were what when where which while who whom whose why will with would
    you your
"""
GERMAN = """
    aber alle als am an auch auf aus bei beim bin bis bitte da damit das dass dein dem den denn der des dich die
    dies diese dieser dieses doch du ein eine einem einen einer eines er es fur gibt haben hat hatte ich ihm ihn ihr
    im in ist ja kann kannst konnen machen man mein mich mir mit muss nach nicht noch nur ob oder ohne sein sich sie
    sind so soll sollte uber um und uns unser vom von vor wann war warum was welche welchem welchen welcher welches
    wenn wer werden wie wieso wird wo wozu wurde zu zum zur
"""
STOP_WORDS = frozenset(f"{ENGLISH} {GERMAN}".split())


def fold(text: str) -> str:
    """Return the text in lower case and without accents."""
    if text.isascii():
        return text.lower()
    letters = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(letter for letter in letters if unicodedata.category(letter) not in IGNORED)
    return unicodedata.normalize("NFC", kept)


def terms(text: str) -> list[str]:
    """Split a text into terms: its words, and each letter of scripts written without spaces."""
    return TERM.findall(fold(text))


@dataclass(frozen=True)
class Query:
    """A question as FTS5 queries. Every term is quoted, so nothing in a question is syntax."""

    terms: list[str]
    pairs: list[str]
    """Terms that stand next to each other in the question."""

    @property
    def words(self) -> str:
        """The query for texts with any of the terms; pairs that are also adjacent in a text count extra."""
        return _any_of([*self.terms, *self.pairs])

    @property
    def trigrams(self) -> str:
        """The query for texts with any three letters of a term: other forms, compounds and misspellings."""
        return _any_of(dict.fromkeys(piece for term in self.terms for piece in _pieces(term)))

    def resembles(self, text: str) -> bool:
        """Return True if the text has one of the words in a similar spelling."""
        return any(
            sum(piece in text for piece in _pieces(term)) >= MIN_RESEMBLANCE * len(_pieces(term))
            for term in self.terms
            if len(term) >= MIN_LETTERS
        )


def parse_query(question: str) -> Query:
    """Turn a question into a query. Stop words only count in a question that has no other words."""
    every = terms(question)[:MAX_WORDS]
    telling = [term for term in every if term not in STOP_WORDS]
    pairs = [f"{one} {two}" for one, two in itertools.pairwise(every) if not {one, two} & STOP_WORDS]
    return Query(list(dict.fromkeys(telling or every))[:MAX_TERMS], list(dict.fromkeys(pairs))[:MAX_TERMS])


def _any_of(phrases: Iterable[str]) -> str:
    return " OR ".join(f'"{phrase}"' for phrase in phrases)


def _pieces(term: str) -> list[str]:
    return [term[at : at + 3] for at in range(len(term) - 2)]
