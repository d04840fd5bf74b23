"""Traces of turns, by OpenTelemetry and its conventions for generative AI, sent to where the OTEL_… variables say.

A turn is `invoke_agent`, a model call `chat`, a tool `execute_tool`. Words are left out unless a setting wants them.
A collector that does not answer delays nothing: spans are sent by a thread of their own, and the end of the server
waits for it no longer than a moment.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agentchat import __version__

if TYPE_CHECKING:
    from opentelemetry import trace as otel
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
OURS = "agentchat"
UNNAMED = "unknown_service"  # the beginning of the name that OpenTelemetry gives to a service without one
END_TIMEOUT = 1.0  # seconds that the last spans have to be sent when the server ends

CHAT, TOOL, AGENT = "chat", "execute_tool", "invoke_agent"

PROVIDERS = {
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "api.anthropic.com": "anthropic",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    "generativelanguage.googleapis.com": "gcp.gemini",
}
"""The conventions' names of providers, by the end of their servers' names."""
APIS = {
    "anthropic": "anthropic",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "google": "gcp.gemini",
    "groq": "groq",
    "mistral": "mistral_ai",
}
"""The same by AG2's `api_type`; all others speak OpenAI's protocol."""


def is_configured(environment: Mapping[str, str]) -> bool:
    """Return True if the environment says where traces go."""
    is_off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return any(environment.get(name, "").strip() for name in ENDPOINTS) and not is_off and exporter in {"", "otlp"}


@contextlib.contextmanager
def configured(environment: Mapping[str, str], with_words: bool) -> Iterator[Tracing | None]:
    """Trace the turns of a server during the context, if the environment says where traces go."""
    if not is_configured(environment):
        yield None
        return
    try:
        tracing = Tracing(with_words)
    except ImportError:
        log.warning(
            "The environment says where OpenTelemetry's traces go, but there are none: the packages are not installed. "
            "Run pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        )
        yield None
        return
    try:
        yield tracing
    finally:
        tracing.close()


class Tracing:
    """Traces the turns of one server until it is closed."""

    def __init__(self, with_words: bool = False, end_timeout: float = END_TIMEOUT) -> None:
        """Raises ImportError without OpenTelemetry. Whatever can be configured is read from the environment."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes.get("service.name", "")).startswith(UNNAMED):
            resource = resource.merge(Resource({"service.name": OURS}))
        self._provider: TracerProvider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter()
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer(OURS, __version__)
        self._with_words = with_words
        self._end_timeout = end_timeout

    def close(self) -> None:
        """Send the last spans, if that takes no longer than a moment."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(self._end_timeout)
        if ending.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # it tries no more

    def turn(self, agent: str, session_id: str) -> contextlib.AbstractContextManager[TracedStep]:
        """Trace a turn during the context."""
        attributes = {"gen_ai.agent.name": agent, "gen_ai.conversation.id": session_id}
        return self._step(AGENT, agent, attributes)

    def model_call(self, model: str, server: str, api: str) -> contextlib.AbstractContextManager[TracedStep]:
        """Trace the call of a model during the context."""
        host, port = _host_and_port(server)
        attributes: dict[str, Any] = {
            "gen_ai.provider.name": _provider(host, api),
            "gen_ai.request.model": model,
            **({"server.address": host} if host else {}),
            **({"server.port": port} if port else {}),
        }
        return self._step(CHAT, model, attributes)

    def tool_call(self, name: str, call_id: str) -> contextlib.AbstractContextManager[TracedStep]:
        """Trace the call of a tool during the context."""
        called = {"gen_ai.tool.call.id": call_id} if call_id else {}
        return self._step(TOOL, name, {"gen_ai.tool.name": name, "gen_ai.tool.type": "function", **called})

    @contextlib.contextmanager
    def _step(self, operation: str, name: str, attributes: Mapping[str, Any]) -> Iterator[TracedStep]:
        from opentelemetry import trace

        if _is_traced(trace.get_current_span(), operation):
            yield TracedStep(trace.INVALID_SPAN, False)
            return
        kind = trace.SpanKind.CLIENT if operation == CHAT else trace.SpanKind.INTERNAL
        with self._tracer.start_as_current_span(
            f"{operation} {name}",
            kind=kind,
            attributes={"gen_ai.operation.name": operation, **attributes},
            record_exception=False,  # its words may be those of people
            set_status_on_exception=False,
        ) as span:
            yield TracedStep(span, self._with_words and span.is_recording())


@dataclass(frozen=True)
class TracedStep:
    """A step of a turn in a trace."""

    span: otel.Span
    has_words: bool
    """True if traces contain the words of people, agents and tools as well."""

    def add(self, attributes: Mapping[str, Any]) -> None:
        """Add attributes; those that are no plain values become JSON."""
        for name, value in attributes.items():
            is_plain = isinstance(value, (str, int, float)) or _is_texts(value)
            self.span.set_attribute(name, value if is_plain else json.dumps(value, ensure_ascii=False, default=str))

    def fail(self, code: str) -> None:
        """Mark the step as failed."""
        from opentelemetry.trace import StatusCode

        self.span.set_attribute("error.type", code)
        self.span.set_status(StatusCode.ERROR)


def _is_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)


def _is_traced(span: Any, operation: str) -> bool:
    """Return True if an agent file traces the same step by AG2's own instrumentation, or another one."""
    scope, attributes = getattr(span, "instrumentation_scope", None), getattr(span, "attributes", None) or {}
    return getattr(scope, "name", OURS) != OURS and attributes.get("gen_ai.operation.name") == operation


def _host_and_port(server: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{server}")
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None


def _provider(host: str, api: str) -> str:
    found = (name for end, name in PROVIDERS.items() if host == end or host.endswith(f".{end}"))
    return next(found, APIS.get(api, "openai"))
