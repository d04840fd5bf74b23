"""Settings from the command line and the environment.

Each field of `Settings` defines one: its option, its environment variable, its checks, and its row in docs/settings.md.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from agentchat import __version__, installation
from agentchat.protocol.errors import SettingsError
from agentchat.protocol.validation import BUSY_MODES

DEFAULT_FILE = "agent.py"

_OBJECT = re.compile(r"[^\W\d]\w*(\.\w+)*:[^\W\d]\w*(\.\w+)*")


class Paths(tuple[Path, ...]):
    """Files and folders; written as text, they are separated by commas."""

    def __new__(cls, given: str | Iterable[Path]) -> Paths:
        paths = (Path(part.strip()) for part in given.split(",") if part.strip()) if isinstance(given, str) else given
        return super().__new__(cls, paths)


def setting(
    default: Any,
    meaning: str,
    *,
    choices: Sequence[str] = (),
    minimum: float | None = None,
    above: float | None = None,
    must_exist: bool = False,
    is_secret: bool = False,
    also: str = "",
) -> Any:
    """A field of `Settings`. `minimum` is the smallest value allowed; `above` is one that is itself too small.

    A file that `must_exist` may be missing only by default, not if it is named. One that `is_secret` is never shown.
    `also` is an older name of its environment variable, which counts if nothing else is set.
    """
    limits = {"choices": choices, "minimum": minimum, "above": above, "must_exist": must_exist}
    return field(default=default, metadata={"meaning": meaning, "is_secret": is_secret, "also": also, **limits})


@dataclass(frozen=True)
class Settings:
    """The settings in force. The field `some_name` is set by `--some-name` and `AGENTCHAT_SOME_NAME`."""

    host: str = setting(
        "127.0.0.1", "Address to listen on. 0.0.0.0 lets other machines connect; then people have to log in."
    )
    port: int = setting(8001, "Port of the page, REST and the WebSocket at /ws; 0 picks a free one.")
    ws_port: int = setting(
        8080, "Port that has the WebSocket to itself, beside /ws on the page's port; 0 picks a free one."
    )
    data_dir: Path = setting(
        installation.data_dir(),
        "Folder where conversations are stored. Once installed, the default is where the system keeps the data of "
        "users, such as ~/.local/share/agentchat.",
    )
    agents: Path = setting(
        installation.AGENTS,
        "Folder of the agent files. By default ./agents, or if there is none, that of the agents that come with it.",
    )
    default_agent: str = setting(
        "weather", "Clients that don't specify an agent get this one; if it is missing, the first by name."
    )
    mcp: Path = setting(Path("mcp.json"), "File that lists MCP servers; without it there are none.", must_exist=True)
    knowledge: Paths = setting(
        Paths([installation.DOCS, installation.README]),
        "Documents that agents can search: files and folders, separated by commas. By default those that come with "
        "the server.",
    )
    model: str = setting(
        "",
        "Model that answers: one of OAI_CONFIG_LIST or of OpenAI, or of a server on this machine "
        "(ollama:NAME, lmstudio:NAME, vllm:NAME, llamacpp).",
    )
    base_url: str = setting("", "Address of the server that has the model, such as http://192.168.1.5:8000/v1.")
    api_key_env: str = setting("", "Name of the environment variable that holds the model's key.")
    local_servers: str = setting(
        "ollama:11434,lmstudio:1234,llamacpp:8080,vllm:8000",
        "Model servers to look for on this machine, and to offer, while no model is configured; none: don't look.",
    )
    embedding_model: str = setting(
        "", "Embedding model of the model server (/v1/embeddings), to search documents by meaning as well."
    )
    open: bool = setting(False, "Open the page in a browser.")
    origins: str = setting(
        "", "Other web pages that may connect, such as https://chat.example.com, separated by commas."
    )
    accounts: bool = setting(
        False,
        "People log in with accounts of this server, as they do anyway once there is one. While there is none, a link "
        "to make the first is printed at start.",
    )
    no_auth: bool = setting(False, "Nobody logs in, and everybody may do everything, whoever can connect.")
    public_url: str = setting(
        "",
        "Address under which others reach the page, such as https://chat.example.com or https://example.org/chat, if "
        "it is another one.",
    )
    tls_cert: str = setting(
        "",
        "File (PEM) with the server's certificate and those that lead to its authority. Then both ports speak TLS "
        "(https, wss); the file is read again when it changes. Needs --tls-key.",
    )
    tls_key: str = setting("", "File (PEM) with the private key of --tls-cert, without a password.")
    login_days: float = setting(30.0, "Days without use after which a login ends.", above=0)
    admins_read: bool = setting(False, "Let admins read the conversations of others.")
    trusted_proxies: str = setting(
        "",
        "Addresses and networks of the proxies in front of the server, such as 10.0.0.5,fd00::/8. Only they are "
        "believed about X-Forwarded-*, Forwarded and --auth-header.",
    )
    auth_header: str = setting(
        "", "Header in which a trusted proxy names the user who has logged in there, such as X-Forwarded-User."
    )
    oidc_issuer: str = setting(
        "", "OpenID provider with which people log in, named as it names itself, such as https://login.example.com."
    )
    oidc_client_id: str = setting("", "Id that the OpenID provider gave to this server.")
    oidc_client_secret: str = setting(
        "",
        "Secret that belongs to it. Set it in the environment: others can see the options of a command.",
        is_secret=True,
    )
    oidc_scopes: str = setting("openid profile email", "Scopes to ask the OpenID provider for.")
    oidc_groups_claim: str = setting(
        "groups", "Claim that holds the groups of a person; it may lie in another, as realm_access.roles."
    )
    oidc_admins: str = setting("", "Groups whose members are admins, separated by commas.")
    oidc_operators: str = setting("", "Groups whose members are operators, separated by commas.")
    model_timeout: float = setting(
        120.0, "Seconds to wait for a model to begin its answer, and for each further part of it.", above=0
    )
    approve: str = setting(
        "marked",
        "Tools that need a person's approval: all, marked (in their agent file) or none. "
        "Code that agents run needs it as well, except with none.",
        choices=("all", "marked", "none"),
    )
    run_code: bool = setting(
        False, "Let the coding team run code as the user who runs the server; a person approves each run."
    )
    busy: str = setting(
        "enqueue",
        "What to do with a message that arrives while the agents work: enqueue, reject, interrupt or rollback.",
        choices=BUSY_MODES,
    )
    input_timeout: float = setting(0.0, "Seconds that an agent's question waits for an answer; 0: forever.", minimum=0)
    turns: int = setting(500, "Turns that run at once; the others wait in line. 0: no limit.", minimum=0)
    turns_per_person: int = setting(20, "Turns of one person that run at once. 0: no limit.", minimum=0)
    turns_per_day: int = setting(0, "Turns that one person may have in a day (UTC); 0: no limit.", minimum=0)
    tokens_per_day: int = setting(
        0,
        "Tokens, in and out, after which one person's messages are refused for the day (UTC); 0: no limit.",
        minimum=0,
    )
    cost_per_day: float = setting(
        0.0,
        "US dollars after which one person's messages are refused for the day (UTC), where prices are known; "
        "0: no limit.",
        minimum=0,
    )
    live_questions: int = setting(
        4,
        "Open questions whose agents stay in memory; those of older ones are built again when the answer comes, as "
        "after a restart.",
        minimum=0,
    )
    turn_timeout: float = setting(
        0.0, "Seconds that the agents may work on a message, without waiting for people; 0: no limit.", minimum=0
    )
    answer_chars: int = setting(
        400_000, "Characters after which an answer of a model is cut off; 0: no limit.", minimum=0
    )
    result_chars: int = setting(
        200_000, "Characters of a tool's result or error after which it is cut off; 0: no limit.", minimum=0
    )
    mcp_message: int = setting(
        16, "MiB that an MCP server may send in one message; one that sends more is disconnected.", minimum=1
    )
    tools_at_once: int = setting(
        8, "Tools of one conversation that run at once; further calls wait until one ends; 0: no limit.", minimum=0
    )
    tools_at_once_in_all: int = setting(
        200, "Tools of all conversations that run at once; further calls wait until one ends; 0: no limit.", minimum=0
    )
    model_calls: int = setting(30, "Calls of models that the agents may make for one message.", minimum=1)
    context_tokens: int = setting(
        100_000,
        "Approximate number of tokens of a conversation that a model sees, and no more than its server says it takes. "
        "If this is not set, what the server says counts, or the default.",
        minimum=100,
    )
    max_messages_per_session: int = setting(
        1000,
        "Maximum number of messages in a conversation, without those that were tried again or edited; 0: no limit.",
        minimum=0,
        also="MAX_MESSAGES_PER_SESSION",
    )
    waiting_messages: int = setting(
        20, "Messages that may wait for the agents in one conversation; 0: no limit.", minimum=0
    )
    waiting_chars: int = setting(
        1_000_000, "Characters of the messages that wait in one conversation; 0: no limit.", minimum=0
    )
    waiting_messages_per_person: int = setting(
        50, "Messages of one person that may wait; ten times as many from one address; 0: no limit.", minimum=0
    )
    waiting_chars_per_person: int = setting(
        2_000_000,
        "Characters of the waiting messages of one person; ten times as many from one address; 0: no limit.",
        minimum=0,
    )
    waiting_messages_in_all: int = setting(
        2000, "Messages that may wait in all conversations together; 0: no limit.", minimum=0
    )
    waiting_chars_in_all: int = setting(40_000_000, "Characters of all messages that wait; 0: no limit.", minimum=0)
    messages_per_second: float = setting(
        40.0,
        "Messages and other changes that one person may send in a second, over 10 seconds; ten times as many from one "
        "address; 0: no limit.",
        minimum=0,
    )
    messages_per_second_in_all: float = setting(
        1000.0, "Messages and other changes of everybody in a second, over 10 seconds; 0: no limit.", minimum=0
    )
    new_sessions_per_minute: float = setting(
        20.0,
        "Conversations that one person may begin in a minute, over 10 minutes; ten times as many from one address; "
        "0: no limit.",
        minimum=0,
    )
    new_sessions_per_minute_in_all: float = setting(
        1000.0, "Conversations that everybody may begin in a minute, over 10 minutes; 0: no limit.", minimum=0
    )
    sessions_per_person: int = setting(
        1000,
        "Conversations that one person has begun and that exist; ten times as many from one address without a name; "
        "0: no limit.",
        minimum=0,
    )
    sessions_in_all: int = setting(100_000, "Conversations that exist; 0: no limit.", minimum=0)
    storage_per_session: int = setting(
        200, "MiB on disk that the files of one conversation may take; 0: no limit.", minimum=0
    )
    storage_per_person: int = setting(
        1024,
        "MiB that the files of all conversations may take that one person began, or one address without a name; "
        "0: no limit.",
        minimum=0,
    )
    storage_in_all: int = setting(10_240, "MiB that the files of all conversations may take; 0: no limit.", minimum=0)
    storage_of_versions: int = setting(
        50,
        "MiB on disk that old versions of the files of one conversation may take, the oldest of which then go; they "
        "count as files as well. 0: none are kept.",
        minimum=0,
    )
    session_ttl_hours: float = setting(
        0.0,
        "Hours that a conversation is kept after its last event; 0: forever. Nothing is deleted in the first minutes "
        "after a start, or after the clock seems to have been set.",
        minimum=0,
        also="SESSION_TTL_HOURS",
    )
    drain: float = setting(
        10.0,
        "Seconds that running turns have to end after SIGTERM; no others begin meanwhile. Ctrl-C, or a second SIGTERM, "
        "waits for none.",
        minimum=0,
    )
    search_timeout: float = setting(
        3.0, "Seconds that a search of the conversations may take, and wait for other searches.", above=0
    )
    ws_connections: int = setting(
        10_000,
        "Maximum number of WebSocket connections, or fewer if this process cannot have so many; 0: as many as it can.",
        minimum=0,
    )
    ws_connections_per_address: int = setting(6000, "The same for each address.", minimum=0)
    ws_handshakes: int = setting(
        1000, "Maximum number of WebSocket connections whose handshake is not complete; 0: no limit.", minimum=0
    )
    ws_handshakes_per_address: int = setting(500, "The same for each address.", minimum=0)
    handshake_timeout: float = setting(10.0, "Seconds that a WebSocket handshake may take.", above=0)
    heartbeat: float = setting(
        20.0,
        "Seconds without anything else to send, after which clients of the WebSocket and of event streams are sent a "
        "heartbeat; 0: never.",
        minimum=0,
    )
    ping_interval: float = setting(
        20.0, "Seconds of silence after which a WebSocket client is pinged; 0: never.", minimum=0
    )
    ping_timeout: float = setting(20.0, "Seconds that it has to answer before it is disconnected.", above=0)
    message_memory: int = setting(
        64,
        "MiB of memory for WebSocket messages that are larger than 64 KiB and have not arrived completely, of which "
        "one address can have three quarters; 0: no limit.",
        minimum=0,
    )
    request_timeout: float = setting(
        20.0,
        "Seconds that a client has to send the address and headers of an HTTP request, and each MiB of its body, and "
        "to read each MiB of the response.",
        above=0,
    )
    http_connections: int = setting(
        1000,
        "Maximum number of connections to the page's port; the one that has waited longest makes room. 0: no limit.",
        minimum=0,
    )
    http_connections_per_address: int = setting(500, "The same for each address.", minimum=0)
    http_requests: int = setting(
        200, "Maximum number of HTTP requests that are answered at once; 0: no limit.", minimum=0
    )
    http_requests_per_address: int = setting(100, "The same for each address.", minimum=0)
    http_streams: int = setting(
        400, "Maximum number of event streams and of HTTP requests that wait for agents; 0: no limit.", minimum=0
    )
    http_streams_per_address: int = setting(200, "The same for each address.", minimum=0)
    body_memory: int = setting(
        64,
        "MiB of memory for HTTP bodies that are larger than 64 KiB and not yet processed, of which one address can "
        "have three quarters; 0: no limit.",
        minimum=0,
    )
    metrics: str = setting(
        "",
        "HOST:PORT of a further port, on which anybody may read the metrics, such as 127.0.0.1:9464. They are at "
        "/metrics of the page's port anyway, for admins, operators and their tokens, and where nobody logs in for "
        "this machine.",
    )
    otel_content: bool = setting(
        False, "Send what people, agents and tools say along with traces; without, traces have no words."
    )
    log_level: str = setting(
        "INFO",
        "Least severe messages to log: DEBUG, INFO, WARNING or ERROR.",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    log_format: str = setting(
        "text", "Form of the log: text, or json, a JSON object in each line.", choices=("text", "json")
    )
    access_log: bool = setting(
        False, "Log each HTTP request, and each WebSocket when it opens and closes; no words and no secrets."
    )
    demo: bool = False
    """Use the offline demo model; an argument of its own, not a setting, like `served`."""
    served: str = ""
    """The one agent to serve, a file or `module:object`; empty for all in the folder `agents`."""
    given: frozenset[str] = field(default=frozenset(), compare=False)
    """The names of the settings that were not left to their defaults."""

    @property
    def allowed_origins(self) -> frozenset[str]:
        return frozenset(origin.strip().rstrip("/") for origin in self.origins.split(",") if origin.strip())

    @property
    def scheme(self) -> str:
        """The scheme of the page's own address: https if the server speaks TLS by itself."""
        return "https" if self.tls_cert else "http"


