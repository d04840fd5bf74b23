"""Plain Python with a memory of its choice: `chat.history` is given to `generate_reply`.

The third turn knows the first. One call.
"""

from autogen import ConversableAgent


def on_message(message, chat):
    agent = ConversableAgent("rememberer", system_message="You are rememberer.", llm_config=chat.llm_config)
    reply = agent.generate_reply(messages=[*chat.history, {"role": "user", "content": message}])
    return reply if isinstance(reply, str) else reply["content"]


def check(turns):
    assert "rememberer gives answer 1 in turn 2." in str(turns[2].requests[0].body)


EXPECTED = {"calls": 1, "summary": "rememberer gives answer 1 in turn {turn}."}
