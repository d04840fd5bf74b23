"""The processes that render: what is too long or takes too long, and who else waits meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE

import pytest

from agentchat.protocol.errors import ChatError
from agentchat.rendering import Rendering
from agentchat.rendering.blocks import Block
from agentchat.rendering.cache import Cache
from agentchat.rendering.plain import MAX_CHARS, cut
from agentchat.rendering.process import Process
from agentchat.rendering.turns import Turns
from tests.clients import wait_until

ROOT = Path(__file__).resolve().parent.parent
SLOW = "|a" * 1000 + "\n" + "|-" * 1000 + "\n" + "|\n" * 3000
"""A table of which most is not written."""


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    with contextlib.closing(Process()) as process:
        yield process


@pytest.fixture(scope="module")
def rendering() -> Iterator[Rendering]:
    with contextlib.closing(Rendering()) as rendering:
        yield rendering


def test_a_text(process: Process) -> None:
    blocks, taken = process.render("# Oslo", 10)
    assert blocks == [Block("<h1>Oslo</h1>", 1)]
    assert taken > 0


def test_a_text_that_takes_too_long(process: Process) -> None:
    """It is given up, and the process goes on with the next."""
    process.render("a", 10)
    before = process.pid
    blocks, _ = process.render(SLOW, 0.05)
    assert blocks is None
    assert process.render("a", 10)[0] == [Block("<p>a</p>", 1)]
    assert process.pid == before


def test_a_process_that_ended(process: Process) -> None:
    """Another one is started."""
    process.render("a", 10)
    before = process.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    assert process.render("a", 10)[0] == [Block("<p>a</p>", 1)]
    assert process.pid != before


def test_a_server_that_is_killed() -> None:
    """Its processes end with it."""
    begin = "import sys; from agentchat.rendering.process import Process; process = Process(); process.start(); "
    begin += "print(process.pid, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", begin], cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as server:
        assert server.stdout is not None
        started = Path("/proc") / server.stdout.readline().strip()
        assert started.exists()
        server.kill()
    wait_until(lambda: not started.exists())


def test_keys_stay_with_the_server(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-you")
    process.close()
    process.render("a", 10)
    assert b"sk-not-for-you" not in Path(f"/proc/{process.pid}/environ").read_bytes()


def test_a_text_that_becomes_too_much(process: Process) -> None:
    assert process.render("[^1]" * 45_000 + "\n\n[^1]: a", 60)[0] is None


@pytest.mark.parametrize("text", ["[" * 50_000, "a" * 2_000_000, "> " * 50_000, SLOW], ids=range(4))
def test_nasty_texts(rendering: Rendering, text: str) -> None:
    """Each is rendered, or comes as it was written, within the time for a text."""
    blocks = rendering.blocks(text)
    assert blocks[0].html.startswith("<")
    assert blocks[-1].lines == text.rstrip("\n").count("\n") + 1


def test_a_text_that_is_too_long(rendering: Rendering) -> None:
    """The rest beyond the limit comes as it was written, from the end of a paragraph on."""
    paragraph = "*a*" + " word" * 100 + "\n\n"
    text = paragraph * (MAX_CHARS // len(paragraph) + 2)
    head, rest = cut(text)
    assert head + rest == text
    assert rest.startswith("\n*a*")
    *rendered, last = rendering.blocks(text)
    assert {block.html[:10] for block in rendered} == {"<p><em>a</"}
    assert last.html.startswith('<pre class="plain">\n*a*')
    assert last.lines == text.count("\n")


def test_a_text_that_many_ask_for(rendering: Rendering) -> None:
    """It is rendered once; whoever asks meanwhile waits for the same."""
    entered, go_on = threading.Event(), threading.Event()
    held: list[str] = []

    @contextlib.contextmanager
    def hold(name: str) -> Iterator[None]:
        held.append(name)
        entered.set()
        assert go_on.wait(60)
        yield

    with ThreadPoolExecutor() as pool:
        first = pool.submit(rendering.blocks, "# One", lambda: hold("first"))
        assert entered.wait(60)
        others = [pool.submit(rendering.blocks, "# One", lambda: hold("other")) for _ in range(3)]
        assert rendering.blocks("# Two")[0].html == "<h1>Two</h1>"  # nobody else waits
        go_on.set()
        assert {future.result(60)[0].html for future in (first, *others)} == {"<h1>One</h1>"}
    assert held == ["first"]
    assert rendering.blocks("# One", lambda: hold("later"))
    assert held == ["first"]


def test_whoever_may_not(rendering: Rendering) -> None:
    """Somebody who has too much rendered already keeps nobody else from it."""

    @contextlib.contextmanager
    def refuse() -> Iterator[None]:
        raise ChatError("server_full", what="texts")
        yield

    with pytest.raises(ChatError):
        rendering.blocks("# Three", refuse)
    assert rendering.blocks("# Three")[0].html == "<h1>Three</h1>"


def test_one_text_at_a_time_for_each_person() -> None:
    """Somebody's second text waits for the first, and nobody else's does."""
    turns = Turns()
    entered, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with turns.turn("ann"):
            entered.set()
            assert go_on.wait(60)
            order.append("first")

    def second() -> None:
        with turns.turn("ann"):
            order.append("second")

    with ThreadPoolExecutor() as pool:
        begun = pool.submit(first)
        assert entered.wait(60)
        waiting = pool.submit(second)
        with turns.turn("ben"):
            order.append("ben")
        go_on.set()
        begun.result(60)
        waiting.result(60)
    assert order == ["ben", "first", "second"]
    assert len(turns) == 0


def test_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts come as they were written while no process can be started, and are rendered once one can."""
    with contextlib.closing(Rendering()) as rendering:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", "/nowhere/python")
            rendering.prepare()
            assert rendering.blocks("*a*")[0].html == '<pre class="plain">*a*</pre>'
        assert rendering.blocks("*a*")[0].html == "<p><em>a</em></p>"


def test_the_cache_is_bounded() -> None:
    cache = Cache(10_000)
    for number in range(100):
        cache.put(str(number), [Block("x" * 1000, 1)])
        cache.get("0")
    assert cache.size <= 10_000
    assert cache.get("0") is not None  # used all the time
    assert cache.get("50") is None
    cache.put("large", [Block("x" * 5000, 1)])
    assert cache.get("large") is None
    assert cache.get("99") is not None
