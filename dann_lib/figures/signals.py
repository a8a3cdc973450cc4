"""Waveforms, spectrograms, bars and curves: what every lesson draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike
from torch import Tensor

from dann_lib import report
from dann_lib.figures.style import COLOURS, DB_LIMITS, LINE_COLOURS, LINE_STYLES, Drawing, canvas, finish_curves, join

_PIXELS = 1400


def waveforms(
    signals: Mapping[str, ArrayLike], description: str = "", rate_hz: float = report.SAMPLE_RATE, start_s: float = 0.0
) -> Drawing:
    """Waveforms below each other, on one time axis and one amplitude scale.

    Args:
        signals: name → `(sample,)`; a name in `COLOURS` gets its colour.
        description: what is to be seen; a sentence of the names and peaks if empty.
        rate_hz: sample rate.
        start_s: time of the first sample.

    Raises:
        ValueError: if there are no signals.
    """
    require(signals, "signals")
    figure, axes = canvas(len(signals), height_in=0.7 + 0.75 * len(signals), sharex=True, sharey=True, squeeze=False)
    peaks = {}
    for axis, (name, waveform) in zip(axes[:, 0], signals.items(), strict=True):
        samples = np.asarray(waveform, dtype=np.float32)
        peaks[name] = float(np.max(np.abs(samples), initial=0.0))
        _draw_waveform(axis, samples, rate_hz, start_s, COLOURS.get(name, LINE_COLOURS[0]))
        axis.set_title(name)
    largest = max(peaks.values()) or 1.0
    axes[0, 0].set_ylim(-1.05 * largest, 1.05 * largest)
    axes[-1, 0].set_xlabel("time (s)")
    figure.supylabel("amplitude (1 = full scale)", fontsize=9.5)
    levels = join([f"{name} {peak:.2f}" for name, peak in peaks.items()])
    return Drawing(figure, description or f"Waveforms over time, peaks: {levels} of full scale.")


def spectrograms(
    planes: Mapping[str, Tensor], description: str = "", max_hz: float = report.SAMPLE_RATE / 2,
    rate_hz: float = report.SAMPLE_RATE, columns: int = 1,
) -> Drawing:
    """Spectrograms in dB below the loudest bin of all of them, on the same scale.

    Args:
        planes: title → `(part, freq, frame)` or complex `(freq, frame)`.
        description: what is to be seen; a sentence of the titles if empty.
        max_hz: upper end of the frequency axis.
        rate_hz: sample rate that the spectrograms were made at.
        columns: how many stand side by side.

    Raises:
        ValueError: if there are no spectrograms.
    """
    require(planes, "spectrograms")
    rows = -(-len(planes) // columns)
    figure, axes = canvas(rows, columns, height_in=0.6 + 1.9 * rows, sharex=True, sharey=True, squeeze=False)
    magnitudes = {title: _magnitude(plane) for title, plane in planes.items()}
    reference = max(magnitude.max(initial=0.0) for magnitude in magnitudes.values())
    for axis, (title, magnitude) in zip(axes.flat, magnitudes.items(), strict=False):
        image = spectrogram_image(axis, magnitude, reference, rate_hz)
        axis.set(title=title, ylim=(0, max_hz))
    for axis in list(axes.flat)[len(planes) :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
    for axis in axes[:, 0]:
        axis.set_ylabel("frequency (Hz)")
    figure.colorbar(image, ax=axes, label="level (dB)", aspect=12 * rows, pad=0.01)
    names = join(list(planes))
    text = f"Spectrograms of {names}: time across, frequency up to {max_hz:.0f} Hz, brighter is louder."
    return Drawing(figure, description or text)


def spectrogram_image(
    axis: Axes, magnitude: np.ndarray, reference: float | None = None, rate_hz: float = report.SAMPLE_RATE,
    hop: int = report.HOP,
) -> AxesImage:
    """Draw a magnitude spectrogram into axes of one's own.

    Args:
        axis: where to draw.
        magnitude: `(freq, frame)`, not in dB.
        reference: magnitude of 0 dB; the largest if `None`.
        rate_hz: sample rate.
        hop: samples from frame to frame.
    """
    reference = reference or magnitude.max(initial=0.0) or 1.0
    level = 20 * np.log10(np.maximum(magnitude / reference, 10 ** (DB_LIMITS[0] / 20)))
    return _image(axis, level, rate_hz, hop, vmin=DB_LIMITS[0], vmax=DB_LIMITS[1])


def signed_image(
    axis: Axes, plane: np.ndarray, limit: float, rate_hz: float = report.SAMPLE_RATE, hop: int = report.HOP
) -> AxesImage:
    """Draw a real or an imaginary part: red above zero, blue below, white zero, nearly logarithmic.

    Args:
        axis: where to draw.
        plane: `(freq, frame)`.
        limit: value of the darkest colours; the colour scale is in parts of it.
        rate_hz: sample rate.
        hop: samples from frame to frame.
    """
    scale = SymLogNorm(linthresh=0.003, vmin=-1.0, vmax=1.0)
    # Nearest bin: an average over neighbouring bins of opposite signs would show nothing at all.
    return _image(axis, plane / limit, rate_hz, hop, norm=scale, cmap="RdBu_r", interpolation="nearest")


def bars(
    values: Mapping[str, float] | Mapping[str, Mapping[str, float]], unit: str, description: str = "",
    logarithmic: bool = False, form: str = ".3g",
) -> Drawing:
    """Horizontal bars with their values written beside them.

    Args:
        values: name → value, or group → name → value; a name in `COLOURS` gets its colour.
        unit: label of the axis, with the unit.
        description: what is to be seen; the values as a sentence if empty.
        logarithmic: a logarithmic axis.
        form: format of the values.

    Raises:
        ValueError: if there are no values.
    """
    require(values, "values")
    groups = values if isinstance(next(iter(values.values())), Mapping) else {"": values}
    rows = [(f"{group} {name}".strip(), name, value)
            for group, inner in groups.items() for name, value in inner.items()]
    figure, axis = canvas(height_in=0.75 + 0.29 * len(rows))
    places = np.arange(len(rows))[::-1]
    axis.barh(places, [value for *_, value in rows], height=0.7,
              color=[COLOURS.get(name, LINE_COLOURS[0]) for _, name, _ in rows])
    for place, (*_, value) in zip(places, rows, strict=True):
        offset, side = (-4, "right") if value < 0 else (4, "left")
        axis.annotate(f"{value:{form}}", (value, place), xytext=(offset, 0), textcoords="offset points", va="center",
                      ha=side, fontsize=9)
    axis.set_yticks(places, [label for label, *_ in rows])
    axis.set_xlabel(unit)
    axis.margins(x=0.12)
    if logarithmic:
        axis.set_xscale("log")
    else:
        axis.axvline(0, color="black", linewidth=0.8)
    text = f"{unit}: " + join([f"{label} {value:{form}}" for label, _, value in rows]) + "."
    return Drawing(figure, description or text)


def curves(
    lines: Mapping[str, tuple[ArrayLike, ArrayLike]], x_label: str, y_label: str, description: str,
    logarithmic: bool = False, height_in: float = 2.8,
) -> Drawing:
    """Curves in one pair of axes, told apart by colour and dash.

    Args:
        lines: name → x and y values; a name in `COLOURS` gets its colour.
        x_label: label of the x axis, with its unit.
        y_label: label of the y axis, with its unit.
        description: what is to be seen.
        logarithmic: a logarithmic x axis.
        height_in: height in inches.

    Raises:
        ValueError: if there are no curves, or no description.
    """
    require(lines, "curves")
    figure, axis = canvas(height_in=height_in)
    for index, (name, (x, y)) in enumerate(lines.items()):
        axis.plot(x, y, label=name, color=COLOURS.get(name, LINE_COLOURS[index % len(LINE_COLOURS)]),
                  linestyle=LINE_STYLES[index % len(LINE_STYLES)])
    axis.set_xscale("log" if logarithmic else "linear")
    whole = not logarithmic and all(np.all(np.mod(x, 1) == 0) for x, _ in lines.values())
    finish_curves(axis, x_label, y_label, whole)
    return Drawing(figure, description)


def _draw_waveform(axis: Axes, samples: np.ndarray, rate_hz: float, start_s: float, colour: str) -> None:
    """A line, or where there are several samples a pixel the band between their extremes."""
    step = -(-len(samples) // _PIXELS)
    if step <= 2:
        axis.plot(start_s + np.arange(len(samples)) / rate_hz, samples, color=colour, linewidth=1.0)
    else:
        whole = samples[: len(samples) // step * step].reshape(-1, step)
        times = start_s + np.arange(len(whole)) * step / rate_hz
        axis.fill_between(times, whole.min(axis=1), whole.max(axis=1), color=colour, linewidth=0.4)
    axis.margins(x=0)


def _magnitude(plane: Tensor | np.ndarray) -> np.ndarray:
    values = np.asarray(plane)
    return np.abs(values) if values.ndim == 2 else np.hypot(values[0], values[1])


def _image(axis: Axes, values: np.ndarray, rate_hz: float, hop: int, **options: Any) -> AxesImage:
    """Values `(freq, frame)`, each centred on its time in s and its frequency in Hz."""
    n_bins, n_frames = values.shape
    bin_hz = rate_hz / 2 / (n_bins - 1)
    edges = (-0.5 * hop / rate_hz, (n_frames - 0.5) * hop / rate_hz, -0.5 * bin_hz, rate_hz / 2 + 0.5 * bin_hz)
    return axis.imshow(values, origin="lower", aspect="auto", extent=edges, **options)


def require(values: Mapping[str, object], what: str) -> None:
    """Refuse to draw nothing, with a `ValueError`."""
    if not values:
        raise ValueError(f"there are no {what} to draw; at least one is needed")
