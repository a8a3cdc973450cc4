"""What a network does with a spectrogram, found out by sending one through it.

Forward hooks note each convolution, its size and its input. A skip connection is found in the numbers: the
last planes of a layer's input are, value for value, what an earlier layer gave out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dann_lib import report
from dann_lib.figures.style import join


@dataclass(frozen=True)
class Layer:
    """A convolution as it was met.

    Attributes:
        n_in: planes that go in, those of a skip connection included.
        n_out: planes (feature maps) that come out.
        kernel: size of the kernel; `(1,)` in a fully connected layer.
        size: bins and frames of the planes; frames alone where bins are units of a fully connected layer.
        skip: index of the earlier layer whose output was joined to the input.
    """

    n_in: int
    n_out: int
    kernel: tuple[int, ...]
    size: tuple[int, ...]
    skip: int | None = None


@dataclass(frozen=True)
class Stage:
    """Layers one after the other at the same resolution.

    Attributes:
        layers: the layers.
        depth: how many times the resolution has been reduced.
        role: `"encoder"`, `"bottleneck"`, `"decoder"` or `"masks"`.
        skip: index of the stage whose output was joined to the input.
    """

    layers: tuple[Layer, ...]
    depth: int
    role: str
    skip: int | None = None

    @property
    def n_out(self) -> int:
        """Planes that come out."""
        return self.layers[-1].n_out

    @property
    def n_in(self) -> int:
        """Planes that go in."""
        return self.layers[0].n_in

    @property
    def size(self) -> tuple[int, ...]:
        """Bins and frames."""
        return self.layers[-1].size


def trace(network: nn.Module, n_bins: int = report.N_BINS, n_frames: int = report.N_FRAMES) -> list[Layer]:
    """Send one random spectrogram through a network, and list its convolutions in order.

    Args:
        network: takes `(batch, part, freq, frame)`; it is left as it was.
        n_bins: bins of the spectrogram.
        n_frames: frames of the spectrogram.

    Raises:
        ValueError: if it has no convolutions, or more than one path.
    """
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(0)
    spectrogram = torch.randn(1, 2, n_bins, n_frames, generator=generator).to(device)
    layers, *_ = _follow(network, spectrogram)
    if not layers:
        raise ValueError(f"{type(network).__name__} has no convolutions to draw")
    return layers


def feature_maps(network: nn.Module, spectrogram: Tensor) -> tuple[list[Tensor], Tensor]:
    """What each convolution of `trace` gives out for a song, after its rectifier where it has one.

    Args:
        network: takes `(batch, part, freq, frame)`; it is left as it was.
        spectrogram: `(part, freq, frame)`, multiplied by the gain of the training.

    Returns:
        `(map, freq, frame)` of each convolution, in order; and the masks `(source, part, freq, frame)`.
    """
    _, outputs, masks = _follow(network, spectrogram[None].to(next(network.parameters()).device))
    return [output[0].cpu() for output in outputs], masks[0].cpu()


def stages(layers: list[Layer]) -> list[Stage]:
    """Group layers by resolution; the narrowest group is the bottleneck, the last layer gives the masks."""
    groups: list[list[int]] = []
    for index, layer in enumerate(layers[:-1]):
        same = groups and len(layer.size) == 2 and layers[groups[-1][-1]].size == layer.size
        groups[-1].append(index) if same else groups.append([index])
    groups.append([len(layers) - 1])
    narrowest = min(range(len(groups) - 1), key=lambda group: _resolution(layers[groups[group][-1]]))
    roles = ["encoder"] * narrowest + ["bottleneck"] + ["decoder"] * (len(groups) - narrowest - 2) + ["masks"]
    home = {index: number for number, group in enumerate(groups) for index in group} | {None: None}
    return [Stage(tuple(layers[index] for index in group), max(0, narrowest - abs(number - narrowest)), role,
                  home[layers[group[0]].skip]) for number, (group, role) in enumerate(zip(groups, roles, strict=True))]


def concat_number(found: list[Stage], stage: Stage) -> int:
    """The report's number of a skip connection: 1 next to the bottleneck, then outwards (I.c)."""
    return max(each.depth for each in found) - stage.depth


def in_words(network: nn.Module, found: list[Stage]) -> str:
    """The network as a sentence: sizes from the input to the masks, and the skip connections."""
    maps = len(found[0].size) == 2
    sizes = [" × ".join(map(str, (stage.n_out, *(stage.size if maps else ())))) for stage in found]
    unit = "feature maps × bins × frames" if maps else "units for each frame"
    return (f"{type(network).__name__} layer by layer ({unit}): {', '.join(sizes[:-1])}, then the masks, "
            f"{sizes[-1]}. It has {list_concats(found)}.")


def list_concats(found: list[Stage]) -> str:
    """Name the skip connections: "Concat 1, 2 and 3"."""
    numbers = sorted(concat_number(found, stage) for stage in found if stage.skip is not None)
    return f"Concat {join(numbers)}" if numbers else "no skip connection"


def _resolution(layer: Layer) -> int:
    """Bins times frames, or units of a fully connected layer."""
    return layer.size[0] * layer.size[1] if len(layer.size) == 2 else layer.n_out


@torch.inference_mode()
def _follow(network: nn.Module, spectrogram: Tensor) -> tuple[list[Layer], list[Tensor], Tensor]:
    """The layers that a spectrogram meets, what each gives out after its rectifier, and the network's output."""
    layers: list[Layer] = []
    outputs: list[Tensor] = []

    def convolution(module: nn.Conv2d | nn.Conv1d, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        fits = not outputs or module.in_channels == outputs[-1].shape[1]
        skip = None if fits else _find_skip(arguments[0], outputs)
        if layers and (arguments[0] is spectrogram or (not fits and skip is None)):
            raise ValueError(f"{type(network).__name__} has several paths; draw one of its parts")
        sizes = tuple(module.kernel_size), tuple(output.shape[2:])
        layers.append(Layer(module.in_channels, module.out_channels, *sizes, skip))
        outputs.append(output)

    def rectifier(_module: nn.Module, _arguments: tuple[Tensor, ...], output: Tensor) -> None:
        outputs[-1] = output

    hooks = ((nn.Conv1d | nn.Conv2d, convolution), (nn.ReLU, rectifier))
    handles = [module.register_forward_hook(hook) for module in network.modules()
               for kind, hook in hooks if isinstance(module, kind)]
    try:
        return layers, outputs, network(spectrogram)
    finally:
        for handle in handles:
            handle.remove()


def _find_skip(features: Tensor, outputs: list[Tensor]) -> int | None:
    """Index of the earlier output that the last planes of `features` are."""
    joined = features[:, outputs[-1].shape[1] :]
    return next((index for index, output in enumerate(outputs) if torch.equal(output, joined)), None)
