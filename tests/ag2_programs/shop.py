"""An e-commerce service: DefaultPattern, OnCondition, a customer of default human_input_mode (an example app).

Triage hands over to the tracking agent, which speaks; then the turn ends without a question. Two calls, then one.
"""

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import AgentTarget, ContextVariables, OnCondition, RevertToUserTarget, StringLLMCondition
from autogen.agentchat.group.patterns import DefaultPattern


def build(llm_config, chat):
    triage, tracking, returns = (
        ConversableAgent(name=name, system_message=f"You are {name}.", llm_config=llm_config)
        for name in ("triage_agent", "tracking_agent", "return_agent")
    )
    triage.handoffs.add_llm_conditions(
        [
            OnCondition(target=AgentTarget(tracking), condition=StringLLMCondition(prompt="To track an order")),
            OnCondition(target=AgentTarget(returns), condition=StringLLMCondition(prompt="To return an order")),
        ]
    )
    customer = UserProxyAgent(name="Customer", system_message="The customer", code_execution_config=False)
    return DefaultPattern(
        agents=[triage, tracking, returns],
        initial_agent=triage,
        context_variables=ContextVariables(data={"user_name": ""}),
        user_agent=customer,
        group_after_work=RevertToUserTarget(),
    )


def answers(asked):
    if asked.name == "triage_agent":
        return [(asked.tool("tracking"), {})]
    return None


EXPECTED = {"calls": (2, None, None), "says": ["tracking_agent"], "stop": 1}
