"""Context-aware routing: a router's tool sends the question to a specialist, or asks the user to be clearer.

The specialist speaks. Two calls.
"""

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import (
    AgentTarget,
    AskUserTarget,
    ContextExpression,
    ContextVariables,
    ExpressionContextCondition,
    OnContextCondition,
    ReplyResult,
    RevertToUserTarget,
    TerminateTarget,
)
from autogen.agentchat.group.patterns import DefaultPattern


def build(llm_config, chat):
    def route(domain: str, confidence: int, context_variables: ContextVariables) -> ReplyResult:
        """Route to a specialist."""
        context_variables["domain"] = domain
        context_variables["history"] = [*context_variables["history"], domain]
        if domain == "unclear":
            return ReplyResult(
                message="Please say more.", context_variables=context_variables, target=RevertToUserTarget()
            )
        return ReplyResult(message=f"To {domain}.", context_variables=context_variables)

    router = ConversableAgent("router", system_message="You are router.", functions=[route], llm_config=llm_config)
    tech, finance = (
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config) for name in ("tech", "finance")
    )
    router.handoffs.add_context_conditions(
        [
            OnContextCondition(
                target=AgentTarget(agent),
                condition=ExpressionContextCondition(ContextExpression(f"${{domain}} == '{agent.name}'")),
            )
            for agent in (tech, finance)
        ]
    )
    router.handoffs.set_after_work(AskUserTarget())
    tech.handoffs.set_after_work(TerminateTarget())
    finance.handoffs.set_after_work(AgentTarget(router))
    user = UserProxyAgent(name="user", code_execution_config=False)
    return DefaultPattern(
        initial_agent=router,
        agents=[router, tech, finance],
        context_variables=ContextVariables(data={"domain": "", "history": []}),
        user_agent=user,
    )


def answers(asked):
    if asked.name == "router":
        return [("route", {"domain": "unclear" if asked.turn == 1 else "tech", "confidence": 9})]
    return None


EXPECTED = {
    "calls": (1, None, None),
    "says": ([], ["tech"], ["tech"]),
    "summary": ("Please say more.", "tech gives answer", "tech gives answer"),
    "stop": 1,
}
