"""Checks of files: each holds what the last `file_changed` of the log says, and nothing else is there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.faults.evidence import Log

DIGESTS = ("digest", "sha256")  # fields of the event that have it


@dataclass
class Change:
    """A change that a person asked for; its size says which it is."""

    path: str
    content: bytes | None
    """None: it deletes the file."""
    is_acknowledged: bool = False
    is_refused: bool = False


def contents(
    log: Log, made: Sequence[Change], served: Mapping[str, bytes], on_disk: Mapping[str, bytes]
) -> Iterator[str]:
    """Check each file, as served and as on disk, against the last event about it."""
    last = {f["content"]["path"]: f["content"] for f in log if f["type"] == "file_changed"}
    put = {len(each.content): each.content for each in made if each.content is not None}
    for where, files in (("served", served), ("on disk", on_disk)):
        for path in files.keys() - last.keys():
            yield f"the file {path} is {where}, and the log knows nothing of it"
        for path, about in last.items():
            content = files.get(path)
            if about["kind"] == "deleted":
                if content is not None:
                    yield f"the file {path} is {where}, and was deleted by the log"
            elif content is None:
                yield f"the file {path} is not {where}; by the log it has {about['size']} bytes"
            elif len(content) != about["size"] or content != put.get(len(content), content):
                yield f"the file {path} {where} has {len(content)} bytes; by the log it has {about['size']}, or others"
            else:
                yield from _digest(path, content, about)


def _digest(path: str, content: bytes, about: Mapping[str, object]) -> Iterator[str]:
    for name in DIGESTS:
        said = about.get(name)
        if isinstance(said, str) and hashlib.sha256(content).hexdigest() not in {said, said.removeprefix("sha256:")}:
            yield f"the file {path} has another {name} than the log says"


def changes(log: Log, made: Sequence[Change]) -> Iterator[str]:
    """Check that a change that was acknowledged has one event, one that was refused none."""
    for each in made:
        if each.content is None:
            continue
        sizes = [f["seq"] for f in log if f["type"] == "file_changed" and f["content"]["size"] == len(each.content)]
        if each.is_acknowledged and len(sizes) != 1:
            yield f"the change of {each.path} to {len(each.content)} bytes was acknowledged, and has the events {sizes}"
        if each.is_refused and sizes:
            yield f"the change of {each.path} to {len(each.content)} bytes was refused, and has the events {sizes}"
