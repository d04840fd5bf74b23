"""Keys and passwords that a model says in pieces, as WebSocket, SSE and REST clients see its answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentchat import app, settings
from agentchat.app import Running
from tests.agent_files import write_agents
from tests.clients import ChatClient, Frame, contents
from tests.conftest import KEY, Serve
from tests.model_server import ModelServer, Piece, Reply
from tests.rest_client import Conversation, RestClient

PIN = 'quo"te\\d ø'
HINT = 3  # characters of a secret that tell nothing

AGENT = '''
"""Signs with a PIN, and reports progress."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def sign(text: str | int) -> str:
        pin = chat.ask("Your PIN?", password=True)
        chat.progress(1, 2, f"Signing with {pin}")
        chat.plan.create(f"Sign with {pin}")
        chat.ask(f"Sign with {pin}?")
        return f"Signed {text} with {pin}"

    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(sign, caller=agent, executor=user, description="Sign a text.")
    return user, agent
'''


def splits(secret: str) -> Iterator[list[str]]:
    """Yield the secret in two pieces, split at every place, then in some of its threes, then letter by letter."""
    for place in range(1, len(secret)):
        yield [secret[:place], secret[place:]]
    for place in range(2, len(secret), 4):
        yield [secret[: place // 2], secret[place // 2 : place], secret[place:]]
    yield list(secret)


def said(pieces: Sequence[str], is_reasoning: bool = False) -> list[Piece]:
    """Return the tokens of "The key is … OK?", with the secret in pieces."""
    words = ["The key", " is ", *pieces, " OK?"]
    return [*({"reasoning": word} for word in words), "Hm."] if is_reasoning else list(words)


def streamed(frames: Sequence[Frame]) -> list[str]:
    """Return the texts of the streamed messages, put together as a client does."""
    texts: dict[str, str] = {}
    for chunk in contents(list(frames), "stream"):
        text = texts.get(chunk["message_id"], "")
        assert chunk["offset"] == len(text), "a piece is missing, or comes twice"
        texts[chunk["message_id"]] = text + chunk["content"]
    return list(texts.values())


def spells(secret: str, what: object) -> bool:
    text = json.dumps(what, ensure_ascii=False)
    return secret in text or json.dumps(secret, ensure_ascii=False)[1:-1] in text or json.dumps(secret)[1:-1] in text


@pytest.mark.parametrize("is_reasoning", [False, True])
def test_a_key_in_pieces_on_the_websocket(client: ChatClient, model: ModelServer, is_reasoning: bool) -> None:
    """Wherever a key is split, the stream shows its mark and nothing of it."""
    for pieces in splits(KEY):
        model.script(Reply(tokens=said(pieces, is_reasoning)))
        frames = client.ask("What is the key?")
        assert streamed(frames)[0] == "The key is [key] OK?"
        event = contents(frames, "reasoning" if is_reasoning else "text")[0 if is_reasoning else -1]
        assert event["content"] == "The key is [key] OK?"
        assert not spells(KEY[: HINT + 1], frames)


def test_a_key_in_pieces_on_sse(session: Conversation, model: ModelServer) -> None:
    """An event stream shows nothing of a key in pieces."""
    with session.stream() as stream:
        for pieces in splits(KEY):
            start = len(stream.frames)
            model.script(Reply(tokens=said(pieces)))
            session.post("messages", {"text": "What is the key?"})
            stream.until("turn_completed")
            assert streamed(stream.frames[start:]) == ["The key is [key] OK?"]
    assert not spells(KEY[: HINT + 1], stream.frames)


@pytest.mark.parametrize("stream", [True, False])
def test_a_key_on_rest(serve: Serve, model: ModelServer, stream: bool) -> None:
    """Neither the answer that a request waits for nor the log has anything of a key."""
    session = RestClient(serve(model=model, stream=stream)).new_session()
    for pieces in ([KEY], [KEY[:9], KEY[9:]], list(KEY)):
        model.script(Reply(tokens=said(pieces)))
        turn = session.ask("What is the key?")
        assert "The key is [key] OK?" in json.dumps(turn)
        assert not spells(KEY[: HINT + 1], turn)
    assert not spells(KEY[: HINT + 1], session.log)


@pytest.fixture
def signing(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    """Start a server whose agent asks for a PIN."""
    return serve("--agents", write_agents(tmp_path, clerk=AGENT), model=model)


@pytest.fixture
def clerk(signing: Running) -> Iterator[ChatClient]:
    with ChatClient(signing.websocket, agent="clerk") as client:
        client.confirmed()
        yield client


def sign(clerk: ChatClient, pin: str) -> Frame:
    """Have a letter signed, and return the question that follows the PIN."""
    clerk.say("Sign")
    request = clerk.until("input_request")["content"]
    clerk.command("input_response", request_id=request["request_id"], text=pin)
    return clerk.until("input_request")


def test_a_password_in_pieces(clerk: ChatClient, model: ModelServer) -> None:
    """A password is a secret from the moment it is typed, for the rest of its turn and for later ones."""
    first, *others = splits(PIN)
    model.script(Reply(tools=[("sign", {"text": "letter"})]), Reply(tokens=said(first)))
    question = sign(clerk, PIN)["content"]
    clerk.command("input_response", request_id=question["request_id"], text="yes")
    end = clerk.until("turn_completed")["content"]
    assert (end["status"], end["summary"]) == ("completed", "The key is [password] OK?")
    assert streamed(clerk.frames) == ["The key is [password] OK?"]
    for is_reasoning in (False, True):
        for pieces in others:
            model.script(Reply(tokens=said(pieces, is_reasoning)))
            assert streamed(clerk.ask("Again?"))[0] == "The key is [password] OK?"
    assert not spells(PIN, clerk.frames)
    assert not spells(PIN[:4], clerk.frames)


def test_a_password_in_everything_that_a_tool_writes(signing: Running, clerk: ChatClient, model: ModelServer) -> None:
    """Progress, tasks, questions and results show the mark of a password, also to readers who come later."""
    model.script(Reply(tools=[("sign", {"text": "letter"})]), Reply("Done."))
    question = sign(clerk, PIN)["content"]
    with ChatClient(signing.websocket, session=clerk.frames[0]["content"]["session_id"]) as late:
        confirmed = late.confirmed()
    clerk.command("input_response", request_id=question["request_id"], text="yes")
    clerk.until("turn_completed")

    assert question["prompt"] == "Sign with [password]?"
    assert [asked["prompt"] for asked in confirmed["open_requests"]] == ["Sign with [password]?"]
    assert [report["text"] for report in confirmed["progress"]] == ["Signing with [password]"]
    assert contents(clerk.frames, "progress")[-1]["text"] == "Signing with [password]"
    assert contents(clerk.frames, "task_created")[0]["title"] == "Sign with [password]"
    assert contents(clerk.frames, "executed_function")[0]["content"] == "Signed letter with [password]"
    assert not spells(PIN, [clerk.frames, late.frames])


@pytest.mark.parametrize("pin", ["4711", "text", "content", "prompt"])
def test_a_password_that_breaks_no_event(clerk: ChatClient, model: ModelServer, pin: str) -> None:
    """A password may be a number or the name of a field: no event breaks, and a call with it hides it."""
    call = Reply(tools=[("sign", {"text": int(pin) if pin.isdigit() else pin})])
    model.script(Reply(tools=[("sign", {"text": "letter"})]), call, Reply(f"\n{pin}, signed."))
    clerk.say("Sign")
    for text in (pin, "yes", pin, "yes"):
        question = clerk.until("input_request")["content"]
        clerk.command("input_response", request_id=question["request_id"], text=text)
    end = clerk.until("turn_completed")["content"]

    assert (end["status"], end["summary"]) == ("completed", "[password], signed.")
    assert list(contents(clerk.frames, "execute_function")[1]["arguments"].values()) == ["[password]"]


def test_what_only_resembles_a_secret(client: ChatClient, model: ModelServer) -> None:
    """Text that only begins like a key is shown whole and in order, also at the end of an answer."""
    for text in (f"{KEY[:-1]} {KEY[:9]}{KEY[:-1]}!", "this is sk-sk-test-012", f"so {KEY[:-1]}"):
        model.script(Reply(tokens=list(text)), Reply(tokens=[{"reasoning": letter} for letter in text] + ["Hm."]))
        frames = client.ask("Hello")
        assert streamed(frames) == [text]
        assert contents(frames, "text")[-1]["content"] == text
        frames = client.ask("Think")
        assert streamed(frames) == [text, "Hm."]
        assert contents(frames, "reasoning")[-1]["content"] == text


@pytest.mark.parametrize("is_reasoning", [False, True])
@pytest.mark.parametrize("how", ["stop", "failure"])
def test_an_answer_that_breaks_off_in_mid_secret(
    serve: Serve, model: ModelServer, is_reasoning: bool, how: str
) -> None:
    """If an answer breaks off within a secret, its beginning is neither shown nor kept, and the next turn works."""
    tokens: list[Any] = ["It is ", f"just {KEY[:-1]}", KEY[-1], "."]
    tokens = [{"reasoning": token} for token in tokens] if is_reasoning else tokens
    faults: dict[str, Any] = {"gate_after": (2, threading.Event())} if how == "stop" else {"drop_after": 2}
    model.script(Reply(tokens=tokens, **faults))
    with ChatClient(serve(model=model, max_retries=0).websocket) as client:
        client.confirmed()
        client.say("Hello")
        while "just " not in client.streamed:
            client.receive()
        if how == "stop":
            client.command("stop")
        client.until("turn_completed")
        kept = contents(client.frames, "reasoning" if is_reasoning else "text")[-1]
        frames = client.ask("And now?")

    assert (kept["content"], kept["partial"]) == ("It is just ", True)
    assert streamed(client.frames)[0] == "It is just "
    assert not spells(KEY[: HINT + 1], client.frames)
    assert contents(frames, "turn_completed")[0]["status"] == "completed"
    assert KEY[: HINT + 1] not in json.dumps(model.requests[-1]["body"])


def test_another_model_takes_over_in_mid_secret(model: ModelServer) -> None:
    """Text withheld from a failed answer does not appear in the answer of the model that takes over."""
    with ModelServer() as second:
        entries = [{"model": "m", "api_key": KEY, "base_url": m.base_url, "max_retries": 0} for m in (model, second)]
        model.script(Reply(tokens=[KEY[:9]], error_after=1))
        second.script(Reply(tokens=["Second."]))
        chosen = settings.load(["--port", "0", "--ws-port", "0", "--data-dir", "data"], {})
        with (
            app.serving(chosen, {"OAI_CONFIG_LIST": json.dumps(entries)}) as running,
            ChatClient(running.websocket) as client,
        ):
            client.confirmed()
            assert streamed(client.ask("Hello")) == ["Second."]


def test_a_reconnect_in_mid_secret(
    server: Running, client: ChatClient, connect: Callable[..., ChatClient], model: ModelServer
) -> None:
    """A client that connects within a secret gets the text before it, then its mark."""
    gate = threading.Event()
    model.script(Reply(tokens=["It is ", f"just {KEY[:-1]}", f"{KEY[-1]}."], gate_after=(2, gate)))
    client.say("Hello")
    while "just " not in client.streamed:
        client.receive()
    late = connect(session=client.frames[0]["content"]["session_id"])
    assert late.until("stream")["content"]["content"] == "It is just "
    gate.set()
    for reader in (late, client):
        reader.until("turn_completed")
        assert streamed(reader.frames) == ["It is just [key]."]
        assert not spells(KEY[: HINT + 1], reader.frames)
