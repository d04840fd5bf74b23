"""Every setting, as one table: it feeds the command line, the environment (also from .env) and docs/settings.md."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from agentchat import __version__
from agentchat.protocol.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent


class Paths(tuple[Path, ...]):
    """Folders and files, written with commas between them."""

    def __new__(cls, given: str | Iterable[Path]) -> Paths:
        paths = (Path(part.strip()) for part in given.split(",") if part.strip()) if isinstance(given, str) else given
        return super().__new__(cls, paths)


@dataclass(frozen=True)
class Setting:
    """One setting: `name` gives the flag --some-name and the variable AGENTCHAT_SOME_NAME."""

    name: str
    kind: type
    default: Any
    meaning: str

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "AGENTCHAT_" + self.name.upper()


SETTINGS = [
    Setting("host", str, "127.0.0.1", "Address to listen on. 0.0.0.0 lets other machines in: there is no login."),
    Setting("port", int, 8001, "Port of the page. 0 picks a free one."),
    Setting("ws_port", int, 8080, "Port of the WebSocket. 0 picks a free one."),
    Setting("data_dir", Path, Path("data"), "Folder where conversations are kept."),
    Setting("agents", Path, ROOT / "agents", "Folder of the agent files."),
    Setting("default_agent", str, "weather", "Agent for those who name none; if it is missing, the first by name."),
    Setting("mcp", Path, Path("mcp.json"), "File that names MCP servers; without it there are none."),
    Setting(
        "knowledge",
        Paths,
        Paths([ROOT / "docs", ROOT / "README.md"]),
        "Folders and files with commas: the documents that agents can search.",
    ),
    Setting(
        "embedding_model",
        str,
        "",
        "Model of the model server's /v1/embeddings: documents are searched by meaning, too.",
    ),
    Setting("open", bool, False, "Open the page in a browser."),
    Setting("origins", str, "", "Further pages that may connect, such as https://chat.example.com, with commas."),
    Setting("model_timeout", float, 120.0, "Seconds to wait for a model, for its first and for each next piece."),
    Setting("approve", str, "marked", "Which tools wait for a person's yes: all, marked (in their file), none."),
    Setting("run_code", bool, False, "Let the coding team run code, as this user, after a person's yes each time."),
    Setting(
        "busy",
        str,
        "enqueue",
        "A message while the agents work: enqueue, reject, interrupt or rollback.",
    ),
    Setting("input_timeout", float, 0.0, "Seconds an agent's question waits for its answer; 0: for ever."),
    Setting(
        "context_tokens",
        int,
        100_000,
        "About how many tokens of a conversation a model gets to see.",
    ),
    Setting(
        "max_messages_per_session",
        int,
        1000,
        "Messages that a conversation can have; 0: no limit.",
    ),
    Setting("session_ttl_hours", float, 0.0, "Hours a conversation is kept after its last event; 0: for ever."),
    Setting("log_level", str, "INFO", "How much to log: DEBUG, INFO, WARNING or ERROR."),
]

CHOICES = {
    "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "approve": ("all", "marked", "none"),
    "busy": ("enqueue", "reject", "interrupt", "rollback"),
}
LEAST_CONTEXT = 100  # tokens
_FLAGS = {setting.name: setting.flag for setting in SETTINGS}


@dataclass(frozen=True)
class Settings:
    """The settings in force, one field for each row of SETTINGS, and whether the demo model was asked for."""

    host: str
    port: int
    ws_port: int
    data_dir: Path
    agents: Path
    default_agent: str
    mcp: Path
    knowledge: Paths
    embedding_model: str
    open: bool
    origins: str
    model_timeout: float
    approve: str
    run_code: bool
    busy: str
    input_timeout: float
    context_tokens: int
    max_messages_per_session: int
    session_ttl_hours: float
    log_level: str
    demo: bool = False

    @property
    def allowed_origins(self) -> frozenset[str]:
        return frozenset(origin.strip().rstrip("/") for origin in self.origins.split(",") if origin.strip())


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The command line wins over the environment, which wins over the defaults. Raises SettingsError."""
    options = vars(_parser().parse_args(arguments))
    values = {setting.name: _value(setting, options[setting.name], environment) for setting in SETTINGS}
    settings = Settings(**values, demo=options["model"] == "demo")
    for name, known in CHOICES.items():
        if getattr(settings, name) not in known:
            raise SettingsError(f"{_FLAGS[name]} must be one of {', '.join(known)}, not {getattr(settings, name)!r}.")
    if settings.model_timeout <= 0:
        raise SettingsError("The model timeout must be more than 0 seconds.")
    if settings.context_tokens < LEAST_CONTEXT:
        raise SettingsError(f"The context must have at least {LEAST_CONTEXT} tokens.")
    for name in ("input_timeout", "max_messages_per_session", "session_ttl_hours"):
        if getattr(settings, name) < 0:
            raise SettingsError(f"{_FLAGS[name]} must not be negative.")
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="main.py",
        description="Talk to your AG2 agents in the browser and over a WebSocket.",
        epilog="Each option can also be set by the environment variable named beside it, or in the file .env.",
    )
    parser.add_argument("model", nargs="?", choices=["demo"], help="use the offline demo model, whatever is configured")
    parser.add_argument("--version", action="version", version=f"agentchat {__version__}")
    for setting in SETTINGS:
        meaning = f"{setting.meaning} [{setting.variable}, default {_shown(setting)}]"
        if setting.kind is bool:
            parser.add_argument(setting.flag, action="store_true", default=None, help=meaning)
        else:
            parser.add_argument(setting.flag, metavar=setting.kind.__name__.upper(), help=meaning)
    return parser


def _shown(setting: Setting) -> str:
    if isinstance(setting.default, Paths):
        return ",".join(map(_from_root, setting.default))
    if isinstance(setting.default, Path):
        return _from_root(setting.default)
    return "off" if setting.default is False else str(setting.default) or "none"


def _from_root(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def _value(setting: Setting, option: Any, environment: Mapping[str, str]) -> Any:
    text = option if option is not None else environment.get(setting.variable, "").strip()
    if text in {"", None}:
        return setting.default
    if setting.kind is bool:
        return text is True or str(text).lower() in {"1", "true", "yes", "on"}
    try:
        return setting.kind(text)
    except ValueError as error:
        name = setting.flag if option is not None else setting.variable
        raise SettingsError(f"{name} must be a number, not {text!r}.") from error


def table() -> str:
    """The rows of docs/settings.md."""
    rows = ["| option | environment | default | meaning |", "|---|---|---|---|"]
    rows += [f"| `{s.flag}` | `{s.variable}` | `{_shown(s)}` | {s.meaning} |" for s in SETTINGS]
    return "\n".join(rows)


assert [s.name for s in SETTINGS] == [f.name for f in fields(Settings)][:-1]
