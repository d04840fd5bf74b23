"""A chat that is silent (`silent=True`), whose summary alone is returned.

The answer is the summary. One call.
"""

from autogen import AssistantAgent, UserProxyAgent


def on_message(message, chat):
    agent = AssistantAgent("quiet", system_message="You are quiet.", llm_config=chat.llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    result = user.initiate_chat(agent, message=message, silent=True, max_turns=1)
    return f"Quietly: {result.summary}"


EXPECTED = {"calls": 1, "summary": "Quietly: quiet gives answer 1 in turn {turn}.", "memory": False}
