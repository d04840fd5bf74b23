"""Conversations with model servers of many dialects: their bytes as people report them, streamed and not."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from agentchat.app import Running
from agentchat.models import reader
from tests.clients import ChatClient, Frame, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

Json = dict[str, Any]
Event = Json | bytes

SSE = "text/event-stream"
CITY = '{"city": "Oslo"}'
FORECAST = {"name": "weather_forecast", "arguments": CITY}
DONE = b"data: [DONE]\n\n"


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


def said(text: str) -> list[Event]:
    """Return chunks that say a text, word by word."""
    return [chunk({"content": word + " "}) for word in text.split()]


def stream(*events: Event, end: bytes = DONE) -> bytes:
    parts = [
        event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n" for event in events
    ]
    return b"".join(parts) + end


def streamed(*events: Event, end: bytes = DONE, **more: Any) -> Reply:
    return Reply(raw=stream(*events, end=end), content_type=SSE, **more)


def whole(message: Json, finish: Any = "stop", **more: Any) -> Reply:
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    choices = [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}]
    return Reply(raw=json.dumps({**body, "choices": choices, **more}).encode())


def asked(client: ChatClient, text: str = "Oslo?") -> tuple[Json, list[Frame]]:
    """Return the end of a turn and its frames."""
    frames = client.ask(text)
    [end] = contents(frames, "turn_completed")
    return end, frames


def shown(frames: list[Frame], kind: str | None = None) -> str:
    """Return what was streamed of the answer, or of a kind such as reasoning."""
    return "".join(
        f["content"]["content"] for f in frames if f["type"] == "stream" and f["content"].get("kind") == kind
    )


TEXTS: dict[str, Reply] = {
    "Azure: filter results before the words": streamed(
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]},
        *said("It is sunny."), chunk({}, "stop"),
    ),
    "Azure: an asynchronous filter between and behind the words": streamed(
        *said("It is"), {"choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {"x": 4}}]},
        *said("sunny."), chunk({}, "stop"), {"choices": [{"index": 0, "delta": None, "content_filter_results": {}}]},
    ),
    "no finish reason": streamed(*said("It is sunny.")),
    "an empty finish reason": streamed(*said("It is sunny."), chunk({}, "")),
    "a foreign finish reason": streamed(*said("It is sunny."), chunk({}, "eos")),
    "another foreign finish reason": streamed(*said("It is sunny."), chunk({}, "END_TURN")),
    "null after the finish reason": streamed(*said("It is sunny."), chunk({}, "stop"), chunk({}, None)),
    "no [DONE]": streamed(*said("It is sunny."), chunk({}, "stop"), end=b""),
    "nothing but words": streamed(*({"choices": [{"delta": {"content": word}}]} for word in ("It is ", "sunny. "))),
    "nulls everywhere": streamed(
        *({"id": None, "created": None, "model": None, "choices": [{"index": None, "delta": {"content": word}}]}
          for word in ("It is ", "sunny. "))
    ),
    "a second choice": streamed(
        {"choices": [{"index": 0, "delta": {"content": "It is "}}, {"index": 1, "delta": {"content": "It was "}}]},
        {"choices": [{"index": 1, "delta": {"content": "rainy."}}]}, *said("sunny."), chunk({}, "stop"),
    ),
    "events of several lines": streamed(
        b'id: 1\nevent: message\nretry: 5\ndata: {"choices":\ndata:  [{"delta": {"content": "It is "}}]}\n\n',
        b': keep-alive\ndata:{"choices":[{"delta":{"content":"sunny. "}}]}\n: keep-alive\n\n',
    ),
    "two events without an empty line": streamed(
        b'data: {"choices":[{"delta":{"content":"It is "}}]}\n: x\n'
        b'data: {"choices":[{"delta":{"content":"sunny. "}}]}\n\n'
    ),
    "line ends of the other kind": Reply(
        raw=stream(*said("It is sunny."), chunk({}, "stop")).replace(b"\n", b"\r\n"), content_type=SSE
    ),
    "gzip": Reply(
        raw=gzip.compress(stream(*said("It is sunny."))), content_type=SSE, headers={"content-encoding": "gzip"}
    ),
    "deflate": Reply(
        raw=zlib.compress(stream(*said("It is sunny."))), content_type=SSE, headers={"content-encoding": "deflate"}
    ),
    "a stream that calls itself text": Reply(raw=stream(*said("It is sunny.")), content_type="text/plain"),
    "one answer where a stream was asked for": whole({"content": "It is sunny. "}),
    "one answer, compressed": Reply(
        raw=gzip.compress(whole({"content": "It is sunny. "}).raw or b""), headers={"content-encoding": "gzip"}
    ),
    "parts": streamed(
        *(chunk({"content": [{"type": "text", "text": word}]}) for word in ("It is ", "sunny. "))
    ),
}  # fmt: skip


@pytest.mark.parametrize("reply", TEXTS.values(), ids=TEXTS.keys())
def test_words(client: ChatClient, model: ModelServer, reply: Reply) -> None:
    """Words arrive complete in every dialect, and the conversation goes on."""
    model.script(reply)
    end, frames = asked(client)

    assert (end["status"], end["summary"]) == ("completed", "It is sunny.")
    assert contents(frames, "text")[-1]["content"].strip() == "It is sunny."
    assert "notice" not in contents(frames, "text")[-1]
    assert shown(frames).strip() in {"It is sunny.", ""}
    assert asked(client)[0]["status"] == "completed"
    assert model.requests[-1]["body"]["messages"][2]["content"].strip() == "It is sunny."
    assert model.requests[-1]["headers"]["accept-encoding"] == "identity"


def test_words_stream_out_of_a_compressed_stream(client: ChatClient, model: ModelServer) -> None:
    """A stream that is compressed all the same streams."""
    model.script(TEXTS["gzip"])
    assert shown(asked(client)[1]) == "It is sunny. "


ID = {"id": "c1", "type": "function"}
CALLS: dict[str, Reply] = {
    "no index": streamed(chunk({"tool_calls": [{**ID, "function": FORECAST}]}), chunk({}, "stop")),
    "a null index": streamed(chunk({"tool_calls": [{**ID, "index": None, "function": FORECAST}]}), chunk({}, "eos")),
    "id and name in every piece": streamed(
        *(chunk({"tool_calls": [{**ID, "index": 0, "function": {**FORECAST, "arguments": piece}}]})
          for piece in (CITY[:4], CITY[4:9], CITY[9:])),
        chunk({}, "tool_calls"),
    ),
    "no id, no type": streamed(chunk({"tool_calls": [{"index": 0, "function": FORECAST}]}), chunk({}, "tool_calls")),
    "null id and type": streamed(
        chunk({"tool_calls": [{"index": 0, "id": None, "type": None, "function": FORECAST}]}), chunk({}, "tool_calls")
    ),
    "arguments as an object": streamed(
        chunk({"tool_calls": [{**ID, "index": 0, "function": {**FORECAST, "arguments": json.loads(CITY)}}]})
    ),
    "{} first": streamed(
        chunk({"tool_calls": [{**ID, "index": 0, "function": {**FORECAST, "arguments": "{}"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": CITY}}]}),
    ),
    "an enormous index": streamed(chunk({"tool_calls": [{**ID, "index": 10**9, "function": FORECAST}]})),
    "whole, without id": whole({"content": None, "tool_calls": [{"function": FORECAST}]}, None),
    "whole, as an object": whole(
        {"tool_calls": [{"id": "", "index": 0, "function": {**FORECAST, "arguments": json.loads(CITY)}}]}, "stop"
    ),
    "a function call": whole({"content": "", "function_call": FORECAST}, "function_call"),
}  # fmt: skip


@pytest.mark.parametrize("reply", CALLS.values(), ids=CALLS.keys())
def test_a_tool_call(client: ChatClient, model: ModelServer, reply: Reply) -> None:
    """A call in any dialect runs its tool once, and goes back in the form that strict servers take."""
    model.script(reply, Reply("It is sunny."))
    end, frames = asked(client)

    assert (end["status"], end["summary"]) == ("completed", "It is sunny.")
    [executed] = contents(frames, "executed_function")
    assert executed["is_exec_success"]
    [call] = model.requests[-1]["body"]["messages"][-2]["tool_calls"]
    assert call.keys() == {"id", "type", "function"}
    assert (call["type"], call["function"]) == ("function", FORECAST)
    result = model.requests[-1]["body"]["messages"][-1]
    assert (result["role"], result["tool_call_id"]) == ("tool", call["id"])


def test_two_calls_under_one_index(client: ChatClient, model: ModelServer) -> None:
    """Ollama numbers all its calls 0."""
    two = [{**ID, "id": id, "index": 0, "function": FORECAST} for id in ("a", "b")]
    model.script(streamed(*(chunk({"tool_calls": [call]}) for call in two), chunk({}, "stop")), Reply("Done."))
    _, frames = asked(client)

    assert [content["call_id"] for content in contents(frames, "executed_function")] == ["a", "b"]


THOUGHTS: dict[str, Reply] = {
    "reasoning_content": streamed(chunk({"reasoning_content": "Hm."}), *said("It is sunny."), chunk({}, "stop")),
    "reasoning": streamed(chunk({"reasoning": "Hm."}), *said("It is sunny."), chunk({}, "stop")),
    "thinking": streamed(chunk({"thinking": "Hm."}), *said("It is sunny."), chunk({}, "stop")),
    "a tag, cut": streamed(
        *(chunk({"content": piece}) for piece in ("<th", "ink>\nH", "m.</t", "hink>\n\n", "It is sunny."))
    ),
    "a tag in one answer": whole({"content": "<think>Hm.</think>\n\nIt is sunny."}),
    "beside one answer": whole({"content": "It is sunny.", "reasoning_content": "Hm."}),
}


@pytest.mark.parametrize("reply", THOUGHTS.values(), ids=THOUGHTS.keys())
def test_thoughts(client: ChatClient, model: ModelServer, reply: Reply) -> None:
    """Thoughts are shown as such, are not part of the answer, and don't go back to the model."""
    model.script(reply)
    end, frames = asked(client)

    assert end["summary"] == "It is sunny."
    assert [content["content"] for content in contents(frames, "reasoning")] == ["Hm."]
    assert shown(frames, "reasoning") == "Hm."
    asked(client)
    assert "Hm." not in json.dumps(model.requests[-1]["body"])


