"""An example app as it is: agents and a pattern at module level, a human with ALWAYS, and `run_workflow(prompt)`.

Triage hands over to billing, whose tool runs and who then speaks. Three calls.
"""

import os

from autogen import ConversableAgent, LLMConfig
from autogen.agentchat import initiate_group_chat
from autogen.agentchat.group import (
    AgentTarget,
    ContextExpression,
    ContextVariables,
    ExpressionContextCondition,
    OnCondition,
    OnContextCondition,
    RevertToUserTarget,
    StringLLMCondition,
)
from autogen.agentchat.group.patterns import DefaultPattern

llm_config = LLMConfig(
    {
        "api_type": "openai",
        "model": "own",
        "api_key": "sk-own-key-222222222",
        "base_url": os.environ.get("MODEL_URL", "http://127.0.0.1:9/v1"),
    }
)


def check_status(customer: str, context_variables: ContextVariables) -> str:
    """Check the billing status."""
    context_variables["resolved"] = True
    return f"{customer} has paid"


triage = ConversableAgent("triage_agent", system_message="You are triage_agent.", llm_config=llm_config)
billing = ConversableAgent(
    "billing_agent", system_message="You are billing_agent.", llm_config=llm_config, functions=[check_status]
)
user = ConversableAgent(name="user", human_input_mode="ALWAYS")
triage.handoffs.add_llm_conditions(
    [OnCondition(target=AgentTarget(billing), condition=StringLLMCondition(prompt="It is about billing"))]
)
billing.handoffs.add_context_condition(
    OnContextCondition(
        target=RevertToUserTarget(), condition=ExpressionContextCondition(ContextExpression("${done} == True"))
    )
)
pattern = DefaultPattern(
    initial_agent=triage,
    agents=[triage, billing],
    user_agent=user,
    context_variables=ContextVariables(data={"resolved": False, "done": False}),
    group_manager_args={"llm_config": llm_config},
)


def run_workflow(prompt):
    result, context, last_agent = initiate_group_chat(pattern=pattern, messages=prompt, max_rounds=8)
    print("PRINTED:", last_agent.name, context.to_dict())
    return result.summary


def on_message(message, chat):
    return run_workflow(message)


def answers(asked):
    if asked.name == "triage_agent":
        return [(asked.tool("transfer"), {})]
    return None if asked.tells else [("check_status", {"customer": "Ada"})]


EXPECTED = {
    "calls": 3,
    "says": ["billing_agent"],
    "summary": "billing_agent gives answer 3 in turn {turn}.",
    "memory": False,
    "stop": 3,
}
