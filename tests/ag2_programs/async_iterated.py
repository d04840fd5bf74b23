"""`async for event in agent.a_run_iter(...)` with an async tool.

The tool runs, the agent speaks. Two calls.
"""

from autogen import ConversableAgent
from autogen.events.agent_events import TextEvent
from autogen.tools import tool


@tool(description="Look something up.")
async def look_up(word: str) -> str:
    return f"{word} is a fruit"


async def on_message(message, chat):
    agent = ConversableAgent("searcher", system_message="You are searcher.", llm_config=chat.llm_config)
    last = ""
    async for event in agent.a_run_iter(message=message, tools=[look_up], max_turns=2, yield_on=[TextEvent]):
        last = event.content.content
    return last


def answers(asked):
    return None if asked.tells else [("look_up", {"word": "plum"})]


EXPECTED = {
    "calls": 2,
    "says": ["searcher"],
    "summary": "searcher gives answer 2 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
