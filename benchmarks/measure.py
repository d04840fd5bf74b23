"""The measurements, each of which returns rows of the table."""

from __future__ import annotations

import gc
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from benchmarks import MeasurementError, rendering, soak
from benchmarks.load import TURN_TIMEOUT, Conversation, Fleet, read_bare
from benchmarks.processes import OURS, RELAY, TUTORIAL, Kind, Meter, Process, logged_in, serving
from benchmarks.table import Row, at_least, at_most

RATE = 20  # tokens a second in each conversation
SPACING = 0.01  # seconds between the starts of two streams
GRACE = 10.0  # seconds a server may lag behind the model server before it is cut off
MAX_P99 = 100.0  # ms, with 300 conversations
QUESTION = "What is the weather in Oslo?"
AT_ONCE_ANSWER = '@@{"n": 3}@@'
ATTEMPTS = 3  # to measure streaming undisturbed
DISTURBED = 0.2  # cores used by other programs
SETTLE = 0.5  # seconds after which a turn has no work left
CROWD = 50  # conversations that stream at full speed
PEAKS = 3  # turns at full speed, of which the fastest counts
OPENED_AT_ONCE = 500  # connections between two looks at what the server asks of others
MAX_IDLE_KIB = 64  # of memory that an idle connection may take
MAX_MORE = 0.2  # ms of processor time that a handshake may take longer with a login
PACED = 20  # conversations that stream at RATE, in our server and in the relay


@dataclass(frozen=True)
class Extent:
    """The extent of a measurement."""

    seconds: float  # of streaming
    rounds: dict[int, int]  # number of conversations → rounds, in which the servers take turns
    first_tokens: int
    idle: int  # connections
    crowd: int  # connections beside which an honest client is measured
    window: int  # turns over which the CPU time is averaged
    peak_tokens: int  # in each conversation
    soak: int  # turns that people take who come and go


FULL = Extent(
    10, {1: 3, 20: 2, 100: 1, 300: 1}, first_tokens=30, idle=500, crowd=5000, window=10, peak_tokens=4000, soak=3600
)
QUICK = Extent(
    4, {1: 1, 20: 1, 100: 1, 300: 1}, first_tokens=10, idle=100, crowd=1000, window=4, peak_tokens=1500, soak=600
)


@dataclass
class Streamed:
    """The result of streaming with one server."""

    sent: int = 0
    delivered: int = 0
    misplaced: int = 0
    problems: list[str] = field(default_factory=list)  # of conversations that ended early
    cpu: float = 0
    delays: list[float] = field(default_factory=list)  # ms, of tokens sent while all conversations streamed
    others: float = 0  # cores used by programs outside the benchmark

    def add(self, other: Streamed) -> None:
        self.sent += other.sent
        self.delivered += other.delivered
        self.misplaced += other.misplaced
        self.cpu += other.cpu
        self.delays += other.delays

    def percentile(self, percent: int) -> float:
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] if ordered else float("inf")

    @property
    def share(self) -> float:
        return 100 * self.delivered / self.sent

    @property
    def cpu_per_10k(self) -> float:
        return self.cpu / self.delivered * 10_000 if self.delivered else float("inf")


def streaming(extent: Extent) -> list[Row]:
    """Measure rows 1 and 2: the delay that a server adds to each token, and its CPU time."""
    delays, cpu, misplaced = [], [], {TUTORIAL: 0, OURS: 0}
    for count, rounds in extent.rounds.items():
        results = {TUTORIAL: Streamed(), OURS: Streamed()}
        for _ in range(rounds):
            for kind, result in results.items():
                result.add(_stream_undisturbed(kind, count, extent.seconds))
        tutorial, ours = results[TUTORIAL], results[OURS]
        for kind, result in results.items():
            misplaced[kind] += result.misplaced
        name = f"{count} streaming"
        in_full = ours.delivered == ours.sent
        slowest = at_most(1, f"{name}: delay p99, ms", tutorial.percentile(99), ours.percentile(99))
        if count == max(extent.rounds):
            in_time = slowest.ours < MAX_P99
            slowest = Row(1, slowest.name, slowest.other, slowest.ours, f"< {MAX_P99:g} ms", in_time)
        delays += [
            Row(1, f"{name}: delivered, %", tutorial.share, ours.share, "100 %", in_full),
            at_most(1, f"{name}: delay p50, ms", tutorial.percentile(50), ours.percentile(50)),
            slowest,
        ]
        cpu.append(at_most(2, f"{name}: CPU s per 10,000 tokens", tutorial.cpu_per_10k, ours.cpu_per_10k))
    at_home = misplaced[OURS] == 0
    delays.append(Row(1, "tokens misplaced", misplaced[TUTORIAL], misplaced[OURS], "0", at_home, digits=0))
    return delays + cpu


