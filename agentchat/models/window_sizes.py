"""The context windows of models, in tokens, as their servers tell them.

OpenAI's protocol has no word for it, so each program is asked in its own way: vLLM, llama.cpp, Ollama, LM Studio, and
gateways such as OpenRouter. Ollama drops what doesn't fit and reports no error, so nothing else would tell.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import openai

from agentchat.models import reader, transport
from agentchat.protocol.errors import ChatError

log = logging.getLogger(__name__)

TIMEOUT = 1.0  # seconds for all questions to a server
CONNECT_TIMEOUT = 0.5  # seconds of it, for TCP and for TLS each
MAX_ANSWER = 4_000_000  # bytes; OpenRouter's list has some hundred thousand
SIZES = range(100, 1_000_000_000)  # tokens that a window can have

LISTED = ("max_model_len", "loaded_context_length", "context_window", "context_length", "max_context_length", "n_ctx")
"""The fields of vLLM, LM Studio, Groq, OpenRouter, Mistral and others in a list of models."""

SILENT = (".api.openai.com", ".azure.com", ".invalid")
"""The ends of names of servers that are not asked: OpenAI's and Azure's don't tell, and the demo model is none."""


@dataclass(frozen=True)
class Size:
    """The tokens of a window. A model that isn't loaded yet has only a `limit`, and may get less."""

    tokens: int = 0
    limit: int = 0


@dataclass
class _Asked:
    size: Size
    questions_left: int


_lock = threading.Lock()  # guards the next
_asked: dict[tuple[str, str], _Asked] = {}  # by address and model


def of(client: openai.OpenAI, model: str) -> Size:
    """Return the window of a model, which is asked for at the first call, and at the next if it isn't loaded by then.

    It has no tokens and no limit if nobody tells, or while another turn is asking. Raises Stopped.
    """
    address = client.base_url
    if isinstance(client, openai.AzureOpenAI) or f".{address.host}".endswith(SILENT):
        return Size()
    key = (str(address), model)
    with _lock:
        asked = _asked.setdefault(key, _Asked(Size(), 2))
        if not asked.questions_left:
            return asked.size
        left, asked.questions_left = asked.questions_left, 0
    try:
        asked.size = _Questions(client, model).ask()
    except httpx.ConnectError:
        left += 1  # it is not running yet
    except httpx.TimeoutException as error:
        log.debug("The server of %s was too slow to tell its context window: %r", model, error)  # asked once more
    except (httpx.TransportError, ChatError):
        left = 0
    except BaseException:  # the turn was stopped
        asked.questions_left = left
        raise
    if asked.size.tokens:
        name = transport.server_name(address)
        log.info("The context window of %s at %s has %d tokens", model, name, asked.size.tokens)
    asked.questions_left = left - 1 if left and not asked.size.tokens else 0
    return asked.size


class _Questions:
    """The questions to one server about one model."""

    def __init__(self, client: openai.OpenAI, model: str) -> None:
        self._base = str(client.base_url).rstrip("/")
        self._root = self._base.removesuffix("/v1")
        self._model = model
        self._headers = {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
        self._deadline = time.monotonic() + TIMEOUT
        # The programs that people run themselves; gateways far away are spared the questions that they can't answer.
        self._is_near = client.base_url.scheme == "http"

    def ask(self) -> Size:
        """Return the first answer that names the tokens, else the smallest limit. Raises httpx.TransportError."""
        limits = []
        for size in self._answers():
            if size.tokens:
                return Size(size.tokens)
            if size.limit:
                limits.append(size.limit)
        return Size(limit=min(limits, default=0))

    def _answers(self) -> Iterator[Size]:
        entry = self._entry(self._get(f"{self._base}/models"))
        meta = _dict(entry.get("meta"))
        yield Size(_first(entry, *LISTED) or _first(meta, "n_ctx"), _first(meta, "n_ctx_train"))
        if not self._is_near:
            return
        props = self._get(f"{self._root}/props")  # llama.cpp
        yield Size(_first(_dict(props.get("default_generation_settings")), "n_ctx") or _first(props, "n_ctx"))
        yield from self._of_ollama()
        entry = self._entry(self._get(f"{self._root}/api/v0/models"))  # LM Studio
        yield Size(_first(entry, "loaded_context_length"), _first(entry, "max_context_length"))

    def _of_ollama(self) -> Iterator[Size]:
        shown = self._get(f"{self._root}/api/show", {"model": self._model})
        if not shown:
            return
        yield Size(_parameter(shown.get("parameters"), "num_ctx"))
        yield Size(_first(self._entry(self._get(f"{self._root}/api/ps")), "context_length"))  # while it is loaded
        info = _dict(shown.get("model_info"))
        yield Size(limit=_first(info, *(name for name in info if name.endswith(".context_length"))))

    def _entry(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return this model's entry in a list, or the only one: a server of one model answers to any name."""
        models = answer.get("data") or answer.get("models")
        entries = [each for each in models if isinstance(each, dict)] if isinstance(models, list) else []
        for entry in entries:
            if any(_same(entry.get(name), self._model) for name in ("id", "name", "model")):
                return entry
        return entries[0] if len(entries) == 1 and "data" in answer else {}

    def _get(self, url: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Return the object that the server answers, empty if it is none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpx.ReadTimeout("there are no more questions in this time")
        timeout = httpx.Timeout(left, connect=min(left, CONNECT_TIMEOUT)).as_dict()
        headers = {**self._headers, "Accept-Encoding": "identity"}
        request = httpx.Request(
            "GET" if body is None else "POST", url, headers=headers, json=body, extensions={"timeout": timeout}
        )
        token = reader.deadline.set(self._deadline)
        try:
            response = transport.pool().handle_request(request)
            try:
                content = _content(response)
            finally:
                response.close()
        finally:
            reader.deadline.reset(token)
        return _parsed(content)


def _content(response: httpx.Response) -> bytes:
    """Return the body of an answer; empty if it is an error or too large."""
    assert isinstance(response.stream, httpx.SyncByteStream)
    content = b""
    for data in response.stream:
        content += data
        if len(content) > MAX_ANSWER:
            return b""
    return content if response.status_code == 200 else b""


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        return _dict(json.loads(content))
    except (ValueError, RecursionError):
        return {}


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(values: Mapping[str, Any], *names: str) -> int:
    """Return the first of these values that can be a window, else 0."""
    return next((values[name] for name in names if type(values.get(name)) is int and values[name] in SIZES), 0)


def _parameter(text: object, name: str) -> int:
    """Return a number of Ollama's parameters, which are lines of a name and a value."""
    lines = [line.split() for line in text.splitlines()] if isinstance(text, str) else []
    found = [words[1] for words in lines if len(words) == 2 and words[0] == name]
    return int(found[-1]) if found and found[-1].isascii() and found[-1].isdigit() and len(found[-1]) < 10 else 0


def _same(name: object, model: str) -> bool:
    return isinstance(name, str) and name.removesuffix(":latest") == model.removesuffix(":latest")
