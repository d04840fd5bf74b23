"""Recordings of talks with a real model: a file with a line for each request and its answer, and its replay.

The first line names the models. Neither keys nor headers are kept.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from agentchat import settings
from agentchat.models import config, local_servers, normalize, reader
from agentchat.models.config import Models
from agentchat.models.entries import Choice
from agentchat.models.normalize import Answer, TooMuch
from agentchat.models.openai_client import ModelWrapper
from agentchat.models.stream_parser import EventStreamParser, answer_of
from agentchat.protocol.events import text_of
from agentchat.protocol.redaction import Redaction
from agentchat.testing import models
from agentchat.testing.models import Model, Request, Send, StandIn, asks_model
from agentchat.testing.replies import Call, Failure, Reply, as_text

RECORD = "AGENTCHAT_RECORD"
KEPT = ("role", "name", "content", "tool_calls", "tool_call_id")
"""The fields of a message by which a request is known again; others depend on the server that is asked."""

Json = dict[str, Any]


def recorded(path: str | Path, in_order: bool = False) -> Model:
    """Return a model that answers as the recording says, to the same requests.

    With `in_order` the answers are given one after another, whatever is asked. If the environment variable
    AGENTCHAT_RECORD is 1, the configured model answers instead, and is recorded.
    """
    if os.environ.get(RECORD, "").strip().lower() not in {"", "0", "no", "false"}:
        return Recorder(Path(path))
    return Replay(Path(path), in_order)


@contextlib.contextmanager
def record(path: str | Path) -> Iterator[Model]:
    """Record the talks in the context that name no other model; the configured model answers."""
    model = Recorder(Path(path))
    token = models.default.set(model)
    try:
        yield model
    finally:
        models.default.reset(token)


class Recorder(Model):
    """The model that a server would use, with its answers being recorded."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path.absolute()
        self._lines: list[Json] = []

    def open(self) -> Models:
        """Return the configured models. Raises SettingsError, and AssertionError if they cannot be recorded."""
        chosen = settings.load([], os.environ)
        choice = Choice(chosen.model, chosen.base_url, chosen.api_key_env, local_servers.ports(chosen.local_servers))
        chosen_models = config.load(os.environ, Path.cwd(), chosen.model_timeout, choice=choice)
        problem = ""
        if chosen_models.is_demo:
            problem = "No model is configured. Set OPENAI_API_KEY, or OAI_CONFIG_LIST"
        elif chosen_models.others:
            others = ", ".join(chosen_models.others)
            problem = f"Models of {others} speak protocols of their own. Configure one that speaks OpenAI's"
        if problem:
            chosen_models.close()
            raise AssertionError(f"{self._path.name} cannot be recorded: {problem}.")
        if not self._lines:
            entries = chosen_models.llm_config.config_list
            kinds = [{"model": str(entry.model), "api_type": str(entry.api_type)} for entry in entries]
            self._write({"models": kinds})
        return chosen_models

    def close(self, models: Models) -> None:
        models.close()

    def handle(self, request: httpx.Request, send: Send) -> httpx.Response:
        if not asks_model(request):
            return send(request)
        asked, _ = self._keep(request)
        token = reader.on_text.set(None)  # or the text would be taken out of the answer before it comes here
        try:
            response = send(request)
        finally:
            reader.on_text.reset(token)
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Copied(response.stream, lambda content: self._add(asked, response, content))
        return response

    def _add(self, request: Request, response: httpx.Response, content: bytes) -> None:
        answer = _answer_kept(response, content)
        if answer is not None:
            self._write({"agent": request.agent, "answer": answer, "request": _asked(request)})

    def _write(self, line: Json) -> None:
        line = _redacted(line)
        with self._lock:
            newest = self._lines[-1] if self._lines else {}
            if "status" in newest.get("answer", {}) and newest.get("request") == line.get("request"):
                self._lines.pop()  # it was asked again until it was answered
            self._lines.append(line)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in self._lines]
            self._path.write_text("".join(lines), encoding="utf-8")


