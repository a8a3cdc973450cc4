"""Figures 2 and 5 to 9 of the report: masks, losses and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from torch import Tensor

from dann_lib import report
from dann_lib.figures.signals import require, signed_image
from dann_lib.figures.style import COLOURS, LINE_COLOURS, LINE_STYLES, Drawing, canvas, finish_curves, join

History = pd.DataFrame | Sequence[pd.DataFrame]
"""Of one seed, or of several."""

Histories = Mapping[str, History]

METRICS = ("SIR", "SDR", "SAR")
"""Order of figure 9."""


def figure_2(
    mixture_spectrogram: Tensor, masked_spectrogram: Tensor, source: str, max_hz: float = report.SAMPLE_RATE / 2
) -> Drawing:
    """Figure 2: the real part of a spectrogram (a) before and (b) after the mask.

    Args:
        mixture_spectrogram: `(part, freq, frame)`.
        masked_spectrogram: `(part, freq, frame)`, the same multiplied by the mask.
        source: what the mask is to keep.
        max_hz: upper end of the frequency axis.

    Raises:
        ValueError: if the two differ in shape.
    """
    before, after = (np.asarray(plane)[0] for plane in (mixture_spectrogram, masked_spectrogram))
    if before.shape != after.shape:
        raise ValueError(f"the spectrograms have {before.shape} and {after.shape} bins and frames; they must be equal")
    figure, axes = canvas(1, 2, height_in=3.3, sharex=True, sharey=True)
    limit = float(np.abs(before).max()) or 1.0
    for axis, plane, title in zip(axes, (before, after), ("(a) mixture", f"(b) after the {source} mask"), strict=True):
        image = signed_image(axis, plane, limit)
        axis.set(title=title, xlabel="time (s)", ylim=(0, max_hz))
    axes[0].set_ylabel("frequency (Hz)")
    bar = figure.colorbar(image, ax=axes, label="real part (1 = largest of the mixture)", pad=0.01)
    bar.set_ticks([-1, -0.1, -0.01, 0, 0.01, 0.1, 1], labels=["−1", "−0.1", "−0.01", "0", "0.01", "0.1", "1"])
    bar.minorticks_off()
    kept = float((after**2).sum() / max((before**2).sum(), 1e-12))
    return Drawing(figure, "Figure 2. Real part of a spectrogram, (a) of the mixture and (b) multiplied by the mask "
                   f"for the {source}; red is positive, blue negative, white zero. The mask keeps {kept:.0%} of the "
                   "real part's energy.")


def figure_5(histories: Histories) -> Drawing:
    """Figure 5: the training loss without skip connection, and with Concat 1 alone.

    Args:
        histories: name → the history of a run (epoch, update, seconds, train_loss, test_loss), or of
            several seeds; of those the mean is drawn, with a band from the lowest to the highest.

    Raises:
        ValueError: if there are no histories.
    """
    return _losses(histories, "train_loss", "training loss (3)", "Figure 5. Training loss for each epoch")


def figure_6(histories: Histories) -> Drawing:
    """Figure 6: the test loss with Concat 2 alone and with Concat 3 alone; see `figure_5`."""
    return _losses(histories, "test_loss", "test loss (3)", "Figure 6. Test loss for each epoch")


def figure_7(histories: Histories) -> Drawing:
    """Figure 7: the test loss with Concat 3 alone and with Concat 2 and 3; see `figure_5`."""
    return _losses(histories, "test_loss", "test loss (3)", "Figure 7. Test loss for each epoch")


def _losses(histories: Histories, column: str, label: str, title: str) -> Drawing:
    """A loss by epoch: what figures 5 to 7 share."""
    require(histories, "histories")
    figure, axis = canvas(height_in=3.0)
    ends = []
    for index, (name, runs) in enumerate(histories.items()):
        mean = _mean_and_band(axis, runs, column, index, name)
        ends.append(f"{name} from {mean.iloc[0]:.3g} to {mean.iloc[-1]:.3g}, lowest {mean.min():.3g} in epoch "
                    f"{mean.idxmin():.0f}")
    finish_curves(axis, "epoch", label)
    return Drawing(figure, f"{title}: {'; '.join(ends)}.")


def figure_8(history: History) -> Drawing:
    """Figure 8: training and test loss of one run, the lowest test loss marked; its history is as in `figure_5`.

    Raises:
        ValueError: if the history is empty.
    """
    figure, axis = canvas(height_in=3.0)
    train = _mean_and_band(axis, history, "train_loss", 0, "training songs")
    test = _mean_and_band(axis, history, "test_loss", 1, "test songs")
    lowest = int(test.idxmin())
    axis.plot(lowest, test[lowest], "o", color=LINE_COLOURS[1], markersize=8, fillstyle="none",
              label=f"lowest test loss: epoch {lowest}")
    finish_curves(axis, "epoch", "loss (3)")
    n_seeds = len(_seeds(history))
    of_seeds = f", mean and range of {n_seeds} seeds" if n_seeds > 1 else ""
    return Drawing(figure, f"Figure 8. Training and test loss over {train.index[-1]:.0f} epochs{of_seeds}. Training "
                   f"loss: {train.iloc[0]:.3g} at first, {train.iloc[-1]:.3g} at the end. Test loss: "
                   f"{test.iloc[0]:.3g} at first, lowest {test[lowest]:.3g} in epoch {lowest} (circle), "
                   f"{test.iloc[-1]:.3g} at the end.")


def figure_9(scores: pd.DataFrame) -> Drawing:
    """Figure 9: SIR, SDR and SAR of (a) the vocals, (b) the drums, (c) the bass, a dot for each song.

    Args:
        scores: what `dann_lib.evaluation.evaluate` returns, of one run; or a row for each song and source
            with the columns `source`, `sir`, `sdr` and `sar` in dB. Values that are not finite are
            left out and counted.

    Raises:
        ValueError: if a column or the sources are missing, or there are several runs.
    """
    table = _score_table(scores)
    sources = [source for source in report.SOURCES if source in set(table["source"])]
    figure, axes = canvas(1, len(sources), height_in=3.4, sharey=True, squeeze=False)
    sentences, n_left_out = [], 0
    for axis, source, letter in zip(axes[0], sources, "abc", strict=False):
        rows = table[table["source"] == source]
        columns = [rows[metric].to_numpy(float) for metric in METRICS]
        finite = [values[np.isfinite(values)] for values in columns]
        n_left_out += sum(map(len, columns)) - sum(map(len, finite))
        _box_and_dots(axis, finite, COLOURS[source])
        axis.set_title(f"({letter}) {source}")
        medians = [f"{metric} {np.median(values):.1f}" if len(values) else f"{metric} none"
                   for metric, values in zip(METRICS, finite, strict=True)]
        sentences.append(f"{source} {join(medians)} dB ({len(rows)} songs)")
    axes[0, 0].set_ylabel("ratio (dB)")
    left_out = f" Values that are not finite, and left out: {n_left_out}." if n_left_out else ""
    return Drawing(figure, "Figure 9. A dot for each song; the box holds the middle half of the songs, its line is the "
                   f"median. Medians: {'; '.join(sentences)}.{left_out}")


def intervals(values: Mapping[str, tuple[float, float, float]], unit: str, description: str) -> Drawing:
    """A dot with its interval for each name, the value written beside it.

    Args:
        values: name → value, lower and upper end; ends that are NaN are not drawn.
        unit: label of the axis, with the unit.
        description: what is to be seen; the values are added.

    Raises:
        ValueError: if there are no values.
    """
    require(values, "values")
    figure, axis = canvas(height_in=0.85 + 0.31 * len(values))
    places = np.arange(len(values))[::-1]
    for place, (name, (value, low, high)) in zip(places, values.items(), strict=True):
        colour = COLOURS.get(name.split(",")[0], LINE_COLOURS[0])
        axis.plot([low, high], [place, place], color=colour, linewidth=3, alpha=0.45, solid_capstyle="butt")
        axis.plot(value, place, "o", color=colour)
        axis.annotate(f"{value:.1f}".replace("-", "−"), (value, place), xytext=(0, 5), textcoords="offset points",
                      ha="center", fontsize=8.5)
    axis.set_yticks(places, list(values))
    axis.set(xlabel=unit, ylim=(-0.6, len(values) - 0.3))
    axis.margins(x=0.08)
    axis.grid(True, axis="x")
    listed = "; ".join(f"{name} {value:.1f} [{low:.1f}, {high:.1f}]" for name, (value, low, high) in values.items())
    return Drawing(figure, f"{description} {listed.replace(' -', ' −').replace('[-', '[−')}.")


def _seeds(history: History) -> list[pd.DataFrame]:
    return [history] if isinstance(history, pd.DataFrame) else list(history)


def _mean_and_band(axis: Axes, history: History, column: str, index: int, name: str) -> pd.Series:
    """Draw a loss by epoch: the mean of the seeds, and the range of them; returns the mean."""
    runs = _seeds(history)
    if not all(map(len, runs)):
        raise ValueError("the history has no epochs; train for at least one")
    table = pd.concat([run.set_index("epoch")[column] for run in runs], axis=1)
    mean, colour = table.mean(axis=1), LINE_COLOURS[index % len(LINE_COLOURS)]
    seeds = f" (mean of {len(runs)} seeds)" if len(runs) > 1 else ""
    # From the seventh curve on the colours come again, with other dashes.
    dashes = LINE_STYLES[(index + index // len(LINE_COLOURS)) % len(LINE_STYLES)]
    axis.plot(mean.index, mean, label=name + seeds, color=colour, linestyle=dashes)
    if len(runs) > 1:
        axis.fill_between(mean.index, table.min(axis=1), table.max(axis=1), color=colour, alpha=0.18, linewidth=0)
    return mean


def _box_and_dots(axis: Axes, columns: Sequence[np.ndarray], colour: str) -> None:
    axis.boxplot(columns, tick_labels=list(METRICS), widths=0.6, showfliers=False,
                 medianprops={"color": "black", "linewidth": 2}, boxprops={"color": "#666666"})
    for place, values in enumerate(columns, start=1):
        # A spread that is the same each time, so that equal scores give equal pictures.
        spread = 0.18 * np.sin(2.4 * np.arange(len(values)))
        axis.plot(place + spread, values, "o", color=colour, alpha=0.55, markersize=4, markeredgewidth=0)
    axis.axhline(0, color="#888888", linewidth=0.8)
    axis.grid(True, axis="y")


def _score_table(scores: pd.DataFrame) -> pd.DataFrame:
    """A row for each song and source, with a column for each metric."""
    table = scores
    if {"song", "metric", "value"} <= set(scores.columns):
        for name in ("run", "rate_hz"):
            if name in scores.columns and scores[name].nunique() > 1:
                found = join([str(value) for value in scores[name].unique()])
                raise ValueError(f"the scores have several values of {name} ({found}); select one")
        wanted = scores[scores["metric"].str.upper().isin(METRICS)]
        table = wanted.pivot(index=["song", "source"], columns="metric", values="value").reset_index()
    table = table.rename(columns={metric.lower(): metric for metric in METRICS})
    missing = [name for name in ("source", *METRICS) if name not in table.columns]
    if missing:
        raise ValueError(f"the scores have no {join(missing)} (found {join(list(scores.columns))})")
    if not set(report.SOURCES) & set(table["source"]):
        raise ValueError(f"the scores have no row of {join(report.SOURCES)}")
    return table
