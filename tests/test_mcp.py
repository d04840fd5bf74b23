"""MCP servers, as real processes and HTTP servers: tools, failures, shutdown."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest
from autogen.tools import Tool

from agentchat import cancellation
from agentchat.cancellation import Stopped, StopToken
from agentchat.mcp import message_size
from agentchat.mcp.config import McpUnavailable, ServerConfig
from agentchat.mcp.servers import McpServers
from agentchat.protocol.errors import SettingsError
from tests.agent_files import write_agents
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.processes import ROOT

pytestmark = pytest.mark.own_server  # its configuration is in the working directory

FILE = Path("mcp.json")
SERVER = str(ROOT / "tests" / "mcp_server.py")
SILENT = """
import os, sys, time
with open(sys.argv[1], "a") as notes:
    notes.write(f"starts {os.getpid()}\\n")
time.sleep(600)
"""

AGENT = '''
"""Uses the tools of MCP servers."""
from autogen import ConversableAgent, UserProxyAgent
from agentchat.chat import needs_approval

def build(llm_config, chat):
    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in chat.tools():
        if tool.name == "process":
            needs_approval(tool.func)
        tool.register_for_llm(agent)
        tool.register_for_execution(user)
    return user, agent
'''


class HttpServer:
    """tests/mcp_server.py as a process listening on its own port."""

    def __init__(self, notes: Path, kind: str = "http") -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._command = [sys.executable, SERVER, str(notes), kind, str(self.port)]
        self.url = f"http://127.0.0.1:{self.port}/{'sse' if kind == 'sse' else 'mcp'}"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        wait_until(self._answers)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for working servers, however busy the machine is."""
    monkeypatch.setattr("agentchat.mcp.servers.TOOLS_TIMEOUT", 60.0)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.touch()
    return path


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Iterator[None]:
    """Allow any time for connecting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agentchat.mcp.servers.TOOLS_TIMEOUT", PATIENCE)
        yield


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Tool]]:
    """Return the tools of a process that tests share."""
    with contextlib.closing(McpServers([stdio(tmp_path_factory.mktemp("mcp") / "notes.txt")], FILE)) as servers:
        yield by_name(servers.tools())


@pytest.fixture
def connect() -> Iterator[Callable[..., McpServers]]:
    """Return a function that creates McpServers, which are closed after the test."""
    with contextlib.ExitStack() as stack:

        def connect(*entries: ServerConfig, **limits: Any) -> McpServers:
            servers = McpServers(entries, FILE, **({"connect_timeout": 60.0} | limits))
            return stack.enter_context(contextlib.closing(servers))

        yield connect


@pytest.fixture
def http(notes: Path) -> Iterator[HttpServer]:
    with contextlib.ExitStack() as stack:
        server = HttpServer(notes)
        stack.callback(server.stop)
        yield server


def stdio(notes: Path, name: str = "trees", **fields: Any) -> ServerConfig:
    return ServerConfig(name, sys.executable, (SERVER, str(notes)), **fields)


def silent(notes: Path) -> ServerConfig:
    """Return the entry of a process that never answers."""
    return ServerConfig("silent", sys.executable, ("-c", SILENT, str(notes)))


def by_name(tools: list[Tool]) -> dict[str, Tool]:
    return {tool.name: tool for tool in tools}


def starts(notes: Path) -> list[int]:
    """Return the ids of the processes that were started."""
    return [int(line.split()[1]) for line in notes.read_text().splitlines() if line.startswith("starts")]


def mcp_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("mcp")}


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


# Results


@pytest.mark.parametrize("kind", ["stdio", "http", "sse"])
def test_over_each_transport(connect: Callable[..., McpServers], notes: Path, kind: str) -> None:
    """Tools work over each transport: a process, streamable HTTP, and the older event streams."""
    with contextlib.ExitStack() as stack:
        entry = stdio(notes)
        if kind != "stdio":
            server = HttpServer(notes, kind)
            stack.callback(server.stop)
            entry = ServerConfig("trees", url=server.url, is_sse=kind == "sse")
        servers = connect(entry)
        stack.callback(servers.close)
        assert by_name(servers.tools())["add"](a=2, b=3) == "5"


@pytest.mark.parametrize(
    ("tool", "result"),
    [
        ("add", "5"),
        (
            "several",
            "one\n\n[A picture of type image/png, 15 bytes, which is not shown here.]\n\nin a file\n\n"
            "[A link: report, file:///report.txt]",
        ),
        ("only_structured", '{"kind": "ash"}'),
        ("nothing", "The tool returned nothing."),
    ],
)
def test_results_are_text(tools: dict[str, Tool], tool: str, result: str) -> None:
    """Results are text, including results of several parts, pictures, and structured results."""
    arguments = {"a": 2, "b": 3} if tool == "add" else {}
    assert tools[tool](**arguments) == result


def test_structured_results_are_json(tools: dict[str, Tool]) -> None:
    """Structured results are JSON in a text part, as servers send them."""
    result = tools["structured"]()
    assert json.loads(result) == {"kind": "oak", "size": {"height": 20.0, "unit": "m"}}


@pytest.mark.parametrize(
    ("kind", "size", "what"), [("stdio", 50_000_000, "text"), ("http", 900_000, "picture"), ("sse", 1_100_000, "error")]
)
def test_messages_have_a_size(
    connect: Callable[..., McpServers], notes: Path, caplog: Any, kind: str, size: int, what: str
) -> None:
    """A server that sends too much at once is disconnected, the call fails in words, and the next one works."""
    with contextlib.ExitStack() as stack:
        entry = stdio(notes)
        if kind != "stdio":
            server = HttpServer(notes, kind)
            stack.callback(server.stop)
            entry = ServerConfig("trees", url=server.url, is_sse=kind == "sse")
        servers = connect(entry, max_message=2**20)
        stack.callback(servers.close)
        tools = by_name(servers.tools())
        assert len(tools["much"](size=900_000)) == 900_000
        with pytest.raises(McpUnavailable, match="trees cannot be used now: it sent more than 1 MiB at once"):
            tools["much"](size=size, kind=what)
        assert tools["add"](a=2) == "3"
        assert "Traceback" not in caplog.text


def test_a_line_that_never_ends(connect: Callable[..., McpServers], notes: Path) -> None:
    """A process whose line never ends is ended, and started again for the next call."""
    tools = by_name(connect(stdio(notes), max_message=2**20).tools())
    with pytest.raises(McpUnavailable, match="more than 1 MiB"):
        tools["endless"]()
    assert tools["add"](a=2) == "3"
    first, second = starts(notes)
    wait_until(lambda: not is_alive(first))
    assert is_alive(second)


def test_messages_in_any_pieces() -> None:
    """Lines arrive in any pieces, also of characters; what is too long is refused before its end."""
    text = "ä1\n" + "ö" * 50 + "\n\nlast"
    data = text.encode()
    for size in range(1, len(data)):
        decoder = message_size.Lines(110, lambda: None)
        read = [decoder.decode(data[place : place + size]) for place in range(0, len(data), size)]
        assert "".join(read) + decoder.decode(b"", True) == text
        assert all(not part or part.endswith("\n") for part in read)
    refused: list[bool] = []
    decoder = message_size.Lines(100, lambda: refused.append(True))
    with pytest.raises(message_size.MessageTooLarge):
        decoder.decode(b"x" * 101)
    assert refused == [True]


def test_a_tool_that_fails(tools: dict[str, Tool]) -> None:
    """A failing tool raises its error, which AG2 makes the result; so do arguments that don't fit."""
    with pytest.raises(ValueError, match="it fails: no rain"):
        tools["fail"](why="no rain")
    with pytest.raises(ValueError, match="valid integer"):
        tools["add"](a="two")


