"""A group whose speakers are chosen by chance, with repeats allowed (speaker_selection_method "random").

Two of the three speak, whoever they are. Two calls.
"""

from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent


def build(llm_config, chat):
    agents = [
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config)
        for name in ("red", "green", "blue")
    ]
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    group = GroupChat(
        [*agents, user],
        [],
        max_round=3,
        speaker_selection_method="random",
        allowed_or_disallowed_speaker_transitions={user: agents, **dict.fromkeys(agents, agents)},
        speaker_transitions_type="allowed",
    )
    return user, GroupChatManager(group, llm_config=llm_config)


def check(turns):
    for turn in turns[:3]:
        assert len(turn.said) == 2
        assert set(turn.said) <= {"red", "green", "blue"}


EXPECTED = {"calls": 2, "summary": "gives answer 2 in turn {turn}.", "stop": 2}
