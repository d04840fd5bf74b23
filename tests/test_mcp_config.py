"""The file that lists MCP servers, and the package that they need."""

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
        ('{"mcpServers": {"a": {"command": "x", "args": "-y"}}}', "'args' must be a list of strings"),
        ('{"mcpServers": {"a": {"command": "x", "env": {"A": 1}}}}', "'env' must be an object of strings"),
        ('{"mcpServers": {"a": {"command": ""}}}', "'command' must be a non-empty string"),
        (
            '{"mcpServers": {"a": {"command": "x", "arguments": []}}}',
            "has the unknown field 'arguments'; known are args, command, cwd",
        ),
        ('{"mcpServers": {"a": {"url": "http://x", "type": "ftp"}}}', "'type' must be one of stdio, http"),
        ('{"mcpServers": {"a": {"url": "http://x", "type": "stdio"}}}', "has the type 'stdio', which needs 'command'"),
        ('{"mcpServers": {"a": {"url": "http://x", "env": {}}}}', "has 'env', which the type 'http' does not use"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, sentence: str) -> None:
    """An unusable file is an error of one sentence that says what is wrong."""
    (tmp_path / "mcp.json").write_text(text)
    with pytest.raises(SettingsError) as error:
        mcp.load(Path("mcp.json"))
    assert sentence in str(error.value)


def test_a_missing_file(tmp_path: Path) -> None:
    """Without the file there are no servers. A file that was named and is missing is an error of the settings."""
    assert mcp.load(tmp_path / "mcp.json").tools() == []


def test_without_the_package(tmp_path: Path) -> None:
    """Without the `mcp` package, the module works as long as no servers are listed.

    Otherwise the error says what to install.
    """
    (tmp_path / "servers.json").write_text('{"mcpServers": {"a": {"command": "x"}}}')
    program = """
import sys
from pathlib import Path
sys.modules["mcp"] = None
from agentchat.mcp import servers
servers.load(Path("mcp.json")).close()
print("without servers: fine")
servers.load(Path("servers.json"))
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert ended.stdout == "without servers: fine\n"
    assert "SettingsError: servers.json names MCP servers" in ended.stderr
    assert "pip install -r requirements-mcp.txt" in ended.stderr
