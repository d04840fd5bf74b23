"""The claims that must hold with a real model. Each function checks one conversation."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agentchat.models import vision
from tests.clients import ChatClient, contents
from tests.real_model.model import WINDOW, RealModel
from tests.real_model.turns import Turn, begin, finish, take
from tests.rest_client import Conversation, RestClient
from tests.test_attachments import put
from tests.test_page_attachments import png

GREETING = "Say hello."
QUESTION = "Why is the sky blue?"
LONG = "Tell me a very long story about a ship and its crew."  # longer to answer than anything here waits
PROMPT = 3  # seconds within which a stop must take effect, on a machine that has other things to do


@dataclass
class Stage:
    """The two servers, and what has been seen so far."""

    model: RealModel
    address: str
    """The address of the chat server's WebSocket."""
    rest: RestClient
    figures: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def person(self, agent: str) -> ChatClient:
        """Return a client with a new session."""
        person = ChatClient(self.address, agent=agent)
        person.confirmed()
        return person

    def claim(self, sentence: str, holds: bool, seen: object) -> None:
        """Print the sentence, and what was seen instead if it does not hold."""
        print(f"{'ok    ' if holds else 'FAILED'} {sentence}" + ("" if holds else f": {seen}"), flush=True)
        if not holds:
            self.failures.append(sentence)


def streaming(stage: Stage) -> None:
    """An answer is streamed; measured beside the same answer without the chat server."""
    _answer(stage, QUESTION)  # loads what the first turn needs, and the prompt into the model's cache
    direct, turn = stage.model.ask(QUESTION), _answer(stage, QUESTION)
    stage.claim("an answer is completed", turn.status == "completed", turn.frames[-2:])
    stage.claim("it is streamed in more than one frame", len(turn.pieces) > 1, turn.pieces)
    stage.claim("its frames put together are its text", "".join(turn.pieces) == turn.answer["content"], turn.frames)
    stage.claim("it is what the model says without us", turn.answer["content"] == direct.text, direct.text)
    spent = turn.usage["completion_tokens"]
    stage.claim("its tokens are counted", turn.usage["prompt_tokens"] > 0 and spent > 0, turn.usage)
    greetings = [(_answer(stage, GREETING), stage.model.ask(GREETING)) for _ in range(5)]
    ours, theirs = (
        statistics.median(greeting.first_after for greeting in side) for side in zip(*greetings, strict=True)
    )
    stage.figures |= {
        "time to the first word, through us": f"{ours * 1000:.0f} ms, median of {len(greetings)} new sessions",
        "time to the first word, directly": f"{theirs * 1000:.0f} ms",
        "speed through us": f"{spent / turn.seconds:.1f} tokens/s",
        "speed directly": f"{direct.tokens / direct.seconds:.1f} tokens/s",
        "tokens of the answer": f"{spent} in {len(turn.pieces)} frames",
    }


def tools(stage: Stage) -> None:
    """The model calls a tool and says what it got."""
    with stage.person("forecaster") as person:
        turn = take(person, "What is the weather in Oslo?")
    called = contents(turn.frames, "executed_function")
    stage.claim("the model calls a tool, and it runs", any(call["is_exec_success"] for call in called), turn.frames)
    stage.claim("its arguments are those of the model", [c["arguments"] for c in called] == [{"city": "Oslo"}], called)
    stage.claim("the answer has what the tool said", "snow" in turn.answer["content"], turn.answer)
    stage.claim("the tokens of both calls are counted", turn.usage["completion_tokens"] > 0, turn.usage)
    stage.figures["turn with a tool"] = f"{turn.seconds:.1f} s, {turn.usage['prompt_tokens']} tokens of prompts"


def responses(stage: Stage) -> None:
    """The same over the Responses API, which the server has as well; the agent brings its own configuration."""
    with stage.person("responder") as person:
        turn = take(person, "What is the weather in Oslo?")
        again = take(person, GREETING)
    called = contents(turn.frames, "executed_function")
    stage.claim(
        "the model calls a tool over the Responses API", [c["is_exec_success"] for c in called] == [True], called
    )
    stage.claim("the answer has what the tool said", "snow" in turn.answer["content"], turn.answer)
    stage.claim("the next turn is completed", again.status == "completed", again.frames)
    stage.claim("it is streamed", len(again.pieces) > 1, again.pieces)
    stage.claim("its tokens are counted", again.usage["prompt_tokens"] > 0, again.usage)


