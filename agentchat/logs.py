"""The server's log: a line of text for each record, or one of JSON; no key is in either."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from agentchat.protocol import events

TEXT, JSON = "text", "json"
TALKATIVE = (
    "httpx",
    "mcp",
    "openai",
    "autogen.io.websockets",
    "agentchat.websockets",
)  # loggers with a line for each request

Redact = Callable[[str], str]


def set_up(level: str, format: str = TEXT) -> None:
    """Write records of that level or above to standard error."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
    for name in TALKATIVE:  # at DEBUG they would log everything people send, passwords included
        logging.getLogger(name).setLevel(logging.INFO if level == "DEBUG" else logging.CRITICAL)
    if format == JSON:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
        logging.captureWarnings(True)
        sys.excepthook = lambda kind, error, trace: _report(error)
        threading.excepthook = lambda thrown: _report(thrown.exc_value)


def fields(**values: object) -> Mapping[str, Mapping[str, object]]:
    """Return the `extra` of a record: values that a line of JSON has as fields, beside the sentence with them."""
    return {"fields": values}


def hide(redact: Redact) -> None:
    """Let `redact` take secrets out of everything that is logged from now on."""
    root = logging.getLogger()
    if root.handlers:
        _take_over("autogen")
    for handler in root.handlers:
        if isinstance(handler.formatter, JsonLines):
            handler.setFormatter(JsonLines(redact))
        else:
            inner = handler.formatter.inner if isinstance(handler.formatter, _Redacting) else handler.formatter
            handler.setFormatter(_Redacting(inner or logging.Formatter(), redact))


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: ts, level, logger, message, exception if there is one, and its fields."""

    def __init__(self, redact: Redact = lambda text: text) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": events.time(datetime.fromtimestamp(record.created, timezone.utc)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: self._shown(value) for name, value in line.items()})

    def _shown(self, value: object) -> object:
        if isinstance(value, Mapping):
            return {self._redact(str(name)): self._shown(each) for name, each in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._shown(each) for each in value]
        return value if value is None or isinstance(value, (bool, int, float)) else self._redact(str(value))


class _Redacting(logging.Formatter):
    def __init__(self, inner: logging.Formatter, redact: Redact) -> None:
        super().__init__()
        self.inner = inner
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(self.inner.format(record))


def _take_over(package: str) -> None:
    """Let the log have what a package writes to the terminal by itself, in another form and with keys in it."""
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(f"{package}."):
            logging.getLogger(name).handlers.clear()


def _report(error: BaseException | None) -> None:
    """Log what nobody has caught."""
    if not isinstance(error, SystemExit):
        logging.getLogger(__name__).critical("Nobody expected this error", exc_info=error)
