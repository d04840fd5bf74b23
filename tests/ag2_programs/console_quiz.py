"""A program of the terminal: print(), input() and getpass() around one agent.

The person is asked twice, once without echo; nothing is on the server's terminal. One call.
"""

import getpass

from autogen import AssistantAgent, UserProxyAgent


def on_message(message, chat):
    print("PRINTED: welcome to the quiz")
    answer = input("Your answer: ")
    secret = getpass.getpass("Your code: ")
    agent = AssistantAgent("quizmaster", system_message="You are quizmaster.", llm_config=chat.llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    result = user.initiate_chat(agent, message=f"{message} They said {answer}.", max_turns=1)
    print("PRINTED: bye")
    return f"{result.summary} ({len(secret)} letters)"


def check(turns):
    for turn in turns[:3]:
        assert "PRINTED: welcome to the quiz" in turn.output
        assert "PRINTED: bye" in turn.output
        assert [question["password"] for question in turn.questions] == [False, True]
        assert "They said 42." in turn.requests[0].last
        assert "s3cret" not in str([frame for frame in turn.frames if frame["type"] != "input_request"])


EXPECTED = {
    "calls": 1,
    "asks": [("Your answer", "42"), ("Your code", "s3cret")],
    "says": ["quizmaster"],
    "summary": "quizmaster gives answer 1 in turn {turn}. (6 letters)",
    "memory": False,
    "stop": "question",
}
