"""What an agent file is given: one small object for one conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


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
        path = self.folder / "workspaces" / self.session_id
        path.mkdir(parents=True, exist_ok=True)
        return path
