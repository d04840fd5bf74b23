"""Puts right what model servers answer, and turns it into OpenAI's chat completion.

Servers that call themselves OpenAI-compatible leave fields out, add their own, repeat themselves and count differently.
Everything here is a pure function of what they sent; tests/test_normalize.py is the table of what is known. Events and
objects of OpenAI's Responses API are taken as well (responses_api.py has the request).
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

Json = dict[str, Any]

KEPT = "kept"
"""The key of a tool call under which the history holds what the server that made it wants back with it."""

MAX_TOOL_CALLS = 200  # in one answer; a server that sends more is broken
MAX_REASONING_ITEMS = 1000  # in one answer
MAX_ARGUMENTS = 2_000_000  # characters of one call's arguments
BYTES_PER_TOKEN = 4  # roughly, for the tokenizers in use
_IMAGES = re.compile(rb"data:image/[\w.+-]+;base64,[\w+/=]*")  # of which a model counts the pixels

_PICTURE = re.compile(r"!\[picture\]\([^)]*\)")  # as `_parts` writes it

FINISH_REASONS = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter",
    "function_call": "tool_calls", "tool_use": "tool_calls", "tool-calls": "tool_calls", "tool_call": "tool_calls",
    "max_tokens": "length", "model_length": "length", "max_output_tokens": "length", "incomplete": "length",
    "safety": "content_filter", "content_filtered": "content_filter", "recitation": "content_filter",
    "blocklist": "content_filter", "prohibited_content": "content_filter", "sensitive": "content_filter",
    "refusal": "content_filter", "spii": "content_filter",
    "error": "error", "network_error": "error", "insufficient_system_resource": "error",
}  # fmt: skip
"""OpenAI's word for each finish reason that servers give, in lower case; words that aren't here mean `stop`."""

THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")
THOUGHT_PARTS = frozenset({"thinking", "reasoning", "reasoning_content", "summary_text", "reasoning_text"})
THOUGHT_TEXTS = ("thinking", "text", "content", "reasoning")
THINK_TAGS = ("think", "thinking", "thought")
HEAD = 1000  # characters of an answer in which a tag may begin, behind spaces
OPENING = re.compile(rf"\s*<({'|'.join(THINK_TAGS)})>\n?")

PLAIN_DELTA = frozenset({"role", "content"})


class TooMuch(ValueError):
    """A server sent more than any answer can hold."""


@dataclass
class Call:
    """A tool call that is being received."""

    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""
    extra: Json = field(default_factory=dict)
    """Other fields, which the server wants back with the call: Gemini's `extra_content`, for example."""


@dataclass
class Answer:
    """An answer as far as it has been received."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    reasoning_items: list[Json] = field(default_factory=list)
    """The Responses API's reasoning, which it wants back with the calls."""
    finish_reason: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    id: str = ""
    model: str = ""
    error: Any = None
    """The error that the server reported in the middle of the answer, as it sent it."""
    fault: str = ""
    """`broken off` if it has no end; if it is no answer at all, the first of what came instead."""
    is_damaged: bool = False
    """True if a part of it could not be read."""
    has_choice: bool = False
    """True once anything came that belongs to an answer."""

    @property
    def text(self) -> str:
        return "".join(self.texts)


class News(NamedTuple):
    """The text and the thoughts that one chunk adds to an answer."""

    text: str = ""
    thought: str = ""


NOTHING = News()


