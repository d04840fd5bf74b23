"""Searching folders of documents, and keeping their index up to date."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentchat.knowledge import Knowledge, cited
from agentchat.protocol.errors import SettingsError

Open = Callable[..., Knowledge]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "tea.md").write_text("# Tea\n\n## Green\n\nBrew at 75 degrees.\n\n## Black\n\nBrew with boiling water.\n")
    (folder / "coffee.md").write_text("# Coffee\n\nGrind the beans just before brewing.\n")
    return folder


@pytest.fixture
def opened(tmp_path: Path, folder: Path) -> Iterator[Open]:
    """Return a function that opens a Knowledge of the folder, or of the given sources, until the test ends."""
    all_opened: list[Knowledge] = []

    def open(*sources: Path) -> Knowledge:
        all_opened.append(Knowledge(sources or [folder], tmp_path / "index" / "knowledge.db"))
        return all_opened[-1]

    yield open
    for knowledge in all_opened:
        knowledge.close()


def ids(knowledge: Knowledge) -> list[str]:
    return [source.id for source in knowledge.sources()]


# Searching


def test_a_passage_says_where_it_stands(opened: Open) -> None:
    """A passage names its document, headings and line, with a link."""
    [first, *_] = opened().search("How hot should green tea be?")

    assert (first.source, first.title, first.headings) == ("docs/tea.md", "Tea", ("Tea", "Green"))
    assert (first.text, first.place) == ("Brew at 75 degrees.", "line 5")
    assert first.link == "/api/agent-chat/knowledge/docs%2Ftea.md"


def test_the_best_come_first_and_no_more_than_asked_for(opened: Open, folder: Path) -> None:
    """The best passages come first, with descending scores, and no more than requested."""
    for number in range(60):
        (folder / f"{number}.txt").write_text(f"Water is wet, says text {number}.")
    knowledge = opened()

    assert [len(knowledge.search("wet water", count)) for count in (-1, 0, 1, 7, 1000)] == [1, 1, 1, 7, 50]
    assert len(knowledge.search("wet water")) == 5
    scores = [passage.score for passage in knowledge.search("boiling water", 10)]
    assert scores == sorted(scores, reverse=True)
    assert knowledge.search("boiling water")[0].source == "docs/tea.md"


@pytest.mark.parametrize(
    ("source_filter", "sources"),
    [
        ("", {"docs/tea.md", "docs/coffee.md"}),
        ("docs/tea.md", {"docs/tea.md"}),
        ("TEA", {"docs/tea.md"}),
        ("docs/*.md", {"docs/tea.md", "docs/coffee.md"}),
        ("*cof*", {"docs/coffee.md"}),
        ("nowhere", set()),
        ("'; DROP TABLE chunks --", set()),
        ("[", set()),
    ],
)
def test_a_filter_selects_documents(opened: Open, source_filter: str, sources: set[str]) -> None:
    """A filter selects documents by id, part of an id, or pattern."""
    found = opened().search("brew brewing", 10, source_filter)

    assert {passage.source for passage in found} == sources


@pytest.mark.parametrize(
    "query",
    [
        "", " ", "?", '"', "'", '"""', "tea OR", "NEAR(tea", "tea AND NOT", "^tea", "tea*", "text : tea", "(tea",
        "tea)", "{title} : tea", "-tea", "tea + coffee", "a\x00b", "\ud800", "🫖", "the of and", "NEAR",
        "tea\ncoffee\t", "rowid", "x" * 100_000, "tea " * 50_000, "'; DROP TABLE chunks; --",
    ],
)  # fmt: skip
def test_anything_can_be_asked(opened: Open, query: str) -> None:
    """Any query is allowed: nothing in it is syntax for the database."""
    knowledge = opened()
    found = knowledge.search(query)

    assert all(passage.text for passage in found)
    if "tea" in query:
        assert "docs/tea.md" in {passage.source for passage in found}
    assert ids(knowledge) == ["docs/coffee.md", "docs/tea.md"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("Rechnung", "Rechnungsnummer"),
        ("Rechnungen stellen", "Rechnungsnummer"),
        ("grosse", "Größe"),
        ("GRÖSSE", "Größe"),
        ("端口", "端口号"),
        ("水", "水"),
        ("ポートを変える", "ポート番号"),
        ("서버", "서버는"),
        ("เซิร์ฟเวอร์", "เซิร์ฟเวอร์"),
        ("סרבר", "סֶרְבֵר"),
        ("सर्वर", "सर्वर"),
        ("сервера", "Сервер"),
        ("refrigirator", "refrigerator"),
        ("running", "runs"),
        ("cafe", "café"),
    ],
)
def test_other_languages_and_wrong_spellings(opened: Open, folder: Path, query: str, says: str) -> None:
    """Compounds, endings, accents, scripts without spaces, and missing letters are found."""
    texts = {
        "german": "Die Rechnungsnummer steht oben rechts. Die Größe wird gemessen.",
        "chinese": "服务器启动时读取配置文件，可以更改端口号。请喝水。",
        "japanese": "ポート番号を変更できます。",
        "korean": "서버는 시작할 때 설정을 읽습니다.",
        "thai": "รีสตาร์ทเซิร์ฟเวอร์ก่อนใช้งาน",
        "hebrew": "הפעל את סֶרְבֵר עכשיו",
        "hindi": "पहले सर्वर शुरू करें",
        "russian": "Сервер запускается утром.",
        "english": "The refrigerator runs day and night. The café is open.",
    }
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")

    found = opened().search(query, 1)
    assert says in found[0].text


