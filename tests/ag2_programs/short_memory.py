"""Capabilities: TransformMessages with a MessageHistoryLimiter, and hooks on messages of every kind.

The model is told the last three messages only; a hook signs what is sent. One call.
"""

from autogen import AssistantAgent, UserProxyAgent
from autogen.agentchat.contrib.capabilities.transform_messages import TransformMessages
from autogen.agentchat.contrib.capabilities.transforms import MessageHistoryLimiter


def build(llm_config, chat):
    agent = AssistantAgent("brief", system_message="You are brief.", llm_config=llm_config)
    TransformMessages(transforms=[MessageHistoryLimiter(max_messages=3)]).add_to_agent(agent)

    def sign(sender, message, recipient, silent):
        if isinstance(message, str):
            return message + " (signed)"
        return {**message, "content": f"{message['content']} (signed)"} if message.get("content") else message

    agent.register_hook("process_message_before_send", sign)
    agent.register_hook("process_last_received_message", lambda content: f"{content} [hooked]")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, max_consecutive_auto_reply=0)
    return user, agent


def check(turns):
    assert all("[hooked]" in turn.requests[0].last for turn in turns[:3])
    assert all(len(turn.requests[0].messages) <= 4 for turn in turns[:3])


EXPECTED = {"calls": 1, "summary": "brief gives answer 1 in turn {turn}. (signed)", "memory": False, "edited": True}
