"""Models of request bodies, queries and headers, and the functions that validate them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qs

import pydantic_core
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from agentchat.http import older_names
from agentchat.protocol import attachments, json_values
from agentchat.protocol.errors import ChatError
from agentchat.protocol.identity import UNNAMED
from agentchat.protocol.json_values import MAX_NUMBER
from agentchat.protocol.tasks import TaskStatus
from agentchat.protocol.validation import (
    COMMENT_CHARS,
    ID_CHARS,
    MESSAGE_CHARS,
    NAME_CHARS,
    TITLE_CHARS,
    BusyMode,
    one_line,
)
from agentchat.protocol.visibility import Show

MAX_WAIT = 300  # seconds
MAX_TEXTS = 100  # that are rendered at once
MAX_DAYS = 36_500  # for which a token can be good
INVITATION_HOURS = 7 * 24
MAX_INVITATION_HOURS = 10 * 366 * 24

Model = TypeVar("Model", bound=BaseModel)


def _digits(value: object) -> object:
    """Accept decimal digits only; int() would also take signs, spaces and other scripts."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 15):
        raise pydantic_core.PydanticCustomError("number", "This should be a number of at most 15 digits")
    return value


def _whole(value: object) -> object:
    """Turn 2.0 into 2, since JSON has only one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Limits that are given only as a description or in json_schema_extra are checked by the sessions.
Text = Annotated[str, Field(description=f"At most {MESSAGE_CHARS:,} characters")]
NonEmptyText = Annotated[Text, Field(json_schema_extra={"pattern": r"\S"})]
Name = Annotated[
    str, Field(max_length=NAME_CHARS, description="Who you are"), AfterValidator(lambda name: one_line(name) or UNNAMED)
]
MessageId = Annotated[str, Field(min_length=1, max_length=ID_CHARS)]
Context = Annotated[dict[str, Any] | None, Field(description="Passed on to the agent")]
Number = Annotated[int, Field(ge=0, le=MAX_NUMBER), BeforeValidator(_whole)]
Digits = Annotated[int, BeforeValidator(_digits)]


AgentType = Annotated[
    str | None, Field(description="The same as `agent`, for older clients", json_schema_extra={"deprecated": True})
]
ProjectId = Annotated[
    Annotated[str, Field(min_length=1, max_length=ID_CHARS)] | int | None,
    Field(description="A name for a folder that the sessions of a project share"),
]
MESSAGE_NAMES = {"message": "text"}

# Bodies


class Body(BaseModel):
    """A JSON body."""

    model_config = ConfigDict(strict=True, extra="forbid")


class NewSession(Body):
    agent: str | None = Field(None, description="The default agent if left out")
    agent_type: AgentType = None
    project_id: ProjectId = None
    title: str = Field("", max_length=TITLE_CHARS)


class NewTitle(Body):
    title: str = Field(max_length=TITLE_CHARS, json_schema_extra={"pattern": r"\S"})
    name: Name = UNNAMED


class Attached(Body):
    path: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="The digest of the version that you mean")


class NewMessage(Body):
    model_config = ConfigDict(json_schema_extra=older_names.described(MESSAGE_NAMES))

    text: Annotated[Text, Field(description=f"At most {MESSAGE_CHARS:,} characters; empty only with attachments")]
    attachments: list[Attached] = Field(
        default=[], max_length=attachments.MAX_ATTACHMENTS, description="Files of the session that go with it"
    )
    id: MessageId | None = None
    name: Name = UNNAMED
    context: Context = None
    busy: BusyMode | None = Field(None, description="What to do while a turn is running")
    agent_type: AgentType = None
    project_id: ProjectId = None

    _rename = model_validator(mode="before")(functools.partial(older_names.renamed, names=MESSAGE_NAMES))


class Input(Body):
    request_id: str
    text: Text
    name: Name = UNNAMED
    arguments: dict[str, Any] | None = Field(None, description="With `edit`, the arguments to call the tool with")


class Stop(Body):
    turn: Number | None = Field(None, description="Only stop this turn")


class Retry(Body):
    pass


class Edit(Body):
    seq: Number = Field(description="The seq of the `user_message`")
    text: NonEmptyText
    name: Name = UNNAMED


class Feedback(Body):
    seq: Number = Field(description="The seq of the answer")
    score: Annotated[int, Field(ge=-1, le=1), BeforeValidator(_whole)]
    comment: str = Field("", max_length=COMMENT_CHARS)
    name: Name = UNNAMED


class Typing(Body):
    is_typing: bool
    name: Name = UNNAMED


class Tick(Body):
    status: TaskStatus
    name: Name = UNNAMED


class Take(Body):
    name: Name = "operator"


class OperatorReply(Body):
    text: NonEmptyText
    id: MessageId | None = None
    name: Name = "operator"


class HandBack(Body):
    note: Text = Field("", description="What the agents should know")
    name: Name = "operator"


class Login(Body):
    login: str = Field(max_length=200)
    password: str = Field(max_length=2000)


class FirstAccount(Login):
    secret: str = Field(max_length=200, description="From the link that was printed at start")
    name: str = Field("", max_length=NAME_CHARS)


class Texts(Body):
    texts: list[str] = Field(max_length=MAX_TEXTS, description="In Markdown")


class NoteText(Body):
    value: str = Field(description="At most 2,000 characters")
    name: Name = UNNAMED


class ProfileChange(Body):
    name: str | None = Field(None, max_length=NAME_CHARS, description="The name that others see")
    colour: str | None = Field(None, max_length=7, description="Such as #3366cc; empty for none")
    language: str | None = Field(None, max_length=35, description="Such as `de` or `pt-BR`; empty for none")


class NewPassword(Body):
    old: str = Field(max_length=2000)
    new: str = Field(max_length=2000)


class NewToken(Body):
    name: str = Field(max_length=NAME_CHARS)
    scope: Literal["read", "write", "operator"]
    days: Annotated[int, Field(ge=1, le=MAX_DAYS), BeforeValidator(_whole)] | None = Field(
        None, description="After which it ends; it lasts until it is revoked if left out"
    )


class Confirmation(Body):
    confirm: str = Field(max_length=2000, description="Your password; your login name if you have none")


class Logout(Body):
    everywhere: bool = Field(False, description="In all browsers")


class NewInvitation(Body):
    role: Literal["member", "viewer"]
    hours: float = Field(
        INVITATION_HOURS, ge=0, le=MAX_INVITATION_HOURS,
        description="After which it, and what it gave, ends; 0 for never",
    )  # fmt: skip


class Secret(Body):
    secret: str = Field(max_length=200, description="From the link")


class AdminStop(Body):
    session: str = Field(min_length=1, max_length=ID_CHARS)
    turn: Number | None = Field(None, description="The running turn if left out")


class Chat(Body):
    message: NonEmptyText
    context: Context = None
    session_id: MessageId | None = Field(None, description="A session, or a name for one in the project")
    agent: str | None = Field(None, description="The agent of a new session")
    agent_type: AgentType = None


# Queries


class ListQuery(BaseModel):
    limit: Digits = Field(50, ge=1, le=200)
    before: str | None = Field(
        None, description="`next` of the previous page", pattern=r"^[0-9TZ:.-]{1,40}_[A-Za-z0-9_-]{1,100}$"
    )
    q: str = Field("", description="Words to search for", max_length=1000)


class PostQuery(BaseModel):
    wait: Digits = Field(0, ge=0, le=MAX_WAIT, description="Seconds to wait for the end of the turn")


class EventsQuery(BaseModel):
    after: Digits = Field(0, ge=0, le=MAX_NUMBER)
    epoch: str = Field("", description="The `epoch` in which you got the event `after`")
    limit: Digits = Field(200, ge=1, le=1000, description="JSON only")
    name: Annotated[str, Field(max_length=NAME_CHARS), AfterValidator(one_line)] = Field(
        "", description="Streams only: who you are"
    )
    role: Literal["member", "viewer"] = Field("member", description="Streams only")
    show: Show = Field("all", description="Streams only: how much to send")
    typing: Literal["", "agents"] = Field("", description="Streams only: send `typing` for agents, too")


class DeskQuery(BaseModel):
    name: Name = Field("operator", description="Streams only: who you are")


class ExportQuery(BaseModel):
    format: Literal["json", "markdown", "html"] = "json"


class ForeignImageQuery(BaseModel):
    src: str = Field(max_length=4000, description="The address of the image")
    alt: str = Field("", max_length=1000, description="What it shows")


class BackQuery(BaseModel):
    back: str = Field("/", max_length=2000, description="The path to go to afterwards")


_Event = Annotated[str, Field(max_length=NAME_CHARS, description="Entries of the audit log with this event only")]
_Person = Annotated[
    str, Field(max_length=NAME_CHARS, description="Entries about this person only, by id or login name")
]


class AuditQuery(BaseModel):
    limit: Digits = Field(100, ge=1, le=1000)
    event: _Event = ""
    person: _Person = ""


class OverviewQuery(BaseModel):
    days: Digits = Field(30, ge=1, le=365, description="Days of usage, with today")
    audit: Digits = Field(0, ge=0, le=1000, description="Number of entries of the audit log")
    event: _Event = ""
    person: _Person = ""


class StatusQuery(BaseModel):
    days: Digits = Field(30, ge=1, le=365, description="Days of usage, with today")


class NameQuery(BaseModel):
    name: Name = UNNAMED


_Version = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$", description="The SHA-256 digest of a version")]


class VersionQuery(BaseModel):
    version: _Version = ""


class DiffQuery(BaseModel):
    old: _Version = ""
    new: _Version = ""


# Headers


class CommandHeaders(BaseModel):
    idempotency_key: MessageId | None = Field(
        None, alias="Idempotency-Key", description="However often a request is sent with the same key, it counts once"
    )


class EventsHeaders(BaseModel):
    last_event_id: str | None = Field(None, alias="Last-Event-ID", description="Streams only; wins over `after`")


def parse_body(model: type[Model], body: bytes) -> Model:
    """Parse a JSON body; an empty one is an empty object. Raises ChatError."""
    try:
        value = pydantic_core.from_json(body or b"{}", allow_inf_nan=False)
    except ValueError as error:
        raise ChatError("bad_request", problem=f"its body is not JSON: {error}") from error
    if problem := json_values.problem(value):
        raise ChatError("bad_request", problem=problem)
    return _check(model, value)


def parse_query(model: type[Model], query: str) -> Model:
    """Parse a query string, ignoring unknown parameters. Raises ChatError."""
    given = parse_qs(query, keep_blank_values=True)
    values = {name: each for name, each in given.items() if name in model.model_fields}
    for name, each in values.items():
        if len(each) > 1:
            raise ChatError("bad_request", problem=f"{name} is given twice")
    return _check(model, {name: each[0] for name, each in values.items()})


def parse_headers(model: type[Model], header: Callable[[str], str | None]) -> Model:
    """Parse the headers of the model, each read with `header`. Raises ChatError."""
    values = {name: header(name) for name in (field.alias or name for name, field in model.model_fields.items())}
    return _check(model, {name: value for name, value in values.items() if value is not None})


def _check(model: type[Model], value: object) -> Model:
    """Validate a value. Raises ChatError, whose sentence never repeats the value."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [_problem(model, each) for each in error.errors(include_url=False, include_input=False)[:3]]
        raise ChatError("bad_request", problem="; ".join(dict.fromkeys(problems))) from error


def _problem(model: type[BaseModel], error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":  # the field's name is the client's own and could be anything
        known = ", ".join(model.model_fields)
        return f"it may have {known} and nothing else" if known else "it may not have any fields"
    if error["type"] == "two_values":
        return str(error["msg"])
    if not error["loc"]:
        return "its body is not an object"
    field = str(error["loc"][0])
    if error["type"] == "missing":
        return f"{field} is missing"
    return f"{field}: {error['msg'][0].lower()}{error['msg'][1:]}"
