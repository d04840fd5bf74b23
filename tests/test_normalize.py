"""Dialects of model servers: a table of the chunks they send and the answers they stand for."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from agentchat.models import normalize
from agentchat.models.normalize import (
    KEPT,
    MAX_ARGUMENTS,
    MAX_REASONING_ITEMS,
    MAX_TOOL_CALLS,
    Answer,
    Normalizer,
    TooMuch,
)

Json = dict[str, Any]

F = {"name": "f", "arguments": '{"x": 1}'}
ONE = [("f", '{"x": 1}')]


def choice(**fields: Any) -> Json:
    return {"choices": [fields]}


def delta(**fields: Any) -> Json:
    return choice(index=0, delta=fields)


def calls(*pieces: Any) -> Json:
    return delta(tool_calls=list(pieces))


def function(name: str | None = None, arguments: Any = None, **fields: Any) -> Json:
    """Return a piece of a tool call with only those fields that are given."""
    inner = {"name": name, "arguments": arguments}
    return {**fields, "function": {key: value for key, value in inner.items() if value is not None}}


def answer_of(*chunks: Json) -> Answer:
    normalizer = Normalizer()
    for chunk in chunks:
        normalizer.add(chunk)
    normalizer.end()
    return normalizer.answer


def completed(*chunks: Json) -> tuple[Any, Json]:
    """Return the choice that AG2 gets of an answer in these chunks, and its message."""
    [first] = normalize.completion(answer_of(*chunks))["choices"]
    return first, first["message"]


def called(message: Json) -> list[tuple[str, str]]:
    return [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or ()]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": {}},
        {"choices": [None]},
        choice(),
        choice(index=0),
        choice(delta=None),
        choice(delta=[]),
        choice(index=0, content_filter_offsets={"check_offset": 4}, content_filter_results={}),
        choice(index=1, delta={"content": "another"}),
        delta(role="assistant"),
        delta(content=None),
        delta(content=""),
        delta(content=7),
        delta(tool_calls=None),
        delta(tool_calls=[]),
        delta(tool_calls=[None, "f"]),
        delta(function_call=None),
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        {"choices": [], "usage": None},
        {"choices": [], "usage": {"prompt_tokens": None}},
        {"choices": [], "usage": "none"},
    ],
)
def test_chunks_without_words(odd: Json) -> None:
    """Chunks that say nothing may come at any place."""
    words = [delta(content="Hello "), delta(content="world")]
    for place in range(3):
        first, message = completed(*words[:place], odd, *words[place:])
        assert (message["content"], first["finish_reason"]) == ("Hello world", "stop")
        assert "tool_calls" not in message


@pytest.mark.parametrize(
    "words",
    [
        choice(index=0, delta={"content": "Hi"}),
        choice(delta={"content": "Hi"}),
        choice(index=None, delta={"content": "Hi"}),
        choice(delta={"content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}),
        choice(delta={"content": ["H", {"text": "i"}]}),
        choice(delta={"content": None, "refusal": "Hi"}),
        choice(message={"content": "Hi"}),
        choice(text="Hi"),
        {"choices": [{"index": 1, "delta": {"content": "No"}}, {"index": 0, "delta": {"content": "Hi"}}]},
        {"choices": [{"delta": {"content": "Hi"}}, {"delta": {"content": "No"}}]},
        {"id": None, "created": None, "model": None, "object": None, **delta(content="Hi")},
        {"type": None, **delta(content="Hi")},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.refusal.delta", "delta": "Hi"},
    ],
)
def test_where_words_stand(words: Json) -> None:
    """Words are found wherever servers put them; the first choice counts."""
    assert completed(words)[1]["content"] == "Hi"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        *((reason, "stop") for reason in (None, "", " ", "stop", "STOP", "eos", "eos_token", "end_turn", "done", 7)),
        *((reason, "length") for reason in ("length", "LENGTH", "max_tokens", "MAX_TOKENS", "model_length")),
        *((reason, "content_filter") for reason in ("content_filter", "SAFETY", "sensitive", "RECITATION")),
        ("network_error", "error"),
    ],
)
def test_why_it_ends(reason: object, told: str) -> None:
    """Finish reasons of any server become OpenAI's; one that is missing, empty or followed by null means stop."""
    end = choice(index=0, delta={}, finish_reason=reason)
    later = choice(index=0, delta={}, finish_reason=None)
    assert completed(delta(content="Hi"), end)[0]["finish_reason"] == told
    assert completed(delta(content="Hi"), end, later)[0]["finish_reason"] == told


