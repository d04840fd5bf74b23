"""Look at agents and errors for what a person should know before using them."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autogen import ConversableAgent, GroupChatManager
from autogen.code_utils import is_docker_running
from pydantic import ValidationError

from agentchat.ag2.own_tools import without_executor
from agentchat.ag2.shapes import Team, Unusable, members
from agentchat.models.openai_client import OPENAI_PROTOCOL
from agentchat.models.transport import ModelClient

ERROR, NOTE = "error", "note"

# The packages that provide modules of another name.
_PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "googleapiclient": "google-api-python-client",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
_MISSING = re.compile(r"'([\w.]+)' is not installed")  # as AG2 says it
_CHOSEN_BY_MODEL = "auto"
_TYPED = {"type", "anyOf", "allOf", "$ref", "enum"}  # of which a JSON schema has one
_READ_WORDS = ("autogen/agents/", "autogen/agentchat/contrib/")  # agents that expect a form of what models say


@dataclass(frozen=True)
class Finding:
    """One sentence about an agent. An error keeps it from working."""

    level: str
    text: str


def of_error(error: BaseException, reason: str) -> Finding:
    """Return what an error of importing or building says. `reason` is the error in one line."""
    module = error.name if isinstance(error, ModuleNotFoundError) else None
    if isinstance(error, ImportError) and (found := _MISSING.search(str(error))):
        module = found[1]
    if module:
        top = module.partition(".")[0]
        return Finding(ERROR, f"the package {top} is missing: pip install {_PACKAGES.get(top, top)}")
    if isinstance(error, Unusable):
        return Finding(ERROR, reason)
    text = " ".join(reason.split())
    if "docker" in text.lower():
        text += ". Start Docker, or set code_execution_config=False or use_docker=False"
    elif "api_key" in text:
        text += ". Set the variable that holds the key, or take the llm_config that build is given"
    elif "No config found" in text:
        text += ". No configured model is like that: take llm_config as it is, or configure the model"
    return Finding(ERROR, text)


def of_failure(error: BaseException | None, sentence: str) -> Finding:
    """Return what a turn says that failed. `sentence` is what the person is told."""
    if error is None:
        return Finding(ERROR, sentence)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"[:400].removesuffix(": ") + place
    is_form = isinstance(error, json.JSONDecodeError | ValidationError)
    if is_form or any(part in Path(frame.filename).as_posix() for part in _READ_WORDS for frame in frames[-1:]):
        return Finding(NOTE, f"the demo model's words were not what it expects: {text}. Try it with a real model")
    return Finding(ERROR, f"its turn failed: {text}")


def of_team(team: Team, approve: str) -> Iterator[Finding]:
    """Yield what there is to say about agents that were built. `approve` is the setting of that name."""
    agents = members(team)
    for agent in agents:
        yield from _of_tools(agent, team, agents)
        yield from _of_code(agent, approve)
        yield from _of_models(agent)
    if isinstance(team.agent, GroupChatManager):
        group = team.agent.groupchat
        is_chosen = group.speaker_selection_method == _CHOSEN_BY_MODEL and not group.select_speaker_auto_llm_config
        if is_chosen and not team.agent.llm_config:
            yield Finding(ERROR, "the group has no model to choose who speaks: GroupChatManager(…, llm_config=…)")
    elif team.user.llm_config and team.run.max_turns is not None:
        limit = f"{team.run.max_turns} rounds a message, as Run(…, max_turns=…) may say"
        yield Finding(NOTE, f"{team.user.name} and {team.agent.name} both have a model: they talk for {limit}")
    elif team.user.llm_config:
        yield Finding(NOTE, f"{team.user.name} and {team.agent.name} both have a model, and max_turns does not end it")


def _of_tools(agent: ConversableAgent, team: Team, agents: list[ConversableAgent]) -> Iterator[Finding]:
    executors = agents if isinstance(team.agent, GroupChatManager) else [each for each in agents if each is not agent]
    for name in without_executor(agent, executors):
        yield Finding(ERROR, f"nobody can run the tool {name} of {agent.name}: register_for_execution with one of them")
    offered = (agent.llm_config.get("tools") or []) if agent.llm_config else []
    cannot = [each for each in executors if each.max_consecutive_auto_reply() == 0 and each.human_input_mode == "NEVER"]
    for function in (tool["function"] for tool in offered):
        able = [each for each in executors if each.can_execute_function(function["name"])]
        if able and all(each in cannot for each in able):
            who = able[0].name
            yield Finding(ERROR, f"{who} never runs the tool {function['name']}: it has max_consecutive_auto_reply=0")
        if not function.get("description"):
            yield Finding(NOTE, f"the tool {function['name']} has no description, so the model has to guess")
        properties = function.get("parameters", {}).get("properties", {})
        vague = [
            name for name, about in properties.items() if not {"type", "anyOf", "$ref", "allOf", "enum"} & {*about}
        ]
        if vague:
            yield Finding(NOTE, f"the tool {function['name']} does not say what type {', '.join(vague)} has")


def _of_code(agent: ConversableAgent, approve: str) -> Iterator[Finding]:
    config = agent._code_execution_config
    if config is False:
        return
    executor = config.get("executor") if isinstance(config, dict) else None
    is_contained = "Docker" in type(executor).__name__ or bool(executor is None and config.get("use_docker"))
    where = "in Docker" if is_contained else "on this machine, with what this user may do"
    asked = "unasked, because of --approve none" if approve == "none" else "after a yes"
    yield Finding(NOTE, f"{agent.name} runs code that models write, {where}, {asked}")
    if is_contained and not is_docker_running():
        yield Finding(ERROR, f"{agent.name} runs code in Docker, which is not running")


def _of_models(agent: ConversableAgent) -> Iterator[Finding]:
    for entry in agent.llm_config.config_list if agent.llm_config else []:
        if isinstance(getattr(entry, "http_client", None), ModelClient):
            continue  # the given one
        kind = str(getattr(entry, "api_type", "openai"))
        yield Finding(NOTE, f"{agent.name} has a model of its own, {entry.model}, whatever the server is given")
        if kind not in OPENAI_PROTOCOL:
            yield Finding(NOTE, f"{entry.model} is called by AG2's client for {kind}: see Models in docs/agents.md")


def of_watching(seen: Any, seconds: float, slow: float) -> Iterator[Finding]:
    """Yield what a file did while it was imported and built, which happens whenever agents are listed."""
    when = "when it is imported or built, which happens whenever the file changes"
    if seen.model_calls:
        yield Finding(ERROR, f"it talks to a model {when}: put that into on_message(message, chat)")
    if seen.hosts:
        yield Finding(NOTE, f"it connects to {', '.join(sorted(seen.hosts))} {when}; this was not tried")
    if seen.asked:
        yield Finding(ERROR, f"it calls input() {when}: ask in a tool or in on_message(message, chat)")
    if seen.printed.strip():
        yield Finding(NOTE, f"it prints {when}, into the server's terminal")
    if seconds > slow:
        yield Finding(NOTE, f"it takes {seconds:.0f} seconds {when}: do slow things in a tool or in on_message")
