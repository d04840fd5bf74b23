"""Answers from documents and links to them. Out of the box it knows this product's own documentation."""

from typing import Annotated, Any

from autogen import ConversableAgent, LLMConfig, UserProxyAgent, register_function

from agentchat.chat import Chat
from agentchat.knowledge import cited

SUGGESTIONS = [
    "How do I use a local model such as Ollama?",
    "How does a program resume a conversation?",
    "Which tools wait for a person's yes?",
]
INSTRUCTIONS = (
    "You answer questions from documents. Search before you answer. When the passages do not answer the question, "
    "search once more in other words, such as a document would use. Say only what the passages say, in the language of "
    "the question, and cite the passage behind each statement by its number and its link, such as "
    "[1](/api/agent-chat/knowledge/manual.md). When nothing that was found answers the question, say that the "
    "documents do not answer it, and do not answer from what you know otherwise."
)
MATCH_COUNT = 5


def build(llm_config: LLMConfig, chat: Chat) -> tuple[UserProxyAgent, ConversableAgent]:
    def search_knowledge(
        query: Annotated[str, "What to look for, as a question or in words"],
        match_count: Annotated[int, "How many passages, 1 to 50"] = MATCH_COUNT,
        source_filter: Annotated[str, "Only documents whose path has this in it, such as rest.md or docs/*.md"] = "",
    ) -> str:
        if match_count == MATCH_COUNT:
            match_count = _number(chat.context.get("match_count"))
        source_filter = source_filter or str(chat.context.get("source_filter") or "")
        passages = chat.knowledge.search(query, match_count, source_filter)
        within = f" in documents like {source_filter}" if source_filter else ""
        return "\n\n".join([cited(passages) or f"Nothing was found for “{query}”{within}.", passages.note]).strip()

    agent = ConversableAgent("librarian", system_message=INSTRUCTIONS, llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(
        search_knowledge,
        caller=agent,
        executor=user,
        description="Search the documents: how something works, what it does, how to use it; which, where, when, why.",
    )
    return user, agent


def _number(value: Any) -> int:
    """What the client sent along, if it is a number."""
    return int(value) if isinstance(value, (int, float)) and value >= 1 else MATCH_COUNT
