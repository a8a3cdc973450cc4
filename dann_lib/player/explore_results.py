"""Explorers of results: a song through the layers of the network, and figure 9 that speaks.

Both run in the page alone, from numbers, small pictures and short MP3. The numbers are those of Python:
medians, intervals and feature maps are computed here, and `*_explorer.js` only shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from torch import Tensor, nn

from dann_lib import report
from dann_lib.evaluation.summary import summarise
from dann_lib.figures.results import METRICS, figure_9
from dann_lib.figures.style import COLOURS, PART_COLOURS, join
from dann_lib.figures.tracing import in_words, stages, trace
from dann_lib.network import n_parameters
from dann_lib.player.clips import audio
from dann_lib.player.frame import Explorer, Frame
from dann_lib.player.network_data import draw_maps, network_data

BEHIND: Mapping[str, str] = {"mixture": "the untouched mixture", "ideal_ratio_mask": "the ideal ratio mask"}
"""Runs of a table of scores that stand behind the others, and what they are called."""

_DASHES = ("6 4", "1 3")


def network_explorer(
    network: nn.Module, planes: Tensor, *, n_maps: int = 16, max_hz: float = 2000.0, title: str = "A song through DANN"
) -> Explorer:
    """The stages of a U-net to choose from, and what each makes of a song.

    Sizes, skip connections and feature maps are read off passes through the network as it is, trained or not.

    Args:
        network: a DANN, with whichever skip connections.
        planes: the song's spectrogram `(part, freq, frame)`, multiplied by the gain of the training; 88 frames
            are 10.2 s.
        n_maps: feature maps of a stage that are shown: those that vary most.
        max_hz: upper end of the pictures.
        title: heading.

    Raises:
        ValueError: if the network is no U-net of feature maps, or the planes are not those of one song.
    """
    shown, links = network_data(network, planes, n_maps, max_hz)
    sentence = in_words(network, stages(trace(network, *planes.shape[1:])))
    description = (f"{sentence} Choose a stage to see its feature maps for this song, up to {max_hz:.0f} Hz, and a map "
                   "to see it with axes.")
    data = {
        "title": title,
        "legend": f"{n_parameters(network):,} weights. Numbers are planes × bins × frames, bars the number of planes. "
                  "In the U, ↓ is max pooling (1), ↑ up-sampling (2), a dashed line a skip connection.",
        "stages": shown, "links": links,
        "colours": {**PART_COLOURS, "input": COLOURS["mixture"], "estimates": COLOURS["vocals"]},
    }
    frame = Frame("network_explorer.js", data, title, description, height_px=1100)
    return Explorer(frame, draw_maps(shown, sentence))


def songs_explorer(
    scores: pd.DataFrame, sounds: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None, *, run: str | None = None,
    names: Mapping[str, str] = BEHIND, rate_hz: int = report.SAMPLE_RATE, title: str = "Figure 9, song by song",
) -> Explorer:
    """Figure 9 where each dot says whose it is, and plays estimate and truth where there is sound.

    Args:
        scores: of `evaluate` or `read_scores`, at one sample rate: the run that is drawn, and any of those
            that stand behind it.
        sounds: song → its estimates and its true sources, each `(source, sample)` in the order of
            `report.SOURCES`; further true signals are ignored. Songs without sound are only named. Three seconds
            of a song, with all sources, take about 130 kB.
        run: the run that is drawn; the only one not in `names` if None.
        names: runs that stand behind → what they are called.
        rate_hz: sample rate of the sounds.
        title: heading.

    Raises:
        AudioError: if a sound cannot be played.
        ValueError: if the run is not clear or not there, there are several sample rates, or a sound has no score.
    """
    run = _only_run(scores, run, names)
    table = scores[scores["run"].isin([run, *names]) & scores["metric"].isin([metric.lower() for metric in METRICS])]
    of_run = table[table["run"] == run]
    songs = list(of_run["song"].unique())
    if unknown := sorted(set(sounds or {}) - set(songs)):
        raise ValueError(f"there are sounds but no scores of {join(unknown)}")
    behind = [name for name in names if name in set(table["run"])]
    summary = summarise(table).set_index(["run", "source", "metric"])
    data = {
        "title": title, "run": run, "songs": songs, "metrics": list(METRICS),
        "behind": [{"words": names[name], "dash": dash} for name, dash in zip(behind, _DASHES, strict=False)],
        "sources": [_source_scores(table, summary, source, songs, run, behind) for source in report.SOURCES],
        "sounds": {song: _encode_pairs(song, pair, rate_hz) for song, pair in (sounds or {}).items()},
    }
    data["left_out"] = sum(
        value is None for source in data["sources"] for each in source["metrics"].values() for value in each["values"]
    )
    still = figure_9(of_run)
    heard = f" {len(sounds)} songs have sound: estimate and truth." if sounds else ""
    description = f"{still.description} A dot names its song when it is pointed at, or reached with arrow keys.{heard}"
    return Explorer(Frame("songs_explorer.js", data, title, description, height_px=900), still)


def _plain(values: ArrayLike) -> list[float | None]:
    """Numbers for JSON; None in place of what is not finite."""
    return [float(value) if np.isfinite(value) else None for value in np.asarray(values, dtype=np.float64)]


def _only_run(scores: pd.DataFrame, run: str | None, names: Mapping[str, str]) -> str:
    """The run to be drawn; an error says which there are."""
    if scores["rate_hz"].nunique() > 1:
        rates = join(list(scores["rate_hz"].unique()))
        raise ValueError(f"the scores are of several sample rates ({rates} Hz); select one")
    runs = list(scores["run"].unique())
    candidates = [name for name in runs if name not in names] if run is None else [run] if run in runs else []
    if len(candidates) != 1:
        raise ValueError(f"expected one run to draw, found {join(candidates) or 'none'} among {join(runs)}; give `run`")
    return candidates[0]


def _source_scores(
    table: pd.DataFrame, summary: pd.DataFrame, source: str, songs: Sequence[str], run: str, behind: Sequence[str]
) -> dict[str, Any]:
    """Values of each song, the median with its interval, and what stands behind, by metric."""
    metrics = {}
    for metric in METRICS:
        rows = table[(table["source"] == source) & (table["metric"] == metric.lower())]
        by_song = rows.pivot(index="song", columns="run", values="value").reindex(songs)
        median, low, high = _plain(summary.loc[(run, source, metric.lower()), ["median", "low", "high"]])
        metrics[metric] = {
            "values": _plain(by_song[run]), "median": median, "low": low, "high": high,
            "box": _plain(by_song[run].replace([np.inf, -np.inf], np.nan).quantile([0.25, 0.75])),
            "behind": [
                {"median": _plain([summary.loc[(name, source, metric.lower()), "median"]])[0],
                 "values": _plain(by_song[name]), "dash": dash}
                for name, dash in zip(behind, _DASHES, strict=False)
            ],
        }
    return {"name": source, "colour": f"var(--{source}, {COLOURS[source]})", "metrics": metrics}


def _encode_pairs(song: str, pair: tuple[ArrayLike, ArrayLike], rate_hz: int) -> dict[str, list[bytes]]:
    """Source → estimate and truth as MP3; an error if there are too few signals, or they differ in length."""
    estimates, truth = (np.asarray(each, dtype=np.float32) for each in pair)
    n_sources = len(report.SOURCES)
    if min(len(estimates), len(truth)) < n_sources or estimates.shape[-1] != truth.shape[-1]:
        raise ValueError(f"the sounds of {song} have shapes {estimates.shape} and {truth.shape}; expected "
                         f"(source, sample) with {n_sources} sources and one length")
    return {
        source: [audio(each[index], rate_hz, f"{source} of {song}").mp3 for each in (estimates, truth)]
        for index, source in enumerate(report.SOURCES)
    }
