"""A picture in a message of parts, as models that see have it.

It is sent to the model in each turn, also after the restart. One call.
"""

from autogen import AssistantAgent, UserProxyAgent

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"


def on_message(message, chat):
    agent = AssistantAgent("seer", system_message="You are seer.", llm_config=chat.llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    parts = [{"type": "text", "text": message}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    return user.initiate_chat(agent, message={"content": parts}, max_turns=1)


def check(turns):
    assert all(PIXEL in str(turn.requests[0].body) for turn in turns[:3])


EXPECTED = {"calls": 1, "says": ["seer"], "summary": "seer gives answer 1 in turn {turn}.", "memory": False}
