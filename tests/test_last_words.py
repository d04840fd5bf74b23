"""The last word of turns that end with a tool, or where AG2 would ask the person to go on, as every client gets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentchat.app import Running
from tests.agent_files import write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import Conversation, RestClient

JUDGE = '''
"""Its tool's result is the answer."""
from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import ContextVariables, ReplyResult, RevertToUserTarget
from autogen.agentchat.group.patterns import DefaultPattern

def build(llm_config, chat):
    def choose(name: str, context_variables: ContextVariables) -> ReplyResult:
        """Choose one."""
        return ReplyResult(message=f"Chose {name}.", context_variables=context_variables, target=RevertToUserTarget())

    judge = ConversableAgent("judge", llm_config=llm_config, functions=[choose], human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    return DefaultPattern(initial_agent=judge, agents=[judge], user_agent=user, context_variables=ContextVariables())
'''

# AG2 would ask the person after each answer, until somebody types `exit`.
DEFAULT = '''
"""A proxy with all defaults."""
from autogen import ConversableAgent, UserProxyAgent

def build(llm_config, chat):
    return UserProxyAgent("user"), ConversableAgent("helper", llm_config=llm_config)
'''

# Nobody says anything, not even before AG2 would ask.
MUTE = '''
"""A person and an agent that never answers."""
from autogen import Agent, ConversableAgent

def build(llm_config, chat):
    agent = ConversableAgent("mute", human_input_mode="NEVER", default_auto_reply="")
    return ConversableAgent("human", human_input_mode="ALWAYS"), agent
'''


@pytest.fixture
def server(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    return serve("--agents", write_agents(tmp_path, judge=JUDGE, default=DEFAULT, mute=MUTE), model=model)


def ask_twice(session: Conversation, text: str) -> tuple[object, object]:
    """Return the summary of a turn, and the message of the chat API."""
    summary = session.ask(text)["summary"]
    answer = session.client.post(f"/api/v1/chat/{session.id}", {"message": text})
    assert answer.status == 200
    message = answer.json["message"]
    return summary, (message["agent_name"], message["content"])


def test_a_result_of_a_tool(server: Running, model: ModelServer) -> None:
    """A tool's result that ends the turn is the answer of the agent whose tool it is."""
    session = RestClient(server).new_session(agent="judge")
    model.script(*[Reply(tools=[("choose", {"name": "Ann"})])] * 2)

    assert ask_twice(session, "Who?") == ("Chose Ann.", ("judge", "Chose Ann."))
    with ChatClient(server.websocket, session=session.id, show="final") as final:
        final.until("turn_completed", turn=2)
    assert [(said["sender"], said["content"]) for said in contents(final.log, "text")] == [("judge", "Chose Ann.")] * 2
    assert session.get("/export", format="markdown").body.decode().endswith("## judge\n\nChose Ann.\n\n")
    assert model.requests[2:] == []


def test_where_ag2_would_ask_the_person_to_go_on(server: Running, model: ModelServer) -> None:
    """The turn ends; callers that cannot answer questions get its answer, not `input_needed`."""
    session = RestClient(server).new_session(agent="default")
    model.script(Reply("Hello."), Reply("Hello again."))

    assert ask_twice(session, "hi") == ("Hello.", ("helper", "Hello again."))
    assert {event["type"] for event in session.log}.isdisjoint({"input_request", "error"})


def test_where_nobody_says_anything(server: Running) -> None:
    """The turn ends, and says that there is no answer."""
    session = RestClient(server).new_session(agent="mute")

    assert ask_twice(session, "hi") == ("", ("mute", ""))
    notices = [event["content"].get("notice") for event in session.log if event["type"] == "turn_completed"]
    assert all(notices)
