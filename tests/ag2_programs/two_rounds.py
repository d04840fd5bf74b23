"""A user and an agent chat for two rounds, and a model sums it up: `initiate_chat` as in a terminal; a ChatResult.

The agent speaks twice; then the program says the reflection, the turn's answer. Three calls.
"""

from autogen import AssistantAgent, UserProxyAgent


def on_message(message, chat):
    agent = AssistantAgent("tutor", system_message="You are tutor.", llm_config=chat.llm_config)
    user = UserProxyAgent(
        "user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply="Tell me more."
    )
    return user.initiate_chat(agent, message=message, max_turns=2, summary_method="reflection_with_llm")


def answers(asked):
    return f"In short: turn {asked.turn}." if asked.number == 3 else None


def check(turns):
    assert all("Tell me more." in [content["content"] for content in turn.texts] for turn in turns[:3])


EXPECTED = {
    "calls": 3,
    "says": ["tutor", "tutor", "two_rounds"],
    "summary": "In short: turn {turn}.",
    "memory": False,
    "stop": 2,
}
