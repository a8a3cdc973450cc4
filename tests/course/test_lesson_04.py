"""Lesson 4: its own functions are right, and its self-checks explain typical mistakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from lesson_code import definitions
from scipy.stats import permutation_test
from torch.nn import functional

from dann_lib.config import TrainingConfig
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
    variants = definitions("04_skip_ablation", "VARIANTS", "SMALL")["VARIANTS"]
    assert {(), (1,), (2,), (3,), (2, 3), (4,)} == set(variants.values())
    assert n_parameters(DANN((), channels=(4, 8, 16, 16))) < n_parameters(DANN((3,), channels=(4, 8, 16, 16)))


def test_chance_is_that_of_scipy():
    """In the solution, and in what the self-check expects."""
    generator, chance = np.random.default_rng(0), definitions("solutions/04_skip_ablation", "chance")["chance"]
    for first, second in ((generator.normal(size=3), generator.normal(1, size=4)), *map(np.array, (
            ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]), ([1.0, 4.0, 5.0], [2.0, 3.0, 6.0])))):
        peer = permutation_test((first, second), lambda a, b, axis: abs(a.mean(axis) - b.mean(axis)), vectorized=True,
                                n_resamples=np.inf, alternative="greater")
        assert chance(first, second) == pytest.approx(peer.pvalue)
    assert ablation.check_chance(chance).state == "solved"


def three(**options: object) -> Callable[[TrainingConfig], dict[str, TrainingConfig]]:
    """Variants of an experiment, in which each of the options is changed once, and the experiment itself."""
    return lambda base: {"base": base, **{name: dataclasses.replace(base, **{name: value})
                                          for name, value in options.items()}}


@pytest.mark.parametrize(("check", "answer", "words"), [
    (ablation.check_loss, lambda m, i, n: (m * i[:, None] - n).abs().sum(), "sum"),
    (ablation.check_loss, lambda m, i, n: (m * i[:, None] - n).square().mean(), "L2"),
    (ablation.check_loss, lambda m, i, n: (m - n).abs().mean(), "Mask the mixture"),
    (ablation.check_loss, lambda m, i, n: (m * i[:, None] - n).mean().abs(), "cancel"),
    (ablation.check_loss, lambda m, i, n: (m * i[:, None] - n).abs(), "one number"),
    (ablation.check_loss, lambda m, i, n: 2 * (m * i[:, None] - n).abs().mean(), "the library finds"),
    (ablation.check_chance, lambda a, b: 1 / 20, "one direction"),
    (ablation.check_chance, lambda a, b: 0.0, "never 0"),
    (ablation.check_chance, lambda a, b: 2.0, "no share"),
    (ablation.check_chance, lambda a, b: 0.1, "it is 1.00; you find 0.10"),
    (ablation.check_same_size, lambda target: 1, "fewer"),
    (ablation.check_same_size, lambda target: 64, "more than needed"),
    (ablation.check_same_size, lambda target: 2.5, "whole number"),
    (ablation.check_ablation, three(gain=1.0, momentum=0.0), "gain, momentum"),
    (ablation.check_ablation, lambda base: dict.fromkeys("abc", base), "equal"),
    (ablation.check_ablation, three(), "fewer than three"),
    (ablation.check_ablation, lambda base: {"again": base, **three(gain=1.0)(base)}, "the same"),
])
def test_mistakes_are_explained(check: Callable, answer: Callable, words: str):
    outcome = check(answer)
    assert outcome.state == "wrong" and words in outcome.text
