"""Bytes as text: whatever encoding a document was written in."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from agentchat.knowledge.document import Unreadable

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLE = 65536  # bytes that are enough to guess an encoding from
MOST_ACCENTS = 0.3  # of the letters, in a language of Western Europe
FOREIGN = re.compile(r"[^\x00-\x7f]")
WESTERN = re.compile(r"[ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüœŒ¿¡«»€£§°²µ©®´·ºª„“”‚‘’–—…•\xa0]")
LETTER = re.compile(r"[^\W\d_]")
JAPANESE = ("cp932", "shift_jis", "shift_jis_2004", "shift_jisx0213", "euc_jp", "euc_jis_2004", "euc_jisx0213")
HALF_WIDTH = re.compile(r"[\uff61-\uff9f]")  # what other encodings look like when they are taken for Japanese
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
MOST_CONTROLS = 0.01  # of the characters, in a text


def decode(data: bytes, declared: str = "") -> str:
    """The text, with line ends as Python has them. `declared` is the encoding that the document names itself.

    Raises Unreadable.
    """
    text = _decode(data, declared)
    if len(CONTROLS.findall(text[:SAMPLE])) > MOST_CONTROLS * len(text[:SAMPLE]):
        raise Unreadable("it is no text")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _decode(data: bytes, declared: str) -> str:
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    for encoding in ("utf-8", declared):
        if encoding and b"\x00" not in data[:SAMPLE]:
            text = _attempt(data, encoding)
            if text is not None:
                return text
    if _is_western(data[:SAMPLE]):
        return data.decode("cp1252", errors="replace")
    return data.decode(_guess(data[:SAMPLE]), errors="replace")


def _attempt(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _is_western(sample: bytes) -> bool:
    """Windows' encoding of Western Europe, which guesses from statistics take for its neighbours."""
    text = _attempt(sample, "cp1252")
    if text is None or b"\x00" in sample:
        return False
    foreign = FOREIGN.findall(text)
    accents = [sign for sign in foreign if LETTER.match(sign)]
    return all(WESTERN.match(sign) for sign in foreign) and len(accents) < MOST_ACCENTS * len(LETTER.findall(text))


def _guess(sample: bytes) -> str:
    best = from_bytes(sample).best()
    if best is not None and len(HALF_WIDTH.findall(str(best))) > len(str(best)) / 4:
        best = from_bytes(sample, cp_exclusion=list(JAPANESE)).best() or best
    if best is not None:
        return best.encoding
    ends = sample.count(b"\x00")
    if ends > len(sample) // 4:  # every other byte, in a text of Western letters
        return "utf-16-le" if sample[1::2].count(b"\x00") >= ends / 2 else "utf-16-be"
    return "utf-8"
