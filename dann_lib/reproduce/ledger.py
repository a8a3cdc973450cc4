"""The verdict on every claim, from the stored evidence alone, by the criteria of `report.CLAIMS`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dann_lib import report
from dann_lib.errors import DannError
from dann_lib.files import atomic_write, reference_folder
from dann_lib.reproduce import claims_learning, claims_listening
from dann_lib.reproduce.evidence import CLAIMS, Evidence
from dann_lib.reproduce.finding import Finding

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("id", "claim", "section", "experiment", "criterion", "measured", "low", "high", "verdict", "figure")
"""Of `claims.csv`."""

MARKS = ("<!-- ledger: written by `python -m dann_lib reproduce` -->", "<!-- end of the ledger -->")
"""Around the ledger in the README."""

FIGURES = {
    "numbers": "", "8.8-khz": "treatment.png", "10-hz": "resolution.png", "cnn-parameters": "networks.png",
    "near-skip": "figure_5.png", "concat-2-3": "figure_6.png", "concat-2+3": "figure_7.png",
    "full-resolution": "skips.png", "sgd-gain": "gains.png", "overfitting": "figure_8.png",
    "high-sir": "figure_9.png", "low-sar": "treatment.png", "few-instruments": "instruments.png", "genre": "genre.png",
    "background": "background.png", "reverberation": "reverberation.png",
}
"""Figure of each claim, in `data/reference/figures/`; see `drawing`."""

_TESTS: dict[str, Callable[[Evidence], Finding]] = {**claims_learning.TESTS, **claims_listening.TESTS}


class Entry(NamedTuple):
    """A claim and what became of it."""

    claim: report.Claim
    finding: Finding

    @property
    def figure(self) -> str:
        """Path of the figure below `data/reference`, or empty."""
        name = FIGURES[self.claim.id]
        return f"figures/{name}" if name else ""

    @property
    def measured(self) -> str:
        """The number with its interval and unit: `1.2 [0.9, 1.5] dB`."""
        return with_interval(*self.finding[:3], self.claim.unit)


def ledger(evidence: Evidence) -> list[Entry]:
    """Every claim with its verdict, in the order of `report.CLAIMS`.

    Args:
        evidence: of a reproduction.

    Raises:
        DannError: if the evidence of a claim is missing.
    """
    return [Entry(claim, _TESTS[claim.id](evidence)) for claim in report.CLAIMS]


def table(entries: list[Entry]) -> pd.DataFrame:
    """The ledger as `claims.csv` has it; numbers are rounded to 4 digits."""
    import pandas as pd

    rows = [
        (claim.id, claim.text, claim.section, claim.experiment, claim.criterion,
         *(_rounded(value) for value in finding[:3]), finding.verdict, Entry(claim, finding).figure)
        for claim, finding in entries
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_claims(entries: list[Entry], folder: Path) -> None:
    """Write `claims.csv`.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_write(folder / CLAIMS) as path:
        table(entries).to_csv(path, index=False, lineterminator="\n")


def read_claims(folder: Path | None = None) -> pd.DataFrame:
    """The stored ledger, with the columns `COLUMNS`.

    Args:
        folder: of the evidence; the one that came with the code if `None`.

    Raises:
        DannError: if there is none, or it has other columns.
    """
    import pandas as pd

    path = Path(folder or reference_folder()) / CLAIMS
    if not path.is_file():
        raise DannError(f"there is no ledger at {path}; make one with `python -m dann_lib reproduce`")
    stored = pd.read_csv(path, keep_default_na=False, na_values={"low": [""], "high": [""]})
    if tuple(stored.columns) != COLUMNS:
        raise DannError(f"{path} has the columns {list(stored.columns)}, expected {list(COLUMNS)}")
    return stored


def markdown(entries: list[Entry], reference: str, details: bool = False) -> str:
    """The ledger as a table for README and lessons.

    Args:
        entries: of `ledger`.
        reference: path of the folder that holds `figures/`, from the page that shows the table.
        details: with the numbers behind the one that decides.
    """
    lines = ["| | The report says | We measured | Verdict |", "|---|---|---|---|"]
    for number, entry in enumerate(entries, start=1):
        verdict = f"**{entry.finding.verdict}**"
        if entry.figure:
            verdict += f" ([figure]({reference}/{entry.figure}))"
        found = f"{entry.measured}: {entry.claim.measure}" + (f". {entry.finding.found}" if details else "")
        lines.append(f"| {number} | {entry.claim.text} ({entry.claim.section}) | {found} | {verdict} |")
    return "\n".join(lines)


def write_readme(entries: list[Entry], readme: Path) -> None:
    """Put the ledger between its two marks in the README; without marks, or without README, nothing happens.

    Raises:
        OutputError: if it cannot be written.
    """
    if not readme.is_file():
        return
    text = readme.read_text(encoding="utf-8")
    before, mark, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not mark or not end:
        return
    with atomic_write(readme) as path:
        path.write_text(f"{before}{mark}\n{markdown(entries, 'data/reference')}\n{end}{after}", encoding="utf-8")


def with_interval(measured: float, low: float, high: float, unit: str) -> str:
    """`1.2 [0.9, 1.5] dB`; without interval where an end is NaN."""
    span = "" if math.isnan(low) or math.isnan(high) else f" [{_number(low)}, {_number(high)}]"
    return f"{_number(measured)}{span} {unit}".replace("-", "−")


def counts(entries: list[Entry]) -> dict[str, int]:
    """How many claims got each verdict, in the order of `report.VERDICTS`."""
    verdicts = [entry.finding.verdict for entry in entries]
    return {verdict: verdicts.count(verdict) for verdict in report.VERDICTS}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _number(value: float) -> str:
    value = _rounded(value)
    if abs(value) >= 100 or abs(value) < 0.005 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 10 else f"{value:.2g}"
