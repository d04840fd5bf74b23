"""One agent with functions of its own, the form of AG2's current guide.

The tool runs, and the agent speaks. Two calls.
"""

from autogen import ConversableAgent


def get_weekday(date_string: str) -> str:
    """Get the weekday of a date."""
    return f"{date_string} is a Thursday"


def build(llm_config, chat):
    return ConversableAgent(
        "date_agent",
        system_message="You are date_agent.",
        llm_config=llm_config,
        functions=[get_weekday],
        human_input_mode="NEVER",
    )


def answers(asked):
    return None if asked.tells else [("get_weekday", {"date_string": "2026-11-26"})]


def check(turns):
    assert all(turn.results == ["2026-11-26 is a Thursday"] for turn in turns[:3])


EXPECTED = {"calls": 2, "says": ["date_agent"], "summary": "date_agent gives answer 2 in turn {turn}.", "stop": 2}
