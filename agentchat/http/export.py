"""A conversation as a file: all of it for programs, or what counts of it to read and to keep."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator
from typing import Any
from urllib.parse import quote

from agentchat.http import layouts
from agentchat.http.layouts import Part
from agentchat.http.reading import arguments_of, is_said, text_of
from agentchat.http.routes import JSON, Stream
from agentchat.protocol.events import Event
from agentchat.sessions.registry import Session

SANDBOX = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
TYPES = ("text/markdown", "text/html")
NAME_CHARS = 60  # of a title, in the name of a file

_FORMATS: dict[str, tuple[str, str, Callable[[dict[str, Any], Iterator[Part]], Generator[str, None, None]]]] = {
    "markdown": ("text/markdown; charset=utf-8", "md", layouts.markdown),
    "html": ("text/html; charset=utf-8", "html", layouts.html),
}
_ENDS = {
    "stopped": "Stopped.",
    "interrupted": "Interrupted: the server went down.",
}


def export(session: Session, format: str) -> Stream:
    """The session as a file, as long as it is now. Read and sent page by page."""
    about = session.about()
    if format == "json":
        return Stream(JSON, _json(session, about), _attachment(about["title"], "json"))
    type, ending, layout = _FORMATS[format]
    pieces = layout(about, _parts(session, about["last_seq"]))
    return Stream(type, pieces, _attachment(about["title"], ending) | SANDBOX)


def _attachment(title: str, ending: str) -> dict[str, str]:
    """A name for the file: in ASCII, and for clients that know how (RFC 6266) as it is."""
    whole = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]+', " ", title)[:NAME_CHARS].strip(" .") or "conversation"
    ascii = re.sub(r"[^A-Za-z0-9._-]+", "-", whole).strip("-.") or "conversation"
    name = f"attachment; filename=\"{ascii}.{ending}\"; filename*=UTF-8''{quote(f'{whole}.{ending}', safe='')}"
    return {"Content-Disposition": name}


def _pages(session: Session, last_seq: int) -> Iterator[list[Event]]:
    seq = 0
    while seq < last_seq:
        page = [event for event, _ in session.log.read(seq) if event.seq <= last_seq]
        if not page:
            return  # deleted meanwhile
        yield page
        seq = page[-1].seq


def _json(session: Session, about: dict[str, Any]) -> Generator[str, None, None]:
    yield f'{{"session":{json.dumps(about, ensure_ascii=False)},"events":['
    separator = ""
    for page in _pages(session, about["last_seq"]):
        yield separator + ",\n".join(event.frame for event in page)
        separator = ",\n"
    yield "]}\n"


def _parts(session: Session, last_seq: int) -> Iterator[Part]:
    """What counts, a turn at a time: a message stands before its answer, also if it was written during another."""
    gone = session.log.rewound
    asked: dict[int, Part] = {}  # the messages whose turns have not begun
    tools: dict[str, str] = {}  # names by call id
    for page in _pages(session, last_seq):
        for event in page:
            if event.turn in gone:
                continue
            content = event.content
            if event.type == "user_message":
                asked[event.turn] = Part("person", content["name"], content["text"], event.ts)
            elif event.type in {"turn_started", "turn_completed"} and event.turn in asked:
                yield asked.pop(event.turn)
            if event.type == "tool_call":
                tools |= {call["id"]: call["function"]["name"] for call in content["tool_calls"]}
            yield from _said(event, content, tools)
    for part in asked.values():
        yield part
        yield Part("note", "", "Not answered yet.")


def _said(event: Event, content: Any, tools: dict[str, str]) -> Iterator[Part]:
    if event.type == "text" and is_said(event):
        yield Part("agent", content["sender"], text_of(content["content"]), event.ts)
    elif event.type == "tool_call":
        if text_of(content["content"]).strip():
            yield Part("agent", content["sender"], text_of(content["content"]), event.ts)
        for call in content["tool_calls"]:
            arguments = _laid_out(arguments_of(call["function"]["arguments"]))
            yield Part("call", content["sender"], arguments, event.ts, call["function"]["name"])
    elif event.type == "tool_response":
        for response in content["tool_responses"]:
            name = tools.get(response.get("tool_call_id"), "")
            yield Part("result", content["sender"], text_of(response["content"]), event.ts, name)
    elif event.type == "input_request":
        tool = content["tool"]
        arguments = _laid_out(tool["arguments"]) if tool else ""
        yield Part("question", content["agent"], content["prompt"], event.ts, arguments)
    elif event.type == "input_response":
        arguments = _laid_out(content["arguments"]) if "arguments" in content else ""
        yield Part("answer", content["name"], content.get("text", "(a password)"), event.ts, arguments)
    elif event.type == "error":
        yield Part("note", "", content["message"], event.ts)
    elif event.type == "turn_completed" and content["status"] in _ENDS:
        yield Part("note", "", _ENDS[content["status"]], event.ts)


def _laid_out(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
