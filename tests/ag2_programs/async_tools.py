"""Async tools and an async human in a chat that `build` gives as usual (the async notebooks).

The coroutine runs, the clock speaks. Two calls.
"""

import asyncio
from typing import Annotated

from autogen import AssistantAgent, UserProxyAgent, register_function


class Human(UserProxyAgent):
    async def a_get_human_input(self, prompt):
        await asyncio.sleep(0)
        return ""


def build(llm_config, chat):
    async def stopwatch(seconds: Annotated[float, "Seconds"]) -> str:
        """Measure time."""
        await asyncio.sleep(seconds)
        print("PRINTED: the stopwatch rings")
        return "The stopwatch rang."

    clock = AssistantAgent("clock", system_message="You are clock.", llm_config=llm_config)
    user = Human("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(stopwatch, caller=clock, executor=user, name="stopwatch", description="A stopwatch.")
    return user, clock


def answers(asked):
    return None if asked.tells else [("stopwatch", {"seconds": 30 if asked.turn == 4 else 0.01})]


def check(turns):
    assert all(turn.results == ["The stopwatch rang."] for turn in turns[:3])
    assert all("PRINTED: the stopwatch rings" in turn.output for turn in turns[:3])


EXPECTED = {
    "calls": 2,
    "says": ["clock"],
    "summary": "clock gives answer 2 in turn {turn}.",
    "stop": "execute_function",
}
