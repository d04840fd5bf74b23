"""A data folder with a conversation, a file, an account and an audit log; and its backup."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from agentchat import audit
from agentchat.auth.accounts import Accounts
from agentchat.backup.making import make
from agentchat.store import SessionRecord
from agentchat.store.sqlite import SqliteStore
from tests.store_contract import CREATED, draft


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a data folder, in which are a conversation, a file, an account and an audit log.

    It has a backup as well.
    """
    place = tmp_path_factory.mktemp("made")
    folder = place / "data"
    with contextlib.closing(SqliteStore(folder)) as store, contextlib.closing(Accounts(folder)) as accounts:
        store.create(SessionRecord("s", "weather", CREATED))
        sha256 = hashlib.sha256(b"hello").hexdigest()
        store.append("s", [draft("file_changed", 0, path="notes/ü.txt", kind="created", size=5, sha256=sha256)])
        accounts.add("ada", "correct horse", "Ada", ["admin"])
    path = folder / "workspaces" / "s" / "notes" / "ü.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"hello")
    path.chmod(0o755)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    audit.Audit(folder / audit.FILE).write("login")
    make(folder, place / "backup.tar.gz")
    return place


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "data", tmp_path / "data"))


@pytest.fixture
def backup(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made / "backup.tar.gz", tmp_path))
