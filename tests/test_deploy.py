"""The files in deploy/, used as they are but for names, ports and certificates."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from playwright.sync_api import Page, expect
from websockets.sync.client import connect
from websockets.typing import Origin

from agentchat import settings
from agentchat.settings import Settings
from tests.clients import PATIENCE
from tests.front import Front, front, program, running
from tests.nginx import command
from tests.pages import say, turn
from tests.processes import ROOT
from tests.rest_client import SESSIONS
from tests.shared_servers import start

pytest_plugins = ["tests.browser"]

DEPLOY = ROOT / "deploy"


def changed(name: str, *changes: tuple[str, str]) -> str:
    """Return a file with the changes that its first lines ask for."""
    text = (DEPLOY / name).read_text()
    for old, new in changes:
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


def nginx(given: Front, name: str, server: str) -> list[str]:
    """Write the configuration of an nginx that includes the file; return the command that starts it."""
    host = "chat.example.com" if name == "nginx.conf" else "example.com"
    site = changed(
        name,
        ("server 127.0.0.1:8001;", f"server {server};"),
        ("    listen [::]:80;\n", ""),
        ("    listen [::]:443 ssl http2;\n", ""),
        ("listen 80;", f"listen 127.0.0.1:{given.port};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{given.tls_port} ssl"),
        (f"/etc/letsencrypt/live/{host}/fullchain.pem", str(given.certificate)),
        (f"/etc/letsencrypt/live/{host}/privkey.pem", str(given.key)),
        (f"server_name {host};", "server_name 127.0.0.1;"),
    )
    folder = given.folder
    (folder / "site.conf").write_text(site)
    kinds = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = (
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {kinds} include {folder}/site.conf; }}"
    )
    return command(folder, whole)


def caddy(given: Front, name: str, server: str) -> list[str]:
    """Write the configuration of a Caddy with the file; return the command that starts it."""
    host = "chat.example.com" if name == "Caddyfile" else "example.com"
    site = changed(
        name,
        (f"\n{host} {{", f"\nhttps://127.0.0.1:{given.tls_port} {{\n\ttls {given.certificate} {given.key}"),
        ("127.0.0.1:8001", server),
    )
    (given.folder / "Caddyfile").write_text(
        "{\n\tadmin off\n\tauto_https disable_redirects\n\tgrace_period 1s\n}\n" + site
    )
    return [program("caddy", "caddy"), "run", "--config", str(given.folder / "Caddyfile"), "--adapter", "caddyfile"]


Write = Callable[[Front, str, str], list[str]]

PLACES = [(nginx, "nginx.conf", ""), (nginx, "nginx-subpath.conf", "/chat"), (caddy, "Caddyfile", ""),
          (caddy, "Caddyfile.subpath", "/chat")]  # fmt: skip


@pytest.fixture(scope="module", params=PLACES, ids=[name for _, name, _ in PLACES])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, str]]:
    """Run a proxy with one of the files, and a server behind it that knows its public address."""
    write, name, prefix = request.param
    folder = tmp_path_factory.mktemp("front")
    given = front(folder)
    data = ("--data-dir", str(folder / "data"))
    public = ("--trusted-proxies", "127.0.0.1", "--public-url", f"{given.secure}{prefix}", "--no-auth")
    with closing(start(["demo", *data, *public], {})) as server:
        begin = write(given, name, urlsplit(server.page).netloc)
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        with running(given, begin, home):
            yield given, f"{given.secure}{prefix}"


def test_programs(place: tuple[Front, str]) -> None:
    """A WebSocket and an event stream come through, word by word; files of 20 MiB do, too."""
    given, base = place
    with httpx.Client(base_url=base, verify=given.trust, timeout=PATIENCE, follow_redirects=False) as client:
        session = client.post(f"{base}{SESSIONS}", json={"agent": "weather"}).json()["id"]
        path = f"{base}{SESSIONS}/{session}"
        with client.stream("GET", f"{path}/events", headers={"Accept": "text/event-stream"}) as stream:
            data = (line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: "))
            seen = (json.loads(each)["type"] for each in data)
            assert next(seen) == "connection_confirmed"
            address = f"{base.replace('https', 'wss')}/ws?session={session}"
            with connect(address, ssl=given.trust, origin=Origin(given.secure)) as socket:
                socket.send("hello")
                types = []
                while "turn_completed" not in types:
                    types.append(json.loads(socket.recv(PATIENCE))["type"])
                assert types.count("stream") > 1
            assert "turn_completed" in seen
        assert client.put(f"{path}/files/a.bin", content=b"x" * 20 * 2**20).status_code == 201
        assert client.get(f"{path}/files/a.bin").content == b"x" * 20 * 2**20
        lie = {
            "X-Forwarded-For": "6.6.6.6",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Prefix": "/evil",
            "Forwarded": "for=6.6.6.6;host=evil.example",
        }
        answer = client.get(f"{base}/", headers=lie)
        assert answer.status_code == 200
        assert "evil" not in str(answer.headers)


def test_the_page(place: tuple[Front, str], trusting_page: Page) -> None:
    """The page is loaded, talks, and asks for nothing outside of its address."""
    (_, base), tab = place, trusting_page
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("websocket", lambda opened: asked.append(opened.url))
    tab.goto(f"{base}/")
    say(tab, "Hello")
    expect(turn(tab, 1)).to_have_attribute("data-state", "completed")
    inside = (f"{base}/", f"{base.replace('https:', 'wss:')}/ws?", "data:")
    assert [url for url in asked if not url.startswith(inside)] == []


def test_without_tls(place: tuple[Front, str]) -> None:
    """Clients without TLS, or without the last slash of a path, are sent to the right address."""
    given, base = place
    with httpx.Client(verify=given.trust, timeout=PATIENCE) as client:
        if base != given.secure:
            answer = client.get(base)
            assert (answer.status_code, urlsplit(answer.headers["Location"]).path) == (308, "/chat/")
        if (given.folder / "site.conf").exists():
            answer = client.get(given.plain)
            assert (answer.status_code, answer.headers["Location"]) == (308, "https://127.0.0.1/")


# systemd and containers


def test_the_unit(tmp_path: Path) -> None:
    """systemd accepts the unit and its socket, whose ports are the server's; the sandbox leaves little exposed."""
    analyze = program("systemd-analyze", "systemd")
    for name in ("agentchat.service", "agentchat.socket"):
        text = changed(name, *[("/opt/agentchat/bin/agentchat\n", "/bin/true\n")] * (name == "agentchat.service"))
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in ("agentchat.service", "agentchat.socket")]
    verified = subprocess.run([analyze, "verify", *files], capture_output=True, text=True, timeout=PATIENCE)
    assert (verified.returncode, verified.stderr) == (0, "")
    security = [analyze, "security", "--offline=true", "--threshold=20", str(tmp_path / "agentchat.service")]
    exposed = subprocess.run(security, capture_output=True, text=True, timeout=PATIENCE)
    assert exposed.returncode == 0, exposed.stdout[-1000:]

    ports = re.findall(r"ListenStream=127\.0\.0\.1:(\d+)", (DEPLOY / "agentchat.socket").read_text())
    assert [int(port) for port in ports] == [Settings.port, Settings.ws_port]


