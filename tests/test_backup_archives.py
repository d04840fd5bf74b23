"""Backups from an untrusted place: whatever is in an archive, nothing is written but what a data folder has."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agentchat.backup import restoring
from agentchat.backup.archive import MANIFEST, BackupFailed, Reader
from agentchat.store.schema import MIGRATIONS

pytest_plugins = ["tests.backups"]

Member = tuple[tarfile.TarInfo, bytes]


def unpacked(path: Path) -> list[Member]:
    with tarfile.open(path) as tar:
        return [(about, tar.extractfile(about).read()) for about in tar]  # type: ignore[union-attr]


def packed(path: Path, members: list[Member], manifest: Mapping[str, Any] | None = None) -> Path:
    """Write a backup with these members. Its manifest is about them, unless it is changed."""
    *others, (about, data) = members
    content = json.loads(data)
    content["members"] = {a.name: [len(d), hashlib.sha256(d).hexdigest()] for a, d in others if a.isreg()}
    data = json.dumps(content | dict(manifest or {})).encode()
    about.size = len(data)
    with tarfile.open(path, "w:gz") as tar:
        for each, inside in [*others, (about, data)]:
            each.size = len(inside)
            tar.addfile(each, io.BytesIO(inside))
    return path


def named(name: str, type: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = type, link
    return about


def refused(path: Path) -> str:
    """Return why a backup cannot be used. Nothing is left of it, here or anywhere."""
    before = set(path.parent.rglob("*"))
    with path.open("rb") as file, pytest.raises(BackupFailed) as error:
        restoring.check(file)
    target = path.parent / "target"
    with path.open("rb") as file, pytest.raises(BackupFailed) as again:
        restoring.restore(file, target, may_replace=False)
    assert str(again.value) == str(error.value)
    assert [each.name for each in target.iterdir()] == ["agentchat.lock"]
    (target / "agentchat.lock").unlink()
    target.rmdir()
    assert set(path.parent.rglob("*")) == before
    return str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/cron.d/evil", "../evil", "workspaces/../../evil", "workspaces/s/../../../evil", "evil", "agentchat.lock",
        "agentchat.db-wal", "knowledge.db", "workspaces/s", "workspaces/s/", "workspaces/s//evil", "workspaces/s/./x",
        "workspaces/s/.agentchat-draft/x", "workspaces/s/a\\b", "workspaces/s/C:evil", "workspaces/s/a\nb",
        "workspaces/s/a\u202eb", "workspaces/../evil/x", "workspaces/ü/x", "originals/s/x", "originals/s/../x",
        "audit.jsonl.10", "audit.jsonl/x", "./agentchat.db", "accounts.db/x", f"workspaces/s/{'x' * 300}",
        f"workspaces/s/{'/'.join('x' * 40)}",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere(backup: Path, tmp_path: Path, name: str) -> None:
    """Only names that a data folder has are taken."""
    members = unpacked(backup)
    evil = packed(tmp_path / "evil.tar.gz", [(named(name), b"evil"), *members])
    assert refused(evil).endswith("has no place in a data folder.")


NO_FILES = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.CONTTYPE)


@pytest.mark.parametrize("type", [*NO_FILES, b"?"])
def test_links_and_devices(backup: Path, tmp_path: Path, type: bytes) -> None:
    """Only plain files are taken."""
    evil = packed(tmp_path / "evil.tar.gz", [(named("workspaces/s/evil", type, "/etc/passwd"), b""), *unpacked(backup)])
    assert refused(evil) == "This is not a backup: workspaces/s/evil in it is no plain file."


def test_what_the_manifest_does_not_say(backup: Path, tmp_path: Path) -> None:
    """Every member has to be as the manifest says, and the manifest has to be the last."""
    evil = tmp_path / "evil.tar.gz"

    def members() -> list[Member]:
        return unpacked(backup)

    def with_manifest(**manifest: Any) -> str:
        packed(evil, members(), manifest)
        return refused(evil)

    assert "accounts.db is not in the manifest" in with_manifest(members={})
    known = {about.name: [len(data), hashlib.sha256(data).hexdigest()] for about, data in members()[:-1]}
    assert "evil is missing" in with_manifest(members=known | {"evil": [1, "0"]})
    assert "accounts.db is damaged" in with_manifest(members=known | {"accounts.db": [1, known["accounts.db"][1]]})
    assert "accounts.db is damaged" in with_manifest(
        members=known | {"accounts.db": [known["accounts.db"][0], "0" * 64]}
    )
    assert with_manifest(format=2) == "This backup was made by a newer version of this server. Use that one."
    wrongs: list[dict[str, Any]] = [
        {"members": 7}, {"members": {"a": 7}}, {"format": "x"}, {"sessions": None}, {"schemas": []},
    ]  # fmt: skip
    for wrong in wrongs:
        assert "its manifest cannot be read" in with_manifest(**wrong)
    packed(evil, [(named("audit.jsonl"), b"evil"), *members()])
    assert "audit.jsonl is in it twice" in refused(evil)
    with tarfile.open(evil, "w:gz") as tar:
        for about, data in [*members(), (named("audit.jsonl.2"), b"")]:
            tar.addfile(about, io.BytesIO(data))
    assert "audit.jsonl.2 comes behind its manifest" in refused(evil)
    packed(evil, [each for each in members() if each[0].name != "agentchat.db"])
    assert "there is no agentchat.db in it" in refused(evil)


def test_archives_that_are_damaged(backup: Path, tmp_path: Path) -> None:
    """A part of a backup, one with a wrong byte, and what is not a backup at all are refused."""
    evil, whole = tmp_path / "evil.tar.gz", backup.read_bytes()
    for part in (0, 1, 9, 10, 600, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        evil.write_bytes(whole[:part])
        assert "damaged" in refused(evil) or "incomplete" in refused(evil)
    for place in range(20, len(whole), len(whole) // 12):
        evil.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        assert refused(evil)
    for content in (b"", b"hello" * 1000, gzip.compress(b"hello" * 1000), gzip.compress(bytes(10**6)), whole + b"more"):
        evil.write_bytes(content)
        assert refused(evil)
    data = gzip.decompress(whole)
    for more in (b"more", bytes(2**21)):
        evil.write_bytes(gzip.compress(data + more))
        assert "there is something behind its end" in refused(evil)


def test_heads_that_are_large(backup: Path, tmp_path: Path) -> None:
    """A head of gigabytes, which costs nothing to send, is not read into memory."""
    for type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
        about = named("x", type)
        about.size = 3 * 2**30
        evil = tmp_path / "evil.tar.gz"
        with gzip.open(evil, "wb") as file:
            file.write(about.tobuf(tarfile.GNU_FORMAT))
            file.write(bytes(2**21))
        assert "a head of 3,221,22" in refused(evil)


def test_no_room(backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup that would fill the disk is refused before it does."""
    monkeypatch.setattr(restoring, "LEFT_FREE", 2**62)
    assert "There is no room for the backup: " in refused(backup)


