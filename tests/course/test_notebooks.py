"""The lessons: they run, their outputs belong to their text, and nothing of this machine is in them."""

from __future__ import annotations

import ast
import dis
import functools
import itertools
import re
import sys
from pathlib import Path
from types import CodeType

import jupytext
import nbformat
import pytest
from jupytext.compare import NotebookDifference, compare_notebooks
from lesson_code import definitions, reads
from nbformat import NotebookNode

from dann_lib.course import runner as course
from dann_lib.course.lesson_files import FORMAT, WIDGET_VIEW
from dann_lib.reproduce.claims import CLAIMS

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = (
    "01_data", "02_stft", "03_unet", "04_skip_ablation", "05_training_overfitting", "06_evaluation", "07_listening",
    "08_beyond",
)
SOLUTIONS = tuple(f"solutions/{name}" for name in NAMES)
LARGEST_BYTES = 2_000_000
MOST_LINES = 15
WIDEST_LINE = 88

each_lesson = pytest.mark.parametrize("name", NAMES)
each_notebook = pytest.mark.parametrize("name", NAMES + SOLUTIONS)


@functools.cache
def stored(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(name: str) -> list[NotebookNode]:
    return [cell for cell in stored(name).cells if cell.cell_type == "code" and cell.source.strip()]


def prose(name: str) -> str:
    """All Markdown of a lesson, without the code that is quoted in it."""
    text = "\n\n".join(cell.source for cell in stored(name).cells if cell.cell_type == "markdown")
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def output_text(name: str) -> str:
    """All outputs of a lesson as text, without pictures and sounds."""
    parts = []
    for cell in code_cells(name):
        for output in cell.outputs:
            parts += [output.get("text", ""), *output.get("data", {}).values()]
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "base64", "\n".join(map(str, parts)))


def test_there_are_eight_lessons_each_as_text_and_with_outputs():
    for suffix in (".py", ".ipynb"):
        assert tuple(sorted(path.stem for path in FOLDER.glob(f"[0-9]*{suffix}"))) == NAMES


@pytest.mark.parametrize("name", (*NAMES, *SOLUTIONS, "own_song"))
def test_text_and_notebook_are_a_pair(name):
    notebook, text = jupytext.read(FOLDER / f"{name}.ipynb"), jupytext.read(FOLDER / f"{name}.py")
    try:
        compare_notebooks(notebook, text, fmt=FORMAT)
    except NotebookDifference as difference:
        pytest.fail(f"{difference}\nstore it again: python -m dann_lib course --write notebooks/{name}.py")


@each_notebook
def test_the_outputs_are_those_of_one_run_from_top_to_bottom(name):
    cells = code_cells(name)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        kinds = {output.output_type for output in cell.outputs}
        assert "error" not in kinds, cell.source
        assert not any(output.get("name") == "stderr" for output in cell.outputs), cell.source


@each_notebook
def test_every_cell_has_an_identity_of_its_own(name):
    ids = [cell.id for cell in stored(name).cells]
    assert len(set(ids)) == len(ids)


@each_notebook
def test_nothing_of_this_machine_is_stored(name):
    text = output_text(name)
    for path in {str(Path.home()), str(course.REPOSITORY), sys.prefix, "/tmp/", "/home/", "/Users/", "site-packages"}:
        assert path not in text, path
        assert path not in (FOLDER / f"{name}.py").read_text(), path
    assert not re.search(r"\b0x[0-9a-f]{6,}", text), "an address in memory"
    assert set(stored(name).metadata) == {"kernelspec"}


@each_notebook
def test_no_widget_is_stored_and_a_lesson_is_small(name):
    assert not any(WIDGET_VIEW in output.get("data", {}) for cell in code_cells(name) for output in cell.outputs)
    assert (FOLDER / f"{name}.ipynb").stat().st_size < LARGEST_BYTES


@each_notebook
def test_there_is_one_heading_of_the_first_level_and_a_sentence_below_it(name):
    assert len(re.findall(r"^# ", prose(name), flags=re.MULTILINE)) == 1
    assert re.match(r"# .+\n\nAt the end you ", prose(name))


@each_notebook
def test_every_picture_has_a_visible_description(name):
    for cell in code_cells(name):
        for output in cell.outputs:
            data = output.get("data", {})
            assert not {"image/png", "image/jpeg", "image/svg+xml"} & set(data), cell.source
            page = str(data.get("text/html", ""))
            assert page.count("<img") == len(re.findall(r'<img alt="[^"]{20,}"', page)), cell.source
            if "<img" in page or "<audio" in page:
                assert "<figcaption" in page, cell.source


