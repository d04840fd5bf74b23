"""The page's templates in other languages, and the language that a browser is answered in.

A language is a file of `static/locales/`: a JSON object of English sentences and their translations.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Collection, Mapping
from html.parser import HTMLParser
from pathlib import PurePosixPath

from agentchat.protocol.errors import SettingsError

COOKIE = "agentchat_language"
"""The page sets it when a person chooses a language."""

ENGLISH = "en"
RIGHT_TO_LEFT = {"ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"}
ATTRIBUTES = ("alt", "aria-label", "placeholder", "title")
_ATTRIBUTE = re.compile(rf'(?<=\s)({"|".join(ATTRIBUTES)})="([^"]*)"')
_KEPT = {"code", "kbd", "script", "style"}  # elements whose text is the same in each language
_VOID = {"br", "hr", "img", "input", "link", "meta", "path"}
_NAME = "agentchat"
Translate = Callable[[str], str]
_OPENING = re.compile(r'<html lang="en">')


def languages(assets: Mapping[str, bytes]) -> dict[str, dict[str, object]]:
    """Return the sentences of each language by its name. Raises SettingsError if a file has no JSON object."""
    found = {}
    for path, body in assets.items():
        if path.startswith("locales/") and path.endswith(".json"):
            try:
                found[PurePosixPath(path).stem] = dict(json.loads(body))
            except ValueError as error:
                raise SettingsError(f"The page cannot be read: {path} has no JSON object: {error}.") from error
    return found


def sentences(page: str) -> list[str]:
    """Return the English sentences of a page."""
    found: list[str] = []

    def note(sentence: str) -> str:
        found.append(sentence)
        return sentence

    _Translator(page, note)
    return found


def in_language(page: str, name: str, words: Mapping[str, Mapping[str, object]]) -> str:
    """Return a page in a language, with the names of all and the address of its sentences for the page's modules."""
    names = " ".join(sorted({ENGLISH, *words}))
    direction = "rtl" if name.partition("-")[0] in RIGHT_TO_LEFT else "ltr"
    opening = f'<html lang="{name}" dir="{direction}" data-languages="{names}">'
    if name == ENGLISH:
        return _OPENING.sub(opening, page, count=1)
    link = f'    <link rel="preload" as="fetch" href="./static/locales/{name}.json" crossorigin class="sentences">\n'
    its = words[name]
    page = "".join(_Translator(page, lambda english: str(its.get(english, english))).pieces)
    return _OPENING.sub(opening, page, count=1).replace("  </head>", link + "  </head>", 1)


def choose(cookies: str, accepted: str, names: Collection[str]) -> str:
    """Return the language that a browser's owner has chosen, or else the one of `names` that it likes best."""
    chosen = re.search(rf"(?:^|;)\s*{COOKIE}=([\w-]+)", cookies)
    if chosen and chosen[1] in {ENGLISH, *names}:
        return chosen[1]
    known = {name.lower(): name for name in (ENGLISH, *names)}
    liked = []
    for place, part in enumerate(accepted[:500].split(",")):
        wanted, _, parameter = part.strip().lower().partition(";")
        weight = re.fullmatch(r"\s*q=(0(?:\.\d{1,3})?|1(?:\.0{1,3})?)", parameter)
        name = known.get(wanted.strip()) or known.get(wanted.strip().partition("-")[0])
        quality = float(weight[1]) if weight else 0.0 if parameter else 1.0
        if name and quality > 0:
            liked.append((-quality, place, name))
    return min(liked)[2] if liked else ENGLISH


class _Translator(HTMLParser):
    """A page in pieces, its texts and the attributes that people read passed through a function."""

    def __init__(self, page: str, translate: Translate) -> None:
        super().__init__(convert_charrefs=False)
        self.pieces: list[str] = []
        self._translate = translate
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        text = self.get_starttag_text() or ""
        self.pieces.append(_ATTRIBUTE.sub(lambda found: f'{found[1]}="{self._words(found[2])}"', text))

    def handle_endtag(self, tag: str) -> None:
        self.pieces.append(f"</{tag}>")
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        self.pieces.append(data if _KEPT & {*self._open} else self._words(data))

    def handle_entityref(self, name: str) -> None:
        self.pieces.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.pieces.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.pieces.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.pieces.append(f"<!{decl}>")

    def _words(self, text: str) -> str:
        """Translate a text without the space around it; what has no letters, or is the project's name, stays."""
        sentence = html.unescape(" ".join(text.split()))
        if sentence == _NAME or not any(letter.isalpha() for letter in sentence):
            return text
        start, end = len(text) - len(text.lstrip()), len(text.rstrip())
        return text[:start] + html.escape(self._translate(sentence)) + text[end:]