def _stream_undisturbed(kind: Kind, count: int, seconds: float) -> Streamed:
    """Measure again while other programs disturb, up to ATTEMPTS times; return the least disturbed run."""
    runs: list[Streamed] = []
    while len(runs) < ATTEMPTS and all(run.others > DISTURBED for run in runs):
        runs.append(_stream(kind, count, seconds))
    calmest = min(runs, key=lambda run: run.others)
    calmest.misplaced = sum(run.misplaced for run in runs)
    return calmest


def _stream(kind: Kind, count: int, seconds: float) -> Streamed:
    tokens = round((seconds + count * SPACING) * RATE)
    with serving(kind) as server, Fleet(kind, server) as fleet:
        fleet.take_turns(fleet.open(count), AT_ONCE_ANSWER)  # builds the agents, so that only streaming is measured
        fleet.rest(SETTLE)
        gc.collect()
        gc.disable()  # a pause in this process would count as a delay of the server
        meter = Meter(server)
        last_start = fleet.stream(tokens, 1 / RATE, SPACING, GRACE)
        usage = meter.read()
        gc.enable()
        result = Streamed(sent=tokens * count, cpu=usage.seconds, others=usage.others)
        for conversation in fleet.conversations:
            result.delivered += conversation.delivered
            result.misplaced += conversation.misplaced
            result.problems += [conversation.problem] if conversation.problem is not None else []
            result.delays += [delay / 1e6 for sent, delay in conversation.delays if sent >= last_start]
    note(
        f"{kind.name}, {count} streaming: {result.share:.1f} % delivered, p50 {result.percentile(50):.2f} ms, "
        f"p99 {result.percentile(99):.2f} ms; {usage}"
    )
    if result.problems:
        note(f"  {len(result.problems)} conversations ended early, the first with: {result.problems[0]}")
    return result


def first_token(extent: Extent) -> list[Row]:
    """Measure row 3: the time from opening the TCP connection to the first token, without load."""
    times: dict[Kind, list[float]] = {TUTORIAL: [], OURS: []}
    with ExitStack() as stack:
        fleets = {kind: _fleet(stack, kind) for kind in times}
        for turn in range(extent.first_tokens + 3):
            for kind, fleet in fleets.items():
                opened = fleet.open()
                fleet.take_turns(opened, AT_ONCE_ANSWER)
                if turn >= 3:  # the first turns import modules and fill caches
                    times[kind].append((opened[0].first_token - opened[0].opened) / 1e6)
                fleet.drop(opened)
                fleet.rest(0.05)
    tutorial, ours = (statistics.median(times[kind]) for kind in (TUTORIAL, OURS))
    return [at_most(3, "connect to first token, ms", tutorial, ours, 0.2)]


def idle(extent: Extent) -> list[Row]:
    """Measure row 4: the memory and threads of idle connections."""
    memory: dict[Kind, tuple[float, float]] = {}
    threads: dict[Kind, tuple[float, float]] = {}
    for kind in (TUTORIAL, OURS):
        with ExitStack() as stack:
            fleet, server = _fleet_and_server(stack, kind)
            first = fleet.open()
            fleet.take_turns(first, QUESTION)
            fleet.drop(first)
            kept = [_kept(fleet, server)]
            opened = fleet.open(extent.idle)
            kept.append(_kept(fleet, server))
            fleet.take_turns(opened, QUESTION)
            kept.append(_kept(fleet, server))
        start, before, after = kept
        memory[kind] = ((before[0] - start[0]) / extent.idle, (after[0] - start[0]) / extent.idle)
        threads[kind] = ((before[1] - start[1]) / extent.idle, (after[1] - start[1]) / extent.idle)
        note(f"{kind.name}: {extent.idle} connections, {start[0]:,} → {before[0]:,} → {after[0]:,} KiB")
    rows = []
    for place, state, ratio in ((0, "before its first turn", 1.0), (1, "after a turn", 0.33)):
        tutorial, ours = memory[TUTORIAL][place], memory[OURS][place]
        rows.append(at_most(4, f"idle {state}: KiB per connection", tutorial, ours, ratio, digits=0))
        tutorial, ours = threads[TUTORIAL][place], threads[OURS][place]
        rows.append(at_most(4, f"idle {state}: threads per connection", tutorial, ours))
    return rows


