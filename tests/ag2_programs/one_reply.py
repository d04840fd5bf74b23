"""The smallest published pair: an assistant, and a proxy with max_consecutive_auto_reply=1.

The assistant answers, the proxy's empty reply gets one more answer. At most two calls.
"""

from autogen import AssistantAgent, UserProxyAgent


def build(llm_config, chat):
    assistant = AssistantAgent("my_assistant", system_message="You are my_assistant.", llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", max_consecutive_auto_reply=1, code_execution_config=False)
    return user, assistant


def check(turns):
    assert all(1 <= len(turn.requests) <= 2 for turn in turns[:3])


EXPECTED = {"summary": "my_assistant gives answer", "stop": 1}
