"""What a model is writing: its answer, and what it thinks before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import uuid4

# AG2's word for "the chat is over", which people need not see: at the end of a text, or what may become it.
TERMINATE = re.compile(r"(?<!\w)TERMINATE[\s.]*$")
_MAYBE_TERMINATE = re.compile(r"(?<!\w)(?:T|TE|TER|TERM|TERMI|TERMIN|TERMINA|TERMINAT|TERMINATE[\s.]*)$")


class Writing:
    """One answer of a model on its way: its text as shown, without a trailing TERMINATE."""

    def __init__(self, sender: str, about: Mapping[str, str]) -> None:
        """`about` is what else its frames and its event say."""
        self.id = uuid4().hex
        self.sender = sender
        self.about = about
        self.is_tapped = False
        self._shown: list[str] = []
        self._withheld = ""  # may turn out to be a TERMINATE

    def add(self, text: str) -> str:
        """What of the message can be shown now."""
        text = self._withheld + text
        maybe = _MAYBE_TERMINATE.search(text)
        cut = maybe.start() if maybe else len(text)
        visible, self._withheld = text[:cut], text[cut:]
        self._shown.append(visible)
        return visible

    def reset(self) -> None:
        self._shown.clear()
        self._withheld = ""

    @property
    def text(self) -> str:
        return "".join(self._shown)


class Thought:
    """What a model thinks before one answer."""

    def __init__(self, sender: str, about: Mapping[str, str]) -> None:
        self.id = uuid4().hex
        self.sender = sender
        self.about = about
        self.texts: list[str] = []
