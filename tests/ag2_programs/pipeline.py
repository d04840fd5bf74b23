"""A pipeline of stages, each a tool with a ReplyResult to the next; the last reverts to the user.

No agent writes text: the last tool's message is the turn's answer. Three calls.
"""

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import AgentTarget, ContextVariables, ReplyResult, RevertToUserTarget
from autogen.agentchat.group.patterns import DefaultPattern
from pydantic import BaseModel, Field


class Validation(BaseModel):
    status: str = Field(..., description="valid or not")


def build(llm_config, chat):
    def validate(result: Validation, context_variables: ContextVariables) -> ReplyResult:
        """Validate the order."""
        context_variables["validated"] = result.model_dump()
        return ReplyResult(message="Validated.", context_variables=context_variables, target=AgentTarget(payment))

    def pay(amount: float, context_variables: ContextVariables) -> ReplyResult:
        """Pay for the order."""
        context_variables["paid"] = amount
        return ReplyResult(message="Paid.", context_variables=context_variables, target=AgentTarget(shipping))

    def ship(where: str, context_variables: ContextVariables) -> ReplyResult:
        """Ship the order."""
        return ReplyResult(
            message=f"Shipped to {where} for {context_variables['paid']}.",
            context_variables=context_variables,
            target=RevertToUserTarget(),
        )

    validation, payment, shipping = (
        ConversableAgent(name, system_message=f"You are {name}.", functions=[tool], llm_config=llm_config)
        for name, tool in (("validation", validate), ("payment", pay), ("shipping", ship))
    )
    user = UserProxyAgent(name="user", code_execution_config=False)
    return DefaultPattern(
        initial_agent=validation,
        agents=[validation, payment, shipping],
        context_variables=ContextVariables(data={}),
        user_agent=user,
        group_after_work=RevertToUserTarget(),
    )


def answers(asked):
    if "validate" in asked.tools:
        return [("validate", {"result": {"status": "valid"}})]
    if "pay" in asked.tools:
        return [("pay", {"amount": 9.5})]
    return [("ship", {"where": f"street {asked.turn}"})]


# After a turn the pattern goes on with the agent that spoke last.
EXPECTED = {"calls": (3, None, None), "says": [], "summary": "Shipped to street {turn} for 9.5.", "stop": 1}