def test_no_passage_is_found_for_an_unrelated_query(opened: Open) -> None:
    """An unrelated query finds no passage, rather than whichever comes closest."""
    assert opened().search("quantum chromodynamics") == []


def test_passages_are_cited_as_markdown(opened: Open, folder: Path) -> None:
    """Passages are cited as numbered, linked Markdown quotes.

    Relative links inside a passage are dropped because they wouldn't work.
    """
    (folder / "a [b].md").write_text("# Kettle [new]\n\nSee [tea](tea.md) and [the web](https://example.com/kettle).\n")
    text = cited(opened().search("kettle", 1))

    assert text == (
        "**1.** [Kettle (new)](/api/agent-chat/knowledge/docs%2Fa%20%5Bb%5D.md) (`docs/a [b].md`, line 3)\n\n"
        "> See tea and [the web](https://example.com/kettle)."
    )


# Finding files


def test_ids_are_readable_and_tell_folders_apart(opened: Open, tmp_path: Path) -> None:
    """Ids are readable: folders with the same name get more of their path, and a single file gets its name."""
    for name in ("one/docs", "two/docs", "other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "x.txt").write_text(name)
    knowledge = opened(
        tmp_path / "one" / "docs", tmp_path / "two" / "docs", tmp_path / "other", tmp_path / "other/x.txt"
    )

    assert ids(knowledge) == ["one/docs/x.txt", "other/x.txt", "two/docs/x.txt"]


@pytest.mark.parametrize("name", ["with space.md", "quo'te\".md", "100% #1?.md", "ü — 図.md", "semi;colon&.md", "-.md"])
def test_names_of_files(opened: Open, folder: Path, name: str) -> None:
    """File names may contain any characters."""
    (folder / name).write_text("Kettles whistle.")
    knowledge = opened()

    assert knowledge.search("kettles", 1)[0].source == f"docs/{name}"
    assert knowledge.search("kettles", 1, f"docs/{name}")[0].source == f"docs/{name}"
    type, file = knowledge.open(f"docs/{name}")
    with file:
        assert (type, file.read()) == ("text/plain; charset=utf-8", b"Kettles whistle.")


def test_a_name_that_is_not_utf8(opened: Open, folder: Path) -> None:
    """In a name that isn't UTF-8, the bytes are written out."""
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("Kettles whistle.")

    assert opened().search("kettles", 1)[0].source == r"docs/caf\xe9.md"


def test_other_files_are_ignored(opened: Open, folder: Path) -> None:
    """Other types, hidden files, pipes, and folders named like documents are ignored."""
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / ".hidden.md").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "notes.md").write_text("secret")
    (folder / "folder.md").mkdir()
    (folder / "folder.md" / "inner.md").write_text("inside")
    os.mkfifo(folder / "pipe.md")

    assert ids(opened()) == ["docs/coffee.md", "docs/folder.md/inner.md", "docs/tea.md"]


