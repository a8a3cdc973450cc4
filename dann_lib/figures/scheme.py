"""Figures 3 and 4 of the report: a network as a row of layers, drawn from a network object."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import nn

from dann_lib.figures.style import PART_COLOURS, Drawing, canvas, join
from dann_lib.figures.tracing import Stage, concat_number, in_words, list_concats, stages, trace


def figure_3(network: nn.Module) -> Drawing:
    """Figure 3: the scheme of a deep auto-encoder (report, I.b).

    Args:
        network: one without skip connections, such as `DANN(skips=())` or `DeepAutoEncoder()`.

    Raises:
        ValueError: if the network has skip connections.
    """
    found = stages(trace(network))
    if any(stage.skip is not None for stage in found):
        raise ValueError(f"this network has {list_concats(found)}; figure 3 shows one without: draw it with figure_4")
    return _scheme(found, f"Figure 3. {in_words(network, found)}")


def figure_4(network: nn.Module) -> Drawing:
    """Figure 4: the same scheme with numbered layers and the skip connections (report, I.c).

    Args:
        network: one of `dann_lib.network`.
    """
    found = stages(trace(network))
    pairs = [f"layer {stage.skip + 1} is concatenated with layer {number}"
             for number, stage in enumerate(found, start=1) if stage.skip is not None]
    words = f" In it, {join(pairs)}." if pairs else ""
    return _scheme(found, f"Figure 4. {in_words(network, found)}{words}")


def _scheme(found: list[Stage], description: str) -> Drawing:
    """Layers from left to right: height is the resolution, width the number of feature maps."""
    figure, axis = canvas(height_in=3.7)
    bars = [(*_size(found[0], found[0].n_in, "parts", "values"), "", "white")]
    bars += [(*_size(stage, stage.n_out, "maps", "units"), str(number), PART_COLOURS[stage.role])
             for number, stage in enumerate(found, start=1)]
    largest = max(math.log2(extent) for _, extent, *_ in bars)
    n_skips = sum(stage.skip is not None for stage in found)
    axis.set(xlim=(-1.5, len(found) - 0.5), ylim=(-1.08, 1.15 + 0.3 * n_skips))
    axis.axis("off")
    arrow = {"arrowstyle": "-|>", "color": "#444444", "shrinkA": 1, "shrinkB": 1}
    tops, last_right = [], None
    for place, (planes, extent, label, number, colour) in enumerate(bars, start=-1):
        height = math.log2(extent) / largest
        width = 0.1 + 0.5 * min(1.0, planes / 64) if len(found[0].size) == 2 else 0.2
        axis.add_patch(Rectangle((place - width / 2, 0.5 - height / 2), width, height, facecolor=colour,
                                 edgecolor="black", linewidth=1))
        axis.text(place, -0.04, number or "input", ha="center", va="top", fontsize=9.5, fontweight="bold")
        axis.text(place, -0.2, label, ha="center", va="top", fontsize=8.5, linespacing=1.25)
        if last_right is not None:
            axis.annotate("", (place - width / 2, 0.5), (last_right, 0.5), arrowprops=arrow)
        tops.append(0.5 + height / 2)
        last_right = place + width / 2
    _name_parts(axis, found)
    _draw_arcs(axis, found, tops[1:])
    return Drawing(figure, description)


def _name_parts(axis: Axes, found: list[Stage]) -> None:
    """The names of the parts, below the layers that they are made of."""
    maps = len(found[0].size) == 2
    names = {"encoder": "encoder: MaxPool (1)" if maps else "encoder", "bottleneck": "narrowest",
             "decoder": "decoder: UpSample (2)" if maps else "decoder", "masks": "masks"}
    for role, name in names.items():
        places = [place for place, stage in enumerate(found) if stage.role == role]
        if places:
            axis.plot([places[0] - 0.4, places[-1] + 0.4], [-0.8, -0.8], color="black", linewidth=1.2)
            axis.text((places[0] + places[-1]) / 2, -0.85, name, ha="center", va="top", fontsize=8.5)


def _draw_arcs(axis: Axes, found: list[Stage], tops: list[float]) -> None:
    """Skip connections as brackets above the layers, the outer ones higher."""
    skips = sorted((stage.depth, place) for place, stage in enumerate(found) if stage.skip is not None)
    for level, (_, place) in enumerate(reversed(skips)):
        start, height = found[place].skip, 1.16 + 0.3 * level
        axis.plot([start, start, place], [tops[start], height, height], color="#b36b00", linewidth=1.8)
        arrow = {"arrowstyle": "-|>", "color": "#b36b00", "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", (place, tops[place]), (place, height), arrowprops=arrow)
        axis.text((start + place) / 2, height + 0.03, f"Concat {concat_number(found, found[place])}", ha="center",
                  va="bottom", fontsize=9.5, color="#7a4a00")


def _size(stage: Stage, planes: int, maps: str, units: str) -> tuple[int, int, str]:
    """Planes, bins (or units of a fully connected layer), and both in words."""
    if len(stage.size) == 1:
        return planes, planes, f"{planes}\n{units}"
    return planes, stage.size[0], f"{planes} {maps}\n{stage.size[0]}\n× {stage.size[1]}"
