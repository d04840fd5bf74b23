"""Row 11: what rendering costs beside the tokens, while many pages read the same conversation."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import replace

from benchmarks import MeasurementError
from benchmarks.load import Conversation, Fleet
from benchmarks.processes import OURS, ROOT, Kind, Process, free_port, serving
from benchmarks.table import Row, at_most

PAGES = 100
RATE = 50  # tokens a second
TOKEN = 4.5  # characters, on average
SESSIONS, RENDER = "/api/agent-chat/sessions", "/api/agent-chat/render"
JSON = {"Content-Type": "application/json"}


def rendering(seconds: float) -> list[Row]:
    """Return the row: the processor time of tokens that stream into all pages, and of what the pages ask for them."""
    port, tokens = free_port(), round(seconds * RATE)
    kind = replace(OURS, command=lambda folder: [*OURS.command(folder), "--port", str(port)])
    with serving(kind) as server, contextlib.ExitStack() as stack:
        pages = [stack.enter_context(contextlib.closing(_connection(port))) for _ in range(PAGES)]
        delivering = _deliver(kind, server, _ask(pages[0], SESSIONS, {"agent": "weather"})["id"], tokens)
        _ask(pages[0], RENDER, {"texts": ["warm"]})
        before = server.cpu() + server.cpu_of_children()
        for page, texts in _asked(_text(tokens), seconds):
            _ask(pages[page], RENDER, {"texts": texts})
        asking = server.cpu() + server.cpu_of_children() - before
    name = f"{PAGES} pages of one conversation: CPU s for {tokens} tokens, and for rendering them"
    return [replace(at_most(11, name, delivering, asking), beside="tokens")]


def _deliver(kind: Kind, server: Process, session: str, tokens: int) -> float:
    """Stream an answer into all pages, and return the processor time that it took."""
    with Fleet(kind, server) as fleet:
        readers = fleet.open(PAGES, f"/?session={session}")
        fleet.talk([(readers[0], '@@{"n": 3}@@')], 1)  # builds the agents
        fleet.rest(0.5)
        for reader in readers:
            reader.stamp = "c"
        before = server.cpu()
        fleet.talk([(readers[0], f'@@{{"n": {tokens}, "delay": {1 / RATE}, "stamp": "c"}}@@')], 1)
        fleet.rest(0.5)
        if late := [reader for reader in readers[1:] if not _has_all(reader, tokens)]:
            raise MeasurementError(f"{len(late)} pages got {late[0].delivered} of {tokens} tokens")
        return server.cpu() - before


def _has_all(reader: Conversation, tokens: int) -> bool:
    return reader.delivered == tokens


def _text(tokens: int) -> str:
    """Return Markdown as long as so many tokens."""
    text = (ROOT / "README.md").read_text() + (ROOT / "docs" / "protocol.md").read_text()
    return text[: round(tokens * TOKEN)]


def _asked(text: str, seconds: float) -> Iterator[tuple[int, list[str]]]:
    """Yield what pages ask for while a text streams in, once a second: the blocks that were closed, and the open one.

    Pages ask at moments of their own, so that the open block is seldom the same for two of them.
    """
    ends = [found.end() for found in re.finditer(r"\n\n+", text)]
    done = [0] * PAGES
    for moment in range(round(seconds) * PAGES):
        page, arrived = moment % PAGES, text[: round((moment + 1) / PAGES * RATE * TOKEN)]
        closed = [end for end in ends if done[page] < end <= len(arrived)]
        starts = [done[page], *closed]
        texts = [arrived[start:end] for start, end in zip(starts, [*closed, len(arrived)], strict=True)]
        done[page] = starts[-1]
        yield page, [each for each in texts if each.strip()]


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port)


def _ask(page: http.client.HTTPConnection, path: str, body: object) -> dict[str, str]:
    page.request("POST", path, json.dumps(body), JSON)
    response = page.getresponse()
    answer = response.read()
    if response.status >= 300:
        raise MeasurementError(f"{path} was answered {response.status}: {answer[:200]!r}")
    about: dict[str, str] = json.loads(answer)
    return about