def test_an_emoji_in_two_halves(client: ChatClient, model: ModelServer) -> None:
    halves = [b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % half for half in (rb"\ud83d", rb"\ude00")]
    model.script(streamed(*halves))
    end, frames = asked(client)
    assert (end["summary"], shown(frames)) == ("😀", "😀")


def test_usage_in_every_chunk(client: ChatClient, model: ModelServer) -> None:
    """Counts that grow with every chunk are not summed."""
    counts = ({"prompt_tokens": 7, "completion_tokens": number} for number in (1, 2, 3))
    model.script(streamed(*(chunk({"content": "word "}, usage=usage) for usage in counts)))
    usage = asked(client)[0]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], "estimated" in usage) == (7, 3, False)


@pytest.mark.parametrize(
    ("finish", "words"),
    [("length", "limit of tokens"), ("content_filter", "content filter"), ("max_tokens", "cut off")],
)
@pytest.mark.parametrize("text", ["It is", ""])
@pytest.mark.parametrize("stream", [True, False])
def test_an_end_that_is_told(
    serve: Serve, model: ModelServer, finish: str, words: str, text: str, stream: bool
) -> None:
    """An answer that was cut off says so."""
    model.script(streamed(*said(text), chunk({}, finish)) if stream else whole({"content": text}, finish))
    with ChatClient(serve(model=model, stream=stream).websocket) as client:
        client.confirmed()
        end, frames = asked(client)

        assert end["status"] == "completed"
        said_last = contents(frames, "text")[-1]
        assert words in said_last["notice"]
        assert ("cut_off" in said_last) == ("cut off" in words or "limit" in words)
        assert asked(client)[0]["status"] == "completed"


