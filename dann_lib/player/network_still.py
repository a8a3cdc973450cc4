"""The static twin of the network explorer: one plane of each stage, from the same pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from dann_lib.figures.style import Drawing, canvas

_COLUMNS = 4


def draw_maps(shown: Sequence[Mapping[str, Any]], description: str) -> Drawing:
    """Draw the first plane of each stage, in the order in which the song meets them.

    Args:
        shown: of `network_data.network_stages`.
        description: the network in words.
    """
    n_rows = -(-len(shown) // _COLUMNS)
    figure, axes = canvas(n_rows, _COLUMNS, height_in=0.4 + 1.55 * n_rows)
    for axis in axes.flat[len(shown) :]:
        axis.axis("off")
    for axis, stage in zip(axes.flat, shown, strict=False):
        extent = (0, stage["seconds"], 0, stage["top_hz"] / 1000)
        axis.imshow(first_plane(stage), aspect="auto", extent=extent, interpolation="nearest")
        axis.set_title(f"{stage['name']}\n{stage['maps'][0]['name']}", fontsize=8.5, fontweight="normal")
        axis.tick_params(labelsize=8)
    for axis in axes[:, 0]:
        axis.set_ylabel("kHz")
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
    top_hz = shown[0]["top_hz"]
    words = f"{description} One plane of each stage for a song, from the input to the estimates, up to {top_hz:.0f} Hz."
    return Drawing(figure, words)


def first_plane(stage: Mapping[str, Any]) -> np.ndarray:
    """Colours `(row, column, 3)` of a stage's first plane, high frequencies first."""
    sheet = Image.open(io.BytesIO(base64.b64decode(stage["sheet"]))).convert("RGB")
    return np.asarray(sheet)[: stage["height"]]
