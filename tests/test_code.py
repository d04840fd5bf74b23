"""Code in Markdown: its colours, and that they can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentchat import installation
from agentchat.rendering import code
from agentchat.rendering.markdown import render

CSS = installation.PAGE / "static" / "css"
SAMPLES = {
    "python": "@a\nclass B(C):\n    'd'\n    x: int = 1.5\n    def f(self): return f'{x!r}\\n' if x else super()",
    "javascript": "import a from 'b';\nconst c = async () => `d${1}`; // e\nclass F extends G { #h = /i/g }",
    "html": '<!-- a --><p class="b">&amp;</p>',
    "css": "@media print { a:hover { color: #fff; width: calc(1px + 2em) } }",
    "bash": "export A=1\nfor b in $(ls); do echo \"$b\" 'c'; done # d",
    "sql": "SELECT a, COUNT(*) FROM b WHERE c = 'd' AND e > 1 -- f",
    "rust": "#[derive(Debug)]\nfn a<'b>(c: &'b str) -> Option<u8> { Some(1u8) } // d",
    "go": 'package a\nfunc b(c int) (d string) { return "e" }',
    "c": "#include <a.h>\nint main(void) { return 0x1; } /* b */",
    "java": '@Override public class A<B> { int c = 1; String d = "e"; }',
    "yaml": "a: 1\nb:\n  - c # d\n",
    "toml": "[a]\nb = 'c'\n",
    "xml": '<?xml version="1.0"?><a b="c"/>',
    "dockerfile": "FROM a AS b\nRUN c\n",
    "haskell": "a :: Int -> [b]\na c = c where d = 'e'",
}


def html(text: str) -> str:
    return "".join(block.html for block in render(text))


@pytest.mark.parametrize("language", SAMPLES)
def test_languages(language: str) -> None:
    """Code has colours by classes, never by styles, and its text is what was written."""
    shown = html(f"```{language}\n{SAMPLES[language]}\n```")
    assert f'<code class="language-{language}" data-language="{language}"><span class="' in shown
    assert "style" not in re.sub(r">[^<]*<", "><", shown)
    text = re.sub(r"<[^>]*>", "", shown).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert text == SAMPLES[language] + "\n"


def test_all_kinds_of_code_have_a_colour_or_none_on_purpose() -> None:
    plain = {"err", "g", "n", "o", "p", "w", "x", "nx", "esc", "pm", "nc", "gr"}
    shown = "".join(html(f"```{language}\n{sample}\n```") for language, sample in SAMPLES.items())
    used = set(re.findall(r'<span class="(\w+)"', shown)) - plain
    assert used - set(re.findall(r"\.(\w+)", (CSS / "messages" / "code.css").read_text())) == set()


@pytest.mark.parametrize(
    "info", ["klingon", "c&quot;><img", "a" * 500, "`x", "python3 {.numbered}", "PYTHON", "c++", "c#"]
)
def test_names_of_languages(info: str) -> None:
    shown = html(f"~~~{info}\n1 < 2\n~~~")
    assert shown.startswith('<pre><code class="language-')
    assert re.sub(r"<[^>]*>", "", shown) == "1 &lt; 2\n"


@pytest.mark.parametrize("info", ["py", "PYTHON", "python {.x}", "python,ignore", "python:a.py", "tsx", "kt", "hpp"])
def test_other_names_of_languages(info: str) -> None:
    assert '<span class="' in html(f"```{info}\n'a'\n```")


@pytest.mark.parametrize("language", ["json", "csv", "", "text", "mermaid"])
def test_code_without_colours(language: str) -> None:
    assert "<span" not in html(f'```{language}\n{{"a": 1}}\n```')


def test_long_code() -> None:
    assert "<span" not in html("```python\n" + "x = 1\n" * (code.MAX_COLOURED // 6 + 1) + "```")


def test_a_diff() -> None:
    """Its lines are marked, and keep their signs."""
    lines = re.findall(
        r'<span class="([^"]*)">([^<]*)</span>', html("```diff\n--- a\n+++ b\n@@ -1 +1 @@\n x\n-<b>\n+y\n```")
    )
    assert lines == [
        ("diff-line is-place", "--- a\n"),
        ("diff-line is-place", "+++ b\n"),
        ("diff-line is-place", "@@ -1 +1 @@\n"),
        ("diff-line", " x\n"),
        ("diff-line is-removed", "-&lt;b&gt;\n"),
        ("diff-line is-added", "+y\n"),
    ]


def colors(path: Path, pattern: str) -> dict[str, tuple[str, str]]:
    return {name: (light, dark) for name, light, dark in re.findall(pattern, path.read_text())}


def luminance(color: str) -> float:
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast(theme: int) -> None:
    """Each colour can be read on each surface that code stands on, as WCAG asks for."""
    code_colors = colors(CSS / "messages" / "code.css", r"--code-(\w+): light-dark\((#\w{6}), (#\w{6})\)")
    named = colors(CSS / "shared" / "colors.css", r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)")
    surfaces = {name: named[name][theme] for name in ("paper", "sheet", "linen", "ink")}
    text = surfaces.pop("ink")
    behind = [code_colors.pop(name)[theme] for name in ("added", "removed")]
    assert len(code_colors) == 7
    for name, both in code_colors.items():
        for surface in surfaces.values():
            assert contrast(both[theme], surface) >= 4.5, (name, surface)
    for surface in behind:
        assert contrast(text, surface) >= 7
    assert contrast(code_colors["comment"][theme], "#ffffff" if theme == 0 else "#201f1d") >= 4.5
