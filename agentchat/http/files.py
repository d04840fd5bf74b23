"""The files of a session over REST: listed, uploaded, downloaded, deleted."""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import quote

from agentchat.access import Need
from agentchat.http import requests, responses
from agentchat.http.routes import BYTES, Call, Reply
from agentchat.http.session_route import SessionResource, session_route
from agentchat.protocol.identity import UNNAMED
from agentchat.workspace.files import MAX_FILE

_FILE = "/files/{path}"  # slashes of the file's path are sent as %2F
_PATH_ERRORS = ("file_refused", "file_unknown", "file_failed")


class FileRoutes(SessionResource):
    @session_route("GET", "/files", Need.READ, answers={200: responses.FileList}, errors=("file_failed",))
    def list_files(self, call: Call) -> Reply:
        """List the files in the session's workspace."""
        return Reply(200, {"files": [asdict(info) for info in self._session(call).files(UNNAMED).list()]})

    @session_route("GET", _FILE, Need.READ,
                   answers={200: responses.FileContent}, errors=(*_PATH_ERRORS, "file_too_large"),
                   types=(BYTES,), sent_headers={"Content-Disposition": "The file's name"})  # fmt: skip
    def read_file(self, call: Call) -> Reply:
        """Download a file."""
        path = call.path["path"]
        file = call.stack.enter_context(self._session(call).files(UNNAMED).open(path))
        name = quote(path.rpartition("/")[2], safe="")
        # Never with its own type: an HTML file would be a page of this server.
        return Reply(200, file, {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}, BYTES)

    @session_route("PUT", _FILE, Need.WRITE,
                   answers={200: responses.FileWritten, 201: responses.FileWritten}, max_body=MAX_FILE,
                   errors=(*_PATH_ERRORS, "closing", "files_full", "file_too_large"))  # fmt: skip
    def write_file(self, call: Call, body: bytes, query: requests.NameQuery, headers: requests.CommandHeaders) -> Reply:
        """Upload a file, replacing one with the same path."""
        event = self._session(call).write_file(call.path["path"], body, call.caller.name, headers.idempotency_key)
        written = {name: event.content[name] for name in ("path", "kind", "size")}
        return Reply(201 if written["kind"] == "created" else 200, written)

    @session_route("DELETE", _FILE, Need.WRITE, answers={204: None}, errors=(*_PATH_ERRORS, "closing"))
    def delete_file(self, call: Call, query: requests.NameQuery, headers: requests.CommandHeaders) -> Reply:
        """Delete a file."""
        self._session(call).delete_file(call.path["path"], call.caller.name, headers.idempotency_key)
        return Reply(204)