def images(stage: Stage) -> None:
    """An image for a model that cannot see: the server's refusal is understood, and said in words."""
    with stage.person("talker") as person:
        session = Conversation(stage.rest, person.frames[0]["content"]["session_id"])
        attached = put(session, "red.png", png("red", 64))
        turns = []
        for text in ("What is in this picture?", GREETING):
            person.command("message", text=text, attachments=[attached])
            turns.append(finish(person, Turn()))
    first, second = turns
    stage.claim("an answer comes without the image", first.status == "completed", first.frames)
    stage.claim("the person is told", first.answer.get("notice") == vision.UNSEEN, first.answer)
    stage.claim("the next answer knows it", second.answer.get("notice") == vision.UNSEEN, second.answer)


def stopping(stage: Stage) -> None:
    """A stop in the middle of an answer, and the turn after it."""
    with stage.person("talker") as person:
        turn = begin(person, LONG, pieces=5)
        asked = time.monotonic()
        person.command("stop")
        finish(person, turn)
        stopped = time.monotonic() - asked
        idle = _until(lambda: not stage.model.is_generating)
        stage.claim("a stop ends the turn", turn.status == "stopped", turn.frames[-1])
        stage.claim(f"within {PROMPT} s", stopped < PROMPT, stopped)
        stage.claim("the model stops as well", idle < PROMPT, idle)
        _partial_text_is_kept(stage, turn)
        stage.claim("what it spent is told, or unknown", (turn.usage or {}).get("completion_tokens") != 0, turn.usage)
        after = take(person, QUESTION)
    stage.claim("the turn after a stop is completed", after.status == "completed", after.frames[-2:])
    alone = _answer(stage, QUESTION)
    grown = after.usage["prompt_tokens"] - alone.usage["prompt_tokens"]
    stage.claim("the model is told what was said before the stop", grown > 0, (after.usage, alone.usage))
    stage.figures |= {
        "stop": f"{stopped * 1000:.0f} ms; the model is idle {idle * 1000:.0f} ms later",
        "usage of the stopped turn": str(turn.usage),
        "prompt of the turn after": f"{grown} tokens longer than without what was said before",
    }


def overlong(stage: Stage) -> None:
    """A message that is longer than the model's window."""
    with stage.person("talker") as person:
        turn = take(person, "word " * (2 * WINDOW))
        stage.claim("a message over the window is cut and answered", turn.status == "completed", turn.errors)
        stage.claim("the person is told", "too long" in turn.answer.get("notice", ""), turn.answer)
        after = take(person, QUESTION)
    stage.claim("the session goes on", after.status == "completed", after.errors)
    stage.figures["told about the window"] = turn.answer.get("notice", "")


def killed(stage: Stage) -> None:
    """The model server is killed in the middle of an answer, asked while it is down, and started again."""
    with stage.person("talker") as person:
        turn = begin(person, LONG, pieces=5)
        stage.model.kill()
        finish(person, turn)
        stage.claim("a killed model server fails the turn", turn.status == "failed", turn.frames[-1])
        stage.claim("an error says so", len(turn.errors) == 1 and turn.errors[0].endswith((".", "?")), turn.errors)
        _partial_text_is_kept(stage, turn)
        down = take(person, QUESTION)
        stage.claim("an error says that it is down", down.status == "failed" and bool(down.errors), down.frames[-1])
        stage.model.start()
        after = take(person, QUESTION)
    stage.claim("the turn after its restart is completed", after.status == "completed", after.errors)
    stage.figures |= {"told about the death": " ".join(turn.errors), "told while it is down": " ".join(down.errors)}


CLAIMS: tuple[Callable[[Stage], None], ...] = (streaming, tools, responses, images, stopping, overlong, killed)


def _answer(stage: Stage, text: str) -> Turn:
    """Ask in a new session."""
    with stage.person("talker") as person:
        return take(person, text)


def _partial_text_is_kept(stage: Stage, turn: Turn) -> None:
    kept = turn.answer.get("partial") is True and turn.answer["content"] == "".join(turn.pieces)
    stage.claim("what was streamed is kept", kept, turn.answer)


def _until(condition: Callable[[], bool]) -> float:
    """Wait until the condition holds, twice as long as it may take at most, and return the seconds that took."""
    began = time.monotonic()
    while time.monotonic() - began < 2 * PROMPT and not condition():
        time.sleep(0.01)
    return time.monotonic() - began
