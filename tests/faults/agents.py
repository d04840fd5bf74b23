"""The agents of the fault tests; their tools record each run and ask questions."""

from __future__ import annotations

from pathlib import Path

from tests.agent_files import write_agents

RAN = "ran.txt"  # in the data folder: one line "TOOL CALL" for each run of a tool

# `call` identifies a tool call; it is unique within a schedule
CLERK = '''
"""Has tools that ask, tools that fail, and tools that need a yes."""
import os
import pathlib
from autogen import ConversableAgent, UserProxyAgent, register_function
from autogen.io.base import IOStream
from agentchat.chat import needs_approval

def build(llm_config, chat):
    def ran(tool, call):
        with open(pathlib.Path(chat.services.folder) / "ran.txt", "ab", buffering=0) as file:
            file.write(f"{tool} {call}\\n".encode())

    def ask(prompt, **more):
        return IOStream.get_default().input(prompt, **more)

    def look(call: str) -> str:
        ran("look", call)
        return f"Looked {call}"

    def fail(call: str) -> str:
        ran("fail", call)
        raise RuntimeError(f"no {call}")

    def book(call: str) -> str:
        ran("book", call)
        day = ask(f"Which day, {call}?")
        seat = ask(f"Which seat, {call}?")
        return f"Booked {call} on {day}, {seat}"

    async def book_async(call: str) -> str:
        ran("book_async", call)
        return f"Booked {call} on {ask(f'Which day, {call}?')}"

    def sign(call: str) -> str:
        ran("sign", call)
        pin = ask(f"Your PIN, {call}?", password=True)
        return f"Signed {call} with {pin}"

    @needs_approval
    def send(call: str, times: int = 1) -> str:
        ran("send", call)
        return f"Sent {call}, {times} times"

    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (look, fail, book, book_async, sign, send):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''

ALWAYS = CLERK.replace(
    'UserProxyAgent("user", human_input_mode="NEVER"', 'UserProxyAgent("user", human_input_mode="ALWAYS"'
)

ASKING = frozenset({"book", "book_async", "sign"})  # these are called again after a restart
TOOLS = ("look", "fail", "book", "book_async", "sign", "send")


def write(folder: Path) -> str:
    """Write the agent files and return their folder."""
    return write_agents(folder, clerk=CLERK, always=ALWAYS)
