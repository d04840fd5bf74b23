"""A tool that runs a whole team: `run_group_chat(...).process()` in it.

The team is heard within the one who holds the tool, whose own words come last. Four calls.
"""

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat import run_group_chat
from autogen.agentchat.group.patterns import RoundRobinPattern


def build(llm_config, chat):
    def research(topic: str) -> str:
        """Have a team research a topic."""
        agents = [
            ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config, human_input_mode="NEVER")
            for name in ("scout", "scribe")
        ]
        pattern = RoundRobinPattern(initial_agent=agents[0], agents=agents)
        response = run_group_chat(pattern=pattern, messages=topic, max_rounds=3)
        response.process()
        return f"Found: {response.summary}"

    boss = ConversableAgent("boss", system_message="You are boss.", functions=[research], llm_config=llm_config)
    return UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False), boss


def answers(asked):
    if asked.name == "boss":
        return None if asked.tells else [("research", {"topic": f"cats {asked.turn}"})] if asked.number == 1 else ""
    return None


def check(turns):
    assert all("Found: scribe gives answer 3" in turn.results[0] for turn in turns[:3])
    within = {speaker.partition("<")[2] for turn in turns[:3] for speaker in turn.said if speaker.startswith("sc")}
    assert len(within) == 1, within
    assert within != {""}


EXPECTED = {"summary": "boss gives answer 4 in turn {turn}.", "stop": 3}
