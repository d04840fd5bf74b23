"""A group with an eligibility policy that takes one agent out.

Only the other speaks. One call.
"""

from autogen import ConversableAgent, GroupChat, GroupChatManager, SelectionContext, UserProxyAgent


class Without:
    def __init__(self, name):
        self.name = name

    def is_eligible(self, agent, ctx: SelectionContext) -> bool:
        return agent.name != self.name


def build(llm_config, chat):
    cheap, pricey = (
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config) for name in ("cheap", "pricey")
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    group = GroupChat(
        [user, cheap, pricey],
        [],
        max_round=2,
        speaker_selection_method="round_robin",
        eligibility_policies=[Without("cheap")],
    )
    return user, GroupChatManager(group, llm_config=llm_config)


EXPECTED = {"calls": 1, "says": ["pricey"], "summary": "pricey gives answer 1 in turn {turn}."}
