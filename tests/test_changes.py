"""The net changes of a turn in the workspace, also after a restart of the server."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path

import pytest

from agentchat.workspace import changes
from agentchat.workspace.changes import Changes
from agentchat.workspace.diffs import difference
from agentchat.workspace.files import Workspace


@pytest.fixture
def files(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "files")


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    return tmp_path / "originals" / "session"


@pytest.fixture
def turn(files: Workspace, originals: Path) -> Changes:
    """Return a turn that has just begun."""
    for path in ("kept.txt", "gone.txt", "back.txt"):
        files.write(path, f"{path}\n")
    turn = Changes(files, originals)
    turn.begin(is_resumed=False)
    return turn


def test_the_net_effect_counts(turn: Changes, files: Workspace, originals: Path) -> None:
    """Only net changes count: created, modified and deleted files, with diffs; restored files are left out."""
    files.write("new/a.py", "print(1)\n")
    files.write("new/a.py", "print(2)\n")
    files.write("brief.txt", "x")
    files.delete("brief.txt")
    files.write("back.txt", "other")
    files.write("back.txt", "back.txt\n")
    files.write("kept.txt", "kept.txt\nand more\n")
    files.delete("gone.txt")

    assert turn.take() == [
        {
            "path": "gone.txt",
            "kind": "deleted",
            "diff": "--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone.txt\n",
        },
        {
            "path": "kept.txt",
            "kind": "modified",
            "diff": "--- a/kept.txt\n+++ b/kept.txt\n@@ -1 +1,2 @@\n kept.txt\n+and more\n",
        },
        {
            "path": "new/a.py",
            "kind": "created",
            "diff": "--- /dev/null\n+++ b/new/a.py\n@@ -0,0 +1 @@\n+print(2)\n",
        },
    ]
    assert not originals.exists()
    assert turn.take() == []


def test_a_file_may_become_a_folder(turn: Changes, files: Workspace) -> None:
    """A file may be replaced by a folder, and a folder by a file."""
    files.delete("gone.txt")
    files.write("gone.txt/a", "x\n")
    files.delete("gone.txt/a")
    files.write("gone.txt", "y\n")

    assert [(change["path"], change["kind"]) for change in turn.take()] == [("gone.txt", "modified")]


def test_binary_and_large_files_have_no_diff(
    turn: Changes, files: Workspace, originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes of binary and large files are noticed but have no diff; large originals are not copied."""
    monkeypatch.setattr(changes, "MAX_DIFF", 1000)
    monkeypatch.setattr(changes, "MAX_DIFFS", 300)
    for path, content in (("binary", b"\0\xff"), ("large", b"x" * 5000), ("same", b"y" * 5000)):
        Workspace(files.path).write(path, content)
    files.write("binary", b"\0\xfe")
    files.write("large", b"z")
    files.write("same", b"z")
    files.write("same", b"y" * 5000)
    files.write("one.txt", "x" * 200)
    files.write("two.txt", "x" * 200)

    assert sum(path.stat().st_size for path in originals.iterdir()) < 2000
    found = {change["path"]: (change["kind"], bool(change["diff"])) for change in turn.take()}
    assert found == {
        "binary": ("modified", False),
        "large": ("modified", False),
        "one.txt": ("created", True),
        "two.txt": ("created", False),
    }


def test_a_restart_in_the_middle_of_a_turn(turn: Changes, files: Workspace, originals: Path) -> None:
    """A resumed turn knows its earlier changes after a restart; a new turn starts without them."""
    files.write("kept.txt", "first\n")
    resumed = Changes(files, originals)
    resumed.begin(is_resumed=True)
    files.write("kept.txt", "second\n")

    [change] = resumed.take()
    assert change["diff"].splitlines()[-2:] == ["-kept.txt", "+second"]

    files.write("kept.txt", "third\n")
    other = Changes(files, originals)
    other.begin(is_resumed=False)
    assert other.take() == []


def test_changes_of_a_program_count(turn: Changes, files: Workspace) -> None:
    """Changes made by a program count, even if it replaces a file by a link."""
    with files.watched():
        (files.path / "made.txt").write_text("x\n")
        (files.path / "kept.txt").write_text("changed\n")
        (files.path / "gone.txt").unlink()
        os.symlink("/etc/passwd", files.path / "gone.txt")

    found = turn.take()
    assert [(change["path"], change["kind"]) for change in found] == [
        ("gone.txt", "deleted"),
        ("kept.txt", "modified"),
        ("made.txt", "created"),
    ]
    assert "root:" not in str(found)


def test_changes_of_a_program_that_still_runs_count(turn: Changes, files: Workspace) -> None:
    """The changes of a program still running count: the turn stops it before reporting."""
    with files.folder("part").watched() as part:
        (part / "made.txt").write_text("x\n")
        (files.path / "elsewhere.txt").write_text("x\n")
        found = turn.take()

    assert [(change["path"], change["kind"]) for change in found] == [("part/made.txt", "created")]


