"""A WebSocket client that drives many conversations in one thread.

It shares the machine with the server that it measures, so it must be much cheaper than a server; no library is.
"""

from __future__ import annotations

import base64
import json
import os
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from benchmarks import MeasurementError
from benchmarks.processes import Kind, Process

TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A  # first byte of an unfragmented frame of each kind
HANDSHAKE_TIMEOUT = 30.0
TURN_TIMEOUT = 60.0
AT_ONCE = 8  # turns that run in parallel when no load is wanted
CLOSE_NORMALLY = struct.pack("!H", 1000)


class Conversation:
    """One connection and the turn that runs on it."""

    def __init__(self, kind: Kind, url: str) -> None:
        self.opened = time.monotonic_ns()
        self.ready = not kind.greets
        self.busy = False
        self.lost = False
        self.problem: str | None = None  # the reason if the conversation or its turn ended early
        self.stamp = ""  # that each token of this turn must begin with
        self.first_token = self.last_token = 0  # monotonic_ns
        self.delivered = 0  # stamped tokens of this turn in the right order
        self.misplaced = 0  # tokens of other conversations, out of order or repeated
        self.delays: list[tuple[int, int]] = []  # (sent, ns until received)
        self._kind = kind
        self._rest = ""
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 80), HANDSHAKE_TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._receive(
            self._shake_hands(parts.netloc), time.monotonic_ns()
        )  # a first frame may have come with the answer
        self.socket.setblocking(False)

    def say(self, text: str, stamp: str = "") -> None:
        self.busy, self.stamp, self.first_token, self.delivered = True, stamp, 0, 0
        self._send(TEXT, text.encode())

    def read(self) -> None:
        try:
            data = self.socket.recv(16384)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(str(error))
            return
        if data:
            self._receive(self._buffer + data, time.monotonic_ns())
        else:
            self._lose("the server hung up")

    def close(self) -> None:
        if not self.lost:
            self._send(CLOSE, CLOSE_NORMALLY)
        self.socket.close()

    def _shake_hands(self, host: str) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        shown = "".join(f"{header}\r\n" for header in self._kind.headers)
        shown += f"Origin: http://{host}\r\n" if shown else ""
        self.socket.sendall(
            f"GET {self._kind.path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{shown}\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = self.socket.recv(65536)
            if not data:
                raise MeasurementError(f"{self._kind.name} hung up during the handshake")
            answer += data
        head, _, rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise MeasurementError(f"{self._kind.name} refused the connection: {head[:200]!r}")
        return rest

    def _send(self, first: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        try:
            self.socket.sendall(bytes([first]) + length + mask + masked)
        except OSError as error:
            self._lose(str(error))

    def _receive(self, data: bytes, now: int) -> None:
        place, size = 0, len(data)
        while size - place >= 2:
            first, length, start = data[place], data[place + 1], place + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                if start > size:
                    break
                length = int.from_bytes(data[place + 2 : start], "big")
            if start + length > size:
                break
            place = start + length
            if first == TEXT:
                self._frame(data[start:place], now)
            elif first == PING:
                self._send(PONG, data[start:place])
            elif first == CLOSE:
                self._lose(f"closed with {data[start:place]!r}")
            else:
                raise MeasurementError(f"{self._kind.name} sent a frame that starts with {first:#x}")
        self._buffer = data[place:]

    def _frame(self, frame: bytes, now: int) -> None:
        if self._kind.last_event is not None:
            self._event(json.loads(frame), now)
        elif frame:
            self._text(frame.decode(), now)
        else:
            self.busy = False

    def _event(self, event: dict[str, Any], now: int) -> None:
        self.ready = True
        kind, content = event["type"], event["content"]
        if kind == "stream":
            self._text(content["content"], now)
        elif kind == "error":
            self.problem = content["message"]
        elif kind == self._kind.last_event and self._kind.last_sender in {None, content.get("sender")}:
            self.busy = False

    def _text(self, text: str, now: int) -> None:
        if text:
            self.first_token, self.last_token = self.first_token or now, now
        if self.stamp:
            self._tokens(text, now)

    def _tokens(self, text: str, now: int) -> None:
        *tokens, self._rest = (self._rest + text).split(" ")
        for token in tokens:
            stamp, _, place = token.partition(":")
            index, _, sent = place.partition(":")
            if stamp == self.stamp and index == str(self.delivered):
                self.delivered += 1
                if sent:
                    self.delays.append((int(sent), now - int(sent)))
            else:
                self.misplaced += 1

    def _lose(self, problem: str) -> None:
        self.problem, self.lost, self.busy = problem, True, False


class Fleet:
    """Conversations with one server."""

    def __init__(self, kind: Kind, server: Process) -> None:
        self.conversations: list[Conversation] = []
        self._kind, self._url = kind, server.url
        self._selector = selectors.DefaultSelector()
        self._busy = 0

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for conversation in self.conversations:
            conversation.close()
        self._selector.close()

    def open(self, count: int = 1, path: str = "") -> list[Conversation]:
        """Open connections one after another, so that handshakes do not compete, to `path` if it isn't the kind's."""
        opened = []
        kind = replace(self._kind, path=path or self._kind.path)
        for _ in range(count):
            conversation = Conversation(kind, self._url)
            self._selector.register(conversation.socket, selectors.EVENT_READ, conversation)
            opened.append(conversation)
        self.conversations += opened
        deadline = time.monotonic() + HANDSHAKE_TIMEOUT
        for conversation in opened:
            while not conversation.ready:
                self._move(deadline - time.monotonic())
        return opened

    def drop(self, conversations: Iterable[Conversation]) -> None:
        for conversation in conversations:
            self.conversations.remove(conversation)
            self._busy -= conversation.busy
            if not conversation.lost:
                self._selector.unregister(conversation.socket)
            conversation.close()

    def take_turns(self, conversations: Iterable[Conversation], text: str) -> None:
        """Run one turn on each conversation, AT_ONCE in parallel. Raises MeasurementError."""
        self.talk([(conversation, text) for conversation in conversations], AT_ONCE)

    def talk(self, turns: Iterable[tuple[Conversation, str]], at_once: int) -> None:
        """Say each text in its conversation, and wait for all these turns to end. Raises MeasurementError."""
        waiting = deque(turns)
        while waiting or self._busy:
            while waiting and self._busy < at_once:
                self._say(*waiting.popleft())
            self._move(TURN_TIMEOUT)
        for conversation in self.conversations:
            if conversation.problem is not None:
                raise MeasurementError(f"{self._kind.name}: {conversation.problem}")

    def stream(self, tokens: int, delay: float, spacing: float, grace: float) -> int:
        """Stream on all conversations at once; return when the last of them was started, in monotonic_ns.

        `delay` is the time between tokens and `spacing` that between starts, in seconds. The server gets `grace`
        seconds more than one without any delay would need.
        """
        waiting = deque(enumerate(self.conversations))
        start = due = time.monotonic()
        deadline = start + spacing * len(waiting) + tokens * delay + grace
        last_start = 0
        while (waiting or self._busy) and (now := time.monotonic()) < deadline:
            if waiting and now >= due:
                number, conversation = waiting.popleft()
                stamp = f"c{number}"
                self._say(conversation, _directive(tokens, delay, stamp), stamp)
                last_start = time.monotonic_ns()
                due += spacing
            else:
                self._move(min(deadline, due if waiting else deadline) - now, patient=True)
        return last_start

    def rest(self, seconds: float) -> None:
        """Wait while the server finishes its work after a turn; answer its pings."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._move(left, patient=True)

    def _say(self, conversation: Conversation, text: str, stamp: str = "") -> None:
        if not conversation.lost:
            conversation.say(text, stamp)
            self._busy += conversation.busy

    def _move(self, timeout: float, patient: bool = False) -> None:
        ready = self._selector.select(max(timeout, 0))
        if not ready and not patient:
            raise MeasurementError(f"{self._kind.name} said nothing for {timeout:.0f} s")
        for key, _ in ready:
            conversation: Conversation = key.data
            was_busy = conversation.busy
            conversation.read()
            if was_busy and not conversation.busy:
                self._busy -= 1
            if conversation.lost:
                self._selector.unregister(conversation.socket)


def read_bare(url: str, conversations: int, tokens: int) -> float:
    """Return the tokens per second at which a model server's answers can be read by a client that does nothing else.

    `url` is its base URL. The answers are those that `Fleet.stream` asks for, all at once.
    """
    parts = urlsplit(url)
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        answers: list[bytearray] = []
        for number in range(conversations):
            asked = {"messages": [{"role": "user", "content": _directive(tokens, 0, f"c{number}")}]}
            body = json.dumps(asked).encode()
            model = stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 80)))
            head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
            model.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answers.append(bytearray())
            selector.register(model, selectors.EVENT_READ, (model, answers[-1]))
        ready = selector.select()
        start = time.monotonic()
        while selector.get_map():
            for key, _ in ready:
                model, answer = key.data
                data = model.recv(1 << 20)
                answer += data
                if not data:
                    selector.unregister(model)
            ready = selector.select() if selector.get_map() else []
        seconds = time.monotonic() - start
    if any(answer.count(b"data: ") < tokens for answer in answers):
        raise MeasurementError("the model server's answers are incomplete")
    return conversations * tokens / seconds


def _directive(tokens: int, delay: float, stamp: str) -> str:
    return f"@@{json.dumps({'n': tokens, 'delay': delay, 'stamp': stamp})}@@"
