"""Measures of a running server: what happens is counted as it does, and what is so at a moment is read when asked for.

The core reports here: a turn that begins and ends, its first words, its model calls and tools, what it writes. It costs
nothing per token. Within a turn, `current` is where to report; outside of one nothing is counted.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agentchat.measures.counts import Counter, Histogram, Names
from agentchat.protocol.errors import ChatError

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300, 600)
FIRST_TOKEN_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 60)
STORE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Span(Protocol):
    """A step of a turn in a trace."""

    @property
    def has_words(self) -> bool:
        """True if what people, agents and tools say is to be kept as well."""

    def add(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes."""

    def fail(self, code: str) -> None:
        """Mark the step as failed."""


class Tracer(Protocol):
    """Begins the steps of traces."""

    def turn(self, agent: str, session_id: str) -> contextlib.AbstractContextManager[Span]:
        """Trace a turn during the context."""

    def model_call(self, model: str, server: str, api: str) -> contextlib.AbstractContextManager[Span]:
        """Trace the call of a model during the context."""

    def tool_call(self, name: str, call_id: str) -> contextlib.AbstractContextManager[Span]:
        """Trace the call of a tool during the context."""


class NoSpan:
    """A step that nobody traces."""

    has_words = False

    def add(self, attributes: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def fail(self, code: str) -> None:
        """Keep nothing."""


class NoTracer:
    """Traces nothing."""

    _none = contextlib.nullcontext(NoSpan())  # which can be entered any number of times, in any thread

    def turn(self, agent: str, session_id: str) -> contextlib.AbstractContextManager[Span]:
        return self._none

    def model_call(self, model: str, server: str, api: str) -> contextlib.AbstractContextManager[Span]:
        return self._none

    def tool_call(self, name: str, call_id: str) -> contextlib.AbstractContextManager[Span]:
        return self._none


class StoreMeasures:
    """The time that the store takes to write, and the number of its failures."""

    def __init__(self) -> None:
        self.append_seconds = Histogram(STORE_SECONDS)
        self.errors = Counter()  # by code

    @contextlib.contextmanager
    def append(self) -> Iterator[None]:
        """Measure an append, if it succeeds."""
        began = time.monotonic()
        yield
        self.append_seconds.observe(time.monotonic() - began)


class Measures:
    """Everything that is counted in one server."""

    def __init__(self, store: StoreMeasures | None = None, tracer: Tracer | None = None) -> None:
        self.store = store or StoreMeasures()
        self.tracer = tracer or NoTracer()
        self.turns_ended = Counter()  # by agent and outcome
        self.turn_seconds = Histogram(SECONDS)  # by agent
        self.first_token_seconds = Histogram(FIRST_TOKEN_SECONDS)  # by agent
        self.tokens = Counter()  # by agent, model and kind
        self.cost_dollars = Counter()  # by agent and model
        self.model_calls = Counter()  # by model
        self.model_errors = Counter()  # by model and code
        self.model_call_seconds = Histogram(SECONDS)  # by model
        self.tool_seconds = Histogram(SECONDS)  # by tool
        self.tool_errors = Counter()  # by tool
        self._agents, self._models, self._tools = Names(), Names(), Names()

    @contextlib.contextmanager
    def turn(self, agent: str, session_id: str, is_resumed: bool = False) -> Iterator[TurnMeasures]:
        """Measure a turn of the agents of that file during the context; a turn that is resumed has begun before."""
        with self.tracer.turn(agent, session_id) as span:
            turn = TurnMeasures(self, self._agents.label(agent), span, has_words=is_resumed)
            token = current.set(turn)
            try:
                yield turn
            finally:
                current.reset(token)


@dataclass
class ModelCall:
    """A model call, and what has come of it."""

    span: Span
    prompt_tokens: int = 0
    completion_tokens: int = 0


class TurnMeasures:
    """Where a turn reports. Any thread may use it."""

    def __init__(self, measures: Measures | None, agent: str, span: Span, has_words: bool = False) -> None:
        """Without `measures` nothing is counted."""
        self._measures = measures
        self._agent = agent
        self._span = span
        self._has_words = has_words
        self._began = time.monotonic()
        self._lock = threading.Lock()  # guards `_waited`
        self._waited = 0.0  # seconds for people
        self.redact: Callable[[str], str] = str
        """Takes secrets out of the words that a trace keeps."""

    def first_words(self) -> None:
        """Note that somebody can read something of the answer; only the first time counts."""
        if self._measures is not None and not self._has_words:
            self._has_words = True
            self._measures.first_token_seconds.observe(time.monotonic() - self._began, self._agent)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Leave out the time in the context, in which the turn waits for people."""
        began = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._waited += time.monotonic() - began

    def ended(self, outcome: str, usage: Mapping[str, Any], error: ChatError | None) -> None:
        """Note how the turn ended; `outcome` may be `suspended`, if it goes on when a person has answered."""
        names = {"prompt_tokens": "gen_ai.usage.input_tokens", "completion_tokens": "gen_ai.usage.output_tokens"}
        told = {attribute: usage[name] for name, attribute in names.items() if usage.get(name) is not None}
        self._span.add({"agentchat.turn.outcome": outcome, **told})
        if outcome == "failed":
            self._span.fail(error.code if error is not None else "internal")
        if self._measures is not None and outcome != "suspended":
            self._measures.turns_ended.add(self._agent, outcome)
            self._measures.turn_seconds.observe(time.monotonic() - self._began - self._waited, self._agent)

    @contextlib.contextmanager
    def model_call(self, model: str, server: str, api: str = "openai") -> Iterator[ModelCall]:
        """Measure a call of a model during the context. `api` is the protocol that its server speaks."""
        if self._measures is None:
            yield ModelCall(NoSpan())
            return
        measures, label = self._measures, self._measures._models.label(model)
        measures.model_calls.add(label)
        began = time.monotonic()
        with measures.tracer.model_call(model, server, api) as span:
            call = ModelCall(span)
            try:
                yield call
            except Exception as error:
                code = _code(error)
                measures.model_errors.add(label, code)
                span.fail(code)
                raise
            finally:
                measures.model_call_seconds.observe(time.monotonic() - began, label)
        for kind, number in (("prompt", call.prompt_tokens), ("completion", call.completion_tokens)):
            if number > 0:
                measures.tokens.add(self._agent, label, kind, amount=number)

    def paid(self, model: str, dollars: float) -> None:
        """Count what a call of a model has cost."""
        if self._measures is not None and dollars > 0:
            self._measures.cost_dollars.add(self._agent, self._measures._models.label(model), amount=dollars)

    @contextlib.contextmanager
    def tool_call(self, name: str, call_id: str) -> Iterator[Span]:
        """Measure a call of a tool during the context."""
        if self._measures is None:
            yield NoSpan()
            return
        measures, label = self._measures, self._measures._tools.label(name)
        began, waited = time.monotonic(), self._waited
        with measures.tracer.tool_call(name, call_id) as span:
            try:
                yield span
            except Exception as error:
                measures.tool_errors.add(label)
                span.fail(type(error).__name__)
                raise
            finally:
                took = time.monotonic() - began - (self._waited - waited)
                measures.tool_seconds.observe(max(took, 0.0), label)


def _code(error: Exception) -> str:
    """Return the code of the error as clients know it; `failed` for one without."""
    row = getattr(error, "row", None)
    return error.code if isinstance(error, ChatError) else row if isinstance(row, str) else "failed"


UNMEASURED = TurnMeasures(None, "", NoSpan())
current: contextvars.ContextVar[TurnMeasures] = contextvars.ContextVar("turn_measures", default=UNMEASURED)
"""Where the turn of this thread or task reports."""


@dataclass(frozen=True)
class Now:
    """The state of the server at one moment."""

    connections: Mapping[str, int] = field(default_factory=dict)
    """By kind: `websocket`, `sse`, `http`."""
    turns: Mapping[str, int] = field(default_factory=dict)
    """By state: `running`, `waiting` for an answer, `queued` for others to end."""
    waiting_messages: int = 0
    sessions_in_memory: int = 0
    sessions_stored: int | None = None
    """None while the store cannot be read."""


Look = Callable[[], Now]
