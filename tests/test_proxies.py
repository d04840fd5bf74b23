"""Reaching a model server through the proxies and with the certificates that the environment names."""

from __future__ import annotations

import contextlib
import gc
import json
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from agentchat.app import Running
from agentchat.knowledge import EmbeddingError
from agentchat.models import config, proxies
from agentchat.models.embeddings import Embeddings
from agentchat.protocol.errors import ChatError, SettingsError
from tests.clients import ChatClient, contents
from tests.conftest import KEY, Serve, config_list
from tests.embedding_server import EmbeddingServer
from tests.model_server import ModelServer, Reply
from tests.processes import ServerProcess
from tests.proxy_server import ProxyServer

HOST = "model.example"  # a name that only the proxy can resolve
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
UNUSABLE = {"ALL_PROXY": "socks://[::bad", "HTTPS_PROXY": "::", "HTTP_PROXY": "ftp://x", "NO_PROXY": "[::1]/128,[,/,:"}
GONE = {"SSL_CERT_FILE": "/nowhere/ca.pem", "SSL_CERT_DIR": "/nowhere"}


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def chosen(url: str, **variables: str) -> str | None:
    proxy = proxies.choose(httpx.URL(url), variables)
    return f"{proxy.variable} {proxy.url}" if proxy else None


@pytest.mark.parametrize(
    ("url", "variables", "proxy"),
    [
        ("https://m.example", {}, None),
        ("https://m.example", {"https": "http://p:1"}, "HTTPS_PROXY http://p:1"),
        ("http://m.example", {"https": "http://p:1"}, None),
        ("http://m.example", {"https": "http://p:1", "all": "http://q:2"}, "ALL_PROXY http://q:2"),
        ("https://m.example", {"https": " ", "all": "q:2"}, "ALL_PROXY http://q:2"),
        ("https://m.example", {"https": "p"}, "HTTPS_PROXY http://p"),
        ("https://m.example", {"https": "user:p%40ss@p:1"}, "HTTPS_PROXY http://user:p%40ss@p:1"),
        ("https://m.example", {"https": "HTTP://p:1/"}, "HTTPS_PROXY http://p:1/"),
        ("https://m.example", {"https": "https://p:1"}, "HTTPS_PROXY https://p:1"),
        ("https://m.example", {"https": "http://[::2]:3128"}, "HTTPS_PROXY http://[::2]:3128"),
        ("https://m.example", {"all": "socks://p:1"}, "ALL_PROXY socks5://p:1"),
        ("https://m.example", {"all": "socks5://p:1"}, "ALL_PROXY socks5://p:1"),
        ("https://m.example", {"all": "socks5h://p:1"}, "ALL_PROXY socks5h://p:1"),
        ("http://localhost:11434/v1", {"all": "socks4://p"}, None),
        ("http://api.localhost", {"all": "p"}, None),
        ("http://127.8.9.1:1", {"all": "p"}, None),
        ("http://[::1]:1", {"all": "p"}, None),
        ("http://0.0.0.0:8000", {"all": "p"}, None),
        ("http://notlocalhost", {"all": "p"}, "ALL_PROXY http://p"),
    ],
)
def test_the_proxy_of_an_address(url: str, variables: dict[str, str], proxy: str | None) -> None:
    """The scheme's own variable wins over ALL_PROXY; this machine is reached directly."""
    assert chosen(url, **variables) == proxy


@pytest.mark.parametrize(
    ("url", "entries", "is_excepted"),
    [
        ("http://m.example", "*", True),
        ("http://m.example", "other, *", True),
        ("http://m.example", "", False),
        ("http://m.example", ",, ,", False),
        ("http://m.example", "M.Example", True),
        ("http://m.example.", "m.example", True),
        ("http://m.example", "example", True),
        ("http://m.example", ".example", True),
        ("http://m.example", "*.example", True),
        ("http://example", ".example", True),
        ("http://m.example", "xample", False),
        ("http://m.example", "m.example.org", False),
        ("http://m.example", "a.example m.example", True),
        ("http://m.example", "http://m.example", True),
        ("http://m.example:8000", "m.example:8000", True),
        ("http://m.example", "m.example:80", True),
        ("https://m.example", "m.example:80", False),
        ("https://m.example", "m.example:", True),
        ("http://10.1.2.3", "10.0.0.0/8", True),
        ("http://11.1.2.3", "10.0.0.0/8", False),
        ("http://10.1.2.3", "10.1.2.3", True),
        ("http://10.1.2.3:81", "10.1.2.3:80", False),
        ("http://10.1.2.3", "10.1.2.3/8", True),
        ("http://10.1.2.3", "2.3", False),
        ("http://10.1.2.3", "::/0", False),
        ("http://[fd00::7]", "[fd00::]/8", True),
        ("http://[fd00::7]", "fd00::/8", True),
        ("http://[fd00::7]", "fd00::7", True),
        ("http://[fd00::7]:81", "[fd00::7]:81", True),
        ("http://[fd00::7]:81", "[fd00::7]:80", False),
        ("http://[fd00::7]", "[::1]/128", False),
        ("http://m.example", "[::1]/128,[,],/,:,[]:,10.0.0.0/99,://,.,**", False),
    ],
)
def test_exceptions(url: str, entries: str, is_excepted: bool) -> None:
    """NO_PROXY lists domains, addresses and networks, with or without a port; what it can't mean matches nothing."""
    assert proxies.is_excepted(httpx.URL(url), entries) == is_excepted