def test_nothing_outside_is_read(opened: Open, folder: Path, tmp_path: Path) -> None:
    """Nothing outside the folder is read.

    Links that lead out are ignored, those that stay inside add nothing, and loops do no harm.
    """
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.md").write_text("The passphrase is swordfish.")
    (folder / "link.md").symlink_to(secret / "key.md")
    (folder / "folder").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    (folder / "self.md").symlink_to(folder / "self.md")
    (folder / "nowhere.md").symlink_to(tmp_path / "nowhere")
    (folder / "again.md").symlink_to(folder / "tea.md")
    knowledge = opened()

    assert ids(knowledge) == ["docs/coffee.md", "docs/tea.md"]
    assert knowledge.search("passphrase swordfish") == []
    for id in (
        "docs/link.md",
        "docs/../secret/key.md",
        "docs/folder/key.md",
        str(secret / "key.md"),
        "",
        "docs",
        "\ud800",
    ):
        with pytest.raises(KeyError):
            knowledge.open(id)


def test_a_file_that_becomes_a_link_out_is_gone(opened: Open, folder: Path, tmp_path: Path) -> None:
    """A file replaced by a link that leads out is gone, with its passages."""
    knowledge = opened()
    assert knowledge.search("boiling water")
    (tmp_path / "key.md").write_text("boiling secret")
    (folder / "tea.md").unlink()
    (folder / "tea.md").symlink_to(tmp_path / "key.md")

    assert knowledge.search("boiling water secret") == []
    with pytest.raises(KeyError):
        knowledge.open("docs/tea.md")


def test_a_chosen_folder_may_be_a_link(opened: Open, folder: Path, tmp_path: Path) -> None:
    """If a chosen folder is a link, the folder it points to is used."""
    (tmp_path / "current").symlink_to(folder)

    assert ids(opened(tmp_path / "current")) == ["current/coffee.md", "current/tea.md"]


