"""Code that never ends, run by the old form of code_execution_config (work_dir, no Docker), in turn 4 only.

Otherwise the writer speaks of the result. A stop kills the program with its children. Two calls.
"""

import os

from autogen import AssistantAgent, UserProxyAgent


def build(llm_config, chat):
    writer = AssistantAgent("writer", system_message="You are writer.", llm_config=llm_config)
    runner = UserProxyAgent(
        "runner",
        human_input_mode="NEVER",
        is_termination_msg=lambda msg: msg.get("content") and "TERMINATE" in msg["content"],
        code_execution_config={"work_dir": os.environ.get("PROGRAM_FOLDER", "."), "use_docker": False},
    )
    return runner, writer


def answers(asked):
    if "exitcode" in asked.last:
        return f"The code ran, turn {asked.turn}. TERMINATE"
    if asked.turn == 4:
        return "```sh\necho $$ > endless.pid; sleep 3600 & wait\n```"
    return "```sh\necho hello from the shell\n```"


def check(turns):
    for turn in turns[:3]:
        assert any("hello from the shell" in str(content["content"]) for content in turn.texts)
    pid = int((turns[3].folder / "endless.pid").read_text())
    assert not os.path.exists(f"/proc/{pid}"), "the program still runs"


EXPECTED = {
    "calls": 2,
    "asks": [("", "approve")],
    "says": ["writer", "writer"],
    "summary": "The code ran, turn {turn}.",
    "stop": "endless.pid",
}
