"""Formulas in Markdown: what is taken for one, what becomes of it, and what is shown as it was written."""

from __future__ import annotations

import re

import pytest

from agentchat.rendering import formulas
from agentchat.rendering.markdown import render


def html(text: str) -> str:
    return "".join(block.html for block in render(text))


def words(text: str) -> str:
    """Return what people read."""
    return re.sub(r"<[^>]*>", "", html(text))


@pytest.mark.parametrize(
    "text",
    [
        "costs $5 and $6",
        "costs $5, not $6.",
        "US$5 to US$7",
        "from $5-$6",
        "$HOME:$PATH",
        "echo $HOME and $PATH",
        "(costs $3) vs 3$",
        "between $20 (excl. tax) and 30$",
        "\\[sic\\]",
        "\\(see below\\)",
        "a $ b $ c",
        "\\$x\\$",
        "$",
        "$$",
        "$$$$",
        "\\(\\)",
        "`$x$`",
    ],
)
def test_no_formulas(text: str) -> None:
    assert "<math" not in html(text)
    assert "formula" not in html(text)


@pytest.mark.parametrize(
    "text",
    [
        "$x$",
        "$n$-th",
        "($x$)",
        "$E = mc^2$",
        "$O(n \\log n)$",
        "$O(n log n)$",
        "$\\text{speed of light} = c$",
        "$a, b \\in \\mathbb{R}$",
        "\\(x^2\\)",
        "\\(\\arg\\max_x f \\label{eq:1}\\)",
        "\\(\\boxed{42}\\)",
        "\\(f(x) = \\begin{cases} 1 & x > 0 \\\\ 0 & \\text{otherwise} \\end{cases}\\)",
        "\\(x\\) costs $5",
        "| $x$ |\n|---|\n| \\(y\\) |",
        "**$x$**",
    ],
)
def test_formulas_in_a_line(text: str) -> None:
    assert '<math display="inline">' in html(text)
    assert "\\" not in words(text)


@pytest.mark.parametrize(
    "text",
    [
        "$$x$$",
        "\\[x\\]",
        "$$\nx\n$$",
        "\\[\na\n- b\n\n= c\n\\]",
        "so\n\\[\nx = 1\n\\]\nand so on",
        "- one\n  $$\n  x\n  $$",
        "> \\[ x \\]",
        "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}",
        "\\[\n\\begin{pmatrix} a & b \\\\[2pt] c & d \\end{pmatrix}\n\\]",
        "that is $$x$$, and $$y$$.",
    ],
)
def test_formulas_on_their_own(text: str) -> None:
    assert '<math display="block">' in html(text)
    assert not re.search(r"[$\\]|<h[12]|<ul>\n<li>b", html(text))


@pytest.mark.parametrize(
    "latex",
    ["\\foo{x} = 1", "x^", "\\frac{1}", "\\left( x", "{x", "\\sqrt", "\\begin{align} a", "x \u202e = 1",
     "\\hspace{-20em} x", "\\hspace{2000px} x", "\\rule{90em}{90em}", "x + " * 1000 + "x", "{" * 30 + "x" + "}" * 30],
    ids=range(13),
)  # fmt: skip
def test_a_formula_that_cannot_be_shown(latex: str) -> None:
    """It is shown as it was written."""
    assert formulas.mathml(latex, is_display=False) is None
    assert html(f"\\({latex}\\)").startswith('<p><code class="formula-source">\\(')
    assert html(f"$$\n{latex}\n$$").startswith('<pre class="formula-source"><code>$$\n')


def test_signs_of_html_in_formulas() -> None:
    """They are signs of the formula."""
    assert words("$a<b$ and $\\text{<img src=x>}$") == "a&lt;b and &lt;img&nbsp;src=x&gt;"
    assert "<img" not in html("$\\text{<img src=x>}$")


@pytest.mark.parametrize("opening", ["$", "$$", "\\(", "\\[", "$$\n", "\\[\n", "\\begin{align}\n", "$a ", "\\(a "])
def test_many_formulas_that_are_never_closed(opening: str) -> None:
    assert "<math" not in html(opening * 3001)