def test_the_time_to_end() -> None:
    """systemd and Docker wait longer for the server than it takes to drain."""
    unit = (DEPLOY / "agentchat.service").read_text()
    waits = int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0])
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["agentchat"]
    assert compose["stop_grace_period"] == f"{waits}s"
    assert waits >= settings.load([], {}).drain + 10


def test_settings_in_files() -> None:
    """Each variable that is set in a file is one of the server's."""
    known = {line.split("`")[3] for line in settings.table().splitlines() if line.startswith("| `--")}
    for path in DEPLOY.iterdir():
        named = set(re.findall(r"\bAGENTCHAT_[A-Z_]+", path.read_text()))
        assert named <= known, path.name


def test_the_image() -> None:
    """The image runs as a user without rights, and compose keeps it from all that it does not need."""
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"^USER (\d+)$", text, re.M)[-1] != "0"
    assert re.findall(r"^EXPOSE (.*)$", text, re.M) == [f"{Settings.port} {Settings.ws_port}"]
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["agentchat"]
    assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    context = DEPLOY / service["build"]["context"]
    assert (context / service["build"]["dockerfile"]).exists()
    assert {".git", ".env", "OAI_CONFIG_LIST", "data"} <= set((context / ".dockerignore").read_text().splitlines())


def test_the_health_check_of_the_image(tmp_path: Path) -> None:
    """The image's own check passes while the server is well, and fails when there is none."""
    text = (DEPLOY / "Dockerfile").read_text()
    command = json.loads(re.findall(r"HEALTHCHECK .*\\\n\s+CMD (\[.*\])", text)[0])
    with closing(start(["demo", "--data-dir", str(tmp_path / "data")], {})) as server:
        here = [part.replace("http://127.0.0.1:8001/", server.page) for part in command]
        python = shutil.which("python3") or "python3"
        assert subprocess.run([python, *here[1:]], timeout=PATIENCE).returncode == 0
    assert subprocess.run([python, *here[1:]], timeout=PATIENCE, stderr=subprocess.DEVNULL).returncode != 0


def test_the_commands_of_the_guide() -> None:
    """Each option that docs/deploy.md gives the server is one that it has."""
    text = (ROOT / "docs" / "deploy.md").read_text()
    lines = [line for line in re.findall(r"^    (agentchat .*)$", text, re.M) if "doctor" not in line]
    assert lines
    for line in lines:
        given = [word for word in shlex.split(line) if word.startswith("--")]
        assert all(f"`{option}`" in settings.table() for option in given), line
