"""Three agents asked at once by a ThreadPoolExecutor.

Each is heard as itself, their words not mixed; the answer joins them. Three calls.
"""

from concurrent.futures import ThreadPoolExecutor

from autogen import ConversableAgent, UserProxyAgent


def on_message(message, chat):
    def ask(name):
        agent = ConversableAgent(name, system_message=f"You are {name}.", llm_config=chat.llm_config)
        user = UserProxyAgent(f"user_of_{name}", human_input_mode="NEVER", code_execution_config=False)
        print("PRINTED by", name)
        return user.initiate_chat(agent, message=message, max_turns=1).summary

    with ThreadPoolExecutor(max_workers=3) as pool:
        summaries = list(pool.map(ask, ["red", "green", "blue"]))
    return " ".join(summaries)


def answers(asked):
    return f"{asked.name} thinks of turn {asked.turn}."


def check(turns):
    for turn in turns[:3]:
        assert sorted(turn.said) == ["blue", "green", "red"]
        assert turn.output.count("PRINTED by") == 3
        assert all(name in turn.output for name in turn.said)


EXPECTED = {
    "calls": 3,
    "summary": "red thinks of turn {turn}. green thinks of turn {turn}. blue thinks of turn {turn}.",
    "memory": False,
    "stop": 3,
}
