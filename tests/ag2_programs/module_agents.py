"""Agents at module level, with a model of their own, as most scripts have them; they are shared by all turns.

`clear_history=False` makes them remember, as long as somebody is connected. One call.
"""

import os

from autogen import AssistantAgent, LLMConfig, UserProxyAgent

llm_config = LLMConfig(
    {
        "model": "own",
        "api_key": "sk-own-key-987654321",
        "base_url": os.environ.get("MODEL_URL", "http://127.0.0.1:9/v1"),
    }
)
assistant = AssistantAgent("global_assistant", system_message="You are global_assistant.", llm_config=llm_config)
user_proxy = UserProxyAgent("user_proxy", human_input_mode="NEVER", code_execution_config=False)


def main(query):
    return user_proxy.initiate_chat(assistant, message=query, max_turns=1, clear_history=False)


def on_message(message, chat):
    return main(message)


EXPECTED = {
    "calls": 1,
    "says": ["global_assistant"],
    "summary": "global_assistant gives answer 1 in turn {turn}.",
    "memory": False,
}
