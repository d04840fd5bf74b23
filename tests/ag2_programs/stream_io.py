"""The `on_connect` of AG2's WebSocket tutorial, as on_message: it prints and asks on AG2's stream.

The person is asked by AG2's stream; the agent speaks. One call.
"""

from autogen import ConversableAgent, UserProxyAgent
from autogen.io.base import IOStream


def on_message(message, chat):
    stream = IOStream.get_default()
    stream.print("PRINTED: on AG2's stream")
    city = stream.input("Which city? ")
    agent = ConversableAgent(name="chatbot", system_message="You are chatbot.", llm_config=chat.llm_config)
    user = UserProxyAgent(
        name="user_proxy",
        system_message="A proxy for the user.",
        is_termination_msg=lambda x: x.get("content", "") and x.get("content", "").rstrip().endswith("TERMINATE"),
        human_input_mode="NEVER",
        max_consecutive_auto_reply=10,
        code_execution_config=False,
    )

    @user.register_for_execution()
    @agent.register_for_llm(description="Weather forecast for a city")
    def weather_forecast(city: str) -> str:
        return f"The weather forecast for {city} is sunny."

    user.initiate_chat(agent, message=f"{message} City: {city}")


def answers(asked):
    if asked.tells:
        return f"Sunny in turn {asked.turn}. TERMINATE"
    return [("weather_forecast", {"city": "Rome"})]


EXPECTED = {
    "calls": 2,
    "asks": [("Which city?", "Rome")],
    "says": ["chatbot"],
    "summary": "Sunny in turn {turn}.",
    "memory": False,
    "stop": 2,
}
