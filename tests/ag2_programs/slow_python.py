"""Plain Python that works for some seconds between two agents, in turn 4 only; it is stopped meanwhile.

The user passes the first one's words on; the second model is not called after the stop. Two calls.
"""

import time

from autogen import AssistantAgent, UserProxyAgent


def on_message(message, chat):
    before, after = (
        AssistantAgent(name, system_message=f"You are {name}.", llm_config=chat.llm_config)
        for name in ("before", "after")
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    first = user.initiate_chat(before, message=message, max_turns=1)
    print("PRINTED: working")
    for _ in range(100 if "Turn 4" in message else 1):
        time.sleep(0.01)
    return user.initiate_chat(after, message=first.summary, max_turns=1)


def check(turns):
    assert len(turns[3].requests) == 1


EXPECTED = {
    "calls": 2,
    "says": ["before", "user", "after"],
    "summary": "after gives answer 2 in turn {turn}.",
    "memory": False,
    "stop": "output",
}
