"""Sessions as event streams: for browsers, for libraries, and after every kind of cut."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import httpx_sse
import pytest
from playwright.sync_api import Page

from agentchat.app import Running
from agentchat.http import waiting
from tests.clients import PATIENCE, ChatClient, Frame, types, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import Conversation, RestClient

pytest_plugins = ["tests.browser"]

QUESTION = "What is the weather in Oslo?"


@pytest.fixture
def session(server: Running) -> Conversation:
    return RestClient(server).new_session()


def request_threads() -> int:
    return sum(thread.name == "http-request" for thread in threading.enumerate())


def test_format(session: Conversation) -> None:
    """A stream starts with `retry` and the confirmation, followed by the log with its ids."""
    session.ask("hello")
    with session.stream() as stream:
        headers = stream.response.headers
        messages = stream.messages()
        first, second = next(messages), next(messages)

    assert (stream.response.status, headers["Content-Type"]) == (200, "text/event-stream")
    assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-cache", "no")
    assert (headers["Connection"], headers["Content-Length"]) == ("close", None)
    assert (first.retry, first.id, first.frame["type"]) == ("2000", "", "connection_confirmed")
    assert (second.id, second.frame) == (f"{first.frame['content']['epoch']}-1", session.log[0])


def test_stream_equals_websocket(server: Running, session: Conversation) -> None:
    """A stream sends the frames of the WebSocket, including the text as it is written."""
    with session.stream() as stream, ChatClient(server.websocket, session=session.id) as client:
        assert set(stream.receive()["content"]) == set(client.confirmed())
        session.post("messages", {"text": QUESTION})
        stream.until("turn_completed")
        client.until("turn_completed")

    assert stream.log == client.log
    assert types(stream.log)[-2:] == ["text", "turn_completed"]
    streamed = "".join(frame["content"]["content"] for frame in stream.frames if frame["type"] == "stream")
    assert streamed == stream.log[-2]["content"]["content"]


def test_resume_after_every_event(session: Conversation) -> None:
    """A client that returns with the last id loses nothing and sees nothing twice."""
    session.post("messages", {"text": QUESTION})
    seen: list[Frame] = []
    while not seen or seen[-1]["type"] != "turn_completed":
        stream = session.stream()
        if seen:
            stream.headers["Last-Event-ID"] = str(seen[-1]["seq"])
        with stream:
            while not stream.log:
                stream.receive()
            seen += stream.log
            stream.cut()

    assert seen == session.log


def test_start_of_a_stream(session: Conversation) -> None:
    """`Last-Event-ID` beats `after`; unknown positions replay the whole log."""
    session.ask(QUESTION)
    for after, last_id, recovered, first in [
        ("0", None, True, 1), ("3", None, True, 4), ("3", "5", True, 6), ("3", "99", False, 1), ("3", "x", False, 1),
        ("99", None, False, 1),
    ]:  # fmt: skip
        stream = session.stream(after=after)
        stream.headers |= {"Last-Event-ID": last_id} if last_id else {}
        with stream:
            assert stream.receive()["content"]["recovered"] is recovered, (after, last_id)
            assert stream.receive()["seq"] == first, (after, last_id)


def test_accept_header(session: Conversation) -> None:
    """Clients that accept anything, or list JSON first, get JSON."""
    for accept, type in {
        "*/*": "application/json",
        "application/json, text/event-stream": "application/json",
        "Text/Event-Stream; q=0.9, */*": "text/event-stream",
    }.items():
        with session.stream() as stream:
            stream.headers["Accept"] = accept
        with stream:
            assert stream.response.headers["Content-Type"] == type


def test_presence(session: Conversation) -> None:
    """Only clients that give a name are seen to come and go."""
    with session.stream(name="Ada") as ada:
        assert ada.receive()["content"]["participants"] == [{"name": "Ada", "role": "member", "connections": 1}]
        with session.stream(name="Bob", role="viewer") as bob, session.stream():
            assert (bob.receive()["content"]["name"], bob.frames[0]["content"]["role"]) == ("Bob", "viewer")
            assert ada.until("presence")["content"]["participants"][1]["name"] == "Bob"
            bob.cut()
        gone = ada.until("presence")["content"]["participants"]
        assert [person["name"] for person in gone] == ["Ada"]
    wait_until(lambda: session.get().json["participants"] == [])


def test_heartbeats(serve: Serve, model: ModelServer) -> None:
    """A silent stream sends named events, which tell its client that it is alive, and are no place in the log."""
    session = RestClient(serve("--heartbeat", "0.2", model=model)).new_session()
    with session.stream() as stream:
        messages = stream.messages()
        first, *beats = (next(messages) for _ in range(4))

    assert first.frame["content"]["heartbeat"] == 0.2
    assert [(beat.event, beat.id, beat.frame) for beat in beats] == [
        ("heartbeat", "", {"type": "heartbeat", "content": {"interval": 0.2}})
    ] * 3


def test_no_heartbeats(serve: Serve, model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without heartbeats, periodic comments keep proxies from closing a silent stream."""
    monkeypatch.setattr(waiting, "KEEP_ALIVE", 0.05)
    session = RestClient(serve("--heartbeat", "0", model=model)).new_session()
    with session.stream() as stream:
        messages = stream.messages()
        comments = [message.comment for message in (next(messages) for _ in range(4))]

    assert comments == [None, "", "", ""]


