"""`agent.run(..., user_input=True)`, processed: after each answer the person is asked, as on a console.

They say one thing more, then end. Two calls.
"""

from autogen import ConversableAgent


def on_message(message, chat):
    agent = ConversableAgent("host", system_message="You are host.", llm_config=chat.llm_config)
    response = agent.run(message=message, user_input=True, max_turns=5)
    response.process()
    return response.summary


EXPECTED = {
    "calls": 2,
    "asks": [("", "Tell me more"), ("", "exit")],
    "says": ["host", "host"],
    "summary": "host gives answer 2 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
