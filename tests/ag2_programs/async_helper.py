"""An async build.

It works like any other. One call.
"""

import asyncio

from autogen import ConversableAgent, UserProxyAgent


async def build(llm_config, chat):
    await asyncio.sleep(0)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    return user, ConversableAgent("helper", system_message="You are helper.", llm_config=llm_config)


def answers(asked):
    return f"Done, turn {asked.turn}." if asked.number == 1 else ""


EXPECTED = {"says": ["helper"], "summary": "Done, turn {turn}."}
