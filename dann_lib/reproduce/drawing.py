"""The figures of the reproduction, from the stored evidence, by the same functions as the live ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from dann_lib import figures, report
from dann_lib.figures import Drawing
from dann_lib.files import output_errors
from dann_lib.reproduce.claims_learning import lowest_losses
from dann_lib.reproduce.claims_listening import ALL_GENRES, composed_scores, genre_losses, spreads
from dann_lib.reproduce.evidence import Evidence
from dann_lib.reproduce.experiments import MODERN_RUN, NETWORKS, REPORT_RUN, skips_title
from dann_lib.reproduce.finding import median


def provenance(evidence: Evidence, *runs: str) -> str:
    """Corpus, seeds and device of some runs, as a sentence for a caption."""
    manifest = evidence.manifest
    described = [evidence.run(run) for run in runs]
    devices = sorted({each["device"] for run in described for each in run["each"]})
    counts = [len(run["seeds"]) for run in described]
    counted = " to ".join(map(str, sorted({min(counts), max(counts)})))
    plural = "seed" if counted == "1" else "seeds"
    songs = manifest["songs"]
    if any(run["songs"] != "corpus" for run in described):
        return (f"Reference run with networks that learned from 12 embedded songs, scored on composed songs, {counted} "
                f"{plural} each, device: {', '.join(devices)}.")
    of_songs = "{corpus} ({train} training, {valid} validation, {test} test songs)".format(**manifest | songs)
    return f"Reference run on {of_songs}, {counted} {plural} each, device: {', '.join(devices)}."


def skip_histories(evidence: Evidence, *names: str) -> dict[str, list[pd.DataFrame]]:
    """Histories of some networks of the ablation, by title, and the loss of silence."""
    chosen = {skips_title(name): evidence.histories(f"skips-{name}") for name in names}
    epochs = next(iter(chosen.values()))[0]["epoch"]
    silence = pd.DataFrame({"epoch": epochs, "train_loss": evidence.silence("train", report.GAIN),
                            "test_loss": evidence.silence("test", report.GAIN)})
    return {**chosen, "silence": [silence]}


def figure_5(evidence: Evidence) -> Drawing:
    """Figure 5 of the reference run."""
    drawing = figures.figure_5(skip_histories(evidence, "none", "1", "1+2+3"))
    return _with_provenance(drawing, evidence, "skips-none", "skips-1", "skips-1+2+3")


def figure_6(evidence: Evidence) -> Drawing:
    """Figure 6 of the reference run."""
    return _with_provenance(figures.figure_6(skip_histories(evidence, "2", "3")), evidence, "skips-2", "skips-3")


def figure_7(evidence: Evidence) -> Drawing:
    """Figure 7 of the reference run."""
    return _with_provenance(figures.figure_7(skip_histories(evidence, "3", "2+3")), evidence, "skips-3", "skips-2+3")


def figure_8(evidence: Evidence) -> Drawing:
    """Figure 8 of the reference run."""
    return _with_provenance(figures.figure_8(evidence.histories(REPORT_RUN)), evidence, REPORT_RUN)


def figure_9(evidence: Evidence, run: str = REPORT_RUN) -> Drawing:
    """Figure 9 of the reference run: the report's training, or another run."""
    table = evidence.scores
    chosen = table[(table["run"] == run) & (table["rate_hz"] == report.SAMPLE_RATE)]
    return _with_provenance(figures.figure_9(chosen), evidence, run)


def skips(evidence: Evidence) -> Drawing:
    """Lowest test loss of each network of the ablation."""
    losses = lowest_losses(evidence)
    silence = evidence.silence("test", report.GAIN)
    drawing = figures.intervals(losses, "lowest test loss (3)", "Lowest test loss of each network, mean of the seeds "
                                f"with the lowest and the highest of them; silence has {silence:.1f}.")
    return _with_provenance(drawing, evidence, "skips-none")


def gains(evidence: Evidence) -> Drawing:
    """Loss on the validation songs with each gain, relative to silence."""
    lines = {}
    for name in [name for name in evidence.manifest["runs"] if name.startswith("gain-")]:
        gain = evidence.run(name)["config"]["gain"]
        first = 100 * evidence.losses(name)[0] / evidence.silence("valid", gain)
        lines[f"gain {gain:g}"] = (np.arange(1, len(first) + 1), np.minimum(first, 150))
    ends = ", ".join(f"{name} {y[-1]:.0f} %" for name, (_, y) in lines.items())
    drawing = figures.curves(lines, "epoch", "loss (3), % of silence",
                             "Loss on the validation songs with the report's SGD, by gain, first seed of each; what is "
                             f"above 150 % is cut off. In the end: {ends} of silence.")
    return _with_provenance(drawing, evidence, "gain-1", "gain-300")


