"""Servers are replaced, one after another, while people talk; nobody may lose a word or see one twice.

`python -m tests.updates` (`make updates`) does so with `python main.py` as a process whose sockets a manager holds, as
systemd does.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.clients import PATIENCE, ChatClient, Frame, wait_until
from tests.conftest import config_list
from tests.model_server import ModelServer
from tests.rest_client import Conversation, RestClient
from tests.service_manager import Manager

SAYS = '@@{"n": 6, "delay": 0.03}@@'  # what people say, and what the model makes of it
RETRY = 0.05  # seconds


class Server(Protocol):
    """Where a server is, whichever has the ports at the moment."""

    @property
    def page(self) -> str: ...

    @property
    def websocket(self) -> str: ...


class Person:
    """Somebody who says something, waits for the answer, and goes on so, whatever becomes of the connection."""

    def __init__(self, server: Server, name: str, is_over: threading.Event) -> None:
        self.name = name
        self.session = ""
        self.seen: list[Frame] = []
        """The events of the log, as they came."""
        self.answered = 0
        self.codes: list[int | None] = []
        """The codes with which connections were closed."""
        self.refusals: list[str] = []
        """Connections that could not be had, or were not answered."""
        self._server = server
        self._is_over = is_over
        self._epoch = ""
        self._turn: int | None = None  # that of the newest message, once it was seen
        self._is_waiting = False  # for an answer

    def talk(self) -> None:
        """Talk until the event is set and everything is answered."""
        while not self._has_ended:
            try:
                self._connect()
            except (OSError, http.client.HTTPException, InvalidHandshake, ConnectionClosed, EOFError) as error:
                self.refusals.append(repr(error))  # nobody is there, or just left
                time.sleep(RETRY)

    @property
    def _has_ended(self) -> bool:
        return self._is_over.is_set() and not self._is_waiting

    @property
    def _message(self) -> dict[str, str]:
        return {"text": SAYS, "id": f"{self.name}-{self.answered}"}

    def _connect(self) -> None:
        raise NotImplementedError

    def _take(self, frame: Frame) -> bool:
        """Note what came. Returns True if that was the answer."""
        if frame["type"] == "connection_confirmed":
            content = frame["content"]
            assert content["replaced"] is None, f"{self.name}: the session is gone"
            assert content["recovered"], f"{self.name}: a part of the log is gone"
            self.session, self._epoch = content["session_id"], content["epoch"]
        if "seq" not in frame:
            return False
        last = self.seen[-1]["seq"] if self.seen else 0
        assert frame["seq"] == last + 1, f"{self.name}: {frame['seq']} came after {last}"
        self.seen.append(frame)
        if frame["type"] == "user_message" and frame["content"]["id"] == self._message["id"]:
            self._turn = frame["turn"]
        if frame["type"] == "turn_completed" and frame["turn"] == self._turn:
            self.answered, self._turn, self._is_waiting = self.answered + 1, None, False
            return True
        return False

    @property
    def _place(self) -> dict[str, Any]:
        return {"after": self.seen[-1]["seq"] if self.seen else 0, "epoch": self._epoch}


class WebSocketPerson(Person):
    def _connect(self) -> None:
        query = {"session": self.session, **self._place} if self.session else {"agent": "weather"}
        with ChatClient(self._address, **query) as client:
            try:
                self._take(client.receive())
                self._say(client)
                while not self._has_ended:
                    if self._take(client.receive()) and not self._is_over.is_set():
                        self._say(client)
            except ConnectionClosed as closed:
                self.codes.append(closed.rcvd.code if closed.rcvd else None)

    @property
    def _address(self) -> str:
        return self._server.websocket

    def _say(self, client: ChatClient) -> None:
        self._is_waiting = True
        if self._turn is None:  # else it was accepted; the same again counts once
            client.command("message", **self._message)


class OnePortPerson(WebSocketPerson):
    """Somebody who connects to the page's port."""

    @property
    def _address(self) -> str:
        return self._server.page.replace("http", "ws", 1) + "ws"


