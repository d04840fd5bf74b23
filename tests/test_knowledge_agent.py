"""The `knowledge` agent, and the documents over HTTP."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from agentchat import app, settings
from agentchat.app import Running
from tests.clients import ChatClient, contents, wait_until
from tests.conftest import KEY, Serve
from tests.embedding_server import EmbeddingServer
from tests.model_server import ModelServer, Reply
from tests.pdf_files import pdf
from tests.rest_client import RestClient
from tests.test_http_limits import MIB, Connect

pytest_plugins = ["tests.test_http_limits"]
pytestmark = pytest.mark.all_agents

KNOWLEDGE = "/api/agent-chat/knowledge"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "my docs"
    folder.mkdir()
    for number in range(8):
        (folder / f"kettle {number}.md").write_text(f"# Kettle {number}\n\nThis kettle boils {number} litres.\n")
    (folder / "page.html").write_text("<title>Page</title><script>alert(1)</script><p>Größe", encoding="cp1252")
    (folder / "manual.pdf").write_bytes(pdf(["Descale it monthly."], "Manual"))
    (folder / "empty.txt").write_text("")
    return folder


@pytest.fixture
def server(serve: Serve, model: ModelServer, folder: Path) -> Running:
    return serve("--knowledge", str(folder), model=model)


def searched(
    server: Running, model: ModelServer, arguments: dict[str, object], context: object = None, is_success: bool = True
) -> str:
    """Return the tool's result when the model calls it with these arguments."""
    model.script(Reply(tools=[("search_knowledge", arguments)]), Reply("So it is [1]."))
    with ChatClient(server.websocket, agent="knowledge") as client:
        client.confirmed()
        client.command("message", text="A question", context=context or {})
        client.until("turn_completed")
    [result] = contents(client.log, "executed_function")
    assert result["is_exec_success"] == is_success
    return str(result["content"])


def test_the_model_gets_passages_with_links(server: Running, model: ModelServer) -> None:
    """The model gets five passages with links, unless it asks for another number."""
    said = searched(server, model, {"query": "How much does the kettle boil?"})

    assert "**1.** [Kettle " in said
    assert f"]({KNOWLEDGE}/my%20docs%2Fkettle%20" in said
    assert said.count("litres") == 5
    assert searched(server, model, {"query": "kettle", "match_count": 2}).count("litres") == 2


@pytest.mark.parametrize(
    ("context", "count"),
    [
        ({"match_count": 3}, 3),
        ({"match_count": 2.0}, 2),
        ({"match_count": "3"}, 3),
        ({"source_filter": "kettle 4"}, 1),
        ({"source_filter": None, "match_count": None}, 5),
        ({"source_filter": "elsewhere"}, 0),
    ],
)
def test_the_message_sets_the_defaults(
    server: Running, model: ModelServer, context: dict[str, object], count: int
) -> None:
    """The message's context sets the defaults; a number may be written as text."""
    said = searched(server, model, {"query": "kettle"}, context)

    assert said.count("litres") == count
    assert ("Nothing was found" in said) == (count == 0)
    assert "match_count" not in said


ODD = [("many", "'many'", 5), ("", "''", 5), (-1, "-1", 5), (2.5, "2.5", 2), (True, "True", 5), ("nan", "'nan'", 5)]


def test_a_number_that_makes_no_sense_is_named(server: Running, model: ModelServer) -> None:
    """An invalid number is reported together with the number used instead, whoever sent it."""
    for odd, shown, count in [*ODD, (1000, "1000", 50)]:
        said = searched(server, model, {"query": "kettle"}, {"match_count": odd})
        assert f"match_count {shown} is not a whole number from 1 to 50, so {count} was used." in said
        assert said.count("litres") == min(count, 8)
    said = searched(server, model, {"query": "kettle", "match_count": 0}, {"match_count": 3})
    assert "match_count 0 is not a whole number from 1 to 50, so 5 was used." in said
    assert said.count("litres") == 5


@pytest.mark.parametrize("odd", ["all", 2.5])
def test_a_value_that_is_not_a_number_goes_back_to_the_model(server: Running, model: ModelServer, odd: object) -> None:
    """A value that isn't a number goes back to the model with the reason; a number written as text is accepted."""
    said = searched(server, model, {"query": "kettle", "match_count": odd}, is_success=False)
    assert "match_count" in said
    assert "valid integer" in said
    assert searched(server, model, {"query": "kettle", "match_count": "3"}).count("litres") == 3


def test_the_model_wins_over_the_message(server: Running, model: ModelServer) -> None:
    """The model's number beats the message's, even if it is the default."""
    said = searched(server, model, {"query": "kettle", "match_count": 2, "source_filter": "*"}, {"match_count": 3})

    assert said.count("litres") == 2
    assert searched(server, model, {"query": "kettle", "match_count": 5}, {"match_count": 3}).count("litres") == 5


def test_the_model_knows_the_default(server: Running, model: ModelServer) -> None:
    """The tool's description tells the model the default, since the number is optional."""
    searched(server, model, {"query": "kettle"})

    [tool] = model.requests[0]["body"]["tools"]
    assert tool["function"]["parameters"]["required"] == ["query"]
    described = tool["function"]["parameters"]["properties"]["match_count"]["description"]
    assert described == "How many passages, 1 to 50; by default 5"


