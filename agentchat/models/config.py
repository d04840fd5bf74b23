"""Which model answers: OAI_CONFIG_LIST, else OPENAI_API_KEY, else the offline demo model.

Every entry that speaks the OpenAI protocol reaches its server through one shared pool of connections (transport.py).
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import autogen.oai.client
import httpx
import openai
from autogen import LLMConfig, OpenAIWrapper
from autogen.oai.client import OpenAIClient
from autogen.oai.openai_utils import OAI_PRICE1K
from openai.types.chat import ChatCompletion
from pydantic import ValidationError

from agentchat import replay as journal
from agentchat.models import stream_parser, transport
from agentchat.models.demo.transport import TOKEN_DELAY, DemoTransport
from agentchat.models.sanitize import is_object, sendable
from agentchat.models.transport import ModelClient, PoolTransport, RetryingTransport, server_name
from agentchat.protocol.errors import ChatError, SettingsError

CONFIG_LIST = "OAI_CONFIG_LIST"
DEFAULT_MODEL = "gpt-5-mini"
DEFAULT_RETRIES = 2  # as in the openai package
SECRET_LENGTH = 8  # shorter "keys" are placeholders like "none", and might stand in any text
OPENAI_PROTOCOL = frozenset({"openai", "azure", "deepseek"})  # AG2's api_types that take an http_client and stream


class DirectClient(OpenAIClient):
    """AG2's client, handing the message list over as it is.

    The openai package walks through every message of every call looking for fields to rename, of which messages have
    none: 0.13 ms a message, which is most of the time that a turn of a long conversation takes. What stands in
    `extra_body` it leaves alone.
    """

    def create(self, params: dict[str, Any]) -> Any:
        turn = journal.current.get()
        recorded = turn.replay("model", str(params.get("model"))) if turn else None
        if recorded is not None:
            return ChatCompletion.model_validate(recorded["response"])
        response = self._create(params)
        _tell_thoughts(response)
        _put_right(response)
        if turn is not None:
            turn.record("model", str(params.get("model")), response=functools.partial(_plain, response))
        return response

    def _create(self, params: dict[str, Any]) -> Any:
        messages = sendable(params.get("messages") or [])
        if messages:
            params = {**params, "messages": messages}
        if messages and params.get("stream") and "response_format" not in params:
            for message in messages:
                message.setdefault("role", "user")
            ready = {"messages": messages} | ({"tools": params["tools"]} if params.get("tools") else {})
            stand_ins = {key: value[:1] for key, value in ready.items()}
            params = params | stand_ins | {"extra_body": {**(params.get("extra_body") or {}), **ready}}
        return super().create(params)


def _tell_thoughts(response: Any) -> None:
    """Of an answer that came in one piece; those of streamed ones were shown as they came."""
    calls = transport.current.get()
    extra = getattr(response.choices[0].message, "model_extra", None) if response.choices else None
    if calls is not None and extra:
        calls.think(stream_parser.thoughts(extra))


def _put_right(response: Any) -> None:
    """Make of pictures what they are in streamed answers, and of tool calls what AG2 can read."""
    for choice in response.choices or ():
        message = choice.message
        images = (message.model_extra or {}).pop("images", None)
        if images or isinstance(message.content, list):
            message.content = stream_parser.take_text({"content": message.content, "images": images})
        ids = set[str]()
        for call in message.tool_calls or ():
            if not call.id or call.id in ids:
                call.id = f"call_{uuid4().hex}"
            ids.add(call.id)
            if call.type == "function" and not is_object(call.function.arguments):
                call.function.arguments = _told(call.function.arguments)


def _told(arguments: str | None) -> str:
    """Arguments that are no object, in such a way that AG2 tells the model; for some that is fatal to it."""
    return "{}" if not arguments or arguments == "null" else f"no object: {arguments}"


def _plain(response: Any) -> dict[str, Any]:
    """What the model said, without what AG2 hangs on it."""
    plain: dict[str, Any] = response.model_dump(mode="json", include=set(ChatCompletion.model_fields))
    return plain


# AG2 builds its clients by this name, anew for every tool that is registered, and offers no other way to choose one.
autogen.oai.client.OpenAIClient = DirectClient

# A property that inspects the signatures of openai's clients, some twenty times for each client that is built.
OpenAIWrapper.openai_kwargs = frozenset(
    OpenAIWrapper(model="any", api_key="none", base_url="http://nowhere.invalid").openai_kwargs
)


@dataclass
class Models:
    """The models in use. `llm_config` is what `build` gets; `secrets` must never leave the process."""

    llm_config: LLMConfig
    name: str
    is_demo: bool
    servers: str
    secrets: frozenset[str]
    has_price: bool
    _transport: httpx.BaseTransport

    def close(self) -> None:
        self._transport.close()

    def redact(self, text: str) -> str:
        """`text` without the keys, should one have got in."""
        for secret in self.secrets:
            if secret in text:
                text = text.replace(secret, "[key]")
        return text

    def explain(self, error: Exception) -> ChatError:
        """What a failed model call means, in words that a person can act on and that hold no secret."""
        model = f"The model {self.name}"
        if isinstance(error, ChatError):
            return error
        if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
            return ChatError("model_auth", model=self.name)
        if isinstance(error, openai.RateLimitError):
            return ChatError("model_rate_limited", model=model)
        if isinstance(error, (TimeoutError, openai.APITimeoutError, httpx.TimeoutException)):
            return ChatError("model_timeout", model=model)
        if isinstance(error, openai.InternalServerError):
            return ChatError("model_failed", model=self.name, status=f" (HTTP {error.status_code})")
        if isinstance(error, openai.APIStatusError):
            return ChatError("model_rejected", model=self.name, status=error.status_code, hint=self._hint(error))
        if isinstance(error, (openai.APIConnectionError, httpx.ConnectError)):
            return ChatError("model_unreachable", model=f"{self.name} at {self.servers}")
        if isinstance(error, (httpx.TransportError, openai.APIError)):
            return ChatError("model_failed", model=self.name, status=" in the middle of its answer")
        return ChatError("model_malformed", model=model)

    def _hint(self, error: openai.APIStatusError) -> str:
        """What the model server itself says, if it does; else what it usually is."""
        said = error.body.get("message") if isinstance(error.body, dict) else None
        if isinstance(said, str) and said:
            return f"It says: {self.redact(said[:300]).rstrip('.')}."
        return _HINTS.get(error.status_code, "")


_HINTS = {
    400: "The conversation may be too long for it, or it may lack tools or streaming.",
    404: "Check `model` and `base_url`; a base_url usually ends in /v1.",
    413: "The conversation is too long for it.",
}


def load(environment: Mapping[str, str], folder: Path, timeout: float, demo: bool = False) -> Models:
    """The models to use. Raises SettingsError when a configuration is there and cannot be used."""
    entries = None if demo else _configured(environment, folder)
    if entries is None:
        return _demo()
    pool = PoolTransport()
    config = _checked([_prepared(entry, pool, timeout) for entry in entries])
    return Models(
        llm_config=config,
        name=entries[0]["model"],
        is_demo=False,
        servers=", ".join(sorted({server_name(e.get("base_url", "https://api.openai.com")) for e in entries})),
        secrets=frozenset(str(e["api_key"]) for e in entries if len(str(e.get("api_key", ""))) >= SECRET_LENGTH),
        has_price=all("price" in entry or entry["model"] in OAI_PRICE1K for entry in entries),
        _transport=pool,
    )


def warm_up() -> None:
    """Make one call to the demo model: the openai package loads itself at its first call, which takes half a second."""
    with contextlib.closing(_demo(token_delay=0)) as models:
        OpenAIWrapper(config_list=models.llm_config.config_list).create(messages=[{"role": "user", "content": "hello"}])


def _demo(token_delay: float = TOKEN_DELAY) -> Models:
    transport = DemoTransport(token_delay)
    client = ModelClient(RetryingTransport(transport, retries=0), timeout=60)
    entry = {
        "model": "demo",
        "api_key": "none",
        "base_url": "http://demo.invalid/v1",
        "stream": True,
        "price": [0, 0],
        "http_client": client,
        "max_retries": 0,
    }
    return Models(LLMConfig(entry), "demo", True, "this process", frozenset(), False, transport)


def _configured(environment: Mapping[str, str], folder: Path) -> list[dict[str, Any]] | None:
    """The configured entries, in AG2's own format: in the environment variable (JSON or a file's name) or the file."""
    value = environment.get(CONFIG_LIST, "").strip()
    source = f"the environment variable {CONFIG_LIST}"
    path = folder / (value or CONFIG_LIST)
    if not value.startswith(("[", "{")):
        if value and not path.is_file():
            raise SettingsError(f"{CONFIG_LIST} names the file {value}, which does not exist.")
        source = str(path)
        value = _text(path) if path.is_file() else ""
    if value:
        return _entries(value, source)
    if key := environment.get("OPENAI_API_KEY", "").strip():
        entry = {"model": environment.get("OPENAI_MODEL", DEFAULT_MODEL), "api_key": key}
        if base_url := environment.get("OPENAI_BASE_URL"):
            entry["base_url"] = base_url
        return [entry]
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "[]"
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error


def _entries(text: str, source: str) -> list[dict[str, Any]]:
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{source} is not valid JSON: {error}. See OAI_CONFIG_LIST_sample.") from error
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise SettingsError(f"{source} must be a list of at least one model entry. See OAI_CONFIG_LIST_sample.")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry.get("model"), str) or not entry["model"]:
            raise SettingsError(f"Entry {number} of {source} has no 'model'. See OAI_CONFIG_LIST_sample.")
    return entries


def _prepared(entry: dict[str, Any], pool: httpx.BaseTransport, timeout: float) -> dict[str, Any]:
    """The entry with what a live chat needs: streaming unless it says otherwise, shared connections, a time limit."""
    entry = {"api_type": "openai", "stream": True, **entry}
    if entry["api_type"] not in OPENAI_PROTOCOL:
        return entry
    retries = entry.get("max_retries", DEFAULT_RETRIES)
    entry |= {
        "http_client": ModelClient(RetryingTransport(pool, retries), entry.pop("timeout", timeout)),
        "max_retries": 0,  # retried below the openai package, where a stop can end the wait
    }
    if entry["api_type"] == "openai" and "base_url" in entry:
        entry.setdefault("api_key", "none")  # local servers want none, the openai package wants one
    if entry["model"] not in OAI_PRICE1K:
        entry.setdefault("price", [0, 0])  # else AG2 warns on every call
    return entry


def _checked(entries: list[dict[str, Any]]) -> LLMConfig:
    """AG2's own opinion of the entries, without the values they hold: one of them is a key."""
    try:
        config = LLMConfig(*entries)
        OpenAIWrapper(config_list=config.config_list)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'][2:]))}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"The model configuration is wrong: {problems}. See OAI_CONFIG_LIST_sample.") from None
    except ImportError as error:
        raise SettingsError(f"The model configuration needs another package: {error}") from None
    except ValueError as error:  # an Azure entry without api_version, say
        raise SettingsError(f"The model configuration is wrong: {error} See OAI_CONFIG_LIST_sample.") from None
    except openai.OpenAIError:
        raise SettingsError("A model entry has no 'api_key'. See OAI_CONFIG_LIST_sample.") from None
    return config
