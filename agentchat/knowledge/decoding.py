"""Bytes of unknown encoding as text."""

from __future__ import annotations

import contextlib
import re

from charset_normalizer import from_bytes

from agentchat.knowledge.document import Unreadable

# The encodings to guess from; where several fit equally well, the first of them wins.
ENCODINGS = [
    *("utf_8", "utf_16", "utf_32", "utf_16_le", "utf_16_be"),
    *("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("cp932", "euc_jp", "gb18030", "big5", "euc_kr"),
]
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
MAX_CONTROLS = 0.01  # share of control characters in a text
SAMPLE = 65536  # characters or bytes that are looked at


def decode(data: bytes, declared: str = "") -> str:
    """Return the text, with `\\n` as line ends.

    `declared` is the encoding that the document itself names, if any. Raises Unreadable for binary data.
    """
    text = _decode(data, declared)
    if len(CONTROLS.findall(text[:SAMPLE])) > MAX_CONTROLS * len(text[:SAMPLE]):
        raise Unreadable("it is not text")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _decode(data: bytes, declared: str) -> str:
    if b"\x00" not in data[:SAMPLE]:
        for encoding in ("utf-8-sig", declared):
            with contextlib.suppress(UnicodeError, LookupError):
                return data.decode(encoding)
    guesses = from_bytes(data, cp_isolation=ENCODINGS)
    best = min(
        guesses, key=lambda guess: (guess.chaos, -guess.coherence, ENCODINGS.index(guess.encoding)), default=None
    )
    return data.decode("utf-8", errors="replace") if best is None else str(best)
