"""The page's steps between a question and its answer: thoughts, tools, nested chats, hand-offs, files, events."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from agentchat.app import Running
from tests.conftest import Serve
from tests.model_server import ModelServer, Piece, Reply
from tests.pages import say, turn
from tests.stories import PIXEL, a_turn, began, called, ran, said

pytest_plugins = ["tests.browser"]
READER = '''
"""Reads slowly."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def read(pages: int) -> str:
        chat.progress(1, pages, "Reading page 1")
        chat.ask("Go on?")
        chat.progress(pages + 1, None, "Looking for more")
        chat.ask("And on?")
        return "All read"

    agent = ConversableAgent("reader", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(read, caller=agent, executor=user, description="Reads.")
    return user, agent
'''

WRITER = '''
"""Asks a critic before it answers."""
from autogen import ConversableAgent, UserProxyAgent

def build(llm_config, chat):
    writer = ConversableAgent("writer", llm_config=llm_config, human_input_mode="NEVER")
    critic = ConversableAgent("critic", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    chat = {"recipient": critic, "message": "Is this a poem?", "max_turns": 1, "summary_method": "last_msg"}
    writer.register_nested_chats([chat], trigger=user)
    return user, writer
'''


NO_TOOL = "Error: Function fly not found."


def agents(folder: Path, **sources: str) -> list[str]:
    """Return the options of a server with only these agents."""
    (folder / "agents").mkdir()
    for name, source in sources.items():
        (folder / "agents" / f"{name}.py").write_text(source)
    return ["--agents", str(folder / "agents")]


def show(page: Page, level: str) -> None:
    page.locator(".detail-select").select_option(level)


def test_a_thought_is_closed_above_its_answer(tell: Callable[..., Page]) -> None:
    """A thought is collapsed above its answer, and opens as rich text."""
    thought = ("reasoning", {"message_id": "r1", "sender": "forecaster", "content": "They want **rain**."})
    page = tell(*a_turn(1, "Oslo?", thought, said("forecaster", "Sunny.")))

    expect(page.locator(".turn-items > *").nth(1)).to_have_class(re.compile(r"\breasoning\b"))
    expect(page.locator(".reasoning .prose")).to_be_hidden()
    page.get_by_text("Thought").click()
    expect(page.locator(".reasoning strong")).to_have_text("rain")


def test_how_long_a_thought_took(tell: Callable[..., Page]) -> None:
    """The line says it in whole seconds, and nothing of what was over at once or comes from an older log."""
    steps = [("reasoning", {"message_id": f"r{ms}", "sender": "forecaster", "content": "Hm.", **took}) for ms, took in (
        (1, {"duration_ms": 12_345}), (2, {"duration_ms": 83_000}), (3, {"duration_ms": 12}), (4, {}),
    )]  # fmt: skip
    page = tell(*a_turn(1, "Oslo?", *steps, said("forecaster", "Sunny.")))

    expect(page.locator(".reasoning summary")).to_have_text(
        ["Thought for 12s", "Thought for 1m 23s", "Thought", "Thought"]
    )


def test_thoughts_stream(server: Running, model: ModelServer, page: Page) -> None:
    """Thoughts are one line with their newest words while they stream, and open by a click; a reload shows the same."""
    thinking, speaking = threading.Event(), threading.Event()
    tokens: list[Piece] = [{"reasoning": "Rain "}, {"reasoning": "or sun?"}, "It ", "is ", "sunny."]
    model.script(Reply(tokens=tokens, gate_after=(2, thinking)), Reply(tokens=tokens, gate_after=(4, speaking)))
    page.goto(server.page)
    say(page, "Oslo?")
    thought = turn(page, 1).locator(".reasoning")
    expect(thought.locator("summary")).to_have_text("Thinking…Rain or sun?")
    expect(thought.locator(".prose")).to_be_hidden()
    thought.locator("summary").click()
    expect(thought.locator(".prose")).to_have_text("Rain or sun?")
    expect(thought.locator("summary")).to_have_text("Thinking…")
    expect(turn(page, 1).locator(".speaker-name")).to_have_text("Forecaster")
    thinking.set()
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(thought.locator("summary")).to_have_text(re.compile(r"^Thought( for \d+s)?$"))
    expect(thought.locator(".prose")).to_be_visible()  # as the reader opened it

    say(page, "Bergen?")
    expect(turn(page, 2).locator(".message").last).to_contain_text("It is")
    expect(turn(page, 2).locator(".reasoning .prose")).to_be_hidden()
    speaking.set()
    expect(turn(page, 2)).to_have_attribute("data-state", "completed")
    page.reload()
    expect(page.locator(".reasoning")).to_have_count(2)
    expect(page.locator(".reasoning .prose:visible")).to_have_count(0)


def test_calls_at_once_stand_under_who_made_them(tell: Callable[..., Page]) -> None:
    """Parallel calls are shown under the agent that made them, each with its result.

    A call of an unknown tool has failed.
    """
    page = tell(
        *a_turn(
            1,
            "Oslo and Bergen?",
            called("coder", ("c1", "look", {"city": "Oslo"}), ("c2", "look", {"city": "Bergen"}), ("c3", "fly", {})),
            began("c1", "look", {"city": "Oslo"}),
            began("c2", "look", {"city": "Bergen"}),
            ran("c2", "look", "rainy"),
            ran("c1", "look", "sunny"),
            (
                "tool_response",
                {"tool_responses": [{"tool_call_id": "c3", "content": "Error: Function fly not found."}]},
            ),
            said("planner", "Both are seen."),
        )
    )

    cards = page.locator(".tool-card")
    assert [card.get_attribute("data-state") for card in cards.all()] == ["ok", "ok", "failed"]
    expect(page.locator(".speaker-name")).to_have_text(["Coder", "Planner"])
    for place, words in enumerate(["sunny", "rainy", "Function fly not found"]):
        cards.nth(place).locator("summary").click()
        expect(cards.nth(place)).to_contain_text(words)


def test_images_are_shown_only_when_they_come_along(tell: Callable[..., Page]) -> None:
    """Only embedded images are shown, no wider than the column; a remote one is a link and never fetched."""
    elsewhere = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    parts = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": PIXEL}}, elsewhere]
    page = tell(
        *a_turn(
            1,
            "Draw",
            called("painter", ("c1", "draw", {})),
            began("c1", "draw", {}),
            ran("c1", "draw", parts[:2]),
            said("painter", parts),
        )
    )
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.reload()

    answer = page.locator(".message[data-role=agent]")
    expect(answer.get_by_role("img", name="Image from Painter")).to_have_js_property("naturalWidth", 1)
    expect(answer.get_by_role("link", name="https://example.org/a.png")).to_have_attribute("rel", "noopener noreferrer")
    page.locator(".tool-card summary").click()
    expect(page.locator(".tool-details").get_by_role("img")).to_be_visible()
    expect(page.locator(".tool-details")).to_contain_text("Look:")
    assert not [url for url in requests if "example.org" in url]


def test_a_nested_chat_is_one_closed_block(tell: Callable[..., Page]) -> None:
    """A nested chat is one collapsed block with its own bubbles and tools; the answer stands outside it."""
    inside: dict[str, Any] = {"within": "writer"}
    page = tell(
        *a_turn(
            1,
            "A poem",
            ("post_carryover_processing", {"chat_info": {"sender": "writer", "recipient": "critic"}, **inside}),
            said("writer", "Is this a poem?", **inside),
            called("critic", ("c1", "count", {"text": "Roses"}), **inside),
            began("c1", "count", {}, **inside),
            ran("c1", "count", "1", **inside),
            said("critic", "It is short.", **inside),
            said("writer", "Roses are red."),
        )
    )

    block = page.locator(".nested-chat")
    expect(block).not_to_have_attribute("open", "")
    expect(page.get_by_text("It is short.")).to_be_hidden()
    block.get_by_text("Inner conversation").click()
    expect(block.locator(".nested-chat-start")).to_have_text("Writer → Critic")
    expect(block.locator(".message")).to_have_count(2)
    expect(block.locator(".speaker-name")).to_have_text(["Writer", "Critic"])
    expect(block.locator(".tool-card")).to_have_attribute("data-state", "ok")
    expect(page.locator(".turn > .turn-items > .message")).to_have_text("Roses are red.Copy")


def test_a_nested_chat_is_open_while_it_goes_on(serve: Serve, model: ModelServer, page: Page, tmp_path: Path) -> None:
    """AG2's own nested chat streams in its open block, which closes when the outer agent has answered."""
    server = serve(*agents(tmp_path, writer=WRITER), model=model)
    gate = threading.Event()
    model.script(Reply("It is short.", gate_after=(2, gate)))
    page.goto(server.page)
    say(page, "A poem")
    block = page.locator(".nested-chat")
    expect(block.get_by_text("It is")).to_be_visible()
    expect(block.get_by_role("article", name="Critic")).to_have_attribute("data-state", "streaming")
    gate.set()
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(block).to_have_count(1)
    expect(block.get_by_text("It is short.")).to_be_hidden()
    expect(page.locator(".turn > .turn-items > .message")).to_contain_text("It is short.")


def test_hand_overs_are_lines_across(tell: Callable[..., Page]) -> None:
    """Hand-offs are shown as lines in words, wherever they occur; an operator's messages are marked as a human's."""
    operator = {"sender": "Ann", "recipient": "user", "message_id": "o1", "operator": True}
    page = tell(
        *a_turn(
            1,
            "I want my money back",
            ("handoff", {"from": "concierge", "to": "weather", "reason": "It rained", "kind": "agents"}),
            ("handoff", {"from": "weather", "to": "human", "reason": "A refund", "kind": "wanted"}),
            said("weather", "I asked for a person."),
        ),
        (0, "handoff", {"from": "human", "to": "Ann", "reason": "", "kind": "taken"}),
        (2, "text", {"content": "What happened?", **operator}),
        *a_turn(3, "It broke.", agent="human", duration_ms=0, usage={"prompt_tokens": 0, "completion_tokens": 0}),
        (4, "handoff", {"from": "Ann", "to": "weather", "reason": "Refunded", "kind": "returned"}),
    )

    expect(page.locator(".handoff-line")).to_have_text(
        [
            "Concierge → Weather: It rained",
            "Weather asks for a person: A refund",
            "Ann took over",
            "Ann gave the conversation back: Refunded",
        ]
    )
    expect(turn(page, 2).locator(".speaker")).to_contain_text("Annperson")
    expect(turn(page, 2).get_by_role("article", name="Ann")).to_have_text("What happened?Copy")
    expect(turn(page, 3).locator(".message")).to_have_count(1)
    expect(turn(page, 3).locator(".turn-notice, .ending:visible, .working:visible")).to_have_count(0)


def test_an_empty_answer_says_so(tell: Callable[..., Page]) -> None:
    """An empty answer says so instead of looking broken."""
    page = tell(*a_turn(1, "Say nothing", said("forecaster", "")))

    expect(turn(page, 1)).to_contain_text("The answer was empty.")
    expect(turn(page, 1).locator(".message[data-role=agent]")).to_have_count(0)


def test_files_are_links(tell: Callable[..., Page]) -> None:
    """Files are download links; uploads are shown between turns."""
    page = tell(
        *a_turn(
            1,
            "Write it",
            ("file_changed", {"path": "notes/my day.md", "kind": "created", "size": 870, "by": "coder"}),
            ("file_changed", {"path": "old.md", "kind": "deleted", "size": 0, "by": "coder"}),
            said("coder", "Done."),
        ),
        (0, "file_changed", {"path": "plan.pdf", "kind": "created", "size": 2_000_000, "by": "Ada"}),
    )

    expect(page.locator(".files-line")).to_have_text(
        ["Coder wrotenotes/my day.md870 bytes", "Coder deletedold.md", "Ada addedplan.pdf2.0 MB"]
    )
    address = page.get_by_role("link", name="notes/my day.md").get_attribute("href")
    assert address is not None
    assert address.startswith("./api/agent-chat/sessions/")
    assert address.endswith("/files/notes%2Fmy%20day.md")
    expect(page.get_by_role("link", name="old.md")).to_have_count(0)


def test_progress(serve: Serve, model: ModelServer, page: Page, tmp_path: Path) -> None:
    """A running tool's card shows a progress bar, also after a reload, until the tool is done."""
    server = serve(*agents(tmp_path, reader=READER), model=model)
    model.script(Reply(tools=[("read", {"pages": 4})]), Reply("Read."))
    page.goto(server.page)
    say(page, "Read it")
    bar = page.locator(".tool-card progress")
    for _ in range(2):
        expect(bar).to_have_js_property("position", 0.25)
        expect(page.locator(".tool-progress")).to_have_text("Reading page 125 %")
        page.reload()
    expect(page.locator(".answer-line")).to_be_visible()
    say(page, "yes")
    expect(page.locator(".tool-progress")).to_have_text("Looking for more5")
    expect(bar).to_have_js_property("position", -1)
    expect(page.locator(".answer-line")).to_be_visible()
    say(page, "yes")
    expect(page.locator(".tool-card")).to_have_attribute("data-state", "ok")
    expect(bar).to_be_hidden()


def test_the_switch(tell: Callable[..., Page]) -> None:
    """The detail switch takes effect at once, and is remembered."""
    page = tell(
        *a_turn(
            1,
            "Oslo?",
            ("select_speaker", {"agents": ["planner", "forecaster"]}),
            said("planner", "I shall look."),
            called("forecaster", ("c1", "look", {})),
            began("c1", "look", {}),
            ran("c1", "look", "sunny"),
            ("termination", {"termination_reason": "done", "sender": "forecaster", "recipient": "user"}),
            said("forecaster", "Sunny."),
        )
    )
    messages, cards, events = (page.locator(f".turn .{name}") for name in ("message", "tool-card", "event-line"))

    def expect_counts(*counts: int) -> None:
        for locator, count in zip((messages, cards, events), counts, strict=True):
            expect(locator).to_have_count(count)

    expect_counts(3, 1, 0)
    show(page, "final")
    expect_counts(2, 0, 0)
    expect(messages.last).to_contain_text("Sunny.")
    show(page, "agents")
    expect_counts(3, 0, 0)
    show(page, "all")
    expect_counts(3, 1, 2)
    expect(events.first).to_contain_text('select_speakeragents: ["planner","forecaster"]')
    events.last.locator("summary").click()
    expect(events.last.locator("pre")).to_contain_text('"termination_reason": "done"')

    page.reload()
    expect(page.get_by_role("combobox", name="Show")).to_have_value("all")
    expect_counts(3, 1, 2)


def test_sources_open_in_a_new_tab(tell: Callable[..., Page]) -> None:
    """Links to this server's documents open in a new tab; links of other schemes lead nowhere."""
    text = "See [Rules, p. 3](/api/agent-chat/knowledge/rules), [x](//evil.example) and [y](javascript:alert(1))."
    page = tell(*a_turn(1, "What are the rules?", said("librarian", text)))

    expect(page.locator(".prose a")).to_have_count(3)
    expect(page.locator(".prose a[href='//evil.example']")).to_have_text("x")
    expect(page.locator(".prose a:not([href])")).to_have_text("y")
    links = page.locator(".prose a.citation")
    expect(links).to_have_text("Rules, p. 3")
    assert links.get_attribute("href") == "./api/agent-chat/knowledge/rules"
    with page.expect_popup() as popup:
        links.click()
    assert popup.value.url.endswith("/api/agent-chat/knowledge/rules")
    assert popup.value.evaluate("window.opener") is None


def test_costs_of_each_agent(tell: Callable[..., Page]) -> None:
    """The costs of each agent open below a turn, also by keyboard.

    The conversation's total stands next to the model.
    """
    shares = {
        "planner": {"prompt_tokens": 1200, "completion_tokens": 300, "cost": 0.01},
        "coder": {"prompt_tokens": 800, "completion_tokens": 100, "cost": 0.002},
    }
    usage = {"prompt_tokens": 2000, "completion_tokens": 400, "cost": 0.012, "agents": shares}
    page = tell(*a_turn(1, "Plan", said("coder", "Done."), usage=usage), *a_turn(2, "Again", said("coder", "Yes.")))

    line = turn(page, 1).locator(".ending-costs")
    expect(line).to_have_text("1.2s · 2,000 tokens in, 400 out · $0.01")
    line.focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name="What this answer took")
    expect(panel.get_by_role("row")).to_have_text(
        ["AgentTokens inOutCost", "Planner1,200300$0.0100", "Coder800100$0.0020", "Together2,000400$0.0120"]
    )
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(line).to_be_focused()
    expect(page.locator(".model-name")).to_have_text("Model: demo · 2,534 tokens · at least $0.01")


def test_on_a_phone(tell: Callable[..., Page]) -> None:
    """On a phone, none of the steps is wider than the screen."""
    name = "c" * 80
    parts = [{"type": "text", "text": "a" * 300}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    page = tell(
        *a_turn(
            1,
            "Oslo?",
            ("handoff", {"from": "planner", "to": "coder", "reason": "b" * 200, "kind": "agents"}),
            (
                "post_carryover_processing",
                {"chat_info": {"sender": name, "recipient": "critic"}, "within": name},
            ),
            said(name, "d" * 300, within=name),
            ("file_changed", {"path": "e" * 200, "kind": "created", "size": 1, "by": "coder"}),
            ("termination", {"termination_reason": "f" * 300}),
            said("coder", parts),
        )
    )
    show(page, "all")
    page.set_viewport_size({"width": 320, "height": 640})
    page.evaluate("document.querySelectorAll('.turn details').forEach((each) => (each.open = true))")

    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate("document.querySelector('.scroller').scrollWidth") <= 320
