"""Self-checks of lesson 3: max pooling, up-sampling, weights of a layer, a skip connection, a budget of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dann_lib.course.exercises.checking import Mistakes, ask, self_check, wrong_value
from dann_lib.network import n_parameters, up_sample

Picture = np.ndarray
"""`(freq, frame)`."""


@self_check("3.1", solved="The same as PyTorch's, and as equation (1).")
def check_max_pool(answer: Callable[[Picture], Picture]) -> Mistakes:
    """3.1: the largest of each two by two, odd rows and columns left out."""
    even, odd, pool = _noise(6, 4), _noise(7, 5), nn.MaxPool2d(2)
    found = np.asarray(ask(answer, np.array([[1.0, 2.0], [3.0, 4.0]])))
    yield found.size != 1 and f"Equation (1) gives one number from two by two, your result has shape {found.shape}."
    yield wrong_value(found.item(), 4, "Equation (1) gives 4, you find {found:g}.", {
        "2.5 is the mean of the four numbers. Max pooling keeps the largest.": 2.5,
    })
    found = np.asarray(ask(answer, even))
    yield found.shape == (5, 3) and "Your squares overlap; move on by two bins and two frames, not by one."
    yield found.shape != (3, 2) and f"6 × 4 become {' × '.join(map(str, found.shape))}; half of each are 3 × 2."
    yield wrong_value(found, _by(pool, even), "The size is right, some values are not the largest of their four. Is "
                      "each number in exactly one square? Are negative numbers compared as they are, without taking "
                      "the absolute value?")
    found = np.asarray(ask(answer, odd))
    yield found.shape == (4, 3) and (
        "7 × 5 become 4 × 3: a last row and column without a partner are left out, as 1025 bins give 512.")
    yield wrong_value(found, _by(pool, odd), "7 × 5 should give 3 × 2, as 1025 bins give 512; you give "
                                              f"{' × '.join(map(str, found.shape))}.")


@self_check("3.2", solved="Equation (2), for any size: also from 512 bins back to 1025.")
def check_up_sample(answer: Callable[[Picture, Sequence[int]], Picture]) -> Mistakes:
    """3.2: bilinear up-sampling with aligned corners."""
    picture, size = np.array([[1.0, 2.0], [3.0, 4.0]]), (4, 4)
    other, larger = _noise(3, 4), (7, 10)
    in_both, found = np.asarray(ask(answer, other, larger)), np.asarray(ask(answer, picture, size))
    yield in_both.shape == larger[::-1] and "Bins and frames have changed places."
    yield in_both.shape != larger and f"The result has shape {in_both.shape}, asked for were {larger}."
    yield wrong_value(found, _by(up_sample, picture, size), "Equation (2) begins 1.00 1.33 1.67 2.00, you begin "
                                                        f"{' '.join(f'{value:.2f}' for value in found[0])}.", {
        "Your first row begins 1.00, 1.25: the edges of the pictures lie on each other. In (2) their corner values do: "
        "place i of n lies at i · (n_old − 1) / (n − 1).":
            _by(functional.interpolate, picture, size, mode="bilinear"),
        "You repeat the nearest value; (2) goes in equal steps from one value to the next.":
            _by(functional.interpolate, picture, size, mode="nearest"),
    }, atol=1e-5)
    yield wrong_value(in_both, _by(up_sample, other, larger), atol=1e-5, otherwise=
                      "Right for (2), wrong from 3 × 4 to 7 × 10. Does each direction use its own number of old and "
                      "new places?")


@self_check("3.3", solved="The size of the picture is not in the formula: a longer song costs no weight more.")
def check_n_weights(answer: Callable[[int, int, int, bool], int]) -> Mistakes:
    """3.3: weights of a convolution, with and without bias."""
    cases = [(8, 24, 5), (2, 8, 3), (104, 48, 5)]
    for n_in, n_out, kernel in cases:
        found, true = int(ask(answer, n_in, n_out, kernel, False)), n_in * n_out * kernel**2
        yield wrong_value(found, true, f"From {n_in} to {n_out} maps with {kernel} × {kernel} kernels: {true:,}, you "
                                       f"count {found:,}.", {
            "You have one kernel for each map that comes out. It has a layer for each map in.": n_out * kernel**2,
            "You have one kernel. There is one for each map that comes out.": n_in * kernel**2,
            "A kernel of size k has k × k places, not k.": n_in * n_out * kernel,
            "Without bias, nothing is added.": true + n_out,
        }, rtol=0)
    for n_in, n_out, kernel in cases:
        found, true = int(ask(answer, n_in, n_out, kernel, True)), n_parameters(nn.Conv2d(n_in, n_out, kernel))
        yield wrong_value(found, true, f"With bias it is {true:,}, you count {found:,}: one number more for each map "
                                       "that comes out.", {
            "You have a bias for each pair of maps. It is one number for each map that comes out.":
                n_in * n_out * (kernel**2 + 1),
        }, rtol=0)


@self_check("3.4", solved="Figure 4 finds it too: the last planes of the decoder's input are the encoder's output.")
def check_skip(answer: type[nn.Module]) -> Mistakes:
    """3.4: an auto-encoder whose decoder also gets the maps of its encoder."""
    spectrogram = torch.randn(1, 2, 9, 7, generator=torch.Generator().manual_seed(0))
    shape = tuple(ask(answer(), spectrogram).shape)
    yield shape != (1, 3, 2, 9, 7) and f"The masks have shape {shape}; expected (1, 3, 2, 9, 7)."
    network, seen = answer(), dict.fromkeys(("encoder", "bottleneck", "decoder"))
    network.encoder.register_forward_hook(lambda _module, _given, output: seen.update(encoder=output))
    network.bottleneck.register_forward_hook(lambda _module, _given, output: seen.update(bottleneck=output))
    network.decoder.register_forward_pre_hook(lambda _module, given: seen.update(decoder=given[0]))
    with torch.inference_mode():
        network(spectrogram)
    for part, maps in seen.items():
        if maps is None:
            raise ValueError(f"forward does not use self.{part}")
    kept, narrow, found = seen.values()
    up = up_sample(narrow, kept.shape[-2:])
    yield found.shape == up.shape and torch.allclose(found, up) and (
        "The decoder gets what has passed the narrow layer, and nothing else. Join the encoder's maps.")
    yield not _has(found, kept) and (
        "The decoder does not get the input itself but its maps: what the encoder gives before pooling."
        if _has(found, spectrogram) else
        f"Among the {found.shape[1]} maps that the decoder gets are not those of the encoder, as they were before "
        "pooling. Are they added to the others, or taken after pooling?")
    yield not _has(found, up) and "The maps that come up from the narrow layer are missing beside the skip."


@self_check("3.5", solved="It keeps to each budget. Which design hears best, only training can tell: see lesson 5.")
def check_design(answer: Callable[[int], nn.Module]) -> Mistakes:
    """3.5: networks that keep to a budget of weights and use it."""
    for budget in (300_000, 100_000, 40_000):
        network = ask(answer, budget)
        if not isinstance(network, nn.Module):
            yield f"{type(network).__name__} is no network; give one back, such as DANN(channels=…, bottleneck=…)."
        n_weights = n_parameters(network)
        sizes = {name.removesuffix(".weight"): each.numel() for name, each in network.named_parameters()}
        where, most = max(sizes.items(), key=itemgetter(1))
        yield n_weights > budget and (
            f"{n_weights:,} weights for a budget of {budget:,}. Most of them, {most:,}, sit in {where}.")
        yield n_weights < 0.8 * budget and (
            f"{n_weights:,} weights use {n_weights / budget:.0%} of a budget of {budget:,}; spend 80% of it or more.")
    shape = tuple(network(torch.randn(1, 2, 65, 32)).shape)
    yield shape != (1, 3, 2, 65, 32) and (
        f"From (1, 2, 65, 32) it makes {shape}; three sources with two parts are (1, 3, 2, 65, 32).")


def _has(maps: Tensor, some: Tensor) -> bool:
    """Whether all of some maps are, one after the other, among the maps."""
    places = range(maps.shape[1] - some.shape[1] + 1) if maps.shape[-2:] == some.shape[-2:] else ()
    return any(torch.allclose(maps[:, place : place + some.shape[1]], some) for place in places)


def _noise(n_bins: int, n_frames: int) -> Picture:
    return np.random.default_rng(0).standard_normal((n_bins, n_frames))


def _by(function: Callable[..., Tensor], picture: Picture, *arguments: object, **named: object) -> Picture:
    """What a function of a batch of maps makes of one picture."""
    return function(torch.from_numpy(picture)[None, None], *arguments, **named)[0, 0].numpy()