@pytest.mark.parametrize("reason", [None, "", "stop", "tool_calls", "function_call", "tool_use", "eos"])
def test_an_answer_with_calls_ends_with_them(reason: str | None) -> None:
    end = choice(delta={}, finish_reason=reason)
    assert completed(calls(function(**F, id="a")), end)[0]["finish_reason"] == "tool_calls"


A: Json = {"id": "a"}
B: Json = {"id": "b"}
ZERO: Json = {"index": 0}
FIRST: Json = {"index": 1}


@pytest.mark.parametrize(
    ("chunks", "found"),
    [
        ([calls(function(**F, **A, **ZERO, type="function"))], ONE),
        ([calls(function(**F, **A))], ONE),
        ([calls(function(**F, **A, index=None))], ONE),
        ([calls(function(**F))], ONE),
        ([calls(function(**F, id=None, type=None))], ONE),
        ([calls(function(**F, id=""))], ONE),
        ([calls(function("f", {"x": 1}, **A))], ONE),
        ([delta(tool_calls=function(**F, **A))], ONE),
        ([delta(function_call=F)], ONE),
        ([delta(function_call={"name": "f"}), delta(function_call={"arguments": '{"x": 1}'})], ONE),
        # in pieces
        ([calls(function("f", "", **A, **ZERO)), calls(function(None, '{"x":', **ZERO)),
          calls(function(None, " 1}", **ZERO))], ONE),
        ([calls(function("f", **A)), calls(function(None, '{"x":')), calls(function(None, " 1}"))], ONE),
        ([calls(function("f", '{"x":', **A)), calls(function(None, " 1}", **A))], ONE),
        ([calls(function("f", '{"x":', **A, **ZERO)), calls(function("f", " 1}", **A, **ZERO))], ONE),
        ([calls(function("f", None, **A, **ZERO)), calls(function("f", '{"x":', **A, **ZERO)),
          calls(function("f", " 1}", **A, **ZERO))], ONE),
        ([calls(function("f", '{"x":', **ZERO)), calls(function("", " 1}", id="", **ZERO))], ONE),
        ([calls(function("f", "", **ZERO)), calls(function(None, '{"x": 1}', **A, **ZERO))], ONE),
        ([calls({**ZERO, **A}), calls({**ZERO, "function": F})], ONE),
        ([calls(function("look_", "", **A, **ZERO)), calls(function("up", "", **ZERO)),
          calls(function(None, "{}", **ZERO))], [("look_up", "{}")]),
        ([calls(function("f", "{}", **A, **ZERO)), calls(function("f", '{"x": 1}', **A, **ZERO))], ONE),
        ([calls(function("f", {}, **A)), calls(function(None, {"x": 1}, **A))], ONE),
        ([calls(function("f", '{"x":', **A, **ZERO)), calls(function(None, " 1}", id="b", **ZERO))], ONE),
        ([calls(function("f", json.dumps('{"x": 1}'), **A))], ONE),
        # several calls
        ([calls(function("f", "{}", **A), function("g", "{}", **B))], [("f", "{}"), ("g", "{}")]),
        ([calls(function("f", "{}", **A, **ZERO), function("g", "{}", **B, **FIRST))], [("f", "{}"), ("g", "{}")]),
        ([calls(function("f", "{}"), function("g", "{}"))], [("f", "{}"), ("g", "{}")]),
        ([calls(function("f", "{}"), function("f", '{"x": 1}'))], [("f", "{}"), *ONE]),
        ([calls(function("f", "{}", **A, **ZERO)), calls(function("g", "{}", **B, **ZERO))],
         [("f", "{}"), ("g", "{}")]),
        ([calls(function("f", "{}", **A, **ZERO)), calls(function("f", "{}", **B, **ZERO))],
         [("f", "{}"), ("f", "{}")]),
        ([calls(function("f", '{"x":', **A, **ZERO)), calls(function("g", '{"y":', **B, **FIRST)),
          calls(function(None, " 1}", **ZERO)), calls(function(None, " 2}", **FIRST))], [*ONE, ("g", '{"y": 2}')]),
        ([calls(function("f", '{"x":', **A)), calls(function(None, " 1}")), calls(function("g", "{}", **B))],
         [*ONE, ("g", "{}")]),
        ([calls(function("f", "{}", **A, index=7)), calls(function("g", "{}", **B, index=10**9))],
         [("f", "{}"), ("g", "{}")]),
        ([calls(function("f", "{}", **A, index=-1))], [("f", "{}")]),
        ([calls(function("f", "{}", **A, **ZERO), function("g", "{}", **A, **FIRST))], [("f", "{}"), ("g", "{}")]),
        # arguments that are none
        ([calls(function("f", **A))], [("f", "{}")]),
        ([calls(function("f", "null", **A))], [("f", "{}")]),
        ([calls(function("f", "", **A))], [("f", "{}")]),
        ([calls(function("f", [1], **A))], [("f", "not an object: [1]")]),
        ([calls(function("f", '{"x"', **A))], [("f", 'not an object: {"x"')]),
        # repeated at the end, whole
        ([calls(function(**F, **A)), choice(message={"content": "", "tool_calls": [function(**F, **A)]})], ONE),
        ([choice(message={"tool_calls": [function(**F, **A), function("g", "{}", **A)]})], [*ONE, ("g", "{}")]),
        # nothing at all
        ([calls(function(None, "{}", **A))], []),
        ([calls({})], []),
        ([calls({"function": None})], []),
        # the Responses API
        ([{"type": "response.output_item.done", "item": {"type": "function_call", "call_id": "a", **F}}], ONE),
    ],
)  # fmt: skip
def test_tool_calls(chunks: list[Json], found: list[tuple[str, str]]) -> None:
    """Calls are found and told apart however their pieces are numbered, named and repeated."""
    _, message = completed(*chunks, choice(delta={}, finish_reason="tool_calls"))

    assert called(message) == found
    ids = [call["id"] for call in message.get("tool_calls") or ()]
    assert len(set(ids)) == len(ids)
    assert all(ids)
    assert all(call["type"] == "function" for call in message.get("tool_calls") or ())


