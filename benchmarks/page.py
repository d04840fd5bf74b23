"""Row 12: what the page takes for an answer that streams in, by its length."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from benchmarks import MeasurementError
from benchmarks.processes import OURS, free_port, serving
from benchmarks.table import Row, at_most
from tests.browser import FLAGS, NAMES
from tests.pages import say, turn

RATE = 200  # tokens a second
TIMES = 4  # as long
SLACK = 1.3
PATIENCE = 120.0  # seconds beyond those of the stream


def page(seconds: float) -> list[Row]:
    """Return the row: the processor time of the page's main thread for a paragraph, beside that for a quarter of it."""
    executable = next((path for name in NAMES if (path := shutil.which(name))), None)
    if executable is None:
        raise MeasurementError("Chromium is missing")
    port, tokens = free_port(), round(seconds * RATE)
    kind = replace(OURS, command=lambda folder: [*OURS.command(folder), "--port", str(port)])
    with serving(kind), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        tab = browser.new_page()
        tab.goto(f"http://127.0.0.1:{port}/")
        _stream(tab, 1, 3)  # builds the agents
        short = _stream(tab, 2, tokens)
        long = _stream(tab, 3, TIMES * tokens)
        browser.close()
    name = f"the page: CPU s for {TIMES * tokens:,} tokens of one paragraph, and {TIMES} × those for {tokens:,}"
    return [replace(at_most(12, name, TIMES * short, long, SLACK), beside=f"{TIMES} × a quarter")]


def _stream(tab: Page, number: int, tokens: int) -> float:
    """Let an answer of so many tokens stream in, and return the processor time that the page took for it."""
    session = tab.context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _main_thread(session.send("Performance.getMetrics"))
    say(tab, f'@@{{"n": {tokens}, "delay": {1 / RATE}}}@@')
    answer = turn(tab, number)
    expect(answer).to_have_attribute("data-state", "completed", timeout=1000 * (tokens / RATE + PATIENCE))
    expect(answer.locator('[data-role="agent"] .prose')).to_contain_text(re.compile(rf"\b{tokens - 1}\b"))
    return _main_thread(session.send("Performance.getMetrics")) - before


def _main_thread(answer: dict[str, Any]) -> float:
    return next(float(each["value"]) for each in answer["metrics"] if each["name"] == "TaskDuration")
