"""AG2's code execution during a turn: a person is asked before code runs, and it ends with the turn.

The methods with which AG2 runs code are wrapped on the classes that define them, whichever agent, chat, tool or thread
calls them. Outside turns they work as before.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MethodType
from typing import Any, NamedTuple

from autogen import ConversableAgent, coding
from autogen.code_utils import DEFAULT_TIMEOUT, WORKING_DIR, infer_lang
from autogen.coding.base import CodeBlock, CommandLineCodeResult, IPythonCodeResult
from autogen.tools.experimental.shell.shell_tool import CmdResult, ShellExecutor
from pydantic import BaseModel

from agentchat import cancellation, measures, processes
from agentchat.ag2 import iostream
from agentchat.ag2.iostream import TurnStream
from agentchat.ag2.tools import recorded
from agentchat.approval import code_needs_yes
from agentchat.cancellation import Stopped
from agentchat.processes import Programs

log = logging.getLogger(__name__)

TOOL = "execute_code"  # the name under which people are asked
OUTPUT_CHARS = 100_000  # of the output that are kept, half from its beginning and half from its end
_FOLDERS = ("work_dir", "output_dir", "_output_dir")  # attributes of executors
GRACE = 0.5  # seconds for AG2 to see for itself that a program's time is up

Method = Callable[..., Any]
Kept = dict[str, Any]  # the result of an execution, as JSON values

_is_executing: contextvars.ContextVar[bool] = contextvars.ContextVar("is_executing", default=False)


class Block(NamedTuple):
    """Code in a language: a code block of AG2's older kind."""

    language: str
    code: str


class Result(CommandLineCodeResult, IPythonCodeResult):
    """The result that an executor returned, perhaps before a restart."""


class Refused(ValueError):
    """Raised when a person says no; nothing ran."""


def install() -> None:
    """Wrap AG2's own methods, once per process."""
    if hasattr(ConversableAgent.run_code, "__wrapped__"):
        return
    for reply in ("generate_code_execution_reply", "_generate_code_execution_reply_using_executor"):
        setattr(ConversableAgent, reply, _guarding(getattr(ConversableAgent, reply)))
    name = "execute_code_blocks"
    for executor in filter(inspect.isclass, vars(coding).values()):
        if name in vars(executor) and executor is not coding.CodeExecutor:
            setattr(executor, name, _asking(getattr(executor, name), _ask_for_executor))
    ConversableAgent.execute_code_blocks = _asking(ConversableAgent.execute_code_blocks, _ask_for_agent)
    ConversableAgent.run_code = _asking(_timed(ConversableAgent.run_code), _ask_for_code)
    ShellExecutor.run = _asking(ShellExecutor.run, _ask_for_shell)


def advice(error: BaseException) -> str | None:
    """Return a sentence on what to write in an agent file whose code execution cannot be set up; None for others."""
    text = " ".join(str(error).split())
    if isinstance(error, RuntimeError) and text.startswith("Code execution is set to be run in docker"):
        return (
            "AG2's UserProxyAgent runs code in Docker by default, and Docker is not there. Write "
            'code_execution_config=False to run none, or {"work_dir": "coding", "use_docker": False} to run it on this '
            "machine, after a person's yes."
        )
    is_unreachable = isinstance(error, RuntimeError) and text.startswith("Docker is not available")
    if is_unreachable or (isinstance(error, ImportError) and "'docker' is not installed" in text):
        return (
            "Its code runs in Docker, which needs the package docker (pip install docker) and Docker running on this "
            "machine. Start it, or use autogen.coding.LocalCommandLineCodeExecutor."
        )
    return text if isinstance(error, ImportError) and "autogen.coding" in text else None


# The wrappers


def _guarding(reply: Method) -> Method:
    """Return a reply function of AG2's that wraps what its agent is about to run code with."""

    @functools.wraps(reply)
    def run(agent: ConversableAgent, *args: Any, **kwargs: Any) -> Any:
        if iostream.current.get() is None:
            return reply(agent, *args, **kwargs)
        executor = agent.code_executor
        _guard(*((agent, _ask_for_agent) if executor is None else (executor, _ask_for_executor)))
        config = agent._code_execution_config
        if isinstance(config, dict):  # AG2 changes it, though all agents share the default one
            agent._code_execution_config = dict(config)
        token = _is_executing.set(False)  # code that runs in this process may hold chats of its own
        try:
            return reply(agent, *args, **kwargs)
        except BaseException:
            agent._code_execution_config = config
            raise
        finally:
            _is_executing.reset(token)

    return run


