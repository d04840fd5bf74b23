"""Files that go with messages: the references in logs and histories, and the images that reach the models."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentchat.models import context_window, vision
from agentchat.models.context_window import IMAGE, fit
from agentchat.protocol import attachments
from agentchat.protocol.attachments import Attachment
from tests.agent_files import PICTURES, write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import Body, ModelServer, Reply
from tests.rest_client import Conversation, RestClient

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
OTHER = PNG + b"another"  # in a decoder's eyes the same
URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
SEEN = f"[Attached file: a.png (image/png, {len(PNG)} bytes)]"
UNSEEN = f"[Attached file: a.png (image/png, {len(PNG)} bytes), which is not shown to you]"
LINE = f"[Attached file: a.png (image/png, {len(PNG)} bytes, sha256 {hashlib.sha256(PNG).hexdigest()})]"

GROUP = '''
"""Two agents, one after the other."""
from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent

def build(llm_config, chat):
    agents = [ConversableAgent(name, llm_config=llm_config, human_input_mode="NEVER") for name in ("first", "second")]
    user = UserProxyAgent("person", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    group = GroupChat([user, *agents], [], max_round=3, speaker_selection_method="round_robin")
    return user, GroupChatManager(group, llm_config=False, human_input_mode="NEVER")
'''


@pytest.fixture(autouse=True)
def _nothing_found_out() -> Iterator[None]:
    """Forget between tests, which share a model server, whether the model sees images."""
    vision._declared.clear()
    vision._found_out.clear()
    yield
    vision._declared.clear()
    vision._found_out.clear()


def put(session: Conversation, path: str, content: bytes) -> dict[str, Any]:
    """Upload a file and return the reference to it."""
    answer = session.client.ask("PUT", f"{session.path}/files/{path}", content, {"Content-Type": "image/png"})
    assert answer.status in {200, 201}
    return {name: answer.json[name] for name in ("path", "sha256")}


def messages(request: Body) -> list[Any]:
    """Return the contents of the messages of people in a request."""
    return [message["content"] for message in request["body"]["messages"] if message["role"] == "user"]


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def image(url: str = URL) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def refusal(status: int, words: str) -> Reply:
    return Reply(status=status, error={"error": {"message": words, "code": None}})


def test_a_model_gets_the_bytes_and_the_log_the_reference(session: Conversation, model: ModelServer) -> None:
    """The image reaches the model server, in later turns as well; the log has its path and digest alone."""
    attached = put(session, "a.png", PNG)
    session.ask("What is this?", attachments=[attached])
    expected = [text(f"What is this?\n\n{SEEN}"), image()]
    assert messages(model.requests[-1]) == [expected]
    [asked] = contents(session.log, "user_message")
    assert asked["attachments"] == [{**attached, "size": len(PNG), "media_type": "image/png"}]
    assert asked["text"] == "What is this?"
    session.ask("And now?")
    assert messages(model.requests[-1]) == [expected, "And now?"]
    assert "attachments" not in contents(session.log, "user_message")[-1]
    assert "base64" not in str(session.log)


def test_over_websocket(client: ChatClient, rest: RestClient, model: ModelServer) -> None:
    """A `message` takes attachments, too; one without a word is enough."""
    session = Conversation(rest, client.frames[0]["content"]["session_id"])
    files = [put(session, "a.png", PNG), put(session, "notes%2Fb.csv", b"a,b")]
    client.command("message", text="", attachments=files)
    client.until("turn_completed")
    assert messages(model.requests[-1]) == [
        [text(f"{SEEN}\n[Attached file: notes/b.csv (text/csv, 3 bytes)]"), image()],
    ]
    assert session.get().json["title"] == "a.png"


@pytest.mark.parametrize(
    ("attached", "code"),
    [
        ([{"path": "gone.png", "sha256": "0" * 64}], "file_unknown"),
        ([{"path": "a.png", "sha256": "0" * 64}], "attachment_changed"),
        ([{"path": "../a.png", "sha256": "0" * 64}], "file_refused"),
        ([{"path": f"{n}.png", "sha256": "0" * 64} for n in range(21)], "bad_frame"),
        ([{"path": "a.png", "sha256": "0" * 64}] * 2, "bad_frame"),
        ([{"path": "a.png", "sha256": "0"}], "bad_frame"),
        ([{"path": "a.png"}], "bad_frame"),
        (["a.png"], "bad_frame"),
        ("a.png", "bad_frame"),
    ],
)
def test_what_cannot_be_attached(client: ChatClient, rest: RestClient, attached: Any, code: str) -> None:
    """It is refused in words, over both, and nothing is logged."""
    session = Conversation(rest, client.frames[0]["content"]["session_id"])
    put(session, "a.png", PNG)
    client.command("message", text="Look", attachments=attached, id="1")
    assert client.until("error")["content"]["code"] == code
    refused = session.post("messages", {"text": "Look", "attachments": attached})
    assert refused.code in {code, "bad_request"}
    assert contents(session.log, "user_message") == []


def test_an_empty_message_needs_a_file(session: Conversation) -> None:
    assert session.post("messages", {"text": " ", "attachments": []}).code == "message_empty"


def test_sending_again_counts_once(session: Conversation) -> None:
    """The same id with the same files is the same message, even if they have changed since; with others it is not."""
    attached = put(session, "a.png", PNG)
    first = session.post("messages", {"text": "Look", "id": "1", "attachments": [attached]})
    changed = put(session, "a.png", OTHER)
    again = session.post("messages", {"text": "Look", "id": "1", "attachments": [attached]})
    assert (again.status, again.json["seq"]) == (202, first.json["seq"])
    assert session.post("messages", {"text": "Look", "id": "1", "attachments": [changed]}).code == "id_reused"
    assert session.post("messages", {"text": "Look", "id": "1"}).code == "id_reused"


def test_retrying_and_editing_keep_the_files(client: ChatClient, rest: RestClient, model: ModelServer) -> None:
    session = Conversation(rest, client.frames[0]["content"]["session_id"])
    attached = put(session, "a.png", PNG)
    client.command("message", text="Look", attachments=[attached])
    client.until("turn_completed")
    client.command("retry")
    seq = client.until("user_message")["seq"]
    client.until("turn_completed")
    assert messages(model.requests[-1]) == [[text(f"Look\n\n{SEEN}"), image()]]
    client.command("edit", seq=seq, text="")
    client.until("turn_completed")
    assert messages(model.requests[-1]) == [[text(SEEN), image()]]
    assert [each["attachments"][0]["path"] for each in contents(session.log, "user_message")] == ["a.png"] * 3


def test_a_restart_keeps_them(serve: Serve, model: ModelServer) -> None:
    """Agents that are built from what is stored send the same again."""
    server = serve(model=model)
    session = RestClient(server).new_session()
    session.ask("Look", attachments=[put(session, "a.png", PNG)])
    server.close()
    again = Conversation(RestClient(serve(model=model)), session.id)
    again.ask("And?")
    assert messages(model.requests[-1]) == [[text(f"Look\n\n{SEEN}"), image()], "And?"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_file_that_has_changed(serve: Serve, model: ModelServer, kept: bool) -> None:
    """A model sees the version that was attached as long as that is kept; afterwards it reads the name only."""
    server = serve(*([] if kept else ["--storage-of-versions", "0"]), model=model)
    session = RestClient(server).new_session()
    session.ask("Look", attachments=[put(session, "a.png", PNG)])
    put(session, "a.png", OTHER)
    session.ask("And?")
    before, after = messages(model.requests[0])[0], messages(model.requests[-1])[0]
    assert after == (before if kept else f"Look\n\n{UNSEEN}")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "This model does not support image input"),
        (404, "No endpoints found that support image input"),
        (415, "unsupported content: picture"),
        (422, "messages.1.content: Input should be a valid string"),
        (400, "unknown variant `image_url`, expected `text`"),
        # llama.cpp's server, as `make real-model` found it
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
    ],
)
def test_a_model_that_turns_out_not_to_see(session: Conversation, model: ModelServer, status: int, words: str) -> None:
    """The request is sent again with words alone, the person is told once, and it is remembered."""
    model.script(refusal(status, words))
    turn = session.ask("Look", attachments=[put(session, "a.png", PNG)])
    asked, again = model.requests[-2:]
    assert messages(asked) == [[text(f"Look\n\n{SEEN}"), image()]]
    assert messages(again) == [f"Look\n\n{UNSEEN}"]
    assert [each["notice"] for each in contents(turn["events"], "text") if "notice" in each] == [vision.UNSEEN]
    before = model.counts.requests
    turn = session.ask("And?")
    assert model.counts.requests == before + 1
    assert "notice" not in str(turn["events"])


def test_a_refusal_of_something_else_stands(session: Conversation, model: ModelServer) -> None:
    """A refusal for another reason is not asked again; one that stays without images is not remembered."""
    model.script(refusal(400, "The temperature is wrong"))
    attached = put(session, "a.png", PNG)
    before = model.counts.requests
    assert session.ask("Look", attachments=[attached])["status"] == "failed"
    assert model.counts.requests == before + 1
    model.script(*[refusal(404, "There is no model llama-vision")] * 3)  # two images, the newest, none
    assert session.ask("Look", attachments=[attached])["status"] == "failed"
    assert session.ask("Look", attachments=[attached])["status"] == "completed"
    assert image() in messages(model.requests[-1])[-1]


def test_a_model_that_has_seen_goes_on_seeing(session: Conversation, model: ModelServer) -> None:
    """A damaged image, or several at once, may be refused; another one is sent nevertheless."""
    session.ask("Look", attachments=[put(session, "a.png", PNG)])
    model.script(refusal(400, "At most 1 image may be given"))
    session.ask("This too", attachments=[put(session, "b.png", OTHER)])
    url = f"data:image/png;base64,{base64.b64encode(OTHER).decode()}"
    first, second = messages(model.requests[-1])
    assert first == f"Look\n\n{UNSEEN}"
    assert second[1:] == [image(url)]
    model.script(refusal(400, "Invalid image"), refusal(400, "Invalid image"))
    turn = session.ask("And this", attachments=[put(session, "c.png", PNG)])
    assert vision.REFUSED in str(turn["events"])
    session.ask("Again", attachments=[put(session, "d.png", PNG)])
    assert messages(model.requests[-1])[-1][1:] == [image()]


@pytest.mark.parametrize("sees", [True, False])
def test_what_the_configuration_says(serve: Serve, model: ModelServer, sees: bool) -> None:
    """`vision` decides, is told to clients, and never reaches the server."""
    server = serve(model=model, vision=sees)
    session = RestClient(server).new_session()
    with ChatClient(server.websocket, session=session.id) as client:
        assert client.confirmed()["model"]["vision"] is sees
    turn = session.ask("Look", attachments=[put(session, "a.png", PNG)])
    expected = [text(f"Look\n\n{SEEN}"), image()] if sees else f"Look\n\n{UNSEEN}"
    assert messages(model.requests[-1]) == [expected]
    assert "vision" not in model.requests[-1]["body"]
    assert (vision.UNSEEN in str(turn["events"])) is not sees


def test_groups_and_agents_that_see_by_themselves(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Every member of a group gets the image, and so does AG2's multimodal agent."""
    server = serve("--agents", write_agents(tmp_path, group=GROUP, pictures=PICTURES), model=model)
    expected = [text(f"Look\n\n{SEEN}"), image()]
    for agent in ("group", "pictures"):
        session = RestClient(server).new_session(agent=agent)
        before = len(model.requests)
        session.ask("Look", attachments=[put(session, "a.png", PNG)])
        asked = model.requests[before:]
        assert asked
        assert all(messages(request)[0] == expected for request in asked)


