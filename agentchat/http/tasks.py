"""The tasks of a session over HTTP."""

from __future__ import annotations

from agentchat.http import requests, responses
from agentchat.http.routes import Call, Reply, Route
from agentchat.http.sessions import LOST, PATH, Rest, person
from agentchat.protocol.errors import ChatError


class PlanRoutes:
    """The handlers. `rest` finds the session that an address names."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def find(self, call: Call) -> Reply:
        return Reply(200, {"tasks": [task.content for task in self._rest.session(call).tasks]})

    def tick(self, call: Call) -> Reply:
        body: requests.Tick = call.body
        id, session = call.path["task"], self._rest.session(call)
        if not (id.isascii() and id.isdigit() and len(id) < 10):
            raise ChatError("not_found")
        return Reply(200, session.tick(int(id), body.status, person(body.name)).content)

    def routes(self) -> list[Route]:
        """What there is to ask for."""
        path = f"{PATH}/{{id}}/tasks"
        return [
            Route("GET", path, "listTasks", "The tasks of the plan", self.find, {200: responses.TaskList}, LOST),
            Route("PATCH", f"{path}/{{task}}", "tickTask", "Say how far a task is", self.tick,
                  {200: responses.TaskAnswer}, (*LOST, "closing", "task_unknown", "not_found"), body=requests.Tick),
        ]  # fmt: skip
