"""Values of Python as JSON, and back: what agents keep in messages, variables and tool results.

JSON's own values stay as they are. Any other becomes an object with a single name that begins with `$` and says what
it is: {"$set": [1, 2]}. A dict that looks like one of those, or has keys that aren't text, becomes {"$dict": […]}.
What is to be recognised stands in names and numbers, because secrets are cut out of every other text that is stored.

Stored text is data, not code: the classes that it names are looked up in modules that are imported already, and only
pydantic models, dataclasses, named tuples and enums are taken. None of their methods is called; if a class has changed
meanwhile, its own defaults and validators are.
"""

from __future__ import annotations

import base64
import dataclasses
import math
import sys
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

from pydantic import BaseModel, PydanticUserError, TypeAdapter
from pydantic_core import PydanticSerializationError, PydanticUndefined, TzInfo

from agentchat.ag2 import pictures
from agentchat.ag2.pictures import Memo

Json = Any

MAX_DEPTH = 100
MAX_SIZE = 10_000_000  # characters of JSON that one value may need, give or take; pictures count for an eighth
_LONG = 10_000  # bits of a number that is kept in decimal digits, of which Python reads a limited number
_FACTORIES = {factory.__name__: factory for factory in (list, dict, set, int, float, str, bool, tuple)}


class NotKept(Exception):
    """The value cannot be kept; the message is the reason, as the end of a sentence."""


class NotRestored(Exception):
    """The value cannot be brought back; the message is the reason, as the end of a sentence."""


def to_json(value: object, memo: Memo | None = None) -> Json:
    """Return the value as one that JSON has. Raises NotKept. Pictures in the memo are not encoded again."""
    encoder = _Encoder(memo if memo is not None else {})
    try:
        kept = encoder.encode(value)
        if encoder.has_objects:
            from_json(kept)
    except RecursionError:  # of Python's own, deep within an agent's talk
        raise NotKept("it is nested too deeply") from None
    except NotRestored as error:
        raise NotKept(str(error)) from error
    return kept


def from_json(kept: Json) -> Any:
    """Return the value that `to_json` was given. Raises NotRestored."""
    try:
        return _decoded(kept)
    except NotRestored:
        raise
    except (ArithmeticError, AttributeError, KeyError, OSError, TypeError, ValueError, RecursionError) as error:
        raise NotRestored(f"it is damaged ({type(error).__name__})") from error


def description(value: object) -> str:
    """Return what the value is, with its article, as part of a sentence."""
    name = _class_name(type(value))[:100]
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


