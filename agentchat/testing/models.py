"""Models for tests: whatever agents ask in a talk goes to one of them, and it keeps what it was asked."""

from __future__ import annotations

import contextvars
import json
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import httpx
from autogen import LLMConfig
from autogen.oai.openai_utils import OAI_PRICE1K

from agentchat import cancellation
from agentchat.ag2 import iostream, scope
from agentchat.cancellation import Stopped
from agentchat.models import openai_client
from agentchat.models.config import Models
from agentchat.models.openai_client import ModelWrapper
from agentchat.models.transport import ModelClient, RetryingTransport
from agentchat.protocol.events import text_of
from agentchat.testing.completions import response
from agentchat.testing.replies import Answer, Failure, Reply, reply_of

ADDRESS = "http://model.invalid/v1"
SHOWN_MESSAGES, SHOWN_CHARS = 6, 300  # of a request in an error

Send = Callable[[httpx.Request], httpx.Response]
Step = Answer | Callable[["Request"], Answer]
"""One answer of a script, or a function that makes it from the request."""


@dataclass(frozen=True)
class Request:
    """A request to a model."""

    body: Mapping[str, Any]
    """The JSON object that was sent."""
    agent: str = ""
    """The agent that asked; empty outside a reply."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of the conversation, as the model sees it."""
        messages = self.body.get("messages", self.body.get("input"))  # that of the Responses API is called input
        return messages if isinstance(messages, list) else [{"role": "user", "content": messages}]

    @property
    def system(self) -> str:
        """The text of the system message."""
        texts = [text_of(message.get("content")) for message in self.messages if message.get("role") == "system"]
        return "\n".join(texts) or str(self.body.get("instructions") or "")

    @property
    def text(self) -> str:
        """The text of the newest message."""
        return text_of(self.messages[-1].get("content", self.messages[-1].get("output"))) if self.messages else ""

    @property
    def tools(self) -> list[str]:
        """The names of the tools that the model was offered."""
        return [str(tool.get("function", tool).get("name")) for tool in self.body.get("tools") or ()]

    def __str__(self) -> str:
        messages = self.messages[-SHOWN_MESSAGES:]
        lines = [f"{self.agent or 'Somebody'} asked {self.body.get('model')}:"]
        lines += ["  …"] if len(self.messages) > len(messages) else []
        lines += [f"  {message.get('role')}: {_shown(message)}" for message in messages]
        return "\n".join([*lines, f"  tools offered: {', '.join(self.tools) or 'none'}"])


def _shown(message: Mapping[str, Any]) -> str:
    calls = [call.get("function", {}) for call in message.get("tool_calls") or ()]
    parts = [text_of(message.get("content")), *(f"calls {call.get('name')}({call.get('arguments')})" for call in calls)]
    text = " ".join(part for part in parts if part)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


class Model(ABC):
    """A model for talks. `requests` holds what it was asked, oldest first."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._lock = threading.Lock()  # guards what follows, and the requests
        self._problems: deque[Exception] = deque()

    @abstractmethod
    def open(self) -> Models:
        """Return the models that agents are built with, which must be given back to `close`."""

    @abstractmethod
    def close(self, models: Models) -> None:
        """Release what `open` has taken."""

    @abstractmethod
    def handle(self, request: httpx.Request, send: Send) -> httpx.Response:
        """Answer a request of a talk; `send` would send it over the network."""

    def fail(self, problem: str | Exception) -> NoReturn:
        """End the turn, and fail the test that it belongs to."""
        error = AssertionError(problem) if isinstance(problem, str) else problem
        if iostream.current.get() is None:
            raise error
        with self._lock:
            self._problems.append(error)
        cancellation.current.get().stop("failed")
        raise Stopped("failed")  # which no agent takes for the failure of a server

    def take_problem(self) -> Exception | None:
        """Return the oldest problem that no test has been told of."""
        with self._lock:
            return self._problems.popleft() if self._problems else None

    def _keep(self, request: httpx.Request) -> tuple[Request, int]:
        """Keep what was asked, and return it with its number."""
        asked = Request(json.loads(request.read()), scope.current.get().agent)
        with self._lock:
            self.requests.append(asked)
            return asked, len(self.requests)


class StandIn(Model):
    """A model that answers in this process, in the place of a server."""

    def __init__(self, *entries: Mapping[str, Any]) -> None:
        """`entries` are those of the models whose place it takes: `model`, and perhaps `api_type`."""
        super().__init__()
        self._entries = entries

    @abstractmethod
    def reply(self, request: Request, number: int) -> Reply | Failure:
        """Return the answer to the `number`-th request."""

    @cached_property
    def llm_config(self) -> LLMConfig:
        """AG2's configuration of this model, for agents that are made outside a talk."""
        openai_client.install(ModelWrapper.timeout)
        return LLMConfig(*(self._entry(entry) for entry in self._entries))

    def _entry(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        price = {} if entry["model"] in OAI_PRICE1K else {"price": [0, 0]}
        client = ModelClient(RetryingTransport(_InProcess(self), retries=0), timeout=60)
        reached = {"base_url": ADDRESS, "api_key": "none", "http_client": client, "max_retries": 0}
        return {**entry, **price, **reached, "stream": True}

    def open(self) -> Models:
        names = [str(entry["model"]) for entry in self._entries]
        return Models(self.llm_config, names[0], False, "this process", all(name in OAI_PRICE1K for name in names))

    def close(self, models: Models) -> None:
        """Do nothing: there is nothing to close."""

    def handle(self, request: httpx.Request, send: Send | None = None) -> httpx.Response:
        if not asks_model(request):
            return httpx.Response(404, json=Failure(404, f"There is no {request.url.path} here.").body)
        asked, number = self._keep(request)
        try:
            reply = self.reply(asked, number)
        except Exception as error:  # noqa: BLE001 - a function of the test may raise anything
            self.fail(error)
        return response(reply, asked.body, number)


def asks_model(request: httpx.Request) -> bool:
    """Return True for a request for an answer, of either of OpenAI's APIs."""
    return request.method == "POST" and request.url.path.endswith(("/chat/completions", "/responses"))


class _InProcess(httpx.BaseTransport):
    def __init__(self, model: StandIn) -> None:
        self._model = model

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._model.handle(request)


class ScriptedModel(StandIn):
    """A model that gives the answers of a script, one for each request.

    A function as the last answer is asked for all that follow as well.
    """

    def __init__(self, *script: Step, name: str = "scripted") -> None:
        super().__init__({"model": name})
        for step in script:
            if not callable(step):
                reply_of(step)  # what cannot be used is told here
        self._length = len(script)
        self._left = deque(script)

    @property
    def left(self) -> list[Step]:
        """The answers that nobody has asked for yet."""
        with self._lock:
            return list(self._left)

    def reply(self, request: Request, number: int) -> Reply | Failure:
        with self._lock:
            is_rule = len(self._left) == 1 and callable(self._left[0])
            step = self._left[0] if is_rule else self._left.popleft() if self._left else None
        if step is None:
            script = f"its script has {self._length}" if self._length else "it has no script"
            raise AssertionError(f"The model was asked for answer {number}, but {script}. {request}")
        return reply_of(step(request) if callable(step) else step)


current: contextvars.ContextVar[Model | None] = contextvars.ContextVar("model", default=None)
"""The model of the talk that this thread or task belongs to."""

default: contextvars.ContextVar[Model | None] = contextvars.ContextVar("default_model", default=None)
"""The model of talks that name none."""
