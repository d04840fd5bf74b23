"""Reads the file that lists MCP servers, in the format of most MCP clients: {"mcpServers": {"name": {…}}}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentchat.protocol.errors import SettingsError

HELP = "See docs/mcp.md."
TYPES = ("stdio", "http", "streamable-http", "sse")
FIELDS = {
    "command": "a non-empty string",
    "args": "a list of strings",
    "env": "an object of strings",
    "cwd": "a non-empty string",
    "url": "a non-empty string",
    "headers": "an object of strings",
    "type": f"one of {', '.join(TYPES)}",
}


@dataclass(frozen=True)
class ServerConfig:
    """One server: a `command` to start, or a `url` to connect to."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    url: str = ""
    headers: Mapping[str, str] | None = None
    is_sse: bool = False


class McpUnavailable(Exception):
    """A server cannot be used at the moment. AG2 makes the message the tool's result."""

    def __init__(self, sentence: str, is_retryable: bool = False) -> None:
        self.is_retryable = is_retryable
        """The server did not see the call, so it can be repeated."""
        super().__init__(sentence)


def read(path: Path) -> list[ServerConfig]:
    """Return the servers in the file, or none if it is missing. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    try:
        content = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{path} is not valid JSON: {error}. {HELP}") from error
    servers = content.get("mcpServers") if isinstance(content, dict) else None
    if not isinstance(servers, dict):
        raise SettingsError(f'{path} must be an object with "mcpServers", an object of servers by name. {HELP}')
    return [_server(f"The MCP server {name} in {path}", name, fields) for name, fields in servers.items()]


def _server(what: str, name: str, fields: Any) -> ServerConfig:
    if not isinstance(fields, dict):
        raise SettingsError(f"{what} must be an object. {HELP}")
    for key, value in fields.items():
        if key not in FIELDS:
            raise SettingsError(f"{what} has the unknown field {key!r}; known are {', '.join(sorted(FIELDS))}. {HELP}")
        if not _fits(key, value):
            raise SettingsError(f"{what}: {key!r} must be {FIELDS[key]}. {HELP}")
    if ("command" in fields) == ("url" in fields):
        raise SettingsError(f"{what} must have either 'command' or 'url'. {HELP}")
    type = fields.get("type", "stdio" if "command" in fields else "http")
    if (type == "stdio") != ("command" in fields):
        raise SettingsError(
            f"{what} has the type {type!r}, which needs {'command' if type == 'stdio' else 'url'!r}. {HELP}"
        )
    other = {"url", "headers"} if type == "stdio" else {"command", "args", "env", "cwd"}
    for key in fields.keys() & other:
        raise SettingsError(f"{what} has {key!r}, which the type {type!r} does not use. {HELP}")
    values = {key: value for key, value in fields.items() if key not in {"type", "args"}}
    return ServerConfig(name, args=tuple(fields.get("args", ())), is_sse=type == "sse", **values)


def _fits(key: str, value: Any) -> bool:
    if key == "type":
        return value in TYPES
    if key == "args":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if key in {"env", "headers"}:
        return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    return isinstance(value, str) and bool(value)
