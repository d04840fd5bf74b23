"""An OpenAI-compatible model server that follows a script; real HTTP, standard library only.

In a test, in its own thread:

    with ModelServer() as server:               # server.base_url: http://127.0.0.1:PORT/v1
        server.script(Reply("Hello"), Reply(status=429, headers={"retry-after": "0"}))

As a process: `python tests/model_server.py` prints its base URL and ends when its standard input is closed.

A request is answered by the first that applies: the next scripted `Reply`; `server.rule`; the directive
`@@{"n": 40, "delay": 0.05}@@` (fields of `Reply`) in the last user message; a call of `weather_forecast`, if it is
offered and a city is asked about; a quote of the last tool result; an echo.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.client import responses
from typing import Any

Pause = float | threading.Event | None  # a number of seconds, or until the event is set
Body = dict[str, Any]
Piece = str | Mapping[str, Any]  # text, or a delta of another kind: {"reasoning": "Hm."}, {"images": […]}

CITY = re.compile(r"(?i:weather in|forecast for)\s+([^\W\d_a-z][\w'’-]*(?: [^\W\d_a-z][\w'’-]*)*)")
DIRECTIVE = re.compile(r"@@(\{.*?\})@@", re.DOTALL)
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass
class Reply:
    """One answer of the model, with its faults; a place is the number of tokens sent before."""

    text: str = ""
    tokens: Sequence[Piece] | None = None  # the pieces to stream instead of `text`
    n: int = 0  # number of numbered tokens
    stamp: str = ""  # each of the n tokens is "STAMP:index:monotonic_ns ", with the moment it was sent
    tools: Sequence[tuple[str, Mapping[str, Any] | str]] = ()  # (name, arguments); a str is sent as is
    split_arguments: int = 5  # characters of a tool call's arguments per piece, 0: all in one
    ids: Sequence[str] = ()  # of the tool calls, instead of generated ones
    usage: bool | tuple[int, int] = True  # prompt and completion tokens, counted or given; False: not sent
    delay: float = 0  # seconds before each token
    gate: Pause = None  # before the first byte
    gate_after: tuple[int, Pause] | None = None  # (place, pause) in mid-stream
    linger: Pause = None  # between [DONE] and the end of the body
    drop_after: int | None = None  # place at which the connection is cut
    error_after: int | None = None  # place at which the stream turns into an error object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)  # with status, error, raw, html
    error: Any = None  # the JSON body that goes with status
    raw: bytes | None = None  # an invalid body instead
    content_type: str = "application/json"  # of raw
    html: bool = False  # a proxy's page instead of an answer
    then: Mapping[str, Any] | None = None  # directive only: fields of the reply after its tools have run

    def pieces(self) -> Sequence[Piece]:
        """Return the tokens to stream; stamped ones still lack their time."""
        if self.tokens is not None:
            return self.tokens
        if self.n:
            return [f"{self.stamp}:{i}:" if self.stamp else f"{i} " for i in range(self.n)]
        return re.findall(r"\S+\s*|\s+", self.text)

    def odd_body(self) -> tuple[bytes, str] | None:
        """Return body and content type of a response that isn't in the model's own format, else None."""
        if self.raw is not None:
            return self.raw, self.content_type
        if self.html:
            return b"<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html"
        if self.status != 200 or self.error is not None:
            return dump(self.error or failure(f"scripted {self.status}", self.status)), "application/json"
        return None


@dataclass
class Counts:
    """Counters of the server's connections, requests and tokens."""

    connections: int = 0  # accepted
    open: int = 0  # connections open now
    requests: int = 0
    active: int = 0  # replies in progress
    completed: int = 0  # replies sent to the end
    aborted: int = 0  # replies whose client disconnected before the end
    tokens: int = 0  # streamed


