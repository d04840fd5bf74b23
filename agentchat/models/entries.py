"""Finds the model entries to use: OAI_CONFIG_LIST, OPENAI_API_KEY, and the options beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentchat import installation
from agentchat.models import local_servers
from agentchat.protocol.errors import SettingsError

CONFIG_LIST = "OAI_CONFIG_LIST"
EXAMPLE = f"See {installation.shown(installation.MODEL_ENTRIES)}."
DEFAULT_MODEL = "gpt-5-mini"

Entry = dict[str, Any]  # in AG2's format


@dataclass(frozen=True)
class Choice:
    """The values of `--model`, `--base-url` and `--api-key-env`, and the ports of local servers."""

    model: str = ""
    base_url: str = ""
    api_key_env: str = ""
    local_ports: Mapping[str, int] = field(default_factory=dict)


def find(environment: Mapping[str, str], folder: Path, choice: Choice) -> list[Entry] | None:
    """Return the entries to use, None if no model is configured. Raises SettingsError if that is unusable."""
    key = _key(environment, choice.api_key_env)
    if choice.base_url:
        return [_at_address(environment, choice, key)]
    listed = _listed(environment, folder)
    if not choice.model:
        return listed or _of_openai(environment, environment.get("OPENAI_MODEL", DEFAULT_MODEL), key)
    if chosen := [entry for entry in listed or () if entry["model"] == choice.model]:
        return [entry | ({"api_key": key} if key else {}) for entry in chosen]
    server, _, name = choice.model.partition(":")
    if server in local_servers.TITLES:
        return [_on_this_machine(server, name, choice.local_ports, key)]
    if entries := _of_openai(environment, choice.model, key):
        return entries
    others = f" {CONFIG_LIST} has {', '.join(each['model'] for each in listed)}." if listed else ""
    raise SettingsError(
        f"No server is known for --model {choice.model}.{others} Name one with --base-url, or set OPENAI_API_KEY."
    )


def _key(environment: Mapping[str, str], variable: str) -> str:
    """Return the key in that variable, '' if none is named."""
    key = environment.get(variable, "").strip() if variable else ""
    if variable and not key:
        # Somebody may have given the key itself, which must not be shown.
        named = variable if re.fullmatch(r"[A-Z][A-Z0-9_]*", variable) else "a variable"
        raise SettingsError(f"--api-key-env names {named}, which is not set. It takes the name of the variable.")
    return key


def _at_address(environment: Mapping[str, str], choice: Choice, key: str) -> Entry:
    """Return the entry of the server at `--base-url`."""
    model = choice.model or environment.get("OPENAI_MODEL", "")
    if not _is_address(choice.base_url):
        raise SettingsError("--base-url must be an address such as http://192.168.1.5:8000/v1.")
    if not model:
        raise SettingsError("--base-url needs the name of a model, too: --model NAME.")
    server = model.partition(":")[0]
    if server in local_servers.TITLES:
        raise SettingsError(f"--model {model} means a server on this machine. Leave out --base-url or '{server}:'.")
    return _entry(model, choice.base_url, key or environment.get("OPENAI_API_KEY", "").strip())


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _on_this_machine(server: str, name: str, ports: Mapping[str, int], key: str) -> Entry:
    """Return the entry of a local server. llama.cpp's has one model, so that its name can be left out."""
    port = ports.get(server, local_servers.USUAL_PORTS[server])
    if not name:
        models = local_servers.models_of(server, port)
        if server != "llamacpp":
            known = f" It has {', '.join(models)}." if models else ""
            raise SettingsError(f"--model {server} needs the name of a model: {server}:NAME.{known}")
        name = models[0] if models else server
    return _entry(name, f"http://127.0.0.1:{port}/v1", key)


def _of_openai(environment: Mapping[str, str], model: str, key: str) -> list[Entry] | None:
    """Return an entry for OpenAI, or the server in OPENAI_BASE_URL, if there is a key for it."""
    key = key or environment.get("OPENAI_API_KEY", "").strip()
    return [_entry(model, environment.get("OPENAI_BASE_URL", ""), key)] if key else None


def _entry(model: str, base_url: str, key: str) -> Entry:
    given = {"model": model, "base_url": base_url, "api_key": key}
    return {name: value for name, value in given.items() if value}


def _listed(environment: Mapping[str, str], folder: Path) -> list[Entry] | None:
    """Return the entries of OAI_CONFIG_LIST, from the environment (JSON or a file's name) or a file."""
    value = environment.get(CONFIG_LIST, "").strip()
    source = f"the environment variable {CONFIG_LIST}"
    path = folder / (value or CONFIG_LIST)
    if not value.startswith(("[", "{")):
        if value and not path.is_file():
            raise SettingsError(f"{CONFIG_LIST} names the file {value}, which does not exist.")
        source = str(path)
        value = _text(path) if path.is_file() else ""
    return _parsed(value, source) if value else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "[]"
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error


def _parsed(text: str, source: str) -> list[Entry]:
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{source} is not valid JSON: {error}. {EXAMPLE}") from error
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise SettingsError(f"{source} must be a list of at least one model entry. {EXAMPLE}")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry.get("model"), str) or not entry["model"]:
            raise SettingsError(f"Entry {number} of {source} has no 'model'. {EXAMPLE}")
    return entries
