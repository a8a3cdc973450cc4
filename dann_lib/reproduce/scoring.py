"""The scores of the reproduction: main runs, oracles and ablation on the test songs, controlled runs on composed ones.

In composed songs one thing changes, by composition, and nothing else (report, III.b).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dann_lib import report
from dann_lib.evaluation import evaluate, oracles
from dann_lib.reproduce.composing import Composition, compose
from dann_lib.reproduce.experiments import MAIN_RUNS, MODERN_RUN, Budget, TrainingRun
from dann_lib.reproduce.measuring import PhaseKept, treatment
from dann_lib.separation import Separator
from dann_lib.synthetic.styles import STYLES

if TYPE_CHECKING:
    from dann_lib.corpus import Corpus

FRAME = ("mixture", "ideal_ratio_mask")
"""Floor and ceiling, scored like the main runs."""

MORE_ORACLES = ("ideal_binary_mask", "ideal_part_masks", "true_magnitude")
"""Scored with (5) to (7) only, as BSS Eval v4 takes hundreds of times as long."""

FIRST_SEED = 5000
"""Seeds of composed songs begin here; the embedded corpus' are all below."""


def score_all(
    runs: Sequence[TrainingRun], corpus: Corpus, folder: Path, budget: Budget, progress: bool = True
) -> pd.DataFrame:
    """Score everything that was trained, on the test songs or on composed ones, and what frames it.

    The runs are in `folder`, where the scores of each song are kept, and not computed again.

    Returns:
        As `evaluation.evaluate`; `run` is `TrainingRun.label`, or the name of the oracle.
    """
    songs, out, high = corpus.select("test"), folder / "scores", report.SONG_RATE
    known = oracles(high)
    trained = _separators([run for run in runs if run.songs == "corpus" and run.experiment != "gains"], folder)
    main = {name: known[name] for name in FRAME} | {name: trained[name] for name in MAIN_RUNS}
    more: dict[str, Any] = {name: known[name] for name in MORE_ORACLES}
    others = {name: each for name, each in trained.items() if name not in MAIN_RUNS}
    others[f"{MODERN_RUN}-phase-kept"] = PhaseKept(trained[MODERN_RUN])
    at_high_rate = more | {"rate_ceiling": known["rate_ceiling"], "treatment": treatment}
    controlled = _separators([run for run in runs if run.songs != "corpus"], folder)
    composed = compose([Composition(genre, count, seed) for genre in STYLES
                        for seed in range(FIRST_SEED, FIRST_SEED + budget.composed) for count in budget.instruments],
                       folder / "composed", progress=progress)
    tables = [
        evaluate(songs, main, out=out, v4=budget.v4, progress=progress),
        evaluate(songs, more | others, out=out, v4=False, progress=progress),
        evaluate(songs, main, out=out, rate_hz=high, v4=budget.v4, progress=progress),
        evaluate(songs, at_high_rate, out=out, rate_hz=high, v4=False, progress=progress),
        evaluate(composed, controlled, out=out, v4=False, progress=progress),
    ]
    return pd.concat(tables, ignore_index=True)


def _separators(runs: Sequence[TrainingRun], folder: Path) -> Mapping[str, Any]:
    return {run.label: Separator.load(folder / run.file_stem / "weights.safetensors", "cpu", "float32") for run in runs}