_FIELDS = [each for each in fields(Settings) if each.metadata]
_TYPES = get_type_hints(Settings)


def load(arguments: Sequence[str], environment: Mapping[str, str], commands: Mapping[str, str] = {}) -> Settings:
    """Return the settings: the command line wins over the environment, which wins over the defaults.

    `commands` is what else the command line can begin with, and what that does, for `--help`. Raises SettingsError.
    """
    options = vars(_parser(commands).parse_intermixed_args(arguments))
    values = {each.name: _value(each, options[each.name], environment) for each in _FIELDS}
    given = {each.name for each in _FIELDS if options[each.name] not in {None, ""} or in_environment(each, environment)}
    served = _served([word for word in options["what"] if word != "demo"], "agents" in given)
    if served and Path(served).is_dir():
        values["agents"], served = Path(served), ""
        given.add("agents")
    if "agents" not in given:
        values["agents"] = installation.agents()
    return Settings(**values, demo="demo" in options["what"], served=served, given=frozenset(given))


def _served(words: Sequence[str], is_folder_chosen: bool) -> str:
    """Return the file, folder or `module:object` to serve; empty for the folder in the settings."""
    if not words:
        return DEFAULT_FILE if Path(DEFAULT_FILE).is_file() and not is_folder_chosen else ""
    word = words[0]
    if len(words) > 1:
        raise SettingsError(f"Only one of {' and '.join(words)} can be served. Put files into a folder, and name that.")
    if not Path(word).exists() and not _OBJECT.fullmatch(word):
        raise SettingsError(f"There is no {word}. Name a file, such as agent.py, a folder of them, or module:object.")
    if Path(word).is_file() and Path(word).suffix != ".py":
        raise SettingsError(f"{word} is not a Python file. Name one, a folder of them, or module:object.")
    return word


