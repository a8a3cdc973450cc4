"""Lesson 3: its own network is the library's, weight for weight, and its self-checks explain typical mistakes."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from lesson_code import definitions, drive
from torch import nn
from torch.nn import functional

from dann_lib import network as layers
from dann_lib import report, spectrogram
from dann_lib.checkpoint import load_weights
from dann_lib.course.exercises import unet
from dann_lib.files import reference_folder
from dann_lib.network import DANN, n_parameters, up_sample

LAYERS = ("MAPS", "KERNELS", "NARROW", "conv_block", "Encoder", "Decoder", "UNet", "take_weights")
VARIANTS = [(), (1,), (2,), (3,), (4,), (2, 3), (1, 2, 3), (1, 2, 3, 4)]


@pytest.fixture(scope="module")
def lesson() -> dict:
    return definitions("03_unet", *LAYERS)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_retyped_block_is_that_of_the_library(lesson):
    torch.manual_seed(0)
    retyped = lesson["conv_block"](3, 7, 5)
    torch.manual_seed(0)
    library = layers.convolution(3, 7, 5)
    assert str(retyped) == str(library)
    assert torch.equal(retyped(noise(2, 3, 17, 9)), library(noise(2, 3, 17, 9)))


@pytest.mark.parametrize("skips", VARIANTS, ids=str)
def test_the_same_seed_gives_the_same_weights(lesson, skips):
    torch.manual_seed(3)
    retyped = list(lesson["UNet"](skips).state_dict().values())
    torch.manual_seed(3)
    library = list(DANN(skips).state_dict().values())
    assert len(retyped) == len(library) == 41
    assert all(torch.equal(*pair) for pair in zip(retyped, library, strict=True))


@pytest.mark.parametrize("skips", VARIANTS, ids=str)
def test_the_retyped_network_is_the_library_s_to_the_bit(lesson, skips):
    """With weights that are all different, those of the normalisations too, and sizes odd at each pooling."""
    library, retyped = DANN(skips), lesson["UNet"](skips)
    for seed, weight in enumerate(library.parameters()):
        weight.data = noise(*weight.shape, seed=seed)
    lesson["take_weights"](retyped, library)
    assert n_parameters(retyped) == n_parameters(library)
    for size in ((47, 31), (64, 32), (129, 22)):
        planes = noise(2, 2, *size)
        assert torch.equal(retyped(planes), library(planes))


def test_both_learn_the_same(lesson):
    library, retyped = DANN(), lesson["UNet"]()
    lesson["take_weights"](retyped, library)
    for network in (library, retyped):
        network(noise(2, 2, 47, 31)).abs().mean().backward()
    gradients = zip(retyped.parameters(), library.parameters(), strict=True)
    assert all(torch.equal(ours.grad, theirs.grad) for ours, theirs in gradients)


def test_the_trained_weights_fit_the_retyped_network(lesson):
    library, _ = load_weights(reference_folder() / "weights" / "dann-modern.safetensors")
    retyped = lesson["UNet"](library.skips).eval()
    lesson["take_weights"](retyped, library)
    planes = 300 * noise(1, 2, 65, 32)
    with torch.inference_mode():
        assert torch.equal(retyped(planes), library(planes))


def test_weights_of_another_network_are_refused(lesson):
    with pytest.raises(RuntimeError, match="size mismatch"):
        lesson["take_weights"](lesson["UNet"]((1, 2, 3)), DANN((2, 3)))
    with pytest.raises(ValueError, match="shorter|longer"):
        lesson["take_weights"](lesson["conv_block"](2, 8, 3), DANN())


def test_the_receptive_field_is_what_can_change_an_output():
    """Noise outside the measured field leaves the output as it is, noise at its edge does not."""
    functions = definitions("03_unet", "let_all_pass", "influence", "receptive_field")
    model = DANN(channels=(4, 8, 16, 16), bottleneck=12)  # how far it sees does not depend on how many maps it has
    bins, frames = functions["receptive_field"](model)
    probe = functions["let_all_pass"](model).double()
    picture = torch.ones(1, 2, 513, 257, dtype=torch.double, requires_grad=True)
    output = probe(picture)[0, 0, 0, 256, 128]
    output.backward()
    rows, columns = (picture.grad.abs().sum((0, 1)) > 0).nonzero().unbind(dim=1)
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (bins, frames)
    with torch.no_grad():
        outside, edge = picture.detach().clone(), picture.detach().clone()
        outside[..., : rows.min(), :] = outside[..., rows.max() + 1 :, :] = 99.0
        edge[..., rows.max(), columns.median()] = 99.0
        assert torch.equal(probe(outside)[0, 0, 0, 256, 128], output.detach())
        assert not torch.equal(probe(edge)[0, 0, 0, 256, 128], output.detach())


def test_max_pooling_explains_means_overlaps_and_odd_sizes():
    def pooled(picture: np.ndarray, **options) -> np.ndarray:
        return functional.max_pool2d(torch.from_numpy(picture)[None], 2, **options)[0].numpy()

    def explained(function) -> str:
        return unet.check_max_pool(function).text

    assert unet.check_max_pool(pooled).state == "solved"
    assert "mean" in explained(lambda picture: functional.avg_pool2d(torch.from_numpy(picture)[None], 2)[0].numpy())
    assert "overlap" in explained(lambda picture: pooled(picture, stride=1))
    assert "partner" in explained(lambda picture: pooled(picture, ceil_mode=True))
    assert "absolute" in explained(lambda picture: pooled(np.abs(picture)))
    assert "gives 4" in explained(lambda picture: picture[::2, ::2])


def test_up_sampling_explains_corners_neighbours_and_axes():
    def resized(picture: np.ndarray, size, **options) -> np.ndarray:
        return functional.interpolate(torch.from_numpy(picture)[None, None], tuple(size), **options)[0, 0].numpy()

    def aligned(picture: np.ndarray, size) -> np.ndarray:
        return up_sample(torch.from_numpy(picture)[None, None], size)[0, 0].numpy()

    def explained(function) -> str:
        return unet.check_up_sample(function).text

    assert unet.check_up_sample(aligned).state == "solved"
    assert "corner" in explained(lambda picture, size: resized(picture, size, mode="bilinear"))
    assert "nearest" in explained(lambda picture, size: resized(picture, size, mode="nearest"))
    assert "changed places" in explained(lambda picture, size: aligned(picture, size[::-1]))
    assert "1.00 1.33" in explained(lambda picture, size: np.zeros(size))
    assert "each direction" in explained(
        lambda picture, size: aligned(picture, size) if picture.shape == (2, 2) else np.ones(size))


def test_counting_explains_depth_kernels_and_bias():
    def explained(formula) -> str:
        return unet.check_n_weights(formula).text

    assert unet.check_n_weights(lambda i, o, k, bias: o * (i * k * k + bias)).state == "solved"
    assert "for each map in" in explained(lambda i, o, k, bias: o * k * k)
    assert "one for each map that comes out" in explained(lambda i, o, k, bias: i * k * k)
    assert "k × k" in explained(lambda i, o, k, bias: i * o * k)
    assert "nothing is added" in explained(lambda i, o, k, bias: o * (i * k * k + 1))
    assert "pair of maps" in explained(lambda i, o, k, bias: i * o * (k * k + bias))
    assert "one number more" in explained(lambda i, o, k, bias: i * o * k * k)


class Skipping(nn.Module):
    """The auto-encoder of exercise 3.4, joined in a way of one's choice."""

    def __init__(self, n_joined: int, join) -> None:
        super().__init__()
        self.encoder, self.bottleneck = layers.convolution(2, 8, 3), layers.convolution(8, 4, 3)
        self.decoder, self.masks = layers.convolution(n_joined, 8, 3), nn.Conv2d(8, 6, 3, padding=1)
        self.join = join

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        maps = self.encoder(planes)
        narrow = self.bottleneck(functional.max_pool2d(maps, 2))
        joined = self.join(up_sample(narrow, maps.shape[-2:]), maps, planes)
        return self.masks(self.decoder(joined)).unflatten(1, (3, 2))


