"""Plans and writes code: a Planner and a Coder work on your project together, and you see everything they do."""

from typing import Any

from autogen import (
    Agent,
    ConversableAgent,
    GroupChat,
    GroupChatManager,
    LLMConfig,
    UpdateSystemMessage,
    UserProxyAgent,
)

from agentchat import sandbox
from agentchat.chat import Chat, needs_approval

ICON = "terminal"
COLOR = "#4a4f9c"
SUGGESTIONS = [
    "Write hello.py, which greets whoever is named",
    "List the files of the project",
    "Search the project for TODO, and do what it says",
]

PLANNER = """You are the Planner of a team of two. Look at the project, then tell the Coder in a few steps what to do,
without writing code yourself. When the Coder has done it, look at the files. Then either say what is still to be done,
or tell the person in a few sentences what they have now, and end with the word TERMINATE. Questions that need no code
are yours to answer; end with TERMINATE then, too."""

CODER = """You are the Coder of a team of two. Do what the Planner says, with your tools: read a file before you change
it, and write whole files. Then say in a sentence what you did; do not repeat the code. Language: {language}."""

MAX_STEPS = 32  # messages and tool results in one turn; then the Planner has the last word
MAX_LAST_STEPS = 4  # more of them, for the Planner to look at files first
MAX_CHARS = 30_000  # of a file that a model sees


def build(llm_config: LLMConfig, chat: Chat) -> tuple[UserProxyAgent, GroupChatManager]:
    project = chat.files.folder("project")  # the team sees only this part of the workspace

    def list_files() -> str:
        return "\n".join(f"{file.path} ({file.size} bytes)" for file in project.list()) or "The project has no files."

    def read_file(path: str) -> str:
        return project.read(path, most=MAX_CHARS)

    def search_files(words: str) -> str:
        found = project.search(words)
        return "\n".join(f"{match.path}:{match.line}: {match.text}" for match in found) or "Nothing was found."

    def write_file(path: str, content: str) -> str:
        return f"{path} was {project.write(path, content)}."

    @needs_approval(always=True)
    def run_code(code: str) -> str:
        with project.watched() as folder:  # the person is told which files the code changes
            return str(sandbox.run(code, folder))

    def coder_prompt(agent: ConversableAgent, messages: list[dict[str, Any]]) -> str:
        return CODER.format(language=chat.context.get("language", "Python, unless the project has another"))

    planner = ConversableAgent("Planner", system_message=PLANNER, llm_config=llm_config, human_input_mode="NEVER")
    coder = ConversableAgent(
        "Coder",
        llm_config=llm_config,
        human_input_mode="NEVER",
        update_agent_state_before_reply=[UpdateSystemMessage(coder_prompt)],
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)

    tools = [
        (list_files, [planner, coder], "List the files of the project."),
        (read_file, [planner, coder], "Read a file of the project."),
        (search_files, [planner, coder], "Search the project for words."),
        (write_file, [coder], "Write a file of the project: content is all of its new text."),
    ]
    if chat.can_run_code:
        tools.append((run_code, [coder], "Run Python code in the project's folder. It can import the project's files."))
    for tool, callers, description in tools:
        user.register_for_execution()(tool)
        for caller in callers:
            caller.register_for_llm(description=description)(tool)

    def next_speaker(last: Agent, group: GroupChat) -> Agent | None:
        """Alternate between Planner and Coder, whatever the models say. Returns None when the turn is over."""
        turn = _since(user, group.messages)  # the person's message and all that followed
        if turn[-1].get("tool_calls"):
            return user  # runs the tools
        if len(turn) > MAX_STEPS:
            return None if last is planner or len(turn) > MAX_STEPS + MAX_LAST_STEPS else planner
        if turn[-1]["role"] == "tool":
            return group.agent_by_name(turn[-2]["name"])  # called them
        if last is planner:
            return None if "TERMINATE" in (turn[-1]["content"] or "") else coder
        if last is coder and not _tools(_since(planner, turn)) & {"write_file", "run_code"}:
            return None  # there was nothing to do
        return planner

    # next_speaker ends the turn before AG2 does, which might do so between a call and its result.
    rounds = 2 * (MAX_STEPS + MAX_LAST_STEPS)
    group = GroupChat([user, planner, coder], [], max_round=rounds, speaker_selection_method=next_speaker)
    return user, GroupChatManager(group, llm_config=llm_config, human_input_mode="NEVER")


def _since(speaker: Agent, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the speaker's last message and everything after it."""
    said = [m["name"] == speaker.name and m["role"] != "tool" and not m.get("tool_calls") for m in messages]
    return messages[-1 - said[::-1].index(True) :]


def _tools(messages: list[dict[str, Any]]) -> set[str]:
    """Return the names of the tools that were called."""
    return {call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()}
