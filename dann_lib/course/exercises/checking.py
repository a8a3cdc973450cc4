"""Self-checks that say what is wrong, and the output to aim at."""

from __future__ import annotations

import html
import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Fact = Callable[[Any], str | None]
"""Looks at an answer: `None` if it is right in this respect, else a sentence that helps."""

SOLUTIONS = Path(__file__).resolve().parents[3] / "notebooks" / "solutions"

_MARKS = {"blank": ("✎", "nothing written yet"), "wrong": ("✗", "not yet"), "solved": ("✓", "solved")}
_COLOURS = {"blank": "#8a6d00", "wrong": "#c4501b", "solved": "#00805c"}


@dataclass(frozen=True)
class Outcome:
    """What a self-check says; the last line of a cell shows it.

    Attributes:
        exercise: its number, such as "2.1".
        state: nothing written, wrong, or solved.
        text: what is missing, what is wrong and where to look, or what was shown by the solution.
    """

    exercise: str
    state: Literal["blank", "wrong", "solved"]
    text: str

    def _repr_html_(self) -> str:
        mark, word = _MARKS[self.state]
        return (
            f'<div role="status" style="border-left:4px solid {_COLOURS[self.state]};padding:0.3em 0.8em;'
            'max-width:44em">'
            f"<strong>{mark} Exercise {self.exercise}: {word}.</strong> {html.escape(self.text)}</div>"
        )

    def __repr__(self) -> str:
        return f"Exercise {self.exercise}: {_MARKS[self.state][1]}. {self.text}"


def self_check(exercise: str, answer: Any, *facts: Fact, solved: str) -> Outcome:
    """Hold an answer against facts, from the coarse to the fine, and explain the first one that it misses.

    Args:
        exercise: its number, such as "2.1".
        answer: what the reader wrote, usually a function or a class.
        facts: each gets the answer; what an answer raises is explained as well.
        solved: what to say if all hold: what the reader has now shown.
    """
    for fact in facts:
        try:
            complaint = fact(answer)
        except NotImplementedError:
            text = "Replace the line “raise NotImplementedError”, run that cell, then this one."
            return Outcome(exercise, "blank", text)
        except Exception as error:
            return Outcome(exercise, "wrong", _explained(error))
        if complaint is not None:
            return Outcome(exercise, "wrong", complaint)
    return Outcome(exercise, "solved", solved)


def ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what the reader wrote, and say so if it gives nothing back.

    Raises:
        TypeError: if it returns `None`.
    """
    result = function(*arguments)
    if result is None or result is ...:
        raise TypeError(f"{getattr(function, '__name__', 'your function')} gives nothing back; end it with “return …”")
    return result


@dataclass(frozen=True)
class Aim:
    """The output that a solution gives, and yours above it where there is one.

    Attributes:
        example: HTML of the stored output of the solution.
        yours: what your code gives; `None` as long as nothing is written.
    """

    example: str
    yours: Any = None

    def _repr_html_(self) -> str:
        opened = " open" * (self.yours is None)
        aim_at = f"<details{opened}><summary>Example output, to aim at</summary>{self.example}</details>"
        return aim_at if self.yours is None else f"<div><strong>Yours</strong>{_as_html(self.yours)}</div>{aim_at}"

    def __repr__(self) -> str:
        return "Example output, to aim at" if self.yours is None else repr(self.yours)


def aim(solutions: str, exercise: str, make: Callable[[], Any]) -> Aim:
    """Show the output to aim at, and what the reader's code gives as soon as it is written.

    Args:
        solutions: name of the notebook with the solutions, such as "02_stft".
        exercise: its number, such as "2.1".
        make: gives the output; called with the reader's code, so it may fail.
    """
    example = _stored_example(solutions, exercise)
    try:
        return Aim(example, make())
    except NotImplementedError:
        return Aim(example)
    except Exception as error:
        return Aim(example, _explained(error))


@cache
def _stored_example(solutions: str, exercise: str) -> str:
    """HTML of the output of the cell with the tags "example" and the exercise's number.

    Raises:
        LookupError: if the stored solutions have none.
    """
    for cell in json.loads((SOLUTIONS / f"{solutions}.ipynb").read_text(encoding="utf-8"))["cells"]:
        if {"example", exercise} <= set(cell["metadata"].get("tags", [])) and cell["outputs"]:
            data = cell["outputs"][-1].get("data", {})
            if "text/html" in data:
                return "".join(data["text/html"])
            return f"<pre>{html.escape(''.join(data.get('text/plain', '')))}</pre>"
    raise LookupError(f"the solutions of {solutions} have no stored example of exercise {exercise}; "
                      f"run: python -m dann_lib course --write notebooks/solutions/{solutions}.py")


def _as_html(output: Any) -> str:
    maker = getattr(output, "_repr_html_", None)
    return maker() if maker else f"<pre>{html.escape(str(output))}</pre>"


def _explained(error: Exception) -> str:
    """What went wrong, and in which line of the reader's code."""
    ours = (str(SOLUTIONS.parents[1]), "site-packages")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if not any(folder in frame.filename for folder in ours)]
    where = f" in the line “{frames[-1].line}”" if frames and frames[-1].line else ""
    return f"Your code stops with {type(error).__name__}: {error}{where}."
