"""The agents: one that only talks, and one with a tool."""

from __future__ import annotations

from pathlib import Path

from tests.agent_files import write_agents

INSTRUCTIONS = "You are a friendly assistant."

TALKER = f'''
"""Talks."""
from autogen import ConversableAgent, UserProxyAgent

def build(llm_config, chat):
    agent = ConversableAgent(
        "talker", system_message="{INSTRUCTIONS}", llm_config=llm_config, human_input_mode="NEVER"
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    return user, agent
'''

RESPONDER = '''
"""Calls a tool over the Responses API of the same server."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def weather(city: str) -> str:
    return "snowy, -3 degrees"

def build(llm_config, chat):
    given = llm_config.config_list[0]
    own = {"model": given.model, "base_url": str(given.base_url), "api_key": "none", "api_type": "responses"}
    agent = ConversableAgent("responder", llm_config=own, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(weather, caller=agent, executor=user, description="Weather in a city.")
    return user, agent
'''

FORECASTER = '''
"""Calls a tool."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def weather(city: str) -> str:
    return "snowy, -3 degrees"

def build(llm_config, chat):
    agent = ConversableAgent(
        "forecaster", system_message="You tell people the weather.", llm_config=llm_config, human_input_mode="NEVER"
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(weather, caller=agent, executor=user, description="The weather in a city.")
    return user, agent
'''


def write(folder: Path) -> str:
    """Write the agent files and return their folder."""
    return write_agents(folder, talker=TALKER, forecaster=FORECASTER, responder=RESPONDER)
