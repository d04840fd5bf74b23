"""The package as it is installed: what its wheel has, and that this works alone, away from the checkout.

Here the packages it needs are those of the tests' own environment. `make installed` installs them as well, with each
Python that there is: INSTALLED_WITH names it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest

from agentchat import __version__
from agentchat.cli.new import KINDS
from tests.clients import ChatClient, contents
from tests.processes import ENDS_WITHIN, ROOT, ServerProcess

PYTHON = os.environ.get("INSTALLED_WITH", "")

NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", "htmlcov", "data", "build", "dist")
LITTER = (
    ".env",
    "OAI_CONFIG_LIST",
    "agents/.env",
    "agents/OAI_CONFIG_LIST",
    "agents/__pycache__/weather.cpython-310.pyc",
    "agentchat/cli/__pycache__/new.cpython-310.pyc",
    "agentchat/data/agentchat.db",
    "build/lib/agentchat/app.py",
    "data/agentchat.db",
    "dist/agentchat-0.0.1-py3-none-any.whl",
    "docs/data/accounts.db",
)
SHIPPED = "agentchat/shipped"
PLACES = "from agentchat import installation, settings; print(installation.PAGE, settings.load([], {}).data_dir)"


@dataclass(frozen=True)
class Installed:
    """An environment in which the package is installed, and an empty home in which its commands run."""

    environment: Path
    home: Path

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def program(self) -> Path:
        return self.environment / "bin" / "agentchat"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.home / "share"),
            "AGENTCHAT_LOCAL_SERVERS": "none",
        }

    def run(self, *command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a program in a folder, which must not be a checkout."""
        return subprocess.run(
            command, cwd=folder, env=self.variables, capture_output=True, text=True, timeout=ENDS_WITHIN
        )


def run(*command: str | Path, folder: Path | None = None) -> None:
    ended = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert ended.returncode == 0, ended.stdout


def files_in(folder: Path) -> set[str]:
    """Return the files of a folder of the checkout that git would not ignore."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


def expected() -> set[str]:
    """Return the files that a wheel must have, besides those about itself."""
    package = {f"agentchat/{name}" for name in files_in(ROOT / "agentchat")}
    folders = ("agents", "deploy", "docs", "website_files")
    shipped = {f"{SHIPPED}/{folder}/{name}" for folder in folders for name in files_in(ROOT / folder)}
    return package | shipped | {f"{SHIPPED}/README.md", f"{SHIPPED}/OAI_CONFIG_LIST_sample"}


def contents_of(wheel: Path) -> set[str]:
    """Return the files in a wheel, besides those about itself."""
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the checkout in which people have worked."""
    tree = tmp_path_factory.mktemp("tree") / "agentchat"
    shutil.copytree(ROOT, tree, ignore=NOT_COPIED)
    for name in LITTER:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("not for others")
    return tree


@pytest.fixture(scope="module")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the wheel and the sdist, built from the tree."""
    built = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "hatchling", "build", "-d", built, folder=tree)
    return built


def environment_with(package: Path, folder: Path, *options: str) -> Path:
    """Return a new environment in which that package is installed."""
    if PYTHON:
        run(PYTHON, "-m", "venv", folder)
        run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", *options, package)
        return folder
    venv.create(folder, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps")
    [ours] = [path for path in sys.path if path.endswith("site-packages")]
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(ours)
    run(*pip, "--no-index", "--no-build-isolation", "--no-compile", *options, package)
    return folder


@pytest.fixture(scope="module")
def installed(tree: Path, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    [wheel] = built.glob("*.whl")
    environment = environment_with(tree if PYTHON else wheel, tmp_path_factory.mktemp("installed") / ".local" / "venv")
    return Installed(environment, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the server is started, which has nothing in it."""
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def server(installed: Installed, folder: Path) -> Iterator[ServerProcess]:
    arguments = ("demo", "--port", "0", "--ws-port", "0")
    variables = installed.variables
    with ServerProcess(folder, *arguments, environment=variables, program=(str(installed.program),)) as server:
        yield server


def test_the_wheel_has_all_of_the_tree(built: Path) -> None:
    """The wheel has the package with the page, the agents and the documents; no tests, caches or keys."""
    [wheel] = built.glob("*.whl")
    assert contents_of(wheel) == expected()