def test_changes_of_two_programs_count(turn: Changes, files: Workspace) -> None:
    """A file made by one program counts as created, though a second program in the turn finds it there."""
    with files.watched() as folder:
        (folder / "made.txt").write_text("x\n")
    with files.watched():
        pass

    assert [(change["path"], change["kind"]) for change in turn.take()] == [("made.txt", "created")]


def test_programs_that_start_together(turn: Changes, files: Workspace) -> None:
    """Programs started at the same time keep the originals without getting in each other's way."""
    start, failures = threading.Barrier(4), []

    def work() -> None:
        start.wait(10)
        try:
            for number in range(20):
                turn.keep(f"{number}.txt", b"x")
            with files.watched():
                pass
        except Exception as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    programs = [threading.Thread(target=work) for _ in range(4)]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    assert failures == []
    assert {change["path"] for change in turn.take()} == {f"{number}.txt" for number in range(20)}


def test_originals_are_written_atomically(
    turn: Changes, files: Workspace, originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An original is synced before it gets its name, so a power cut leaves all of it or nothing."""
    kept, sync, seen = originals / hashlib.sha256(b"kept.txt").hexdigest(), os.fsync, []

    def look(descriptor: int) -> None:
        seen.append((kept.exists(), os.fstat(descriptor).st_size))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    turn.keep("kept.txt", b"kept.txt\n")

    assert seen == [(False, kept.stat().st_size)]


def test_files_that_people_change_while_a_turn_ends(turn: Changes, files: Workspace) -> None:
    """The end of a turn, which removes the originals, takes none away that is just being written."""
    over = threading.Event()

    def end_turns() -> None:
        while not over.is_set():
            turn.begin(is_resumed=False)

    ending = threading.Thread(target=end_turns)
    ending.start()
    try:
        for number in range(50):
            files.write(f"{number}.txt", "new")
    finally:
        over.set()
        ending.join()
    assert {f"{number}.txt" for number in range(50)} <= {info.path for info in files.list()}


@pytest.mark.parametrize(
    "damage", [b"", b"\0" * 50, b'{"path": "kept.txt", "di', None], ids=["empty", "0", "cut", "text"]
)
def test_a_damaged_original_is_left_out(
    turn: Changes, files: Workspace, originals: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged original is logged and left out; the other changes are returned."""
    with files.watched() as folder:
        (folder / "kept.txt").write_text("changed\n")
        (folder / "made.txt").write_text("x\n")
    kept = originals / hashlib.sha256(b"kept.txt").hexdigest()
    kept.write_bytes(kept.read_bytes()[:-3] if damage is None else damage)

    assert [change["path"] for change in turn.take()] == ["made.txt"]
    assert kept.name in caplog.text


def test_originals_that_cannot_be_removed(turn: Changes, originals: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If old originals can't be removed, the next turn fails at its start, because its changes would be wrong."""
    originals.parent.mkdir(parents=True)
    originals.write_text("no folder")

    with pytest.raises(NotADirectoryError):
        turn.begin(is_resumed=False)
    assert turn.take() == []
    assert "cannot be removed" in caplog.text
    originals.unlink()
    turn.begin(is_resumed=False)


def lines_of(rule: Callable[[int], int]) -> bytes:
    return "".join(f"{rule(number)}\n" for number in range(19_999)).encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (lambda number: number % 190, lambda number: number * 7 % 190),
        (lambda number: number * number % 199, lambda number: number * 31 % 197),
        (lambda number: number, lambda number: number if number % 2 else -number - 1),
        (lambda number: number, lambda number: 19_998 - number),
    ],
)
def test_a_diff_is_found_in_bounded_time(old: Callable[[int], int], new: Callable[[int], int]) -> None:
    """Files with many equal lines are compared coarsely; their diff still makes one of the other."""
    began = time.process_time()
    found = difference("a.txt", lines_of(old), lines_of(new))

    assert time.process_time() - began < 15
    assert patched(lines_of(old).decode(), found) == lines_of(new).decode()


def test_a_diff_is_that_of_difflib() -> None:
    """Ordinary diffs are those that everybody knows."""
    files = ["", "a", "a\n", "a\nb\nc\nd\ne\nf\ng\nh\ni\n", "a\nB\nc\nd\ne\nf\ng\nh\ni\nj\n", "x\ny\n"]
    for old, new in itertools.product(files, files):
        lines = unified_diff(old.splitlines(True), new.splitlines(True), "a/f", "b/f")
        expected = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
        assert difference("f", old.encode(), new.encode()) == expected


def patched(text: str, diff: str) -> str:
    """Apply a unified diff."""
    before, after, place = text.splitlines(True), list[str](), 0
    for line in diff.splitlines(True)[2:]:
        if line.startswith("@@"):
            start = int(line.split()[1].partition(",")[0][1:]) - 1
            after += before[place:start]
            place = start
        elif line.startswith("+"):
            after.append(line[1:])
        else:
            after += before[place : place + 1] if line.startswith(" ") else []
            place += 1
    return "".join(after + before[place:])
