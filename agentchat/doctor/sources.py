"""The settings in force, each with its value and where it came from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agentchat import settings
from agentchat.doctor.finding import without_credentials
from agentchat.settings import Settings

COMMAND_LINE, ENVIRONMENT, FILE, DEFAULT = "command line", "environment", ".env", "default"
VARIABLES = (
    "OAI_CONFIG_LIST",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_MODEL",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
)
"""The variables without our prefix that count."""
SECRETS = frozenset({"OAI_CONFIG_LIST", "OPENAI_API_KEY"})

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True)
class Row:
    """One setting."""

    name: str
    """Name of the setting: its option, or its variable where it has no option."""
    variable: str
    value: Any
    origin: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def rows(arguments: Sequence[str], environment: Mapping[str, str], from_file: Collection[str]) -> list[Row]:
    """Return all settings. `from_file` are the variables that were read from .env. Raises SettingsError."""
    chosen = settings.load(arguments, environment)
    default = settings.load([], {})
    said = settings.load(arguments, {})
    overruled = {settings.variable(name) for name in said.given}  # which may make no sense
    others = {name: value for name, value in environment.items() if name not in overruled}
    told = settings.load([], others)
    around = settings.load([], {name: value for name, value in others.items() if name not in from_file})

    def origin(name: str) -> str:
        if name in said.given or getattr(said, name) != getattr(default, name):
            return COMMAND_LINE
        return ENVIRONMENT if name in around.given else FILE if name in told.given else DEFAULT

    found = [
        Row(settings.option(name), settings.variable(name), _shown(name, chosen), origin(name))
        for name in settings.names()
    ]
    return found + [_of_variable(name, environment, from_file) for name in VARIABLES]


def _shown(name: str, chosen: Settings) -> Any:
    value = getattr(chosen, name)
    if settings.is_secret(name) or (name == "api_key_env" and value and not _VARIABLE.fullmatch(value)):
        return _is_set(value)
    if isinstance(value, bool | int | float):
        return value
    return without_credentials(",".join(map(str, value)) if isinstance(value, settings.Paths) else str(value))


def _of_variable(name: str, environment: Mapping[str, str], from_file: Collection[str]) -> Row:
    names = (name, name.lower()) if name.endswith("_PROXY") else (name,)
    found = next((each for each in names if environment.get(each, "").strip()), "")
    value = environment.get(found, "")
    if name == "OAI_CONFIG_LIST" and not found and Path(name).is_file():
        return Row(name, name, str(Path(name).absolute()), "file")
    is_file = name == "OAI_CONFIG_LIST" and bool(value) and not value.strip().startswith(("[", "{"))
    origin = (FILE if found in from_file else ENVIRONMENT) if found else DEFAULT
    return Row(name, name, _is_set(value) if name in SECRETS and not is_file else without_credentials(value), origin)


def _is_set(value: object) -> str:
    return "set" if value else "not set"
