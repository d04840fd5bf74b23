"""Escalation: a basic agent with structured answers, and an expert by a context condition when confidence is low.

The basic agent's tool notes its confidence; the expert speaks. Two calls.
"""

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import (
    AgentTarget,
    ContextExpression,
    ContextVariables,
    ExpressionContextCondition,
    OnContextCondition,
    ReplyResult,
    RevertToUserTarget,
)
from autogen.agentchat.group.patterns import DefaultPattern


def build(llm_config, chat):
    def answer(question: str, reply: str, confidence: int, context_variables: ContextVariables) -> ReplyResult:
        """Answer with a confidence."""
        context_variables["confidence"] = confidence
        if confidence < 8:
            return ReplyResult(
                message=f"Too hard: {reply}",
                context_variables=context_variables,
            )
        return ReplyResult(message=reply, context_variables=context_variables, target=RevertToUserTarget())

    basic = ConversableAgent("basic", system_message="You are basic.", functions=[answer], llm_config=llm_config)
    expert = ConversableAgent("expert", system_message="You are expert.", llm_config=llm_config)
    basic.handoffs.add_context_condition(
        OnContextCondition(
            target=AgentTarget(expert), condition=ExpressionContextCondition(ContextExpression("${confidence} < 8"))
        )
    )
    expert.handoffs.set_after_work(RevertToUserTarget())
    user = UserProxyAgent(name="user", code_execution_config=False)
    return DefaultPattern(
        initial_agent=basic,
        agents=[basic, expert],
        context_variables=ContextVariables(data={"confidence": 10}),
        user_agent=user,
    )


def answers(asked):
    if asked.name == "basic":
        return [("answer", {"question": "q", "reply": "no idea", "confidence": 3})]
    return None


EXPECTED = {"calls": (2, None, None), "says": ["expert"], "summary": "expert gives answer", "stop": 1}
