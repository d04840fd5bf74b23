"""Code that AG2's agents run: a person is asked first, and nothing that it started is left behind."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from autogen import UserProxyAgent, code_utils, coding

from agentchat.ag2.code_execution import OUTPUT_CHARS, advice
from tests.agent_files import LOCAL_CODE, code_block, code_pair, write_agents
from tests.clients import ChatClient, contents, types, wait_until
from tests.conftest import Fork, Serve, config_list
from tests.model_server import ModelServer, Reply

OWN = '''
class Executor:
    """A user's own executor, which lets another one run the code."""
    def __init__(self, folder):
        self.inner = LocalCommandLineCodeExecutor(work_dir=folder)
        self.work_dir = folder
    @property
    def code_extractor(self):
        return MarkdownCodeExtractor()
    def execute_code_blocks(self, code_blocks):
        result = self.inner.execute_code_blocks(code_blocks)
        result.output = "own: " + result.output
        return result
    def restart(self):
        pass

class Bare:
    def __init__(self, executor):
        for name in ("code_extractor", "execute_code_blocks", "restart", "work_dir"):
            setattr(self, name, getattr(executor, name))
'''

COROUTINES = """
class Person(UserProxyAgent):
    async def a_get_human_input(self, prompt, **kwargs):
        return "exit"
UserProxyAgent = Person
"""

# A tool with a pair of its own, made at run time; the pair runs code.
NESTED = '''
"""An agent whose tool holds a chat that runs code."""
from concurrent.futures import ThreadPoolExecutor
from autogen import AssistantAgent, ConversableAgent, UserProxyAgent, register_function
from autogen.coding import LocalCommandLineCodeExecutor

