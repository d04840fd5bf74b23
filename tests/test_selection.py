"""A model that chooses the next speaker badly: nobody sees it, and the turn ends."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from agentchat.protocol.visibility import SHOWS
from tests.agent_files import write_agents
from tests.clients import ChatClient, Frame, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Piece, Reply

TEAM = '''
"""A planner and a coder."""
from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent

def build(llm_config, chat):
    planner = ConversableAgent("planner", system_message="Plan.", llm_config=llm_config, human_input_mode="NEVER")
    coder = ConversableAgent("coder", system_message="Code.", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    group = GroupChat([user, planner, coder], messages=[], max_round=4, select_speaker_auto_verbose=True)
    return user, GroupChatManager(group, llm_config=llm_config, human_input_mode="NEVER")
'''

PATTERN = '''
"""A planner and a coder with a tool, chosen by a model."""
from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group.patterns import AutoPattern

def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word} is a word"

async def look_far(word: str) -> str:
    """Look a word up elsewhere."""
    return f"{word} is far"

def build(llm_config, chat):
    planner = ConversableAgent("planner", llm_config=llm_config, human_input_mode="NEVER")
    coder = ConversableAgent("coder", llm_config=llm_config, human_input_mode="NEVER", functions=[look_up, look_far])
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    pattern = AutoPattern(
        initial_agent=planner, agents=[planner, coder], user_agent=user, group_manager_args={"llm_config": llm_config}
    )
    return user, pattern.prepare_group_chat(max_rounds=8, messages="Hello")[8]
'''

# Texts used only while a speaker is chosen, by these models and by AG2
SECRET = "psst"
TELLTALES = (SECRET, "Read the above conversation", "You didn't choose a speaker", "You provided more than one name")


@pytest.fixture
def agents(tmp_path: Path) -> str:
    return write_agents(tmp_path, team=TEAM, pattern=PATTERN)


def assert_inside(frames: list[Frame]) -> None:
    """Assert that a reader gets nothing of the speaker selection."""
    for frame in frames:
        for telltale in TELLTALES:
            assert telltale not in str(frame), frame
        assert not {"checking_agent", "speaker_selection_agent"} & set(map(str, frame["content"].values())), frame
        assert not frame["type"].startswith("speaker_attempt"), frame


BAD: dict[str, list[Reply]] = {
    "an unknown name": [Reply(f"{SECRET} gardener"), Reply("planner")],
    "several names": [Reply(f"{SECRET} planner and coder, or coder"), Reply("planner")],
    "nothing": [Reply(""), Reply("planner")],
    "the whole prompt": [Reply(f"{SECRET} Read the above conversation. Then select the next role."), Reply("planner")],
    "in a sentence": [Reply(f"{SECRET}: I think that the planner should speak next.")],
    "a tool that there is not": [Reply(tools=[("choose", {"name": "planner"})]), Reply("planner")],
    "thoughts": [Reply(tokens=[{"reasoning_content": f"{SECRET} who?"}, "plan", "ner"])],
    "thoughts only": [Reply(tokens=[{"reasoning": f"{SECRET} who?"}]), Reply("planner")],
    "a picture": [
        Reply(tokens=[SECRET, {"images": [{"image_url": {"url": "data:image/png;base64,AA"}}]}]),
        Reply("planner"),
    ],
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("how", BAD)
def test_a_bad_choice(serve: Serve, agents: str, model: ModelServer, how: str, stream: bool) -> None:
    """A bad choice is repeated until it is a name; readers see none of it, at any level of detail."""
    server = serve("--agents", agents, model=model, stream=stream)
    model.script(*BAD[how], Reply("First we think."), Reply("user"))
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(ChatClient(server.websocket, agent="team"))
        session = client.confirmed()["session_id"]
        readers = [stack.enter_context(ChatClient(server.websocket, session=session, show=show)) for show in SHOWS]
        client.ask("Build it.")
        for reader in readers:
            reader.until("turn_completed")
        late = stack.enter_context(ChatClient(server.websocket, session=session))
        late.until("turn_completed")

    for reader in (client, late, *readers):
        assert_inside(reader.frames)
    [end] = contents(client.frames, "turn_completed")
    assert (end["status"], end["summary"]) == ("completed", "First we think.")
    assert [(t["sender"], t["content"]) for t in contents(client.frames, "text")][1:] == [
        ("planner", "First we think.")
    ]
    assert set(end["usage"]["agents"]) == {"chat_manager", "planner"}


def test_never_a_name(serve: Serve, agents: str, model: ModelServer) -> None:
    """If the model never names a speaker, AG2 takes the next in the list; the turn ends after the last round."""
    server = serve("--agents", agents, model=model)
    never = [Reply(f"{SECRET} nobody {n}") for n in range(3)]
    model.script(*never, Reply("A plan."), *never, Reply("Some code."), *never)
    with ChatClient(server.websocket, agent="team") as client:
        client.confirmed()
        frames = client.ask("Build it.")
        model.script(Reply("coder"), Reply("Still here."), Reply("user"))
        again = client.ask("And now?")

    assert_inside(frames)
    assert [t["sender"] for t in contents(frames, "text")] == ["user", "planner", "coder"]
    assert contents(frames, "turn_completed")[0]["status"] == "completed"
    assert contents(again, "turn_completed")[0]["summary"] == "Still here."


@pytest.mark.parametrize("what", [Reply(status=400), Reply(html=True), Reply(status=401)])
def test_a_choice_that_fails(serve: Serve, agents: str, model: ModelServer, what: Reply) -> None:
    """A failing speaker selection is reported as the model's failure; the next message is answered."""
    server = serve("--agents", agents, model=model, max_retries=0)
    model.script(what)
    with ChatClient(server.websocket, agent="team") as client:
        client.confirmed()
        frames = client.ask("Build it.")
        model.script(Reply("coder"), Reply("Still here."), Reply("user"))
        again = client.ask("And now?")

    assert contents(frames, "error")[0]["code"].startswith("model_")
    assert contents(frames, "turn_completed")[0]["status"] == "failed"
    assert contents(again, "turn_completed")[0]["summary"] == "Still here."


