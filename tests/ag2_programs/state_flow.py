"""A group with allowed transitions only (a state machine), whose speakers a model chooses; a manager is returned.

Planner, engineer, tester; what chooses them is not heard. Three calls, and two to choose.
"""

from autogen import ConversableAgent, GroupChat, GroupChatManager


def build(llm_config, chat):
    planner, engineer, tester = (
        ConversableAgent(name, system_message=f"You are {name}.", description=f"The {name}.", llm_config=llm_config)
        for name in ("planner", "engineer", "tester")
    )
    group = GroupChat(
        agents=[planner, engineer, tester],
        messages=[],
        max_round=4,
        allowed_or_disallowed_speaker_transitions={
            planner: [engineer, tester],
            engineer: [tester, planner],
            tester: [planner],
        },
        speaker_transitions_type="allowed",
        select_speaker_message_template="Choose among {agentlist}: {roles}",
    )
    return GroupChatManager(groupchat=group, llm_config=llm_config)


def answers(asked):
    if "Choose among" in asked.system:
        spoken = sum(" gives answer " in str(message.get("content")) for message in asked.messages)
        return ("planner", "engineer", "tester")[spoken % 3]
    return None


def check(turns):
    for turn in turns[:3]:
        assert [content["sender"] for content in turn.texts] == ["planner", "engineer", "tester"], turn.texts


EXPECTED = {"summary": "in turn {turn}.", "stop": 2}
