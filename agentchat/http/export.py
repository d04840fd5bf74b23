"""A session as a file: everything for programs (JSON), or the conversation for people (Markdown, HTML)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator
from html import escape
from typing import Any
from urllib.parse import quote

from agentchat.access import Need
from agentchat.http import requests, responses
from agentchat.http.routes import JSON, Call, Stream
from agentchat.http.session_route import SessionResource, session_route
from agentchat.http.transcript import Part, pages, transcript
from agentchat.sessions.registry import Session

_NAME_CHARS = 60  # of the title, in the name of the file
_SANDBOX = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"}


class ExportRoutes(SessionResource):
    @session_route("GET", "/export", Need.READ,
                   answers={200: responses.Export}, types=(JSON, "text/markdown", "text/html"),
                   sent_headers={"Content-Disposition": "The file's name"})  # fmt: skip
    def export_session(self, call: Call, query: requests.ExportQuery) -> Stream:
        """Download a session as a file."""
        session = self._session(call)
        about = session.about()
        if query.format == "json":
            return Stream(JSON, as_json(session, about), _attachment(about["title"], "json"))
        layout, suffix = (_markdown, "md") if query.format == "markdown" else (_html, "html")
        pieces = layout(about, transcript(session, about["last_seq"]))
        headers = _attachment(about["title"], suffix) | _SANDBOX
        return Stream(f"text/{query.format}; charset=utf-8", pieces, headers)


def _attachment(title: str, suffix: str) -> dict[str, str]:
    """A header that names the file: in ASCII, and in full for clients that know RFC 6266."""
    full = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]+', " ", title)[:_NAME_CHARS].strip(" .") or "conversation"
    ascii = re.sub(r"[^A-Za-z0-9._-]+", "-", full).strip("-.") or "conversation"
    name = f"attachment; filename=\"{ascii}.{suffix}\"; filename*=UTF-8''{quote(f'{full}.{suffix}', safe='')}"
    return {"Content-Disposition": name}


def as_json(session: Session, about: dict[str, Any]) -> Generator[str, None, None]:
    """Yield the session and its whole log as the text of one JSON object."""
    yield f'{{"session":{json.dumps(about, ensure_ascii=False)},"events":['
    separator = ""
    for page in pages(session, about["last_seq"]):
        yield separator + ",\n".join(event.frame for event in page)
        separator = ",\n"
    yield "]}\n"


def _markdown(about: dict[str, Any], parts: Iterator[Part]) -> Generator[str, None, None]:
    """Lay the conversation out as Markdown. What people and agents wrote is kept verbatim."""
    yield f"# {_inline(about['title'] or 'Conversation')}\n\n{_inline(_origin(about))}\n\n"
    for part in parts:
        yield _MARKDOWN[part.kind](part) + "\n\n"


def _fenced(text: str, language: str = "") -> str:
    """A code block with a fence that the text doesn't contain."""
    runs = [len(run) for run in re.findall(r"`{3,}", text)]
    fence = "`" * (max(runs, default=2) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _inline(text: str) -> str:
    """Text on one line, with the characters escaped that mean something in Markdown."""
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", " ".join(text.split()))


def _code(name: str) -> str:
    return "`" + name.replace("`", "'") + "`"


def _with_arguments(line: str, part: Part) -> str:
    return f"{line}\n\n{_fenced(part.detail, 'json')}" if part.detail else line


_MARKDOWN: dict[str, Callable[[Part], str]] = {
    "person": lambda part: f"## {_inline(part.who)}\n\n{part.text.strip()}",
    "agent": lambda part: f"## {_inline(part.who)}\n\n{part.text.strip()}",
    "call": lambda part: f"**{_inline(part.who)}** calls {_code(part.detail)}\n\n{_fenced(part.text, 'json')}",
    "result": lambda part: f"{_code(part.detail or part.who)} answers\n\n{_fenced(part.text)}",
    "question": lambda part: _with_arguments(f"**{_inline(part.who)}** asks: {_inline(part.text)}", part),
    "answer": lambda part: _with_arguments(f"**{_inline(part.who)}** answers: {_inline(part.text)}", part),
    "note": lambda part: f"*{_inline(part.text)}*",
}


def _html(about: dict[str, Any], parts: Iterator[Part]) -> Generator[str, None, None]:
    """Lay the conversation out as a page that needs nothing else. All texts are shown verbatim."""
    title = _safe(about["title"] or "Conversation")
    yield (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n"
        f"<main>\n<h1>{title}</h1>\n<p class=about>{_safe(_origin(about))}</p>\n"
    )
    for part in parts:
        yield _HTML[part.kind](part) + "\n"
    yield "</main>\n</html>\n"


def _said(part: Part) -> str:
    time = f'<time datetime="{_safe(part.ts)}">{_safe(part.ts[:16].replace("T", " "))}</time>'
    return f"<section class={part.kind}><h2>{_safe(part.who)} {time}</h2>\n<p>{_safe(part.text.strip())}</p></section>"


def _asked(part: Part, verb: str) -> str:
    about = f"<pre>{_safe(part.detail)}</pre>" if part.detail else ""
    return f"<p class=aside><b>{_safe(part.who)}</b> {verb}: {_safe(part.text)}</p>{about}"


def _done(summary: str, part: Part) -> str:
    return f"<details><summary>{summary}</summary><pre>{_safe(part.text)}</pre></details>"


_HTML: dict[str, Callable[[Part], str]] = {
    "person": _said,
    "agent": _said,
    "call": lambda part: _done(f"<b>{_safe(part.who)}</b> calls <code>{_safe(part.detail)}</code>", part),
    "result": lambda part: _done(f"<code>{_safe(part.detail or part.who)}</code> answers", part),
    "question": lambda part: _asked(part, "asks"),
    "answer": lambda part: _asked(part, "answers"),
    "note": lambda part: f"<p class=aside><i>{_safe(part.text)}</i></p>",
}

_STYLE = """
:root { color-scheme: light dark }
body { margin: 0; font: 16px/1.55 system-ui, sans-serif }
main { max-width: 46rem; margin: auto; padding: 2rem 1rem }
h1 { font-size: 1.5rem; line-height: 1.25 }
h2 { font-size: 1rem; margin: 0 }
time, .about { font-weight: normal; font-size: .8rem; opacity: .7 }
section { margin: 1.25rem 0; padding: .75rem 1rem; border-left: 3px solid #8888; overflow-wrap: anywhere }
.person { background: #8882; border-color: #47c }
section p, .aside { white-space: pre-wrap; margin: .25rem 0 }
.aside, details { margin-left: 1rem; font-size: .9rem; overflow-wrap: anywhere }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8882; padding: .5rem .75rem }
"""


def _origin(about: dict[str, Any]) -> str:
    return f"Agent {about['agent']}, {about['created']} to {about['updated']}"


def _safe(text: str) -> str:
    """Escape a text for HTML, replacing the control characters that HTML doesn't allow."""
    return escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "\N{REPLACEMENT CHARACTER}", text))
