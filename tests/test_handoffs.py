"""Teams that hand over: each hand-off is visible and remembered, and endless loops are cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agent_files import write_agents
from tests.clients import ChatClient, Frame, contents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply

HEAD = '''
"""Hands over."""
from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import (
    AgentNameTarget, AgentTarget, ContextVariables, ExpressionContextCondition, ContextExpression, OnCondition,
    OnContextCondition, ReplyResult, RevertToUserTarget, StringLLMCondition, TerminateTarget,
)
from autogen.agentchat.group.patterns import AutoPattern, DefaultPattern
from autogen.agentchat.group.targets.transition_target import RandomAgentTarget

def look_up(word: str, reason: str = "") -> str:
    """Look a word up."""
    return f"{word} is a word"

def build(llm_config, chat):
    def agent(name, *tools):
        return ConversableAgent(name, system_message=f"You are {name}.", llm_config=llm_config,
                                human_input_mode="NEVER", functions=list(tools))
    def give(context_variables: ContextVariables, to: str, reason: str = "") -> ReplyResult:
        """Hand over."""
        context_variables["times"] = context_variables.get("times", 0) + 1
        told = f"{to} has it, {context_variables['times']}"
        return ReplyResult(message=told, target=AgentNameTarget(to), context_variables=context_variables)
    def draw(context_variables: ContextVariables) -> ReplyResult:
        """Draw the next one."""
        return ReplyResult(message="drawn", target=RandomAgentTarget([b, c]), context_variables=context_variables)
    a, b, c = agent("ann", give, draw, look_up), agent("ben", give), agent("cem")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    def done(kind=DefaultPattern, **more):
        pattern = kind(initial_agent=a, agents=[a, b, c], user_agent=user, **more)
        return user, pattern.prepare_group_chat(max_rounds=20, messages="Hello")[8]
'''

AGENTS = {
    "results": "    return done()\n",
    "auto": '    return done(AutoPattern, group_manager_args={"llm_config": llm_config})\n',
    "conditions": """
    a.handoffs.add_llm_conditions([OnCondition(target=AgentTarget(b), condition=StringLLMCondition("To ben."))])
    return done()
""",
    "after": """
    a.handoffs.set_after_work(AgentTarget(b))
    b.handoffs.set_after_work(AgentTarget(c))
    c.handoffs.set_after_work(TerminateTarget())
    return done()
""",
    "circle": """
    a.handoffs.set_after_work(AgentTarget(b))
    b.handoffs.set_after_work(AgentTarget(a))
    return done()
""",
    "revert": "    a.handoffs.set_after_work(RevertToUserTarget())\n    return done()\n",
    "lot": "    a.handoffs.set_after_work(RandomAgentTarget([b, c]))\n    return done()\n",
    "context": """
    condition = ExpressionContextCondition(ContextExpression("${times} > 0"))
    b.handoffs.add_context_conditions([OnContextCondition(target=AgentTarget(c), condition=condition)])
    return done(context_variables=ContextVariables({"times": 0}))
""",
}


@pytest.fixture
def agents(tmp_path: Path) -> str:
    return write_agents(tmp_path, **{name: HEAD + source for name, source in AGENTS.items()})


def talk(serve: Serve, agents: str, model: ModelServer, agent: str, *replies: Reply) -> list[Frame]:
    """Play one turn."""
    model.script(*replies)
    with ChatClient(serve("--agents", agents, model=model).websocket, agent=agent) as client:
        client.confirmed()
        return client.ask("Do it.")


def handoffs(frames: list[Frame]) -> list[tuple[str, str, str]]:
    return [(c["from"], c["to"], c["reason"]) for c in contents(frames, "handoff")]


def said(frames: list[Frame]) -> list[tuple[str, str]]:
    return [(t["sender"], t["content"]) for t in contents(frames, "text") if t["sender"] != "user"]


def give(to: str, reason: str = "") -> Reply:
    return Reply(tools=[("give", {"to": to, "reason": reason})])


@pytest.mark.parametrize("agent", ["results", "auto"])
def test_by_a_tool(serve: Serve, agents: str, model: ModelServer, agent: str) -> None:
    """A hand-off by a tool names both agents and the reason."""
    frames = talk(serve, agents, model, agent, give("ben", "knows more"), Reply("I do."), Reply("user"))

    assert handoffs(frames) == [("ann", "ben", "knows more")]
    assert said(frames) == [("ben", "I do.")]
    assert contents(frames, "turn_completed")[0]["status"] == "completed"


def test_by_a_condition(serve: Serve, agents: str, model: ModelServer) -> None:
    """AG2 turns a condition into a tool; calling it is reported as a hand-off."""
    frames = talk(serve, agents, model, "conditions", Reply(tools=[("transfer_to_ben_1", {})]), Reply("I do."))

    assert handoffs(frames) == [("ann", "ben", "")]
    assert said(frames) == [("ben", "I do.")]


def test_after_work(serve: Serve, agents: str, model: ModelServer) -> None:
    """After-work hand-offs are reported one by one, without the reason of an earlier tool call."""
    call = Reply(tools=[("look_up", {"word": "moss", "reason": "curious"})])
    frames = talk(serve, agents, model, "after", call, Reply("One."), Reply("Two."), Reply("Three."))

    assert handoffs(frames) == [("ann", "ben", ""), ("ben", "cem", "")]
    assert said(frames) == [("ann", "One."), ("ben", "Two."), ("cem", "Three.")]
    assert contents(frames, "turn_completed")[0]["summary"] == "Three."


def test_by_what_they_know(serve: Serve, agents: str, model: ModelServer) -> None:
    """Context conditions hand over without a model call, and AG2's own note about it is not reported as an answer."""
    frames = talk(serve, agents, model, "context", give("ben"), Reply("Three."))

    assert handoffs(frames) == [("ann", "ben", ""), ("ben", "cem", "")]
    assert said(frames)[-1] == ("cem", "Three.")
    assert contents(frames, "turn_completed")[0]["summary"] == "Three."
    assert not [text for text in said(frames) if "Handing off" in text[1]]


