"""Agent files give their agents in many shapes; each becomes a team or a program, or is answered with the way out."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentchat.ag2.shapes import Program, Team
from agentchat.app import Running
from agentchat.chat import Chat
from agentchat.protocol.errors import ChatError
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.shared_servers import Served, start

HEAD = """
import asyncio
from autogen import AssistantAgent, ConversableAgent, GroupChat, GroupChatManager, LLMConfig, UserProxyAgent
from autogen.agentchat.group.patterns import AutoPattern, DefaultPattern, ManualPattern, RandomPattern
from autogen.agentchat.group.patterns import RoundRobinPattern
from agentchat.chat import Run
from agentchat.teams import manager_of

def agent(name, config, **more):
    return ConversableAgent(name, llm_config=config, human_input_mode="NEVER", **more)

def person(name="Customer", **more):
    return UserProxyAgent(name, human_input_mode="NEVER", code_execution_config=False, **more)
"""

Build = Callable[[str], Team | Program]
Again = Callable[[str], tuple[Team | Program, Team | Program]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "first.py").write_text(HEAD + "def build(c, chat): return agent('first', c)")
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    served = start(["demo", "--data-dir", str(folder / "data"), "--agents", str(folder)], {})
    yield served
    served.close()


@pytest.fixture
def again(served: Served, folder: Path, tmp_path: Path) -> Iterator[Again]:
    """Build the agent of a file with that source for two conversations."""
    path = folder / f"{tmp_path.name}.py"

    def again(source: str) -> tuple[Team | Program, Team | Program]:
        path.write_text(HEAD + source)
        return served.catalogue.build(path.stem, Chat("s")), served.catalogue.build(path.stem, Chat("t"))

    yield again
    path.unlink()


@pytest.fixture
def build(served: Served, folder: Path, tmp_path: Path) -> Iterator[Build]:
    """Build the agent of a file with that source. Raises AssertionError with the reason if that is impossible."""
    path = folder / f"{tmp_path.name}.py"

    def build(source: str) -> Team | Program:
        path.write_text(HEAD + source)
        try:
            return served.catalogue.build(path.stem, Chat("s"))
        except ChatError as error:
            raise AssertionError(error.message.partition("cannot start: ")[2]) from error

    yield build
    path.unlink()


def team(made: Team | Program) -> Team:
    assert isinstance(made, Team)
    return made


@pytest.mark.parametrize(
    ("returned", "user", "agent"),
    [
        ("person(), agent('clerk', c)", "Customer", "clerk"),
        ("[person(), agent('clerk', c)]", "Customer", "clerk"),
        ("agent('clerk', c), person()", "Customer", "clerk"),
        ("agent('clerk', c)", "user", "clerk"),
        ("agent('user', c)", "person", "user"),
        ("Run(agent('clerk', c))", "user", "clerk"),
        ("Run((person(), agent('clerk', c)), max_turns=3)", "Customer", "clerk"),
        ("GroupChat([person(), agent('a', c), agent('b', c)], [])", "Customer", "chat_manager"),
        ("GroupChatManager(GroupChat([person(), agent('a', c)], []), llm_config=c)", "Customer", "chat_manager"),
        ("GroupChat([agent('a', c), agent('b', c)], [])", "user", "chat_manager"),
        ("GroupChat([agent('a', c), ConversableAgent('human')], [])", "human", "chat_manager"),
        (
            "GroupChat([UserProxyAgent('runs_code', human_input_mode='NEVER', code_execution_config={'use_docker':"
            " False}), person(), agent('a', c)], [])",
            "Customer",
            "chat_manager",
        ),
        ("person(), GroupChat([agent('a', c), agent('b', c)], [])", "Customer", "chat_manager"),
        ("DefaultPattern(agent('a', c), [agent('b', c)], user_agent=person())", "Customer", "chat_manager"),
        ("person(), RoundRobinPattern(agent('a', c), [agent('b', c)])", "Customer", "chat_manager"),
        ("AutoPattern(agent('a', c), [agent('b', c)], group_manager_args={'llm_config': c})", "user", "chat_manager"),
        ("ManualPattern(agent('a', c), [agent('user', c)])", "person", "chat_manager"),
        ("RandomPattern(agent('a', c), [agent('b', c)])", "user", "chat_manager"),
        ("manager_of(RandomPattern(agent('a', c), [agent('b', c)]))", "user", "chat_manager"),
    ],
)
def test_shapes_that_build_may_return(build: Build, returned: str, user: str, agent: str) -> None:
    """Each shape becomes a user and an agent, also if `build` is a coroutine."""
    for kind in ("def", "async def"):
        made = team(build(f"{kind} build(c, chat): return {returned}"))
        assert (made.user.name, made.agent.name) == (user, agent)


def test_an_async_build_may_wait(build: Build) -> None:
    """A build that needs a running loop gets one; a function that returns a coroutine is waited for as well."""
    waiting = "async def wait(c):\n    await asyncio.sleep(0)\n    return agent('late', c)\n"
    maker = build(waiting + "async def build(c, chat): return await wait(c)")
    assert team(maker).agent.name == "late"

    async def in_a_notebook() -> Any:
        return team(maker).agent.name  # while the thread's own loop runs

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, in_a_notebook()).result() == "late"
    assert team(build(waiting + "def build(c, chat): return wait(c)")).agent.name == "late"


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        ("None", "build returned None: did you forget `return`?"),
        ("'hello'", "build returned text: to answer with text of your own, write on_message(message, chat)."),
        ("5", "build returned a value of the type int: return an agent, a pair (user, agent)"),
        ("[agent(n, c) for n in 'abc']", "build returned a list of 3 agents: return manager_of(pattern)"),
        ("[agent('a', c)]", "build returned a list of one agent: return manager_of(pattern)"),
        ("c", "build returned an LLMConfig: give it to an agent; return an agent"),
        ("ConversableAgent", "build returned the class ConversableAgent: return an agent"),
        ("(person(), asyncio.sleep(0))", "build returned a coroutine that was not awaited: write `async def build`"),
        ("person()", "build returned a UserProxyAgent alone, which answers nobody: return (user, agent)."),
        ("[{'recipient': agent('a', c)}]", "build returned a list of chats: put initiate_chats into on_message"),
        ("lambda message: message", "build returned a function: call it on_message(message, chat), and remove build."),
        ("(yield)", "build returned a generator: return an agent"),
        (
            "person().initiate_chat(ConversableAgent('a', default_auto_reply='x'), message='hello', max_turns=1)",
            "build returned a ChatResult: put what talks to the agents into on_message(message, chat), and remove",
        ),
        (
            "person('Ann'), DefaultPattern(agent('a', c), [agent('b', c)], user_agent=person('Bob'))",
            "The pattern has the user_agent Bob, but Ann is returned with it",
        ),
    ],
)
def test_what_build_must_not_return(build: Build, returned: str, sentence: str) -> None:
    """A wrong return value is answered with the way out."""
    with pytest.raises(AssertionError) as error:
        build(f"def build(c, chat): return {returned}")
    assert str(error.value).startswith(sentence)


def test_an_agent_of_another_api(build: Build) -> None:
    """An agent of AG2's other API is recognised by its module, without importing it."""
    other = "class Agent: ...\nAgent.__module__ = 'autogen.beta.agent'\n"
    with pytest.raises(AssertionError, match=r"a autogen\.beta\.agent\.Agent, which is not of AG2's classic API"):
        build(other + "def build(c, chat): return Agent()")


