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

FILE = "/files/{path}"  # slashes of the file's path are sent as %2F
PATH_ERRORS = ("file_refused", "file_unknown", "file_failed")
READ_ERRORS = (*PATH_ERRORS, "version_unknown", "file_too_large")


class FileRoutes(SessionResource):
    @session_route("GET", "/files", Need.READ, answers={200: responses.FileList}, errors=("file_failed",))
    def list_files(self, call: Call) -> Reply:
        """List the files in the session's workspace."""
        return Reply(200, {"files": [asdict(info) for info in self._session(call).files(UNNAMED).list()]})

    @session_route("GET", FILE, Need.READ,
                   answers={200: responses.FileContent}, errors=READ_ERRORS,
                   types=(BYTES,), sent_headers={"Content-Disposition": "The file's name"})  # fmt: skip
    def read_file(self, call: Call, query: requests.VersionQuery) -> Reply:
        """Download a file, or an earlier version of it."""
        path = call.path["path"]
        file = call.stack.enter_context(self._session(call).file_history.open(path, query.version))
        name = quote(path.rpartition("/")[2], safe="")
        # Never with its own type: an HTML file would be a page of this server.
        return Reply(200, file, {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}, BYTES)

    @session_route("GET", f"{FILE}/versions", Need.READ,
                   answers={200: responses.FileVersions}, errors=PATH_ERRORS)  # fmt: skip
    def list_file_versions(self, call: Call) -> Reply:
        """List the versions that a file has had."""
        return Reply(200, {"versions": self._session(call).file_history.of(call.path["path"])})

    @session_route("GET", f"{FILE}/diff", Need.READ, answers={200: responses.FileDiff}, errors=READ_ERRORS)
    def compare_file_versions(self, call: Call, query: requests.DiffQuery) -> Reply:
        """Compare two versions of a file."""
        return Reply(200, {"diff": self._session(call).file_history.diff(call.path["path"], query.old, query.new)})

    @session_route("PUT", FILE, Need.WRITE,
                   answers={200: responses.FileWritten, 201: responses.FileWritten}, max_body=MAX_FILE,
                   errors=(*PATH_ERRORS, "closing", "files_full", "file_too_large"))  # fmt: skip
    def write_file(self, call: Call, body: bytes, query: requests.NameQuery, headers: requests.CommandHeaders) -> Reply:
        """Upload a file, replacing one with the same path."""
        event = self._session(call).write_file(call.path["path"], body, call.caller.name, headers.idempotency_key)
        written = {name: event.content[name] for name in ("path", "kind", "size", "sha256")}
        return Reply(201 if written["kind"] == "created" else 200, written)

    @session_route("DELETE", FILE, Need.WRITE, answers={204: None}, errors=(*PATH_ERRORS, "closing"))
    def delete_file(self, call: Call, query: requests.NameQuery, headers: requests.CommandHeaders) -> Reply:
        """Delete a file."""
        self._session(call).delete_file(call.path["path"], call.caller.name, headers.idempotency_key)
        return Reply(204)
