"""A data folder that cannot be used, at the start or while the server runs, is told in words that say what to do."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentchat import app, settings
from agentchat.protocol.errors import SettingsError, StoreError
from agentchat.store import SessionRecord
from agentchat.store.schema import MIGRATIONS
from agentchat.store.sqlite import SqliteStore
from tests.conftest import Serve
from tests.model_server import ModelServer
from tests.processes import ROOT
from tests.rest_client import RestClient
from tests.store_contract import CREATED, draft, said

DATABASE = "agentchat.db"
PORTS = ("--port", "0", "--ws-port", "0")
NOBODY = 65534
LONG = "All work and no play makes Jack a dull boy. " * 2000


def fill(folder: Path, sessions: int = 3) -> None:
    """Write some conversations that take many pages."""
    with contextlib.closing(SqliteStore(folder)) as store:
        for number in range(sessions):
            store.create(SessionRecord(f"s{number}", "weather", CREATED))
            store.append(f"s{number}", [draft("text", content=LONG, message_id="m"), draft("tool_call")])


def damage(path: Path, first: int, last: int | None = None) -> None:
    """Overwrite pages of a database; the first is 0."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END) if last is None else last * 4096
        file.seek(first * 4096)
        file.write(b"rubbish!" * ((size - first * 4096) // 8))


def refusal(folder: Path) -> str:
    """Start a server on that folder, and return the sentence with which it refuses."""
    chosen = settings.load(["demo", *PORTS, "--data-dir", str(folder)], {})
    with pytest.raises(SettingsError) as error, app.serving(chosen, {}):
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


def code(call: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as error:
        call()
    return error.value.code


def as_folder(folder: Path) -> None:
    (folder / DATABASE).mkdir()


def as_text(folder: Path) -> None:
    (folder / DATABASE).write_text("This is not a database. " * 1000)


def with_rubbish(folder: Path) -> None:
    fill(folder)
    damage(folder / DATABASE, 1)


def with_rubbish_for_schema(folder: Path) -> None:
    fill(folder)
    with (folder / DATABASE).open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3996)


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (as_folder, "agentchat.db cannot be opened. Check the permissions"),
        (as_text, "Restore a backup"),
        (with_rubbish, "Restore a backup"),
        (with_rubbish_for_schema, "Restore a backup"),
    ],
)
def test_a_start_on_a_damaged_folder(tmp_path: Path, prepare: Callable[[Path], None], sentence: str) -> None:
    """A database that cannot be read is an error of one sentence, wherever the start comes upon it."""
    folder = tmp_path / "kept"
    folder.mkdir()
    prepare(folder)
    told = refusal(folder)
    assert told.startswith(f"The data folder {folder} cannot be used: ")
    assert sentence in told


@pytest.fixture
def not_root() -> Iterator[Path]:
    """Be a user for whom permissions count, with a folder of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.chmod(folder, 0o700)
            if os.getuid() == 0:
                os.seteuid(0)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_read_only_folder(not_root: Path, is_new: bool) -> None:
    """A folder in which nothing can be written is told as what it is."""
    if not is_new:
        fill(not_root)
        for path in not_root.iterdir():
            path.chmod(0o400)
    not_root.chmod(0o500)
    with pytest.raises(SettingsError, match=r"cannot be used: (it is read-only|agentchat.db cannot be opened)\b.*\."):
        SqliteStore(not_root)


def test_an_unreadable_database(not_root: Path) -> None:
    fill(not_root)
    (not_root / DATABASE).chmod(0)
    with pytest.raises(SettingsError, match=r"cannot be opened\. Check the permissions"):
        SqliteStore(not_root)


LIMITED = """
import resource, sys
size = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
"""
SERVER = """
from agentchat.cli import main
sys.exit(main(sys.argv[1:]))
"""
STORE = """
from pathlib import Path
from agentchat.protocol.errors import SettingsError
from agentchat.store.sqlite import SqliteStore
try:
    SqliteStore(Path(sys.argv[-1]))
except SettingsError as error:
    sys.exit(f"agentchat: {error}")
