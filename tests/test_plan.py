"""The plan of a conversation: on its own, used by an agent, and ticked off by people."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from agentchat.app import Running
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Draft, encode
from agentchat.protocol.tasks import DETAILS_CHARS, MAX_TASKS, Plan
from agentchat.protocol.validation import TITLE_CHARS
from agentchat.store import SessionRecord
from agentchat.testing import Call, ScriptedModel, call, talk
from tests.clients import ChatClient, Frame, contents
from tests.conftest import AGENTS, Serve
from tests.memory_store import MemoryStore
from tests.model_server import ModelServer, Reply
from tests.rest_client import Answer, Conversation, RestClient

pytestmark = pytest.mark.all_agents

# On its own


@pytest.fixture
def plan() -> Plan:
    store = MemoryStore()
    store.create(SessionRecord("s", "tasks", "2026-11-21T05:09:42.304Z"))

    def write(type: str, content: Mapping[str, Any]) -> None:
        store.append("s", [Draft(type, encode(content), 1)])

    return Plan(lambda *types: store.read_types("s", types), write, threading.Lock())


def refusal(change: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ChatError) as refused:
        change()
    return refused.value.code, refused.value.message


def test_tasks_are_numbered_in_their_order(plan: Plan) -> None:
    """Tasks are numbered from 1 in order, and read back as created."""
    plan.create("Invite\n them ", "All ten")
    plan.create("Bake", depends_on=[1, 1])

    assert [(t.id, t.title, t.details, t.depends_on, t.status) for t in plan.tasks] == [
        (1, "Invite them", "All ten", (), "open"),
        (2, "Bake", "", (1,), "open"),
    ]


def test_only_what_is_given_is_changed(plan: Plan) -> None:
    """An update changes only the given fields of a task."""
    plan.create("Bake", "A cake")
    plan.update(1, status="doing")
    plan.update(1, title="Bake two")
    changed = plan.update(1, details="")

    assert changed == plan.tasks[0]
    assert (changed.title, changed.details, changed.status) == ("Bake two", "", "doing")


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan.create(""),
        lambda plan: plan.create(" \n"),
        lambda plan: plan.create("x" * (TITLE_CHARS + 1)),
        lambda plan: plan.create("Bake", "x" * (DETAILS_CHARS + 1)),
        lambda plan: plan.update(1, title=""),
        lambda plan: plan.update(1, details="x" * (DETAILS_CHARS + 1)),
        lambda plan: plan.update(1, status="finished"),
        lambda plan: plan.set_status(1, "finished"),
    ],
)
def test_what_a_task_cannot_be(plan: Plan, change: Callable[[Plan], object]) -> None:
    """An invalid task is refused with an explanation, and nothing is written."""
    plan.create("Invite")
    before = plan.tasks

    assert refusal(lambda: change(plan))[0] == "task_unusable"
    assert plan.tasks == before


def test_the_longest_task(plan: Plan) -> None:
    """A task at the length limits is accepted."""
    task = plan.create("x" * TITLE_CHARS, "y" * DETAILS_CHARS)

    assert plan.tasks == [task]


def test_a_plan_has_room_for_so_many(plan: Plan) -> None:
    """A full plan refuses another task, stating the limit."""
    for number in range(MAX_TASKS):
        plan.create(f"Task {number}")

    assert refusal(lambda: plan.create("One more")) == (
        "task_unusable", f"The plan cannot be changed like this: there are {MAX_TASKS} tasks already.",
    )  # fmt: skip
    assert plan.update(MAX_TASKS, status="doing").status == "doing"


def test_tasks_that_are_not_there(plan: Plan) -> None:
    """An unknown task is refused with a list of those that exist."""
    assert refusal(lambda: plan.set_status(1, "done")) == ("task_unknown", "There is no task 1. There are: none.")
    plan.create("Invite")
    plan.create("Bake")

    for change in (
        lambda: plan.update(7, status="done"),
        lambda: plan.set_status(7, "done"),
        lambda: plan.create("Buy", depends_on=[1, 7]),
        lambda: plan.update(1, depends_on=[7]),
    ):
        assert refusal(change) == ("task_unknown", "There is no task 7. There are: 1, 2.")
    assert len(plan.tasks) == 2


def test_tasks_that_wait_for_each_other(plan: Plan) -> None:
    """Circular dependencies of any length are refused; two paths to the same task are not circular."""
    plan.create("a")
    plan.create("b", depends_on=[1])
    plan.create("c", depends_on=[2])
    plan.create("d", depends_on=[2, 3])

    for id, depends_on in ((1, [1]), (1, [2]), (1, [4]), (2, [3])):
        code, message = refusal(partial(plan.update, id, depends_on=depends_on))
        assert (code, f"task {id} would depend on itself" in message) == ("task_unusable", True)
    assert plan.update(4, depends_on=[1, 2, 3]).depends_on == (1, 2, 3)


def test_what_is_not_done_holds_up_what_depends_on_it(plan: Plan) -> None:
    """A task can't be completed before its dependencies, which the error names. Other changes are allowed."""
    for title in ("a", "b"):
        plan.create(title)
    plan.create("c", depends_on=[1, 2])

    def sentence(missing: str) -> str:
        return f"The plan cannot be changed like this: task 3 depends on {missing} not done."

    assert refusal(lambda: plan.update(3, status="done"))[1] == sentence("1, 2, which are")
    plan.update(1, status="done")
    assert refusal(lambda: plan.update(3, status="done"))[1] == sentence("2, which is")
    assert plan.update(3, status="doing").status == "doing"
    assert plan.update(3, status="done", depends_on=[1]).status == "done"


