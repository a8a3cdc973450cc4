"""Self-checks of lesson 4: the loss (3), chance, networks of equal size, an ablation of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from dann_lib.config import TrainingConfig
from dann_lib.course.exercises.checking import Outcome, ask, self_check
from dann_lib.network import DANN, n_parameters
from dann_lib.training import l1_loss


def check_loss(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Outcome:
    """4.1: the loss (3) as a mean."""
    generator = torch.Generator().manual_seed(0)
    masks, sources = (torch.randn(2, 3, 2, 5, 4, generator=generator) for _ in range(2))
    mixture = torch.randn(2, 2, 5, 4, generator=generator)
    difference = masks * mixture[:, None] - sources

    def one_number(function: Callable) -> str | None:
        found = torch.as_tensor(ask(function, masks, mixture, sources))
        return None if found.ndim == 0 else f"The result has shape {tuple(found.shape)}; a loss is one number."

    def value(function: Callable) -> str | None:
        found = float(ask(function, masks, mixture, sources))
        mistakes = {
            float(difference.abs().sum()): "That is the sum of (3). Take the mean; it does not depend on the size.",
            float(difference.square().mean()): "These are squares, an L2 loss. (3) takes the absolute value.",
            float((masks - sources).abs().mean()): "You compare the masks with the sources. Mask the mixture first.",
            float(difference.mean().abs()): "You take the mean first, so errors of opposite sign cancel each other.",
        }
        for wrong, sentence in mistakes.items():
            if np.isclose(found, wrong, rtol=1e-4):
                return sentence
        true = float(l1_loss(masks, mixture, sources))
        return None if np.isclose(found, true, rtol=1e-4) else (
            f"{found:.4f}, and the library finds {true:.4f}. Does each source get the same mixture?")

    return self_check("4.1", answer, one_number, value, solved="The same number as the library's loss.")


def check_chance(answer: Callable[[Sequence[float], Sequence[float]], float]) -> Outcome:
    """4.2: the share of all ways to deal the results that part them at least as much."""
    far, near = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]), ([1.0, 4.0, 5.0], [2.0, 3.0, 6.0])

    def share(function: Callable) -> str | None:
        found = float(ask(function, *far))
        return None if 0 <= found <= 1 else f"{found} is no share; it lies between 0 and 1."

    def two_sides(function: Callable) -> str | None:
        found = float(ask(function, *far))
        if np.isclose(found, 1 / 20):
            return "You count one direction only. The other one would be as surprising: take absolute values."
        if found == 0:
            return "At least as large: the way in which they were dealt counts too, so it is never 0."
        return None if np.isclose(found, 2 / 20) else (
            f"For {far} two of the 20 ways are as far apart, so 0.1; you find {found:.3f}.")

    def other(function: Callable) -> str | None:
        found, true = float(ask(function, *near)), chance(*near)
        return None if np.isclose(found, true) else f"For {near} it is {true:.2f}; you find {found:.2f}."

    return self_check("4.2", answer, share, two_sides, other,
                      solved="With three seeds each it never falls below 10 %, whatever the networks.")


def check_same_size(answer: Callable[[int], int]) -> Outcome:
    """4.3: a bottleneck with which the network without skip connections has as many weights."""
    channels = (4, 8, 16, 16)

    def size(bottleneck: int) -> int:
        return n_parameters(DANN((), channels=channels, bottleneck=bottleneck))

    def close(function: Callable) -> str | None:
        for skips in ((3,), (1, 2, 3)):
            target = n_parameters(DANN(skips, channels=channels, bottleneck=12))
            width = ask(function, target)
            if not isinstance(width, (int, np.integer)) or width < 1:
                return f"{width!r} is no number of feature maps; give a whole number from 1."
            if size(width) < target:
                return f"With {width} maps there are {size(width)} weights, fewer than {target}; go on."
            if width > 1 and size(width - 1) >= target:
                return f"{width} maps are more than needed: {width - 1} give {size(width - 1)} weights, for {target}."
        return None

    return self_check("4.3", answer, close, solved="Now the skip connection differs, and no longer the weights.")


def check_ablation(answer: Callable[[TrainingConfig], Mapping[str, TrainingConfig]]) -> Outcome:
    """4.4: variants that differ from the experiment in one and the same thing."""
    base = TrainingConfig(n_chunk_frames=22, batch_size=2, epochs=6)

    def one_thing(function: Callable) -> str | None:
        variants = ask(function, base)
        if len(variants) < 3:
            return f"{len(variants)} variants; with fewer than three you see no trend."
        changed = [differences(base, each) for each in variants.values()]
        things = set().union(*changed)
        if not things:
            return "All variants are equal. Change one option, with dataclasses.replace."
        if len(things) > 1:
            return f"They differ in {', '.join(sorted(things))}. You could not tell which made the difference."
        return None

    def all_different(function: Callable) -> str | None:
        variants = list(ask(function, base).values())
        same = any(first == second for first, second in combinations(variants, 2))
        return "Two of the variants are the same." if same else None

    return self_check("4.4", answer, one_thing, all_different,
                      solved="One thing changes, so whatever comes out is its doing, or chance: use two seeds.")


def differences(first: TrainingConfig, second: TrainingConfig) -> set[str]:
    """Names of the options in which two configurations differ."""
    ours, others = asdict(first), asdict(second)
    return {name for name in ours if ours[name] != others[name]}


def chance(first: Sequence[float], second: Sequence[float]) -> float:
    """Share of all ways to deal the results to two groups in which their means are at least as far apart."""
    everything = np.array([*first, *second])
    seen = abs(np.mean(first) - np.mean(second))
    apart = []
    for chosen in combinations(range(len(everything)), len(first)):
        inside = np.isin(np.arange(len(everything)), chosen)
        apart.append(abs(everything[inside].mean() - everything[~inside].mean()))
    return float(np.mean(np.array(apart) >= seen - 1e-9))
