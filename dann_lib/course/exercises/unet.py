"""Self-checks of lesson 3: max pooling, up-sampling, weights of a layer, a skip connection, a budget of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dann_lib.course.exercises.checking import Fact, Outcome, ask, self_check
from dann_lib.network import n_parameters, up_sample

Picture = np.ndarray
"""`(freq, frame)`."""

LEAST_SPENT = 0.8
"""Share of a budget of weights that a design should use."""


def check_max_pool(answer: Callable[[Picture], Picture]) -> Outcome:
    """3.1: the largest of each two by two, odd rows and columns left out."""
    even, odd = _noise(6, 4), _noise(7, 5)

    def of_equation_1(function: Callable) -> str | None:
        found = np.asarray(ask(function, np.array([[1.0, 2.0], [3.0, 4.0]])))
        if found.size != 1:
            return f"Equation (1) gives one number from two by two, your result has shape {found.shape}."
        if found.item() == 2.5:
            return "2.5 is the mean of the four numbers. Max pooling keeps the largest."
        return None if found.item() == 4 else f"Equation (1) gives 4, you find {found.item():g}."

    def of_a_picture(function: Callable) -> str | None:
        found = np.asarray(ask(function, even))
        if found.shape == (5, 3):
            return "Your squares overlap; move on by two bins and two frames, not by one."
        if found.shape != (3, 2):
            return f"6 × 4 become {' × '.join(map(str, found.shape))}; half of each are 3 × 2."
        return None if np.allclose(found, _max_pool(even)) else (
            "The size is right, some values are not the largest of their four. Is each number in exactly one square? "
            "Are negative numbers compared as they are, without taking the absolute value?")

    def odd_sizes(function: Callable) -> str | None:
        found = np.asarray(ask(function, odd))
        if found.shape == (4, 3):
            return "7 × 5 become 4 × 3: a last row and column without a partner are left out, as 1025 bins give 512."
        return None if np.array_equal(found, _max_pool(odd)) else (
            f"7 × 5 should give 3 × 2, as 1025 bins give 512; you give {' × '.join(map(str, found.shape))}.")

    return self_check("3.1", answer, of_equation_1, of_a_picture, odd_sizes,
                      solved="The same as PyTorch's, and as equation (1).")


def check_up_sample(answer: Callable[[Picture, Sequence[int]], Picture]) -> Outcome:
    """3.2: bilinear up-sampling with aligned corners."""
    picture, size = np.array([[1.0, 2.0], [3.0, 4.0]]), (4, 4)
    other, larger = _noise(3, 4), (7, 10)

    def shape(function: Callable) -> str | None:
        found = np.shape(ask(function, other, larger))
        if found == larger[::-1]:
            return "Bins and frames have changed places."
        return None if found == larger else f"The result has shape {found}, asked for were {larger}."

    def of_equation_2(function: Callable) -> str | None:
        found = np.asarray(ask(function, picture, size))
        if np.allclose(found, _interpolated(picture, size, mode="bilinear", align_corners=False)):
            return ("Your first row begins 1.00, 1.25: the edges of the pictures lie on each other. In (2) their "
                    "corner values do: place i of n lies at i · (n_old − 1) / (n − 1).")
        if np.allclose(found, _interpolated(picture, size, mode="nearest")):
            return "You repeat the nearest value; (2) goes in equal steps from one value to the next."
        return None if np.allclose(found, _up_sample(picture, size), atol=1e-5) else (
            f"Equation (2) begins 1.00 1.33 1.67 2.00, you begin {' '.join(f'{value:.2f}' for value in found[0])}.")

    def in_both_directions(function: Callable) -> str | None:
        found = np.asarray(ask(function, other, larger))
        return None if np.allclose(found, _up_sample(other, larger), atol=1e-5) else (
            "Right for (2), wrong from 3 × 4 to 7 × 10. Does each direction use its own number of old and new places?")

    return self_check("3.2", answer, shape, of_equation_2, in_both_directions,
                      solved="Equation (2), for any size: also from 512 bins back to 1025.")


def check_n_weights(answer: Callable[[int, int, int, bool], int]) -> Outcome:
    """3.3: weights of a convolution, with and without bias."""
    cases = [(8, 24, 5), (2, 8, 3), (104, 48, 5)]

    def without_bias(function: Callable) -> str | None:
        for n_in, n_out, kernel in cases:
            found, true = int(ask(function, n_in, n_out, kernel, False)), n_in * n_out * kernel**2
            mistakes = {
                n_out * kernel**2: "You have one kernel for each map that comes out. It has a layer for each map in.",
                n_in * kernel**2: "You have one kernel. There is one for each map that comes out.",
                n_in * n_out * kernel: "A kernel of size k has k × k places, not k.",
                n_in * n_out * kernel**2 + n_out: "Without bias, nothing is added.",
            }
            if found != true:
                return mistakes.get(found) or (
                    f"From {n_in} to {n_out} maps with {kernel} × {kernel} kernels: {true:,}, you count {found:,}.")
        return None

    def with_bias(function: Callable) -> str | None:
        for n_in, n_out, kernel in cases:
            found = int(ask(function, n_in, n_out, kernel, True))
            true = n_parameters(nn.Conv2d(n_in, n_out, kernel))
            if found == n_in * n_out * (kernel**2 + 1):
                return "You have a bias for each pair of maps. It is one number for each map that comes out."
            if found != true:
                return f"With bias it is {true:,}, you count {found:,}: one number more for each map that comes out."
        return None

    return self_check("3.3", answer, without_bias, with_bias,
                      solved="The size of the picture is not in the formula: a longer song costs no weight more.")


def check_skip(answer: type[nn.Module]) -> Outcome:
    """3.4: an auto-encoder whose decoder also gets the maps of its encoder."""
    generator = torch.Generator().manual_seed(0)
    spectrogram = torch.randn(1, 2, 9, 7, generator=generator)

    def shape(make: Callable[[], nn.Module]) -> str | None:
        found = tuple(ask(make(), spectrogram).shape)
        return None if found == (1, 3, 2, 9, 7) else f"The masks have shape {found}; expected (1, 3, 2, 9, 7)."

    def joined(make: Callable[[], nn.Module]) -> str | None:
        network = make()
        kept, narrow, found = _what_the_decoder_gets(network, spectrogram)
        up = up_sample(narrow, kept.shape[-2:])
        if found.shape == up.shape and torch.allclose(found, up):
            return "The decoder gets what has passed the narrow layer, and nothing else. Join the encoder's maps."
        if not _has(found, kept):
            return ("The decoder does not get the input itself but its maps: what the encoder gives before pooling."
                    if _has(found, spectrogram) else
                    f"Among the {found.shape[1]} maps that the decoder gets are not those of the encoder, as they were "
                    "before pooling. Are they added to the others, or taken after pooling?")
        return None if _has(found, up) else "The maps that come up from the narrow layer are missing beside the skip."

    return self_check("3.4", answer, shape, joined,
                      solved="Figure 4 finds it too: the last planes of the decoder's input are the encoder's output.")


def check_design(answer: Callable[[int], nn.Module]) -> Outcome:
    """3.5: networks that keep to a budget of weights and use it."""

    def within(budget: int) -> Fact:
        def fact(function: Callable) -> str | None:
            network = ask(function, budget)
            if not isinstance(network, nn.Module):
                return f"{type(network).__name__} is no network; give one back, such as DANN(channels=…, bottleneck=…)."
            n_weights, (where, most) = n_parameters(network), _largest_layer(network)
            if n_weights > budget:
                return f"{n_weights:,} weights for a budget of {budget:,}. Most of them, {most:,}, sit in {where}."
            if n_weights < LEAST_SPENT * budget:
                return (f"{n_weights:,} weights use {n_weights / budget:.0%} of a budget of {budget:,}; "
                        f"spend {LEAST_SPENT:.0%} of it or more.")
            return None

        return fact

    def masks(function: Callable) -> str | None:
        found = tuple(ask(function, 40_000)(torch.randn(1, 2, 65, 32)).shape)
        return None if found == (1, 3, 2, 65, 32) else (
            f"From (1, 2, 65, 32) it makes {found}; three sources with two parts are (1, 3, 2, 65, 32).")

    return self_check("3.5", answer, *(within(budget) for budget in (300_000, 100_000, 40_000)), masks,
                      solved="It keeps to each budget. Which design hears best, only training can tell: see lesson 5.")


def _what_the_decoder_gets(network: nn.Module, spectrogram: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What comes out of encoder and bottleneck, and what goes into the decoder."""
    seen: dict[str, Tensor] = {}
    network.encoder.register_forward_hook(lambda _module, _given, output: seen.update(kept=output))
    network.bottleneck.register_forward_hook(lambda _module, _given, output: seen.update(narrow=output))
    network.decoder.register_forward_pre_hook(lambda _module, given: seen.update(found=given[0]))
    with torch.inference_mode():
        network(spectrogram)
    missing = [part for part, name in (("encoder", "kept"), ("bottleneck", "narrow"), ("decoder", "found"))
               if name not in seen]
    if missing:
        raise ValueError(f"forward does not use self.{missing[0]}")
    return seen["kept"], seen["narrow"], seen["found"]


