"""Makes the models that answer: those that are configured (entries.py), else the offline demo model.

Every entry that speaks the OpenAI protocol reaches its server through one shared pool of connections (transport.py).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
from autogen import LLMConfig
from autogen.oai.openai_utils import OAI_PRICE1K
from pydantic import ValidationError

from agentchat.models import entries, failures, openai_client, transport, vision
from agentchat.models.demo.transport import TOKEN_DELAY, DemoTransport
from agentchat.models.entries import EXAMPLE, Choice
from agentchat.models.openai_client import DEFAULT_RETRIES, OPENAI_PROTOCOL, ModelWrapper
from agentchat.models.transport import ModelClient, RetryingTransport, server_name
from agentchat.protocol.errors import ChatError, SettingsError


@dataclass
class Models:
    """The models in use.

    `llm_config` is given to agent files; `servers` names the model servers; `has_price` is true if the price of every
    model is known. `origin` is the name under which vision.py knows the first of them. `others` are the api_types of
    entries that AG2's own clients serve.
    """

    llm_config: LLMConfig
    name: str
    is_demo: bool
    servers: str
    has_price: bool
    origin: str = ""
    others: tuple[str, ...] = ()

    def close(self) -> None:
        transport.pool().close()

    @property
    def about(self) -> dict[str, Any]:
        """The model that agents get, as clients see it: `vision` is None as long as nobody knows whether it sees."""
        return {"name": self.name, "demo": self.is_demo, "vision": vision.sees(self.origin)}

    def redact(self, text: str) -> str:
        """Return `text` with every key replaced by `[key]`."""
        for secret in ModelWrapper.keys:
            if secret in text:
                text = text.replace(secret, "[key]")
        return text

    def explain(self, error: Exception) -> ChatError:
        """Return what a failed model call means, in words that a person can act on and that contain no secret."""
        return failures.explain(error, self.name, self.servers, self.redact)


def load(
    environment: Mapping[str, str], folder: Path, timeout: float, demo: bool = False, choice: Choice | None = None
) -> Models:
    """Return the models to use. `timeout` is in seconds. Raises SettingsError if their configuration is unusable."""
    found = None if demo else entries.find(environment, folder, choice or Choice())
    models = _demo() if found is None else _models(found, timeout)
    transport.pool().open()
    return models


def _models(found: list[dict[str, Any]], timeout: float) -> Models:
    return Models(
        llm_config=_checked([_prepared(entry, timeout) for entry in found]),
        name=found[0]["model"],
        is_demo=False,
        servers=", ".join(sorted({server_name(e.get("base_url", "https://api.openai.com")) for e in found})),
        has_price=all("price" in entry or entry["model"] in OAI_PRICE1K for entry in found),
        origin=openai_client.origin(found[0]["model"], found[0].get("base_url", "https://api.openai.com")),
        others=tuple(sorted({entry.get("api_type", "openai") for entry in found} - OPENAI_PROTOCOL)),
    )


@functools.cache
def warm_up() -> None:
    """Make one call to the demo model, once per process: the openai package loads half a second at its first call."""
    demo = _demo(token_delay=0)
    ModelWrapper(config_list=demo.llm_config.config_list).create(messages=[{"role": "user", "content": "hello"}])


def _demo(token_delay: float = TOKEN_DELAY) -> Models:
    client = ModelClient(RetryingTransport(DemoTransport(token_delay), retries=0), timeout=60)
    entry = {
        "model": "demo",
        "api_key": "none",
        "base_url": "http://demo.invalid/v1",
        "stream": True,
        "price": [0, 0],
        "vision": False,
        "http_client": client,
        "max_retries": 0,
    }
    origin = openai_client.origin("demo", entry["base_url"])
    return Models(LLMConfig(entry), "demo", True, "this process", False, origin)


def _prepared(entry: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Return the entry with shared connections, a time limit, and streaming unless it says otherwise."""
    entry = {"api_type": "openai", "stream": True, **entry}
    if not isinstance(entry.get("vision", False), bool):
        raise SettingsError(f"The vision of {entry['model']} must be true or false. {EXAMPLE}")
    if entry["api_type"] not in OPENAI_PROTOCOL:
        return entry
    retries = entry.get("max_retries", DEFAULT_RETRIES)
    entry |= {
        "http_client": ModelClient(RetryingTransport(transport.pool(), retries), entry.pop("timeout", timeout)),
        "max_retries": 0,  # RetryingTransport retries, where a stop can end the wait
    }
    _check_address(entry)
    if entry["api_type"] in {"openai", "responses"} and "base_url" in entry:
        entry.setdefault("api_key", "none")  # local servers need none, the openai package insists on one
    if entry["model"] not in OAI_PRICE1K:
        entry.setdefault("price", [0, 0])  # or AG2 warns on every call
    return entry


def _check_address(entry: dict[str, Any]) -> None:
    """Raise SettingsError for an address or a key with which no request can succeed."""
    model, address = entry["model"], str(entry.get("base_url", "")).rstrip("/")
    for path in ("/chat/completions", "/responses"):
        if address.endswith(path):
            raise SettingsError(f"The base_url of {model} must not end in {path}, which is added to it.")
    if not str(entry.get("api_key", "")).isascii():
        raise SettingsError(f"The api_key of {model} has characters that no key has. Copy it again.")


def _checked(entries: list[dict[str, Any]]) -> LLMConfig:
    """Have AG2 check the entries. Raises SettingsError without their values, since one of them is a key."""
    try:
        config = LLMConfig(*entries)
        ModelWrapper(config_list=config.config_list)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'][2:]))}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"The model configuration is wrong: {problems}. {EXAMPLE}") from None
    except ImportError as error:
        raise SettingsError(f"The model configuration needs another package: {error}") from None
    except ValueError as error:  # for example an Azure entry without api_version
        raise SettingsError(f"The model configuration is wrong: {error} {EXAMPLE}") from None
    except (OSError, httpx.InvalidURL) as error:  # clients of other kinds read proxies and certificates at once
        problem = f"{error}. Check HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
        raise SettingsError(f"The client of a model entry cannot be made: {problem}.") from None
    except openai.OpenAIError:
        raise SettingsError(f"A model entry has no 'api_key'. {EXAMPLE}") from None
    return config
