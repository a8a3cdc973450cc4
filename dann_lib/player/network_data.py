"""The feature maps of a network as small pictures, for the explorer of its stages and its static twin."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from dann_lib import report
from dann_lib.figures.style import DB_LIMITS, Drawing, canvas, join
from dann_lib.figures.tracing import Stage, concat_number, feature_maps, stages, trace
from dann_lib.network import apply_masks
from dann_lib.player.frame import colour_map
from dann_lib.spectrogram import magnitude_db

LARGEST = (64, 96)
"""Rows and columns of a picture at most."""

N_LEVELS = 25
"""Colours of a picture; odd, so that zero has one of its own where values have a sign."""

_PARTS = ("real part", "imaginary part")
_COLUMNS = 4


class Shown(NamedTuple):
    """A stage, or the input, the masks, the estimates, with the planes that are drawn of it.

    Attributes:
        role: as in `tracing.Stage`, or `"input"`, `"estimates"`.
        words: what it does.
        side: `"left"`, `"middle"` or `"right"` of the U.
        row: of the U, from the top.
        values: planes `(plane, freq, frame)`, and their names.
        n_planes: that there are; `values` may be a choice of them.
        kind: `"positive"`, `"signed"` or `"dB"`.
        factor: bins and frames of the input that one bin and one frame stand for.
    """

    name: str
    role: str
    words: str
    side: str
    row: int
    values: Tensor
    names: list[str]
    n_planes: int
    kind: str
    factor: int = 1


def network_data(
    network: nn.Module, planes: Tensor, n_maps: int, max_hz: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The stages of a U-net from input to estimates, each with its planes for a song, and what leads across the U.

    Args:
        network: a U-net of `dann_lib.network`.
        planes: `(part, freq, frame)`, with the gain of the training.
        n_maps: feature maps of a stage that are shown: those that vary most.
        max_hz: upper end of the pictures.

    Returns:
        For each stage what `network_explorer.js` reads; the input itself and the skip connections with their
        numbers of maps.

    Raises:
        ValueError: if the planes are no spectrogram, or the network is no U-net of feature maps.
    """
    if planes.ndim != 3:
        raise ValueError(f"the planes have shape {tuple(planes.shape)}; expected (part, freq, frame) of one song")
    found = stages(trace(network, *planes.shape[1:]))
    if max(stage.depth for stage in found) == 0 or any(len(stage.size) != 2 for stage in found):
        raise ValueError(f"{type(network).__name__} is no U-net of feature maps; give a DANN")
    outputs, masks = feature_maps(network, planes)
    ends = np.cumsum([len(stage.layers) for stage in found]) - 1
    words = "Real and imaginary part of the song's spectrogram, with the gain of the training."
    shown = [
        Shown("Input I", "input", words, "left", 0, planes, list(_PARTS), len(_PARTS), "signed"),
        *(_maps(found, stage, outputs[end], n_maps) for stage, end in zip(found[:-1], ends, strict=False)),
        _masks(masks), _estimates(masks, planes),
    ]
    widest = max(stage.n_out for stage in found)
    links: list[dict[str, Any]] = [{"row": 0, "name": "the input itself", "skip": False, "maps": 0}]
    links += [{"row": 2 + stage.depth, "name": f"Concat {concat_number(found, stage)}", "skip": True,
               "maps": found[stage.skip].n_out} for stage in found if stage.skip is not None]
    return [_payload(each, max_hz, widest) for each in shown], links


def draw_maps(shown: Sequence[Mapping[str, Any]], description: str) -> Drawing:
    """Draw the first plane of each stage of `network_data`; `description` says the network in words."""
    n_rows = -(-len(shown) // _COLUMNS)
    figure, axes = canvas(n_rows, _COLUMNS, height_in=0.4 + 1.55 * n_rows)
    for axis in axes.flat[len(shown) :]:
        axis.axis("off")
    for axis, stage in zip(axes.flat, shown, strict=False):
        sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(stage["sheet"]))).convert("RGB"))
        extent = (0, stage["seconds"], 0, stage["top_hz"] / 1000)
        axis.imshow(sheet[: stage["height"]], aspect="auto", extent=extent, interpolation="nearest")
        axis.set_title(f"{stage['name']}\n{stage['maps'][0]['name']}", fontsize=8.5, fontweight="normal")
        axis.tick_params(labelsize=8)
    for axis in axes[:, 0]:
        axis.set_ylabel("kHz")
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
    top_hz = shown[0]["top_hz"]
    words = f"{description} One plane of each stage for a song, from the input to the estimates, up to {top_hz:.0f} Hz."
    return Drawing(figure, words)


def _maps(found: list[Stage], stage: Stage, output: Tensor, n_maps: int) -> Shown:
    """What a stage gives out, of its feature maps those with the largest variance in their order."""
    order = output.flatten(1).var(dim=1).argsort(descending=True, stable=True)
    chosen = sorted(order[:n_maps].tolist())
    name = "Bottleneck" if stage.role == "bottleneck" else f"{stage.role.capitalize()} {stage.depth + 1}"
    side = {"encoder": "left", "decoder": "right"}.get(stage.role, "middle")
    names = [f"map {index + 1}" for index in chosen]
    return Shown(name, stage.role, _words(found, stage), side, 2 + stage.depth, output[chosen], names, stage.n_out,
                 "positive", 2**stage.depth)


def _masks(masks: Tensor) -> Shown:
    sources = _source_names(len(masks))
    words = (f"A convolution makes two masks for each of {join(sources)}: one for the real, one for the imaginary "
             "part. 1 lets a value pass, 0 (white) takes it away, negative ones (blue) turn its sign.")
    names = [f"{source}, {part}" for source in sources for part in _PARTS]
    return Shown("Masks M", "masks", words, "right", 1, masks.flatten(0, 1), names, len(names), "signed")


