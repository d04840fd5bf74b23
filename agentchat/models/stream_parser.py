"""Takes the text out of a streamed answer as its bytes arrive. Pure: no sockets, no threads.

What comes out is the same answer with its text in one piece, so that the layers above (httpx, the openai package, AG2)
do once what they would otherwise do for every token: openai's `construct_type` alone takes 46 to 57 µs of the 107 to
117 µs of CPU that stock AG2 spends on a chunk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

OnText = Callable[[str, bool], None]
"""Called with each piece of text as it arrives; the flag says that it is reasoning, not part of the answer."""

REASONING_FIELDS = ("reasoning_content", "reasoning")  # as model servers name them


class EventStreamParser:
    """Parses the server-sent events of a chat completion.

    Text is passed to `on_text` at once and held back from the output until an event with something else comes.
    """

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text
        self._buffer = b""
        self._texts: list[str] = []  # reported, not yet in the output
        self._call_indexes: dict[int, int] = {}  # of tool calls: the model's numbers to ours
        self._held_back: dict[str, Any] | None = None  # the newest of the chunks that were only text
        self.is_done = False  # the event that ends the answer has come

    def feed(self, data: bytes) -> bytes:
        """Return the output for the events that `data` completes."""
        self._buffer = (self._buffer + data).replace(b"\r\n", b"\n")
        output = b""
        while (end := self._buffer.find(b"\n\n")) >= 0:
            event, self._buffer = self._buffer[:end].strip(b"\n"), self._buffer[end + 2 :]
            if event:
                output += self._parse(event)
        return output

    def flush(self) -> bytes:
        """Return all that was held back, now that the body has ended."""
        rest, self._buffer = self._buffer.strip(b"\r\n"), b""
        return (self._parse(rest) if rest else b"") + self._release()

    def _parse(self, event: bytes) -> bytes:
        if event.removeprefix(b"data:").strip() == b"[DONE]":
            self.is_done = True
        chunk = _chunk(event)
        if chunk is None:
            return self._release() + event + b"\n\n"
        delta = chunk["choices"][0]["delta"]
        self._renumber(delta.get("tool_calls"))
        if reasoning := reasoning_of(delta):
            self._on_text(reasoning, True)
        if text := take_text(delta):
            self._on_text(text, False)
            self._texts.append(text)
        if _is_only_text(chunk):
            self._held_back = chunk
            return b""
        if self._texts:
            delta["content"] = self._take_text()
        self._held_back = None
        return _event(chunk)

    def _renumber(self, calls: Any) -> None:
        """Number the calls from 0: AG2 makes a list as long as the largest index it is told."""
        for call in calls if isinstance(calls, list) else ():
            index = call.get("index") if isinstance(call, dict) else None
            if isinstance(index, int) and index >= 0:
                call["index"] = self._call_indexes.setdefault(index, len(self._call_indexes))

    def _release(self) -> bytes:
        chunk, self._held_back = self._held_back, None
        if chunk is None:
            return b""
        chunk["choices"][0]["delta"]["content"] = self._take_text()
        return _event(chunk)

    def _take_text(self) -> str:
        text = "".join(self._texts)
        self._texts.clear()
        return text


class ResponseParser:
    """Parses one HTTP response as it comes off the wire.

    The body of a streamed answer goes through an EventStreamParser; everything else passes unchanged.
    """

    def __init__(self, on_text: OnText) -> None:
        self._head: bytes | None = b""  # as far as it has come; None once it is complete
        self._body = ChunkedDecoder()
        self._events = EventStreamParser(on_text)
        self.is_streaming = False  # the head is complete and announces a streamed answer

    @property
    def is_ended(self) -> bool:
        return self._body.is_ended

    def feed(self, data: bytes) -> bytes:
        """Return the output for `data`, as bytes of a valid HTTP response."""
        if self._head is None:
            return self._feed_body(data) if self.is_streaming else data
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return data
        head, body = self._head[:end], self._head[end + 4 :]
        self._head = None
        self.is_streaming = _is_streamed_answer(head)
        if not self.is_streaming:
            return data
        return data[: len(data) - len(body)] + self._feed_body(body)

    def _feed_body(self, data: bytes) -> bytes:
        output = self._events.feed(self._body.feed(data))
        if not self.is_ended:
            return _http_chunk(output)
        return _http_chunk(output + self._events.flush()) + b"0\r\n\r\n"


class ChunkedDecoder:
    """Decodes HTTP's chunked transfer coding (RFC 9112, 7.1). Raises ValueError for anything else."""

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0  # bytes of the current chunk still to come
        self._is_in_trailer = False
        self.is_ended = False

    def feed(self, data: bytes) -> bytes:
        """Return the content that `data` adds."""
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
            self._read_line(line)
        return b"".join(parts)

    def _read_line(self, line: bytes) -> None:
        if self._is_in_trailer:
            self.is_ended = not line
        elif line:  # an empty one ends the chunk before it
            self._left = int(line.partition(b";")[0], 16)
            self._is_in_trailer = self._left == 0


def reasoning_of(message: Mapping[str, Any]) -> str:
    """Return the reasoning that a message or delta carries beside its text."""
    return next((text for name in REASONING_FIELDS if isinstance(text := message.get(name), str) and text), "")


def take_text(delta: dict[str, Any]) -> str:
    """Remove and return the text of a message or delta. Pictures become Markdown: the layers above know only text."""
    content = delta.get("content") or delta.get("refusal")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    parts += images if isinstance(images := delta.pop("images", None), list) else []
    texts = [_part_text(part) for part in parts if isinstance(part, dict)]
    if content is not None:
        delta["content"] = ""
    return "".join(texts)


def _part_text(part: dict[str, Any]) -> str:
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
    """Return the chunk of an event that is one line with exactly one choice; None for any other event."""
    if not event.startswith(b"data:") or b"\n" in event:
        return None
    try:
        chunk = json.loads(event[5:])
        choices = chunk["choices"]
        is_single = len(choices) == 1 and choices[0].get("index", 0) == 0 and isinstance(choices[0]["delta"], dict)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # the openai package has the better words for it
    return chunk if is_single else None


def _is_only_text(chunk: dict[str, Any]) -> bool:
    choice = chunk["choices"][0]
    delta = choice["delta"]
    return choice.get("finish_reason") is None and not delta.get("tool_calls") and not delta.get("function_call")


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
