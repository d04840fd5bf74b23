"""The page and its assets, read when the server starts; no path in a request ever reaches the disk.

Pages ask for their assets below a folder that is named by the digest of all of them, so that browsers keep them until
one changes. There, the styles of a page are one file, and its modules are joined (`joined_modules`). Below `/static/`
is each file as it was written.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agentchat.http.joined_modules import join
from agentchat.http.page_languages import ENGLISH, in_language, languages
from agentchat.http.page_themes import THEMES, in_theme
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
STYLE = re.compile(rb'^[ \t]*<link rel="stylesheet" href="\./static/([\w/.-]+)">\r?\n', re.MULTILINE)
SCRIPT = re.compile(rb'<script type="module" src="\./static/js/([\w/.-]+)">')
COMMENT = re.compile(rb"/\*.*?\*/\s*", re.DOTALL)
OF_ANY_DIGEST = re.compile(r"/static/[0-9a-f]{16}/")
TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json"}
MIN_COMPRESSED = 500  # bytes; below, the headers are most of a response


@dataclass(frozen=True)
class File:
    """A page or one of its assets. A page has others by language, and each of them by theme.

    `is_kept` if browsers may keep it without asking.
    """

    type: str
    body: bytes
    is_kept: bool = False
    translations: Mapping[str, File] = field(default_factory=dict)
    themes: Mapping[str, File] = field(default_factory=dict)

    @functools.cached_property
    def etag(self) -> str:
        """A weak validator: it is the same for both encodings of the body."""
        return f'W/"{hashlib.sha256(self.body).hexdigest()[:16]}"'

    @functools.cached_property
    def compressed(self) -> bytes | None:
        """The body for clients that understand gzip; None if that saves nothing."""
        is_text = self.type.startswith(("text/", "image/svg", "application/json", "application/manifest"))
        return gzip.compress(self.body, mtime=0) if is_text and len(self.body) >= MIN_COMPRESSED else None


class PublicFiles(Mapping[str, File]):
    """The pages and their assets by URL path. An asset that a page of an earlier version asks for is today's."""

    def __init__(self, files: Mapping[str, File], digest: str) -> None:
        self._files = files
        self._folder = f"/static/{digest}/"

    def __getitem__(self, path: str) -> File:
        file = self._files.get(path)
        if file is None and (file := self._files.get(OF_ANY_DIGEST.sub(self._folder, path, count=1))):
            file = File(file.type, file.body)
        if file is None:
            raise KeyError(path)
        return file

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def load_files(folder: Path) -> PublicFiles:
    """Return the pages and their assets. Raises SettingsError if one cannot be read."""
    try:
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        about = [path.stat() for path in paths]
        return _load(folder, tuple(zip(paths, (file.st_mtime_ns for file in about), strict=True)))
    except OSError as error:
        raise SettingsError(f"The page cannot be read: {error}.") from error


@functools.lru_cache(maxsize=2)
def _load(folder: Path, versions: tuple[tuple[Path, int], ...]) -> PublicFiles:
    """Read the files, unless this process has read the same versions before, as tests that start many servers do."""
    static = folder / "static"
    assets = {path.relative_to(static).as_posix(): path.read_bytes() for path, _ in versions if static in path.parents}
    pages = {path: template(folder / name) for path, name in PAGES.items()}
    files = {f"/static/{name}": File(_type(name), body) for name, body in assets.items()}
    kept = {name: body for name, body in assets.items() if not name.endswith((".js", ".css"))}
    sources = {name.removeprefix("js/"): body.decode() for name, body in assets.items() if name.endswith(".js")}
    scripts = {script.decode() for page in pages.values() for script in SCRIPT.findall(page)}
    kept |= {f"js/{name}": source.encode() for name, source in join(sources, sorted(scripts)).items()}
    for path, name in PAGES.items():
        styles = Path(name).with_suffix(".css").name
        kept[styles] = b"".join(_style(assets, style.decode()) for style in STYLE.findall(pages[path]))
        link = b'    <link rel="stylesheet" href="./static/%s">\n' % styles.encode()
        before, _, after = STYLE.split(pages[path], maxsplit=1)
        pages[path] = before + link + STYLE.sub(b"", after)
    digest = _digest(kept)
    files |= {f"/static/{digest}/{name}": File(_type(name), body, is_kept=True) for name, body in kept.items()}
    words = languages(assets)
    for path, page in pages.items():
        of = {name: _page(in_language(page.decode(), name, words), digest) for name in (ENGLISH, *words)}
        files[path] = replace(of.pop(ENGLISH), translations=of)
    return PublicFiles(files, digest)


def _page(page: str, digest: str) -> File:
    page = page.replace('"./static/', f'"./static/{digest}/')
    type = _type("page.html")
    return File(type, page.encode(), themes={name: File(type, in_theme(page, name).encode()) for name in THEMES})


def template(path: Path) -> bytes:
    """Return a template with each line `<!-- include: name.html -->` replaced by that file from its folder."""
    return INCLUDE.sub(lambda line: (path.parent / line[1].decode()).read_bytes(), path.read_bytes())


def _style(assets: Mapping[str, bytes], name: str) -> bytes:
    if name not in assets:
        raise SettingsError(f"The page cannot be read: there is no style sheet {name}.")
    return COMMENT.sub(b"", assets[name])


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, body in sorted(files.items()):
        digest.update(f"{name} {len(body)}\n".encode() + body)
    return digest.hexdigest()[:16]


def _type(name: str) -> str:
    type = TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{type}; charset=utf-8" if type.startswith(("text/", "image/svg")) else type