class Normalizer:
    """Takes the chunks of one streamed answer, in order."""

    def __init__(self) -> None:
        self.answer = Answer()
        self._text = _Halves()
        self._thought = _Halves()
        self._think = ThinkSplitter()
        self._raw_text: list[str] = []  # as the server has sent it
        self._raw_thought: list[str] = []
        self.is_over = False  # nothing that comes later counts

    def add(self, chunk: Json) -> News:
        """Add a chunk's content to the answer. Raises TooMuch."""
        kind = chunk.get("type")
        if isinstance(kind, str) and (kind.startswith("response.") or kind == "error") and "choices" not in chunk:
            return self._add_event(kind, chunk)
        if not chunk.get("choices") and (error := error_of(chunk)) is not None:
            self.add_error(error)
            return NOTHING
        return self._add_chunk(chunk)

    def add_error(self, error: object) -> None:
        """Note what the server says is wrong, which ends the answer."""
        self.answer.error = error
        self.is_over = True

    def cut_off(self) -> None:
        """End the answer here. A call that is still being received would be carried out with half its arguments."""
        self.answer.finish_reason = "limit"
        self.answer.calls.clear()
        self.is_over = True

    def end(self) -> News:
        """Return what was held back, now that the answer is over."""
        text, thought = self._think.end()
        return self._keep(text + self._text.end(), thought + self._thought.end())

    def _add_chunk(self, chunk: Json) -> News:
        answer = self.answer
        if not answer.id:
            answer.id = _string(chunk.get("id"))
        if not answer.model:
            answer.model = _string(chunk.get("model"))
        if usage := chunk.get("usage"):
            _add_usage(answer.usage, usage)
        elif isinstance(groq := chunk.get("x_groq"), dict):
            _add_usage(answer.usage, groq.get("usage"))
        if error := chunk.get("error"):
            self.add_error(error)
        choice = _choice(chunk.get("choices"))
        if choice is None:
            return NOTHING
        answer.has_choice = True
        if usage := choice.get("usage"):
            _add_usage(answer.usage, usage)
        if reason := finish_reason(choice.get("finish_reason")):
            answer.finish_reason = reason
        delta = choice.get("delta")
        if not isinstance(delta, dict) or not delta:
            if isinstance(message := choice.get("message"), dict):
                return self._add_message(message)
            return self._said(_string(choice.get("text")), "")
        if isinstance(content := delta.get("content"), str) and delta.keys() <= PLAIN_DELTA:  # most chunks
            return self._said(content, "")
        _add_calls(answer.calls, delta)
        return self._said(*content_of(delta))

    def _add_message(self, message: Json) -> News:
        """Add what is new in a complete message.

        Some servers end a stream with the whole message, others send all of it again with each chunk.
        """
        if not self.answer.calls:
            _add_calls(self.answer.calls, message, is_whole=True)
        text, thought = content_of(message)
        return self._said(_rest(text, self._raw_text), _rest(thought, self._raw_thought))

    def _add_event(self, kind: str, event: Json) -> News:
        """Add an event of the Responses API, or one of its whole objects."""
        answer = self.answer
        if kind in {"response.output_text.delta", "response.refusal.delta"}:
            answer.has_choice = True
            return self._said(_string(event.get("delta")), "")
        if kind in {"response.reasoning_summary_text.delta", "response.reasoning_text.delta"}:
            answer.has_choice = True
            return self._said("", _string(event.get("delta")))
        if kind == "response.reasoning_summary_part.added":
            return self._said("", "\n\n" if answer.thoughts else "")
        if kind == "response.output_item.done" and isinstance(item := event.get("item"), dict):
            answer.has_choice = True
            thought = _add_item(answer, item)
            return self._said("", "" if answer.thoughts else thought)
        if kind in {"response.completed", "response.incomplete", "response.failed"}:
            self.is_over = True
            return self._add_response(event.get("response"))
        if kind == "error":
            self.add_error(event.get("error") or event)
        return NOTHING

    def _add_response(self, response: object) -> News:
        """Add a whole object of the Responses API; what was streamed of it already is not added again."""
        if not isinstance(response, dict):
            return NOTHING
        answer = self.answer
        answer.has_choice = True
        answer.id = _string(response.get("id")) or answer.id
        answer.model = _string(response.get("model")) or answer.model
        _add_usage(answer.usage, response.get("usage"))
        answer.error = response.get("error") or answer.error
        status = response.get("status")
        details = response.get("incomplete_details")
        why = details.get("reason") if isinstance(details, dict) else None
        answer.finish_reason = finish_reason(why or "incomplete") if status == "incomplete" else "stop"
        output = response.get("output")
        items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
        has_calls, has_reasoning = bool(answer.calls), bool(answer.reasoning_items)
        text = thought = ""
        for item in items:
            if item.get("type") == "message":
                text += content_of(item)[0]
            elif not (has_reasoning if item.get("type") == "reasoning" else has_calls):
                thought += _add_item(answer, item)
        return self._said("" if answer.texts else text, "" if answer.thoughts else thought)

    def _said(self, text: str, thought: str) -> News:
        if thought:
            self._raw_thought.append(thought)
        if text:
            self._raw_text.append(text)
            text, more = self._think.split(self._text.add(text))
            thought = self._thought.add(thought) + more if thought else more
        elif thought:
            thought = self._thought.add(thought)
        return self._keep(text, thought)

    def _keep(self, text: str, thought: str) -> News:
        if text:
            self.answer.texts.append(text)
        if thought:
            self.answer.thoughts.append(thought)
        return News(text, thought) if text or thought else NOTHING


