"""Writes and revises documents with you. They are files here: upload some, ask for changes, download them."""

from typing import Any

from autogen import ConversableAgent, LLMConfig, UpdateSystemMessage, UserProxyAgent, register_function

from agentchat.chat import Chat

ICON = "file"
COLOR = "#5b6b1e"
SUGGESTIONS = [
    "Write welcome.md, a short letter to new colleagues",
    "List the documents",
    "Revise welcome.md: friendlier, and half as long",
]

PROMPT = """You analyse, write and revise documents. They are files; use your tools to see and change them.
Read a document before you revise it, and keep what you were not asked to change. Give a new one a file name that says
what it is. Then say in a sentence or two what you did, without repeating the text.
Format: {format}. Style: {style}."""

MAX_CHARS = 50_000  # of a document that a model sees


def build(llm_config: LLMConfig, chat: Chat) -> tuple[UserProxyAgent, ConversableAgent]:
    files = chat.files  # refuses paths outside the workspace, and tells the model why

    def list_documents() -> str:
        return "\n".join(f"{file.path} ({file.size} bytes)" for file in files.list()) or "There are no documents yet."

    def read_document(path: str) -> str:
        return files.read(path, most=MAX_CHARS)

    def compare_document(path: str, content: str) -> str:
        return files.diff(path, content) or "Nothing would change."

    def write_document(path: str, content: str) -> str:
        return f"{path} was {files.write(path, content)}."

    def instructions(agent: ConversableAgent, messages: list[dict[str, Any]]) -> str:
        """Called before each answer, since a program may send another context with each message."""
        wanted = {"format": "markdown", "style": "plain and clear", **chat.context}
        return PROMPT.format(format=wanted["format"], style=wanted["style"])

    agent = ConversableAgent(
        "writer",
        llm_config=llm_config,
        human_input_mode="NEVER",
        update_agent_state_before_reply=[UpdateSystemMessage(instructions)],
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool, description in (
        (list_documents, "List the documents there are."),
        (read_document, "Read or analyse a document."),
        (compare_document, "Compare a document with another text: the diff, and nothing is written."),
        (write_document, "Write a new document, or revise one: content is all of its new text."),
    ):
        register_function(tool, caller=agent, executor=user, description=description)
    for extra in chat.tools():  # of MCP servers, if any are configured
        extra.register_for_llm(agent)
        extra.register_for_execution(user)
    return user, agent
