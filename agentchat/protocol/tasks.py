"""The plan of a conversation: tasks, kept in its log as events that create and change them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event, clean
from agentchat.protocol.validation import TITLE_CHARS, one_line

TaskStatus = Literal["open", "doing", "done"]
STATUSES: tuple[str, ...] = get_args(TaskStatus)
CREATED, UPDATED = "task_created", "task_updated"
MAX_TASKS = 200  # in one conversation
DETAILS_CHARS = 4000


@dataclass(frozen=True)
class Task:
    """One thing to do. `by` names whoever changed it last."""

    id: int
    title: str
    details: str = ""
    depends_on: tuple[int, ...] = ()
    status: str = "open"
    by: str = ""

    @property
    def content(self) -> dict[str, Any]:
        """The task as lists show it."""
        return {**asdict(self), "depends_on": list(self.depends_on)}


def tasks_from(events: Iterable[Event]) -> dict[int, Task]:
    """Return the tasks by their ids; `events` are those of CREATED and UPDATED that count, oldest first."""
    found: dict[int, Task] = {}
    for event in events:
        content = event.content
        fields = {name: content[name] for name in Task.__dataclass_fields__ if name in content}
        if "depends_on" in fields:
            fields["depends_on"] = tuple(fields["depends_on"])
        if event.type == CREATED:
            found[fields["id"]] = Task(**fields)
        elif fields["id"] in found:  # else its creation no longer counts
            found[fields["id"]] = replace(found[fields["id"]], **fields)
    return found


class Plan:
    """The tasks of one conversation. All methods raise ChatError for what isn't possible, and say why."""

    def __init__(
        self,
        read: Callable[..., Iterable[Event]],
        write: Callable[[str, Mapping[str, Any]], None],
        lock: threading.Lock,
    ) -> None:
        """`read` returns the events of given types that count, `write` appends one, under `lock`."""
        self._read = read
        self._write = write
        self._lock = lock  # guards the plan's events, from reading them to writing another

    @property
    def tasks(self) -> list[Task]:
        """The tasks in the order in which they were created."""
        return list(self._tasks().values())

    def task(self, id: int) -> Task:
        """Return the task with that id."""
        return _find(id, self._tasks())

    def create(self, title: str, details: str = "", depends_on: Sequence[int] = ()) -> Task:
        """Create a task that can be done once those in `depends_on` are. Returns it."""
        with self._lock:
            known = self._tasks()
            if len(known) >= MAX_TASKS:
                raise _unusable(f"there are {MAX_TASKS} tasks already")
            task = Task(max(known, default=0) + 1, _title(title), _details(details), _ids(depends_on))
            _check_known(task.depends_on, known)
            self._write(CREATED, _without_by(task))
            return task

    def update(
        self,
        id: int,
        *,
        title: str | None = None,
        details: str | None = None,
        depends_on: Sequence[int] | None = None,
        status: str | None = None,
    ) -> Task:
        """Change the given fields of a task and return it. It can be `done` only once its dependencies are."""
        changes: dict[str, Any] = {}
        if title is not None:
            changes["title"] = _title(title)
        if details is not None:
            changes["details"] = _details(details)
        if depends_on is not None:
            changes["depends_on"] = _ids(depends_on)
        with self._lock:
            known = self._tasks()
            task = replace(_find(id, known), **changes)
            if depends_on is not None:
                _check_known(task.depends_on, known)
                _check_no_circle(task, known)
            if status is not None:
                changes["status"] = _status(status)
                if status == "done" and (missing := [i for i in task.depends_on if known[i].status != "done"]):
                    raise _unusable(f"task {id} depends on {_listed(missing)}, which {_are(missing)} not done")
            self._write(UPDATED, {"id": id, **changes})
            return replace(task, **changes)

    def set_status(self, id: int, status: str) -> Task:
        """Set a status that a person chose, whatever the task depends on. Returns the task."""
        with self._lock:
            _find(id, self._tasks())
            self._write(UPDATED, {"id": id, "status": _status(status)})
            return _find(id, self._tasks())

    def _tasks(self) -> dict[int, Task]:
        return tasks_from(self._read(CREATED, UPDATED))


def _without_by(task: Task) -> dict[str, Any]:
    return {name: value for name, value in task.content.items() if name != "by"}


def _find(id: int, known: Mapping[int, Task]) -> Task:
    if id not in known:
        raise ChatError("task_unknown", id=id, tasks=_listed(known) or "none")
    return known[id]


def _check_known(ids: Iterable[int], known: Mapping[int, Task]) -> None:
    for id in ids:
        _find(id, known)


def _check_no_circle(task: Task, known: Mapping[int, Task]) -> None:
    waiting, seen = list(task.depends_on), set[int]()
    while waiting:
        id = waiting.pop()
        if id == task.id:
            raise _unusable(f"task {task.id} would depend on itself")
        if id not in seen:
            seen.add(id)
            waiting += known[id].depends_on


def _title(title: str) -> str:
    title = one_line(title)
    if not 0 < len(title) <= TITLE_CHARS:
        raise _unusable(f"a title has 1 to {TITLE_CHARS} characters")
    return title


def _details(details: str) -> str:
    if len(details) > DETAILS_CHARS:
        raise _unusable(f"details have at most {DETAILS_CHARS:,} characters")
    return clean(details)


def _ids(ids: Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(ids))


def _status(status: str) -> str:
    if status not in STATUSES:
        raise _unusable(f"a status is one of {', '.join(STATUSES)}")
    return status


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))


def _are(ids: Sequence[int]) -> str:
    return "is" if len(ids) == 1 else "are"


def _unusable(problem: str) -> ChatError:
    return ChatError("task_unusable", problem=problem)
