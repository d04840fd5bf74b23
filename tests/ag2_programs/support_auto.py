"""AutoPattern with a human user: a model chooses who speaks (the cookbook's basic group chat).

Triage, then the tech agent speak; the user is chosen, and the turn ends without a question. Four calls.
"""

from autogen import ConversableAgent
from autogen.agentchat.group.patterns import AutoPattern


def build(llm_config, chat):
    triage, tech, general = (
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config)
        for name in ("triage_agent", "tech_agent", "general_agent")
    )
    user = ConversableAgent(name="user", human_input_mode="ALWAYS")
    return AutoPattern(
        initial_agent=triage,
        agents=[triage, tech, general],
        user_agent=user,
        group_manager_args={"llm_config": llm_config},
    )


def answers(asked):
    if asked.name in ("triage_agent", "tech_agent", "general_agent"):
        return None
    return "tech_agent" if asked.number == 2 else "user"


def check(turns):
    for turn in turns[:3]:
        assert "tech_agent" in [content["sender"] for content in turn.texts]
        for request in turn.requests:
            assert "_Group_Tool_Executor" not in str(request.body), "the tool executor is a choice"


EXPECTED = {"stop": 1}
