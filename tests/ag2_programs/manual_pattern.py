"""ManualPattern: the person chooses the next agent.

One agent speaks by itself, the person chooses the other, then themselves. Two calls, then one.
"""

from autogen import ConversableAgent
from autogen.agentchat.group.patterns import ManualPattern


def build(llm_config, chat):
    first, second = (
        ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config) for name in ("first", "second")
    )
    user = ConversableAgent(name="user", human_input_mode="ALWAYS")
    return ManualPattern(
        initial_agent=first, agents=[first, second], user_agent=user, group_manager_args={"llm_config": llm_config}
    )


def check(turns):
    assert [content["sender"] for content in turns[0].texts][:2] == ["first", "second"]


EXPECTED = {"asks": [("", "=second"), ("", "=user")], "stop": "question"}