def test_an_unreadable_document_is_listed_with_the_reason(
    opened: Open, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An unreadable document is listed with the reason and logged once; the others can be searched."""
    (folder / "empty.md").write_bytes(b"")
    (folder / "blank.txt").write_text(" \n\n ")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 and then nothing")
    (folder / "picture.txt").write_bytes(bytes(range(256)) * 50)
    knowledge = opened(folder, tmp_path / "gone")

    problems = {source.id: source.problem for source in knowledge.sources() if source.problem}
    assert problems.keys() == {"docs/empty.md", "docs/blank.txt", "docs/broken.pdf", "docs/picture.txt", "gone"}
    assert problems["docs/empty.md"] == "it is empty"
    assert problems["docs/blank.txt"] == "it has no text"
    assert problems["docs/picture.txt"] == "it is not text"
    assert problems["docs/broken.pdf"].startswith("it is broken, or not a PDF")
    assert problems["gone"] == "it does not exist"
    assert knowledge.search("green tea")[0].source == "docs/tea.md"
    assert len(caplog.records) == 5


def test_a_huge_file_is_left_out(opened: Open, folder: Path) -> None:
    """A huge file is left out without being read in full."""
    with open(folder / "huge.txt", "wb") as file:
        file.truncate(2**33)
    knowledge = opened()

    assert {s.id: s.problem for s in knowledge.sources()}["docs/huge.txt"] == "it is larger than 16 MiB"
    assert knowledge.search("green tea")


# Following changes


def test_changes_count_at_once(opened: Open, folder: Path) -> None:
    """The next search sees changed, new and removed files."""
    knowledge = opened()
    assert knowledge.search("grind beans")
    (folder / "coffee.md").write_text("Buy it ground.")
    (folder / "sub").mkdir()
    (folder / "sub" / "milk.md").write_text("Froth the milk.")
    (folder / "tea.md").unlink()

    assert knowledge.search("grind beans") == []
    assert knowledge.search("froth")[0].source == "docs/sub/milk.md"
    assert knowledge.search("boiling water") == []
    assert ids(knowledge) == ["docs/coffee.md", "docs/sub/milk.md"]


def test_a_change_that_leaves_size_and_time_as_they_were(opened: Open, folder: Path) -> None:
    """A change that keeps size and time is noticed as well."""
    knowledge = opened()
    path = folder / "coffee.md"
    before = path.stat()
    assert knowledge.search("beans")
    path.write_text(path.read_text().replace("beans", "seeds"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert "seeds" in knowledge.search("seeds", 1)[0].text
    assert knowledge.search("beans") == []


def test_a_moved_file_is_known_by_its_new_name(opened: Open, folder: Path) -> None:
    """A moved file is found under its new name, and a repaired one is no longer listed as broken."""
    (folder / "notes.txt").write_bytes(bytes(range(256)) * 50)
    knowledge = opened()
    assert [source.id for source in knowledge.sources() if source.problem] == ["docs/notes.txt"]
    (folder / "notes.txt").write_text("Kettles whistle.")
    os.rename(folder / "tea.md", folder / "herbs.md")

    assert ids(knowledge) == ["docs/coffee.md", "docs/herbs.md", "docs/notes.txt"]
    assert [source for source in knowledge.sources() if source.problem] == []


def test_the_index_outlives_the_process(opened: Open, folder: Path, tmp_path: Path) -> None:
    """The index outlives the process; files that changed in between are read again."""
    opened().search("tea")
    (folder / "coffee.md").write_text("Buy it ground.")
    again = opened()

    assert again.search("boiling")[0].source == "docs/tea.md"
    assert again.search("grind beans") == []
    with contextlib.closing(sqlite3.connect(tmp_path / "index" / "knowledge.db")) as db, db:
        assert (
            db.execute("SELECT count(*) FROM words").fetchone() == db.execute("SELECT count(*) FROM chunks").fetchone()
        )


@pytest.mark.parametrize("damage", [b"this is no database" * 1000, b""])
def test_a_broken_index_is_built_again(opened: Open, tmp_path: Path, damage: bytes) -> None:
    """A corrupt index is rebuilt from the documents."""
    knowledge = opened()
    knowledge.search("tea")
    knowledge.close()
    (tmp_path / "index" / "knowledge.db").write_bytes(damage)

    assert opened().search("boiling")[0].source == "docs/tea.md"


def test_an_index_of_another_version_is_built_again(opened: Open, tmp_path: Path) -> None:
    """An index of an older or newer version is rebuilt."""
    (tmp_path / "index").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "index" / "knowledge.db")) as db, db:
        db.execute("CREATE TABLE sources (other)")
        db.execute("PRAGMA user_version = 99")

    assert opened().search("boiling")[0].source == "docs/tea.md"


def test_an_index_that_cannot_be_used(opened: Open, tmp_path: Path) -> None:
    """An unusable index is reported at the start."""
    (tmp_path / "index").write_text("a file where the folder should be")

    with pytest.raises(SettingsError, match="cannot be used"):
        opened()


def test_concurrent_searches_while_documents_change(opened: Open, folder: Path) -> None:
    """Each concurrent search sees the documents as of its start; in the end the index has every passage once."""
    for number in range(100):
        (folder / f"{number}.md").write_text(f"# Part {number}\n\nThe kettle number k{number} whistles.\n")
    knowledge = opened()
    start = threading.Barrier(8)

    def ask(number: int) -> str:
        start.wait()
        for step in range(10):
            (folder / f"{number}.md").write_text(f"# Part {number}\n\nThe kettle number k{number}x{step} whistles.\n")
            [found] = knowledge.search(f"k{number}x{step}", 1, f"docs/{number}.md")
            assert f"k{number}x{step} " in found.text
        return knowledge.search(f"k{90 + number}", 1)[0].source

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [f"docs/{90 + number}.md" for number in range(8)]
    assert len(knowledge.search("kettle", 50)) == 50
    assert len(ids(knowledge)) == 102
