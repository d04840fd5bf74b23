"""Checks the file paths that people and models name: relative, with `/`, and inside the workspace on any system."""

from __future__ import annotations

import unicodedata

from agentchat.protocol.errors import ChatError

PATH_CHARS = 500
NAME_BYTES = 240  # file systems take 255
MAX_DEPTH = 32  # nested folders
DRAFT = ".agentchat-draft"  # name of a file while it is written


def split(path: str) -> list[str]:
    """Return the names in a path, folders first. Raises ChatError if it cannot be used."""
    if not isinstance(path, str) or not 0 < len(path) <= PATH_CHARS:
        raise refused(path, f"it must have 1 to {PATH_CHARS} characters")
    if path.startswith(("/", "~/")):
        raise refused(path, "it is absolute; give the path within the workspace")
    if "\\" in path or ":" in path or not _is_visible(path):
        raise refused(path, "it has a character that file names cannot have; separate folders with /")
    names = [name for name in path.split("/") if name != "."]
    if not names or ".." in names:
        raise refused(path, "it leads out of the workspace")
    if any(not name or name != name.strip() or len(name.encode()) > NAME_BYTES for name in names):
        raise refused(path, "a name in it is empty, too long, or begins or ends with a space")
    if len(names) > MAX_DEPTH:
        raise refused(path, "it has too many folders")
    if DRAFT in names:
        raise refused(path, "this name is reserved")
    return names


def canonical(path: str) -> str:
    """Return the path as `Workspace.list` shows it. Raises ChatError if it cannot be used."""
    return "/".join(split(path))


def is_usable(path: str) -> bool:
    """Return True if the path can be used. Programs may create files with others."""
    try:
        split(path)
    except ChatError:
        return False
    return True


def refused(path: str, problem: str) -> ChatError:
    """Return the error for a path that cannot be used."""
    return ChatError("file_refused", path=shown(path), problem=problem)


def shown(path: str) -> str:
    """Return the path for use in a sentence: shortened, without invisible characters."""
    return "".join(c if _is_visible(c) else "\N{REPLACEMENT CHARACTER}" for c in str(path)[:PATH_CHARS])


def _is_visible(path: str) -> bool:
    """Return False if a character is invisible, changes the text direction, or is half of a surrogate pair."""
    return not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in path)
