"""The conversations on the page: links that lead nowhere, and the list."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain

from playwright.sync_api import BrowserContext, Locator, Page, expect

from agentchat.app import Running
from tests.clients import wait_until
from tests.conftest import Fork, config_list
from tests.model_server import ModelServer, Reply
from tests.pages import say, session_of, turn
from tests.rest_client import RestClient
from tests.stories import a_turn, said
from tests.test_page_access import expect_accessible

pytest_plugins = ["tests.browser"]


def begin(page: Page, text: str) -> str:
    """Begin a conversation with an answer, and return its id."""
    say(page, text)
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    return session_of(page)


def test_a_link_that_leads_nowhere(server: Running, page: Page) -> None:
    """A page at the address of no conversation says so and begins none; the list works, and a button begins one."""
    page.goto(server.page)
    begin(page, "here")
    page.goto(f"{server.page}?session=nowhere")
    expect(page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
    expect(page.locator("#composer")).to_be_hidden()
    expect(page.locator(".welcome")).to_be_hidden()
    assert page.url.endswith("?session=nowhere")
    expect_accessible(page)
    page.locator(".conversation").click()
    expect(turn(page, 1)).to_contain_text("here")
    expect(page.locator(".dead-link")).to_be_empty()

    page.go_back()
    page.get_by_role("button", name="Start a new conversation").click()
    expect(page.locator(".welcome")).to_be_visible()
    begin(page, "a new one")
    expect(page.locator(".conversation")).to_have_count(2)


def test_what_was_written_at_a_dead_link_comes_along(server: Running, page: Page) -> None:
    page.goto(server.page)
    session = begin(page, "one")
    page.locator("#composer textarea").fill("and two")
    page.get_by_role("link", name="New conversation").click()
    assert page.request.delete(f"{server.page}api/agent-chat/sessions/{session}").ok
    page.go_back()
    page.get_by_role("button", name="Start a new conversation").click()
    expect(page.locator("#composer textarea")).to_have_value("and two")
    expect(page.locator(".conversation")).to_have_count(0)


def test_a_conversation_that_has_only_begun_is_no_dead_link(fork: Fork, model: ModelServer, page: Page) -> None:
    """A message that never reached a server that then went down is sent when the tab comes back."""
    page.add_init_script("""
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (text) {
            if (sessionStorage.getItem("lets") || !text.includes('"text"')) send.call(this, text);
        };
    """)
    environment = config_list(model)
    with fork("--port", "0", "--ws-port", "0", environment=environment) as first:
        page.goto(first.page)
        say(page, "held back")
        session = session_of(page)
        page.evaluate("sessionStorage.setItem('lets', 'all')")
        address = page.url
        page.goto("about:blank")
        ports = [re.findall(r":(\d+)/", each)[0] for each in (first.page, first.websocket)]
    with fork("--port", ports[0], "--ws-port", ports[1], environment=environment) as second:
        assert RestClient(second).ask("GET", f"/api/agent-chat/sessions/{session}").status == 404
        page.goto(address)
        expect(turn(page, 1)).to_have_attribute("data-state", "completed")
        expect(page.locator('.message[data-role="person"]')).to_contain_text("held back")

        assert page.request.delete(f"{second.page}api/agent-chat/sessions/{session_of(page)}").ok
        page.reload()
        expect(page.get_by_role("heading", name="This conversation is not here")).to_be_visible()


def sessions(server: Running) -> set[str]:
    listed = RestClient(server).get("/api/agent-chat/sessions", limit=200).json["sessions"]
    return {entry["id"] for entry in listed}


def add(server: Running, *titles: str) -> list[str]:
    """Add conversations, and return their ids."""
    rest = RestClient(server)
    return [rest.post("/api/agent-chat/sessions", {"title": title}).json["id"] for title in titles]


def titles(page: Page) -> Locator:
    return page.locator(".conversation-title")


def group(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name=name, exact=True).locator(".conversation-title")


def row(page: Page, title: str) -> Locator:
    return page.locator(".conversation", has_text=title)


def choose(page: Page, title: str, item: str) -> None:
    row(page, title).hover()
    page.get_by_role("button", name=f"More for “{title}”").click()
    page.get_by_role("button", name=item, exact=True).click()


def test_the_list_is_grouped_by_day(server: Running, page: Page) -> None:
    """Today's conversations become yesterday's at midnight, while the page is open; later they go to their month."""
    [id] = add(server, "Umbrella")
    updated = RestClient(server).get(f"/api/agent-chat/sessions/{id}").json["updated"]
    day = datetime.fromisoformat(updated).astimezone()
    late = day.replace(hour=23, minute=59, second=58, microsecond=0)
    page.clock.install(time=late)
    page.goto(server.page)
    expect(page.get_by_role("heading", name="Today", exact=True)).to_be_visible()
    expect(group(page, "Today")).to_have_text(["Umbrella"])
    row(page, "Umbrella").focus()
    page.clock.run_for(3_000)
    expect(group(page, "Yesterday")).to_have_text(["Umbrella"])
    expect(page.get_by_role("heading", name="Today", exact=True)).to_have_count(0)
    expect(row(page, "Umbrella")).to_be_focused()

    page.clock.set_system_time(late + timedelta(days=400))
    page.reload()
    expect(group(page, f"{day:%B %Y}")).to_have_text(["Umbrella"])


def test_pinned_conversations_stay_on_top(server: Running, context: BrowserContext, page: Page) -> None:
    """A pin holds on this device and in its other tabs, also for a conversation that is far down in the list."""
    page.goto(server.page)
    add(server, "One", "Two")
    page.reload()
    expect(group(page, "Today")).to_have_text(["Two", "One"])
    choose(page, "One", "Pin")
    expect(group(page, "Pinned")).to_have_text(["One"])
    expect(group(page, "Today")).to_have_text(["Two"])
    other = context.new_page()
    other.goto(server.page)
    expect(group(other, "Pinned")).to_have_text(["One"])
    row(other, "Two").focus()
    other.keyboard.press("p")
    for tab in (page, other):
        expect(group(tab, "Pinned")).to_have_text(["Two", "One"])
    expect(row(other, "Two")).to_be_focused()
    expect_accessible(other)

    add(server, *(f"Number {number}" for number in range(60)))
    page.reload()
    expect(group(page, "Pinned")).to_have_text(["Two", "One"])
    expect(group(page, "Today")).to_have_count(50)
    page.locator(".search").fill("One")
    expect(titles(page)).to_have_text(["One"])
    expect(page.get_by_role("heading", name="Pinned")).to_have_count(0)
    page.locator(".search").press("Escape")
    expect(group(page, "Pinned")).to_have_text(["Two", "One"])
    choose(page, "One", "Unpin")
    expect(group(page, "Pinned")).to_have_text(["Two"])


def test_what_was_deleted_comes_back(server: Running, page: Page) -> None:
    """Undo brings the row back to its place, and what was open; without, it is deleted soon."""
    page.clock.install()
    page.goto(server.page)
    first, _ = add(server, "First", "Second")
    open_one = begin(page, "Which one?")
    expect(titles(page)).to_have_text(["Which one?", "Second", "First"])
    choose(page, "Which one?", "Delete")
    expect(titles(page)).to_have_text(["Second", "First"])
    expect(page.locator(".welcome")).to_be_visible()
    expect(row(page, "Second")).to_be_focused()
    line = page.get_by_role("status").filter(has_text="“Which one?” was deleted.")
    expect(line).to_be_visible()
    expect_accessible(page)
    line.get_by_role("button", name="Undo").focus()
    page.clock.run_for(60_000)  # time stands still while somebody is about to press it
    line.get_by_role("button", name="Undo").press("Enter")
    expect(titles(page)).to_have_text(["Which one?", "Second", "First"])
    expect(turn(page, 1)).to_contain_text("Which one?")
    expect(page).to_have_url(f"{server.page}?session={open_one}")
    expect(row(page, "Which one?")).to_be_focused()

    page.keyboard.press("End")
    page.keyboard.press("Delete")
    expect(titles(page)).to_have_text(["Which one?", "Second"])
    page.keyboard.press("Control+z")
    expect(row(page, "First")).to_be_focused()
    page.clock.run_for(60_000)
    assert first in sessions(server)

    page.keyboard.press("Delete")
    expect(titles(page)).to_have_text(["Which one?", "Second"])
    assert first in sessions(server)
    page.clock.run_for(10_000)
    expect(page.locator(".deleted-line")).to_be_hidden()
    wait_until(lambda: first not in sessions(server))
    expect(titles(page)).to_have_text(["Which one?", "Second"])


def test_what_was_deleted_goes_when_something_else_does_or_the_page(server: Running, page: Page) -> None:
    page.goto(server.page)
    one, two, three = add(server, "One", "Two", "Three")
    page.reload()
    choose(page, "One", "Delete")
    choose(page, "Two", "Delete")
    wait_until(lambda: one not in sessions(server))
    assert two in sessions(server)
    page.goto("about:blank")
    wait_until(lambda: sessions(server) == {three})


def test_deleting_what_is_at_work_says_so(server: Running, model: ModelServer, page: Page) -> None:
    gate = threading.Event()
    model.script(Reply("Late.", gate=gate))
    page.goto(server.page)
    say(page, "Oslo?")
    expect(row(page, "Oslo?")).to_contain_text("at work")
    choose(page, "Oslo?", "Delete")
    expect(page.locator(".deleted-line")).to_contain_text("What its agents are doing will be stopped.")
    page.go_back()
    expect(page.get_by_role("heading", name="This conversation is not here")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    gate.set()
    expect(turn(page, 1)).to_contain_text("Late.")


def test_titles_tell_conversations_apart(server: Running, page: Page) -> None:
    """Two with one title each say when they began; one without a title has its agent's name."""
    add(server, "Same", "Same", "Other", "A title that is much too long to fit into the list " * 3)
    page.goto(server.page)
    expect(titles(page)).to_have_count(4)
    clock = re.compile(r" · .*\d:\d\d")
    about = page.locator(".conversation-about")
    for number, is_alike in enumerate((False, False, True, True)):
        expect(about.nth(number)).to_have_text(clock if is_alike else re.compile("now|min"))
    long = row(page, "much too long")
    expect(long).to_have_attribute("title", re.compile("^(A title that is much too long to fit into the list ?){3}$"))
    expect(row(page, "Other")).not_to_have_attribute("title", re.compile("."))
    assert long.locator(".conversation-title").evaluate("(element) => element.scrollWidth > element.clientWidth")


