"""The table of all routes, and the routes about the server itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from agentchat.access import Access, Need
from agentchat.ag2.catalogue import Catalogue
from agentchat.http import openapi, responses
from agentchat.http.desk import DeskRoutes
from agentchat.http.documents import DocumentRoutes
from agentchat.http.events import EventRoutes
from agentchat.http.export import ExportRoutes
from agentchat.http.file_view import FileViewRoutes
from agentchat.http.files import FileRoutes
from agentchat.http.foreign_image import ForeignImageRoutes
from agentchat.http.handler import SOCKET
from agentchat.http.health import HealthRoutes
from agentchat.http.memory import MemoryRoutes
from agentchat.http.messages import MessageRoutes
from agentchat.http.rendering import RenderingRoutes
from agentchat.http.routes import Call, Reply, Table, collect, route
from agentchat.http.sessions import SessionRoutes
from agentchat.http.tasks import TaskRoutes
from agentchat.http.v1_chat import V1ChatRoutes
from agentchat.knowledge import Knowledge
from agentchat.protocol.errors import ChatError
from agentchat.rendering import Rendering
from agentchat.sessions.registry import Sessions
from agentchat.sessions.user_notes import UserNotes

Describe = Callable[[], dict[str, Any]]


def table(
    sessions: Sessions,
    catalogue: Catalogue,
    notes: UserNotes,
    knowledge: Knowledge,
    health: HealthRoutes,
    access: Access,
    people: Sequence[object],
    rendering: Rendering,
    config: Callable[[Call], dict[str, Any]],
) -> Table:
    """Return all routes. `people` has those about people; `config` returns what a client needs to start."""
    describe = functools.cache(lambda: openapi.describe(routes))  # takes 50 ms, and few ask for it
    resources = [
        ServerRoutes(config, describe, rendering),
        health,
        *people,
        SessionRoutes(sessions, catalogue),
        MessageRoutes(sessions, access, catalogue),
        EventRoutes(sessions, access),
        ExportRoutes(sessions),
        FileRoutes(sessions),
        FileViewRoutes(sessions),
        TaskRoutes(sessions),
        DeskRoutes(sessions),
        MemoryRoutes(notes),
        DocumentRoutes(knowledge, rendering),
        RenderingRoutes(rendering),
        ForeignImageRoutes(),
        V1ChatRoutes(sessions, catalogue, access),
    ]
    routes = list(collect(*resources))
    return Table(routes)


class ServerRoutes:
    def __init__(self, config: Callable[[Call], dict[str, Any]], describe: Describe, rendering: Rendering) -> None:
        self._config = config
        self._describe = describe
        self._rendering = rendering

    @route("GET", "/api/config", Need.KNOWN, answers={200: responses.Config})
    def read_config(self, call: Call) -> Reply:
        """Return what clients need to start, and who you are."""
        self._rendering.prepare()  # a page asks next what its messages look like
        return Reply(200, self._config(call))

    @route("GET", SOCKET, Need.NOTHING, answers={101: None}, errors=("upgrade_needed",))
    def open_socket(self, call: Call) -> Reply:
        """Open a WebSocket. What asks for one never gets here."""
        raise ChatError("upgrade_needed")

    @route("GET", "/api/openapi.json", Need.KNOWN, answers={200: responses.Anything})
    def read_description(self, call: Call) -> Reply:
        """Return this description."""
        return Reply(200, self._describe())
