"""A hierarchy: an executive, a manager and two specialists, by OnCondition, OnContextCondition and ReplyResult.

Each has one tool; the executive's last one reports to the user by an AgentTarget. Five calls.
"""

from autogen import ContextExpression, ConversableAgent, UserProxyAgent
from autogen.agentchat.group import (
    AgentTarget,
    ContextVariables,
    ExpressionAvailableCondition,
    ExpressionContextCondition,
    OnCondition,
    OnContextCondition,
    ReplyResult,
    RevertToUserTarget,
    StringLLMCondition,
)
from autogen.agentchat.group.patterns import DefaultPattern


def build(llm_config, chat):
    def research(topic: str, context_variables: ContextVariables) -> ReplyResult:
        """Hand in research."""
        context_variables[f"{topic}_done"] = True
        return ReplyResult(message=f"{topic} done", context_variables=context_variables, target=AgentTarget(manager))

    def compile_section(text: str, context_variables: ContextVariables) -> ReplyResult:
        """Hand in the section."""
        context_variables["section"] = text
        return ReplyResult(message="Section in.", context_variables=context_variables, target=AgentTarget(executive))

    def publish(report: str, context_variables: ContextVariables) -> ReplyResult:
        """Publish the report."""
        context_variables.update({"sun_done": False, "wind_done": False, "section": ""})
        return ReplyResult(message=f"Report: {report}", context_variables=context_variables, target=AgentTarget(user))

    executive, manager, sun, wind = (
        ConversableAgent(name, system_message=f"You are {name}.", functions=[tool], llm_config=llm_config)
        for name, tool in (
            ("executive", publish),
            ("manager", compile_section),
            ("sun_expert", research),
            ("wind_expert", research),
        )
    )
    executive.handoffs.add_llm_condition(
        OnCondition(
            target=AgentTarget(manager),
            condition=StringLLMCondition(prompt="Have the section written"),
            available=ExpressionAvailableCondition(ContextExpression("${section} == ''")),
        )
    )
    manager.handoffs.add_context_conditions(
        [
            OnContextCondition(
                target=AgentTarget(expert),
                condition=ExpressionContextCondition(ContextExpression(f"${{{topic}_done}} == False")),
            )
            for topic, expert in (("sun", sun), ("wind", wind))
        ]
    )
    for agent in (executive, manager, sun, wind):
        agent.handoffs.set_after_work(RevertToUserTarget())
    user = UserProxyAgent(name="user", code_execution_config=False)
    return DefaultPattern(
        initial_agent=executive,
        agents=[executive, manager, sun, wind],
        context_variables=ContextVariables(data={"sun_done": False, "wind_done": False, "section": ""}),
        user_agent=user,
    )


def answers(asked):
    if asked.name == "executive":
        if transfer := asked.tool("transfer"):
            return [(transfer, {})]
        return [("publish", {"report": f"all of turn {asked.turn}"})]
    if asked.name == "manager":
        return [("compile_section", {"text": "sun and wind"})]
    return [("research", {"topic": asked.name.partition("_")[0]})]


EXPECTED = {"calls": (5, 5, 5), "says": [], "summary": "Report: all of turn {turn}", "stop": 3}