def crowd(extent: Extent) -> list[Row]:
    """Measure row 8: what thousands of idle connections cost, and what a client beside them notices."""
    with ExitStack() as stack:
        fleet, server = _fleet_and_server(stack, OURS)
        alone = _first_token(fleet, extent.first_tokens)
        start = (*_kept(fleet, server), server.descriptors())
        for _ in range(extent.crowd // OPENED_AT_ONCE):
            fleet.open(OPENED_AT_ONCE)
            fleet.rest(0.1)  # answers pings
        end = (*_kept(fleet, server), server.descriptors())
        beside = _first_token(fleet, extent.first_tokens)
    memory, threads, descriptors = ((after - before) / extent.crowd for before, after in zip(start, end, strict=True))
    name = f"{extent.crowd:,} idle"
    rows = [
        at_most(8, f"{name}: connect to first token beside them, ms", alone, beside, 1.5),
        Row(8, f"{name}: KiB per connection", 0, memory, f"≤ {MAX_IDLE_KIB}", memory <= MAX_IDLE_KIB, digits=0),
        Row(8, f"{name}: threads per connection", 0, threads, "< 0.01", threads < 0.01),
        Row(8, f"{name}: descriptors per connection", 0, descriptors, "≤ 1.01", descriptors <= 1.01),
    ]
    return [replace(row, beside="alone") for row in rows]


def _first_token(fleet: Fleet, count: int) -> float:
    """Return the median time from opening a connection to the first token, in ms."""
    times = []
    for turn in range(count + 3):
        opened = fleet.open()
        fleet.take_turns(opened, AT_ONCE_ANSWER)
        if turn >= 3:  # the first turns import modules and fill caches
            times.append((opened[0].first_token - opened[0].opened) / 1e6)
        fleet.drop(opened)
        fleet.rest(0.05)
    return statistics.median(times)


def _kept(fleet: Fleet, server: Process) -> tuple[int, int]:
    fleet.rest(2 * SETTLE)
    return server.memory(), server.threads()


def long_conversation(extent: Extent) -> list[Row]:
    """Measure row 5: the CPU time of turns early and late in a conversation."""
    costs: dict[Kind, list[float]] = {}
    for kind in (TUTORIAL, OURS):
        with ExitStack() as stack:
            fleet, server = _fleet_and_server(stack, kind)
            fleet.take_turns(fleet.open(2), QUESTION)
            fresh = fleet.open(extent.window)
            costs[kind] = [_cpu_per_turn(fleet, server, [[one] for one in fresh])]
            conversation, done = fresh[:1], 1
            for turn in (50, 200):
                for _ in range(turn - extent.window // 2 - done):
                    fleet.take_turns(conversation, QUESTION)
                costs[kind].append(_cpu_per_turn(fleet, server, [conversation] * extent.window))
                done = turn + extent.window // 2
            note(f"{kind.name}: CPU ms of turn 1, 50, 200: " + ", ".join(f"{cost:.1f}" for cost in costs[kind]))
    first, middle, last = zip(costs[TUTORIAL], costs[OURS], strict=True)
    rows = [at_most(5, "turn 1: CPU ms", *first), at_most(5, "turn 50: CPU ms", *middle)]
    return [*rows, Row(5, "turn 200: CPU ms", *last, "≤ 2 × our turn 1", last[1] <= 2 * first[1])]


def _cpu_per_turn(fleet: Fleet, server: Process, turns: Sequence[Sequence[Conversation]]) -> float:
    fleet.rest(SETTLE)
    before = server.cpu()
    for conversations in turns:
        fleet.take_turns(conversations, QUESTION)
    fleet.rest(SETTLE)
    return (server.cpu() - before) / len(turns) * 1000


@dataclass
class Peak:
    """The result of streaming at full speed with one server."""

    capacity: float  # tokens per second of the model server
    rate: float = 0  # tokens per second that arrived in the fastest turn
    sent: int = 0
    delivered: int = 0
    misplaced: int = 0

    @property
    def share(self) -> float:
        return 100 * self.delivered / self.sent


def full_speed(extent: Extent) -> list[Row]:
    """Measure row 6: the tokens per second that reach clients when the model server writes as fast as it can."""
    relay, ours = (_peak(kind, extent.peak_tokens) for kind in (RELAY, OURS))
    in_full = ours.delivered == ours.sent and not ours.misplaced
    is_idle = min(relay.capacity, ours.capacity) > 2 * max(relay.rate, ours.rate)
    rows = [
        at_least(6, f"{CROWD} at full speed: tokens per second", relay.rate, ours.rate, digits=0),
        Row(6, f"{CROWD} at full speed: delivered, %", relay.share, ours.share, "100 %", in_full),
        Row(6, "model server alone: tokens per second", relay.capacity, ours.capacity, "> 2 × both", is_idle, digits=0),
    ]
    return _beside_relay(rows)


def _peak(kind: Kind, tokens: int) -> Peak:
    model_server = ["-m", "benchmarks.fast_model_server", "--conversations", str(CROWD)]
    with serving(kind, model_server) as server, Fleet(kind, server) as fleet:
        assert server.model is not None
        peak = Peak(max(read_bare(server.model.url, CROWD, tokens) for _ in range(PEAKS)))
        fleet.take_turns(fleet.open(CROWD), AT_ONCE_ANSWER)
        for _ in range(PEAKS):
            fleet.rest(SETTLE)
            meter = Meter(server)
            fleet.stream(tokens, delay=0, spacing=SPACING, grace=TURN_TIMEOUT)
            conversations = fleet.conversations
            for problem in {conversation.problem for conversation in conversations} - {None}:
                note(f"  a conversation ended early: {problem}")
            delivered = sum(conversation.delivered for conversation in conversations)
            first = min(conversation.first_token for conversation in conversations)
            last = max(conversation.last_token for conversation in conversations)
            rate = delivered / (last - first) * 1e9 if delivered else 0
            note(f"{kind.name}, {CROWD} at full speed: {rate:,.0f} tokens per second; {meter.read()}")
            peak.rate = max(peak.rate, rate)
            peak.sent += CROWD * tokens
            peak.delivered += delivered
        peak.misplaced = sum(conversation.misplaced for conversation in conversations)
    return peak


def paced(extent: Extent) -> list[Row]:
    """Measure row 7: rows 1 and 2 beside the relay."""
    relay, ours = Streamed(), Streamed()
    for _ in range(extent.rounds[PACED]):
        relay.add(_stream_undisturbed(RELAY, PACED, extent.seconds))
        ours.add(_stream_undisturbed(OURS, PACED, extent.seconds))
    name = f"{PACED} streaming"
    rows = [
        at_most(7, f"{name}: CPU s per 10,000 tokens", relay.cpu_per_10k, ours.cpu_per_10k, 1.2),
        at_most(7, f"{name}: delay p50, ms", relay.percentile(50), ours.percentile(50)),
        at_most(7, f"{name}: delay p99, ms", relay.percentile(99), ours.percentile(99)),
    ]
    return _beside_relay(rows)


def pauses(extent: Extent) -> list[Row]:
    """Measure row 9: the longest pause to collect garbage while people come, talk and go."""
    longest = soak.soak(extent.soak, CROWD, looks=1, is_timed=True)[-1].pause
    name = f"{extent.soak:,} turns: longest pause to collect garbage, ms"
    return [Row(9, name, 0, longest, f"≤ {soak.MAX_PAUSE:g}", longest <= soak.MAX_PAUSE, beside="alone")]


def identity(extent: Extent) -> list[Row]:
    """Measure row 10: the cost of knowing who is at the other end."""
    handshakes, tokens = [], []
    for kind in (OURS, logged_in()):
        with ExitStack() as stack:
            fleet, server = _fleet_and_server(stack, kind)
            fleet.drop(fleet.open(CROWD))  # the first are slower
            fleet.rest(SETTLE)
            before = server.cpu()
            for _ in range(extent.idle):
                fleet.drop(fleet.open())
            fleet.rest(SETTLE)
            handshakes.append((server.cpu() - before) / extent.idle * 1000)
        tokens.append(_stream_undisturbed(kind, PACED, extent.seconds).cpu_per_10k)
    (without, beside), (plain, shown) = handshakes, tokens
    goal, is_met = f"≤ {MAX_MORE} more", beside - without <= MAX_MORE
    rows = [
        Row(10, "a connection, opened and closed: CPU ms", without, beside, goal, is_met),
        at_most(10, f"{PACED} streaming: CPU s per 10,000 tokens", plain, shown, 1.1),
    ]
    return [replace(row, beside="without accounts") for row in rows]


def rendering_beside_tokens(extent: Extent) -> list[Row]:
    """Measure row 11: rendering what many pages read, beside the tokens themselves."""
    return rendering.rendering(extent.seconds)


def page_by_length(extent: Extent) -> list[Row]:
    """Measure row 12: what the page takes for an answer, by its length."""
    try:
        from benchmarks import page
    except ImportError as error:
        raise MeasurementError("Playwright is missing, which the other rows do without") from error
    return page.page(extent.seconds)


def _beside_relay(rows: Sequence[Row]) -> list[Row]:
    return [replace(row, beside=RELAY.name) for row in rows]


def _fleet(stack: ExitStack, kind: Kind) -> Fleet:
    return _fleet_and_server(stack, kind)[0]


def _fleet_and_server(stack: ExitStack, kind: Kind) -> tuple[Fleet, Process]:
    server = stack.enter_context(serving(kind))
    return stack.enter_context(Fleet(kind, server)), server


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


MEASUREMENTS: list[tuple[frozenset[int], Callable[[Extent], list[Row]]]] = [
    (frozenset({1, 2}), streaming),
    (frozenset({3}), first_token),
    (frozenset({4}), idle),
    (frozenset({5}), long_conversation),
    (frozenset({6}), full_speed),
    (frozenset({7}), paced),
    (frozenset({8}), crowd),
    (frozenset({9}), pauses),
    (frozenset({10}), identity),
    (frozenset({11}), rendering_beside_tokens),
    (frozenset({12}), page_by_length),
]
