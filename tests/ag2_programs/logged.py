"""runtime_logging to a file around a chat, and a usage summary at the end.

It works as without; the summary of usage is output. One call.
"""

import os

import autogen.runtime_logging
from autogen import AssistantAgent, UserProxyAgent, gather_usage_summary


def on_message(message, chat):
    path = os.path.join(os.environ.get("PROGRAM_FOLDER", "."), "runtime.log")
    autogen.runtime_logging.start(logger_type="file", config={"filename": path})
    try:
        agent = AssistantAgent("logged", system_message="You are logged.", llm_config=chat.llm_config)
        user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
        result = user.initiate_chat(agent, message=message, max_turns=1)
    finally:
        autogen.runtime_logging.stop()
    agent.print_usage_summary()
    print("PRINTED:", gather_usage_summary([agent])["usage_including_cached_inference"]["total_cost"])
    return result


def check(turns):
    assert all("PRINTED: 0" in turn.output for turn in turns[:3])


EXPECTED = {
    "calls": 1,
    "says": ["logged"],
    "summary": "logged gives answer 1 in turn {turn}.",
    "memory": False,
    "left": False,
}
