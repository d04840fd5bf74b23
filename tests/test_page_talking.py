"""Answering questions, half-written texts and leaving fields, as a person does with the keyboard or by touch."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from agentchat.app import Running
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import say, session_of, turn

pytest_plugins = ["tests.browser"]

ASKER = '''
"""Asks a lot."""
from concurrent.futures import ThreadPoolExecutor

from autogen import ConversableAgent, UserProxyAgent, register_function
from agentchat.chat import needs_approval

def build(llm_config, chat):
    def ask(question: str) -> str:
        return "The person said: " + chat.ask(question)

    def ask_all() -> str:
        with ThreadPoolExecutor(3) as threads:
            return ", ".join(threads.map(chat.ask, ["Which city?", "Which day?", "Which train?"]))

    def choose(question: str) -> str:
        return "The person chose: " + chat.ask(question, choices=["Red", "Blue"])

    def log_in(site: str) -> str:
        return f"{len(chat.ask('Password for ' + site, password=True))} letters"

    @needs_approval
    def book(hotel: str, nights: int, breakfast: bool) -> str:
        return f"Booked {nights} at {hotel}, {breakfast}"

    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (ask, ask_all, choose, log_in, book):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''


@pytest.fixture
def clerk(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    return serve(*clerks(tmp_path), model=model)


def clerks(tmp_path: Path) -> list[str]:
    """Return the options of a server with such an agent."""
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "clerk.py").write_text(ASKER)
    return ["--agents", str(folder)]


def ask(page: Page, clerk: Running, model: ModelServer, tool: str, *replies: Reply, **arguments: object) -> Locator:
    """Begin a turn that asks, and return the question's card."""
    model.script(Reply(tools=[(tool, arguments)]), *(replies or [Reply("Noted.")]))
    page.goto(clerk.page)
    say(page, "Begin")
    card = page.locator(".question-card")
    expect(card).to_have_attribute("data-state", "open")
    return card


def last_request(model: ModelServer) -> str:
    return json.dumps(model.requests[-1]["body"])


def test_the_composer_answers_and_says_so(clerk: Running, model: ModelServer, page: Page) -> None:
    """A text written at an open question is its answer; a message is a choice beside it."""
    ask(page, clerk, model, "ask", Reply("Noted."), Reply("And done."), question="Which city?")
    line, field = page.locator(".answer-line"), page.locator("#message")
    expect(line).to_contain_text("Answers Clerk: Which city?")
    expect(field).to_have_attribute("placeholder", "Answer Clerk")
    expect(field).to_have_accessible_name("Answer to Clerk: Which city?")
    line.get_by_role("button", name="Send as a new message").click()
    expect(line).to_contain_text("New message; Clerk waits")
    expect(field).to_be_focused()
    say(page, "By the way")
    expect(turn(page, 2)).to_have_attribute("data-state", "queued")
    expect(page.get_by_role("button", name="Send now")).to_have_count(0)
    expect(line).to_contain_text("Answers Clerk: Which city?")
    say(page, "Bergen")
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")
    expect(line).to_be_hidden()
    expect(page.locator(".question-card")).to_contain_text("User: Bergen")


def test_a_message_that_was_begun_stays_one(clerk: Running, model: ModelServer, page: Page) -> None:
    """A question that comes while somebody writes does not take the text; once it is gone, the composer answers."""
    gate = threading.Event()
    model.script(Reply(tools=[("ask", {"question": "Which city?"})], gate=gate), Reply("Noted."))
    page.goto(clerk.page)
    say(page, "Begin")
    expect(turn(page, 1)).to_have_attribute("data-state", "running")
    field, line = page.locator("#message"), page.locator(".answer-line")
    field.press_sequentially("Another thing")
    gate.set()
    expect(line).to_contain_text("New message; Clerk waits")
    expect(field).to_have_value("Another thing")
    field.fill("")
    expect(line).to_contain_text("Answers Clerk")


def test_an_answer_and_a_message_are_two_drafts(clerk: Running, model: ModelServer, page: Page) -> None:
    """A half-written answer survives Escape and a reload, and becomes a message if the question goes away."""
    ask(page, clerk, model, "ask", question="Which city?")
    field = page.locator("#message")
    field.press_sequentially("Berg")
    field.press("Escape")
    expect(field).not_to_be_focused()
    expect(field).to_have_value("Berg")
    page.keyboard.press("Escape")
    expect(turn(page, 1)).to_have_attribute("data-state", "running")
    page.reload()
    expect(page.locator(".answer-line")).to_contain_text("Answers Clerk")
    expect(field).to_have_value("Berg")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".answer-line")).to_be_hidden()
    expect(field).to_have_value("Berg")


