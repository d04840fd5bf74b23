"""The changes of a turn in the workspace, as diffs.

The originals of changed files are kept in a folder of their own until the turn ends. They are on disk so that a turn
that resumes after a restart of the server knows what it changed before.
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
from agentchat.workspace.folders import ORIGINALS
from agentchat.workspace.storage import on_disk

log = logging.getLogger(__name__)

MAX_DIFF = 200_000  # bytes in a file; a larger one gets no diff
MAX_DIFFS = 1_000_000  # characters in all diffs of a turn; the files after that get none


@dataclass(frozen=True)
class _Original:
    """A file as it was before the turn."""

    path: str
    digest: str | None
    """None if the file did not exist."""
    content: bytes | None
    """None if the file did not exist, is too large for a diff, or there was no room to keep it."""


class Changes:
    """The files that the running turn has changed.

    changes = Changes(chat.files, folder)  # from now on keeps the original before each change
    changes.begin(is_resumed=False)        # at the start of a turn
    changes.take()                         # at its end: [{"path", "kind", "diff"}]
    """

    def __init__(self, files: Workspace, folder: Path) -> None:
        self._files = files
        self._folder = folder  # guarded by the lock of the files
        files.changing = self.keep

    def begin(self, is_resumed: bool) -> None:
        """Start a turn: drop the originals of the one before, unless this one resumes after a restart.

        Raises OSError if they cannot be dropped, because `take` would then be wrong about this turn.
        """
        if not is_resumed:
            self._clear()

    def keep(self, path: str, content: bytes | None) -> None:
        """Keep the original of a file that is about to change, None if it does not exist. Only the first one counts.

        A path that ends with `/` is a folder in which a program is about to work; its files have been kept already.
        """
        with self._files.lock:
            if self._is_kept(path):
                return
            about = {"path": path, "digest": None if content is None else _digest(content)}
            has_content = content is not None and len(content) <= MAX_DIFF
            data = json.dumps(about).encode()
            if has_content and content is not None and self._has_taken(len(content)):
                data += b"\n" + content
            with safe_fs.opened(self._folder, (), must_make=True) as folder:
                folder.replace(_name(path), data, f"{uuid4().hex}.draft")

    def take(self) -> list[dict[str, str]]:
        """Return the net changes of the turn, by path, and drop the originals.

        `kind` is created, modified or deleted; `diff` is empty for a file that is not text or too large.
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
            log.exception("The originals of changed files cannot be removed yet; the next turn tries again")
        try:
            self._files.measure()
        except ChatError:
            log.exception("The files of the conversation are counted later")
        return changes

    def _has_taken(self, size: int) -> bool:
        """Count an original of that size; return False if there is no room for it."""
        try:
            if (room := self._files.room) is not None:
                room.take(on_disk(size))
        except ChatError:
            return False
        return True

    def _originals(self) -> Iterator[_Original]:
        """Yield the originals of files. New files in a folder where a program worked did not exist before."""
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
            return None  # a program has replaced it by something else

    def _read(self) -> Iterator[_Original]:
        if not self._folder.is_dir():
            return
        for file in list(self._folder.iterdir()):
            if file.suffix:
                continue  # a draft
            try:
                yield _original(file.read_bytes())
            except FileNotFoundError:
                return  # the conversation was deleted meanwhile
            except ValueError:
                log.exception("The original of a changed file is damaged, in %s; the change is left out", file)

    def _is_kept(self, path: str) -> bool:
        return (self._folder / _name(path)).exists()

    def _clear(self) -> None:
        retention, name = self._files.retention, f"{ORIGINALS}-{self._folder.name}"
        with self._files.lock:
            if retention is not None and retention.keep_folder(self._folder, name):
                return
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self._folder)


def original_of(folder: Path, path: str) -> bytes | None:
    """Return the content that a file had before the turn whose originals are in that folder, if it is known."""
    try:
        return _original((folder / _name(path)).read_bytes()).content
    except (OSError, ValueError):
        return None


def _original(data: bytes) -> _Original:
    """Parse a stored original. Raises ValueError if it is damaged."""
    about, is_followed, content = data.partition(b"\n")
    fields = json.loads(about)
    if is_followed and _digest(content) != fields["digest"]:
        raise ValueError("The content does not match its digest")
    return _Original(fields["path"], fields["digest"], content if is_followed else None)


def _name(path: str) -> str:
    """Return the name of the file that stores the original."""
    return hashlib.sha256(path.encode()).hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
