"""The first screen: the agents to choose from, their looks, and what to ask them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.agent_files import PLAIN
from tests.conftest import Serve
from tests.pages import say, session_of

pytest_plugins = ["tests.browser"]
pytestmark = pytest.mark.own_server  # each test has agent files of its own

COLORS = """elements => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const styles = elements.map((element) => getComputedStyle(element));
  return styles.map(({ backgroundColor, color }) => [rgb(backgroundColor), rgb(color)]);
}"""


def write_agents(folder: Path, *names: str, **constants: str) -> str:
    """Write agent files that differ in name and description; return the folder."""
    for at, name in enumerate(names):
        lines = "".join(f"{constant} = {value}\n" for constant, value in constants.items())
        about = " ".join(["Helps you with all that matters"] * (1 + at % 3))
        source = PLAIN.replace('"""Answers."""', f'"""{about}."""')
        assert about in source
        (folder / f"{name}.py").write_text(f"{source}\n{lines}", encoding="utf-8")
    return str(folder)


def contrast(pair: list[list[int]]) -> float:
    light, dark = sorted((luminance(color[:3]) for color in pair), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: list[int]) -> float:
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_icons_and_colors_are_shown(serve: Serve, page: Page, tmp_path: Path) -> None:
    """In the card, and beside the title of a conversation; a wrong one leaves the letter."""
    (tmp_path / "dice.py").write_text(f'{PLAIN}\nICON = "🎲"\nCOLOR = "#fd0"\n', encoding="utf-8")
    (tmp_path / "news.py").write_text(f'{PLAIN}\nICON = "talk"\nCOLOR = "#123456"\n', encoding="utf-8")
    (tmp_path / "plain.py").write_text(f'{PLAIN}\nICON = "<svg onload=1>"\nCOLOR = "rot"\n', encoding="utf-8")
    page.goto(serve("demo", "--agents", str(tmp_path)).page)
    dice, news, plain = (card(page, name).locator(".avatar") for name in ("Dice", "News", "Plain"))

    expect(dice).to_have_text("🎲")
    expect(dice).to_have_css("background-color", "rgb(255, 221, 0)")
    expect(dice).to_have_css("color", "rgb(0, 0, 0)")
    expect(news.locator(".icon-talk")).to_be_visible()
    expect(news).to_have_css("color", "rgb(255, 255, 255)")
    expect(plain).to_have_text("P")

    page.get_by_role("radio", name="Dice").check()
    say(page, "hello")
    session_of(page)
    expect(page.locator(".topbar-title .avatar")).to_have_text("🎲")
    expect(page.locator(".topbar-title .avatar")).to_have_css("background-color", "rgb(255, 221, 0)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_can_be_told_apart_and_read(serve: Serve, page: Page, tmp_path: Path, scheme: str) -> None:
    """Agents of one letter have colors that differ, and each letter has enough contrast in both themes."""
    names = [f"agent_{word}" for word in ["ant", "bee", "cow", "dog", "elk", "fox"]] + ["bear", "cat", "zebu", "yak"]
    (tmp_path / "vivid.py").write_text(f'{PLAIN}\nCOLOR = "#7f7f00"\n', encoding="utf-8")
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(serve("demo", "--agents", write_agents(tmp_path, *names)).page)
    expect(page.locator(".agent-card")).to_have_count(11)
    pairs = page.locator(".agent-card .avatar").evaluate_all(COLORS)

    assert min(contrast(pair) for pair in pairs) >= 4.5
    backgrounds = [pair[0] for pair in pairs[:6]]
    for at, one in enumerate(backgrounds):
        assert all(sum(abs(a - b) for a, b in zip(one, other, strict=True)) >= 12 for other in backgrounds[at + 1 :]), (
            backgrounds
        )


def card(page: Page, name: str) -> Locator:
    return page.locator(".agent-card").filter(has=page.get_by_text(name, exact=True))
