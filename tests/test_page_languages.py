"""The page in the languages of its readers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from agentchat.app import Running
from agentchat.http.page_languages import choose, in_language, sentences
from tests.conftest import Serve
from tests.page_sentences import bare, counted, expected, modules, problems, tagged
from tests.rest_client import RestClient

pytest_plugins = ["tests.browser"]

LANGUAGES = ["ar", "de", "es", "fr", "ja"]


@pytest.mark.parametrize(
    ("cookies", "accepted", "expected"),
    [
        ("", "", "en"),
        ("", "de-AT, en;q=0.5", "de"),
        ("", "pt, fr;q=0.4, es;q=0.8, *;q=0.1", "es"),
        ("", "de;q=0, en", "en"),
        ("", "de;q=nonsense, ja", "ja"),
        ("", "en-GB, de", "en"),
        ("a=b; agentchat_language=ja", "de", "ja"),
        ("agentchat_language=en", "de", "en"),
        ("agentchat_language=xx", "de", "de"),
        ("not_agentchat_language=ja", "de", "de"),
    ],
)
def test_the_language_of_an_answer(cookies: str, accepted: str, expected: str) -> None:
    """A choice comes before the browser's wishes, and English after them."""
    assert choose(cookies, accepted, LANGUAGES) == expected


def test_a_template_is_translated() -> None:
    """Texts and the attributes that people read are; code, names and what has no letters stay."""
    page = (
        '<html lang="en"><head>\n  </head><p title="Close" class="Close">\n  Close\n  it</p>'
        '<code>Close</code><b>agentchat</b> 30 <i aria-label="Don&#39;t"></i></html>'
    )
    assert sentences(page) == ["Close", "Close it", "Don't"]
    words = {"ar": {"Close": '"<أغلق>"', "Close it": "أغلقه"}}
    shown = in_language(page, "ar", words)
    assert '<html lang="ar" dir="rtl" data-languages="ar en">' in shown
    assert 'title="&quot;&lt;أغلق&gt;&quot;" class="Close">\n  أغلقه</p><code>Close</code><b>agentchat</b> 30 ' in shown
    assert 'href="./static/locales/ar.json"' in shown
    assert "locales" not in in_language(page, "en", words)


def test_each_page_comes_in_the_language_of_its_reader(server: Running) -> None:
    """Caches between are told what the answer depends on."""
    rest = RestClient(server)
    german = rest.ask("GET", "/login", headers={"Accept-Language": "de"})
    english = rest.ask("GET", "/login", headers={"Accept-Language": "xx"})
    chosen = rest.ask("GET", "/login", headers={"Accept-Language": "de", "Cookie": "agentchat_language=fr"})
    assert [re.findall(r'<html lang="(\w+)"', answer.body.decode())[0] for answer in (german, english, chosen)] == [
        "de",
        "en",
        "fr",
    ]
    assert len({answer.headers["ETag"] for answer in (german, english, chosen)}) == 3
    assert {answer.headers["Vary"] for answer in (german, english)} == {"Accept-Encoding, Accept-Language, Cookie"}
    kept = rest.ask("GET", "/login", headers={"Accept-Language": "xx", "If-None-Match": german.headers["ETag"]})
    assert kept.status == 200


def test_a_choice_is_kept(serve: Serve, page: Page) -> None:
    """Arabic reads from the right, in the templates' words and the modules', and after a reload, too."""
    server = serve("demo")
    page.goto(server.page)
    expect(page.locator(".status-label")).to_have_text("Online")

    def choose(title: str) -> None:
        page.locator(".sidebar .settings-button").click()
        page.locator(".language-setting select").select_option(label=title)

    choose("العربية")
    for _ in range(2):
        expect(page.locator(".status-label")).to_have_text("متصل")
        assert page.evaluate("[document.documentElement.lang, document.dir]") == ["ar", "rtl"]
        sidebar = page.locator(".sidebar").bounding_box()
        assert sidebar is not None
        assert sidebar["x"] > 640
        page.reload()
    choose("English")
    expect(page.locator(".status-label")).to_have_text("Online")
    expect(page.locator("dialog.settings")).to_be_visible()  # as before
    expect(page.locator(".language-setting select")).to_have_value("en")


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_language_has_the_page_s_sentences(name: str) -> None:
    """Each of them, no others, with the values of the English and the plurals of the language."""
    assert problems(name, expected()) == []


def test_sentences_are_found() -> None:
    """In modules, wherever they are; and a file is told what it lacks."""
    source = r"""
        say(t`Hello ${name({ a: "}" })}, it’s ${t`late`} \`now\``);
        const other = text`that` + tn(f(a, "x"), "one", "{n} of it");
    """
    assert [*tagged(source)] == ["Hello {1}, it’s {2} `now`", "late"]
    assert counted(source) == ["{n} of it"]
    assert problems("de", {"Never written": False}) != []


def test_sentences_that_are_not_translated_are_found() -> None:
    """Class names, addresses, drawings and what is translated are none."""
    source = """
        say("Try again"); say(`${name} asks for it`); say(`Not before ${day}.`); // "Try more"
        say(`Show ${names}`); say(`files: ${n}`); say(`with ${names}`); say("Go on."); say(n === 1 ? "step" : "steps");
        h("p", { class: "field problem" }, t`Try again`, tn(n, "One more thing", "{n} more things"));
        fetch(`${API}/status?${new URLSearchParams({ days })}`); draw("M4 5h16v14H4z", `${left}px`, `${n} ms`, "Enter");
        h("svg", { class: `chart ${name}` });
    """
    assert bare(source) == [
        "Try again",
        "${name} asks for it",
        "Not before ${day}.",
        "Show ${names}",
        "files: ${n}",
        "with ${names}",
        "Go on.",
        "steps",
    ]


def test_no_sentence_is_forgotten() -> None:
    """Each sentence of a module is translated."""
    forgotten = {module: bare(source) for module, source in modules().items()}
    assert {module: sentences for module, sentences in forgotten.items() if sentences} == {}
