"""A feedback loop: an editor's tool sends a draft back until the second round, steered by context conditions.

Drafter, editor, drafter, editor; the editor's tool says the last word. Four calls.
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
    def submit(draft: str, context_variables: ContextVariables) -> ReplyResult:
        """Submit a draft."""
        context_variables["draft"] = draft
        context_variables["stage"] = "review"
        return ReplyResult(message=f"Submitted {draft}", context_variables=context_variables)

    def review(good: bool, context_variables: ContextVariables) -> ReplyResult:
        """Review the draft."""
        context_variables["stage"] = "draft"
        if good:
            return ReplyResult(
                message=f"Published: {context_variables['draft']}",
                context_variables=context_variables,
                target=RevertToUserTarget(),
            )
        return ReplyResult(message="Once more.", context_variables=context_variables, target=AgentTarget(drafter))

    drafter = ConversableAgent("drafter", system_message="You are drafter.", functions=[submit], llm_config=llm_config)
    editor = ConversableAgent("editor", system_message="You are editor.", functions=[review], llm_config=llm_config)
    drafter.handoffs.add_context_condition(
        OnContextCondition(
            target=AgentTarget(editor), condition=ExpressionContextCondition(ContextExpression("${stage} == 'review'"))
        )
    )
    drafter.handoffs.set_after_work(RevertToUserTarget())
    user = UserProxyAgent(name="user", code_execution_config=False)
    return DefaultPattern(
        initial_agent=drafter,
        agents=[drafter, editor],
        context_variables=ContextVariables(data={"draft": "", "stage": "draft"}),
        user_agent=user,
    )


def answers(asked):
    if "submit" in asked.tools:
        return [("submit", {"draft": f"draft {asked.number} of turn {asked.turn}"})]
    return [("review", {"good": asked.number > 2})]


EXPECTED = {"calls": (4, None, None), "says": [], "summary": "Published: draft", "stop": 2}
