"""A conversation's own folder: what agents and people may do with the files in it, and never with others."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from agentchat import cancellation
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean, time
from agentchat.workspace import safe_fs
from agentchat.workspace.diffs import difference, text_of
from agentchat.workspace.paths import DRAFT, MAX_DEPTH, is_usable, refused, shown, split

MAX_FILE = 20 * 2**20  # bytes
MAX_FILES = 1000
MAX_SUM = 200 * 2**20  # bytes
MAX_MATCHES = 100
LINE_CHARS = 300  # of a match

Changed = Callable[[str, str, int], None]
Changing = Callable[[str, bytes | None], None]


@dataclass(frozen=True)
class FileInfo:
    """A file as lists show it."""

    path: str
    size: int
    modified: str


@dataclass(frozen=True)
class Match:
    """A line in which words stand."""

    path: str
    line: int
    text: str


class Workspace:
    """The files below one folder, which is made with the first of them. Paths are relative and have `/`.

    Every method raises ChatError for a path that leads elsewhere (`..`, absolute, through a link), and when a limit is
    reached; its sentence is for whoever asked, person or model.
    """

    def __init__(
        self,
        folder: Path,
        changed: Changed = lambda path, kind, size: None,
        changing: Changing = lambda path, original: None,
    ) -> None:
        """`changed` is told each change: path, `created`, `modified` or `deleted`, size.

        `changing` is told before: path, and what the file holds, or None. Before a program works in a folder, it is
        told all files there, and then the folder itself, with `/` at its end: what else turns up in it is new.
        """
        self.changed = changed
        self.changing = changing
        self._root = folder
        self._names: tuple[str, ...] = ()  # of the part that this is a view of
        self._above: Workspace | None = None
        self._lock = _lock_of(folder)  # one change after another, whoever makes it

    def folder(self, path: str) -> Workspace:
        """A folder in it as a workspace of its own; limits and what is told of changes are those of the whole."""
        part = Workspace(self._root)
        part._names = (*self._names, *split(path))
        part._above = self
        return part

    @property
    def path(self) -> Path:
        """Where it is, made if need be: for programs that run in it."""
        with _explained("/".join(self._names) or "."), safe_fs.opened(self._root, self._names, must_make=True):
            return self._root.joinpath(*self._names)

    # Reading

    def list(self) -> list[FileInfo]:
        """All files, by path; links and whatever else is no plain file left out."""
        return sorted(
            (
                FileInfo(path, status.st_size, time(datetime.fromtimestamp(status.st_mtime, timezone.utc)))
                for path, status in self._statuses().items()
            ),
            key=lambda info: info.path,
        )

    def read(self, path: str, most: int | None = None) -> str:
        """A text; `most` characters of it if that is given, and a note that there are more."""
        text = text_of(self.read_bytes(path))
        if text is None:
            raise refused(path, "it is not text")
        return text if most is None or len(text) <= most else f"{text[:most]}\n[… {len(text):,} characters in all]"

    def read_bytes(self, path: str) -> bytes:
        """All of a file."""
        content = self.peek(path)
        if content is None:
            raise ChatError("file_unknown", path=shown(path))
        if len(content) > MAX_FILE:
            raise ChatError("file_too_large", path=shown(path), limit=f"{MAX_FILE:,}")
        return content

    def peek(self, path: str) -> bytes | None:
        """What a file holds, None if there is no file; of one that is too large, the beginning."""
        return self._content([*self._names, *split(path)])

    def diff(self, path: str, text: str) -> str:
        """What would change if the file were to hold this text, as a unified diff; empty if nothing would."""
        old, new = self.peek(path), clean(text).encode()
        found = difference(path, old, new)
        if not found and old != new and (old or new):
            raise refused(path, "it is not text, or too long to be compared")
        return found

    def search(self, words: str) -> Sequence[Match]:
        """The lines of texts in which these words stand, in capitals or not; at most 100."""
        found = []
        for info in self.list() if words else ():
            try:
                lines = self.read(info.path).splitlines()
            except ChatError:  # not text, or gone meanwhile
                continue
            for number, line in enumerate(lines, 1):
                if words.lower() in line.lower():
                    found.append(Match(info.path, number, line.strip()[:LINE_CHARS]))
                    if len(found) == MAX_MATCHES:
                        return found
        return found

    # Changing

    def write(self, path: str, content: str | bytes) -> str:
        """Make the file, or put this in place of what it holds. Returns `created` or `modified`."""
        *folders, name = names = [*self._names, *split(path)]
        data = clean(content).encode() if isinstance(content, str) else content
        if not isinstance(data, bytes):  # models send what they like
            raise refused(path, "what it is to hold is not text")
        cancellation.current.get().check()  # a tool that was left behind writes no more
        with self._lock, _explained(path):
            original = self._content(names)
            self._check_room(path, len(data), original)
            self._tell_changing("/".join(names), original)
            with safe_fs.opened(self._root, folders, must_make=True) as place:
                place.status(name)  # raises when it is no plain file
                place.replace(name, data, DRAFT)
            kind = "created" if original is None else "modified"
            self._tell_changed("/".join(names), kind, len(data))
            return kind

    def delete(self, path: str) -> None:
        """Remove the file, and the folders that are empty then."""
        *folders, name = names = [*self._names, *split(path)]
        cancellation.current.get().check()
        with self._lock, _explained(path):
            original = self._content(names)
            if original is None:
                raise ChatError("file_unknown", path=shown(path))
            self._tell_changing("/".join(names), original)
            with safe_fs.opened(self._root, folders) as place:
                place.remove(name)
            self._tell_changed("/".join(names), "deleted", 0)
            for depth in range(len(folders), len(self._names), -1):
                with contextlib.suppress(OSError), safe_fs.opened(self._root, folders[: depth - 1]) as place:
                    place.remove_folder(folders[depth - 1])  # unless it is not empty

    @contextlib.contextmanager
    def watched(self) -> Iterator[Path]:
        """While a program works in the folder: what it changed is told afterwards, as if it had been written here."""
        cancellation.current.get().check()
        folder = self.path
        with self._lock, _explained("/".join(self._names) or "."):
            before = self._statuses()
            for path in before:
                names = [*self._names, *path.split("/")]
                self._tell_changing("/".join(names), self._content(names))
            self._tell_changing("/".join((*self._names, "")) or "/", None)
        try:
            yield folder
        finally:
            with self._lock, _explained("/".join(self._names) or "."):
                self._tell_differences(before)

    def _tell_differences(self, before: Mapping[str, os.stat_result]) -> None:
        """What became of these files, and what is new."""
        found = self._statuses()
        unseen = before.keys() - found.keys()  # gone, or behind so many new files that they were not looked at
        after = found | {path: status for path in unseen if (status := self._status(path, before[path]))}
        for path in after.keys() - before.keys():  # all of them before the first is told: a stopped turn is told none
            self._tell_changing("/".join((*self._names, path)), None)
        for path in sorted(before.keys() | after.keys()):
            old, new = before.get(path), after.get(path)
            if old and new and _stamp(old) == _stamp(new):
                continue
            kind = "deleted" if new is None else "created" if old is None else "modified"
            self._tell_changed("/".join((*self._names, path)), kind, new.st_size if new else 0)

    def _status(self, path: str, known: os.stat_result) -> os.stat_result | None:
        """None if there is no plain file; what is `known` of one that may not be looked at any more."""
        *folders, name = [*self._names, *path.split("/")]
        try:
            with safe_fs.opened(self._root, folders) as place:
                return place.status(name)
        except (FileNotFoundError, safe_fs.NotHere):
            return None
        except PermissionError:
            return known

    def _content(self, names: Sequence[str]) -> bytes | None:
        """At most one byte more than a file may have."""
        with _explained("/".join(names)):
            try:
                with safe_fs.opened(self._root, names[:-1]) as place, os.fdopen(place.open(names[-1]), "rb") as file:
                    return file.read(MAX_FILE + 1)
            except FileNotFoundError:
                return None

    def _statuses(self) -> dict[str, os.stat_result]:
        """Of at most so many files as there may be."""
        with _explained("/".join(self._names) or "."):
            try:
                with safe_fs.opened(self._root, self._names) as place:
                    files = ((path, status) for path, status in place.walk(MAX_DEPTH) if is_usable(path))
                    return dict(itertools.islice(files, MAX_FILES))
            except FileNotFoundError:
                return {}

    def _check_room(self, path: str, size: int, original: bytes | None) -> None:
        if size > MAX_FILE:
            raise ChatError("file_too_large", path=shown(path), limit=f"{MAX_FILE:,}")
        whole = self._whole._statuses()
        if original is None and len(whole) >= MAX_FILES:
            raise ChatError("files_full", problem=f"it has {MAX_FILES:,} files")
        total = sum(status.st_size for status in whole.values()) - len(original or b"") + size
        if total > MAX_SUM and size > len(original or b""):
            raise ChatError("files_full", problem=f"its files would have {total:,} bytes, the limit is {MAX_SUM:,}")

    @property
    def _whole(self) -> Workspace:
        return self._above._whole if self._above else self

    def _tell_changed(self, path: str, kind: str, size: int) -> None:
        self._whole.changed(path, kind, size)

    def _tell_changing(self, path: str, original: bytes | None) -> None:
        self._whole.changing(path, original)


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    """Two states of a file that differ have different ones."""
    return status.st_mtime_ns, status.st_size, status.st_ino


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """What the file system says, as a ChatError."""
    try:
        yield
    except safe_fs.NotHere as error:
        raise refused(path, str(error)) from error
    except OSError as error:
        raise ChatError("file_failed", path=shown(path), problem=error.strerror or type(error).__name__) from error


_Lock = contextlib.AbstractContextManager[Any]


def _lock_of(folder: Path) -> _Lock:
    with _LOCK:
        return _LOCKS.setdefault(folder.absolute(), threading.RLock())


_LOCK = threading.Lock()  # guards the next
_LOCKS: weakref.WeakValueDictionary[Path, _Lock] = weakref.WeakValueDictionary()