@pytest.mark.parametrize(
    "value",
    [
        "http://[::bad",
        "http://",
        "://p",
        "ftp://p",
        "socks4://p",
        "http://p:abc",
        "http://p:99999",
        "http://p:0",
        "http://p q:1",
        "'http://p:1'",
        "http://..",
        "http://\x00",
    ],
)
def test_a_proxy_that_makes_no_sense(value: str) -> None:
    """An unusable value is an error that names the variable, but not the value: it may hold a password."""
    with pytest.raises(ChatError) as error:
        chosen("https://m.example", all=value)
    assert "ALL_PROXY is not the address of a proxy" in error.value.message
    assert value not in error.value.message.replace("http://proxy.example:3128", "")


@pytest.fixture
def proxy(model: ModelServer) -> Iterator[ProxyServer]:
    with ProxyServer(port_of(model)) as proxy:
        yield proxy


@pytest.fixture
def remote(serve: Serve, model: ModelServer) -> Running:
    """Start a chat server whose model server is on another machine, for all that it knows."""
    return serve(model=model, base_url=f"http://{HOST}/v1", max_retries=0)


def port_of(model: ModelServer) -> int:
    port = urlsplit(model.base_url).port
    assert port is not None
    return port


def streams(client: ChatClient, model: ModelServer) -> None:
    """Assert that an answer is shown word by word, a silent model can be stopped, and another turn works."""
    gate = threading.Event()
    model.script(Reply("one two", gate_after=(1, gate)), Reply("never", gate=threading.Event()), Reply("three"))
    client.say("hello")
    assert client.until("stream")["content"]["content"] == "one "
    gate.set()
    client.until("turn_completed")
    client.say("hello?")
    model.wait_for(lambda counts: counts.active == 1)
    client.command("stop")
    assert client.until("turn_completed")["content"]["status"] == "stopped"
    assert contents(client.ask("again"), "turn_completed")[0]["summary"] == "three"


def failure(server: Running) -> str:
    with ChatClient(server.websocket) as client:
        error = contents(client.ask("hello"), "error")[0]
    assert error["code"] in {"model_proxy", "model_network"}
    return str(error["message"])


