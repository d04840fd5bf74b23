"""`sequential_run`: one response for each chat, processed one after another.

Two agents speak. Two calls.
"""

from autogen import ConversableAgent


def on_message(message, chat):
    one, two, boss = (
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=chat.llm_config, human_input_mode="NEVER")
        for name in ("first", "second", "boss")
    )
    responses = boss.sequential_run(
        [
            {"recipient": one, "message": message, "max_turns": 1, "summary_method": "last_msg"},
            {"recipient": two, "message": "And you?", "max_turns": 1, "summary_method": "last_msg"},
        ]
    )
    for response in responses:
        response.process()
    return responses[-1].summary


EXPECTED = {
    "calls": 2,
    "says": ["first", "second"],
    "summary": "second gives answer 2 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
