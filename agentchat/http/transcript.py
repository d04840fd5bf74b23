"""A conversation as people read it: what was said and done, turn by turn, without what no longer counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentchat.protocol import attachments
from agentchat.protocol.events import Event, pictures_in, text_of
from agentchat.sessions.registry import Session

_SCORES = {1: "good answer", 0: "", -1: "bad answer"}
_ENDS = {"stopped": "Stopped.", "interrupted": "Interrupted: the server went down."}


@dataclass(frozen=True)
class Part:
    """Something that was said or done. `kind` is person, agent, call, result, question, answer or note."""

    kind: str
    who: str
    text: str
    ts: str = ""
    detail: str = ""
    """The tool's name, or the arguments of a question or an answer."""


def transcript(session: Session, last_seq: int) -> Iterator[Part]:
    """Yield what was said and done up to `last_seq`.

    A message comes right before its answer, even if it was written during an earlier turn.
    """
    rewound, feedback = session.log.rewound, _feedback(session)
    unanswered: dict[int, list[Part]] = {}  # by turn
    tools: dict[str, str] = {}  # names by call id
    for event in (event for page in pages(session, last_seq) for event in page if event.turn not in rewound):
        content = event.content
        if event.type == "user_message":
            unanswered[event.turn] = list(_message(content, event.ts))
        elif event.type in {"turn_started", "turn_completed"} and event.turn in unanswered:
            yield from unanswered.pop(event.turn)
        elif event.type == "tool_call":
            tools |= {call["id"]: call["function"]["name"] for call in content["tool_calls"]}
        yield from _parts(event, content, tools)
        yield from feedback.get(event.seq, {}).values()
    for parts in unanswered.values():
        yield from parts
        yield Part("note", "", "Not answered yet.")


def pages(session: Session, last_seq: int) -> Iterator[list[Event]]:
    """Yield the log up to `last_seq`, page by page. Ends early if the session is deleted."""
    seq = 0
    while seq < last_seq and (page := [event for event, _ in session.log.read(seq) if event.seq <= last_seq]):
        yield page
        seq = page[-1].seq


def arguments_of(arguments: Any) -> Any:
    """Return the arguments of a tool call as an object, or as they are if the model wrote invalid JSON."""
    try:
        return json.loads(arguments)
    except (TypeError, ValueError, RecursionError):
        return arguments


def _message(content: Any, ts: str) -> Iterator[Part]:
    yield Part("person", content["name"], content["text"], ts)
    if files := attachments.of_event(content):
        yield Part("note", "", f"Attached: {', '.join(each.path for each in files)}", ts)


def _parts(event: Event, content: Any, tools: dict[str, str]) -> Iterator[Part]:
    if event.is_said or event.type == "tool_call":
        if words := text_of(content["content"]).strip():
            yield Part("agent", content["sender"], words, event.ts)
        if pictures := pictures_in(content["content"]):
            yield Part("note", "", f"{content['sender']} showed {_counted(pictures)}.", event.ts)
    if event.type in {"text", "tool_call"} and "notice" in content:
        yield Part("note", "", content["notice"], event.ts)
    if event.type == "tool_call":
        for call in content["tool_calls"]:
            arguments = _encoded(arguments_of(call["function"]["arguments"]))
            yield Part("call", content["sender"], arguments, event.ts, call["function"]["name"])
    elif event.type == "tool_response":
        for response in content["tool_responses"]:
            name = tools.get(response.get("tool_call_id"), "")
            yield Part("result", content["sender"], text_of(response["content"]), event.ts, name)
    elif event.type == "input_request":
        tool = content["tool"]
        arguments = _encoded(tool["arguments"]) if tool else ""
        yield Part("question", content["agent"], content["prompt"], event.ts, arguments)
    elif event.type == "input_response":
        arguments = _encoded(content["arguments"]) if "arguments" in content else ""
        yield Part("answer", content["name"], content.get("text", "(a password)"), event.ts, arguments)
    elif event.type == "error":
        yield Part("note", "", content["message"], event.ts)
    elif event.type == "turn_completed" and (note := content.get("notice") or _ENDS.get(content["status"])):
        yield Part("note", "", note, event.ts)


def _feedback(session: Session) -> dict[int, dict[str, Part]]:
    """The newest feedback of each person by name, by the seq of the answer."""
    found: dict[int, dict[str, Part]] = {}
    for event in session.events_of("feedback"):
        content = event.content
        rating = " - ".join(filter(None, (_SCORES[content["score"]], content["comment"])))
        people = found.setdefault(content["seq"], {})
        people.pop(content["name"], None)
        if rating:
            people[content["name"]] = Part("note", "", f"{content['name']}: {rating}", event.ts)
    return found


def _counted(pictures: int) -> str:
    return "a picture" if pictures == 1 else f"{pictures} pictures"


def _encoded(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
