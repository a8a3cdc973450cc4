"""What the book is made of: links, index, ledger, reference."""

from __future__ import annotations

import ast
import pkgutil
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

import dann_lib
from dann_lib.course import book as book_module
from dann_lib.course.book import HIDDEN, answers, build_book, fill_pages, kept_lessons
from dann_lib.course.lesson_files import NOTEBOOKS, Lesson, stored_lesson
from dann_lib.reproduce.claims import CLAIMS

TEXT = "# 3 · Build it\n\nAt the end\nyou hold it.\n\n**What you need**: about 12 s on two\nprocessor cores, 1 GB."
LINKS = """

[lesson](03_unet.ipynb), [solution](solutions/03_unet.ipynb), [a [1]](../data/scores.csv), [site](https://example.org/x.py),
[part](#part), `x[0](features)` ![a picture](../data/picture.png)

(part)=
## A part
"""


def lesson(source: Path, text: str = TEXT, output: str = "", **options: object) -> Lesson:
    cells = [nbformat.v4.new_markdown_cell(text)]
    if output:
        shown = nbformat.v4.new_output("display_data", data={"text/markdown": output})
        folded = {"jupyter": {"source_hidden": True}}
        cells.append(nbformat.v4.new_code_cell("show()", outputs=[shown], metadata=folded))
    return Lesson(source, nbformat.v4.new_notebook(cells=cells), **options)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of a lesson, and of its solution, whose text and output link to lessons and to files beside them."""
    root = tmp_path_factory.mktemp("repository")
    (root / "data").mkdir()
    (root / "data/scores.csv").write_text("scores")
    (root / "data/picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    folder = root / "notebooks"
    (folder / "solutions").mkdir(parents=True)
    lessons = [
        lesson(folder / "03_unet.py", f"{TEXT}{LINKS}", "[solution](solutions/03_unet.ipynb), [b](../data/scores.csv)"),
        lesson(folder / "solutions/03_unet.py", output="[back](../03_unet.ipynb), [c](../../data/scores.csv)"),
    ]
    return build_book(lessons, root / "out", whole=False).parent


def addresses(page: Path) -> dict[str, str]:
    """Text → address, of the links of a page."""
    found = re.findall(r'<a [^>]*href="([^"]+)"[^>]*>(.*?)</a>', page.read_text(), re.DOTALL)
    return {re.sub("<[^>]+>", "", text).strip(): address for address, text in found}


def test_links_between_lessons_and_solutions_lead_to_pages(book):
    there, back = addresses(book / "03_unet.html"), addresses(book / "solutions/03_unet.html")
    assert (there["lesson"], there["solution"]) == ("#", "solutions/03_unet.html")
    assert there["part"] == "#part" and there["site"] == "https://example.org/x.py"
    assert back["back"] == "../03_unet.html"


def test_code_that_jupyter_folds_unfolds_with_a_click(book):
    folded = re.search(r"<details.*?</details>", (book / "03_unet.html").read_text(), re.DOTALL)[0]
    assert "Show the code" in folded and "show" in folded.partition("</summary>")[2]


def test_links_to_files_lead_to_a_copy_and_pictures_are_shown(book):
    page = book / "03_unet.html"
    for name, where in (("a [1]", page), ("b", page), ("c", book / "solutions/03_unet.html")):
        assert (where.parent / addresses(where)[name]).resolve().is_relative_to(book)
        assert (where.parent / addresses(where)[name]).read_text() == "scores"
    picture = re.search(r'<img [^>]*src="([^"]+picture\.png)"', page.read_text())[1]
    assert (book / picture).read_bytes().startswith(b"\x89PNG")


def test_a_lesson_knows_its_title_its_result_and_its_page(tmp_path):
    first = lesson(tmp_path / "notebooks" / "03_unet.py")
    assert (first.title, first.result, first.page) == ("3 · Build it", "At the end you hold it.", "03_unet")
    assert lesson(tmp_path / "notebooks" / "solutions" / "03_unet.py").page == "solutions/03_unet"


def test_the_index_says_how_long_a_lesson_took_and_lists_what_there_is(tmp_path):
    lessons = [lesson(tmp_path / "03_unet.py", seconds=75.0), lesson(tmp_path / "04_more.py"),
               lesson(tmp_path / "solutions" / "03_unet.py")]
    fill_pages(tmp_path, lessons[:1], whole=False)
    small = (tmp_path / "index.md").read_text()
    assert "ledger" not in small and "api/index" not in small and "Solutions" not in small
    fill_pages(tmp_path, lessons, whole=True)
    text = (tmp_path / "index.md").read_text()
    assert text.count("ran here in") == 1 and "ran here in 1.2 min" in text
    assert text.count(">about 12 s on two processor cores<") == 1, "of the other, what it says itself"
    assert text.count("**[Build it]") == 2
    order = [text.rindex(line) for line in ("\n04_more\n", "\nsolutions/*\n", "\nglossary\n", "\nledger\n")]
    assert order == sorted(order)
    assert all(f"[]({path.name})" in text for path in NOTEBOOKS.glob("*.md")), "every text"


def test_the_answers_stand_below_what_is_asked():
    """Predictions with what the cells show from there to what there is to notice, in words; quick checks."""
    def shown(**data: str) -> NotebookNode:
        plain = {f"text/{kind}": text for kind, text in data.items()}
        return nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("display_data", data=plain)])

    say = nbformat.v4.new_markdown_cell
    cells = [say(TEXT), shown(plain="before"), say("## 1. Empty"), say("## 2. Step\n\nText.\n\n**Predict:** how many?"),
             shown(plain="def code():", latex="code"), shown(plain="Object", markdown="**7**, see [2](02_stft.ipynb)"),
             shown(plain="a  1\nb  2"), shown(plain="a", html="<table>\n\n    <td>1"),
             say("*What to notice.* Seven.\n\nMore."), shown(plain="after"),
             shown(plain="Quick check. Why 7?\nSince $3 + 4$."), say("## Exercises\n\n**Predict:** not this")]
    text = re.sub(r"</?div[^>]*>", "", answers(Lesson(Path("03_unet.py"), nbformat.v4.new_notebook(cells=cells))))
    assert text.split("\n\n") == [
        "# Answers to lesson 3 · Build it", "## 2. Step", "**Predict:** how many?", "**7**, see [2](../02_stft.ipynb)",
        "```text\na  1\nb  2\n```", "<table>\n<td>1", "*What to notice.* Seven.",
        "**Quick check.** Why 7?", "Since $3 + 4$."]


def test_nothing_in_a_book_without_solutions_leads_to_them(tmp_path, monkeypatch):
    def fill(sources: Path, pages: Path, out: Path, tags: list[str]) -> None:
        fill_pages(sources, kept_lessons(out), "whole" in tags, "solutions" in tags)
        shutil.copytree(sources, tmp_path / "sources")
        pages.mkdir()

    monkeypatch.setattr(book_module, "_run_sphinx", fill)
    for folder in ("solutions", "notebooks/solutions"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "03_unet.html").write_text("of a book before")
    lessons = [stored_lesson(path) for path in sorted(NOTEBOOKS.rglob("[0-9]*.py"))]
    build_book(lessons, tmp_path, solutions=False)
    assert {path.name for path in tmp_path.iterdir()} == {"notebooks", "sources"}
    kept = [path.read_text() for path in (tmp_path / "notebooks").rglob("*")]
    assert len(kept) == len(lessons) / 2
    assert not [text for text in kept if re.search(r"solutions/|\bSolutions\b", text)]
    names = {path.relative_to(tmp_path / "sources").as_posix() for path in (tmp_path / "sources").rglob("*.*")}
    assert "teaching.md" not in names and {"syllabus.md", "ledger.md", "api/dann_lib.course.rst"} <= names
    texts = [path.read_text() for path in (tmp_path / "sources").rglob("*.*") if path.suffix in (".md", ".rst")]
    assert not [text for text in texts if re.search(r"teaching\.md|\nteaching\n|course\.exercises\.\w", text)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a whole book that follow from others."""
    folder = tmp_path_factory.mktemp("sources")
    fill_pages(folder, [], whole=True)
    return folder


