"""The scores of the reproduction: main runs, oracles and ablation on the test songs, the ladder on validation songs.

Controlled runs are scored on composed songs, in which one thing changes and nothing else (report, III.b).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dann_lib import report
from dann_lib.evaluation import evaluate, oracles, sdr_sir_sar
from dann_lib.reproduce.experiments import (
    BANDS,
    BEST_RUN,
    FIVE,
    LADDER,
    LONGER,
    MAIN_RUNS,
    MODERN_RUN,
    Budget,
    TrainingRun,
)
from dann_lib.reproduce.measuring import PhaseKept, treatment
from dann_lib.reproduce.songs import FIRST_TO_SCORE, Composition, apart, compose, duets
from dann_lib.separation import Separator
from dann_lib.synthetic.score import DUETS, PLACES
from dann_lib.synthetic.styles import STYLES

if TYPE_CHECKING:
    from dann_lib.corpus import Corpus

FRAME = ("mixture", "ideal_ratio_mask")
"""Floor and ceiling, scored like the main runs."""

MORE_ORACLES = ("ideal_binary_mask", "ideal_part_masks", "true_magnitude")
"""Scored with (5) to (7) only, as BSS Eval v4 takes hundreds of times as long."""


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
    scored = [run for run in runs if run.experiment != "gains" and run.experiment not in LADDER]
    at = {songs: _separators([run for run in scored if run.songs == songs], folder)
          for songs in dict.fromkeys(run.songs for run in scored)}
    trained = at["corpus"] | at["helped"]
    steps = _separators([run for run in runs if run.experiment in LADDER], folder) | {
        name.replace(BEST_RUN, LONGER): separator for name, separator in at["helped"].items()}
    main = {name: known[name] for name in FRAME} | {name: trained[name] for name in MAIN_RUNS}
    more: dict[str, Any] = {name: known[name] for name in MORE_ORACLES}
    others = {name: each for name, each in trained.items() if name not in MAIN_RUNS}
    others |= at["real"] | at["composed"] | at["both"] | {
        name.replace("data-real", "data-real-closed"): _closed(separator) for name, separator in at["real"].items()
        if name.startswith("data-real")}
    others[f"{MODERN_RUN}-phase-kept"] = PhaseKept(trained[MODERN_RUN])
    at_high_rate = more | {"rate_ceiling": known["rate_ceiling"], "treatment": treatment}
    kept, n_songs = folder / "composed", budget.beyond // 4
    composed = compose([Composition(genre, count, FIRST_TO_SCORE + seed) for genre in STYLES
                        for seed in range(budget.composed) for count in budget.instruments], kept, progress=progress)
    with_keys = compose(apart(FIRST_TO_SCORE, n_songs), kept, progress=progress)
    of_five = {name: each for name, each in at["apart"].items() if each.config.sources == FIVE}
    of_five["mixture-apart"] = partial(known["mixture"], n_sources=len(FIVE))
    of_three = {name: each for name, each in at["apart"].items() if name not in of_five}
    tables = [
        evaluate(songs, main, out=out, v4=budget.v4, progress=progress),
        evaluate(songs, more | others, out=out, v4=False, progress=progress),
        evaluate(songs, main, out=out, rate_hz=high, v4=budget.v4, progress=progress),
        evaluate(songs, at_high_rate, out=out, rate_hz=high, v4=False, progress=progress),
        evaluate(corpus.select("valid"), steps, out=out, v4=False, progress=progress),
        evaluate(composed, at["all genres"] | at["without electro"], out=out, v4=False, progress=progress),
        evaluate(with_keys, of_three, out=out, v4=False, progress=progress),
        evaluate(with_keys, of_five, out=out, v4=False, sources=FIVE, progress=progress),
    ]
    for kind in DUETS:
        separators = {name: InBestOrder(each) for name, each in at[kind].items()}
        separators[f"mixture-{kind}"] = partial(known["mixture"], n_sources=len(PLACES))
        tables.append(evaluate(compose(duets(kind, FIRST_TO_SCORE, n_songs), kept, progress=progress), separators,
                               out=out, v4=False, sources=PLACES, progress=progress))
    return pd.concat(tables, ignore_index=True)


class InBestOrder:
    """A separator of sources of the same type, whose estimates are put into the order that fits the true ones best."""

    def __init__(self, separator: Separator) -> None:
        self.separator = separator
        self.fingerprint = f"in best order {separator.fingerprint}"

    def __call__(self, signals: np.ndarray) -> np.ndarray:
        """Signals `(signal, sample)`, mixture first → estimates `(source, sample)`."""
        estimates = self.separator(signals)
        orders = [list(order) for order in permutations(range(len(estimates)))]
        return estimates[max(orders, key=lambda order: sdr_sir_sar(estimates[order], signals[1:]).sdr.mean())]


def _closed(separator: Separator) -> Separator:
    """The same network with its masks closed outside `BANDS`."""
    network, config = copy.deepcopy(separator.network), separator.config
    network.bands = BANDS
    config = replace(config, network_options=config.network_options | {"bands": BANDS})
    return replace(separator, network=network, config=config)


def _separators(runs: Sequence[TrainingRun], folder: Path) -> Mapping[str, Any]:
    return {run.label: Separator.load(folder / run.file_stem / "weights.safetensors", "cpu", "float32") for run in runs}