"""


def start_with_room_for(size: int, folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    """Start the server, or only its store, as a process whose files cannot grow beyond that size; wait for its end."""
    command = [sys.executable, "-c", LIMITED + what, str(size), "demo", *PORTS, "--data-dir", str(folder)]
    return subprocess.run(command, cwd=folder.parent, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
                          text=True, timeout=120)  # fmt: skip


@pytest.mark.parametrize(("is_new", "what", "status"), [(True, STORE, 1), (False, SERVER, 2)])
def test_a_start_without_room(tmp_path: Path, is_new: bool, what: str, status: int) -> None:
    """A start on a full disk ends with status 2 and one sentence, without a traceback."""
    folder = tmp_path / "kept"
    if not is_new:
        fill(folder)
    ended = start_with_room_for(8192, folder, what)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith(f"agentchat: The data folder {folder} cannot be used: the disk ")


def old_version(folder: Path) -> dict[str, list[object]]:
    """Turn the database into one of the first version, and return its events."""
    folder.mkdir()
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as db, db:
        db.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1")
        for number in range(5):
            db.execute("INSERT INTO sessions VALUES (?, 'weather', ?)", (f"s{number}", CREATED))
            [event] = [said(LONG)]
            db.execute("INSERT INTO events VALUES (?, 1, ?, 1, ?, ?, NULL)",
                       (f"s{number}", CREATED, event.type, event.body))  # fmt: skip
    return contents(folder / DATABASE)


def contents(path: Path) -> dict[str, list[object]]:
    """Return all rows of the tables of the first version, and the schema."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        tables = ("sessions", "events", "memories", "sqlite_master", "pragma_user_version")
        return {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def test_a_copy_is_made_before_a_migration(tmp_path: Path) -> None:
    """An old database is copied before it is migrated, readable by its owner only; new and current ones are not."""
    folder = tmp_path / "kept"
    before = old_version(folder)
    SqliteStore(folder).close()
    copy = folder / "agentchat-v1.db"
    assert contents(copy) == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    copy.unlink()
    SqliteStore(folder).close()
    assert sorted(path.name for path in folder.iterdir()) == [DATABASE, "agentchat.lock", "agentchat.reserve"]


def test_no_room_for_the_copy(tmp_path: Path) -> None:
    """Without room for the copy nothing is changed, nothing remains of it, and the sentence says so."""
    folder = tmp_path / "kept"
    before = old_version(folder)
    ended = start_with_room_for((folder / DATABASE).stat().st_size // 2, folder, STORE)
    assert "agentchat-v1.db cannot be written" in ended.stderr
    assert ended.stderr.rstrip().endswith("Make room on the disk and start again; nothing was changed.")
    assert "Traceback" not in ended.stderr
    assert contents(folder / DATABASE) == before
    assert not list(folder.glob("*v1*"))


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """A migration over several versions succeeds as a whole or not at all."""
    folder = tmp_path / "kept"
    old_version(folder)
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as db:
        db.execute("CREATE TABLE notes (something)")  # in the way of the third version
    before = contents(folder / DATABASE)
    with pytest.raises(SettingsError):
        SqliteStore(folder)
    assert contents(folder / DATABASE) == before


@pytest.mark.parametrize("is_there", [True, False])
def test_conversations_without_their_database(tmp_path: Path, is_there: bool) -> None:
    """A server does not start with an empty list when a folder has files of conversations, but no database."""
    folder = tmp_path / "kept"
    (folder / "workspaces" / "abc").mkdir(parents=True)
    if is_there:
        (folder / DATABASE).touch()
    told = refusal(folder)
    assert "agentchat.db in it is missing or empty" in told
    assert "Put it back" in told


@pytest.mark.parametrize("name", [DATABASE, f"{DATABASE}-wal", "agentchat.lock"])
def test_a_file_that_is_removed(tmp_path: Path, name: str) -> None:
    """Once one of its files is removed or replaced, the store accepts nothing; once it is back, all goes on."""
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        store.create(SessionRecord("s", "weather", CREATED))
        store.append("s", [draft()])
        place, aside = tmp_path / name, tmp_path / "aside"
        place.rename(aside)
        writes: list[Callable[[], object]] = [
            lambda: store.append("s", [draft()]), lambda: store.create(SessionRecord("t", "weather", CREATED)),
            lambda: store.delete("s"), lambda: store.note("a", "b", "c"),
        ]  # fmt: skip
        assert {code(write) for write in writes} == {"store_removed"}
        place.write_bytes(aside.read_bytes())  # a copy is another file
        assert {code(write) for write in writes} == {"store_removed"}
        assert len(store.read("s")) == 1
        aside.replace(place)
        assert [event.seq for event in store.append("s", [draft()])] == [2]


def test_a_damaged_page(tmp_path: Path) -> None:
    """Damaged pages cannot be read, which is told as such; everything else goes on."""
    fill(tmp_path)
    pages = (tmp_path / DATABASE).read_bytes()
    for number in range(len(pages) // 4096):
        page = pages[number * 4096 : (number + 1) * 4096]
        if page.count(b"All work") > 80:  # it has nothing but words of conversations
            damage(tmp_path / DATABASE, number, number + 1)
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        failed = set()
        for number in range(3):
            try:
                store.read(f"s{number}")
                store.append(f"s{number}", [draft("text", content=LONG, message_id="m")])
            except StoreError as error:
                failed.add(error.code)
        assert failed == {"store_damaged"}


@pytest.mark.parametrize(
    ("damage", "act"),
    [
        ("DROP TABLE words_data", lambda store: store.find("long", None, 1)),
        ("UPDATE events SET body = CAST(x'ff' AS TEXT)", lambda store: store.read("s0")),
    ],
)
def test_damaged_contents(tmp_path: Path, damage: str, act: Callable[[SqliteStore], object]) -> None:
    """A damage that SQLite words otherwise is told as one, without what stands there."""
    fill(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
        db.execute(damage)
    with contextlib.closing(SqliteStore(tmp_path)) as store, pytest.raises(StoreError) as error:
        act(store)
    assert error.value.code == "store_damaged"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 6 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only a privileged user can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(store: SqliteStore, chars: int) -> None:
    """Append texts of that length, in which no word occurs twice, until something goes wrong."""
    for number in itertools.count():
        numbers = range(number * chars, number * chars + chars // 9)
        words = " ".join(f"{each * 2654435761 % 2**32:x}" for each in numbers)
        store.append(f"s{number % 8}", [draft("text", content=words, message_id="m")])


@pytest.mark.parametrize("chars", [500, 20_000, 100_000])
def test_the_way_out_of_a_full_disk(small_disk: Path, chars: int) -> None:
    """On a disk that the conversations themselves have filled up, some can be deleted, and the others go on."""
    with contextlib.closing(SqliteStore(small_disk)) as store:
        for number in range(8):
            store.create(SessionRecord(f"s{number}", "weather", CREATED))
        assert code(lambda: fill_up(store, chars)) == "store_failed"
        kept = store.read("s7")
        assert store.delete("s0")
        assert store.session("s0") is None
        store.append("s7", [draft("tool_call")])
        assert store.read("s7")[:-1] == kept
        assert (small_disk / "agentchat.reserve").exists()


def test_which_failure_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failure of the store has a code of its own: a full disk, another program, anything else."""
    monkeypatch.setattr("agentchat.store.sqlite.BUSY_TIMEOUT", 50)
    store = SqliteStore(tmp_path)
    store.create(SessionRecord("s", "weather", CREATED))
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert code(lambda: store.append("s", [draft()])) == "store_locked"
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    assert code(lambda: store.append("s", [draft(text=LONG)])) == "store_failed"
    store.close()
    assert code(lambda: store.append("s", [draft()])) == "store_unusable"


@pytest.mark.own_server
def test_a_removed_database_over_rest(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Clients are told that nothing is kept any more, and what was kept can still be read."""
    rest = RestClient(serve(model=model))
    session = rest.new_session()
    session.ask("hello")
    seen = session.log
    (tmp_path / "data" / DATABASE).unlink()
    answer = session.post("messages", {"text": "Is anybody there?"})
    assert (answer.status, answer.code) == (503, "store_removed")
    assert "removed or replaced" in answer.json["error"]["message"]
    assert session.log == seen
