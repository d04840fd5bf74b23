"""Places where agent files are: a folder, one file, or an object of a module."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

from agentchat.ag2.agent_file import AgentFile
from agentchat.protocol.errors import SettingsError

Place = Callable[[], dict[str, AgentFile]]
"""Returns the files that there are now, by the names of their agents. Raises OSError."""


def place(served: str, folder: Path) -> Place:
    """Return the place that the arguments name: a file or `module:object` in `served`, else the folder.

    Raises SettingsError.
    """
    if not served:
        return _in_folder(folder)
    path = Path(served).absolute()
    if path.is_file():
        name = path.parent.name if path.name == "__init__.py" else path.stem
        _make_importable(path.parent)
        return _just(AgentFile(name, path, f"agents.{name}", must_be_agent=True))
    module, _, attribute = served.partition(":")
    name = module.rpartition(".")[2] if attribute in {"build", "on_message"} else attribute.rpartition(".")[2]
    return _just(AgentFile(name, _file_of(module), module, attribute))


def _in_folder(folder: Path) -> Place:
    if not folder.is_dir():
        raise SettingsError(f"The agents folder {folder} does not exist. Name another with --agents.")
    folder = folder.absolute()
    _make_importable(folder)  # agent files may share modules

    def files() -> dict[str, AgentFile]:
        entries = list(folder.iterdir())  # glob would pass over what it cannot read
        paths = [(path.stem, path) for path in entries if path.suffix == ".py"]
        packages = [(path.name, path / "__init__.py") for path in entries if (path / "__init__.py").is_file()]
        found = [(name, path) for name, path in sorted(paths + packages) if name[0] not in "_."]
        return {name: AgentFile(name, path, f"agents.{name}") for name, path in found}

    return files


def _just(file: AgentFile) -> Place:
    return lambda: {file.name: file} if file.path.is_file() else {}


def _file_of(module: str) -> Path:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise SettingsError(f"The module {module} cannot be imported: {error}.") from error
    if spec is None:
        raise SettingsError(f"There is no module {module} that can be imported from {Path.cwd()}.")
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise SettingsError(f"The module {module} is not a Python file.")
    return Path(spec.origin)


def _make_importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
