"""A workspace stays inside its folder and its limits, whatever path it is given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentchat import cancellation
from agentchat.cancellation import Stopped, StopToken
from agentchat.protocol.errors import ChatError, StoreError
from agentchat.workspace import files as workspace
from agentchat.workspace import paths, safe_fs
from agentchat.workspace.files import Workspace
from agentchat.workspace.folders import WORKSPACES, Folders
from agentchat.workspace.prepared import DELETED, digest_of
from agentchat.workspace.storage import MIB
from agentchat.workspace.versions import Versions
from tests.clients import PATIENCE
from tests.processes import ROOT

SECRET = "top secret"


@pytest.fixture(params=["openat", "names"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workspace's folder next to a secret file, on systems with and without `openat`."""
    monkeypatch.setattr(safe_fs, "_HAS_DIR_FD", request.param == "openat")
    (tmp_path / "secret.txt").write_text(SECRET)
    return tmp_path / "files"


@pytest.fixture
def files(folder: Path) -> Workspace:
    return Workspace(folder)


def code(path: str, files: Workspace) -> set[str]:
    """Return the error codes of every method that takes a path."""
    codes = set()
    for act in (
        files.read,
        files.delete,
        files.folder,
        lambda path: files.write(path, "x"),
        lambda p: files.diff(p, ""),
    ):
        with pytest.raises(ChatError) as refused:
            act(path)
        codes.add(refused.value.code)
        assert SECRET not in refused.value.message
        assert "\n" not in refused.value.message
    return codes


def test_files_come_and_go(files: Workspace, folder: Path) -> None:
    """Folders come and go with their files; nothing is on disk before the first file."""
    assert files.list() == []
    assert not folder.exists()
    assert files.write("notes/days/monday.md", "Größe\n") == "created"
    assert files.write("notes/days/monday.md", b"raw") == "modified"
    assert files.write("./a.txt", "x") == "created"
    assert [(info.path, info.size) for info in files.list()] == [("a.txt", 1), ("notes/days/monday.md", 3)]
    assert files.list()[0].modified.endswith("Z")
    assert files.read("notes/days/monday.md") == "raw"
    files.delete("notes/days/monday.md")
    assert [path.name for path in folder.iterdir()] == ["a.txt"]
    with pytest.raises(ChatError, match=r"There is no file 'b\.txt'\."):
        files.read("b.txt")


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "../secret.txt",
        "a/../../secret.txt",
        "a/..",
        "/etc/passwd",
        "//etc/passwd",
        "~/secret.txt",
        "a//b",
        "a/",
        "a\0b",
        "..\\secret.txt",
        "C:secret.txt",
        "C:\\secret.txt",
        "a.txt:stream",
        "a\nb",
        "a\x1b[2Jb",
        "a\u202etxt.exe",
        "a\udcff",
        " a",
        "a /b",
        "x" * 255,
        "ä" * 200,
        "/".join("abcdefgh" * 10),
        "a" * 10_000,
        paths.DRAFT,
        f"a/{paths.DRAFT}",
    ],
)
def test_paths_that_lead_elsewhere_are_refused(files: Workspace, folder: Path, path: str) -> None:
    """Every method refuses paths that lead elsewhere, with a sentence and without a trace."""
    assert code(path, files) == {"file_refused"}
    assert not folder.exists()


def test_links_are_not_followed(files: Workspace, folder: Path) -> None:
    """Links to a file, a folder, nothing or the workspace itself are not listed, and their targets stay untouched."""
    files.write("real/a.txt", "x")
    outside = folder.parent
    (folder / "file").symlink_to(outside / "secret.txt")
    (folder / "folder").symlink_to(outside)
    (folder / "dangling").symlink_to(outside / "new.txt")
    (folder / "inside").symlink_to(folder / "real")
    for path in ("file", "folder/secret.txt", "folder/new.txt", "dangling", "dangling/x", "inside/a.txt", "inside"):
        with pytest.raises(ChatError) as read:
            files.read(path)
        with pytest.raises(ChatError) as written:
            files.write(path, "mine now")
        with pytest.raises(ChatError) as deleted:
            files.delete(path)
        assert {e.value.code for e in (read, written, deleted)} == {"file_refused"}
    assert [info.path for info in files.list()] == ["real/a.txt"]
    assert sorted(os.listdir(outside)) == ["files", "secret.txt"]
    assert (outside / "secret.txt").read_text() == SECRET
    assert [match.path for match in files.search("secret")] == []


