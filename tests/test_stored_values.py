"""Values that agents keep make the round trip through JSON text, or are refused in words."""

from __future__ import annotations

import io
import json
import random
import sqlite3
import sys
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from autogen.agentchat.group import AgentNameTarget, ContextVariables, ReplyResult, TerminateTarget
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, PrivateAttr, SecretStr, ValidationError

from agentchat.ag2.stored_values import NotKept, NotRestored, from_json, to_json
from agentchat.protocol.redaction import Redaction


class Color(Enum):
    """A member's value need not be JSON's."""

    RED = (1, 2)
    BLUE = "blue"


class Number(IntEnum):
    """A number that is also a member."""

    ONE = 1


class Rights(Flag):
    """Members that can be combined."""

    READ = 1
    WRITE = 2


class Point(NamedTuple):
    """A tuple with names."""

    x: int
    y: Any = None


@dataclass
class Stop:
    """A dataclass that sets more than its fields."""

    city: str
    notes: list[Any] = field(default_factory=list)
    nights: int = field(init=False, default=1)

    def __post_init__(self) -> None:
        self.label = self.city.upper()


@dataclass(frozen=True)
class Fixed:
    """A dataclass that cannot be changed."""

    __slots__ = ("a",)
    a: int


class Order(BaseModel):
    """A model with everything that pydantic leaves out of its JSON."""

    model_config = ConfigDict(extra="allow")

    number: int = Field(default=7, validation_alias="no")
    when: datetime | None = None
    url: HttpUrl | None = None
    items: Any = None
    handle: Any = Field(default=None, exclude=True)
    _seen: Any = PrivateAttr(default=None)


class Positive(BaseModel):
    """A model whose values are checked, and that cannot be changed."""

    model_config = ConfigDict(frozen=True)

    value: int = Field(gt=0)


def back(value: object) -> Any:
    """Return the value after it was stored."""
    return from_json(json.loads(json.dumps(to_json(value))))


BERLIN = ZoneInfo("Europe/Berlin")
VALUES: list[object] = [
    None, True, 1, 1.5, -0.0, "text", "\ud800", float("inf"), [], {}, [{"a": [None]}],
    {1, 2}, set(), frozenset("ab"), (), (1, (2, [3])), deque([1, {2}], maxlen=3), range(1, 9, 2),
    {1: "one", (2, 3): {"four"}, None: 5}, {"$set": [1]}, {"$set": [1], "more": 2}, {"$": {"$dict": {}}}, {"": 1},
    OrderedDict(b=1, a={2}), defaultdict(list, {"a": [{1}]}), defaultdict(None, {1: 2}), Counter("aab"),
    b"text", b"\xff\x00", bytearray(b"more"), complex(1, float("inf")), Decimal("1.10"), Fraction(1, 3),
    date(2026, 1, 2), time(1, 2, 3, 4), time(1, tzinfo=timezone.utc), timedelta(-1, 5, 6),
    datetime(2026, 1, 2, 3, 4, 5, 6), datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2), "home")),
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), BERLIN, timezone.utc,
    UUID(int=5), Path("/a/b"), PurePosixPath("a"), PureWindowsPath("C:\\a"),
    Color.RED, Number.ONE, Rights.READ | Rights.WRITE, {Color.BLUE: {Number.ONE}},
    Point(1, {2}), Stop("Oslo", [{1}]), Fixed(1), Positive(value=3),
    Order.model_validate({"no": 8, "when": "2026-01-01T00:00:00Z", "url": "https://a.b/", "items": {1}, "other": b"x"}),
    ContextVariables(data={"seen": {"Oslo"}, "order": Order(items=(1, 2))}),
    ReplyResult(message="Done.", target=AgentNameTarget("clerk"), context_variables=ContextVariables(data={"a": {1}})),
    ReplyResult(message="Bye.", target=TerminateTarget()),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_round_trip(value: object) -> None:
    """The value is the same, and of the same type, also within others."""
    for restored in (back(value), back({"a": [value]})["a"][0]):
        assert type(restored) is type(value)
        assert restored == value
        assert repr(restored) == repr(value) or isinstance(value, (set, frozenset, dict, BaseModel))


def test_details() -> None:
    """The fold of a time, the zone's name, types of nested values and NaN stay."""
    at = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)
    assert (back(at).fold, back(at).tzinfo.key) == (1, "Europe/Berlin")
    assert str(back(float("nan"))) == "nan"
    assert back(10**5_000) == 10**5_000
    assert back(deque([1], maxlen=3)).maxlen == 3
    assert back(defaultdict(list))["new"] == []
    assert type(back(Order(items=Point(1))).items) is Point
    assert back(Stop("Oslo")).label == "OSLO"


def test_models_keep_what_their_json_leaves_out() -> None:
    """Private and excluded values stay; those that cannot be kept get their defaults; aliases don't matter."""
    order = Order(items=1, handle={2})
    order._seen = {"Oslo"}
    restored = back(order)
    assert (restored.handle, restored._seen, restored.model_fields_set) == ({2}, {"Oslo"}, {"items", "handle"})

    order.handle = order._seen = threading.Lock()
    restored = back(order)
    assert (restored.items, restored.handle, restored._seen) == (1, None, None)

    with pytest.raises(ValidationError):
        back(Positive(value=3)).value = 4


def local() -> object:
    class Local(BaseModel):
        a: int = 1

    return Local()


def cycle() -> object:
    inner: list[object] = []
    inner.append({"a": inner})
    return inner


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def wide(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value, value]
    return value


class Words(list[str]):
    """A list that may be more than one."""


@dataclass
class Table(dict[str, int]):
    """A dataclass that is more than its fields."""

    name: str = ""


