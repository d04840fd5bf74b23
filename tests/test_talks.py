"""Talks in the process of a test: `agentchat.testing`, with a scripted model."""

from __future__ import annotations

import builtins
import gc
import getpass
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from autogen import ConversableAgent, LLMConfig, UserProxyAgent
from autogen.agentchat.group.patterns import RoundRobinPattern
from autogen.io.base import IOStream

from agentchat.ag2.shapes import Unusable
from agentchat.chat import Chat, Run
from agentchat.protocol.errors import SettingsError
from agentchat.testing import (
    RATE_LIMIT,
    REFUSED_KEY,
    UNREACHABLE,
    Call,
    Failure,
    Question,
    Reply,
    Request,
    ScriptedModel,
    Talk,
    call,
    talk,
)
from agentchat.testing.transcript import Event, Turn
from tests.conftest import AGENTS

OWN = '''
"""Has a model of its own."""
from autogen import ConversableAgent

helper = ConversableAgent("helper", llm_config={"model": "gpt-4o", "api_key": "sk-own-0123456789"})

def build():
    return helper
'''


def helper(llm_config: Any, name: str = "helper") -> ConversableAgent:
    return ConversableAgent(name, llm_config=llm_config, human_input_mode="NEVER")


def build(llm_config: LLMConfig, chat: Chat) -> Any:
    return helper(llm_config)


def parrot(message: str, chat: Chat) -> str:
    return f"{message}, {len(chat.history)}"


def asking(message: str) -> str:
    return input("Your name? ")


# The model


def test_a_script_is_followed() -> None:
    """Text, thoughts, several calls at once and usage arrive as those of a real model do, token by token."""
    model = ScriptedModel(
        [call("weather_forecast", city="Oslo"), call("weather_forecast", city="Rome")],
        Reply("Cold and ", "warm.", reasoning="North, south.", usage=(30, 4)),
        name="gpt-4o",
    )
    weather = talk(AGENTS / "weather.py", "Oslo or Rome?", model=model)

    assert weather.answer == "Cold and warm."
    assert weather.said == [("forecaster", "Cold and warm.")]
    assert [(tool.agent, tool.name, tool.arguments, tool.ok) for tool in weather.tools] == [
        ("forecaster", "weather_forecast", {"city": "Oslo"}, True),
        ("forecaster", "weather_forecast", {"city": "Rome"}, True),
    ]
    assert str(weather.tools[0].result).startswith("Mock forecast for Oslo")
    chunks = weather.contents("stream")
    assert [chunk["content"] for chunk in chunks if chunk.get("kind") != "output"][-3:] == ["Cold", " and", " warm."]
    assert weather.contents("reasoning")[0]["content"] == "North, south."
    assert weather.usage["prompt_tokens"] > 30
    assert weather.usage["cost"] > 0
    assert weather.status == "completed"
    assert weather.error is None


def test_requests_are_kept() -> None:
    """The model keeps who asked what, with which tools."""
    model = ScriptedModel("Hello.", "Bye.")
    talk(AGENTS / "weather.py", "Hi", "Ciao", model=model)

    first, second = model.requests
    assert (first.agent, first.text, first.tools) == ("forecaster", "Hi", ["weather_forecast"])
    assert first.system.startswith("You tell people the weather.")
    assert [message["content"] for message in second.messages[1:]] == ["Hi", "Hello.", "Ciao"]
    assert model.left == []


def test_a_rule_answers_everything() -> None:
    """A function answers one request; at the end of the script, all that follow."""
    model = ScriptedModel(lambda request: "First.", lambda request: request.text.upper())
    said = talk(build, "a", "b", "c", model=model).said
    assert [text for _, text in said] == ["First.", "B", "C"]


@pytest.mark.parametrize("count", [0, 1])
def test_a_script_runs_out(count: int) -> None:
    """An agent that asks for more than the script has fails the test, which shows what was asked."""
    script = [call("weather_forecast", city="Oslo")] * count
    with pytest.raises(AssertionError) as failed:
        talk(AGENTS / "weather.py", "Oslo?", model=ScriptedModel(*script))

    text = str(failed.value)
    assert f"answer {count + 1}, but " + ("its script has 1." if count else "it has no script.") in text
    assert "forecaster asked scripted" in text
    assert "user: Oslo?" in text
    assert "tools offered: weather_forecast" in text


