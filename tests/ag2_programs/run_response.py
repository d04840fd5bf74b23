"""`agent.run(...)` with a tool, its response returned unprocessed.

The tool runs, the agent speaks; the response's summary is the turn's answer. Two calls.
"""

from autogen import ConversableAgent
from autogen.tools import tool


@tool(description="The weekday of a date.")
def weekday(date: str) -> str:
    return f"{date} is a Thursday"


def on_message(message, chat):
    agent = ConversableAgent("assistant", system_message="You are assistant.", llm_config=chat.llm_config)
    return agent.run(message=message, tools=[weekday], max_turns=2, user_input=False)


def answers(asked):
    return None if asked.tells else [("weekday", {"date": "2026-11-26"})]


def check(turns):
    assert all(turn.results == ["2026-11-26 is a Thursday"] for turn in turns[:3])


EXPECTED = {
    "calls": 2,
    "says": ["assistant"],
    "summary": "assistant gives answer 2 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