def whole(body: Json) -> Answer:
    """Return an answer that came in one piece, from either API. Raises TooMuch."""
    normalizer = Normalizer()
    if body.get("object") == "response" or ("output" in body and "choices" not in body):
        normalizer._add_response(body)
    else:
        normalizer.add(body)
    normalizer.end()
    return normalizer.answer


def shortened(answer: Answer, characters: int) -> Answer:
    """Return an answer that came in one piece, cut off like a streamed one if it has too many characters.

    A picture that begins before that is kept.
    """
    left = characters
    if left and sum(map(len, answer.thoughts + answer.texts)) > left:
        for parts in (answer.thoughts, answer.texts):
            text = "".join(parts)
            pictures = (found.span() for found in _PICTURE.finditer(text))
            end = next((end for start, end in pictures if start < left < end), max(left, 0))
            parts[:] = [text[:end]]
            left -= len(parts[0])
        answer.finish_reason = "limit"
        answer.calls.clear()
    return answer


def completion(answer: Answer, origin: str = "", wants_thoughts: bool = False, model: str = "") -> Json:
    """Return an answer as OpenAI's chat completion.

    `origin` names the model that answers; it alone gets back what it wants back with tool calls (see `sent_back`), with
    `wants_thoughts` its thoughts too.
    """
    thoughts = "".join(answer.thoughts)
    calls = [_call(call, origin) for call in answer.calls if call.name]
    _tell_apart(calls)
    if calls and (answer.reasoning_items or (wants_thoughts and thoughts)):
        kept = calls[0].setdefault(KEPT, {"origin": origin})
        if answer.reasoning_items:
            kept["reasoning_items"] = answer.reasoning_items
        elif wants_thoughts:
            kept["reasoning_content"] = thoughts
    message: Json = {"role": "assistant", "content": answer.text}
    if calls:
        message["tool_calls"] = calls
    reason = answer.finish_reason or "stop"
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls and reason == "stop" else reason}
    return {
        "id": answer.id or f"chatcmpl-{uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": answer.model or model,
        "choices": [choice],
        "usage": _usage(answer, thoughts),
    }


def estimated(usage: Mapping[str, Any], request: bytes) -> Json:
    """Return the usage with whatever the server did not count estimated from the sizes, and marked `estimated`."""
    if usage.get("prompt_tokens") is not None and not usage.get("estimated"):
        return dict(usage)
    prompt = usage.get("prompt_tokens")
    prompt = len(_IMAGES.sub(b"", request)) // BYTES_PER_TOKEN if prompt is None else prompt
    total = prompt + usage["completion_tokens"]
    return {**usage, "prompt_tokens": prompt, "total_tokens": total, "estimated": True}


def error_of(body: object) -> Any:
    """Return what a body says is wrong, None if it is no error."""
    if isinstance(body, list) and body:
        return error_of(body[0])
    if not isinstance(body, dict):
        return None
    if body.get("error"):
        return body["error"]
    base = body.get("base_resp")  # of MiniMax
    if isinstance(base, dict) and base.get("status_code"):
        return {"code": base["status_code"], "message": base.get("status_msg")}
    if body.get("object") == "error" or body.get("detail") or (body.get("message") and "choices" not in body):
        return body
    return None


def finish_reason(reason: object) -> str | None:
    """Return OpenAI's word for a finish reason, None if there is none."""
    if not isinstance(reason, str) or not reason.strip():
        return None
    return FINISH_REASONS.get(reason.strip().lower(), "stop")


