"""The file that names MCP servers, and the package that they need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentchat.mcp import servers as mcp
from agentchat.protocol.errors import SettingsError
from tests.processes import ROOT


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not valid JSON"),
        ("[]", 'must be an object with "mcpServers"'),
        ('{"servers": {}}', 'must be an object with "mcpServers"'),
        ('{"mcpServers": {"a": []}}', "The MCP server a in mcp.json must be an object."),
        ('{"mcpServers": {"a": {}}}', "must have either 'command' or 'url'"),
        ('{"mcpServers": {"a": {"command": "x", "url": "http://x"}}}', "must have either 'command' or 'url'"),
        ('{"mcpServers": {"a": {"command": "x", "args": "-y"}}}', "'args' must be a list of texts"),
        ('{"mcpServers": {"a": {"command": "x", "env": {"A": 1}}}}', "'env' must be an object of texts"),
        ('{"mcpServers": {"a": {"command": ""}}}', "'command' must be a text that is not empty"),
        ('{"mcpServers": {"a": {"command": "x", "arguments": []}}}', "has 'arguments'; known are args, command, cwd"),
        ('{"mcpServers": {"a": {"url": "http://x", "type": "ftp"}}}', "'type' must be one of stdio, http"),
        ('{"mcpServers": {"a": {"url": "http://x", "type": "stdio"}}}', "has the type 'stdio', which needs 'command'"),
        ('{"mcpServers": {"a": {"url": "http://x", "env": {}}}}', "has 'env', which means nothing for the type 'http'"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, sentence: str) -> None:
    """One sentence each."""
    (tmp_path / "mcp.json").write_text(text)
    with pytest.raises(SettingsError) as error:
        mcp.load(Path("mcp.json"))
    assert sentence in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Is none by default, and an error when it was named."""
    assert mcp.load(Path("mcp.json")).tools() == []
    with pytest.raises(SettingsError, match=r"The file my\.json that --mcp names does not exist\."):
        mcp.load(Path("my.json"))


def test_without_the_package(tmp_path: Path) -> None:
    """The server says what to install; without servers it needs no package."""
    program = (
        "import sys; sys.modules['mcp'] = None\n"
        "from pathlib import Path\n"
        "from agentchat.mcp import servers as mcp\n"
        "mcp.load(Path('mcp.json')).close()\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True).returncode == 0
    (tmp_path / "mcp.json").write_text('{"mcpServers": {"a": {"command": "x"}}}')
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "SettingsError: mcp.json names MCP servers" in ended.stderr
    assert "pip install -r requirements-mcp.txt" in ended.stderr