def test_a_script_that_nobody_gave() -> None:
    """Programs that ask no model need none; for others it is missed in words."""
    assert talk(parrot, "Polly").answer == "Polly, 0"
    with pytest.raises(AssertionError, match="it has no script"):
        talk(build, "Hello")


def test_a_script_that_runs_out_ends_the_turn() -> None:
    """Agents that take every exception for an answer cannot go on without a script."""

    def on_message(message: str, chat: Chat) -> str:
        while True:
            try:
                helper(chat.llm_config).generate_reply([{"role": "user", "content": message}])
            except Exception:  # noqa: BLE001 - as some programs do
                continue

    with pytest.raises(AssertionError, match="answer 2, but its script has 1"):
        talk(on_message, "Hello", model=ScriptedModel("Hi"))


def test_a_function_of_the_test_fails() -> None:
    """Exceptions of a function in the script are raised as they are."""

    def check(request: Request) -> str:
        raise LookupError(request.text)

    with pytest.raises(LookupError, match="Hello"):
        talk(build, "Hello", model=ScriptedModel(check))


@pytest.mark.parametrize(
    ("failure", "code"),
    [(RATE_LIMIT, "model_rate_limited"), (REFUSED_KEY, "model_auth"), (UNREACHABLE, "model_unreachable"),
     (Failure(500, "Out of order."), "model_failed")],
)  # fmt: skip
def test_a_model_that_fails(failure: Failure, code: str) -> None:
    """A failure reaches the person in words, as that of a real model does, and the talk goes on."""
    model = ScriptedModel(failure, "Here I am.")
    failing = talk(build, "Hello", model=model)
    assert failing.status == "failed"
    assert failing.error is not None
    assert failing.error.code == code
    assert failing.error.message in repr(failing)

    assert failing.say("Again").answer == "Here I am."
    assert failing.error is None


@pytest.mark.parametrize("script", [3, [3], None, object()])
def test_what_no_model_can_say(script: Any) -> None:
    """A script with something else in it is refused when it is made."""
    with pytest.raises(TypeError):
        ScriptedModel(script)


def test_arguments_that_are_no_json() -> None:
    """A call may have arguments as broken as those of real models."""
    broken = talk(AGENTS / "weather.py", "Oslo?", model=ScriptedModel(Call("weather_forecast", '{"city'), "Sorry."))
    [tool] = broken.tools
    assert not tool.ok
    assert '{"city' in tool.arguments


# The agents


def module_of(source: str) -> ModuleType:
    module = ModuleType("made_up")
    exec(compile(source, "made_up", "exec"), vars(module))
    return module


class Shapes:
    """Everything that may be given as agents, each answering `Hi.`."""

    model = ScriptedModel(lambda request: "Hi.")

    path = AGENTS / "weather.py"
    text = str(AGENTS / "weather.py")
    module = module_of("def on_message(message):\n    return 'Hi.'")
    build = staticmethod(build)

    @staticmethod
    async def build_async(llm_config: LLMConfig) -> Any:
        return helper(llm_config)

    @staticmethod
    def on_message(message: str) -> str:
        return "Hi."

    @staticmethod
    async def on_message_async(message: str, chat: Chat) -> str:
        return "Hi."

    @staticmethod
    def pieces(message: str) -> Iterator[str]:
        yield from ("H", "i.")

    @staticmethod
    def of_a_lambda() -> Any:
        return lambda message: "Hi."

    @staticmethod
    def agent() -> Any:
        return helper(Shapes.model.llm_config)

    @staticmethod
    def pair() -> Any:
        return UserProxyAgent("user", code_execution_config=False), helper(Shapes.model.llm_config)

    @staticmethod
    def pattern() -> Any:
        one = helper(Shapes.model.llm_config)
        return Run(RoundRobinPattern(initial_agent=one, agents=[one]), max_turns=2)


