"""DANN, and the networks that the report compares it with (report, I).

All have one interface: a spectrogram `(batch, part, freq, frame)` goes in, masks `(batch, source, part,
freq, frame)` come out, and `apply_masks` multiplies (I.a). So each is trained and scored by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from dann_lib import report

N_PARTS = 2
"""Real and imaginary part."""


class DANN(nn.Module):
    """Asymmetric U-net on the real and imaginary part of a spectrogram (report, I.a to I.c).

    Four 2x2 max poolings (1) take the spectrogram to 1/16 of its resolution, four bilinear
    up-samplings (2) bring it back. Concat `k` joins the encoder's features at 1/2^(4 - k) of the
    resolution to the decoder: 1 next to the bottleneck at 1/8, 2 at 1/4, 3 at 1/2, and 4 at full
    resolution, the one that I.c rejects.

    The figure with the exact layers is not in the report's text, which says "thinner layer to compress
    more the information". So: two convolutions per stage in the encoder and one in the decoder (the
    asymmetry); most feature maps at half resolution and fewer at each step towards the bottleneck (the
    thin layers), few at full resolution, where each costs the most; 5x5 kernels below full resolution, since
    harmonics lie several bins apart; and normalisation of each chunk by itself (group
    normalisation), because 0.0001 with a gain of 300 diverges without any, and because it makes the masks
    independent of the level of the song and of the other chunks in the batch.

    Args:
        skips: which of Concat 1 to 4 there are.
        channels: feature maps of the four encoder stages, from full to 1/8 resolution.
        bottleneck: feature maps at 1/16 resolution.
        n_sources: number of sources.

    Raises:
        ValueError: if a skip is not one of 1, 2, 3, 4, or `channels` has not four entries.
    """

    def __init__(
        self,
        skips: Iterable[int] = report.SKIPS,
        channels: Sequence[int] = (8, 48, 40, 32),
        bottleneck: int = 24,
        n_sources: int = len(report.SOURCES),
    ) -> None:
        super().__init__()
        self.skips = _check_skips(skips)
        if len(channels) != report.N_POOLINGS:
            raise ValueError(f"channels has {len(channels)} entries, expected {report.N_POOLINGS}")
        self.n_sources = n_sources
        inputs = (N_PARTS, *channels)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                _convolution(inputs[stage], inputs[stage + 1], _kernel(stage)),
                _convolution(inputs[stage + 1], inputs[stage + 1], _kernel(stage)),
            )
            for stage in range(report.N_POOLINGS)
        )
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = _convolution(channels[-1], bottleneck, 3)
        below = (*channels[1:], bottleneck)
        self.decoder = nn.ModuleList(
            _convolution(
                below[stage] + (channels[stage] if self.has_skip(stage) else 0), channels[stage], _kernel(stage)
            )
            for stage in range(report.N_POOLINGS)
        )
        self.masks = nn.Conv2d(channels[0], n_sources * N_PARTS, 3, padding=1)

    def has_skip(self, stage: int) -> bool:
        """Whether the decoder sees the encoder's features of `stage`, which is at 1/2^stage of the resolution."""
        return report.N_POOLINGS - stage in self.skips

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Masks of a batch of spectrograms.

        Args:
            spectrogram: `(batch, part, freq, frame)`, at least 16 bins and 16 frames.

        Returns:
            `(batch, source, part, freq, frame)`; unbounded, may be negative.

        Raises:
            ValueError: if there are not two parts, or fewer than 16 bins or frames.
        """
        _check_spectrogram(spectrogram, smallest=2**report.N_POOLINGS)
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
        return _as_masks(self.masks(features), self.n_sources)


def up_sample(features: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear interpolation with aligned corners, equation (2).

    Args:
        features: `(batch, channel, freq, frame)`.
        size: bins and frames of the result; twice as many, and one more where the encoder's were odd.

    Returns:
        `(batch, channel, *size)`.
    """
    return functional.interpolate(features, size=tuple(size), mode="bilinear", align_corners=True)