def test_hang_up_during_a_stream(session: Conversation) -> None:
    """The thread of a stream ends as soon as its client hangs up, not at the next heartbeat."""
    wait_until(lambda: request_threads() == 0)
    for _ in range(3):
        with session.stream() as stream:
            stream.receive()
            assert request_threads() == 1
            stream.cut()
        wait_until(lambda: request_threads() == 0)


def test_hang_up_during_a_wait(session: Conversation, model: ModelServer) -> None:
    """The thread of a waiting request ends as soon as its client hangs up; the turn goes on."""
    gate = threading.Event()
    model.script(Reply("all the same", gate=gate))
    wait_until(lambda: request_threads() == 0)
    body = json.dumps({"text": "hello"}).encode()
    with socket.create_connection(("127.0.0.1", int(session.client.netloc.split(":")[1])), timeout=PATIENCE) as raw:
        raw.sendall(
            f"POST {session.path}/messages?wait=300 HTTP/1.1\r\nHost: {session.client.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        wait_until(lambda: session.get().json["last_seq"] > 1)
    wait_until(lambda: request_threads() == 0)
    gate.set()
    assert session.post("messages", {"text": "and?"}, wait=PATIENCE).json["turn"] == 2
    assert session.log[-1]["turn"] == 2


def test_client_that_stops_reading(serve: Serve, monkeypatch: pytest.MonkeyPatch, model: ModelServer) -> None:
    """A client that stops reading delays nobody and is dropped after a while."""
    no_limits = [word for name in ("messages", "chars", "chars-per-person") for word in (f"--waiting-{name}", "0")]
    session = RestClient(serve(*no_limits, model=model)).new_session()
    monkeypatch.setattr("agentchat.http.handler.SEND_TIMEOUT", 1.0)
    gate = threading.Event()
    model.script(Reply("never", gate=gate))
    lazy = session.stream()
    lazy.receive_buffer = 4096
    with lazy, session.stream() as diligent, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(diligent.until, "typing")
        for _ in range(24):  # more than the buffers of both sockets hold
            session.post("messages", {"text": "long " * 39_000})
        wait_until(lambda: request_threads() == 1)
        session.post("typing", {"is_typing": True, "name": "Ada"})
        reading.result()
        session.client.ask("DELETE", session.path)
    gate.set()
    assert types(diligent.log).count("user_message") == 24


def test_server_shutdown(serve: Serve, model: ModelServer) -> None:
    """Shutdown ends streams, gives waiting clients the turn's status, and ends all threads."""
    server = serve(model=model)
    session = RestClient(server).new_session()
    gate = threading.Event()
    model.script(Reply("never", gate=gate))
    with session.stream() as stream, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(session.post, "messages", {"text": "hello"}, wait=300)
        stream.until("turn_started")
        server.close()
        rest = list(stream.messages())
    gate.set()

    assert "turn_completed" not in types([message.frame for message in rest])
    assert (answer.result().status, answer.result().json["status"]) == (202, "running")
    wait_until(lambda: request_threads() == 0)


def test_head(session: Conversation) -> None:
    """HEAD returns the headers of a stream."""
    answer = session.client.ask("HEAD", f"{session.path}/events", None, {"Accept": "text/event-stream"})

    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "text/event-stream", b"")


def test_httpx_sse(server: Running, session: Conversation) -> None:
    """httpx-sse, written from the specification, can read the stream."""
    session.ask(QUESTION)
    address = f"{server.page.rstrip('/')}{session.path}/events?after=2"
    with (
        httpx.Client(timeout=PATIENCE, trust_env=False) as client,
        httpx_sse.connect_sse(client, "GET", address) as source,
    ):
        events = source.iter_sse()
        confirmed = next(events)
        log = [next(events) for _ in range(7)]

    assert (confirmed.event, confirmed.json()["type"]) == ("message", "connection_confirmed")
    assert [event.id for event in log] == [f"{confirmed.json()['content']['epoch']}-{seq}" for seq in range(3, 10)]
    assert [event.json() for event in log] == session.log[2:]


FOLLOW = """
path => {
  window.seen = []; window.opened = 0;
  window.source = new EventSource(path);
  source.onopen = () => { opened += 1; };
  source.onmessage = ({ data, lastEventId }) => seen.push([JSON.parse(data), lastEventId]);
}
"""


def test_browser_reconnects(serve: Serve, model: ModelServer, page: Page) -> None:
    """When the server restarts, a browser's EventSource misses nothing and sees nothing twice."""
    first = serve(model=model)
    session = RestClient(first).new_session()
    session.ask(QUESTION)
    page.goto(first.page + "healthz")
    page.evaluate(FOLLOW, f"{session.path}/events")
    page.wait_for_function("() => seen.length === 10")
    first.close()
    second = serve("--port", str(urlsplit(first.page).port), model=model)
    page.wait_for_function("() => opened >= 2")
    Conversation(RestClient(second), session.id).ask("hello")
    page.wait_for_function("() => seen.at(-1)[0].type === 'turn_completed' && seen.at(-1)[0].turn === 2")
    frames = [frame for frame, _ in page.evaluate("() => seen")]
    page.evaluate("() => source.close()")

    assert [frame for frame in frames if "seq" in frame] == Conversation(RestClient(second), session.id).log
    confirmed = [frame["content"] for frame in frames if frame["type"] == "connection_confirmed"]
    assert [content["recovered"] for content in confirmed] == [True, True]
