"""The examples of docs/testing.md run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import config_list
from tests.model_server import ModelServer
from tests.processes import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_example_runs(model: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each example passes where a reader would put it: once with a model to record, and then without."""
    blocks = BLOCK.findall((ROOT / "docs" / "testing.md").read_text())
    monkeypatch.chdir(ROOT)  # where a reader runs pytest
    file = tmp_path / "test_mine.py"
    source = "\n".join(blocks)
    assert source.count("\ndef ") == source.count("\ndef test_") + 1  # the one that records by hand

    def run(*names: str) -> None:
        space: dict[str, Any] = {"__file__": str(file), "__name__": "test_mine"}
        exec(compile(source, file, "exec"), space)
        tests = [value for name, value in space.items() if name.startswith(names)]
        assert tests
        for test in tests:
            test()

    with monkeypatch.context() as configured:
        configured.setenv("OAI_CONFIG_LIST", config_list(model)["OAI_CONFIG_LIST"])
        run("record_")
        run("test_a_real_model")
        configured.setenv("AGENTCHAT_RECORD", "1")
        run("test_a_real_model")
    requests = model.counts.requests
    assert requests == 4
    run("test_")
    assert model.counts.requests == requests


def test_the_first_example_is_short() -> None:
    """The first example is five lines of code."""
    first = BLOCK.findall((ROOT / "docs" / "testing.md").read_text())[0]
    assert len([line for line in first.splitlines() if line]) == 5
