"""Lesson 4: its own functions are right, and its self-checks explain typical mistakes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from lesson_code import definitions
from torch.nn import functional

from dann_lib.course.exercises import ablation
from dann_lib.network import DANN, n_parameters


def test_a_coarse_mask_is_the_mean_of_its_squares():
    coarse = definitions("04_skip_ablation", "coarse")["coarse"]
    mask = torch.rand(3, 64, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(coarse(mask, 0), mask)
    quarter = functional.avg_pool2d(mask, 4)
    assert torch.allclose(coarse(mask, 2)[:, [0, -1]][..., [0, -1]], quarter[:, [0, -1]][..., [0, -1]], atol=1e-6)
    constant = torch.full((3, 65, 33), 0.7)
    assert torch.allclose(coarse(constant, 4), constant, atol=1e-6)


def test_the_ablation_is_one_experiment_with_one_parameter():
    namespace = definitions("04_skip_ablation", "VARIANTS", "SMALL", "EXPERIMENT")
    skips = list(namespace["VARIANTS"].values())
    assert {(), (1,), (2,), (3,), (2, 3), (1, 2, 3), (4,)} == set(skips)
    configs = [dataclasses.replace(namespace["EXPERIMENT"], network_options={"skips": each, **namespace["SMALL"]})
               for each in skips]
    assert all(ablation.differences(configs[0], other) == {"network_options"} for other in configs[1:])


def test_the_loss_explains_squares_sums_and_missing_masks():
    def explained(loss) -> str:
        return ablation.check_loss(loss).text

    assert "sum" in explained(lambda m, i, n: (m * i[:, None] - n).abs().sum())
    assert "L2" in explained(lambda m, i, n: (m * i[:, None] - n).square().mean())
    assert "Mask the mixture" in explained(lambda m, i, n: (m - n).abs().mean())
    assert "cancel" in explained(lambda m, i, n: (m * i[:, None] - n).mean().abs())
    assert "one number" in explained(lambda m, i, n: (m * i[:, None] - n).abs())


def test_chance_counts_both_directions_and_the_way_it_was():
    assert ablation.chance([1, 2, 3], [4, 5, 6]) == pytest.approx(0.1)
    assert ablation.chance([1, 1], [1, 1]) == 1
    assert "one direction" in ablation.check_chance(lambda a, b: 1 / 20).text
    assert "never 0" in ablation.check_chance(lambda a, b: 0.0).text
    assert "no share" in ablation.check_chance(lambda a, b: 2.0).text


def test_chance_is_that_of_scipy():
    from scipy.stats import permutation_test

    generator = np.random.default_rng(0)
    first, second = generator.normal(size=3), generator.normal(1, size=4)
    peer = permutation_test((first, second), lambda a, b, axis: abs(a.mean(axis) - b.mean(axis)), vectorized=True,
                            n_resamples=np.inf, alternative="greater")
    assert ablation.chance(first, second) == pytest.approx(peer.pvalue)


def test_equal_size_is_neither_less_nor_more_than_needed():
    assert "fewer" in ablation.check_same_size(lambda target: 1).text
    assert "more than needed" in ablation.check_same_size(lambda target: 64).text
    assert "whole number" in ablation.check_same_size(lambda target: 2.5).text
    assert n_parameters(DANN((), channels=(4, 8, 16, 16))) < n_parameters(DANN((3,), channels=(4, 8, 16, 16)))


def test_an_ablation_changes_one_thing():
    def two(base):
        return {"a": base, "b": dataclasses.replace(base, gain=1.0), "c": dataclasses.replace(base, momentum=0.0)}

    assert "gain, momentum" in ablation.check_ablation(two).text
    assert "equal" in ablation.check_ablation(lambda base: dict.fromkeys("abc", base)).text
    assert "fewer than three" in ablation.check_ablation(lambda base: {"a": base}).text