def test_too_many_members(backup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of members is limited."""
    monkeypatch.setattr("agentchat.backup.archive.MEMBERS", 2)
    assert "more than 2 files" in refused(backup)


def with_database(backup: Path, change: Callable[[sqlite3.Connection], object]) -> Path:
    """Return a backup whose database was changed."""
    members = unpacked(backup)
    place = next(place for place, (about, _) in enumerate(members) if about.name == "agentchat.db")
    path = backup.with_name("changed.db")
    path.write_bytes(members[place][1])
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        change(db)
    members[place] = (members[place][0], path.read_bytes())
    path.unlink()
    return packed(backup.with_name("evil.tar.gz"), members)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (f"PRAGMA user_version = {len(MIGRATIONS) + 1}", "agentchat.db was written by a newer version of this server."),
        ("PRAGMA user_version = 0", "agentchat.db is no database of this server."),
        (
            "CREATE TRIGGER evil AFTER INSERT ON events BEGIN DELETE FROM sessions; END",
            "agentchat.db is no database of this server.",
        ),
        ("CREATE VIEW evil AS SELECT 1", "agentchat.db is no database of this server."),
    ],
)
def test_databases_that_cannot_be_used(backup: Path, statement: str, sentence: str) -> None:
    """A newer schema, a strange one, and one that does things by itself are refused."""
    assert refused(with_database(backup, lambda db: db.execute(statement))).startswith(sentence)


def test_a_database_that_is_damaged(backup: Path) -> None:
    """A damaged database is refused, although its digest is right."""
    members = unpacked(backup)
    place = next(place for place, (about, _) in enumerate(members) if about.name == "agentchat.db")
    about, data = members[place]
    scrambled = data[: 4096 * 3] + os.urandom(4096 * 4) + data[4096 * 7 :]
    for damaged in (scrambled, b"SQLite format 3\0" + bytes(5000), b""):
        changed = list(members)
        changed[place] = (about, damaged)
        assert "agentchat.db" in refused(packed(backup.with_name("evil.tar.gz"), changed))


def test_a_reader_that_stops(backup: Path) -> None:
    """Members need not be read: what was skipped is checked as well."""
    with backup.open("rb") as file:
        reader = Reader(file)
        names = [member.name for member in reader.members()]
    assert reader.manifest is not None
    assert sorted(names) == sorted(reader.manifest.members)
    assert MANIFEST not in names
