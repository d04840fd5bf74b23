"""A ReasoningAgent that goes depth first, alone, as `build` may return it.

Its inner steps are within it; it says one answer. The number of calls is AG2's.
"""

from autogen.agents.experimental import ReasoningAgent


def build(llm_config, chat):
    return ReasoningAgent(
        name="thinker_agent", llm_config=llm_config, reason_config={"method": "dfs", "max_depth": 2, "forest_size": 1}
    )


def answers(asked):
    everything = asked.system + asked.last
    if "**Rating" in everything or "rate" in asked.last.lower()[:400]:
        return "Point: 5"
    if "REFLECTION" in everything or ("ption" in everything and "expand" in everything.lower()):
        return "REFLECTION:\nFine.\n\n**Possible Options:**\nOption 1: Think of the cat.\nOption 2: TERMINATE."
    return f"The reasoned answer of turn {asked.turn}."


def check(turns):
    for turn in turns[:3]:
        outer = [content["sender"] for content in turn.texts if not content.get("within")]
        assert outer == ["thinker_agent"], outer


EXPECTED = {"summary": "The reasoned answer of turn {turn}.", "stop": 2}