@pytest.mark.parametrize(
    ("usages", "expected"),
    [
        ([{"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}], (5, 2, None)),
        ([{"prompt_tokens": 5, "completion_tokens": 1}, {"prompt_tokens": 5, "completion_tokens": 2}], (5, 2, None)),
        ([{"prompt_tokens": 5}, {"completion_tokens": 2}], (5, 2, None)),
        (
            [{"prompt_tokens": 5, "completion_tokens": 2}, {"prompt_tokens": None, "completion_tokens": None}],
            (5, 2, None),
        ),
        ([{"input_tokens": 5, "output_tokens": 2}], (5, 2, None)),
        ([{"prompt_tokens": 5.0, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}], (5, 2, None)),
        ([{"prompt_tokens": 5}], (5, 3, True)),
        ([{"completion_tokens": 2}], (10, 2, True)),
        ([{"prompt_tokens": "many", "completion_tokens": -1}], (10, 3, True)),
        ([{"prompt_tokens": math.inf, "completion_tokens": math.nan}], (10, 3, True)),
        ([], (10, 3, True)),
    ],
)
@pytest.mark.parametrize("where", ["beside", "choice", "alone", "groq"])
def test_usage(usages: list[Json], expected: tuple[int, int, bool | None], where: str) -> None:
    """Usage is found wherever it stands; whatever the server does not count is estimated, and says so."""
    shapes = {
        "beside": lambda usage: {**delta(content=""), "usage": usage},
        "choice": lambda usage: choice(delta={}, usage=usage),
        "alone": lambda usage: {"choices": [], "usage": usage},
        "groq": lambda usage: {**choice(delta={}), "x_groq": {"id": "req_1", "usage": usage}},
    }
    chunks = [delta(content="Hello world!"), *map(shapes[where], usages)]
    usage = normalize.estimated(normalize.completion(answer_of(*chunks))["usage"], request=b"x" * 40)

    assert (usage["prompt_tokens"], usage["completion_tokens"], usage.get("estimated")) == expected
    assert usage["total_tokens"] == expected[0] + expected[1]


@pytest.mark.parametrize(
    "thought",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {"thinking": "Hm."},
        {"reasoning_content": "Hm.", "reasoning": "Hm."},
        {"reasoning_content": "", "reasoning": "Hm.", "content": None},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
        {"content": [{"type": "thinking", "thinking": "Hm."}]},
        {"content": [{"type": "reasoning", "text": "Hm."}]},
        {"reasoning": [{"text": "H"}, {"text": "m."}]},
        {"content": "<think>Hm.</think>"},
        {"content": "\n<think>\nHm.</think>\n\n"},
        {"content": "<thinking>Hm.</thinking>"},
        {"content": "<thought>Hm.</thought>"},
    ],
)
@pytest.mark.parametrize("is_whole", [False, True])
def test_thoughts(thought: Json, is_whole: bool) -> None:
    """Thoughts are told from the answer, streamed and not."""
    if is_whole:
        content = thought.get("content")
        text = [*content, "Yes."] if isinstance(content, list) else (content or "") + "Yes."
        answer = normalize.whole(choice(message={**thought, "content": text}, finish_reason="stop"))
    else:
        answer = answer_of(delta(**thought), delta(content="Yes."))
    assert ("".join(answer.thoughts), answer.text) == ("Hm.", "Yes.")


@pytest.mark.parametrize(
    ("text", "thought", "said"),
    [
        ("<think>Hm. < x </th></think>\n\nYes <think>no</think>", "Hm. < x </th>", "Yes <think>no</think>"),
        ("<thinker>Yes", "", "<thinker>Yes"),
        ("  <thin", "", "  <thin"),
        ("<think>Hm.", "Hm.", ""),
        ("<think>Hm.</thin", "Hm.</thin", ""),
        ("<think></think>Yes", "", "Yes"),
        ("No <think>x</think>", "", "No <think>x</think>"),
        ("<", "", "<"),
    ],
)
def test_thoughts_in_the_text_cut_anywhere(text: str, thought: str, said: str) -> None:
    """The tags are found wherever they are cut, and only at the head."""
    for first, second in itertools.combinations(range(len(text) + 1), 2):
        pieces = (text[:first], text[first:second], text[second:])
        answer = answer_of(*(delta(content=piece) for piece in pieces))
        assert ("".join(answer.thoughts), answer.text) == (thought, said), pieces


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["\ud83d", "\ude00"], "😀"),
        (["a\ud83d", "\ude00b"], "a😀b"),
        (["\ud83d", "b"], "\ufffdb"),
        (["\ud83d"], "\ufffd"),
        (["\ud83d\ude00"], "😀"),
    ],
)
def test_halves_of_a_character(pieces: list[str], text: str) -> None:
    """The halves of an emoji are joined; a lone one cannot leave the process."""
    for field in ("content", "reasoning"):
        answer = answer_of(*(delta(**{field: piece}) for piece in pieces))
        assert answer.text + "".join(answer.thoughts) == text


