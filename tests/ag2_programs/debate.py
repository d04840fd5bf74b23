"""A debate whose speakers a function chooses by the number of messages in the group (an example app).

Three speak in each turn, also in the second and third. Three calls.
"""

from autogen import AssistantAgent, GroupChat, GroupChatManager, UserProxyAgent


def build(llm_config, chat):
    pro, con, judge = (
        AssistantAgent(name=name, system_message=f"You are {name}.", llm_config=llm_config)
        for name in ("Pro", "Con", "Judge")
    )
    moderator = UserProxyAgent(
        "moderator", human_input_mode="NEVER", code_execution_config=False, max_consecutive_auto_reply=0
    )

    def flow(last_speaker, groupchat):
        return {0: pro, 1: con, 2: judge}.get(len(groupchat.messages) - 1, moderator)

    group = GroupChat([moderator, pro, con, judge], [], max_round=4, speaker_selection_method=flow)
    return moderator, GroupChatManager(group, llm_config=llm_config)


EXPECTED = {
    "calls": 3,
    "says": ["Pro", "Con", "Judge"],
    "summary": "Judge gives answer 3 in turn {turn}.",
    "stop": 2,
    "memory": False,  # whether a debate by numbers knows the one before is for the server to say
}
