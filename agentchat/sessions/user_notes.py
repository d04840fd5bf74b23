"""Notes about people, kept under their ids (protocol/identity.py) until the person erases them."""

from __future__ import annotations

from collections.abc import Callable

from agentchat.protocol import commands
from agentchat.protocol.commands import digest
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean
from agentchat.protocol.validation import one_line
from agentchat.sessions.commands import once
from agentchat.store import Note, Store

KEY_CHARS = 100
VALUE_CHARS = 2000
MAX_NOTES = 100  # about one person


class UserNotes:
    """Notes about people."""

    def __init__(self, store: Store, exists: Callable[[str], bool] = lambda user: True) -> None:
        """Nothing is noted about people who don't `exists` any more: turns that know them may still run."""
        self._store = store
        self.exists = exists

    def note(self, user: str, key: str, value: str, session_id: str | None = None) -> None:
        """Keep a note in place of the one under that key; `session_id` is where agents learned it.

        Raises ChatError if it is too long or one too many, or the session is gone.
        """
        key, value = one_line(key), clean(value).strip()
        if not 0 < len(key) <= KEY_CHARS or not 0 < len(value) <= VALUE_CHARS:
            problem = f"a key has 1 to {KEY_CHARS} characters, a value 1 to {VALUE_CHARS:,}"
            raise ChatError("note_unusable", problem=problem)
        if not self.exists(user):
            raise ChatError("note_unusable", problem="the person's account was deleted")
        known = self.notes(user)
        if key not in known and len(known) >= MAX_NOTES:
            raise ChatError("note_unusable", problem=f"there are {MAX_NOTES} notes already")
        try:
            self._store.note(user, key, value, session_id)
        except KeyError as error:
            raise ChatError("session_deleted") from error

    def notes(self, user: str) -> dict[str, str]:
        """Return the notes about a person by their keys."""
        return {note.key: note.value for note in self._store.notes(user)}

    def entries(self, user: str) -> list[Note]:
        """Return the notes about a person with the time of each."""
        return self._store.notes(user)

    def forget(self, user: str, key: str | None = None, id: str | None = None) -> int:
        """Erase the note under that key, or all of them. Returns how many there were.

        The same `id` counts once for each person, and is known for a day (COMMANDS_KEPT).
        """
        key = one_line(key) if key is not None else None
        command = commands.command(f"memory:{user}", id, digest("forget", key=key), "1")
        return once(self._store, command, lambda: self._store.forget(user, key, command), int)