@pytest.mark.parametrize(
    "given",
    [Shapes.path, Shapes.text, Shapes.module, Shapes.build, Shapes.build_async, Shapes.on_message,
     Shapes.on_message_async, Shapes.pieces, Shapes.of_a_lambda(), Shapes.agent(), Shapes.pair(), Shapes.pattern()],
    ids=["path", "text", "module", "build", "async build", "on_message", "async on_message", "pieces", "lambda",
         "agent", "pair", "pattern"],
)  # fmt: skip
def test_every_shape(given: Any) -> None:
    """A talk takes whatever an agent file may give."""
    assert talk(given, "Hello", model=Shapes.model).answer == "Hi."


def test_an_object_of_a_module() -> None:
    """A talk takes `module:object`, as the command line does."""
    assert talk(f"{__name__}:parrot", "Hello").said == [("parrot", "Hello, 0")]


def test_what_is_no_agent(tmp_path: Path) -> None:
    """Files that are not there, modules with neither function, and a wrong return value are told in words."""
    with pytest.raises(FileNotFoundError, match="There is no agent file"):
        talk(tmp_path / "nothing.py", "Hello")
    with pytest.raises(SettingsError, match="There is no module"):
        talk("nothing_there:build", "Hello")
    with pytest.raises(Unusable, match="neither build"):
        talk(ModuleType("empty"), "Hello")
    with pytest.raises(Unusable, match="did you forget `return`"):
        talk(lambda llm_config: None, "Hello")


def test_a_build_that_raises() -> None:
    """Exceptions of `build` are raised as they are."""

    def build(llm_config: LLMConfig) -> Any:
        raise KeyError("missing")

    with pytest.raises(KeyError, match="missing"):
        talk(build, "Hello")


def test_agents_with_a_model_of_their_own(tmp_path: Path) -> None:
    """Agents that configure a model themselves ask the model of the talk, not the network."""
    file = tmp_path / "own.py"
    file.write_text(OWN)
    model = ScriptedModel("Hi.")
    assert talk(file, "Hello", model=model).said == [("helper", "Hi.")]
    assert model.requests[0].body["model"] == "gpt-4o"


def test_agents_that_are_variables(tmp_path: Path) -> None:
    """Agents that are variables of a file don't bring one talk into the next."""
    file = tmp_path / "own.py"
    file.write_text(OWN)
    model = ScriptedModel(lambda request: str(len(request.messages)))
    assert [talk(file, "Hello", model=model).answer for _ in range(2)] == ["2", "2"]


# The talk


def test_one_message_after_another() -> None:
    """Lists hold the whole talk, single values belong to its newest turn, and each turn can be asked for."""
    talking = talk(parrot, "one", "two")
    turn = talking.say("three")

    assert [text for _, text in talking.said] == ["one, 0", "two, 2", "three, 4"]
    assert talking.answer == turn.answer == "three, 4"
    assert [each.answer for each in talking.turns] == ["one, 0", "two, 2", "three, 4"]
    assert {event.turn for event in turn.events if event.turn is not None} == {3}
    assert [event.seq for event in talking.events if event.seq is not None] == list(range(1, 13))


def test_a_restart() -> None:
    """After a restart, agents that are built again know what was said, and the model sees it."""
    built = []

    def build(llm_config: LLMConfig, chat: Chat) -> Any:
        built.append(chat.session_id)
        return helper(llm_config)

    model = ScriptedModel("Hello Ada.", "You are Ada.")
    talking = talk(build, "I am Ada.", model=model)
    talking.restart()
    talking.say("Who am I?")

    assert len(built) == 2
    assert [message["content"] for message in model.requests[1].messages][-3:] == [
        "I am Ada.", "Hello Ada.", "Who am I?",
    ]  # fmt: skip


def test_state_after_a_restart() -> None:
    """`chat.state` comes back after a restart."""

    def on_message(message: str, chat: Chat) -> str:
        chat.state["count"] = chat.state.get("count", 0) + 1
        return str(chat.state["count"])

    counting = talk(on_message, "a", "b")
    counting.restart()
    assert counting.say("c").answer == "3"


def test_a_person_with_a_context() -> None:
    """The message has a name and a context, for all messages or for one."""

    def on_message(message: str, chat: Chat) -> str:
        return f"{chat.user}: {dict(chat.context)}"

    talking = talk(on_message, "Hello", name="Ada", context={"language": "Ada"})
    assert talking.answer == "Ada: {'language': 'Ada'}"
    assert talking.say("Hello", context={}).answer == "Ada: {}"


