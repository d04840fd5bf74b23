"""`run_group_chat_iter` with AutoPattern: a line for each speaker and for each text.

Two speak; what chooses them is not heard. Two calls, and one to choose.
"""

from autogen import ConversableAgent
from autogen.agentchat import run_group_chat_iter
from autogen.agentchat.group.patterns import AutoPattern
from autogen.events.agent_events import GroupChatRunChatEvent, TextEvent


def on_message(message, chat):
    coder, reviewer = (
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=chat.llm_config, human_input_mode="NEVER")
        for name in ("coder", "reviewer")
    )
    pattern = AutoPattern(
        initial_agent=coder, agents=[coder, reviewer], group_manager_args={"llm_config": chat.llm_config}
    )
    last = ""
    for event in run_group_chat_iter(
        pattern=pattern, messages=message, max_rounds=3, yield_on=[GroupChatRunChatEvent, TextEvent]
    ):
        if isinstance(event, GroupChatRunChatEvent):
            print(f"PRINTED: the turn of {event.content.speaker}")
        elif isinstance(event, TextEvent):
            last = event.content.content
    return last


def answers(asked):
    return None if asked.name in ("coder", "reviewer") else "reviewer"


def check(turns):
    assert all("PRINTED: the turn of reviewer" in turn.output for turn in turns[:3])


EXPECTED = {
    "calls": 3,
    "says": ["coder", "reviewer"],
    "summary": "reviewer gives answer 3 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
