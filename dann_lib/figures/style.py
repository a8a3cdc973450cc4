"""One style for all figures: colours, sizes, and a figure that carries its description."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from dann_lib.files import atomic_write

COLOURS: Mapping[str, str] = MappingProxyType(
    {"mixture": "#4d4d4d", "vocals": "#d55e00", "drums": "#0072b2", "bass": "#009e73", "other": "#cc79a7"}
)
"""Colour of each signal, the same everywhere (palette of Okabe and Ito, safe for colour-blind readers)."""

LINE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours of curves that are no signals, in this order."""

LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
"""Dashes that go with `LINE_COLOURS`, so that colour is never the only sign."""

PART_COLOURS: Mapping[str, str] = MappingProxyType(
    {"encoder": "#9ecae9", "bottleneck": "#bdbdbd", "decoder": "#a5d6a7", "skip": "#f6c667", "masks": "white"}
)
"""Fill colours of a network's parts; each is also named in writing."""

DB_LIMITS = (-80.0, 0.0)
"""Limits of every spectrogram in dB, below the loudest bin that the figure shows."""

WIDTH_IN = 7.0
"""Width of every figure in inches: 700 pixels at `DPI`."""

LEGEND_LETTERS = 72
"""That fit into a row of a legend above the axes, beside its lines."""

DPI = 100

NARROW = 90
"""Pixels; what is narrower is no panel of its own."""

_STYLE = {
    "figure.facecolor": "white", "savefig.facecolor": "white", "axes.facecolor": "white",
    "font.family": "DejaVu Sans", "font.size": 9.5,
    "axes.titlesize": 10.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.labelsize": 9.5, "xtick.labelsize": 9.0, "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": False, "grid.color": "#dddddd", "grid.linewidth": 0.7,
    "lines.linewidth": 1.7, "hatch.linewidth": 0.6,
    "image.interpolation": "auto", "image.cmap": "magma",
}


_DARK = "var(--jp-shadow-base-lightness,0)"
"""The one number that JupyterLab's themes differ in: 0 in the light, 32 in the dark; elsewhere nobody sets it."""

_IN_DARK = {"dann-lines": f"invert(calc({_DARK}*0.028)) hue-rotate(calc({_DARK}*5.625deg))",
            "dann-map": f"brightness(calc(1 - {_DARK}*0.005))"}
"""What a figure looks like in the dark: lines turn light on a dark ground, colours keep their hue, maps are dimmed."""


@dataclass(frozen=True)
class Drawing:
    """A figure and what it shows in words, for those who cannot see it, and for those who do not see it yet.

    A notebook shows the description below the figure.
    """

    figure: Figure
    description: str

    def __post_init__(self) -> None:
        """Refuse a figure without words, with a `ValueError`."""
        if not self.description.strip():
            raise ValueError("the figure has no description; say in a sentence what it shows")

    def png(self, dpi: int = DPI) -> bytes:
        """The figure as PNG, the same bytes for the same drawing.

        It has 256 colours: a third of the size, and no difference to the eye.
        """
        return _encode(self._pixels(dpi))

    def _pixels(self, dpi: int = DPI) -> Image.Image:
        self.figure.set_dpi(dpi)
        canvas_of_pixels = FigureCanvasAgg(self.figure)
        canvas_of_pixels.draw()
        pixels = Image.fromarray(np.asarray(canvas_of_pixels.buffer_rgba())).convert("RGB")
        return pixels.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)

    def _panels(self) -> list[Image.Image]:
        """The figure, cut where its columns of axes part: a page puts them below each other where it is narrow."""
        pixels = self._pixels()
        boxes = (axis.get_tightbbox() for axis in self.figure.axes) if self.figure.get_suptitle() == "" else ()
        columns: list[list[float]] = []
        for left, right in sorted((box.x0, box.x1) for box in boxes if box is not None):
            if columns and (left < columns[-1][1] or right - left < NARROW):  # a colour bar is part of a panel
                columns[-1][1] = max(right, columns[-1][1])
            else:
                columns.append([left, right])
        cuts = [0, *(round((one[1] + other[0]) / 2) for one, other in pairwise(columns)), pixels.width]
        return [pixels.crop((left, 0, right, pixels.height)) for left, right in pairwise(cuts)]

    def save(self, path: Path | str, dpi: int = 150) -> Path:
        """Write the figure; the suffix decides the format (`.png`, `.svg`, `.pdf`).

        Raises:
            OutputError: if the file cannot be written.
            ValueError: if matplotlib does not know the format.
        """
        path = Path(path)
        with atomic_write(path) as temporary:
            self.figure.savefig(temporary, dpi=dpi)
        return path

    def _repr_html_(self) -> str:
        text, panels = html.escape(self.description, quote=True), self._panels()
        kind = "dann-map" if any(axis.images for axis in self.figure.axes) else "dann-lines"
        images = "".join(
            f'<img alt="{text if number == 1 else f"the same figure, panel {number} of {len(panels)}"}" '
            f'src="data:image/png;base64,{base64.b64encode(_encode(panel)).decode()}" '
            f'style="flex:0 1 {panel.width}px;min-width:0;background:white;filter:{_IN_DARK[kind]}">'
            for number, panel in enumerate(panels, 1))
        box = f'<div class="dann-panels {kind}" style="display:flex;align-items:start">{images}</div>'
        return (f'<figure style="margin:0.5em 0">{box}<figcaption style="max-width:44em">{text}</figcaption></figure>')

    def __repr__(self) -> str:
        return self.description


def _encode(pixels: Image.Image) -> bytes:
    buffer = io.BytesIO()
    pixels.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def use_style() -> None:
    """Set matplotlib's defaults to the course's style: white background, sizes readable at 700 pixels."""
    mpl.rcParams.update(_STYLE)


def canvas(rows: int = 1, columns: int = 1, height_in: float = 3.0, **options: Any) -> tuple[Figure, Any]:
    """An empty figure in the course's style, as wide as a page, and its axes, as `plt.subplots` gives them.

    It has rows and columns of axes, and a height in inches; `options` are those of `Figure.subplots`, such as
    `sharex`. It does not show itself: see `show`.
    """
    use_style()
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.07, h_pad=0.07)
    return figure, figure.subplots(rows, columns, **options)


def show(figure: Figure, description: str) -> Drawing:
    """A figure of one's own with its description, to be the last line of a cell."""
    return Drawing(figure, description)


def finish_curves(axis: Axes, x_label: str, y_label: str, whole: bool = True) -> None:
    """Name both axes, number the x axis in whole numbers or not, and put the legend above, where it covers nothing."""
    axis.set(xlabel=x_label, ylabel=y_label)
    if whole:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(True)
    labels = sorted((len(label) for label in axis.get_legend_handles_labels()[1]), reverse=True)
    columns = next((count for count in (3, 2) if sum(labels[:count]) <= LEGEND_LETTERS), 1)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(labels), columns), borderaxespad=0.2)


def join(words: Iterable[object]) -> str:
    """`a, b and c`."""
    words = [str(word) for word in words]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
