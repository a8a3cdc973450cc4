"""Self-checks that say what is wrong, and the output to aim at."""

from __future__ import annotations

import html
import json
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any, Literal

import numpy as np

SOLUTIONS = Path(__file__).resolve().parents[3] / "notebooks" / "solutions"

_LOOKS = {
    "blank": ("✎", "nothing written yet", "#8a6d00"),
    "wrong": ("✗", "not yet", "#c4501b"),
    "solved": ("✓", "solved", "#00805c"),
}
Mistakes = Iterator[str | bool | None]
"""Sentences that help, one for each mistake in an answer; `None` and `False` where there is none."""

Waveform = np.ndarray
"""`(sample,)`; 1 is full scale."""


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
        mark, word, colour = _LOOKS[self.state]
        return (
            f'<div role="status" style="border-left:4px solid {colour};padding:0.3em 0.8em;max-width:44em">'
            f"<strong>{mark} Exercise {self.exercise}: {word}.</strong> {html.escape(self.text)}</div>"
        )

    def __repr__(self) -> str:
        return f"Exercise {self.exercise}: {_LOOKS[self.state][1]}. {self.text}"


def self_check(
    exercise: str, solved: str | Callable[..., str]
) -> Callable[[Callable[..., Mistakes]], Callable[..., Outcome]]:
    """Make a self-check of a generator of mistakes: it explains the first one.

    The generator gets what the reader wrote, usually a function or a class, and looks from the coarse to the fine,
    at the shape first, at the value last. What an answer raises is explained as well. If there is no mistake, `solved`
    says what the reader has now shown; it may be a function of the answer.
    """
    def explaining(mistakes: Callable[..., Mistakes]) -> Callable[..., Outcome]:
        @wraps(mistakes)
        def check(*answer: Any) -> Outcome:
            try:
                mistake = next(filter(None, mistakes(*answer)), None)
            except NotImplementedError:
                text = "Replace the line “raise NotImplementedError”, run that cell, then this one."
                return Outcome(exercise, "blank", text)
            except Exception as error:
                mistake = explained(error)
            if mistake is not None:
                return Outcome(exercise, "wrong", mistake)
            return Outcome(exercise, "solved", solved if isinstance(solved, str) else solved(*answer))

        check.exercise = exercise
        return check

    return explaining


def ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what the reader wrote; a `TypeError` says so if it gives nothing back."""
    result = function(*arguments)
    if result is None or result is ...:
        raise TypeError(f"{getattr(function, '__name__', 'your function')} gives nothing back; end it with “return …”")
    return result


def wrong_shape(found: Any, expected: tuple[int, ...], otherwise: str) -> str | None:
    """What is wrong with the shape of a number, a sequence, an array or a tensor; `None` if nothing is.

    What to say `otherwise` comes after "The result has shape …;". The shape of one number is `()`.
    """
    shape = tuple(np.shape(found))
    return None if shape == expected else f"The result has shape {shape}; {otherwise}"


def wrong_value(
    found: Any, true: Any, otherwise: str, mistakes: Mapping[str, Any] | None = None, *, shape: str = "",
    rtol: float = 1e-5, atol: float = 1e-8,
) -> str | None:
    """What is wrong with `found`, a number, a sequence, an array or a tensor; `None` if nothing is.

    Args:
        found: the result.
        true: what it should be.
        otherwise: what to say of any other value; `{found}` and `{true}` stand for the two.
        mistakes: what to say ← what a typical mistake leads to: this value, or any of this shape if that is wrong.
        shape: what to say of any other shape, after "The result has shape …;".
        rtol: relative tolerance.
        atol: absolute tolerance, in the unit of the values.
    """
    found, true, *typical = (np.asarray(value.detach() if hasattr(value, "detach") else value)
                             for value in (found, true, *(mistakes or {}).values()))
    misshapen = found.shape != true.shape
    for value, sentence in zip(typical, mistakes or {}, strict=True):
        if value.shape == found.shape and (misshapen or np.allclose(found, value, rtol, atol)):
            return sentence
    if misshapen and shape:
        return wrong_shape(found, true.shape, shape)
    right = not misshapen and np.allclose(found, true, rtol, atol)
    return None if right else otherwise.format(found=found, true=true)


@dataclass(frozen=True)
class Aim:
    """The output that a solution gives, as HTML, and above it what your code gives, if something is written."""

    example: str
    yours: Any = None

    def _repr_html_(self) -> str:
        opened = " open" * (self.yours is None)
        aim_at = f"<details{opened}><summary>Example output, to aim at</summary>{self.example}</details>"
        maker = getattr(self.yours, "_repr_html_", None)
        yours = maker() if maker else f"<pre>{html.escape(str(self.yours))}</pre>"
        return aim_at if self.yours is None else f"<div><strong>Yours</strong>{yours}</div>{aim_at}"

    def __repr__(self) -> str:
        return "Example output, to aim at" if self.yours is None else repr(self.yours)


def aim(solutions: str, exercise: str, make: Callable[[], Any]) -> Aim:
    """Show the output to aim at, and what the reader's code gives as soon as it is written.

    Args:
        solutions: name of the notebook with the solutions, such as "02_stft".
        exercise: its number, such as "2.1".
        make: gives the output; called with the reader's code, so it may fail.
    """
    example, yours = _stored_example(solutions, exercise), None
    try:
        yours = make()
    except NotImplementedError:
        pass
    except Exception as error:
        yours = explained(error)
    return Aim(example, yours)


@cache
def _stored_example(solutions: str, exercise: str) -> str:
    """HTML of the output of the cell with the tags "example" and the exercise's number."""
    for cell in json.loads((SOLUTIONS / f"{solutions}.ipynb").read_text(encoding="utf-8"))["cells"]:
        if {"example", exercise} <= set(cell["metadata"].get("tags", [])) and cell["outputs"]:
            data = {"text/plain": "", **cell["outputs"][-1].get("data", {})}
            return "".join(data.get("text/html") or f"<pre>{html.escape(''.join(data['text/plain']))}</pre>")
    raise LookupError(f"the solutions of {solutions} have no stored example of exercise {exercise}; "
                      f"run: python -m dann_lib course --write notebooks/solutions/{solutions}.py")


def explained(error: Exception) -> str:
    """What went wrong, and in which line of the reader's code."""
    ours = (str(SOLUTIONS.parents[1]), "site-packages")
    lines = [frame.line for frame in traceback.extract_tb(error.__traceback__)
             if not any(folder in frame.filename for folder in ours)]
    where = f" in the line “{lines[-1]}”" if lines and lines[-1] else ""
    said = f": {error}" if str(error) else ""
    return f"Your code stops with {type(error).__name__}{said}{where}."


def say_what_is_missing(shell: Any, kind: type[NameError], error: NameError, trace: Any, tb_offset: Any = None) -> None:
    """What IPython shows of a `NameError`; a check whose function is not there says so as it says everything else."""
    line = traceback.extract_tb(trace)[-1].line or ""
    if found := re.match(rf"(\w+\.check_\w+)\(.*\b{error.name}\b", line):
        text = f"There is no {error.name} yet: run the cell that defines it, until it ends without error, then this."
        sys.modules["IPython"].display.display(Outcome(shell.ev(found[1]).exercise, "blank", text))
    else:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


if (_ipython := sys.modules.get("IPython")) and (_shell := _ipython.get_ipython()):
    _shell.set_custom_exc((NameError,), say_what_is_missing)