@pytest.mark.parametrize(
    "signature",
    [
        "llm_config, chat",
        "chat, llm_config",
        "c, chat",
        "*, llm_config, chat",
        "llm_config",
        "*both",
        "x, *, y=1, chat",
    ],
)
def test_signatures_of_build(build: Build, signature: str) -> None:
    """`build` gets what it takes, by name or by place."""
    body = """
    given = [*locals().values(), *locals().get('both', ())]
    return agent('|'.join(type(value).__name__ for value in given), False)
"""
    kinds = team(build(f"def build({signature}):{body}")).agent.name
    assert "LLMConfig" in kinds
    assert ("Chat" in kinds) == ("chat" in signature or "both" in signature)


def test_a_build_without_parameters(build: Build) -> None:
    """A build that needs nothing is called with nothing."""
    assert team(build("def build(): return agent('alone', False)")).agent.name == "alone"


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        ("def on_message(message, chat): return f'{message} {chat.session_id}'", "hi s"),
        ("def on_message(chat, text): return f'{text} {chat.session_id}'", "hi s"),
        ("def on_message(message): return message", "hi"),
        ("def on_message(message, *, chat): return f'{message} {chat.session_id}'", "hi s"),
        ("def on_message(message, loud=False): return message", "hi"),
    ],
)
def test_signatures_of_on_message(build: Build, function: str, answer: str) -> None:
    """A file with `on_message` is a program, which is called with the message and the chat if it takes them."""
    program = build(function)
    assert isinstance(program, Program)
    assert program.on_message("hi", Chat("s")) == answer