def content_of(message: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text and the thoughts of a message, or of a piece of one. Pictures become Markdown."""
    content = message.get("content")
    if content is None:
        content = message.get("refusal")
    text, thoughts = _parts(content if isinstance(content, list) else [content])
    images, _ = _parts(message["images"] if isinstance(message.get("images"), list) else [])
    for name in THOUGHT_FIELDS:
        value = message.get(name)
        thought = value if isinstance(value, str) else "".join(_parts(value)) if isinstance(value, list) else ""
        if thought:
            return text + images, thoughts + thought
    return text + images, thoughts


def _parts(parts: Iterable[Any]) -> tuple[str, str]:
    texts, thoughts = [], []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else image
            if part.get("type") in THOUGHT_PARTS:
                inner = next((part[name] for name in THOUGHT_TEXTS if part.get(name)), "")
                thoughts.append("".join(_parts(inner if isinstance(inner, list) else [inner])))
            elif isinstance(url, str):
                texts.append(f"\n\n![picture]({url})\n\n")
            else:
                texts.append(_string(part.get("text")) or _string(part.get("content")) or _string(part.get("refusal")))
    return "".join(texts), "".join(thoughts)


def _rest(whole: str, pieces: list[str]) -> str:
    """Return how much of a whole text is new, after pieces of it; nothing if it does not begin with them."""
    so_far = "".join(pieces)
    return whole[len(so_far) :] if whole.startswith(so_far) else ""


def _choice(choices: object) -> Json | None:
    """Return the first choice with index 0 or none."""
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") in (0, None):
            return choice
    return None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


# Tool calls


def _add_calls(calls: list[Call], delta: Mapping[str, Any], is_whole: bool = False) -> None:
    """Add the calls of a message, or the pieces of calls in a delta."""
    pieces = delta.get("tool_calls")
    pieces = [pieces] if isinstance(pieces, dict) else pieces if isinstance(pieces, list) else []
    if isinstance(function := delta.get("function_call"), dict):
        pieces = [*pieces, {"index": -1, "function": function}]
    for piece in pieces:
        if isinstance(piece, dict):
            _add_piece(calls, piece, is_whole)


def _add_piece(calls: list[Call], piece: Json, is_whole: bool) -> None:
    function = piece.get("function")
    function = function if isinstance(function, dict) else {}
    index, id, name = piece.get("index"), _string(piece.get("id")), _string(function.get("name"))
    index = index if isinstance(index, int) and not isinstance(index, bool) else None
    call = None if is_whole else _known(calls, index, id, name)
    if call is None:
        call = _new(calls, index, id)
    call.id = call.id or id
    if name and name != call.name and not call.arguments.strip("{} "):
        call.name += name  # otherwise the server repeats it in each piece
    call.arguments = _joined(call.arguments, function.get("arguments"))
    known = {"index", "id", "type", "function"}
    call.extra.update({key: value for key, value in piece.items() if key not in known and value is not None})


def _new(calls: list[Call], index: int | None, id: str) -> Call:
    if len(calls) >= MAX_TOOL_CALLS:
        raise TooMuch(f"it has more than {MAX_TOOL_CALLS} tool calls")
    calls.append(Call(index, id))
    return calls[-1]


def _known(calls: list[Call], index: int | None, id: str, name: str) -> Call | None:
    """Return the call that a piece continues, None for a new one."""
    if id:
        for call in calls:
            if call.id == id and (index is None or call.index in {None, index}):
                return call
        # A new id under a known index is another call, unless that call still waits for its id or this has no name.
        same = [call for call in calls if index is not None and call.index == index]
        return next((call for call in reversed(same) if not call.id or not name), None)
    if index is not None:
        return next((call for call in reversed(calls) if call.index == index), None)
    return None if name or not calls else calls[-1]


def _joined(arguments: str, piece: object) -> str:
    """Return arguments with another piece of them: text is appended, an object replaces them."""
    if piece is None:
        return arguments
    if not isinstance(piece, str):
        piece, arguments = json.dumps(piece, ensure_ascii=False), ""
    elif arguments.strip() == "{}" and piece.lstrip().startswith("{"):
        arguments = ""
    if len(arguments) + len(piece) > MAX_ARGUMENTS:
        raise TooMuch(f"the arguments of a tool call have more than {MAX_ARGUMENTS} characters")
    return arguments + piece


def _add_item(answer: Answer, item: Json) -> str:
    """Add an item of the Responses API's output, and return the thoughts in it."""
    if item.get("type") == "function_call":
        call = _new(answer.calls, None, _string(item.get("call_id")))
        call.name, call.arguments = _string(item.get("name")), _joined("", item.get("arguments"))
    elif item.get("type") == "reasoning":
        if len(answer.reasoning_items) >= MAX_REASONING_ITEMS:
            raise TooMuch(f"it has more than {MAX_REASONING_ITEMS} pieces of reasoning")
        answer.reasoning_items.append(item)
        summary = item.get("summary")
        parts = [part for part in summary if isinstance(part, dict)] if isinstance(summary, list) else []
        return "\n\n".join(text for part in parts if (text := _string(part.get("text"))))
    return ""


def _call(call: Call, origin: str) -> Json:
    function = {"name": call.name, "arguments": _usable(call.arguments)}
    content: Json = {"id": call.id or f"call_{uuid4().hex}", "type": "function", "function": function}
    if call.extra:
        content[KEPT] = {"origin": origin, "fields": call.extra}
    return content


def _tell_apart(calls: list[Json]) -> None:
    """Give calls ids of their own, by which their results are found."""
    ids = set[str]()
    for call in calls:
        if call["id"] in ids:
            call["id"] = f"call_{uuid4().hex}"
        ids.add(call["id"])


def _usable(arguments: str) -> str:
    """Return arguments that are not a JSON object in a form that AG2 reports to the model; on some it would raise."""
    if is_json_object(arguments):
        return arguments
    if is_json_object(inner := _inner(arguments)):  # encoded twice
        return str(inner)
    return "{}" if not arguments.strip() or arguments == "null" else f"not an object: {arguments}"


def _inner(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def is_json_object(text: object) -> bool:
    """Return True if `text` is a JSON object, as the arguments of a tool call should be."""
    try:
        return isinstance(text, str) and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


# Usage


def _add_usage(known: dict[str, int], usage: object) -> None:
    """Take over the counts of a usage object; servers that send it in every chunk count up."""
    if not isinstance(usage, dict):
        return
    for name, other in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")):
        for key in (name, other):
            value = usage.get(key)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
                known[name] = int(value)
                break


def _usage(answer: Answer, thoughts: str) -> Json:
    """Return the counts; completion tokens that the server did not count are estimated."""
    usage: Json = dict(answer.usage)
    if "completion_tokens" not in usage:
        said = len(answer.text) + len(thoughts) + sum(len(call.name) + len(call.arguments) for call in answer.calls)
        usage |= {"completion_tokens": -(-said // BYTES_PER_TOKEN), "estimated": True}
    usage.setdefault("prompt_tokens", None)
    return usage | {"total_tokens": (usage["prompt_tokens"] or 0) + usage["completion_tokens"]}


# Text


class _Halves:
    """Joins the two halves of a character that came in two pieces; a half without the other is replaced."""

    def __init__(self) -> None:
        self._half = ""

    def add(self, text: str) -> str:
        if text.isascii() and not self._half:
            return text
        text = self._half + text
        self._half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return _whole_characters(text[: len(text) - len(self._half)])

    def end(self) -> str:
        half, self._half = self._half, ""
        return _whole_characters(half)


def _whole_characters(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class ThinkSplitter:
    """Tells thoughts in `<think>…</think>` at the head of an answer from its text, wherever the pieces are cut."""

    def __init__(self) -> None:
        self._split = type(self)._at_the_head  # takes the next piece; unbound, or it would keep this alive
        self._held = ""  # may become a tag
        self._closing = ""

    def split(self, piece: str) -> tuple[str, str]:
        """Return how much of the text and of the thoughts can be shown now."""
        return self._split(self, self._held + piece if self._held else piece) if piece else ("", "")

    def end(self) -> tuple[str, str]:
        """Return what was held back."""
        held, self._held = self._held, ""
        return ("", held) if self._closing else (held, "")

    def _at_the_head(self, piece: str) -> tuple[str, str]:
        self._held = ""
        if opening := OPENING.match(piece):
            self._split, self._closing = type(self)._within, f"</{opening[1]}>"
            return self._within(piece[opening.end() :])
        if len(piece) < HEAD and any(f"<{tag}>".startswith(piece.lstrip()) for tag in THINK_TAGS):
            self._held = piece
            return "", ""
        self._split = type(self)._behind
        return piece, ""

    def _within(self, piece: str) -> tuple[str, str]:
        self._held = ""
        thought, is_closed, rest = piece.partition(self._closing)
        if is_closed:
            self._split, self._closing = type(self)._between, ""
            return self._between(rest)[0], thought
        length = next(n for n in range(len(self._closing) - 1, -1, -1) if thought.endswith(self._closing[:n]))
        self._held = thought[len(thought) - length :]
        return "", thought[: len(thought) - length]

    def _between(self, piece: str) -> tuple[str, str]:
        """Drop the empty lines between the thoughts and the text."""
        text = piece.lstrip()
        if text:
            self._split = type(self)._behind
        return text, ""

    def _behind(self, piece: str) -> tuple[str, str]:
        return piece, ""
