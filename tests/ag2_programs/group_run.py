"""`run_group_chat` and `response.process()`, as AG2's front page has it.

Three speak in a round robin; the last one's words are the answer. Three calls.
"""

from autogen import ConversableAgent
from autogen.agentchat import run_group_chat
from autogen.agentchat.group.patterns import RoundRobinPattern


def on_message(message, chat):
    agents = [
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=chat.llm_config, human_input_mode="NEVER")
        for name in ("planner", "reviewer", "teacher")
    ]
    pattern = RoundRobinPattern(initial_agent=agents[0], agents=agents)
    response = run_group_chat(pattern=pattern, messages=message, max_rounds=4)
    response.process()
    print("PRINTED:", response.last_speaker)
    return response.summary


EXPECTED = {
    "calls": 3,
    "says": ["planner", "reviewer", "teacher"],
    "summary": "teacher gives answer 3 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
