"""A receptionist hands you over to whoever knows: sales, or support."""

from autogen import ConversableAgent, LLMConfig
from autogen.agentchat.group import AgentTarget, OnCondition, StringLLMCondition, TerminateTarget
from autogen.agentchat.group.patterns import DefaultPattern

from agentchat.chat import Chat

SUGGESTIONS = ["I would like to buy ten licences", "The program does not start"]


def build(llm_config: LLMConfig, chat: Chat) -> DefaultPattern:
    def member(name: str, task: str) -> ConversableAgent:
        return ConversableAgent(name, system_message=task, llm_config=llm_config, human_input_mode="NEVER")

    reception = member("reception", "You welcome people and hand them over to sales or support.")
    sales = member("sales", "You advise people who want to buy something.")
    support = member("support", "You help people for whom something does not work.")

    def to(agent: ConversableAgent, when: str) -> OnCondition:
        return OnCondition(target=AgentTarget(agent), condition=StringLLMCondition(prompt=when))

    # Each condition is a tool that the model may call; whoever was handed to answers, and goes on in the next turn.
    reception.handoffs.add_llm_conditions(
        [
            to(sales, "Hand over to sales, for people who want to buy something"),
            to(support, "Hand over to support, for people for whom something does not work"),
        ]
    )
    for specialist in (sales, support):
        specialist.handoffs.add_llm_condition(to(reception, "Hand back to reception, for anything else"))
    return DefaultPattern(
        initial_agent=reception,
        agents=[reception, sales, support],
        group_after_work=TerminateTarget(),  # an answer without a hand-off ends the turn
    )
