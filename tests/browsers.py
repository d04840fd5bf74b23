"""Somebody's browser, as a server with accounts sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.clients import PATIENCE
from tests.rest_client import Answer, RestClient

PASSWORD = "correct horse battery"
API = "/api/agent-chat"


class Server(Protocol):
    """A running server, in this process or another."""

    @property
    def page(self) -> str: ...
    @property
    def websocket(self) -> str: ...


class Browser:
    """Somebody's browser: it keeps its cookies, and says where its requests come from."""

    def __init__(self, running: Server) -> None:
        self.server = running
        self.rest = RestClient(running)
        self.origin = running.page.rstrip("/")
        self.websocket = running.websocket
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = {"Origin": self.origin, **({"Cookie": cookie} if cookie else {}), **headers}
        answer = self.rest.ask(method, path, body, given)
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def log_in(self, login: str, password: str = PASSWORD) -> Answer:
        return self.ask("POST", f"{API}/login", {"login": login, "password": password})

    def another(self, login: str, password: str = PASSWORD) -> Browser:
        """Return another browser, in which somebody has logged in."""
        browser = Browser(self.server)
        assert browser.log_in(login, password).status == 200
        return browser

    @contextmanager
    def connect(self, query: str = "", **headers: str) -> Iterator[ClientConnection]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = {"Origin": self.origin, **({"Cookie": cookie} if cookie else {}), **headers}
        with connect(f"{self.websocket}?{query}", additional_headers=given, open_timeout=PATIENCE) as client:
            yield client


def close_code(client: ClientConnection) -> int | None:
    """Receive until the server closes the connection, and return its code."""
    try:
        while True:
            client.recv(PATIENCE)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else None
