"""Tells the time anywhere and sends invitations. Shows tools, and one that needs a yes."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from autogen import ConversableAgent, LLMConfig

from agentchat.chat import Chat, needs_approval

SUGGESTIONS = ["What is the time in Europe/Oslo?", "Invite ann@example.com to lunch"]


# The model sees a tool's name, its docstring and its arguments. An exception becomes the result: it can try again.
def time_in(zone: Annotated[str, "A time zone, such as Europe/Oslo"]) -> str:
    """Get the time of a time zone."""
    return datetime.now(ZoneInfo(zone)).strftime("%H:%M on %A")


@needs_approval  # the person sees the arguments, and may change them or say no
def invite(email: str, occasion: str) -> str:
    """Invite somebody by e-mail."""
    return f"Sent to {email}: you are invited to {occasion}."  # a real one would send it here


def build(llm_config: LLMConfig, chat: Chat) -> ConversableAgent:
    return ConversableAgent(
        "assistant",
        system_message="You tell the time and invite people. Use the tools; answer in one sentence.",
        llm_config=llm_config,
        human_input_mode="NEVER",
        functions=[time_in, invite],
    )
