"""DANN, and the networks that the report compares it with (report, I).

All have one interface: a spectrogram `(batch, part, freq, frame)` goes in, masks `(batch, source, part,
freq, frame)` come out, and `apply_masks` multiplies (I.a). So each is trained and scored by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from dann_lib import report

N_PARTS = 2
"""Real and imaginary part."""

SMALLEST = (2 * 2**report.N_POOLINGS, 2**report.N_POOLINGS)
"""Bins and frames that DANN needs: two values in each feature map of the bottleneck, to normalise it."""


class DANN(nn.Module):
    """Asymmetric U-net on the real and imaginary part of a spectrogram (report, I.a to I.c).

    Four 2x2 max poolings (1) take the spectrogram to 1/16 of its resolution, four bilinear
    up-samplings (2) bring it back. Concat `k` joins the encoder's features at 1/2^(4 - k) of the
    resolution to the decoder: 1 next to the bottleneck at 1/8, 2 at 1/4, 3 at 1/2, and 4 at full
    resolution, the one that I.c rejects.

    The figure with the exact layers is not in the report's text, which says "thinner layer to compress
    more the information". The choices here, and why:

    - two convolutions per stage in the encoder and one in the decoder: the asymmetry;
    - 56, 48 and 24 feature maps from 1/4 of the resolution to the bottleneck, the thin layers, where a
      usual U-net doubles them at each step; few above, where each costs 4 or 16 times as much;
    - 5x5 kernels at 1/4 and 1/8, since the harmonics of a voice lie many bins apart, else 3x3;
    - normalisation of each feature map of each chunk (instance normalisation, arXiv:1607.08022): 0.0001
      with a gain of 300 diverges without any. It learns as fast as batch normalisation, while the masks
      depend neither on the level of the song nor on the other chunks of the batch, and
      processes that share a batch learn what one process learns.

    Args:
        skips: which of Concat 1 to 4 there are.
        channels: feature maps of the four encoder stages, from full to 1/8 resolution.
        bottleneck: feature maps at 1/16 resolution.
        n_sources: number of sources.
        bands: first and last bin where each source's masks are open; everywhere if `None` (report, conclusion).
        kernels: bins and frames of the kernels of the four stages.
        across: units of the layer `AcrossBins` of each stage, 0 for a stage without; all without if empty.

    Raises:
        ValueError: if a skip is not one of 1, 2, 3, 4, `channels`, `kernels` or `across` have not four entries, or
            `bands` are no pairs.
    """

    def __init__(
        self,
        skips: Iterable[int] = report.SKIPS,
        channels: Sequence[int] = (8, 24, 56, 48),
        bottleneck: int = 24,
        n_sources: int = len(report.SOURCES),
        bands: Sequence[Sequence[int]] | None = None,
        kernels: Sequence[int] = (3, 3, 5, 5),
        across: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.skips = tuple(sorted(set(skips)))
        if unknown := [skip for skip in self.skips if skip not in range(1, report.N_POOLINGS + 1)]:
            raise ValueError(f"there is no skip connection {unknown}; choose among 1, 2, 3 and 4")
        across = across or (0,) * report.N_POOLINGS
        for name, each in {"channels": channels, "kernels": kernels, "across": across}.items():
            if len(each) != report.N_POOLINGS:
                raise ValueError(f"{name} has {len(each)} entries, expected {report.N_POOLINGS}")
        self.n_sources = n_sources
        inputs = (N_PARTS, *channels)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                convolution(inputs[stage], inputs[stage + 1], kernels[stage]),
                convolution(inputs[stage + 1], inputs[stage + 1], kernels[stage]),
                *_across(stage, channels, across),
            )
            for stage in range(report.N_POOLINGS)
        )
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = convolution(channels[-1], bottleneck, 3)
        below = (*channels[1:], bottleneck)
        self.decoder = nn.ModuleList(
            convolution(
                below[stage] + (channels[stage] if self.has_skip(stage) else 0), channels[stage], kernels[stage]
            ).extend(_across(stage, channels, across))
            for stage in range(report.N_POOLINGS)
        )
        self.masks = nn.Conv2d(channels[0], n_sources * N_PARTS, 3, padding=1)
        if bands is not None and [len(band) for band in bands] != [2] * n_sources:
            raise ValueError(f"bands are {bands}; expected a first and a last bin for each of {n_sources} sources")
        self.bands = bands if bands is None else [tuple(map(int, band)) for band in bands]

    def has_skip(self, stage: int) -> bool:
        """Whether the decoder sees the encoder's features of `stage`, which is at 1/2^stage of the resolution."""
        return report.N_POOLINGS - stage in self.skips

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Masks of a batch of spectrograms.

        Args:
            spectrogram: `(batch, part, freq, frame)`, at least 32 bins and 16 frames.

        Returns:
            `(batch, source, part, freq, frame)`; unbounded, may be negative.

        Raises:
            ValueError: if there are not two parts, or fewer than 32 bins or 16 frames.
        """
        check_spectrogram(spectrogram, smallest=SMALLEST)
        features, encoded = spectrogram, []
        for stage in self.encoder:
            encoded.append(stage(features))
            features = self.pool(encoded[-1])
        features = self.bottleneck(features)
        for stage in reversed(range(report.N_POOLINGS)):
            features = up_sample(features, encoded[stage].shape[-2:])
            if self.has_skip(stage):
                features = torch.cat((features, encoded[stage]), dim=1)
            features = self.decoder[stage](features)
        masks = self.masks(features).unflatten(1, (self.n_sources, N_PARTS))
        return masks if self.bands is None else masks * _opened(self.bands, masks)


class AcrossBins(nn.Module):
    """What a frame of a feature map is, seen in all its bins at once, is added to it (Choi et al., 2020,
    arXiv:1912.02591).

    The harmonics of a tone lie all over the spectrum, further apart than a kernel reaches. Two fully connected layers
    with few units between them see each frame of each map alone, by weights that all of them share.

    Args:
        n_bins: of the maps; no other number can be passed.
        n_maps: feature maps, each of which is normalised.
        n_units: between the two layers.
    """

    def __init__(self, n_bins: int, n_maps: int, n_units: int) -> None:
        super().__init__()
        self.inward = nn.Linear(n_bins, n_units, bias=False)
        self.outward = nn.Linear(n_units, n_bins, bias=False)
        self.norms = nn.ModuleList(nn.GroupNorm(n_maps, n_maps) for _ in range(2))

    def forward(self, features: Tensor) -> Tensor:
        """Features `(batch, map, freq, frame)` of equal shape; a `ValueError` if they have other bins."""
        found, known = features.shape[-2], self.inward.in_features
        if found != known:
            raise ValueError(f"{found} bins; this network was built for {known}")
        units = self.inward(features.transpose(-2, -1))      # (batch, map, frame, unit)
        units = functional.relu(self.norms[0](units))
        added = self.outward(units).transpose(-2, -1)        # (batch, map, freq, frame)
        return features + functional.relu(self.norms[1](added))


def apply_masks(masks: Tensor, mixture: Tensor) -> Tensor:
    """Multiply the real and the imaginary part of the mixture by the masks (report, I.a and II.b).

    Args:
        masks: `(batch, source, part, freq, frame)`.
        mixture: `(batch, part, freq, frame)`.

    Returns:
        Estimates, `(batch, source, part, freq, frame)`.
    """
    return masks * mixture.unsqueeze(-4)


def up_sample(features: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear interpolation with aligned corners, equation (2).

    Args:
        features: `(batch, channel, freq, frame)`.
        size: bins and frames of the result; twice as many, and one more where the encoder's were odd.

    Returns:
        `(batch, channel, *size)`.
    """
    return functional.interpolate(
        features, size=tuple(size), mode="bilinear", align_corners=True
    )


