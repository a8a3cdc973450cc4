"""The networks that the report compares DANN with or cites; same interface (report, I)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dann_lib import report
from dann_lib.config import TrainingConfig
from dann_lib.network import DANN, N_PARTS, check_spectrogram, convolution, dense, up_sample

N_VALUES = N_PARTS * report.N_BINS
"""Values of one frame."""


class DeepAutoEncoder(nn.Module):
    """A plain deep auto-encoder as in figure 3: each frame through a narrow layer and back, fully connected.

    It sees one frame at a time, so it has no notion of time, and no skip connection.

    Args:
        widths: sizes of the layers down to the narrowest; the decoder mirrors them.
    """

    def __init__(self, widths: Sequence[int] = (512, 128, 32), n_sources: int = len(report.SOURCES)) -> None:
        super().__init__()
        sizes = (N_VALUES, *widths, *reversed(widths[:-1]))
        hidden = [dense(*pair) for pair in pairwise(sizes)]
        self.layers = nn.Sequential(*hidden, nn.Conv1d(sizes[-1], n_sources * N_VALUES, 1))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Masks `(batch, source, part, freq, frame)` of `(batch, part, freq, frame)`.

        Raises:
            ValueError: if the spectrogram has not 1025 bins, which is fixed as the layers are fully connected.
        """
        check_spectrogram(spectrogram, n_bins=report.N_BINS)
        masks = self.layers(spectrogram.flatten(1, 2))              # (batch, source * part * freq, frame)
        return masks.unflatten(1, (-1, N_PARTS, report.N_BINS))     # (batch, source, part, freq, frame)


class FeedForward(nn.Module):
    """A feed-forward network: a few frames in, the masks of the middle frame out (after reference [1]).

    Three fully connected hidden layers look at `context` frames around each frame; this is the kind of
    network whose result a CNN reaches "with far less parameters" (report, I).

    Args:
        context: frames seen at once, odd.
        width: units of each hidden layer.

    Raises:
        ValueError: if `context` is even.
    """

    def __init__(self, context: int = 15, width: int = 512, n_sources: int = len(report.SOURCES)) -> None:
        super().__init__()
        if context % 2 == 0:
            raise ValueError(f"context is {context}; an odd number has a middle frame")
        self.layers = nn.Sequential(
            dense(N_VALUES, width, context), dense(width, width), dense(width, width),
            nn.Conv1d(width, n_sources * N_VALUES, 1),
        )

    forward = DeepAutoEncoder.forward


class DenoisingAutoEncoder(nn.Module):
    """The convolutional denoising auto-encoders of reference [1], one per source.

    Grais and Plumbley (2017, arXiv:1703.08019) train one network per source on magnitudes: 3x3
    convolutions with 12, 20, 30, 40, 30, 20 and 12 filters and one output, 37 101 parameters. Here
    each gets real and imaginary part and returns two masks, like every network of this module. Pooling by
    5 in frequency (1025 = 5 x 5 x 41) and 3 in time, undone by up-sampling; no skip connections.
    """

    def __init__(self, n_sources: int = len(report.SOURCES)) -> None:
        super().__init__()
        self.auto_encoders = nn.ModuleList(_OneSource() for _ in range(n_sources))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Masks `(batch, source, part, freq, frame)` of `(batch, part, freq, frame)`.

        Raises:
            ValueError: if there are fewer than 25 bins or 3 frames.
        """
        check_spectrogram(spectrogram, smallest=(25, 3))
        return torch.stack([network(spectrogram) for network in self.auto_encoders], dim=1)


class _OneSource(nn.Module):
    """The auto-encoder of one source: `(batch, part, freq, frame)` → its masks, of the same shape."""

    FILTERS = (12, 20, 30, 40)
    POOLINGS = ((5, 3), (5, 1), None, None)

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(convolution(*pair, 3) for pair in pairwise((N_PARTS, *self.FILTERS)))
        self.decoder = nn.ModuleList(convolution(*pair, 3) for pair in pairwise(reversed(self.FILTERS)))
        self.masks = nn.Conv2d(self.FILTERS[0], N_PARTS, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        sizes = []
        for layer, pooling in zip(self.encoder, self.POOLINGS, strict=True):
            features = layer(features)
            if pooling:
                sizes.append(features.shape[-2:])
                features = functional.max_pool2d(features, pooling)
        features = self.decoder[0](features)
        for layer in self.decoder[1:]:
            features = up_sample(layer(features), sizes.pop())
        return self.masks(features)


class Asked(DANN):
    """DANN with one output, asked for one source after the other (Meseguer-Brocal and Peeters, 2019, arXiv:1907.01277).

    The question is a factor and an offset for each feature map of the encoder, of each source its own; all else is the
    same for all.

    Args:
        n_sources: for how many it can be asked.
        options: of `DANN`.
    """

    def __init__(self, n_sources: int = len(report.SOURCES), **options: Any) -> None:
        super().__init__(n_sources=1, **options)
        self.n_questions = n_sources
        for stage in self.encoder:
            stage.append(_Question(n_sources, stage[-1][0].out_channels))

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Masks of all sources, `(batch, source, part, freq, frame)` of `(batch, part, freq, frame)`."""
        check_spectrogram(spectrogram)
        # (batch * source, part, freq, frame)
        asked = spectrogram.repeat_interleave(self.n_questions, dim=0)
        masks = super().forward(asked).flatten(0, 1)
        return masks.unflatten(0, (-1, self.n_questions))


class _Question(nn.Module):
    """A factor and an offset for each source and feature map, on `(batch * source, channel, freq, frame)`."""

    def __init__(self, n_sources: int, n_channels: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(n_sources, n_channels, 1, 1))
        self.offset = nn.Parameter(torch.zeros(n_sources, n_channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        of_song = features.unflatten(0, (-1, len(self.factor)))                 # (batch, source, channel, freq, frame)
        return (of_song * self.factor + self.offset).flatten(0, 1)


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "dann": DANN, "autoencoder": DeepAutoEncoder, "feedforward": FeedForward, "cdae": DenoisingAutoEncoder,
    "asked": Asked,
}
"""Networks by name. DANN without skip connections is `build("dann", skips=())`."""


def build(name: str, **options: object) -> nn.Module:
    """Make a network by its name, a key of `NETWORKS`, and the arguments of its class, with fresh random weights.

    Raises:
        ValueError: if there is no network of that name, or it has no such arguments.
    """
    if name not in NETWORKS:
        raise ValueError(f"there is no network {name!r}; choose one of {', '.join(NETWORKS)}")
    try:
        return NETWORKS[name](**options)
    except TypeError as error:
        given = ", ".join(f"{option} {value}" for option, value in options.items())
        reason = str(error).partition(") ")[2] or error
        raise ValueError(f"the network {name} cannot have {given} ({reason})") from error


def network_of(config: TrainingConfig) -> nn.Module:
    """The network that a configuration asks for, with fresh random weights.

    Raises:
        ValueError: if there is no network of that name, or it cannot have these options.
    """
    return build(config.network, **{**config.network_options, "n_sources": len(config.sources)})
