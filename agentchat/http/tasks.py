"""The tasks of a session over REST."""

from __future__ import annotations

from agentchat.access import Need
from agentchat.http import requests, responses
from agentchat.http.routes import Call, Reply
from agentchat.http.session_route import SessionResource, session_route
from agentchat.protocol.errors import ChatError


class TaskRoutes(SessionResource):
    @session_route("GET", "/tasks", Need.READ, answers={200: responses.TaskList})
    def list_tasks(self, call: Call) -> Reply:
        """List the tasks of the plan."""
        return Reply(200, {"tasks": [task.content for task in self._session(call).tasks]})

    @session_route("PATCH", "/tasks/{task}", Need.WRITE, answers={200: responses.TaskAnswer},
                   errors=("closing", "task_unknown", "not_found"))  # fmt: skip
    def tick_task(self, call: Call, body: requests.Tick, headers: requests.CommandHeaders) -> Reply:
        """Set the status of a task."""
        id, session = call.path["task"], self._session(call)
        if not (id.isascii() and id.isdigit() and len(id) < 10):
            raise ChatError("not_found")
        task = session.set_task_status(int(id), body.status, call.caller.name, headers.idempotency_key)
        return Reply(200, task.content)
