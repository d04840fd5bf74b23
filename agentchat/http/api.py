"""All that there is under /api/, and a sign of life: the table of routes, which describes itself."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from agentchat.ag2.catalogue import Catalogue
from agentchat.http import openapi, responses
from agentchat.http.desk import DeskRoutes
from agentchat.http.documents import Documents
from agentchat.http.files import Files
from agentchat.http.memory import MemoryRoutes
from agentchat.http.routes import Reply, Route, Table
from agentchat.http.sessions import Rest
from agentchat.http.tasks import PlanRoutes
from agentchat.http.v1_chat import Interactions
from agentchat.knowledge import Knowledge
from agentchat.sessions.registry import Sessions
from agentchat.sessions.user_notes import Notes


def table(
    sessions: Sessions,
    catalogue: Catalogue,
    notes: Notes,
    knowledge: Knowledge,
    config: Callable[[], dict[str, Any]],
) -> Table:
    """What the server answers. `config` is what a client needs to start."""
    rest = Rest(sessions, catalogue)
    routes = [
        _fixed("/api/config", "readConfig", "What a client needs to start", responses.Config, config),
        _fixed("/healthz", "readHealth", "A sign of life", responses.Health, lambda: {"status": "ok"}),
        *rest.routes(),
        *PlanRoutes(rest).routes(),
        *DeskRoutes(sessions, rest).routes(),
        *MemoryRoutes(notes).routes(),
        *Documents(knowledge).routes(),
        *Interactions(sessions, rest).routes(),
        *Files(rest).routes(),
    ]
    describe = functools.cache(lambda: openapi.describe(routes))  # a twentieth of a second, which few ask for
    routes.append(_fixed(openapi.PATH, "readDescription", "This description", responses.Anything, describe))
    return Table(routes)


def _fixed(path: str, name: str, summary: str, model: Any, answer: Callable[[], Any]) -> Route:
    return Route("GET", path, name, summary, lambda call: Reply(200, answer()), {200: model})