class _Encoder:
    """Encodes one value. Knows where it is, and how much there is already."""

    def __init__(self, memo: Memo) -> None:
        self.has_objects = False
        self._memo = memo
        self._inside: set[int] = set()  # the ids of the containers around the current value
        self._size = 0

    def encode(self, value: object) -> Json:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            self._add(len(value))  # type: ignore[arg-type]
            return value
        if kind is int:
            return value if value.bit_length() < _LONG else {"$int": hex(value)}  # type: ignore[attr-defined, arg-type]
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}  # type: ignore[arg-type]
        if id(value) in self._inside:
            raise NotKept("it contains itself")
        if len(self._inside) >= MAX_DEPTH:
            raise NotKept("it is nested too deeply")
        self._inside.add(id(value))
        try:
            return self._encode_other(kind, value)
        finally:
            self._inside.discard(id(value))

    def _add(self, size: int) -> None:
        self._size += size + 20  # of its name, brackets and commas
        if self._size > MAX_SIZE:
            raise NotKept("it is too large")

    def _encode_other(self, kind: type, value: Any) -> Json:
        self._add(0)
        if kind is dict:
            return self._dict(value)
        if kind is list:
            return self._list(value)
        if kind in _TO_JSON:
            name, parts = _TO_JSON[kind]
            kept = parts(value)
            if isinstance(kept, str):
                self._add(len(kept))
                return {name: kept}
            return {name: self._list(kept)}
        if issubclass(kind, Path):
            return {"$path": str(value)}
        if isinstance(value, Enum):
            return self._enum(value)
        if isinstance(value, BaseModel) or _is_named_tuple(kind) or dataclasses.is_dataclass(kind):
            return self._object(value)
        if pictures.is_picture(value):
            try:
                uri = pictures.data_uri(value, self._memo)
            except ValueError as error:
                raise NotKept(str(error)) from error
            self._add(len(uri) // 8)
            return {"$picture": [uri, value.format is not None]}
        raise NotKept(f"{description(value)} is not plain data")

    def _list(self, values: Iterable[object]) -> list[Json]:
        return [self.encode(value) for value in values]

    def _dict(self, value: dict[Any, Any]) -> Json:
        if all(type(key) is str for key in value) and not _is_tagged(value):
            self._add(sum(map(len, value)))
            return {key: self.encode(item) for key, item in value.items()}
        return {"$dict": [[self.encode(key), self.encode(item)] for key, item in value.items()]}

    def _enum(self, value: Enum) -> Json:
        name = _findable(type(value))
        return {"$flag": {name: self.encode(value.value)}} if isinstance(value, Flag) else {"$enum": {name: value.name}}

    def _object(self, value: Any) -> Json:
        name = _findable(type(value))
        self.has_objects = True
        kept: dict[str, Json] = {"fields": self._fields(value)}
        if isinstance(value, BaseModel):
            kept["set"] = sorted(value.model_fields_set)
            kept["extra"] = self._attributes(value, value.__pydantic_extra__ or {})
            kept["private"] = self._private(value)
        return {"$object": {name: kept}}

    def _fields(self, value: Any) -> dict[str, Json]:
        if isinstance(value, BaseModel):
            return self._model_fields(value)
        if isinstance(value, tuple):
            if getattr(value, "__dict__", None):
                raise NotKept("it is a tuple that has more than its fields")
            return self._attributes(value, dict(zip(value._fields, value, strict=True)))  # type: ignore[attr-defined]
        names = [field.name for field in dataclasses.fields(value)] + list(getattr(value, "__dict__", ()))
        return self._attributes(value, {name: getattr(value, name) for name in names if hasattr(value, name)})

    def _attributes(self, owner: object, values: Mapping[str, object]) -> dict[str, Json]:
        kept = {}
        for name, value in values.items():
            try:
                kept[name] = self.encode(value)
            except NotKept as error:
                raise NotKept(_in(owner, name, error)) from None
        return kept

    def _model_fields(self, model: BaseModel) -> dict[str, Json]:
        """Return the fields of a model. One left out of its JSON that cannot be kept gets its default again."""
        kept = {}
        for name, field in type(model).model_fields.items():
            if name not in model.__dict__:
                continue
            try:
                kept[name] = self.encode(model.__dict__[name])
            except NotKept as error:
                if field.exclude and not field.is_required():
                    continue
                written = _as_written(model, name)
                if written is None:
                    raise NotKept(_in(model, name, error)) from None
                kept[name] = {"$written": self.encode(written)}
        return kept

    def _private(self, model: BaseModel) -> dict[str, Json]:
        """Return the private attributes of a model; those that cannot be kept get their defaults again."""
        kept = {}
        for name, value in (model.__pydantic_private__ or {}).items():
            try:
                kept[name] = self.encode(value)
            except NotKept as error:
                if _default(type(model).__private_attributes__[name]) is PydanticUndefined:
                    raise NotKept(_in(model, name, error)) from None
        return kept


def _in(owner: object, name: str, error: NotKept) -> str:
    return f"{type(owner).__qualname__}.{name}: {error}"[:500]


def _as_written(model: BaseModel, name: str) -> Json:
    """Return a field as pydantic writes it into JSON, if reading that gives the same value again; else None."""
    try:
        written = model.model_dump(mode="json", include={name}, by_alias=False)[name]
        is_same = _field(type(model), name).validate_python(written) == model.__dict__[name]
    except (PydanticSerializationError, PydanticUserError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return written if is_same else None


def _field(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    annotation: Any = model.model_fields[name].annotation
    return TypeAdapter(annotation)


# Classes


def _class_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _findable(kind: type) -> str:
    """Return the name by which `_class` finds a class. Raises NotKept."""
    if "<locals>" in kind.__qualname__:
        raise NotKept(
            f"its class {kind.__name__} is defined inside a function, where it cannot be found again: move it to the"
            " top of the file"
        )
    name = f"{kind.__module__}:{kind.__qualname__}"
    try:
        _class(name)
    except NotRestored as error:
        raise NotKept(str(error)) from None
    return name


def _class(name: str) -> type:
    """Return an imported class that `to_json` takes. Raises NotRestored."""
    module, _, qualname = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = vars(found).get(part) if found is not None else None
    if not isinstance(found, type) or found.__qualname__ != qualname:
        raise NotRestored(f"there is no class {qualname[:100]} in {module[:100]}")
    is_dataclass = dataclasses.is_dataclass(found) and found.__new__ is object.__new__
    if not (is_dataclass or _is_named_tuple(found) or issubclass(found, (BaseModel, Enum))):
        raise NotRestored(f"the class {qualname[:100]} is none of plain data")
    return found


def _is_named_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def _object(name: str, kept: Mapping[str, Any]) -> Any:
    kind = _class(name)
    written = {name: value["$written"] for name, value in kept["fields"].items() if _is_written(value)}
    fields = {name: _decoded(value) for name, value in kept["fields"].items() if name not in written}
    try:
        if issubclass(kind, BaseModel):
            fields |= {name: _field(kind, name).validate_python(_decoded(value)) for name, value in written.items()}
            return _model(kind, fields, kept)
        if issubclass(kind, tuple):
            defaults = kind._field_defaults  # type: ignore[attr-defined]
            return tuple.__new__(kind, [(defaults | fields)[name] for name in kind._fields])  # type: ignore[attr-defined]
        return _dataclass(kind, fields)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NotRestored(f"the class {kind.__qualname__} has changed") from error


def _is_written(value: Json) -> bool:
    return isinstance(value, dict) and "$written" in value


def _model(kind: type[BaseModel], fields: dict[str, Any], kept: Mapping[str, Any]) -> BaseModel:
    """Return a model with these fields. They were valid once; if the class has changed, they are validated again."""
    for name, field in kind.model_fields.items():
        if name not in fields and not field.is_required():
            fields[name] = field.get_default(call_default_factory=True)
    if fields.keys() != kind.model_fields.keys():
        aliases = {name: field.validation_alias for name, field in kind.model_fields.items()}
        named = {alias if isinstance(alias := aliases.get(name), str) else name: fields[name] for name in fields}
        return kind.model_validate(named)
    private: dict[str, Any] = {}
    for name, attribute in kind.__private_attributes__.items():
        value = _decoded(kept["private"][name]) if name in kept["private"] else _default(attribute)
        if value is not PydanticUndefined:
            private[name] = value
    extra = {name: _decoded(value) for name, value in kept["extra"].items()}
    model = kind.__new__(kind)
    object.__setattr__(model, "__dict__", fields)
    object.__setattr__(model, "__pydantic_fields_set__", set(kept["set"]) & fields.keys() | extra.keys())
    object.__setattr__(model, "__pydantic_extra__", extra if kind.model_config.get("extra") == "allow" else None)
    object.__setattr__(model, "__pydantic_private__", private if kind.__private_attributes__ else None)
    return model


def _default(attribute: Any) -> Any:
    return attribute.get_default()


def _dataclass(kind: Any, fields: dict[str, Any]) -> Any:
    value = object.__new__(kind)
    for field in dataclasses.fields(kind):
        if field.name not in fields and field.default is not dataclasses.MISSING:
            fields[field.name] = field.default
        elif field.name not in fields and field.default_factory is not dataclasses.MISSING:
            fields[field.name] = field.default_factory()
        elif field.name not in fields and field.init:
            raise KeyError(field.name)
    for name, each in fields.items():
        object.__setattr__(value, name, each)
    return value


# Single values


def _decoded(kept: Json) -> Any:
    if isinstance(kept, list):
        return [_decoded(value) for value in kept]
    if not isinstance(kept, dict):
        return kept
    if not _is_tagged(kept):
        return {key: _decoded(value) for key, value in kept.items()}
    [(name, value)] = kept.items()
    if name not in _FROM_JSON:
        raise NotRestored(f"it was stored as {name[:20]}, which this version does not know")
    return _FROM_JSON[name](value)


def _is_tagged(value: Mapping[Any, Any]) -> bool:
    return len(value) == 1 and str(next(iter(value))).startswith("$")


def _as_list(read: Callable[[list[Any]], Any]) -> Callable[[Json], Any]:
    return lambda kept: read([_decoded(value) for value in kept])


def _bytes_text(value: bytes | bytearray) -> list[object]:
    try:
        return ["text", value.decode()]
    except UnicodeDecodeError:
        return ["base64", base64.b64encode(value).decode()]


def _read_bytes(parts: list[Any]) -> bytes:
    coding, text = parts
    return text.encode() if coding == "text" else base64.b64decode(text, validate=True)


def _moment(value: datetime | time) -> list[object]:
    zone: tzinfo | timezone | None = value.tzinfo
    if isinstance(zone, TzInfo):  # pydantic's
        offset = zone.utcoffset(None)
        assert offset is not None
        zone = timezone(offset)
    return [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, zone]


def _read_datetime(parts: list[Any]) -> datetime:
    text, fold, zone = parts
    return datetime.fromisoformat(text).replace(fold=fold, tzinfo=zone)


def _read_time(parts: list[Any]) -> time:
    text, fold, zone = parts
    return time.fromisoformat(text).replace(fold=fold, tzinfo=zone)


def _zone_key(value: zoneinfo.ZoneInfo) -> str:
    if value.key is None:
        raise NotKept("a time zone without a name cannot be written as text")
    return value.key


def _defaultdict_parts(value: defaultdict[Any, Any]) -> list[object]:
    factory = value.default_factory
    if factory is not None and factory not in _FACTORIES.values():
        raise NotKept("it makes missing values with a function")
    return [factory.__name__ if factory is not None else None, [list(item) for item in value.items()]]


def _read_defaultdict(parts: list[Any]) -> defaultdict[Any, Any]:
    factory, items = parts
    return defaultdict(_FACTORIES[factory] if factory is not None else None, items)


def _items(value: Mapping[Any, Any]) -> list[list[object]]:
    return [list(item) for item in value.items()]


def _read_enum(kept: Mapping[str, str]) -> Any:
    [(kind, name)] = kept.items()
    members = _enum_class(kind).__members__
    if name not in members:
        raise NotRestored(f"{_enum_class(kind).__qualname__} has no {name[:100]} any more")
    return members[name]


def _read_flag(kept: Mapping[str, Json]) -> Any:
    [(kind, value)] = kept.items()
    return _enum_class(kind)(_decoded(value))


def _enum_class(name: str) -> type[Enum]:
    kind = _class(name)
    if not issubclass(kind, Enum):
        raise NotRestored(f"the class {kind.__qualname__} has changed")
    return kind


def _read_object(kept: Mapping[str, Any]) -> Any:
    [(name, parts)] = kept.items()
    return _object(name, parts)


def _read_picture(parts: list[Any]) -> Any:
    uri, is_file = parts
    picture = pictures.read(uri)
    return picture if is_file else picture.copy()


_TO_JSON: dict[type, tuple[str, Callable[[Any], str | Iterable[object]]]] = {
    tuple: ("$tuple", list),
    set: ("$set", list),
    frozenset: ("$frozenset", list),
    deque: ("$deque", lambda value: [value.maxlen, *value]),
    Counter: ("$counter", _items),
    OrderedDict: ("$ordered", _items),
    defaultdict: ("$defaultdict", _defaultdict_parts),
    bytes: ("$bytes", _bytes_text),
    bytearray: ("$bytearray", _bytes_text),
    complex: ("$complex", lambda value: [value.real, value.imag]),
    Decimal: ("$decimal", str),
    Fraction: ("$fraction", lambda value: [value.numerator, value.denominator]),
    range: ("$range", lambda value: [value.start, value.stop, value.step]),
    date: ("$date", date.isoformat),
    time: ("$time", _moment),
    datetime: ("$datetime", _moment),
    timedelta: ("$timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    timezone: ("$timezone", lambda value: value.__getinitargs__()),
    zoneinfo.ZoneInfo: ("$zone", _zone_key),
    UUID: ("$uuid", str),
    PurePosixPath: ("$posix_path", str),
    PureWindowsPath: ("$windows_path", str),
}

_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "$int": lambda kept: int(kept, 16),
    "$float": float,
    "$dict": _as_list(dict),
    "$tuple": _as_list(tuple),
    "$set": _as_list(set),
    "$frozenset": _as_list(frozenset),
    "$deque": _as_list(lambda parts: deque(parts[1:], parts[0])),
    "$counter": _as_list(lambda items: Counter(dict(items))),
    "$ordered": _as_list(OrderedDict),
    "$defaultdict": _as_list(_read_defaultdict),
    "$bytes": _as_list(_read_bytes),
    "$bytearray": _as_list(lambda parts: bytearray(_read_bytes(parts))),
    "$complex": _as_list(lambda parts: complex(*parts)),
    "$decimal": Decimal,
    "$fraction": _as_list(lambda parts: Fraction(*parts)),
    "$range": _as_list(lambda parts: range(*parts)),
    "$date": date.fromisoformat,
    "$time": _as_list(_read_time),
    "$datetime": _as_list(_read_datetime),
    "$timedelta": _as_list(lambda parts: timedelta(*parts)),
    "$timezone": _as_list(lambda parts: timezone(*parts)),
    "$zone": zoneinfo.ZoneInfo,
    "$uuid": UUID,
    "$path": Path,
    "$posix_path": PurePosixPath,
    "$windows_path": PureWindowsPath,
    "$enum": _read_enum,
    "$flag": _read_flag,
    "$object": _read_object,
    "$picture": _read_picture,
}
