"""An agent to whose messages a hook adds a picture, and which remembers it.

The picture of the first turn is in the request of the third, after a restart. One call.
"""

from autogen import AssistantAgent, UserProxyAgent

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"


class Photographer(UserProxyAgent):
    def send(self, message, recipient, request_reply=None, silent=False):
        text = message if isinstance(message, str) else message["content"]
        parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": PIXEL}}]
        return super().send({"content": parts}, recipient, request_reply, silent)


def build(llm_config, chat):
    seer = AssistantAgent("seer", system_message="You are seer.", llm_config=llm_config)
    user = Photographer("user", human_input_mode="NEVER", code_execution_config=False, max_consecutive_auto_reply=0)
    return user, seer


def check(turns):
    for turn in turns[:3]:
        assert str(turn.requests[0].body).count(PIXEL) >= turn.number


EXPECTED = {"calls": 1, "says": ["seer"], "summary": "seer gives answer 1 in turn {turn}."}
