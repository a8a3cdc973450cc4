"""The experiments of the report as data: every network that is trained, and how long (report, I.c, II.c, III.b)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dann_lib import report
from dann_lib.config import BEST, MODERN, TrainingConfig
from dann_lib.synthetic.score import DUETS, PLACES

REPORT_RUN, MODERN_RUN, BEST_RUN = "dann-report", "dann-modern", "dann-best"
MAIN_RUNS = (REPORT_RUN, MODERN_RUN, BEST_RUN)
LONGER = "step-longer"
"""The runs whose weights are kept, and which are scored with BSS Eval v4 and at 44.1 kHz; the last one is shipped, and
scored on the validation songs too, as the last step of the ladder, `LONGER`."""

LADDER = ("ladder-large-batches", "ladder", "ladder-composed")
"""Experiments whose runs are steps of the ladder (`ladder.STEPS`), scored on the validation songs."""

SKIPS: dict[str, tuple[int, ...]] = {
    "none": (), "1": (1,), "2": (2,), "3": (3,), "2+3": (2, 3), "1+2+3": (1, 2, 3), "1+2+3+4": (1, 2, 3, 4),
}
"""Skip connections of the ablation; the last one has the connection that I.c rejects."""

NETWORKS = ("dann", "feedforward", "autoencoder", "cdae")
GAINS = (1.0, 30.0, 300.0, 1000.0, 3000.0)
"""Factors that are compared; 1 is no gain."""

Songs = Literal["corpus", "helped", "all genres", "without electro", "real", "composed", "both", "apart", "singers",
                "guitars"]
ALL_GENRES, WITHOUT_ELECTRO = "embedded-all-genres", "embedded-without-electro"
ORDERS = ("free", "fixed", "remixed")
"""How networks learn from duets: with any order of the estimates, with a fixed one, with any from remixed duets."""

SONGS: dict[str, Songs] = {
    ALL_GENRES: "all genres", WITHOUT_ELECTRO: "without electro",
    BEST_RUN: "helped", "step-composed": "helped", "step-across": "helped",
    "data-real": "real", "data-composed": "composed", "data-both": "both", "bands": "real",
    **dict.fromkeys(("three-sources", "five-sources", "asked"), "apart"),
    **{f"{kind}-{name}": kind for kind in DUETS for name in ORDERS},
}
"""What runs learn from (see `songs.songs_of`); all others learn from the corpus asked for."""

BANDS = ((38, 861), (8, 827), (9, 103))
"""First and last bin of vocals, drums and bass; `measuring.bands_of` found them on the training songs."""

FIVE = (*report.SOURCES, "guitar", "keys")

EXPERIMENTS: dict[str, dict[str, TrainingConfig]] = {
    "report": {REPORT_RUN: TrainingConfig(held_out="test")},
    "modern": {MODERN_RUN: MODERN},
    "skips": {f"skips-{name}": TrainingConfig(held_out="test", network_options={"skips": skips})
              for name, skips in SKIPS.items()},
    "gains": {f"gain-{gain:g}": TrainingConfig(gain=gain) for gain in GAINS},
    "networks": {f"network-{name}": replace(MODERN, learning_rate=1e-3, network=name) for name in NETWORKS},
    "genre": {name: replace(MODERN, held_out="test") for name in (ALL_GENRES, WITHOUT_ELECTRO)},
    "data": {f"data-{name}": MODERN for name in ("real", "composed", "both")},
    "bands": {"bands": replace(MODERN, network_options={"bands": BANDS})},
    "instruments-apart": {"three-sources": MODERN, "five-sources": replace(MODERN, sources=FIVE),
                          "asked": replace(MODERN, sources=FIVE, network="asked")},
    "duets": {f"{kind}-{name}": replace(MODERN, sources=PLACES, remix=name == "remixed",
                                        order="fixed" if name == "fixed" else "free")
              for kind in DUETS for name in ORDERS},
    "best": {BEST_RUN: BEST},
    "ladder-large-batches": {"step-adam": replace(MODERN, loss="l1", remix=False)},
    "ladder": {"step-batches": replace(MODERN, loss="l1", remix=False), "step-remix": replace(MODERN, loss="l1"),
               "step-loss": MODERN},
    "ladder-composed": {"step-composed": MODERN, "step-across": BEST},
}
"""Experiment → name of each run → how it is trained, in the order in which they are started.

