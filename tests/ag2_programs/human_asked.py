"""An agent opens the chat with a human: `agent.initiate_chat(human, message="…?", max_turns=2)`.

The person is asked what the agent says, twice; the agent answers in between. One call.
"""

from autogen import ConversableAgent


def on_message(message, chat):
    teacher = ConversableAgent("teacher", system_message="You are teacher.", llm_config=chat.llm_config)
    human = ConversableAgent("human", human_input_mode="ALWAYS")
    result = teacher.initiate_chat(human, message=f"You said «{message}». Which topic?", max_turns=2)
    return f"{result.chat_history[-2]['content']} And you: {result.chat_history[-1]['content']}"


EXPECTED = {
    "calls": 1,
    "asks": [("", "Volcanoes"), ("", "Thank you")],
    "summary": "teacher gives answer 1 in turn {turn}. And you: Thank you",
    "memory": False,
    "stop": 1,
}
