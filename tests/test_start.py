"""Starting and stopping the server from the command line."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentchat import app, settings
from agentchat.models import config as models
from agentchat.protocol.errors import SettingsError
from tests.clients import ChatClient, contents
from tests.conftest import KEY, Fork, config_list
from tests.model_server import ModelServer, Reply
from tests.processes import ROOT, ServerProcess

PORTS = ("--port", "0", "--ws-port", "0")


def refusal(*arguments: str) -> str:
    """Start a server in this process with unusable settings, and return the error's sentence."""
    chosen = settings.load(["demo", *PORTS, *arguments], {})
    with pytest.raises(SettingsError) as error, app.serving(chosen, {}):
        pass
    return str(error.value)


def test_the_start_up_says_where_everything_is(tmp_path: Path, model: ModelServer) -> None:
    """The start-up message shows the page, the WebSocket, the agents found and the model in use.

    With `demo` that is the demo model: a configured model server is not asked.
    """
    with ServerProcess(tmp_path, "demo", *PORTS, environment=config_list(model)) as server:
        assert "model      demo" in server.greeting
        assert "agent      weather" in server.greeting
        with ChatClient(server.websocket) as client:
            assert client.confirmed()["model"] == {"name": "demo", "demo": True, "vision": False}
            assert contents(client.ask("What is the weather in Oslo?"), "turn_completed")[0]["status"] == "completed"
    assert model.requests == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path: Path, model: ModelServer, how: signal.Signals) -> None:
    """A signal ends the server cleanly during a turn with rude clients: close code 1001 to all, exit status 0."""
    environment = config_list(model)
    drain = "0" if how == signal.SIGTERM else "600"  # for which Ctrl-C does not wait
    with ServerProcess(tmp_path, *PORTS, "--drain", drain, environment=environment) as server:
        clients = [ChatClient(server.websocket) for _ in range(5)]
        rude = [socket.create_connection(("127.0.0.1", int(server.websocket[:-1].rpartition(":")[2]))) for _ in "abc"]
        model.script(Reply("never", gate=threading.Event()))
        clients[0].confirmed()
        clients[0].say("hello?")
        model.wait_for(lambda counts: counts.active == 1)
        server.signal(how)
        assert server.end() == 0
        assert "Traceback" not in server.errors
        for client in clients:
            assert client.close_code() == 1001
        for connection in rude:
            connection.close()


