"""The plan of a conversation on the page: a checklist for agents and people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from agentchat.app import Running
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.pages import Somebody, say, turn

pytest_plugins = ["tests.browser"]

PLANNER = '''
"""Plans."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def plan(title: str, details: str = "", depends_on: list[int] = []) -> str:
        return str(chat.plan.create(title, details, depends_on).id)

    def change(id: int, status: str) -> str:
        return chat.plan.update(id, status=status).status

    agent = ConversableAgent("planner", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (plan, change):
        register_function(tool, caller=agent, executor=user, description=tool.__name__)
    return user, agent
'''
TASKS: list[tuple[str, dict[str, Any]]] = [
    ("plan", {"title": "Bake <b>a cake</b>", "details": "With candles."}),
    ("plan", {"title": "Invite people"}),
    ("plan", {"title": "Celebrate", "depends_on": [1, 2]}),
]


@pytest.fixture
def planner(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    """Start a chat server with an agent that plans."""
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "planner.py").write_text(PLANNER)
    return serve("--agents", str(agents), "--default-agent", "planner", model=model)


def make_plan(page: Page, server: Running, model: ModelServer) -> None:
    model.script(*[Reply(tools=[task]) for task in TASKS], Reply("Here is the plan."))
    page.goto(server.page)
    say(page, "Plan a party")
    expect(turn(page, 1)).to_have_attribute("data-state", "completed")
    expect(page.locator(".task-title")).to_have_text([arguments["title"] for _, arguments in TASKS])


def task(page: Page, title: str) -> Locator:
    return page.locator(".task", has=page.get_by_text(title, exact=True))


def count(page: Page) -> Locator:
    return page.locator(".plan-count")


def test_a_plan_is_a_checklist(planner: Running, model: ModelServer, page: Page, context: BrowserContext) -> None:
    """A blocked task says what blocks it; a person's tick is seen in all tabs, and unblocks others."""
    make_plan(page, planner, model)
    expect(count(page)).to_have_text("0 of 3")
    expect(task(page, "Celebrate")).to_contain_text("Waits for “Bake <b>a cake</b>”, “Invite people”")
    expect(page.locator(".task[data-blocked]")).to_have_count(1)
    other = context.new_page()
    other.goto(page.url)
    expect(count(other)).to_have_text("0 of 3")

    page.bring_to_front()  # a tab behind another one is slow
    page.get_by_role("checkbox", name="Done: Invite people").check()
    for tab in (page, other):
        expect(count(tab)).to_have_text("1 of 3")
        expect(tab.get_by_role("checkbox", name="Done: Invite people")).to_be_checked()
        expect(task(tab, "Invite people")).to_contain_text("Done by User")
        expect(task(tab, "Celebrate")).to_contain_text("Waits for “Bake <b>a cake</b>”")
    page.get_by_role("checkbox", name="Done: Bake").check()
    expect(page.locator(".task[data-blocked]")).to_have_count(0)
    page.get_by_role("checkbox", name="Done: Bake").uncheck()
    expect(page.locator(".task[data-blocked]")).to_have_count(1)
    page.reload()
    expect(count(page)).to_have_text("1 of 3")


def test_details_are_shown_on_a_click(planner: Running, model: ModelServer, page: Page) -> None:
    """A click shows a task's details as plain text, its dependencies, and who asked for it."""
    make_plan(page, planner, model)
    page.get_by_text("Bake <b>a cake</b>", exact=True).click()
    expect(task(page, "Bake <b>a cake</b>").locator(".task-details")).to_contain_text("With candles.")
    expect(task(page, "Bake <b>a cake</b>").locator(".task-details")).to_contain_text("Added by Planner")
    page.get_by_text("Celebrate", exact=True).click()
    expect(task(page, "Celebrate").locator(".task-details")).to_contain_text("Depends on “Bake <b>a cake</b>”")


def test_what_an_agent_is_at_is_seen(planner: Running, model: ModelServer, page: Page) -> None:
    """A task in progress is shown as neither empty nor ticked."""
    make_plan(page, planner, model)
    model.script(Reply(tools=[("change", {"id": 1, "status": "doing"})]), Reply("I bake."))
    say(page, "begin")
    expect(task(page, "Bake <b>a cake</b>")).to_have_attribute("data-status", "doing")
    assert page.get_by_role("checkbox", name="Done: Bake").evaluate("(box) => box.indeterminate")


def test_what_no_longer_counts_is_not_in_the_plan(planner: Running, model: ModelServer, page: Page) -> None:
    """A retry replaces the plan; rewound tasks disappear together with their ticks."""
    make_plan(page, planner, model)
    page.get_by_role("checkbox", name="Done: Bake").check()
    expect(count(page)).to_have_text("1 of 3")
    model.script(Reply(tools=[("plan", {"title": "Order a cake"})]), Reply("Simpler."))
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".task-title")).to_have_text(["Order a cake"])
    page.reload()
    expect(page.locator(".task-title")).to_have_text(["Order a cake"])


def test_a_viewer_ticks_nothing(planner: Running, model: ModelServer, page: Page, somebody: Somebody) -> None:
    """A viewer can read the plan but not tick it."""
    make_plan(page, planner, model)
    viewer = somebody("Vera")
    viewer.goto(f"{page.url}&role=viewer")
    expect(count(viewer)).to_have_text("0 of 3")
    expect(viewer.get_by_role("checkbox", name="Done: Bake")).to_be_disabled()