REFUSED: dict[str, tuple[object, str]] = {
    "connection": (sqlite3.connect(":memory:"), "a sqlite3.Connection is not plain data"),
    "lock in a list": ([{"a": (threading.Lock(),)}], "a _thread.lock is not plain data"),
    "key": ({threading.Lock(): 1}, "a _thread.lock is not plain data"),
    "function": (cycle, "a function is not plain data"),
    "class": (Order, "a pydantic._internal._model_construction.ModelMetaclass is not plain data"),
    "secret": (Order(items=SecretStr("key")), "Order.items: a pydantic.types.SecretStr is not plain data"),
    "subclass": (Words(), "a tests.test_stored_values.Words is not plain data"),
    "dataclass of a dict": (Table(), "the class Table is none of plain data"),
    "local": (local(), "its class Local is defined inside a function"),
    "cycle": (cycle(), "it contains itself"),
    "deep": (deep(150), "it is nested too deeply"),
    "wide": (wide(40), "it is too large"),
    "long": ("x" * 30_000_000, "it is too large"),
    "factory": (defaultdict(lambda: 1), "it makes missing values with a function"),
    "picture": (Image.new("HSV", (1, 1)), "Pillow cannot write pictures of mode HSV"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """Values that cannot be kept are refused at once, with the reason."""
    value, reason = REFUSED[name]
    with pytest.raises(NotKept) as refused:
        to_json(value)
    assert str(refused.value).startswith(reason)
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        ({"$object": {"os:path.join": {"fields": {}}}}, "there is no class"),
        ({"$object": {"subprocess:Popen": {"fields": {"args": "ls"}}}}, "the class Popen is none of plain data"),
        ({"$object": {"tests.nowhere:Order": {"fields": {}}}}, "there is no class"),
        ({"$object": {f"{__name__}:Gone": {"fields": {}}}}, "there is no class"),
        ({"$object": {f"{__name__}:Order.__init__.__globals__": {"fields": {}}}}, "there is no class"),
        ({"$object": {f"{__name__}:Positive": {"fields": {"value": -1, "gone": 2}}}}, "the class Positive has changed"),
        ({"$object": {f"{__name__}:Point": {"fields": {}}}}, "the class Point has changed"),
        ({"$object": {f"{__name__}:Stop": {"fields": {}}}}, "the class Stop has changed"),
        ({"$enum": {f"{__name__}:Color": "GREEN"}}, "Color has no GREEN any more"),
        ({"$enum": {f"{__name__}:Order": "RED"}}, "the class Order has changed"),
        ({"$new": 1}, "it was stored as $new, which this version does not know"),
        ({"$date": "[password]"}, "it is damaged"),
        ({"$picture": ["data:image/png;base64,aaaa", True]}, "it is damaged"),
        ({"$set": 5}, "it is damaged"),
        ({"$set": [[1]]}, "it is damaged"),
    ],
)
def test_what_is_damaged_or_gone_is_told(kept: Any, reason: str) -> None:
    """Nothing is imported or called because stored text says so; what cannot be brought back has a reason."""
    with pytest.raises(NotRestored) as refused:
        from_json(kept)
    assert str(refused.value).startswith(reason)
    assert "tests.nowhere" not in sys.modules


def test_a_class_that_has_changed() -> None:
    """Values from before a class got another field get its default; fields that are gone are left out."""
    kept = json.loads(json.dumps([to_json(value) for value in (Order(items={1}), Stop("Oslo"), Point(1))]))
    [order], [stop], [point] = ([*each["$object"].values()] for each in kept)
    del order["fields"]["when"], stop["fields"]["notes"], point["fields"]["y"]
    assert [from_json(each) for each in kept] == [Order(items={1}), Stop("Oslo"), Point(1)]
    kept = to_json(Positive(value=3))
    kept["$object"][f"{__name__}:Positive"]["fields"]["gone"] = 1
    assert from_json(kept) == Positive(value=3)


def test_secrets_are_cut_out_of_values_alone() -> None:
    """A password like the name of a type or class breaks nothing, and is found in bytes."""
    redaction = Redaction()
    for password in ("date", "Order", "items", "$set", "fields", "2026"):
        redaction.hide(password)
    value = {"a": {1}, "b": Order(items=date(2031, 1, 1)), "c": b"it is 2026!"}
    restored = from_json(json.loads(redaction.redact_json(json.dumps(to_json(value)))))
    assert restored == {**value, "c": b"it is [password]!"}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F", "I;16"])
def test_pictures(mode: str) -> None:
    """A picture of any common mode comes back pixel by pixel."""
    picture = Image.new(mode, (3, 2), 1 if len(Image.new(mode, (1, 1)).getbands()) == 1 else None)
    restored = back(picture)
    assert (restored.mode, restored.size, restored.tobytes()) == (mode, (3, 2), picture.tobytes())


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_pictures_from_files(format: str) -> None:
    """A picture from a file comes back pixel by pixel, in its format if that loses nothing."""
    file = io.BytesIO()
    Image.frombytes("RGB", (20, 20), random.Random(1).randbytes(1_200)).save(file, format)
    picture = Image.open(file)
    restored = back(picture)
    assert restored.tobytes() == picture.tobytes()
    assert restored.format == ("PNG" if format == "JPEG" else format)


def test_a_large_photo_stays_a_photo() -> None:
    """A large JPEG is not blown up to a PNG."""
    file = io.BytesIO()
    Image.effect_noise((1500, 1500), 50).save(file, "JPEG")
    restored = back(Image.open(file))
    assert (restored.format, restored.size) == ("JPEG", (1500, 1500))


def test_animations() -> None:
    """All pictures of an animation are kept."""
    file = io.BytesIO()
    frames = [Image.new("L", (2, 2), color) for color in (0, 100, 200)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert back(Image.open(file)).n_frames == 3
