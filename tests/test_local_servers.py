"""Model servers on this machine: found, offered, and used when a person asks for one."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from pathlib import Path

import pytest

from agentchat.models import local_servers
from agentchat.models.local_servers import LocalServer, Search
from agentchat.protocol.errors import SettingsError
from tests.clients import ChatClient, contents
from tests.conftest import KEY
from tests.local_model_server import NOT_FOUND, LocalModelServer, listing, ok
from tests.model_server import ModelServer
from tests.processes import ServerProcess
from tests.shared_servers import start

PORTS = ("--port", "0", "--ws-port", "0")
MODELS = "/v1/models"
TAGS = {"models": [{"name": "qwen3:latest", "size": 1}, {"name": "nomic-embed-text:latest"}, {"name": "llama3.2:3b"}]}


def found(name: str, server: LocalModelServer) -> tuple[str, ...]:
    return local_servers.models_of(name, server.port)


def test_models_of_a_server() -> None:
    """The names come from /v1/models, without models for embeddings, each once."""
    with LocalModelServer({MODELS: listing("qwen/qwen3-8b", "text-embedding-nomic", "b", "b", "c:latest")}) as server:
        assert found("lmstudio", server) == ("qwen/qwen3-8b", "b", "c:latest")
    assert server.asked == [MODELS]


@pytest.mark.parametrize("other", [NOT_FOUND, ok({"object": "list", "data": None}), b"nonsense"])
def test_models_of_ollama(other: bytes) -> None:
    """Ollama's own list is read where /v1/models is missing; `:latest` goes without saying."""
    with LocalModelServer({MODELS: other, "/api/tags": ok(TAGS)}) as server:
        assert found("ollama", server) == ("qwen3", "llama3.2:3b")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 200_000,
        b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe\xfa",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3_000_000,
        ok(None),
        ok([]),
        ok({"data": {"id": "x"}}),
        ok({"data": [None, 1, {}, {"id": None}, {"id": ["x"]}, {"id": ""}, {"id": "\x1b[31mred"}, {"id": "x" * 101}]}),
    ],
)
def test_answers_that_make_no_sense(answer: bytes) -> None:
    """A server without a list of usable names is not offered, whatever it sends."""
    with LocalModelServer({MODELS: answer}) as server:
        assert Search({"vllm": server.port}).wait() == []


def test_a_long_list_is_cut() -> None:
    """At most twenty models are named, and a huge answer is not read."""
    with LocalModelServer({MODELS: listing(*map(str, range(1000)))}) as server:
        assert found("vllm", server) == tuple(map(str, range(20)))
    with LocalModelServer({MODELS: listing(*map(str, range(100_000)))}) as server:
        assert found("vllm", server) == ()


def test_slow_answers_end_the_wait() -> None:
    """Neither an answer that trickles nor one that never comes is waited for longer than a second in all."""
    with (
        LocalModelServer({MODELS: listing("a")}, pause=0.1) as trickling,
        socket.create_server(("127.0.0.1", 0)) as silent,
        LocalModelServer({MODELS: listing("b")}) as quick,
    ):
        begun = time.monotonic()
        ports = {"lmstudio": trickling.port, "llamacpp": silent.getsockname()[1], "vllm": quick.port}
        assert Search(ports).wait() == [LocalServer("vllm", quick.port, ("b",))]
        assert time.monotonic() - begun < 5  # 1, and a machine under load


@pytest.mark.parametrize(
    ("server", "command"),
    [
        (LocalServer("ollama", 11434, ("qwen3", "b")), "--model ollama:qwen3"),
        (LocalServer("lmstudio", 1234, ("a b; c",)), "--model 'lmstudio:a b; c'"),
        (LocalServer("llamacpp", 9000, ("/m.gguf",)), "--model llamacpp --local-servers llamacpp:9000"),
        (LocalServer("llamacpp", 8080, ("/m.gguf",)), "--model llamacpp --ws-port 0"),
    ],
)
def test_the_command_offered(server: LocalServer, command: str) -> None:
    """The command names the model and what else is not as usual."""
    assert server.command == f"python main.py {command}"


@pytest.mark.parametrize(
    "text", ["ollama", "ollama:", "ollama:x", "ollama:0", "ollama:70000", "olama:1", "none:1", ":1"]
)
def test_ports_that_make_no_sense(text: str) -> None:
    """Unknown names and impossible ports are an error that shows how to write them."""
    with pytest.raises(SettingsError, match=r"--local-servers takes ollama, .* such as ollama:11434,"):
        local_servers.ports(text)
    assert local_servers.ports("none") == {}
    assert local_servers.ports(" vllm:1 ,") == {"vllm": 1}


def test_servers_are_offered(tmp_path: Path) -> None:
    """Start-up lines and `/api/config` name the servers found, and the demo model answers all the same."""
    with LocalModelServer({MODELS: listing("qwen3", "phi4")}) as ollama, LocalModelServer({}) as other:
        environment = {"AGENTCHAT_LOCAL_SERVERS": f"ollama:{ollama.port},vllm:{other.port}"}
        with ServerProcess(tmp_path, *PORTS, environment=environment) as server:
            command = f"python main.py --model ollama:qwen3 --local-servers ollama:{ollama.port}"
            assert f"\n  local      Ollama has qwen3, phi4: {command}\n" in server.greeting
            assert "vLLM" not in server.greeting
            with urllib.request.urlopen(f"{server.page}api/config") as answer:
                config = json.load(answer)
            assert config["local_servers"] == [{"name": "Ollama", "models": ["qwen3", "phi4"], "command": command}]
            with ChatClient(server.websocket) as client:
                assert client.confirmed()["model"] == {"name": "demo", "demo": True, "vision": False}
                assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"
        assert ollama.asked == [MODELS]


def test_nobody_is_asked_needlessly(tmp_path: Path, model: ModelServer) -> None:
    """With a model there is no search, and our own ports are never asked."""
    with LocalModelServer({MODELS: listing("qwen3")}) as ollama:
        options = ["--data-dir", str(tmp_path / "data"), "--local-servers", f"ollama:{ollama.port}"]
        environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": model.base_url}
        server = start(options, environment)
        assert server.search.wait() == []
        server.close()
    assert ollama.asked == []

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = start(["--data-dir", str(tmp_path / "data"), "--port", port, "--local-servers", f"vllm:{port}"], {})
    assert server.search._threads == []
    server.close()


def test_a_server_that_was_asked_for(tmp_path: Path, model: ModelServer) -> None:
    """`--model ollama:NAME` talks to the server at that port, and sends it no key of somebody else's."""
    port = model.base_url.rpartition(":")[2].partition("/")[0]
    environment = {"OPENAI_API_KEY": KEY, "AGENTCHAT_LOCAL_SERVERS": f"ollama:{port}"}
    with ServerProcess(tmp_path, *PORTS, "--model", "ollama:qwen3", environment=environment) as server:
        assert "model      qwen3\n" in server.greeting
        with ChatClient(server.websocket) as client:
            assert client.confirmed()["model"] == {"name": "qwen3", "demo": False, "vision": None}
            assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"
    assert model.requests[0]["body"]["model"] == "qwen3"
    assert KEY not in str(model.requests[0]["headers"])
