"""Taking the text out of a streamed answer as its bytes arrive; no sockets, no threads.

What passes on is the same answer with its text in one piece: the layers above (httpx, the openai package, AG2) do in
one step what would otherwise be hundreds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Show = Callable[[str, bool], None]
"""Called with text as it comes, and whether it is what a reasoning model thinks before it answers."""

THOUGHTS = ("reasoning_content", "reasoning")  # as model servers name them


class TokenTap:
    """Server-sent events of a chat completion: text is shown at once, and held back until something else comes."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._buffer = b""
        self._texts: list[str] = []  # shown, not yet passed on
        self._numbers: dict[int, int] = {}  # of tool calls: as the model counts them, as we do
        self._pending: dict[str, Any] | None = None  # the newest chunk of those that were nothing but text
        self.is_done = False  # the event that ends the answer has passed

    def feed(self, data: bytes) -> bytes:
        """What passes on of the events that `data` completes."""
        self._buffer = (self._buffer + data).replace(b"\r\n", b"\n")
        passed = b""
        while (end := self._buffer.find(b"\n\n")) >= 0:
            event, self._buffer = self._buffer[:end].strip(b"\n"), self._buffer[end + 2 :]
            if event:
                passed += self._pass_on(event)
        return passed

    def flush(self) -> bytes:
        """The body has ended: all that was held back."""
        rest, self._buffer = self._buffer.strip(b"\r\n"), b""
        return (self._pass_on(rest) if rest else b"") + self._release()

    def _pass_on(self, event: bytes) -> bytes:
        if event.removeprefix(b"data:").strip() == b"[DONE]":
            self.is_done = True
        chunk = _chunk(event)
        if chunk is None:
            return self._release() + event + b"\n\n"
        delta = chunk["choices"][0]["delta"]
        self._renumber(delta.get("tool_calls"))
        if thought := thoughts(delta):
            self._show(thought, True)
        if text := take_text(delta):
            self._show(text, False)
            self._texts.append(text)
        if _is_only_text(chunk):
            self._pending = chunk
            return b""
        if self._texts:
            delta["content"] = self._take_text()
        self._pending = None
        return _data(chunk)

    def _renumber(self, calls: Any) -> None:
        """Count the calls from 0 on: AG2 makes a list as long as the largest number that it is told."""
        for call in calls if isinstance(calls, list) else ():
            number = call.get("index") if isinstance(call, dict) else None
            if isinstance(number, int) and number >= 0:
                call["index"] = self._numbers.setdefault(number, len(self._numbers))

    def _release(self) -> bytes:
        chunk, self._pending = self._pending, None
        if chunk is None:
            return b""
        chunk["choices"][0]["delta"]["content"] = self._take_text()
        return _data(chunk)

    def _take_text(self) -> str:
        text = "".join(self._texts)
        self._texts.clear()
        return text


class ResponseTap:
    """One HTTP response as it comes off the wire. The body of a streamed answer passes through a TokenTap."""

    def __init__(self, show: Show) -> None:
        self._head: bytes | None = b""  # as far as it is there; None behind its end
        self._chunks = ChunkedBody()
        self._tokens = TokenTap(show)
        self.is_live = False  # it is a streamed answer, and its head has passed

    @property
    def is_ended(self) -> bool:
        return self._chunks.is_ended

    def feed(self, data: bytes) -> bytes:
        """What passes on of `data`: all of a head, all of other responses, of an answer what TokenTap passes."""
        if self._head is None:
            return self._feed_body(data) if self.is_live else data
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return data
        head, body = self._head[:end], self._head[end + 4 :]
        self._head = None
        self.is_live = _is_streamed_answer(head)
        if not self.is_live:
            return data
        return data[: len(data) - len(body)] + self._feed_body(body)

    def _feed_body(self, data: bytes) -> bytes:
        passed = self._tokens.feed(self._chunks.feed(data))
        if not self.is_ended:
            return _http_chunk(passed)
        return _http_chunk(passed + self._tokens.flush()) + b"0\r\n\r\n"


class ChunkedBody:
    """HTTP's chunked transfer coding (RFC 9112, 7.1), undone. Raises ValueError for what is none."""

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0  # bytes of the current chunk still to come
        self._is_in_trailer = False
        self.is_ended = False

    def feed(self, data: bytes) -> bytes:
        self._buffer += data
        parts = []
        while self._buffer and not self.is_ended:
            if self._left:
                part, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
                self._left -= len(part)
                parts.append(part)
                continue
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                break
            self._buffer = rest
            self._take_line(line)
        return b"".join(parts)

    def _take_line(self, line: bytes) -> None:
        if self._is_in_trailer:
            self.is_ended = not line
        elif line:  # else the line end behind a chunk
            self._left = int(line.partition(b";")[0], 16)
            self._is_in_trailer = self._left == 0


def thoughts(message: Mapping[str, Any]) -> str:
    """What a message, or a piece of one, holds beside its text."""
    return next((text for name in THOUGHTS if isinstance(text := message.get(name), str) and text), "")


def take_text(delta: dict[str, Any]) -> str:
    """The text of a message, or a piece of one. Pictures become Markdown: the layers above know texts only."""
    content = delta.get("content") or delta.get("refusal")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    parts += images if isinstance(images := delta.pop("images", None), list) else []
    texts = [_part(part) for part in parts if isinstance(part, dict)]
    if content is not None:
        delta["content"] = ""  # what is shown passes on with the rest
    return "".join(texts)


def _part(part: dict[str, Any]) -> str:
    url = part["image_url"].get("url") if isinstance(part.get("image_url"), dict) else None
    text = part.get("text")
    return f"\n\n![picture]({url})\n\n" if isinstance(url, str) else text if isinstance(text, str) else ""


def _is_streamed_answer(head: bytes) -> bool:
    first, *lines = head.lower().split(b"\r\n")
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    return (
        first.startswith(b"http/1.1 200")
        and fields.get(b"content-type", b"").startswith(b"text/event-stream")
        and fields.get(b"transfer-encoding") == b"chunked"
        and fields.get(b"content-encoding", b"identity") == b"identity"
    )


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _chunk(event: bytes) -> dict[str, Any] | None:
    """The event's chunk, when it is one line that carries exactly one choice; else None."""
    if not event.startswith(b"data:") or b"\n" in event:
        return None
    try:
        chunk = json.loads(event[5:])
        choices = chunk["choices"]
        is_single = len(choices) == 1 and choices[0].get("index", 0) == 0 and isinstance(choices[0]["delta"], dict)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever it is, the openai package says so better
    return chunk if is_single else None


def _is_only_text(chunk: dict[str, Any]) -> bool:
    choice = chunk["choices"][0]
    delta = choice["delta"]
    return choice.get("finish_reason") is None and not delta.get("tool_calls") and not delta.get("function_call")


def _data(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
