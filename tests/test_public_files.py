"""The page's files: compressed, kept by browsers, and joined, so that a visit takes few requests and bytes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from agentchat.app import Running
from agentchat.http.joined_modules import join
from agentchat.http.public_files import load_files
from agentchat.protocol.errors import SettingsError
from tests.processes import ROOT

pytest_plugins = ["tests.browser"]

FILES = ROOT / "website_files"
MAX_REQUESTS = 40  # of the first visit
MAX_BYTES = 150_000  # of the first visit, with headers
MAX_REQUESTS_AGAIN = 3
KEPT = "public, max-age=31536000, immutable"


# A visit


def visit(page: Page, address: str) -> list[int]:
    """Return the bytes of each request that opening a page takes, other than those that the browser's cache answers."""
    page.goto(address)
    expect(page.locator(".status")).to_have_attribute("data-status", "online")
    page.wait_for_load_state("networkidle")
    entries = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
    sizes: list[int] = page.evaluate(f"{entries}.map((entry) => entry.transferSize)")
    return [size for size in sizes if size]


def test_a_visit_is_light(server: Running, page: Page) -> None:
    """The first visit takes few requests and bytes, the second only what changes."""
    first, again = visit(page, server.page), visit(page, server.page)
    assert 3 < len(first) <= MAX_REQUESTS
    assert 10_000 < sum(first) <= MAX_BYTES
    assert 0 < len(again) <= MAX_REQUESTS_AGAIN


@pytest.mark.parametrize("path", ["/", "/desk", "/admin", "/status"])
def test_every_page_works_with_what_is_joined(server: Running, page: Page, path: str) -> None:
    """No page reports an error, nor asks for a module or style sheet of its own."""
    problems: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.append(request.url.removeprefix(server.page)))
    page.goto(f"{server.page}{path[1:]}")
    page.wait_for_load_state("networkidle")
    assert problems == []
    styles, scripts = ([url for url in asked if url.endswith(ending)] for ending in (".css", ".js"))
    assert len(styles) == len(scripts) == 1
    assert all(re.match(r"static/[0-9a-f]{16}/", url) for url in styles + scripts)


# Over HTTP


def kept(server: Running) -> str:
    """Return the path of a file that browsers keep."""
    return next(path for path, file in load_files(FILES).items() if file.is_kept and path.endswith("/js/chat.js"))


def test_files_are_kept_and_compressed(server: Running) -> None:
    """Files whose address tells their content are kept for a year; pages and sources are asked for again."""
    with httpx.Client(base_url=server.page) as client:
        path = kept(server)
        for coding in ("gzip", "br, GZIP;q=0.5", "identity", "gzip;q=0", ""):
            answer = client.get(path, headers={"Accept-Encoding": coding})
            is_compressed = answer.headers.get("Content-Encoding") == "gzip"
            assert is_compressed == (coding in {"gzip", "br, GZIP;q=0.5"})
            assert answer.content == load_files(FILES)[path].body
            assert answer.headers["Cache-Control"] == KEPT
            assert answer.headers["Vary"] == "Accept-Encoding"
        for again in ("/", "/static/js/chat.js", path):
            answer = client.get(again)
            assert (answer.headers["Cache-Control"] == KEPT) == (again == path)
            assert client.get(again, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_page_of_an_earlier_version_still_finds_its_files(server: Running) -> None:
    """A page that was open while the server was replaced gets today's files, which are not kept."""
    with httpx.Client(base_url=server.page) as client:
        earlier = re.sub("/[0-9a-f]{16}/", f"/{'0' * 16}/", kept(server))
        assert client.get(earlier).headers["Cache-Control"] == "no-cache"
        assert client.get(earlier).content == client.get(kept(server)).content
        for path in (f"/static/{'0' * 16}/", f"/static/{'0' * 16}/js/nothing.js", f"/static/{'0' * 15}/js/chat.js"):
            assert client.get(path).status_code == 404


# Joining


def run(sources: dict[str, str], entry: str, folder: Path) -> str:
    """Return what the joined entry prints."""
    for path, source in join(sources, [entry]).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(source)
    (folder / "package.json").write_text('{"type": "module"}')
    return subprocess.run(["node", folder / entry], check=True, capture_output=True, text=True, timeout=60).stdout


def test_joined_modules_do_the_same(tmp_path: Path) -> None:
    """Each module keeps its own names, runs once, after what it imports, and only if somebody needs it."""
    sources = {
        "a.js": 'import { one, two as second } from "./b/b.js";\nimport * as c from "./c.js";\n'
        'const hidden = "a";\nconsole.log(hidden, one(), second, new c.Third().name);\n'
        'const { lazy } = await import("./b/lazy.js");\nconsole.log(lazy);',
        "b/b.js": '/** import { x } from "./x.js"; */\nimport {\n  Third,\n} from "../c.js";\n\nconst hidden = "b";\n'
        "export async function* three() {}\nexport function one() {\n  return `${hidden}${new Third().name}`;\n}\n"
        "export const two = 2;\n",
        "c.js": 'console.log("c runs");\nexport class Third {\n  name = "third";\n}\n',
        "b/lazy.js": 'import { two } from "./b.js";\nimport { only } from "./only.js";\n'
        "export const lazy = two + only;",
        "b/only.js": 'console.log("only runs");\nexport const only = await Promise.resolve(40);\n',
    }
    assert run(sources, "a.js", tmp_path) == "c runs\na bthird 2 third\nonly runs\n42\n"
    assert "c runs" not in (tmp_path / "b/lazy.js").read_text()


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ('import { a } from "./none.js";', "a.js imports none.js, which does not exist"),
        ('import { b } from "./b.js";', "a.js imports b, which b.js lacks"),
        ('await import("./none.js");', "a.js imports none.js, which does not exist"),
        ("export default 1;", "a.js has 'export default 1;', which is not understood"),
        ("export let a = 1;", "a.js has 'export let a = 1;', which is not understood"),
        ('import "./b.js";', "a.js has 'import \"./b.js\";', which is not understood"),
    ],
)
def test_modules_that_cannot_be_joined(source: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(problem)):
        join({"a.js": source, "b.js": "export const a = 1;"}, ["a.js"])
