"""The icon and the color that an agent file gives its agent."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agentchat.ag2 import appearance
from tests.agent_files import PLAIN
from tests.conftest import Serve
from tests.processes import ROOT
from tests.rest_client import RestClient

pytestmark = pytest.mark.own_server  # each test writes agent files of its own


def looks(**constants: Any) -> appearance.Appearance:
    module = ModuleType("dice")
    vars(module).update(constants)
    return appearance.of(module, "dice.py")


@pytest.mark.parametrize(
    "icon",
    [
        "🎲",
        "A",
        "Ab",
        "é",
        "e\u0301",
        "👩🏽‍💻",
        "👨‍👩‍👧‍👦",
        "🇳🇴",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "❤️",
        "1️⃣",
        "日本",
        "cloud",
    ],
)
def test_icons(icon: str) -> None:
    """An emoji of any number of parts, one or two letters, and the name of a drawing are icons."""
    assert looks(ICON=icon) == appearance.Appearance(icon, None, [])


@pytest.mark.parametrize(
    "icon",
    ["", "   ", "abc", "🎲🎲🎲", "a\u202e", "\u0301", "\u200d", "a" + "\u0301" * 200, "nowhere", b"A", 5, ["A"], "<b>"],
)
def test_other_values_are_no_icons(icon: object) -> None:
    """Anything else is left out, with a sentence that names the file and the value."""
    found = looks(ICON=icon, COLOR="#123456")

    assert (found.icon, found.color) == (None, "#123456")
    [problem] = found.problems
    assert problem.startswith("dice.py: ICON is ")
    assert ascii(icon)[:57] in problem
    assert len(problem) < 400


@pytest.mark.parametrize(("color", "sent"), [("#0D7263", "#0d7263"), ("#07c", "#0077cc")])
def test_colors(color: str, sent: str) -> None:
    """A color of three or six digits is sent with six."""
    assert looks(COLOR=color) == appearance.Appearance(None, sent, [])


@pytest.mark.parametrize(
    "color", ["rot", "", "#12345", "#1234567", "#12345g", "#123;", "#123\n", b"#123456", 0x123456, "#" + "1" * 5000]
)
def test_other_values_are_no_colors(color: object) -> None:
    """Names of colors, bytes and long texts are left out as well."""
    found = looks(ICON="A", COLOR=color)

    assert (found.icon, found.color) == ("A", None)
    [problem] = found.problems
    assert problem.startswith("dice.py: COLOR is ")
    assert len(problem) < 200


def test_a_file_with_wrong_looks_works(serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The agent is available without them, and the log says why."""
    (tmp_path / "red.py").write_text(f'{PLAIN}\nCOLOR = "rot"\nICON = b"x"\n')
    (tmp_path / "right.py").write_text(f'{PLAIN}\nCOLOR = "#fa0"\nICON = "🎲"\n')
    with caplog.at_level(logging.WARNING, "agentchat"):
        server = serve("demo", "--agents", str(tmp_path))
    red, right = RestClient(server).ask("GET", "/api/config", None, {}).json["agents"]

    assert (red["name"], red["available"], red["icon"], red["color"]) == ("red", True, None, None)
    assert (right["icon"], right["color"]) == ("🎲", "#ffaa00")
    assert "red.py: COLOR is 'rot'" in caplog.text
    assert "red.py: ICON is b'x'" in caplog.text
    assert "right.py" not in caplog.text


def test_the_page_has_the_drawings() -> None:
    """Each name that a file may give is one of the page's icons, and in the documentation."""
    page = (ROOT / "website_files" / "static" / "js" / "views" / "shared" / "dom.js").read_text(encoding="utf-8")
    documentation = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
    drawn = set(re.findall(r'^  "?([\w-]+)"?: "M', page, re.MULTILINE))

    assert drawn >= set(appearance.ICONS)
    for name in appearance.ICONS:
        assert f"`{name}`" in documentation, name
