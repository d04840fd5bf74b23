"""The metrics in Prometheus' text format, made by `prometheus_client`, which need not be installed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentchat import __version__
from agentchat.measures import Look, Measures, process
from agentchat.measures.counts import Counter, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric as Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "agentchat_"


@dataclass(frozen=True)
class Metric:
    """A metric of ours, named without the prefix, or one of `prometheus_client`."""

    kind: str
    """`counter`, `gauge` or `histogram`."""
    meaning: str
    labels: tuple[str, ...] = ()


OURS: Mapping[str, Metric] = {
    "info": Metric("gauge", "Always 1; the label is the version of the server.", ("version",)),
    "connections": Metric(
        "gauge",
        "Open connections: websocket, sse (event streams), http (all connections to the page's port).",
        ("kind",),
    ),
    "turns": Metric(
        "gauge",
        "Turns that are running, are waiting for a person's answer, or are queued until others have ended.",
        ("state",),
    ),
    "waiting_messages": Metric("gauge", "Messages that wait for their turn."),
    "sessions_in_memory": Metric("gauge", "Conversations in memory."),
    "sessions_stored": Metric("gauge", "Conversations in the store; missing while it cannot be read."),
    "threads": Metric("gauge", "Threads of the server."),
    "turns_ended_total": Metric(
        "counter", "Turns that ended: completed, stopped, failed or interrupted.", ("agent", "outcome")
    ),
    "turn_seconds": Metric(
        "histogram", "Time from the start of a turn to its end, without waiting for people.", ("agent",)
    ),
    "first_token_seconds": Metric(
        "histogram", "Time from the start of a turn to the first words that people can read.", ("agent",)
    ),
    "tokens_total": Metric("counter", "Tokens in prompts and completions.", ("agent", "model", "kind")),
    "cost_dollars_total": Metric("counter", "US dollars, for models whose price is known.", ("agent", "model")),
    "model_calls_total": Metric("counter", "Calls of models, also those that failed.", ("model",)),
    "model_errors_total": Metric("counter", "Calls of models that failed, by error code.", ("model", "code")),
    "model_call_seconds": Metric("histogram", "Time that a call of a model took.", ("model",)),
    "tool_seconds": Metric("histogram", "Time that a call of a tool took, without waiting for people.", ("tool",)),
    "tool_errors_total": Metric("counter", "Calls of tools that raised an exception.", ("tool",)),
    "store_append_seconds": Metric("histogram", "Time that it took to write events to the disk."),
    "store_errors_total": Metric("counter", "Reads and writes that the store failed to do, by error code.", ("code",)),
}
OF_PROCESS: Mapping[str, Metric] = {
    "process_cpu_seconds_total": Metric("counter", "Time that processors worked for the server."),
    "process_open_fds": Metric("gauge", "Open file descriptors."),
    "process_max_fds": Metric("gauge", "File descriptors that it may have."),
    "process_resident_memory_bytes": Metric("gauge", "Memory in use."),
    "process_virtual_memory_bytes": Metric("gauge", "Address space in use."),
    "process_start_time_seconds": Metric("gauge", "When the server started, since 1970."),
}
"""On Linux only."""
METRICS: Mapping[str, Metric] = {**{f"{PREFIX}{name}": metric for name, metric in OURS.items()}, **OF_PROCESS}


def table() -> str:
    """Return the table of docs/observability.md."""
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for name, metric in METRICS.items():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{name}` | {metric.kind} | {labels} | {metric.meaning} |")
    return "\n".join(rows)


def is_available() -> bool:
    """Return True if `prometheus_client` is installed."""
    try:
        importlib.import_module("prometheus_client")
    except ImportError:
        return False
    return True


class Exposition:
    """Tells Prometheus the measures of one server."""

    def __init__(self, measures: Measures, look: Look) -> None:
        self._measures = measures
        self._look = look
        self._registry: CollectorRegistry | None = None

    @property
    def registry(self) -> CollectorRegistry:
        """The registry of all metrics of this server. Raises ImportError without `prometheus_client`."""
        if self._registry is None:
            from prometheus_client import CollectorRegistry, ProcessCollector

            registry = CollectorRegistry()
            registry.register(self)
            ProcessCollector(registry=registry)
            self._registry = registry
        return self._registry

    def text(self) -> bytes:
        """Return all metrics in the text format. Raises ImportError without `prometheus_client`."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)

    def describe(self) -> list[Family]:
        """Return nothing: nobody needs to know the metrics before they are collected."""
        return []

    def collect(self) -> Iterator[Family]:
        """Yield all metrics as they are now."""
        now, measures = self._look(), self._measures
        yield _gauge("info", {(__version__,): 1})
        yield _gauge("connections", {(kind,): number for kind, number in now.connections.items()})
        yield _gauge("turns", {(state,): number for state, number in now.turns.items()})
        yield _gauge("waiting_messages", {(): now.waiting_messages})
        yield _gauge("sessions_in_memory", {(): now.sessions_in_memory})
        yield _gauge("sessions_stored", {} if now.sessions_stored is None else {(): now.sessions_stored})
        yield _gauge("threads", {(): process.threads()})
        yield _counter("turns_ended_total", measures.turns_ended)
        yield _histogram("turn_seconds", measures.turn_seconds)
        yield _histogram("first_token_seconds", measures.first_token_seconds)
        yield _counter("tokens_total", measures.tokens)
        yield _counter("cost_dollars_total", measures.cost_dollars)
        yield _counter("model_calls_total", measures.model_calls)
        yield _counter("model_errors_total", measures.model_errors)
        yield _histogram("model_call_seconds", measures.model_call_seconds)
        yield _histogram("tool_seconds", measures.tool_seconds)
        yield _counter("tool_errors_total", measures.tool_errors)
        yield _histogram("store_append_seconds", measures.store.append_seconds)
        yield _counter("store_errors_total", measures.store.errors)


def _gauge(name: str, values: Mapping[tuple[str, ...], float]) -> Family:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"{PREFIX}{name}", OURS[name].meaning, labels=OURS[name].labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _counter(name: str, counter: Counter) -> Family:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(f"{PREFIX}{name}", OURS[name].meaning, labels=OURS[name].labels)
    for labels, value in counter.values.items():
        family.add_metric(labels, value)
    return family


def _histogram(name: str, histogram: Histogram) -> Family:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(f"{PREFIX}{name}", OURS[name].meaning, labels=OURS[name].labels)
    for labels, found in histogram.values.items():
        buckets, below = [], 0
        for bound, count in zip((*map(str, histogram.bounds), "+Inf"), found.counts, strict=True):
            below += count
            buckets.append((bound, below))
        family.add_metric(labels, buckets, found.sum)
    return family
