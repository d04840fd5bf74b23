"""The archive that a backup is: a compressed tar file whose last member is a manifest with the digests of all others.

It may come from an untrusted place: only members that this module names are read, as plain files, and only as many and
as much as there is room for.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO, cast

from agentchat import __version__, audit
from agentchat.auth import accounts
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import now
from agentchat.store.opening import DATABASE
from agentchat.workspace.folders import ORIGINALS, WORKSPACES
from agentchat.workspace.paths import PATH_CHARS, canonical

FORMAT = 1
MANIFEST = "manifest.json"
MANIFEST_BYTES = 2**28
MEMBERS = 2_000_000
HEAD_BYTES = 2**20  # that a member may take for its name and the like
DATABASES = (DATABASE, accounts.DATABASE)
CHUNK = 2**16  # bytes
IN_MEMORY = 2**22  # bytes of a file that is copied before it is archived
LEVEL = 4  # of compression: text becomes a fifth, and two cores have other things to do

_SESSION = r"[\w-]{1,100}"
_NAMES = re.compile(
    "|".join(
        [
            *map(re.escape, DATABASES),
            rf"{re.escape(audit.FILE)}(\.[1-9])?",
            rf"{ORIGINALS}/{_SESSION}(/{_SESSION})?/[0-9a-f]{{64}}",
            rf"{WORKSPACES}/{_SESSION}/(?P<path>.+)",
        ]
    ),
    re.ASCII | re.DOTALL,
)


class BackupFailed(Exception):
    """A backup that cannot be made or used; says why, and what to do."""


@dataclass
class Manifest:
    """The description that a backup contains of itself."""

    created: str = field(default_factory=now)
    version: str = __version__
    schemas: dict[str, int] = field(default_factory=dict)
    """The version of each database's schema."""
    sessions: int = 0
    members: dict[str, tuple[int, str]] = field(default_factory=dict)
    """The size and the SHA-256 digest of each member by its name."""
    unlike_log: list[str] = field(default_factory=list)
    """Files that are not, or no longer, as the log says: they were changed by other means than `chat.files`."""

    @property
    def files(self) -> int:
        """The number of people's and agents' files."""
        return sum(name.startswith(f"{WORKSPACES}/") for name in self.members)

    @property
    def size(self) -> int:
        """The bytes of all members."""
        return sum(size for size, _ in self.members.values())


class Writer:
    """Writes an archive; complete once `close` has returned."""

    def __init__(self, output: BinaryIO) -> None:
        self.manifest = Manifest()
        self._packed = gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=output)
        self._tar = tarfile.open(fileobj=self._packed, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, name: str, content: BinaryIO, mtime: float | None = None, mode: int = 0o600) -> None:
        """Add a file from its beginning to its end, which must not change meanwhile."""
        size, digest = measured(content)
        self._write(name, content, size, mtime, mode)
        self.manifest.members[name] = (size, digest)

    def close(self) -> Manifest:
        """Write the manifest and the end. Returns the manifest."""
        about = {"format": FORMAT, **vars(self.manifest)}
        data = json.dumps(about, ensure_ascii=False, indent=1).encode()
        self._write(MANIFEST, io.BytesIO(data), len(data), None, 0o600)
        self._tar.close()
        self._packed.close()
        return self.manifest

    def _write(self, name: str, content: IO[bytes], size: int, mtime: float | None, mode: int) -> None:
        about = tarfile.TarInfo(name)
        about.size, about.mode, about.mtime = size, mode, int(time.time() if mtime is None else mtime)
        content.seek(0)
        self._tar.addfile(about, content)


@dataclass(frozen=True)
class Member:
    """A file in an archive."""

    name: str
    size: int
    mtime: int
    is_executable: bool
    content: IO[bytes]


class Reader:
    """Reads an archive from its beginning to its end."""

    def __init__(self, archive: BinaryIO) -> None:
        self._unpacked = _Unpacked(archive)
        self.manifest: Manifest | None = None
        """The archive's description of itself, once all members have been read."""
        self._found: dict[str, tuple[int, str]] = {}

    def members(self) -> Iterator[Member]:
        """Yield the members, each to be read before the next. Raises BackupFailed, at the latest at the end."""
        with _explained():
            with tarfile.open(fileobj=cast(IO[bytes], self._unpacked), mode="r:", encoding="utf-8") as tar:
                yield from self._members(tar)
            self._unpacked.finish()

    def _members(self, tar: tarfile.TarFile) -> Iterator[Member]:
        while (about := tar.next()) is not None:
            if self.manifest is not None:
                raise BackupFailed(f"This is not a backup: {_shown(about.name)} comes behind its manifest.")
            content = tar.extractfile(about) if about.type == tarfile.REGTYPE and not about.issparse() else None
            if content is None:
                raise BackupFailed(f"This is not a backup: {_shown(about.name)} in it is no plain file.")
            tar.members = []  # type: ignore[attr-defined]  # which would remember all of them
            digest = _Digest(content)
            if about.name == MANIFEST:
                self.manifest = _checked(_all(digest), self._found)
                continue
            self._check(about.name)
            yield Member(about.name, about.size, _time(about.mtime), bool(about.mode & 0o100), cast(IO[bytes], digest))
            self._found[about.name] = digest.finish()
        if self.manifest is None:
            raise BackupFailed("This backup is incomplete: it has no manifest. Take another one.")

    def _check(self, name: str) -> None:
        if not is_name(name):
            raise BackupFailed(f"This is not a backup: {_shown(name)} in it has no place in a data folder.")
        if name in self._found:
            raise BackupFailed(f"This is not a backup: {_shown(name)} is in it twice.")
        if len(self._found) >= MEMBERS:
            raise BackupFailed(f"This backup has more than {MEMBERS:,} files, more than can be restored.")


