"""Reaching a model: what AG2 is given, and what goes over the wire."""

from __future__ import annotations

import copy
from pathlib import Path

from agentchat import models
from agentchat.chat import Chat
from agentchat.transport import ModelClient, server_name
from main import Running
from tests.clients import ChatClient
from tests.conftest import config_list
from tests.model_server import ModelServer, Reply


def test_ag2_builds_its_clients_the_direct_way(server: Running) -> None:
    """For every agent, however many tools were registered with it; all share one connection pool."""
    _, agent = server.catalogue.build("weather", Chat("s"))
    _, other = server.catalogue.build("weather", Chat("t"))

    clients = [client for pair in (agent, other) for client in pair.client._clients]
    assert {type(client) for client in clients} == {models.DirectClient}
    assert len({id(client._oai_client._client) for client in clients}) == 1


def test_the_shared_client_is_never_copied() -> None:
    """AG2 copies configurations deeply."""
    loaded = models.load({}, Path("."), timeout=1)
    entry = loaded.llm_config.config_list[0]

    assert isinstance(entry.http_client, ModelClient)
    assert copy.deepcopy(entry.http_client) is entry.http_client
    assert copy.copy(entry.http_client) is entry.http_client
    loaded.close()


def test_what_the_model_is_sent(client: ChatClient, model: ModelServer) -> None:
    """The whole message list and all tools, though the openai package saw only the first of each."""
    model.script(Reply("one"), Reply("two"))
    client.ask("first")
    client.ask("second")

    body = model.requests[-1]["body"]
    texts = [message["content"] for message in body["messages"]]
    assert texts[1:] == ["first", "one", "second"]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["weather_forecast"]
    assert body["stream_options"] == {"include_usage": True}
    assert "extra_body" not in body


def test_entries_stream_unless_they_say_otherwise(model: ModelServer) -> None:
    """And retries are left to our transport, where a stop can end the wait."""
    loaded = models.load(config_list(model), Path("."), timeout=1)
    silent = models.load(config_list(model, stream=False), Path("."), timeout=1)

    assert loaded.llm_config.config_list[0].stream is True
    assert silent.llm_config.config_list[0].stream is False
    assert loaded.llm_config.config_list[0].max_retries == 0
    loaded.close()
    silent.close()


def test_a_server_is_named_without_its_credentials() -> None:
    """In errors that people see."""
    assert server_name("https://user:secret@example.com:8443/v1") == "example.com:8443"
