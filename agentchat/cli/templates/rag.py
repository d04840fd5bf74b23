"""Answers from documents and names its sources."""

from typing import Annotated

from autogen import ConversableAgent, LLMConfig

from agentchat.chat import Chat
from agentchat.knowledge import cited

SUGGESTIONS = ["What is in these documents?"]


def build(llm_config: LLMConfig, chat: Chat) -> ConversableAgent:
    def search(query: Annotated[str, "What to look for, as a question or in words"]) -> str:
        """Search the documents."""
        # The files and folders of AGENTCHAT_KNOWLEDGE (--knowledge), read and indexed when the server starts.
        passages = chat.knowledge.search(query, 5)
        return cited(passages) or "Nothing was found."

    return ConversableAgent(
        "librarian",
        system_message="You answer from documents. Search first. Say only what the passages say, and cite each by its "
        "number and link. If they do not answer the question, say so.",
        llm_config=llm_config,
        human_input_mode="NEVER",
        functions=[search],
    )
