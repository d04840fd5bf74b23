"""Text is extracted from a streamed answer, wherever its bytes are cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agentchat.models import stream_parser
from agentchat.models.normalize import Answer, TooMuch
from agentchat.models.stream_parser import (
    MAX_EVENT,
    MAX_LINES,
    ChunkedDecoder,
    EventStreamParser,
    OnText,
    ResponseParser,
    answer_of,
    limited,
)

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


def assert_whole(line: bytes) -> None:
    answer = answer_of(line)
    assert (answer.text, answer.finish_reason, answer.usage) == ("It is sunny ☀", "tool_calls", {"prompt_tokens": 3})
    assert [call.name for call in answer.calls] == ["f"]
    assert (answer.error, answer.fault) == (None, "")


def parsed(body: bytes) -> tuple[Answer, list[str]]:
    """Return the answer that these bytes are, and what was shown of it."""
    shown: list[str] = []
    parser = EventStreamParser(collect(shown))
    return answer_of(parser.feed(body) or parser.flush()), shown


def collect(shown: list[str]) -> OnText:
    """Return a callback that appends to `shown`."""
    return lambda text, is_reasoning: shown.append(f"({text})" if is_reasoning else text)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_text_is_shown_as_it_comes_and_passed_on_as_one_answer(newline: bytes) -> None:
    """Text is shown as it arrives and passed on as one answer, even if cut within a character or a line end."""
    for pieces in cuts(b"".join(ANSWER).replace(b"\n", newline)):
        shown: list[str] = []
        parser = EventStreamParser(collect(shown))
        output = b"".join(parser.feed(piece) for piece in pieces) + parser.flush()

        assert "".join(shown) == "It is sunny ☀"
        assert parser.is_done
        assert output.count(b"\n") == 1
        assert_whole(output)


def test_one_read_is_shown_in_one_piece() -> None:
    """All the text that one read of the socket brings is shown at once, thoughts and text apart."""
    thought = event(delta={"reasoning": "Hm."})
    assert parsed(thought * 3 + ANSWER[1] + ANSWER[2])[1] == ["(Hm.Hm.Hm.)", "It is sunny ☀"]


def test_a_whole_response() -> None:
    """A whole response can be cut anywhere, and the output is a complete response again."""
    for pieces in cuts(HEAD + chunked(ANSWER)):
        shown: list[str] = []
        parser = ResponseParser(collect(shown))
        output = b"".join(parser.feed(piece) for piece in pieces)

        assert "".join(shown) == "It is sunny ☀"
        assert (parser.is_streaming, parser.is_ended) == (True, True)
        head, _, body = output.partition(b"\r\n\r\n")
        assert head + b"\r\n\r\n" == HEAD
        assert_whole(ChunkedDecoder().feed(body))


def test_nothing_passes_on_before_the_end() -> None:
    """Until the answer is complete, the layers above sleep."""
    parser = ResponseParser(lambda text, is_reasoning: None)
    assert parser.feed(HEAD) == HEAD
    for part in ANSWER[:-1]:
        assert parser.feed(b"%x\r\n%b\r\n" % (len(part), part)) == b""
    assert b"sunny" in parser.feed(b"%x\r\n%b\r\n" % (len(ANSWER[-1]), ANSWER[-1]))
    assert parser.feed(b"0\r\n\r\n") == b"0\r\n\r\n"


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
    "between",
    [
        b": a comment\n\n",
        b"id: 7\nevent: message\nretry: 10\n",
        b"data: ping\n\n",
        b"\n\n\n",
        b'data: {"choices": "none"}\n\n',
        b'data: {"choices": [{"index": 0, "delta": null}]}\n\n',
        b'data: {"choices": [{"index": 1, "delta": {"content": "second choice"}}]}\n\n',
        b'data: {"choices": [{"content_filter_offsets": {"check_offset": 3}}]}\n\n',
        b'data: {"choices": [], "prompt_filter_results": []}\n\n',
        b'data: {"choices": null}\n\n',
        b"data:\n\n",
        b"data\n\n",
    ],
)
def test_events_without_words_change_nothing(between: bytes) -> None:
    """Comments, other fields and chunks without words may stand between any two events."""
    answer, shown = parsed(between + between.join(ANSWER))

    assert shown == ["It is sunny ☀"]
    assert (answer.text, answer.finish_reason, answer.fault) == ("It is sunny ☀", "tool_calls", "")


@pytest.mark.parametrize(
    "body",
    [
        b'data:{"choices":[{"delta":{"content":"It is sunny"}}]}\n\ndata:[DONE]\n\n',
        b'data: {"choices":\ndata: [{"delta":\ndata: {"content": "It is sunny"}}]}\n\ndata: [DONE]\n\n',
        b'data: {"choices":[{"delta":{"content":"It is"}}]}\n: keep-alive\n'
        b'data: {"choices":[{"delta":{"content":" sunny"}}]}\n\ndata: [DONE]\n\n',
        b'{"choices":[{"delta":{"content":"It is sunny"}}]}\n[DONE]\n{"choices":[{"finish_reason":"stop"}]}\n',
        b'data: {"choices":[{"delta":{"content":"It is sunny"},"finish_reason":"stop"}]}',
        b'data: {"choices":[{"delta":{"content":"It is sunny"},"finish_reason":"stop"}]}\r\rdata: [DONE]\r\r',
    ],
)
def test_events_of_any_form(body: bytes) -> None:
    """Events may span several lines, lack the space, the field name, the line end or the empty line."""
    answer, shown = parsed(body)

    assert "".join(shown) == answer.text == "It is sunny"
    assert (answer.error, answer.fault) == (None, "")


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (b'data: {"error": {"message": "no memory", "code": 500}}\n\n', {"message": "no memory", "code": 500}),
        (b'data: {"error": "no memory"}\n\n', "no memory"),
        (b'event: error\ndata: {"message": "no memory"}\n\n', {"message": "no memory"}),
        (b"event: error\ndata: no memory\n\n", "no memory"),
        (b'error: {"code": 500, "message": "no memory"}\n\n', {"code": 500, "message": "no memory"}),
        (b'{"error": {"message": "no memory"}}', {"message": "no memory"}),
        (b'{\n  "error": {\n    "message": "no memory"\n  }\n}\n', {"message": "no memory"}),
        (b'data: {"object": "error", "message": "no memory"}\n\n', {"object": "error", "message": "no memory"}),
        (b'data: {"detail": "no memory"}\n\n', {"detail": "no memory"}),
        (
            b'data: {"object": "error", "message": "no memory", "type": "InternalServerError", "code": 500}\n\n',
            {"object": "error", "message": "no memory", "type": "InternalServerError", "code": 500},
        ),
        (
            b'data: {"choices": null, "base_resp": {"status_code": 1008, "status_msg": "no memory"}}\n\n',
            {"code": 1008, "message": "no memory"},
        ),
        (b'data: {"type": "error", "error": {"message": "no memory"}}\n\n', {"message": "no memory"}),
    ],
)
@pytest.mark.parametrize("begin", [b"", ANSWER[1]])
def test_an_error_ends_the_answer(begin: bytes, end: bytes, error: object) -> None:
    """An error inside a stream ends it, in whatever form it comes; the text before it was shown."""
    answer, shown = parsed(begin + end + b"\n\ndata: [DONE]\n\n")

    assert answer.error == error
    assert "".join(shown) == ("It is " if begin else "")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"".join(ANSWER[:2]), "broken off"),
        (b"", "nothing"),
        (b"data: [DONE]\n\n", "nothing"),
        (b"<html>Bad gateway</html>", "nothing"),
        (b"data: not json\n\n", "not json"),
        (b'data: {"ok": true}\n\n', "nothing"),
        (b"data: {{{\n\n", "{{{"),
    ],
)
def test_what_is_no_answer(body: bytes, fault: str) -> None:
    """An answer without an end, or none at all, is told from an empty one."""
    assert parsed(body)[0].fault == fault


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"Bl\xe5b\xe6r", "Bl\ufffdb\ufffdr"),
        (b"one \xff\xfe two", "one \ufffd\ufffd two"),
        (b"a\tb\x01c", "a\tb\x01c"),
    ],
)
def test_text_that_is_not_quite_json(content: bytes, text: str) -> None:
    """Bytes of another encoding and raw control characters cost no more than themselves."""
    answer, _ = parsed(b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\ndata: [DONE]\n\n' % content)
    assert (answer.text, answer.is_damaged) == (text, False)


def test_an_event_that_cannot_be_read() -> None:
    """A hole in an answer is known."""
    answer, _ = parsed(ANSWER[1] + b'data: {"choices":[{"del\n\n' + b"".join(ANSWER[2:]))
    assert (answer.text, answer.is_damaged) == ("It is sunny ☀", True)


def test_lines_without_end() -> None:
    """An event of ever more lines is refused before reading it costs everybody's time."""
    with pytest.raises(TooMuch, match="never ends"):
        parsed(b"data: {\n" * (MAX_LINES + 2))


