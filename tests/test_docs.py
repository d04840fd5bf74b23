"""The documents match the code."""

from __future__ import annotations

import itertools
import re

from agentchat import settings
from agentchat.protocol import session_events
from agentchat.protocol.errors import ERRORS
from agentchat.ws.commands import COMMANDS
from tests.processes import ROOT


def test_every_setting_is_documented() -> None:
    """The documented settings are those in the code."""
    assert settings.table() in (ROOT / "docs" / "settings.md").read_text()


def test_every_error_is_documented() -> None:
    """Every error is documented with its code, status, close code and sentence."""
    page = (ROOT / "docs" / "protocol.md").read_text()
    for code, row in ERRORS.items():
        assert f"| `{code}` | {row.status} | {row.close or ''} | {row.sentence} |" in page


def named(page: str, header: str) -> list[list[str]]:
    """Return the names in code font in the first column of the table with that header, row by row."""
    lines = (ROOT / "docs" / page).read_text().partition(f"{header}\n|---")[2].splitlines()[1:]
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines)
    return [re.findall("`([^`]+)`", row.split("|")[1]) for row in rows]


def test_every_folder_is_in_the_architecture() -> None:
    """Each package and top-level module has one row in the architecture, and each row names one that exists."""
    package = ROOT / "agentchat"
    found = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    found |= {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    rows = itertools.chain.from_iterable(named("architecture.md", "| where | what it does |"))
    assert sorted(rows) == sorted(found | {"main.py"})


def test_every_command_is_documented() -> None:
    """The documented commands are those in the code."""
    rows = named("protocol.md", "| type | content | effect |")
    assert sorted(itertools.chain(*rows)) == sorted(COMMANDS)


# Our events without a class in session_events.py.
OTHERS = {"stream", "reasoning", "input_request", "input_response", "handoff", "task_created", "task_updated"}
OTHERS |= {"file_changed", "place", "presence", "typing", "progress", "operators", "queue", "heartbeat", "error"}


def test_every_event_of_ours_is_documented() -> None:
    """The documented events are those in the code."""
    classes = [
        each for each in vars(session_events).values() if getattr(each, "__module__", "") == session_events.__name__
    ]
    types = [each.model_fields["type"].default for each in classes if hasattr(each, "model_fields")]
    rows = named("protocol.md", "| type | in the log | content | meaning |")
    assert sorted(itertools.chain(*rows)) == sorted([*types, *OTHERS])


def test_links_in_the_documents_lead_somewhere() -> None:
    """Relative links in the documents lead to existing files."""
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_prose_in_the_documents_is_wrapped() -> None:
    """Prose is wrapped at 100 characters; tables, code and pictures may be longer."""
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        prose = [line for line in text.splitlines() if not line.startswith(("|", "    ", "![", "#"))]
        assert [line for line in prose if len(line) > 100] == [], page.name
