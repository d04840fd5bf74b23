"""The server of AG2's guide "Websockets: Streaming input and output using websockets", for comparison.

Two things were added to allow several turns on one connection: the loop, and a proxy without an automatic reply, so
that a turn ends with the model's own `text` event.
"""

from __future__ import annotations

import argparse
import sys

from autogen import ConversableAgent, LLMConfig, UserProxyAgent, register_function
from autogen.io.websockets import IOWebsockets

AGENT = "chatbot"


def weather_forecast(city: str) -> str:
    return f"The weather forecast for {city} is sunny."


def on_connect(iostream: IOWebsockets) -> None:
    message = iostream.input()
    agent = ConversableAgent(
        name=AGENT,
        system_message="Complete a task given to you. If asked about the weather, use the tool.",
        llm_config=LLMConfig.from_json(path="OAI_CONFIG_LIST"),
    )
    user_proxy = UserProxyAgent(
        name="user_proxy",
        human_input_mode="NEVER",
        code_execution_config=False,
        default_auto_reply=None,
    )
    register_function(weather_forecast, caller=agent, executor=user_proxy, description="Weather forecast for a city")
    while True:
        user_proxy.initiate_chat(agent, message=message, clear_history=False)
        message = iostream.input()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    with IOWebsockets.run_server_in_thread(on_connect=on_connect, port=parser.parse_args().port) as uri:
        print(uri, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
