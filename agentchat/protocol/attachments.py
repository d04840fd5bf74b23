"""The files that go with a person's message: references into the conversation's folder, never their bytes.

Agents read of them in lines at the end of the message, which histories keep; `agentchat/models/vision.py` makes images
of those lines in what is sent to a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from agentchat.protocol.errors import ChatError

MAX_ATTACHMENTS = 20  # of a message
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""The types of images that models take."""

_DIGEST = re.compile("[0-9a-f]{64}")
_LINE = re.compile(
    r"^\[Attached file: (?P<path>.+) \((?P<media_type>[\w.+-]+/[\w.+-]+), (?P<size>\d+) bytes,"
    r" sha256 (?P<sha256>[0-9a-f]{64})\)\]$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Reference:
    """A file as a client names it: its path, and the SHA-256 digest of the version that is meant."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Attachment(Reference):
    """A file that goes with a message."""

    size: int
    media_type: str

    @property
    def is_image(self) -> bool:
        """True if models may be able to see it."""
        return self.media_type in IMAGE_TYPES

    @property
    def content(self) -> dict[str, Any]:
        """The attachment as events have it."""
        return asdict(self)

    @property
    def about(self) -> str:
        """The words in which a model reads of it."""
        return f"{self.path} ({self.media_type}, {self.size} bytes)"


def references(given: Iterable[object]) -> tuple[Reference, ...]:
    """Return the attachments that a command names. Raises ChatError if they cannot be used."""
    found = tuple(map(_reference, given))
    if len(found) > MAX_ATTACHMENTS:
        raise ChatError("bad_frame", problem=f"it has more than {MAX_ATTACHMENTS} attachments")
    if len({each.path for each in found}) < len(found):
        raise ChatError("bad_frame", problem="it has the same file twice among its attachments")
    return found


def of_event(content: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """Return the attachments of a `user_message` event."""
    return tuple(Attachment(**each) for each in content.get("attachments") or ())


def told(text: str, attachments: Iterable[Attachment]) -> str:
    """Return the text of a message as agents get it: with a line for each file."""
    lines = "\n".join(
        f"[Attached file: {each.path} ({each.media_type}, {each.size} bytes, sha256 {each.sha256})]"
        for each in attachments
    )
    return "\n\n".join(filter(None, (text, lines)))


def named_in(text: str) -> list[Attachment]:
    """Return the files that the lines in a message name."""
    return [_attachment(line) for line in _LINE.finditer(text)]


def with_lines(text: str, line: Callable[[Attachment], str]) -> str:
    """Return the text with other lines for the files."""
    return _LINE.sub(lambda found: line(_attachment(found)), text)


def parted(text: str) -> tuple[str, str]:
    """Return a text without the lines at its end, and these lines."""
    lines = text.splitlines(keepends=True)
    place = len(lines)
    while place and _LINE.fullmatch(lines[place - 1].rstrip("\n")):
        place -= 1
    return "".join(lines[:place]), "".join(lines[place:])


def _attachment(line: re.Match[str]) -> Attachment:
    return Attachment(line["path"], line["sha256"], int(line["size"]), line["media_type"])


def _reference(value: object) -> Reference:
    path, sha256 = (value.get("path"), value.get("sha256")) if isinstance(value, dict) else (None, None)
    if not isinstance(path, str) or not isinstance(sha256, str) or not _DIGEST.fullmatch(sha256):
        raise ChatError("bad_frame", problem="its attachments are not objects with a path and a sha256")
    return Reference(path, sha256)
