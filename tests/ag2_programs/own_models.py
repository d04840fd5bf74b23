"""Models of the program's own: an LLMConfig at module level, a dict with a config_list, and `where`.

All three speak, with tokens; their keys are nowhere to be seen. Three calls.
"""

import os

from autogen import AssistantAgent, GroupChat, GroupChatManager, LLMConfig, UserProxyAgent

URL = os.environ.get("MODEL_URL", "http://127.0.0.1:9/v1")
own = LLMConfig({"api_type": "openai", "model": "own-1", "api_key": "sk-own-key-123456789", "base_url": URL})
as_dict = {
    "config_list": [{"model": "own-2", "api_key": "sk-own-key-123456789", "base_url": URL}],
    "temperature": 0,
    "timeout": 120,
    "cache_seed": None,
}


def build(llm_config, chat):
    alpha = AssistantAgent("alpha", system_message="You are alpha.", llm_config=own)
    beta = AssistantAgent("beta", system_message="You are beta.", llm_config=as_dict)
    gamma = AssistantAgent("gamma", system_message="You are gamma.", llm_config=llm_config.where(model="scripted"))
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    group = GroupChat([user, alpha, beta, gamma], [], max_round=4, speaker_selection_method="round_robin")
    return user, GroupChatManager(group, llm_config=own)


def answers(asked):
    return f"{asked.name} of turn {asked.turn} says: my key is sk-own-key-123456789 indeed."


def check(turns):
    for turn in turns[:3]:
        assert [request.body["model"] for request in turn.requests] == ["own-1", "own-2", "scripted"]
        assert "sk-own-key" not in str(turn.frames)
        assert [content["sender"] for content in turn.texts] == ["alpha", "beta", "gamma"]
        assert len(turn.streamed()) == 3, "not streamed"
        assert turn.end["usage"]["prompt_tokens"]


EXPECTED = {"calls": 3, "summary": "gamma of turn {turn} says: my key is", "stop": 2}
