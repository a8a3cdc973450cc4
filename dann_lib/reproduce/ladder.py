"""The ladder: from the 2018 network to the one that is shipped, a step at a time, on the validation songs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dann_lib.reproduce.evidence import TRIALS_FILE, Evidence
from dann_lib.reproduce.findings import Interval, median

if TYPE_CHECKING:
    import pandas as pd

MARKS = ("<!-- ladder: written by `python -m dann_lib reproduce` -->", "<!-- end of the ladder -->")
"""Around the table in the README."""


class Step(NamedTuple):
    """A run and the one that it differs from in one thing; `kept` if the shipped network is trained so."""

    title: str
    run: str
    before: str = ""
    kept: bool = True


STEPS = (
    Step("Adam, loss (3), 100 updates of 16 chunks", "step-adam"),
    Step("400 updates of 4 chunks", "step-batches", "step-adam"),
    Step("remixed songs", "step-remix", "step-batches"),
    Step("loss in dB", "step-loss", "step-remix"),
    Step("composed drums, bass and other", "step-composed", "step-loss"),
    Step("layers across all bins", "step-across", "step-composed"),
    Step("2600 updates, chunks of 7 s", "step-longer", "step-across"),
)
"""Each stands on the one before it, at equal computation but for the last."""

TRIALS = (
    Step("moving average of the weights", "trial-average", "step-across", kept=False),
    Step("masks that share the mixture among four", "trial-shared", "step-across", kept=False),
    Step("whole excerpt at once, not chunks of 5 s", "trial-whole", "step-across", kept=False),
    Step("shares by magnitude after it (Wiener filter)", "trial-wiener", "step-longer", kept=False),
)
"""What was tried in the same way and left out; their scores are kept in `trials.csv`, their code is not."""


def steps(evidence: Evidence) -> tuple[Step, ...]:
    """What the evidence holds: the steps, and the trials where they came with it."""
    return STEPS + (TRIALS if (evidence.folder / TRIALS_FILE).is_file() else ())


def table(evidence: Evidence) -> pd.DataFrame:
    """A row for each step: its title, median SDR (5) of each source, what it gains in dB with an interval over songs.

    SDR and gain are means of the seeds; the gain is the median over the validation songs of the mean of the sources,
    against the run `before`.
    """
    import pandas as pd

    rows = []
    for step in steps(evidence):
        scores = evidence.per_song(step.run)
        gain = gained(evidence, step) if step.before else (float("nan"),) * 3
        rows.append({**scores.median(), **dict(zip(("gain", "low", "high"), gain, strict=True))})
    return pd.DataFrame(rows, index=pd.Index([step.title for step in steps(evidence)], name="step"))


def gained(evidence: Evidence, step: Step) -> Interval:
    """What a step adds to the SDR of the run before: median over songs of the mean of sources and seeds."""
    return median((evidence.per_song(step.run) - evidence.per_song(step.before)).mean(axis=1))


def markdown(evidence: Evidence) -> str:
    """The ladder as a table of the README."""
    lines = ["| | vocals | drums | bass | gain (dB) |", "|---|---|---|---|---|"]
    for step, (title, row) in zip(steps(evidence), table(evidence).iterrows(), strict=True):
        gain = f"{row['gain']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]" if step.before else ""
        name = ("+ " if step.before else "") + title if step.kept else f"*{title}: left out*"
        lines.append(f"| {name} | {row['vocals']:z.1f} | {row['drums']:z.1f} | {row['bass']:z.1f} | {gain} |"
                     .replace("-", "−"))
    return "\n".join(lines)