def test_a_program_stays_a_coroutine_or_a_generator(build: Build) -> None:
    """The value that the author's function returns is passed on as it is."""
    program = build("async def on_message(message): return message")
    assert isinstance(program, Program)
    result = program.on_message("hi", Chat("s"))
    assert inspect.iscoroutine(result)
    result.close()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("def build(c, chat, more): ...", "build needs more, which it does not get: write build(llm_config, chat)."),
        ("def build(*, c): ...", "build needs c, which it does not get: write build(llm_config, chat)."),
        ("def on_message(): ...", "on_message does not take the message: write on_message(message, chat)."),
        ("def on_message(a, b, c): ...", "on_message needs c, which it does not get: write on_message(message, chat)."),
        ("def on_message(m): ...\ndef build(c): ...", "The file has both build and on_message: keep one of them."),
    ],
)
def test_signatures_that_cannot_be_called(build: Build, source: str, sentence: str) -> None:
    """A function that cannot be called is refused when the agents are listed."""
    with pytest.raises(AssertionError) as error:
        build(source)
    assert str(error.value) == sentence


def test_build_and_programs_find_the_model(build: Build, served: Served) -> None:
    """`chat.llm_config` is the model in use."""
    chat = Chat("s")
    build("def on_message(message, chat): ...")
    served.catalogue.build("first", chat)
    assert chat.llm_config.config_list[0].model == "demo"


def test_how_a_team_is_run(build: Build) -> None:
    """The options of `Run` are kept; in a group `max_turns` limits its rounds."""
    made = team(build("def build(c): return Run(agent('a', c), max_turns=3, fresh=True, summary_method='x')"))
    assert (made.run.max_turns, made.run.fresh, made.run.summary_method) == (3, True, "x")
    for returned in ("GroupChat([agent('a', c)], [])", "RandomPattern(agent('a', c), [agent('b', c)])"):
        made = team(build(f"def build(c): return Run({returned}, max_turns=7)"))
        assert (made.agent.groupchat.max_round, made.run.max_turns) == (7, None)


@pytest.mark.parametrize(
    ("user", "rounds"),
    [
        ("AssistantAgent('student', llm_config=c)", 2),
        ("AssistantAgent('student', llm_config=c, max_consecutive_auto_reply=5)", None),
        ("AssistantAgent('student', llm_config=c, is_termination_msg=lambda m: 'bye' in m['content'])", None),
        ("ConversableAgent('student', llm_config=c, human_input_mode='ALWAYS')", None),
        ("ConversableAgent('student', llm_config=False)", None),
    ],
)
def test_two_models_talk_for_two_rounds(build: Build, user: str, rounds: int | None) -> None:
    """Two models that nothing else limits talk for two rounds, because AG2 would let them go on for a hundred."""
    made = team(build(f"def build(c): return {user}, agent('teacher', c)"))
    assert made.run.max_turns == rounds


TOOL = """
def get_weekday(date: str) -> str:
    "Get the weekday."
    return "Thursday"
"""