def test_a_person_need_not_wait(plan: Plan) -> None:
    """A person can tick a task whatever it depends on, and untick it."""
    plan.create("a")
    plan.create("b", depends_on=[1])

    assert plan.set_status(2, "done").status == "done"
    assert [task.status for task in plan.tasks] == ["open", "done"]
    assert plan.set_status(2, "open").status == "open"


def test_many_create_at_once(plan: Plan) -> None:
    """Concurrently created tasks get unique ids without gaps."""
    start = threading.Barrier(8)

    def create(thread: int) -> list[int]:
        start.wait()
        return [plan.create(f"{thread}.{number}").id for number in range(20)]

    with ThreadPoolExecutor(8) as pool:
        ids = [id for made in pool.map(create, range(8)) for id in made]

    assert sorted(ids) == list(range(1, 161))
    assert [task.id for task in plan.tasks] == list(range(1, 161))


# In a conversation


def create(title: str, **more: object) -> tuple[str, dict[str, object]]:
    return "create_task", {"title": title, **more}


@pytest.fixture
def client(server: Running) -> Iterator[ChatClient]:
    with ChatClient(server.websocket, agent="tasks", name="Ada") as client:
        client.session = client.confirmed()["session_id"]  # type: ignore[attr-defined]
        yield client


@pytest.fixture
def session(client: ChatClient, rest: RestClient) -> Conversation:
    return Conversation(rest, client.session)  # type: ignore[attr-defined]


def listed(session: Conversation) -> list[tuple[int, str, str]]:
    return [(task["id"], task["title"], task["status"]) for task in session.get("/tasks").json["tasks"]]


def tick(session: Conversation, task: object, body: object) -> Answer:
    return session.client.ask("PATCH", f"{session.path}/tasks/{task}", body)


def results(model: ModelServer) -> list[str]:
    """Return what the model was told about its latest tool calls."""
    messages = model.requests[-1]["body"]["messages"]
    calls = next(place for place in range(len(messages) - 1, -1, -1) if messages[place]["role"] == "assistant")
    return [message["content"] for message in messages[calls + 1 :] if message["role"] == "tool"]


def system(model: ModelServer) -> str:
    return str(model.requests[-1]["body"]["messages"][0]["content"])


def make_two(client: ChatClient, model: ModelServer) -> list[Frame]:
    model.script(Reply(tools=[create("Invite"), create("Bake", depends_on=[1])]), Reply("Invite them first."))
    return client.ask("Plan a party")


