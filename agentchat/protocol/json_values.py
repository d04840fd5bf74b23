"""JSON that people send, within limits: how deeply values are nested, and how large numbers are.

Python reads more than others can: numbers that JSON doesn't have, whole numbers of thousands of digits, values so
deeply nested that nothing can write them again.
"""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 100
NUMBER_CHARS = 100
MAX_NUMBER = 10**15 - 1  # of a field; exact as a float, which is what JavaScript has


class TooDeep(ValueError):
    """The text is nested too deeply to be read at all."""


def parse(text: str) -> Any:
    """Return the value of a JSON text; numbers that are too long are infinite. Raises ValueError if it isn't JSON."""
    try:
        return json.loads(text, parse_int=_whole, parse_float=_fraction)
    except RecursionError as error:
        raise TooDeep(_TOO_DEEP) from error


def problem(value: Any) -> str | None:
    """Why a value cannot be used, as the end of a sentence; None if it can."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        if any(map(_is_too_large, level)):
            return "it has a number that JSON cannot hold"
        level = [inner for each in level for inner in _inner(each)]
        if not level:
            return None
    return _TOO_DEEP


_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= NUMBER_CHARS else math.inf


def _fraction(digits: str) -> float:
    return float(digits) if len(digits) <= NUMBER_CHARS else math.inf


def _inner(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _is_too_large(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, int) and abs(value) >= 10**NUMBER_CHARS
