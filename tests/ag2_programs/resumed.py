"""A group that is resumed from its messages (`manager.resume`), kept as JSON in chat.state.

The group goes on where it was. Two calls in the first turn, then two more.
"""

import json

from autogen import ConversableAgent, GroupChat, GroupChatManager


def on_message(message, chat):
    agents = [
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=chat.llm_config, human_input_mode="NEVER")
        for name in ("ada", "bob")
    ]
    group = GroupChat(agents, [], max_round=3, speaker_selection_method="round_robin")
    manager = GroupChatManager(group, llm_config=chat.llm_config)
    if earlier := chat.state.get("messages"):
        last_agent, _ = manager.resume(messages=[*json.loads(earlier), {"role": "user", "content": message}])
        last_agent.initiate_chat(manager, message=message, clear_history=False)
    else:
        agents[1].initiate_chat(manager, message=message, clear_history=False)
    chat.state["messages"] = json.dumps(group.messages)
    return group.messages[-1]["content"]


EXPECTED = {"summary": "in turn {turn}.", "stop": 2}
