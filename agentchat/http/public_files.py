"""The page and its assets, read when the server starts; no path in a request ever reaches the disk."""

from __future__ import annotations

import functools
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from agentchat.protocol.errors import SettingsError

PAGES = {
    "/": "templates/chat.html",
    "/chat.html": "templates/chat.html",  # for older links
    "/desk": "templates/desk.html",
    "/login": "templates/login.html",
    "/admin": "templates/admin.html",
    "/status": "templates/status.html",
}
INCLUDE = re.compile(rb"^[ \t]*<!-- include: ([\w-]+\.html) -->\r?\n", re.MULTILINE)


@dataclass(frozen=True)
class File:
    """A page or one of its assets."""

    type: str
    body: bytes
    etag: str


def load_files(folder: Path) -> dict[str, File]:
    """Return the pages and their assets by URL path. Raises SettingsError if one cannot be read."""
    try:
        files = {path: _file(folder / name, _page(folder / name)) for path, name in PAGES.items()}
        for path in sorted((folder / "static").rglob("*")):
            if path.is_file():
                about = path.stat()
                files["/" + path.relative_to(folder).as_posix()] = _asset(path, about.st_mtime_ns, about.st_size)
    except OSError as error:
        raise SettingsError(f"The page cannot be read: {error}.") from error
    return files


def _page(path: Path) -> bytes:
    """Return a template with each line `<!-- include: name.html -->` replaced by that file from its folder."""
    return INCLUDE.sub(lambda line: (path.parent / line[1].decode()).read_bytes(), path.read_bytes())


@functools.lru_cache(maxsize=1000)
def _asset(path: Path, mtime_ns: int, size: int) -> File:
    """Read a file, unless this process has read the same version before, as tests that start many servers do."""
    return _file(path, path.read_bytes())


def _file(path: Path, body: bytes) -> File:
    type = {".js": "text/javascript", ".svg": "image/svg+xml"}.get(path.suffix)
    type = type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    type = f"{type}; charset=utf-8" if type.startswith(("text/", "image/svg")) else type
    return File(type, body, f'"{hashlib.sha256(body).hexdigest()[:16]}"')
