"""Everything that is a person's as a zip file, which is made while it is sent."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from agentchat.http.export import as_json
from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import UNNAMED
from agentchat.sessions.registry import Session, Sessions

PIECE = 64 * 1024  # bytes of a file that are in memory


class _Outbox:
    """Holds what the archive has written until it is sent. Nobody can go back in it."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: it is all taken."""

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken = bytes(self._written)
        self._written.clear()
        return taken


def archive(parts: Mapping[str, Any], sessions: Sessions, ids: Iterable[str]) -> Generator[bytes, None, None]:
    """Yield the pieces of a zip file: the `parts` as JSON, by name, and the conversations with these ids.

    Of it all only one piece is in memory, and the list of the names. Conversations that are gone by then are left out;
    files that cannot be read are listed in `left-out.json`.
    """
    outbox = _Outbox()
    left_out: dict[str, str] = {}
    with ZipFile(outbox, "w") as zip:  # type: ignore[call-overload]  # it needs no more of a file than this
        for name, part in parts.items():
            yield from _add(zip, outbox, f"{name}.json", [_json(part)])
        for id in ids:
            try:
                with sessions.using(id) as session:
                    yield from _add_session(zip, outbox, session, left_out)
            except ChatError as error:
                if error.code not in {"session_unknown", "session_deleted"}:
                    raise
        if left_out:
            yield from _add(zip, outbox, "left-out.json", [_json(left_out)])
    yield outbox.take()


def _add_session(zip: ZipFile, outbox: _Outbox, session: Session, left_out: dict[str, str]) -> Iterator[bytes]:
    folder = f"conversations/{session.id}"
    log = as_json(session, session.about())
    yield from _add(zip, outbox, f"{folder}/conversation.json", (piece.encode() for piece in log))
    files = session.files(UNNAMED)
    for info in files.list():
        name = f"{folder}/files/{info.path}"
        try:
            file = files.open(info.path, most=None)
        except ChatError as error:
            left_out[name] = error.message
            continue
        with file:
            yield from _add(zip, outbox, name, _content(file))


def _add(zip: ZipFile, outbox: _Outbox, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
    info = ZipInfo(name, time.gmtime()[:6])
    info.compress_type = ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    with zip.open(info, "w", force_zip64=True) as entry:
        for piece in content:
            entry.write(piece)
            if taken := outbox.take():
                yield taken


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode()


def _content(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file as long as it is now: a program may be writing into it."""
    left = os.fstat(file.fileno()).st_size
    while left > 0 and (piece := file.read(min(left, PIECE))):
        left -= len(piece)
        yield piece