EMPTY: dict[str, Reply] = {
    "an empty text": streamed(chunk({"content": ""}), chunk({}, "stop")),
    "no text": streamed(chunk({}, "stop")),
    "white space": streamed(chunk({"content": " \n"}), chunk({}, "stop")),
    "null": whole({"content": None}),
}


@pytest.mark.parametrize("reply", EMPTY.values(), ids=EMPTY.keys())
def test_an_empty_answer(client: ChatClient, model: ModelServer, reply: Reply) -> None:
    """An empty answer says so, and does not go back to servers that would refuse it ever after."""
    model.script(reply)
    end, frames = asked(client)

    assert end["status"] == "completed"
    assert "empty answer" in contents(frames, "text")[-1]["notice"]
    asked(client, "And Rome?")
    sent = model.requests[-1]["body"]["messages"]
    assert all(str(message["content"]).strip() for message in sent)
    assert [message["content"] for message in sent[1:]] == ["Oslo?", "And Rome?"]


MESSAGES: dict[str, tuple[bytes, str]] = {
    "an object": (b'{"error": {"message": "no GPU left", "type": "server_error"}}', "no GPU left"),
    "a text": (b'{"error": "no GPU left"}', "no GPU left"),
    "detail": (b'{"detail": "no GPU left"}', "no GPU left"),
    "a list of details": (
        b'{"detail": [{"loc": ["body", "tools"], "msg": "no tools here"}]}', "body.tools: no tools here"
    ),
    "a list": (b'[{"error": {"code": 400, "message": "no GPU left", "status": "INVALID"}}]', "no GPU left"),
    "message": (b'{"object": "error", "message": "no GPU left"}', "no GPU left"),
    "JSON in JSON": (b'{"error": {"message": "{\\"error\\": {\\"message\\": \\"no GPU left\\"}}"}}', "no GPU left"),
    "from behind a router": (
        b'{"error": {"message": "Provider returned error", "metadata": {"raw": "no GPU left"}}}',
        "Provider returned error (no GPU left)"
    ),
    "a page": (b"<html><head><title>no GPU left</title></head><body>nginx</body></html>", "no GPU left"),
    "text": (b"no GPU left", "no GPU left"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "words"), MESSAGES.values(), ids=MESSAGES.keys())
