"""Characters that one does not see, or that turn the order of others around: they are shown by their code points."""

from __future__ import annotations

import re
import unicodedata

# Override and isolate directions, have no width, or are fillers; variation selectors count from the second in a row,
# joiners only between letters that have nothing to join.
_ALWAYS = "\u202a-\u202e\u2066-\u2069\u200b\u2060-\u2064\u206a-\u206f\ufeff\u180e\u115f\u1160\u3164\uffa0\ufff9-\ufffb"
_TAGS = "\U000e0000-\U000e007f"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_CONTROLS = "\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_FLAGS = "|".join(
    "".join(chr(0xE0000 + ord(letter)) for letter in name) + "\U000e007f" for name in ("gbeng", "gbsct", "gbwls")
)
FORBIDDEN = re.compile(f"[{_ALWAYS}{_TAGS}{_SELECTORS}{_CONTROLS}]")
_MARKED = re.compile(
    f"(?P<flag>\U0001f3f4(?:{_FLAGS}))"
    f"|[{_ALWAYS}{_TAGS}{_CONTROLS}]+"
    f"|(?<=[{_SELECTORS}])[{_SELECTORS}]+"
    r"|(?<=[ -~])[\u200c\u200d]+|[\u200c\u200d]+(?=[ -~])"
)
MAX_MARKS = 1000  # elements; more such characters have brackets only
_SHOWN = 4  # code points of a run; of longer ones the number of the others


def marked(html: str) -> str:
    """Return HTML with such characters in its text replaced. Attributes must have none, see `named`."""
    few = _MARKED.sub(_mark, html, count=MAX_MARKS)
    return few if few is html else named(few)


def named(text: str) -> str:
    """Return text, for an attribute, with such characters replaced by their code points in brackets."""
    return _MARKED.sub(lambda found: found[0] if found["flag"] else f"[{_code_points(found[0])}]", text)


def without(text: str) -> str:
    """Return text without such characters."""
    return _MARKED.sub(lambda found: found[0] if found["flag"] else "", text)


def _mark(found: re.Match[str]) -> str:
    if found["flag"]:
        return found[0]
    name = unicodedata.name(found[0][0], "control character").lower()
    return f'<span class="invisible" title="{name}">{_code_points(found[0])}</span>'


def _code_points(run: str) -> str:
    shown = " ".join(f"U+{ord(character):04X}" for character in run[:_SHOWN])
    return shown if len(run) <= _SHOWN else f"{shown} +{len(run) - _SHOWN}"
