"""The end of a server: turns that run have a while, no others begin, and whoever waits is answered by the next one."""

from __future__ import annotations

import json
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from websockets.sync.client import connect

from agentchat.cli.serve import ENDS_WITHIN
from tests.agent_files import TOOLS, write_agents
from tests.clients import PATIENCE, ChatClient, contents, wait_until
from tests.conftest import Fork, config_list
from tests.faults.servers import ForkedServer
from tests.model_server import ModelServer, Reply
from tests.rest_client import Conversation, RestClient
from tests.scripted_sessions import ScriptedServer, until
from tests.service_manager import Manager

LONG = ("--port", "0", "--ws-port", "0", "--drain", str(PATIENCE))
NOTHING = ("--port", "0", "--ws-port", "0", "--drain", "0")


def end(server: ForkedServer) -> None:
    """Send SIGTERM, and wait until the server says that it takes no new work."""
    server.signal(signal.SIGTERM)
    wait_until(lambda: RestClient(server).get("/readyz").status == 503)


def statuses(server: ForkedServer, session: str) -> list[str]:
    return [content["status"] for content in contents(Conversation(RestClient(server), session).log, "turn_completed")]


def test_a_turn_that_runs_ends(fork: Fork, model: ModelServer) -> None:
    """A turn that runs at SIGTERM is answered to its end, live; then all are told to come back, with 1001."""
    gate = threading.Event()
    model.script(Reply(tokens=["One ", "two"], gate_after=(1, gate)))
    with fork(*LONG, environment=config_list(model)) as server:
        client, watcher = ChatClient(server.websocket, agent="weather"), ChatClient(server.websocket)
        session = client.confirmed()["session_id"]
        client.say("Count")
        client.until("stream")
        end(server)
        assert RestClient(server).get("/readyz").code == "closing"
        assert RestClient(server).get("/healthz").status == 200
        with Conversation(RestClient(server), session).stream() as stream:  # whoever comes now is served
            gate.set()
            stream.until("turn_completed")
            assert next(iter(stream.messages()), None) is None  # the stream ends
        assert client.until("turn_completed")["content"]["status"] == "completed"
        assert (client.close_code(), watcher.close_code()) == (1001, 1001)
        assert server.end() == 0
    assert client.streamed == "One two"


def test_messages_wait_for_the_next_server(fork: Fork, model: ModelServer) -> None:
    """Messages that come while a server drains are accepted, by every protocol, and the next server answers them."""
    gate = threading.Event()
    model.script(Reply("One.", gate=gate))
    environment = config_list(model)
    with fork(*LONG, environment=environment) as server:
        busy = ChatClient(server.websocket, agent="weather")
        session = busy.confirmed()["session_id"]
        busy.say("first")
        busy.until("turn_started")
        end(server)
        busy.command("message", text="second", id="2")
        assert [each["id"] for each in busy.until("queue")["content"]["queue"]] == ["2"]
        idle = ChatClient(server.websocket, agent="weather")  # no turn runs in it
        other = idle.confirmed()["session_id"]
        idle.command("message", text="third", id="3")
        assert [each["id"] for each in idle.until("queue")["content"]["queue"]] == ["3"]
        fourth = RestClient(server).new_session()
        assert fourth.post("messages", {"text": "fourth"}).status == 202
        gate.set()
        assert server.end() == 0
    with fork(*NOTHING, environment=environment) as server:
        for name, count in ((session, 2), (other, 1), (fourth.id, 1)):
            wait_until(lambda name=name, count=count: len(statuses(server, name)) == count)  # type: ignore[misc]
            assert statuses(server, name) == ["completed"] * count


@pytest.mark.parametrize("seconds", ["0", "0.2", "second signal"])
def test_turns_that_take_too_long(fork: Fork, model: ModelServer, seconds: str) -> None:
    """A turn that does not end in time is interrupted; a second SIGTERM ends the wait."""
    model.script(Reply("never", gate=threading.Event()))
    environment = config_list(model)
    options = LONG if seconds == "second signal" else (*LONG[:-1], seconds)
    with fork(*options, environment=environment) as server:
        client = ChatClient(server.websocket, agent="weather")
        client.confirmed()
        client.say("hello")
        client.until("turn_started")
        if seconds == "second signal":
            end(server)
        server.signal(signal.SIGTERM)
        assert client.until("turn_completed")["content"]["status"] == "interrupted"
        assert client.close_code() == 1001
        assert server.end() == 0


