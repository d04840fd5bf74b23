"""Passages as Markdown that a model can cite from and a person can read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agentchat.knowledge.passage import Passage

LINK = re.compile(r"!?\[([^\]\n]*)\]\((?!https?://)[^)\n]*\)")


def cited(passages: Iterable[Passage]) -> str:
    """The passages, numbered, each with a link to its document."""
    return "\n\n".join(_entry(number, passage) for number, passage in enumerate(passages, 1))


def _entry(number: int, passage: Passage) -> str:
    steps = dict.fromkeys([passage.title, *passage.headings])
    name = " › ".join(steps).replace("[", "(").replace("]", ")")
    place = f", {passage.place}" if passage.place else ""
    text = LINK.sub(lambda match: match[1], passage.text)  # they lead from the document, not from here
    quoted = "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
    source = " ".join(passage.source.replace("`", "'").split())
    return f"**{number}.** [{name}]({passage.link}) (`{source}`{place})\n\n{quoted}"