def build(llm_config, chat):
    def compute(task: str) -> str:
        coder = AssistantAgent("coder", llm_config=llm_config)
        runner = UserProxyAgent("runner", human_input_mode="NEVER", default_auto_reply=None,
            code_execution_config={"executor": LocalCommandLineCodeExecutor(work_dir=chat.workspace)})
        result = TALK
        return result.chat_history[-2]["content"]

    agent = ConversableAgent("chief", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(compute, caller=agent, executor=user, description="Compute something.")
    return user, agent
'''


# Tools that run code without a chat.
TOOLS = '''
"""An agent whose tools run code."""
import shlex
from autogen import ConversableAgent, UserProxyAgent, register_function
from autogen.coding import CodeBlock, LocalCommandLineCodeExecutor
from autogen.tools.experimental.shell import ShellExecutor

def build(llm_config, chat):
    folder = str(chat.workspace)
    runner = UserProxyAgent("runner", code_execution_config={"work_dir": folder, "use_docker": False})

    def executor(code: str) -> str:
        local, block = LocalCommandLineCodeExecutor(work_dir=folder), CodeBlock(code=code, language="python")
        result = local.execute_code_blocks([block])
        return f"{result.exit_code}, {result.code_file is not None}: {result.output}"

    def run_code(code: str) -> str:
        return str(runner.run_code(code, **runner._code_execution_config))

    def shell(code: str) -> str:
        return str(ShellExecutor(workspace_dir=folder).run_commands([f"python3 -c {shlex.quote(code)}"]))

    agent = ConversableAgent("chief", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    for tool in (executor, run_code, shell):
        register_function(tool, caller=agent, executor=user, description="Run code.")
    return user, agent
'''

AGENTS = {
    "local": code_pair(LOCAL_CODE),
    "named": code_pair('{"executor": "commandline-local", "commandline-local": {"work_dir": str(folder)}}'),
    "legacy": code_pair('{"work_dir": str(folder), "use_docker": False}'),
    "own": code_pair('{"executor": Executor(folder)}', OWN),
    "bare": code_pair('{"executor": Bare(Executor(folder))}', OWN),
    "coroutines": code_pair(LOCAL_CODE, COROUTINES),
    "talker": code_pair(LOCAL_CODE, pair="assistant, user").replace("UserProxyAgent(", "ConversableAgent("),
    "nested": NESTED.replace("TALK", "runner.initiate_chat(coder, message=task, max_turns=2)"),
    "threaded": NESTED.replace(
        "TALK", "ThreadPoolExecutor().submit(runner.initiate_chat, coder, message=task, max_turns=2).result()"
    ),
    "tools": TOOLS,
}
WAYS = ["local", "named", "legacy", "own", "bare", "coroutines"]


MARK = "open('ran.txt', 'a').write('x')\nprint('It ran')"
WRITES = Reply(tokens=[code_block(MARK)])
DONE = Reply("All done. TERMINATE")


class Person:
    """A person who talks to an agent that writes code."""

    def __init__(self, client: ChatClient, data: Path) -> None:
        self.client = client
        self._data = data
        self.session: str = client.confirmed()["session_id"]

    @property
    def folder(self) -> Path:
        return self._data / "workspaces" / self.session

    @property
    def runs(self) -> int:
        path = self.folder / "ran.txt"
        return len(path.read_text()) if path.exists() else 0

    def request(self) -> Any:
        return self.client.until("input_request")["content"]

    def answer(self, request: Any, text: str, **more: object) -> None:
        self.client.command("input_response", request_id=request["request_id"], text=text, **more)

    def end(self) -> Any:
        return self.client.until("turn_completed")["content"]


Meet = Callable[..., Person]


@pytest.fixture
def meet(serve: Serve, model: ModelServer, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """Return a function that connects a person to one of the agents."""
    server = serve("--agents", write_agents(tmp_path, **AGENTS), *getattr(request, "param", ()), model=model)
    clients: list[ChatClient] = []

    def connect(agent: str) -> Person:
        clients.append(ChatClient(server.websocket, agent=agent, name="Ada"))
        return Person(clients[-1], tmp_path / "data")

    yield connect
    for client in clients:
        client.__exit__()


def told(model: ModelServer) -> str:
    """Return the newest message of the last request to the model."""
    return str(model.requests[-1]["body"]["messages"][-1]["content"])


@pytest.mark.parametrize("agent", WAYS)
def test_code_waits_for_a_yes(meet: Meet, model: ModelServer, agent: str) -> None:
    """Code that an agent writes is shown with its folder, and runs only after a yes; its result goes to the agent."""
    model.script(WRITES, DONE)
    person = meet(agent)
    person.client.say("Compute")
    request = person.request()

    shown = request["tool"]["arguments"]
    assert request["tool"]["name"] == "execute_code"
    assert (shown["language"], shown["code"].strip()) == ("python", MARK)
    assert Path(shown["folder"]).resolve() == person.folder.resolve()
    assert (request["agent"], request["choices"]) == ("assistant", ["approve", "deny", "edit"])
    assert person.runs == 0
    person.answer(request, "approve")
    assert person.end()["status"] == "completed"
    assert person.runs == 1
    assert told(model).startswith("exitcode: 0 (execution succeeded)")
    assert "It ran" in told(model)
    said = [each["content"] for each in contents(person.client.log, "text") if each["sender"] == "user_proxy"]
    assert any("It ran" in text for text in said)


@pytest.mark.parametrize("agent", WAYS)
def test_code_that_is_denied(meet: Meet, model: ModelServer, agent: str) -> None:
    """After a no nothing runs, and the agent is told so, with the reason."""
    model.script(WRITES, DONE)
    person = meet(agent)
    person.client.say("Compute")
    person.answer(person.request(), "deny, not today")

    assert person.end()["status"] == "completed"
    assert person.runs == 0
    assert "The person did not allow this code to run: not today." in told(model)


@pytest.mark.parametrize("agent", ["local", "legacy"])
def test_code_that_is_changed(meet: Meet, model: ModelServer, agent: str) -> None:
    """Code runs as the person has edited it, in the language of their choice, and the agent is told."""
    model.script(WRITES, DONE)
    person = meet(agent)
    person.client.say("Compute")
    changed = {"language": "sh", "code": "echo $((6 * 7))"}
    person.answer(person.request(), "edit", arguments=changed)
    person.end()

    assert person.runs == 0
    assert f"[The person changed the code to {json.dumps(changed)}.]" in told(model)
    assert "42" in told(model)


@pytest.mark.parametrize("agent", ["local", "legacy"])
def test_all_blocks_are_asked_about_before_any_runs(meet: Meet, model: ModelServer, agent: str) -> None:
    """A message with several blocks runs only if all of them may."""
    model.script(Reply(tokens=[code_block(MARK) + code_block("print(1)") + code_block(MARK)]), DONE)
    person = meet(agent)
    person.client.say("Compute")
    person.answer(person.request(), "approve")
    second = person.request()
    assert second["tool"]["arguments"]["code"].strip() == "print(1)"
    person.answer(second, "deny")
    person.end()

    assert person.runs == 0
    assert len(contents(person.client.log, "input_request")) == 2


def test_code_that_a_person_typed(meet: Meet, model: ModelServer) -> None:
    """Code in a person's own message to a proxy that runs code is asked about, too."""
    model.script(DONE)
    person = meet("talker")
    person.client.say(code_block(MARK))
    request = person.request()
    assert request["agent"]
    assert person.runs == 0
    person.answer(request, "approve")
    person.end()

    assert person.runs == 1


@pytest.mark.parametrize("agent", ["nested", "threaded"])
def test_code_of_agents_made_in_a_tool(meet: Meet, model: ModelServer, agent: str) -> None:
    """Agents that a tool makes ask as well, also in a thread of its own; one execution is asked about once."""
    model.script(Reply(tools=[("compute", {"task": "Count"})]), WRITES, Reply("Counted."), Reply("It is done."))
    person = meet(agent)
    person.client.say("Compute")
    request = person.request()
    assert request["tool"]["name"] == "execute_code"
    assert person.runs == 0
    person.answer(request, "approve")
    assert person.end()["summary"] == "It is done."

    assert person.runs == 1
    assert len(contents(person.client.log, "input_request")) == 1


@pytest.mark.parametrize("tool", ["executor", "run_code", "shell"])
def test_code_that_a_tool_runs(meet: Meet, model: ModelServer, tool: str) -> None:
    """A tool that runs code with AG2's executors asks as well, and learns of a no."""
    call = (tool, {"code": MARK})
    model.script(Reply(tools=[call], ids=["a"]), Reply(tools=[call], ids=["b"]), Reply("Done."))
    person = meet("tools")
    person.client.say("Compute")
    person.answer(person.request(), "deny, no")
    second = person.request()
    assert person.runs == 0
    person.answer(second, "approve")
    person.end()

    assert person.runs == 1
    refused, ran = (each["content"] for each in contents(person.client.log, "executed_function"))
    assert "The person did not allow this code to run: no." in refused
    assert "It ran" in ran
    assert "False" in refused or tool != "executor"


@pytest.mark.parametrize("meet", [("--approve", "none")], indirect=True)
@pytest.mark.parametrize("agent", ["local", "legacy"])
def test_code_runs_unasked_if_that_is_the_setting(meet: Meet, model: ModelServer, agent: str) -> None:
    """With AGENTCHAT_APPROVE=none nobody is asked."""
    model.script(WRITES, DONE)
    person = meet(agent)

    assert "input_request" not in types(person.client.ask("Compute"))
    assert person.runs == 1


@pytest.mark.parametrize("meet", [("--approve", "all")], indirect=True)
def test_code_is_asked_about_with_all_tools(meet: Meet, model: ModelServer) -> None:
    """With AGENTCHAT_APPROVE=all, code waits for a yes as well, once."""
    model.script(WRITES, DONE)
    person = meet("local")
    person.client.say("Compute")
    person.answer(person.request(), "approve")
    person.end()

    assert person.runs == 1


def test_long_output_is_cut(meet: Meet, model: ModelServer) -> None:
    """The middle of a long output is left out."""
    model.script(Reply(tokens=[code_block(f"print('a' + 'x' * {2 * OUTPUT_CHARS} + 'b')")]), DONE)
    person = meet("local")
    person.client.say("Compute")
    person.answer(person.request(), "approve")
    person.end()

    assert len(told(model)) < OUTPUT_CHARS + 200
    assert "\n[...]\n" in told(model)


def test_code_that_the_executor_refuses(meet: Meet, model: ModelServer) -> None:
    """An error of the executor becomes the result: the agent can try again."""
    model.script(Reply(tokens=[code_block("sudo rm -rf /", "sh")]), DONE)
    person = meet("local")
    person.client.say("Compute")
    person.answer(person.request(), "approve")
    assert person.end()["status"] == "completed"

    assert "ValueError: Potentially dangerous command detected" in told(model)


def test_code_has_nothing_to_read(meet: Meet, model: ModelServer) -> None:
    """Code that reads its input finds none, rather than the server's terminal."""
    model.script(Reply(tokens=[code_block("input('Name? ')")]), DONE)
    person = meet("local")
    person.client.say("Compute")
    person.answer(person.request(), "approve")
    person.end()

    assert "EOFError" in told(model)


# Stopping

FAMILY = """
import os, subprocess, sys, time
stay = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(stay), subprocess.Popen(stay, start_new_session=True)]
os.system("nohup sleep 600 >/dev/null 2>&1 & echo $! > nohup.txt")
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    open("double.txt", "w").write(str(os.getpid()))
    time.sleep(600)
    os._exit(0)
own = [os.getpid()] + [child.pid for child in children]
open("family.new", "w").write(" ".join(map(str, own)))
os.rename("family.new", "family.txt")
"""


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def family(folder: Path) -> list[int]:
    """Return the processes that the code has started, once all have written down who they are."""
    texts = [folder / name for name in ("family.txt", "double.txt", "nohup.txt")]
    wait_until(lambda: all(path.exists() and path.read_text().strip() for path in texts))
    return [int(number) for path in texts for number in path.read_text().split()]


needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="without /proc, only process groups are found")


@needs_proc
@pytest.mark.parametrize("agent", ["local", "legacy", "own"])
def test_a_stop_kills_what_code_started(meet: Meet, model: ModelServer, agent: str) -> None:
    """A stop kills the running code and all that it started, wherever that went."""
    model.script(Reply(tokens=[code_block(FAMILY + "time.sleep(600)")]))
    person = meet(agent)
    person.client.say("Compute")
    person.answer(person.request(), "approve")
    processes = family(person.folder)
    assert len(processes) == 5
    assert all(map(is_running, processes))
    person.client.command("stop")
    assert person.end()["status"] == "stopped"

    wait_until(lambda: not any(map(is_running, processes)))
    model.script(WRITES, DONE)
    person.client.say("Again")
    person.answer(person.request(), "approve")
    assert person.end()["status"] == "completed"
    assert person.runs == 1


ELSEWHERE = """
class Elsewhere:
    def __init__(self, folder):
        self.folder = folder
        self.restarted = threading.Event()
    @property
    def code_extractor(self):
        return MarkdownCodeExtractor()
    def execute_code_blocks(self, code_blocks):
        (self.folder / "begun.txt").write_text("x")
        self.restarted.wait()
        (self.folder / "ended.txt").write_text("x")
        return CodeResult(exit_code=0, output="")
    def restart(self):
        self.restarted.set()
"""


def test_code_that_runs_elsewhere(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A stop does not wait for an executor that starts no programs, such as a notebook's, but restarts it."""
    more = "import threading\nfrom autogen.coding import CodeResult\n" + ELSEWHERE
    agents = write_agents(tmp_path, elsewhere=code_pair('{"executor": Elsewhere(folder)}', more))
    server = serve("--agents", agents, model=model)
    model.script(WRITES)
    with ChatClient(server.websocket, agent="elsewhere") as client:
        person = Person(client, tmp_path / "data")
        client.say("Compute")
        person.answer(person.request(), "approve")
        wait_until(lambda: (person.folder / "begun.txt").exists())
        client.command("stop")
        assert person.end()["status"] == "stopped"
        wait_until(lambda: (person.folder / "ended.txt").exists())


@needs_proc
@pytest.mark.parametrize("agent", ["local", "legacy"])
def test_nothing_runs_on_in_the_background(meet: Meet, model: ModelServer, agent: str) -> None:
    """Programs that code leaves running are killed; on a server nobody would ever end them."""
    model.script(Reply(tokens=[code_block("nohup sleep 600 >/dev/null 2>&1 &\necho $! > left.txt", "sh")]), DONE)
    person = meet(agent)
    person.client.say("Compute")
    person.answer(person.request(), "approve")
    person.end()

    left = int((person.folder / "left.txt").read_text())
    wait_until(lambda: not is_running(left))


TIMED = {
    "local": '{"executor": LocalCommandLineCodeExecutor(work_dir=folder, timeout=1)}',
    "legacy": '{"work_dir": str(folder), "use_docker": False, "timeout": 1}',
}


@needs_proc
@pytest.mark.parametrize("agent", TIMED)
def test_time_that_is_up(serve: Serve, model: ModelServer, tmp_path: Path, agent: str) -> None:
    """When the executor's own time-out has passed, nothing is left running, and the agent is told."""
    server = serve("--agents", write_agents(tmp_path, timed=code_pair(TIMED[agent])), model=model)
    model.script(Reply(tokens=[code_block(FAMILY + "time.sleep(600)")]), DONE)
    with ChatClient(server.websocket, agent="timed") as client:
        person = Person(client, tmp_path / "data")
        client.say("Compute")
        person.answer(person.request(), "approve")
        assert person.end()["status"] == "completed"
        processes = family(person.folder)

    assert "exitcode: 0" not in told(model)
    assert "timeout" in told(model).lower()
    wait_until(lambda: not any(map(is_running, processes)))


@needs_proc
def test_a_turn_whose_time_is_up(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """The end of the turn's time kills what code started."""
    server = serve("--agents", write_agents(tmp_path, local=AGENTS["local"]), "--turn-timeout", "3", model=model)
    model.script(Reply(tokens=[code_block(FAMILY + "time.sleep(600)")]))
    with ChatClient(server.websocket, agent="local") as client:
        person = Person(client, tmp_path / "data")
        client.say("Compute")
        person.answer(person.request(), "approve")
        processes = family(person.folder)
        assert person.end()["status"] == "failed"

    wait_until(lambda: not any(map(is_running, processes)))


@needs_proc
def test_the_end_of_the_server(fork: Fork, model: ModelServer, tmp_path: Path) -> None:
    """A server that ends takes what code started with it."""
    agents = write_agents(tmp_path, local=AGENTS["local"])
    model.script(Reply(tokens=[code_block(FAMILY + "time.sleep(600)")]))
    with (
        fork("--port", "0", "--ws-port", "0", "--agents", agents, environment=config_list(model)) as server,
        ChatClient(server.websocket, agent="local") as client,
    ):
        person = Person(client, tmp_path / "data")
        client.say("Compute")
        person.answer(person.request(), "approve")
        processes = family(person.folder)
        assert all(map(is_running, processes))
        server.signal(signal.SIGTERM)
        server.end()

    wait_until(lambda: not any(map(is_running, processes)))


# After a restart


@pytest.mark.parametrize("agent", ["local", "legacy"])
def test_code_runs_once_across_a_restart(fork: Fork, model: ModelServer, tmp_path: Path, agent: str) -> None:
    """A turn that asks again after code ran does not run it a second time when the server was restarted."""
    options = ("--port", "0", "--ws-port", "0", "--agents", write_agents(tmp_path, **AGENTS))
    model.script(WRITES, Reply(tokens=[code_block(MARK + "\nprint('again')")]), DONE)
    with fork(*options, environment=config_list(model)) as server:
        with ChatClient(server.websocket, agent=agent) as client:
            person = Person(client, tmp_path / "data")
            client.say("Compute")
            person.answer(person.request(), "approve")
            second = person.request()
            assert person.runs == 1
        server.signal(signal.SIGKILL)
        server.end()
    with (
        fork(*options, environment=config_list(model)) as server,
        ChatClient(server.websocket, session=person.session) as client,
    ):
        assert [request["request_id"] for request in client.confirmed()["open_requests"]] == [second["request_id"]]
        client.command("input_response", request_id=second["request_id"], text="approve")
        assert client.until("turn_completed")["content"]["status"] == "completed"

    assert person.runs == 2
    assert len(model.requests) == 3
    assert "again" in told(model)
    first = model.requests[-1]["body"]["messages"][-3]["content"]
    assert first.startswith("exitcode: 0")


def test_a_no_is_kept_across_a_restart(fork: Fork, model: ModelServer, tmp_path: Path) -> None:
    """A no still counts after a restart."""
    options = ("--port", "0", "--ws-port", "0", "--agents", write_agents(tmp_path, **AGENTS))
    model.script(WRITES, WRITES, DONE)
    with fork(*options, environment=config_list(model)) as server:
        with ChatClient(server.websocket, agent="local") as client:
            person = Person(client, tmp_path / "data")
            client.say("Compute")
            person.answer(person.request(), "deny, no")
            second = person.request()
        server.signal(signal.SIGKILL)
        server.end()
    with (
        fork(*options, environment=config_list(model)) as server,
        ChatClient(server.websocket, session=person.session) as client,
    ):
        client.confirmed()
        client.command("input_response", request_id=second["request_id"], text="approve")
        client.until("turn_completed")

    assert person.runs == 1


# Hand-offs

TEAM = '''
"""A team whose agents hand over to each other."""
from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.group import AgentTarget, OnCondition, StringLLMCondition
from autogen.agentchat.group.patterns import DefaultPattern
from agentchat.teams import manager_of

def look(what: str) -> str:
    return f"Looked at {what}"

def build(llm_config, chat):
    desk = ConversableAgent("desk", llm_config=llm_config, human_input_mode="NEVER")
    expert = ConversableAgent("expert", llm_config=llm_config, human_input_mode="NEVER", functions=[look])
    needs_it = StringLLMCondition(prompt="Needs the expert.")
    desk.handoffs.add_llm_condition(OnCondition(target=AgentTarget(expert), condition=needs_it))
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    return user, manager_of(DefaultPattern(initial_agent=desk, agents=[desk, expert], user_agent=user))
'''


def test_hand_offs_need_no_yes(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """With AGENTCHAT_APPROVE=all, people are asked about tools but not about AG2's own ones, which hand over."""
    server = serve("--agents", write_agents(tmp_path, team=TEAM), "--approve", "all", model=model)
    model.script(
        Reply(tools=[("transfer_to_expert_1", {})], ids=["a"]),
        Reply(tools=[("look", {"what": "it"})], ids=["b"]),
        Reply("I am the expert."),
    )
    with ChatClient(server.websocket, agent="team") as client:
        client.say("Help")
        request = client.until("input_request")["content"]
        assert request["tool"]["name"] == "look"
        client.command("input_response", request_id=request["request_id"], text="approve")
        assert client.until("turn_completed")["content"]["summary"] == "I am the expert."


# What is there by default, and what cannot be set up

DEFAULT = '''
"""AG2's default."""
from autogen import AssistantAgent, UserProxyAgent

def build(llm_config, chat):
    user = UserProxyAgent("user_proxy", human_input_mode="NEVER", default_auto_reply=None)
    return user, AssistantAgent("assistant", llm_config=llm_config)
'''


def test_the_default_in_a_container(
    serve: Serve, model: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container AG2's default proxy runs code in the server's own container, though not unasked."""
    monkeypatch.setattr(code_utils, "in_docker_container", lambda: True)
    server = serve("--agents", write_agents(tmp_path, default=DEFAULT), model=model)
    model.script(WRITES, Reply("Then not."))
    with ChatClient(server.websocket, agent="default") as client:
        client.say("Compute")
        request = client.until("input_request")["content"]
        assert request["tool"]["arguments"]["folder"] == code_utils.WORKING_DIR
        client.command("input_response", request_id=request["request_id"], text="deny")
        assert client.until("turn_completed")["content"]["summary"] == "Then not."


def failure(build: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        build()
    return caught.value


@pytest.mark.skipif(code_utils.is_docker_running(), reason="Docker is there")
def test_advice_without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Docker is missing, a sentence says what to write."""
    monkeypatch.setattr(code_utils, "in_docker_container", lambda: False)
    by_default = advice(failure(lambda: UserProxyAgent("user"))) or ""
    with_executor = advice(failure(coding.DockerCommandLineCodeExecutor)) or ""

    assert "code_execution_config=False" in by_default
    assert "pip install docker" in with_executor
    assert "\n" not in by_default + with_executor


def test_advice_on_other_executors() -> None:
    """Other executors that are not installed say so in one line; other errors are not for us to explain."""
    error = ImportError("A module needed for autogen.coding is missing:\n - 'zmq' is not installed.")

    assert advice(error) == "A module needed for autogen.coding is missing: - 'zmq' is not installed."
    assert advice(ImportError("No module named x")) is None
    assert advice(ValueError("docker")) is None


def test_the_result_as_the_last_word(meet: Meet, model: ModelServer) -> None:
    """The output of code is the turn's answer if the agent says nothing after it."""
    model.script(WRITES, Reply("TERMINATE"))
    person = meet("local")
    person.client.say("Run it")
    person.answer(person.request(), "approve")
    summary = person.end()["summary"]

    assert summary.endswith("Code output: It ran")
    shown = [content for content in contents(person.client.log, "text") if content["content"]]
    assert shown[-1]["content"].strip() == summary
