"""Tells you the weather in any city. The forecasts are made up: it shows how an agent uses a tool."""

import random

from autogen import ConversableAgent, LLMConfig, UserProxyAgent, register_function

from agentchat.chat import Chat

ICON = "cloud"
COLOR = "#1f6fb2"
SUGGESTIONS = [
    "What is the weather in Oslo?",
    "Do I need an umbrella in Bergen?",
    "Forecast for Buenos Aires, please",
]


def weather_forecast(city: str) -> str:
    """Weather forecast for a city, umbrella or not."""
    chance = random.Random(city.lower())  # the same city always has the same weather
    sky = chance.choice(["sunny", "partly cloudy", "overcast", "rainy", "windy", "snowy"])
    degrees = chance.randint(-5, 2) if sky == "snowy" else chance.randint(3, 32)
    return f"Mock forecast for {city}: {sky}, {degrees} °C, wind {chance.randint(1, 14)} m/s. Not real data."


def build(llm_config: LLMConfig, chat: Chat) -> tuple[UserProxyAgent, ConversableAgent]:
    agent = ConversableAgent(
        "forecaster",
        system_message="You tell people the weather. Use the tool for every city you are asked about. "
        "Say that its forecasts are made up. Answer in one or two sentences.",
        llm_config=llm_config,
        human_input_mode="NEVER",
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(weather_forecast, caller=agent, executor=user, description=str(weather_forecast.__doc__))
    return user, agent
