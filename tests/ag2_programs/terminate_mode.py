"""A proxy with human_input_mode TERMINATE: it answers by itself until a message ends with TERMINATE.

Then the turn ends: the person writes when they like. Two calls.
"""

from autogen import AssistantAgent, UserProxyAgent


def build(llm_config, chat):
    agent = AssistantAgent("counsel", system_message="You are counsel.", llm_config=llm_config)
    user = UserProxyAgent(
        "user_proxy",
        human_input_mode="TERMINATE",
        max_consecutive_auto_reply=5,
        default_auto_reply="Go on.",
        is_termination_msg=lambda msg: (msg.get("content") or "").rstrip().endswith("TERMINATE"),
        code_execution_config=False,
    )
    return user, agent


def answers(asked):
    return f"Finished turn {asked.turn}. TERMINATE" if asked.number == 2 else None


def check(turns):
    for turn in turns[:3]:
        assert all("Press enter" not in question["prompt"] for question in turn.questions)
        assert "Go on." in [content["content"] for content in turn.texts]


EXPECTED = {
    "calls": 2,
    "says": ["counsel", "counsel"],
    "summary": "Finished turn {turn}.",
    "stop": 2,
}
