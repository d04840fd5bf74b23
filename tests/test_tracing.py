"""Traces by OpenTelemetry, as a collector gets them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from agentchat.measures import tracing
from tests.agent_files import write_agents, write_all
from tests.clients import ChatClient
from tests.collectors import CollectedSpan, Collector
from tests.conftest import KEY, config_list
from tests.model_server import ModelServer, Reply
from tests.shared_servers import Served, start

INTERNAL, CLIENT = 1, 3  # kinds of spans
Traced = Callable[..., Served]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def traced(tmp_path: Path, model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Traced]:
    """Start a server whose traces go to a collector."""
    with ExitStack() as stack:

        def begin(collector: Collector, *arguments: str, **more: str) -> Served:
            variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, **more}
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            places = ["--data-dir", str(tmp_path / "data"), *arguments]
            return stack.enter_context(closing(start(places, {**config_list(model), **variables})))

        yield begin


def talk(served: Served, agent: str, *texts: str) -> str:
    """Say something to an agent, and return the id of the session."""
    with ChatClient(served.websocket, agent=agent) as client:
        session = client.confirmed()["session_id"]
        for text in texts:
            client.ask(text)
    served.close()
    return str(session)


def named(spans: list[CollectedSpan]) -> list[str]:
    return [span.name for span in spans]


def test_a_turn(traced: Traced, collector: Collector, model: ModelServer, tmp_path: Path) -> None:
    """A turn is a trace: its model calls and its tools lie within it, with what the conventions want, and no words."""
    model.script(
        Reply(tools=[("look", {"what": "marzipan"})], usage=(10, 1)), Reply("Delicious marzipan.", usage=(20, 2))
    )
    session = talk(traced(collector, "--agents", write_all(tmp_path)), "tools", "Look at the marzipan")

    spans = collector.spans
    assert named(spans) == ["invoke_agent tools", "chat scripted", "execute_tool look", "chat scripted"]
    turn, first, tool, last = spans
    assert len({span.trace for span in spans}) == 1
    assert turn.parent == b""
    assert {span.parent for span in (first, tool, last)} == {turn.id}
    assert [span.kind for span in spans] == [INTERNAL, CLIENT, INTERNAL, CLIENT]
    assert turn.attributes == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "tools",
        "gen_ai.conversation.id": session,
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 3,
        "agentchat.turn.outcome": "completed",
    }
    called = dict(last.attributes)
    assert called.pop("gen_ai.response.id")
    host, _, port = model.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    assert called == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "scripted",
        "gen_ai.response.model": "scripted",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 2,
        "server.address": host,
        "server.port": int(port),
    }
    assert first.attributes["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert tool.attributes.pop("gen_ai.tool.call.id")  # type: ignore[attr-defined]
    assert tool.attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "look",
        "gen_ai.tool.type": "function",
    }
    assert turn.resource["service.name"] == "agentchat"
    assert not any(b"arzipan" in body for body in collector.bodies)


def test_words(traced: Traced, collector: Collector, model: ModelServer, tmp_path: Path) -> None:
    """With --otel-content the words are sent as well, without keys."""
    model.script(Reply(tools=[("look", {"what": KEY})]), Reply("There it is."))
    served = traced(collector, "--agents", write_all(tmp_path), "--otel-content", OTEL_SERVICE_NAME="chat")
    talk(served, "tools", f"Look at {KEY}")

    _, first, tool, last = collector.spans
    asked = json.loads(first.attributes["gen_ai.input.messages"])
    assert asked[-1] == {"role": "user", "parts": [{"type": "text", "content": "Look at [key]"}]}
    [answer] = json.loads(first.attributes["gen_ai.output.messages"])
    assert [part["type"] for part in answer["parts"]] == ["tool_call"]
    assert json.loads(tool.attributes["gen_ai.tool.call.arguments"]) == {"what": "[key]"}
    assert tool.attributes["gen_ai.tool.call.result"] == "Looked at [key]"
    told = json.loads(last.attributes["gen_ai.input.messages"])[-1]["parts"]
    assert [(part["type"], part["response"]) for part in told] == [("tool_call_response", "Looked at [key]")]
    [answer] = json.loads(last.attributes["gen_ai.output.messages"])
    assert answer == {"role": "assistant", "parts": [{"type": "text", "content": "There it is."}]}
    assert last.resource["service.name"] == "chat"
    assert not any(KEY.encode() in body for body in collector.bodies)


RAISES = '''
"""Has a tool that raises."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def fall(where: str) -> str:
        raise ValueError("I fell over the marzipan")

    agent = ConversableAgent("clumsy", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(fall, caller=agent, executor=user, description="Fall.")
    return user, agent
'''


def test_failures(traced: Traced, collector: Collector, model: ModelServer, tmp_path: Path) -> None:
    """The span of a failure has its code."""
    model.script(Reply(tools=[("fall", {"where": "here"})]), Reply(status=401))
    talk(traced(collector, "--agents", write_agents(tmp_path, clumsy=RAISES)), "clumsy", "Fall")

    turn, first, tool, last = collector.spans
    failed = [(span.is_error, span.attributes.get("error.type")) for span in (turn, first, tool, last)]
    assert failed == [(True, "model_auth"), (False, None), (True, "ValueError"), (True, "model_auth")]
    assert not any(b"marzipan" in body for body in collector.bodies)


def test_a_collector_that_hangs(traced: Traced, model: ModelServer) -> None:
    """A collector that never answers delays neither turns nor the end of the server."""
    with Collector(answers=False) as collector:
        served = traced(collector, OTEL_EXPORTER_OTLP_TIMEOUT="3600", OTEL_BSP_SCHEDULE_DELAY="10")
        with ChatClient(served.websocket, agent="weather") as client:
            client.confirmed()
            client.ask("Hello")
            assert collector.has_been_asked.wait(60)
            assert client.ask("Again")[-1]["content"]["status"] == "completed"
        served.close()
        assert collector.bodies == []


AG2S = '''
"""Traces itself by AG2's own instrumentation."""
from autogen import ConversableAgent, UserProxyAgent, register_function
from autogen.opentelemetry import instrument_agent
from opentelemetry.sdk.trace import TracerProvider

def build(llm_config, chat):
    def look(what: str) -> str:
        return f"Looked at {what}"

    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(look, caller=agent, executor=user, description="Look.")
    instrument_agent(user, tracer_provider=TracerProvider())
    return user, agent
'''


def test_nothing_is_traced_twice(traced: Traced, collector: Collector, model: ModelServer, tmp_path: Path) -> None:
    """Steps that an agent file traces by itself have no second span."""
    model.script(Reply(tools=[("look", {"what": "trains"})]), Reply("There."))
    talk(traced(collector, "--agents", write_agents(tmp_path, own=AG2S)), "own", "Look")
    assert named(collector.spans) == ["invoke_agent own", "chat scripted", "chat scripted"]


def test_without_the_package(
    traced: Traced, collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without OpenTelemetry the server works, and says at its start what is missing."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    talk(traced(collector), "weather", "Hello")
    assert "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http" in caplog.text
    assert collector.bodies == []


@pytest.mark.parametrize(
    ("variables", "is_configured"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_SERVICE_NAME": "chat"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_when_there_are_traces(variables: dict[str, str], is_configured: bool) -> None:
    """OpenTelemetry's own variables decide."""
    assert tracing.is_configured(variables) is is_configured