@pytest.mark.parametrize(
    "chunks",
    [
        [delta(content="Hel"), delta(content="lo"), choice(message={"content": "Hello", "reasoning": "Hm."})],
        [choice(message={"content": text}) for text in ("H", "Hel", "Hello")],
        [delta(content="<think>x</think>Hello"), choice(message={"content": "<think>x</think>Hello"})],
        [delta(content="Hello"), choice(message={"content": "Hello"}), choice(message={"content": None})],
        [delta(content="Hello"), choice(message={"content": "Something else"})],
    ],
)
def test_a_whole_message_behind_its_pieces(chunks: list[Json]) -> None:
    """Some servers repeat the whole message at the end of a stream, or with each chunk."""
    assert answer_of(*chunks).text == "Hello"


def test_pictures_become_markdown() -> None:
    """Images become Markdown, whether servers put them in the text or beside it."""
    url = {"image_url": {"url": "data:image/png;base64,AA=="}}
    picture = "\n\n![picture](data:image/png;base64,AA==)\n\n"
    parts = [{"type": "text", "text": "Look: "}, {"type": "image_url", **url}]
    assert answer_of(delta(content=parts), delta(content="", images=[url])).text == f"Look: {picture}{picture}"


SIGNED = {"google": {"thought_signature": "c2ln"}}


def test_what_goes_back_with_a_call() -> None:
    """Other fields of a call, and thoughts if wanted, are kept for the model that they come from."""
    chunks = [delta(reasoning_content="Hm."), calls(function(**F, **A, extra_content=SIGNED, cache_control=None))]
    [kept] = [c[KEPT] for c in _calls(chunks, origin="gemini@google", wants_thoughts=True)]
    assert kept == {"origin": "gemini@google", "fields": {"extra_content": SIGNED}, "reasoning_content": "Hm."}
    [kept] = [c[KEPT] for c in _calls(chunks, origin="gemini@google", wants_thoughts=False)]
    assert "reasoning_content" not in kept
    assert KEPT not in _calls([calls(function(**F, **A))], origin="any", wants_thoughts=False)[0]


