"""A Toolkit of two tools registered with one call, with an injected dependency, beside @tool.

Both run one after another. Three calls.
"""

from typing import Annotated

from autogen import ConversableAgent, UserProxyAgent
from autogen.tools import Depends, Tool, Toolkit, tool


def unit() -> str:
    return "metres"


@tool(description="Measure a thing.")
def measure(thing: str, unit: Annotated[str, Depends(unit)]) -> str:
    return f"{thing}: 3 {unit}"


def build(llm_config, chat):
    def weigh_it(thing: str) -> str:
        return f"{thing}: 4 kg"

    weigh = Tool(name="weigh", description="Weigh a thing.", func_or_tool=weigh_it)
    agent = ConversableAgent("clerk", system_message="You are clerk.", llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    kit = Toolkit([measure, weigh])
    kit.register_for_llm(agent)
    kit.register_for_execution(user)
    return user, agent


def answers(asked):
    if not asked.tells:
        return [("measure", {"thing": "rope"})] if asked.number == 1 else ""
    if "metres" in asked.last:
        return [("weigh", {"thing": "rope"})]
    return f"Rope: 3 m, 4 kg, in turn {asked.turn}."


def check(turns):
    assert all(turn.results == ["rope: 3 metres", "rope: 4 kg"] for turn in turns[:3]), turns[0].results


EXPECTED = {"summary": "Rope: 3 m, 4 kg, in turn {turn}.", "stop": 2}
