"""What an agent file is given: one small object for one conversation."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

Tool = TypeVar("Tool", bound=Callable[..., Any])


def needs_approval(tool: Tool) -> Tool:
    """Marks a tool: before it runs, a person is asked whether it may. See AGENTCHAT_APPROVE."""
    vars(tool)[_MARK] = True
    return tool


def is_marked(tool: Callable[..., Any]) -> bool:
    """Wrappers that keep what they wrap known, as AG2's do, keep the mark."""
    return bool(getattr(tool, _MARK, False))


_MARK = "needs_approval"


@dataclass
class Chat:
    """The conversation that an agent is built for."""

    session_id: str
    user: str = "user"
    """Who wrote the newest message."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What the client sent along with the newest message."""
    folder: Path = Path("data")

    @property
    def workspace(self) -> Path:
        """A folder of this conversation's own, made when it is first asked for."""
        self._workspace.mkdir(parents=True, exist_ok=True)
        return self._workspace

    @property
    def _workspace(self) -> Path:
        return self.folder / "workspaces" / self.session_id

    def clear(self) -> None:
        """The conversation was deleted: so are its files."""
        shutil.rmtree(self._workspace, ignore_errors=True)
