"""MCP servers: agents use the tools of a real one (tests/mcp_server.py), which is killed now and then."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.faults.acts.kind import Act, Kind, Stage
from tests.faults.checks.mcp import results
from tests.faults.evidence import Log
from tests.faults.talk import Talk
from tests.processes import ROOT

MOST_KILLS = 3
PATIENCE = 10  # seconds that agents wait for tools, which may take long to start while much else runs


class Mcp(Kind):
    name = "mcp"
    reaches = (
        "MCP servers killed",
        "MCP results compared",
    )

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.options = ("--mcp", str(stage.folder / "mcp.json"))
        self._notes = stage.folder / "mcp.txt"
        self._kills = 0

    def prepare(self) -> None:
        server = {"command": sys.executable, "args": [str(ROOT / "tests" / "mcp_server.py"), str(self._notes)]}
        Path(self.options[1]).write_text(json.dumps({"mcpServers": {"tests": server}}))

    def inside(self) -> dict[str, Any]:
        return {"tools_timeout": PATIENCE}

    def choices(self, talk: Talk) -> list[Act]:
        return [(self._kill, 4 * bool(self._running()) * (self._kills < MOST_KILLS))]

    def _kill(self, talk: Talk) -> None:
        self._kills += 1
        self._figures["MCP servers killed"] += 1
        for pid in self._running():
            os.kill(pid, signal.SIGKILL)

    def _running(self) -> list[int]:
        """Return the MCP servers of this schedule that run."""
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        pids = [int(line.split()[1]) for line in lines if line.startswith("starts ")]
        return [pid for pid in pids if _is_ours(pid, str(self._notes))]

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        for log in logs.values():
            self._figures["MCP results compared"] += sum(
                f["type"] == "executed_function" and f["content"]["func_name"] == "add" for f in log
            )
            yield from results(log)
        if left := self._running():
            yield f"the MCP servers {left} outlived the last server"
            for pid in left:
                os.kill(pid, signal.SIGKILL)


def _is_ours(pid: int, notes: str) -> bool:
    try:
        return notes in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
