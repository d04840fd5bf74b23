"""A MultimodalConversableAgent, shown a picture by an <img> tag in the message (needs Pillow).

The picture of the first turn is in the request of the third, after a restart. One call.
"""

from autogen import UserProxyAgent
from autogen.agentchat.contrib.multimodal_conversable_agent import MultimodalConversableAgent

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)


def build(llm_config, chat):
    explainer = MultimodalConversableAgent(
        "explainer", system_message="You are explainer.", llm_config=llm_config, max_consecutive_auto_reply=10
    )
    user = UserProxyAgent(
        "user", human_input_mode="NEVER", max_consecutive_auto_reply=0, code_execution_config={"use_docker": False}
    )
    return user, explainer


def check(turns):
    for turn in turns[:3]:
        assert "image_url" in str(turn.requests[0].body)


EXPECTED = {
    "needs": "PIL",
    "first": f"Turn 1: my cat is called Plum. <img {PIXEL}>",
    "calls": 1,
    "says": ["explainer"],
    "summary": "explainer gives answer 1 in turn {turn}.",
}