def _has(maps: Tensor, some: Tensor) -> bool:
    """Whether all of some maps are, one after the other, among the maps."""
    if maps.shape[-2:] != some.shape[-2:]:
        return False
    places = range(maps.shape[1] - some.shape[1] + 1)
    return any(torch.allclose(maps[:, place : place + some.shape[1]], some) for place in places)


def _largest_layer(network: nn.Module) -> tuple[str, int]:
    """Name and number of the weights of which there are most."""
    name, weights = max(network.named_parameters(), key=lambda pair: pair[1].numel())
    return name.removesuffix(".weight"), weights.numel()


def _noise(n_bins: int, n_frames: int) -> Picture:
    return np.random.default_rng(0).standard_normal((n_bins, n_frames))


def _max_pool(picture: Picture) -> Picture:
    return functional.max_pool2d(torch.from_numpy(picture)[None, None], 2)[0, 0].numpy()


def _up_sample(picture: Picture, size: Sequence[int]) -> Picture:
    return up_sample(torch.from_numpy(picture)[None, None], size)[0, 0].numpy()


def _interpolated(picture: Picture, size: Sequence[int], **options: object) -> Picture:
    batch = torch.from_numpy(picture)[None, None]
    return functional.interpolate(batch, size=tuple(size), **options)[0, 0].numpy()