def test_an_agent_makes_a_plan(client: ChatClient, session: Conversation, model: ModelServer) -> None:
    """Parallel calls create tasks, each an event of the turn, in order, with the agent's name."""
    frames = make_two(client, model)

    assert [content | {"uuid": ""} for content in contents(frames, "task_created")] == [
        {"uuid": "", "by": "planner", "id": 1, "title": "Invite", "details": "", "depends_on": [], "status": "open"},
        {"uuid": "", "by": "planner", "id": 2, "title": "Bake", "details": "", "depends_on": [1], "status": "open"},
    ]
    assert {frame["turn"] for frame in frames if frame["type"] == "task_created"} == {1}
    assert results(model) == ["Task 1 is made: Invite", "Task 2 is made: Bake"]
    assert session.get("/tasks").json["tasks"][1] == {
        "id": 2, "title": "Bake", "details": "", "depends_on": [1], "status": "open", "by": "planner",
    }  # fmt: skip


def test_an_agent_keeps_a_plan(client: ChatClient, session: Conversation, model: ModelServer) -> None:
    """The model is told which tasks are blocked; each change is an event with only the changed fields."""
    make_two(client, model)
    model.script(
        Reply(tools=[("complete_task", {"task_id": 2})]),
        Reply(tools=[("complete_task", {"task_id": 1}), ("update_task", {"task_id": 2, "title": "Bake two"})]),
        Reply(tools=[("complete_task", {"task_id": 2}), ("list_tasks", {})]),
        Reply("All done."),
    )
    frames = client.ask("I have invited them, and baked")

    refused, *_ = [content["content"] for content in contents(frames, "executed_function")]
    assert "task 2 depends on 1, which is not done" in refused
    assert [content | {"uuid": ""} for content in contents(frames, "task_updated")] == [
        {"uuid": "", "by": "planner", "id": 1, "status": "done"},
        {"uuid": "", "by": "planner", "id": 2, "title": "Bake two"},
        {"uuid": "", "by": "planner", "id": 2, "status": "done"},
    ]
    assert results(model) == ["Done: Bake two", "1. [done] Invite\n2. [done] Bake two (after 1)"]
    assert listed(session) == [(1, "Invite", "done"), (2, "Bake two", "done")]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (call("update_task", task_id=7, status="done"), "There is no task 7. There are: 1, 2."),
        (call("complete_task", task_id="seven"), "should be a valid integer"),
        (call("complete_task"), "task_id"),
        (call("create_task", title="Buy", depends_on=["soon"]), "should be a valid integer"),
        (call("create_task", title="Buy", depends_on=[[1]]), "should be a valid integer"),
        (call("create_task", title=""), "a title has 1 to 200 characters"),
        (call("create_task", title=5), "should be a valid string"),
        (call("update_task", task_id=1, status="finished"), "a status is one of open, doing, done"),
        (Call("create_task", "no JSON"), "Error"),
        (call("make_task", title="Buy"), "not found"),
    ],
)
def test_a_model_calls_wrongly(wrong: Call, told: str) -> None:
    """A model that calls a tool wrongly is told why and can go on; the plan is unchanged."""
    two = [call("create_task", title="Invite"), call("create_task", title="Bake", depends_on=[1])]
    scripted = ScriptedModel(two, "Invite them first.", wrong, "I was wrong.", call("list_tasks"), "Two.")
    planning = talk(AGENTS / "tasks.py", "Plan a party", "Go on", "And?", model=scripted)

    assert told in str(planning.tools[2].result)
    assert planning.turns[1].answer == "I was wrong."
    assert planning.tools[3].result == "1. [open] Invite\n2. [open] Bake (after 1)"


def test_a_model_means_well(client: ChatClient, session: Conversation, model: ModelServer) -> None:
    """Numbers passed as text, and null for omitted arguments, are accepted."""
    make_two(client, model)
    model.script(
        Reply(tools=[create("Buy", details=None, depends_on=None), create("Eat", depends_on=["2", 3])]),
        Reply(tools=[("update_task", {"task_id": "1", "title": None, "status": "done"})]),
        Reply("Good."),
    )
    client.ask("Go on")

    assert listed(session) == [(1, "Invite", "done"), (2, "Bake", "open"), (3, "Buy", "open"), (4, "Eat", "open")]
    assert session.get("/tasks").json["tasks"][3]["depends_on"] == [2, 3]


