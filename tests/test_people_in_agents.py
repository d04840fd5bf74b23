"""Agents know who speaks, and can have an operator asked instead of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from agentchat import audit
from agentchat.approval import needs_approval
from agentchat.audit import Audit
from agentchat.auth.accounts import Accounts
from tests.agent_files import write_agents
from tests.browsers import API, PASSWORD, Browser
from tests.clients import PATIENCE
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

pytestmark = pytest.mark.own_server

ABOUT = '''
"""Says who speaks."""
import json

def on_message(message, chat):
    chat.state["asked by"] = chat.user
    known = {"id": chat.user.id, "name": chat.user.name, "known": chat.user.is_known}
    return json.dumps({**known, "operator": chat.may("operator"), "admin": chat.may("admin")})
'''
REFUNDS = '''
"""Pays back, if an operator lets it."""
from autogen import ConversableAgent, UserProxyAgent
from agentchat.chat import needs_approval

def build(llm_config, chat):
    clerk = ConversableAgent("clerk", system_message="You are clerk.", llm_config=llm_config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)

    @user.register_for_execution()
    @clerk.register_for_llm(description="Pay back.")
    @needs_approval(by="operator")
    def pay_back(euros: int) -> str:
        return f"{euros} euros were paid back."

    return user, clerk
'''


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(Accounts(folder)) as accounts:
        accounts.add("ada", PASSWORD, "Ada")
        accounts.add("olga", PASSWORD, "Olga", ["operator"])
        yield accounts


def until(client: ClientConnection, type: str) -> Any:
    """Receive up to a frame of that type, and return its content."""
    while True:
        frame = json.loads(client.recv(PATIENCE))
        if frame["type"] == type:
            return frame["content"]


def command(client: ClientConnection, type: str, **content: object) -> None:
    client.send(json.dumps({"type": type, "content": content}))


def browsers(serve: Serve, tmp_path: Path, **more: Any) -> tuple[Browser, Browser]:
    """Return the browsers of Ada and of Olga, an operator."""
    running = serve("--agents", write_agents(tmp_path, about=ABOUT, refunds=REFUNDS), **more)
    ada, olga = Browser(running), Browser(running)
    assert (ada.log_in("ada").status, olga.log_in("olga").status) == (200, 200)
    return ada, olga


def test_agents_know_who_speaks(accounts: Accounts, serve: Serve, tmp_path: Path, model: ModelServer) -> None:
    """The id and the name are those of the account, whatever the address and the context say."""
    ada, olga = browsers(serve, tmp_path, model=model)
    for browser, login, roles in ((ada, "ada", (False, False)), (olga, "olga", (True, False))):
        user = accounts.by_login(login)
        assert user is not None
        with browser.connect("agent=about&name=Eve") as client:
            command(client, "message", text="Who am I?", context={"user": "Eve"})
            said = json.loads(until(client, "turn_completed")["summary"])
        assert said == {"id": user.id, "name": user.name, "known": True, "operator": roles[0], "admin": roles[1]}


def test_where_nobody_logs_in(serve: Serve, tmp_path: Path) -> None:
    """Where nobody logs in, everybody may do everything, and names are not proved."""
    running = serve("demo", "--agents", write_agents(tmp_path, about=ABOUT))
    with Browser(running).connect("agent=about&name=Eve") as client:
        command(client, "message", text="Who am I?")
        said = json.loads(until(client, "turn_completed")["summary"])
    assert (said["name"], said["known"], said["operator"], said["admin"]) == ("Eve", False, True, True)


def test_an_operator_is_asked(accounts: Accounts, serve: Serve, tmp_path: Path, model: ModelServer) -> None:
    """A tool waits for the yes of an operator, who sees the conversation at the desk until then, and no longer."""
    ada, olga = browsers(serve, tmp_path, model=model)
    model.script(Reply(tools=[("pay_back", {"euros": 5})]), Reply("Done."))
    with ada.connect("agent=refunds") as client:
        session = until(client, "connection_confirmed")["session_id"]
        path = f"{API}/sessions/{session}"
        assert olga.ask("GET", path).status == 404
        command(client, "message", text="I want my money back.")
        asked = until(client, "input_request")
        assert asked["by"] == "operator"
        command(client, "input_response", request_id=asked["request_id"], text="approve")
        assert until(client, "error")["code"] == "not_allowed"
        answer = {"request_id": asked["request_id"], "text": "approve"}
        assert ada.ask("POST", f"{path}/input", answer).code == "not_allowed"

        [waiting] = olga.ask("GET", f"{API}/desk").json["conversations"]
        assert (waiting["id"], waiting["state"]) == (session, "asks")
        assert olga.ask("GET", path).status == 200
        assert olga.ask("POST", f"{path}/messages", {"text": "Hello"}).code == "read_only"
        assert olga.ask("POST", f"{path}/input", answer).status == 200
        assert until(client, "executed_function")["content"] == "5 euros were paid back."
        until(client, "turn_completed")
    [entry] = [each for each in Audit(tmp_path / "data" / audit.FILE).last(100) if each["event"] == "approval"]
    assert (entry["by"], entry["decision"]) == ("operator", "approve")
    assert olga.ask("GET", path).status == 404
    assert olga.ask("GET", f"{API}/desk").json["conversations"] == []


def test_other_roles_cannot_be_asked() -> None:
    """A role that nobody can have is refused where the tool is marked."""
    with pytest.raises(ValueError, match="operator"):
        needs_approval(by="boss")
