"""The log: a line for each turn, the access log, and lines of JSON; no words of people and no secrets."""

from __future__ import annotations

import io
import json
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from agentchat import logs
from agentchat.net import access_log
from tests.clients import PATIENCE, ChatClient, wait_until
from tests.conftest import KEY, Serve, config_list
from tests.model_server import ModelServer, Reply
from tests.processes import ServerProcess
from tests.rest_client import RestClient
from tests.shared_servers import Served

SECRET = "t0p-s3cret"
BEHIND_PROXY = ("--access-log", "--no-auth", "--trusted-proxies", "127.0.0.1")

Lines = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """Return the fields of the records so far of the logger with that name."""
    caplog.set_level(logging.INFO)
    return lambda name: [
        {"text": record.getMessage(), **getattr(record, "fields", {})}
        for record in caplog.records
        if record.name == name
    ]


@pytest.fixture
def server(serve: Serve, model: ModelServer) -> Served:
    return serve(*BEHIND_PROXY, model=model)


def test_a_line_for_each_turn(server: Served, model: ModelServer, lines: Lines) -> None:
    """The end of a turn is one line with all that counts, and without a word of it."""
    model.script(Reply("Some private words", usage=(7, 3)), Reply(status=400))
    with ChatClient(server.websocket, agent="weather", name="Ada") as client:
        session = client.confirmed()["session_id"]
        client.ask("A private question")
        client.ask("Another private question")
        wait_until(lambda: len(lines("agentchat.sessions.turn_runner")) == 2)
    first, second = lines("agentchat.sessions.turn_runner")
    assert {**first, "text": "", "ms": 0, "person": ""} == {
        "text": "",
        "session": session,
        "turn": 1,
        "agent": "weather",
        "status": "completed",
        "ms": 0,
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "cost": None,
        "person": "",
    }
    assert (second["turn"], second["status"]) == (2, "failed")
    assert first["person"].startswith("n-")
    assert f"Turn 1 of {session} by weather for {first['person']}: completed after" in first["text"]
    assert "7 + 3 tokens" in first["text"]
    assert "rivate" not in first["text"] + second["text"]


def test_a_line_for_each_request(server: Served, lines: Lines) -> None:
    """A request is one line: what was asked, how it was answered, and for whom, through a proxy as well."""
    headers = {"X-Forwarded-For": "203.0.113.7"}
    answer = RestClient(server).ask("GET", f"/api/config?ticket={SECRET}&limit=3&{SECRET}&q=words", headers=headers)
    size = int(answer.headers["content-length"])
    wait_until(lambda: len(lines(access_log.__name__)) == 1)
    [line] = lines(access_log.__name__)
    assert (line["method"], line["path"]) == ("GET", "/api/config?ticket=…&limit=3&…&q=…")
    assert (line["status"], line["address"], line["user"]) == (200, "203.0.113.7", None)
    assert line["bytes"] > size
    assert line["ms"] >= 0
    assert line["text"].startswith("GET /api/config?ticket=…&limit=3&…&q=…: 200, ")
    assert SECRET not in str(line)


def test_a_request_that_is_none(server: Served, lines: Lines) -> None:
    """Bytes that are no request at all are a line as well."""
    host, port = server.page.removeprefix("http://").strip("/").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"\x16\x03\x01nonsense\n")
        while client.recv(4096):
            pass
    [line] = lines(access_log.__name__)
    assert (line["method"], line["path"], line["status"]) == (None, None, 400)
    assert line["text"].startswith("- -: 400, ")


@pytest.mark.parametrize("path", ["/", "/ws"])
def test_lines_for_a_websocket(server: Served, lines: Lines, path: str) -> None:
    """A WebSocket at either port is a line when it opens, and one with its code and duration when it has closed."""
    address = server.websocket if path == "/" else f"ws{server.page.removeprefix('http')}ws"
    with ChatClient(address, agent="weather", name="Ada Lovelace", ticket=SECRET) as client:
        session = client.confirmed()["session_id"]
        wait_until(lambda: len(lines(access_log.__name__)) == 1)
    wait_until(lambda: len(lines(access_log.__name__)) == 2)
    opened, closed = lines(access_log.__name__)
    assert (opened["event"], closed["event"]) == ("websocket opens", "websocket closes")
    assert opened["path"] == closed["path"] == f"{path}?agent=weather&name=…&ticket=…"
    assert opened["session"] == closed["session"] == session
    assert opened["user"] == closed["user"]
    assert opened["user"].startswith("n-")
    assert (closed["code"], closed["address"]) == (1000, "127.0.0.1")
    assert f"closes with 1000 after {closed['ms']} ms" in closed["text"]
    assert "Ada" not in str([opened, closed])
    assert SECRET not in str([opened, closed])