def _estimates(masks: Tensor, planes: Tensor) -> Shown:
    """Magnitudes of the estimates and the mixture, in dB below the loudest bin of all."""
    level = magnitude_db(torch.cat((apply_masks(masks[None], planes[None])[0], planes[None])))
    names = [*_source_names(len(masks)), "mixture"]
    words = "Masks times input, part by part; drawn are magnitudes, and the mixture beside them on the same scale."
    return Shown("Estimates", "estimates", words, "right", 0, level, names, len(masks), "dB")


def _source_names(n_sources: int) -> list[str]:
    known = {len(names): names for names in (report.SOURCES, report.STEMS)}
    return list(known.get(n_sources, [f"source {index + 1}" for index in range(n_sources)]))


def _words(found: list[Stage], stage: Stage) -> str:
    """What a stage does, read off its layers."""
    count, kernel = len(stage.layers), " × ".join(str(size) for size in stage.layers[0].kernel)
    doing = "a convolution" if count == 1 else f"{count} convolutions"
    made = f"{doing} of {kernel}, with normalisation and rectifier, to {stage.n_out} maps"
    if stage.role == "decoder":
        n_skip = 0 if stage.skip is None else found[stage.skip].n_out
        joined = f"joined to the {n_skip} maps of Concat {concat_number(found, stage)}" if n_skip else "joined to none"
        return f"{stage.n_in - n_skip} maps from below, up-sampled (2) and {joined}; then {made}."
    before = "From the two parts of the input" if stage.depth == 0 else f"From {stage.n_in} maps, max pooled (1)"
    least = " The least room for the song: what does not fit has to take a skip connection, or is lost."
    return f"{before}: {made}.{least if stage.role == 'bottleneck' else ''}"


def _payload(shown: Shown, max_hz: float, widest: int) -> dict[str, Any]:
    """A stage as plain data, with one picture that holds all its planes below each other."""
    n_bins, n_frames = shown.values.shape[1:]
    bin_hz = shown.factor * report.SAMPLE_RATE / report.N_FFT
    frame_s = shown.factor * report.HOP / report.SAMPLE_RATE
    n_shown = min(n_bins, max(1, round(max_hz / bin_hz)))
    pictures = peaks(shown.values[:, :n_shown])
    levels, marks = _levels(pictures, shown.kind)
    colours = colour_map("RdBu_r" if shown.kind == "signed" else "magma", N_LEVELS)
    return {
        "name": shown.name, "role": shown.role, "side": shown.side, "row": shown.row, "words": shown.words,
        "n_planes": shown.n_planes, "planes": "maps" if shown.kind == "positive" else "planes",
        "bins": n_bins, "frames": n_frames, "bin_hz": bin_hz, "frame_s": frame_s,
        "top_hz": n_shown * bin_hz, "seconds": n_frames * frame_s, "unit": " dB" if shown.kind == "dB" else "",
        "bar": round(100 * shown.n_planes / widest, 1), "marks": marks,
        "colours": colours,
        "height": pictures.shape[1], "width": pictures.shape[2], "sheet": _png(levels, colours),
        "maps": [  # `zero`: the share of places that the rectifier set to zero
            {"name": name, "low": float(plane.min()), "high": float(plane.max()),
             "zero": float((plane == 0).float().mean()) if shown.kind == "positive" else None}
            for plane, name in zip(shown.values, shown.names, strict=True)
        ],
    }


def peaks(planes: Tensor) -> Tensor:
    """Make planes small enough to be drawn: of the values in a pixel the one farthest from zero stays."""
    size = [min(found, most) for found, most in zip(planes.shape[1:], LARGEST, strict=True)]
    highest = functional.adaptive_max_pool2d(planes, size)
    lowest = -functional.adaptive_max_pool2d(-planes, size)
    return torch.where(highest >= -lowest, highest, lowest)


def _levels(pictures: Tensor, kind: str) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Indices of colours `(plane, row, column)`, and which share of the scale stands for which value."""
    values = pictures.numpy().astype(np.float64)
    if kind == "dB":
        low, high = DB_LIMITS
        share = (values - low) / (high - low)
        marks = [(0.0, f"{low:.0f} dB"), (0.5, f"{(low + high) / 2:.0f} dB"), (1.0, f"{high:.0f} dB")]
    else:
        # A square root, since few places are large; one value in 500 may be beyond the end of the scale.
        limit = float(np.quantile(np.abs(values), 0.998)) or 1.0
        root = np.sign(values) * np.sqrt(np.minimum(np.abs(values) / limit, 1.0))
        share = (1 + root) / 2 if kind == "signed" else root
        ends = [-limit, -limit / 4, 0, limit / 4, limit] if kind == "signed" else [0, limit / 4, limit]
        marks = [(index / (len(ends) - 1), f"{value:.2g}".replace("-", "−")) for index, value in enumerate(ends)]
    return np.rint(np.clip(share, 0.0, 1.0) * (N_LEVELS - 1)).astype(np.uint8), marks


def _png(levels: np.ndarray, colours: list[str]) -> str:
    """Planes below each other as a PNG in base64, low frequencies at the bottom of each."""
    image = Image.fromarray(np.concatenate(levels[:, ::-1]), mode="P")
    image.putpalette(bytes.fromhex("".join(colours).replace("#", "")))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True, bits=8)
    return base64.b64encode(buffer.getvalue()).decode()
