"""Tools that use agents in every way: generate_reply, initiate_chat, run, a_run, an agent as a tool.

Each is heard within the holder, streamed. Six calls.
"""

from autogen import ConversableAgent, UserProxyAgent


def build(llm_config, chat):
    def agent(name):
        return ConversableAgent(
            name, system_message=f"You are {name}.", llm_config=llm_config, human_input_mode="NEVER"
        )

    def by_reply(question: str) -> str:
        """Ask by a reply."""
        return str(agent("replier").generate_reply(messages=[{"role": "user", "content": question}]))

    def by_chat(question: str) -> str:
        """Ask by a chat."""
        asker = ConversableAgent("asker", llm_config=False, human_input_mode="NEVER")
        return str(asker.initiate_chat(agent("chatter"), message=question, max_turns=1).summary)

    def by_run(question: str) -> str:
        """Ask by a run."""
        response = agent("runner").run(message=question, max_turns=1, user_input=False)
        response.process()
        return str(response.summary)

    async def by_async_run(question: str) -> str:
        """Ask by an asynchronous run."""
        response = await agent("racer").a_run(message=question, max_turns=1, user_input=False)
        await response.process()
        return str(await response.summary)

    tools = [by_reply, by_chat, by_run, by_async_run]
    holder = ConversableAgent("holder", system_message="You are holder.", functions=tools, llm_config=llm_config)
    return UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False), holder


def answers(asked):
    if asked.name != "holder":
        return None
    if asked.tells:
        return f"All four answered in turn {asked.turn}."
    names = ("by_reply", "by_chat", "by_run", "by_async_run")
    return [(name, {"question": name}) for name in names] if asked.number == 1 else ""


def check(turns):
    for turn in turns[:3]:
        assert [name for name in ("replier", "chatter", "runner", "racer") if name not in str(turn.results)] == []
        spoke = [speaker for speaker in turn.said if speaker != "holder"]
        assert {speaker.partition("<")[0] for speaker in spoke} == {"replier", "chatter", "runner", "racer"}, turn.said
        assert all("<" in speaker for speaker in spoke), turn.said


EXPECTED = {"summary": "All four answered in turn {turn}.", "stop": 4}
