"""The context window of a model is asked for where its server tells it, else the setting counts."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

import openai
import pytest

from agentchat import cancellation
from agentchat.cancellation import Stopped, StopToken
from agentchat.models import context_window, transport, window_sizes
from agentchat.models.context_window import CUT, fit
from agentchat.models.window_sizes import Size
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.shared_servers import Served

Facts = dict[str, Reply]


def facts(**answers: Any) -> Facts:
    """Return what a server tells; `v1_models` stands for `/v1/models`."""
    return {f"/{path.replace('_', '/')}": tell(answer) for path, answer in answers.items()}


def tell(answer: Any) -> Reply:
    return Reply(raw=json.dumps(answer).encode())


def listing(**entry: Any) -> Any:
    return {"object": "list", "data": [{"id": "other", "max_model_len": 999}, {"id": "scripted", **entry}]}


SHOWN = {
    "license": "x" * 20_000,
    "parameters": 'stop                           "<|im_end|>"\ntemperature 0.7',
    "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960, "tokenizer.ggml.tokens": None},
}
OLLAMA = listing(owned_by="library")
LOADED = {"models": [{"name": "scripted:latest", "model": "scripted:latest", "context_length": 4096}]}
TRAINED = {
    "object": "list",
    "data": [{"id": "/models/q.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 131072}}],
}
IDLE = {"data": [{"id": "scripted", "state": "not-loaded", "max_context_length": 131072}]}

TOLD: dict[str, tuple[Facts, Size]] = {
    "vLLM": (facts(v1_models=listing(max_model_len=8192, root="/models/q", permission=[])), Size(8192)),
    "OpenRouter": (facts(v1_models=listing(context_length=200_000)), Size(200_000)),
    "Groq": (facts(v1_models=listing(context_window=131072, active=True)), Size(131072)),
    "Mistral": (facts(v1_models=listing(max_context_length=32768)), Size(32768)),
    "LM Studio": (
        facts(
            v1_models=listing(owned_by="organization_owner"),
            api_v0_models=listing(state="loaded", max_context_length=131072, loaded_context_length=4096),
        ),
        Size(4096),
    ),
    "LM Studio, not loaded": (facts(v1_models=listing(), api_v0_models=IDLE), Size(limit=131072)),
    "llama.cpp": (facts(v1_models=TRAINED, props={"default_generation_settings": {"n_ctx": 2048}}), Size(2048)),
    "llama.cpp, an old one": (facts(props={"n_ctx": 2048, "model_path": "q.gguf"}), Size(2048)),
    "llama.cpp, a new one": (
        facts(v1_models={"data": [{"id": "q.gguf", "meta": {"n_ctx": 16384, "n_ctx_train": 131072}}]}),
        Size(16384),
    ),
    "llama.cpp without its properties": (facts(v1_models=TRAINED), Size(limit=131072)),
    "Ollama, set": (
        facts(v1_models=OLLAMA, api_show={**SHOWN, "parameters": "num_ctx                        8192\nstop x"}),
        Size(8192),
    ),
    "Ollama, loaded": (facts(v1_models=OLLAMA, api_show=SHOWN, api_ps=LOADED), Size(4096)),
    "Ollama, not loaded": (facts(v1_models=OLLAMA, api_show=SHOWN, api_ps={"models": []}), Size(limit=40960)),
    "Ollama without a list": (facts(api_show=SHOWN), Size(limit=40960)),
    "nothing": ({}, Size()),
    "another model": (facts(v1_models={"data": [{"id": "a", "n_ctx": 512}, {"id": "b", "n_ctx": 512}]}), Size()),
    "garbage": (
        facts(
            v1_models=listing(max_model_len="8192", context_length=-1, context_window=True, meta=[7]),
            props=[1],
            api_show={"parameters": ["num_ctx 8"], "model_info": {"x.context_length": 1e300}},
            api_ps={"models": {"a": 1}},
            api_v0_models={"data": [None, 7]},
        ),
        Size(),
    ),
    "nonsense": (
        {
            "/v1/models": Reply(raw=b"[" * 100_000),
            "/props": Reply(html=True),
            "/api/show": Reply(status=500),
            "/api/v0/models": Reply(raw=b'{"data": ' + b"9" * 5000 + b"}"),
        },
        Size(),
    ),
    "far too much": (
        {"/v1/models": tell({**listing(max_model_len=8192), "x": "y" * window_sizes.MAX_ANSWER})},
        Size(),
    ),
}


def ask(address: str, name: str = "scripted") -> Size:
    return window_sizes.of(openai.OpenAI(base_url=address, api_key="a key"), name)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give servers time, however busy the machine is."""
    monkeypatch.setattr(window_sizes, "TIMEOUT", float(PATIENCE))
    monkeypatch.setattr(window_sizes, "CONNECT_TIMEOUT", float(PATIENCE))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start a model server of its own for each test: a server is asked once. Its port may be that of an earlier one."""
    monkeypatch.setattr(window_sizes, "_asked", {})
    with ModelServer() as server:
        transport.pool().open()
        yield server
        transport.pool().close()


@pytest.mark.parametrize(("told", "size"), TOLD.values(), ids=list(TOLD))
def test_servers(model: ModelServer, told: Facts, size: Size) -> None:
    """Each server's way to tell is understood; what makes no sense is not."""
    model.facts.update(told)
    assert ask(model.base_url) == size


