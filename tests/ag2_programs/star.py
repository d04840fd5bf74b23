"""The star pattern: a coordinator asks specialists by tools with an AgentTarget, who report back by tools.

The coordinator writes the answer. Five calls.
"""

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import AgentNameTarget, AgentTarget, ContextVariables, ReplyResult, RevertToUserTarget
from autogen.agentchat.group.patterns import DefaultPattern


def build(llm_config, chat):
    def ask_weather(city: str, context_variables: ContextVariables) -> ReplyResult:
        """Ask the weather specialist."""
        context_variables["weather_query"] = city
        return ReplyResult(
            message=f"Weather of {city}?", context_variables=context_variables, target=AgentTarget(weather)
        )

    def ask_events(city: str, context_variables: ContextVariables) -> ReplyResult:
        """Ask the events specialist."""
        context_variables["event_query"] = city
        return ReplyResult(message="Events?", context_variables=context_variables, target=AgentNameTarget("events"))

    def report(content: str, context_variables: ContextVariables) -> ReplyResult:
        """Report to the coordinator."""
        context_variables["reports"] = [*context_variables["reports"], content]
        return ReplyResult(
            message=f"Reported: {content}", context_variables=context_variables, target=AgentTarget(coordinator)
        )

    coordinator = ConversableAgent(
        "coordinator", system_message="You are coordinator.", functions=[ask_weather, ask_events], llm_config=llm_config
    )
    weather, events = (
        ConversableAgent(name, system_message=f"You are {name}.", functions=[report], llm_config=llm_config)
        for name in ("weather", "events")
    )
    user = UserProxyAgent(name="user", code_execution_config=False)
    for agent in (coordinator, weather, events):
        agent.handoffs.set_after_work(RevertToUserTarget())
    return DefaultPattern(
        initial_agent=coordinator,
        agents=[coordinator, weather, events],
        context_variables=ContextVariables(data={"reports": []}),
        user_agent=user,
    )


def answers(asked):
    if asked.name in ("weather", "events"):
        return [("report", {"content": f"{asked.name} is fine"})]
    if asked.number >= 5:
        return None
    return [("ask_weather" if asked.number == 1 else "ask_events", {"city": "Oslo"})]


EXPECTED = {
    "calls": (5, 5, 5),
    "says": ["coordinator"],
    "summary": "coordinator gives answer 5 in turn {turn}.",
    "stop": 3,
}
