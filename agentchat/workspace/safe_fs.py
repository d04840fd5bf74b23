"""Access to the files below one folder that no path and no link can lead out of.

Where the system supports it, each folder is opened relative to its parent (`openat` with O_NOFOLLOW), so whatever was
checked is also what is used, even if a program replaces it meanwhile. On other systems each name is only checked first.
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
_FILE = _NO_LINKS | getattr(os, "O_NONBLOCK", 0)  # do not wait for a FIFO

NO_FILE = "it is not a regular file"
NO_FOLDER = "it leads through something that is not a folder"


class WrongKind(Exception):
    """A name stands for something other than the regular file or folder that was asked for."""


class Folder:
    """An open folder, closed when its context ends. Names are those of its entries, without slashes."""

    def __init__(self, path: Path, parent: Folder | None = None) -> None:
        """Raises FileNotFoundError and WrongKind."""
        self._path = path
        self._fd: int | None = None
        where, at = (parent._where(path.name), parent._at) if parent else (str(path), {})
        status = os.stat(where, follow_symlinks=False, **at)
        if not stat.S_ISDIR(status.st_mode) or _is_junction(status):
            raise WrongKind(NO_FOLDER)
        if _HAS_DIR_FD:
            with _wrong_kind(NO_FOLDER):
                self._fd = os.open(where, os.O_RDONLY | _FOLDER, **at)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._fd is not None:
            os.close(self._fd)

    @property
    def _at(self) -> dict[str, Any]:
        return {} if self._fd is None else {"dir_fd": self._fd}

    def _where(self, name: str) -> str:
        return name if self._fd is not None else str(self._path / name)

    def enter(self, name: str, must_make: bool = False) -> Folder:
        """Open a subfolder; with `must_make`, create it if it does not exist."""
        if must_make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._where(name), **self._at)
        return Folder(self._path / name, self)

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of a regular file, None if it does not exist. Raises WrongKind for anything else."""
        try:
            status = os.stat(self._where(name), follow_symlinks=False, **self._at)
        except FileNotFoundError:
            return None
        return _check_file(status)

    def open(self, name: str) -> int:
        """Open a regular file for reading; return its descriptor. Raises FileNotFoundError and WrongKind."""
        if self.status(name) is None:
            raise FileNotFoundError(name)
        with _wrong_kind(NO_FILE):
            descriptor = os.open(self._where(name), os.O_RDONLY | _FILE, **self._at)
        try:
            _check_file(os.fstat(descriptor))
        except WrongKind:
            os.close(descriptor)
            raise
        return descriptor

    def replace(self, name: str, content: bytes, draft: str) -> None:
        """Write a file atomically, by way of a file named `draft`."""
        self.create(draft, content)
        try:
            self.move(draft, self, name)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                self.remove(draft)
            raise

    def create(self, name: str, content: bytes) -> None:
        """Write a new file, in place of one that was left there; on disk on return. An error leaves none."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS
        with contextlib.suppress(FileNotFoundError):
            self.remove(name)
        try:
            with os.fdopen(os.open(self._where(name), flags, 0o666, **self._at), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                self.remove(name)
            raise

    def move(self, name: str, folder: Folder, new_name: str) -> None:
        """Move a file to another folder, in place of one that is there."""
        at = {} if self._fd is None else {"src_dir_fd": self._fd, "dst_dir_fd": folder._fd}
        os.replace(self._where(name), folder._where(new_name), **at)

    def remove(self, name: str) -> None:
        """Remove a file, or a link itself. Raises FileNotFoundError."""
        os.unlink(self._where(name), **self._at)

    def remove_folder(self, name: str) -> None:
        """Remove an empty subfolder. Raises OSError if it is not empty."""
        os.rmdir(self._where(name), **self._at)

    def walk(self, depth: int) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the path and status of every regular file, up to `depth` folders deep. Links are skipped."""
        with os.scandir(self._path if self._fd is None else self._fd) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            try:
                status = os.stat(self._where(entry.name), follow_symlinks=False, **self._at)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:  # a hard link may have another name anywhere
                    yield entry.name, status
                elif stat.S_ISDIR(status.st_mode) and depth > 1:
                    with self.enter(entry.name) as folder:
                        for path, status in folder.walk(depth - 1):
                            yield f"{entry.name}/{path}", status
            except (FileNotFoundError, WrongKind, PermissionError):
                continue  # removed meanwhile, or not accessible


@contextlib.contextmanager
def opened(root: Path, names: Sequence[str], must_make: bool = False) -> Iterator[Folder]:
    """Open the folder that these names lead to from the root. Raises FileNotFoundError and WrongKind."""
    with contextlib.ExitStack() as stack:
        if must_make:
            root.mkdir(parents=True, exist_ok=True)
        folder = stack.enter_context(Folder(root))
        for name in names:
            folder = stack.enter_context(folder.enter(name, must_make))
        yield folder


@contextlib.contextmanager
def _wrong_kind(problem: str) -> Iterator[None]:
    """Raise WrongKind if opening shows that a regular file or folder has been replaced by something else."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK, errno.ENOTDIR, errno.ENXIO}:
            raise WrongKind(problem) from error
        raise


def _check_file(status: os.stat_result) -> os.stat_result:
    if stat.S_ISDIR(status.st_mode):
        raise WrongKind("it is a folder")
    if not stat.S_ISREG(status.st_mode) or _is_junction(status):
        raise WrongKind(NO_FILE)
    if status.st_nlink > 1:
        raise WrongKind("it has another name (a hard link), which may be elsewhere")
    return status


def _is_junction(status: os.stat_result) -> bool:
    """Return True for Windows' links that look like folders."""
    return bool(getattr(status, "st_reparse_tag", 0))