def _guard(subject: Any, way: Method) -> None:
    """Wrap `execute_code_blocks` of an agent or executor, on the class that defines it or else on the object."""
    name = "execute_code_blocks"
    method = getattr(subject, name)
    if hasattr(method, "asks"):
        return
    owner = next((each for each in type(subject).__mro__ if name in vars(each)), None)
    if owner is not None and inspect.ismethod(method) and method.__func__ is vars(owner)[name]:
        setattr(owner, name, _asking(method.__func__, way))
    else:
        setattr(subject, name, MethodType(_asking(lambda _, *args, **kwargs: method(*args, **kwargs), way), subject))


def _asking(method: Method, way: Method) -> Method:
    """Return the method so that in a turn it goes the way that asks a person."""

    @functools.wraps(method)
    def run(subject: Any, *args: Any, **kwargs: Any) -> Any:
        turn = iostream.current.get()
        if turn is None or _is_executing.get():
            return method(subject, *args, **kwargs)
        return way(turn, subject, functools.partial(method, subject), *args, **kwargs)

    vars(run)["asks"] = True
    return run


def _timed(run_code: Method) -> Method:
    """Return the method so that programs are killed when their time is up; AG2 goes on waiting for them."""

    @functools.wraps(run_code)
    def run(agent: ConversableAgent, code: str, **kwargs: Any) -> Any:
        programs = processes.current.get()
        if programs is None:
            return run_code(agent, code, **kwargs)
        timer = threading.Timer((kwargs.get("timeout") or DEFAULT_TIMEOUT) + GRACE, programs.kill)
        timer.daemon = True
        timer.start()
        try:
            return run_code(agent, code, **kwargs)
        finally:
            timer.cancel()

    return run


# The ways to ask and run, by what runs the code. `run` is the method as it was.


def _ask_for_executor(turn: TurnStream, executor: Any, run: Method, code_blocks: Sequence[Any]) -> Result:
    given = [Block(block.language, block.code) for block in code_blocks]

    def execute(approved: Sequence[Block]) -> Kept:
        pairs = zip(code_blocks, given, approved, strict=True)
        result = run(
            [old if before == now else CodeBlock(language=now.language, code=now.code) for old, before, now in pairs]
        )
        if isinstance(result, BaseModel):
            return result.model_dump(mode="json")
        return {"exit_code": result.exit_code, "output": result.output}

    folder = next((value for name in _FOLDERS if (value := getattr(executor, name, None))), "")
    try:
        return Result(**_carried_out(turn, given, folder, execute, getattr(executor, "restart", None)))
    except Refused as refused:
        return Result(exit_code=1, output=str(refused))


def _ask_for_agent(
    turn: TurnStream, agent: ConversableAgent, run: Method, code_blocks: Sequence[tuple[str, str]]
) -> tuple[int, str]:
    given = [Block(language or infer_lang(code), code) for language, code in code_blocks]

    def execute(approved: Sequence[Block]) -> Kept:
        exit_code, output = run(approved)
        return {"exit_code": exit_code, "output": output}

    try:
        kept = _carried_out(turn, given, _work_dir(agent), execute)
    except Refused as refused:
        return 1, str(refused)
    return kept["exit_code"], kept["output"]


def _ask_for_code(
    turn: TurnStream, agent: ConversableAgent, run: Method, code: str, **kwargs: Any
) -> tuple[int, str, str | None]:
    def execute(approved: Sequence[Block]) -> Kept:
        [block] = approved
        exit_code, output, image = run(block.code, **{**kwargs, "lang": block.language})
        return {"exit_code": exit_code, "output": output, "image": image}

    folder = kwargs.get("work_dir") or _work_dir(agent)
    try:
        kept = _carried_out(turn, [Block(kwargs.get("lang") or "python", code)], folder, execute)
    except Refused as refused:
        return 1, str(refused), None
    return kept["exit_code"], kept["output"], kept.get("image")


