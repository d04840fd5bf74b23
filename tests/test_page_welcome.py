"""The first screen: the agents to choose from, their looks, and what to ask them."""

from __future__ import annotations

import re
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


PHONES = [(390, 844), (320, 640)]


@pytest.mark.parametrize("count", [2, 3, 5, 7, 12])
def test_cards_fill_the_rows(serve: Serve, page: Page, tmp_path: Path, count: int) -> None:
    """All rows are as wide as the widest, no card is alone below others, and each description is whole."""
    page.goto(serve("demo", "--agents", write_agents(tmp_path, *(f"agent_{at}" for at in range(count)))).page)
    cards = page.locator(".agent-card")
    expect(cards).to_have_count(count)
    if count > 8:
        page.get_by_role("button", name="Other agents").press("Enter")  # the mouse would lift a card
    expect(page.locator(".agent-card:visible")).to_have_count(count)
    boxes = cards.evaluate_all("all => all.map((each) => each.getBoundingClientRect().toJSON())")
    rows = {round(box["y"]): [each for each in boxes if round(each["y"]) == round(box["y"])] for box in boxes}

    assert len({round(row[-1]["x"] + row[-1]["width"]) for row in rows.values()}) == 1
    assert min(len(row) for row in rows.values()) >= 2
    cut = page.locator(".agent-description").evaluate_all(
        "all => all.filter(({ scrollHeight: all, clientHeight: seen }) => all > seen + 1)"
    )
    assert cut == []


@pytest.mark.parametrize("size", PHONES)
@pytest.mark.parametrize("count", [2, 7, 30])
def test_the_chosen_agent_is_in_sight_on_a_phone(
    serve: Serve, page: Page, tmp_path: Path, count: int, size: tuple[int, int]
) -> None:
    """So are its suggestions; the others are behind a button, and choosing one closes them again."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    suggestions = '["What can you do?", "Tell me about everything that matters", "Help"]'
    folder = write_agents(tmp_path, *(f"agent_{at:02}" for at in range(count)), SUGGESTIONS=suggestions)
    page.goto(serve("demo", "--agents", folder).page)
    expect(page.locator(".agent-card:visible")).to_have_text(re.compile("Agent 00"))
    assert_in_sight(page)

    last = f"Agent {count - 1:02}"
    page.get_by_role("button", name="Other agents").click()
    expect(page.locator(".agent-card:visible")).to_have_count(count)
    card(page, last).click()
    expect(page.locator(".agent-card:visible")).to_have_text(re.compile(last))
    assert_in_sight(page)


def test_many_agents_are_closed_on_a_large_screen(serve: Serve, page: Page, tmp_path: Path) -> None:
    """Thirty agents would push the suggestions out of sight."""
    page.goto(serve("demo", "--agents", write_agents(tmp_path, *(f"agent_{at:02}" for at in range(30)))).page)
    expect(page.locator(".agent-card:visible")).to_have_count(1)
    page.get_by_role("button", name="Other agents").click()
    expect(page.locator(".agent-card:visible")).to_have_count(30)


def test_a_single_agent_is_no_choice(serve: Serve, page: Page, tmp_path: Path) -> None:
    """Its name is the heading, above what it does and what to ask."""
    page.goto(serve("demo", "--agents", write_agents(tmp_path, "dice", SUGGESTIONS='["Roll"]', ICON='"🎲"')).page)
    welcome = page.locator(".welcome")
    expect(welcome.get_by_role("heading", name="Dice")).to_be_visible()
    expect(welcome.locator("> .avatar")).to_have_text("🎲")
    expect(welcome.get_by_text("Helps you with all that matters.")).to_be_visible()
    expect(page.get_by_role("radio")).to_have_count(0)
    expect(page.get_by_role("button", name="Roll")).to_be_visible()


def test_one_tab_stop_for_all_agents(serve: Serve, page: Page, tmp_path: Path) -> None:
    """The arrow keys choose, Tab goes on to the suggestions, and a radio's name is the agent's."""
    folder = write_agents(tmp_path, "ant", "bee", "cow", SUGGESTIONS='["Buzz"]')
    page.goto(serve("demo", "--agents", folder).page)
    ant, bee = (page.get_by_role("radio", name=name, exact=True) for name in ("Ant", "Bee"))
    expect(page.get_by_role("group", name="Agent", exact=True)).to_be_visible()
    expect(ant).to_have_accessible_description("Helps you with all that matters.")
    ant.focus()
    page.keyboard.press("ArrowRight")
    expect(bee).to_be_checked()
    expect(bee).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Buzz")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(bee).to_be_focused()


def assert_in_sight(page: Page) -> None:
    scroller = page.locator(".scroller").bounding_box()
    assert scroller is not None
    for element in [*page.locator(".agent-card:visible").all(), *page.locator(".suggestion").all()]:
        box = element.bounding_box()
        assert box is not None
        assert box["y"] >= scroller["y"] - 1
        assert box["y"] + box["height"] <= scroller["y"] + scroller["height"] + 1
