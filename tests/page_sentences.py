"""The sentences of the page, and what its languages lack: `python -m tests.page_sentences`.

They are in the templates, and in the modules as t`…` and tn(…). It also lists what looks like a sentence there and is
neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from agentchat.http.page_languages import sentences
from agentchat.http.public_files import PAGES, template

PAGE = Path(__file__).resolve().parent.parent / "website_files"
LOCALES = PAGE / "static/locales"
CATEGORIES = {
    "ar": {"zero", "one", "two", "few", "many", "other"},
    "de": {"one", "other"},
    "es": {"one", "many", "other"},
    "fr": {"one", "many", "other"},
    "ja": {"other"},
}
"""The plural categories of each language, as Unicode's CLDR has them."""

_COUNTED = re.compile(r'\btn\((?:[^"`]|`[^`]*`|"[^"]*")+?,\s*"((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)",?\s*\)')
_TEXT = re.compile(r'(?<![\w$.])(?:"([^"\n]+)"|`([^`\n]+)`)')
_VALUE = re.compile(r"\$\{(?:[^{}]|\{[^}]*\})*\}")
_SENTENCE = re.compile(r"(?:[A-Z][\w’]*|\$) (?:.* )?[a-z]{3}|[A-Z][a-z]+(?:[.:…!?]| [a-z$])|[a-z]{3,}:? \$")
_FORMS = re.compile(r'"(\w+)" : "(\1e?s)"')
_CLASS = re.compile(r"\bclass: `[^`]*`")


def expected() -> dict[str, bool]:
    """Return each sentence of the page, and whether it has a count."""
    found = dict.fromkeys(
        (each for name in {*PAGES.values()} for each in sentences(template(PAGE / name).decode())), False
    )
    for source in modules().values():
        found |= dict.fromkeys(tagged(source), False)
        found |= dict.fromkeys(counted(source), True)
    return found


def modules() -> dict[str, str]:
    """Return the source of each module without the comments that have lines of their own, by its path."""
    folder = PAGE / "static/js"
    comment = re.compile(r"^\s*(?:/\*.*?\*/|//[^\n]*)", re.DOTALL | re.MULTILINE)
    return {
        path.relative_to(folder).as_posix(): comment.sub("", path.read_text()) for path in sorted(folder.rglob("*.js"))
    }


def bare(source: str) -> list[str]:
    """Return what looks like a sentence for people, but is neither t`…` nor in tn(…)."""
    code = _CLASS.sub("", _COUNTED.sub("", re.sub(r"\s//.*", "", source)))
    texts = [quoted or template for quoted, template in _TEXT.findall(code)]
    forms = [several for _, several in _FORMS.findall(code)]
    return [text for text in texts if _SENTENCE.match(_VALUE.sub("$", text))] + forms


def counted(source: str) -> list[str]:
    """Return the keys of the sentences that are tn(…)."""
    found = _COUNTED.findall(source)
    calls = len(re.findall(r"(?<!function )\btn\(", source))
    assert len(found) == calls, f"tn() is called without two sentences in double quotes: {source[:100]}"
    return [_plain(other) for _, other in found]


def tagged(source: str) -> Iterator[str]:
    """Yield the keys of the sentences that are t`…`, those within the values of others, too."""
    for start in re.finditer(r"(?<![\w$.])t`", source):
        key, place, count = "", start.end(), 0
        while source[place] != "`":
            if source.startswith("${", place):
                count += 1
                key += f"{{{count}}}"
                place = _after_value(source, place + 2)
            else:
                width = 2 if source[place] == "\\" else 1
                key += source[place : place + width]
                place += width
        yield _plain(key)


def _after_value(source: str, place: int) -> int:
    """Return the place after a value's closing brace."""
    while source[place] != "}":
        if source[place] == "{":
            place = _after_value(source, place + 1)
        elif source[place] in "\"'":
            place = source.index(source[place], place + 1) + 1
        elif source[place] == "`":
            place += 1
            while source[place] != "`":
                place = _after_value(source, place + 2) if source.startswith("${", place) else place + 1
            place += 1
        else:
            place += 1
    return place + 1


def _plain(text: str) -> str:
    """Return a piece of JavaScript's source without its escapes."""
    return re.sub(r"\\(.)", lambda escape: {"n": "\n", "t": "\t"}.get(escape[1], escape[1]), text)


def problems(name: str, wanted: dict[str, bool]) -> list[str]:
    """Return what is wrong with a language's file, a line each."""
    has = json.loads((LOCALES / f"{name}.json").read_text())
    found = [f"lacks: {key}" for key in wanted if key not in has]
    found += [f"has one too many: {key}" for key in has if key not in wanted]
    for key in wanted.keys() & has.keys():
        forms: dict[str, str] = has[key] if isinstance(has[key], dict) else {"": has[key]}
        categories = CATEGORIES[name] if wanted[key] else {""}
        if forms.keys() != categories:
            found.append(f"needs {', '.join(sorted(categories)) or 'one sentence'}: {key}")
        optional = {"{n}"} if wanted[key] else set()  # "one line" needs no number
        for text in forms.values():
            if {*_values(text)} | optional != {*_values(key)} | optional or not text.strip():
                found.append(f"has other values than the English: {key}: {text}")
    return found


def _values(text: str) -> list[str]:
    return re.findall(r"\{(?:\d+|n)\}", text)


if __name__ == "__main__":
    wanted = expected()
    for language in sorted(path.stem for path in LOCALES.glob("*.json")):
        print("\n".join([language, *(f"  {line}" for line in problems(language, wanted))]))
    for module, source in modules().items():
        for sentence in bare(source):
            print(f"{module} has one that is not translated: {sentence}")