@pytest.mark.parametrize(("status", "code"), [(400, "model_rejected"), (500, "model_failed"), (401, "model_auth")])
def test_the_reason_is_told(
    client: ChatClient, model: ModelServer, status: int, code: str, body: bytes, words: str
) -> None:
    """Whatever shape an error has, the person reads what the server says."""
    for _ in range(3):
        model.script(Reply(status=status, raw=body, headers={"retry-after": "0"}))
    end, frames = asked(client)

    assert end["status"] == "failed"
    [error] = contents(frames, "error")
    assert error["code"] == code
    assert f"It says: {words}." in error["message"]


def test_an_error_without_a_body(client: ChatClient, model: ModelServer) -> None:
    model.script(Reply(status=404, raw=b""))
    [error] = contents(asked(client)[1], "error")
    assert error["message"].endswith("Check `model` and `base_url`; a base_url usually ends in /v1.")


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error": {"message": "no memory", "code": 500}}\n\n',
        b'event: error\ndata: {"message": "no memory"}\n\n',
        b'error: {"code": 500, "message": "no memory"}\n\n',
        b'{"error": "no memory"}\n',
    ],
)
def test_an_error_inside_a_200(client: ChatClient, model: ModelServer, event: bytes, place: int) -> None:
    """An error in the middle of a stream is told, and what was said before it is kept."""
    model.script(streamed(*said("It is sunny.")[:place], event))
    end, frames = asked(client)

    assert end["status"] == "failed"
    [error] = contents(frames, "error")
    assert (error["code"], "It says: no memory." in error["message"]) == ("model_failed", True)
    partial = [content["content"] for content in contents(frames, "text") if content.get("partial")]
    assert partial == (["It is "] if place else [])
    assert asked(client)[0]["status"] == "completed"