@each_notebook
def test_links_lead_somewhere(name):
    computed = [str(output.get("data", {}).get("text/markdown", ""))
                for cell in code_cells(name) for output in cell.outputs]
    links = re.findall(r"\]\(([^)\s]+)\)", "\n".join([prose(name), *computed]))
    assert links
    for link in links:
        if "://" not in link and not link.startswith(("mailto:", "#")):
            assert (FOLDER / name).parent.joinpath(link.partition("#")[0]).is_file(), link


@each_lesson
def test_a_lesson_leads_to_its_neighbours(name):
    place = NAMES.index(name)
    text = re.sub(r"\s+", " ", prose(name))
    for neighbour in NAMES[max(0, place - 1) : place] + NAMES[place + 1 : place + 2]:
        assert text.count(f"({neighbour}.ipynb)") >= 2, neighbour
        title = re.search(r"^# (.+)$", prose(neighbour), flags=re.MULTILINE).group(1)
        assert f"[{title}]({neighbour}.ipynb)" in text, title


@each_lesson
def test_the_recap_mirrors_the_goals(name):
    text = prose(name)
    goals = re.search(r"\*\*What you will learn\*\*\n+((?:\d\..*\n|   .*\n)+)", text).group(1)
    recap = text.split("## Recap")[1].split("\n## ")[0]
    assert len(re.findall(r"^\d\.", goals, re.MULTILINE)) == len(re.findall(r"^\d\.", recap, re.MULTILINE))


@each_lesson
def test_a_lesson_has_all_its_parts(name):
    text = prose(name)
    first = text.split("\n## ")[0]
    needs = re.search(r"\*\*What you need\*\*: (.+?)\n\n", first, re.DOTALL).group(1)
    assert re.search(r"\d+ s|minute", needs) and "GB of memory" in needs and "headphones" in needs
    assert "**What of the report is rebuilt**" in first
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[-5:] == ["The report says / we find", "Quiz", "Exercises", "Recap", "Further reading"]
    reading = text.split("## Further reading")[1]
    sources = re.findall(r"^- (?:.|\n(?!- |\n))+", reading, re.MULTILINE)
    assert len(sources) >= 2
    assert all(re.search(r"doi\.org|arxiv\.org|hal\.science|ncbi\.nlm\.nih\.gov", each) for each in sources), sources


@each_lesson
def test_every_step_asks_before_it_shows_and_says_what_to_notice(name):
    """The last step may be an outlook on real data, or a table of limits."""
    text = prose(name)
    steps = re.split(r"^## (?=\d+\. )", text, flags=re.MULTILINE)[1:]
    assert len(steps) >= 5
    asks = re.compile(r"\*\*(?:Predict|Before you|Count|Compute|Guess|Listen|Look)[^*]*\*\*|\*\*Predict")
    without_question = [step.splitlines()[0] for step in steps if not asks.search(step)]
    without_notice = [step.splitlines()[0] for step in steps if "*What to notice.*" not in step]
    assert len(without_question) <= 2, without_question
    assert len(without_notice) <= 2, without_notice


@each_lesson
def test_no_cell_is_longer_than_a_reader_can_follow(name):
    """What is folded away, drawing above all, may be longer."""
    for cell in code_cells(name):
        if not cell.metadata.get("jupyter", {}).get("source_hidden"):
            assert len(cell.source.splitlines()) <= MOST_LINES, cell.source


@pytest.mark.parametrize("name", [path.relative_to(FOLDER).with_suffix("").as_posix()
                                  for path in sorted(FOLDER.rglob("*.py")) if path.name != "conf.py"])
def test_lines_of_code_are_as_wide_as_a_page(name):
    """The page of the book cuts longer ones off: those of the cells, and of the library's code that they show."""
    cells = [cell.source for cell in jupytext.read(FOLDER / f"{name}.py").cells if cell.cell_type == "code"]
    calls = [node for cell in cells for node in ast.walk(ast.parse(cell))
             if isinstance(node, ast.Call) and ast.unparse(node.func) == "lessons.show_source"]
    shown = [eval(ast.unparse(call), definitions(name)).data for call in calls]
    long = [line for text in (*cells, *shown) for line in text.splitlines() if len(line) > WIDEST_LINE]
    assert not long, "\n".join(long)


@each_lesson
def test_questions_unfold_their_answers(name):
    """The code of a quick check is folded away; its answer holds what was computed."""
    checks = [cell for cell in code_cells(name) if "lessons.quick_check(" in cell.source]
    assert len(checks) >= 3
    for cell in checks:
        assert "remove-input" in cell.metadata.get("tags", []), cell.source
        assert cell.metadata.get("jupyter", {}).get("source_hidden") is True, cell.source
        assert "<details><summary>Answer</summary>" in cell.outputs[-1].data["text/html"]
    assert any("{" in cell.source for cell in checks), "no answer has a computed number"


