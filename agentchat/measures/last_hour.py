"""The last hour of a server's measures, in memory, for those who have nothing else that keeps them."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agentchat.measures import Look, Measures, Now, process
from agentchat.measures.counts import Counter, Distribution, Histogram

STEP = 10.0  # seconds between samples
KEPT = 360  # samples
RATED = 6  # samples over which rates are told, a minute
TIMED = 30  # samples over which times are told

Series = list[float | None]


@dataclass(frozen=True)
class Sample:
    """The state at one moment, and the counts of what had happened until then."""

    now: Now
    threads: int
    memory: int | None
    descriptors: int | None
    ended: float
    failed: float
    prompt_tokens: float
    completion_tokens: float
    model_calls: float
    model_errors: float
    store_errors: float
    first_token: Distribution
    turn: Distribution
    append: Distribution


@contextlib.contextmanager
def kept(measures: Measures, look: Look) -> Iterator[LastHour]:
    """Keep the last hour of a server during the context."""
    last_hour = LastHour(measures, look)
    try:
        yield last_hour
    finally:
        last_hour.close()


class LastHour:
    """Takes samples in a thread of its own until it is closed."""

    def __init__(self, measures: Measures, look: Look) -> None:
        self._measures = measures
        self._look = look
        self._lock = threading.Lock()  # guards `_samples`
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="last-hour", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more samples."""
        self._is_over.set()
        self._thread.join()

    def _work(self) -> None:
        while True:
            sample = self._sample()
            with self._lock:
                self._samples.append(sample)
            if self._is_over.wait(STEP):
                return

    def _sample(self) -> Sample:
        measures = self._measures
        return Sample(
            now=self._look(),
            threads=process.threads(),
            memory=process.memory(),
            descriptors=process.descriptors(),
            ended=_sum(measures.turns_ended),
            failed=_sum(measures.turns_ended, 1, "failed"),
            prompt_tokens=_sum(measures.tokens, 2, "prompt"),
            completion_tokens=_sum(measures.tokens, 2, "completion"),
            model_calls=_sum(measures.model_calls),
            model_errors=_sum(measures.model_errors),
            store_errors=_sum(measures.store.errors),
            first_token=measures.first_token_seconds.all,
            turn=measures.turn_seconds.all,
            append=measures.store.append_seconds.all,
        )

    def told(self) -> dict[str, Any]:
        """Return the samples, with one of this moment behind them, as series of numbers, oldest first."""
        with self._lock:
            samples = [*self._samples, self._sample()]
        measures = self._measures
        return {
            "step": STEP,
            "series": {
                "turns_running": [sample.now.turns.get("running", 0) for sample in samples],
                "turns_waiting": [sample.now.turns.get("waiting", 0) for sample in samples],
                "turns_queued": [sample.now.turns.get("queued", 0) for sample in samples],
                "waiting_messages": [sample.now.waiting_messages for sample in samples],
                "websockets": [sample.now.connections.get("websocket", 0) for sample in samples],
                "streams": [sample.now.connections.get("sse", 0) for sample in samples],
                "http": [sample.now.connections.get("http", 0) for sample in samples],
                "sessions_in_memory": [sample.now.sessions_in_memory for sample in samples],
                "threads": [sample.threads for sample in samples],
                "memory": [sample.memory for sample in samples],
                "descriptors": [sample.descriptors for sample in samples],
                "ended_per_minute": _rate(samples, lambda sample: sample.ended),
                "failed_per_minute": _rate(samples, lambda sample: sample.failed),
                "prompt_tokens_per_minute": _rate(samples, lambda sample: sample.prompt_tokens),
                "completion_tokens_per_minute": _rate(samples, lambda sample: sample.completion_tokens),
                "model_calls_per_minute": _rate(samples, lambda sample: sample.model_calls),
                "model_errors_per_minute": _rate(samples, lambda sample: sample.model_errors),
                "store_errors_per_minute": _rate(samples, lambda sample: sample.store_errors),
                **_times("first_token", samples, measures.first_token_seconds, lambda sample: sample.first_token),
                **_times("turn", samples, measures.turn_seconds, lambda sample: sample.turn),
                **_times("append", samples, measures.store.append_seconds, lambda sample: sample.append),
            },
        }


def _sum(counter: Counter, place: int = 0, name: str = "") -> float:
    """Return the sum of a counter, perhaps only of those with that name in that place of their labels."""
    return sum(value for labels, value in counter.values.items() if not name or labels[place] == name)


def _rate(samples: Sequence[Sample], of: Callable[[Sample], float]) -> Series:
    """Return by how much a number grew in the last minute, sample by sample."""
    return [of(sample) - of(samples[max(place - RATED, 0)]) for place, sample in enumerate(samples)]


def _times(
    name: str, samples: Sequence[Sample], histogram: Histogram, of: Callable[[Sample], Distribution]
) -> dict[str, Series]:
    """Return the time that half of them took at most, and 95 of 100, in the last five minutes."""
    last = [of(sample) - of(samples[max(place - TIMED, 0)]) for place, sample in enumerate(samples)]
    return {
        f"{name}_p50": [histogram.quantile(0.5, among) for among in last],
        f"{name}_p95": [histogram.quantile(0.95, among) for among in last],
    }