@pytest.mark.parametrize("status", [200, 400])
def test_no_quota(client: ChatClient, model: ModelServer, status: int) -> None:
    """An account without quota is not a matter of waiting: it is asked once."""
    error = {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}
    model.script(Reply(status=429, error=error) if status != 200 else Reply(raw=json.dumps(error).encode()))
    [error_event] = contents(asked(client)[1], "error")

    assert error_event["code"] == "model_quota"
    assert "exceeded your current quota" in error_event["message"]
    assert len(model.requests) == 1


def test_a_field_that_is_refused(serve: Serve, model: ModelServer) -> None:
    """A field that a strict server refuses is left out from then on."""
    refusal = {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}
    model.script(Reply(status=422, error=refusal), Reply("Hello."))
    with ChatClient(serve(model=model).websocket) as client:
        client.confirmed()
        assert asked(client)[0]["summary"] == "Hello."
        asked(client)

    assert ["stream_options" in request["body"] for request in model.requests] == [True, False, False]


def refusal(*path: str | int) -> Reply:
    detail = [{"type": "extra_forbidden", "loc": ["body", *path], "msg": "Extra inputs are not permitted"}]
    return Reply(status=422, error={"detail": detail})


def test_several_fields_that_are_refused(client: ChatClient, model: ModelServer) -> None:
    """A server may refuse one field after another, within messages and calls as well."""
    signed = {**ID, "function": FORECAST, "extra_content": {"google": {"thought_signature": "c2ln"}}, "odd (": 1}
    model.script(
        refusal("messages", 1, "name"),
        refusal("stream_options"),
        streamed(chunk({"tool_calls": [signed]}), chunk({}, "tool_calls")),
        refusal("messages", 2, "tool_calls", 0, "extra_content"),
        Reply("It is sunny."),
    )
    assert asked(client)[0]["summary"] == "It is sunny."
    assert asked(client)[0]["status"] == "completed"
    assert len(model.requests) == 6
    sent = json.dumps(model.requests[-1]["body"])
    assert not any(field in sent for field in ('"name": "user"', "stream_options", "extra_content"))


@pytest.mark.parametrize("status", [400, 500])
def test_roles_that_must_alternate(serve: Serve, model: ModelServer, status: int) -> None:
    """Adjacent user messages, as an empty answer leaves them, are joined for servers whose roles must alternate."""
    no = Reply(status=status, error={"error": "Conversation roles must alternate user/assistant/user/assistant/..."})
    model.script(EMPTY["no text"], no, Reply("Cold."))
    with ChatClient(serve(model=model, max_retries=0).websocket) as client:
        client.confirmed()
        asked(client)
        assert asked(client, "And Rome?")[0]["summary"] == "Cold."
        asked(client, "And Bergen?")

    sent = [(message["role"], message["content"]) for message in model.requests[-1]["body"]["messages"]]
    assert sent[1:] == [("user", "Oslo?\n\nAnd Rome?"), ("assistant", "Cold."), ("user", "And Bergen?")]


