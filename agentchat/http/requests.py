"""What clients may send over HTTP: the models that check it, and a sentence for what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qs

import pydantic_core
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from agentchat.protocol.errors import ChatError
from agentchat.protocol.validation import ID_CHARS, MESSAGE_CHARS, TITLE_CHARS

MAX_WAIT = 300
NAME_CHARS = 100
MAX_NUMBER = 10**15 - 1  # a float holds it exactly, as clients in JavaScript need

Model = TypeVar("Model", bound=BaseModel)


def _digits(value: object) -> object:
    """A parameter as a number. Python would take more for one than others do."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 15):
        raise pydantic_core.PydanticCustomError("number", "This should be a number of at most 15 digits")
    return value


def _whole(value: object) -> object:
    """JSON has one kind of number: 2.0 is 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# What is only described here, the sessions check.
Text = Annotated[str, Field(description=f"At most {MESSAGE_CHARS:,} characters")]
WrittenText = Annotated[Text, Field(json_schema_extra={"pattern": r"\S"})]
Name = Annotated[str, Field(max_length=NAME_CHARS, description="Who you are")]
MessageId = Annotated[str, Field(min_length=1, max_length=ID_CHARS)]
Title = Annotated[str, Field(max_length=TITLE_CHARS, json_schema_extra={"pattern": r"\S"})]
Object = dict[str, Any]
Number = Annotated[int, Field(ge=0, le=MAX_NUMBER), BeforeValidator(_whole)]
PageToken = Annotated[
    str, Field(description="`next` of the page before", pattern=r"^[0-9TZ:.-]{1,40}_[A-Za-z0-9_-]{1,100}$")
]
Digits = BeforeValidator(_digits)
Busy = Literal["enqueue", "reject", "interrupt", "rollback"]


class Body(BaseModel):
    """What is sent as JSON."""

    model_config = ConfigDict(strict=True, extra="forbid")


class NewSession(Body):
    agent: Annotated[str | None, Field(description="Without it, the default agent")] = None
    title: Annotated[str, Field(max_length=TITLE_CHARS)] = ""


class NewTitle(Body):
    title: Title
    name: Name = "user"


class NewMessage(Body):
    text: WrittenText
    id: MessageId | None = None
    name: Name = "user"
    context: Annotated[Object | None, Field(description="Handed to the agent")] = None
    busy: Annotated[Busy | None, Field(description="What becomes of it while a turn runs")] = None


class Input(Body):
    request_id: str
    text: Text
    name: Name = "user"
    arguments: Annotated[Object | None, Field(description="With `edit`, what the tool is to be given")] = None


class Stop(Body):
    turn: Annotated[Number | None, Field(description="Only if this one runs or waits")] = None


class Retry(Body):
    pass


class Edit(Body):
    seq: Annotated[Number, Field(description="Of the `user_message`")]
    text: WrittenText
    name: Name = "user"


class Typing(Body):
    is_typing: bool
    name: Name = "user"


class Tick(Body):
    status: Literal["open", "doing", "done"]
    name: Name = "user"


class Take(Body):
    name: Name = "operator"


class OperatorReply(Body):
    text: WrittenText
    id: MessageId | None = None
    name: Name = "operator"


class HandBack(Body):
    note: Annotated[Text, Field(description="What the agents should know")] = ""
    name: Name = "operator"


class Chat(Body):
    message: WrittenText
    context: Annotated[Object | None, Field(description="Handed to the agent")] = None
    agent: Annotated[str | None, Field(description="For a new session")] = None


class ListQuery(BaseModel):
    limit: Annotated[int, Field(ge=1, le=200), Digits] = 50
    before: PageToken | None = None
    q: Annotated[str, Field(description="Words to look for", max_length=1000)] = ""


class PostQuery(BaseModel):
    wait: Annotated[int, Field(ge=0, le=MAX_WAIT, description="Seconds to wait for the turn's end"), Digits] = 0


class EventsQuery(BaseModel):
    after: Annotated[int, Field(ge=0, le=MAX_NUMBER), Digits] = 0
    limit: Annotated[int, Field(ge=1, le=1000, description="For JSON"), Digits] = 200
    name: Annotated[str, Field(max_length=NAME_CHARS, description="Who you are, for a stream")] = ""
    role: Annotated[Literal["member", "viewer"], Field(description="For a stream")] = "member"
    show: Annotated[Literal["final", "agents", "tools", "all"], Field(description="How much of it, for a stream")] = (
        "all"
    )


class DeskQuery(BaseModel):
    name: Annotated[str, Field(max_length=NAME_CHARS, description="Who sits there, for a stream")] = "operator"


class WhoQuery(BaseModel):
    name: Annotated[str, Field(max_length=NAME_CHARS, description="Who you are")] = "user"


class ExportQuery(BaseModel):
    format: Literal["json", "markdown", "html"] = "json"


class FileQuery(BaseModel):
    name: Name = "user"


class PostHeaders(BaseModel):
    idempotency_key: Annotated[
        MessageId | None, Field(alias="Idempotency-Key", description="The message's `id`; wins over the body's")
    ] = None


class EventsHeaders(BaseModel):
    last_event_id: Annotated[
        str | None, Field(alias="Last-Event-ID", description="For a stream; wins over `after`")
    ] = None


def parse(model: type[Model], body: bytes) -> Model:
    """A body. Raises ChatError with what is wrong with it."""
    try:
        value = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ChatError("bad_request", problem=f"its body is no JSON: {error}") from error
    return check(model, value)


def parse_query(model: type[Model], query: str) -> Model:
    """The parameters of an address; those that are not known do no harm. Raises ChatError."""
    given = parse_qs(query, keep_blank_values=True)
    values = {name: each for name, each in given.items() if name in model.model_fields}
    for name, each in values.items():
        if len(each) > 1:
            raise ChatError("bad_request", problem=f"{name} stands twice")
    return check(model, {name: each[0] for name, each in values.items()})


def header_names(model: type[BaseModel]) -> list[str]:
    """The headers that the model is about."""
    return [field.alias or name for name, field in model.model_fields.items()]


def check(model: type[Model], value: object) -> Model:
    """A value that fits the model. Raises ChatError with what is wrong with it, and never with the value itself."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [_problem(model, each) for each in error.errors(include_url=False, include_input=False)[:3]]
        raise ChatError("bad_request", problem="; ".join(dict.fromkeys(problems))) from error


def _problem(model: type[BaseModel], error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":  # its name is the client's own, and may be anything
        known = ", ".join(model.model_fields)
        return f"it may have {known} and nothing else" if known else "it may have no fields"
    if not error["loc"]:
        return "its body is no object"
    what = str(error["loc"][0])
    if error["type"] == "missing":
        return f"{what} is missing"
    return f"{what}: {error['msg'][0].lower()}{error['msg'][1:]}"