def test_what_the_wheel_says_about_itself(built: Path) -> None:
    """The metadata name the licence, the Pythons, the command, and the packages of the requirements files."""
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        about = f"agentchat-{__version__}.dist-info"
        lines = archive.read(f"{about}/METADATA").decode().partition("\n\n")[0].splitlines()
        entry_points = archive.read(f"{about}/entry_points.txt").decode()
        assert archive.read(f"{about}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert {f"Version: {__version__}", "License-Expression: Apache-2.0"} <= set(lines)
    assert "agentchat = agentchat.cli:run" in entry_points
    wanted = set(re.findall(r"^Requires-Dist: ([\w.-]+)", "\n".join(lines), re.MULTILINE))
    files = [path for path in ROOT.glob("requirements*.txt") if path.name != "requirements-dev.txt"]
    assert wanted == {name for path in files for name in re.findall(r"^[\w.-]+", path.read_text(), re.MULTILINE)}
    extras = {path.stem.removeprefix("requirements-") for path in files} - {"requirements"}
    assert {f"Provides-Extra: {extra}" for extra in extras} == {line for line in lines if "Provides-Extra" in line}


def test_the_sdist_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    """A wheel built from the sdist is the same, and the sdist has neither keys nor data."""
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        assert not {name.partition("/")[2] for name in archive.getnames()} & set(LITTER)
        archive.extractall(tmp_path, filter="data")
    [unpacked] = tmp_path.iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, folder=unpacked)
    [wheel] = tmp_path.glob("*.whl")
    assert contents_of(wheel) == expected()
    assert (unpacked / "main.py").is_file()


@pytest.mark.parametrize("command", ["agentchat", "python -m agentchat"])
def test_the_command(installed: Installed, tmp_path: Path, command: str) -> None:
    """The command says its version, and in its help what else it can do."""
    words = [str(installed.environment / "bin" / command.split()[0]), *command.split()[1:]]
    assert installed.run(*words, "--version", folder=tmp_path).stdout == f"agentchat {__version__}\n"
    shown = installed.run(*words, "--help", folder=tmp_path).stdout
    assert shown.startswith(f"usage: {command} [demo] [AGENTS] [options]\n")
    assert {"new", "check", "user", "token"} <= set(re.findall(r"^  (\w+) ", shown, re.MULTILINE))


def test_it_comes_up_in_an_empty_folder(installed: Installed, server: ServerProcess, folder: Path) -> None:
    """In an empty folder it serves the agents that come with it, and leaves nothing there: data go to the user's."""
    for path in (ROOT / "agents").glob("*.py"):
        assert f"agent      {path.stem}\n" in server.greeting
    data = installed.home / "share" / "agentchat"
    assert f"data       {data}\n" in server.greeting
    assert (data / "agentchat.db").is_file()
    assert list(folder.iterdir()) == []


def test_the_page_is_whole(server: ServerProcess) -> None:
    """The pages, and every file that belongs to them, are those of the tree."""
    for page in ("", "desk", "login"):
        assert b"<!doctype html>" in urllib.request.urlopen(urljoin(server.page, page)).read()
    static = ROOT / "website_files"
    for path in sorted((static / "static").rglob("*.*")):
        address = urljoin(server.page, path.relative_to(static).as_posix())
        assert urllib.request.urlopen(address).read() == path.read_bytes()


def test_agents_answer(server: ServerProcess) -> None:
    """An agent that came with it answers with a tool, and one from the documents that came with it."""
    with ChatClient(server.websocket, agent="weather") as client:
        frames = client.ask("What is the weather in Oslo?")
    assert contents(frames, "tool_call")
    assert contents(frames, "turn_completed")[0]["status"] == "completed"
    with ChatClient(server.websocket, agent="knowledge") as client:
        [end] = contents(client.ask("How do I resume after a lost connection?"), "turn_completed")
    assert "docs/protocol.md" in end["summary"]


def test_a_new_agent(installed: Installed, tmp_path: Path) -> None:
    """`new` writes into ./agents, not into the installation; `check` finds the agent there and that it works."""
    [kind, *_] = KINDS
    written = installed.run(installed.program, "new", "mine", "--kind", kind, "--port", "9", folder=tmp_path)
    assert "agents/mine.py is written." in written.stdout
    assert "Start the server with `agentchat --port 9`" in written.stdout
    [guide] = re.findall(r"(\S+agents\.md) says", written.stdout)
    assert Path(guide).read_bytes() == (ROOT / "docs" / "agents.md").read_bytes()
    checked = installed.run(installed.program, "check", folder=tmp_path)
    assert checked.stdout.splitlines()[0] == "mine: works", checked.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["agents"]


def test_accounts_are_where_the_server_looks(installed: Installed, server: ServerProcess, tmp_path: Path) -> None:
    """The commands about accounts use the data folder of the server, and name themselves as they were started."""
    listed = installed.run(installed.program, "user", "list", folder=tmp_path)
    assert listed.stdout.startswith("LOGIN")
    elsewhere = installed.run(installed.program, "user", "list", "--data-dir", "none", folder=tmp_path)
    assert "Add one with `agentchat user add LOGIN`" in elsewhere.stderr


def test_an_editable_installation_is_the_checkout(tree: Path, installed: Installed, tmp_path: Path) -> None:
    """After `pip install -e .` the command runs what is in the checkout, from any folder, with ./data."""
    environment = environment_with(tree, tmp_path / "venv", "--editable")
    editable = Installed(environment, installed.home)
    shown = editable.run(editable.python, "-c", PLACES, folder=tmp_path)
    assert shown.stdout.split() == [str(tree / "website_files"), "data"], shown.stderr
    version = editable.run(editable.program, "--version", folder=tmp_path)
    assert version.stdout == f"agentchat {__version__}\n"
