"""A finding: one thing that was looked at, how it is, and what to do about it; and the setup that is looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentchat.protocol.errors import SettingsError
from agentchat.settings import Settings

if TYPE_CHECKING:
    from agentchat.models.config import Models

OK, WARNING, PROBLEM, SKIPPED = "ok", "warning", "problem", "skipped"

_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]*@|^[^/@\s]*@(?=[^/\s]+$)")
_SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z])")


@dataclass(frozen=True)
class Finding:
    """One sentence about how something is, and one about how to mend it if it is not well."""

    name: str
    status: str
    """OK, WARNING, PROBLEM or SKIPPED."""
    message: str
    mend: str = ""
    is_refusal: bool = False
    """True if the server does not start with such settings."""


@dataclass(frozen=True)
class Setup:
    """A server as its settings make it, whether it runs or not."""

    chosen: Settings
    environment: Mapping[str, str]
    models: Models | None = None
    """None if their configuration cannot be used."""


def of_error(name: str, error: SettingsError, is_refusal: bool = True) -> Finding:
    """Return the finding that an error at the start is. Its sentences say what is wrong, and then what to do."""
    message, *rest = sentences(without_credentials(str(error)))
    otherwise = "Install that package." if " package" in message else "Change the setting, or leave it out."
    mend = " ".join(rest) or otherwise
    return Finding(name, PROBLEM, message, mend, is_refusal)


def without_credentials(text: str) -> str:
    """Return a text without the user names and passwords in the addresses in it."""
    return _CREDENTIALS.sub("…@", text)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return _SENTENCE_END.split(" ".join(text.split()))