@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h"])
def test_through_socks(
    proxy: ProxyServer, remote: Running, model: ModelServer, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Answers stream and stop through a SOCKS proxy, which looks the name up itself."""
    pytest.importorskip("socksio")
    monkeypatch.setenv("ALL_PROXY", proxy.url(scheme))
    with ChatClient(remote.websocket) as client:
        streams(client, model)
    assert set(proxy.targets) == {("socks5", f"{HOST}:80")}


def test_socks_without_its_package(proxy: ProxyServer, remote: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package for SOCKS, the error names the variable and says how to install it."""
    monkeypatch.setenv("ALL_PROXY", proxy.url("socks5", "ada:secret"))
    monkeypatch.setitem(sys.modules, "socksio", None)
    assert failure(remote) == (
        f"{HOST} cannot be reached: the proxy of ALL_PROXY speaks SOCKS, which needs another package: "
        "run pip install 'httpx[socks]'."
    )


def test_through_http(proxy: ProxyServer, remote: Running, model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers stream and stop through an HTTP proxy; a value needs no scheme."""
    monkeypatch.setenv("http_proxy", proxy.url("http").partition("://")[2])
    with ChatClient(remote.websocket) as client:
        streams(client, model)
    assert set(proxy.targets) == {("http", HOST)}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see gc.collect below
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_tls_through_a_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scheme: str) -> None:
    """Answers stream and stop over TLS through a proxy that wants a password; a wrong one is told."""
    if scheme == "socks5":
        pytest.importorskip("socksio")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with (
        ModelServer(tls=context) as model,
        ProxyServer(port_of(model), login="ada:secret", tls=context if scheme == "https" else None) as proxy,
    ):
        server = serve(model=model, base_url=f"https://{HOST}/v1", max_retries=0)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url(scheme, "ada:wrong"))
        said = failure(server)
        assert said.startswith(f"{HOST} cannot be reached through the proxy {proxy.url('http')[7:]} of HTTPS_PROXY: ")
        assert "wrong" not in said
        gc.collect()  # httpcore leaves the connection of a failed SOCKS login to the collector
        monkeypatch.setenv("HTTPS_PROXY", proxy.url(scheme, "ada:secret"))
        with ChatClient(server.websocket) as client:
            streams(client, model)
        assert {target for _, target in proxy.targets} == {f"{HOST}:443"}


def test_a_proxy_that_is_not_there(remote: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing listens at the proxy's address, the error names that address and the variable."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("ALL_PROXY", address)
        said = failure(remote)
    assert said.startswith(f"{HOST} cannot be reached through the proxy {address} of ALL_PROXY: ")
    assert "refused" in said


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"SSL_CERT_FILE": "/nowhere/ca.pem"}, "SSL_CERT_FILE names /nowhere/ca.pem, which cannot be read (No such"),
        ({"SSL_CERT_FILE": "/"}, "SSL_CERT_FILE names /, which cannot be read (Is a directory)"),
        ({"SSL_CERT_FILE": "/dev/null"}, "SSL_CERT_FILE names /dev/null, which holds no certificates"),
        ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR names /nowhere, which cannot be read (No such"),
        ({"SSL_CERT_FILE": __file__}, "which holds no certificates"),
    ],
)
def test_certificates_that_are_gone(
    serve: Serve,
    model: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    sentence: str,
) -> None:
    """Certificates that cannot be had are an error that names the variable; others are not trusted instead."""
    server = serve(model=model, base_url=f"https://{HOST}/v1", max_retries=0)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sentence in failure(server)


def test_this_machine_needs_neither_proxy_nor_certificates(
    serve: Serve, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model server on this machine is reached whatever the environment says about proxies and certificates."""
    for name, value in (UNUSABLE | GONE).items():
        monkeypatch.setenv(name, value)
    server = serve("--max-messages-per-session", "999", model=model)  # one without open connections
    with ChatClient(server.websocket) as client:
        assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "HTTPS_PROXY"])
def test_clients_of_other_kinds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """AG2's clients that read the environment as soon as they are made fail in a sentence at the start."""
    monkeypatch.setenv(name, "http://[::bad")
    entries = json.dumps([{"model": "m", "api_key": KEY, "api_type": "openai_v2"}])
    with pytest.raises(SettingsError, match=f"Check .*{name}"):
        config.load({"OAI_CONFIG_LIST": entries}, tmp_path, timeout=1)


def test_embeddings_through_a_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Embeddings take the same proxy as the chat model, and tell the same reasons."""
    entry = {"model": "m", "api_key": KEY, "base_url": f"http://{HOST}/v1", "max_retries": 0}
    with (
        EmbeddingServer() as server,
        contextlib.closing(config.load({"OAI_CONFIG_LIST": json.dumps([entry])}, tmp_path, timeout=10)) as chosen,
    ):
        embed = Embeddings(chosen.llm_config, "words-1")
        port = urlsplit(server.base_url).port
        assert port is not None
        with ProxyServer(port) as proxy:
            monkeypatch.setenv("ALL_PROXY", proxy.url("http"))
            assert len(embed(["a", "b"])) == 2
        monkeypatch.setenv("ALL_PROXY", "ftp://x")
        with pytest.raises(EmbeddingError, match="ALL_PROXY is not the address of a proxy"):
            embed(["a"])


def test_processes_with_proxies(tmp_path: Path, model: ModelServer, proxy: ProxyServer) -> None:
    """`python main.py demo` answers in an environment full of nonsense, and a model is reached through SOCKS."""
    ports = ("--port", "0", "--ws-port", "0")
    with ServerProcess(tmp_path, "demo", *ports, environment=UNUSABLE | GONE) as server:
        with ChatClient(server.websocket) as client:
            assert contents(client.ask("hello"), "turn_completed")[0]["status"] == "completed"
        server.process.terminate()
        assert server.end() == 0
        assert "Traceback" not in server.errors

    pytest.importorskip("socksio")
    environment = config_list(model, base_url=f"http://{HOST}/v1") | GONE | {"ALL_PROXY": proxy.url("socks")}
    environment |= {"NO_PROXY": "[::1]/128,10.0.0.0/8"}
    with ServerProcess(tmp_path, *ports, environment=environment) as server, ChatClient(server.websocket) as client:
        streams(client, model)
    assert set(proxy.targets) == {("socks5", f"{HOST}:80")}
