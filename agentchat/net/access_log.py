"""The access log: a line for each HTTP request, and two for each WebSocket: when it opens, and when it closes."""

from __future__ import annotations

import logging
import re
import time

from agentchat import logs

log = logging.getLogger(__name__)

SHOWN = frozenset({"after", "agent", "before", "busy", "close", "epoch", "limit", "role", "session", "show", "wait"})
"""The parameters of addresses whose values are logged; others may hold secrets, names, or words of people."""
MAX_PATH = 500  # characters
_NAME = re.compile(r"[a-z_]{1,20}")
ABNORMAL = 1006  # the close code of a connection that was cut


class AccessLog:
    """The access log of one server; unless it `is_on`, nothing is logged."""

    def __init__(self, is_on: bool = False) -> None:
        self._is_on = is_on
        if is_on:
            log.setLevel(logging.INFO)  # whatever the level of the other loggers is

    def request(
        self, method: str, path: str, query: str, *, status: int, size: int, begun: float, address: str, user: str
    ) -> None:
        """Log a request that has been answered; the status is 0 if its client went away before.

        `size` is in bytes, `begun` by time.monotonic(); `method` and `path` are "" if nothing readable has arrived.
        """
        if not self._is_on:
            return
        ms, target = _since(begun), shown(path, query)
        told = {"method": method or None, "path": target or None, "status": status or None, "bytes": size, "ms": ms}
        log.info(
            "%s %s: %s, %d bytes in %d ms to %s, %s",
            method or "-", target or "-", status or "no answer", size, ms, address, user or "-",
            extra=logs.fields(**told, address=address, user=user or None),
        )  # fmt: skip

    def visit(self, path: str, address: str) -> Visit:
        """Return what is to be logged about a WebSocket."""
        return Visit(self._is_on, path, address)


class Visit:
    """One WebSocket in the access log."""

    def __init__(self, is_logged: bool, path: str, address: str) -> None:
        self.user = self.session = ""
        self._is_logged = is_logged
        self._path = shown(*path.partition("?")[::2]) if is_logged else ""
        self._address = address
        self._begun = time.monotonic()

    def opens(self) -> None:
        """Log that it is open."""
        self._log("opens", {})

    def closes(self, code: int | None) -> None:
        """Log that it has ended, with its close code; without one it was cut."""
        code, ms = code or ABNORMAL, _since(self._begun)
        self._log(f"closes with {code} after {ms} ms", {"code": code, "ms": ms})

    def _log(self, event: str, more: dict[str, object]) -> None:
        if self._is_logged:
            log.info(
                "WebSocket %s %s, session %s, from %s, %s",
                self._path, event, self.session or "-", self._address, self.user or "-",
                extra=logs.fields(
                    event=f"websocket {event.partition(' ')[0]}", path=self._path, session=self.session or None, **more,
                    address=self._address, user=self.user or None,
                ),
            )  # fmt: skip


def shown(path: str, query: str) -> str:
    """Return an address as it is logged: without values that may be secret, and without what ends a line."""
    query = "&".join(_shown_pair(*pair.partition("=")) for pair in query.split("&") if pair)
    target = f"{path}?{query}" if query else path
    target = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in target)
    return target if len(target) <= MAX_PATH else target[: MAX_PATH - 1] + "…"


def _shown_pair(name: str, equals: str, value: str) -> str:
    if not equals or not _NAME.fullmatch(name):
        return "…"
    return f"{name}={value if name in SHOWN else '…'}"


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