def test_a_workspace_that_is_a_link_is_not_followed(files: Workspace, folder: Path) -> None:
    """A workspace that is a link is not followed, since a program may have replaced the folder."""
    folder.symlink_to(folder.parent)

    for act in (
        files.list,
        lambda: files.read("secret.txt"),
        lambda: files.write("secret.txt", "x"),
        lambda: files.path,
    ):
        with pytest.raises(ChatError, match="not a folder"):
            act()
    assert (folder.parent / "secret.txt").read_text() == SECRET


def test_only_regular_files_are_opened(files: Workspace, folder: Path) -> None:
    """Only regular files are opened: no FIFO, which would never end, no folder, and nothing below a file."""
    files.write("a/b.txt", "x")
    os.mkfifo(folder / "pipe")
    for path, problem in (("pipe", "not a regular file"), ("a", "it is a folder"), ("a/b.txt/c", "not a folder")):
        with pytest.raises(ChatError, match=problem):
            files.read(path)
        with pytest.raises(ChatError, match=problem):
            files.write(path, "x")
    assert [info.path for info in files.list()] == ["a/b.txt"]


@pytest.mark.parametrize("name", ["part", "a.txt"])
def test_a_file_that_becomes_a_link_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A program can't redirect access by replacing a file or its folder by a link between check and opening."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.txt").write_text(SECRET)
    files, look = Workspace(tmp_path / "files"), os.stat
    files.write("part/a.txt", "mine")
    place = tmp_path / "files" / "part" if name == "part" else tmp_path / "files" / "part" / "a.txt"
    target = tmp_path / "outside" if name == "part" else tmp_path / "outside" / "a.txt"

    def exchanging(path: str, **how: Any) -> os.stat_result:
        seen = look(path, **how)
        if path == name and not place.is_symlink():
            place.rename(tmp_path / "aside")
            place.symlink_to(target)
        return seen

    for act in (files.read, lambda path: files.write(path, "mine now"), files.delete):
        with monkeypatch.context() as patched:
            patched.setattr(os, "stat", exchanging)
            with pytest.raises(ChatError, match="cannot be used"):
                act(path="part/a.txt")
        assert place.is_symlink()
        place.unlink()
        (tmp_path / "aside").rename(place)
        assert files.read("part/a.txt") == "mine"
    assert os.listdir(tmp_path / "outside") == ["a.txt"]
    assert (tmp_path / "outside" / "a.txt").read_text() == SECRET


