"""Agents of one's own classes: generate_oai_reply overridden, reply functions registered, llm_config=False.

The counter answers by itself, the shouter changes what its model said. One call.
"""

from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent


class Shouter(ConversableAgent):
    def generate_oai_reply(self, messages=None, sender=None, config=None, **kwargs):
        done, reply = super().generate_oai_reply(messages, sender, config, **kwargs)
        return done, reply if isinstance(reply, dict) else str(reply).upper()


class Shouting(Shouter):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.replace_reply_func(ConversableAgent.generate_oai_reply, Shouting.generate_oai_reply)


def build(llm_config, chat):
    counter = ConversableAgent("counter", llm_config=False, human_input_mode="NEVER")
    counter.register_reply(
        [ConversableAgent, None],
        lambda recipient, messages, sender, config: (True, f"I count {len(messages[-1]['content'])} letters."),
    )
    shouter = Shouting("shouter", system_message="You are shouter.", llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    group = GroupChat([user, counter, shouter], [], max_round=3, speaker_selection_method="round_robin")
    return user, GroupChatManager(group, llm_config=False)


def check(turns):
    for turn in turns[:3]:
        assert [content["sender"] for content in turn.texts] == ["counter", "shouter"]
        assert turn.texts[0]["content"].startswith("I count")


EXPECTED = {"calls": 1, "summary": "SHOUTER GIVES ANSWER 1 IN TURN {turn}.", "stop": 1, "edited": True}
