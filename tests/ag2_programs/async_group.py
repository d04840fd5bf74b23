"""`a_run_group_chat`, its events read by `async for`.

Two speak. Two calls.
"""

from autogen import ConversableAgent
from autogen.agentchat import a_run_group_chat
from autogen.agentchat.group.patterns import RoundRobinPattern


async def on_message(message, chat):
    agents = [
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=chat.llm_config, human_input_mode="NEVER")
        for name in ("north", "south")
    ]
    pattern = RoundRobinPattern(initial_agent=agents[0], agents=agents)
    response = await a_run_group_chat(pattern=pattern, messages=message, max_rounds=3)
    async for event in response.events:
        if event.type == "text":
            print("PRINTED:", event.content.sender)
    return await response.summary


EXPECTED = {
    "calls": 2,
    "says": ["north", "south"],
    "summary": "south gives answer 2 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
