"""Programs on the page: what they print and ask, the agents in their tools and threads, and the results of code."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from agentchat.app import Running
from tests.agent_files import write_agents
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import say, turn
from tests.stories import a_turn, began, called, ran, said, write_story

pytest_plugins = ["tests.browser"]

HEAD = '''
"""A program."""
from concurrent.futures import ThreadPoolExecutor
from getpass import getpass
from autogen import ConversableAgent, UserProxyAgent, register_function

def agent(name, llm_config):
    return ConversableAgent(name, llm_config=llm_config, human_input_mode="NEVER")

def pair(llm_config, name, *tools, mode="NEVER"):
    user = UserProxyAgent("user", human_input_mode=mode, code_execution_config=False, default_auto_reply=None)
    boss = agent(name, llm_config)
    for tool in tools:
        register_function(tool, caller=boss, executor=user, description=tool.__name__)
    return user, boss
'''

PROGRAMS = {
    "builder": """
def build(llm_config, chat):
    def compile_all(target: str) -> str:
        print("\\x1b[32mBuilding\\x1b[0m <b>", target)
        for number in range(50):
            print("cc module", number)
        print("Linking 10%", end="\\rLinking 60%")
        input("Go on?")
        print("\\rLinking 100%")
        for number in range(50):
            print("strip module", number)
        input("And on?")
        return "Built."
    return pair(llm_config, "builder", compile_all)
""",
    "clerk": """
def on_message(message, chat):
    print("Opening the archive")
    name = input("Your name? ")
    password = getpass("Password for the archive: ")
    print("Opened")
    return f"Hello {name}, {len(password)} letters"
""",
    "booker": """
def build(llm_config, chat):
    def book(seat: str) -> str:
        return "Booked " + seat
    return pair(llm_config, "booker", book, mode="ALWAYS")
""",
    "researcher": """
def build(llm_config, chat):
    def research(topic: str) -> str:
        asker = ConversableAgent("asker", llm_config=False, human_input_mode="NEVER", default_auto_reply="")
        return str(asker.initiate_chat(agent("botanist", llm_config), message=topic, max_turns=1).summary)
    return pair(llm_config, "researcher", research)
""",
    "threads": """
def on_message(message, chat):
    def ask(name):
        return agent(name, chat.llm_config).generate_reply([{"role": "user", "content": message}])
    with ThreadPoolExecutor() as pool:
        return " ".join(pool.map(ask, ["left", "right"])).upper()
""",
}


@pytest.fixture
def server(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    return serve(
        "--agents", write_agents(tmp_path, **{name: HEAD + text for name, text in PROGRAMS.items()}), model=model
    )


def begin(page: Page, server: Running, program: str, text: str = "Hi") -> None:
    page.goto(server.page)
    page.get_by_role("radio", name=program).check(force=True)
    say(page, text)


def reply(page: Page, text: str) -> None:
    expect(page.locator(".answer-line")).to_contain_text("Answers")
    say(page, text)


def expect_completed(page: Page) -> None:
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")


def test_the_output_of_a_tool(server: Running, model: ModelServer, page: Page, context: BrowserContext) -> None:
    """A tool's output is in its card, as a terminal would show it, and follows its end unless the reader scrolled up.

    Whoever joins gets all of it. It collapses with the turn, isn't an answer, and is gone after a reload.
    """
    model.script(Reply(tools=[("compile_all", {"target": "all"})]), Reply("It is built."))
    begin(page, server, "builder")
    text = page.locator(".tool-card .output-text")
    expect(text).to_contain_text("Linking 60%")
    expect(text).to_contain_text("Building <b> all")
    expect(text).not_to_contain_text("10%")
    assert text.evaluate("e => e.scrollHeight > e.clientHeight && e.scrollHeight - e.scrollTop - e.clientHeight < 4")
    expect(page.locator('.message[data-role="agent"]')).to_have_count(0)
    with context.new_page() as other:
        other.goto(page.url)
        expect(other.locator(".tool-card .output-text")).to_contain_text("cc module 49")

    text.evaluate("e => e.scrollTo(0, 5)")
    page.wait_for_function("document.querySelector('.output-text').scrollTop === 5")
    reply(page, "yes")
    expect(text).to_contain_text("strip module 49")
    assert text.evaluate("e => e.scrollTop") == 5
    reply(page, "yes")
    expect_completed(page)
    expect(text).to_be_hidden()
    expect(page.locator(".message[data-role=agent] .prose")).to_have_text("It is built.")
    page.get_by_text("102 lines").click()
    expect(text).to_be_visible()
    page.reload()
    expect(page.locator(".tool-card")).to_have_attribute("data-state", "ok")
    expect(page.locator(".output")).to_have_count(0)


def test_the_console_of_a_program(server: Running, page: Page) -> None:
    """Output outside tools is a block of the turn; `input` and `getpass` ask as agents do."""
    begin(page, server, "clerk")
    expect(page.locator(".turn-output .output-text")).to_have_text("Opening the archive\n")
    expect(page.locator(".question-card")).to_contain_text("Clerk asksYour name?")
    expect(page.locator(".working")).to_be_hidden()
    reply(page, "Ada")
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "password")
    page.get_by_label("Password", exact=True).fill("secret")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect_completed(page)
    expect(page.locator(".message[data-role=agent] .prose")).to_have_text("Hello Ada, 6 letters")
    expect(page.locator(".turn-output summary")).to_have_text(re.compile(r"Output\d lines?"))
    expect(page.locator(".turn-output .output-text")).to_be_hidden()


def test_a_prompt_of_ag2(server: Running, model: ModelServer, page: Page) -> None:
    """AG2's question before a tool is in plain words, with buttons; afterwards it is one line."""
    model.script(Reply(tools=[("book", {"seat": "12A"})]), Reply("Booked."))
    begin(page, server, "booker")
    card = page.locator(".question-card")
    expect(card).to_contain_text("Booker waits for your reply")
    expect(card).to_contain_text("booker wants to use book. Let it go on, end here, or write something.")
    expect(card.get_by_role("button", name="End", exact=True)).to_be_visible()
    card.get_by_role("button", name="Continue", exact=True).click()
    expect(card).to_have_text(re.compile(r"^Reply to Booker\s+User: Continue$"), use_inner_text=True)
    expect(page.locator(".tool-card")).to_have_attribute("data-state", "ok")


