"""All that there is under /api/, and a sign of life: the table of routes, which describes itself."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from agentchat.catalogue import Catalogue
from agentchat.http import answers, openapi
from agentchat.http.desk import DeskRoutes
from agentchat.http.documents import Documents
from agentchat.http.files import Files
from agentchat.http.interactions import Interactions
from agentchat.http.memory import MemoryRoutes
from agentchat.http.plan import PlanRoutes
from agentchat.http.rest import Rest
from agentchat.http.routes import Reply, Route, Table
from agentchat.knowledge import Knowledge
from agentchat.notes import Notes
from agentchat.sessions import Sessions


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
        _fixed("/api/config", "readConfig", "What a client needs to start", answers.Config, config),
        _fixed("/healthz", "readHealth", "A sign of life", answers.Health, lambda: {"status": "ok"}),
        *rest.routes(),
        *PlanRoutes(rest).routes(),
        *DeskRoutes(sessions, rest).routes(),
        *MemoryRoutes(notes).routes(),
        *Documents(knowledge).routes(),
        *Interactions(sessions, rest).routes(),
        *Files(rest).routes(),
    ]
    describe = functools.cache(lambda: openapi.describe(routes))  # a twentieth of a second, which few ask for
    routes.append(_fixed(openapi.PATH, "readDescription", "This description", answers.Anything, describe))
    return Table(routes)


def _fixed(path: str, name: str, summary: str, model: Any, answer: Callable[[], Any]) -> Route:
    return Route("GET", path, name, summary, lambda call: Reply(200, answer()), {200: model})
