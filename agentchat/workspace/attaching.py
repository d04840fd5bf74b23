"""Files of a conversation that go with messages: found when they are attached, and read again for models."""

from __future__ import annotations

import contextlib
import mimetypes

from agentchat.protocol.attachments import IMAGE_TYPES, Attachment, Reference
from agentchat.protocol.errors import ChatError
from agentchat.workspace.files import Workspace
from agentchat.workspace.paths import canonical, shown
from agentchat.workspace.prepared import digest_of

UNKNOWN = "application/octet-stream"

_BEGINNINGS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_TYPES = mimetypes.MimeTypes()  # without the files of the system, which differ


def found(files: Workspace, named: Reference) -> Attachment:
    """Return a file as an attachment. Raises ChatError if it is missing, or is not the version that is meant."""
    path = canonical(named.path)
    content = files.read_bytes(path)
    if digest_of(content) != named.sha256:
        raise ChatError("attachment_changed", path=shown(path))
    return Attachment(path, named.sha256, len(content), media_type(path, content))


def content(files: Workspace, attachment: Attachment) -> bytes | None:
    """Return the bytes that were attached, None if that version of the file is not kept any more."""
    with contextlib.suppress(ChatError):
        now = files.read_bytes(attachment.path)
        if digest_of(now) == attachment.sha256:
            return now
    kept = files.versions.open(attachment.sha256) if files.versions is not None else None
    if kept is None:
        return None
    with kept:
        return kept.read()


def media_type(path: str, content: bytes) -> str:
    """Return the type of a file: for images that of their bytes, else that of its name."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    by_bytes = next((type for beginning, type in _BEGINNINGS.items() if content.startswith(beginning)), None)
    by_name, encoding = _TYPES.guess_type(path, strict=False)
    by_name = UNKNOWN if by_name is None or encoding or by_name in IMAGE_TYPES else by_name
    return by_bytes or by_name
