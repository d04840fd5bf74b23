"""Which MCP servers there are: a file in the form that most MCP clients read, {"mcpServers": {"name": {…}}}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentchat.protocol.errors import SettingsError

HELP = "See docs/mcp.md."
KINDS = ("stdio", "http", "streamable-http", "sse")
KNOWN = {
    "command": "a text that is not empty",
    "args": "a list of texts",
    "env": "an object of texts",
    "cwd": "a text that is not empty",
    "url": "a text that is not empty",
    "headers": "an object of texts",
    "type": f"one of {', '.join(KINDS)}",
}


@dataclass(frozen=True)
class Entry:
    """One server: a `command` that is started, or a `url` that is asked."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    url: str = ""
    headers: Mapping[str, str] | None = None
    is_sse: bool = False


class McpUnavailable(Exception):
    """A server cannot be used now. AG2 makes it the tool's result."""

    def __init__(self, sentence: str, is_unseen: bool = False) -> None:
        self.is_unseen = is_unseen
        """The server has not seen the call, so it can be made again."""
        super().__init__(sentence)


def read(path: Path, is_optional: bool) -> list[Entry]:
    """The servers that the file names; none if it may be missing and is. Raises SettingsError."""
    if not path.exists() and is_optional:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"The file {path} that --mcp names does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    try:
        content = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{path} is not valid JSON: {error}. {HELP}") from error
    servers = content.get("mcpServers") if isinstance(content, dict) else None
    if not isinstance(servers, dict):
        raise SettingsError(f'{path} must be an object with "mcpServers", an object of servers by their names. {HELP}')
    return [_entry(f"The MCP server {name} in {path}", name, fields) for name, fields in servers.items()]


def _entry(what: str, name: str, fields: Any) -> Entry:
    if not isinstance(fields, dict):
        raise SettingsError(f"{what} must be an object. {HELP}")
    for key, value in fields.items():
        if key not in KNOWN:
            raise SettingsError(f"{what} has {key!r}; known are {', '.join(sorted(KNOWN))}. {HELP}")
        if not _fits(key, value):
            raise SettingsError(f"{what}: {key!r} must be {KNOWN[key]}. {HELP}")
    if ("command" in fields) == ("url" in fields):
        raise SettingsError(f"{what} must have either 'command' or 'url'. {HELP}")
    kind = fields.get("type", "stdio" if "command" in fields else "http")
    if (kind == "stdio") != ("command" in fields):
        raise SettingsError(
            f"{what} has the type {kind!r}, which needs {'command' if kind == 'stdio' else 'url'!r}. {HELP}"
        )
    other = {"url", "headers"} if kind == "stdio" else {"command", "args", "env", "cwd"}
    for key in fields.keys() & other:
        raise SettingsError(f"{what} has {key!r}, which means nothing for the type {kind!r}. {HELP}")
    values = {key: value for key, value in fields.items() if key not in {"type", "args"}}
    return Entry(name, args=tuple(fields.get("args", ())), is_sse=kind == "sse", **values)


def _fits(key: str, value: Any) -> bool:
    if key == "type":
        return value in KINDS
    if key == "args":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if key in {"env", "headers"}:
        return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    return isinstance(value, str) and bool(value)
