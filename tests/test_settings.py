"""Settings: their sources, their values and their help."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from agentchat import settings
from agentchat.protocol.errors import SettingsError
from agentchat.settings import Paths, Settings


def test_the_command_line_wins_over_the_environment() -> None:
    """The command line beats the environment, which beats the defaults."""
    environment = {"AGENTCHAT_PORT": "1", "AGENTCHAT_WS_PORT": "2", "AGENTCHAT_OPEN": "yes"}
    chosen = settings.load(["--port", "3"], environment)

    assert (chosen.port, chosen.ws_port, chosen.open, chosen.host) == (3, 2, True, "127.0.0.1")


def test_values_are_converted() -> None:
    """Each value is converted to the type of its field."""
    chosen = settings.load(["--knowledge", "a, b/c.md,", "--origins", "https://a.example/, ,http://b", "demo"], {})

    assert chosen.knowledge == Paths([Path("a"), Path("b/c.md")])
    assert chosen.allowed_origins == {"https://a.example", "http://b"}
    assert chosen.demo
    assert settings.load(["demo", "--model", "m"], {}) == Settings(model="m", demo=True)
    assert settings.load(["--api-key-env", "KEY"], {"AGENTCHAT_MODEL": "m", "AGENTCHAT_BASE_URL": "u"}) == Settings(
        model="m", base_url="u", api_key_env="KEY"
    )
    assert settings.load([], {"AGENTCHAT_PORT": " ", "AGENTCHAT_OPEN": "off"}) == Settings()


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--port", "many", "must be a number, not 'many'."),
        ("--model-timeout", "soon", "must be a number, not 'soon'."),
        ("--log-level", "LOUD", "must be one of DEBUG, INFO, WARNING, ERROR, not 'LOUD'."),
        ("--approve", "some", "must be one of all, marked, none, not 'some'."),
        ("--busy", "wait", "must be one of enqueue, reject, interrupt, rollback, not 'wait'."),
        ("--model-timeout", "0", "must be more than 0, not 0."),
        ("--context-tokens", "99", "must be at least 100, not 99."),
        ("--input-timeout", "-1", "must be at least 0, not -1."),
        ("--max-messages-per-session", "-1", "must be at least 0, not -1."),
        ("--session-ttl-hours", "-0.5", "must be at least 0, not -0.5."),
        ("--mcp", "absent.json", "must be a file that exists, not 'absent.json'."),
        ("--mcp", "mcp.json", "must be a file that exists, not 'mcp.json'."),
    ],
)
def test_values_that_cannot_be_used(option: str, value: str, problem: str) -> None:
    """An invalid value is an error that names the option or the variable, whichever was set."""
    with pytest.raises(SettingsError) as error:
        settings.load([f"{option}={value}"], {})
    assert str(error.value) == f"{option} {problem}"

    variable = "AGENTCHAT" + option[1:].replace("-", "_").upper()
    with pytest.raises(SettingsError) as error:
        settings.load([], {variable: value})
    assert str(error.value) == f"{variable} {problem}"


def test_a_file_may_be_missing_only_by_default(tmp_path: Path) -> None:
    """A file that was named has to exist, also if its name is that of the default."""
    (tmp_path / "mcp.json").touch()

    assert settings.load([], {}).mcp == Path("mcp.json")
    assert settings.load(["--mcp", "mcp.json"], {}).mcp == Path("mcp.json")


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists each setting with its option and its environment variable."""
    with pytest.raises(SystemExit):
        settings.load(["--help"], {})
    shown = capsys.readouterr().out

    for setting in fields(Settings):
        if setting.name not in {"demo", "served", "given"}:
            assert settings.option(setting.name) in shown
            assert settings.variable(setting.name) in shown