def test_one_of_several_questions_is_chosen(clerk: Running, model: ModelServer, page: Page) -> None:
    """With several open the composer says which one it answers; another is chosen from the list or its card."""
    model.script(Reply(tools=[("ask_all", {})]), Reply("Noted."))
    page.goto(clerk.page)
    say(page, "Begin")
    choice = page.get_by_label("Question to answer")
    expect(choice.locator("option")).to_have_count(3)
    field = page.locator("#message")
    choice.select_option("Answers Clerk: Which day?")
    expect(field).to_have_accessible_name("Answer to Clerk: Which day?")
    say(page, "Monday")
    expect(choice.locator("option")).to_have_count(2)
    card = page.locator(".question-card", has_text="Which train?")
    card.get_by_role("button", name="Write an answer").click()
    expect(field).to_be_focused()
    expect(field).to_have_accessible_name("Answer to Clerk: Which train?")
    say(page, "The first")
    expect(choice).to_be_hidden()
    expect(page.locator(".answer-line")).to_contain_text("Answers Clerk: Which city?")
    say(page, "Bergen")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    assert "Bergen, Monday, The first" in last_request(model)


def test_the_time_left_is_shown(serve: Serve, model: ModelServer, page: Page, tmp_path: Path) -> None:
    """A question that is given up after a while says how long that is."""
    page.clock.install()
    server = serve("--input-timeout", "9000", *clerks(tmp_path), model=model)
    card = ask(page, server, model, "ask", question="Which city?")
    expect(card.locator(".question-left")).to_have_text("3 hours left")
    page.clock.fast_forward(1000 * (9000 - 1200))
    expect(card.locator(".question-left")).to_have_text(re.compile(r"^\d+ minutes left$"))


def test_a_password_is_never_written_in_clear(clerk: Running, model: ModelServer, page: Page) -> None:
    """The composer takes nothing while a password is asked for, unless a message is wanted."""
    card = ask(page, clerk, model, "log_in", site="hotels.example")
    field, line = page.locator("#message"), page.locator(".answer-line")
    expect(line).to_contain_text("Clerk asks for a password")
    expect(field).not_to_be_editable()
    field.press_sequentially("hunter2")
    expect(field).to_have_value("")
    line.get_by_role("button", name="Go to its field").click()
    expect(card.locator("input")).to_be_focused()
    page.keyboard.type("hunter2")
    page.keyboard.press("Enter")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(field).to_be_editable()
    assert "hunter2" not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")


def test_a_no_with_a_reason(clerk: Running, model: ModelServer, page: Page) -> None:
    """An approval is denied in words, from its card or from the composer; what is neither yes nor no stays there."""
    card = ask(page, clerk, model, "book", hotel="Sandviken", nights=2, breakfast=True)
    expect(card.locator(".argument-list")).to_contain_text("breakfasttrue")
    say(page, "perhaps")
    expect(page.locator(".composer-note")).to_contain_text("Begin with yes or no")
    expect(page.locator("#message")).to_have_value("perhaps")
    card.get_by_role("button", name="Say why not").click()
    reason = card.get_by_label("Why not?")
    reason.fill("too exp")
    reason.press("Escape")
    expect(card.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    card.get_by_role("button", name="Say why not").click()
    expect(reason).to_have_value("too exp")
    reason.fill("too expensive")
    reason.press("Enter")
    expect(card).to_contain_text("denied it: too expensive")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    assert "too expensive" in last_request(model)


def test_arguments_are_changed_in_a_form(clerk: Running, model: ModelServer, page: Page) -> None:
    """Each argument has a field of its kind."""
    card = ask(page, clerk, model, "book", hotel="Sandviken", nights=2, breakfast=True)
    card.get_by_role("button", name="Edit").click()
    card.get_by_label("nights").fill("three")
    card.get_by_role("button", name="Run with these").click()
    expect(card).to_contain_text("nights is a number.")
    page.keyboard.press("Escape")  # what was changed is there again
    expect(card.get_by_role("button", name="Edit")).to_be_focused()
    page.keyboard.press("Enter")
    expect(card.get_by_label("nights")).to_have_value("three")
    card.get_by_label("nights").fill("3")
    card.get_by_label("breakfast").uncheck()
    card.get_by_role("button", name="Run with these").click()
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    assert "Booked 3 at Sandviken, False" in last_request(model)


def test_escape_closes_one_thing_at_a_time(clerk: Running, model: ModelServer, page: Page) -> None:
    """Escape leaves the field, then closes the drawer; a running answer goes on."""
    gate = threading.Event()
    model.script(Reply("one two three", gate_after=(2, gate)))
    page.set_viewport_size({"width": 600, "height": 800})
    page.goto(clerk.page)
    say(page, "count")
    expect(page.locator('.message[data-role="agent"]')).to_contain_text("one two")
    page.get_by_role("button", name="List of conversations").click()
    page.locator(".search").fill("x")
    page.keyboard.press("Escape")
    expect(page.locator(".search")).to_have_value("")
    expect(page.locator(".app")).to_have_attribute("data-sidebar", "open")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator(".app")).to_have_attribute("data-sidebar", "closed")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    gate.set()
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")


