"""Exports of a session: the whole log for programs, the conversation for people."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page

from agentchat.app import Running
from tests.clients import PATIENCE
from tests.conftest import Serve
from tests.model_server import ModelServer, Reply
from tests.rest_client import Conversation, RestClient

pytest_plugins = ["tests.browser"]

QUESTION = "What is the weather in Oslo?"
NASTY = "<script>document.title = 'taken'</script>\n# not a heading\n```\n</pre><img src=x onerror=alert(1)>&amp;"


@pytest.fixture
def session(server: Running) -> Conversation:
    return RestClient(server).new_session()


def export(session: Conversation, format: str) -> str:
    answer = session.get("/export", format=format)
    assert answer.status == 200
    return answer.body.decode()


def test_json(session: Conversation) -> None:
    """The JSON export has the session and every event, even rewound ones."""
    session.ask(QUESTION)
    session.post("retry")
    session.ask("and in Bergen?")
    whole = session.get("/export").json

    assert whole["session"].items() >= {"id": session.id, "agent": "weather", "messages": 2, "queue": []}.items()
    assert whole["events"] == session.log
    assert session.get("/export", format="json").json["events"] == whole["events"]


def test_long_log(session: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long log is sent in chunks and arrives whole."""
    monkeypatch.setattr("agentchat.sessions.log.TAIL", 2)
    for number in range(3):
        session.ask("long " * 10_000, id=str(number))

    answer = session.get("/export")
    assert (answer.headers["Transfer-Encoding"], answer.headers["Content-Length"]) == ("chunked", None)
    assert answer.json["events"] == session.log


def test_markdown(session: Conversation, model: ModelServer) -> None:
    """The Markdown export shows who said what, and the tools with their arguments and results."""
    model.script(Reply(tools=[("weather_forecast", {"city": "Oslo"})]), Reply("It *rains*."))
    session.ask(QUESTION, name="Ada")
    text = export(session, "markdown")
    result = next(event["content"]["content"] for event in session.log if event["type"] == "executed_function")
    title, _, body = text.partition("\n\n## Ada\n\n")

    assert title.startswith("# What is the weather in Oslo?\n\nAgent weather, ")
    assert body == (
        f"{QUESTION}\n\n"
        '**forecaster** calls `weather_forecast`\n\n```json\n{"city": "Oslo"}\n```\n\n'
        f"`weather_forecast` answers\n\n```\n{result}\n```\n\n"
        "## forecaster\n\nIt *rains*.\n\n"
    )


def test_notices(session: Conversation, model: ModelServer) -> None:
    """A notice follows its answer, even if the answer is empty."""
    cut_off = b'data: {"choices": [{"delta": {"content": "It is"}, "finish_reason": "length"}]}\n\n'
    model.script(Reply(raw=cut_off, content_type="text/event-stream"), Reply(" "))
    session.ask(QUESTION)
    session.ask("And?")
    text = export(session, "markdown")

    assert "It is\n\n*The model reached its limit of tokens, so this answer is cut off.*\n\n## user" in text
    assert text.endswith("And?\n\n*The model gave an empty answer.*\n\n")
    assert "<i>The model gave an empty answer.</i>" in export(session, "html")
    assert [event["content"].get("notice") for event in session.get("/export").json["events"]][-2] is not None


def test_rewound_turns_are_left_out(session: Conversation, model: ModelServer) -> None:
    """Rewound turns are left out: retried answers and edited messages."""
    model.script(Reply("wrong answer"), Reply("better answer"), Reply("best answer"))
    session.ask("first text")
    retried = session.post("retry").json["id"]
    session.ask("first text", id=retried)
    seq = next(event["seq"] for event in session.log if event["turn"] == 2 and event["type"] == "user_message")
    edited = session.post("edit", {"seq": seq, "text": "second text"}).json["id"]
    session.ask("second text", id=edited)
    text = export(session, "markdown")

    assert text.endswith("## user\n\nsecond text\n\n## forecaster\n\nbest answer\n\n")
    assert text.count("## user") == 1


