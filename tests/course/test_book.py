"""What the book is made of: links, index, ledger, reference."""

from __future__ import annotations

import ast
import pkgutil
import re
from pathlib import Path

import nbformat
import pytest

import dann_lib
from dann_lib.course.book.api import HIDDEN, api_pages, documented_modules
from dann_lib.course.book.ledger_page import ledger_page
from dann_lib.course.book.links import Links
from dann_lib.course.book.texts import TEXTS, index_page, read_texts
from dann_lib.course.lesson_files import Lesson
from dann_lib.reproduce.claims import CLAIMS

TEXT = "# 3 · Build it\n\nAt the end\nyou hold it.\n\n**What you need**: about 12 s on two\nprocessor cores, 1 GB."


def lesson(source: Path, **options: object) -> Lesson:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(TEXT)])
    return Lesson(source, notebook, **options)


@pytest.fixture
def links(tmp_path: Path) -> Links:
    """A repository with two lessons, a solution, a module, a table and a picture."""
    root = tmp_path / "repository"
    for name in ("notebooks/03_unet.py", "notebooks/solutions/03_unet.py", "dann_lib/report.py", "dann_lib/odd.py",
                 "data/scores.csv", "data/picture.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    found = Links(root, tmp_path / "stage", tmp_path / "out")
    found.add(root / "notebooks/03_unet.py", "03_unet.ipynb")
    found.add(root / "notebooks/solutions/03_unet.py", "solutions/03_unet.ipynb")
    found.modules = {"dann_lib.report"}
    return found


def test_links_between_lessons_and_solutions_lead_to_pages(links):
    notebooks = links.repository / "notebooks"
    assert links.rewrite("[a](03_unet.ipynb)", notebooks, "01_data") == "[a](03_unet.ipynb)"
    assert links.rewrite("[a](03_unet.py#b)", notebooks, "01_data") == "[a](03_unet.ipynb#b)"
    assert links.rewrite("[a](solutions/03_unet.ipynb)", notebooks, "03_unet") == "[a](solutions/03_unet.ipynb)"
    back = links.rewrite("[a](../03_unet.ipynb)", notebooks / "solutions", "solutions/03_unet")
    assert back == "[a](../03_unet.ipynb)"


def test_links_to_modules_lead_to_their_source_and_others_to_a_copy(links):
    notebooks = links.repository / "notebooks"
    module = links.rewrite("[a](../dann_lib/report.py)", notebooks, "ledger")
    assert module == '<a href="_modules/dann_lib/report.html">a</a>'
    table = links.rewrite("[a [1]](../../data/scores.csv)", notebooks / "solutions", "solutions/03_unet")
    assert table == '<a href="../files/data/scores.csv">a [1]</a>'
    assert (links.out / "files/data/scores.csv").read_text() == "data/scores.csv"
    assert links.rewrite("[a](../dann_lib/odd.py)", notebooks, "ledger") == '<a href="files/dann_lib/odd.py">a</a>'
    picture = links.rewrite("![a](../data/picture.png)", notebooks, "ledger")
    assert (links.stage / picture[5:-1]).resolve() == links.repository / "data/picture.png"


@pytest.mark.parametrize("text", ["[a](https://example.org/x.py)", "[a](#part)", "x[0](features)", "[a](lost.csv)"])
def test_what_is_no_link_to_a_file_stays(links, text):
    assert links.rewrite(text, links.repository / "notebooks", "03_unet") == text


def test_a_lesson_that_failed_says_so_below_its_title(links):
    failed = lesson(links.repository / "notebooks/03_unet.py", error="03_unet, cell [2]: ZeroDivisionError")
    cells = links.rewrite_notebook(failed).cells
    assert cells[0].source.startswith("# 3 · Build it")
    assert "This run stopped" in cells[1].source and "ZeroDivisionError" in cells[1].source
    assert len(failed.notebook.cells) == 1, "the lesson itself is not changed"


def test_a_lesson_knows_its_title_its_result_and_its_page(tmp_path):
    first = lesson(tmp_path / "notebooks" / "03_unet.py")
    assert (first.title, first.result, first.page) == ("3 · Build it", "At the end you hold it.", "03_unet")
    assert lesson(tmp_path / "notebooks" / "solutions" / "03_unet.py").page == "solutions/03_unet"


def test_the_index_says_how_long_a_lesson_took_and_lists_what_there_is(tmp_path):
    lessons = [lesson(tmp_path / "03_unet.py", seconds=75.0), lesson(tmp_path / "04_more.py"),
               lesson(tmp_path / "solutions" / "03_unet.py")]
    text = index_page(lessons, ["glossary.md", "ledger.md", "api/index.rst"])
    assert text.count("ran here in") == 1 and "ran here in 1.2 min" in text
    assert text.count(">about 12 s on two processor cores<") == 1, "of the other, what it says itself"
    assert text.count("**[Build it]") == 2
    order = [text.rindex(line) for line in ("\n04_more\n", "\nsolutions/03_unet\n", "\nglossary\n", "\nledger\n")]
    assert order == sorted(order)
    small = index_page(lessons[:1], [])
    assert "ledger" not in small and "api/index" not in small and "Solutions" not in small


def test_texts_come_in_the_order_of_the_book(tmp_path):
    for name in ("zebra", *reversed(TEXTS[1:])):
        (tmp_path / f"{name}.md").write_text(f"# {name}")
    assert list(read_texts(tmp_path)) == [*TEXTS[1:], "zebra"]


def test_the_ledger_has_every_claim_with_its_figure():
    text = ledger_page([])
    for number, claim in enumerate(CLAIMS, start=1):
        part = text.partition(f"(claim-{number})=")[2].partition("(claim-")[0]
        assert claim.text in part and claim.criteria["reproduced"] in part
        assert "](../data/reference/figures/" in part or claim.id == "numbers"


def test_every_module_is_in_the_reference():
    pages = "\n".join(api_pages().values())
    modules = {info.name for info in pkgutil.walk_packages(dann_lib.__path__, "dann_lib.")}
    expected = {name for name in modules if name.rpartition(".")[2] not in HIDDEN}
    assert documented_modules() == expected
    assert not [name for name in expected if f".. automodule:: {name}\n" not in pages]


def test_what_a_package_hands_on_leads_to_the_module_that_defines_it():
    page = api_pages()["api/dann_lib.figures.rst"]
    assert ":py:obj:`COLOURS <dann_lib.figures.style.COLOURS>`" in page
    assert ":py:obj:`figure_5 <dann_lib.figures.results.figure_5>`" in page


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