def test_a_server_is_asked_once(model: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    """A server is asked once for each model, with the key of its entry, and what it says is logged once."""
    caplog.set_level(logging.INFO)
    model.facts.update(facts(v1_models=listing(max_model_len=8192)))
    assert [ask(model.base_url), ask(model.base_url), ask(model.base_url, "other")] == [
        Size(8192),
        Size(8192),
        Size(999),
    ]

    assert [path for path, _ in model.asked] == ["/v1/models", "/v1/models"]
    server = model.base_url.removeprefix("http://").removesuffix("/v1")
    assert f"The context window of scripted at {server} has 8192 tokens" in caplog.messages
    assert len(caplog.messages) == 2


def test_a_server_that_tells_nothing_is_not_asked_again(model: ModelServer) -> None:
    ask(model.base_url)
    ask(model.base_url)
    asked = len(model.asked)
    ask(model.base_url)
    assert len(model.asked) == asked


def test_a_model_that_is_loaded_by_the_first_call(model: ModelServer) -> None:
    """Ollama's window is known once the model is loaded."""
    model.facts.update(facts(api_show=SHOWN))
    assert ask(model.base_url) == Size(limit=40960)
    model.facts.update(facts(api_ps=LOADED))
    assert ask(model.base_url) == Size(4096)
    assert ("/api/show", {"model": "scripted"}) in model.asked


@pytest.mark.parametrize("path", ["/v1/models", "/props", "/api/show"])
def test_a_silent_server(model: ModelServer, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that doesn't answer delays two calls, and is not asked again."""
    monkeypatch.setattr(window_sizes, "TIMEOUT", 0.5)
    model.facts[path] = Reply(gate=threading.Event())
    assert [ask(model.base_url), ask(model.base_url)] == [Size(), Size()]
    wait_until(lambda: not any(thread.name.startswith("connect-") for thread in threading.enumerate()))
    asked = len(model.asked)
    assert ask(model.base_url) == Size()
    assert len(model.asked) == asked


def test_a_server_that_is_too_slow_once(model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was busy with something else is asked at the next call."""
    monkeypatch.setattr(window_sizes, "TIMEOUT", 0.5)
    model.facts["/v1/models"] = Reply(gate=threading.Event())
    assert ask(model.base_url) == Size()
    monkeypatch.setattr(window_sizes, "TIMEOUT", float(PATIENCE))
    model.facts.update(facts(v1_models=listing(max_model_len=8192)))
    assert ask(model.base_url) == Size(8192)


def test_a_slow_server(model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-out is for the whole conversation with the server, not for each byte."""
    monkeypatch.setattr(window_sizes, "TIMEOUT", 0.5)
    names = ("/v1/models", "/props", "/api/show", "/api/v0/models")
    model.facts.update({name: Reply(gate=0.4, raw=b"{}") for name in names})
    assert ask(model.base_url) == Size()
    assert len(model.asked) <= 2


def test_a_server_that_comes_later() -> None:
    """A server that isn't running yet is asked at the next call."""
    with ModelServer() as server:
        port = int(server.base_url.split(":")[2].removesuffix("/v1"))
        address = server.base_url
    assert ask(address) == Size()
    with ModelServer(port) as server:
        server.facts.update(facts(v1_models=listing(max_model_len=8192)))
        assert ask(server.base_url) == Size(8192)


def test_a_stop_ends_the_question(model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop ends the question, and the next turn asks again."""
    monkeypatch.setattr(window_sizes, "TIMEOUT", 2 * PATIENCE)
    model.facts["/v1/models"] = Reply(gate=threading.Event())
    token = StopToken()
    reset = cancellation.current.set(token)
    start = time.monotonic()

    def stop() -> None:
        wait_until(lambda: model.asked != [])
        token.stop("stopped")

    stopping = threading.Thread(target=stop)
    stopping.start()
    try:
        with pytest.raises(Stopped):
            ask(model.base_url)
    finally:
        cancellation.current.reset(reset)
        stopping.join()
    assert time.monotonic() - start < 2 * PATIENCE
    model.facts.update(facts(v1_models=listing(max_model_len=8192)))
    assert ask(model.base_url) == Size(8192)


@pytest.mark.parametrize(
    "address",
    [
        "https://api.openai.com/v1",
        "https://mine.openai.azure.com/openai",
        "https://mine.services.ai.azure.com/openai/v1",
        "http://demo.invalid/v1",
    ],
)
def test_who_is_not_asked(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """OpenAI and Azure are never asked, and the demo model asks nobody."""
    monkeypatch.delattr(window_sizes, "_Questions")
    assert ask(address) == Size()


def text(number: int, length: int = 384) -> dict[str, str]:
    return {"role": "user" if number % 2 else "assistant", "content": f"{number} ".ljust(length, "x")}


SYSTEM = {"role": "system", "content": "s" * 784}
CONVERSATION = [SYSTEM, *(text(number) for number in range(1, 100))]  # about 100 tokens each


@pytest.mark.parametrize(
    ("setting", "window", "tokens"),
    [
        (0, None, 10_000),
        (0, Size(), 10_000),
        (1000, Size(), 1000),
        (0, Size(4096), 4096 * 7 // 8 - 200),
        (1000, Size(4096), 1000),
        (8000, Size(4096), 4096 * 7 // 8 - 200),
        (0, Size(limit=4096), 4096 * 7 // 8 - 200),
        (0, Size(200_000), 10_000),
    ],
)
def test_the_smaller_one_counts(setting: int, window: Size | None, tokens: int) -> None:
    """The smaller of window and setting counts, less an eighth of the window, the system message and the tools."""
    reset = context_window.setting.set(setting)
    sent = fit(CONVERSATION, (), window)
    context_window.setting.reset(reset)

    assert sent[:2] == CONVERSATION[:2]
    assert sent[-1] == CONVERSATION[-1]
    count = min(tokens // 100, 99)
    assert len(sent) == 1 + max(count, 2)


def test_tools_take_their_part() -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "x" * 4000}}]
    assert len(fit(CONVERSATION, tools, Size(4096))) == len(fit(CONVERSATION, (), Size(4096))) - 10


def called(*results: str) -> list[dict[str, Any]]:
    """Return a message that calls a tool for each result, and the results."""
    calls = [
        {"id": str(n), "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in range(len(results))
    ]
    return [
        {"role": "assistant", "content": None, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": str(n), "content": result} for n, result in enumerate(results)),
    ]


@pytest.mark.parametrize("size", range(100, 2000, 30))
@pytest.mark.parametrize("results", [1, 2, 5])
def test_results_stay_with_their_calls(size: int, results: int) -> None:
    """Wherever a history is cut, no tool's result is without its call, and the newest are there."""
    messages: list[Mapping[str, Any]] = [text(1)]
    for number in range(2, 10):
        messages += [*called(*["r" * 300] * results), text(number)]
    for history in (messages, messages[:-1]):
        sent = context_window.trim([dict(message) for message in history], size)
        for place, message in enumerate(sent):
            if message["role"] == "tool":
                before = next(m for m in reversed(sent[:place]) if m["role"] != "tool")
                assert message["tool_call_id"] in {call["id"] for call in before["tool_calls"]}
            elif message.get("tool_calls"):
                assert [m["role"] for m in sent[place + 1 : place + 1 + results]] == ["tool"] * results
        assert str(sent[-1]["content"]).removesuffix(CUT) in str(history[-1]["content"])


# A conversation


def chat(serve: Serve, model: ModelServer, *arguments: str) -> list[dict[str, Any]]:
    """Return what the model is sent after a long conversation."""
    server: Served = serve(*arguments, model=model)
    with ChatClient(server.websocket) as client:
        client.confirmed()
        for number in range(1, 12):
            model.script(Reply(f"Answer {number}. " + "word " * 80))
            [end] = contents(client.ask(f"Message {number}. " + "word " * 80), "turn_completed")
            assert end["status"] == "completed"
    messages: list[dict[str, Any]] = model.requests[-1]["body"]["messages"]
    return messages


def test_a_conversation_fits_into_the_window(serve: Serve, model: ModelServer) -> None:
    """Requests fit into the model's window, tools included, and keep the first and the newest messages."""
    model.facts.update(facts(v1_models=listing(max_model_len=1200)))
    messages = chat(serve, model)

    tools = len(json.dumps(model.requests[-1]["body"]["tools"]))
    assert (tools + sum(len(str(message["content"])) + 16 for message in messages)) // 4 < 1200 * 7 // 8
    assert messages[0]["role"] == "system"
    assert messages[1]["content"].startswith("Message 1.")
    assert messages[-1]["content"].startswith("Message 11.")
    assert not any("Message 3." in str(message["content"]) for message in messages)
    assert len(model.asked) in (1, 2)  # once more if the first answer was too slow
    authorization = "Bearer sk-test-0123456789abcdef"
    assert model.requests[0]["headers"]["authorization"] == authorization


def test_the_setting_counts_where_nobody_tells(serve: Serve, model: ModelServer) -> None:
    assert len(chat(serve, model)) == 1 + 21


def test_the_setting_counts_beside_a_larger_window(serve: Serve, model: ModelServer) -> None:
    model.facts.update(facts(v1_models=listing(max_model_len=100_000)))
    messages = chat(serve, model, "--context-tokens", "600")
    assert sum(len(str(message["content"])) for message in messages[1:]) // 4 < 600


def test_a_turn_that_is_stopped_while_it_asks(serve: Serve, model: ModelServer) -> None:
    model.facts["/v1/models"] = Reply(gate=threading.Event())
    with ChatClient(serve(model=model).websocket) as client:
        client.confirmed()
        client.say("Hello.")
        wait_until(lambda: model.asked != [])
        client.command("stop")
        assert client.until("turn_completed")["content"]["status"] == "stopped"
        assert model.requests == []
        model.facts.update(facts(v1_models=listing(max_model_len=8192)))
        assert contents(client.ask("Hello."), "turn_completed")[0]["status"] == "completed"
    assert len(model.asked) == 2
