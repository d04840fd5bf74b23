"""A `main` that returns nothing and prints its result.

The last word is the agent's. One call.
"""

from autogen import AssistantAgent, UserProxyAgent


def main(message, llm_config):
    agent = AssistantAgent("printer", system_message="You are printer.", llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    result = user.initiate_chat(agent, message=message, max_turns=1)
    print("PRINTED: the result is", result.summary)
    print(result.cost)


def on_message(message, chat):
    main(message, chat.llm_config)


def check(turns):
    assert all("PRINTED: the result is printer gives" in turn.output for turn in turns[:3])


EXPECTED = {"calls": 1, "says": ["printer"], "summary": "printer gives answer 1 in turn {turn}.", "memory": False}
