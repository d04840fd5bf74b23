"""The versions of a conversation's files: which there were, as the logs tell, and what is kept of them."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, BinaryIO

from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event, in_order
from agentchat.store import Store
from agentchat.workspace.changes import MAX_DIFF
from agentchat.workspace.diffs import difference
from agentchat.workspace.files import Workspace
from agentchat.workspace.paths import canonical, shown
from agentchat.workspace.prepared import digest_of
from agentchat.workspace.versions import Versions


class FileHistory:
    """The versions of the files in one folder. A version is named by its digest."""

    def __init__(self, store: Store, session_id: str, folder_name: str, files: Workspace, versions: Versions) -> None:
        self._store = store
        self._session_id = session_id
        self._folder_name = folder_name
        self._files = files
        self._versions = versions

    def changes(self) -> Iterator[tuple[str, Event]]:
        """Yield the changes of all files in the folder, each with the session that told it."""
        for session_id in self._store.in_folder(self._folder_name) or [self._session_id]:
            yield from ((session_id, event) for event in self._store.read_types(session_id, {"file_changed"}))

    def of(self, path: str) -> list[dict[str, Any]]:
        """Return the versions that a file has had, newest first."""
        path = canonical(path)
        logs: defaultdict[str, list[tuple[str, Event]]] = defaultdict(list)
        for session_id, event in self.changes():
            if event.content["path"] == path:
                logs[session_id].append((event.ts, event))
        events = list(in_order(*logs.values()))
        content = self._files.peek(path)  # first of all, as it waits for a change that is being made
        kept = self._versions.kept() | (set() if content is None else {digest_of(content)})
        return [_about(event, kept) for event in reversed(events)]

    def open(self, path: str, version: str = "") -> BinaryIO:
        """Open a version of a file, the current one for "". The caller closes it."""
        if not version:
            return self._files.open(path)
        canonical(path)
        # It may become an old version after the first look.
        file = self._versions.open(version) or self._current(path, version) or self._versions.open(version)
        if file is None:
            raise ChatError("version_unknown", path=shown(path))
        return file

    def diff(self, path: str, old: str, new: str = "") -> str:
        """Return the unified diff of two versions; an `old` of "" is none, a `new` of "" the current one.

        It is empty for versions that are not text or too large.
        """
        before = self._read(path, old) if old else None
        after = self._read(path, new)
        if max(len(before or b""), len(after)) > MAX_DIFF:
            return ""
        return difference(canonical(path), before, after)

    def _current(self, path: str, version: str) -> BinaryIO | None:
        """Open the file, if it has that version."""
        with contextlib.suppress(ChatError):
            file = self._files.open(path)
            if digest_of(file.read()) == version:
                file.seek(0)
                return file
            file.close()
        return None

    def _read(self, path: str, version: str) -> bytes:
        """Return a version's content; of a large one, the beginning."""
        with contextlib.closing(self.open(path, version)) as file:
            return file.read(MAX_DIFF + 1)


def _about(event: Event, kept: set[str]) -> dict[str, Any]:
    content = event.content
    digest = content.get("sha256") or ""
    return {
        "version": digest,
        "kind": content["kind"],
        "size": content["size"],
        "ts": event.ts,
        "by": content["by"],
        "turn": event.turn,
        "is_kept": digest in kept,
    }