def is_name(name: str) -> bool:
    """Return True if a backup may have a file of that name."""
    found = _NAMES.fullmatch(name)
    if found is None:
        return False
    path = found["path"]
    try:
        return path is None or canonical(path) == path
    except ChatError:
        return False


def measured(content: IO[bytes]) -> tuple[int, str]:
    """Return the size and the digest of a file."""
    content.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := content.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def copied(content: IO[bytes], folder: str) -> BinaryIO:
    """Return a copy of what a file holds now, in memory or in that folder. The caller closes it."""
    copy = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=folder)  # noqa: SIM115
    try:
        shutil.copyfileobj(content, copy, CHUNK)
    except BaseException:
        copy.close()
        raise
    return cast(BinaryIO, copy)


class _Unpacked:
    """The tar file within the compressed one, of which nobody reads much at once: its heads are read into memory."""

    def __init__(self, archive: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=archive, mode="rb")

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEAD_BYTES:
            raise tarfile.ReadError(f"a head of {size:,} bytes")
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int) -> int:
        if position < self._file.tell():
            raise tarfile.ReadError("it runs backwards")
        return self._file.seek(position)

    def seekable(self) -> bool:
        return True

    def finish(self) -> None:
        """Read what is behind the end of the tar file, so that the checksum of the whole is checked."""
        left = HEAD_BYTES
        while chunk := self._file.read(CHUNK):
            left -= len(chunk)
            if left < 0 or chunk.strip(b"\0"):
                raise tarfile.ReadError("there is something behind its end")


class _Digest:
    """A member's content, with its digest as far as it was read."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self._digest = hashlib.sha256()
        self._size = 0

    def read(self, size: int = CHUNK) -> bytes:
        with _explained():  # others read it
            chunk = self._content.read(min(size, CHUNK) if size > 0 else CHUNK)
        self._digest.update(chunk)
        self._size += len(chunk)
        return chunk

    def finish(self) -> tuple[int, str]:
        """Read what is left, and return the size and the digest of the whole."""
        while self.read():
            continue
        return self._size, self._digest.hexdigest()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Raise BackupFailed if the context finds something that is not an archive, or a damaged one."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise BackupFailed(f"This is not a backup, or it is damaged ({error}). Take another one.") from error


def _all(content: _Digest) -> bytes:
    data = bytearray()
    while len(data) <= MANIFEST_BYTES and (chunk := content.read()):
        data += chunk
    return bytes(data)


def _checked(data: bytes, found: Mapping[str, tuple[int, str]]) -> Manifest:
    """Return the manifest if the members are those that it names. Raises BackupFailed."""
    if len(data) > MANIFEST_BYTES:
        raise BackupFailed("This is not a backup: its manifest is too large.")
    try:
        about: Any = json.loads(data)
        if about["format"] > FORMAT:
            raise BackupFailed("This backup was made by a newer version of this server. Use that one.")
        members = {name: (int(size), str(digest)) for name, (size, digest) in about["members"].items()}
        schemas = {str(name): int(version) for name, version in about["schemas"].items()}
        unlike_log = [str(name) for name in about["unlike_log"]]
        created, version = _shown(about["created"]), _shown(about["version"])
        manifest = Manifest(created, version, schemas, int(about["sessions"]), members, unlike_log)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BackupFailed("This is not a backup: its manifest cannot be read.") from error
    for name in sorted(members.keys() | found.keys()):
        if members.get(name) != found.get(name):
            problem = "missing" if name not in found else "not in the manifest" if name not in members else "damaged"
            raise BackupFailed(f"This backup is damaged: {_shown(name)} is {problem}. Take another one.")
    return manifest


def _time(value: float) -> int:
    return int(min(max(value, 0), 2**33))


def _shown(text: object) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text)[:PATH_CHARS])
