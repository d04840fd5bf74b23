"""The organic pattern: AutoPattern whose model chooses by the agents' descriptions alone, until TERMINATE.

Manager, developer; what chooses is not heard. Two calls, and one or two to choose.
"""

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group.patterns import AutoPattern


def build(llm_config, chat):
    manager, developer, tester = (
        ConversableAgent(
            name, system_message=f"You are {name}.", description=f"Answers what a {name} knows.", llm_config=llm_config
        )
        for name in ("project_manager", "developer", "tester")
    )
    user = UserProxyAgent(name="user", code_execution_config=False)
    return AutoPattern(
        initial_agent=manager,
        agents=[manager, developer, tester],
        user_agent=user,
        group_manager_args={
            "llm_config": llm_config,
            "is_termination_msg": lambda x: "TERMINATE" in (x.get("content") or ""),
        },
    )


def answers(asked):
    if asked.name == "project_manager":
        return f"A plan for turn {asked.turn}."
    if asked.name == "developer":
        return f"Built in turn {asked.turn}. TERMINATE"
    return "developer"


EXPECTED = {"summary": "Built in turn {turn}.", "stop": 1}
