"""The commands that WebSocket clients send: a table of names and functions. See docs/protocol.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from agentchat.access import Access, Need
from agentchat.protocol import attachments, events, handover, json_values
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event
from agentchat.protocol.identity import Caller
from agentchat.protocol.validation import ID_CHARS, one_line
from agentchat.sessions.session import Session
from agentchat.ws.sending import Client

T = TypeVar("T")
D = TypeVar("D")


@dataclass(frozen=True)
class Sender:
    """The person at the other end of a connection, in their session."""

    session: Session
    client: Client
    name: str
    role: str
    busy: str | None
    caller: Caller
    access: Access
    check_rate: Callable[[Caller], None]
    """Counts one more thing that the person does. Raises ChatError."""


class Content:
    """The content of a command. Fields of another type than expected raise ChatError."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    @overload
    def field(self, name: str, kind: type[T]) -> T: ...
    @overload
    def field(self, name: str, kind: type[T], default: D) -> T | D: ...
    def field(self, name: str, kind: type[T], default: Any = ...) -> Any:
        """Return a field, or `default` if it is missing or null; without a default it is required."""
        value = self.values.get(name)
        if value is None and default is not ...:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ChatError("bad_frame", problem=f"its {name} is not {_KINDS[kind]}")
        if isinstance(value, int) and abs(value) > json_values.MAX_NUMBER:
            raise ChatError("bad_frame", problem=f"its {name} is a number of more than 15 digits")
        return value

    @property
    def id(self) -> str | None:
        """The command's id, if it has one."""
        return self.field("id", str, None)


_IDS = ("id", "command_id", "request_id")  # that errors repeat
_KINDS: dict[type, str] = {str: "text", dict: "an object", list: "a list", int: "a number", bool: "true or false"}


def receive(frame: str | bytes, sender: Sender) -> None:
    """Execute a frame. Errors go only to its sender."""
    client, session = sender.client, sender.session
    if client.is_done:
        return  # it came too late to be answered
    about: dict[str, str] = {}
    try:
        name, content = _parse(frame)
        about = {key: id for key in _IDS if isinstance(id := content.values.get(key), str)}
        _check_reader(sender)
        if name != "stop":  # which ends work
            sender.check_rate(sender.caller)
        command = _command(name)
        sender.access.check(sender.caller, command.need, session.id)
        if not client.closes_behind_turn:
            command.carry_out(sender, content)
            return
        with session.turns.hold():  # no turn ends before the client waits for it
            event = command.carry_out(sender, content)
            if event is not None:
                client.expect(event.turn, session.log.end(event.turn))
    except ChatError as error:
        client.refuse(events.error_frame(error, **about))


def _check_reader(sender: Sender) -> None:
    if sender.role == "viewer":
        raise ChatError("read_only")


def _parse(frame: str | bytes) -> tuple[str | None, Content]:
    """Return the name and the content of a command; text that isn't a JSON object with a `type` is plain text."""
    if isinstance(frame, bytes):
        raise ChatError("bad_frame", problem="it is binary; send text")
    value = _json_object(frame)
    name = value.get("type")
    if not isinstance(name, str):
        return None, Content({"text": frame})
    if problem := json_values.problem(value):
        raise ChatError("bad_frame", problem=problem)
    content = value.get("content", {})
    if isinstance(content, dict):
        return name, Content(content)
    if name in COMMANDS:
        raise ChatError("bad_frame", problem="its content is not an object")
    return name, Content({})


def _command(name: str | None) -> Command:
    """Return the command of that name; None is plain text."""
    if name is None:
        return PLAIN_TEXT
    if name not in COMMANDS:
        shown = one_line(name[:ID_CHARS])  # a client chose it
        raise ChatError("unsupported", type=shown, types=", ".join(COMMANDS))
    return COMMANDS[name]


