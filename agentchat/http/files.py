"""The files of a session over REST: listed, uploaded, downloaded, deleted."""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import quote

from agentchat.http import requests, responses
from agentchat.http.routes import BYTES, Call, Reply, Route
from agentchat.http.sessions import LOST, PATH, Rest, person
from agentchat.workspace.files import MAX_FILE, Workspace
from agentchat.workspace.paths import canonical

PATHS = ("file_refused", "file_unknown", "file_failed")


class Files:
    """The handlers. `rest` finds the session that an address names; the slashes of a path are written as %2F."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def find(self, call: Call) -> Reply:
        return Reply(200, {"files": [asdict(info) for info in self._files(call, "").list()]})

    def download(self, call: Call) -> Reply:
        path = call.path["path"]
        content = self._files(call, "").read_bytes(path)
        name = quote(path.rpartition("/")[2], safe="")
        # Never as what it says it is: a page among the files would be one of this server's own.
        return Reply(200, content, {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}, BYTES)

    def upload(self, call: Call) -> Reply:
        path, content = canonical(call.path["path"]), call.body
        kind = self._files(call, call.query.name).write(path, content)
        return Reply(201 if kind == "created" else 200, {"path": path, "kind": kind, "size": len(content)})

    def delete(self, call: Call) -> Reply:
        self._files(call, call.query.name).delete(call.path["path"])
        return Reply(204)

    def _files(self, call: Call, name: str) -> Workspace:
        return self._rest.session(call).files(person(name))

    def routes(self) -> list[Route]:
        """What there is to ask for."""
        every, query = f"{PATH}/{{id}}/files", requests.FileQuery
        one = f"{every}/{{path}}"
        return [
            Route("GET", every, "listFiles", "The files in the session's workspace", self.find,
                  {200: responses.FileList}, (*LOST, "file_failed")),
            Route("GET", one, "readFile", "A file, to be kept", self.download, {200: responses.FileContent},
                  (*LOST, *PATHS, "file_too_large"), types=(BYTES,), sends={"Content-Disposition": "Its name"}),
            Route("PUT", one, "writeFile", "Upload a file, perhaps in place of another", self.upload,
                  {200: responses.FileWritten, 201: responses.FileWritten},
                  (*LOST, *PATHS, "closing", "files_full", "file_too_large"), query, most=MAX_FILE),
            Route("DELETE", one, "deleteFile", "Delete a file", self.delete, {204: None}, (*LOST, *PATHS, "closing"),
                  query),
        ]  # fmt: skip
