"""A file as browsers show it in a frame: pages without their scripts, pictures and PDF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import quote

from agentchat.access import Need
from agentchat.http import requests, responses
from agentchat.http.files import FILE, READ_ERRORS
from agentchat.http.routes import BYTES, Call, Reply
from agentchat.http.session_route import SessionResource, session_route

_PDF = "application/pdf"
_TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".pdf": _PDF,
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
# Nothing is loaded and nothing is run, whatever is in the file, in a frame or in a tab of its own.
_POLICY = (
    "default-src 'none'; img-src data:; font-src data:; media-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
_SANDBOX = f"{_POLICY}; sandbox"


class FileViewRoutes(SessionResource):
    @session_route("GET", f"{FILE}/view", Need.READ,
                   answers={200: responses.FileContent}, errors=READ_ERRORS,
                   types=(BYTES, *sorted({*_TYPES.values()})),
                   sent_headers={"Content-Disposition": "Whether it is shown, and the file's name"})  # fmt: skip
    def view_file(self, call: Call, query: requests.VersionQuery) -> Reply:
        """Return a file with its own type, to be shown: a page, a picture or PDF; another is an attachment."""
        path = call.path["path"]
        file = call.stack.enter_context(self._session(call).file_history.open(path, query.version))
        name = path.rpartition("/")[2]
        type = _TYPES.get(PurePosixPath(name).suffix.lower(), BYTES)
        return Reply(200, file, _headers(name, type), type)


def _headers(name: str, type: str) -> Mapping[str, str]:
    # Browsers' viewers of PDF have a sandbox of their own, and need not work in another.
    policy = _POLICY if type == _PDF else _SANDBOX
    shown = "attachment" if type == BYTES else "inline"
    return {
        "Content-Security-Policy": policy,
        "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(name, safe='')}",
        "X-DNS-Prefetch-Control": "off",  # links in a page
    }
