"""The classes that check the arguments of tools: made once for types that are the same in all conversations."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional

import pydantic
import pytest
from autogen.tools import function_utils
from autogen.tools.dependency_injection import Field, inject_params

from agentchat.ag2 import tool_models


@pytest.fixture(autouse=True)
def installed() -> None:
    tool_models.install()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the classes that are made from now on."""
    names: list[str] = []
    create = pydantic.create_model

    def count(name: str, **about: Any) -> Any:
        names.append(name)
        return create(name, **about)

    monkeypatch.setattr(pydantic, "create_model", count)
    return names


def make(kind: Any, default: Any = "no default") -> Callable[..., Any]:
    """Return a tool as each conversation makes one of its own."""
    if default == "no default":

        def find(what: str) -> str:
            return what

        find.__annotations__["what"] = kind
        return find

    def look(what: str = default) -> str:
        return what

    look.__annotations__["what"] = kind
    return look


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        (str, "no default"),
        (int | None, None),
        (Optional[float], 1.5),  # noqa: UP045 - as people write it
        (list[dict[str, int]], "no default"),
        (Literal["a", "b"], "a"),
        (Any, "no default"),
        (Annotated[str, "The place"], "no default"),
    ],
)
def test_nothing_is_made_twice(kind: Any, default: Any, made: list[str]) -> None:
    """The second conversation uses what the first one made."""
    tool_models._model.cache_clear()
    inject_params(make(kind, default))
    assert len(made) == 2  # for its arguments, and for its result
    inject_params(make(kind, default))
    assert len(made) == 2


def test_no_type_of_a_conversation_is_kept() -> None:
    """A class that a conversation made leaves memory with it."""
    gone = hold_conversation()
    gc.collect()
    assert gone() is None


def hold_conversation() -> weakref.ref[Any]:
    class Place(pydantic.BaseModel):
        name: str

    inject_params(make(Place))
    function_utils.TypeAdapter(Place).json_schema()
    return weakref.ref(Place)


def test_tools_that_look_alike_are_checked_on_their_own() -> None:
    """Types, defaults and descriptions that differ are different, also where Python says that they are equal."""
    tools = [make(int, 1), make(bool, True), make(float, 1.0), make(Literal[1], 1), make(int | str, 1)]
    models = [inject_params(tool) for tool in tools]
    assert [model("1") for model in models if model is models[0]] == [1]
    assert [type(model()) for model in models] == [int, bool, float, int, int]
    schemas = [function_utils.TypeAdapter(kind).json_schema() for kind in (int, bool, Literal[1], Literal[True])]
    assert len({str(schema) for schema in schemas}) == 4


def test_a_schema_can_be_changed() -> None:
    """The descriptions that AG2 adds to a schema belong to one tool."""
    first = function_utils.get_parameter_json_schema("a", Annotated[str, Field("The place")], {"a": "Oslo"})
    second = function_utils.get_parameter_json_schema("b", Annotated[str, Field("The place")], {})
    assert first == {"type": "string", "default": "Oslo", "description": "The place"}
    assert second == {"type": "string", "description": "The place"}
