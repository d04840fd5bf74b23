"""A round-robin group with introductions.

The cook and the critic speak, each turn. Two calls.
"""

from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent


def build(llm_config, chat):
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    cook = ConversableAgent("cook", system_message="You are cook.", description="Cooks.", llm_config=llm_config)
    critic = ConversableAgent("critic", system_message="You are critic.", description="Eats.", llm_config=llm_config)
    group = GroupChat(
        [user, cook, critic], [], max_round=3, speaker_selection_method="round_robin", send_introductions=True
    )
    return user, GroupChatManager(group, llm_config=llm_config)


EXPECTED = {"calls": 2, "says": ["cook", "critic"], "summary": "critic gives answer 2 in turn {turn}.", "stop": 2}