def apply_masks(masks: Tensor, mixture: Tensor) -> Tensor:
    """Multiply the real and the imaginary part of the mixture by the masks (report, I.a and II.b).

    Args:
        masks: `(batch, source, part, freq, frame)`.
        mixture: `(batch, part, freq, frame)`.

    Returns:
        Estimates, `(batch, source, part, freq, frame)`.
    """
    return masks * mixture.unsqueeze(-4)


class DeepAutoEncoder(nn.Module):
    """A plain deep auto-encoder as in figure 3: each frame through a narrow layer and back, fully connected.

    It sees one frame at a time, so it has no notion of time, and no skip connection.

    Args:
        widths: sizes of the layers down to the narrowest; the decoder mirrors them.
        n_bins: frequency bins; fixed, since the layers are fully connected.
        n_sources: number of sources.
    """

    def __init__(
        self,
        widths: Sequence[int] = (512, 128, 32),
        n_bins: int = report.N_BINS,
        n_sources: int = len(report.SOURCES),
    ) -> None:
        super().__init__()
        self.n_bins, self.n_sources = n_bins, n_sources
        sizes = (N_PARTS * n_bins, *widths, *reversed(widths[:-1]))
        hidden = [_dense(*pair) for pair in zip(sizes, sizes[1:], strict=False)]
        self.layers = nn.Sequential(*hidden, nn.Conv1d(sizes[-1], n_sources * N_PARTS * n_bins, 1))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Masks `(batch, source, part, freq, frame)` of `(batch, part, freq, frame)`, of `n_bins` bins.

        Raises:
            ValueError: if the spectrogram has another number of bins.
        """
        _check_spectrogram(spectrogram, n_bins=self.n_bins)
        masks = self.layers(spectrogram.flatten(1, 2))
        return masks.unflatten(1, (self.n_sources, N_PARTS, self.n_bins))


class FeedForward(nn.Module):
    """A feed-forward network: a few frames in, the masks of the middle frame out (after reference [1]).

    Three fully connected hidden layers look at `context` frames around each frame; this is the kind of
    network whose result a CNN reaches "with far less parameters" (report, I).

    Args:
        context: frames seen at once, odd.
        width: units of each hidden layer.
        n_bins: frequency bins; fixed, since the layers are fully connected.
        n_sources: number of sources.

    Raises:
        ValueError: if `context` is even.
    """

    def __init__(
        self,
        context: int = 15,
        width: int = 512,
        n_bins: int = report.N_BINS,
        n_sources: int = len(report.SOURCES),
    ) -> None:
        super().__init__()
        if context % 2 == 0:
            raise ValueError(f"context is {context}; an odd number has a middle frame")
        self.n_bins, self.n_sources = n_bins, n_sources
        self.layers = nn.Sequential(
            _dense(N_PARTS * n_bins, width, context),
            _dense(width, width),
            _dense(width, width),
            nn.Conv1d(width, n_sources * N_PARTS * n_bins, 1),
        )

    forward = DeepAutoEncoder.forward


class DenoisingAutoEncoder(nn.Module):
    """The convolutional denoising auto-encoders of reference [1], one per source.

    Grais and Plumbley (2017, arXiv:1703.08019) train one network per source on magnitudes: 3x3
    convolutions with 12, 20, 30, 40, 30, 20 and 12 filters and one output, 37 101 parameters. Here
    each gets real and imaginary part and returns two masks, like every network of this module. Pooling by
    5 in frequency (1025 = 5 x 5 x 41) and 3 in time, undone by up-sampling; no skip connections.

    Args:
        filters: filters of the encoder, the last one of the middle; the decoder mirrors them.
        n_sources: number of sources, each with its own auto-encoder.
    """

    POOLINGS = ((5, 3), (5, 1))

    def __init__(
        self, filters: Sequence[int] = (12, 20, 30, 40), n_sources: int = len(report.SOURCES)
    ) -> None:
        super().__init__()
        self.auto_encoders = nn.ModuleList(_OneSource(filters, self.POOLINGS) for _ in range(n_sources))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Masks `(batch, source, part, freq, frame)` of `(batch, part, freq, frame)`.

        Raises:
            ValueError: if there are fewer than 25 bins or 3 frames.
        """
        _check_spectrogram(spectrogram, smallest=25)
        return torch.stack([network(spectrogram) for network in self.auto_encoders], dim=1)


