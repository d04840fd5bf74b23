"""The memory of one turn as JSON text: written, read, migrated from older forms, or rebuilt from the log.

{"version": 1, "messages": [...], "shared": {...}, "state": {...}, "has_ended": true}, with values as stored_values.py
writes them. `shared` are a team's context variables, `state` is `chat.state`; turns that wait for an answer have a
`journal` (journal.py), the moment when they `asked` (clock.py), and the `limit` in seconds for the answer; words of
people to each other are marked `is_heard`.

Texts without a version are older: a bare list of messages (the first of all), or the same fields with plain values, in
which pictures and whatever else isn't JSON became text.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from autogen.agentchat.group import AgentNameTarget, ReplyResult

from agentchat.ag2 import stored_values
from agentchat.ag2.pictures import Memo
from agentchat.ag2.stored_values import NotKept, NotRestored
from agentchat.clock import Moment
from agentchat.protocol import attachments
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event, clean

log = logging.getLogger(__name__)

Message = dict[str, Any]
Turn = dict[str, Any]

VERSION = 1
_LOST_PICTURE = "<PIL."  # how texts without a version begin that were pictures


class Unreadable(Exception):
    """The text isn't a history, or a newer version wrote it."""


def write(**turn: Any) -> str:
    """Return the text of a turn, whose values are JSON's own."""
    return json.dumps({"version": VERSION, **turn})


def read(text: str) -> Turn:
    """Return the turn that `write` was given, or what an older version wrote, migrated. Raises Unreadable."""
    try:
        turn = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("it is not JSON") from error
    if isinstance(turn, list):
        turn = {"messages": turn, "has_ended": _seems_ended(turn)}
    if not isinstance(turn, dict):
        raise Unreadable("it is not a history")
    version = turn.get("version", 0)
    if version not in range(VERSION + 1):
        raise Unreadable(f"its version is {str(version)[:20]}, this server knows those up to {VERSION}")
    if not _is_sound(turn):
        raise Unreadable("it is not a history")
    return turn if version else _migrated(turn)


def readable(text: str, events: Callable[[], Iterable[Event]]) -> str:
    """Return the text if it can be read, else one that tells what the turn's events say."""
    try:
        read(text)
    except Unreadable as unreadable:
        log.warning("What the agents kept of a turn cannot be used: %s. They get its words from the log", unreadable)
        return told(events())
    return text


def told(events: Iterable[Event]) -> str:
    """Return the history of a turn from its events: what people and agents said."""
    messages: list[Message] = []
    has_ended, broke_off = True, "interrupted"
    for event in events:
        content = event.content
        if event.type == "user_message":  # the newest version of an edited one
            files = attachments.of_event(content)
            messages = [{"role": "user", "content": attachments.told(content["text"], files)}]
        elif event.type == "turn_started":
            has_ended = False
        elif event.type == "turn_completed":
            has_ended = content["status"] == "completed"
            broke_off = content["status"]
        elif event.type == "handoff" and content.get("kind") == "returned":
            messages.append({"role": "user", "content": _returned(content["reason"], content["from"])})
        elif event.is_said and not content.get("within") and (text := _words(content.get("content"))):
            sender = str(content.get("sender"))
            is_human = content.get("operator")
            message = {"content": _by_human(text, sender)} if is_human else {"name": sender, "content": text}
            messages.append({"role": "assistant", **message})
    return write(messages=messages, has_ended=has_ended, broke_off=broke_off, is_heard=True)


def heard(text: str, operator: str = "") -> str:
    """Return the history of words that no agent answered: the person's, or an operator's in the agents' place."""
    role, text = ("assistant", _by_human(text, operator)) if operator else ("user", text)
    return write(messages=[{"role": role, "content": clean(text)}], has_ended=True, is_heard=True)


def begun(text: str, broke_off: str = "interrupted") -> str:
    """Return the history of a turn whose agents have said nothing yet; `broke_off` is its status if it ends so."""
    message = {"role": "user", "content": clean(text)}
    return write(messages=[message], has_ended=False, broke_off=broke_off, is_heard=True)


def broken_off(history: str, status: str) -> str:
    """Return the history of a turn that was left waiting for an answer and ended so before it was brought back."""
    left_out = {"journal", "asked", "limit", "version"}
    turn = {name: value for name, value in read(history).items() if name not in left_out}
    return write(**turn | {"has_ended": False, "broke_off": status})


def handed_back(note: str, operator: str) -> str:
    """Return the history of handing the conversation back to the agents. `operator` is empty if nobody had come."""
    return heard(_returned(note, operator))


def can_go_on(history: str) -> bool:
    """Return True if a turn with this history, left waiting for an answer, can be brought back to its question."""
    try:
        return read(history).get("journal") is not None
    except Unreadable:
        return False


def asked(history: str) -> Moment | None:
    """Return when the turn's newest question was asked, if the history says so."""
    try:
        boot, seconds = read(history)["asked"]
        return Moment(str(boot), float(seconds))
    except (Unreadable, KeyError, TypeError, ValueError):
        return None


def limit(history: str) -> float | None:
    """Return the seconds that people have to answer the turn's newest question, if the history says so."""
    try:
        return float(read(history)["limit"])
    except (Unreadable, KeyError, TypeError, ValueError):
        return None


def _by_human(text: str, operator: str) -> str:
    return f"[{operator}, a human, answered here:] {text}"


def _returned(note: str, operator: str) -> str:
    who = f"{operator}, a human, has handed the conversation back to you" if operator else "Nobody came"
    return f"[{who}. You answer again.{' Note: ' + note if note else ''}]"


def _words(content: object) -> str:
    """Return the text of a message's content, which may be a list of parts."""
    if isinstance(content, list):
        content = "\n\n".join(str(part.get("text") or "[picture]") for part in content if isinstance(part, dict))
    return content.strip() if isinstance(content, str) else ""


