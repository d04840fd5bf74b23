"""Talks with you about anything, in a few sentences."""

from autogen import ConversableAgent, LLMConfig

from agentchat.chat import Chat

# Questions that the first screen of the page offers.
SUGGESTIONS = ["What can you help me with?", "Explain recursion to a child"]


def build(llm_config: LLMConfig, chat: Chat) -> ConversableAgent:
    """Called for each conversation; the agent remembers what was said in it, also after a restart."""
    return ConversableAgent(
        "companion",
        system_message="You are friendly and brief: you answer in two or three sentences.",
        llm_config=llm_config,
        human_input_mode="NEVER",
    )
