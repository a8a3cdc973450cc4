"""What an experiment found about a claim, and the rules that turn a number into a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dann_lib.evaluation.summary import interval
from dann_lib.report import VERDICTS

REPRODUCED, SAME_SHAPE, NOT_REPRODUCED, CANNOT_BE_TOLD = VERDICTS


class Finding(NamedTuple):
    """A number and what it means.

    Attributes:
        measured: in the unit of the claim.
        low: lower end of its interval; NaN if it has none.
        high: upper end.
        verdict: one of `report.VERDICTS`.
        found: the numbers around it, and why, in a sentence or two.
    """

    measured: float
    low: float
    high: float
    verdict: str
    found: str


def decide(reproduced: bool, same_shape: bool) -> str:
    """The verdict of a claim whose criterion has these two parts."""
    return REPRODUCED if reproduced else SAME_SHAPE if same_shape else NOT_REPRODUCED


def median(values: pd.DataFrame | pd.Series | np.ndarray) -> tuple[float, float, float]:
    """Median over songs, with its 95 % bootstrap interval; songs without a value are left out."""
    column = np.asarray(values, dtype=np.float64)
    column = column[np.isfinite(column)]
    return float(np.median(column)), *interval((column,), np.median)


def spread(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """Mean over seeds, with the lowest and the highest."""
    return float(np.mean(values)), float(np.min(values)), float(np.max(values))


def span(values: tuple[float, float, float], form: str = ".1f") -> str:
    """`1.2 [0.9, 1.5]`."""
    return "{} [{}, {}]".format(*(_written(value, form) for value in values))


def each(names: Sequence[str], values: Sequence[float], form: str = ".1f") -> str:
    """`vocals 1.2, drums 0.9, bass 1.5`."""
    return ", ".join(f"{name} {_written(value, form)}" for name, value in zip(names, values, strict=True))


def _written(value: float, form: str) -> str:
    """A number as text, without a minus before nothing."""
    text = f"{value:{form}}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
