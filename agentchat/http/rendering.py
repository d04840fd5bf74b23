"""Markdown over REST, so that every page shows the same of it."""

from __future__ import annotations

from agentchat.access import Need
from agentchat.http import requests, responses
from agentchat.http.routes import Call, Reply, route
from agentchat.rendering import Rendering


class RenderingRoutes:
    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering

    @route("POST", "/api/agent-chat/render", Need.KNOWN, answers={200: responses.Rendered}, changes_nothing=True)
    def render(self, call: Call, body: requests.Texts) -> Reply:
        """Return texts in Markdown as HTML that is safe to show."""
        texts = [{"blocks": [block._asdict() for block in self._rendering.blocks(text)]} for text in body.texts]
        return Reply(200, {"texts": texts})
