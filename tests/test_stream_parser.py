"""Text is extracted from a streamed answer, wherever its bytes are cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agentchat.models.stream_parser import ChunkedDecoder, EventStreamParser, OnText, ResponseParser

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(**choice: Any) -> bytes:
    chunk = {"id": "x", "choices": [{"index": 0, "finish_reason": None, "delta": {}} | choice]}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


ANSWER = [
    event(delta={"role": "assistant", "content": ""}),
    event(delta={"content": "It is "}),
    event(delta={"content": "sunny ☀"}),
    event(delta={"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}),
    event(finish_reason="tool_calls"),
    b'data: {"id": "x", "choices": [], "usage": {"prompt_tokens": 3}}\n\n',
    b"data: [DONE]\n\n",
]


def chunked(parts: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Yield the data in two pieces, cut at every place, and byte by byte."""
    for place in range(1, len(data)):
        yield [data[:place], data[place:]]
    yield [data[place : place + 1] for place in range(len(data))]


def events_of(body: bytes) -> list[Any]:
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) if line != b"[DONE]" else None for line in lines]


def assert_one_piece(body: bytes) -> None:
    """Check that the text is in one piece and everything else unchanged."""
    with_call, finish, usage, done = events_of(body)
    assert with_call["choices"][0]["delta"]["content"] == "It is sunny ☀"
    assert with_call["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] == "f"
    assert finish["choices"][0]["finish_reason"] == "tool_calls"
    assert usage["usage"] == {"prompt_tokens": 3}
    assert done is None


def collect(shown: list[str]) -> OnText:
    """Return a callback that appends to `shown`."""
    return lambda text, is_reasoning: shown.append(f"({text})" if is_reasoning else text)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_text_is_shown_as_it_comes_and_passed_on_in_one_piece(newline: bytes) -> None:
    """Text is shown as it arrives and passed on in one piece, even if cut within a character or a line end."""
    for pieces in cuts(b"".join(ANSWER).replace(b"\n", newline)):
        shown: list[str] = []
        parser = EventStreamParser(collect(shown))
        body = b"".join(parser.feed(piece) for piece in pieces) + parser.flush()

        assert shown == ["It is ", "sunny ☀"]
        assert parser.is_done
        assert_one_piece(body)


def test_a_whole_response() -> None:
    """A whole response can be cut anywhere, and the output is a complete response again."""
    for pieces in cuts(HEAD + chunked(ANSWER)):
        shown: list[str] = []
        parser = ResponseParser(collect(shown))
        output = b"".join(parser.feed(piece) for piece in pieces)

        assert shown == ["It is ", "sunny ☀"]
        assert (parser.is_streaming, parser.is_ended) == (True, True)
        head, _, body = output.partition(b"\r\n\r\n")
        assert head + b"\r\n\r\n" == HEAD
        assert_one_piece(ChunkedDecoder().feed(body))


def test_text_alone_passes_on_at_the_end() -> None:
    """An answer of text alone is passed on at its end; until then the layers above sleep."""
    parser = ResponseParser(lambda text, is_reasoning: None)
    assert parser.feed(HEAD) == HEAD
    for part in ANSWER[:3]:
        assert parser.feed(b"%x\r\n%b\r\n" % (len(part), part)) == b""
    assert b"sunny" in parser.feed(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        HEAD.replace(b"chunked", b"gzip, chunked") + b"data: {}\n\n",
        HEAD.replace(b"200", b"500") + chunked([b"data: {}\n\n"]),
        b"nonsense",
    ],
)
def test_other_responses_pass_untouched(response: bytes) -> None:
    """Other responses pass byte for byte, however they are cut."""
    for pieces in cuts(response):
        parser = ResponseParser(lambda text, is_reasoning: None)

        assert b"".join(parser.feed(piece) for piece in pieces) == response
        assert not parser.is_streaming


@pytest.mark.parametrize(
    "event",
    [
        b"data: {not json}",
        b'data: {"choices": "none"}',
        b'data: {"choices": [{"index": 0, "delta": null}]}',
        b'data: {"choices": [{"index": 1, "delta": {"content": "second choice"}}]}',
        b": a comment",
        b'event: error\ndata: {"error": {"message": "no"}}',
        b"data: one\ndata: two",
    ],
)
def test_events_that_are_no_text_pass_untouched(event: bytes) -> None:
    """Events without text are unchanged and stay after the text that preceded them."""
    shown: list[str] = []
    parser = EventStreamParser(collect(shown))
    output = parser.feed(ANSWER[1] + event + b"\n\n")

    assert shown == ["It is "]
    assert output.endswith(event + b"\n\n")
    assert b"It is" in output


def test_chunks_with_extensions_and_trailers() -> None:
    """Chunks may have extensions and trailers (RFC 9112)."""
    body = ChunkedDecoder()

    assert body.feed(b"5;name=value\r\nhello\r\n1\r\n!\r\n0\r\ntrailer: x\r\n\r\nmore") == b"hello!"
    assert body.is_ended


def test_what_is_not_chunked_is_an_error() -> None:
    """A body that isn't chunked is an error, which is better than a wrong answer."""
    with pytest.raises(ValueError, match="invalid literal"):
        ChunkedDecoder().feed(b"hello\r\n")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_reported_as_such(name: str) -> None:
    """Reasoning is reported as such, and does not become part of the answer."""
    shown: list[str] = []
    parser = EventStreamParser(collect(shown))
    reasoning = json.dumps({"choices": [{"index": 0, "delta": {name: "Hm.", "content": None}}]}).encode()
    body = parser.feed(b"data: " + reasoning + b"\n\n" + ANSWER[1]) + parser.flush()

    assert shown == ["(Hm.)", "It is "]
    assert b"It is" in body


def test_pictures_become_markdown() -> None:
    """Images become Markdown, whether servers put them in the text or beside it."""
    url = {"image_url": {"url": "data:image/png;base64,AA=="}}
    parts = [{"type": "text", "text": "Look: "}, {"type": "image_url", **url}]
    shown: list[str] = []
    parser = EventStreamParser(collect(shown))
    for delta in ({"content": parts}, {"content": "", "images": [url]}):
        chunk = json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode()
        parser.feed(b"data: " + chunk + b"\n\n")
    [output] = events_of(parser.flush())

    picture = "\n\n![picture](data:image/png;base64,AA==)\n\n"
    assert shown == [f"Look: {picture}", picture]
    assert output["choices"][0]["delta"]["content"] == f"Look: {picture}{picture}"
