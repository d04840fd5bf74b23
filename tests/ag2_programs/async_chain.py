"""Sequential chats with coroutines: `a_initiate_chats` with chat ids and prerequisites.

Two run at once, the third after them. Three calls.
"""

from autogen import AssistantAgent, UserProxyAgent


async def on_message(message, chat):
    finance, research, writer = (
        AssistantAgent(name, system_message=f"You are {name}.", llm_config=chat.llm_config)
        for name in ("finance", "research", "writer")
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    results = await user.a_initiate_chats(
        [
            {"chat_id": 1, "recipient": finance, "message": f"Money: {message}", "max_turns": 1},
            {"chat_id": 2, "prerequisites": [1], "recipient": research, "message": "Find out.", "max_turns": 1},
            {"chat_id": 3, "prerequisites": [1, 2], "recipient": writer, "message": "Write.", "max_turns": 1},
        ]
    )
    return results[3].summary


EXPECTED = {
    "calls": 3,
    "says": ["finance", "research", "writer"],
    "summary": "writer gives answer 3 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
