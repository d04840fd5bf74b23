"""Finds and reads the documents in the chosen folders and files. Nothing outside of them is ever read."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path

from agentchat.knowledge.document import Unreadable
from agentchat.knowledge.reading import PDF, TEXT, type_of

MAX_BYTES = 16 * 2**20  # of one document
MAX_PDF_BYTES = 64 * 2**20  # mostly pictures
SETTLED = 2 * 10**9  # nanoseconds after which another change is certain to alter a file's times


@dataclass(frozen=True)
class Root:
    """A chosen folder or file. Its name is the beginning of its documents' ids."""

    name: str
    path: Path


@dataclass(frozen=True)
class File:
    """A document on disk."""

    id: str
    path: str
    """The path with all links resolved."""
    type: str
    is_link: bool = False
    signature: str = ""
    """Changes whenever the file does."""
    problem: str = ""
    """Why it cannot be read; empty if it can."""


class Sources:
    """The chosen folders and files."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._roots = _named([Path(os.path.abspath(path)) for path in paths])

    def find(self) -> dict[str, File]:
        """Return the documents that exist now, by id."""
        inside = self._inside()
        found = [file for root in self._roots for file in _walk(root)]
        documents: dict[str, File] = {}  # by path, so that each appears once
        for file in sorted(found, key=lambda file: file.is_link):  # documents before links to them
            if file.problem or _is_within(file.path, inside):
                documents.setdefault(file.path, file if file.problem else _with_signature(file))
        return {file.id: file for file in documents.values()}

    def read(self, file: File) -> bytes:
        """Return the content of a document. Raises Unreadable."""
        with self.open(file) as opened:
            most = _most(file)
            try:
                # As much as is read is allocated first. Of one that grows meanwhile the rest comes with the next look.
                data = opened.read(min(os.fstat(opened.fileno()).st_size, most) + 1)
            except OSError as error:
                raise Unreadable(_reason(error)) from error
        _check_size(len(data), most)  # it may have grown
        return data

    def open(self, file: File) -> BufferedReader:
        """Open a document. Raises Unreadable."""
        if file.problem:
            raise Unreadable(file.problem)
        with contextlib.ExitStack() as stack:
            try:
                if os.path.realpath(file.path) != file.path or not _is_within(file.path, self._inside()):
                    raise Unreadable("it has become a link")
                opened = stack.enter_context(open(os.open(file.path, os.O_RDONLY | _NO_WAIT | _NO_LINK), "rb"))
                status = os.fstat(opened.fileno())
            except OSError as error:
                raise Unreadable(_reason(error)) from error
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("it is not a regular file")
            _check_size(status.st_size, _most(file))
            stack.pop_all()
            return opened

    def _inside(self) -> list[str]:
        return [os.path.realpath(root.path) for root in self._roots]


_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # do not wait for a pipe put in its place
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def _most(file: File) -> int:
    return MAX_PDF_BYTES if file.type == PDF else MAX_BYTES


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise Unreadable(f"it is larger than {most // 2**20} MiB")


def _named(paths: list[Path]) -> list[Root]:
    """Name each path by its last part, or by as many parts as tell it from others."""
    roots: list[Root] = []
    for path in dict.fromkeys(paths):
        parts = [_readable(part) for part in path.parts if part != path.anchor]
        same = [other for other in paths if other != path and other.name == path.name]
        depth = 1
        while any(other.parts[-depth:] == path.parts[-depth:] for other in same) and depth < len(parts):
            depth += 1
        roots.append(Root("/".join(parts[-depth:]), path))
    return roots


def _walk(root: Root) -> Iterator[File]:
    """Yield everything that looks like a document. Links to files are resolved; links to folders are skipped."""
    path = os.path.realpath(root.path)
    if not os.path.isdir(path):
        problem = "" if os.path.exists(path) else "it does not exist"
        yield File(root.name, path, type_of(root.path.name) or TEXT, problem=problem)
        return
    folders = [(path, root.name)]
    while folders:
        folder, name = folders.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield File(name, folder, "", problem=_reason(error))
            continue
        for entry in listed:
            id = f"{name}/{_readable(entry.name)}".lstrip("/")
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append((entry.path, id))
            elif type := type_of(entry.name):
                is_link = entry.is_symlink()
                real = os.path.realpath(entry.path) if is_link else entry.path
                if os.path.isfile(real):
                    yield File(id, real, type, is_link)


def _with_signature(file: File) -> File:
    try:
        status = os.stat(file.path)
    except OSError as error:
        return replace(file, problem=_reason(error))
    times = f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_size} {status.st_ino}"
    is_settled = time.time_ns() - status.st_ctime_ns > SETTLED
    return replace(file, signature=times if is_settled else f"{times} {time.time_ns()}")


def _is_within(real: str, roots: Sequence[str]) -> bool:
    return any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def _readable(name: str) -> str:
    """Return a file name as text; bytes that are not UTF-8 are written out."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
