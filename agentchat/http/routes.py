"""What a web address does, as rows of a table: the server answers from it, and openapi.py describes it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel

from agentchat.http.waiting import Client

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
BYTES = "application/octet-stream"


@dataclass(frozen=True)
class Reply:
    """An answer that is there at once."""

    status: int = 200
    body: Any = None
    """What becomes JSON; bytes go out as they are; None for no body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    type: str = JSON

    @property
    def encoded(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Stream:
    """An answer that is sent in pieces, as they come."""

    type: str
    pieces: Generator[str, None, None]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_endless: bool = False
    """It ends with the connection, rather than with a last piece."""


class Nothing(BaseModel):
    """No parameters."""


@dataclass(frozen=True)
class Call:
    """A request as its handler sees it: checked against the models of its route."""

    path: Mapping[str, str]
    query: Any
    body: Any
    headers: Any
    browser: str
    """Whose cookie came with it (identity.py), "" for none."""
    accept: str
    stack: ExitStack
    """What is entered here is left once the answer was sent."""
    watch: Callable[[], Client]
    """For answers that take their time. Only once for a call."""


@dataclass(frozen=True)
class Route:
    """One thing to do at one address. `path` has its variable parts in braces."""

    method: str
    path: str
    name: str
    summary: str
    handle: Callable[[Call], Reply | Stream]
    answers: Mapping[int, type[BaseModel] | None]
    """The model of the answer for each status that is none of an error."""
    errors: Sequence[str] = ()
    """Codes, beside those that any address may answer with."""
    query: type[BaseModel] = Nothing
    headers: type[BaseModel] = Nothing
    body: type[BaseModel] | None = None
    most: int = 0
    """Without such a model: so many bytes of any kind that it takes as its body."""
    types: Sequence[str] = (JSON,)
    """What an answer may be; the first unless something else is asked for."""
    sends: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer, and what they say."""

    @property
    def needs_body(self) -> bool:
        fields = self.body.model_fields.values() if self.body is not None else ()
        return self.most > 0 or any(field.is_required() for field in fields)


class Table:
    """All routes."""

    def __init__(self, routes: Sequence[Route] = ()) -> None:
        self.routes = routes
        self._methods: dict[str, dict[str, Route]] = {}
        for route in routes:
            self._methods.setdefault(route.path, {})[route.method] = route
        self._patterns = [(_pattern(path), methods) for path, methods in self._methods.items()]

    def find(self, path: str) -> tuple[Mapping[str, Route], Mapping[str, str]]:
        """The routes at this address by their methods, and the variable parts. None and none if there is nothing."""
        for pattern, methods in self._patterns:
            match = pattern.fullmatch(path)
            if match:
                return methods, {name: unquote(part) for name, part in match.groupdict().items()}
        return {}, {}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))
