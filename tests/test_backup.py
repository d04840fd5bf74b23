"""Backups of a data folder in use, and putting them back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

from agentchat import audit
from agentchat.auth.accounts import Accounts
from agentchat.backup import restoring
from agentchat.backup.archive import is_name
from agentchat.backup.making import make
from agentchat.backup.snapshot import Files, fixed
from agentchat.cli import main
from agentchat.protocol.errors import SettingsError
from agentchat.store import SessionRecord
from agentchat.store.schema import MIGRATIONS
from agentchat.store.sqlite import SqliteStore
from agentchat.workspace import retention
from agentchat.workspace.changes import Changes
from agentchat.workspace.files import Workspace
from agentchat.workspace.folders import Folders
from agentchat.workspace.retention import Retention
from tests.agent_files import WRITER, write_agents
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.processes import ROOT
from tests.rest_client import Conversation, RestClient
from tests.store_contract import CREATED, draft
from tests.stories import write_story
from tests.test_epoch import came_back, epoch_of, grow

pytest_plugins = ["tests.backups"]

Kept = dict[str, bytes]


def told(folder: Path) -> dict[str, str]:
    """Return the digest of each file that the log in a data folder says there is."""
    found: dict[str, str] = {}
    with contextlib.closing(sqlite3.connect(folder / "agentchat.db")) as db:
        query = "SELECT session, body FROM events WHERE type = 'file_changed' ORDER BY session, seq"
        for session, body in db.execute(query):
            content = json.loads(body)
            found[f"{session}/{content['path']}"] = content["sha256"]
    return {path: digest for path, digest in found.items() if digest is not None}


def there(folder: Path) -> dict[str, str]:
    """Return the digest of each file of a conversation in a data folder."""
    parent = folder / "workspaces"
    files = [path for path in parent.rglob("*") if path.is_file()]
    return {str(path.relative_to(parent)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def restored(backup: Path, folder: Path) -> Path:
    with backup.open("rb") as file:
        manifest, old = restoring.restore(file, folder, may_replace=False)
    assert old is None
    assert manifest.unlike_log == []
    return folder


def put(session: Conversation, path: str, content: bytes) -> None:
    place = f"{session.path}/files/{quote(path, safe='')}"
    assert session.client.ask("PUT", place, content, {"Content-Type": "text/plain"}).status < 300


@pytest.mark.own_server
def test_a_backup_under_load(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """While agents and people write, backups are whole: every file is as its log says, and the agents remember.

    A conversation that is deleted is gone from the next one.
    """
    options = ("--agents", write_agents(tmp_path, writer=WRITER), "--messages-per-second", "0")
    server = serve(*options, model=model)
    rest, is_over = RestClient(server), threading.Event()
    sessions = [rest.new_session(agent="writer") for _ in range(4)]
    doomed = rest.new_session(agent="writer")
    put(doomed, "secret.txt", b"secret")
    sessions[0].ask("My name is Ada.")

    def talk(session: Conversation) -> None:
        for number in count():
            if is_over.is_set():
                return
            calls = [["write", {"path": f"{name}.txt", "text": f"{number} {name} " * 500}] for name in "ab"]
            session.ask(f"@@{json.dumps({'tools': calls})}@@")

    def upload(session: Conversation) -> None:
        for number in count():
            if is_over.is_set():
                return
            put(session, f"up/{number % 3}.txt", str(number).encode() * 1000)
            if number % 5 == 4:
                rest.ask("DELETE", f"{session.path}/files/{quote(f'up/{number % 3}.txt', safe='')}")

    backups: list[Path] = []
    with ThreadPoolExecutor(6) as pool:
        acting = [pool.submit(act, session) for act in (talk, upload) for session in sessions[:3]]
        try:
            for number in range(4):
                if number == 2:
                    assert rest.ask("DELETE", doomed.path).status < 300
                backups.append(tmp_path / f"{number}.tar.gz")
                make(tmp_path / "data", backups[-1])
        finally:
            is_over.set()
        for each in acting:
            each.result()
    kept = [restored(backup, tmp_path / f"restored-{backup.stem}") for backup in backups]
    for folder in kept:
        assert there(folder) == told(folder)
    assert [f"{doomed.id}/secret.txt" in there(folder) for folder in kept] == [True, True, False, False]
    assert doomed.id.encode() not in (kept[-1] / "agentchat.db").read_bytes()
    server.close()
    assert not list((tmp_path / "data").glob("retained*"))
    model.reset()
    again = serve(*options, "--data-dir", str(kept[-1]), model=model)
    conversation = Conversation(RestClient(again), sessions[0].id)
    assert [frame["seq"] for frame in conversation.log] == list(range(1, len(conversation.log) + 1))
    conversation.ask("What is my name?")
    assert "My name is Ada." in json.dumps(model.requests[-1]["body"]["messages"])


def test_files_that_change_meanwhile(tmp_path: Path) -> None:
    """Whatever happens to files once the log is copied, the backup gets them as they were.

    That is true of several changes, of deletion, of a whole conversation, of changes that were told and not yet made,
    and of files in which programs work. What was created later is left out; what the log never names is there.
    """
    data, room = tmp_path / "data", tmp_path / "room"
    room.mkdir()
    folders = Folders(data)
    with contextlib.closing(SqliteStore(data)) as store:

        def workspace(session: str) -> Workspace:
            def changed(path: str, kind: str, size: int, sha256: str | None) -> None:
                store.append(session, [draft("file_changed", 0, path=path, kind=kind, size=size, sha256=sha256)])

            folder = data / "workspaces" / session
            return Workspace(folder, changed, retention=Retention(data, session))

        files = {}
        for session in ("deleted", "kept", "programs"):
            store.create(SessionRecord(session, "weather", CREATED))
            files[session] = workspace(session)
            for name in ("changed", "gone", "same"):
                files[session].write(f"{name}.txt", f"{session} {name}")
        (files["kept"].path / "untold.txt").write_text("untold")
        prepared = data / "workspaces" / "kept" / ".agentchat-draft"
        store.append("kept", [draft("turn_started", 1)])
        changes = Changes(files["kept"], data / "originals" / "kept")
        changes.keep("changed.txt", b"before the turn")

        with retention.retaining(data) as retained:
            files["kept"].write("changed.txt", "before")
            assert fixed(data, room) == {"agentchat.db": len(MIGRATIONS)}
            for text in ("after", "long after"):
                files["kept"].write("changed.txt", text)
            files["kept"].delete("gone.txt")
            files["kept"].write("new.txt", "new")
            changes.take()
            with files["programs"].watched() as folder:
                (folder / "changed.txt").write_text("by a program")
            store.delete("deleted")
            folders.clear("deleted")
            with contextlib.closing(Files(data, retained, room)) as found:
                kept = {name: version.content for name, version in found.all()}
                texts: Kept = {}
                for name, content in kept.items():
                    content.seek(0)
                    texts[name] = content.read()
                    content.close()
                assert found.unlike_log == []
        assert not prepared.exists()
        files["kept"].write("same.txt", "without a backup")
    originals = [texts.pop(name) for name in list(texts) if name.startswith("originals/kept/")]
    assert any(content.endswith(b"before the turn") for content in originals)
    assert texts == {
        f"workspaces/{session}/{name}.txt": f"{session} {name}".encode()
        for session in ("deleted", "kept", "programs")
        for name in ("changed", "gone", "same")
    } | {"workspaces/kept/changed.txt": b"before", "workspaces/kept/untold.txt": b"untold"}
    assert not (data / "retained").exists()


def test_a_change_that_is_being_made(tmp_path: Path) -> None:
    """A change that was told and not yet made when the log was copied is in the backup; so is a deletion."""
    data, room = tmp_path / "data", tmp_path / "room"
    room.mkdir()
    with contextlib.closing(SqliteStore(data)) as store:
        store.create(SessionRecord("s", "weather", CREATED))
        found: dict[str, bytes] = {}

        def changed(path: str, kind: str, size: int, sha256: str | None) -> None:
            store.append("s", [draft("file_changed", 0, path=path, kind=kind, size=size, sha256=sha256)])
            if kind == "created":
                return
            with retention.retaining(data) as retained:
                fixed(data, room)
                with contextlib.closing(Files(data, retained, room)) as files:
                    for name, version in files.all():
                        with contextlib.closing(version.content):
                            version.content.seek(0)
                            found[f"{kind} {name}"] = version.content.read()
                    assert files.unlike_log == []
            for copy in room.iterdir():
                copy.unlink()

        files = Workspace(data / "workspaces" / "s", changed, retention=Retention(data, "s"))
        for name in "ab":
            files.write(name, "old")
        files.write("a", "new")
        files.delete("b")
    assert found == {
        "modified workspaces/s/a": b"new",
        "modified workspaces/s/b": b"old",
        "deleted workspaces/s/a": b"new",
    }


def test_files_that_sessions_share(tmp_path: Path) -> None:
    """Files that the sessions of a project share are saved in the newest version that any of their logs names."""
    data, room, folder = tmp_path / "data", tmp_path / "room", "project-1"
    room.mkdir()
    with contextlib.closing(SqliteStore(data)) as store:

        def workspace(session: str) -> Workspace:
            store.create(SessionRecord(session, "weather", CREATED, folder=folder))

            def changed(path: str, kind: str, size: int, sha256: str | None) -> None:
                store.append(session, [draft("file_changed", 0, path=path, kind=kind, size=size, sha256=sha256)])

            return Workspace(data / "workspaces" / folder, changed, retention=Retention(data, folder))

        first, second = workspace("b"), workspace("a")
        first.write("both.txt", "first")
        second.write("both.txt", "second")
        first.write("gone.txt", "first")
        second.delete("gone.txt")
        store.append("a", [draft("turn_started", 1)])
        changes = Changes(second, data / "originals" / folder / "a")
        changes.keep("both.txt", b"before the turn")
        with retention.retaining(data) as retained:
            fixed(data, room)
            first.write("both.txt", "third")
            second.write("new.txt", "new")
            changes.take()
            with contextlib.closing(Files(data, retained, room)) as files:
                found = {}
                for name, version in files.all():
                    with contextlib.closing(version.content):
                        version.content.seek(0)
                        found[name] = version.content.read()
                assert files.unlike_log == []
    originals = {name: found.pop(name) for name in list(found) if name.startswith(f"originals/{folder}/a/")}
    assert found == {f"workspaces/{folder}/both.txt": b"second"}
    assert any(content.endswith(b"before the turn") for content in originals.values())
    assert all(is_name(name) for name in (*found, *originals))


def test_files_that_other_programs_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not as the log says, because a program changed it, is in the backup as it is, and named."""
    data = tmp_path / "data"
    with contextlib.closing(SqliteStore(data)) as store:
        store.create(SessionRecord("s", "weather", CREATED))
        for name in ("changed", "gone"):
            store.append("s", [draft("file_changed", 0, path=name, kind="created", size=1, sha256="0" * 64)])
    (data / "workspaces" / "s").mkdir(parents=True)
    (data / "workspaces" / "s" / "changed").write_text("now")
    (data / "workspaces" / "s" / "link").symlink_to("/etc/passwd")
    assert main(["backup", "b.tar.gz", "--data-dir", str(data)]) == 0
    assert "workspaces/s/changed, workspaces/s/gone" in capsys.readouterr().err
    assert main(["restore", "b.tar.gz", "--data-dir", "new"]) == 0
    assert [path.name for path in Path("new/workspaces/s").iterdir()] == ["changed"]


