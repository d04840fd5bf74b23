"""REST requests, each in a thread of its own, and sent again until a server has answered them."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.faults.talk import Talk
from tests.rest_client import JSON_TYPE, SESSIONS, Answer

PATIENCE = 60  # seconds for one response

EXPECTED = frozenset({"busy", "request_closed", "already_answered", "message_unknown", "nothing_to_retry"})
REFUSED = frozenset({"store_failed", "store_full", "store_locked", "store_unusable"})  # by the store, for a while
GONE = frozenset({"session_unknown", "session_deleted"})


@dataclass(eq=False)
class Request:
    """A request and what becomes of it."""

    talk: Talk
    method: str
    what: str
    """The address below that of the session; absolute if it begins with /api."""
    then: Callable[[Answer], None] = lambda answer: None
    """Gets the answer, also if it is an expected error."""
    body: object = None
    key: str = ""
    """The Idempotency-Key."""
    expected: frozenset[str] = frozenset()
    """Codes of errors that are no fault."""
    gives_up: Callable[[], None] | None = None
    """Called when the store refused it, which then must have had no effect; None: it is sent again later."""
    tries: int = 0
    page: str = ""
    session: str = ""
    """The session's id when it was last sent."""

    @property
    def path(self) -> str:
        return self.what if self.what.startswith("/api") else f"{SESSIONS}/{self.talk.id}{self.what}"

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key} {str(self.body)[:120] if self.body is not None else ''}"


@dataclass(frozen=True)
class Answered:
    """A request was answered, or its connection broke."""

    request: Request
    answer: Answer | None


class Caller:
    """Sends requests and sends them again; all but waiting for responses happens in the schedule's thread."""

    def __init__(self, tell: Callable[[Answered], None], figures: Counter[str], complaints: list[str]) -> None:
        self._tell = tell
        self._figures = figures
        self._complaints = complaints
        self.on_send: Callable[[Request], None] = lambda request: None
        self._page = ""
        self._under_way: set[Request] = set()
        self._unsent: list[Request] = []  # until a server is up
        self._refused: list[Request] = []  # until the store works again
        self.is_store_refusing = False

    @property
    def is_idle(self) -> bool:
        return not (self._under_way or self._unsent or self._refused)

    @property
    def unanswered(self) -> list[Request]:
        return [*self._under_way, *self._unsent, *self._refused]

    def has_unanswered(self, talk: Talk) -> bool:
        """Return True if the next server may still get a request about that conversation."""
        return any(request.talk is talk for request in self.unanswered)

    def send(self, request: Request) -> None:
        """Send a new request."""
        self.dispatch(request)
        self.on_send(request)

    def dispatch(self, request: Request) -> None:
        if not self._page:
            self._unsent.append(request)
            return
        request.tries += 1
        request.page, request.session = self._page, request.talk.id
        self._under_way.add(request)
        self._figures["REST requests"] += 1
        threading.Thread(target=self._ask, args=(request,), name="rest", daemon=True).start()

    def up(self, page: str) -> None:
        """Send what could not be sent, or was not answered."""
        self._page = page
        self.store_works()
        unsent, self._unsent = self._unsent, []
        for request in unsent:
            self._figures["REST requests sent again"] += bool(request.tries)
            self.dispatch(request)

    def down(self) -> None:
        self._page = ""

    def store_works(self) -> None:
        self.is_store_refusing = False
        refused, self._refused = self._refused, []
        for request in refused:
            self.dispatch(request)

    def take(self, note: Answered) -> None:
        """Process an answer."""
        request, answer = note.request, note.answer
        self._under_way.discard(request)
        code = _code(answer) if answer is not None else ""
        if answer is None or code == "closing":
            self._unsent.append(request)
            if self._page not in {"", request.page}:
                self.up(self._page)
        elif code in REFUSED:
            self._figures["REST requests refused by the store"] += 1
            if request.gives_up is None or request.tries > 1:
                self._refused.append(request)
                if not self.is_store_refusing:  # the answer comes late
                    self.store_works()
            else:
                request.gives_up()
        elif code in GONE and request.talk.is_going:
            if code in request.expected:  # its own deletion: nothing was said in it, so the last server took it along
                request.then(answer)
        elif code == "session_unknown" and request.talk.id != request.session:  # it was replaced in the meantime
            self.dispatch(request)
        elif code == "session_unknown" and not request.talk.log:  # nothing was said in it: it is about to be replaced
            self._unsent.append(request)
        else:
            if answer.status >= 400 and code not in EXPECTED | request.expected:
                self._complaints.append(f"{request} was answered {answer.status} {answer.body.decode()[:300]}")
                return
            request.then(answer)

    def _ask(self, request: Request) -> None:
        try:
            answer: Answer | None = ask(request.page, request.method, request.path, request.body, request.key)
        except (OSError, http.client.HTTPException):
            answer = None
        self._tell(Answered(request, answer))


def ask(page: str, method: str, path: str, body: object = None, key: str = "") -> Answer:
    """Send one request and wait for the response. Raises OSError and HTTPException."""
    connection = http.client.HTTPConnection(urlsplit(page).netloc, timeout=PATIENCE)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {**(JSON_TYPE if body is not None else {}), **({"Idempotency-Key": key} if key else {})}
    try:
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def _code(answer: Answer) -> str:
    try:
        return str(answer.json["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""  # no error