@pytest.mark.parametrize(
    ("returned", "executor"),
    [
        ("person(), agent('a', c, functions=[get_weekday])", "Customer"),
        ("agent('a', c, functions=[get_weekday])", "user"),
        ("AssistantAgent('b', llm_config=c, functions=[get_weekday]), agent('a', c)", "a"),
        ("person(), GroupChat([person('other'), agent('a', c, functions=[get_weekday])], [])", "a"),
        ("GroupChat([person(), agent('a', c, functions=[get_weekday])], [])", "Customer"),
        ("person(), GroupChat([agent('b', c), agent('a', c, functions=[get_weekday])], [])", "a"),
        (
            "person(), GroupChat([agent('b', c), agent('a', c, functions=[get_weekday])], [],"
            " allow_repeat_speaker=False)",
            "b",
        ),
        ("DefaultPattern(agent('b', c), [agent('a', c, functions=[get_weekday])])", "_Group_Tool_Executor"),
        ("person(function_map={'get_weekday': print}), agent('a', c, functions=[get_weekday])", "Customer"),
        ("person(), old(c)", "Customer"),
    ],
)
def test_tools_given_to_an_agent_alone_have_an_executor(build: Build, returned: str, executor: str) -> None:
    """Each tool that a model is offered can be run by one agent, and nothing that was registered is replaced."""
    old = """
def old(c):
    made = agent('a', c, function_map={'get_weekday': get_weekday})
    made.update_function_signature({'name': 'get_weekday', 'parameters': {}}, silent_override=True)
    return made
"""
    made = team(build(f"{TOOL}{old}def build(c): return {returned}"))
    group = made.agent.groupchat.agents if hasattr(made.agent, "groupchat") else [made.user, made.agent]
    able = [agent.name for agent in group if agent.can_execute_function("get_weekday")]
    assert executor in able
    assert able == [executor] or "old(c)" in returned
    if "print" in returned:
        assert made.user.function_map["get_weekday"] is print


def test_a_tool_of_an_agent_alone_runs(serve: Serve, tmp_path: Path, model: ModelServer) -> None:
    """A tool that only its agent was given is carried out in a turn, in a pair and in a group."""
    (tmp_path / "agents").mkdir()
    clerk = "agent('clerk', llm_config, functions=[get_weekday])"
    group = f"GroupChat([person(), {clerk}], [], max_round=4, speaker_selection_method='round_robin')"
    for name, returned in (("pair", clerk), ("group", group)):
        source = f"{HEAD}{TOOL}def build(llm_config, chat): return {returned}"
        (tmp_path / "agents" / f"{name}.py").write_text(source)
    server: Running = serve("--agents", str(tmp_path / "agents"), model=model)
    for name in ("pair", "group"):
        model.script(Reply(tools=[("get_weekday", {"date": "1 May"})]), Reply("A Thursday."))
        with ChatClient(server.websocket, agent=name) as client:
            client.confirmed()
            frames = client.ask("Which day?")
        [result] = contents(frames, "executed_function")
        assert (result["is_exec_success"], result["content"]) == (True, "Thursday")


@pytest.mark.parametrize("function", ["build()", "on_message(message)"])
def test_agents_of_a_module_are_made_for_each_conversation(again: Again, function: str) -> None:
    """Agents that are variables of the file would be shared, so the file is imported for each conversation."""
    first, second = again(f"clerk = agent('clerk', False)\ndef {function}: return clerk")
    if isinstance(first, Program) and isinstance(second, Program):
        assert first.on_message("", None) is not second.on_message("", None)
    else:
        assert team(first).agent is not team(second).agent


def test_agents_that_conversations_would_share_are_refused(again: Again) -> None:
    """Agents that a second conversation would get as well are refused: it would hear what was said in the first."""
    with pytest.raises(ChatError, match="Another conversation has the agent clerk as well: make a new one in build"):
        again("kept = []\ndef build():\n    kept[:] = kept or [agent('clerk', False)]\n    return kept[0]")
