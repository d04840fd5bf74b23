"""The only module that changes AG2, and only when it is told to."""

from __future__ import annotations

import subprocess
import sys

import autogen
import pytest

from agentchat.models import openai_client
from agentchat.models.openai_client import ModelWrapper
from tests.processes import ROOT

# Prints every class and module attribute of autogen and openai that importing all of agentchat replaces.
CHANGED_BY_IMPORTS = """
import importlib, pkgutil, sys
import autogen, autogen.agentchat.group, autogen.io.websockets, autogen.mcp, openai, httpx, httpcore

def attributes():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in {"autogen", "openai", "httpx", "httpcore"}:
            for key, value in list(vars(module).items()):
                found[name, key] = value
                if isinstance(value, type) and value.__module__ == name:
                    found |= {(name, key, attribute): each for attribute, each in list(vars(value).items())}
    return found

before = attributes()
import agentchat
for module in pkgutil.walk_packages(agentchat.__path__, "agentchat."):
    importlib.import_module(module.name)
after = attributes()
changed = [key for key in before if after.get(key) is not before[key]]
print([key for key in changed if not key[-1].startswith("__pydantic")])  # pydantic completes models when they are used
"""


def test_importing_agentchat_changes_nothing_in_ag2_or_openai() -> None:
    """Importing agentchat changes nothing in AG2 or openai; only `install` does, when a server starts."""
    run = subprocess.run(
        [sys.executable, "-c", CHANGED_BY_IMPORTS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_installing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installing twice is harmless, since a process may start any number of servers."""
    openai_client.install()
    openai_client.install()

    assert autogen.OpenAIWrapper is autogen.agentchat.conversable_agent.OpenAIWrapper is ModelWrapper
    assert not isinstance(ModelWrapper.__base__, ModelWrapper)


def test_the_names_of_client_arguments_are_ag2s_own() -> None:
    """The names of client arguments are AG2's own; they are looked up once per wrapper, which must not change them."""
    wrapper = ModelWrapper(model="any", api_key="none", base_url="http://nowhere.invalid")

    assert wrapper.openai_kwargs == ModelWrapper.__base__.openai_kwargs.fget(wrapper)
