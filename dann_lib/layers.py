"""The layers that DANN and the networks beside it share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

N_PARTS = 2
"""Real and imaginary part."""


def up_sample(features: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear interpolation with aligned corners, equation (2).

    Args:
        features: `(batch, channel, freq, frame)`.
        size: bins and frames of the result; twice as many, and one more where the encoder's were odd.

    Returns:
        `(batch, channel, *size)`.
    """
    return functional.interpolate(features, size=tuple(size), mode="bilinear", align_corners=True)


def convolution(n_in: int, n_out: int, kernel: int) -> nn.Sequential:
    """Convolution of unchanged size, normalisation of each feature map of each chunk, rectifier."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, bias=False),
        nn.InstanceNorm2d(n_out, affine=True),
        nn.ReLU(),
    )


def dense(n_in: int, n_out: int, context: int = 1) -> nn.Sequential:
    """A fully connected layer for each frame and its neighbours; a convolution over time is just that."""
    return nn.Sequential(
        nn.Conv1d(n_in, n_out, context, padding=context // 2, bias=False), nn.GroupNorm(1, n_out), nn.ReLU()
    )


def check_spectrogram(spectrogram: Tensor, smallest: tuple[int, int] = (1, 1), n_bins: int | None = None) -> None:
    """Refuse an input of a network that is no batch of spectrograms.

    Args:
        spectrogram: should be `(batch, part, freq, frame)`.
        smallest: bins and frames that are needed at least.
        n_bins: bins that are needed exactly, if not None.

    Raises:
        ValueError: saying what was found and what was expected.
    """
    shape = tuple(spectrogram.shape)
    if len(shape) != 4 or shape[1] != N_PARTS:
        raise ValueError(f"the input has shape {shape}, expected (batch, 2 parts, freq, frame)")
    if shape[2] < smallest[0] or shape[3] < smallest[1]:
        raise ValueError(
            f"{shape[2]} bins by {shape[3]} frames are too few; at least {smallest[0]} by {smallest[1]} are needed"
        )
    if n_bins is not None and shape[2] != n_bins:
        raise ValueError(f"the input has {shape[2]} bins; this network was built for {n_bins}")
