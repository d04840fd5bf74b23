"""The documents of the knowledge over HTTP: what answers cite can be read."""

from __future__ import annotations

from typing import Any

from agentchat.http import responses
from agentchat.http.routes import Call, Reply, Route
from agentchat.knowledge import ADDRESS, Knowledge, Source, address
from agentchat.protocol.errors import ChatError

TEXT, PDF = "text/plain; charset=utf-8", "application/pdf"
# Whatever a document holds, it is no page of this server.
HEADERS = {"Content-Security-Policy": "sandbox", "Content-Disposition": "inline"}


class Documents:
    """The handlers. The slashes of a source's id are written as %2F."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def find(self, call: Call) -> Reply:
        return Reply(200, {"sources": [_about(source) for source in self._knowledge.sources()]})

    def read(self, call: Call) -> Reply:
        try:
            type, content = self._knowledge.open(call.path["source"])
        except KeyError as error:
            raise ChatError("not_found") from error
        return Reply(200, content, HEADERS, type)

    def routes(self) -> list[Route]:
        """What there is to ask for."""
        return [
            Route("GET", ADDRESS, "listDocuments", "The documents that agents can search", self.find,
                  {200: responses.DocumentList}),
            Route("GET", f"{ADDRESS}/{{source}}", "readDocument", "One of them", self.read,
                  {200: responses.DocumentContent}, ("not_found",), types=(TEXT, PDF)),
        ]  # fmt: skip


def _about(source: Source) -> dict[str, Any]:
    about = {name: getattr(source, name) for name in ("id", "title", "type", "size", "problem")}
    return {**about, "link": address(source.id)}
