"""Answers from documents and links to them. Out of the box it knows this product's own documentation."""

import reprlib
from typing import Annotated, Any

from autogen import ConversableAgent, LLMConfig, UserProxyAgent, register_function

from agentchat.chat import Chat
from agentchat.knowledge import MOST_PASSAGES, cited

ICON = "book"
COLOR = "#0d7263"
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
        match_count: Annotated[int | None, f"How many passages, 1 to {MOST_PASSAGES}; by default {MATCH_COUNT}"] = None,
        source_filter: Annotated[str, "Only documents whose path has this in it, such as rest.md or docs/*.md"] = "",
    ) -> str:
        count, note = _count(chat.context.get("match_count") if match_count is None else match_count)
        source_filter = str(source_filter or chat.context.get("source_filter") or "")
        passages = chat.knowledge.search(query, count, source_filter)
        within = f" in documents like {source_filter}" if source_filter else ""
        said = [cited(passages) or f"Nothing was found for “{query}”{within}.", passages.note, note]
        return "\n\n".join(filter(None, said))

    agent = ConversableAgent("librarian", system_message=INSTRUCTIONS, llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(
        search_knowledge,
        caller=agent,
        executor=user,
        description="Search the documents: how something works, what it does, how to use it; which, where, when, why.",
    )
    return user, agent


def _count(asked: Any) -> tuple[int, str]:
    """Return how many passages to look for, and a note if that is not what was asked for."""
    if asked is None:
        return MATCH_COUNT, ""
    try:
        number = float(str(asked))
    except ValueError:
        number = 0
    count = int(min(number, MOST_PASSAGES)) if number >= 1 else MATCH_COUNT
    problem = f"match_count {reprlib.repr(asked)} is not a whole number from 1 to {MOST_PASSAGES}, so {count} was used."
    return count, "" if count == number else problem
