"""Triage with tasks: structured output, system messages updated from context variables, tools that note tasks.

The triage agent answers in JSON, the worker by a tool, the summariser in words. Four calls.
"""

from typing import Any

from autogen import ConversableAgent, UpdateSystemMessage, UserProxyAgent
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
from pydantic import BaseModel


class Tasks(BaseModel):
    tasks: list[str]


def build(llm_config, chat):
    def start_tasks(tasks: list[str], context_variables: ContextVariables) -> ReplyResult:
        """Start the tasks."""
        context_variables["tasks"] = tasks
        context_variables["done"] = []
        return ReplyResult(message="Tasks started.", context_variables=context_variables)

    def finish(task: str, context_variables: ContextVariables) -> ReplyResult:
        """Finish a task."""
        context_variables["done"] = [*context_variables["done"], task]
        return ReplyResult(message=f"Finished {task}.", context_variables=context_variables)

    def instructions(agent: ConversableAgent, messages: list[dict[str, Any]]) -> str:
        return f"You are {agent.name}. Done: {agent.context_variables.get('done')}"

    structured = llm_config.deepcopy() if hasattr(llm_config, "deepcopy") else llm_config
    triage = ConversableAgent(
        "triage",
        system_message="You are triage.",
        llm_config={"config_list": structured.config_list, "response_format": Tasks},
    )
    manager = ConversableAgent(
        "manager",
        update_agent_state_before_reply=[UpdateSystemMessage(instructions)],
        functions=[start_tasks],
        llm_config=llm_config,
    )
    worker = ConversableAgent(
        "worker",
        update_agent_state_before_reply=[UpdateSystemMessage("You are worker. Tasks: {tasks}. Done: {done}.")],
        functions=[finish],
        llm_config=llm_config,
    )
    summary = ConversableAgent("summariser", system_message="You are summariser.", llm_config=llm_config)
    triage.handoffs.set_after_work(AgentTarget(manager))
    manager.handoffs.add_context_condition(
        OnContextCondition(
            target=AgentTarget(worker), condition=ExpressionContextCondition(ContextExpression("len(${tasks}) > 0"))
        )
    )
    worker.handoffs.add_context_condition(
        OnContextCondition(
            target=AgentTarget(summary), condition=ExpressionContextCondition(ContextExpression("len(${done}) > 0"))
        )
    )
    summary.handoffs.set_after_work(RevertToUserTarget())
    user = UserProxyAgent(name="user", code_execution_config=False)
    return DefaultPattern(
        initial_agent=triage,
        agents=[triage, manager, worker, summary],
        context_variables=ContextVariables(data={"tasks": [], "done": []}),
        user_agent=user,
    )


def answers(asked):
    if asked.name == "triage":
        return '{"tasks": ["write"]}'
    if asked.name == "manager":
        return [("start_tasks", {"tasks": ["write"]})]
    if asked.name == "worker":
        return [("finish", {"task": "write"})]
    return None


EXPECTED = {
    "calls": (4, None, None),
    "says": (["triage", "summariser"], ["summariser"], ["summariser"]),
    "summary": "summariser gives answer",
    "stop": 1,
}
