"""RoundRobinPattern without a user agent.

Two agents speak in turn, up to the pattern's end. The pattern is returned alone.
"""

from autogen import ConversableAgent
from autogen.agentchat.group.patterns import RoundRobinPattern


def build(llm_config, chat):
    one, two = (
        ConversableAgent(
            name,
            system_message=f"You are {name}.",
            llm_config=llm_config,
            is_termination_msg=lambda x: "DONE" in (x.get("content") or ""),
        )
        for name in ("one", "two")
    )
    return RoundRobinPattern(
        initial_agent=one,
        agents=[one, two],
        group_manager_args={"is_termination_msg": lambda x: "DONE" in (x.get("content") or "")},
    )


def answers(asked):
    return f"DONE by {asked.name} in turn {asked.turn}" if asked.number == 2 else None


def check(turns):
    for turn in turns[:3]:
        assert sorted(content["sender"] for content in turn.texts) == ["one", "two"]


EXPECTED = {"calls": 2, "summary": "DONE by", "stop": 2}