def pooled_and_back(maps: torch.Tensor) -> torch.Tensor:
    return up_sample(functional.max_pool2d(maps, 2), maps.shape[-2:])


@pytest.mark.parametrize(("n_joined", "join", "word"), [
    (4, lambda up, maps, planes: up, "nothing else"),
    (6, lambda up, maps, planes: torch.cat((up, planes), dim=1), "not get the input itself"),
    (8, lambda up, maps, planes: maps + up.repeat(1, 2, 1, 1), "added"),
    (12, lambda up, maps, planes: torch.cat((up, pooled_and_back(maps)), dim=1), "after pooling"),
    (8, lambda up, maps, planes: maps, "missing beside the skip"),
    (4, lambda up, maps, planes: torch.cat((up, maps), dim=1), "RuntimeError"),
])
def test_a_skip_connection_lays_the_encoder_s_maps_beside_the_others(n_joined, join, word):
    outcome = unet.check_skip(lambda: Skipping(n_joined, join))
    assert outcome.state == "wrong" and word in outcome.text


def test_maps_may_be_joined_in_either_order():
    for order in (1, -1):
        outcome = unet.check_skip(
            lambda order=order: Skipping(12, lambda up, maps, planes: torch.cat((up, maps)[::order], dim=1)))
        assert outcome.state == "solved"


def test_a_design_keeps_to_its_budget_and_uses_it():
    assert "Most of them, 145,600, sit in decoder.2.0" in unet.check_design(lambda budget: DANN()).text
    assert "spend 80%" in unet.check_design(lambda budget: DANN(channels=(2, 2, 2, 2), bottleneck=2)).text
    assert "is no network" in unet.check_design(lambda budget: (8, 8, 8, 8)).text
    assert "two parts are" in unet.check_design(lambda budget: nn.Conv2d(2, budget // 20, 3, padding=1)).text


def test_a_wide_kernel_lets_a_tone_pass_and_a_high_one_clicks():
    tone = torch.sin(2 * torch.pi * 440 / report.SAMPLE_RATE * torch.arange(report.N_FRAMES * report.HOP))
    clicks = torch.zeros_like(tone)
    clicks[5000::9000] = 1
    wide = []
    for sound in (tone, clicks):
        planes = spectrogram.stft(sound)[..., : report.N_FRAMES]
        found = definitions("03_unet", "draw", "draw_found", "line_kernel", "find", "find_sliders", planes=planes,
                            picture=planes.norm(dim=0)[None, None] ** 0.3)["find_sliders"]
        assert len(drive(found)) == 5
        share = [int(re.search(r"lets (\d+) %", found.answer(places))[1]) for places in ([1, 3], [3, 1])]
        wide.append(share[0] > 2 * share[1])
        assert max(share) > 2 * min(share)
    assert wide == [True, False]