def test_the_ledger_has_every_claim_with_its_figure(filled):
    text = (filled / "ledger.md").read_text()
    for number, claim in enumerate(CLAIMS, start=1):
        part = text.partition(f"(claim-{number})=")[2].partition("(claim-")[0]
        assert claim.text in part and all(rule in part for rule in claim.rule.criteria.values())
        assert "](../data/reference/figures/" in part or claim.id == "numbers"


def test_every_module_is_in_the_reference(filled):
    pages = "\n".join(path.read_text() for path in (filled / "api").iterdir())
    modules = {info.name for info in pkgutil.walk_packages(dann_lib.__path__, "dann_lib.")} - set(HIDDEN)
    assert not [name for name in modules if f".. automodule:: {name}\n" not in pages]


def test_a_package_says_what_it_hands_on(filled):
    text = (filled / "api/dann_lib.figures.rst").read_text()
    assert ":py:obj:`.COLOURS`" in text and ":py:obj:`.figure_5`" in text


def test_docstrings_say_what_the_arguments_are():
    """What the reference shows: every public function with arguments describes them, by their names."""
    missing = []
    for path in sorted(Path(dann_lib.__file__).parent.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            described = (ast.get_docstring(node) or "").partition("Args:")[2]
            if "Args:" not in (ast.get_docstring(node) or ""):
                continue
            named = [each.arg for each in (*node.args.args, *node.args.kwonlyargs)]
            missing += [f"{path.name}: {node.name}({name})" for name in named
                        if not re.search(rf"\b{name}\b", described)]
    assert not missing
