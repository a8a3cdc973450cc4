"""The experiments of the report as data: every network that is trained, and how long (report, I.c, II.c, III.b)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dann_lib import report
from dann_lib.config import MODERN, TrainingConfig

REPORT_RUN, MODERN_RUN = "dann-report", "dann-modern"
MAIN_RUNS = (REPORT_RUN, MODERN_RUN)
"""The runs whose weights are kept, and which are scored with BSS Eval v4 and at 44.1 kHz."""

SKIPS: dict[str, tuple[int, ...]] = {
    "none": (), "1": (1,), "2": (2,), "3": (3,), "2+3": (2, 3), "1+2+3": (1, 2, 3), "1+2+3+4": (1, 2, 3, 4),
}
"""Skip connections of the ablation; the last one has the connection that I.c rejects."""

NETWORKS = ("dann", "feedforward", "autoencoder", "cdae")
GENRE_CORPORA = ("all genres", "without electro")
ALL_GENRES, WITHOUT_ELECTRO = "embedded-all-genres", "embedded-without-electro"
"""Parts of the embedded corpus, and the runs that learn from them."""

Songs = Literal["corpus", "all genres", "without electro"]


@dataclass(frozen=True)
class TrainingRun:
    """One network to be trained.

    Attributes:
        name: of the run, the same for all its seeds.
        experiment: which experiment needs it; the same ids as in `claims.CLAIMS`.
        config: how it is trained, with the seed.
        songs: "corpus" for the corpus asked for, else a part of the embedded one.
    """

    name: str
    experiment: str
    config: TrainingConfig
    songs: Songs = "corpus"

    @property
    def file_stem(self) -> str:
        """Name of its folder, and of its history."""
        return f"{self.name}-seed{self.config.seed}"

    @property
    def label(self) -> str:
        """Name in a table of scores: the run's own for its first seed."""
        return self.name if self.config.seed == 0 else self.file_stem


@dataclass(frozen=True)
class Length:
    """How long a kind of run learns.

    Attributes:
        epochs: passes over the training songs.
        batch_size: chunks per update.
        seeds: each is a run of its own.
    """

    epochs: int
    batch_size: int = report.BATCH_SIZE
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True)
class Budget:
    """What a corpus and a machine allow; everything else of the experiments is the same everywhere.

    Attributes:
        skips: of the ablation.
        gains: of the comparison of gains.
        gain_values: factors that are compared; 1 is no gain.
        report: the run with the report's hyper-parameters.
        modern: the run with Adam and remixing.
        networks: DANN, feed-forward network and auto-encoders, all trained alike.
        controlled: networks that learn from embedded songs.
        composed: songs of each genre and number of instruments in the controlled experiments.
        instruments: how many instruments these songs have.
        dann: arguments of `DANN` in all runs; empty for the whole network.
        chunk_frames: frames per chunk in the controlled experiments.
        v4: score the main runs with BSS Eval v4 too.
    """

    skips: Length
    gains: Length
    report: Length
    modern: Length
    networks: Length
    controlled: Length
    gain_values: tuple[float, ...] = (1.0, 30.0, 300.0, 1000.0, 3000.0)
    composed: int = 5
    instruments: tuple[int, ...] = (4, 5, 6, 7, 8)
    dann: dict[str, Any] = field(default_factory=dict)
    chunk_frames: int = 22
    v4: bool = True


EXCERPTS = Budget(
    skips=Length(18, batch_size=4), gains=Length(12, seeds=(0, 1)), report=Length(100, seeds=(0, 1)),
    modern=Length(130, batch_size=4, seeds=(0,)), networks=Length(12, batch_size=4, seeds=(0,)),
    controlled=Length(30, batch_size=2, seeds=(0, 1)),
)
"""The 7-second excerpts on two processor cores.

80 training songs of 7 s make 5 updates an epoch in batches of 16. In batches of 4 the same computation
makes 20, and learns faster; the ablation and the modern run use them, the run with the report's
hyper-parameters does not.
"""

FULL = Budget(
    skips=Length(100), gains=Length(10), report=Length(200),
    modern=Length(200, batch_size=4), networks=Length(50),
    controlled=Length(30, batch_size=2),
)
"""MUSDB18 or MUSDB18-HQ, as in the report: some 2000 chunks, 100 epochs and more; for a machine with a GPU."""

EMBEDDED = Budget(
    skips=Length(1, batch_size=2, seeds=(0, 1)), gains=Length(1, batch_size=4, seeds=(0,)),
    report=Length(2, batch_size=2, seeds=(0,)), modern=Length(2, batch_size=2, seeds=(0, 1)),
    networks=Length(1, batch_size=4, seeds=(0,)), controlled=Length(1, batch_size=4, seeds=(0,)),
    gain_values=(1.0, 300.0), composed=1, dann={"channels": (4, 8, 16, 16), "bottleneck": 12}, chunk_frames=88,
    v4=False,
)
"""The embedded songs, small: shows that everything runs, in about a minute; proves nothing about the report."""


def skips_title(name: str) -> str:
    """A key of `SKIPS` as figures call it: `Concat 2+3`."""
    return "no skip" if name == "none" else f"Concat {name}"


def budget_for(kind: str, hours: float) -> Budget:
    """The budget that goes with a corpus.

    Args:
        kind: of `corpus.Corpus`.
        hours: length of its songs.
    """
    if kind == "synthetic":
        return EMBEDDED
    return FULL if hours > 1 else EXCERPTS


def plan(budget: Budget) -> tuple[TrainingRun, ...]:
    """Every training run of the reproduction, in the order in which they are started.

    Args:
        budget: how long each learns.
    """
    dann = dict(budget.dann)
    as_report, modern = TrainingConfig(network_options=dann), replace(MODERN, network_options=dann)
    on_test = {"held_out": "test"}
    runs = [
        _seeds(REPORT_RUN, "report", replace(as_report, **on_test), budget.report),
        _seeds(MODERN_RUN, "modern", modern, budget.modern),
    ]
    for name, skips in SKIPS.items():
        config = replace(as_report, network_options={"skips": skips, **dann}, **on_test)
        runs.append(_seeds(f"skips-{name}", "skips", config, budget.skips))
    for gain in budget.gain_values:
        seeds = budget.gains.seeds if gain in (1.0, report.GAIN) else budget.gains.seeds[:1]
        length = replace(budget.gains, seeds=seeds)
        runs.append(_seeds(f"gain-{gain:g}", "gains", replace(as_report, gain=gain), length))
    for name in NETWORKS:
        config = replace(modern, learning_rate=1e-3, network=name, network_options=dann if name == "dann" else {})
        runs.append(_seeds(f"network-{name}", "networks", config, budget.networks))
    for name, songs in zip((ALL_GENRES, WITHOUT_ELECTRO), GENRE_CORPORA, strict=True):
        config = replace(modern, n_chunk_frames=budget.chunk_frames, **on_test)
        runs.append(_seeds(name, "genre", config, budget.controlled, songs))
    return tuple(run for each in runs for run in each)


def _seeds(
    name: str, experiment: str, config: TrainingConfig, length: Length, songs: Songs = "corpus"
) -> list[TrainingRun]:
    same = replace(config, epochs=length.epochs, batch_size=length.batch_size)
    return [TrainingRun(name, experiment, replace(same, seed=seed), songs) for seed in length.seeds]
