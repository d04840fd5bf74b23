"""Markdown over REST, so that every page shows the same of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from agentchat.access import Need
from agentchat.http import requests, responses
from agentchat.http.limits import held
from agentchat.http.routes import Call, Reply, route
from agentchat.net.admission import Admission
from agentchat.protocol.errors import TooFast
from agentchat.protocol.identity import Caller
from agentchat.rendering import Rendering
from agentchat.rendering.plain import plain
from agentchat.rendering.turns import Turns
from agentchat.sessions.rates import Rates

MAX_BODY = 2**20  # bytes
PER_SECOND = 50  # requests of a person, apart from what they write: a page asks while answers stream in
IN_ALL = 1000
BURST = 10.0  # seconds over which these rates count
AT_ONCE = 64  # texts that are rendered or wait for it
AT_ONCE_PER_ADDRESS = 16
PATIENCE = 10.0  # seconds for one request; the texts that are left then come as they were written

MAX_ANSWER = 8 * 2**20  # characters, likewise

TEXTS = "texts that are rendered at once"


class RenderingRoutes:
    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._rates = Rates(PER_SECOND, IN_ALL, BURST)
        self._turns = Turns()
        self._admission = Admission(AT_ONCE, AT_ONCE_PER_ADDRESS)

    @route("POST", "/api/agent-chat/render", Need.KNOWN, answers={200: responses.Rendered},
           errors=("too_fast", "too_many_requests", "server_full"),
           max_body=MAX_BODY, changes_nothing=True, has_own_rate=True)  # fmt: skip
    def render(self, call: Call, body: requests.Texts) -> Reply:
        """Return texts in Markdown as HTML that is safe to show."""
        if seconds := self._rates.take(call.caller):
            raise TooFast("too_fast", seconds)
        return Reply(200, {"texts": list(self._answers(call.caller, body.texts))})

    def _answers(self, caller: Caller, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the blocks of each text, until that took too long or became too much."""
        deadline, room = time.monotonic() + PATIENCE, MAX_ANSWER

        @contextlib.contextmanager
        def hold() -> Iterator[None]:
            with held(self._admission, caller.address, 1, TEXTS), self._turns.turn(caller.person or caller.address):
                yield

        for text in texts:
            is_late = time.monotonic() > deadline or room < 0
            blocks = [plain(text)] if is_late else self._rendering.blocks(text, hold)
            room -= sum(len(block.html) for block in blocks)
            yield {"blocks": [block._asdict() for block in blocks]}
