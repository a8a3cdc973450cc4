"""The verdict on every claim, from the stored evidence alone: `claims.csv`, and the table in README and lessons."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import NamedTuple

from dann_lib.errors import DannError
from dann_lib.files import atomic_write, reference_folder
from dann_lib.reproduce.claims import CLAIMS, SUMS, VERDICTS, Claim
from dann_lib.reproduce.evidence import CLAIMS_FILE, Evidence
from dann_lib.reproduce.findings import Finding

COLUMNS = ("id", "claim", "section", "experiment", "criterion", "measured", "low", "high", "verdict", "words", "figure",
           "first_verdict", "changed", "evidence", "cost")
"""Of `claims.csv`."""

MARKS = ("<!-- ledger: written by `python -m dann_lib reproduce` -->", "<!-- end of the ledger -->")
"""Around the ledger in the README."""


class Outcome(NamedTuple):
    """A claim, what the evidence says about it, and the verdict of its rule.

    In the stored ledger the finding is the measured number with its interval alone, rounded to 4 digits.

    Attributes:
        first_verdict: of the rule before, by the same evidence; empty if the rule is the first.
        evidence: where it stands, below `data/reference`: `scores.csv#L2-L451`.
        cost: what the runs took on which it rests; empty if none was trained for it.
    """

    claim: Claim
    finding: Finding
    verdict: str
    first_verdict: str = ""
    evidence: tuple[str, ...] = ()
    cost: str = ""

    @property
    def figure(self) -> str:
        """Path of the figure below `data/reference`, or empty."""
        return self.claim.figure and f"figures/{self.claim.figure}.png"

    @property
    def measured(self) -> str:
        """The number with its interval and unit: `1.2 [0.9, 1.5] dB`."""
        value, low, high = self.finding[:3]
        ends = "" if math.isnan(low + high) else f" [{_number(low)}, {_number(high)}]"
        return f"{_number(value)}{ends} {self.claim.unit}".replace("-", "−")


def ledger(evidence: Evidence) -> list[Outcome]:
    """Every claim with its verdict, in the order of `CLAIMS`.

    Raises:
        DannError: if the evidence of a claim is missing.
    """
    return [_judge(claim, Evidence(evidence.folder)) for claim in CLAIMS]


def _judge(claim: Claim, evidence: Evidence) -> Outcome:
    finding = claim.find(evidence)
    first = claim.first.decide(finding) if claim.first else ""
    return Outcome(claim, finding, claim.rule.decide(finding), first, tuple(evidence.seen), evidence.cost())


def write_claims(outcomes: list[Outcome], folder: Path) -> None:
    """Write `claims.csv`; numbers are rounded to 4 digits.

    Raises:
        OutputError: if it cannot be written.
    """
    with atomic_write(folder / CLAIMS_FILE) as path, open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for outcome in outcomes:
            claim, finding, verdict, first, places, cost = outcome
            rounded = ["" if math.isnan(value) else float(f"{value:.4g}") for value in finding[:3]]
            writer.writerow((claim.id, claim.text, claim.section, claim.experiment, claim.criterion, *rounded, verdict,
                             claim.says(verdict), outcome.figure, first, claim.changed, " ".join(places), cost))


def stored_ledger(folder: Path | None = None) -> list[Outcome]:
    """The ledger as it is stored in a folder, or in the one that came with the code.

    Raises:
        DannError: if there is none, or it has other columns or claims.
    """
    path = Path(folder or reference_folder()) / CLAIMS_FILE
    if not path.is_file():
        raise DannError(f"there is no ledger at {path}; make one with `python -m dann_lib reproduce`")
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    if tuple(header) != COLUMNS or [row[0] for row in rows] != [claim.id for claim in CLAIMS]:
        raise DannError(f"{path} has other columns or claims than this code; make it again")
    return [Outcome(claim, Finding(*(float(text or "nan") for text in row[5:8]), ""), row[8], row[11],
                    tuple(row[13].split()), row[14]) for claim, row in zip(CLAIMS, rows, strict=True)]


def markdown(outcomes: list[Outcome], reference: str, details: bool = False) -> str:
    """The ledger as a table: for lessons with the numbers behind the one that decides, else with links to the evidence.

    `reference` is the path of the folder that holds `figures/`, from the page that shows the table.
    """
    lines = ["| | The report says | We measured | Verdict |", "|---|---|---|---|"]
    for number, outcome in enumerate(outcomes, start=1):
        claim, first = outcome.claim, outcome.first_verdict
        figure = f"[figure]({reference}/{outcome.figure})" if outcome.figure else ""
        found = f"{outcome.measured}: {claim.measure}"
        verdict = f"**{outcome.verdict}**{f' (first rule: {first})' if first not in ('', outcome.verdict) else ''}"
        if details:
            found += f". {outcome.finding.found}"
            verdict += f" ({figure})" if figure else ""
        else:
            links = [f"[{number}]({reference}/{place.replace('#', '?plain=1#')})"
                     for number, place in enumerate(outcome.evidence, start=1)]
            verdict += ". ".join(("", claim.says(outcome.verdict).rstrip("."), *filter(None, (
                figure, links and f"Evidence: {', '.join(links)}", outcome.cost and f"Cost: {outcome.cost}"))))
        lines.append(f"| {number} | {claim.text} ({claim.section}) | {found} | {verdict} |")
    return "\n".join(lines)


def counts(outcomes: list[Outcome]) -> dict[str, int]:
    """How many claims got each verdict, in the order of `claims.VERDICTS`, then those of arithmetic."""
    verdicts = [outcome.verdict for outcome in outcomes]
    return {verdict: verdicts.count(verdict) for verdict in (*VERDICTS, *SUMS)}


def _number(value: float) -> str:
    value = float(f"{value:.4g}")
    if abs(value) >= 100 or abs(value) < 0.005 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 10 else f"{value:.2g}"
