"""`await agent.a_run(...)` and `await response.process()`, with an async tool.

The tool runs, the agent speaks. Two calls.
"""

import asyncio

from autogen import ConversableAgent
from autogen.tools import tool


@tool(description="Wait a little.")
async def wait(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return f"Waited {seconds}"


async def on_message(message, chat):
    agent = ConversableAgent("patient", system_message="You are patient.", llm_config=chat.llm_config)
    response = await agent.a_run(message=message, tools=[wait], max_turns=2, user_input=False)
    await response.process()
    return await response.summary


def answers(asked):
    return None if asked.tells else [("wait", {"seconds": 0.01})]


EXPECTED = {
    "calls": 2,
    "says": ["patient"],
    "summary": "patient gives answer 2 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
