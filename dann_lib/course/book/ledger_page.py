"""The ledger of the report's claims as a page, from the stored evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dann_lib.course.lesson_files import Lesson
from dann_lib.reproduce.drawing import draw
from dann_lib.reproduce.evidence import Evidence
from dann_lib.reproduce.ledger import Outcome, counts, ledger


def ledger_page(lessons: Sequence[Lesson]) -> str:
    """Every claim of the report, what was measured, the verdict, and the figure behind it.

    Args:
        lessons: of the book, which the claims lead to.

    Returns:
        MyST Markdown with links that start in `notebooks/`.

    Raises:
        DannError: if evidence is missing.
    """
    from jinja2 import Environment

    evidence = Evidence.stored()
    entries = ledger(evidence)
    numbers = {lesson.name[:2]: lesson for lesson in lessons if not lesson.is_solution}
    rows = [_row(entry, evidence, numbers.get(f"{entry.claim.lesson:02d}")) for entry in entries]
    template = (Path(__file__).parent / "ledger.md.j2").read_text(encoding="utf-8")
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters["slug"] = lambda verdict: verdict.replace(",", "").replace(" ", "-")
    return environment.from_string(template).render(rows=rows, counts=counts(entries))


def _row(entry: Outcome, evidence: Evidence, lesson: Lesson | None) -> dict[str, object]:
    """What the page says about one claim."""
    return {
        "claim": entry.claim, "measured": entry.measured, "finding": entry, "figure": entry.figure,
        "words": draw(evidence, entry.claim.figure).description if entry.figure else "",
        "criteria": entry.claim.criteria,
        "lesson": lesson,
    }