def test_limits(files: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """File size and number of files are limited; existing files can still be overwritten."""
    monkeypatch.setattr(workspace, "MAX_FILE", 10)
    monkeypatch.setattr(workspace, "MAX_FILES", 3)
    with pytest.raises(ChatError, match="'a' is too large: the limit is 10 bytes"):
        files.write("a", "x" * 11)
    for name in "abc":
        files.write(name, "x" * 5)
    with pytest.raises(ChatError, match="this conversation has 3"):
        files.folder("part").write("d", "")
    files.write("a", "y" * 10)
    files.delete("c")
    files.write("d", "y" * 5)
    assert files.read("a") == "y" * 10


def test_every_change_is_reported(folder: Path) -> None:
    """Every change is reported twice: before it, with the original content, and after it."""
    told: list[object] = []
    files = Workspace(folder, lambda *change: told.append(change[:3]), lambda *original: told.append(original))
    files.write("a.txt", "one")
    files.folder("part").write("b.txt", "four")
    files.write("a.txt", "three")
    files.delete("a.txt")

    assert told == [
        ("a.txt", None), ("a.txt", "created", 3),
        ("part/b.txt", None), ("part/b.txt", "created", 4),
        ("a.txt", b"one"), ("a.txt", "modified", 5),
        ("a.txt", b"three"), ("a.txt", "deleted", 0),
    ]  # fmt: skip


def test_changes_of_a_program_are_reported(folder: Path) -> None:
    """A program's changes are reported as if made here; unchanged files are not mentioned."""
    changes: list[object] = []
    files = Workspace(folder, lambda *change: changes.append(change[:3]))
    part = files.folder("part")
    for name in ("same", "gone", "other"):
        part.write(name, name)
    changes.clear()
    with part.watched() as path:
        (path / "gone").unlink()
        (path / "other").write_text("changed")
        (path / "new").mkdir()
        (path / "new" / "file").write_text("x")
        (path / "link").symlink_to("same")

    assert changes == [
        ("part/gone", "deleted", 0),
        ("part/new/file", "created", 1),
        ("part/other", "modified", 7),
    ]


def test_only_deleted_files_are_reported_as_deleted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only deleted files are reported as deleted, not those beyond the number of files that are listed."""
    monkeypatch.setattr(workspace, "MAX_FILES", 3)
    changes: list[object] = []
    files = Workspace(folder, lambda *change: changes.append(change[:3]))
    for name in ("x", "y/file", "z"):
        files.write(name, "1")
    changes.clear()
    with files.watched() as path:
        for name in "abc":
            (path / name).write_text("")
        (path / "y" / "file").write_text("22")
        (path / "z").unlink()

    assert changes == [
        *[(name, "created", 0) for name in "abc"],
        ("y/file", "modified", 2),
        ("z", "deleted", 0),
    ]


def test_all_originals_are_reported_before_a_stop_interrupts(folder: Path) -> None:
    """All originals are reported even in a stopped turn.

    There, the first report raises, but the end of the turn still needs every original.
    """
    originals: list[str] = []

    def changed(path: str, kind: str, size: int, sha256: str | None) -> None:
        raise Stopped("stopped")

    files = Workspace(folder, changed, lambda path, original: originals.append(path))

    def work() -> None:
        with files.watched() as path:
            for name in "ab":
                (path / name).write_text("x")

    with pytest.raises(Stopped):
        work()
    assert sorted(originals) == ["/", "a", "b"]


def test_programs_work_at_once(folder: Path) -> None:
    """Programs run at the same time, but their changes are reported one after another."""
    both, is_telling, told = threading.Barrier(2), threading.Lock(), []

    def tell(path: str, *about: object) -> None:
        with_nobody = is_telling.acquire(blocking=False)
        told.append(with_nobody)
        if with_nobody:
            os.stat(folder.parent)  # lets others in
            is_telling.release()

    files = Workspace(folder, tell, tell)
    for number in range(100):
        Workspace(folder).write(f"{number}.txt", "x")

    def work() -> None:
        with files.watched() as path:
            both.wait(10)
            for number in range(100):
                (path / f"{number}.txt").write_text("other")

    programs = [threading.Thread(target=work) for _ in range(2)]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    assert len(told) >= 2 * 101 + 100  # neither program broke
    assert all(told)


def test_a_write_that_fails_changes_nothing(files: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed write leaves the file as it was, and no draft."""
    files.write("a.txt", "whole")

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ChatError, match=r"'a\.txt' cannot be read or written: No space left on device"):
        files.write("a.txt", "half")
    assert os.listdir(folder) == ["a.txt"]
    assert files.read("a.txt") == "whole"


