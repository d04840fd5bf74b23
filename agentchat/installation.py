"""Where this installation keeps things: the files that come with the server, its data, and what starts it.

A wheel has these files inside the package, in the folder `shipped`. Without that folder the package lies in a checkout,
also after `pip install -e .`.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import platformdirs

NAME = "agentchat"

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "shipped"

IS_CHECKOUT = not _SHIPPED.is_dir()
ROOT = _PACKAGE.parent if IS_CHECKOUT else _SHIPPED
AGENTS = ROOT / "agents"
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGE = ROOT / "website_files"
MODEL_ENTRIES = ROOT / "OAI_CONFIG_LIST_sample"

LOCAL_AGENTS = Path("agents")
LOCAL_DATA = Path("data")


def agents() -> Path:
    """Return the folder of the agents if none is named: `./agents` if there is one, else those that come with it."""
    return LOCAL_AGENTS if LOCAL_AGENTS.is_dir() else AGENTS


def data_dir() -> Path:
    """Return the folder of the data if none is named: `./data` in a checkout, else where the system keeps a user's.

    A user without a home, as in some containers, has `./data` as well.
    """
    if IS_CHECKOUT:
        return LOCAL_DATA
    try:
        kept = platformdirs.user_data_path(NAME, appauthor=False)
    except RuntimeError:
        return LOCAL_DATA
    return kept if kept.is_absolute() else LOCAL_DATA  # earlier versions of platformdirs leave a ~ in it


def shown(path: Path) -> str:
    """Return the path of a file that comes with the server, in a form that people can use in the working directory."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def program() -> str:
    """Return the name of the program that was started: `main.py`, `agentchat` or `python -m agentchat`."""
    started = Path(sys.argv[0])
    if started.stem == NAME:
        return NAME
    if started == _PACKAGE / "__main__.py":
        return f"python -m {NAME}"
    return "main.py" if IS_CHECKOUT else NAME


def command(*arguments: str) -> str:
    """Return the shell command that starts this program with other arguments."""
    name = program()
    return f"{'python main.py' if name == 'main.py' else name} {shlex.join(arguments)}".rstrip()


def install_command(extra: str) -> str:
    """Return the shell command that installs the packages of an extra, such as `mcp`."""
    if IS_CHECKOUT:
        return f"pip install -r requirements-{extra}.txt"
    import importlib.metadata  # takes a moment that the command line need not wait

    wanted = importlib.metadata.requires(NAME) or []
    of_extra = re.compile(rf"extra\s*==\s*['\"]{extra}['\"]")
    packages = [requirement.partition(";")[0].strip() for requirement in wanted if of_extra.search(requirement)]
    return f"pip install {shlex.join(packages)}"
