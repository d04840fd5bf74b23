"""Files: people put and delete some over REST, agents write others with tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from urllib.parse import quote

from tests.faults.acts.kind import Act, Kind, Stage
from tests.faults.checks.files import Change, changes, contents
from tests.faults.evidence import Log
from tests.faults.talk import Talk
from tests.rest_client import SESSIONS, Answer

PATHS = ("a.txt", "b.txt", "notes/c.txt")
PUT_SIZE = 10_000  # and the number of the change: the size says which content it is


class Files(Kind):
    name = "files"
    reaches = (
        "files put",
        "files deleted",
        "files compared",
        "files written by agents",
    )
    waits_for_rest = True

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._changes: dict[Talk, list[Change]] = {}
        self._under_way: set[tuple[Talk, str]] = set()
        self._known: dict[tuple[Talk, str], bytes | None] = {}  # what a file holds, by its last answer
        self._served: dict[str, dict[str, bytes]] = {}

    def choices(self, talk: Talk) -> list[Act]:
        return [(self._put, 6), (self._delete, 3)] if talk.id and not talk.is_going else []

    def go_on(self, talk: Talk) -> bool:
        if self._chance.random() < 0.2 and talk.to_say and not self._stage.is_settling:
            self._put(talk)
        return False

    def _put(self, talk: Talk) -> None:
        number = self._stage.next()
        content = f"{number} ".encode() * PUT_SIZE
        self._change(talk, "PUT", content[: PUT_SIZE + number])

    def _delete(self, talk: Talk) -> None:
        self._change(talk, "DELETE", None)

    def _change(self, talk: Talk, method: str, content: bytes | None) -> None:
        """Change a file, one change of a path after another; then look at what it holds."""
        path = self._chance.choice(PATHS)
        place = talk, path
        if place in self._under_way:
            return
        self._under_way.add(place)
        self._figures["files put" if content is not None else "files deleted"] += 1
        change = Change(path, content)
        self._changes.setdefault(talk, []).append(change)

        def then(answer: Answer) -> None:
            if change.is_acknowledged:
                return  # it was repeated
            change.is_acknowledged = answer.status in {200, 201, 204}
            if answer.status == 404 and content is None:
                self._known[place] = None
            elif change.is_acknowledged:
                self._known[place] = content
            self._compare(talk, path)

        def gives_up() -> None:
            change.is_refused = True
            self._figures["files refused by the store"] += 1
            self._compare(talk, path)

        key, what = self._stage.command_id(talk, "file"), f"/files/{quote(path, safe='')}?name=Fay"
        expected = frozenset({"file_unknown"})
        self._send(talk, method, what, then=then, body=content, key=key, gives_up=gives_up, expected=expected)

    def _compare(self, talk: Talk, path: str) -> None:
        """Ask what the file holds: after an answer the new content, after a refusal the one before."""
        place = talk, path

        def then(answer: Answer) -> None:
            self._under_way.discard(place)
            self._figures["files compared"] += 1
            holds, expected = answer.body if answer.status == 200 else None, self._known.get(place)
            if holds != expected and not talk.is_going:
                self._stage.complaints.append(f"{path} holds {_short(holds)}; by its last answer, {_short(expected)}")

        what = f"/files/{quote(path, safe='')}"
        self._send(talk, "GET", what, then=then, expected=frozenset({"file_unknown"}))

    def look(self) -> None:
        for talk in self._stage.live:
            files = self._stage.get(f"{SESSIONS}/{talk.id}/files").json["files"]
            get = partial(self._file, talk)
            self._served[talk.id] = {info["path"]: get(info["path"]) for info in files}

    def _file(self, talk: Talk, path: str) -> bytes:
        return self._stage.get(f"{SESSIONS}/{talk.id}/files/{quote(path, safe='')}").body

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        made_in = {talk.id: made for talk, made in self._changes.items()}
        for id, served in self._served.items():
            folder = self._stage.data / "workspaces" / id
            on_disk = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
            self._figures["files compared"] += len(served)
            made = made_in.get(id, [])
            by_agents = [f for f in logs.get(id, []) if f["type"] == "file_changed" and f["turn"]]
            self._figures["files written by agents"] += len(by_agents)
            yield from contents(logs.get(id, []), made, served, on_disk)
            yield from changes(logs.get(id, []), made)


def _short(content: bytes | None) -> str:
    return "nothing" if content is None else f"{content[:8]!r} ({len(content)} bytes)"