class ModelServer:
    """The server, its thread and its script."""

    def __init__(self, port: int = 0, keep: int = 1000, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls
        self._script: deque[Reply] = deque()
        self._requests: deque[Body] = deque(maxlen=keep)
        self._counts = Counts()
        self._changed = threading.Condition()
        self._started = threading.Event()
        self._failed: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)
        self.connections: set[Connection] = set()
        self.rule: Callable[[Body], Reply | None] | None = None
        """Answers requests for which nothing is scripted; None leaves them to the rules of the module."""
        self.facts: dict[str, Reply] = {}
        """The replies to requests other than for answers, by path. They are not counted."""
        self.asked: list[tuple[str, Body]] = []
        """The paths and bodies of these requests."""

    def __enter__(self) -> ModelServer:
        self._thread.start()
        self._started.wait()
        if self._failed is not None:
            raise self._failed
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}/v1"

    @property
    def requests(self) -> list[Body]:
        """Return the newest requests, `{"path", "headers", "body"}`, oldest first."""
        return list(self._requests)

    @property
    def counts(self) -> Counts:
        with self._changed:
            return replace(self._counts)

    def script(self, *replies: Reply) -> None:
        """Answer the next requests with these replies, in order.

        The openai client asks three times when a request fails.
        """
        self._script.extend(replies)

    def reset(self) -> None:
        """Forget scripts, requests and counts, and hang up on all clients."""
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result()

    async def _reset(self) -> None:
        await self._hang_up()
        self._script.clear()
        self._requests.clear()
        self.rule = None
        self.facts.clear()
        self.asked.clear()
        with self._changed:
            self._counts = Counts()

    def wait_for(self, state: Callable[[Counts], bool], timeout: float = 60) -> Counts:
        with self._changed:
            if not self._changed.wait_for(lambda: state(self._counts), timeout):
                raise TimeoutError(f"not reached within {timeout} s: {self._counts}")
            return replace(self._counts)

    def count(self, **steps: int) -> None:
        with self._changed:
            for name, step in steps.items():
                setattr(self._counts, name, getattr(self._counts, name) + step)
            self._changed.notify_all()

    def choose(self, request: Body, chat: Body) -> Reply:
        """Return the reply to a request, which asks the same as `chat` does of /chat/completions."""
        self._requests.append(request)
        try:
            return self._script.popleft()
        except IndexError:
            return (self.rule and self.rule(chat)) or answer(chat)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:  # the port is taken
            self._failed = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        listener = await self._loop.create_server(
            lambda: Connection(self, self._loop), "127.0.0.1", self._port, backlog=1024, ssl=self._tls
        )
        self._port = listener.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        while len(asyncio.all_tasks()) > 1:  # asyncio forgets a connection whose listener closes while it is accepted
            await asyncio.sleep(0)
        listener.close()
        await asyncio.sleep(0)  # now the last connection is known
        await self._hang_up()

    async def _hang_up(self) -> None:
        while self.connections:
            for connection in self.connections:
                connection.transport.abort()
            await asyncio.sleep(0)  # now each connection is told that it was lost


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection: a request, its reply, the next request.

    A reply is a generator of pauses, stepped by one timer: at thousands of tokens a second a task costs too much.
    """

    transport: asyncio.Transport

    def __init__(self, server: ModelServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server, self._loop = server, loop
        self._received = bytearray()
        self._reply: Iterator[Pause] | None = None  # the one in progress
        self._is_counted = False
        self._done = False  # the client has not missed anything yet
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._keep_alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.connections.add(self)
        self._server.count(connections=1, open=1)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._reply is not None:
            self._reply = None
        if self._is_counted:
            self._server.count(active=-1, completed=int(self._done), aborted=int(not self._done))
        self._server.connections.discard(self)
        self._server.count(open=-1)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._next_request()

    def _next_request(self) -> None:
        end = self._received.find(b"\r\n\r\n")
        if self._reply is not None or end < 0:
            return
        first, *lines = self._received[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        stop = end + 4 + int(headers.get("content-length", 0))
        if len(self._received) < stop:
            return
        body = bytes(self._received[end + 4 : stop])
        del self._received[:stop]
        self._keep_alive = headers.get("connection", "").lower() != "close"
        self._done = False
        method, path, _ = first.split(" ", 2)
        self._is_counted = method == "POST" and path.endswith(("/chat/completions", "/responses"))
        if self._is_counted:
            self._server.count(requests=1, active=1)
            self._reply = self._respond(path, headers, body)
        else:
            self._reply = self._tell(method, path, body)
        self._go_on()

    def _go_on(self) -> None:
        """Continue the reply after a wait of unknown length."""
        self._due = self._loop.time()
        self._step()

    def _step(self) -> None:
        while self._reply is not None:
            try:
                pause = next(self._reply)
            except StopIteration:
                self._finish()
                return
            if isinstance(pause, threading.Event):
                threading.Thread(target=self._watch, args=(pause,), daemon=True).start()
                return
            if pause:
                self._due += pause  # from due time to due time: a late token does not delay the next one
                self._timer = self._loop.call_at(self._due, self._step)
                return

    def _watch(self, gate: threading.Event) -> None:
        gate.wait()
        with contextlib.suppress(RuntimeError):  # the server has closed by now
            self._loop.call_soon_threadsafe(self._go_on)

    def _finish(self) -> None:
        self._reply = None
        if self._is_counted:
            self._is_counted = False
            self._server.count(active=-1, completed=1)
        if not self._keep_alive:
            self.transport.close()
        self._next_request()

    def _tell(self, method: str, path: str, body: bytes) -> Iterator[Pause]:
        self._server.asked.append((path, json.loads(body or b"{}")))
        reply = self._server.facts.get(path)
        if reply is None:
            self._send(404, dump(failure(f"no {method} {path} here", 404)))
            return
        yield reply.gate
        content, kind = reply.odd_body() or (b"", "")
        self._send(reply.status, content, kind, reply.headers)

    def _respond(self, path: str, headers: dict[str, str], body: bytes) -> Iterator[Pause]:
        try:
            asked = json.loads(body)
            is_responses = path.endswith("/responses")
            chat = _responses_api().as_chat(asked) if is_responses else asked
            reply = self._server.choose({"path": path, "headers": headers, "body": asked}, chat)
        except (ValueError, TypeError, LookupError) as error:
            self._send(400, dump(failure(f"bad request or directive: {error!r}", 400)))
            return
        yield reply.gate
        if (odd := reply.odd_body()) is not None:
            self._send(reply.status, odd[0], odd[1], reply.headers)
        elif is_responses:
            yield from self._respond_with_events(reply, chat)
        elif asked.get("stream"):
            yield from self._stream(reply, asked)
        else:
            yield reply.delay * len(reply.pieces())
            self._send(200, dump(completion(reply, asked)))

    def _respond_with_events(self, reply: Reply, asked: Body) -> Iterator[Pause]:
        calls = [tool_call(reply, asked, place) for place in range(len(reply.tools))]
        api = _responses_api()
        whole = api.response(reply, asked, usage(reply, asked), calls)
        if not asked.get("stream"):
            self._send(200, dump(whole))
            return
        self.transport.write(SSE_HEAD)
        place = 0
        for number, event in enumerate(api.events(reply, whole)):
            if event.get("piece"):
                yield reply.delay
                if reply.gate_after is not None and reply.gate_after[0] == place:
                    yield reply.gate_after[1]
                place += 1
            data = api.encoded(event, number)
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        self._done = True
        self.transport.write(b"0\r\n\r\n")

    def _stream(self, reply: Reply, asked: Body) -> Iterator[Pause]:
        head = envelope(asked, "chat.completion.chunk")
        start = dump(head)[:-1] + b',"choices":[{"index":0,"delta":'  # of every chunk
        write, pieces = self._write, reply.pieces()
        self.transport.write(SSE_HEAD)
        write(start + b'{"role":"assistant","content":""},"finish_reason":null}]}')
        for place, piece in enumerate([*pieces, None]):
            if piece is not None:
                yield reply.delay
            if reply.gate_after is not None and reply.gate_after[0] == place:
                yield reply.gate_after[1]
            if reply.drop_after == place:
                self._done = True  # the client did not hang up
                self.transport.close()
                yield 60.0
            if reply.error_after == place:
                write(dump(failure("scripted error in mid-stream", 500)))
                self.transport.write(b"0\r\n\r\n")
                return
            if piece is not None:
                delta = (
                    piece if isinstance(piece, Mapping) else {"content": f"{piece}{stamp()}" if reply.stamp else piece}
                )
                write(start + json.dumps(delta).encode() + b',"finish_reason":null}]}')
                self._server.count(tokens=1)
        for delta in tool_deltas(reply, asked):
            write(start + dump({"tool_calls": [delta]}) + b',"finish_reason":null}]}')
        write(start + b'{},"finish_reason":"' + (b"tool_calls" if reply.tools else b"stop") + b'"}]}')
        if reply.usage and (asked.get("stream_options") or {}).get("include_usage"):
            write(dump(head | {"choices": [], "usage": usage(reply, asked)}))
        write(b"[DONE]")
        self._done = True
        yield reply.linger
        self.transport.write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        """Write one server-sent event as one chunk, without buffering."""
        self.transport.write(b"%x\r\ndata: %b\n\n\r\n" % (len(data) + 8, data))

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        fields = {"content-type": kind, "content-length": str(len(body)), **(headers or {})}
        lines = [f"HTTP/1.1 {status} {responses.get(status, '')}", *(f"{k}: {v}" for k, v in fields.items())]
        self.transport.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def _responses_api() -> Any:
    """Return the module for the Responses API; it needs the openai package, this one nothing."""
    from tests import responses_api

    return responses_api


def answer(asked: Body) -> Reply:
    """Return the reply to a request for which nothing is scripted."""
    messages = asked["messages"]
    said = next((words(message) for message in reversed(messages) if message["role"] == "user"), "")
    result = words(messages[-1]) if messages[-1]["role"] == "tool" else None
    if (found := DIRECTIVE.search(said)) is not None:
        directive = json.loads(found[1])
        if result is None:
            return Reply(**directive)
        if "then" in directive:
            return Reply(**directive["then"])
    if result is not None:
        return Reply(f"The tool says: {result}")
    offered = {tool["function"]["name"] for tool in asked.get("tools") or ()}
    if (city := CITY.search(said)) is not None and "weather_forecast" in offered:
        return Reply(tools=[("weather_forecast", {"city": city[1]})])
    return Reply(f"You said: {said}")


def words(message: Body) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def envelope(asked: Body, kind: str) -> Body:
    return {
        "id": f"chatcmpl-{time.monotonic_ns():x}",
        "object": kind,
        "created": 1,
        "model": asked.get("model"),
    }


def completion(reply: Reply, asked: Body) -> Body:
    """Return the response to a request that doesn't stream."""
    message: Body = {"role": "assistant", "content": None}
    for piece in reply.pieces():
        for name, value in (piece if isinstance(piece, Mapping) else {"content": piece}).items():
            message[name] = message[name] + value if message.get(name) else value
    if reply.tools:
        message["tool_calls"] = [tool_call(reply, asked, place) for place in range(len(reply.tools))]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if reply.tools else "stop"}
    told = {"usage": usage(reply, asked)} if reply.usage else {}
    return envelope(asked, "chat.completion") | {"choices": [choice]} | told


