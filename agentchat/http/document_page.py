"""A document in Markdown as a page to read, which needs nothing else and runs nothing."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from html import escape

from agentchat import installation
from agentchat.rendering.blocks import Block

HTML = "text/html; charset=utf-8"
_NOTE = re.compile(r'<li class="footnote" data-footnote="(\d+)"')
_SHEETS = ("shared/colors.css", "messages/code.css")
_STYLE = """
body { margin: 0; background: var(--color-page); color: var(--color-text); font: 16px/1.65 system-ui, sans-serif }
main { max-width: 46rem; margin: auto; padding: 2rem 1rem; overflow-wrap: break-word }
h1, h2, h3 { line-height: 1.3 }
a { color: var(--color-accent) }
blockquote { margin-inline: 0; padding-inline-start: 1rem; border-inline-start: 3px solid var(--color-line) }
pre { overflow-x: auto; padding: .75rem 1rem; border-radius: .5rem; background: var(--color-sunken) }
.plain { white-space: pre-wrap }
code { font-size: .9em }
table { display: block; overflow-x: auto; border-collapse: collapse }
th, td { padding: .375rem 1rem .375rem 0; border-bottom: 1px solid var(--color-line) }
th:not([align]) { text-align: start }
.foreign-image { all: unset }
.footnote-back { display: none }
.link-host, .link-address, .invisible, .footnotes { color: var(--color-quiet); font-size: .9em }
"""


def page(title: str, blocks: Sequence[Block]) -> bytes:
    """Return the page."""
    content = _NOTE.sub(r'\g<0> id="footnote-\1"', "\n".join(block.html for block in blocks))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    head += f"<style>{_style()}</style>"
    return f"<!doctype html><html><head>{head}</head><body><main>{content}</main></body></html>".encode()


@functools.cache
def headers() -> Mapping[str, str]:
    """Return its headers: nothing but its own style counts, and no other page frames it."""
    style = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; "
    return {"Content-Security-Policy": policy + "frame-ancestors 'none'; sandbox", "Content-Disposition": "inline"}


@functools.cache
def _style() -> str:
    sheets = [(installation.PAGE / "static" / "css" / name).read_text("utf-8") for name in _SHEETS]
    return "".join([*sheets, _STYLE])