class AlternatingServer(ModelServer):
    """Refuses histories as Mistral's and Gemma's templates do."""

    def choose(self, request: Json, chat: Json) -> Reply:
        roles = [message["role"] for message in chat["messages"] if message["role"] != "tool"]
        said = roles[1:] if roles[0] == "system" else roles
        wanted = [("user", "assistant")[place % 2] for place in range(len(said))]
        if said != wanted and "tool" not in {message["role"] for message in chat["messages"]}:
            self._requests.append(request)
            return Reply(status=400, error={"error": "Conversation roles must alternate user/assistant/..."})
        return super().choose(request, chat)


@pytest.mark.all_agents
def test_a_team_at_a_server_whose_roles_must_alternate(serve: Serve) -> None:
    """A team's history, in which several speak in a row, is joined with the names of the speakers."""
    with AlternatingServer() as strict:
        strict.script(Reply("Plan: write it."), Reply("I write it. TERMINATE"))
        with ChatClient(serve(model=strict, max_retries=0).websocket, agent="coding_team") as client:
            client.confirmed()
            end, frames = asked(client, "Build it.")
        accepted = [each["body"]["messages"] for each in strict.requests]

    assert end["status"] == "completed", contents(frames, "error")
    assert any("Planner: Plan: write it." in str(messages[-1]["content"]) for messages in accepted)


def test_an_endless_refusal(client: ChatClient, model: ModelServer) -> None:
    """The body of a refusal is limited in size, too."""
    model.script(Reply(status=429, raw=b"x" * 70_000_000))
    [error] = contents(asked(client)[1], "error")
    assert error["code"] == "model_too_much"


