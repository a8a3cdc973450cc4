"""The scores of the reproduction: main runs, oracles, ablation and controlled experiments, on the test songs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dann_lib import report
from dann_lib.reproduce.controlled import compose_songs
from dann_lib.reproduce.experiments import MAIN_RUNS, MODERN_RUN, Budget, TrainingRun
from dann_lib.reproduce.measuring import PhaseKept, treatment

if TYPE_CHECKING:
    import pandas as pd

    from dann_lib.corpus import Corpus

FRAME = ("mixture", "ideal_ratio_mask")
"""Floor and ceiling, scored like the main runs."""

MORE_ORACLES = ("ideal_binary_mask", "ideal_part_masks", "true_magnitude")
"""Scored with (5) to (7) only, as BSS Eval v4 takes hundreds of times as long."""


def score_all(
    runs: Sequence[TrainingRun], corpus: Corpus, folder: Path, budget: Budget, progress: bool = True
) -> pd.DataFrame:
    """Score everything that was trained, and what frames it.

    Scores of each song are kept in `folder`, and not computed again.

    Args:
        runs: of the plan, trained.
        corpus: the songs; only the test songs are scored.
        folder: where the runs are.
        budget: whether with BSS Eval v4, and how many songs are composed.
        progress: show bars over the songs.

    Returns:
        As `evaluation.evaluate`; `run` is `TrainingRun.label`, or the name of the oracle.
    """
    import pandas as pd

    from dann_lib.evaluation import evaluate, oracles

    songs, out = corpus.select("test"), folder / "scores"
    known = oracles(report.SONG_RATE)
    trained = _separators([run for run in runs if run.songs == "corpus" and run.experiment != "gains"], folder)
    main = {name: known[name] for name in FRAME} | {name: trained[name] for name in MAIN_RUNS}
    more: dict[str, Any] = {name: known[name] for name in MORE_ORACLES}
    others = {name: each for name, each in trained.items() if name not in MAIN_RUNS}
    others[f"{MODERN_RUN}-phase-kept"] = PhaseKept(trained[MODERN_RUN])
    at_high_rate = more | {"rate_ceiling": known["rate_ceiling"], "treatment": treatment}
    controlled = _separators([run for run in runs if run.songs != "corpus"], folder)
    composed = compose_songs(budget.composed, budget.instruments, folder / "composed", progress)
    high = report.SONG_RATE
    tables = [
        evaluate(songs, main, out=out, v4=budget.v4, progress=progress),
        evaluate(songs, more | others, out=out, v4=False, progress=progress),
        evaluate(songs, main, out=out, rate_hz=high, v4=budget.v4, progress=progress),
        evaluate(songs, at_high_rate, out=out, rate_hz=high, v4=False, progress=progress),
        evaluate(composed, controlled, out=out, v4=False, progress=progress),
    ]
    return pd.concat(tables, ignore_index=True)


def _separators(runs: Sequence[TrainingRun], folder: Path) -> Mapping[str, Any]:
    from dann_lib.separation import Separator

    return {run.label: Separator.load(folder / run.file_stem / "weights.safetensors", "cpu", "float32") for run in runs}
