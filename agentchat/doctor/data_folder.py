"""The data folder: whether the server can write there, on what kind of disk it is, and how much room is left."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agentchat.doctor.finding import OK, PROBLEM, WARNING, Finding, Setup
from agentchat.store import failures

FOLDER, ROOM = "data-folder", "disk-room"
MIB = 2**20
TOO_LITTLE = 12 * MIB  # bytes with which SQLite cannot do its work
LITTLE = 250 * MIB
FEW_FILES = 1000
MOUNTS = Path("/proc/mounts")  # Linux has it
REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs"})
IN_MEMORY = frozenset({"tmpfs", "ramfs"})

OTHER = "Choose another folder with --data-dir."


def look(setup: Setup) -> Iterator[Finding]:
    """Yield what there is to say about the folder."""
    folder = setup.chosen.data_dir.absolute()
    place = _existing(folder)
    if not place.is_dir():
        yield Finding(FOLDER, PROBLEM, f"The data folder {folder} cannot be used: {place} is not a folder.", OTHER)
        return
    problem = _problem(place) or _unwritable(folder)
    if problem:
        mend = f"Let the user who runs the server ({_user()}) write there, or choose another with --data-dir."
        yield Finding(FOLDER, PROBLEM, f"The data folder {folder} cannot be written: {problem}.", mend)
    else:
        made = "" if folder.is_dir() else ", which will be made"
        yield Finding(FOLDER, OK, f"The data folder is {folder}{made}.")
    yield from _of_disk(folder, place)
    yield _room(folder, place)


def _existing(folder: Path) -> Path:
    """Return the folder itself, or the nearest one above it that exists."""
    return next(each for each in (folder, *folder.parents) if os.path.lexists(each))


def _problem(place: Path) -> str:
    """Return why nothing can be written there; "" if something can, which leaves no trace."""
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return failures.advice(error) if error.strerror is None else error.strerror.lower()
    return ""


def _unwritable(folder: Path) -> str:
    """Return which of the server's files cannot be written, perhaps because another user has made them."""
    if folder.is_dir():
        for file in sorted(folder.glob("*.db*")) + sorted(folder.glob("audit.jsonl")):
            if not os.access(file, os.R_OK | os.W_OK):
                return f"{file.name} in it belongs to somebody else, or is read-only"
    return ""


def _of_disk(folder: Path, place: Path) -> Iterator[Finding]:
    kind = _kind(place.resolve())
    if kind in REMOTE:
        message = f"The data folder {folder} is on a network or shared disk ({kind}), where SQLite's locks may fail."
        yield Finding(FOLDER, WARNING, message, "Keep it on a local disk: --data-dir.")
    if kind in IN_MEMORY:
        message = f"The data folder {folder} is in memory ({kind}), and gone when this machine restarts."
        yield Finding(FOLDER, WARNING, message, "Keep it on a disk: --data-dir.")


def _kind(place: Path) -> str:
    """Return the kind of file system that has this place; "" if it isn't known."""
    try:
        lines = MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    found, kind = Path("/"), ""
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " "))
        if place.is_relative_to(point) and point.is_relative_to(found):
            found, kind = point, fields[2]
    return kind


def _room(folder: Path, place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    files = os.statvfs(place) if hasattr(os, "statvfs") else None
    if files is not None and files.f_files and files.f_favail < FEW_FILES:
        message = f"The disk of {folder} has room for {files.f_favail} more files only, however small they are."
        return Finding(ROOM, WARNING if files.f_favail > 10 else PROBLEM, message, "Delete files there, or move it.")
    left = f"{free // MIB:,} MiB"
    if free < TOO_LITTLE:
        message = f"The disk of {folder} has {left} left, which is too little to keep conversations."
        return Finding(ROOM, PROBLEM, message, "Make room on it, or choose another with --data-dir.")
    if free < LITTLE:
        message = f"The disk of {folder} has only {left} left."
        return Finding(ROOM, WARNING, message, "Make room on it before it is full; nothing can be saved then.")
    return Finding(ROOM, OK, f"The disk of {folder} has {left} left.")


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "this one"