def test_agents_in_a_tool(server: Running, model: ModelServer, page: Page) -> None:
    """The agents of a tool talk in its card, which closes when the tool is done; the answer is there once."""
    gate = threading.Event()
    model.script(
        Reply(tools=[("research", {"topic": "moss"})]),
        Reply("It is green.", gate_after=(2, gate)),
        Reply("Moss is green."),
    )
    begin(page, server, "researcher")
    inner = page.locator(".tool-card > .nested-chat")
    expect(inner.get_by_role("article", name="Botanist")).to_have_attribute("data-state", "streaming")
    expect(inner.locator(".speaker-name")).to_have_text(["Asker", "Botanist"])
    gate.set()
    expect_completed(page)
    expect(inner.locator("summary")).to_have_text("Inner conversationwith Asker and Botanist2 steps")
    expect(inner.get_by_text("It is green.")).to_be_hidden()
    expect(page.locator(".turn > .turn-items > .message .prose")).to_have_text("Moss is green.")
    page.reload()
    inner.locator("summary").click()
    expect(inner.locator(".message .prose")).to_have_text(["moss", "It is green."])


def test_agents_in_threads(server: Running, model: ModelServer, page: Page) -> None:
    """Agents that answer at the same time stream each in its own message, and the program has the last word."""
    gate = threading.Event()
    model.script(*(Reply("one two three", gate_after=(1, gate)) for _ in range(2)))
    begin(page, server, "threads")
    streams = page.locator('.message[data-state="streaming"] .prose')
    expect(streams).to_have_text(["one", "one"])
    gate.set()
    expect_completed(page)
    said = ["one two three", "one two three", "ONE TWO THREE ONE TWO THREE"]
    expect(page.locator('.message[data-role="agent"]:visible .prose')).to_have_text(said)


def test_hundreds_of_inner_steps(serve: Serve, page: Page, tmp_path: Path) -> None:
    """Inner steps are one line, however many, and are built only when it is opened. Results of code are monospaced."""
    inside: dict[str, Any] = {"within": "solver"}
    steps = [said(f"thinker_{number % 3}", f"Step {number}", **inside) for number in range(400)]
    result = said("user_proxy", "exitcode: 1 (execution failed)\nCode output: <b>No</b> module\n  a.py")
    session = write_story(
        tmp_path / "data",
        [
            *a_turn(1, "Solve it", *steps, said("solver", "Run `a.py`."), result, said("solver", "It is 42.")),
            *a_turn(
                2,
                "Fly",
                called("solver", ("c1", "fly", {})),
                began("c1", "fly", {}),
                ran("c1", "fly", "Up."),
                said("solver", "Up."),
            ),
        ],
    )
    page.goto(f"{serve('demo').page}?session={session}")
    block = page.locator(".nested-chat")
    expect(block.locator("summary")).to_contain_text("400 steps")
    expect(block.locator(".message")).to_have_count(0)
    block.locator("summary").click()
    expect(block.locator(".message")).to_have_count(100)  # the latest
    block.get_by_role("button", name="Earlier messages").click()
    expect(block.locator(".message")).to_have_count(200)

    card = page.locator(".code-result")
    expect(card).to_contain_text("The code failed with exit code 1")
    expect(card.locator("pre")).to_have_text("<b>No</b> module\n  a.py")
    expect(page.locator(".speaker-name").filter(has_text="User proxy")).to_be_visible()
    expect(turn(page, 2).get_by_text("Up.").locator("visible=true")).to_have_count(1)