def test_what_a_killed_backup_leaves_behind(tmp_path: Path) -> None:
    """Nothing is kept for a backup that was killed, and what it left is deleted by the next server or deletion."""
    data = tmp_path / "data"
    sweeps: list[Callable[[], None]] = [
        lambda: Folders(data).sweep(lambda id: True),
        lambda: Folders(data).clear("other"),
    ]
    for sweep in sweeps:
        left = data / "retained" / "s" / "versions"
        left.mkdir(parents=True)
        (data / "backup.lock").touch()
        files = Workspace(data / "workspaces" / "s", retention=Retention(data, "s"))
        for text in ("one", "two"):
            files.write("a", text)
        assert list(left.iterdir()) == []
        sweep()
        assert not (data / "retained").exists()
    with retention.retaining(data):
        Folders(data).sweep(lambda id: True)
        assert (data / "retained").exists()
        with pytest.raises(SettingsError, match="Another backup of"), retention.retaining(data):
            pass


# The commands


def run(*arguments: str) -> int:
    return main(arguments)


def test_there_and_back(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A backup is for its owner alone, is what it says, and comes back as it was; what it replaces is moved aside."""
    place = ("--data-dir", str(data))
    assert run("backup", "b.tar.gz", *place) == 0
    assert "b.tar.gz is complete. Conversations: 1; files: 1;" in capsys.readouterr().out
    assert stat.S_IMODE(Path("b.tar.gz").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "data"]
    assert run("backup", "--check", "b.tar.gz") == run("restore", "--check", "b.tar.gz") == 0
    assert capsys.readouterr().out.count("The backup is whole, made at 20") == 2

    assert run("restore", "b.tar.gz", *place) == 1
    assert "There are data in" in capsys.readouterr().err
    (data / "workspaces" / "s" / "notes" / "ü.txt").write_text("something else")
    (data / "agentchat.db-wal").write_bytes(b"of the old one")
    assert run("restore", "b.tar.gz", "--replace", *place) == 0
    assert "What was there before is in" in capsys.readouterr().out
    [old] = data.glob("replaced-*")
    assert sorted(path.name for path in old.iterdir()) == [
        "accounts.db", "agentchat.db", "agentchat.db-wal", "audit.jsonl", "workspaces",
    ]  # fmt: skip
    assert (old / "workspaces" / "s" / "notes" / "ü.txt").read_text() == "something else"

    assert run("restore", "b.tar.gz", "--data-dir", "new") == 0
    for folder in (data, Path("new")):
        file = folder / "workspaces" / "s" / "notes" / "ü.txt"
        about = file.stat()
        assert (file.read_bytes(), about.st_mtime, bool(about.st_mode & 0o100)) == (b"hello", 1_000_000_000, True)
        with contextlib.closing(Accounts(folder)) as accounts, contextlib.closing(SqliteStore(folder)) as store:
            assert accounts.by_login("ada") is not None
            assert store.session("s") is not None
        assert [entry["event"] for entry in audit.Audit(folder / audit.FILE).last(9)] == ["backup_restored", "login"]
    assert [e["event"] for e in audit.Audit(old / audit.FILE).last(9)] == ["backup_made", "login"]


def test_names_by_time(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a folder a backup is named by its time; of those named so the newest are kept."""
    place, folder = ("--data-dir", str(data)), Path("all")
    folder.mkdir()
    others = ["agentchat-20200101T000000Z.tar.gz.part", "mine.tar.gz"]
    for name in ["agentchat-20200101T000000Z.tar.gz", "agentchat-20210101T000000Z.tar.gz", *others]:
        (folder / name).touch()
    assert run("backup", "--keep", "2", "all", *place) == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names[0] == others[0]
    assert names[1] == "agentchat-20210101T000000Z.tar.gz"
    assert names[3:] == ["mine.tar.gz"]
    assert run("backup", "--check", f"all/{names[2]}") == 0
    for _ in range(2):  # in the same second, perhaps
        assert run("backup", "all", *place) == 0
    assert len(list(folder.glob("agentchat-*Z.tar.gz"))) == 4
    for wrong in (("0", "all"), ("1", "b.tar.gz")):
        assert run("backup", "--keep", *wrong, *place) == 2
    assert "--keep needs a folder" in capsys.readouterr().err


def test_through_pipes(data: Path) -> None:
    """A backup goes through standard output and input, whole."""
    command = [sys.executable, str(ROOT / "main.py")]
    out = subprocess.run([*command, "backup", "-", "--data-dir", str(data)], capture_output=True, check=True)
    assert b"The backup is complete." in out.stderr
    archive = subprocess.run([*command, "restore", "-", "--data-dir", "new"], input=out.stdout, check=True)
    assert archive.returncode == 0
    assert there(Path("new")) == told(Path("new"))


def test_a_folder_that_is_in_use(data: Path, backup: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A backup is not put into a folder that a server uses; nor does a second server start there."""
    with contextlib.closing(SqliteStore(data)):
        assert run("restore", str(backup), "--replace", "--data-dir", str(data)) == 2
        assert "Another server uses the data folder" in capsys.readouterr().err
        with pytest.raises(SettingsError, match="Another server uses the data folder"):
            SqliteStore(data)
    assert not list(data.glob("replaced-*"))


def test_nothing_to_back_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without a database, and a place where nothing can be written, are errors in words."""
    assert run("backup", "b.tar.gz", "--data-dir", "nothing") == 1
    assert "nothing has no agentchat.db" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backup", "nowhere/b.tar.gz", "--data-dir", str(data)) == 1
    assert "nowhere/b.tar.gz cannot be written: No such file or directory." in capsys.readouterr().err
    assert run("restore", "nowhere.tar.gz", "--data-dir", str(data)) == 2


def test_a_damaged_database(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No backup is made of a damaged database: it would take the place of a good one."""
    path = data / "agentchat.db"
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 8] = os.urandom(4096 * 5)
    path.write_bytes(content)
    assert run("backup", "b.tar.gz", "--data-dir", str(data)) == 1
    assert "agentchat.db is damaged" in capsys.readouterr().err
    assert not Path("b.tar.gz").exists()


def test_earlier_versions(tmp_path: Path) -> None:
    """A database of an earlier version is backed up as it is, and brought up to date after it was put back."""
    data = tmp_path / "data"
    data.mkdir()
    with contextlib.closing(sqlite3.connect(data / "agentchat.db")) as db:
        db.executescript((ROOT / "tests" / "old_databases" / "a686287.sql").read_text())
        [version] = db.execute("PRAGMA user_version").fetchone()
    assert make(data, tmp_path / "b.tar.gz").schemas == {"agentchat.db": version}
    assert version < len(MIGRATIONS)
    new = restored(tmp_path / "b.tar.gz", tmp_path / "new")
    SqliteStore(new).close()
    assert (new / f"agentchat-v{version}.db").exists()


def test_clients_start_over(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """After a backup was put back, clients that have seen newer events are told, however long the log is by then."""
    first = serve("--port", "0", model=model)
    session = RestClient(first).new_session().id
    kept, data = grow(first, session, 10), tmp_path / "data"
    assert run("backup", "b.tar.gz", "--data-dir", str(data)) == 0
    seen, old = grow(first, session, kept + 10), epoch_of(first, session)
    first.close()
    assert run("restore", "b.tar.gz", "--replace", "--data-dir", str(data)) == 0
    second = serve(model=model)
    assert came_back(second, session, after=seen, epoch=old) == (False, 1)
    assert came_back(second, session, after=kept, epoch=old) == (True, None)
    grow(second, session, seen + 3)
    assert came_back(second, session, after=seen, epoch=old) == (False, 1)


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_turn_that_ends_while_its_originals_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_listed: bool
) -> None:
    """They are found where the end of the turn has moved them, before or after they were listed."""
    data, retained = tmp_path / "data", tmp_path / "retained"
    session = write_story(data, [(1, "user_message", {"id": "m1", "text": "Go"}), (1, "turn_started", {})])
    live, kept = data / "originals" / session, retained / session / f"originals-{session}"
    live.mkdir(parents=True)
    kept.parent.mkdir(parents=True)
    (live / "a").write_bytes(b"before")
    listdir = os.listdir

    def moved(folder: str | Path) -> list[str]:
        if folder != live or kept.exists():
            return listdir(folder)
        names = listdir(folder) if is_listed else []
        live.rename(kept)
        return names or listdir(folder)

    snapshot = Files(data, retained, data)
    with monkeypatch.context() as ending, contextlib.closing(snapshot):
        ending.setattr(os, "listdir", moved)
        [(name, version)] = snapshot._originals(session, session)
        with version.content as content:
            content.seek(0)
            assert (name, content.read()) == (f"originals/{session}/a", b"before")