def test_files_and_notes() -> None:
    """Files are there before the first message, and those that agents leave can be read; notes as well."""

    def on_message(message: str, chat: Chat) -> str:
        chat.files.write("upper.txt", chat.files.read("notes.txt").upper())
        return chat.remember("colour", "blue")

    writing = talk(on_message, "Go", files={"notes.txt": "blue", "picture": b"\xff\xfe\x00"}, name="Ada")
    assert writing.files == {"notes.txt": "blue", "picture": b"\xff\xfe\x00", "upper.txt": "BLUE"}
    assert [change["path"] for change in writing.contents("file_changed")] == ["upper.txt"]
    assert (writing.folder / "upper.txt").read_text() == "BLUE"
    assert writing.notes == {"colour": "blue"}


def test_documents(tmp_path: Path) -> None:
    """Documents are searched as on the server."""
    (tmp_path / "start.md").write_text("# Start\n\nPress the green button.")

    def on_message(message: str, chat: Chat) -> str:
        return chat.knowledge.search(message)[0].text

    assert "green button" in talk(on_message, "button", knowledge=[tmp_path]).answer


def test_output() -> None:
    """Everything printed is in `output`, complete and in order, also by tools and threads."""

    def on_message(message: str, chat: Chat) -> None:
        for number in range(100):
            print(number)
        thread = threading.Thread(target=print, args=("thread",))
        thread.start()
        thread.join()

    assert talk(on_message, "Go").output == "".join(f"{number}\n" for number in range(100)) + "thread\n"


def test_a_turn_that_takes_too_long() -> None:
    """A turn that does not end fails the test, and is stopped."""
    reached = threading.Event()

    def on_message(message: str, chat: Chat) -> None:
        reached.set()
        threading.Event().wait(2)

    with pytest.raises(AssertionError, match=r"not ended after 0\.2 seconds; its newest event is turn_started"):
        talk(on_message, "Go", timeout=0.2)
    assert reached.is_set()