@each_lesson
def test_the_quiz_says_why_each_other_answer_is_wrong(name):
    texts = [cell.source for cell in stored(name).cells]
    start, end = (next(place for place, text in enumerate(texts) if text.startswith(f"## {heading}"))
                  for heading in ("Quiz", "Exercises"))
    questions = [cell.outputs[-1].data["text/plain"].partition("\n") for cell in stored(name).cells[start + 1 : end]]
    assert 3 <= len(questions) <= 5 and any("f\"" in text for text in texts[start:end])
    for question, _, answer in questions:
        options = re.findall(r" \([a-e]\)", question)
        assert len(options) >= 3 and options == sorted(set(options)), question
        assert re.match(r"\*\*\([a-e]\)\*\*", answer) and all(option.strip() in answer for option in options), question


@each_lesson
def test_a_slider_calls_to_the_end_what_it_called_at_first(name):
    """No later cell gives another meaning to a name that its function reads, nor one of those that this calls."""
    before, functions, needed = set(), {}, set()
    cells = [cell for cell in jupytext.read(FOLDER / f"{name}.py").cells if cell.cell_type == "code"]
    for statement in itertools.chain(*(ast.parse(cell.source).body for cell in cells)):
        text, code = ast.unparse(statement), compile(
            ast.Module([statement], []), name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if text not in before and not isinstance(statement, (ast.Import, ast.ImportFrom)):
            stored = {step.argval for step in dis.get_instructions(code) if step.opname.startswith("STORE")}
            assert not stored & needed, text
        before.add(text)
        functions |= {inner.co_name: {*reads(inner)} for inner in code.co_consts if isinstance(inner, CodeType)}
        if {"Control", "watch"} & {*code.co_names}:
            more = functions.keys() & {*code.co_names}
            while more := {name for each in more for name in functions.get(each, ())} - needed:
                needed |= more


@each_lesson
def test_some_outputs_are_compared(name):
    compared = [cell for cell in code_cells(name) if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert len(compared) >= 3
    for cell in compared:
        for output in cell.outputs:
            assert "image/png" not in output.get("data", {}) and "<audio" not in str(output.get("data", {}))


def minutes(name: str) -> tuple[int, int]:
    """Of reading and hearing, and of the exercises, counted as the syllabus says, to 5 minutes."""
    texts = re.split(r"^## Exercises$|^## Recap$", prose(name), flags=re.MULTILINE)
    cells = code_cells(name)
    first = next(place for place, cell in enumerate(cells) if "dann_lib.course.exercises" in cell.source)
    outputs = str([output.get("data", {}) for cell in cells[:first] for output in cell.outputs])
    lines = sum(len(cell.source.splitlines()) for cell in cells[:first]
                if not cell.metadata.get("jupyter", {}).get("source_hidden"))
    questions = sum("quick_check(" in cell.source for cell in cells[:first])
    seconds = (0.4 * len(re.findall(r"\w+", texts[0] + texts[2])) + 4 * lines + 20 * outputs.count("<audio")
               + 40 * outputs.count("<figure") + 60 * questions)
    return 5 * round(seconds / 300), 15 * len(re.findall(r"^### \d", texts[1], flags=re.MULTILINE))


def test_the_syllabus_says_how_long_it_takes():
    text = (FOLDER / "syllabus.md").read_text(encoding="utf-8")
    told = {name: (int(reading), int(exercises)) for name, reading, exercises in
            re.findall(r"\((\w+)\.ipynb\) \|[^|]*\| (\d+) min \| (\d+) min", text)}
    assert told == {name: minutes(name) for name in NAMES}
    hours = re.search(r"Eight lessons, about (\w+) hours", text).group(1)
    spelled = ("fourteen", "fifteen", "sixteen", "seventeen", "eighteen")
    assert spelled.index(hours) + 14 == round(sum(map(sum, told.values())) / 60)


def test_all_equations_of_the_report_stand_in_the_lessons():
    text = "\n".join(map(prose, NAMES))
    for number in range(1, 8):
        assert re.search(rf"\$\$[^$]*\\quad\s*\({number}\)[^$]*\$\$", text), f"equation ({number})"


def test_all_figures_of_the_report_are_rebuilt():
    sources = "\n".join(cell.source for name in NAMES for cell in code_cells(name))
    for number in range(1, 10):
        drawn = f"figures.figure_{number}(", f'lessons.reference("figure_{number}'
        assert any(call in sources for call in drawn), f"figure {number}"


def test_every_claim_of_the_report_gets_a_verdict():
    for claim in CLAIMS:
        name = NAMES[claim.lesson - 1]
        assert claim.text.replace("'", "&#x27;") in output_text(name) or claim.text in output_text(name), claim.id
