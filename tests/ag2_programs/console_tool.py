"""A tool that tells by print() and asks by input(), as console programs do (an example app).

The person is asked; what is printed is the tool's output. Two calls.
"""

from autogen import AssistantAgent, UserProxyAgent, register_function


def build(llm_config, chat):
    def mark_all_read(sender: str) -> str:
        print("PRINTED: the mails of", sender)
        answer = input("Do you want to continue? (yes/no): ")
        return f"answered {answer}"

    agent = AssistantAgent("filter_agent", system_message="You are filter_agent.", llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(mark_all_read, caller=agent, executor=user, description="Mark all mails of a sender as read.")
    return user, agent


def answers(asked):
    return None if asked.tells else [("mark_all_read", {"sender": "bob"})]


def check(turns):
    for turn in turns[:3]:
        assert turn.results == ["answered yes"]
        assert "PRINTED: the mails of bob" in turn.output


EXPECTED = {
    "calls": 2,
    "asks": [("Do you want to continue?", "yes")],
    "says": ["filter_agent"],
    "summary": "filter_agent gives answer 2 in turn {turn}.",
    "stop": "question",
}