def _calls(chunks: list[Json], origin: str, wants_thoughts: bool) -> Any:
    return normalize.completion(answer_of(*chunks), origin, wants_thoughts)["choices"][0]["message"]["tool_calls"]


RESPONSE: Json = {
    "id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5.2", "error": None,
    "output": [
        {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"id": "fc_1", "type": "function_call", "call_id": "a", **F},
        {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]},
    ],
    "usage": {"input_tokens": 5, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 1}},
}  # fmt: skip


def streamed_response() -> Iterator[Json]:
    yield {"type": "response.created", "response": {**RESPONSE, "output": [], "usage": None, "status": "in_progress"}}
    yield {"type": "response.output_item.added", "item": {"type": "reasoning", "summary": []}}
    yield {"type": "response.reasoning_summary_part.added", "part": {"type": "summary_text", "text": ""}}
    yield {"type": "response.reasoning_summary_text.delta", "delta": "Hm."}
    yield {"type": "response.output_item.done", "item": RESPONSE["output"][0]}
    yield {"type": "response.output_item.added", "item": {"type": "function_call", "call_id": "a", "arguments": ""}}
    yield {"type": "response.function_call_arguments.delta", "delta": '{"x": 1}'}
    yield {"type": "response.output_item.done", "item": RESPONSE["output"][1]}
    yield {"type": "response.output_text.delta", "delta": "H"}
    yield {"type": "response.output_text.delta", "delta": "i"}
    yield {"type": "response.output_item.done", "item": RESPONSE["output"][2]}
    yield {"type": "response.completed", "response": RESPONSE}


@pytest.mark.parametrize("how", ["streamed", "only the end", "whole", "reasoning at the end"])
def test_the_responses_api(how: str) -> None:
    """An object of the Responses API says the same whether it is streamed or not, and nothing of it twice."""
    events = list(streamed_response())
    late = [event for event in events if "reasoning" not in json.dumps(event) or event is events[-1]]
    chosen = {"streamed": events, "only the end": events[-1:], "whole": [], "reasoning at the end": late}[how]
    answer = answer_of(*chosen) if chosen else normalize.whole(RESPONSE)
    completion = normalize.completion(answer, "o")
    message = completion["choices"][0]["message"]

    assert (message["content"], called(message), "".join(answer.thoughts)) == ("Hi", ONE, "Hm.")
    assert message["tool_calls"][0][KEPT] == {"origin": "o", "reasoning_items": [RESPONSE["output"][0]]}
    assert (completion["id"], completion["model"]) == ("resp_1", "gpt-5.2")
    assert completion["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


@pytest.mark.parametrize(
    ("why", "reason"),
    [({"reason": "max_output_tokens"}, "length"), ({"reason": "content_filter"}, "content_filter"), (None, "length")],
)
def test_an_incomplete_response(why: Json | None, reason: str) -> None:
    response = {**RESPONSE, "status": "incomplete", "incomplete_details": why, "output": RESPONSE["output"][2:]}
    answer = answer_of({"type": "response.incomplete", "response": response})
    assert (answer.text, answer.finish_reason) == ("Hi", reason)


def test_a_failed_response() -> None:
    error = {"code": "server_error", "message": "no memory"}
    assert answer_of({"type": "response.failed", "response": {"status": "failed", "error": error}}).error == error


def test_a_million_tool_calls() -> None:
    """An answer has a limited number of tool calls, each with arguments of limited length."""
    with pytest.raises(TooMuch, match="more than"):
        answer_of(*(calls(function("f", "{}", id=str(number))) for number in range(MAX_TOOL_CALLS + 1)))
    with pytest.raises(TooMuch, match="characters"):
        answer_of(calls(function("f", "x", **A)), calls(function(None, "x" * MAX_ARGUMENTS, **A)))
    item = {"type": "response.output_item.done", "item": {"type": "reasoning", "summary": []}}
    with pytest.raises(TooMuch, match="pieces of reasoning"):
        answer_of(*[item] * (MAX_REASONING_ITEMS + 1))


def test_the_result_is_json() -> None:
    """A completion can be written as JSON, whatever was in the answer."""
    for chunks in ([delta(content="\ud83d")], [calls(function("f", {"x": "\ud83d"}, **A))]):
        json.dumps(completed(*chunks)[1], ensure_ascii=False).encode("utf-8", "surrogatepass")