def test_a_process_gets_what_the_entry_says_and_no_more(
    connect: Callable[..., McpServers], notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process gets the environment of its entry, and not that of the chat server."""
    monkeypatch.setenv("SECRET", "ours")
    servers = connect(stdio(notes, "one"), stdio(notes, "two", env={"SECRET": "its own"}))
    tools = by_name(servers.tools())
    assert tools["one_process"]().endswith("knows nothing")
    assert tools["two_process"]().endswith("knows its own")


# Names


def test_names_that_two_servers_have(connect: Callable[..., McpServers], notes: Path) -> None:
    """Names used by two servers are prefixed with the server's name, in characters that models accept.

    A single server needs no prefix.
    """
    servers = connect(stdio(notes, "the oaks"), stdio(notes, "elms"))
    assert {"the_oaks_add", "elms_add"} <= set(by_name(servers.tools()))
    assert "add" in by_name(servers.tools("elms"))
    assert len(starts(notes)) == 2


def test_a_server_that_nobody_configured(connect: Callable[..., McpServers], notes: Path) -> None:
    """Asking for an unknown server is an error that names the configured ones; without any there are no tools."""
    with pytest.raises(SettingsError, match=r"There is no MCP server 'oaks' in mcp.json; configured are: trees\."):
        connect(stdio(notes)).tools("oaks")
    assert connect().tools() == []
    assert starts(notes) == []


# Servers that do not work


def test_servers_that_cannot_be_reached(
    connect: Callable[..., McpServers], notes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Unreachable servers are logged by name with the reason; the others work."""
    servers = connect(
        ServerConfig("absent", "no-such-command"),
        ServerConfig("broken", sys.executable, ("-c", "import no_such_module")),
        ServerConfig("closed", url="http://127.0.0.1:9/mcp"),
        stdio(notes),
    )
    assert by_name(servers.tools())["add"](a=1) == "2"
    assert (
        "The MCP server absent cannot be used: [Errno 2] No such file or directory: 'no-such-command'." in caplog.text
    )
    assert "its last output: ModuleNotFoundError: No module named 'no_such_module'" in caplog.text
    assert "The MCP server closed cannot be used: All connection attempts failed." in caplog.text


def test_a_server_that_does_not_answer(connect: Callable[..., McpServers], notes: Path, caplog: Any) -> None:
    """A server that doesn't answer is given up after a time limit, and not tried again immediately."""
    servers = connect(silent(notes), connect_timeout=0.5)
    assert servers.tools() == []
    assert "The MCP server silent cannot be used: no answer within 0.5 seconds." in caplog.text
    assert servers.tools() == []
    assert caplog.text.count("no answer within 0.5 seconds") == 1


def test_a_server_that_refuses_us(connect: Callable[..., McpServers], model: ModelServer, caplog: Any) -> None:
    """The log has a refusing server's answer, but not its address, which may contain a key."""
    connect(ServerConfig("closed", url=f"{model.base_url}/mcp?key=secret")).tools()
    assert "The MCP server closed cannot be used" in caplog.text
    assert "secret" not in caplog.text


def test_a_process_that_dies(connect: Callable[..., McpServers], notes: Path, caplog: Any) -> None:
    """When a process dies, all calls in progress fail and say so; the next call starts it again."""
    tools = by_name(connect(stdio(notes)).tools())
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(tools["hang"])
        wait_until(lambda: "hangs" in notes.read_text())
        with pytest.raises(McpUnavailable, match="The MCP server trees cannot be used now: the connection was lost"):
            tools["die"]()
        with pytest.raises(McpUnavailable, match="the connection was lost"):
            waiting.result()
    assert tools["add"](a=1) == "2"
    assert len(starts(notes)) == 2
    assert caplog.text.count("The MCP server trees cannot be used") == 1


def test_a_process_that_died_while_nobody_called(connect: Callable[..., McpServers], notes: Path, caplog: Any) -> None:
    """A process that died between calls is restarted before the next one."""
    tools = by_name(connect(stdio(notes)).tools())
    os.kill(starts(notes)[0], 9)
    wait_until(lambda: "the connection was lost" in caplog.text)
    assert tools["add"](a=1) == "2"


def test_a_call_that_cannot_be_sent(connect: Callable[..., McpServers], notes: Path) -> None:
    """A call that finds its connection closed, before that was noticed otherwise, is sent over a new one."""
    servers = connect(stdio(notes))
    tools = by_name(servers.tools())
    [connection] = servers._servers["trees"]._connections

    async def closed(**arguments: Any) -> str:
        raise anyio.ClosedResourceError

    connection._functions["add"] = closed  # a dead process closes it at a moment that cannot be chosen
    assert tools["add"](a=1) == "2"
    assert len(starts(notes)) == 2


def test_an_http_server_that_comes_back(connect: Callable[..., McpServers], http: HttpServer, notes: Path) -> None:
    """While an HTTP server is away, calls fail immediately; the first call after its return works."""
    servers = connect(ServerConfig("trees", url=http.url))
    tools = by_name(servers.tools())
    http.stop()
    with pytest.raises(McpUnavailable, match="All connection attempts failed"):
        tools["add"](a=1)
    assert set(by_name(servers.tools())) == set(tools), "its tools are known while it is away"
    http.start()
    assert tools["add"](a=1) == "2"
    http.stop()
    http.start()
    assert tools["add"](a=2) == "3"
    assert len(starts(notes)) == 3


def test_an_http_server_that_dies_in_a_call(
    connect: Callable[..., McpServers], http: HttpServer, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call fails without waiting for its time limit if the HTTP server dies."""
    monkeypatch.setattr("agentchat.mcp.connection.PING_INTERVAL", 0.1)
    tools = by_name(connect(ServerConfig("trees", url=http.url)).tools())
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(tools["hang"])
        wait_until(lambda: "hangs" in notes.read_text())
        http.stop()
        with pytest.raises(McpUnavailable, match="The MCP server trees cannot be used now"):
            waiting.result(PATIENCE)


def test_a_call_that_takes_too_long(connect: Callable[..., McpServers], notes: Path) -> None:
    """A call that takes too long is cancelled, and the connection kept."""
    tools = by_name(connect(stdio(notes), call_timeout=0.5).tools())
    with pytest.raises(McpUnavailable, match=r"no answer within 0\.5 seconds"):
        tools["hang"]()
    wait_until(lambda: "cancelled" in notes.read_text())
    assert tools["add"](a=1) == "2"
    assert len(starts(notes)) == 1


# Stopping and closing


@pytest.mark.parametrize("kind", ["stdio", "http"])
def test_a_stop_cancels_the_call(connect: Callable[..., McpServers], http: HttpServer, notes: Path, kind: str) -> None:
    """A stop cancels the call, on the server as well; other calls still work."""
    tools = by_name(connect(stdio(notes) if kind == "stdio" else ServerConfig("trees", url=http.url)).tools())
    token = StopToken()
    context = cancellation.current.set(token)

    def stop() -> None:
        wait_until(lambda: "hangs" in notes.read_text())
        token.stop("stopped")

    try:
        stopper = threading.Thread(target=stop)
        stopper.start()
        with pytest.raises(Stopped):
            cancellation.call(tools["hang"], "tool-hang")
        stopper.join()
    finally:
        cancellation.current.reset(context)
    wait_until(lambda: "cancelled" in notes.read_text())
    assert tools["add"](a=1) == "2"


def test_closing_releases_everything(notes: Path, http: HttpServer) -> None:
    """Closing releases processes, threads and sockets, even in the middle of a call or of connecting."""
    before, threads = len(os.listdir("/proc/self/fd")), mcp_threads()
    servers = McpServers([stdio(notes), ServerConfig("far", url=http.url), silent(notes)], FILE, connect_timeout=600)
    tools = by_name(servers.tools("trees") + servers.tools("far"))
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(tools["hang"]), pool.submit(servers.tools, "silent")]
        wait_until(lambda: "hangs" in notes.read_text() and len(starts(notes)) == 3)
        own = starts(notes)[1:]
        servers.close()
        with pytest.raises(McpUnavailable, match="the chat server is shutting down"):
            calls[0].result()
        assert calls[1].result() == []
    assert not any(is_alive(process) for process in own)
    wait_until(lambda: mcp_threads() <= threads)
    assert len(os.listdir("/proc/self/fd")) <= before
    with pytest.raises(McpUnavailable, match="is shutting down"):
        tools["add"](a=1)


# With agents


@pytest.fixture
def configured(tmp_path: Path, notes: Path) -> list[str]:
    """Return the arguments of a chat server whose agent has the tools of an MCP server."""
    entry = {"command": sys.executable, "args": [SERVER, str(notes)]}
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"trees": entry}}))
    return ["--agents", write_agents(tmp_path, clerk=AGENT)]


def test_the_model_gets_names_and_schemas_unchanged(serve: Serve, model: ModelServer, configured: list[str]) -> None:
    """The model gets names and schemas unchanged: nested objects, enums, defaults, limits and required fields."""
    with ChatClient(serve(*configured, model=model).websocket) as client:
        client.ask("hello")
    offered = {tool["function"]["name"]: tool["function"] for tool in model.requests[0]["body"]["tools"]}
    assert offered["plant"]["description"] == "Plants trees."
    schema = offered["plant"]["parameters"]
    assert schema["required"] == ["trees"]
    assert schema["properties"]["trees"]["items"] == {"$ref": "#/$defs/Tree"}
    assert schema["properties"]["unit"] == {"$ref": "#/$defs/Unit", "default": "ft"}
    assert schema["properties"]["by"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert schema["$defs"]["Unit"]["enum"] == ["m", "ft"]
    size = schema["$defs"]["Size"]["properties"]["height"]
    assert (size["exclusiveMinimum"], size["description"]) == (0, "From the ground.")


def test_a_conversation_with_its_tools(serve: Serve, model: ModelServer, configured: list[str]) -> None:
    """A tool's result or error reaches the log and the model."""
    trees = [{"kind": "oak", "size": {"height": 2, "unit": "ft"}}]
    model.script(Reply(tools=[("plant", {"trees": trees, "by": "Ann"})]), Reply("Done."))
    model.script(Reply(tools=[("fail", {"why": "no rain"})]), Reply("I am sorry."))
    with ChatClient(serve(*configured, model=model).websocket) as client:
        client.ask("plant a tree")
        assert contents(client.log, "executed_function")[0]["content"] == "1 trees by Ann, the first 2.0 ft"
        assert model.requests[1]["body"]["messages"][-1]["content"] == "1 trees by Ann, the first 2.0 ft"
        client.ask("fail")
        failed = contents(client.log, "executed_function")[1]
        assert not failed["is_exec_success"]
        assert "it fails: no rain" in model.requests[3]["body"]["messages"][-1]["content"]


def test_results_are_cut(serve: Serve, model: ModelServer, configured: list[str]) -> None:
    """The limit of results holds for tools of MCP servers and for their errors; pictures are only described."""
    asked: list[dict[str, Any]] = [{"size": 5000}, {"size": 5000, "kind": "error"}, {"size": 6000, "kind": "picture"}]
    model.script(*(Reply(tools=[("much", arguments)]) for arguments in asked), Reply("Done."))
    with ChatClient(serve("--result-chars", "1000", *configured, model=model).websocket) as client:
        client.confirmed()
        results = [content["content"] for content in contents(client.ask("Go"), "executed_function")]

    assert [len(result) < 1300 for result in results] == [True] * 3
    assert "The result has 5,000 characters" in results[0]
    assert "this is the beginning" in results[1]
    assert "6,000 bytes" in results[2]


def test_a_tool_that_needs_a_yes(serve: Serve, model: ModelServer, configured: list[str]) -> None:
    """An MCP tool can be marked for approval like any other tool."""
    model.script(Reply(tools=[("process", {})]), Reply("Done."))
    with ChatClient(serve(*configured, model=model).websocket) as client:
        client.say("which process?")
        assert client.until("input_request")["content"]["tool"]["name"] == "process"
        client.say("yes")
        assert client.until("turn_completed")["content"]["summary"] == "Done."


def test_a_turn_that_waits_is_stopped(serve: Serve, model: ModelServer, configured: list[str], notes: Path) -> None:
    """Stopping a turn cancels its call on the server, which would never return."""
    model.script(Reply(tools=[("hang", {})]), Reply("Here I am."))
    with ChatClient(serve(*configured, model=model).websocket) as client:
        client.say("hang")
        wait_until(lambda: "hangs" in notes.read_text())
        client.command("stop")
        assert client.until("turn_completed")["content"]["status"] == "stopped"
        wait_until(lambda: "cancelled" in notes.read_text())
        client.say("still there?")
        assert client.until("turn_completed", turn=2)["content"]["status"] == "completed"


def test_twenty_conversations_at_once(serve: Serve, model: ModelServer, configured: list[str], notes: Path) -> None:
    """Twenty conversations share one connection; their calls run in parallel, and each gets its own result."""
    server = serve(*configured, model=model)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(ChatClient(server.websocket)) for _ in range(20)]
        for number, client in enumerate(clients):
            client.confirmed()
            call = {"tools": [("meet", {"number": 20, "me": f"guest{number}"})]}
            client.say(f"@@{json.dumps(call)}@@")
        for number, client in enumerate(clients):
            client.until("turn_completed")
            assert contents(client.log, "executed_function")[0]["content"] == f"guest{number} met"
    assert len(starts(notes)) == 1


def test_the_server_starts_without_its_mcp_servers(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """The server starts without its MCP servers, and agents work without those tools."""
    (tmp_path / "mcp.json").write_text('{"mcpServers": {"absent": {"command": "no-such-command"}}}')
    server = serve("--agents", write_agents(tmp_path, clerk=AGENT), model=model)
    with ChatClient(server.websocket) as client:
        assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"
