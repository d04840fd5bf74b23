"""Answers whose content is a list of parts: text and pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentchat.app import Running
from agentchat.protocol.events import Draft, encode, is_blank, pictures_in, text_of
from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.rest_client import SESSIONS, Conversation, RestClient

# One pixel.
PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
FOREIGN = "http://127.0.0.1:9/foreign.png"
PAINTER = f'''
"""Answers in parts."""
from autogen import Agent, ConversableAgent, UserProxyAgent

def paint(recipient, messages, sender, config):
    parts = [
        {{"type": "text", "text": "A vermilion square."}},
        {{"type": "image_url", "image_url": {{"url": "{PICTURE}"}}}},
        {{"type": "text", "text": "And one elsewhere."}},
        {{"type": "image_url", "image_url": {{"url": "{FOREIGN}"}}}},
    ]
    if messages[-1]["content"] == "without words":
        parts = [parts[1]]
    return True, {{"role": "assistant", "content": parts}}

def build(llm_config, chat):
    agent = ConversableAgent("painter", llm_config=False, human_input_mode="NEVER")
    agent.register_reply([Agent, None], paint)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    return user, agent
'''
WORDS = "A vermilion square.\n\nAnd one elsewhere."


@pytest.fixture
def painter(serve: Serve, tmp_path: Path) -> Running:
    return serve("demo", "--agents", write_agents(tmp_path, painter=PAINTER))


@pytest.fixture
def session(painter: Running) -> Conversation:
    return RestClient(painter).new_session(agent="painter")


@pytest.mark.parametrize(
    ("content", "text", "pictures", "blank"),
    [
        ("words", "words", 0, False),
        (None, "", 0, True),
        ("  ", "  ", 0, True),
        (7, "7", 0, False),
        ([], "", 0, True),
        ([{"type": "text", "text": "a"}, "b", {"type": "output_text", "text": ""}], "a\n\nb", 0, False),
        ([{"type": "image_url", "image_url": {"url": PICTURE}}], "", 1, False),
        ([{"type": "image", "data": "x"}, {"type": "input_image", "text": 5}, None, 3], "", 2, False),
    ],
)
def test_text_of_content(content: object, text: str, pictures: int, blank: bool) -> None:
    """The text of a content is that of its text parts, as paragraphs."""
    assert (text_of(content), pictures_in(content), is_blank(content)) == (text, pictures, blank)


def test_found_by_their_words(session: Conversation) -> None:
    """The search finds an answer by the words of its parts, and by nothing else in them."""
    session.ask("Paint.")
    draft = Draft("text", encode({"content": [{"type": "text", "text": "a"}], "message_id": "m"}), 1)

    [found] = session.client.get(SESSIONS, q="vermilion").json["sessions"]
    assert found["id"] == session.id
    assert session.client.get(SESSIONS, q="image_url").json["sessions"] == []
    assert draft.searchable == "a"


def test_as_a_summary(session: Conversation) -> None:
    """The summary of a turn is the text of the parts; there is none without words, and no notice either."""
    turns = [session.ask(text) for text in ("Paint.", "without words")]

    assert [(turn["summary"], turn["notice"]) for turn in turns] == [(WORDS, None), ("", None)]


def test_in_exports(session: Conversation) -> None:
    """Exports have the words of the parts, and say that there were pictures."""
    session.ask("Paint.")
    session.ask("without words")
    markdown = session.get("/export", format="markdown").body.decode()

    said, wordless = markdown.split("without words")
    assert f"## painter\n\n{WORDS}\n\n*painter showed 2 pictures.*" in said
    assert "*painter showed a picture.*" in wordless


def test_as_one_answer(session: Conversation) -> None:
    """The chat API answers with the words of the parts."""
    answers = [
        session.client.post(f"/api/v1/chat/{session.id}", {"message": text}).json["message"]
        for text in ("Paint.", "without words")
    ]

    assert [(answer["content"], answer["agent_name"]) for answer in answers] == [(WORDS, "painter"), ("", "painter")]


@pytest.mark.parametrize("text", ["Paint.", "without words"])
def test_as_the_last_word(painter: Running, text: str) -> None:
    """An answer in parts is the last word of its turn, with or without words."""
    with ChatClient(painter.websocket, agent="painter", show="final") as client:
        [said] = contents(client.ask(text), "text")

    assert said["sender"] == "painter"