def test_a_program_that_fails() -> None:
    """An exception of the agents is an error that the person is told, and ends neither the test nor the talk."""

    def on_message(message: str) -> str:
        return str(1 // int(message))

    failing = talk(on_message, "0")
    assert failing.error is not None
    assert (failing.status, failing.error.code) == ("failed", "agent_failed")
    assert failing.say("1").answer == "1"


# Questions


def test_questions_are_answered_in_order() -> None:
    """Each question takes the next answer: a text, or a function of the question."""
    seen: list[Question] = []

    def second(question: Question) -> str:
        seen.append(question)
        return "Bob"

    talking = talk(asking, "a", "b", answers=["Ada", second])
    assert [text for _, text in talking.said] == ["Ada", "Bob"]
    assert [(question.prompt, question.answer) for question in talking.questions] == [
        ("Your name? ", "Ada"),
        ("Your name? ", "Bob"),
    ]
    assert [question.prompt for question in seen] == ["Your name? "]


@pytest.mark.parametrize(
    ("answer", "arguments", "ok"),
    [("approve", {"city": "Oslo"}, True), ("deny", {"city": "Oslo"}, False), ({"city": "Rome"}, {"city": "Rome"}, True),
     (lambda question: "approve" if question.arguments == {"city": "Oslo"} else "deny", {"city": "Oslo"}, True)],
)  # fmt: skip
def test_a_tool_that_needs_a_yes(answer: Any, arguments: Any, ok: bool) -> None:
    """A tool is approved, denied, or runs with other arguments."""
    model = ScriptedModel(call("cancel_train", city="Oslo"), "Well.")
    [tool] = talk(AGENTS / "travel.py", "Cancel it", model=model, answers=[answer]).tools
    assert (tool.arguments, tool.ok) == (arguments, ok)
    assert f"Mock cancellation: the train to {arguments['city']}." in str(tool.result) or not ok


def test_a_question_without_an_answer() -> None:
    """A question that has no answer fails the test in words, and the turn ends."""
    with pytest.raises(AssertionError, match=r"\w+ asked “Your name\? ”, and no answer is left\."):
        talk(asking, "a", "b", answers=["Ada"])
    model = ScriptedModel(call("cancel_train", city="Oslo"))
    with pytest.raises(AssertionError, match=r"clerk asked “May cancel_train run with .*Oslo.*The choices are approve"):
        talk(AGENTS / "travel.py", "Cancel it", model=model)


def test_answers_that_nobody_wants() -> None:
    """Answers that are left fail the test in words."""
    with pytest.raises(AssertionError, match="Nobody asked for these answers: 'Ada'"):
        talk(parrot, "a", answers=["Ada"])
    with pytest.raises(AssertionError, match="'Bob'"):
        talk(asking, "a", answers=["Ada"]).say("b", answers=["Ada", "Bob"])


def test_an_answer_of_a_function_that_fails() -> None:
    """Exceptions of a function that gives an answer are raised as they are."""

    def answer(question: Question) -> str:
        raise LookupError(question.prompt)

    with pytest.raises(LookupError, match="Your name"):
        talk(asking, "a", answers=[answer])


def test_a_password() -> None:
    """A password reaches the agent, and is in no event."""

    def on_message(message: str) -> str:
        return str(len(getpass.getpass("Password? ")))

    asked = talk(on_message, "a", answers=["secret-word"])
    assert asked.answer == "11"
    assert "secret-word" not in str(asked.events)
    assert (asked.questions[0].password, asked.questions[0].answer) == (True, None)


# The process


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After a talk the process has no thread, no file and no patched terminal more than before."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def state() -> Any:
        ours = ("turn-", "agents", "tool-", "time-limit")  # servers of other tests may just end theirs
        threads = {thread for thread in threading.enumerate() if thread.name.startswith(ours)}
        return threads - others, sys.stdout, builtins.input, getpass.getpass, IOStream.get_global_default()

    others = set(threading.enumerate())
    before = state()
    model = ScriptedModel(call("weather_forecast", city="Oslo"), "Cold.")
    weather = talk(AGENTS / "weather.py", "Oslo?", model=model)
    assert state() == before
    assert list(tmp_path.iterdir())
    del weather
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(AssertionError):
        talk(asking, "a")
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert state() == before


def test_a_talk_that_is_closed() -> None:
    """A talk can be closed by hand or as a context; what it has seen can still be read."""
    with talk(parrot, "a", files={"a.txt": "a"}) as talking:
        folder = talking.folder
        assert folder.exists()
    assert not folder.exists()
    assert talking.answer == "a, 0"
    for use in (lambda: talking.say("b"), talking.restart, lambda: talking.files, lambda: talking.notes):
        with pytest.raises(RuntimeError, match="closed"):
            use()
    talking.close()


def test_many_talks_at_once() -> None:
    """Talks in several threads don't disturb each other, nor the terminal."""

    def run(number: int) -> Talk:
        def on_message(message: str, chat: Chat) -> str:
            print(number)
            name = input("Your name? ")
            reply = helper(chat.llm_config).generate_reply([{"role": "user", "content": f"{message} {name}"}])
            return f"{reply} {len(chat.history)}"

        model = ScriptedModel(lambda request: f"{number}: {request.text}")
        return talk(on_message, "a", "b", model=model, answers=[f"Ada {number}"] * 2)

    before = sys.stdout
    with ThreadPoolExecutor(6) as pool:
        talks = list(pool.map(run, range(12)))
    assert sys.stdout is before
    for number, talking in enumerate(talks):
        assert talking.output == f"{number}\n" * 2
        assert [turn.answer for turn in talking.turns] == [
            f"{number}: {m} Ada {number} {n}" for m, n in (("a", 0), ("b", 2))
        ]


def test_a_talk_beside_agents_outside() -> None:
    """A scripted model answers agents outside talks as well."""
    model = ScriptedModel("Hi.")
    assert helper(model.llm_config).generate_reply([{"role": "user", "content": "Hello"}]) == "Hi."


def test_what_happens_beside_a_turn_hides_no_error() -> None:
    """The error of a turn is known, whatever stands behind its end: what people do belongs to no turn."""
    failed = {"code": "internal", "message": "Oh no."}
    turn = Turn([Event("error", failed, 1, 1), Event("feedback", {}, 0, 2), Event("presence", {})])

    assert turn.error is not None
    assert turn.error.code == "internal"
