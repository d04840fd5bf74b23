r"""Formulas in LaTeX, as MathML: `\(…\)`, `\[…\]`, `$$…$$`, `\begin{align}…`, and `$…$` where it is surely one."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from agentchat.rendering import invisible

MAX_CHARS = 3000  # of a formula; longer ones are shown as they were written
MAX_DEPTH = 25  # braces and environments in each other
MAX_LINES = 100
MAX_LENGTH = 10  # em, of spaces and the like

_INLINE = {
    "$": re.compile(r"\$(?![\s$])((?:[^$\\\n]|\\.|\n(?![ \t]*\n))+)(?<!\s)\$(?![\w$])"),
    "$$": re.compile(r"\$\$((?:[^$\\]|\\.)+)\$\$(?!\$)"),
    "\\(": re.compile(r"\\\(((?:[^\\]|\\[^()])+)\\\)", re.DOTALL),
    "\\[": re.compile(r"\\\[((?:[^\\]|\\[^\[\]])+)\\\]", re.DOTALL),
}
_ENVIRONMENT = re.compile(r"\\begin\{((?:align|alignat|cases|equation|gather|multline|[bBpvV]?matrix|split)\*?)\}")
_CLOSED_BY = {"$$": "$$", "\\[": "\\]"}

_LENGTH = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))\s*(em|ex|px|pt|mu|cm|mm|in|pc|%)?")
_TO_EM = {"ex": 2, "px": 16, "pt": 12, "mu": 18, "cm": 0.42, "mm": 4.2, "in": 0.166, "%": 100}  # of each, about
_UNSEEN = re.compile(r"\\(?:label\{[^{}]*\}|nonumber\b|notag\b)")
_PARTS = {"mfrac": 2, "mover": 2, "mroot": 2, "msub": 2, "msubsup": 3, "msup": 2, "munder": 2, "munderover": 3}

_NESTING = re.compile(r"\\[\\{}]|[{}]|\\(?:begin|end|left|right)\b")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORDS = re.compile(r"\\(?:mbox|mathrm|operatorname|text\w*)\s*\{[^{}]*\}")
_SIGN = re.compile(r"\\[A-Za-z]|[\^_={}<>≤≥≠≈∈∑∏∫√]")
_WORD = re.compile(r"[^\W\d_]{3,}")
_SENTENCE = re.compile(r"[^\W\d_]{3,}\s+[^\W\d_]{3,}")
_FUNCTIONS = {
    "arg", "cos", "cot", "det", "dim", "exp", "gcd", "inf", "ker", "lcm", "lim", "ln", "log", "max", "min", "mod",
    "sin", "sup", "tan",
}  # fmt: skip


def use(parser: MarkdownIt) -> None:
    """Let a parser understand formulas."""
    parser.inline.ruler.before("escape", "formula", _inline)
    parser.block.ruler.before(
        "fence", "formula", _block, {"alt": ["paragraph", "reference", "blockquote", "list", "footnote_def"]}
    )
    parser.inline.add_terminator_char("$")
    parser.add_render_rule("formula", _formula)
    parser.add_render_rule("formula_block", _formula_block)


@functools.lru_cache(maxsize=1000)
def mathml(latex: str, is_display: bool) -> str | None:
    """Return a formula as MathML, or None if it is too long, too deep or broken."""
    if len(latex) > MAX_CHARS or not _is_nested_well(latex) or invisible.FORBIDDEN.search(latex):
        return None
    latex = _UNSEEN.sub("", latex).replace("\\arg", "\\operatorname{arg}")  # which it does not know
    try:
        formula = convert_to_element(latex, display="block" if is_display else "inline")
    except Exception:  # noqa: BLE001  # a dozen of its own, IndexError, KeyError: whatever broken LaTeX leads to
        return None
    formula.attrib.pop("xmlns")  # HTML needs none
    for element in formula.iter():
        element.text = html.unescape(element.text or "")
        if re.match(r"\\[A-Za-z]", element.text) or len(element) != _PARTS.get(element.tag, len(element)):
            return None  # a command that it does not know, or one without its arguments
        if any(_reaches_far(value) for value in element.attrib.values()):
            return None
    return Xml.tostring(formula, encoding="unicode")


def is_surely(latex: str) -> bool:
    """Return True if this is a formula, rather than prices, paths or words that stand between the same signs."""
    rest = _COMMAND.sub(" ", _WORDS.sub(" ", latex))
    if _SIGN.search(latex):
        return _COMMAND.search(latex) is not None or not _SENTENCE.search(rest)
    words = re.findall(r"[^\W\d_]{2,}", rest) if " " in rest else _WORD.findall(rest)
    return set(words) <= _FUNCTIONS and rest.count("(") == rest.count(")") and re.search(r"\w", rest) is not None


def _reaches_far(attribute: str) -> bool:
    """Return True for a length with which a formula could cover what stands beside it."""
    lengths = ((float(number), unit) for number, unit in _LENGTH.findall(attribute))
    return any(not -1 <= length / _TO_EM.get(unit, 1) <= MAX_LENGTH for length, unit in lengths)


def _is_nested_well(latex: str) -> bool:
    """Return True if whatever is opened is closed, and not too deep."""
    depth = 0
    for part in _NESTING.findall(latex):
        depth += {"{": 1, "\\begin": 1, "\\left": 1, "}": -1, "\\end": -1, "\\right": -1}.get(part, 0)
        if not 0 <= depth <= MAX_DEPTH:
            return False
    return depth == 0


def _inline(state: StateInline, silent: bool) -> bool:
    opening = state.src[state.pos : state.pos + 2]
    opening = "$" if opening[:1] == "$" and opening != "$$" else opening
    if opening not in _INLINE or (opening == "$" and state.pos and _goes_on(state.src[state.pos - 1])):
        return False
    found = _INLINE[opening].match(state.src, state.pos, state.posMax)
    if found is None or (opening != "$$" and not is_surely(found[1])):
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.markup = found[1].strip(), found[0]
        token.meta = {"is_display": opening in _CLOSED_BY}
    state.pos = found.end()
    return True


def _goes_on(before: str) -> bool:
    return before.isalnum() or before in "$\\_"


def _block(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    if state.is_code_block(first):
        return False
    line = state.getLines(first, first + 1, state.blkIndent, False).strip()
    opening, closing, is_environment = line[:2], _CLOSED_BY.get(line[:2], ""), False
    if environment := _ENVIRONMENT.match(line):
        opening, closing, is_environment = environment[0], f"\\end{{{environment[1]}}}", True
    if not closing:
        return False
    last = _closing_line(state, first, end, opening, closing)
    if last is None:
        return False
    source = state.getLines(first, last + 1, state.blkIndent, False).strip()
    latex = source if is_environment else source[len(opening) : -len(closing)].strip()
    if not latex or (opening == "\\[" and not is_surely(latex)):
        return False
    if not silent:
        state.line = last + 1
        token = state.push("formula_block", "math", 0)
        token.content, token.markup, token.map = latex, source, [first, state.line]
    return True


def _closing_line(state: StateBlock, first: int, end: int, opening: str, closing: str) -> int | None:
    """Return the line at whose end a formula is closed, or None if something else comes first."""
    for line in range(first, min(end, first + MAX_LINES)):
        if line > first and state.sCount[line] < state.blkIndent and not state.isEmpty(line):
            return None
        text = state.getLines(line, line + 1, state.blkIndent, False).strip()
        text = text[len(opening) :] if line == first else text
        if text.endswith(closing):
            return line if closing not in text[: -len(closing)] else None
        if closing in text or opening in text:
            return None
    return None


def _formula(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[idx]
    formula = mathml(token.content, token.meta["is_display"])
    return formula or f'<code class="formula-source">{escapeHtml(token.markup)}</code>'


def _formula_block(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[idx]
    formula = mathml(token.content, is_display=True)
    if formula is None:
        return f'<pre class="formula-source"><code>{escapeHtml(token.markup)}</code></pre>\n'
    return f'<div class="formula">{formula}</div>\n'
