"""What the lessons share."""

from __future__ import annotations

import pytest

from dann_lib.course import lessons


@pytest.mark.parametrize(("markdown", "shown"), [
    ("half of it, **not** all", "half of it, <strong>not</strong> all"),
    ("$x_1 * y_1 < a_2 * b$", "$x_1 * y_1 &lt; a_2 * b$"),
    ("$10^{-10/10}$ of it, so 1/11", "$10^{-10/10}$ of it, so 1/11"),
    ("| a | b |\n|---|---|\n| 1 | 2 |", "<td>1</td>"),
])
def test_answers_unfold_with_their_equations_as_they_are(markdown, shown):
    shown_html = lessons.quick_check("How much?", markdown)._repr_html_()
    question, _, answer = shown_html.partition("<details>")
    assert "How much?" in question
    assert shown in answer.partition("</details>")[0]
    assert shown not in question


def test_answers_to_choose_from_have_lines_of_their_own():
    shown = lessons.quick_check("Which? (a) One. (b) Two.", "**(b)** Two; (a) is less.")._repr_html_()
    assert "Which?<br>(a) One.<br>(b) Two.</p>" in shown and "Two; (a) is less." in shown