def test_a_line_without_end() -> None:
    """A line that never ends is refused before it fills the memory."""
    parser = EventStreamParser(lambda text, is_reasoning: None)
    parser.feed(b"x" * MAX_EVENT)
    with pytest.raises(TooMuch, match="a line of it"):
        parser.feed(b"x")


@pytest.mark.parametrize("content", ["", " ", "\n"])
def test_an_answer_that_says_nothing_for_ever(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of nothing but spaces counts as text; one of nothing at all ends at some time, and fills no memory."""
    monkeypatch.setattr(stream_parser, "MAX_STREAM", 300_000)
    said: list[str] = []
    parser = EventStreamParser(limited(lambda text, is_reasoning: said.append(text), 3000))
    event = b"data: %b\n\n" % json.dumps({"choices": [{"delta": {"content": content}}]}).encode()
    if content:
        assert answer_of(next(line for _ in range(6000) if (line := parser.feed(event)))).finish_reason == "limit"
        assert len("".join(said)) == 3000
    else:
        assert not any(parser.feed(event) for _ in range(300_000 // len(event)))
        with pytest.raises(TooMuch, match="300000 bytes"):
            parser.feed(event)


def test_chunks_with_extensions_and_trailers() -> None:
    """Chunks may have extensions and trailers (RFC 9112)."""
    body = ChunkedDecoder()

    assert body.feed(b"5;name=value\r\nhello\r\n1\r\n!\r\n0\r\ntrailer: x\r\n\r\nmore") == b"hello!"
    assert body.is_ended


def test_what_is_not_chunked_is_an_error() -> None:
    """A body that isn't chunked is an error, which is better than a wrong answer."""
    with pytest.raises(ValueError, match="invalid literal"):
        ChunkedDecoder().feed(b"hello\r\n")
