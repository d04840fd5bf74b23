"""What a turn changed in the workspace, as diffs: the originals are kept in a folder beside until the turn ends.

They are on disk, so that a turn that goes on after a restart of the server knows what it changed before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from agentchat.protocol.errors import ChatError
from agentchat.workspace import safe_fs
from agentchat.workspace.diffs import difference
from agentchat.workspace.files import Workspace

log = logging.getLogger(__name__)

MAX_DIFF = 200_000  # bytes of a file, beyond which no diff is made
MAX_DIFFS = 1_000_000  # characters of all diffs of a turn; the files after that have none


@dataclass(frozen=True)
class _Original:
    """A file as it was before the turn. `digest` is None for one that was not there."""

    path: str
    digest: str | None
    content: bytes | None  # None as well for one that is too large for a diff


class Changes:
    """What the running turn changed.

    changes = Changes(chat.files, folder)  # from now on told before each change
    changes.begin(is_resumed=False)        # a turn starts
    changes.take()                         # it ends: [{"path", "kind", "diff"}]
    """

    def __init__(self, files: Workspace, folder: Path) -> None:
        self._files = files
        self._folder = folder
        files.changing = self.keep

    def begin(self, is_resumed: bool) -> None:
        """A turn starts. What one before it left is forgotten, unless this one goes on after a restart.

        Raises OSError if it cannot be forgotten: what `take` says of this turn would be wrong.
        """
        if not is_resumed:
            self._clear()

    def keep(self, path: str, content: bytes | None) -> None:
        """The file is about to be changed; only the first time in a turn counts. None: it is not there yet.

        A folder, with `/` at its end: a program is about to work there, and all files in it have been kept.
        """
        if self._is_kept(path):
            return
        about = {"path": path, "digest": None if content is None else _digest(content)}
        has_content = content is not None and len(content) <= MAX_DIFF
        data = json.dumps(about).encode() + (b"\n" + content if has_content and content is not None else b"")
        with safe_fs.opened(self._folder, (), must_make=True) as place:
            place.replace(_name(path), data, f"{uuid4().hex}.draft")

    def take(self) -> list[dict[str, str]]:
        """What the turn changed in all, by path; then it is forgotten. Whatever is as it was before is no change.

        `kind` is created, modified or deleted; `diff` is empty for what is not text, or too much of it.
        """
        changes: list[dict[str, str]] = []
        room = MAX_DIFFS
        for original in sorted(self._originals(), key=lambda original: original.path):
            if change := self._change(original):
                room -= len(change["diff"])
                changes.append(change if room >= 0 else {**change, "diff": ""})
        try:
            self._clear()
        except OSError:
            log.exception("What files were before the turn cannot be removed yet; the next turn tries again")
        return changes

    def _originals(self) -> Iterator[_Original]:
        """Of files; what turned up in a folder where a program worked was not there."""
        kept = {original.path: original for original in self._read()}
        folders = tuple(path.lstrip("/") for path in kept if path.endswith("/"))
        yield from (original for path, original in kept.items() if not path.endswith("/"))
        for info in self._files.list() if folders else ():
            if info.path.startswith(folders) and not self._is_kept(info.path):
                yield _Original(info.path, None, None)

    def _change(self, original: _Original) -> dict[str, str] | None:
        now = self._now(original.path)
        if original.digest == (None if now is None else _digest(now)):
            return None
        kind = "created" if original.digest is None else "deleted" if now is None else "modified"
        is_large = (original.digest is not None and original.content is None) or len(now or b"") > MAX_DIFF
        diff = "" if is_large else difference(original.path, original.content, now)
        return {"path": original.path, "kind": kind, "diff": diff}

    def _now(self, path: str) -> bytes | None:
        try:
            return self._files.peek(path)
        except ChatError as error:
            if error.code != "file_refused":
                raise
            return None  # a program has put something else in its place

    def _read(self) -> Iterator[_Original]:
        if not self._folder.is_dir():
            return
        for place in self._folder.iterdir():
            if place.suffix:
                continue  # a draft
            try:
                yield _original(place.read_bytes())
            except ValueError:
                log.exception("What a file was before the turn is damaged in %s; its change is left out", place)

    def _is_kept(self, path: str) -> bool:
        return (self._folder / _name(path)).exists()

    def _clear(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder)


def _original(data: bytes) -> _Original:
    """Raises ValueError if it is not whole."""
    about, is_followed, content = data.partition(b"\n")
    fields = json.loads(about)
    if is_followed and _digest(content) != fields["digest"]:
        raise ValueError("The content is not the one that was kept")
    return _Original(fields["path"], fields["digest"], content if is_followed else None)


def _name(path: str) -> str:
    """Of the file that has the original."""
    return hashlib.sha256(path.encode()).hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