def test_an_answer_whose_body_stays_open(
    client: ChatClient, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that has said why it ends is complete, though its server keeps the connection open."""
    monkeypatch.setattr(reader, "GRACE", 0.05)
    body = stream(*said("It is sunny."), chunk({}, "stop"), end=b"")
    model.script(Reply(raw=body, content_type=SSE, headers={"content-length": "9999"}))
    assert asked(client)[0]["summary"] == "It is sunny."
    model.script(Reply("It is sunny.", linger=threading.Event()))
    assert asked(client)[0]["summary"] == "It is sunny."
    assert asked(client)[0]["status"] == "completed"


@pytest.mark.own_server  # its list of models is changed
def test_the_model_that_failed_is_named(serve: Serve, model: ModelServer) -> None:
    """With several entries, an error names the one that it is about."""
    server = serve(model=model, max_retries=0)
    entries = server.models.llm_config.config_list
    entries.append(entries[0].model_copy(update={"model": "second"}))
    model.script(Reply(status=503), Reply(status=401))
    with ChatClient(server.websocket) as client:
        client.confirmed()
        [error] = contents(asked(client)[1], "error")
    assert "Check the key of second." in error["message"]


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (Reply(status=404, raw=b'{"detail": "Not Found"}'), "model_rejected", "usually ends in /v1"),
        (Reply(status=405, raw=b"Method Not Allowed"), "model_rejected", "usually ends in /v1"),
        (Reply(status=308, raw=b""), "model_rejected", "another address"),
        (
            Reply(raw=b'{"choices": null, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}'),
            "model_quota",
            "insufficient balance",
        ),
        (
            Reply(status=400, raw=b'[{"error": {"message": "API key not valid.", "status": "INVALID_ARGUMENT"}}]'),
            "model_auth",
            "API key not valid",
        ),
    ],
)
def test_what_to_do(client: ChatClient, model: ModelServer, reply: Reply, code: str, words: str) -> None:
    """Errors say what to do about them."""
    model.script(reply)
    [error] = contents(asked(client)[1], "error")
    assert (error["code"], words in error["message"]) == (code, True)
    assert error["message"] == error["message"].strip()


def test_a_refusal_of_something_else(serve: Serve, model: ModelServer) -> None:
    """A refusal that only seemed to be about a field changes nothing for the next request."""
    refusal = {"error": {"message": "stream_options: this tool is unknown"}}
    model.script(Reply(status=400, error=refusal), Reply(status=400, error=refusal), Reply("Hello."))
    with ChatClient(serve(model=model).websocket) as client:
        client.confirmed()
        assert asked(client)[0]["status"] == "failed"
        assert asked(client)[0]["summary"] == "Hello."

    assert ["stream_options" in request["body"] for request in model.requests] == [True, False, True]


TOO_LONG: list[Callable[[int], Reply]] = [
    lambda size: Reply(status=400, error={"error": {
        "message": f"This model's maximum context length is 1000 tokens. Your messages resulted in {size} tokens.",
        "code": "context_length_exceeded"}}),
    lambda size: Reply(status=400, error={"error": {
        "code": 400, "message": "the request exceeds the available context size, try increasing it",
        "type": "exceed_context_size_error", "n_prompt_tokens": size, "n_ctx": 1000}}),
    lambda size: Reply(status=400, error={"error": f"prompt is too long: {size} tokens > 1000 maximum"}),
    lambda size: streamed({"error": {"message": "exceeds the available context size", "n_ctx": 1000, "n": size}}),
]  # fmt: skip


@pytest.mark.parametrize("refusal", TOO_LONG)
def test_a_prompt_that_does_not_fit(client: ChatClient, model: ModelServer, refusal: Callable[[int], Reply]) -> None:
    """A prompt that is too long is trimmed to what the server takes and sent once more; the person is told."""
    for number in range(5):
        asked(client, f"{number} " + "word " * 200)
    size = len(json.dumps(model.requests[-1]["body"]["messages"])) // 4
    model.script(refusal(size), Reply("Still here."))
    end, frames = asked(client, "And now?")

    assert (end["status"], end["summary"]) == ("completed", "Still here.")
    assert "oldest messages" in contents(frames, "text")[-1]["notice"]
    sent = model.requests[-1]["body"]["messages"]
    assert len(json.dumps(sent)) // 4 < 1000
    assert sent[-1]["content"] == "And now?"
    assert sent[0]["role"] == "system"


def test_a_stop_after_a_prompt_was_trimmed(client: ChatClient, model: ModelServer) -> None:
    """The part of an answer that was shown says as well that the model did not see everything."""
    for number in range(5):
        asked(client, f"{number} " + "word " * 200)
    model.script(TOO_LONG[0](1500), Reply("Still here.", gate_after=(1, threading.Event())))
    client.say("And now?")
    client.until("stream")
    client.command("stop")
    frames = client.frames
    client.until("turn_completed")
    assert "oldest messages" in contents(frames, "text")[-1]["notice"]


def test_a_prompt_that_never_fits(client: ChatClient, model: ModelServer) -> None:
    for number in range(5):
        asked(client, f"{number} " + "word " * 200)
    model.script(TOO_LONG[0](1500), TOO_LONG[0](1500))
    [error] = contents(asked(client, "And now?")[1], "error")

    assert error["code"] == "model_too_long"
    assert "maximum context length is 1000 tokens" in error["message"]


@pytest.mark.parametrize(
    "garbage",
    [
        streamed(b"data: " + b"x" * 30_000_000 + b"\n\n"),
        streamed(chunk({"tool_calls": [{"id": str(n), "function": FORECAST} for n in range(2000)]})),
        streamed(chunk({"tool_calls": [{**ID, "function": {"name": "f", "arguments": "x" * 3_000_000}}]})),
        Reply(tools=[("weather_forecast", "{}")] * 300),
        Reply(tools=[("weather_forecast", "x" * 3_000_000)], split_arguments=10_000),
    ],
)
def test_too_much(client: ChatClient, model: ModelServer, garbage: Reply) -> None:
    """An answer that is too large ends the turn in words."""
    model.script(garbage)
    [error] = contents(asked(client)[1], "error")

    assert error["code"] == "model_too_much"
    assert asked(client)[0]["status"] == "completed"


@pytest.fixture
def server(serve: Serve, model: ModelServer) -> Running:
    return serve(model=model)
