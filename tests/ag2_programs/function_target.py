"""A FunctionTarget: a plain function looks at the answer and says where to go on.

Intake, then the specialist. Two calls.
"""

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import AgentTarget, ContextVariables, FunctionTarget, FunctionTargetResult, TerminateTarget
from autogen.agentchat.group.patterns import DefaultPattern


def build(llm_config, chat):
    intake, specialist = (
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config)
        for name in ("intake", "specialist")
    )

    def after_intake(output: str, context_variables: ContextVariables) -> FunctionTargetResult:
        context_variables["heard"] = output
        return FunctionTargetResult(
            messages=f"Intake said {len(output)} letters",
            context_variables=context_variables,
            target=AgentTarget(specialist),
        )

    intake.handoffs.set_after_work(FunctionTarget(after_intake))
    specialist.handoffs.set_after_work(TerminateTarget())
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    return DefaultPattern(
        initial_agent=intake,
        agents=[intake, specialist],
        user_agent=user,
        context_variables=ContextVariables(data={"heard": ""}),
    )


EXPECTED = {
    "calls": (2, None, None),
    "says": (["intake", "specialist"], None, None),
    "summary": "specialist gives answer",
    "stop": 1,
}
