"""The icon and the color that an agent file gives its agent, checked before anybody draws them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

ICONS = (
    *("book", "calendar", "changes", "chart", "check", "cloud", "file", "key", "list", "person", "question"),
    *("shield", "source", "talk", "terminal", "thought", "tool", "train"),
)
"""Names of drawings that the page has."""

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_JOINER = "\u200d"
_LONGEST = 24  # code points; the longest emoji has ten
_INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}


@dataclass(frozen=True)
class Appearance:
    """The values that can be drawn, and sentences about those that cannot."""

    icon: str | None
    color: str | None
    problems: list[str]


def of(module: ModuleType, file: str) -> Appearance:
    """Return what the module constants `ICON` and `COLOR` say."""
    icon, color = getattr(module, "ICON", None), getattr(module, "COLOR", None)
    problems = []
    if icon is not None and not _is_icon(icon):
        problems.append(
            f"{file}: ICON is {_quoted(icon)}, and is not shown: give an emoji, one or two letters, or one of "
            f"{', '.join(ICONS)}."
        )
        icon = None
    if color is not None and not (isinstance(color, str) and _HEX.fullmatch(color)):
        problems.append(f'{file}: COLOR is {_quoted(color)}, and is not shown: give a color like "#0d7263" or "#07c".')
        color = None
    return Appearance(icon, color and _long(color), problems)


def _is_icon(value: object) -> bool:
    if not isinstance(value, str) or len(value) > _LONGEST:
        return False
    return value in ICONS or (
        1 <= sum(1 for _ in _graphemes(value)) <= 2
        and all(_is_visible(character) for character in value)
        and not _extends(value[0], "")
    )


def _graphemes(text: str) -> Iterator[str]:
    """Yield what a reader sees as one sign: a letter with its accents, an emoji with its parts."""
    grapheme = ""
    for character in text:
        if grapheme and not _extends(character, grapheme):
            yield grapheme
            grapheme = ""
        grapheme += character
    if grapheme:
        yield grapheme


def _extends(character: str, before: str) -> bool:
    if unicodedata.category(character).startswith("M") or character == _JOINER or _is_tag(character):
        return True
    if "\U0001f3fb" <= character <= "\U0001f3ff" or before.endswith(_JOINER):  # the color of a skin
        return True
    flag = [each for each in before if _is_flag_letter(each)]
    return _is_flag_letter(character) and len(flag) == 1


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_tag(character: str) -> bool:
    return "\U000e0020" <= character <= "\U000e007f"


def _is_visible(character: str) -> bool:
    return character == _JOINER or _is_tag(character) or unicodedata.category(character) not in _INVISIBLE


def _long(color: str) -> str:
    """Return `#rrggbb` for `#rgb` as well."""
    digits = color[1:].lower()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def _quoted(value: object) -> str:
    """Return the value as the file has it, shortened."""
    written = ascii(value)
    return written if len(written) <= 60 else f"{written[:57]}..."
