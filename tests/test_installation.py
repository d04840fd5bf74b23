"""The places of an installation, in a checkout and from a wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentchat import installation, settings
from tests.processes import ROOT


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this be an installation from a wheel."""
    monkeypatch.setattr(installation, "IS_CHECKOUT", False)


def test_agents_are_looked_for_in_three_places(tmp_path: Path) -> None:
    """The folder that is named counts; else ./agents, else the agents that come with the server."""
    assert settings.load([], {}).agents == ROOT / "agents"
    (tmp_path / "agents").mkdir()
    assert settings.load(["demo"], {}).agents == Path("agents")
    (tmp_path / "mine").mkdir()
    for arguments, environment in ((["mine"], {}), (["--agents", "mine"], {}), ([], {"AGENTCHAT_AGENTS": "mine"})):
        assert settings.load(arguments, environment).agents == Path("mine")


def test_data_of_a_checkout() -> None:
    """In a checkout the data are in ./data."""
    assert installation.data_dir() == Path("data")


def test_data_once_installed(wheel: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Once installed, the data are where the system keeps those of users."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert installation.data_dir() == tmp_path / "share" / "agentchat"


def test_data_of_a_user_without_a_home(wheel: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not know, as in some containers, has the data in ./data, not in a folder named ~."""

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert installation.data_dir() == Path("data")


@pytest.mark.parametrize(
    ("started", "program", "command"),
    [
        ("main.py", "main.py", "python main.py user add ada"),
        ("/somewhere/bin/agentchat", "agentchat", "agentchat user add ada"),
        (str(ROOT / "agentchat" / "__main__.py"), "python -m agentchat", "python -m agentchat user add ada"),
        ("-c", "main.py", "python main.py user add ada"),
    ],
)
def test_commands_are_named_as_they_were_started(
    monkeypatch: pytest.MonkeyPatch, started: str, program: str, command: str
) -> None:
    """Sentences that name a command name it in the way in which this one was started."""
    monkeypatch.setattr(sys, "argv", [started])
    assert installation.program() == program
    assert installation.command("user", "add", "ada") == command


def test_optional_packages_are_named(wheel: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once installed, the packages of an extra are named, since there are no requirements files."""
    wanted = ["websockets<18", "mcp<2,>=1.26; extra == 'mcp'", 'a>=1; extra == "otel"', 'b ; extra=="otel"']
    monkeypatch.setattr("importlib.metadata.requires", lambda name: wanted)
    assert installation.install_command("mcp") == "pip install 'mcp<2,>=1.26'"
    assert installation.install_command("otel") == "pip install 'a>=1' b"