def _ask_for_shell(
    turn: TurnStream, shell: ShellExecutor, run: Method, cmd: str, timeout: float | None = None
) -> CmdResult:
    """Ask before a command of a model's own shell tool. Raises Refused, of which AG2 makes the command's result."""

    def execute(approved: Sequence[Block]) -> Kept:
        [block] = approved
        result = run(block.code, timeout)
        output = {"output": result.stdout, "errors": result.stderr}
        return {"exit_code": result.exit_code, **output, "timed_out": result.timed_out}

    kept = _carried_out(turn, [Block("sh", cmd)], shell.workspace_dir, execute)
    return CmdResult(kept["output"], kept.get("errors", ""), kept["exit_code"], kept.get("timed_out", False))


def _work_dir(agent: ConversableAgent) -> str:
    config = agent._code_execution_config
    return str((config and config.get("work_dir")) or WORKING_DIR)


# Asking and running


def _carried_out(
    turn: TurnStream,
    blocks: Sequence[Block],
    folder: str | Path,
    execute: Callable[[Sequence[Block]], Kept],
    restart: Callable[[], None] | None = None,
) -> Kept:
    """Ask about each block, then run them all. Raises Refused if one of them may not run, and Stopped."""
    place = str(Path(folder).absolute()) if folder else ""
    approved = [_approved(turn, block, place) for block in blocks] if code_needs_yes(turn.approvals) else blocks
    kept: Kept = recorded(turn, TOOL, lambda: _measured(lambda: execute(approved), restart))
    changed = [new for new, old in zip(approved, blocks, strict=True) if new != old]
    if changed:
        code = ", ".join(json.dumps(block._asdict(), ensure_ascii=False) for block in changed)
        kept = {**kept, "output": f"[The person changed the code to {code}.]\n{kept['output']}"}
    return kept


def _approved(turn: TurnStream, block: Block, folder: str) -> Block:
    """Return the block as a person allows it to run. Raises Refused."""
    answer = turn.approve(TOOL, {**block._asdict(), "folder": folder})
    if answer.text == "deny":
        reason = f": {answer.reason}" if answer.reason else ""
        raise Refused(
            f"The person did not allow this code to run{reason}. Do not send it again unless they ask for it."
        )
    changed = answer.arguments or {}
    return Block(str(changed.get("language", block.language)), str(changed.get("code", block.code)))


def _measured(execute: Callable[[], Kept], restart: Callable[[], None] | None) -> Kept:
    """Return the result of `_executed`, counted as a tool's."""
    with measures.current.get().tool_call(TOOL, "") as span:
        kept = _executed(execute, restart)
        if kept["exit_code"]:
            span.fail(f"exit_{kept['exit_code']}")
        return kept


def _executed(execute: Callable[[], Kept], restart: Callable[[], None] | None) -> Kept:
    """Return the result, or the error as one. The programs that were started are killed, also those left running.

    Raises Stopped; then an executor that runs its code elsewhere (a notebook's kernel, a container) is restarted.
    """
    programs, token = Programs(), _is_executing.set(True)
    try:
        with cancellation.current.get().interruptible(programs.kill), programs.collecting():
            return _bounded(cancellation.call(execute, "code"))
    except Stopped:
        if restart is not None and not programs.were_started:
            thread = threading.Thread(target=_restart, args=(restart,), name="code-restart", daemon=True)
            contextvars.Context().run(thread.start)
        raise
    except BaseException as error:
        log.warning("Code could not be run", exc_info=True)
        return {"exit_code": 1, "output": f"{type(error).__name__}: {error}"}
    finally:
        programs.kill()
        _is_executing.reset(token)


def _restart(restart: Callable[[], None]) -> None:
    try:
        restart()
    except Exception:
        log.exception("A code executor could not be restarted after a stop; its code may run on")


def _bounded(kept: Mapping[str, Any]) -> Kept:
    return {name: _cut(value) if isinstance(value, str) else value for name, value in kept.items()}


def _cut(text: str) -> str:
    half = OUTPUT_CHARS // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}" if len(text) > OUTPUT_CHARS else text
