"""Metrics: what is counted, who may read it, and a real Prometheus that does."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from agentchat.app import Running
from agentchat.auth.accounts import Accounts
from agentchat.measures import Measures, Now, exposition
from agentchat.measures.counts import MAX_NAMES, OTHER
from agentchat.protocol.errors import SettingsError
from tests.agent_files import write_agents, write_all
from tests.clients import ChatClient, wait_until
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.processes import ROOT
from tests.rest_client import Answer, EventStream, RestClient

OWN_CLIENT = "tests/ag2_programs/own_client.py"

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")) and os.environ.get("CI") != "true",
    reason="Prometheus is not installed (tests/install_programs.sh)",
)


def samples(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the samples of each name by the values of their labels, in the order of the labels' names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in families(text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def scrape(server: Running) -> dict[str, dict[tuple[str, ...], float]]:
    answer = RestClient(server).get("/metrics")
    assert answer.status == 200, answer.body
    return samples(answer.body.decode())


def value(server: Running, name: str, *labels: str) -> float:
    return scrape(server).get(f"agentchat_{name}", {}).get(labels, 0.0)


# What is counted


@pytest.fixture
def alone(serve: Serve, model: ModelServer, tmp_path: Path) -> Running:
    """Start a server whose counters begin at zero."""
    return serve("--agents", write_all(tmp_path), "--model-calls", "2", model=model)


@pytest.mark.own_server
def test_what_is_counted(alone: Running, model: ModelServer) -> None:
    """Turns, tokens, money, calls and tools are counted by names, as they happen."""
    model.script(
        Reply(tools=[("look", {"what": "trains"})], usage=(10, 1)),
        Reply("There.", usage=(20, 2)),
        Reply(status=401),
    )
    with ChatClient(alone.websocket, agent="tools") as client:
        client.confirmed()
        assert client.ask("Look")[-1]["content"]["status"] == "completed"
        assert client.ask("Again")[-1]["content"]["status"] == "failed"
        gate = threading.Event()
        model.script(Reply("It is on the left.", gate_after=(1, gate)))
        client.say("Where?")
        client.until("stream")
        assert value(alone, "turns", "running") == 1
        client.command("stop")
        client.until("turn_completed")
        found = scrape(alone)

    ended = {("tools", "completed"): 1, ("tools", "failed"): 1, ("tools", "stopped"): 1}
    assert found["agentchat_turns_ended_total"] == ended
    assert found["agentchat_turn_seconds_count"] == {("tools",): 3}
    assert found["agentchat_first_token_seconds_count"] == {("tools",): 2}
    tokens = {("tools", "prompt", "scripted"): 30, ("tools", "completion", "scripted"): 3}
    assert found["agentchat_tokens_total"] == tokens
    assert found["agentchat_model_calls_total"] == {("scripted",): 4}
    assert found["agentchat_model_errors_total"] == {("model_auth", "scripted"): 1}
    assert found["agentchat_model_call_seconds_count"] == {("scripted",): 4}
    assert found["agentchat_tool_seconds_count"] == {("look",): 1}
    assert "agentchat_tool_errors_total" not in found
    assert found["agentchat_store_append_seconds_count"][()] > 10
    assert found["agentchat_sessions_stored"] == found["agentchat_sessions_in_memory"] == {(): 1}


@pytest.mark.own_server
def test_waiting_for_people(alone: Running, model: ModelServer) -> None:
    """A turn that waits for an answer is waiting, not running, and the messages behind it are the queue."""
    model.script(Reply(tools=[("sign", {"text": "it"})]), Reply("Signed."))
    with ChatClient(alone.websocket, agent="tools") as client:
        client.confirmed()
        client.say("Sign")
        request = client.until("input_request")["content"]["request_id"]
        client.command("message", text="And then?")
        client.until("queue", lambda content: len(content["queue"]) == 1)
        wait_until(lambda: value(alone, "turns", "running") == 0)
        assert value(alone, "turns", "waiting") == 1
        assert value(alone, "waiting_messages") == 1
        client.command("input_response", request_id=request, text="1234")
        client.until("turn_completed", turn=2)
        found = scrape(alone)
    assert found["agentchat_turns"][("waiting",)] == found["agentchat_turns"][("queued",)] == 0
    assert found["agentchat_waiting_messages"] == {(): 0}
    assert found["agentchat_tool_seconds_count"] == {("sign",): 1}


RAISES = '''
"""Has a tool that raises."""
from autogen import ConversableAgent, UserProxyAgent, register_function

def build(llm_config, chat):
    def fall(where: str) -> str:
        raise ValueError("I fell")

    agent = ConversableAgent("clumsy", llm_config=llm_config, human_input_mode="NEVER")
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    register_function(fall, caller=agent, executor=user, description="Fall.")
    return user, agent
'''


@pytest.mark.own_server
def test_a_price_and_a_tool_that_raises(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """Money is counted where the price is known, and exceptions of tools by tool."""
    model.script(Reply(tools=[("fall", {"where": "here"})], usage=(1000, 0)), Reply("Ouch.", usage=(1000, 100)))
    server = serve("--agents", write_agents(tmp_path, clumsy=RAISES), model=model, price=[0.5, 2.0])
    with ChatClient(server.websocket, agent="clumsy") as client:
        client.confirmed()
        client.ask("Fall")
    found = scrape(server)
    assert found["agentchat_tool_errors_total"] == {("fall",): 1}
    assert found["agentchat_cost_dollars_total"] == {("clumsy", "scripted"): pytest.approx(1.2)}


@pytest.mark.own_server
def test_clients_that_are_not_ours(serve: Serve, tmp_path: Path) -> None:
    """Calls by a client that an agent file brings are counted as well, each once."""
    server = serve("demo", "--agents", write_agents(tmp_path, parrot=(ROOT / OWN_CLIENT).read_text()))
    with ChatClient(server.websocket, agent="parrot") as client:
        client.confirmed()
        client.ask("Hello"), client.ask("Again")
    assert scrape(server)["agentchat_model_calls_total"] == {("parrot-1",): 2}


def test_connections(server: Running, model: ModelServer) -> None:
    """Connections of each kind are counted while they are open."""
    session = RestClient(server).new_session()
    before = scrape(server)["agentchat_connections"]
    with ChatClient(server.websocket) as client, EventStream(session.client.netloc, f"{session.path}/events") as stream:
        client.confirmed(), stream.until("connection_confirmed")
        during = scrape(server)["agentchat_connections"]
    assert during[("websocket",)] == before[("websocket",)] + 1
    assert during[("sse",)] == before[("sse",)] + 1
    assert during[("http",)] >= 2  # the stream, and the one that asks
    wait_until(lambda: value(server, "connections", "sse") == before[("sse",)])


@pytest.mark.own_server
def test_a_store_that_fails(serve: Serve, tmp_path: Path) -> None:
    """Failures of the store are counted by code, and the other metrics are still told."""
    server = serve("demo")
    (tmp_path / "data" / "agentchat.db").unlink()
    assert RestClient(server).get("/healthz").code == "store_removed"
    with ChatClient(server.websocket) as client:
        client.confirmed()
        client.say("Hello")
        client.until("error")
    assert scrape(server)["agentchat_store_errors_total"][("store_removed",)] >= 1


def test_names_are_bounded_and_escaped() -> None:
    """However many names there are, and whatever is in them, the labels are few and the format is kept."""
    measures = Measures()
    odd = 'a "quoted"\\ name\nof \ud800 lines' + "x" * 1000
    with measures.turn(odd, "s-1") as turn:
        for number in range(3 * MAX_NAMES):
            with turn.tool_call(f"{odd} {number}" if number % 2 else f"tool {number}", ""):
                pass
            with turn.model_call(f"model-{number}", "localhost"):
                pass
    text = exposition.Exposition(measures, Now).text().decode()
    found = samples(text)
    assert len(found["agentchat_model_calls_total"]) == MAX_NAMES + 1
    assert found["agentchat_model_calls_total"][(OTHER,)] == 2 * MAX_NAMES
    assert len(found["agentchat_tool_seconds_count"]) <= MAX_NAMES + 1
    assert all(len(label) <= 64 for name in found for labels in found[name] for label in labels)
    assert "s-1" not in text


# What is told about them


def test_every_metric_is_documented(server: Running) -> None:
    """The table in the documents is that of the code, and has every metric that the server exports, and no other."""
    assert exposition.table() in (ROOT / "docs" / "observability.md").read_text()
    told = {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, family.samples)
        for family in families(RestClient(server).get("/metrics").body.decode())
    }
    assert set(told) == set(exposition.METRICS)
    for name, (type, found) in told.items():
        metric = exposition.METRICS[name]
        assert type == metric.kind, name
        for sample in found:
            assert set(sample.labels) - {"le"} == set(metric.labels), name


def dashboard() -> Any:
    return json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())


def queries() -> Iterator[str]:
    """Yield the queries of the dashboard, for one server and a window of five minutes."""
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")


def test_the_dashboard() -> None:
    """Each query of the dashboard is about metrics that exist; Grafana can provision it as it is."""
    names = set(exposition.METRICS)
    histograms = {name for name, metric in exposition.METRICS.items() if metric.kind == "histogram"}
    names |= {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}
    used = {name for query in queries() for name in re.findall(r"\b(?:agentchat|process)_\w+", query)}
    assert used <= names
    unused = {"agentchat_info", "process_start_time_seconds", "process_virtual_memory_bytes"}
    assert {name.removesuffix("_bucket") for name in used} == set(exposition.METRICS) - unused
    board = dashboard()
    assert (board["uid"], board["title"]) == ("agentchat", "agentchat")
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${datasource}"}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


# Who may read them


def get(server: Running, headers: Mapping[str, str], path: str = "/metrics") -> Answer:
    return RestClient(server).ask("GET", path, headers=dict(headers))


@pytest.mark.parametrize("path", ["/metrics", "/status", "/api/agent-chat/status"])
def test_where_nobody_logs_in(server: Running, path: str) -> None:
    """Where nobody logs in, only those on this machine may, and nobody for whom a proxy on it asks."""
    assert get(server, {}, path).status == 200
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"):
        answer = get(server, {header: "127.0.0.1"}, path)
        assert (answer.status, answer.code) == (403, "not_allowed"), header


def test_behind_a_trusted_proxy(serve: Serve) -> None:
    """A proxy that is trusted is believed about who is on this machine."""
    server = serve("demo", "--no-auth", "--trusted-proxies", "127.0.0.1")
    assert get(server, {"X-Forwarded-For": "127.0.0.1"}).status == 200
    assert get(server, {"X-Forwarded-For": "192.0.2.1"}).code == "not_allowed"
    assert get(server, {}).code == "not_allowed"


@pytest.mark.own_server
def test_without_the_package(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without prometheus-client the server works, and says what is missing."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    server = serve("demo")
    answer = get(server, {})
    assert (answer.status, answer.code) == (404, "metrics_missing")
    assert "pip install" in answer.json["error"]["message"]
    assert RestClient(server).get("/api/agent-chat/status").status == 200
    with pytest.raises(SettingsError, match="pip install"):
        serve("demo", "--metrics", "127.0.0.1:0", "--data-dir", "other")


@pytest.mark.own_server
def test_a_port_of_its_own(serve: Serve) -> None:
    """With --metrics they are also on a port of their own, for anybody and by any name."""
    server = serve("demo", "--metrics", "127.0.0.1:0")
    netloc = urlsplit(server.metrics).netloc
    with closing(http.client.HTTPConnection(netloc)) as connection:
        connection.request("GET", "/metrics", headers={"Host": "chat", "X-Forwarded-For": "192.0.2.1"})
        assert set(samples(connection.getresponse().read().decode())) >= {"agentchat_threads", "process_open_fds"}
    server.close()
    with socket.create_server(("127.0.0.1", urlsplit(server.metrics).port or 0)):
        pass  # it is free again


@pytest.mark.parametrize("place", ["9464", "127.0.0.1", ":9464", "127.0.0.1:http", "127.0.0.1:99999", "host.invalid:1"])
def test_places_that_cannot_be(serve: Serve, place: str) -> None:
    """A place where nothing can be served is refused in words."""
    with pytest.raises(SettingsError, match="--metrics"):
        serve("demo", "--metrics", place, "--data-dir", "unused")


# Prometheus


@needs_prometheus
def test_promtool_has_nothing_to_say(server: Running, model: ModelServer) -> None:
    """Prometheus' own tool finds nothing wrong with the metrics and with the configuration."""
    with ChatClient(server.websocket, agent="weather") as client:
        client.confirmed()
        client.ask("What is the weather in Oslo?")
    text = RestClient(server).get("/metrics").body
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
    config = str(ROOT / "deploy" / "prometheus.yml")
    checked = subprocess.run(["promtool", "check", "config", "--syntax-only", config], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


@contextmanager
def prometheus(folder: Path, config: str) -> Iterator[str]:
    """Run a Prometheus with that configuration; yields its address."""
    (folder / "prometheus.yml").write_text(config)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def asked(address: str, query: str) -> list[Any]:
    """Return the result of a query; none while Prometheus is starting."""
    try:
        with urllib.request.urlopen(f"{address}/api/v1/query?{urlencode({'query': query})}") as response:
            about = json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return []
        raise AssertionError(error.read()) from error
    except (urllib.error.URLError, ConnectionError):
        return []
    assert about["status"] == "success"
    return list(about["data"]["result"])


@needs_prometheus
@pytest.mark.own_server
def test_a_real_prometheus(serve: Serve, model: ModelServer, accounts: Accounts, tmp_path: Path) -> None:
    """Debian's Prometheus reads the metrics with our configuration and a program's token, and answers every query."""
    accounts.add("root", None, roles=["admin"])
    program = accounts.add("prometheus", None, roles=["operator"])
    token = accounts.add_token(program.id, "prometheus", "operator")[0]
    server = serve("--accounts", model=model)
    assert get(server, {}).status == 401
    (tmp_path / "token").write_text(token + "\n")
    config = (ROOT / "deploy" / "prometheus.yml").read_text()
    for ours, here in (
        ("/etc/prometheus/agentchat.token", str(tmp_path / "token")),
        ("127.0.0.1:8001", urlsplit(server.page).netloc),
        ("scrape_interval: 15s", "scrape_interval: 1s"),
    ):
        assert ours in config
        config = config.replace(ours, here)

    with prometheus(tmp_path, config) as address:
        wait_until(lambda: bool(asked(address, "agentchat_info")))
        assert [result["value"][1] for result in asked(address, "up")] == ["1"]
        for query in queries():
            asked(address, query)  # which fails if Prometheus cannot read it
