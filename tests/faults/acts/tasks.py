"""The plan: agents create and finish tasks with tools, people set their status over WebSocket and REST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.faults.acts.kind import Act, Kind, Stage
from tests.faults.checks.tasks import plan
from tests.faults.evidence import Log
from tests.faults.talk import Acknowledged, Talk
from tests.rest_client import SESSIONS, Answer

STATUSES = ("open", "doing", "done")


class Tasks(Kind):
    name = "tasks"
    reaches = (
        "tasks set over REST",
        "tasks set over WebSocket",
        "tasks compared",
    )
    waits_for_rest = True
    expected = frozenset({"task_unknown"})

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._plans: dict[str, list[dict[str, object]]] = {}

    def choices(self, talk: Talk) -> list[Act]:
        has_tasks = any(frame["type"] == "task_created" for frame in talk.log)
        return [(self._patch, 8), (self._command, 8)] if has_tasks and talk.members else []

    def go_on(self, talk: Talk) -> bool:
        if not self._stage.is_settling and talk.to_say and self.choices(talk):
            self._patch(talk)
        return False

    def _drawn(self, talk: Talk) -> tuple[int, str]:
        made = [frame["content"]["id"] for frame in talk.log if frame["type"] == "task_created"]
        return self._chance.choice(made), self._chance.choice(STATUSES)

    def _patch(self, talk: Talk) -> None:
        id, status = self._drawn(talk)
        self._figures["tasks set over REST"] += 1
        key = self._stage.command_id(talk, "task")

        def then(answer: Answer) -> None:
            if answer.status == 200 and answer.json["status"] != status:
                self._stage.complaints.append(f"task {id} was set to {status} and answered with {answer.json}")
            if answer.status == 200 and (seq := answer.json.get("seq")):
                talk.acknowledged.append(Acknowledged(key, seq, "task_updated", "status", status))

        body = {"status": status, "name": "Tom"}
        self._send(talk, "PATCH", f"/tasks/{id}", then=then, body=body, key=key, expected=self.expected)

    def _command(self, talk: Talk) -> None:
        id, status = self._drawn(talk)
        self._figures["tasks set over WebSocket"] += 1
        command_id = self._stage.command_id(talk, "task")
        self._stage.send(talk, self._chance.choice(talk.members), "task", id=id, status=status, command_id=command_id)

    def look(self) -> None:
        for talk in self._stage.live:
            self._plans[talk.id] = self._stage.get(f"{SESSIONS}/{talk.id}/tasks").json["tasks"]

    def judge(self, logs: Mapping[str, Log]) -> Iterator[str]:
        for id, tasks in self._plans.items():
            self._figures["tasks compared"] += len(tasks)
            yield from plan(logs.get(id, []), tasks)
