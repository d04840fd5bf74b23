"""Names that older clients use for what we call otherwise. They are accepted in requests, and described as such."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from agentchat.ag2.catalogue import Catalogue
from agentchat.protocol.errors import ChatError


def renamed(given: object, names: Mapping[str, str]) -> object:
    """Return a body with our names in place of the older ones in `names`, of which each leads to ours.

    Raises PydanticCustomError if both are there and say different things.
    """
    if not isinstance(given, dict):
        return given
    body = dict(given)
    for older, ours in names.items():
        value = body.pop(older, None)
        if value is None:
            continue
        if body.get(ours) not in (None, value):
            raise PydanticCustomError("two_values", "{ours} and {older} differ", {"ours": ours, "older": older})
        body[ours] = value
    return body


def described(names: Mapping[str, str]) -> Callable[[dict[str, Any]], None]:
    """Return a function that adds the older names to the schema of a body."""

    def add(schema: dict[str, Any]) -> None:
        for older, ours in names.items():
            about = {**schema["properties"][ours], "title": older, "deprecated": True}
            schema["properties"][older] = {**about, "description": f"The same as `{ours}`, for older clients"}
            if ours in schema.get("required", ()):
                schema["required"].remove(ours)
                schema["anyOf"] = [{"required": [ours]}, {"required": [older]}]

    return add


def chosen(catalogue: Catalogue, agent: str | None, agent_type: str | None) -> str:
    """Return the name of the agent that a request asks for by one of these names, or by none.

    Raises ChatError if there is no such agent, or they are two.
    """
    name = catalogue.choose(agent or agent_type)
    if agent and agent_type:
        check(catalogue, name, agent_type)
    return name


def check(catalogue: Catalogue, agent: str, agent_type: str | None) -> None:
    """Raise ChatError if `agent_type` names another agent."""
    if agent_type and catalogue.choose(agent_type) != agent:
        raise ChatError("bad_request", problem=f"its agent_type is another agent than {agent}")