def test_meaning_is_searched_too(tmp_path: Path, folder: Path) -> None:
    """If the setting names an embedding model, search is semantic, too; the tool's result reports a failure."""
    function = {"name": "search_knowledge", "arguments": '{"query": "launch", "match_count": 1}'}
    call = {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    (folder / "start.txt").write_text("How to start.")
    with EmbeddingServer() as embeddings:
        embeddings.said = [call, {"content": "So [1]."}] * 2
        entry = {
            "model": "scripted",
            "api_key": KEY,
            "base_url": embeddings.base_url,
            "max_retries": 0,
            "stream": False,
        }
        environment = {"OAI_CONFIG_LIST": json.dumps([entry])}
        arguments = ["--port", "0", "--ws-port", "0", "--data-dir", str(tmp_path / "data"), "--knowledge", str(folder)]
        chosen = settings.load([*arguments, "--embedding-model", "words-1"], environment)
        with app.serving(chosen, environment) as running, ChatClient(running.websocket, agent="knowledge") as client:
            client.confirmed()
            [first] = contents(client.ask("How do I launch it?"), "executed_function")
            embeddings.odd = (500, b"{}")
            [second] = contents(client.ask("Again"), "executed_function")

    assert "> How to start." in first["content"]
    assert {request["model"] for request in embeddings.requests} == {"words-1"}
    assert "How to start" not in second["content"]
    assert "Searched by words alone, not by meaning: the server of the embedding model words-1" in second["content"]


def test_documents_are_listed_and_shown(server: Running) -> None:
    """Documents are served as text or PDF, never as pages of this server."""
    rest = RestClient(server)
    sources = {source["id"]: source for source in rest.get(KNOWLEDGE).json["sources"]}

    assert len(sources) == 11
    assert sources["my docs/empty.txt"]["problem"] == "it is empty"
    assert sources["my docs/manual.pdf"]["title"] == "Manual"
    page = rest.get(sources["my docs/page.html"]["link"])
    assert page.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert page.body.decode() == "<title>Page</title><script>alert(1)</script><p>Größe"
    manual = rest.get(sources["my docs/manual.pdf"]["link"])
    assert (manual.headers["Content-Type"], manual.body[:5]) == ("application/pdf", b"%PDF-")
    for answer in (page, manual):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'; sandbox"
        assert answer.headers["Content-Disposition"] == "inline"


def test_a_document_in_a_browser(server: Running) -> None:
    """Markdown is a page to read, which runs nothing; everything else stays as it is."""
    rest = RestClient(server)
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    sources = {source["id"]: source for source in rest.get(KNOWLEDGE).json["sources"]}
    shown = rest.ask("GET", sources["my docs/kettle 3.md"]["link"], headers=browser)
    assert shown.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>Kettle 3</h1>" in shown.body.decode()
    policy = shown.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert policy.endswith("frame-ancestors 'none'; sandbox")
    for name in ("my docs/page.html", "my docs/manual.pdf"):
        type = rest.ask("GET", sources[name]["link"], headers=browser).headers["Content-Type"]
        assert not type.startswith("text/html")


@pytest.mark.parametrize(
    "id", ["nothing.md", "my%20docs%2F..%2Fdata%2Fagentchat.db", "%2Fetc%2Fpasswd", "%ff", "my%20docs"]
)
def test_nothing_else_is_shown(server: Running, id: str) -> None:
    """Only listed documents are served."""
    assert RestClient(server).get(f"{KNOWLEDGE}/{id}").code == "not_found"


@pytest.mark.parametrize("name", ["large.pdf", "large.txt"])
def test_large_documents_take_no_memory(
    serve: Serve, model: ModelServer, folder: Path, raw: Connect, name: str
) -> None:
    """Many clients that ask for a large document and don't read it cost what one costs, for a moment."""
    content = b"%PDF-1.4\n" + b"x" * 4 * MIB
    (folder / name).write_bytes(content)
    server = serve("--knowledge", str(folder), model=model)
    client = RestClient(server)
    assert client.get(f"{KNOWLEDGE}/my%20docs%2F{name}").body == content
    request = f"GET {KNOWLEDGE}/my%20docs%2F{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    tracemalloc.start()
    try:
        unread = [raw(server, request) for _ in range(8)]
        for connection in unread:
            assert connection.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: tracemalloc.get_traced_memory()[0] < 3 * MIB)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * len(content)


def test_out_of_the_box_it_knows_this_product(serve: Serve) -> None:
    """Out of the box, with the demo model, each suggestion finds passages of the documentation."""
    server = serve("demo")
    [info] = [info for info in server.catalogue.agents() if info.name == "knowledge"]
    ids = {source["id"] for source in RestClient(server).get(KNOWLEDGE).json["sources"]}
    assert {"README.md", "docs/rest.md", "docs/agents.md"} <= ids
    for suggestion in info.suggestions:
        with ChatClient(server.websocket, agent="knowledge") as client:
            client.confirmed()
            [end] = contents(client.ask(suggestion), "turn_completed")
        assert f"]({KNOWLEDGE}/" in end["summary"], suggestion
