"""Secrets are taken out of texts and JSON texts, however they are spelled and split."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

from agentchat.protocol.events import encode, spellings
from agentchat.protocol.redaction import Redaction

KEY = "sk-abc123"
LONG = f"{KEY}-and-more"
PASSWORD = 'quo"te\\d ø'


def redaction_of(keys: set[str], *passwords: str) -> Redaction:
    known = frozenset(keys)
    redaction = Redaction(lambda: known)
    for password in passwords:
        redaction.hide(password)
    return redaction


def shown(redaction: Redaction, pieces: Iterable[str]) -> list[str]:
    """Return what is shown after each piece of a text, and at its end."""
    found, rest = [], ""
    for piece in pieces:
        text = rest + piece
        visible, rest = redaction.split(text, len(text))
        found.append(visible)
    return [*found, redaction.redact(rest)]


def pieces(text: str, *places: int) -> list[str]:
    return [text[start:end] for start, end in itertools.pairwise([0, *places, len(text)])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing", "nothing"),
        ("", ""),
        (f"a {KEY}", "a [key]"),
        (f"{KEY}{KEY}", "[key][key]"),
        (f"{LONG} {KEY}", "[key] [key]"),
        (f"{LONG[:-1]}!", "[key]-and-mor!"),
        (f"{KEY[:-1]}{KEY}", f"{KEY[:-1]}[key]"),
        (PASSWORD, "[password]"),
        (json.dumps({"pin": PASSWORD}), '{"pin": "[password]"}'),
        (json.dumps({"a": json.dumps({"pin": PASSWORD})}), '{"a": "{\\"pin\\": \\"[password]\\"}"}'),
    ],
)
def test_redacting_a_text(text: str, expected: str) -> None:
    """Each secret becomes its mark, the longest first; what only begins like one stays."""
    assert redaction_of({KEY, LONG}, PASSWORD).redact(text) == expected


@pytest.mark.parametrize("secret", [KEY, LONG, *sorted(spellings(PASSWORD))])
def test_a_secret_in_pieces(secret: str) -> None:
    """Split anywhere, in two or three, nothing of a secret is shown, and its mark once the whole has come."""
    redaction = redaction_of({KEY, LONG}, PASSWORD)
    mark = redaction.redact(secret)
    for places in itertools.combinations(range(1, len(secret)), 2):
        for between in (places[:1], places):
            *before, last, end = shown(redaction, pieces(secret, *between))
            if secret != LONG or between[0] <= len(KEY):  # else the end of KEY is known before
                assert set(before) == {""}
            assert "".join([*before, last, end]) == mark
            text = f"a {secret} z"
            assert "".join(shown(redaction, pieces(text, *(place + 2 for place in between)))) == f"a {mark} z"
    assert "".join(shown(redaction, secret)) == mark


@pytest.mark.parametrize(
    ("text", "visible", "rest"),
    [
        ("word", "word", ""),
        ("words", "word", "s"),
        ("sk-a sk-abd", "sk-a sk-abd", ""),
        (f"see {KEY[:-1]}", "see ", KEY[:-1]),
        (f"see {KEY}", "see ", KEY),  # may become the longer one
        (f"see {KEY}-or", "see [key]-or", ""),
        (f"see {LONG}", "see [key]", ""),
        (f"see {LONG[:-1]}", "see ", LONG[:-1]),
    ],
)
def test_what_is_withheld(text: str, visible: str, rest: str) -> None:
    """The end of a text is withheld while it may become a secret, or a longer one."""
    assert redaction_of({KEY, LONG}).split(text, len(text)) == (visible, rest)


def test_a_given_end() -> None:
    """Nothing from a given place on is shown, unless a secret ends behind it."""
    redaction = redaction_of({KEY})
    assert redaction.split("all TERM", 4) == ("all ", "TERM")
    assert redaction.split("sk- TERM", 4) == ("sk- ", "TERM")
    assert redaction.split(f"a{KEY} TERM", len(KEY) + 2) == ("a[key] ", "TERM")
    assert redaction.split(f"a{KEY} TERM", 4) == ("a[key]", " TERM")


def test_pieces_add_up() -> None:
    """Whatever the secrets and the pieces, what is shown adds up to the redacted whole."""
    chosen = random.Random(1)

    def word(low: int, high: int) -> str:
        return "".join(chosen.choices("ab", k=chosen.randint(low, high)))

    for _ in range(3000):
        secrets = {word(2, 6) for _ in range(chosen.randint(0, 3))}
        redaction = redaction_of(secrets)
        text = word(0, 20)
        cut = sorted(chosen.choices(range(len(text) + 1), k=4))
        assert "".join(shown(redaction, pieces(text, *cut))) == redaction.redact(text)


@pytest.mark.parametrize("password", ["text", "content", "2000", "n123", "true", "abcd\\", 'a"},{"b'])
def test_json_stays_valid(password: str) -> None:
    """A password that is also a name, a number or part of an escape sequence breaks no JSON text."""
    content: dict[str, Any] = {
        "content": f"\n123 {password}!", "text": [password, 2000, None, True], "size": 2000,
        "arguments": {password: 2000, "n": {"x": [True, 20.5]}},
    }  # fmt: skip
    found = json.loads(redaction_of(set(), password).redact_json(encode(content)))
    assert list(found) == list(content)
    assert found["text"] == ["[password]", 2000, None, True]
    assert found["size"] == 2000
    assert found["content"].endswith("[password]!")
    assert found["arguments"]["[password]"] == ("[password]" if password == "2000" else 2000)
    assert found["arguments"]["n"] == {"x": [True, 20.5]}
