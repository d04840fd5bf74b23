"""Recorded conversations, stored before a server starts, to test how the page shows a log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from agentchat.protocol.events import Draft, now
from agentchat.store import SessionRecord
from agentchat.store.sqlite import SqliteStore

Happening = tuple[int, str, Mapping[str, Any]]  # turn, type, content

PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

DIFF = """--- notes.md
+++ notes.md
@@ -1,3 +1,4 @@
 # Notes
-old line
+new line
+another line
 the end
"""


def write_story(folder: Path, happenings: Sequence[Happening], agent: str = "weather") -> str:
    """Write a session into the store of that folder, which no server may be using, and return its id."""
    store = SqliteStore(folder)
    session = uuid4().hex
    store.create(SessionRecord(session, agent, now()))
    for turn, type, content in happenings:
        store.append(session, [Draft(type, json.dumps({"uuid": str(uuid4()), **content}), turn)])
    store.close()
    return session


def a_turn(number: int, text: str, *within: tuple[str, Mapping[str, Any]], **end: Any) -> Iterator[Happening]:
    """Return the events of a whole turn: the question, what happens, and the end."""
    message = f"m{number}"
    yield number, "user_message", {"id": message, "text": text, "name": "user", "context": {}, "user": "u1"}
    yield number, "turn_started", {"message_id": message, "agent": end.pop("agent", "weather")}
    for type, content in within:
        yield number, type, content
    usage = end.pop("usage", {"prompt_tokens": 93, "completion_tokens": 41, "cost": None, "agents": {}})
    done = {"status": "completed", "duration_ms": 1200, "usage": usage, "summary": "", "code_changes": []}
    yield number, "turn_completed", done | end


_ids = count(1)


def said(sender: str, content: Any, **more: Any) -> tuple[str, Mapping[str, Any]]:
    return "text", {"sender": sender, "recipient": "user", "content": content, "message_id": f"t{next(_ids)}", **more}


def called(sender: str, *calls: tuple[str, str, Mapping[str, Any]], **more: Any) -> tuple[str, Mapping[str, Any]]:
    """Return the event of the `calls`, each (id, tool, arguments)."""
    tools = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for id, name, given in calls
    ]
    return "tool_call", {"sender": sender, "content": None, "message_id": f"t{next(_ids)}", "tool_calls": tools, **more}


def began(id: str, tool: str, given: Mapping[str, Any], **more: Any) -> tuple[str, Mapping[str, Any]]:
    return "execute_function", {"func_name": tool, "call_id": id, "arguments": given, "recipient": "user", **more}


def ran(id: str, tool: str, result: Any, ok: bool = True, **more: Any) -> tuple[str, Mapping[str, Any]]:
    done = {"func_name": tool, "call_id": id, "arguments": {}, "content": result, "recipient": "user"}
    return "executed_function", done | {"is_exec_success": ok, **more}
