"""Agent files for tests; each asks people something."""

from __future__ import annotations

from pathlib import Path

# {mode} is AG2's human_input_mode of the proxy.
MODE = '''
"""Asks before each of its steps."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def weather_forecast(city: str) -> str:
    return f"sunny in {{city}}"

def build(llm_config, chat):
    agent = ConversableAgent("forecaster", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="{mode}", code_execution_config=False, default_auto_reply=None)
    register_function(weather_forecast, caller=agent, executor=user, description="Weather forecast for a city.")
    return user, agent
'''

TOOLS = '''
"""Has tools that ask, and tools that need a yes."""
import pathlib
from autogen import ConversableAgent, UserProxyAgent, register_function
from autogen.io.base import IOStream
from agentchat.chat import needs_approval

def build(llm_config, chat):
    def count(name):
        path = pathlib.Path(chat.services.folder) / "ran.txt"
        path.write_text((path.read_text() if path.exists() else "") + name + "\\n")

    def book(city: str) -> str:
        count("book")
        day = IOStream.get_default().input(f"Which day in {city}?")
        seat = IOStream.get_default().input("Window or aisle?")
        return f"Booked {city} on {day}, {seat}"

    async def book_async(city: str) -> str:
        return book(city)

    def sign(text: str) -> str:
        pin = IOStream.get_default().input("Your PIN?", password=True)
        return f"Signed {text} with {pin}"

    @needs_approval
    def send(to: str, times: int = 1) -> str:
        count(f"send {to} {times}")
        return f"Sent to {to}"

    def look(what: str) -> str:
        count("look")
        return f"Looked at {what}"

    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (book, book_async, sign, send, look):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''

GROUP = '''
"""A person chooses who speaks, and one member is a person."""
from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent

def build(llm_config, chat):
    planner = ConversableAgent("planner", llm_config=llm_config, human_input_mode="NEVER")
    reviewer = ConversableAgent("reviewer", llm_config=False, human_input_mode="ALWAYS")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    group = GroupChat([user, planner, reviewer], [], max_round=3, speaker_selection_method="manual")
    return user, GroupChatManager(group, llm_config=llm_config, human_input_mode="NEVER")
'''

ASYNC = '''
"""Answers and asks with coroutines."""
import asyncio
from autogen import Agent, ConversableAgent, UserProxyAgent, register_function

class Person(UserProxyAgent):
    async def a_get_human_input(self, prompt, **kwargs):
        await asyncio.sleep(0)
        return await super().a_get_human_input(prompt, **kwargs)

async def greet(recipient, messages, sender, config):
    await asyncio.sleep(0)
    return (True, "Good day.") if messages[-1]["content"] == "greet me" else (False, None)

async def weather_forecast(city: str) -> str:
    await asyncio.sleep(0)
    return f"sunny in {city}"

def build(llm_config, chat):
    agent = ConversableAgent("forecaster", llm_config=llm_config, human_input_mode="NEVER")
    agent.register_reply([Agent, None], greet)
    user = Person("user", human_input_mode="ALWAYS", code_execution_config=False, default_auto_reply=None)
    register_function(weather_forecast, caller=agent, executor=user, description="Weather forecast for a city.")
    return user, agent
'''

# {config} is AG2's code_execution_config, in which `folder` is that of the conversation.
CODE = '''
"""An assistant that writes code, and a proxy that runs it."""
import pathlib
from autogen import AssistantAgent, ConversableAgent, UserProxyAgent
from autogen.code_utils import execute_code
from autogen.coding import CodeExecutor, LocalCommandLineCodeExecutor, MarkdownCodeExtractor
{more}
def build(llm_config, chat):
    folder = chat.workspace
    assistant = AssistantAgent("assistant", llm_config=llm_config)
    user = UserProxyAgent(
        "user_proxy", human_input_mode="NEVER", max_consecutive_auto_reply=10, default_auto_reply=None,
        is_termination_msg=lambda message: (message.get("content") or "").rstrip().endswith("TERMINATE"),
        code_execution_config={config},
    )
    return {pair}
'''

LOCAL_CODE = '{"executor": LocalCommandLineCodeExecutor(work_dir=folder)}'


def code_pair(config: str = LOCAL_CODE, more: str = "", pair: str = "user, assistant") -> str:
    """Return an agent file whose proxy runs the code that its assistant writes."""
    return CODE.format(config=config, more=more, pair=pair)


def code_block(code: str, language: str = "python") -> str:
    """Return a message with code."""
    return f"Run this:\n```{language}\n{code}\n```\n"


PICTURES = '''
"""Explains pictures."""
from autogen import UserProxyAgent
from autogen.agentchat.contrib.multimodal_conversable_agent import MultimodalConversableAgent

def build(llm_config, chat):
    agent = MultimodalConversableAgent("explainer", max_consecutive_auto_reply=10, llm_config=llm_config)
    user = UserProxyAgent(
        "person", human_input_mode="NEVER", max_consecutive_auto_reply=0, code_execution_config=False
    )
    return user, agent
'''

TYPES = '''
"""Has context variables that are no JSON: a set, a date, a pydantic model."""
from datetime import date
from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import ContextVariables, ReplyResult, TerminateTarget
from autogen.agentchat.group.patterns import DefaultPattern
from agentchat.teams import manager_of
from pydantic import BaseModel

class Order(BaseModel):
    number: int = 7

def build(llm_config, chat):
    def visit(city: str, context_variables: ContextVariables) -> ReplyResult:
        """Visit a city."""
        if context_variables["order"] is None:
            context_variables["order"] = Order()
        context_variables["order"].number += 1
        context_variables["seen"].add(city)
        when, context_variables["when"] = context_variables["when"], date(2026, 1, 1)
        message = f"seen {sorted(context_variables['seen'])}, {when!r}, {context_variables['order']!r}"
        return ReplyResult(message=message, context_variables=context_variables)

    agent = ConversableAgent("guide", system_message="You guide.", functions=[visit], llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    variables = ContextVariables(data={"seen": set(), "when": None, "order": None})
    pattern = DefaultPattern(
        initial_agent=agent, agents=[agent], context_variables=variables, user_agent=user,
        group_after_work=TerminateTarget(),
    )
    return user, manager_of(pattern)
'''


ROUND_ROBIN = '''
"""Two agents who speak in turn."""
from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent

def build(llm_config, chat):
    members = [ConversableAgent(name, llm_config=llm_config, human_input_mode="NEVER") for name in ("planner", "coder")]
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    group = GroupChat([user, *members], [], max_round=3, speaker_selection_method="round_robin")
    return user, GroupChatManager(group, llm_config=llm_config, human_input_mode="NEVER")
'''


def write_agents(folder: Path, **sources: str) -> str:
    """Write the agent files and return their folder."""
    agents = folder / "agents"
    agents.mkdir(exist_ok=True)
    for name, source in sources.items():
        (agents / f"{name}.py").write_text(source)
    return str(agents)


def write_all(folder: Path) -> str:
    modes = {mode.lower(): MODE.format(mode=mode) for mode in ("ALWAYS", "TERMINATE")}
    return write_agents(folder, **modes, tools=TOOLS, group=GROUP, coroutines=ASYNC)


PLAIN = '''
"""Answers."""
from autogen import ConversableAgent

def build(llm_config, chat):
    return ConversableAgent("answerer", llm_config=llm_config, human_input_mode="NEVER")
'''

WRITER = '''
"""Writes files."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def write(path: str, text: str) -> str:
        return chat.files.write(path, text)

    agent = ConversableAgent("writer", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(write, caller=agent, executor=user, description="Write a file.")
    return user, agent
'''