def test_the_list_is_one_tab_stop(server: Running, page: Page) -> None:
    """Arrows go through the list; keys open the menu and rename; Tab leaves it and comes back to the same row."""
    add(server, "One", "Two", "Three")
    page.goto(server.page)
    expect(titles(page)).to_have_text(["Three", "Two", "One"])
    page.locator(".search").focus()
    page.keyboard.press("ArrowDown")
    expect(row(page, "Three")).to_be_focused()
    page.locator(".search").focus()
    page.keyboard.press("Tab")
    expect(row(page, "Three")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(row(page, "Two")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".search")).to_be_focused()
    page.keyboard.press("Tab")
    expect(row(page, "Two")).to_be_focused()
    page.keyboard.press("End")
    expect(row(page, "One")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(row(page, "One")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Pin", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(row(page, "Three")).to_be_focused()
    page.keyboard.press("F2")
    page.get_by_label("Title").fill("Third")
    page.keyboard.press("Enter")
    expect(row(page, "Third")).to_be_focused()
    expect_accessible(page)
    page.keyboard.press("Tab")
    expect(page.locator(".conversation-list :focus")).to_have_count(0)
    expect(page.locator('.conversation-list [tabindex="0"]')).to_have_count(1)


def test_the_end_of_a_long_list(server: Running, page: Page) -> None:
    """The End key goes to the last conversation, however many pages away it is."""
    add(server, *(f"Number {number}" for number in range(260)))
    page.goto(server.page)
    expect(titles(page)).to_have_count(50)
    row(page, "Number 259").focus()
    page.keyboard.press("End")
    expect(page.locator(".conversation").last).to_be_focused()
    expect(titles(page)).to_have_count(260)
    expect(page.locator(".conversation").last).to_have_text(re.compile("^Number 0"))
    expect(page.get_by_role("button", name="More", exact=True)).to_be_hidden()


def search(page: Page, words: str) -> Locator:
    page.locator(".search").fill(words)
    return page.locator(".conversation-match")


def test_a_hit_leads_to_its_place(tell: Callable[..., Page]) -> None:
    """A hit opens the conversation where it was said, in a turn that was not built yet, too, and marks it."""
    page = tell(
        *chain.from_iterable(
            a_turn(number, f"Question {number}", said("weather", f"Answer {number}.\n\n" + "More of it. \n\n" * 20))
            for number in range(1, 121)
        ),
        *a_turn(121, "An early walrus?", said("weather", "No walrus here.")),
    )
    expect(turn(page, 121)).to_be_in_viewport()
    expect(turn(page, 3)).to_have_count(0)
    expect(search(page, "Answer 3")).to_have_count(3)
    page.locator(".conversation-match", has_text=re.compile(r"Answer 3\.")).click()
    found = page.locator("[data-found]")
    expect(found).to_contain_text("Answer 3.")
    expect(found).to_be_in_viewport()
    expect(found).to_be_focused()
    expect(turn(page, 121)).not_to_be_in_viewport()

    page.get_by_role("link", name="New conversation").click()
    expect(search(page, "walrus")).to_have_count(2)
    page.locator(".conversation").press("Enter")
    expect(found).to_contain_text("An early walrus?")
    expect(found).to_be_in_viewport()
    expect_accessible(page)
    page.locator(".conversation-match", has_text="No walrus").click()
    expect(found).to_have_text(re.compile("No walrus here."))
    expect_accessible(page)


def test_a_hit_in_the_open_conversation(server: Running, model: ModelServer, page: Page) -> None:
    """A hit leads to its place in a conversation that was begun on this page, too."""
    model.script(Reply("No narwhal."))
    page.goto(server.page)
    begin(page, "Any whale?")
    search(page, "narwhal").click()
    expect(page.locator("[data-found]")).to_have_text(re.compile("No narwhal."))
    expect(page.locator("[data-found]")).to_be_focused()


def test_a_hit_that_does_not_count_any_more(tell: Callable[..., Page]) -> None:
    page = tell(
        *a_turn(1, "A walrus?", said("weather", "No.")),
        (0, "rewind", {"turns": [1], "reason": "edit"}),
        *a_turn(2, "A seal?", said("weather", "No.")),
    )
    search(page, "walrus").click()
    expect(page.locator(".notice-banner")).to_contain_text("does not count any more")
    expect(page.locator("[data-found]")).to_have_count(0)
