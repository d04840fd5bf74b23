"""The classes by which AG2 checks the arguments of tools, made once for all conversations.

AG2 makes them for each tool of each conversation. They take most of the time of building agents, and only a full
garbage collection gets rid of them, which stops everything while it does.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Hashable
from functools import lru_cache
from types import GenericAlias, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pydantic
from autogen.fast_depends.core import build
from autogen.tools import function_utils
from autogen.tools.dependency_injection import Field

KEPT = 1_000  # models, and as many schemas; the newest
PLAIN = (str, int, float, bool, type(None), type(...))  # defaults that nobody can change


class _Differs(Exception):
    """A type that may belong to one conversation, or that can be changed: nothing is kept of it."""


class _Adapter:
    """A stand-in for pydantic's TypeAdapter, as far as AG2 uses it."""

    def __init__(self, type: Any) -> None:
        self._type = type

    def json_schema(self) -> Any:
        """Return the type's JSON schema."""
        try:
            return copy.deepcopy(_schema(_Keyed(_key(self._type), self._type)))
        except _Differs:
            return pydantic.TypeAdapter(self._type).json_schema()


class _Keyed:
    """Something that is made of `value`, equal to another one with the same key."""

    def __init__(self, key: Hashable, value: Any) -> None:
        self.key = key
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def install() -> None:
    """Let AG2 use what is kept. Calling it again has no effect."""
    build.create_model = _create_model
    function_utils.TypeAdapter = _Adapter


def _create_model(name: str, /, *, __config__: Any = None, **fields: Any) -> Any:
    """Do the same as pydantic's `create_model`, perhaps with a class that exists."""
    try:
        parts = [(field, _key(annotation), _plain(default)) for field, (annotation, default) in fields.items()]
    except _Differs:
        return pydantic.create_model(name, __config__=__config__, **fields)
    return _model(_Keyed((name, tuple(sorted(__config__.items())), *parts), (name, __config__, fields)))


@lru_cache(KEPT)
def _model(made: _Keyed) -> Any:
    name, config, fields = made.value
    return pydantic.create_model(name, __config__=config, **fields)


@lru_cache(KEPT)
def _schema(made: _Keyed) -> Any:
    return pydantic.TypeAdapter(made.value).json_schema()


def _plain(default: Any) -> Hashable:
    if not isinstance(default, PLAIN):
        raise _Differs
    return type(default), default


def _key(annotation: Any) -> Hashable:
    """Return what makes a type the same as another one. Raises _Differs."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        if not all(isinstance(each, Field) for each in parts[1:]):
            raise _Differs
        return Annotated, _key(parts[0]), tuple(each.description for each in parts[1:])
    if origin is Literal:
        return Literal, tuple(map(_plain, parts))
    if origin is Union or isinstance(annotation, UnionType | GenericAlias) or (origin is not None and parts):
        return _key(origin) if isinstance(origin, type) else str(origin), tuple(map(_key, parts))
    if annotation in {Any, ..., None, type(None)}:
        return str(annotation)
    if isinstance(annotation, type) and getattr(sys.modules.get(annotation.__module__), annotation.__name__, None) is (
        annotation
    ):
        return annotation
    raise _Differs
