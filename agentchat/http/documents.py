"""The documents in the knowledge base over REST, so that people can read what answers cite."""

from __future__ import annotations

from typing import Any

from agentchat.access import Need
from agentchat.http import document_page, responses
from agentchat.http.routes import Call, Reply, route
from agentchat.knowledge import ADDRESS, Knowledge, Source, address
from agentchat.protocol.errors import ChatError
from agentchat.rendering import Rendering

_DOCUMENT = f"{ADDRESS}/{{source}}"  # slashes of the id are sent as %2F
_ERRORS = ("not_found", "file_failed")
_TYPES = ("text/plain; charset=utf-8", "application/pdf", "text/html")
_MARKDOWN = (".md", ".markdown", ".mdown")
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'; sandbox",
    "Content-Disposition": "inline",
}  # never a page of this server


class DocumentRoutes:
    def __init__(self, knowledge: Knowledge, rendering: Rendering) -> None:
        self._knowledge = knowledge
        self._rendering = rendering

    @route("GET", ADDRESS, Need.KNOWN, answers={200: responses.DocumentList})
    def list_documents(self, call: Call) -> Reply:
        """List the documents that agents can search."""
        return Reply(200, {"sources": [_about(source) for source in self._knowledge.sources()]})

    @route("GET", _DOCUMENT, Need.KNOWN, answers={200: responses.DocumentContent}, errors=_ERRORS, types=_TYPES)
    def read_document(self, call: Call) -> Reply:
        """Return a document; one in Markdown as a page, if that is asked for, as browsers do."""
        source = call.path["source"]
        try:
            type, file = self._knowledge.open(source)
        except KeyError as error:
            raise ChatError("not_found") from error
        except OSError as error:
            raise ChatError("file_failed", path=source, problem=error.strerror or error) from error
        call.stack.enter_context(file)
        if call.accept == "text/html" and source.lower().endswith(_MARKDOWN):
            blocks = self._rendering.blocks(file.read().decode())
            return Reply(200, document_page.page(source, blocks), document_page.headers(), document_page.HTML)
        return Reply(200, file, _HEADERS, type)


def _about(source: Source) -> dict[str, Any]:
    about = {name: getattr(source, name) for name in ("id", "title", "type", "size", "problem")}
    return {**about, "link": address(source.id)}
