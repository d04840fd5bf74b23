"""The README's pictures, of the page as it is: `python -m tests.pictures` (or `make pictures`) makes them again.

docs/page.png shows a team at work with its files beside the chat, docs/run.gif a question and an approval.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.browser import FLAGS, chromium
from tests.processes import ROOT, ServerProcess

SIZE = (1360, 850)  # pixels of the window
WIDTH = 960  # of the animation
COLORS = 96
PACE, PAUSE = 90, 1800  # ms: a frame while something happens, and while one reads


class Film:
    """Pictures of a page, each with the time for which it is shown."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._frames: list[Image.Image] = []
        self._times: list[int] = []

    def frame(self, ms: int = PACE) -> None:
        picture = Image.open(io.BytesIO(self._page.screenshot()))
        height = picture.height * WIDTH // picture.width
        self._frames.append(picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS))
        self._times.append(ms)

    def until(self, shown: Locator) -> None:
        """Take frames until that can be seen, and one more to look at it."""
        while not shown.is_visible():
            self.frame()
        expect(shown).to_be_in_viewport()
        self.frame(PAUSE)

    def write(self, text: str) -> None:
        """Type into the message field, and send it."""
        field = self._page.locator("#message")
        for character in text:
            field.press_sequentially(character)
            self.frame()
        field.press("Enter")

    def save(self, path: Path) -> None:
        samples = self._frames[:: max(1, len(self._frames) // 8)] + self._frames[-1:]  # all colors that are shown
        sheet = Image.new("RGB", (WIDTH, sum(sample.height for sample in samples)))
        for place, sample in enumerate(samples):
            sheet.paste(sample, (0, place * sample.height))
        palette = sheet.quantize(COLORS)
        pictures = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self._frames]
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=self._times, loop=0, optimize=True)


def picture(page: Page, address: str, path: Path) -> None:
    """Save a picture of a team that wrote a program, with its plan and its files."""
    page.goto(f"{address}?agent=coding_team")
    page.locator("#message").fill("Write a program that prints the first ten primes")
    page.keyboard.press("Enter")
    expect(page.locator(".changes-card")).to_be_visible()
    page.locator(".changes-card").get_by_role("link", name="Open").click()
    expect(page.locator(".reader-source .k").first).to_be_visible()  # it has its colors
    page.screenshot(path=path)


def film(page: Page, address: str, path: Path) -> None:
    """Save a film of an agent that asks before it books, and before it cancels."""
    page.goto(f"{address}?agent=travel")
    film = Film(page)
    expect(page.get_by_role("button", name="Book a train to Lisbon")).to_be_visible()
    film.frame(PAUSE)
    film.write("Book a train to Lisbon")
    film.until(page.locator(".question-card").get_by_text("On which day"))
    film.write("Friday")
    film.until(page.locator(".turn").get_by_text("Mock booking: a train to Lisbon"))
    film.write("Cancel my train to Lisbon")
    film.until(page.get_by_role("button", name="Approve"))
    page.get_by_role("button", name="Approve").click()
    film.until(page.locator(".turn-items").get_by_text("cancel").last)
    film.frame(PAUSE)
    film.save(path)


def main() -> None:
    docs = ROOT / "docs"
    arguments = ("demo", "--agents", str(ROOT / "agents"), "--port", "0", "--ws-port", "0")
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder), *arguments) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for name, take in (("page.png", picture), ("run.gif", film)):
            context = browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]}, reduced_motion="reduce")
            take(context.new_page(), server.page, docs / name)
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
