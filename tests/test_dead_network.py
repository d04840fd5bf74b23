"""A network that dies without a word: clients notice, and go on where they were. No event is lost or comes twice."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from threading import Event, Timer
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from agentchat.app import Running
from tests.clients import PATIENCE, Frame, contents, types, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import answers, say, turn
from tests.processes import ROOT
from tests.proxy_server import ProxyServer
from tests.rest_client import RestClient

pytest_plugins = ["tests.browser"]

STATUSES = """() => {
    const status = document.querySelector(".status");
    window.statuses = ["online"];
    const note = ({ oldValue }) => oldValue !== status.dataset.status && window.statuses.push(status.dataset.status);
    new MutationObserver((all) => note(all[0])).observe(status, { attributes: true, attributeOldValue: true });
}"""


@pytest.fixture
def server(serve: Serve, model: ModelServer) -> Running:
    """Start a server whose silence is noticed within little more than a second."""
    return serve("--heartbeat", "0.5", model=model)


@pytest.fixture
def half(model: ModelServer) -> Event:
    """Script an answer that stops after its first word until the event is set."""
    gate = Event()
    model.script(Reply("one two three", gate_after=(1, gate)))
    return gate


def example(page: str, language: str, number: int) -> str:
    """Return an example of the documents, by its number among those in that language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.DOTALL | re.MULTILINE)
    return str(found[number])


def port(address: str) -> int:
    return urlsplit(address).port or 0


def in_order(frames: list[Frame]) -> bool:
    """Return True if these frames have all events of a log from its beginning, each once."""
    found = [frame["seq"] for frame in frames if "seq" in frame]
    return found == list(range(1, len(found) + 1)) != []


def test_the_example_in_python(server: Running, half: Event) -> None:
    """The example of the documents gets each event once, although its network dies in the middle of an answer."""
    code = example("protocol.md", "python", 1).partition("\n\n\nfor frame in")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    got: list[Frame] = []
    with ProxyServer(port(server.page)) as proxy:
        for frame in names["frames"](proxy.url("ws") + "/ws", "weather"):
            got.append(frame)
            if frame["type"] == "stream" and not half.is_set():
                proxy.swallow()
                half.set()
            if frame["type"] == "turn_completed":
                break
    assert in_order(got)
    assert len(contents(got, "connection_confirmed")) == 2
    assert contents(got, "text")[-1]["content"] == "one two three"


def test_the_example_in_javascript(server: Running, half: Event, tmp_path: Path) -> None:
    """The same in JavaScript, run by Node."""
    code = example("protocol.md", "js", 0).replace("JSON.parse(data);", "JSON.parse(data); console.log(data);")
    got: list[Frame] = []
    said: list[str] = []
    with ProxyServer(port(server.page)) as proxy:
        (tmp_path / "example.mjs").write_text(code.replace("ws://127.0.0.1:8001", proxy.url("ws")))
        command = ["node", "--experimental-websocket", "--no-warnings", str(tmp_path / "example.mjs")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
            patience = Timer(PATIENCE, node.kill)
            patience.start()
            assert node.stdout is not None
            for line in node.stdout:
                if not line.startswith("{"):
                    said.append(line.strip())
                    continue
                got.append(json.loads(line))
                if got[-1]["type"] == "stream" and not half.is_set():
                    proxy.swallow()
                    half.set()
                if got[-1]["type"] == "turn_completed":
                    break
            patience.cancel()
            node.kill()
    assert in_order(got)
    assert len(contents(got, "connection_confirmed")) == 2
    assert said == ["forecaster: one two three"]


def test_the_example_of_an_event_source(server: Running, half: Event, page: Page) -> None:
    """The same with the event stream of a browser, which would never notice by itself."""
    session = RestClient(server).new_session()
    code = example("rest.md", "js", 0).replace("JSON.parse(data);", "JSON.parse(data); window.got.push(data);")
    with ProxyServer(port(server.page)) as proxy:
        page.goto(proxy.url("http"))
        page.evaluate(f"window.got = []; const id = {json.dumps(session.id)}; {code}")
        session.post("messages", {"text": "hello"})
        wait_until(lambda: "stream" in types(got(page)))
        proxy.swallow()
        half.set()
        wait_until(lambda: "turn_completed" in types(got(page)))
        assert in_order(got(page))
        assert len(contents(got(page), "connection_confirmed")) == 2


def got(page: Page) -> list[Frame]:
    return [json.loads(data) for data in page.evaluate("window.got")]


def test_the_page(server: Running, half: Event, network: tuple[Page, ProxyServer]) -> None:
    """The page says that it has lost the connection, without anybody typing, and then has the whole answer."""
    page, proxy = network
    page.goto(server.page)
    say(page, "count")
    expect(page.locator('.message[data-role="agent"]')).to_contain_text("one")
    expect(page.locator(".status-label")).to_have_text("Online")
    page.evaluate(STATUSES)
    proxy.swallow()
    half.set()
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    assert answers(page) == ["one two three"]
    assert page.evaluate("window.statuses") == ["online", "offline", "online"]


def test_the_desk(server: Running, network: tuple[Page, ProxyServer]) -> None:
    """The desk does so, too: no operator waits at a desk that is cut off."""
    page, proxy = network
    page.add_init_script("localStorage.setItem('agentchat.operator', '\"Ann\"')")
    page.goto(f"{server.page}desk")
    expect(page.locator(".status-label")).to_have_text("Online")
    page.evaluate(STATUSES)
    proxy.swallow()
    RestClient(server).new_session().post("take", {"name": "Bob"})
    expect(page.get_by_text("With Bob")).to_be_visible()
    assert page.evaluate("window.statuses") == ["online", "offline", "online"]
