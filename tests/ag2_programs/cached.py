"""Caches: `with Cache.disk()` if its package is there, and a cache_seed in the config.

The same question is asked twice in each turn, and the model once. One call.
"""

from autogen import AssistantAgent, Cache, UserProxyAgent


def on_message(message, chat):
    agent = AssistantAgent("saver", system_message="You are saver.", llm_config=chat.llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    with Cache.disk(cache_seed=7) as cache:
        first = user.initiate_chat(agent, message=message, max_turns=1, cache=cache)
        second = user.initiate_chat(agent, message=message, max_turns=1, cache=cache)
    return f"{first.summary} Same: {first.summary == second.summary}"


def check(turns):
    for turn in turns[:3]:
        assert turn.said == ["saver", "saver"]


EXPECTED = {"calls": 1, "summary": "saver gives answer 1 in turn {turn}. Same: True", "memory": False}
