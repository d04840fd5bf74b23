"""Recordings of talks with a real model server, and their replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentchat.testing import Model, ScriptedModel, Talk, record, recorded, talk
from tests.conftest import AGENTS, KEY, config_list
from tests.model_server import ModelServer, Reply

FORECAST = Reply(tools=[("weather_forecast", {"city": "Oslo"})], ids=["call_oslo"])
COLD = Reply(tokens=[{"reasoning_content": "It is winter."}, "It is ", "cold."], usage=(40, 3))
QUESTIONS = ("What is the weather in Oslo?", "Thanks")


@pytest.fixture
def configured(model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    """Return the model server, configured as people configure theirs."""
    monkeypatch.setenv("OAI_CONFIG_LIST", config_list(model)["OAI_CONFIG_LIST"])
    return model


def ask(model: Model | None = None, *questions: str) -> Talk:
    return talk(AGENTS / "weather.py", *(questions or QUESTIONS), model=model)


def seen(talking: Talk) -> list[tuple[str, Any]]:
    """Return the events of a talk without what differs each time."""
    volatile = {"uuid", "id", "message_id", "user", "duration_ms", "offset", "content"}
    events = [event for event in talking.events if event.type != "stream"]
    said = [(event.type, event.content.get("content")) for event in events]
    return said + [(e.type, {k: v for k, v in e.content.items() if k not in volatile}) for e in events]


@pytest.fixture
def recording(configured: ModelServer, tmp_path: Path) -> Path:
    """Return a recording of a talk about the weather."""
    configured.script(FORECAST, COLD, Reply("You are welcome."))
    with record(tmp_path / "recordings" / "weather.jsonl"):
        ask()
    return tmp_path / "recordings" / "weather.jsonl"


def test_a_replay_is_the_same(configured: ModelServer, tmp_path: Path) -> None:
    """A replay has the same events, with thoughts, usage and tool calls, and asks no server."""
    configured.script(FORECAST, COLD, Reply("You are welcome."))
    with record(tmp_path / "weather.jsonl") as model:
        real = ask()
    assert [request.text for request in model.requests][::2] == list(QUESTIONS)
    configured.reset()
    replayed = ask(recorded(tmp_path / "weather.jsonl"))

    assert seen(replayed) == seen(real)
    assert replayed.contents("reasoning")[0]["content"] == "It is winter."
    assert replayed.turns[0].usage["prompt_tokens"] == real.turns[0].usage["prompt_tokens"] >= 40
    assert replayed.answer == "You are welcome."
    assert configured.counts.requests == 0


def test_a_recording_can_be_read(recording: Path) -> None:
    """A line holds the agent, the answer and what was asked; neither a key nor a header is in the file."""
    models, first, second, third = [json.loads(line) for line in recording.read_text().splitlines()]
    assert models == {"models": [{"model": "scripted", "api_type": "openai"}]}
    assert first["agent"] == "forecaster"
    call = {"name": "weather_forecast", "arguments": '{"city": "Oslo"}', "id": "call_oslo"}
    assert first["answer"]["calls"] == [call]
    assert first["request"]["tools"] == ["weather_forecast"]
    assert first["request"]["messages"][-1] == {"role": "user", "name": "user", "content": QUESTIONS[0]}
    assert second["answer"] == {"text": "It is cold.", "reasoning": "It is winter.", "usage": [40, 3], "finish": "stop"}
    assert third["answer"]["text"] == "You are welcome."
    text = recording.read_text().lower()
    assert KEY not in text
    assert "authorization" not in text


def test_a_key_in_a_message(configured: ModelServer, tmp_path: Path) -> None:
    """A key that somebody writes is kept out of the file, and the replay knows the request again."""
    question = f"My key is {KEY}."
    configured.script(Reply("Keep it to yourself."))
    with record(tmp_path / "key.jsonl"):
        ask(None, question)
    assert KEY not in (tmp_path / "key.jsonl").read_text()
    assert ask(recorded(tmp_path / "key.jsonl"), question).answer == "Keep it to yourself."


def test_answers_go_by_the_request(recording: Path) -> None:
    """A request that was recorded later is answered all the same."""
    lines = recording.read_text().splitlines(keepends=True)
    recording.write_text(lines[0] + "".join(reversed(lines[1:])))
    assert ask(recorded(recording)).answer == "You are welcome."


@pytest.mark.parametrize(
    ("questions", "difference"),
    [
        (("What is the weather in Rome?",), "in line 2: message 2 is .*Rome.* instead of .*Oslo"),
        ((*QUESTIONS, "Bye"), "weather.jsonl holds 3 answers, and more was asked"),
    ],
)
def test_something_else_is_asked(recording: Path, questions: tuple[str, ...], difference: str) -> None:
    """A request that was not recorded fails the test, which says what differs and how to record again."""
    with pytest.raises(AssertionError, match=difference) as failed:
        ask(recorded(recording), *questions)
    assert "Set AGENTCHAT_RECORD=1" in str(failed.value)
    assert "forecaster asked scripted" in str(failed.value)


def test_other_tools_and_models_are_told(recording: Path) -> None:
    """Other tools, another model and a longer conversation are named as what differs."""
    for field, value, difference in (
        ("tools", [], r"the tools \['weather_forecast'\] instead of \[\]"),
        ("model", "old", "the model scripted instead of old"),
        ("messages", [], "2 messages instead of 0"),
    ):
        first, second, *rest = recording.read_text().splitlines()
        line = json.loads(second)
        line["request"][field] = value
        changed = recording.with_name(f"{field}.jsonl")
        changed.write_text("\n".join([first, json.dumps(line), *rest]))
        with pytest.raises(AssertionError, match=difference):
            ask(recorded(changed))


def test_answers_in_order(recording: Path) -> None:
    """In order, answers are given whatever is asked."""
    replayed = ask(recorded(recording, in_order=True), "What is the weather in Rome?", "Merci")
    assert [turn.answer for turn in replayed.turns] == ["It is cold.", "You are welcome."]


def test_recording_again(recording: Path, configured: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With AGENTCHAT_RECORD=1 the same test records again; with 0 it does not."""
    monkeypatch.setenv("AGENTCHAT_RECORD", "0")
    assert ask(recorded(recording)).turns[0].answer == "It is cold."
    monkeypatch.setenv("AGENTCHAT_RECORD", "1")
    configured.script(FORECAST, Reply("It is warm."), Reply("Bye."))
    assert ask(recorded(recording)).turns[0].answer == "It is warm."
    monkeypatch.delenv("AGENTCHAT_RECORD")
    assert ask(recorded(recording)).turns[0].answer == "It is warm."


