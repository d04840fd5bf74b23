"""`for event in response.events`, with its own handling of text and of requests for input.

Two agents talk for one round; the loop prints what it hears. One call.
"""

from autogen import ConversableAgent


def on_message(message, chat):
    writer = ConversableAgent("writer", system_message="You are writer.", llm_config=chat.llm_config)
    reader = ConversableAgent("reader", llm_config=False, human_input_mode="NEVER")
    response = reader.run(recipient=writer, message=message, max_turns=1)
    for event in response.events:
        if event.type == "input_request":
            event.content.respond("")
        elif event.type == "text":
            print("PRINTED:", event.content.sender, event.content.content)
    return response.summary


def check(turns):
    assert all("PRINTED: writer writer gives answer" in turn.output for turn in turns[:3])


EXPECTED = {
    "calls": 1,
    "says": ["writer"],
    "summary": "writer gives answer 1 in turn {turn}.",
    "memory": False,
}