def _json_object(frame: str) -> dict[str, Any]:
    if not frame.lstrip().startswith("{"):
        return {}
    try:
        value = json_values.parse(frame)
    except json_values.TooDeep as error:
        raise ChatError("bad_frame", problem=str(error)) from error
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _plain_text(sender: Sender, content: Content) -> Event | None:
    """Answer the question that this client was shown, if there is one; else post a message.

    Raises ChatError if somebody else was faster: the client shows that it knows of the answer by its pong, or it was
    told so here.
    """
    cursor, connection, questions = sender.client.cursor, sender.client.connection, sender.session.questions
    if cursor is None or sender.role == "operator":
        return _message(sender, content)
    question = questions.oldest_seen(cursor.seq)
    if question is not None and not questions.answered_by(question):
        text = content.field("text", str)
        return _answered(sender, sender.session.answer(question, text, sender.name, caller=sender.caller))
    given = questions.answered_unseen(cursor.seq, max(cursor.joined, connection.acknowledged))
    if given is None:
        return _message(sender, content)
    connection.acknowledge(given.seq)
    raise ChatError("already_answered", name=given.name)


def _answered(sender: Sender, answer: Event) -> Event:
    connection = sender.client.connection
    connection.acknowledge(answer.seq)  # it knows its own answer
    return answer


def _message(sender: Sender, content: Content) -> Event:
    text = content.field("text", str)
    attached = attachments.references(content.field("attachments", list, []))
    if sender.role == "operator" and attached:
        raise ChatError("bad_frame", problem="what operators say takes no attachments")
    if sender.role == "operator":
        return sender.session.takeover.reply(text, sender.caller, content.id)
    context, busy = content.field("context", dict, {}), content.field("busy", str, sender.busy)
    return sender.session.post(
        text, sender.name, content.id, context, busy, sender.caller.person, sender.caller.address, attached
    )


def _input_response(sender: Sender, content: Content) -> Event:
    request_id, text = content.field("request_id", str), content.field("text", str)
    by = sender.session.questions.answered_by(request_id)
    sender.access.check_answer(sender.caller, sender.session.id, by)
    arguments = content.field("arguments", dict, None)
    return _answered(sender, sender.session.answer(request_id, text, sender.name, arguments, content.id, sender.caller))


def _stop(sender: Sender, content: Content) -> None:
    sender.session.stop(content.field("turn", int, None), content.id)


def _retry(sender: Sender, content: Content) -> Event:
    return sender.session.retry(content.id)


def _edit(sender: Sender, content: Content) -> Event:
    seq, text = content.field("seq", int), content.field("text", str)
    return sender.session.edit(seq, text, sender.name, sender.caller.person, content.id)


def _rename(sender: Sender, content: Content) -> None:
    sender.session.rename(content.field("title", str), sender.name, content.id)


def _feedback(sender: Sender, content: Content) -> None:
    seq, score = content.field("seq", int), content.field("score", int)
    sender.session.feedback(seq, score, content.field("comment", str, ""), sender.name, content.id)


def _typing(sender: Sender, content: Content) -> None:
    sender.session.typing(sender.name, content.field("is_typing", bool), origin=sender.client)


def _task(sender: Sender, content: Content) -> None:
    task, status = content.field("id", int), content.field("status", str)
    sender.session.set_task_status(task, status, sender.name, content.field("command_id", str, None))


def _take(sender: Sender, content: Content) -> None:
    if sender.role != "operator":
        problem = "only a client that connects with role=operator can take over a conversation"
        raise ChatError("bad_frame", problem=problem)
    sender.session.takeover.take(sender.caller, content.id)


def _hand_back(sender: Sender, content: Content) -> None:
    held = sender.session.log.held
    if held is not None and held.state == handover.TAKEN and sender.role != "operator":
        raise ChatError("taken", name=held.operator)
    sender.session.takeover.hand_back(content.field("note", str, ""), sender.caller, content.id)


@dataclass(frozen=True)
class Command:
    """A command, and what it takes to give it."""

    need: Need
    carry_out: Callable[[Sender, Content], Event | None]
    """Returns the event that begins or continues a turn, if there is one."""


PLAIN_TEXT = Command(Need.RETURN, _plain_text)
"""Text that is no command: an answer, a message, or the words of an operator."""

COMMANDS: dict[str, Command] = {
    "message": Command(Need.RETURN, _message),
    "input_response": Command(Need.RETURN, _input_response),
    "stop": Command(Need.WRITE, _stop),
    "retry": Command(Need.WRITE, _retry),
    "edit": Command(Need.WRITE, _edit),
    "rename": Command(Need.WRITE, _rename),
    "feedback": Command(Need.WRITE, _feedback),
    "typing": Command(Need.RETURN, _typing),
    "task": Command(Need.WRITE, _task),
    "take": Command(Need.OPERATE, _take),
    "hand_back": Command(Need.RETURN, _hand_back),
}
