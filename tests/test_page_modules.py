"""The page's pure modules, tested by Node's own test runner (tests/page/)."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.processes import ROOT


def test_page_modules() -> None:
    """The reducer, rich text, reconnecting, formats and browser storage pass Node's tests."""
    node = shutil.which("node")
    if node is None:
        assert os.environ.get("CI") != "true", "Node.js is missing"
        pytest.skip("Node.js is missing: the tests of the page's modules need it (Debian: apt-get install nodejs)")
    tests = sorted(str(path) for path in (ROOT / "tests" / "page").glob("*.test.mjs"))
    ended = subprocess.run([node, "--test", *tests], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