# Values


def kept_message(message: Message, refuse: Callable[[ChatError], None], memo: Memo) -> Message:
    """Return a message whose values are JSON's own. What cannot be kept becomes a note, or is left out."""
    who = str(message.get("name") or "an agent")[:100]
    kept: Message = {}
    for name, value in message.items():
        if name == "content" and type(value) is list:
            kept[name] = [_kept_part(part, who, refuse, memo) for part in value]
            continue
        try:
            kept[str(name)] = stored_values.to_json(value, memo)
        except NotKept as error:
            refuse(_not_kept(f"A message of {who}", value, error))
            if name == "content":
                kept[name] = _note(value)
    return kept


def _kept_part(part: Any, who: str, refuse: Callable[[ChatError], None], memo: Memo) -> Any:
    try:
        return stored_values.to_json(part, memo)
    except NotKept as error:
        value = _content(part)
        refuse(_not_kept(f"A message of {who}", value, error))
        return {"type": "text", "text": _note(value)}


def _content(part: Any) -> Any:
    """Return the value of a message's part, which says its type beside it."""
    values = [value for value in part.values() if type(value) is not str] if isinstance(part, dict) else []
    return _content(values[0]) if len(values) == 1 else part


def _note(value: object) -> str:
    return f"[{stored_values.description(value)}, which could not be kept]"


def kept_values(
    title: str, values: Mapping[str, Any], built: Mapping[str, Any], refuse: Callable[[ChatError], None], memo: Memo
) -> dict[str, Any]:
    """Return named values as JSON values, without those that can't be kept.

    Those are reported to `refuse`, unless they are in `built`: `build` makes them again. `title` is the words for one
    of them, with `{name}` for its name.
    """
    kept = {}
    for name, value in values.items():
        try:
            kept[str(name)] = stored_values.to_json(value, memo)
        except NotKept as error:
            if built.get(name) is not value:
                refuse(_not_kept(title.format(name=str(name)[:100]), value, error))
    return kept


def restored_message(message: Message, refuse: Callable[[ChatError], None]) -> Message:
    """Return a message as it was. A note stands for what cannot be brought back."""
    restored: Message = {}
    for name, value in message.items():
        if name == "content" and isinstance(value, list):
            restored[name] = [_restored_part(part, refuse) for part in value]
            continue
        try:
            restored[name] = stored_values.from_json(value)
        except NotRestored as error:
            refuse(ChatError("not_restored", what="Part of a message", reason=error))
            if name == "content":
                restored[name] = "[something that could not be brought back]"
    return restored


def _restored_part(part: Any, refuse: Callable[[ChatError], None]) -> Any:
    try:
        return stored_values.from_json(part)
    except NotRestored as error:
        refuse(ChatError("not_restored", what="Part of a message", reason=error))
        return {"type": "text", "text": "[something that could not be brought back]"}


def restored_values(title: str, kept: Mapping[str, Any], refuse: Callable[[ChatError], None]) -> dict[str, Any]:
    """Return named values as they were, without those that cannot be brought back."""
    values = {}
    for name, value in kept.items():
        try:
            values[name] = stored_values.from_json(value)
        except NotRestored as error:
            refuse(ChatError("not_restored", what=title.format(name=name[:100]), reason=error))
    return values


def _not_kept(what: str, value: object, error: NotKept) -> ChatError:
    return ChatError("not_kept", what=what, value=stored_values.description(value), reason=error)


# Older versions


def _is_sound(turn: Turn) -> bool:
    return (
        isinstance(turn.get("messages"), list)
        and all(isinstance(message, dict) and isinstance(message.get("role"), str) for message in turn["messages"])
        and isinstance(turn.get("has_ended"), bool)
        and all(isinstance(turn.get(name) or {}, dict) for name in ("shared", "state"))
        and isinstance(turn.get("journal") or [], list)
    )


def _seems_ended(messages: list[Any]) -> bool:
    """Return True if a turn whose text does not say so had ended. Those that broke off were closed when they ended."""
    last = messages[-1] if messages and isinstance(messages[-1], dict) else {}
    return len(messages) > 1 and last.get("role") != "tool" and not last.get("tool_calls")


def _migrated(turn: Turn) -> Turn:
    """Return a turn with its plain values as `write` takes them."""
    plain = stored_values.to_json
    messages = [{name: plain(value) for name, value in _without_lost(message).items()} for message in turn["messages"]]
    migrated = {**turn, "version": VERSION, "messages": messages}
    if turn.get("shared"):
        migrated["shared"] = {name: plain(value) for name, value in turn["shared"].items()}
        migrated["has_plain_values"] = True
    if turn.get("journal"):
        migrated["journal"] = [_migrated_entry(entry) for entry in turn["journal"]]
    return migrated


def _without_lost(message: Message) -> Message:
    """Return a message with a note in the place of each picture that was stored as text."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [{"type": "text", "text": "[picture]"} if _is_lost(p) else p for p in content]}


def _is_lost(part: Any) -> bool:
    address = part.get("image_url") if isinstance(part, dict) else None
    url = address.get("url") if isinstance(address, dict) else address
    return isinstance(url, str) and url.startswith(_LOST_PICTURE)


def _migrated_entry(entry: dict[str, Any]) -> dict[str, Any]:
    if entry.get("kind") != "tool" or "result" not in entry:
        return entry
    result = entry["result"]
    if "taker" in entry:
        result = ReplyResult(message=result, target=AgentNameTarget(entry["taker"]) if entry["taker"] else None)
    kept = {name: value for name, value in entry.items() if name != "taker"}
    return {**kept, "result": stored_values.to_json(result)}
