"""A safeguard policy on a group: what one agent tells the other is masked by a regular expression.

The second agent is told a masked number. Two calls.
"""

from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent
from autogen.agentchat.group.safeguards import apply_safeguard_policy

POLICY = {
    "inter_agent_safeguards": {
        "agent_transitions": [
            {
                "message_source": "analyst",
                "message_destination": "planner",
                "check_method": "regex",
                "pattern": r"\d{3}-\d{2}-\d{4}",
                "action": "mask",
                "activation_message": "A number was masked",
            }
        ]
    }
}


def build(llm_config, chat):
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    analyst, planner = (
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config)
        for name in ("analyst", "planner")
    )
    group = GroupChat([user, analyst, planner], [], max_round=3, speaker_selection_method="round_robin")
    manager = GroupChatManager(group, llm_config=llm_config)
    apply_safeguard_policy(groupchat_manager=manager, policy=POLICY, safeguard_llm_config=llm_config)
    return user, manager


def answers(asked):
    return f"The number is 123-45-6789 in turn {asked.turn}." if asked.name == "analyst" else None


EXPECTED = {"calls": 2, "summary": "planner gives answer 2 in turn {turn}.", "stop": 2}
