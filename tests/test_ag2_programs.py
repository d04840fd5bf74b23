"""Programs in the forms that AG2's guide, notebooks and example apps publish, each through five turns and a restart.

They are in ag2_programs; program_runs.py says how they are run.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.model_server import ModelServer
from tests.program_runs import WORD, Program, Record, Runs, Turn, plain, programs

PROGRAMS = programs()
INNER = (
    "_Group_Tool_Executor",
    "speaker_selection_agent",
    "checking_agent",
    "chat_manager",
    "wrapped_nested_",
    "wrapped_",
)
"""AG2's own agents, which are never heard, and the beginnings of their names."""
CONSOLE = ("PRINTED", "Next speaker:", ">>>>>>>>", "Traceback", "Press enter", "-" * 40)
"""Words of AG2's console and of the programs, which the server's terminal never shows."""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Record]:
    """Run those programs that are to be tested, half of them on one server and half on another."""
    wanted = {item.callspec.params.get("program") for item in request.session.items if hasattr(item, "callspec")}
    chosen = [program for program in PROGRAMS if program in wanted]

    def run(programs: list[Program], folder: Path) -> dict[str, Record]:
        with ModelServer() as model:
            runs = Runs(programs, model, folder)
            runs.run()
            return runs.records

    folders = [tmp_path_factory.mktemp("programs") for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(run, [chosen[::2], chosen[1::2]], folders)
    return first | second


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_behaves_as_in_a_terminal(program: Program, records: dict[str, Record]) -> None:
    if "needs" in program.expected:
        pytest.importorskip(program.expected["needs"])
    record = records[program.name]
    problems = [*_of_record(program, record)]
    for turn in record.turns:
        problems += [f"turn {turn.number}: {problem}" for problem in _of_turn(program, turn)]
    if not problems and hasattr(program.module, "check"):
        problems += _of_check(program, record)
    if problems:
        pytest.fail("\n".join([f"{program.name}:", *problems]), pytrace=False)


def _of_check(program: Program, record: Record) -> Iterator[str]:
    try:
        program.module.check(record.turns)
    except AssertionError as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        yield f"{where.line} (line {where.lineno}): {error}"


def _of_record(program: Program, record: Record) -> Iterator[str]:
    if record.problem:
        yield record.problem
    if len(record.turns) < (3 if program.expected.get("stop", 1) is None else 5):
        yield f"only {len(record.turns)} turns"
    if record.left is not None and record.left.status != "completed":
        yield f"the turn that waited through the restart ends {record.left.status} {record.left.errors}"
    if record.late:
        yield f"asks models after the end of its turn: {record.late}"
    if record.threads:
        yield f"left {record.threads} threads in the server"
    shown = [line for line in record.log.splitlines() if any(word in line for word in CONSOLE)]
    if shown:
        yield f"shown on the server's terminal: {shown[:4]}"


def _of_turn(program: Program, turn: Turn) -> Iterator[str]:
    if turn.problem:
        yield turn.problem
    status = "stopped" if turn.number == 4 else "completed"
    if turn.status != status:
        yield f"{turn.status}, not {status} {turn.errors}"
        if not turn.contents("turn_completed") or turn.status == "failed":
            return
    elif turn.errors:
        yield f"errors {turn.errors}"
    heard = {content["sender"] for content in [*turn.contents("stream", "tool_call"), *turn.texts]}
    if inner := [name for name in heard if name.startswith(INNER)]:
        yield f"heard from inside AG2: {inner}"
    streamed = turn.streamed()
    for content in turn.texts:
        said = streamed.get(content["message_id"])
        if said is None or content.get("partial") or program.expected.get("edited"):
            continue
        if plain(said) != plain(content["content"]):
            yield f"streamed «{said}», said «{content['content']}»"
    if turn.number == 4:
        if turn.stopped_at != len(turn.requests):
            yield f"{len(turn.requests)} model calls, {turn.stopped_at} of them before the stop"
        return
    if any("Press enter" in question["prompt"] for question in turn.questions):
        yield f"asked in the console's words: «{turn.questions[-1]['prompt']}»"
    if turn.unexpected:
        yield f"asked «{turn.unexpected[0]}», {len(turn.unexpected)} such questions"
    if not turn.summary:
        yield "no summary"
    calls = program.expected.get("calls")
    if isinstance(calls, tuple):  # after a stop others may go on
        calls = program.of_turn("calls", turn.number) if turn.number < 4 else None
    if calls is not None and len(turn.requests) != calls:
        yield f"{len(turn.requests)} model calls, not {calls}: {[asked.name for asked in turn.requests]}"
    if turn.number == 5:
        return
    says = program.of_turn("says", turn.number)
    if says is not None and turn.said != says:
        yield f"{turn.said} speak, not {says}; texts: {_brief(turn)}"
    summary = program.of_turn("summary", turn.number, "").format(turn=turn.number)
    if summary not in turn.summary:
        yield f"the summary is «{turn.summary}», not «{summary}»"
    remembers = turn.number == 3 and program.expected.get("memory", True)
    if remembers and turn.requests and WORD not in str(turn.requests[0].body["messages"]):
        yield "the first turn is forgotten"


def _brief(turn: Turn) -> list[tuple[str, str]]:
    return [(content["sender"], str(content["content"])[:60]) for content in turn.contents("text")]
