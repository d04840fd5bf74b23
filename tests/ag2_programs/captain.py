"""A CaptainAgent, which has a team built by its tool and lets it work (AutoBuild), with a config file of its own.

All that its team says is within it; the captain says the answer. The number of calls is AG2's.
"""

import json
import os

from autogen import UserProxyAgent
from autogen.agentchat.contrib.captainagent import CaptainAgent

PATH = os.path.join(os.environ.get("PROGRAM_FOLDER", "."), "CAPTAIN_CONFIG_LIST")


def build(llm_config, chat):
    entry = {"model": "own", "api_key": "sk-own-key-555555555", "base_url": os.environ.get("MODEL_URL")}
    with open(PATH, "w") as file:
        json.dump([entry], file)
    nested = {
        "autobuild_init_config": {"config_file_or_env": PATH, "builder_model": "own", "agent_model": "own"},
        "autobuild_build_config": {"default_llm_config": {"temperature": 1}, "coding": False},
        "group_chat_config": {"max_round": 3},
        "group_chat_llm_config": None,
        "max_turns": 3,
    }
    captain = CaptainAgent(
        name="captain_agent", llm_config=llm_config, code_execution_config=False, nested_config=nested
    )
    user = UserProxyAgent("captain_user", human_input_mode="NEVER", code_execution_config=False)
    return user, captain


def answers(asked):
    if "seek_experts_help" in asked.tools and asked.number == 1:
        return [("seek_experts_help", {"group_name": "crew", "building_task": "Sail", "execution_task": "Sail."})]
    if "seek_experts_help" in asked.tools:
        return f"The captain knows the answer of turn {asked.turn}. TERMINATE"
    if "Suggest no more than" in asked.last:
        return "Sea_Expert, Map_Expert"
    if "role play game" in asked.system:
        return "Map_Expert"
    return f"Words {asked.number} of turn {asked.turn}."


def check(turns):
    for turn in turns[:3]:
        outer = [content["sender"] for content in turn.texts if not content.get("within")]
        assert outer == ["captain_agent"], outer


EXPECTED = {"summary": "of turn {turn}.", "memory": False, "stop": 3}
