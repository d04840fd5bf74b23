"""A generator of pieces of text, with an agent's reply between them.

The pieces are streamed and put together; they are the answer. One call.
"""

from autogen import ConversableAgent


def on_message(message, chat):
    yield "Let me see. "
    agent = ConversableAgent("thinker", system_message="You are thinker.", llm_config=chat.llm_config)
    reply = agent.generate_reply(messages=[{"role": "user", "content": message}])
    yield "I was told: "
    yield reply if isinstance(reply, str) else reply["content"]


def check(turns):
    for turn in turns[:3]:
        assert turn.summary.startswith("Let me see. I was told: thinker")
        assert turn.summary in turn.streamed().values()


EXPECTED = {"calls": 1, "summary": "I was told: thinker gives answer 1 in turn {turn}.", "memory": False}
