"""The most published pair: an assistant writes code, its user proxy runs it locally.

The code is asked about and runs after a yes; the user proxy says its result; the assistant then ends. Two calls.
"""

import os

from autogen import AssistantAgent, UserProxyAgent
from autogen.coding import LocalCommandLineCodeExecutor


def build(llm_config, chat):
    executor = LocalCommandLineCodeExecutor(work_dir=os.environ.get("PROGRAM_FOLDER", "."), timeout=60)
    assistant = AssistantAgent("assistant", llm_config=llm_config)
    user_proxy = UserProxyAgent(
        "user_proxy",
        human_input_mode="NEVER",
        max_consecutive_auto_reply=10,
        is_termination_msg=lambda x: x.get("content", "").rstrip().endswith("TERMINATE"),
        code_execution_config={"executor": executor},
    )
    return user_proxy, assistant


def answers(asked):
    if "exitcode" in asked.last:
        return f"It printed the number, turn {asked.turn}. TERMINATE"
    return "Run this:\n```python\nprint(6 * 7)\n```"


def check(turns):
    for turn in turns[:3]:
        told = [str(content["content"]) for content in turn.texts if content["sender"] == "user_proxy"]
        assert len(told) == 1, turn.texts
        assert "42" in told[0]
        assert "exitcode: 0" in told[0]


EXPECTED = {
    "calls": 2,
    "asks": [("", "approve")],
    "says": ["assistant", "assistant"],
    "summary": "It printed the number, turn {turn}.",
    "stop": 1,
}
