"""Changes of files that are prepared first, then told, and only then made.

A change that could not be told has not happened. One that was told happens, also if the server is killed in between:
what was prepared is found in a folder of the workspace, and what was told in the log.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from agentchat.workspace import safe_fs
from agentchat.workspace.paths import DRAFT

DELETED = "deleted"

Told = Callable[[], Collection[tuple[str, str]]]
"""Returns (path, version) of the newest change of each file that each session told: a digest, or DELETED.

A clock that was set back cannot mislead it, as the changes of one session have an order without it.
"""


def digest_of(content: bytes) -> str:
    """Return the digest by which a version of a file is told."""
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def prepared(root: Path, names: Sequence[str], content: bytes | None) -> Iterator[None]:
    """Prepare a change and make it when the context ends; an error within leaves the file as it is.

    If it cannot be made then, `recover` tries again.

    `names` lead from the root to the file, whose folder exists; None deletes it.
    """
    name = _name("/".join(names), DELETED if content is None else digest_of(content))
    with safe_fs.opened(root, ()) as folder:
        _remove_file(folder, DRAFT)  # of an older version
        try:
            with folder.enter(DRAFT, must_make=True) as drafts:
                drafts.create(name, content or b"")
                try:
                    yield
                except BaseException:
                    drafts.remove(name)
                    raise
                _make(root, drafts, name, names)
        finally:
            with contextlib.suppress(OSError):  # not empty
                folder.remove_folder(DRAFT)


def recover(root: Path, told: Told, making: Callable[[str], None]) -> None:
    """Make the changes that were told before the server was killed, and drop those that were only prepared.

    `making` is called with the path of each file that is about to be changed.
    """
    with contextlib.suppress(FileNotFoundError), safe_fs.opened(root, ()) as folder:
        _remove_file(folder, DRAFT)
        with folder.enter(DRAFT) as drafts:
            wanted = {_name(path, version): path for path, version in told()}
            for name, _ in list(drafts.walk(1)):
                if name in wanted:
                    making(wanted[name])
                    _make(root, drafts, name, wanted[name].split("/"))
                else:
                    drafts.remove(name)
        folder.remove_folder(DRAFT)


def _make(root: Path, drafts: safe_fs.Folder, name: str, names: Sequence[str]) -> None:
    *folders, file = names
    is_deletion = name.endswith(DELETED)
    with safe_fs.opened(root, folders, must_make=not is_deletion) as folder:
        if is_deletion:
            _remove_file(folder, file)
            drafts.remove(name)
        else:
            drafts.move(name, folder, file)


def _name(path: str, version: str) -> str:
    """Return the name of a prepared change."""
    return f"{digest_of(path.encode())}.{version}"


def _remove_file(folder: safe_fs.Folder, name: str) -> None:
    with contextlib.suppress(safe_fs.WrongKind):
        if folder.status(name) is not None:
            folder.remove(name)