def test_a_change_that_was_told_and_fails_is_made_later(
    files: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a file cannot be replaced once that was told, the next server does it."""
    files.write("a.txt", "one")

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", fail)
        with pytest.raises(ChatError, match="Input/output error"):
            files.write("a.txt", "two")
    files.recover(lambda: {("a.txt", digest_of(b"two"))})

    assert os.listdir(folder) == ["a.txt"]
    assert files.read("a.txt") == "two"


def test_diff_and_search(files: Workspace) -> None:
    """Diff and search leave out files that aren't text."""
    files.write("a.py", "one\ntwo\nthree")
    files.write("picture.png", b"\x89PNG\0two")

    assert files.diff("a.py", "one\n2\nthree") == (
        "--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n\\ No newline at end of file\n"
    )
    assert files.diff("new.py", "x\n") == "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x\n"
    assert files.diff("a.py", "one\ntwo\nthree") == files.diff("new.py", "") == ""
    with pytest.raises(ChatError, match="it is not text"):
        files.diff("picture.png", "x")
    assert [(match.path, match.line, match.text) for match in files.search("TW")] == [("a.py", 2, "two")]
    assert files.search("") == []
    with pytest.raises(ChatError, match="it is not text"):
        files.read("picture.png")
    assert files.read("a.py", 3) == "one\n[… 13 characters in all]"


@pytest.mark.parametrize("content", [None, 5, {"a": 1}, ["x"]])
def test_only_text_and_bytes_can_be_written(files: Workspace, folder: Path, content: object) -> None:
    """Only text and bytes can be written; models also send other things."""
    with pytest.raises(ChatError, match="not text"):
        files.write("a.txt", content)  # type: ignore[arg-type]
    with pytest.raises(ChatError):
        files.read(content)  # type: ignore[arg-type]
    assert not folder.exists()


def test_a_tool_of_a_stopped_turn_writes_nothing(files: Workspace, folder: Path) -> None:
    """A tool of a stopped turn neither writes nor deletes anything."""
    token = StopToken()
    token.stop("stopped")
    previous = cancellation.current.set(token)
    try:
        with pytest.raises(Stopped):
            files.write("a.txt", "x")
        with pytest.raises(Stopped):
            files.delete("a.txt")
        with pytest.raises(Stopped):
            assert files.path
    finally:
        cancellation.current.reset(previous)
    assert not folder.exists()


def test_many_writers_at_once(files: Workspace, folder: Path) -> None:
    """With many writers at once, readers always see one complete text or another."""
    texts = {letter * 10_000 for letter in "abcd"}
    files.write("a.txt", "a" * 10_000)

    def write(text: str) -> None:
        for _ in range(20):
            Workspace(folder).write("a.txt", text)

    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert files.read("a.txt") in texts
    assert os.listdir(folder) == ["a.txt"]


@pytest.mark.parametrize("change", ["write", "create", "delete"])
def test_a_change_that_cannot_be_told_is_not_made(folder: Path, change: str) -> None:
    """A change whose event is refused leaves the files, and even their folders, as they were."""

    def refuse(path: str, kind: str, size: int, sha256: str | None) -> None:
        raise StoreError

    Workspace(folder).write("a/b.txt", "old")
    files = Workspace(folder, refuse)
    with pytest.raises(StoreError):
        files.delete("a/b.txt") if change == "delete" else files.write(
            "a/b.txt" if change == "write" else "new/c.txt", "new"
        )

    assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == {"a", "a/b.txt"}
    assert files.read("a/b.txt") == "old"


DYING = """
import os, signal, sys
from pathlib import Path
from agentchat.workspace.files import Workspace

def die(*change):
    os.kill(os.getpid(), signal.SIGKILL)

files = Workspace(Path(sys.argv[1]), die)
files.delete(sys.argv[2]) if sys.argv[3] == "delete" else files.write(sys.argv[2], sys.argv[3])
"""


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("change", ["new", "delete"])
def test_a_change_that_the_server_was_killed_in(tmp_path: Path, change: str, is_told: bool) -> None:
    """A change that was logged before the server was killed is made by the next one, and no other is."""
    versions = Versions(tmp_path / "versions", MIB)
    files = Workspace(tmp_path / "files", versions=versions)
    files.write("a/b.txt", "old")
    killed = subprocess.run([sys.executable, "-c", DYING, str(tmp_path / "files"), "a/b.txt", change], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert files.read("a/b.txt") == "old"
    version = DELETED if change == "delete" else digest_of(b"new")
    files.recover(lambda: {("a/b.txt", version if is_told else digest_of(b"old"))})

    expected = {} if change == "delete" and is_told else {"a/b.txt": "new" if is_told else "old"}
    assert {info.path: files.read(info.path) for info in files.list()} == expected
    assert not (tmp_path / "files" / paths.DRAFT).exists()
    assert versions.kept() == ({digest_of(b"old")} if is_told else set())


@pytest.mark.parametrize("change", ["write", "create", "delete"])
def test_a_conversation_is_deleted_while_a_file_changes(tmp_path: Path, change: str) -> None:
    """A change that meets the deletion of its conversation says so, and leaves nothing behind."""
    folders = Folders(tmp_path)
    clearing = threading.Thread(target=lambda: folders.clear("s"))
    is_deleted = False

    def changed(path: str, kind: str, size: int, sha256: str | None) -> None:
        if is_deleted:
            clearing.start()
            clearing.join(0.1)  # it waits for the change; the time is for one that does not
            raise ChatError("session_deleted")

    files = Workspace(tmp_path / WORKSPACES / "s", changed)
    files.write("a.txt", "old")
    is_deleted = True
    changes: dict[str, Callable[[], object]] = {
        "write": partial(files.write, "a.txt", "new"),
        "create": partial(files.write, "new/b.txt", "new"),
        "delete": partial(files.delete, "a.txt"),
    }
    with pytest.raises(ChatError) as error:
        changes[change]()
    assert error.value.code == "session_deleted"
    clearing.join(PATIENCE)
    assert list((tmp_path / WORKSPACES).iterdir()) == []


def test_originals_are_removed_while_one_is_kept(tmp_path: Path) -> None:
    """The originals of a deleted conversation in a project are not removed in the middle of a change."""
    folders = Folders(tmp_path)
    files = Workspace(tmp_path / WORKSPACES / "p")
    clearing = threading.Thread(target=lambda: folders.clear_originals("p", "s"))
    with files.lock:
        clearing.start()
        clearing.join(0.1)
        assert clearing.is_alive()
    clearing.join(PATIENCE)
    assert not clearing.is_alive()
