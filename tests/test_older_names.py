"""Names that older clients use: accepted, never sent instead of ours, and refused where they contradict ours."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from agentchat import settings
from agentchat.app import Running
from agentchat.protocol.errors import SettingsError
from tests.clients import PATIENCE, ChatClient
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.rest_client import SESSIONS, RestClient


@pytest.fixture
def three(serve: Serve, model: ModelServer, tmp_path: Path, two_agents: Path) -> Callable[..., RestClient]:
    """Start a server whose agents have these names."""

    def begin(*names: str) -> RestClient:
        (tmp_path / "agents").mkdir()
        for name in names:
            shutil.copy(two_agents / "weather.py", tmp_path / "agents" / f"{name}.py")
        return RestClient(serve("--agents", str(tmp_path / "agents"), model=model))

    return begin


def test_types_of_agents(three: Callable[..., RestClient]) -> None:
    """The older types stand for our agents, if there are such; every agent is also a type."""
    rest = three("knowledge", "tasks", "weather")
    for given, agent in [("rag", "knowledge"), ("task", "tasks"), ("knowledge", "knowledge"), ("weather", "weather")]:
        made = rest.post(SESSIONS, {"agent_type": given})
        assert (made.status, made.json["agent"], made.json["id"]) == (201, agent, made.json["session_id"])
        assert "agent_type" not in made.json
    assert rest.post(SESSIONS, {"agent_type": "document"}).code == "agent_unknown"
    assert rest.post(SESSIONS, {"agent": "rag"}).json["agent"] == "knowledge"
    assert rest.post("/api/v1/chat/new", {"message": "hello", "agent_type": "rag"}).status == 200


def test_an_agent_of_that_name_wins(three: Callable[..., RestClient]) -> None:
    """An agent that has an older name itself is meant by it."""
    assert three("knowledge", "rag").post(SESSIONS, {"agent_type": "rag"}).json["agent"] == "rag"


def test_two_agents_in_one_request(three: Callable[..., RestClient]) -> None:
    """Both names are fine as long as they mean the same agent."""
    rest = three("knowledge", "weather")
    assert rest.post(SESSIONS, {"agent": "knowledge", "agent_type": "rag"}).status == 201
    refused = rest.post(SESSIONS, {"agent": "weather", "agent_type": "rag"})
    assert (refused.status, refused.code) == (400, "bad_request")
    assert "its agent_type is another agent than weather" in refused.json["error"]["message"]


def test_message_for_text(rest: RestClient) -> None:
    """A message may be called `message`; two different ones are refused, and nothing is posted."""
    session = rest.new_session()
    answer = session.post("messages", {"message": "hello", "agent_type": "weather"}, wait=PATIENCE)
    assert (answer.status, answer.json["session_id"], answer.json["status"]) == (200, session.id, "completed")
    assert session.log[0]["content"]["text"] == "hello"
    assert "message" not in session.log[0]["content"]

    accepted = session.post("messages", {"message": "again", "text": "again"})
    assert (accepted.status, accepted.json["session_id"]) == (202, session.id)
    refused = session.post("messages", {"message": "one", "text": "two"})
    assert (refused.status, refused.code) == (400, "bad_request")
    assert "text and message differ" in refused.json["error"]["message"]
    assert session.post("messages", {"message": " "}).code == "message_empty"
    assert session.post("messages", {"message": 7}).code == "bad_request"
    assert session.post("messages", {"message": "hello", "agent_type": "travel"}).code == "bad_request"
    assert "text is missing" in session.post("messages", {"name": "Ada"}).json["error"]["message"]
    assert session.get().json["messages"] == 2


def test_the_description_has_them(rest: RestClient) -> None:
    """Programs that check what they send by the description may send either name, but not none."""
    schemas = rest.get("/api/openapi.json").json["components"]["schemas"]
    check = jsonschema.Draft202012Validator({**schemas["NewMessage"], "components": {"schemas": schemas}})
    assert [check.is_valid(body) for body in ({"text": "x"}, {"message": "x"}, {}, {"message": 7})] == [
        True, True, False, False,
    ]  # fmt: skip
    assert schemas["NewMessage"]["properties"]["message"]["deprecated"]
    assert schemas["NewSession"]["properties"]["agent_type"]["deprecated"]


def test_the_same_on_a_websocket(server: Running) -> None:
    """Responses and frames have our names only."""
    with ChatClient(server.websocket, agent="weather") as client:
        assert "agent_type" not in client.confirmed()


def test_the_page_under_its_older_name(rest: RestClient) -> None:
    """Older links to the page lead there."""
    assert rest.get("/chat.html").body == rest.get("/").body


def test_settings_without_a_prefix() -> None:
    """Two variables count without the prefix, if there is none with it."""
    older = {"SESSION_TTL_HOURS": "12", "MAX_MESSAGES_PER_SESSION": "7"}
    chosen = settings.load([], older)
    assert (chosen.session_ttl_hours, chosen.max_messages_per_session) == (12.0, 7)
    assert {"session_ttl_hours", "max_messages_per_session"} <= chosen.given

    newer = {**older, "AGENTCHAT_SESSION_TTL_HOURS": "24", "AGENTCHAT_MAX_MESSAGES_PER_SESSION": " "}
    chosen = settings.load(["--max-messages-per-session", "9"], newer)
    assert (chosen.session_ttl_hours, chosen.max_messages_per_session) == (24.0, 9)
    assert settings.load([], {"PORT": "1", "HOST": "::"}) == settings.load([], {})

    with pytest.raises(SettingsError, match=r"^SESSION_TTL_HOURS must be a number, not 'long'"):
        settings.load([], {"SESSION_TTL_HOURS": "long"})
