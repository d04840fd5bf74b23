"""The page with questions, queued messages, retries, edits and several people."""

from __future__ import annotations

import json
import re
import signal
import threading
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from agentchat.app import Running
from tests.agent_files import code_block, code_pair
from tests.clients import ChatClient
from tests.conftest import Fork, Serve, config_list
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, answers, say, session_of, turn

pytest_plugins = ["tests.browser"]

CLERK = '''
"""Books hotels, and asks a lot."""
from autogen import ConversableAgent, UserProxyAgent, register_function
from autogen.io import IOStream
from agentchat.chat import needs_approval

def ask(question: str) -> str:
    return "The person said: " + IOStream.get_default().input(question)

def log_in(site: str) -> str:
    return f"{len(IOStream.get_default().input('Password for ' + site, password=True))} letters"

@needs_approval
def book(hotel: str, nights: int) -> str:
    return f"Booked: {nights} nights at {hotel}"

def build(llm_config, chat):
    agent = ConversableAgent("clerk", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="MODE", code_execution_config=False, default_auto_reply=None)
    for tool in (ask, log_in, book):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''
BOOKING = {"hotel": "Sandviken", "nights": 2}


@pytest.fixture
def clerk(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    """Start a chat server with an agent whose tools ask people."""
    return serve(*clerks(tmp_path), model=model)


def clerks(folder: Path) -> list[str]:
    """Return the options of a server with such agents."""
    agents = folder / "agents"
    agents.mkdir()
    (agents / "clerk.py").write_text(CLERK.replace("MODE", "NEVER"))
    (agents / "coder.py").write_text(code_pair())
    (agents / "polite.py").write_text(CLERK.replace("MODE", "ALWAYS"))
    return ["--agents", str(agents), "--default-agent", "clerk"]


def ask_to_book(page: Page, server: Running, model: ModelServer) -> Locator:
    """Start a turn that waits for approval and return its card."""
    model.script(Reply(tools=[("book", BOOKING)]), Reply("That was it."))
    page.goto(server.page)
    say(page, "Book it")
    card = page.locator(".approval")
    expect(card).to_have_attribute("data-state", "open")
    expect(page.locator(".tool-card")).to_have_attribute("data-state", "waiting")
    expect(page.locator(".tool-card")).to_contain_text("Waiting for approval")
    expect(card.locator(".argument-list")).to_contain_text("hotelSandviken")
    return card


def finished(page: Page, number: int = 1) -> None:
    expect(turn(page, number)).to_have_attribute("data-state", "completed")


def test_a_question_is_answered_with_a_button(clerk: Running, model: ModelServer, page: Page) -> None:
    """A question is answered with a button.

    AG2's terminal prompt is reworded, and the answered card shrinks to one line.
    """
    model.script(Reply(tools=[("book", BOOKING)]))
    page.goto(f"{clerk.page}?agent=polite")
    say(page, "hello")
    card = page.locator(".question-card")
    expect(card).to_have_attribute("data-state", "open")
    expect(card).to_contain_text("clerk wants to use book. Let it go on, end here, or write something.")
    expect(card.locator(".question-choices button")).to_have_text(["Continue", "End"])
    card.locator(".question-choices button").last.click()
    expect(card).to_have_attribute("data-state", "answered")
    expect(card).to_contain_text("User: ")
    expect(card.locator("button, textarea")).to_have_count(0)
    finished(page)


def test_a_question_survives_a_reload(clerk: Running, model: ModelServer, page: Page, context: BrowserContext) -> None:
    """A question survives a reload, and is answered in words, once for all tabs."""
    model.script(Reply(tools=[("ask", {"question": "Which city?"})]), Reply("Noted."))
    page.goto(clerk.page)
    say(page, "hello")
    expect(page.locator(".question-card")).to_contain_text("Which city?")
    page.reload()
    other = context.new_page()
    other.goto(page.url)
    for tab in (page, other):
        expect(tab.locator(".question-card")).to_have_attribute("data-state", "open")
    page.bring_to_front()  # a tab behind another one is slow
    say(page, "Bergen <b>")
    for tab in (page, other):
        expect(tab.locator(".question-card")).to_have_attribute("data-state", "answered")
        expect(tab.locator(".question-card")).to_contain_text("User: Bergen <b>")
    finished(page)


def test_a_question_outlives_the_server(fork: Fork, tmp_path: Path, model: ModelServer, page: Page) -> None:
    """An answer given while the server is down is sent when it is back."""
    options, environment = clerks(tmp_path), config_list(model)
    model.script(Reply(tools=[("ask", {"question": "Which city?"})]), Reply("Noted."))
    card = page.locator(".question-card")
    with fork("--port", "0", "--ws-port", "0", *options, environment=environment) as first:
        page.goto(first.page)
        say(page, "hello")
        expect(card).to_have_attribute("data-state", "open")
        ports = [re.findall(r":(\d+)/", address)[0] for address in (first.page, first.websocket)]
        first.signal(signal.SIGKILL)
        first.end()
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "offline")
    say(page, "Bergen")
    expect(card).to_contain_text("Your answer waits for the connection")
    with fork("--port", ports[0], "--ws-port", ports[1], *options, environment=environment):
        expect(card).to_have_attribute("data-state", "answered")
        finished(page)


def test_a_question_whose_turn_was_stopped_is_closed(clerk: Running, model: ModelServer, page: Page) -> None:
    """A question is closed when its turn is stopped, and can't be answered any more."""
    model.script(Reply(tools=[("ask", {"question": "Which city?"})]))
    page.goto(clerk.page)
    say(page, "hello")
    expect(page.locator(".question-card")).to_have_attribute("data-state", "open")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".question-card")).to_have_attribute("data-state", "closed")
    expect(page.locator(".question-card button")).to_have_count(0)


def test_a_password_stays_nowhere(clerk: Running, model: ModelServer, page: Page) -> None:
    """A password appears neither on the page nor in the browser's storage."""
    model.script(Reply(tools=[("log_in", {"site": "hotels.example"})]), Reply("You are in."))
    page.goto(clerk.page)
    say(page, "log in")
    card = page.locator('.question-card[data-kind="password"]')
    field = card.locator("input")
    expect(field).to_have_attribute("type", "password")
    expect(field).to_have_attribute("autocomplete", "off")
    field.fill("hunter2secret")
    field.press("Enter")
    expect(card).to_have_attribute("data-state", "answered")
    expect(page.locator(".tool-card")).to_have_attribute("data-state", "ok")
    finished(page)
    for reloaded in (False, True):
        if reloaded:
            page.reload()
            finished(page)
        kept = page.evaluate(
            "JSON.stringify([{...localStorage}, {...sessionStorage}, document.documentElement.outerHTML,"
            " [...document.querySelectorAll('input, textarea')].map((field) => field.value)])"
        )
        assert "hunter2secret" not in kept


def test_a_tool_is_approved(clerk: Running, model: ModelServer, page: Page) -> None:
    """A tool waits for approval, then runs."""
    card = ask_to_book(page, clerk, model)
    card.get_by_role("button", name="Approve").click()
    expect(card).to_have_attribute("data-state", "answered")
    expect(page.locator(".tool-card")).to_have_attribute("data-state", "ok")
    finished(page)


def test_a_tool_is_denied(clerk: Running, model: ModelServer, page: Page) -> None:
    """A denied tool does not run, and the turn goes on."""
    card = ask_to_book(page, clerk, model)
    card.get_by_role("button", name="Deny").click()
    expect(card).to_contain_text("denied it")
    expect(page.locator(".tool-card")).to_have_attribute("data-state", "denied")
    finished(page)
    assert "Booked" not in json.dumps(model.requests[-1]["body"])


def test_a_tool_gets_other_arguments(clerk: Running, model: ModelServer, page: Page) -> None:
    """A tool runs with edited arguments; invalid JSON is not sent."""
    card = ask_to_book(page, clerk, model)
    card.get_by_role("button", name="Edit").click()
    card.get_by_role("button", name="As JSON").click()
    field = card.get_by_label("Arguments as JSON")
    field.fill("{oops")
    card.get_by_role("button", name="Run with these").click()
    expect(card).to_contain_text("This is not JSON")
    field.fill('{"hotel": "Sandviken", "nights": 3}')
    card.get_by_role("button", name="Run with these").click()
    expect(card).to_have_attribute("data-state", "answered")
    finished(page)
    page.locator(".tool-card summary").click()
    expect(page.locator(".tool-card")).to_contain_text("Booked: 3 nights at Sandviken")


def test_code_is_approved(clerk: Running, model: ModelServer, page: Page) -> None:
    """Code waits for approval with its folder, and is edited as text, in the language of one's choice."""
    model.script(Reply(tokens=[code_block("for n in range(3):\n    print(n)")]), Reply("That was it. TERMINATE"))
    page.goto(f"{clerk.page}?agent=coder")
    say(page, "Count")
    card = page.locator(".approval")
    expect(card).to_contain_text("Code waits for your yes")
    expect(card).to_contain_text("language: python")
    expect(card.get_by_label("Code")).to_have_text("for n in range(3):\n    print(n)")
    card.get_by_role("button", name="Edit").click()
    card.get_by_label("Code").fill(" ")
    card.get_by_role("button", name="Run this").click()
    expect(card).to_contain_text("Write some code")
    card.get_by_label("Language").fill("sh")
    card.get_by_label("Code").fill("echo $((6 *\n7))")
    card.get_by_role("button", name="Run this").click()
    expect(card).to_contain_text("changed the code and approved it")
    finished(page)
    assert "Code output: [The person changed" in json.dumps(model.requests[-1]["body"])
    assert "42" in model.requests[-1]["body"]["messages"][-1]["content"]


def test_messages_that_wait_can_be_changed(server: Running, model: ModelServer, page: Page) -> None:
    """Queued messages can be edited, withdrawn, or sent now."""
    gate = threading.Event()
    model.script(Reply("one two", gate_after=(1, gate)), Reply("last"))
    page.goto(server.page)
    for text in ("a", "b", "c"):
        say(page, text)
    expect(page.locator(".queue-entry")).to_have_count(2)
    turn(page, 2).get_by_role("button", name="Withdraw").click()
    expect(turn(page, 2)).to_have_attribute("data-state", "withdrawn")
    expect(turn(page, 2)).to_contain_text("Withdrawn: b")
    turn(page, 3).get_by_role("button", name="Edit").click()
    field = turn(page, 3).get_by_label("Your message")
    field.fill("c, but better")
    field.press("Enter")
    expect(turn(page, 3).locator(".bubble")).to_have_text("c, but better")
    turn(page, 3).get_by_role("button", name="Send now").click()
    expect(turn(page, 1)).to_have_attribute("data-state", "stopped")
    finished(page, 3)
    assert answers(page)[-1] == "last"
    assert model.requests[-1]["body"]["messages"][-1]["content"] == "c, but better"


def test_an_answer_is_wanted_anew(server: Running, model: ModelServer, page: Page) -> None:
    """A retry or an edit replaces the old answer, also after a reload."""
    model.script(Reply("first"), Reply("second"), Reply("third"))
    page.goto(server.page)
    say(page, "hello")
    finished(page)
    page.locator(".turn-retry").click()
    expect(page.locator(".turn")).to_contain_text(["second"])
    expect(page.locator(".turn")).to_contain_text(["1 earlier version"])
    page.locator(".message").first.hover()
    page.locator(".message-edit").click()
    field = page.get_by_label("Your message")
    field.fill("hello, edited")
    field.press("Enter")
    expect(page.locator(".turn")).to_contain_text(["third"])
    expect(page.locator(".turn")).to_have_attribute("data-state", "completed")
    assert answers(page) == ["third"]
    page.reload()
    expect(page.locator(".turn .bubble")).to_have_text("hello, edited")
    assert answers(page) == ["third"]


def test_the_running_turn_is_edited(server: Running, model: ModelServer, page: Page) -> None:
    """Editing the running turn rolls it back, and the new text is answered."""
    model.script(Reply("one two", gate_after=(1, threading.Event())), Reply("better"))
    page.goto(server.page)
    say(page, "helo")
    expect(page.locator('.message[data-role="agent"]')).to_contain_text("one")
    page.locator('.message[data-role="person"]').hover()
    page.locator(".message-edit").click()
    page.get_by_label("Your message").fill("hello")
    page.get_by_label("Your message").press("Enter")
    expect(page.locator('.message[data-role="agent"]')).to_have_text(re.compile("better"))
    expect(page.locator(".turn")).to_have_count(1)


def test_three_people(clerk: Running, model: ModelServer, page: Page, somebody: Somebody) -> None:
    """Three people each see who is present, who is typing, and who said and decided what."""
    ada, ben = somebody("Ada"), somebody("Ben")
    card = ask_to_book(ada, clerk, model)
    ben.goto(ada.url)
    page.goto(ada.url)
    people = page.locator(".participants li")
    page.get_by_role("button", name="People").click()
    expect(people).to_have_count(3)
    expect(people.filter(has_text="you")).to_contain_text("User")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_label("Your name").fill("Cleo")
    page.get_by_label("Your name").press("Enter")
    page.keyboard.press("Escape")
    ada.get_by_role("button", name="People").click()
    expect(ada.locator(".participants")).to_contain_text("Cleo")
    expect(ada.locator(".participants li").filter(has_text="you")).to_contain_text("Ada")
    ada.keyboard.press("Escape")

    ben.get_by_role("button", name="Send as a new message").click()
    ben.locator("#composer textarea").press_sequentially("Too")
    expect(ada.locator(".typing-line")).to_have_text("Ben is writing…")
    expect(ben.locator(".typing-line")).to_have_text("")
    say(ben, "Too expensive?")
    expect(ada.locator(".typing-line")).to_have_text("")
    for tab in (ada, ben, page):
        expect(turn(tab, 2).locator(".message-name")).to_have_text("Ben")
    expect(turn(ada, 2).locator(".withdraw")).to_be_hidden()
    page.locator(".approval").get_by_role("button", name="Deny").click()
    for tab in (ada, ben, page):
        expect(tab.locator(".approval")).to_contain_text("Cleo denied it")
    expect(card).to_have_attribute("data-state", "answered")
    page.close()
    expect(ada.locator(".people-count")).to_have_text("2")


def test_a_viewer_only_reads(clerk: Running, model: ModelServer, page: Page, somebody: Somebody) -> None:
    """A viewer who follows the link that members copy can only read."""
    ada = somebody("Ada")
    ask_to_book(ada, clerk, model)
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ada.get_by_role("button", name="People").click()
    ada.get_by_role("button", name="Copy link for reading only").click()
    expect(ada.get_by_role("button", name="Copy link for reading only")).to_contain_text("Copied")
    link = ada.evaluate("navigator.clipboard.readText()")
    assert link == f"{clerk.page}?session={session_of(ada)}&role=viewer"
    page.goto(link)
    expect(page.get_by_text("You are reading along")).to_be_visible()
    expect(page.locator(".approval")).to_have_attribute("data-state", "open")
    expect(ada.locator('.participants li[data-role="viewer"]')).to_contain_text("reads only")
    for what in ("#composer", ".approval button", ".message-edit", ".sidebar", ".turn-retry"):
        expect(page.locator(what).filter(visible=True)).to_have_count(0)


def test_a_conversation_is_renamed_exported_found_and_deleted(
    serve: Serve, page: Page, context: BrowserContext
) -> None:
    """A conversation is renamed, exported, found and deleted, from the list or by its title; another tab follows."""
    server = serve("demo")
    page.goto(server.page)
    say(page, "What is the weather in Oslo?")
    finished(page)
    page.get_by_role("button", name="What is the weather in Oslo?", exact=True).click()
    page.get_by_label("Title").fill("<b>Umbrella</b>")
    page.get_by_label("Title").press("Enter")
    other = context.new_page()
    other.goto(page.url)
    for tab in (page, other):
        expect(tab.locator(".topbar-title")).to_have_text("<b>Umbrella</b>")
        expect(tab.locator(".conversation-list li")).to_contain_text(["<b>Umbrella</b>"])

    page.bring_to_front()  # a tab behind another one is slow
    page.locator(".conversation").hover()
    page.locator(".conversation-more").click()
    for format in ("markdown", "html", "json"):
        link = page.get_by_role("link", name=f"Export as {format}")
        with page.expect_download() as download:
            link.evaluate("(link) => link.click()")
        assert "weather in Oslo" in Path(download.value.path()).read_text()
        if format != "json":
            page.locator(".conversation-more").click()
    page.locator(".search").fill("mock")
    expect(page.locator(".conversation-list .conversation-match mark").first).to_have_text(
        re.compile("mock", re.IGNORECASE)
    )
    page.locator(".search").fill("nothing of the kind")
    expect(page.locator(".conversation-list-note")).to_contain_text("Nothing found")
    page.locator(".search").fill("umbr")
    expect(page.locator(".conversation-list .conversation-title mark")).to_have_text("Umbrella")

    page.locator(".conversation").hover()
    page.locator(".conversation-more").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".conversation-list li")).to_have_count(0)
    expect(page.locator(".welcome")).to_be_visible()
    page.goto("about:blank")  # which ends the time in which it could be brought back
    expect(other.locator(".deleted-banner")).to_contain_text("This conversation was deleted.")


def test_a_conversation_that_was_deleted_elsewhere_takes_no_more(
    server: Running, model: ModelServer, page: Page
) -> None:
    """A conversation deleted elsewhere says so and stops reconnecting; an unsent draft goes into a new one."""
    page.goto(server.page)
    say(page, "one")
    finished(page)
    page.locator("#composer textarea").fill("and two")
    answer = page.request.delete(f"{server.page}api/agent-chat/sessions/{session_of(page)}")
    assert answer.ok
    expect(page.locator(".deleted-banner")).to_contain_text("This conversation was deleted.")
    expect(page.locator(".status")).to_have_text(re.compile("Deleted"))
    expect(page.locator(".conversation-list li")).to_have_count(0)
    for name in ("Send", "Reconnect now"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_hidden()
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your name").press("Enter")  # which opens a new connection if one was open
    page.keyboard.press("Escape")
    expect(turn(page, 1)).to_be_visible()
    expect(page.locator(".status")).to_have_attribute("data-status", "deleted")
    page.locator(".deleted-banner").get_by_role("button", name="New conversation").click()
    expect(page.locator("#composer textarea")).to_have_value("and two")
    page.locator("#composer textarea").press("Enter")
    finished(page)
    expect(page.locator(".turn")).to_have_count(1)


def test_there_are_more_conversations(server: Running, page: Page) -> None:
    """The list shows one page of conversations, and the rest on request."""
    page.goto(server.page)
    for number in range(52):
        answer = page.request.post(f"{server.page}api/agent-chat/sessions", data={"title": f"Number {number}"})
        assert answer.ok
    page.reload()
    expect(page.locator(".conversation-list li")).to_have_count(50)
    page.get_by_role("button", name="More", exact=True).click()
    expect(page.locator(".conversation-list li")).to_have_count(52)
    expect(page.get_by_role("button", name="More", exact=True)).to_be_hidden()


def test_a_full_conversation_goes_on_in_a_new_one(serve: Serve, model: ModelServer, page: Page) -> None:
    """A full conversation continues in a new one, with what the person wrote, sent or not."""
    server = serve("--max-messages-per-session", "1", model=model)
    page.goto(server.page)
    say(page, "one")
    finished(page)
    say(page, "two")
    card = page.locator('.error-card[data-code="session_full"]')
    expect(page.locator('.message[data-state="refused"]')).to_contain_text("two")
    page.locator("#composer textarea").fill("and three")
    card.get_by_role("button", name="New conversation").click()
    expect(page.locator("#composer textarea")).to_have_value("two\n\nand three")
    page.locator("#composer textarea").press("Enter")
    finished(page)
    expect(page.locator('.message[data-role="person"]')).to_have_count(1)


def test_a_reload_right_after_the_first_message(server: Running, page: Page) -> None:
    """A reload right after the first message never loses or repeats it, however far it had got."""
    page.goto(server.page)
    say(page, "hello")
    session_of(page)  # assigned with the first frame
    page.reload()
    finished(page)
    expect(page.locator('.message[data-role="person"]')).to_have_count(1)
    with ChatClient(server.websocket, session=session_of(page)) as client:
        assert client.confirmed()["last_seq"] > 0
        assert client.until("user_message")["content"]["text"] == "hello"