def networks(evidence: Evidence) -> Drawing:
    """SDR of the networks, and their parameters."""
    rows: dict[str, tuple[float, float, float]] = {}
    for name in NETWORKS:
        size = evidence.run(f"network-{name}")["parameters"]
        rows[f"{name} ({size / 1e6:.2f} M parameters)"] = median(evidence.per_song(f"network-{name}").mean(axis=1))
    drawing = figures.intervals(rows, "median SDR (dB)", "Median SDR over the test songs (mean of the sources) after "
                                "the same number of updates, with its 95 % interval, and the size of each network.")
    return _with_provenance(drawing, evidence, *(f"network-{name}" for name in NETWORKS))


def treatment(evidence: Evidence) -> Drawing:
    """SAR at 44.1 kHz of the treatment alone and of DANN."""
    rows = {
        f"{source}, {title}": median(evidence.per_song(run, "sar", report.SONG_RATE)[source])
        for source in report.SOURCES
        for title, run in (("treatment alone", "treatment"), ("DANN", REPORT_RUN), ("DANN, Adam", MODERN_RUN))
    }
    drawing = figures.intervals(rows, "median SAR at 44.1 kHz (dB)", "SAR of the true sources through 8.82 kHz, STFT "
                                "and back, without any mask, and of DANN: medians over the test songs with 95 % "
                                "intervals. A SAR higher by 10 dB means a tenth of the artefacts.")
    return _with_provenance(drawing, evidence, REPORT_RUN, MODERN_RUN)


def resolution(evidence: Evidence) -> Drawing:
    """Smallest distance of two tones at both rates."""
    table = evidence.measurements
    rows = table[table["experiment"] == "resolution"]
    bars = {f"{row.case}, {row.source}": row.value for row in rows.itertuples()}
    return figures.bars(bars, "distance of two tones (Hz)", "From which distance on two equal tones show as two "
                        "peaks in a frame of the report's STFT, at the working rate and at the songs' own rate.",
                        form=".1f")


def instruments(evidence: Evidence) -> Drawing:
    """SDR against the number of instruments."""
    table = composed_scores(evidence, ALL_GENRES)
    lines = {}
    for genre, rows in table.groupby("genre"):
        mean = rows.groupby("instruments")["sdr"].median()
        lines[genre] = (mean.index.to_numpy(), mean.to_numpy())
    drawing = figures.curves(lines, "instruments in the song", "median SDR (dB)", "Median SDR (mean of the sources) of "
                             "composed songs with 4 to 8 instruments; songs of a genre differ in nothing else from "
                             "number to number, and the level of `other` stays the same.")
    return _with_provenance(drawing, evidence, ALL_GENRES)


def genre(evidence: Evidence) -> Drawing:
    """What each genre loses without electronic training songs."""
    lost = genre_losses(evidence)
    rows = {str(name): median(values) for name, values in lost.groupby(level="genre")}
    drawing = figures.intervals(rows, "SDR lost (dB)", "SDR that composed songs lose if the network has not learned "
                                "from electronic songs: medians with 95 % intervals, by genre.")
    return _with_provenance(drawing, evidence, ALL_GENRES)


def background(evidence: Evidence) -> Drawing:
    """SDR of each song and source, over the level of the source."""
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
    drawing = figures.show(figure, "SDR of each test song and source over the level of the source in the mixture. "
                           "Above the dashed line the network improves on the mixture.")
    return _with_provenance(drawing, evidence, REPORT_RUN)


def reverberation(evidence: Evidence) -> Drawing:
    """Sound in the pauses of a source."""
    table = spreads(evidence)
    rows = {str(case): median(table[case].groupby("song").mean()) for case in
            ("source itself", "resampling", "one mask", "phase kept", "two masks")}
    drawing = figures.intervals(rows, "sound in the source's pauses (dB)", "Energy of the treated source where the "
                                "source itself is silent, relative to all of it: the source as it is, resampled to "
                                "44.1 kHz and back, and through DANN's masks: their mean for both parts, both with "
                                "the source's phase kept, and both as they are. Medians over test songs with pauses, "
                                "95 % intervals.")
    return _with_provenance(drawing, evidence, MODERN_RUN)


DRAWINGS: Mapping[str, Callable[[Evidence], Drawing]] = {
    "figure_5.png": figure_5, "figure_6.png": figure_6, "figure_7.png": figure_7, "figure_8.png": figure_8,
    "figure_9.png": figure_9, "figure_9_modern.png": lambda evidence: figure_9(evidence, MODERN_RUN),
    "skips.png": skips, "gains.png": gains, "networks.png": networks, "treatment.png": treatment,
    "resolution.png": resolution, "instruments.png": instruments, "genre.png": genre, "background.png": background,
    "reverberation.png": reverberation,
}
"""File in `data/reference/figures/` → its drawing."""


def draw_all(evidence: Evidence) -> list[Path]:
    """Write every figure as PNG beside the evidence.

    Raises:
        OutputError: if a file cannot be written.
    """
    folder = evidence.folder / "figures"
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return [draw(evidence).save(folder / name) for name, draw in DRAWINGS.items()]


def _with_provenance(drawing: Drawing, evidence: Evidence, *runs: str) -> Drawing:
    return replace(drawing, description=f"{drawing.description} {provenance(evidence, *runs)}")


