"""An outline, then a text from it: an ordinary AG2 program, called with each message."""

from typing import Any

from autogen import ConversableAgent, UserProxyAgent

from agentchat.chat import Chat

SUGGESTIONS = ["A talk about bees", "A letter to my landlord"]


def on_message(message: str, chat: Chat) -> Any:
    """Answer a message with the text or the ChatResult that is returned.

    Agents made here remember nothing of earlier messages; `chat.history` has them.
    """

    def agent(name: str, task: str) -> ConversableAgent:
        return ConversableAgent(name, system_message=task, llm_config=chat.llm_config, human_input_mode="NEVER")

    planner = agent("planner", "You make an outline of three points.")
    writer = agent("writer", "You write a short text that follows the outline.")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)

    outline = user.initiate_chat(planner, message=f"Outline: {message}", max_turns=1)
    return user.initiate_chat(writer, message=f"Write: {message}\n\nOutline:\n{outline.summary}", max_turns=1)
