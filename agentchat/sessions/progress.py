"""Progress of the running tools of a turn. Readers see only the newest report of each, and not too often."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from agentchat.sessions.log import Log

INTERVAL = 0.05  # seconds between two updates of one turn's reports

Report = Mapping[str, Any]


class ProgressReports:
    """The newest progress reports of one turn, by the ids of the tool calls."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lock = threading.Lock()  # guards what follows
        self._reports: dict[str, Report] = {}
        self._unseen: set[str] = set()
        self._shown_at = float("-inf")
        self._timer: threading.Timer | None = None
        self._is_closed = False

    @property
    def contents(self) -> list[Report]:
        """The newest report of each running tool."""
        with self._lock:
            return list(self._reports.values())

    def set(self, id: str, report: Report) -> bool:
        """Show a report, at once or within INTERVAL. Returns False if the turn is over."""
        with self._lock:
            if self._is_closed:
                return False
            self._reports[id] = report
            self._unseen.add(id)
            wait = self._shown_at + INTERVAL - time.monotonic()
            if wait <= 0:
                self._show()
            elif self._timer is None:
                self._timer = threading.Timer(wait, self._show_late)
                self._timer.daemon = True
                self._timer.start()
            return True

    def end(self, id: str) -> None:
        """Forget the report of a tool that is done."""
        with self._lock:
            if self._reports.pop(id, None) is not None:
                self._log.clear_state(f"progress:{id}")
            self._unseen.discard(id)

    def close(self) -> None:
        """Forget all reports and refuse new ones: the turn is over."""
        with self._lock:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()
            for id in self._reports:
                self._log.clear_state(f"progress:{id}")
            self._reports.clear()
            self._unseen.clear()

    def _show_late(self) -> None:
        with self._lock:
            self._timer = None
            self._show()

    def _show(self) -> None:
        assert self._lock.locked()
        self._shown_at = time.monotonic()
        for id in self._unseen:
            self._log.set_state(f"progress:{id}", "progress", self._reports[id])
        self._unseen.clear()
