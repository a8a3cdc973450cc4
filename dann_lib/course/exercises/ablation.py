"""Self-checks of lesson 4: the loss (3), chance, networks of equal size, an ablation of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from dann_lib.config import TrainingConfig
from dann_lib.course.exercises.checking import Mistakes, ask, self_check, wrong_value
from dann_lib.network import DANN, n_parameters
from dann_lib.training import l1_loss


@self_check("4.1", solved="The same number as the library's loss.")
def check_loss(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Mistakes:
    """4.1: the loss (3) as a mean."""
    generator = torch.Generator().manual_seed(0)
    masks, sources = (torch.randn(2, 3, 2, 5, 4, generator=generator) for _ in range(2))
    mixture = torch.randn(2, 2, 5, 4, generator=generator)
    difference, found = masks * mixture[:, None] - sources, ask(answer, masks, mixture, sources)
    yield wrong_value(found, l1_loss(masks, mixture, sources), "{found:.4f}, and the library finds {true:.4f}. "
                                                               "Does each source get the same mixture?", {
        "That is the sum of (3). Take the mean; it does not depend on the size.": difference.abs().sum(),
        "These are squares, an L2 loss. (3) takes the absolute value.": difference.square().mean(),
        "You compare the masks with the sources. Mask the mixture first.": (masks - sources).abs().mean(),
        "You take the mean first, so errors of opposite sign cancel each other.": difference.mean().abs(),
    }, shape="a loss is one number.", rtol=1e-4)


@self_check("4.2", solved="With three seeds each it never falls below 10 %, whatever the networks.")
def check_chance(answer: Callable[[Sequence[float], Sequence[float]], float]) -> Mistakes:
    """4.2: the share of all ways to deal the results that part them at least as much."""
    far, near = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]), ([1.0, 4.0, 5.0], [2.0, 3.0, 6.0])
    found = float(ask(answer, *far))
    yield not 0 <= found <= 1 and f"{found} is no share; it lies between 0 and 1."
    yield wrong_value(found, 0.1, f"For {far} two of the 20 ways are as far apart, so 0.1; you find {found:.3f}.", {
        "You count one direction only. The other one would be as surprising: take absolute values.": 1 / 20,
        "At least as large: the way in which they were dealt counts too, so it is never 0.": 0,
    })
    found = float(ask(answer, *near))
    yield wrong_value(found, 1, f"For {near} it is 1.00; you find {found:.2f}.")


@self_check("4.3", solved="Now the skip connection differs, and no longer the weights.")
def check_same_size(answer: Callable[[int], int]) -> Mistakes:
    """4.3: a bottleneck with which the network without skip connections has as many weights."""
    def size(skips: tuple[int, ...], bottleneck: int) -> int:
        return n_parameters(DANN(skips, channels=(4, 8, 16, 16), bottleneck=bottleneck))

    for skips in ((3,), (1, 2, 3)):
        target = size(skips, 12)
        width = ask(answer, target)
        if not isinstance(width, (int, np.integer)) or width < 1:
            yield f"{width!r} is no number of feature maps; give a whole number from 1."
        enough, one_less = (size((), max(1, each)) for each in (width, width - 1))
        yield enough < target and f"With {width} maps there are {enough} weights, fewer than {target}; go on."
        yield width > 1 and one_less >= target and (
            f"{width} maps are more than needed: {width - 1} give {one_less} weights, for {target}.")


@self_check("4.4", solved="One thing changes, so whatever comes out is its doing, or chance: use two seeds.")
def check_ablation(answer: Callable[[TrainingConfig], Mapping[str, TrainingConfig]]) -> Mistakes:
    """4.4: variants that differ from the experiment in one and the same thing."""
    base = TrainingConfig(n_chunk_frames=22, batch_size=2, epochs=6)
    variants = list(ask(answer, base).values())
    yield len(variants) < 3 and f"{len(variants)} variants; with fewer than three you see no trend."
    things = sorted({name for each in variants for name, value in vars(base).items() if vars(each)[name] != value})
    yield not things and "All variants are equal. Change one option, with dataclasses.replace."
    yield len(things) > 1 and f"They differ in {', '.join(things)}. You could not tell which made the difference."
    yield any(one == other for one, other in combinations(variants, 2)) and "Two of the variants are the same."