@pytest.mark.parametrize("agent", ["lot", "results"])
def test_by_lot(serve: Serve, agents: str, model: ModelServer, agent: str) -> None:
    """A random hand-off reports the agent that was chosen."""
    first = Reply("One.") if agent == "lot" else Reply(tools=[("draw", {})])
    frames = talk(serve, agents, model, agent, first, Reply("Two."))
    drawn = said(frames)[-1][0]

    assert drawn in {"ben", "cem"}
    assert handoffs(frames) == [("ann", drawn, "")]


def test_in_circles(serve: Serve, agents: str, model: ModelServer) -> None:
    """Endless hand-offs end the turn with an explanation, and the next message is answered."""
    with ChatClient(serve("--agents", agents, model=model).websocket, agent="circle") as client:
        client.confirmed()
        frames = client.ask("Do it.")
        again = client.ask("And now?")

    assert contents(frames, "error")[0]["code"] == "handoff_circle"
    assert "circles (" in contents(frames, "error")[0]["message"]
    assert len(contents(frames, "handoff")) <= 10
    assert contents(again, "turn_completed")


def test_back_to_the_person(serve: Serve, agents: str, model: ModelServer) -> None:
    """A hand-off back to the person ends the turn."""
    frames = talk(serve, agents, model, "revert", Reply("What do you want?"))

    assert said(frames) == [("ann", "What do you want?")]
    assert contents(frames, "turn_completed")[0]["status"] == "completed"


def test_several_at_once(serve: Serve, agents: str, model: ModelServer) -> None:
    """AG2 follows the last of several hand-offs at once; all are reported, and the turn goes on."""
    both = Reply(tools=[("give", {"to": "ben"}), ("give", {"to": "cem", "reason": "better"})])
    frames = talk(serve, agents, model, "results", both, Reply("I do."))

    assert said(frames) == [("cem", "I do.")]
    assert handoffs(frames)[-1][1:] == ("cem", "better")
    assert contents(frames, "turn_completed")[0]["status"] == "completed"


def test_to_nobody_there(serve: Serve, agents: str, model: ModelServer) -> None:
    """A hand-off to an unknown agent fails the turn with an explanation; the next turn works."""
    model.script(give("gardener"), Reply("Hello."))
    with ChatClient(serve("--agents", agents, model=model).websocket, agent="results") as client:
        client.confirmed()
        frames = client.ask("Do it.")
        again = client.ask("And now?")

    assert contents(frames, "turn_completed")[0]["status"] in {"failed", "completed"}
    assert contents(again, "turn_completed")[0]["status"] == "completed"
    assert said(again)


def test_a_restart(serve: Serve, agents: str, model: ModelServer) -> None:
    """After a restart, the same agent has the turn, and the context variables are unchanged."""
    first = serve("--agents", agents, model=model)
    model.script(give("ben"), Reply("I do."))
    with ChatClient(first.websocket, agent="results") as client:
        session = client.confirmed()["session_id"]
        seen = client.ask("Do it.")[-1]["seq"]
    first.close()
    model.script(give("ann"), Reply("Back again."))
    with ChatClient(serve("--agents", agents, model=model).websocket, session=session, after=seen) as client:
        frames = client.ask("And now?")

    assert handoffs(frames) == [("ben", "ann", "")]
    assert contents(frames, "executed_function")[0]["content"] == "ann has it, 2"
    assert said(frames) == [("ann", "Back again.")]


def test_a_retry(serve: Serve, agents: str, model: ModelServer) -> None:
    """A retry starts with the agent and the context variables that the turn started with."""
    model.script(give("ben"), Reply("I do."))
    with ChatClient(serve("--agents", agents, model=model).websocket, agent="results") as client:
        client.confirmed()
        client.ask("Do it.")
        model.script(give("cem"), Reply("Better."))
        client.command("retry")
        client.until("turn_completed")

    frames = [frame for frame in client.log if frame["turn"] == 2]
    assert handoffs(frames) == [("ann", "cem", "")]
    assert contents(frames, "executed_function")[0]["content"] == "cem has it, 1"


def test_the_sum_of_a_team(serve: Serve, agents: str, model: ModelServer) -> None:
    """Each model call is charged to one agent, even though AG2 resets its counters at a hand-off."""
    replies: list[Any] = [give("ben"), give("cem"), Reply("Done."), Reply("user")]
    for number, reply in enumerate(replies):
        reply.usage = (10**number, 1)
    frames = talk(serve, agents, model, "auto", *replies)
    usage = contents(frames, "turn_completed")[0]["usage"]

    assert {name: sums["prompt_tokens"] for name, sums in usage["agents"].items()} == {
        "ann": 1, "ben": 10, "cem": 100, "chat_manager": 1000,
    }  # fmt: skip
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (1111, 4)
