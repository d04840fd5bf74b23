"""An MCP server for tests, built with the `mcp` package.

`python tests/mcp_server.py NOTES` speaks over standard input and output, `… NOTES http PORT` over streamable HTTP,
`… NOTES sse PORT` over the older event streams. Over streamable HTTP, `… NOTES stuck PORT` never confirms the end of
a session, and `… NOTES mute PORT` answers nothing once there is a session. It logs what happens to the file NOTES, line
by line.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import uvicorn
from mcp import types
from mcp.server.fastmcp import FastMCP, Image
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

notes = Path(sys.argv[1])
server = FastMCP("tests", log_level="ERROR")

PNG = bytes.fromhex("89504e470d0a1a0a") + b"picture"


def note(text: str) -> None:
    with notes.open("a") as file:
        file.write(text + "\n")


class Unit(str, Enum):
    metres = "m"
    feet = "ft"


class Size(BaseModel):
    """A size."""

    height: float = Field(description="From the ground.", gt=0)
    unit: Unit = Unit.metres


class Tree(BaseModel):
    kind: str
    size: Size


@server.tool(description="Adds two numbers.")
def add(a: int, b: int = 1) -> int:
    return a + b


@server.tool(description="Plants trees.")
def plant(trees: list[Tree], by: str | None = None, unit: Unit = Unit.feet) -> str:
    return f"{len(trees)} trees by {by}, the first {trees[0].size.height} {trees[0].size.unit.value}"


@server.tool(description="Says several things.", structured_output=False)
def several() -> list[Any]:
    link = types.ResourceLink(type="resource_link", name="report", uri="file:///report.txt")  # type: ignore[arg-type]
    text = types.TextResourceContents(uri="file:///a.txt", mimeType="text/plain", text="in a file")  # type: ignore[arg-type]
    return ["one", Image(data=PNG, format="png"), types.EmbeddedResource(type="resource", resource=text), link]


@server.tool(description="Says structured things.")
def structured() -> Tree:
    return Tree(kind="oak", size=Size(height=20))


@server.tool(description="Only structured, which servers should not do.", structured_output=False)
def only_structured() -> types.CallToolResult:
    return types.CallToolResult(content=[], structuredContent={"kind": "ash"})


@server.tool(description="Says nothing.", structured_output=False)
def nothing() -> list[Any]:
    return []


@server.tool(description="Fails.")
def fail(why: str) -> str:
    raise ValueError(f"it fails: {why}")


@server.tool(description="Says much.", structured_output=False)
def much(size: int, kind: str = "text") -> Any:
    if kind == "error":
        raise ValueError("x" * size)
    return Image(data=b"x" * size, format="png") if kind == "picture" else "x" * size


@server.tool(description="Never ends its line.")
def endless() -> str:
    with contextlib.suppress(OSError):
        while True:
            os.write(1, b"x" * 65536)
    return "unreachable"


@server.tool(description="Never ends.")
async def hang() -> str:
    note("hangs")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        note("cancelled")
        raise
    return "unreachable"


@server.tool(description="Ends the server.")
async def die() -> str:
    note("dies")
    os._exit(1)


@server.tool(description="Waits until that many are here at once.")
async def meet(number: int, me: str) -> str:
    async with _gathering:
        _here.append(me)
        _gathering.notify_all()
        await _gathering.wait_for(lambda: len(_here) >= number)
    return f"{me} met"


@server.tool(description="Which process this is.")
def process() -> str:
    return f"process {os.getpid()} knows {os.environ.get('SECRET', 'nothing')}"


over_http = server.streamable_http_app()
_here: list[str] = []
_gathering = asyncio.Condition()


async def unresponsive(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve streamable HTTP, but leave some requests unanswered."""
    if scope["type"] == "http":
        is_end = scope["method"] == "DELETE"
        if is_end:
            note("asked to end")
        if is_end or (sys.argv[2] == "mute" and "mcp-session-id" in Headers(scope=scope)):
            await asyncio.Event().wait()
    await over_http(scope, receive, send)


def main() -> None:
    note(f"starts {os.getpid()}")
    kind, port = sys.argv[2:] or ("stdio", "0")
    server.settings.port = int(port)
    if kind in {"stuck", "mute"}:
        uvicorn.run(unresponsive, port=int(port), log_level="error")
    elif kind == "stdio":
        server.run()
    else:
        server.run("sse" if kind == "sse" else "streamable-http")


if __name__ == "__main__":
    main()
