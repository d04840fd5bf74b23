"""The house is in order: layers point one way, and the documents say what the code does."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
from pathlib import Path

import pytest

from agentchat import events, settings, websocket
from agentchat.errors import ERRORS
from tests.processes import ROOT

# Who may know whom, from the top of the house to its foundations (docs/architecture.md).
LAYERS = [
    {"main"},
    {"websocket", "http.server", "http.api"},
    {"http.answering", "http.desk", "http.files", "http.interactions", "http.memory", "http.openapi", "http.plan"},
    {"http.documents", "http.rest"},
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


def named(page: str, header: str) -> list[list[str]]:
    """What stands in code signs in the first column of the table with that header, row by row."""
    lines = (ROOT / "docs" / page).read_text().partition(f"{header}\n|---")[2].splitlines()[1:]
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines)
    return [re.findall("`([^`]+)`", row.split("|")[1]) for row in rows]


def test_every_room_is_in_the_table_once() -> None:
    """And every row names rooms that are there; behind a first `http/x.py` the others are in `http/`, too."""
    found: list[Path] = []
    for first, *others in named("architecture.md", "| room | what lives there |"):
        path = ROOT / "agentchat" / first
        for each in (path, *(path.with_name(other) for other in others)):
            found += each.glob("*.py") if each.is_dir() else [each]
    assert sorted(found) == sorted([*rooms().values(), ROOT / "agentchat" / "main.py"])


def test_every_command_is_documented() -> None:
    """And what is documented is a command."""
    rows = named("protocol.md", "| type | content | effect |")
    assert sorted(itertools.chain(*rows)) == sorted(websocket.COMMANDS)


# Those of ours that are no classes in events.py.
OTHERS = {"stream", "reasoning", "input_request", "input_response", "handoff", "task_created", "task_updated"}
OTHERS |= {"file_changed", "presence", "typing", "progress", "operators", "queue", "error"}


def test_every_event_of_ours_is_documented() -> None:
    """And what is documented is an event of ours."""
    classes = [each for each in vars(events).values() if getattr(each, "__module__", "") == events.__name__]
    types = [each.model_fields["type"].default for each in classes if hasattr(each, "model_fields")]
    rows = named("protocol.md", "| type | in the log | content | meaning |")
    assert sorted(itertools.chain(*rows)) == sorted([*types, *OTHERS])


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
