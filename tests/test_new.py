"""`python main.py new NAME` writes agent files that work and say how they do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentchat.cli import main
from agentchat.cli.new import KINDS, TEMPLATES
from tests.clients import ChatClient, contents
from tests.processes import ROOT
from tests.shared_servers import Served, start


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("new")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    knowledge = f"{ROOT / 'README.md'}"
    served = start(["demo", "--data-dir", str(folder / "data"), "--agents", str(folder), "--knowledge", knowledge], {})
    yield served
    served.close()


def new(served: Served, folder: Path, *arguments: str) -> int:
    port = served.page.rstrip("/").rpartition(":")[2]
    return main(["new", *arguments, "--agents", str(folder), "--port", port])


def test_each_kind_is_a_file() -> None:
    """Each kind has a template, and each template is a kind."""
    assert {path.stem for path in TEMPLATES.glob("*.py")} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_answers(served: Served, folder: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """A new file is in the picker of a running server at once, and answers its first suggestion."""
    assert new(served, folder, f"my_{kind}", "--kind", kind) == 0

    assert f"Talk to it at {served.page}?agent=my_{kind}\n" in capsys.readouterr().out
    info = next(info for info in served.catalogue.agents() if info.name == f"my_{kind}")
    assert info.description
    with ChatClient(served.websocket, agent=info.name) as client:
        client.confirmed()
        [end] = contents(client.ask(info.suggestions[0]), "turn_completed")
    assert end["status"] == "completed"
    assert end["summary"]


def test_the_kind_chat_is_the_default(served: Served, folder: Path) -> None:
    """Without a kind it is one agent to chat with."""
    new(served, folder, "plain")
    assert (folder / "plain.py").read_text() == (TEMPLATES / "chat.py").read_text()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("my-agent", "'my-agent' cannot be the name of an agent. Take letters, digits and underscores"),
        ("../other", "'../other' cannot be the name of an agent."),
        ("class", "'class' cannot be the name of an agent."),
        ("_hidden", "'_hidden' cannot be the name of an agent."),
        ("there", "there.py exists already. Take another name."),
        ("package", "package exists already. Take another name."),
    ],
)
def test_names_that_cannot_be_taken(
    served: Served, folder: Path, capsys: pytest.CaptureFixture[str], name: str, sentence: str
) -> None:
    """A name that cannot be used is refused with status 2, and nothing is overwritten."""
    (folder / "there.py").write_text("mine = True")
    (folder / "package").mkdir(exist_ok=True)

    assert new(served, folder, name) == 2
    assert sentence in capsys.readouterr().err
    assert (folder / "there.py").read_text() == "mine = True"


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The agents folder must exist."""
    assert main(["new", "mine", "--agents", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a server, the command that starts one is shown, with the same options."""
    assert main(["new", "mine", "--agents", str(tmp_path), "--port", "9"]) == 0
    start = f"Start the server with `python main.py --agents {tmp_path} --port 9`"
    assert f"{start}, and open http://127.0.0.1:9/?agent=mine\n" in capsys.readouterr().out


def test_a_server_of_another_folder(served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that has other agents cannot show this one."""
    assert new(served, tmp_path, "elsewhere") == 0
    assert f"has another agents folder than {tmp_path}" in capsys.readouterr().out


def test_the_browser_opens_only_if_asked_to(served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --open, the browser opens the page with the new agent."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    new(served, folder, "closed")
    assert opened == []
    new(served, folder, "opened", "--open")
    assert opened == [f"{served.page}?agent=opened"]
