"""Books a train, and asks you before it does. Nothing is really booked: it shows how an agent asks people."""

from autogen import ConversableAgent, LLMConfig, UserProxyAgent, register_function
from autogen.io.base import IOStream

from agentchat.chat import Chat, needs_approval

ICON = "train"
COLOR = "#b3471d"
SUGGESTIONS = ["Book a train to Lisbon", "Cancel my train to Lisbon"]


def book_train(city: str) -> str:
    """Book a train to a city."""
    day = IOStream.get_default().input(f"On which day do you want to go to {city}?")
    return f"Mock booking: a train to {city} on {day}."


@needs_approval
def cancel_train(city: str) -> str:
    """Cancel a train to a city."""
    return f"Mock cancellation: the train to {city}."


def build(llm_config: LLMConfig, chat: Chat) -> tuple[UserProxyAgent, ConversableAgent]:
    agent = ConversableAgent(
        "clerk",
        system_message="You book and cancel trains with your tools. The tools ask the person for what is missing. "
        "Say that the bookings are made up. Answer in one or two sentences.",
        llm_config=llm_config,
        human_input_mode="NEVER",
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (book_train, cancel_train):
        register_function(tool, caller=agent, executor=user, description=str(tool.__doc__))
    return user, agent
