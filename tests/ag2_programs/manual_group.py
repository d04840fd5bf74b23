"""A group whose speakers a person chooses (speaker_selection_method "manual").

The person is asked by whom to go on, chooses the second, and is not asked in the console's words. One call.
"""

from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent


def build(llm_config, chat):
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply="")
    left, right = (
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config) for name in ("left", "right")
    )
    group = GroupChat([user, left, right], [], max_round=2, speaker_selection_method="manual")
    return user, GroupChatManager(group, llm_config=llm_config)


EXPECTED = {
    "calls": 1,
    "asks": [("", "=right")],
    "says": ["right"],
    "summary": "right gives answer 1 in turn {turn}.",
    "stop": "question",
}
