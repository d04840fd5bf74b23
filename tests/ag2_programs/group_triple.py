"""`return initiate_group_chat(...)` as it is: a result, the context variables and the last agent.

A tool sets the context and hands over; the second agent speaks. Two calls.
"""

from autogen import ConversableAgent
from autogen.agentchat import initiate_group_chat
from autogen.agentchat.group import AgentTarget, ContextVariables, ReplyResult, TerminateTarget
from autogen.agentchat.group.patterns import DefaultPattern


def on_message(message, chat):
    def classify(kind: str, context_variables: ContextVariables) -> ReplyResult:
        """Classify the ticket."""
        context_variables["kind"] = kind
        return ReplyResult(message=f"It is {kind}.", context_variables=context_variables, target=AgentTarget(billing))

    triage = ConversableAgent(
        "triage", system_message="You are triage.", functions=[classify], llm_config=chat.llm_config
    )
    billing = ConversableAgent("billing", system_message="You are billing.", llm_config=chat.llm_config)
    billing.handoffs.set_after_work(TerminateTarget())
    pattern = DefaultPattern(
        initial_agent=triage, agents=[triage, billing], context_variables=ContextVariables(data={"kind": ""})
    )
    return initiate_group_chat(pattern=pattern, messages=message, max_rounds=5)


def answers(asked):
    return [("classify", {"kind": "billing"})] if asked.name == "triage" else None


EXPECTED = {
    "calls": 2,
    "says": ["billing"],
    "summary": "billing gives answer 2 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
