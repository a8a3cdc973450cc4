"""Lesson 8: its own functions are right, and its self-checks explain typical mistakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from lesson_code import definitions

from dann_lib.config import MODERN
from dann_lib.course.exercises import beyond
from dann_lib.reproduce.claims import CLAIMS, Rule
from dann_lib.training import best_order, snr_loss

CLAIM = next(claim for claim in CLAIMS if claim.id == "more-data")
PLAIN = {"as it is": MODERN, "changed": dataclasses.replace(MODERN, remix=False)}


def test_the_share_of_energy_below_a_bin_is_that_of_a_tone():
    share_below = definitions("08_beyond", "share_below")["share_below"]
    tone = np.sin(2 * np.pi * 100 / 2048 * np.arange(30_000)).astype(np.float32)  # in bin 100
    share = share_below(tone)
    assert share[97] < 0.01 and share[103] > 0.99 and share[-1] == pytest.approx(1)


def test_the_solution_of_8_2_is_the_loss_after_best_order():
    free_loss = definitions("solutions/08_beyond", "free_loss")["free_loss"]
    random = torch.Generator().manual_seed(1)
    masks, sources = (torch.randn(5, 3, 2, 8, 4, generator=random) for _ in range(2))
    mixture = torch.randn(5, 2, 8, 4, generator=random)
    expected = snr_loss(masks, mixture, best_order(masks, mixture, sources)).mean()
    assert free_loss(masks, mixture, sources).item() == pytest.approx(expected.item(), abs=1e-5)


def over_orders(masks: torch.Tensor, mixture: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
    """Losses `(order, chunk)`."""
    return torch.stack([snr_loss(masks, mixture, sources[:, order]).mean(dim=1)
                        for order in permutations(range(sources.shape[1]))])


def proposing(rule: Rule = CLAIM.rule, words: tuple = CLAIM.words, runs: dict = PLAIN) -> Callable:
    """An answer to 8.4."""
    return lambda: (dataclasses.replace(CLAIM, rule=rule, words=words), runs)


@pytest.mark.parametrize(("check", "answer", "words"), [
    (beyond.check_band, lambda p, s: (int(p.nonzero()[0][0]), int(p.nonzero()[0][-1])), "outermost"),
    (beyond.check_band, lambda p, s: (5, 7), "single bins"),
    (beyond.check_band, lambda p, s: (4, 12), "one bin too far"),
    (beyond.check_band, lambda p, s: (5, 12) if p.sum() == 100 else (0, 19), "divide by the sum"),
    (beyond.check_band, lambda p, s: 5, "two numbers"),
    (beyond.check_free_loss, lambda *each: over_orders(*each)[0].mean(), "fixed order"),
    (beyond.check_free_loss, lambda *each: over_orders(*each).mean(dim=1).min(), "whole batch"),
    (beyond.check_free_loss, lambda *each: over_orders(*each).mean(), "mean over all orders"),
    (beyond.check_free_loss, lambda *each: over_orders(*each).max(dim=0).values.mean(), "worst"),
    (beyond.check_free_loss, lambda *each: over_orders(*each).min(), "best chunk"),
    (beyond.check_free_loss, lambda *each: over_orders(*each).min(dim=0).values, "one number"),
    (beyond.check_verdict, lambda m, low, high, r, e: "reproduced" if m >= e else "not reproduced", "smaller"),
    (beyond.check_verdict, lambda m, low, high, r, e: "reproduced" if low > 0 else "not reproduced", "smaller"),
    (beyond.check_proposal, proposing(rule=Rule((), ())), "needs conditions"),
    (beyond.check_proposal, proposing(rule=Rule(CLAIM.rule[0][1:], CLAIM.rule[1][1:]), words=("same",) * 3), "each of"),
    (beyond.check_proposal, proposing(runs={"one": MODERN}), "compares nothing"),
    (beyond.check_proposal, proposing(runs=dict.fromkeys("ab", MODERN)), "nothing; change one thing"),
    (beyond.check_proposal, proposing(runs=PLAIN | {"third": dataclasses.replace(MODERN, gain=1.0)}), "gain, remix"),
])
def test_mistakes_are_explained(check: Callable, answer: Callable, words: str):
    outcome = check(answer)
    assert outcome.state == "wrong" and words in outcome.text


@pytest.mark.parametrize(("check", "name"), [
    (beyond.check_band, "band"), (beyond.check_verdict, "verdict"), (beyond.check_proposal, "proposal"),
    (beyond.check_free_loss, "free_loss"),
])
def test_the_solutions_solve(check: Callable, name: str):
    solutions = definitions("solutions/08_beyond", name, "sure", "later")
    assert check(solutions[name]).state == "solved"