@pytest.mark.parametrize("option", ["--port", "--ws-port"])
def test_a_port_that_is_taken(option: str) -> None:
    """A port in use is an error that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"Port {port} is in use" in refusal(option, port)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--port", "70000"), "70000 is not a port"),
        (("--host", "no.such.host.invalid"), "Cannot listen on no.such.host.invalid"),
        (("--agents", "nowhere"), "The agents folder nowhere does not exist."),
        (
            ("--data-dir", "/dev/null/data"),
            "The data folder /dev/null/data cannot be used: a file is in its place. Choose another with --data-dir.",
        ),
        (("--knowledge", "nowhere"), "There are no documents at nowhere."),
    ],
)
def test_settings_that_cannot_be_used(arguments: tuple[str, str], sentence: str) -> None:
    """Unusable settings that are only noticed when the server is assembled are errors, too."""
    assert sentence in refusal(*arguments)


@pytest.mark.parametrize(
    ("arguments", "model_list", "sentence"),
    [
        (("--log-level", "LOUD"), "", "--log-level must be one of DEBUG, INFO, WARNING, ERROR, not 'LOUD'."),
        ((), f'[{{"api_key": "{KEY}"}}]', "Entry 1 of the environment variable OAI_CONFIG_LIST has no 'model'"),
    ],
)
def test_a_start_that_fails(tmp_path: Path, arguments: tuple[str, ...], model_list: str, sentence: str) -> None:
    """A failed start exits with status 2 and one sentence on standard error, without traceback or key."""
    command = [sys.executable, str(ROOT / "main.py"), *PORTS, *arguments]
    environment = {"PATH": "", "OAI_CONFIG_LIST": model_list}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 2, ended.stderr
    assert sentence in ended.stderr.strip().splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert KEY not in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("[{", "is not valid JSON"),
        ("[]", "must be a list of at least one model entry"),
        ('{"model": "gpt-5-mini"}', "must be a list of at least one model entry"),
        ('[{"api_key": "%s"}]', "Entry 1 of the environment variable OAI_CONFIG_LIST has no 'model'"),
        ('[{"model": "m", "api_key": "%s", "temperature": 9}]', "temperature: Input should be less than or equal to"),
        ('[{"model": "m", "api_key": "%s", "api_type": "nonsense"}]', "The model configuration is wrong"),
        ('[{"model": "m", "api_key": "%s", "api_type": "anthropic"}]', "needs another package"),
        ('[{"model": "m"}]', "has no 'api_key'"),
        ('[{"model": "m", "api_type": "azure", "api_key": "%s", "base_url": "https://x"}]', "api_version"),
        ('[{"model": "m", "api_key": "%s", "base_url": "http://x/v1/chat/completions"}]', "must not end in"),
        ('[{"model": "m", "api_key": "sk-\u201cquoted\u201d"}]', "Copy it again"),
        ("no-such-file.json", "names the file no-such-file.json, which does not exist"),
    ],
)
def test_a_broken_model_configuration(tmp_path: Path, value: str, sentence: str) -> None:
    """A broken model configuration is an error of one line that says what is wrong, without the key."""
    with pytest.raises(SettingsError) as error:
        models.load({"OAI_CONFIG_LIST": value.replace("%s", KEY)}, tmp_path, timeout=1)

    message = str(error.value)
    assert sentence in message
    assert KEY not in message
    assert "\n" not in message


def test_a_configuration_file(tmp_path: Path, model: ModelServer) -> None:
    """OAI_CONFIG_LIST is read from the working directory, and settings from .env."""
    (tmp_path / "OAI_CONFIG_LIST").write_text(config_list(model)["OAI_CONFIG_LIST"])
    (tmp_path / ".env").write_text("AGENTCHAT_PORT=0\nAGENTCHAT_WS_PORT=0\n")
    with ServerProcess(tmp_path) as server, ChatClient(server.websocket) as client:
        assert client.confirmed()["model"]["name"] == "scripted"
        client.ask("hello")
    assert model.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"


def test_an_openai_key_alone(fork: Fork, model: ModelServer) -> None:
    """OPENAI_API_KEY alone is enough to configure a model."""
    environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": model.base_url, "OAI_CONFIG_LIST": ""}
    with fork(*PORTS, environment=environment) as server, ChatClient(server.websocket) as client:
        assert client.confirmed()["model"]["name"] == "gpt-5-mini"
        assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"


def test_no_key_gets_out(fork: Fork, model: ModelServer) -> None:
    """No key reaches the wire or the log, whatever a model server or a tool says."""
    model.script(
        Reply(status=401, error={"error": {"message": f"Incorrect API key provided: {KEY}"}}),
        Reply(tools=[("weather_forecast", {"city": KEY})]),
        Reply(f"Your key is {KEY} and I tell everyone.", tokens=[f"Your key is {KEY}"]),
        Reply(raw=f"data: {KEY}\n\n".encode(), content_type="text/event-stream"),
    )
    environment = config_list(model)
    with fork(*PORTS, "--log-level", "DEBUG", environment=environment) as server:
        with ChatClient(server.websocket) as client:
            client.confirmed()
            for _ in range(3):
                client.ask("hello")
            seen = json.dumps(client.frames)
        server.signal(signal.SIGTERM)
        server.end()
    assert KEY not in seen
    assert "[key]" in seen
    assert "Traceback" in server.log  # all is logged, also what the model server said
    assert KEY not in server.log