class StreamPerson(Person):
    """Somebody who follows an event stream and sends over REST."""

    def _connect(self) -> None:
        rest = RestClient(self._server)
        if not self.session:
            self.session = rest.ask("POST", "/api/agent-chat/sessions", {"agent": "weather"}).json["id"]
        conversation = Conversation(rest, self.session)
        with conversation.stream(**self._place) as stream:
            self._say(conversation)
            for message in stream.messages():
                if message.data and self._take(message.frame) and not self._is_over.is_set():
                    self._say(conversation)
                if self._has_ended:
                    return

    def _say(self, conversation: Conversation) -> None:
        self._is_waiting = True
        if self._turn is None:
            answer = conversation.post("messages", self._message)
            assert answer.status in {200, 202} or answer.code == "closing", answer.body


def replace(
    server: Server, people: int, replacements: int, update: Callable[[], None], tell: Callable[[str], None]
) -> list[str]:
    """Have people talk while servers are replaced by `update`. Returns what went wrong."""
    everybody = talked(server, people, replacements, update, tell)
    return [problem for person in everybody for problem in problems(server, person)]


def talked(
    server: Server, people: int, replacements: int, update: Callable[[], None], tell: Callable[[str], None]
) -> list[Person]:
    """Have people talk while servers are replaced by `update`, and return them."""
    is_over = threading.Event()
    kinds = (WebSocketPerson, StreamPerson, OnePortPerson)
    everybody: list[Person] = [kinds[number % len(kinds)](server, f"p{number}", is_over) for number in range(people)]
    with ThreadPoolExecutor(people) as pool:
        talks = [pool.submit(person.talk) for person in everybody]

        def have_all_gone_on(before: list[int]) -> bool:
            for talk in talks:
                if talk.done():
                    talk.result()  # raises what ended it
            return all(person.answered > count for person, count in zip(everybody, before, strict=True))

        try:
            for number in range(replacements + 1):
                before = [person.answered for person in everybody]
                wait_until(lambda before=before: have_all_gone_on(before))  # type: ignore[misc]
                if number < replacements:
                    update()
                    tell(f"replaced {number + 1} times, {sum(person.answered for person in everybody)} answers")
        finally:
            is_over.set()
        for talk in talks:
            talk.result()
    return everybody


def problems(server: Server, person: Person) -> Iterator[str]:
    """Yield what is wrong with what somebody has seen, and with the log."""
    log = whole_log(server, person.session)
    if person.seen != log[: len(person.seen)]:
        yield f"{person.name} has not seen the log"
    said = [frame["content"]["id"] for frame in log if frame["type"] == "user_message"]
    if said != [f"{person.name}-{number}" for number in range(person.answered)]:
        yield f"{person.name}: the log has {said}"
    for type in ("turn_started", "turn_completed"):
        turns = [frame["turn"] for frame in log if frame["type"] == type]
        if turns != list(range(1, person.answered + 1)):
            yield f"{person.name}: {type} of {turns}"
    statuses = {frame["content"]["status"] for frame in log if frame["type"] == "turn_completed"}
    if statuses != {"completed"}:
        yield f"{person.name}: turns were {statuses}"
    if set(person.codes) - {1001}:
        yield f"{person.name}: connections were closed with {set(person.codes)}"


def whole_log(server: Server, session: str) -> list[Frame]:
    conversation, log = Conversation(RestClient(server), session), list[Frame]()
    while page := conversation.get("/events", after=log[-1]["seq"] if log else 0, limit=1000).json["events"]:
        log += page
    return log


class _Managed:
    """The addresses of a manager's sockets."""

    def __init__(self, manager: Manager) -> None:
        page, websocket = manager.ports
        self.page = f"http://127.0.0.1:{page}/"
        self.websocket = f"ws://127.0.0.1:{websocket}/"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--replacements", type=int, default=10)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(Manager(Path(folder))) as manager,
        ModelServer() as model,
    ):

        def start() -> None:
            manager.start("--drain", str(PATIENCE), "--messages-per-second", "0", environment=config_list(model))
            assert manager.told() == ["READY=1"]

        def update() -> None:
            server = manager.processes[-1]
            server.send_signal(signal.SIGTERM)
            assert manager.told()[0] == "STOPPING=1"
            assert server.wait(PATIENCE) == 0
            start()

        start()
        server = _Managed(manager)
        everybody = talked(server, given.people, given.replacements, update, print)
        found = [problem for person in everybody for problem in problems(server, person)]
        found += [f"{person.name} was refused: {refusal}" for person in everybody for refusal in person.refusals]
        found += [line for line in manager.log.splitlines() if "Traceback" in line]
    print("\n".join(found) if found else "Nobody lost a word, or saw one twice.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
