"""The model entries: what is configured, and what the options choose beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentchat.models import entries
from agentchat.models.entries import Choice
from agentchat.protocol.errors import SettingsError
from tests.conftest import KEY
from tests.local_model_server import LocalModelServer, listing
from tests.processes import ROOT

OTHER_KEY = "sk-other-0123456789abcdef"
LIST = [
    {"model": "first", "api_key": "key-of-first"},
    {"model": "second", "api_key": "key-of-second", "base_url": "http://a/v1"},
    {"model": "vllm:odd", "base_url": "http://b/v1"},
    {"model": "second", "api_key": "key-of-third", "base_url": "http://c/v1"},
]
URL = "http://192.168.1.5:8000/v1"


def find(
    choice: Choice, listed: Any = None, key: str = "", folder: Path = Path("nowhere"), **environment: str
) -> list[dict[str, Any]] | None:
    if listed:
        environment["OAI_CONFIG_LIST"] = json.dumps(listed)
    if key:
        environment["OPENAI_API_KEY"] = key
    return entries.find(environment, folder, choice)


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        (Choice(), LIST),
        (Choice(model="first"), LIST[:1]),
        (Choice(model="second"), [LIST[1], LIST[3]]),
        (Choice(model="vllm:odd"), [LIST[2]]),
        (Choice(model="first", api_key_env="K"), [{"model": "first", "api_key": OTHER_KEY}]),
        (Choice(model="other"), [{"model": "other", "api_key": KEY}]),
        (Choice(model="other", api_key_env="K"), [{"model": "other", "api_key": OTHER_KEY}]),
        (Choice(model="first", base_url=URL), [{"model": "first", "base_url": URL, "api_key": KEY}]),
        (Choice(model="x", base_url=URL, api_key_env="K"), [{"model": "x", "base_url": URL, "api_key": OTHER_KEY}]),
        (Choice(model="ft:gpt:x"), [{"model": "ft:gpt:x", "api_key": KEY}]),
        (Choice(model="ollama:qwen3:4b"), [{"model": "qwen3:4b", "base_url": "http://127.0.0.1:11434/v1"}]),
        (Choice(model="lmstudio:a/b"), [{"model": "a/b", "base_url": "http://127.0.0.1:1234/v1"}]),
        (
            Choice(model="vllm:x", api_key_env="K"),
            [{"model": "x", "base_url": "http://127.0.0.1:8000/v1", "api_key": OTHER_KEY}],
        ),
        (
            Choice(model="vllm:x", local_ports={"vllm": 9}),
            [{"model": "x", "base_url": "http://127.0.0.1:9/v1"}],
        ),
    ],
)
def test_with_a_list_and_a_key(choice: Choice, found: list[dict[str, Any]]) -> None:
    """A model is picked from the list if it is there; servers on this machine are never sent OPENAI_API_KEY."""
    assert find(choice, LIST, KEY, K=OTHER_KEY) == found


def test_without_a_list() -> None:
    """Without a list, a key is enough; without either there is no model."""
    assert find(Choice()) is None
    assert find(Choice(), key=KEY) == [{"model": "gpt-5-mini", "api_key": KEY}]
    assert find(Choice(api_key_env="K"), K=OTHER_KEY) == [{"model": "gpt-5-mini", "api_key": OTHER_KEY}]
    assert find(Choice(model="x"), key=KEY, OPENAI_BASE_URL=URL) == [{"model": "x", "base_url": URL, "api_key": KEY}]
    assert find(Choice(model="x", base_url=URL)) == [{"model": "x", "base_url": URL}]
    assert find(Choice(base_url=URL), OPENAI_MODEL="x") == [{"model": "x", "base_url": URL}]


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (
            Choice(model="x"),
            "No server is known for --model x. OAI_CONFIG_LIST has first, second. "
            "Name one with --base-url, or set OPENAI_API_KEY.",
        ),
        (Choice(base_url=URL), "--base-url needs the name of a model, too: --model NAME."),
        (Choice(model="x", base_url="localhost:11434/v1"), "--base-url must be an address such as http://192.168.1.5"),
        (Choice(model="x", base_url="http://[::bad"), "--base-url must be an address"),
        (Choice(model="x", base_url="http://h:99999"), "--base-url must be an address"),
        (Choice(model="x", base_url="http://h:0"), "--base-url must be an address"),
        (Choice(model="x", base_url="http://"), "--base-url must be an address"),
        (Choice(model="ollama:x", base_url=URL), "means a server on this machine. Leave out --base-url or 'ollama:'."),
        (Choice(model="ollama:x", api_key_env="K"), "--api-key-env names K, which is not set."),
        (Choice(api_key_env=KEY), "--api-key-env names a variable, which is not set. It takes the name"),
    ],
)
def test_choices_that_cannot_be_used(choice: Choice, sentence: str) -> None:
    """An unusable choice is an error that says what to do, and shows no key that was given by mistake."""
    with pytest.raises(SettingsError) as error:
        find(choice, [LIST[0], LIST[1]])
    assert sentence in str(error.value)
    assert KEY not in str(error.value)


def test_the_name_left_out() -> None:
    """llama.cpp has one model, which is asked for; with other servers, the error names those that they have."""
    with LocalModelServer({"/v1/models": listing("a", "b")}) as server:
        ports = dict.fromkeys(("ollama", "llamacpp"), server.port)
        base_url = f"http://127.0.0.1:{server.port}/v1"
        assert find(Choice(model="llamacpp", local_ports=ports)) == [{"model": "a", "base_url": base_url}]
        with pytest.raises(SettingsError) as error:
            find(Choice(model="ollama", local_ports=ports))
    assert str(error.value) == "--model ollama needs the name of a model: ollama:NAME. It has a, b."
    assert find(Choice(model="llamacpp", local_ports=ports)) == [{"model": "llamacpp", "base_url": base_url}]
    with pytest.raises(SettingsError, match=r"ollama:NAME\.$"):
        find(Choice(model="ollama:", local_ports=ports))


def test_a_start_with_a_choice_that_cannot_be_used(tmp_path: Path) -> None:
    """`python main.py` ends with status 2 and one sentence."""
    command = [sys.executable, str(ROOT / "main.py"), "--port", "0", "--ws-port", "0", "--api-key-env", KEY]
    ended = subprocess.run(command, cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "agentchat: --api-key-env names a variable" in ended.stderr.splitlines()[-1]
    assert KEY not in ended.stderr
    assert "Traceback" not in ended.stderr
