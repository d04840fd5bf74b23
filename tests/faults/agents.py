"""The agents of the fault tests; their tools record each run and ask questions."""

from __future__ import annotations

from pathlib import Path

from tests.agent_files import ROUND_ROBIN, write_agents
from tests.test_old_databases import PAIR

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
    if (pathlib.Path(chat.services.folder) / "broken").exists():
        raise RuntimeError("broken on purpose")

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

    def write(call: str) -> str:
        ran("write", call)
        number = int(call[1:])
        chat.files.write(f"agent{number % 2}.txt", call.ljust(100 + number, "."))
        return f"Wrote {call}"

    def erase(call: str) -> str:
        ran("erase", call)
        paths = [info.path for info in chat.files.list() if info.path.startswith("agent")]
        if paths:
            chat.files.delete(paths[0])
        return f"Erased {paths[:1]}"

    def plan(call: str) -> str:
        ran("plan", call)
        return f"Task {chat.plan.create(call).id}"

    def finish(call: str) -> str:
        ran("finish", call)
        tasks = chat.plan.tasks
        return f"Finished {chat.plan.update(tasks[-1].id, status='done').id}" if tasks else "Nothing planned"

    def note(call: str) -> str:
        ran("note", call)
        return chat.remember(call, f"value of {call}")

    def drop(call: str) -> str:
        ran("drop", call)
        known = list(chat.recall())
        return chat.forget(known[-1]) if known else "Nothing known"

    def human(call: str) -> str:
        ran("human", call)
        return chat.hand_to_human(call)

    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (look, fail, book, book_async, sign, send, write, erase, plan, finish, note, drop, human):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    for tool in chat.tools():
        tool.register_for_llm(agent)
        tool.register_for_execution(user)
    return user, agent
'''

ALWAYS = CLERK.replace(
    'UserProxyAgent("user", human_input_mode="NEVER"', 'UserProxyAgent("user", human_input_mode="ALWAYS"'
)

PATTERN = '''
"""A guide with a tool that hands over to another, and counts in context variables."""
import pathlib
from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import AgentNameTarget, ContextVariables, ReplyResult, TerminateTarget
from autogen.agentchat.group.patterns import DefaultPattern
from agentchat.teams import manager_of

def build(llm_config, chat):
    def look(call: str, context_variables: ContextVariables) -> ReplyResult:
        """Look."""
        with open(pathlib.Path(chat.services.folder) / "ran.txt", "ab", buffering=0) as file:
            file.write(f"look {call}\\n".encode())
        context_variables["seen"] += 1
        return ReplyResult(
            message=f"Looked {call}, the {context_variables['seen']}th", context_variables=context_variables,
            target=AgentNameTarget("helper"),
        )

    agents = [
        ConversableAgent("guide", functions=[look], llm_config=llm_config, human_input_mode="NEVER"),
        ConversableAgent("helper", functions=[look], llm_config=llm_config, human_input_mode="NEVER"),
    ]
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    pattern = DefaultPattern(
        initial_agent=agents[0], agents=agents, user_agent=user, group_after_work=TerminateTarget(),
        context_variables=ContextVariables(data={"seen": 0}),
    )
    return user, manager_of(pattern)
'''

ASKING = frozenset({"book", "book_async", "sign"})  # these are called again after a restart
TOOLS = frozenset(
    {"look", "fail", "book", "book_async", "sign", "send"}
    | {"write", "erase", "plan", "finish", "note", "drop", "human"}
)


def write(folder: Path) -> str:
    """Write the agent files and return their folder."""
    return write_agents(
        folder, clerk=CLERK, always=ALWAYS, group=ROUND_ROBIN, pattern=PATTERN, pair=PAIR, team=ROUND_ROBIN
    )
