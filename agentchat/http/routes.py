"""Routes: which method of which resource answers a request, what it takes and what it returns.

    class Things:
        @route("POST", "/things", Need.KNOWN, answers={201: responses.Thing}, errors=("closing",))
        def create_thing(self, call: Call, body: requests.NewThing) -> Reply:
            '''Create a thing.'''

The server finds handlers with a `Table`; openapi.py describes them.
"""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel

from agentchat.access import Need
from agentchat.http.waiting import Waiter
from agentchat.net.own_address import OwnAddress
from agentchat.protocol.identity import Caller

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
BYTES = "application/octet-stream"
ZIP = "application/zip"
MAX_BODY = 4 * 2**20  # bytes; fits a message of the maximum length in any script


@dataclass(frozen=True)
class Reply:
    """A response that is ready to be sent."""

    status: int = 200
    body: Any = None
    """Encoded as JSON, unless it is bytes, or an open file, which is sent piece by piece; None for no body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    type: str = JSON
    cookies: Sequence[str] = ()
    """Values of `Set-Cookie` headers."""

    @property
    def encoded(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Stream:
    """A response that is sent piece by piece."""

    type: str
    pieces: Generator[str, None, None] | Generator[bytes, None, None]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_endless: bool = False
    """The connection closes at the end of the stream, instead of staying open for another request."""


@dataclass(frozen=True)
class Call:
    """A request, as far as handlers need it beyond its validated parts."""

    path: Mapping[str, str]
    """The variable parts of the path."""
    browser: str
    """The browser's cookie (see identity.py); "" if there is none."""
    caller: Caller
    """The sender of the request, whose need was checked."""
    own: OwnAddress
    """The address under which the sender reached this server."""
    person: str | None
    """The person whose sessions lists are about; None where everything is everybody's."""
    accept: str
    """The media type to answer with, out of the route's `types`."""
    query: str
    """The query string."""
    cookies: str
    """The `Cookie` header."""
    agent: str
    """The `User-Agent` header."""
    stack: ExitStack
    """Contexts to leave once the response has been sent."""
    waiter: Callable[[], Waiter]
    """The means to wait, for handlers that do. May be called once."""
    hold: Callable[[Need, str], None]
    """Ends the response as soon as the caller no longer has what it takes in that session. Raises ChatError."""

    @property
    def creator(self) -> str:
        """The scope of the ids of commands that create something."""
        return self.caller.person if self.caller.is_known else self.browser


@dataclass(frozen=True)
class Route:
    """An operation: a method and a path, and the handler that answers them.

    The handler gets the `Call` and, as keyword arguments, the validated `body`, `query` and `headers` that it declares.
    """

    method: str
    path: str
    """Variable parts are in braces and don't match slashes."""
    need: Need
    """The least that callers need."""
    handle: Callable[..., Reply | Stream]
    answers: Mapping[int, type[BaseModel] | None]
    """Models of the responses by status, errors excepted; None for an empty body."""
    errors: Sequence[str] = ()
    """Error codes beyond those that every route may answer with."""
    types: Sequence[str] = (JSON,)
    """Media types of the response; the first is the default."""
    sent_headers: Mapping[str, str] = field(default_factory=dict)
    """Response headers by name, with their descriptions."""
    query: type[BaseModel] | None = None
    headers: type[BaseModel] | None = None
    body: type[BaseModel] | type[bytes] | None = None
    """The model of a JSON body, or `bytes` for a raw body of any type."""
    max_body: int = MAX_BODY
    """Maximum size of the body in bytes."""
    waits: bool = False
    """The handler waits for agents, also when it doesn't answer with an event stream."""
    ends_work: bool = False
    """Nobody is too fast to do it."""
    has_own_rate: bool = False
    """The handler itself looks at how often it is asked."""
    is_way_back: bool = False
    """Another site sends people here, who have begun something here before."""
    changes_nothing: bool = False
    """Tokens that may only read suffice, although it is no GET."""

    @property
    def is_limited(self) -> bool:
        """People can be too fast doing it."""
        return self.method != "GET" and not (self.ends_work or self.has_own_rate)

    @property
    def writes(self) -> bool:
        """True if it changes something."""
        return self.method != "GET" and not self.changes_nothing

    @property
    def operation_id(self) -> str:
        """The handler's name in camel case."""
        return re.sub(r"_(\w)", lambda match: match[1].upper(), self.handle.__name__)

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring, without its full stop."""
        return (inspect.getdoc(self.handle) or "").partition("\n")[0].rstrip(".")

    @property
    def is_command(self) -> bool:
        """True if the request may have an Idempotency-Key."""
        return self.headers is not None and "idempotency_key" in self.headers.model_fields

    @property
    def needs_body(self) -> bool:
        if self.body is None or not issubclass(self.body, BaseModel):
            return self.body is bytes
        return any(field.is_required() for field in self.body.model_fields.values())


Handler = TypeVar("Handler", bound=Callable[..., "Reply | Stream"])


def route(method: str, path: str, need: Need, **about: Any) -> Callable[[Handler], Handler]:
    """Make a method the handler of a route. `about` are further fields of `Route`."""

    def decorate(handler: Handler) -> Handler:
        hints = typing.get_type_hints(handler)
        takes = {name: hints[name] for name in ("query", "headers", "body") if name in hints}
        vars(handler)["route"] = Route(method, path, need, handler, **about, **takes)
        return handler

    return decorate


def collect(*resources: object) -> Iterator[Route]:
    """The routes of all handlers of these objects."""
    for resource in resources:
        for name, function in vars(type(resource)).items():
            if found := getattr(function, "route", None):
                yield replace(found, handle=getattr(resource, name))


class Table:
    """All routes of a server."""

    def __init__(self, routes: Sequence[Route] = ()) -> None:
        self.routes = tuple(routes)
        self._methods: dict[str, dict[str, Route]] = {}
        for route in routes:
            self._methods.setdefault(route.path, {})[route.method] = route
        self._patterns = [(_pattern(path), methods) for path, methods in self._methods.items()]

    def find(self, path: str) -> tuple[Mapping[str, Route], Mapping[str, str]]:
        """Return the routes of a path by method, and the path's variable parts. Both are empty for an unknown path."""
        for pattern, methods in self._patterns:
            match = pattern.fullmatch(path)
            if match:
                return methods, {name: unquote(part) for name, part in match.groupdict().items()}
        return {}, {}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))