def test_the_tool_executor_is_chosen(serve: Serve, agents: str, model: ModelServer) -> None:
    """The tool executor can't speak: if it is chosen, the choice is repeated, or the turn ends.

    Both kinds of tools run.
    """
    server = serve("--agents", agents, model=model)
    calls = Reply(tools=[("look_up", {"word": "moss"}), ("look_far", {"word": "fern"})])
    model.script(
        Reply("A plan."),
        *(Reply(f"{SECRET} _Group_Tool_Executor"), Reply("coder")),
        calls,
        Reply("Both are words."),
        Reply("user"),
    )
    with ChatClient(server.websocket, agent="pattern") as client:
        client.confirmed()
        frames = client.ask("Build it.")

    assert_inside(frames)
    assert [(t["sender"], t["content"]) for t in contents(frames, "text")][1:] == [
        ("planner", "A plan."),
        ("coder", "Both are words."),
    ]
    assert [t["content"] for t in contents(frames, "executed_function")] == ["moss is a word", "fern is far"]
    assert contents(frames, "turn_completed")[0]["status"] == "completed"


def test_a_retry_of_a_team(serve: Serve, agents: str, model: ModelServer) -> None:
    """A retried turn of a team starts over; the model doesn't know the first answer."""
    server = serve("--agents", agents, model=model)
    pieces: list[Piece] = [{"reasoning": "Which one?"}, "coder"]
    model.script(
        Reply("A bad plan."),
        Reply("user"),
        Reply("A better plan."),
        Reply(tokens=pieces),
        Reply("Code."),
        Reply("user"),
    )
    with ChatClient(server.websocket, agent="pattern") as client:
        client.confirmed()
        client.ask("Build it.")
        client.command("retry")
        client.until("turn_completed")

    assert [t["content"] for t in contents(client.frames, "text")] == [
        "Build it.", "A bad plan.", "Build it.", "A better plan.", "Code.",
    ]  # fmt: skip
    assert "A bad plan." not in str(model.requests[2:])
    assert contents(client.frames, "reasoning") == []
