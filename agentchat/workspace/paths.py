"""Which paths of files people and models may name: relative ones, with `/`, that lead nowhere else on any system."""

from __future__ import annotations

import unicodedata

from agentchat.protocol.errors import ChatError

PATH_CHARS = 500
NAME_BYTES = 240  # file systems take 255
MAX_DEPTH = 32  # folders within each other
DRAFT = ".agentchat-draft"  # the name of a file that is being written


def split(path: str) -> list[str]:
    """The folders and the file that a path names. Raises ChatError for one that is not to be used."""
    if not isinstance(path, str) or not 0 < len(path) <= PATH_CHARS:
        raise refused(path, f"it has not 1 to {PATH_CHARS} characters")
    if path.startswith(("/", "~/")):
        raise refused(path, "it is absolute; say where the file is in the workspace")
    if "\\" in path or ":" in path or not _is_visible(path):
        raise refused(path, "it has a character that is not for file names; folders are set off by /")
    names = [name for name in path.split("/") if name != "."]
    if not names or ".." in names:
        raise refused(path, "it leads out of the workspace")
    if any(not name or name != name.strip() or len(name.encode()) > NAME_BYTES for name in names):
        raise refused(path, "a name in it is empty, too long, or begins or ends with a space")
    if len(names) > MAX_DEPTH:
        raise refused(path, "it has too many folders")
    if DRAFT in names:
        raise refused(path, "this name is taken")
    return names


def canonical(path: str) -> str:
    """The path as lists show it. Raises ChatError for one that is not to be used."""
    return "/".join(split(path))


def is_usable(path: str) -> bool:
    """Whether files with this path can be used; programs make others, too."""
    try:
        split(path)
    except ChatError:
        return False
    return True


def refused(path: str, problem: str) -> ChatError:
    return ChatError("file_refused", path=shown(path), problem=problem)


def shown(path: str) -> str:
    """A path as part of a sentence."""
    return "".join(c if _is_visible(c) else "\N{REPLACEMENT CHARACTER}" for c in str(path)[:PATH_CHARS])


def _is_visible(path: str) -> bool:
    """No character that controls, hides, turns the direction, or stands for half of another."""
    return not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in path)