def stamp() -> str:
    return f"{time.monotonic_ns()} "


def tool_call(reply: Reply, asked: Body, place: int) -> Body:
    name, arguments = reply.tools[place]
    given = arguments if isinstance(arguments, str) else json.dumps(arguments)
    # Unique within a conversation unless the script says otherwise.
    call_id = reply.ids[place] if reply.ids else f"call_{len(asked['messages'])}_{place}"
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": given}}


def tool_deltas(reply: Reply, asked: Body) -> Iterator[Body]:
    """Yield the tool calls in pieces, as a model streams them."""
    for place, (name, _) in enumerate(reply.tools):
        call = tool_call(reply, asked, place)
        given = call["function"]["arguments"]
        size = reply.split_arguments or len(given) or 1
        yield {"index": place, **call, "function": {"name": name, "arguments": ""}}
        for start in range(0, len(given), size):
            yield {"index": place, "function": {"arguments": given[start : start + size]}}


def usage(reply: Reply, asked: Body) -> dict[str, int]:
    if isinstance(reply.usage, bool):
        prompt, made = sum(len(words(message).split()) for message in asked["messages"]), len(reply.pieces())
    else:
        prompt, made = reply.usage
    return {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made}


def failure(message: str, status: int) -> Body:
    return {"error": {"message": message, "type": "scripted", "param": None, "code": str(status)}}


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description="A model server for load tests.")
    parser.add_argument("--port", type=int, default=0)
    with ModelServer(parser.parse_args().port, keep=1) as server:
        print(server.base_url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
