"""A ReasoningAgent with beam search.

Its inner steps are within it; it says one answer, the last. The number of calls is AG2's.
"""

from autogen import UserProxyAgent
from autogen.agents.experimental import ReasoningAgent


def build(llm_config, chat):
    agent = ReasoningAgent(
        name="reason_agent",
        llm_config=llm_config,
        reason_config={"method": "beam_search", "beam_size": 1, "max_depth": 2},
    )
    user = UserProxyAgent(
        "user_proxy",
        human_input_mode="NEVER",
        code_execution_config={"use_docker": False},
        max_consecutive_auto_reply=10,
    )
    return user, agent


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
        assert outer == ["reason_agent"], outer
        assert {content["within"] for content in turn.texts if content.get("within")} <= {"reason_agent"}
        assert "Point" not in turn.summary


EXPECTED = {"summary": "The reasoned answer of turn {turn}.", "stop": 2}
