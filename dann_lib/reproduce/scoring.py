"""The scores of the reproduction: main runs, oracles and ablation on the test songs, controlled runs on composed ones.

In composed songs one thing changes, by composition, and nothing else (report, III.b).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import soxr
from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from dann_lib import report
from dann_lib.evaluation import evaluate, oracles
from dann_lib.files import atomic_write
from dann_lib.reproduce.experiments import MAIN_RUNS, MODERN_RUN, Budget, TrainingRun
from dann_lib.reproduce.measuring import PhaseKept, treatment
from dann_lib.separation import Separator
from dann_lib.synthetic.build import VERSION
from dann_lib.synthetic.compose import compose_song
from dann_lib.synthetic.render import render_song
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
    composed = compose_songs(budget.composed, budget.instruments, folder / "composed", progress)
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


@dataclass(frozen=True)
class ComposedSong:
    """A song of `synthetic.compose_song` that is in no corpus, its waveforms in a file, at the working rate in Hz.

    Songs of equal genre and seed differ in the number of instruments alone.
    """

    genre: str
    n_instruments: int
    seed: int
    path: Path
    rate: int = report.SAMPLE_RATE

    @property
    def name(self) -> str:
        """As in the table of scores: `genre instruments seed`."""
        return f"{self.genre} {self.n_instruments} {self.seed}"

    @property
    def waveforms(self) -> np.ndarray:
        """Mono waveforms `(signal, sample)` at `report.SAMPLE_RATE`, float32."""
        return np.load(self.path)

    def read(self, signal: str) -> np.ndarray:
        """One signal as `(sample, channel)`, at the working rate."""
        return self.waveforms[report.SIGNALS.index(signal)][:, None]


def compose_songs(
    per_kind: int, instruments: Sequence[int], folder: Path, progress: bool = True
) -> list[ComposedSong]:
    """Compose so many songs of every genre, each with several numbers of instruments (4 to 8) in turn.

    Their waveforms are kept in `folder`; what is there already is not rendered again.
    """
    songs = [
        ComposedSong(genre, count, seed, folder / f"version-{VERSION}" / f"{genre}-{count}-{seed}.npy")
        for genre in STYLES
        for seed in range(FIRST_SEED, FIRST_SEED + per_kind)
        for count in instruments
    ]
    missing = [song for song in songs if not song.path.exists()]
    work = Parallel(n_jobs=min(cpu_count(), max(1, len(missing))), return_as="generator_unordered")(
        delayed(_render)(song) for song in missing
    )
    for _ in tqdm(work, total=len(missing), desc="composing songs", unit="song", leave=False,
                  disable=not progress or not missing):
        pass
    return songs


def _render(song: ComposedSong) -> None:
    signals = render_song(compose_song(song.genre, song.n_instruments, song.seed))
    stereo = np.stack([signals[name] for name in report.SIGNALS])              # (signal, sample, channel)
    mono = np.ascontiguousarray(stereo.mean(axis=-1).T)                        # (sample, signal)
    low = soxr.resample(mono, report.SONG_RATE, report.SAMPLE_RATE).T
    with atomic_write(song.path) as path:
        np.save(path, low.astype(np.float32))