def test_a_failing_call_harms_no_other(client: ChatClient, session: Conversation, model: ModelServer) -> None:
    """A failing call doesn't affect the others in the same response."""
    model.script(Reply(tools=[create("Invite"), create("Bake", depends_on=[9]), create("Buy")]), Reply("Two of three."))
    client.ask("Plan")

    assert listed(session) == [(1, "Invite", "open"), (2, "Buy", "open")]
    assert "There is no task 9" in results(model)[1]


def test_a_turn_that_is_tried_again_takes_its_tasks_along(
    client: ChatClient, session: Conversation, model: ModelServer
) -> None:
    """A retry removes the tasks of the old turn, and their ticks, for people and for the tool. Numbering restarts."""
    make_two(client, model)
    client.command("task", id=2, status="done")
    client.until("task_updated")
    model.script(Reply(tools=[("list_tasks", {})]), Reply(tools=[create("Book a room"), create("Sing")]), Reply("So."))
    client.command("retry")
    client.until("turn_completed", turn=2)

    seen = [content["content"] for content in contents(client.frames, "executed_function")]
    assert "There are no tasks yet." in seen
    assert listed(session) == [(1, "Book a room", "open"), (2, "Sing", "open")]


def test_a_message_that_is_edited_takes_its_tasks_along(
    client: ChatClient, session: Conversation, model: ModelServer
) -> None:
    """Editing a message removes the tasks of its turn and later ones; earlier tasks are as they were before."""
    make_two(client, model)
    model.script(Reply(tools=[create("Dance"), ("update_task", {"task_id": 1, "title": "Call"})]), Reply("Yes."))
    second = client.ask("And dance")[0]["seq"]
    model.script(Reply(tools=[create("Eat", depends_on=[3])]), Reply("Yes."))
    client.ask("And eat")
    assert len(listed(session)) == 4
    model.script(Reply(tools=[create("Sleep"), ("list_tasks", {})]), Reply("Yes."))
    client.command("edit", seq=second, text="And sleep")
    client.until("turn_completed")

    assert listed(session) == [(1, "Invite", "open"), (2, "Bake", "open"), (3, "Sleep", "open")]
    assert results(model)[1] == "1. [open] Invite\n2. [open] Bake (after 1)\n3. [open] Sleep"


def test_people_tick(client: ChatClient, session: Conversation, model: ModelServer) -> None:
    """People tick tasks by WebSocket and REST: an event outside any turn, with their name, which the agent sees."""
    make_two(client, model)
    client.command("task", id=2, status="doing")
    first = client.until("task_updated")
    answer = tick(session, 2, {"status": "done", "name": " Bob\n"})
    second = client.until("task_updated")

    assert (first["turn"], first["content"] | {"uuid": ""}) == (
        0, {"uuid": "", "id": 2, "status": "doing", "by": "Ada"},
    )  # fmt: skip
    assert (second["turn"], second["content"]["by"], second["content"]["status"]) == (0, "Bob", "done")
    assert (answer.status, answer.json) == (
        200, {"id": 2, "title": "Bake", "details": "", "depends_on": [1], "status": "done", "by": "Bob"},
    )  # fmt: skip
    assert session.get("/tasks").json["tasks"][1] == answer.json
    model.script(Reply(tools=[("list_tasks", {})]), Reply("I see."))
    client.ask("What is left?")
    assert results(model) == ["1. [open] Invite\n2. [done] Bake (after 1)"]


def test_people_tick_while_the_agent_works(client: ChatClient, session: Conversation, model: ModelServer) -> None:
    """A tick takes effect at once while the agent works; the running turn sees it the next time it reads the plan."""
    make_two(client, model)
    gate = threading.Event()
    model.script(Reply(tools=[("list_tasks", {})], gate=gate), Reply("I see."))
    client.say("What is left?")
    client.until("turn_started")
    client.command("task", id=1, status="done")
    client.until("task_updated")
    assert listed(session)[0] == (1, "Invite", "done")
    gate.set()
    client.until("turn_completed")

    assert "1. [done] Invite" in results(model)[0]