def test_websockets_that_end_badly(server: Served, lines: Lines) -> None:
    """One that is refused, one that cannot begin and one that is cut are told apart by their codes."""
    with pytest.raises(InvalidStatus, match="403"):
        ChatClient(server.websocket, origin="https://elsewhere.example")
    with ChatClient(server.websocket, agent="nobody") as refused:
        assert refused.close_code() == 1008
    with ChatClient(server.websocket) as cut:
        cut.confirmed()
        cut.cut()
    wait_until(lambda: len(lines(access_log.__name__)) == 5)
    told = lines(access_log.__name__)
    assert told[0]["status"] == 403
    assert [line["code"] for line in told if "code" in line] == [1008, 1006]


def test_websockets_for_which_there_is_no_room(serve: Serve, model: ModelServer, lines: Lines) -> None:
    """One that is refused because its address has too many is logged, with its status."""
    served = serve(*BEHIND_PROXY, "--ws-connections-per-address", "1", model=model)
    forwarded = {"X-Forwarded-For": "203.0.113.7"}
    with connect(served.websocket, additional_headers=forwarded, proxy=None) as client:
        client.recv(PATIENCE)
        with pytest.raises(InvalidStatus):
            connect(served.websocket, additional_headers=forwarded, proxy=None)
        wait_until(lambda: len(lines(access_log.__name__)) == 2)
    refused = lines(access_log.__name__)[1]
    assert (refused["status"], refused["address"]) == (429, "203.0.113.7")


def test_it_is_off_by_default(serve: Serve, model: ModelServer, lines: Lines) -> None:
    """Nobody gets an access log unasked."""
    served = serve(model=model)
    RestClient(served).ask("GET", "/api/config")
    with ChatClient(served.websocket) as client:
        client.confirmed()
    assert lines(access_log.__name__) == []


@pytest.mark.parametrize(
    ("path", "query", "shown"),
    [
        ("/", "", "/"),
        ("/x", "agent=a&ticket=b", "/x?agent=a&ticket=…"),
        ("/x", f"{SECRET}&={SECRET}&{SECRET}=1&AGENT={SECRET}", "/x?…&…&…&…"),
        ("/a\x1b[2J\nb\u202e", "", "/a\\x1b[2J\\nb\\u202e"),
        ("/" + "x" * 1000, "", "/" + "x" * 498 + "…"),
    ],
)
def test_how_addresses_are_logged(path: str, query: str, shown: str) -> None:
    """Only the values of parameters that are known to be harmless are logged, and nothing that moves a terminal."""
    assert access_log.shown(path, query) == shown


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Return what the root logger writes."""
    root, output = logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(output)
    handlers, root.handlers = root.handlers, [handler]
    yield output
    root.handlers = handlers


@pytest.mark.parametrize("format", [logging.Formatter(), logs.JsonLines()])
def test_keys_stay_out_of_every_form(written: io.StringIO, format: logging.Formatter) -> None:
    """A key in a message, in an argument, in a field or in an exception is replaced, in text and in JSON."""
    key = 'sk-"quoted"\\key'
    logging.getLogger().handlers[0].setFormatter(format)
    logs.hide(lambda text: text.replace("nothing", ""))
    logs.hide(lambda text: text.replace(key, "[key]"))  # the next server in the same process
    told = logs.fields(what=key, odd={key}, many=[key])
    logging.getLogger("x").error("It said %s", key, extra=told, exc_info=ValueError(f"refused: {key}"))
    assert "It said [key]" in written.getvalue()
    assert "refused: [key]" in written.getvalue()
    assert "quoted" not in written.getvalue()


def test_lines_of_json(tmp_path: Path, model: ModelServer) -> None:
    """With `--log-format json` each line on standard error is an object, also for requests, turns and warnings."""
    options = ("--agents", "agents", "--port", "0", "--ws-port", "0", "--log-format", "json", "--access-log")
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "odd.py").write_text(
        "import threading, warnings\n"
        "def on_message(message):\n"
        "    warnings.warn('careful')\n"
        "    thread = threading.Thread(target=lambda: 1 / 0)\n"
        "    thread.start()\n"
        "    thread.join()\n"
        f"    raise RuntimeError('{KEY}')\n"
    )
    with ServerProcess(tmp_path, *options, environment=config_list(model)) as server:
        with ChatClient(server.websocket) as client:
            client.ask("hello")
        server.signal(signal.SIGTERM)
        assert server.end() == 0
    lines = [json.loads(line) for line in server.errors.splitlines()]
    assert all({"ts", "level", "logger", "message"} <= line.keys() for line in lines)
    [turn] = [line for line in lines if line.get("status") == "failed"]
    assert (turn["turn"], turn["agent"]) == (1, "odd")
    assert {line["event"] for line in lines if "event" in line} == {"websocket opens", "websocket closes"}
    exceptions = "".join(line.get("exception", "") for line in lines)
    assert "ZeroDivisionError" in exceptions
    assert "RuntimeError: [key]" in exceptions
    assert any("careful" in line["message"] for line in lines)
    assert KEY not in server.errors
