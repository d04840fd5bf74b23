"""Code in the colours of its language: spans with Pygments' classes, for which css/messages/code.css has colours."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml, unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

MAX_COLOURED = 50_000  # characters; longer code is not coloured
MAX_NAME = 50  # characters of a language's name
_OTHER_NAMES = {
    "jinja2": "jinja", "jsonc": "json5", "mdx": "markdown", "sqlite": "sql", "svelte": "html", "tsx": "typescript",
    "vue": "html",
}  # fmt: skip
"""Names that people use and Pygments does not."""
_DATA = {"csv", "json"}  # the page makes a table or a tree of them
_DIFFS = {"diff", "patch", "udiff"}
_LINES = {"+++": "place", "---": "place", "@@": "place", "+": "added", "-": "removed"}
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def use(parser: MarkdownIt) -> None:
    """Let a parser colour code."""
    parser.add_render_rule("fence", _fence)


def _fence(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[idx]
    language = (unescapeAll(token.info).split(maxsplit=1) or [""])[0][:MAX_NAME]
    html = _coloured(token.content, language)
    if not language:
        return f"<pre><code>{html}</code></pre>\n"
    name = escapeHtml(language)
    return f'<pre><code class="language-{name}" data-language="{name}">{html}</code></pre>\n'


def _coloured(source: str, language: str) -> str:
    if language.lower() in _DIFFS:
        return "".join(map(_diff_line, source.splitlines(keepends=True)))
    lexer = None if language in _DATA or len(source) > MAX_COLOURED else _lexer(language.lower())
    if lexer is None:
        return escapeHtml(source)
    return highlight(source, lexer, _FORMATTER)


def _diff_line(line: str) -> str:
    """Return a line of a diff, marked as added or removed. Its sign stays, for those who see no colours."""
    kind = next((f" is-{kind}" for start, kind in _LINES.items() if line.startswith(start)), "")
    return f'<span class="diff-line{kind}">{escapeHtml(line)}</span>'


@functools.lru_cache(maxsize=200)
def _lexer(language: str) -> Lexer | None:
    """Return the lexer of a language, or None if Pygments does not know it."""
    name = re.split(r"[,:{]", language)[0]  # without what some write behind it, such as the name of a file
    name = _OTHER_NAMES.get(name, name)
    if not re.fullmatch(r"[\w.+#/-]+", name):
        return None
    for find in (get_lexer_by_name, lambda name, **options: get_lexer_for_filename(f"x.{name}", **options)):
        with contextlib.suppress(ClassNotFound):
            return find(name, stripnl=False, ensurenl=False)
    return None