def test_drafts_of_two_tabs(clerk: Running, model: ModelServer, page: Page, context: BrowserContext) -> None:
    """A draft belongs to its conversation, appears in the other tab, and is gone there, too, when it is sent."""
    model.script(Reply("Hello."), Reply("Good."))
    page.goto(clerk.page)
    say(page, "Hi")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    other = context.new_page()
    other.goto(page.url)
    expect(turn(other, 1)).to_have_attribute("data-state", "completed")
    page.locator("#message").press_sequentially("How are")
    expect(other.locator("#message")).to_have_value("How are")
    page.get_by_role("link", name="New conversation").click()
    expect(page.locator("#message")).to_have_value("")
    page.go_back()
    expect(page.locator("#message")).to_have_value("How are")
    say(page, "How are you?")
    expect(other.locator("#message")).to_have_value("")
    assert session_of(page) not in page.evaluate(
        "Object.keys(localStorage).filter(key => key.includes('draft')).join()"
    )


def test_text_typed_before_the_scripts_run(clerk: Running, page: Page) -> None:
    """It stays, and can be sent."""
    held: list[object] = []
    page.route("**/chat.js", lambda route: held.append(route))
    page.goto(clerk.page, wait_until="commit")
    field = page.locator("#message")
    field.press_sequentially("Quick one")
    page.wait_for_timeout(0)
    for route in held:
        route.continue_()  # type: ignore[attr-defined]
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    expect(field).to_have_value("Quick one")


def test_enter_on_a_touch_keyboard(clerk: Running, model: ModelServer, touch_page: Page) -> None:
    """Breaks the line; the button sends. A question is answered by touch."""
    page = touch_page
    model.script(Reply(tools=[("choose", {"question": "Which color?"})]), Reply("Noted."))
    page.goto(clerk.page)
    field = page.locator("#message")
    expect(field).to_have_attribute("enterkeyhint", "enter")
    field.tap()
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    expect(field).to_have_value("one\ntwo")
    page.get_by_role("button", name="Send", exact=True).tap()
    expect(page.locator(".answer-line")).to_contain_text("Answers Clerk: Which color?")
    page.get_by_role("button", name="Blue").tap()
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    assert "Blue" in last_request(model)


def test_enter_of_an_input_method(clerk: Running, page: Page) -> None:
    """Enter that ends a composition sends nothing."""
    page.goto(clerk.page)
    field = page.locator("#message")
    field.fill("にほん")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    for event in ({"isComposing": True}, {"keyCode": 229}):
        field.evaluate(
            "(field, more) => field.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true,"
            " cancelable: true, ...more}))",
            event,
        )
    expect(field).to_have_value("にほん")
    expect(page.locator(".turn")).to_have_count(0)


def test_typing_into_a_long_text_stays_quick(clerk: Running, page: Page) -> None:
    """No key of a text of 100 kB waits for work that grows with it: nothing is stored or counted at once."""
    page.goto(clerk.page)
    field = page.locator("#message")
    field.fill("word " * 20_000)
    stored = """field => { let stored = 0; const set = Storage.prototype.setItem;
        Storage.prototype.setItem = function (...given) { stored += 1; return set.apply(this, given); };
        for (let key = 0; key < 5; key++) {
            field.setRangeText("a", field.value.length, field.value.length, "end");
            field.dispatchEvent(new InputEvent("input", { bubbles: true }));
        }
        return stored; }"""
    assert field.evaluate(stored) == 0