How long, and with which seeds, is said by the `Length` of the experiment in each `Budget`.
"""

TRENDS = ("gain-30", "gain-1000", "gain-3000")
"""Runs that decide nothing, and show what lies around those that do: one seed is enough."""


@dataclass(frozen=True)
class TrainingRun:
    """One network to be trained.

    Attributes:
        name: of the run, the same for all its seeds.
        experiment: which experiment needs it; the same ids as in `claims.CLAIMS`.
        config: how it is trained, with the seed.
    """

    name: str
    experiment: str
    config: TrainingConfig

    @property
    def songs(self) -> Songs:
        """What it learns from (`SONGS`); "corpus" for the corpus asked for."""
        return SONGS.get(self.name, "corpus")

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
    """How long the runs of an experiment learn, from chunks of how many frames, and with which seeds."""

    epochs: int
    batch_size: int = report.BATCH_SIZE
    seeds: tuple[int, ...] = (0, 1, 2)
    n_chunk_frames: int = report.N_FRAMES


@dataclass(frozen=True)
class Budget:
    """What a corpus and a machine allow; everything else of the experiments is the same everywhere.

    Attributes:
        lengths: of each of `EXPERIMENTS`.
        composed: songs of each genre and number of instruments in the controlled experiments.
        beyond: songs that each experiment of the conclusion learns from; a quarter as many are held out, and scored.
        instruments: how many instruments these songs have.
        dann: arguments of `DANN` in all runs; empty for the whole network.
        trends: train `TRENDS` too.
        v4: score the main runs with BSS Eval v4 too.
    """

    lengths: Mapping[str, Length]
    composed: int = 5
    beyond: int = 80
    instruments: tuple[int, ...] = (4, 5, 6, 7, 8)
    dann: dict[str, Any] = field(default_factory=dict)
    trends: bool = True
    v4: bool = True


_BEYOND = {
    **dict.fromkeys(("data", "bands"), Length(4, batch_size=2, n_chunk_frames=61)),
    "instruments-apart": Length(5, batch_size=2, n_chunk_frames=22),
    "duets": Length(8, batch_size=2, n_chunk_frames=44),
}
"""Of what the conclusion proposes; an epoch of the first two has 240 chunks of 7 s (`songs.songs_of`)."""

_LADDER = dict(zip(LADDER, (Length(20, n_chunk_frames=44), Length(20, batch_size=4, n_chunk_frames=44),
                            Length(5, batch_size=4, n_chunk_frames=44)), strict=True))
"""Equal computation: 400 updates with 4 chunks, or 100 with 16. An epoch of 7-second excerpts has 80 chunks, and 240
more of composed songs where these help."""

EXCERPTS = Budget({
    "report": Length(100),
    "modern": Length(130, batch_size=4),
    "skips": Length(18, batch_size=4),
    "gains": Length(12),
    "networks": Length(12, batch_size=4),
    "genre": Length(30, batch_size=2, n_chunk_frames=22),
    **_BEYOND, "best": Length(52, batch_size=4, n_chunk_frames=61), **_LADDER,
})
"""The 7-second excerpts on two processor cores.

80 training songs of 7 s make 5 updates an epoch in batches of 16. In batches of 4 the same computation
makes 20, and learns faster; the ablation and the modern run use them, the run with the report's
hyper-parameters does not.
"""

FULL = Budget({
    "report": Length(200), "modern": Length(200, batch_size=4), "skips": Length(100), "gains": Length(10),
    "networks": Length(50), "genre": Length(30, batch_size=2, n_chunk_frames=22), **_BEYOND,
    "best": Length(200, batch_size=4), **_LADDER,
}, beyond=100)
"""MUSDB18 or MUSDB18-HQ, as in the report: some 2000 chunks, 100 epochs and more; for a machine with a GPU."""

EMBEDDED = Budget(
    {"report": Length(2, batch_size=2, seeds=(0,)), "modern": Length(2, batch_size=2, seeds=(0, 1)),
     "skips": Length(1, batch_size=2, seeds=(0, 1)),
     **dict.fromkeys(("gains", "networks", "genre", "best", *_LADDER), Length(1, batch_size=4, seeds=(0,))),
     **dict.fromkeys(_BEYOND, Length(1, batch_size=4, seeds=(0,), n_chunk_frames=44))},
    composed=1, beyond=8, dann={"channels": (4, 8, 16, 16), "bottleneck": 12}, trends=False, v4=False,
)
"""The embedded songs, small: shows that everything runs, in about a minute; proves nothing about the report."""


def skips_title(name: str) -> str:
    """A key of `SKIPS` as figures call it: `Concat 2+3`."""
    return "no skip" if name == "none" else f"Concat {name}"


def budget_for(kind: str, hours: float) -> Budget:
    """The budget that goes with the `kind` of a corpus (see `corpus.Corpus`), and with the length of its songs."""
    if kind == "synthetic":
        return EMBEDDED
    return FULL if hours > 1 else EXCERPTS


def plan(budget: Budget) -> tuple[TrainingRun, ...]:
    """Every training run of the reproduction, in the order in which they are started."""
    runs = []
    for experiment, configs in EXPERIMENTS.items():
        length = budget.lengths[experiment]
        for name, config in configs.items():
            if name in TRENDS and not budget.trends:
                continue
            options = config.network_options | (budget.dann if config.network in ("dann", "asked") else {})
            same = replace(config, network_options=options, epochs=length.epochs, batch_size=length.batch_size,
                           n_chunk_frames=length.n_chunk_frames)
            seeds = length.seeds[:1] if name in TRENDS else length.seeds
            runs += [TrainingRun(name, experiment, replace(same, seed=seed)) for seed in seeds]
    return tuple(runs)
