"""A person asks for a human, and an operator answers from the desk, in two browsers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from agentchat.app import Running
from agentchat.http.public_files import template
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, say, session_of, turn
from tests.processes import ROOT

pytest_plugins = ["tests.browser"]

CONCIERGE = '''
"""Asks for a human."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def hand_to_human(reason: str) -> str:
        return chat.hand_to_human(reason)

    agent = ConversableAgent("concierge", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(hand_to_human, caller=agent, executor=user, description="hand_to_human")
    return user, agent
'''
REFUNDS = '''
"""Pays back, if an operator lets it."""
from autogen import ConversableAgent, UserProxyAgent, register_function
from agentchat.chat import needs_approval

@needs_approval(by="operator")
def pay_back(euros: int) -> str:
    return f"{euros} euros were paid back."

def build(llm_config, chat):
    agent = ConversableAgent("refunds", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(pay_back, caller=agent, executor=user, description="pay_back")
    return user, agent
'''
REASON = "Wants <b>the money</b> back"


@pytest.fixture
def concierge(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    """Start a chat server with an agent that asks for humans."""
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "concierge.py").write_text(CONCIERGE)
    (agents / "refunds.py").write_text(REFUNDS)
    return serve("--agents", str(agents), "--default-agent", "concierge", model=model)


def ask_for_a_human(page: Page, server: Running, model: ModelServer) -> None:
    model.script(Reply(tools=[("hand_to_human", {"reason": REASON})]), Reply("Somebody will come."))
    page.goto(server.page)
    say(page, "A human, please")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(banner(page)).to_contain_text("You asked for a person.")


def banner(page: Page) -> Locator:
    return page.locator(".handover-banner")


def state_of(page: Page) -> Locator:
    return page.locator(".handover-words")


def sit_down(page: Page, server: Running, name: str) -> Page:
    """Open the desk for the first time in this browser."""
    page.goto(f"{server.page}desk")
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Your name").press("Enter")
    expect(page.locator(".desk-name")).to_have_text(name)
    return page


def entries(page: Page, group: str) -> Locator:
    return page.locator(f'[data-group="{group}"] .desk-entry')


def test_an_operator_says_yes(concierge: Running, model: ModelServer, page: Page, somebody: Somebody) -> None:
    """A tool that waits for an operator shows its buttons at the desk, and only there."""
    model.script(Reply(tools=[("pay_back", {"euros": 5})]), Reply("Paid."))
    ada = somebody("Ada")
    ada.goto(f"{concierge.page}?agent=refunds")
    say(ada, "My money, please")
    card = ada.locator(".question-card")
    expect(card).to_contain_text("pay_back waits for an operator’s yes")
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)
    ann = sit_down(page, concierge, "Ann")
    expect(ann).to_have_title("(1) Desk")
    entries(ann, "asks").click()
    ann.locator(".question-card").get_by_role("button", name="Approve").click()
    for tab in (ada, ann):
        expect(tab.locator(".transcript")).to_contain_text("Paid.")
    expect(card).to_contain_text("Ann")
    expect(entries(ann, "asks")).to_have_count(0)


def test_a_human_answers_from_the_desk(concierge: Running, model: ModelServer, page: Page, somebody: Somebody) -> None:
    """A human answers from the desk.

    From the request to the note for the agents, each side sees what the other does.
    """
    ada = somebody("Ada")
    ask_for_a_human(ada, concierge, model)
    expect(banner(ada)).to_contain_text("Nobody is there right now")
    ann = sit_down(page, concierge, "Ann")
    expect(banner(ada)).to_contain_text("Somebody is there and will answer soon.")
    expect(ann).to_have_title("(1) Desk")
    expect(entries(ann, "waiting")).to_have_count(1)
    for words in ("Ada", REASON, "now"):
        expect(entries(ann, "waiting")).to_contain_text(words)
    say(ada, "Hello? <i>Anybody</i>?")
    expect(turn(ada, 2)).to_have_attribute("data-state", "completed")
    expect(ada.locator(".working").filter(visible=True)).to_have_count(0)
    expect(entries(ann, "waiting")).to_contain_text("“Hello? <i>Anybody</i>?”")

    entries(ann, "waiting").click()
    expect(ann.locator(".transcript")).to_contain_text("Hello? <i>Anybody</i>?")
    expect(ann.locator(".operator-bar")).to_contain_text("Ada waits for a person.")
    expect(ann.locator("#composer")).to_be_hidden()
    expect(ann.get_by_role("button", name="Take over")).to_be_focused()
    ann.get_by_role("button", name="Take over").click()
    expect(state_of(ada)).to_have_text("You are talking with Ann.")
    expect(ada.get_by_role("button", name="Back to the agents")).to_be_hidden()
    expect(ann).to_have_title("Desk")
    expect(entries(ann, "taken")).to_contain_text("You are talking")
    expect(ann.locator("#composer textarea")).to_be_focused()
    say(ann, "I am <b>Ann</b>. How can I help?")
    for tab in (ada, ann):
        expect(tab.locator(".transcript")).to_contain_text("I am <b>Ann</b>. How can I help?")
        expect(tab.locator('.message[data-state="pending"]')).to_have_count(0)
    expect(ada.locator("#composer textarea")).to_have_attribute("placeholder", "Message Ann")
    say(ada, "My train was late")
    expect(ann.locator(".transcript")).to_contain_text("My train was late")
    expect(ada.get_by_role("button", name="Retry").filter(visible=True)).to_have_count(0)

    model.script(Reply("I have heard of it."))
    ann.get_by_role("button", name="Hand back").click()
    ann.get_by_label("A note for the agents").fill("The money is on its way.")
    ann.get_by_label("A note for the agents").press("Enter")
    expect(banner(ada)).to_be_hidden()
    expect(ann.locator(".operator-bar")).to_contain_text("The agents have this conversation.")
    expect(ann.locator("#composer")).to_be_hidden()
    expect(entries(ann, "taken")).to_have_count(0)
    expect(ann.locator(".desk-note")).to_contain_text("Nobody waits.")
    say(ada, "And now?")
    expect(ada.locator(".turn").last).to_contain_text("I have heard of it.")
    expect(ada.locator(".turn").last).to_have_attribute("data-state", "completed")


def test_whoever_waits_can_go_back_to_the_agents(concierge: Running, model: ModelServer, page: Page) -> None:
    """A person who waits for a human can go back to the agents, also after a reload."""
    ask_for_a_human(page, concierge, model)
    page.reload()
    expect(banner(page)).to_contain_text("Nobody is there right now")
    page.get_by_role("button", name="Back to the agents").click()
    expect(banner(page)).to_be_hidden()
    model.script(Reply("Here I am again."))
    say(page, "hello")
    expect(page.get_by_text("Here I am again.", exact=True)).to_be_visible()


def test_the_desk_remembers_who_sits_there(
    concierge: Running, model: ModelServer, page: Page, somebody: Somebody
) -> None:
    """The desk remembers the operator's name and the open conversation; the name can be changed."""
    ask_for_a_human(somebody("Ada"), concierge, model)
    sit_down(page, concierge, "Ann")
    entries(page, "waiting").click()
    page.get_by_role("button", name="Take over").click()
    expect(page.locator("#composer")).to_be_visible()
    page.reload()
    expect(page.locator(".operator-bar")).to_contain_text("You are talking with Ada.")
    expect(page.locator("#composer")).to_be_visible()
    page.go_back()
    expect(page.locator(".desk-empty")).to_be_visible()

    page.get_by_role("button", name="Change").click()
    expect(page.get_by_label("Your name")).to_be_focused()
    sit_down(page, concierge, "Bob")
    expect(entries(page, "taken")).to_contain_text("With Ann")


def test_two_operators_do_not_answer_at_once(
    concierge: Running, model: ModelServer, page: Page, somebody: Somebody
) -> None:
    """Two operators can't answer the same conversation: the second sees who was first, and can't write."""
    ask_for_a_human(somebody("Ada"), concierge, model)
    ann, bob = sit_down(page, concierge, "Ann"), sit_down(somebody("Robert"), concierge, "Bob")
    expect(ann.locator(".desk-others")).to_have_text("Also here: Bob")
    for tab in (ann, bob):
        entries(tab, "waiting").click()
        expect(tab.get_by_role("button", name="Take over")).to_be_enabled()
    bob.get_by_role("button", name="Take over").click()
    expect(ann.locator(".operator-bar")).to_contain_text("Bob is talking with Ada.")
    expect(ann.get_by_role("button", name="Take over")).to_be_hidden()
    expect(ann.locator("#composer")).to_be_hidden()


def test_the_desk_on_a_phone(concierge: Running, model: ModelServer, page: Page, somebody: Somebody) -> None:
    """On a phone, the desk shows either the list or a conversation, with a way back."""
    ask_for_a_human(somebody("Ada"), concierge, model)
    page.set_viewport_size({"width": 390, "height": 844})
    sit_down(page, concierge, "Ann")
    entries(page, "waiting").click()
    expect(page.locator(".desk-side")).to_be_hidden()
    expect(page.locator(".transcript")).to_contain_text("A human, please")
    page.get_by_role("button", name="Back to the list").click()
    expect(entries(page, "waiting")).to_be_visible()


def test_what_an_operator_did_not_get_through_is_not_sent_as_a_person(
    concierge: Running, model: ModelServer, page: Page, somebody: Somebody
) -> None:
    """An operator's unsent message is never sent as a person's, even if the operator also chats in the same browser."""
    ask_for_a_human(somebody("Ada"), concierge, model)
    sit_down(page, concierge, "Ann")
    entries(page, "waiting").click()
    page.get_by_role("button", name="Take over").click()
    expect(page.locator("#composer")).to_be_visible()
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    say(page, "Only Ann says this")
    expect(page.locator('.message[data-state="pending"]')).to_be_visible()
    kept = page.evaluate("JSON.stringify(localStorage)")
    assert "Only Ann says this" not in kept


def test_a_conversation_looks_the_same_at_the_desk() -> None:
    """The desk has all of the chat's styles, except for elements it doesn't show."""
    pages = (template(ROOT / "website_files" / "templates" / name).decode() for name in ("chat.html", "desk.html"))
    chat, desk = (re.findall(r"/static/css/([\w/-]+)\.css", page) for page in pages)
    own = {"welcome", "sharing", "palette", "told", "settings", "composer/attachments", "composer/handover-banner"}
    shared = [name for name in chat if name not in own and not name.startswith("panels/")]
    assert shared == [name for name in desk if name != "desk"]


def test_the_chat_leads_to_the_desk(concierge: Running, page: Page) -> None:
    """The chat links to the desk, unobtrusively."""
    page.goto(concierge.page)
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_role("link", name="Operator desk").click()
    expect(page).to_have_url(re.compile(r"/desk$"))
    expect(page.get_by_label("Your name")).to_be_focused()


def test_a_deleted_conversation_says_so_at_the_desk(
    concierge: Running, model: ModelServer, page: Page, somebody: Somebody
) -> None:
    """A deleted conversation says so at the desk, and leaves the list."""
    ada = somebody("Ada")
    ask_for_a_human(ada, concierge, model)
    sit_down(page, concierge, "Ann")
    entries(page, "waiting").click()
    expect(page.get_by_role("button", name="Take over")).to_be_enabled()
    answer = page.request.delete(f"{concierge.page}api/agent-chat/sessions/{session_of(ada)}")
    assert answer.ok
    expect(page.locator(".operator-bar")).to_contain_text("This conversation was deleted.")
    expect(entries(page, "waiting")).to_have_count(0)
    page.reload()
    expect(page.locator(".operator-bar")).to_contain_text("This conversation was deleted.")
    expect(page.get_by_role("button", name="Take over")).to_be_hidden()