def convolution(n_in: int, n_out: int, kernel: int) -> nn.Sequential:
    """Convolution of unchanged size, normalisation of each feature map of each chunk, rectifier."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, bias=False),
        nn.GroupNorm(n_out, n_out),  # each map a group: InstanceNorm2d, computed faster
        nn.ReLU(),
    )


def dense(n_in: int, n_out: int, context: int = 1) -> nn.Sequential:
    """A fully connected layer for each frame and its neighbours; a convolution over time is just that."""
    return nn.Sequential(
        nn.Conv1d(n_in, n_out, context, padding=context // 2, bias=False), nn.GroupNorm(1, n_out), nn.ReLU()
    )


def check_spectrogram(spectrogram: Tensor, smallest: tuple[int, int] = (1, 1), n_bins: int | None = None) -> None:
    """Raise a `ValueError` if this is no `(batch, part, freq, frame)`, or has too few or other bins and frames."""
    shape = tuple(spectrogram.shape)
    if len(shape) != 4 or shape[1] != N_PARTS:
        raise ValueError(f"the input has shape {shape}, expected (batch, 2 parts, freq, frame)")
    if shape[2] < smallest[0] or shape[3] < smallest[1]:
        raise ValueError(
            f"{shape[2]} bins by {shape[3]} frames are too few; at least {smallest[0]} by {smallest[1]} are needed"
        )
    if n_bins is not None and shape[2] != n_bins:
        raise ValueError(f"the input has {shape[2]} bins; this network was built for {n_bins}")


def n_parameters(network: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def _opened(bands: Sequence[Sequence[int]], masks: Tensor) -> Tensor:
    """1 in the band of each source, from its first to its last bin, else 0: `(source, 1, freq, 1)`."""
    bins = torch.arange(masks.shape[-2], device=masks.device)[:, None]          # (freq, 1)
    return torch.stack([(first <= bins) & (bins <= last) for first, last in bands])[:, None].to(masks.dtype)


def _across(stage: int, channels: Sequence[int], units: Sequence[int]) -> list[nn.Module]:
    """The layer across all bins of a stage, if it has one."""
    return [AcrossBins(report.N_BINS // 2**stage, channels[stage], units[stage])] if units[stage] else []