def test_questions_and_answers(serve: Serve, model: ModelServer) -> None:
    """The export shows who asked what and who answered."""
    session = RestClient(serve("--approve", "all", model=model)).new_session()
    session.post("messages", {"text": QUESTION, "id": "m1"}, wait=PATIENCE)
    request = session.log[-1]["content"]
    session.post("input", {"request_id": request["request_id"], "text": "deny, too far", "name": "Ada"})
    session.ask(QUESTION, id="m1")
    for format, answer in {
        "markdown": "**Ada** answers: deny, too far",
        "html": "<b>Ada</b> answers: deny, too far",
    }.items():
        text = export(session, format)
        assert answer in text
        assert text.index("asks: ") < text.index("deny, too far")


def test_feedback(session: Conversation, model: ModelServer) -> None:
    """The newest feedback of each person is shown below the answer."""
    model.script(Reply("It rains."), Reply("It snows."))
    answer = session.ask(QUESTION)["events"][-2]["seq"]
    session.ask("And tomorrow?")
    for name, score, comment in [("Bob", 1, ""), ("Ann", 1, "short & <clear>"), ("Eve", -1, ""), ("Bob", 0, "")]:
        session.post("feedback", {"seq": answer, "score": score, "comment": comment, "name": name})
    markdown, html = export(session, "markdown"), export(session, "html")

    feedback = "*Ann: good answer - short & \\<clear\\>*\n\n*Eve: bad answer*\n\n"
    assert f"It rains.\n\n{feedback}## user\n\nAnd tomorrow?" in markdown
    assert "<i>Ann: good answer - short &amp; &lt;clear&gt;</i>" in html
    assert "Bob" not in markdown + html


def test_failed_turn(session: Conversation, model: ModelServer) -> None:
    """The export shows why a turn failed."""
    model.script(Reply(status=401))
    session.ask("hello")

    assert "*The model server refused the API key." in export(session, "markdown")
    assert "<i>The model server refused the API key." in export(session, "html")


def test_texts_are_escaped(session: Conversation, model: ModelServer) -> None:
    """No text adds markup to the page, or ends a block or heading in Markdown."""
    model.script(Reply(tools=[("weather_forecast", {"city": NASTY})]), Reply(NASTY + "\x00\x1b"))
    session.ask(NASTY, name="<b>\n# Eve")
    html, markdown = export(session, "html"), export(session, "markdown")

    assert "<script" not in html
    assert "<img" not in html
    assert "\x00" not in html
    assert "&lt;script&gt;" in html
    assert "## \\<b\\> \\# Eve\n" in markdown
    assert "\n````\n" in markdown


def test_page_is_self_contained(session: Conversation, model: ModelServer, page: Page, tmp_path: Path) -> None:
    """Opened from disk, the page shows the conversation, runs nothing and fetches nothing."""
    model.script(Reply(NASTY))
    session.ask(QUESTION, name="Ada")
    (tmp_path / "kept.html").write_text(export(session, "html"))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"file://{tmp_path}/kept.html")

    assert page.title() == QUESTION
    assert page.locator("section.person p").inner_text() == QUESTION
    assert page.locator("section.agent p").text_content() == NASTY
    assert len(requests) == 1


def test_file_name(session: Conversation) -> None:
    """An export's file name is its title, in ASCII and in full."""
    for title, ascii, whole in [
        ("Trip to Oslo", "Trip-to-Oslo", "Trip to Oslo"),
        ("Wetter für 東京 \U0001f327", "Wetter-f-r", "Wetter für 東京 \U0001f327"),
        ('../etc/"passwd"\r\nX: y', "etc-passwd-X-y", "etc passwd  X  y"),
        ("東京", "conversation", "東京"),
        ("...", "conversation", "conversation"),
    ]:
        session.client.ask("PATCH", session.path, {"title": title})
        for format, ending in {"json": "json", "markdown": "md", "html": "html"}.items():
            headers = session.get("/export", format=format).headers
            kept, plain, extended = headers["Content-Disposition"].split("; ")
            assert (kept, plain) == ("attachment", f'filename="{ascii}.{ending}"')
            assert " ".join(unquote(extended.removeprefix("filename*=UTF-8''")).split()) == " ".join(
                f"{whole}.{ending}".split()
            )


def test_exports_are_sandboxed(session: Conversation) -> None:
    """A browser that displays an export anyway runs nothing in it."""
    for format, type in {"html": "text/html", "markdown": "text/markdown"}.items():
        headers = session.get("/export", format=format).headers
        assert headers["Content-Type"] == f"{type}; charset=utf-8"
        assert (
            headers["Content-Security-Policy"]
            == "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
        )
    assert session.get("/export", format="pdf").code == "bad_request"