def names() -> list[str]:
    """Return the names of all settings."""
    return [each.name for each in _FIELDS]


def is_secret(name: str) -> bool:
    """Return True for a setting whose value nobody is shown."""
    return any(each.name == name and each.metadata["is_secret"] for each in _FIELDS)


def option(name: str) -> str:
    """The command-line option of a setting."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return "AGENTCHAT_" + name.upper()


def in_environment(setting: Field[Any], environment: Mapping[str, str]) -> str:
    """The environment variable that sets a setting; "" if none does."""
    names = (variable(setting.name), setting.metadata["also"])
    return next((name for name in names if environment.get(name, "").strip()), "")


def table() -> str:
    """The table of docs/settings.md."""
    rows = ["| option | environment | default | meaning |", "|---|---|---|---|"]
    for each in _FIELDS:
        columns = (f"`{option(each.name)}`", f"`{variable(each.name)}`", f"`{_default(each)}`", _meaning(each))
        rows.append(f"| {' | '.join(columns)} |")
    return "\n".join(rows)


def _parser(commands: Mapping[str, str]) -> argparse.ArgumentParser:
    program = installation.program()
    listed = "".join(f"\n  {name:9} {meaning}" for name, meaning in commands.items())
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} [demo] [AGENTS] [options]\n       {program} COMMAND [options]",
        description="Talk to your AG2 agents in the browser and over a WebSocket."
        f"\n\ncommands (`{installation.command('COMMAND', '--help')}` says more about one):{listed}",
        epilog="Each option can also be set by the environment variable named beside it, or in\nthe file .env.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "what",
        nargs="*",
        metavar="AGENTS",
        help="serve just this file or module:object, or the agents of this folder; `demo` uses the offline demo model, "
        "whatever is configured",
    )
    parser.add_argument("--version", action="version", version=f"agentchat {__version__}")
    for each in _FIELDS:
        help = f"{_meaning(each)} [{variable(each.name)}, default {_default(each)}]"
        kind = _TYPES[each.name]
        if kind is bool:
            parser.add_argument(option(each.name), action="store_true", default=None, help=help)
        else:
            parser.add_argument(option(each.name), metavar=kind.__name__.upper(), help=help)
    return parser


def _meaning(setting: Field[Any]) -> str:
    return str(setting.metadata["meaning"])


def _default(setting: Field[Any]) -> str:
    if isinstance(setting.default, Paths):
        return ",".join(map(_from_root, setting.default))
    if isinstance(setting.default, Path):
        return _from_root(setting.default)
    return "off" if setting.default is False else str(setting.default) or "none"


def _from_root(path: Path) -> str:
    return str(path.relative_to(installation.ROOT) if path.is_relative_to(installation.ROOT) else path)


def _value(setting: Field[Any], given: Any, environment: Mapping[str, str]) -> Any:
    """The value from the command line (`given`) or the environment, converted and checked."""
    name = option(setting.name) if given is not None else in_environment(setting, environment)
    text = given if given is not None else environment.get(name, "").strip()
    if text == "":
        return setting.default
    kind = _TYPES[setting.name]
    if kind is bool:
        return text is True or str(text).lower() in {"1", "true", "yes", "on"}
    try:
        value = kind(text)
    except ValueError as error:
        raise SettingsError(f"{name} must be a number, not {text!r}.") from error
    choices, minimum, above = (setting.metadata[limit] for limit in ("choices", "minimum", "above"))
    if choices and value not in choices:
        raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    if minimum is not None and value < minimum:
        raise SettingsError(f"{name} must be at least {minimum}, not {text}.")
    if above is not None and value <= above:
        raise SettingsError(f"{name} must be more than {above}, not {text}.")
    if setting.metadata["must_exist"] and not value.exists():
        raise SettingsError(f"{name} must be a file that exists, not {text!r}.")
    return value