def test_questions_keep_nobody_waiting(fork: Fork, model: ModelServer, tmp_path: Path) -> None:
    """A turn that waits for an answer is not waited for; one whose answer comes while another turn runs goes on."""
    agents = write_agents(tmp_path, tools=TOOLS)
    gate = threading.Event()
    model.script(Reply(tools=[("sign", {"text": "it"})]), Reply("never", gate=gate), Reply("Signed."))
    environment = config_list(model)
    with fork(*LONG, "--agents", agents, environment=environment) as server:
        asking = ChatClient(server.websocket, agent="tools")
        session = asking.confirmed()["session_id"]
        asking.say("Sign it")
        request = asking.until("input_request")["content"]["request_id"]
        with ChatClient(server.websocket, agent="tools") as busy:
            busy.say("hello")
            model.wait_for(lambda counts: counts.active == 1)
            end(server)
            asking.command("input_response", request_id=request, text="1234")
            assert asking.until("turn_completed")["content"]["status"] == "completed"
            gate.set()
            assert busy.until("turn_completed")["content"]["status"] == "completed"
        assert server.end() == 0
    model.reset()
    model.script(Reply(tools=[("book", {"city": "Oslo"})]), Reply("Booked."))
    with fork(*LONG, "--agents", agents, environment=environment) as server:
        asking = ChatClient(server.websocket, session=session, after=0)
        asking.confirmed()
        asking.say("Book")
        asking.until("input_request", lambda content: not content["password"])
        server.signal(signal.SIGTERM)
        assert server.end() == 0  # at once: else the test takes a minute
    with fork(*NOTHING, "--agents", agents, environment=environment) as server:
        assert ChatClient(server.websocket, session=session).confirmed()["status"] == "waiting"


def test_a_line_of_turns_stays_one() -> None:
    """Turns that wait in line for others do not begin when these end: the next server takes them."""
    server = ScriptedServer(turns=1)
    first, second = server.create(), server.create()
    first.post("first", "Ada")
    running = server.agents.turn()
    second.post("second", "Bob")
    assert second.turns.ahead == 0
    draining = threading.Thread(target=server.sessions.drain, args=(PATIENCE, lambda: False))
    draining.start()
    server.sessions.is_draining.wait(PATIENCE)
    running.end()
    draining.join()
    until(first, "turn_completed")
    wait_until(lambda: second.turns.ahead is None)
    assert [message.text for message in second.turns.snapshot().waiting] == ["second"]
    following = server.restarted()
    answering = following.agents.turn()
    assert answering.text == "second"
    answering.end()
    until(following.open(second.id), "turn_completed")


# What systemd does


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.close()


def in_background(act: Callable[[], object]) -> queue.SimpleQueue[object]:
    """Do this in a thread, and return a queue that gets the result."""
    result: queue.SimpleQueue[object] = queue.SimpleQueue()
    threading.Thread(target=lambda: result.put(act()), daemon=True).start()
    return result


def test_sockets_that_are_passed(manager: Manager) -> None:
    """A server with the manager's sockets refuses nobody: who connects before it is there, or after, waits.

    It says when it is ready and when it ends, and for how long at most.
    """
    page, websocket = manager.ports

    def confirmed() -> object:
        address = f"ws://127.0.0.1:{websocket}/"
        with connect(address, open_timeout=PATIENCE, proxy=None) as client:
            return json.loads(client.recv(PATIENCE))["type"]

    def ready() -> object:
        with urlopen(f"http://127.0.0.1:{page}/readyz", timeout=PATIENCE) as response:
            return json.load(response)["status"]

    early = [in_background(confirmed), in_background(ready)]
    process = manager.start("demo", names="page:websocket")
    assert [each.get(timeout=PATIENCE) for each in early] == ["connection_confirmed", "ready"]
    assert manager.told() == ["READY=1"]
    process.send_signal(signal.SIGTERM)
    stopping, extended = manager.told()
    assert stopping == "STOPPING=1"
    assert extended == f"EXTEND_TIMEOUT_USEC={round((10 + ENDS_WITHIN) * 1e6)}"
    assert process.wait(PATIENCE) == 0
    waiting = [socket.create_connection(("127.0.0.1", port), PATIENCE) for port in (page, websocket)]
    for each in waiting:
        each.close()


def test_names_that_cannot_be_used(manager: Manager) -> None:
    """Sockets that are passed under names that don't tell them apart are an error, before anything slow is loaded."""
    assert manager.start("demo", names="page:page").wait(PATIENCE) == 2
    assert "Two sockets were passed under the same name" in manager.log
