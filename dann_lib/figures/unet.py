"""Figure 1 of the report: a U-net with its masks, drawn from a network object."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import nn

from dann_lib import report
from dann_lib.figures.style import COLOURS, PART_COLOURS, Drawing, canvas
from dann_lib.figures.tracing import Stage, concat_number, in_words, stages, trace

_ROW = 13.0
"""Distance of the rows; the sheet is 100 wide."""

_LEFT, _RIGHT, _STEP = 24.5, 78.0, 4.2
"""Where the first encoder and the last decoder block stand, and how far each row is moved inwards."""

_GAP, _CONCAT_GAP = 3.2, 11.0
"""Room for the arrow before a decoder block, and for the arrow of a skip connection with its name."""

_SKIP_LINE, _SKIP_TEXT, _SMALL = "#b36b00", "#7a4a00", 8.5


class _Block(NamedTuple):
    """A block on the sheet: its edges, and the height of its middle."""

    left: float
    right: float
    y: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


def figure_1(network: nn.Module) -> Drawing:
    """Figure 1: the whole of DANN, with the masks multiplied by the input (report, I.a).

    Everything is read off a forward pass: a network with other layers or skip connections gives another
    drawing.

    Args:
        network: a U-net of `dann_lib.network`.

    Raises:
        ValueError: if the network is not drawn as a U: it has no encoder and decoder of feature maps.
    """
    found = stages(trace(network))
    depth = max(stage.depth for stage in found)
    if depth == 0 or any(len(stage.size) != 2 for stage in found):
        raise ValueError(f"{type(network).__name__} is no U-net of feature maps; draw it with figure_3")
    figure, axis = canvas(height_in=5.9)
    axis.set(xlim=(0, 100), ylim=(-_ROW * depth - 8, 2.6 * _ROW))
    axis.axis("off")
    _Sheet(axis, found).draw()
    return Drawing(figure, f"Figure 1. {in_words(network, found)} The masks are multiplied by the input.")


class _Sheet:
    """Places the stages of a network on axes."""

    def __init__(self, axis: Axes, found: list[Stage]) -> None:
        self.axis, self.found = axis, found
        self.unit = _map_width(found)
        self.encoder: list[_Block] = []

    def draw(self) -> None:
        """Draw from the input, down the encoder and up the decoder, to the estimates."""
        before: _Block | None = None
        place = {"encoder": self._encoder, "bottleneck": self._bottleneck, "decoder": self._decoder}
        for stage in self.found[:-1]:
            before = place[stage.role](stage, before)
        self._masks(self.found[-1], before)
        self._legend()

    def _encoder(self, stage: Stage, above: _Block | None) -> _Block:
        left, y = _LEFT + _STEP * stage.depth, -_ROW * stage.depth
        block = self._block(left, y, stage.n_out, "encoder")
        self._text(left - 1.2, y, _label(stage), ha="right")
        if above is not None:
            self._arrow((above.middle, above.y - 4.2), (block.middle, y + 4.2))
        if stage.depth == 1:
            self._text((above.middle + block.middle) / 2 + 2, y + _ROW / 2, "MaxPool (1)")
        self.encoder.append(block)
        return block

    def _bottleneck(self, stage: Stage, above: _Block) -> _Block:
        y = -_ROW * stage.depth
        block = self._block(50 - self.unit * stage.n_out / 2, y, stage.n_out, "bottleneck")
        self._text(block.right + 1.2, y - 1, _label(stage))
        self._arrow((above.middle, above.y - 4.2), (block.left - 0.3, y), bend="angle,angleA=-90,angleB=180,rad=4")
        return block

    def _decoder(self, stage: Stage, below: _Block) -> _Block:
        """The up-sampled maps, those of the skip connection, and what is made of both."""
        y, right = -_ROW * stage.depth, _RIGHT - _STEP * stage.depth
        block = self._block(right - self.unit * stage.n_out, y, stage.n_out, "decoder")
        self._text(right + 1.2, y, _label(stage))
        n_skip = 0 if stage.skip is None else self.found[stage.skip].n_out
        edge = block.left - _GAP
        up_sampled = self._block(edge - self.unit * (stage.n_in - n_skip), y, stage.n_in - n_skip, "masks")
        self._arrow((edge, y), (block.left, y))
        self._arrow((below.middle, below.y + 4.2), (up_sampled.middle, y - 4.2))
        if stage.depth == 0:
            self._text(up_sampled.middle - 2.2, y - _ROW / 2, "UpSample (2)", ha="right")
        if n_skip:
            joined = self._block(up_sampled.left - self.unit * n_skip, y, n_skip, "skip")
            start = self.encoder[stage.skip].right
            self._arrow((start + 0.2, y), (joined.left - 0.2, y), _SKIP_LINE)
            name = f"Concat {concat_number(self.found, stage)}"
            self._text((start + joined.left) / 2, y + 1.8, name, ha="center", color=_SKIP_TEXT)
        return block

    def _masks(self, stage: Stage, last: _Block) -> None:
        """The input on the left, the masks on the right, their product and the estimates above."""
        x, top, middle, n_sources = self.encoder[0].middle, 2.05 * _ROW, 1.05 * _ROW, stage.n_out // 2
        size = f"{self.found[0].n_in} × {stage.size[0]} × {stage.size[1]}"
        self._text(1, top, f"input I\nreal and imaginary part\n{size}")
        self.axis.plot([22.5, x], [top, top], color="#444444", linewidth=1.2)
        self._arrow((x, top), (x, 4.2))
        self._arrow((x, top), (last.middle - 2.7, top))
        self._text((x + last.middle) / 2, top + 1.8, "the input itself", ha="center")
        self._rectangle(last.middle - 4, middle, 8, "masks")
        self._text(last.middle, middle, "M", ha="center", fontsize=10, fontweight="bold")
        self._text(last.middle + 5, middle, f"masks\n{n_sources} sources\n× 2 parts")
        self._arrow((last.middle, 4.2), (last.middle, middle - 4.0))
        self._arrow((last.middle, middle + 4.0), (last.middle, top - 3.0))
        circle = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": "black"}
        self._text(last.middle, top, "×", ha="center", fontsize=13, bbox=circle)
        for row, source in enumerate(report.SOURCES[:n_sources]):
            y, colour = top + 4.5 * (1 - row), COLOURS[source]
            self._arrow((last.middle + 2.4, top), (84.5, y), colour)
            self._text(85, y, source, fontsize=9, color=colour, fontweight="bold")

    def _legend(self) -> None:
        bottom = -_ROW * max(stage.depth for stage in self.found)
        names = {"encoder": "encoder", "decoder": "decoder", "masks": "up-sampled", "skip": "skip connection"}
        for row, (part, name) in enumerate(names.items()):
            self._rectangle(2, bottom + 5.5 - 4 * row, 3, part, height=2.4)
            self._text(6.2, bottom + 5.5 - 4 * row, name)

    def _block(self, left: float, y: float, n_maps: int, part: str) -> _Block:
        self._rectangle(left, y, self.unit * n_maps, part)
        return _Block(left, left + self.unit * n_maps, y)

    def _rectangle(self, left: float, y: float, width: float, part: str, height: float = 8.0) -> None:
        hatch = "////" if part == "skip" else None
        self.axis.add_patch(Rectangle((left, y - height / 2), width, height, facecolor=PART_COLOURS[part],
                                      edgecolor="black", linewidth=0.9, hatch=hatch))

    def _text(self, x: float, y: float, text: str, **options: object) -> None:
        self.axis.text(x, y, text, **({"va": "center", "fontsize": _SMALL, "linespacing": 1.3} | options))

    def _arrow(
        self, start: tuple[float, float], end: tuple[float, float], colour: str = "#444444", bend: str = "arc3,rad=0"
    ) -> None:
        self.axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color=colour,
                                            linewidth=1.2, connectionstyle=bend, shrinkA=0, shrinkB=0))


def _map_width(found: list[Stage]) -> float:
    """Width of one feature map, so that in every row there is room for the skip connection's name."""
    widths = [0.11]
    for stage in found:
        if stage.role == "decoder":
            room = _RIGHT - _LEFT - 2 * _STEP * stage.depth - _GAP - _CONCAT_GAP
            partner = next(other for other in found if other.role == "encoder" and other.depth == stage.depth)
            widths.append(room / (partner.n_out + stage.n_in + stage.n_out))
    return max(0.01, min(widths))


def _label(stage: Stage) -> str:
    count, kernel = len(stage.layers), " × ".join(map(str, stage.layers[0].kernel))
    convolutions = "convolution" if count == 1 else "convolutions"
    return f"{stage.n_out} maps, {stage.size[0]} × {stage.size[1]}\n{count} {convolutions} {kernel}"