def test_what_nobody_can_tick(client: ChatClient, session: Conversation, model: ModelServer) -> None:
    """An invalid tick is refused with an explanation, and changes nothing."""
    make_two(client, model)
    for content in ({"id": 9, "status": "done"}, {"id": 1, "status": "finished"}, {"id": "1", "status": "done"},
                    {"id": True, "status": "done"}, {"id": 1}, {"id": -1, "status": "done"}):  # fmt: skip
        client.command("task", **content)
    codes = [client.until("error")["content"]["code"] for _ in range(6)]

    assert codes == ["task_unknown", "task_unusable", "bad_frame", "bad_frame", "bad_frame", "task_unknown"]
    asked: list[tuple[object, object]] = [
        (9, {"status": "done"}), (1, {"status": "finished"}), (1, {}), (1, {"status": "done", "title": "x"}),
        (1, []), ("one", {"status": "done"}), ("-1", {"status": "done"}), ("1" * 30, {"status": "done"}),
        ("%C2%B2", {"status": "done"}), (1, b"{"),
    ]  # fmt: skip
    answers = [tick(session, task, body) for task, body in asked]
    assert [answer.code for answer in answers] == [
        "task_unknown", *["bad_request"] * 4, *["not_found"] * 4, "bad_request",
    ]  # fmt: skip
    assert listed(session) == [(1, "Invite", "open"), (2, "Bake", "open")]
    assert tick(Conversation(session.client, "nobody"), 1, {"status": "done"}).code == "session_unknown"


def test_who_only_reads_cannot_tick(
    client: ChatClient, session: Conversation, model: ModelServer, connect: Callable[..., ChatClient]
) -> None:
    """A viewer sees the plan change, and is told that it cannot change it."""
    make_two(client, model)
    viewer = connect(session=session.id, role="viewer")
    viewer.command("task", id=1, status="done")
    assert viewer.until("error")["content"]["code"] == "read_only"
    client.command("task", id=1, status="doing")

    assert viewer.until("task_updated")["content"]["status"] == "doing"
    assert listed(session)[0] == (1, "Invite", "doing")


def test_a_plan_outlives_the_server(serve: Serve, model: ModelServer) -> None:
    """A plan survives a restart with its ticks, without rewound tasks; new tasks continue the numbering."""
    first = serve(model=model)
    with ChatClient(first.websocket, agent="tasks", name="Ada") as client:
        session = client.confirmed()["session_id"]
        make_two(client, model)
        client.command("task", id=1, status="done")
        client.until("task_updated")
        model.script(Reply(tools=[create("Dance")]), Reply("Yes."), Reply("No."))
        client.ask("And dance")
        client.command("retry")
        client.until("turn_completed", turn=3)
    first.close()
    second = serve(model=model)
    conversation = Conversation(RestClient(second), session)

    assert listed(conversation) == [(1, "Invite", "done"), (2, "Bake", "open")]
    model.script(Reply(tools=[("complete_task", {"task_id": 2}), create("Sing")]), Reply("Done."))
    conversation.ask("Baked!")
    assert listed(conversation) == [(1, "Invite", "done"), (2, "Bake", "done"), (3, "Sing", "open")]


def test_how_much_detail_is_wanted(session: Conversation, model: ModelServer) -> None:
    """The level of detail that a client sends applies only to its own turn and that turn's retries."""
    session.ask("Plan", context={"detail_level": "{high} 100%"})
    assert "Level of detail: {high} 100%." in system(model)
    session.ask("And now?")
    assert "Level of detail: medium." in system(model)
    session.ask("And now?", context={"detail_level": "low"})
    assert "Level of detail: low." in system(model)
    with session.stream(after=session.get().json["last_seq"]) as stream:
        session.post("retry", {})
        stream.until("turn_completed")
    assert "Level of detail: low." in system(model)