OWN = '''
"""Asks a client of its own."""
from types import SimpleNamespace
from autogen import ConversableAgent, UserProxyAgent

class Client:
    def __init__(self, config, **kwargs):
        pass

    def create(self, params):
        text = repr(params["messages"][-1]["content"])
        message = SimpleNamespace(content=text, function_call=None, tool_calls=None)
        return SimpleNamespace(choices=[SimpleNamespace(message=message)], model="own", cost=0, usage={})

    def message_retrieval(self, response):
        return [choice.message.content for choice in response.choices]

    def cost(self, response):
        return 0

    @staticmethod
    def get_usage(response):
        return {}

def build(llm_config, chat):
    entry = {"model": "own", "model_client_cls": "Client", "api_key": "none", **{vision}}
    agent = ConversableAgent("own", llm_config={"config_list": [entry]}, human_input_mode="NEVER")
    agent.register_model_client(Client)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    return user, agent
'''


def test_clients_of_other_protocols(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Nobody can tell what their servers refuse, so they get images only if the configuration says so."""
    variants = {"unknown": "{}", "sees": "{'vision': True}"}
    agents = {name: OWN.replace("{vision}", entry) for name, entry in variants.items()}
    server = serve("--agents", write_agents(tmp_path, **agents), model=model)
    for agent, expected in (("unknown", f"Look\n\n{UNSEEN}"), ("sees", [text(f"Look\n\n{SEEN}"), image()])):
        session = RestClient(server).new_session(agent=agent)
        turn = session.ask("Look", attachments=[put(session, "a.png", PNG)])
        assert turn["summary"] == repr(expected)
        assert (vision.UNSEEN in str(turn["events"])) is (agent == "unknown")


def test_a_line_that_somebody_types_reaches_no_other_file(session: Conversation, model: ModelServer) -> None:
    """It is looked for in the conversation's folder, and must have the digest."""
    other = session.client.new_session()
    put(other, "a.png", PNG)
    session.ask(LINE)
    assert messages(model.requests[-1]) == [UNSEEN]


def test_exports_name_them(session: Conversation) -> None:
    session.ask("Look", attachments=[put(session, "a.png", PNG)])
    assert "Look\n\n*Attached: a.png*" in session.get("/export", format="markdown").body.decode()
    assert "Attached: a.png" in session.get("/export", format="html").body.decode()
    assert PNG[-20:] not in session.get("/export", format="json").body


def test_an_image_is_counted_by_its_tokens() -> None:
    """A window has room for a conversation with images, whose bytes would be far too many."""
    parts = [text("What is this?"), image("data:image/png;base64," + "A" * 400_000)]
    said: list[dict[str, Any]] = [{"role": "user", "content": parts}, {"role": "user", "content": "word " * 20}]
    with window_of(5_000):
        assert fit(said) == said
    assert IMAGE < 400_000


def test_cutting_leaves_the_images() -> None:
    """Cutting a long message takes its words, and neither its images nor its lines about files."""
    long = "word " * 10_000
    said: list[dict[str, Any]] = [
        {"role": "user", "content": [text(long), image()]},
        {"role": "user", "content": attachments.told(long, [Attachment("a.png", "0" * 64, 1, "image/png")])},
    ]
    with window_of(4_000):
        parts, line = (message["content"] for message in fit(said))
    assert parts[1] == image()
    assert len(parts[0]["text"]) < 10_000
    assert line.endswith(f"[Attached file: a.png (image/png, 1 bytes, sha256 {'0' * 64})]")
    assert len(line) < 10_000


@contextlib.contextmanager
def window_of(tokens: int) -> Iterator[None]:
    """Let models see so many tokens of a conversation."""
    token = context_window.setting.set(tokens)
    try:
        yield
    finally:
        context_window.setting.reset(token)