class _OneSource(nn.Module):
    """The auto-encoder of one source: `(batch, part, freq, frame)` → its masks, of the same shape."""

    def __init__(self, filters: Sequence[int], poolings: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.poolings = poolings
        sizes = (N_PARTS, *filters)
        self.encoder = nn.ModuleList(_convolution(*pair, 3) for pair in zip(sizes, sizes[1:], strict=False))
        backwards = tuple(reversed(filters))
        self.decoder = nn.ModuleList(
            _convolution(*pair, 3) for pair in zip(backwards, backwards[1:], strict=False)
        )
        self.masks = nn.Conv2d(filters[0], N_PARTS, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        sizes = []
        for index, layer in enumerate(self.encoder):
            features = layer(features)
            if index < len(self.poolings):
                sizes.append(features.shape[-2:])
                features = functional.max_pool2d(features, self.poolings[index])
        for layer in self.decoder:
            features = layer(features)
            if sizes and layer is not self.decoder[0]:
                features = up_sample(features, sizes.pop())
        return self.masks(features)


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "dann": DANN,
    "autoencoder": DeepAutoEncoder,
    "feedforward": FeedForward,
    "cdae": DenoisingAutoEncoder,
}
"""Networks by name. DANN without skip connections is `build("dann", skips=())`."""


def build(name: str, **options: object) -> nn.Module:
    """Make a network by its name, with fresh random weights.

    Args:
        name: a key of `NETWORKS`.
        options: arguments of its class.

    Raises:
        ValueError: if there is no network of that name.
    """
    if name not in NETWORKS:
        raise ValueError(f"there is no network {name!r}; choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name](**options)


def n_parameters(network: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def _convolution(n_in: int, n_out: int, kernel: int) -> nn.Sequential:
    """Convolution of unchanged size, normalisation of each chunk by itself, rectifier."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, bias=False),
        nn.GroupNorm(1, n_out),
        nn.ReLU(),
    )


def _kernel(stage: int) -> int:
    return 3 if stage == 0 else 5


def _dense(n_in: int, n_out: int, context: int = 1) -> nn.Sequential:
    """A fully connected layer for each frame and its neighbours; a convolution over time is just that."""
    return nn.Sequential(
        nn.Conv1d(n_in, n_out, context, padding=context // 2, bias=False), nn.GroupNorm(1, n_out), nn.ReLU()
    )


def _as_masks(planes: Tensor, n_sources: int) -> Tensor:
    return planes.unflatten(1, (n_sources, N_PARTS))


def _check_skips(skips: Iterable[int]) -> tuple[int, ...]:
    chosen = tuple(sorted(set(skips)))
    unknown = [skip for skip in chosen if skip not in range(1, report.N_POOLINGS + 1)]
    if unknown:
        raise ValueError(f"there is no skip connection {unknown}; choose among 1, 2, 3 and 4")
    return chosen


def _check_spectrogram(spectrogram: Tensor, smallest: int = 1, n_bins: int | None = None) -> None:
    shape = tuple(spectrogram.shape)
    if len(shape) != 4 or shape[1] != N_PARTS:
        raise ValueError(f"the input has shape {shape}, expected (batch, 2 parts, freq, frame)")
    if min(shape[2:]) < smallest:
        raise ValueError(f"{shape[2]} bins by {shape[3]} frames are too few; at least {smallest} each are needed")
    if n_bins is not None and shape[2] != n_bins:
        raise ValueError(f"the input has {shape[2]} bins; this network was built for {n_bins}")
