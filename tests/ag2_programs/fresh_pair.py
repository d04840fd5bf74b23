"""A pair that forgets what was said before each message, as a script that runs once (`Run(fresh=True)`).

One round; a function makes the summary. One call.
"""

from autogen import AssistantAgent, UserProxyAgent

from agentchat.chat import Run


def last_words(sender, recipient, summary_args):
    return f"Said: {recipient.last_message(sender)['content']}"


def build(llm_config, chat):
    agent = AssistantAgent("oracle", system_message="You are oracle.", llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    return Run((user, agent), max_turns=1, fresh=True, summary_method=last_words)


EXPECTED = {
    "calls": 1,
    "says": ["oracle"],
    "summary": "Said: oracle gives answer 1 in turn {turn}.",
    "memory": False,
}
