"""Two agents asked at once by asyncio.gather over `a_generate_reply`, then a third by `a_initiate_chat`.

All are heard. Three calls.
"""

import asyncio

from autogen import ConversableAgent, UserProxyAgent


async def on_message(message, chat):
    def agent(name):
        return ConversableAgent(
            name, system_message=f"You are {name}.", llm_config=chat.llm_config, human_input_mode="NEVER"
        )

    asked = [{"role": "user", "content": message}]
    replies = await asyncio.gather(*(agent(name).a_generate_reply(messages=asked) for name in ("left", "right")))
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    return await user.a_initiate_chat(agent("judge"), message=f"Judge {len(replies)} replies.", max_turns=1)


EXPECTED = {
    "calls": 3,
    "summary": "judge gives answer 3 in turn {turn}.",
    "memory": False,
    "stop": 3,
}
