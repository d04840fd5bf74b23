"""The model connection: the clients AG2 is given, and the requests they send."""

from __future__ import annotations

import copy
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from agentchat.ag2.shapes import Team
from agentchat.app import Running
from agentchat.chat import Chat
from agentchat.models import config
from agentchat.models.openai_client import DirectClient
from agentchat.models.transport import ModelClient, server_name
from tests.clients import ChatClient, contents
from tests.conftest import Serve, config_list
from tests.model_server import ModelServer, Reply


def test_ag2_builds_its_clients_the_direct_way(server: Running) -> None:
    """All agents share one connection pool, however many tools they have registered."""
    teams = [server.catalogue.build("weather", Chat(session)) for session in "st"]

    clients = [client for team in teams if isinstance(team, Team) for client in team.agent.client._clients]
    assert [type(client) for client in clients] == [DirectClient] * 2
    assert len({id(client._oai_client._client._client) for client in clients}) == 1


def test_the_shared_client_is_never_copied() -> None:
    """The shared client is never copied, although AG2 deep-copies configurations."""
    loaded = config.load({}, Path("."), timeout=1)
    entry = loaded.llm_config.config_list[0]

    assert isinstance(entry.http_client, ModelClient)
    assert copy.deepcopy(entry.http_client) is entry.http_client
    assert copy.copy(entry.http_client) is entry.http_client
    loaded.close()


def test_what_the_model_is_sent(client: ChatClient, model: ModelServer) -> None:
    """The server gets all messages and tools, and what streaming needs."""
    model.script(Reply("one"), Reply("two"))
    client.ask("first")
    client.ask("second")

    body = model.requests[-1]["body"]
    texts = [message["content"] for message in body["messages"]]
    assert texts[1:] == ["first", "one", "second"]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["weather_forecast"]
    assert body["stream_options"] == {"include_usage": True}
    assert "extra_body" not in body


@pytest.fixture
def tls_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModelServer]:
    """Start a model server over TLS, with a certificate that this process trusts."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with ModelServer(tls=context) as server:
        yield server


def test_over_tls(serve: Serve, tls_model: ModelServer) -> None:
    """Over TLS, tokens arrive one by one and long answers in full.

    A stop works at once, and one connection serves all other calls.
    """
    server = serve(model=tls_model)
    gate = threading.Event()
    long = "many words " * 20_000  # far more than a TLS record or a socket's buffer
    tls_model.script(
        Reply("one two", gate_after=(1, gate)), Reply(tokens=[long]), Reply("never", gate=threading.Event())
    )
    with ChatClient(server.websocket) as client:
        client.say("count")
        assert client.until("stream")["content"]["content"] == "one "
        gate.set()
        client.until("turn_completed")
        assert contents(client.ask("much"), "text")[-1]["content"] == long
        assert tls_model.counts.connections == 1
        client.say("hello?")
        tls_model.wait_for(lambda counts: counts.active == 1)
        client.command("stop")
        assert client.until("turn_completed")["content"]["status"] == "stopped"
        assert contents(client.ask("again"), "turn_completed")[0]["status"] == "completed"


def test_a_certificate_nobody_trusts(serve: Serve, tls_model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an untrusted certificate, the call fails and nothing is sent."""
    monkeypatch.delenv("SSL_CERT_FILE")
    server = serve(model=tls_model, max_retries=0)
    with ChatClient(server.websocket) as client:
        assert contents(client.ask("hello"), "error")[0]["code"] == "model_unreachable"
    assert tls_model.requests == []


def test_entries_stream_unless_they_say_otherwise(model: ModelServer) -> None:
    """Entries stream by default and don't retry; our transport retries, where a stop can end the wait."""
    loaded = config.load(config_list(model), Path("."), timeout=1)
    silent = config.load(config_list(model, stream=False), Path("."), timeout=1)

    assert loaded.llm_config.config_list[0].stream is True
    assert silent.llm_config.config_list[0].stream is False
    assert loaded.llm_config.config_list[0].max_retries == 0
    loaded.close()
    silent.close()


def test_a_server_is_named_without_its_credentials() -> None:
    """A server is named without its credentials, since people see the name in errors."""
    assert server_name("https://user:secret@example.com:8443/v1") == "example.com:8443"
