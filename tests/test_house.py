"""The house is in order: layers point one way, and the documents say what the code does."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from agentchat import settings
from agentchat.errors import ERRORS
from tests.processes import ROOT

# Who may know whom, from the top of the house to its foundations (docs/architecture.md).
LAYERS = [
    {"main"},
    {"websocket", "http.server", "http.api"},
    {"http.answering", "http.desk", "http.interactions", "http.memory", "http.openapi", "http.plan"},
    {"http.documents", "http.rest", "http.files"},
    {"http.sse", "http.export", "http.following", "http.requests"},
    {"delivery", "http.layouts", "http.reading", "http.answers", "http.receiving"},
    {"http.routes"},
    {"http.waiting"},
    {"sessions"},
    {"session"},
    {"worker"},
    {"house", "turn"},
    {"bars", "conversation", "open_questions", "people"},
    {"log", "milestones"},
    {"cursor"},
    {"mcp"},
    {"mcp_connection"},
    {"tools", "iostream", "catalogue", "context_window"},
    {"chat", "embeddings", "models", "questions"},
    {"journal"},
    {"knowledge"},
    {"knowledge.citing", "knowledge.sources", "knowledge.vectors"},
    {"knowledge.passage"},
    {"knowledge.index", "knowledge.reading"},
    {"knowledge.chunking", "knowledge.html", "knowledge.markdown", "knowledge.pdf", "knowledge.words"},
    {"knowledge.decoding", "knowledge.fusion", "knowledge.stop_words"},
    {"knowledge.document"},
    {"demo", "transport"},
    {"demo_rules", "network"},
    {"changes", "demo_arguments", "notes", "plan", "store.memory", "store.sqlite"},
    {"demo_reading", "held", "limits", "listener", "origins", "sandbox", "showing", "store", "workspace"},
    {
        "approval",
        "desk",
        "identity",
        "usage",
        "mcp_config",
        "events",
        "settings",
        "stopping",
        "tapping",
        "tree",
        "wire",
        "sendable",
        "writing",
        "paths",
        "diffs",
    },
    {"errors"},
]


def imports(path: Path) -> set[str]:
    """The rooms of ours that a module imports, those for types only aside."""
    known = rooms().keys()
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("agentchat"):
            room = node.module.removeprefix("agentchat").lstrip(".")
            names = {f"{room}.{alias.name}".lstrip(".") for alias in node.names}
            found |= {room} if room in known else names & known
    return found


def rooms() -> dict[str, Path]:
    package = ROOT / "agentchat"
    found = {".".join(path.relative_to(package).with_suffix("").parts): path for path in package.rglob("*.py")}
    named = {name.removesuffix(".__init__"): path for name, path in found.items()}
    return {name: path for name, path in named.items() if name not in {"__init__", "http"}}


def test_layers_point_one_way() -> None:
    """No room knows one above it."""
    level = {room: number for number, layer in enumerate(LAYERS) for room in layer}
    for room, path in {**rooms(), "main": ROOT / "main.py"}.items():
        for known in imports(path):
            assert level[known] > level[room], f"{room} knows {known}"


HTTP = sorted(room for layer in LAYERS for room in layer if room.startswith("http."))


@pytest.mark.parametrize("room", ["store.sqlite", "store.memory", "store", "cursor", "delivery", *HTTP])
def test_what_a_room_never_knows(room: str) -> None:
    """Stores, cursors and sockets know nothing of AG2."""
    assert "autogen" not in rooms()[room].read_text()


def test_every_setting_is_documented() -> None:
    """The table in the docs is the table in the code."""
    assert settings.table() in (ROOT / "docs" / "settings.md").read_text()


def test_every_error_is_documented() -> None:
    """With its code, its status, its close code and its sentence."""
    page = (ROOT / "docs" / "protocol.md").read_text()
    for code, row in ERRORS.items():
        assert f"| `{code}` | {row.status} | {row.close or ''} | {row.sentence} |" in page


def test_no_file_is_too_long_to_read() -> None:
    """A room that grows beyond this does two things."""
    tracked = subprocess.run(["git", "ls-files", "*.py", "*.js", "*.css"], cwd=ROOT, capture_output=True, text=True)
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in tracked.stdout.split()}
    assert [name for name, length in lengths.items() if length > 450] == []


def test_links_in_the_documents_lead_somewhere() -> None:
    """Relative ones, to files that are there."""
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
