"""Files below one folder, opened name by name so that no path and no link leads out of it.

Where the system has it, each folder is opened relative to the one above it (`openat`, with O_NOFOLLOW), so what was
looked at is what is used, whatever a program puts in its place meanwhile. Elsewhere each name is looked at first.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

_HAS_DIR_FD = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = _NO_LINKS | getattr(os, "O_DIRECTORY", 0)
_FILE = _NO_LINKS | getattr(os, "O_NONBLOCK", 0)  # to open a FIFO must not take for ever


class NotHere(Exception):
    """A name stands for something that is neither a plain file nor a plain folder, or not for what was asked for."""


class Place:
    """An open folder. Use it as a context; names are single ones, without a slash."""

    def __init__(self, path: Path, above: Place | None = None) -> None:
        """Raises FileNotFoundError and NotHere."""
        self._path = path
        self._fd: int | None = None
        where, at = (above._where(path.name), above._at) if above else (str(path), {})
        status = os.stat(where, follow_symlinks=False, **at)
        if not stat.S_ISDIR(status.st_mode) or _is_junction(status):
            raise NotHere("it leads through something that is no folder")
        if _HAS_DIR_FD:
            with _not_exchanged("it leads through something that is no folder"):
                self._fd = os.open(where, os.O_RDONLY | _FOLDER, **at)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._fd is not None:
            os.close(self._fd)

    @property
    def _at(self) -> dict[str, Any]:
        return {} if self._fd is None else {"dir_fd": self._fd}

    def _where(self, name: str) -> str:
        return name if self._fd is not None else str(self._path / name)

    def enter(self, name: str, must_make: bool = False) -> Place:
        """The folder of that name in this one."""
        if must_make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._where(name), **self._at)
        return Place(self._path / name, self)

    def status(self, name: str) -> os.stat_result | None:
        """Of a plain file, None if there is nothing. Raises NotHere for anything else."""
        try:
            status = os.stat(self._where(name), follow_symlinks=False, **self._at)
        except FileNotFoundError:
            return None
        return _check_file(status)

    def open(self, name: str) -> int:
        """A plain file, to be read. Raises FileNotFoundError and NotHere."""
        if self.status(name) is None:
            raise FileNotFoundError(name)
        with _not_exchanged("it is no plain file"):
            descriptor = os.open(self._where(name), os.O_RDONLY | _FILE, **self._at)
        try:
            _check_file(os.fstat(descriptor))
        except NotHere:
            os.close(descriptor)
            raise
        return descriptor

    def replace(self, name: str, content: bytes, draft: str) -> None:
        """All of it or nothing: it is written under the name `draft` first."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS
        with contextlib.suppress(FileNotFoundError):
            self.remove(draft)
        try:
            with os.fdopen(os.open(self._where(draft), flags, 0o666, **self._at), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            at = {} if self._fd is None else {"src_dir_fd": self._fd, "dst_dir_fd": self._fd}
            os.replace(self._where(draft), self._where(name), **at)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                self.remove(draft)
            raise

    def remove(self, name: str) -> None:
        """The file, or the link itself. Raises FileNotFoundError."""
        os.unlink(self._where(name), **self._at)

    def remove_folder(self, name: str) -> None:
        """If it is empty. Raises OSError if not."""
        os.rmdir(self._where(name), **self._at)

    def walk(self, depth: int) -> Iterator[tuple[str, os.stat_result]]:
        """All plain files in it and below, so many folders deep, by their paths. Links are left alone."""
        with os.scandir(self._path if self._fd is None else self._fd) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            try:
                status = os.stat(self._where(entry.name), follow_symlinks=False, **self._at)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:  # another name of it may lie anywhere
                    yield entry.name, status
                elif stat.S_ISDIR(status.st_mode) and depth > 1:
                    with self.enter(entry.name) as folder:
                        for path, status in folder.walk(depth - 1):
                            yield f"{entry.name}/{path}", status
            except (FileNotFoundError, NotHere, PermissionError):
                continue  # gone meanwhile, or not for us


@contextlib.contextmanager
def opened(root: Path, names: Sequence[str], must_make: bool = False) -> Iterator[Place]:
    """The folder to which these names lead from the root. Raises FileNotFoundError and NotHere."""
    with contextlib.ExitStack() as stack:
        if must_make:
            root.mkdir(parents=True, exist_ok=True)
        place = stack.enter_context(Place(root))
        for name in names:
            place = stack.enter_context(place.enter(name, must_make))
        yield place


@contextlib.contextmanager
def _not_exchanged(problem: str) -> Iterator[None]:
    """What was a plain file or folder a moment ago may have become something else."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK, errno.ENOTDIR, errno.ENXIO}:
            raise NotHere(problem) from error
        raise


def _check_file(status: os.stat_result) -> os.stat_result:
    if stat.S_ISDIR(status.st_mode):
        raise NotHere("it is a folder")
    if not stat.S_ISREG(status.st_mode) or _is_junction(status):
        raise NotHere("it is no plain file")
    if status.st_nlink > 1:
        raise NotHere("it has another name, which may lie elsewhere")
    return status


def _is_junction(status: os.stat_result) -> bool:
    """Windows has links that look like folders."""
    return bool(getattr(status, "st_reparse_tag", 0))