def test_a_server_that_fails(configured: ModelServer, tmp_path: Path) -> None:
    """A failure is recorded with the server's words; one that was overcome by asking again is not."""
    busy = Reply(status=503, headers={"retry-after": "0"})
    refusal = Reply(status=401, error={"error": {"message": "Your key has expired.", "type": "invalid_api_key"}})
    configured.script(busy, Reply("Here I am."), refusal)
    with record(tmp_path / "failing.jsonl"):
        real = ask(None, "Hello", "Again")
    replayed = ask(recorded(tmp_path / "failing.jsonl"), "Hello", "Again")

    assert len((tmp_path / "failing.jsonl").read_text().splitlines()) == 3
    assert replayed.turns[0].answer == "Here I am."
    assert real.error is not None
    assert "Your key has expired." in real.error.message
    assert replayed.error is not None
    assert (replayed.error.code, "Your key has expired." in replayed.error.message) == (real.error.code, True)


@pytest.mark.parametrize("entry", [{"stream": False}, {"api_type": "responses"}], ids=["whole", "responses"])
def test_every_way_to_answer(
    model: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, entry: dict[str, Any]
) -> None:
    """Answers in one piece and those of the Responses API are recorded and replayed as well."""
    monkeypatch.setenv("OAI_CONFIG_LIST", config_list(model, **entry)["OAI_CONFIG_LIST"])
    model.script(FORECAST, Reply("It is cold."), Reply("You are welcome."))
    with record(tmp_path / "weather.jsonl"):
        real = ask()
    replayed = ask(recorded(tmp_path / "weather.jsonl"))
    assert [turn.answer for turn in replayed.turns] == [turn.answer for turn in real.turns]
    assert replayed.tools == real.tools


def test_agents_with_a_model_of_their_own(configured: ModelServer, tmp_path: Path) -> None:
    """Models that agents configure themselves are recorded and replayed, too."""
    file = tmp_path / "own.py"
    entry = {"model": "own", "api_key": KEY, "base_url": configured.base_url}
    file.write_text(
        f"from autogen import ConversableAgent\ndef build():\n    return ConversableAgent('own', llm_config={entry})\n"
    )
    configured.script(Reply("Mine."))
    with record(tmp_path / "own.jsonl"):
        assert talk(file, "Hello").answer == "Mine."
    configured.reset()
    assert talk(file, "Hello", model=recorded(tmp_path / "own.jsonl")).answer == "Mine."
    assert configured.counts.requests == 0


def test_a_model_that_is_named_is_not_recorded(configured: ModelServer, tmp_path: Path) -> None:
    """Talks that name a model are left out."""
    with record(tmp_path / "nothing.jsonl"):
        assert ask(ScriptedModel("Hi."), "Hello").answer == "Hi."
    assert not (tmp_path / "nothing.jsonl").exists()


def test_what_cannot_be_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a model there is nothing to record."""
    with record(tmp_path / "a.jsonl"), pytest.raises(AssertionError, match="No model is configured"):
        ask()


@pytest.mark.parametrize("text", [None, "", "{}", "nonsense", '{"models": [{"model": "a"}]}\n{"answer": 1}'])
def test_what_is_no_recording(tmp_path: Path, text: str | None) -> None:
    """A file that is missing or holds something else is told in words."""
    path = tmp_path / "a.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(AssertionError, match=r"(There is no recording|is not a recording).*Set AGENTCHAT_RECORD=1"):
        recorded(path)
