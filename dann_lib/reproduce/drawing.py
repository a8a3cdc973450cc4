"""The figures of the reproduction, from the stored evidence, by the same functions as the live ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from dann_lib import figures, report
from dann_lib.errors import DannError
from dann_lib.figures import Drawing
from dann_lib.files import output_errors
from dann_lib.reproduce import ladder
from dann_lib.reproduce.evidence import Evidence
from dann_lib.reproduce.experiments import (
    ALL_GENRES,
    BEST_RUN,
    EXPERIMENTS,
    MODERN_RUN,
    NETWORKS,
    ORDERS,
    REPORT_RUN,
    SKIPS,
    skips_title,
)
from dann_lib.reproduce.findings import composed_scores, gain_curves, genre_losses, median, pauses, spread
from dann_lib.synthetic.score import DUETS


def draw(evidence: Evidence, name: str) -> Drawing:
    """A figure of the reproduction, by its name in `DRAWINGS`; its description ends with where the numbers come from.

    Raises:
        DannError: if there is no such figure, or its evidence is missing.
    """
    if name not in DRAWINGS:
        raise DannError(f"there is no reference figure {name!r}; choose one of {', '.join(DRAWINGS)}")
    function, runs = DRAWINGS[name]
    drawing = function(evidence)
    return replace(drawing, description=f"{drawing.description} {_provenance(evidence, runs)}".rstrip())


def draw_all(evidence: Evidence) -> list[Path]:
    """Write every figure as PNG beside the evidence.

    Raises:
        OutputError: if a file cannot be written.
    """
    folder = evidence.folder / "figures"
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return [draw(evidence, name).save(folder / f"{name}.png") for name in DRAWINGS]


def _provenance(evidence: Evidence, runs: Sequence[str]) -> str:
    """Corpus, seeds and device of some runs, as a sentence for a caption."""
    if not runs:
        return ""
    described = [evidence.run(run) for run in runs]
    devices = sorted({each["device"] for run in described for each in run["each"]})
    counts = [len(run["seeds"]) for run in described]
    counted = " to ".join(map(str, sorted({min(counts), max(counts)})))
    songs = "on {corpus} ({train} training, {valid} validation, {test} test songs)"
    if any(run["songs"] in ("all genres", "without electro") for run in described):
        songs = "with networks that learned from 12 embedded songs, scored on composed songs"
    elif any(run["songs"] in ("apart", *DUETS) for run in described):
        songs = "with networks that learned from composed songs, scored on others"
    songs = songs.format(**evidence.manifest | evidence.manifest["songs"])
    return (f"Reference run {songs}, {counted} {'seed' if counted == '1' else 'seeds'} each, "
            f"device: {', '.join(devices)}.")


def _skip_histories(evidence: Evidence, *names: str) -> dict[str, list[pd.DataFrame]]:
    """Histories of some networks of the ablation, by title, and the loss of silence."""
    chosen = {skips_title(name): evidence.histories(f"skips-{name}") for name in names}
    epochs = next(iter(chosen.values()))[0]["epoch"]
    silence = pd.DataFrame({"epoch": epochs, "train_loss": evidence.silence("train", report.GAIN),
                            "test_loss": evidence.silence("test", report.GAIN)})
    return {**chosen, "silence": [silence]}


def _figure_9(evidence: Evidence, run: str) -> Drawing:
    return figures.figure_9(evidence.scores.query("run == @run and rate_hz == @report.SAMPLE_RATE"))


def _skips(evidence: Evidence) -> Drawing:
    lowest = {skips_title(name): spread(evidence.losses(f"skips-{name}").min(axis=1)) for name in SKIPS}
    return figures.intervals(
        lowest, "lowest test loss (3)", "Lowest test loss of each network, mean of the seeds with the lowest and the "
        f"highest of them; silence has {evidence.silence('test', report.GAIN):.1f}.")


def _gains(evidence: Evidence) -> Drawing:
    lines = {f"gain {gain:g}": (np.arange(1, len(losses[0]) + 1), np.minimum(losses[0], 150))
             for gain, losses in gain_curves(evidence).items()}
    ends = ", ".join(f"{name} {y[-1]:.0f} %" for name, (_, y) in lines.items())
    return figures.curves(
        lines, "epoch", "loss (3), % of silence", "Loss on the validation songs with the report's SGD, by gain, first "
        f"seed of each; what is above 150 % is cut off. In the end: {ends} of silence.")


def _networks(evidence: Evidence) -> Drawing:
    rows = {f"{name} ({evidence.run(f'network-{name}')['parameters'] / 1e6:.2f} M parameters)":
            median(evidence.per_song(f"network-{name}").mean(axis=1)) for name in NETWORKS}
    return figures.intervals(
        rows, "median SDR (dB)", "Median SDR over the test songs (mean of the sources) after the same number of "
        "updates, with its 95 % interval, and the size of each network.")


def _treatment(evidence: Evidence) -> Drawing:
    runs = {"treatment alone": "treatment", "DANN": REPORT_RUN, "DANN, Adam": MODERN_RUN}
    rows = {f"{source}, {title}": median(evidence.per_song(run, "sar", report.SONG_RATE)[source])
            for source in report.SOURCES for title, run in runs.items()}
    return figures.intervals(
        rows, "median SAR at 44.1 kHz (dB)", "SAR of the true sources through 8.82 kHz, STFT and back, without any "
        "mask, and of DANN: medians over the test songs with 95 % intervals. A SAR higher by 10 dB means a tenth of "
        "the artefacts.")


def _resolution(evidence: Evidence) -> Drawing:
    rows = evidence.values("resolution", index=["case", "source"])
    return figures.bars(
        {", ".join(name): value for name, value in rows.items()}, "distance of two tones (Hz)",
        "From which distance on two equal tones show as two peaks in a frame of the report's STFT, at the working "
        "rate and at the songs' own rate.", form=".1f")


def _instruments(evidence: Evidence) -> Drawing:
    medians = composed_scores(evidence, ALL_GENRES).pivot_table("sdr", "instruments", "genre", aggfunc="median")
    return figures.curves(
        {genre: (medians.index.to_numpy(), medians[genre].to_numpy()) for genre in medians}, "instruments in the song",
        "median SDR (dB)", "Median SDR (mean of the sources) of composed songs with 4 to 8 instruments; songs of a "
        "genre differ in nothing else from number to number, and the level of `other` stays the same.")


def _genre(evidence: Evidence) -> Drawing:
    rows = {str(name): median(values) for name, values in genre_losses(evidence).groupby(level="genre")}
    return figures.intervals(
        rows, "SDR lost (dB)", "SDR that composed songs lose if the network has not learned from electronic songs: "
        "medians with 95 % intervals, by genre.")


def _background(evidence: Evidence) -> Drawing:
    level, scores = evidence.per_song("mixture"), evidence.per_song(REPORT_RUN)
    figure, axis = figures.canvas(height_in=3.3)
    for source in report.SOURCES:
        dots = {"color": figures.COLOURS[source], "label": source, "markersize": 4, "alpha": 0.7}
        axis.plot(level[source], scores[source], "o", **dots)
    axis.axline((0, 0), slope=1, color="#888888", linewidth=1, linestyle="--", label="as the mixture")
    axis.set(xlabel="level of the source: SDR of the mixture (dB)", ylabel="SDR of DANN (dB)",
             xlim=(max(-30, level.min().min() - 1), level.max().max() + 1),
             ylim=(max(-30, scores.min().min() - 1), scores.max().max() + 1))
    axis.grid(True)
    axis.legend()
    return figures.show(figure, "SDR of each test song and source over the level of the source in the mixture. "
                        "Above the dashed line the network improves on the mixture.")


def _reverberation(evidence: Evidence) -> Drawing:
    table = pauses(evidence)
    rows = {case: median(table[case].groupby("song").mean()) for case in
            ("source itself", "resampling", "one mask", "phase kept", "two masks")}
    return figures.intervals(
        rows, "sound in the source's pauses (dB)", "Energy of the treated source where the source itself is silent, "
        "relative to all of it: the source as it is, resampled to 44.1 kHz and back, and through DANN's masks: their "
        "mean for both parts, both with the source's phase kept, and both as they are. Medians over test songs with "
        "pauses, 95 % intervals.")


def _data(evidence: Evidence) -> Drawing:
    titles = {"data-real": "real songs", "data-composed": "composed songs", "data-both": "both",
              "bands": "real songs, masks in bands", "data-real-closed": "real songs, closed afterwards"}
    rows = {title: median(evidence.per_song(run).mean(axis=1)) for run, title in titles.items()}
    return figures.intervals(
        rows, "median SDR (dB)", "Median SDR over the real test songs (mean of sources and seeds) with 95 % "
                                 "intervals, after equal updates: by what the network learned from, and with masks "
                                 "that are closed outside each instrument's band while it learns, or afterwards.")


def _instruments_apart(evidence: Evidence) -> Drawing:
    mixture = evidence.per_song("mixture-apart")
    titles = {"three-sources": "three sources", "five-sources": "five sources", "asked": "asked for one of five"}
    scores = {run: evidence.per_song(run) for run in titles}
    rows = {f"{source}, {title}": median(scores[run][source] - mixture[source])
            for source in mixture for run, title in titles.items() if source in scores[run]}
    return figures.intervals(
        rows, "improvement on the mixture (dB)", "What networks with three and with five sources, and one that is "
                                                 "asked for one at a time, add to the mixture's SDR: medians over "
                                                 "composed songs with 95 % intervals, mean of the seeds.")


def _duets(evidence: Evidence) -> Drawing:
    rows = {f"two {kind}, {title}": median((evidence.per_song(f"{kind}-{name}") - evidence.per_song(f"mixture-{kind}"))
                                           .mean(axis=1))
            for kind in DUETS
            for name, title in zip(ORDERS, ("any order", "fixed order", "any order, remixed"), strict=True)}
    return figures.intervals(
        rows, "improvement on the mixture (dB)", "What networks add to the mixture's SDR in songs for two singers "
                                                 "and for two guitars with different melodies: medians over "
                                                 "composed duets with 95 % intervals, mean of the seeds.")


def _ladder(evidence: Evidence) -> Drawing:
    rows = {step.title if step.kept else f"left out: {step.title}": ladder.gained(evidence, step)
            for step in ladder.steps(evidence) if step.before}
    return figures.intervals(
        rows, "gain on the step before (dB)", "What each step adds to the SDR on the validation songs: median over the "
                                              "songs of the mean of sources and seeds, with 95 % intervals. What was "
                                              "left out is compared with the step that it would have followed.")


DRAWINGS: Mapping[str, tuple[Callable[[Evidence], Drawing], tuple[str, ...]]] = {
    "figure_5": (lambda evidence: figures.figure_5(_skip_histories(evidence, "none", "1", "1+2+3")),
                 ("skips-none", "skips-1", "skips-1+2+3")),
    "figure_6": (lambda evidence: figures.figure_6(_skip_histories(evidence, "2", "3")), ("skips-2", "skips-3")),
    "figure_7": (lambda evidence: figures.figure_7(_skip_histories(evidence, "3", "2+3")), ("skips-3", "skips-2+3")),
    "figure_8": (lambda evidence: figures.figure_8(evidence.histories(REPORT_RUN)), (REPORT_RUN,)),
    "figure_9": (partial(_figure_9, run=REPORT_RUN), (REPORT_RUN,)),
    "figure_9_modern": (partial(_figure_9, run=MODERN_RUN), (MODERN_RUN,)),
    "figure_9_best": (partial(_figure_9, run=BEST_RUN), (BEST_RUN,)),
    "skips": (_skips, ("skips-none",)),
    "gains": (_gains, ("gain-1", "gain-300")),
    "networks": (_networks, tuple(f"network-{name}" for name in NETWORKS)),
    "treatment": (_treatment, (REPORT_RUN, MODERN_RUN)),
    "resolution": (_resolution, ()),
    "instruments": (_instruments, (ALL_GENRES,)),
    "genre": (_genre, (ALL_GENRES,)),
    "background": (_background, (REPORT_RUN,)),
    "reverberation": (_reverberation, (MODERN_RUN,)),
    "data": (_data, (*EXPERIMENTS["data"], *EXPERIMENTS["bands"])),
    "instruments_apart": (_instruments_apart, tuple(EXPERIMENTS["instruments-apart"])),
    "duets": (_duets, tuple(EXPERIMENTS["duets"])),
    "ladder": (_ladder, tuple(step.run for step in ladder.STEPS[:-1])),
}
"""Name of each file in `data/reference/figures/`, without its ending → its drawing, and the runs that it shows."""
