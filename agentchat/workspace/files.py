"""The files of a conversation, which agents and people can read and change, and no others."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO, TypeGuard

from agentchat import cancellation
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean, time
from agentchat.workspace import prepared, safe_fs
from agentchat.workspace.diffs import difference, text_of
from agentchat.workspace.locks import lock_of
from agentchat.workspace.paths import MAX_DEPTH, is_usable, refused, shown, split
from agentchat.workspace.retention import Retention
from agentchat.workspace.storage import Room, on_disk
from agentchat.workspace.versions import Versions

MAX_FILE = 20 * 2**20  # bytes
MAX_FILES = 1000
MAX_MATCHES = 100
LINE_CHARS = 300  # of a match that are shown

CHANGE_WAIT = 2.0  # seconds that a reader waits for a change that was told and is being made

Changed = Callable[[str, str, int, str | None], None]
Changing = Callable[[str, bytes | None], None]


@dataclass(frozen=True)
class FileInfo:
    """A file in a list."""

    path: str
    size: int
    modified: str


@dataclass(frozen=True)
class Match:
    """A line that a search found."""

    path: str
    line: int
    text: str


class Workspace:
    """The files below one folder, which is created with the first of them. Paths are relative and use `/`.

    Every method raises ChatError for a path that leads elsewhere (`..`, absolute, through a link) and when a limit is
    reached; its message suits people and models.
    """

    def __init__(
        self,
        folder: Path,
        changed: Changed = lambda path, kind, size, sha256: None,
        changing: Changing = lambda path, original: None,
        room: Room | None = None,
        retention: Retention | None = None,
        versions: Versions | None = None,
    ) -> None:
        """Call `changed` for each change, with path, `created`, `modified` or `deleted`, size and SHA-256 digest.

        The digest is None if there is no file any more, or a program has made one that is too large. A change by a
        method is made after `changed` has returned, and not made if it raises; one by a program is told afterwards.
        Before each change `changing` is called, with path and content, None if the file does not exist. Before a
        program works in a folder, it is called for all files there and then for the folder itself, with `/` at the
        end of the path: any other files that appear in it are new. `room` is what the files may take on disk,
        `retention` keeps for a backup what is replaced meanwhile, and `versions` keeps it for people.
        """
        self.changed = changed
        self.changing = changing
        self.room = room
        self.retention = retention
        self.versions = versions
        self._root = folder
        self._names: tuple[str, ...] = ()  # of the folder that this workspace is limited to
        self._parent: Workspace | None = None
        self.lock = lock_of(folder)
        """Guards the files below `folder`: one change at a time."""

    def folder(self, path: str) -> Workspace:
        """Return a subfolder as a workspace of its own. Limits and callbacks remain those of the whole."""
        part = Workspace(self._root)
        part._names = (*self._names, *split(path))
        part._parent = self
        return part

    @property
    def path(self) -> Path:
        """The folder on disk, created if necessary, for programs that work in it."""
        with self.lock, _explained("/".join(self._names) or "."):
            cancellation.current.get().check()
            with safe_fs.opened(self._root, self._names, must_make=True):
                return self._root.joinpath(*self._names)

    # Reading

    def list(self) -> list[FileInfo]:
        """Return all regular files, by path. Links are left out."""
        self._wait_for_change()
        return sorted(
            (
                FileInfo(path, status.st_size, time(datetime.fromtimestamp(status.st_mtime, timezone.utc)))
                for path, status in self._statuses().items()
            ),
            key=lambda info: info.path,
        )

    def read(self, path: str, most: int | None = None) -> str:
        """Return a text; at most `most` characters of it, if given, and then a note with its length."""
        text = text_of(self.read_bytes(path))
        if text is None:
            raise refused(path, "it is not text")
        return text if most is None or len(text) <= most else f"{text[:most]}\n[… {len(text):,} characters in all]"

    def read_bytes(self, path: str) -> bytes:
        """Return the content of a file."""
        content = self.peek(path)
        if content is None:
            raise ChatError("file_unknown", path=shown(path))
        if len(content) > MAX_FILE:
            raise ChatError("file_too_large", path=shown(path), limit=f"{MAX_FILE:,}")
        return content

    def open(self, path: str, most: int | None = MAX_FILE) -> BinaryIO:
        """Open a file of at most so many bytes for reading, so that it need not be in memory. The caller closes it."""
        self._wait_for_change()
        file = self._opened([*self._names, *split(path)])
        if file is None:
            raise ChatError("file_unknown", path=shown(path))
        if most is not None and os.fstat(file.fileno()).st_size > most:
            file.close()
            raise ChatError("file_too_large", path=shown(path), limit=f"{most:,}")
        return file

    def peek(self, path: str) -> bytes | None:
        """Return the content of a file, None if it does not exist; of one that is too large, the beginning."""
        self._wait_for_change()
        return self._content([*self._names, *split(path)])

    def diff(self, path: str, text: str) -> str:
        """Return the unified diff that writing this text would make; empty if nothing would change."""
        old, new = self.peek(path), clean(text).encode()
        found = difference(path, old, new)
        if not found and old != new and (old or new):
            raise refused(path, "it is not text, or too long to be compared")
        return found

    def search(self, words: str) -> Sequence[Match]:
        """Return up to 100 lines of text files that contain these words, in upper or lower case."""
        found = []
        for info in self.list() if words else ():
            try:
                lines = self.read(info.path).splitlines()
            except ChatError:  # not text, or removed meanwhile
                continue
            for number, line in enumerate(lines, 1):
                if words.lower() in line.lower():
                    found.append(Match(info.path, number, line.strip()[:LINE_CHARS]))
                    if len(found) == MAX_MATCHES:
                        return found
        return found

    # Changing

    def write(self, path: str, content: str | bytes) -> str:
        """Create or overwrite a file. Returns `created` or `modified`."""
        *folders, name = names = [*self._names, *split(path)]
        data = clean(content).encode() if isinstance(content, str) else content
        if not isinstance(data, bytes):  # models send anything
            raise refused(path, "its content is not text")
        with self.lock, _explained(path):
            cancellation.current.get().check()  # a tool of a stopped turn must not write
            original = self._content(names)
            self._check_size(path, len(data), original)
            self._tell_changing("/".join(names), original)
            self._take(names, data, original)
            try:
                with safe_fs.opened(self._root, folders, must_make=True) as folder:
                    folder.status(name)  # raises if it is not a regular file
                kind = "created" if original is None else "modified"
                with prepared.prepared(self._root, names, data):
                    self._tell_changed("/".join(names), kind, data)
                    self._keep("/".join(names), original)
            except BaseException:
                self._remove_empty(folders)
                self.measure()
                raise
            return kind

    def delete(self, path: str) -> None:
        """Delete a file, and the folders that are empty afterwards."""
        names = [*self._names, *split(path)]
        with self.lock, _explained(path):
            cancellation.current.get().check()
            original = self._content(names)
            if original is None:
                raise ChatError("file_unknown", path=shown(path))
            self._tell_changing("/".join(names), original)
            with prepared.prepared(self._root, names, None):
                self._tell_changed("/".join(names), "deleted", None)
                self._keep("/".join(names), original)
            self._take(names, None, original)
            self._remove_empty(names[:-1])

    def recover(self, told: prepared.Told) -> None:
        """Finish the changes that a server was killed in. See prepared.recover."""
        with self.lock, _explained("."):
            prepared.recover(self._root, told, lambda path: self._keep(path, self._content(path.split("/"))))

    def measure(self) -> None:
        """Count what the files take on disk, as programs may have changed them; later if a change takes long."""
        room = self._whole.room
        if room is not None and self.lock.acquire(timeout=CHANGE_WAIT):
            try:
                room.measure()
            finally:
                self.lock.release()

    def _remove_empty(self, folders: Sequence[str]) -> None:
        """Remove these folders, one within the other, as far as they are empty."""
        for depth in range(len(folders), len(self._names), -1):
            with contextlib.suppress(OSError), safe_fs.opened(self._root, folders[: depth - 1]) as folder:
                folder.remove_folder(folders[depth - 1])  # fails if it is not empty

    @contextlib.contextmanager
    def watched(self) -> Iterator[Path]:
        """Let a program work in the folder; afterwards report its changes as if they had been made here."""
        with self.lock, _explained("/".join(self._names) or "."):
            folder = self.path
            before = self._statuses()
            held = None if self._whole.versions is None else self._whole.versions.held()
            for path in before:
                names = [*self._names, *path.split("/")]
                content = self._content(names)
                self._tell_changing("/".join(names), content)
                if held is not None and _is_whole(content):
                    held.add(path, content)
                self._retain("/".join(names), content)
            self._tell_changing("/".join((*self._names, "")) or "/", None)
        try:
            yield folder
        finally:
            with self.lock, _explained("/".join(self._names) or "."):
                after = self._statuses_after(before)
                if held is not None:
                    held.settle({path for path in before.keys() & after.keys() if _is_same(before[path], after[path])})
                self.measure()
                self._tell_differences(before, after)

    def _statuses_after(self, before: Mapping[str, os.stat_result]) -> Mapping[str, os.stat_result]:
        found = self._statuses()
        unseen = before.keys() - found.keys()  # deleted, or beyond the first MAX_FILES
        return found | {path: status for path in unseen if (status := self._status(path, before[path]))}

    def _tell_differences(self, before: Mapping[str, os.stat_result], after: Mapping[str, os.stat_result]) -> None:
        """Report the changes since `before`."""
        for path in after.keys() - before.keys():  # first of all: in a stopped turn `changed` raises
            self._tell_changing("/".join((*self._names, path)), None)
        for path in sorted(before.keys() | after.keys()):
            old, new = before.get(path), after.get(path)
            if old and new and _is_same(old, new):
                continue
            kind = "deleted" if new is None else "created" if old is None else "modified"
            content = self._content([*self._names, *path.split("/")]) if new else None
            self._tell_changed("/".join((*self._names, path)), kind, content, new.st_size if new else 0)

    def _status(self, path: str, known: os.stat_result) -> os.stat_result | None:
        """Return the status of a regular file, None if there is none, and `known` if access is denied by now."""
        *folders, name = [*self._names, *path.split("/")]
        try:
            with safe_fs.opened(self._root, folders) as folder:
                return folder.status(name)
        except (FileNotFoundError, safe_fs.WrongKind):
            return None
        except PermissionError:
            return known

    def _content(self, names: Sequence[str]) -> bytes | None:
        """Return the content, None if there is no file; at most one byte more than MAX_FILE."""
        file = self._opened(names)
        if file is None:
            return None
        with _explained("/".join(names)), file:
            return file.read(MAX_FILE + 1)

    def _opened(self, names: Sequence[str]) -> BinaryIO | None:
        """Open a file for reading. Returns None if there is none."""
        with _explained("/".join(names)):
            try:
                with safe_fs.opened(self._root, names[:-1]) as folder:
                    return os.fdopen(folder.open(names[-1]), "rb")
            except FileNotFoundError:
                return None

    def _statuses(self) -> dict[str, os.stat_result]:
        """Return the status of each file by path, at most of the first MAX_FILES."""
        with _explained("/".join(self._names) or "."):
            try:
                with safe_fs.opened(self._root, self._names) as folder:
                    files = ((path, status) for path, status in folder.walk(MAX_DEPTH) if is_usable(path))
                    return dict(itertools.islice(files, MAX_FILES))
            except FileNotFoundError:
                return {}

    def _wait_for_change(self) -> None:
        """Wait for a change that is just being made, but not for one whose event cannot be stored now."""
        if self.lock.acquire(timeout=CHANGE_WAIT):
            self.lock.release()

    def _check_size(self, path: str, size: int, original: bytes | None) -> None:
        if size > MAX_FILE:
            raise ChatError("file_too_large", path=shown(path), limit=f"{MAX_FILE:,}")
        if original is None and len(self._whole._statuses()) >= MAX_FILES:
            raise ChatError("files_full", problem=f"this conversation has {MAX_FILES:,}, the limit")

    def _take(self, names: Sequence[str], new: bytes | None, old: bytes | None) -> None:
        """Reserve the disk space that a change needs. Raises ChatError if a storage limit is reached."""
        if (room := self._whole.room) is not None:
            after, before = (0 if c is None else on_disk(len(c), len(names) - 1) for c in (new, old))
            versions = self._whole.versions
            room.take_freeing(after - before, versions.free if versions is not None else lambda size: False)

    @property
    def _whole(self) -> Workspace:
        return self._parent._whole if self._parent else self

    def _retain(self, path: str, content: bytes | None) -> None:
        """Keep a version for a backup. To be called when its end is told, and before it is made."""
        if (retention := self._whole.retention) is not None:
            retention.keep(path, content)

    def _keep(self, path: str, content: bytes | None) -> None:
        """Keep a version for a backup, and for people. To be called when its end is told, and before it is made."""
        self._retain(path, content)
        if (versions := self._whole.versions) is not None and _is_whole(content):
            versions.keep(content)

    def _tell_changed(self, path: str, kind: str, content: bytes | None, size: int | None = None) -> None:
        size = len(content or b"") if size is None else size
        digest = prepared.digest_of(content) if content is not None and len(content) == size else None
        self._whole.changed(path, kind, size, digest)

    def _tell_changing(self, path: str, original: bytes | None) -> None:
        self._whole.changing(path, original)


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Return True unless the file has changed."""
    return all(getattr(one, name) == getattr(other, name) for name in ("st_mtime_ns", "st_size", "st_ino"))


def _is_whole(content: bytes | None) -> TypeGuard[bytes]:
    """Return True for the content of a file; a file that a program has made may be too large."""
    return content is not None and len(content) <= MAX_FILE


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn errors of the file system into ChatError."""
    try:
        yield
    except safe_fs.WrongKind as error:
        raise refused(path, str(error)) from error
    except OSError as error:
        raise ChatError("file_failed", path=shown(path), problem=error.strerror or type(error).__name__) from error
