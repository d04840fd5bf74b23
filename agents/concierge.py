"""Finds out what you want, and hands you over to whoever knows: a specialist, or a human."""

from typing import Literal

from autogen import ConversableAgent, LLMConfig, UpdateSystemMessage, UserProxyAgent
from autogen.agentchat.group import AgentNameTarget, ReplyResult, TerminateTarget
from autogen.agentchat.group.patterns import DefaultPattern
from travel import book_train, cancel_train
from weather import weather_forecast

from agentchat.chat import Chat
from agentchat.teams import manager_of

ICON = "talk"
COLOR = "#8a3b78"
SUGGESTIONS = ["What is the weather in Oslo?", "I want to go to Lisbon by train", "I would like to talk to a human"]

TEAM = """The person is served by three of you: `concierge` (welcomes, remembers), `weather` (forecasts), `travel`
(books and cancels trains). Call hand_over when another one is right for what they want now, and hand_to_human when they
ask for a human, are upset, or none of you can help; never twice for the same wish. Answer in one or two sentences.
What you know of the person: {known}"""

CONCIERGE = """You are the concierge. Find out what the person wants. Use remember for what they ask you to remember,
such as their name or what they like, and for nothing else; and forget when they say so."""


def build(llm_config: LLMConfig, chat: Chat) -> tuple[UserProxyAgent, ConversableAgent]:
    def hand_over(to: Literal["concierge", "weather", "travel"], reason: str) -> ReplyResult:
        """Hand over to one of the others, who then answers."""
        return ReplyResult(message=f"{to} has taken over: {reason}", target=AgentNameTarget(to))

    def hand_to_human(reason: str) -> str:
        """Ask for a human colleague to take over."""
        return chat.hand_to_human(reason)

    def remember(key: str, value: str) -> str:
        """Remember something about the person for ever, such as key 'name' and value 'Ann'."""
        return chat.remember(key, value)

    def forget(key: str) -> str:
        """Forget something about the person that was remembered under that key."""
        return chat.forget(key)

    def member(name: str, role: str, *tools: object) -> ConversableAgent:
        def prompt(agent: ConversableAgent, messages: list[dict[str, object]]) -> str:
            known = "; ".join(f"{key}: {value}" for key, value in chat.recall().items())
            return f"{role}\n\n{TEAM.format(known=known or 'nothing')}"

        return ConversableAgent(
            name,
            llm_config=llm_config,
            human_input_mode="NEVER",
            functions=[*tools, hand_over, hand_to_human],
            update_agent_state_before_reply=[UpdateSystemMessage(prompt)],
        )

    concierge = member("concierge", CONCIERGE, remember, forget)
    weather = member("weather", "You tell people the weather. The forecasts are made up: say so.", weather_forecast)
    travel = member("travel", "You book and cancel trains. The bookings are made up: say so.", book_train, cancel_train)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    pattern = DefaultPattern(
        initial_agent=concierge,
        agents=[concierge, weather, travel],
        user_agent=user,
        group_after_work=TerminateTarget(),
    )
    return user, manager_of(pattern)
