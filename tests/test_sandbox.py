"""Code written by a model runs within limits and leaves no process behind."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from agentchat import cancellation, sandbox
from agentchat.cancellation import Stopped, StopToken
from tests.clients import PATIENCE, wait_until


def test_code_runs_in_its_folder(tmp_path: Path) -> None:
    """Code runs in its folder, where it can import modules and write files; output and errors come back in order."""
    (tmp_path / "greeting.py").write_text("WORDS = 'good day'\n")
    code = "import greeting, sys\nprint(greeting.WORDS)\nopen('out.txt', 'w').write('x')\nsys.exit('no more')"
    result = sandbox.run(code, tmp_path)

    assert (result.status, result.output, result.is_cut, result.why) == (1, "good day\nno more\n", False, "")
    assert sorted(os.listdir(tmp_path)) == ["greeting.py", "out.txt"]


def test_code_gets_no_keys_and_no_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code gets neither the server's environment nor its standard input."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    result = sandbox.run("import os, sys\nprint(sorted(os.environ), repr(sys.stdin.read()))", tmp_path)

    assert "OPENAI" not in result.output
    assert result.output.endswith("''\n")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("x = 'x' * 2**31", "MemoryError"),
        ("open('big', 'wb').write(b'x' * (sandbox + 1))".replace("sandbox", str(sandbox.FILE_BYTES)), ""),
        ("files = [open('/dev/null') for _ in range(1000)]", "Too many open files"),
    ],
)
def test_code_has_limits(tmp_path: Path, code: str, error: str) -> None:
    """Memory, file size and the number of open files are limited."""
    result = sandbox.run(code, tmp_path)

    assert error in result.output
    assert all(path.stat().st_size <= sandbox.FILE_BYTES for path in tmp_path.iterdir())
    assert result.status or not error


def test_time_is_limited(tmp_path: Path) -> None:
    """Time is limited: an endless program is killed, and its output so far is kept."""
    result = sandbox.run("print('on and on')\nwhile True: pass", tmp_path, seconds=0.5)

    assert result.output == "on and on\n"
    assert result.why == "it took longer than 0.5 seconds"
    assert str(result).startswith("Ended: it took longer")


def test_long_output_is_cut_in_the_middle(tmp_path: Path) -> None:
    """Long output is cut in the middle, keeping the beginning and the end."""
    result = sandbox.run("print('first')\nprint('x' * 10**7)\nprint('last')", tmp_path)

    assert result.is_cut
    assert len(result.output) < sandbox.OUTPUT_BYTES + 100
    assert result.output.startswith("first\n")
    assert result.output.endswith("last\n")


CHILDREN = """
import os, subprocess, sys, time
stay = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(stay), subprocess.Popen(stay, start_new_session=True)]
print(*(child.pid for child in children), flush=True)
"""


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="without /proc, processes that leave their group are not found")
@pytest.mark.parametrize(("end", "seconds"), [("", PATIENCE), ("time.sleep(600)", 5)])
def test_no_process_is_left(tmp_path: Path, end: str, seconds: float) -> None:
    """No process is left, neither a child nor one that left the process group, even after a timeout."""
    result = sandbox.run(CHILDREN + end, tmp_path, seconds=seconds)

    children = [int(number) for number in result.output.split()]
    assert len(children) == 2
    wait_until(lambda: not any(is_running(child) for child in children))


def test_code_ends_with_the_turn(tmp_path: Path) -> None:
    """Stopping the turn kills the process."""
    token, ended = StopToken(), threading.Event()

    def run() -> None:
        cancellation.current.set(token)
        with pytest.raises(Stopped):
            sandbox.run("import os\nopen('pid', 'w').write(str(os.getpid()))\nwhile True: pass", tmp_path, seconds=600)
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and bool(pid.read_text()))
    token.stop("stopped")

    assert ended.wait(PATIENCE)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("code", ["print(1)\0", "#" * (sandbox.CODE_BYTES + 1)])
def test_code_that_cannot_be_run(tmp_path: Path, code: str) -> None:
    """Code that can't be run is refused with the reason."""
    with pytest.raises(ValueError, match="The code must have"):
        sandbox.run(code, tmp_path)


def test_threads_are_limited(tmp_path: Path) -> None:
    """A program that starts too many threads gets an error."""
    code = """
import threading
gate = threading.Event()
for _ in range(200):
    threading.Thread(target=gate.wait, daemon=True).start()
print("all of them")
"""
    result = sandbox.run(code, tmp_path)

    assert "can't start new thread" in result.output