class Replay(StandIn):
    """A model that answers as a recording says."""

    def __init__(self, path: Path, in_order: bool) -> None:
        """Read the recording. Raises AssertionError if there is none."""
        self._name = str(path)
        try:
            first, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
            super().__init__(*first["models"])
            self._answers = [_answer_read(line["answer"]) for line in lines]
            self._asked = [line["request"] for line in lines]
        except FileNotFoundError:
            raise AssertionError(f"There is no recording {path.absolute()}. {_AGAIN}") from None
        except (ValueError, LookupError, TypeError) as error:
            raise AssertionError(f"{path} is not a recording: {error!r}. {_AGAIN}") from error
        self._in_order = in_order
        self._left = list(range(len(lines)))

    def reply(self, request: Request, number: int) -> Reply | Failure:
        asked = _redacted(_asked(request))
        with self._lock:
            left = self._left[:1] if self._in_order else self._left
            place = next((place for place in left if self._in_order or self._asked[place] == asked), None)
            if place is None:
                raise AssertionError(self._difference(asked, request))
            self._left.remove(place)
            return self._answers[place]

    def _difference(self, asked: Json, request: Request) -> str:
        assert self._lock.locked()
        if not self._left:
            return f"{self._name} holds {len(self._answers)} answers, and more was asked. {request}\n{_AGAIN}"
        place = self._left[0]
        return (
            f"{self._name} holds no answer to this request. It differs from the next one that is left, in line "
            f"{place + 2}: {_differing(asked, self._asked[place])}.\n{request}\n{_AGAIN}"
        )


_AGAIN = f"Set {RECORD}=1 to record it, with a model configured."


def _asked(request: Request) -> Json:
    """Return the part of a request by which it is known again."""
    messages = [{name: message[name] for name in KEPT if message.get(name)} for message in request.messages]
    if "input" in request.body:  # the items of the Responses API have other fields
        messages = [{name: value for name, value in message.items() if name != "id"} for message in request.messages]
    return {"model": request.body.get("model"), "messages": messages, "tools": request.tools}


def _redacted(line: Json) -> Json:
    """Return a line, or a part of it, without keys."""
    redacted: Json = json.loads(Redaction(lambda: ModelWrapper.keys).redact_json(json.dumps(line)))
    return redacted


def _differing(asked: Json, known: Json) -> str:
    """Return the first difference of two requests in words."""
    for name in ("model", "tools"):
        if asked[name] != known[name]:
            return f"the {name} {asked[name]} instead of {known[name]}"
    both = zip(asked["messages"], known["messages"], strict=False)
    for number, (message, other) in enumerate(both, 1):
        if message != other:
            return f"message {number} is {_excerpt(message, other)} instead of {_excerpt(other, message)}"
    return f"{len(asked['messages'])} messages instead of {len(known['messages'])}"


def _excerpt(message: Json, other: Json, size: int = 200) -> str:
    """Return a message as text, from a little before the place where it differs from the other."""
    text, against = (json.dumps(each, ensure_ascii=False) for each in (message, other))
    same = next((place for place, pair in enumerate(zip(text, against, strict=False)) if len(set(pair)) > 1), 0)
    start = max(same - size // 4, 0)
    return f"{'…' if start else ''}{text[start : start + size]}{'…' if len(text) > start + size else ''}"


def _answer_kept(response: httpx.Response, content: bytes) -> Json | None:
    """Return the answer as a recording keeps it; None if it broke off."""
    if not response.is_success:
        return {"status": response.status_code, "error": content.decode("utf-8", "replace")}
    try:
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            parser = EventStreamParser(lambda text, is_reasoning: None)
            answer = answer_of(parser.feed(content) or parser.flush())
        else:
            answer = normalize.whole(json.loads(content))
    except (ValueError, TooMuch):
        return None
    return None if answer.fault or answer.error or not answer.has_choice else _fields(answer)


def _fields(answer: Answer) -> Json:
    calls = [{"name": each.name, "arguments": each.arguments, "id": each.id} for each in answer.calls]
    tokens = [answer.usage.get(f"{kind}_tokens", 0) for kind in ("prompt", "completion")]
    fields = {
        "text": text_of(answer.text),
        "calls": calls,
        "reasoning": "".join(answer.thoughts),
        "usage": tokens if any(tokens) else None,
        "finish": answer.finish_reason,
    }
    return {name: value for name, value in fields.items() if value}


def _answer_read(kept: Mapping[str, Any]) -> Reply | Failure:
    if "status" in kept:
        return _Refusal(kept["status"], kept["error"])
    calls = [Call(call["name"], as_text(call["arguments"]), call.get("id", "")) for call in kept.get("calls", ())]
    usage = tuple(kept["usage"]) if "usage" in kept else None
    return Reply(
        kept.get("text", ""), *calls, reasoning=kept.get("reasoning", ""), usage=usage, finish=kept.get("finish", "")
    )


class _Refusal(Failure):
    """A failure with the words of a real server."""

    @property
    def body(self) -> Json:
        try:
            body = json.loads(self.message)
        except ValueError:
            body = None
        return body if isinstance(body, dict) else super().body


class _Copied(httpx.SyncByteStream):
    """A body of which a copy is passed on once it is over."""

    def __init__(self, inner: httpx.SyncByteStream, add: Any) -> None:
        self._inner = inner
        self._add = add
        self._content = b""
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        for data in self._inner:
            self._content += data
            yield data
        self._finish()

    def close(self) -> None:
        self._inner.close()
        self._finish()

    def _finish(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._add(self._content)
