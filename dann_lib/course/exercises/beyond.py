"""Self-checks of lesson 8: a band, the loss in any order, a verdict by a rule, an experiment of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from dann_lib.config import MODERN, TrainingConfig
from dann_lib.course.exercises.checking import Mistakes, ask, self_check, wrong_value
from dann_lib.reproduce.claims import COMPARISONS, Claim, Condition
from dann_lib.reproduce.findings import Finding
from dann_lib.training import snr_loss


@self_check("8.1", solved="Energy decides, not the highest bin that holds any: there is always a little somewhere.")
def check_band(answer: Callable[[np.ndarray, float], tuple[int, int]]) -> Mistakes:
    """8.1: first and last bin of a band that leaves a share of the energy below it, and a share above."""
    power = np.zeros(20)
    power[[0, 5, 6, 7, 12, 19]] = 0.5, 10, 60, 20, 9, 0.5
    found = np.asarray(ask(answer, power, 0.02))
    yield wrong_value(found, (5, 12), "For the example you find {found}, expected {true}: add the energy up from below "
                                      "until it is more than the share, and from above likewise.", {
        "These are the outermost bins with any energy; leave out the share of it at both ends.": (0, 19),
        "You compare single bins with the share; add them up from the end: np.cumsum.": (5, 7),
        "That is one bin too far below: at the first bin the sum has to be above the share.": (4, 12),
    }, shape="two numbers are wanted, the first and the last bin.")
    found = np.asarray(ask(answer, 1000 * power, 0.02))
    yield wrong_value(found, (5, 12), "A louder song has the same band, and you find {found}: divide by the sum.")


@self_check("8.2", solved="The library's loss after `best_order`: each chunk decides for itself.")
def check_free_loss(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Mistakes:
    """8.2: the loss of two or more sources in the order that fits each chunk best."""
    generator = torch.Generator().manual_seed(0)
    for n_sources in (2, 3):
        mixture = torch.randn(6, 2, 8, 4, generator=generator)
        masks, sources = (torch.randn(6, n_sources, 2, 8, 4, generator=generator) for _ in range(2))
        masks[::2] = masks[::2].flip(1)  # chunks that want different orders
        each = torch.stack([snr_loss(masks, mixture, sources[:, order]).mean(dim=1)
                            for order in permutations(range(n_sources))])            # (order, batch)
        yield wrong_value(ask(answer, masks, mixture, sources), each.min(dim=0).values.mean(),
                          f"{{found:.4f}} dB for {n_sources} sources, and the library finds {{true:.4f}}.", {
            "That is the fixed order. Try the others too, with itertools.permutations.": each[0].mean(),
            "You choose one order for the whole batch. Each chunk may have another one.": each.mean(dim=1).min(),
            "That is the mean over all orders; take the lowest.": each.mean(),
            "That is the worst order; the loss is in dB, lower is better.": each.max(dim=0).values.mean(),
            "You take the best chunk of all; the mean over the chunks is wanted.": each.min(),
        }, shape="a loss is one number.", rtol=1e-4)


@self_check("8.3", solved="Sure and large enough are two things, and a rule asks for both.")
def check_verdict(answer: Callable[[float, float, float, float, float], str]) -> Mistakes:
    """8.3: what a rule for an effect says of a measured value with its interval."""
    cases: Sequence[tuple[tuple[float, float, float, float, float], str, str]] = (
        ((0.5, 0.3, 0.7, 0.1, 0.3), "reproduced", "it is sure, and large enough"),
        ((0.2, 0.1, 0.3, 0.1, 0.3), "same shape, other size", "it is sure and relevant, and smaller than expected"),
        ((0.05, 0.04, 0.06, 0.1, 0.3), "not reproduced", "it is sure, but too small to matter"),
        ((0.5, -0.1, 1.1, 0.1, 0.3), "not reproduced", "the interval reaches below 0"),
        ((-0.5, -0.7, -0.3, 0.1, 0.3), "not reproduced", "it goes the other way"),
        ((0.3, 0.1, 0.5, 0.1, 0.3), "reproduced", "as much as was expected is enough"),
    )
    for (measured, low, high, relevant, expected), verdict, reason in cases:
        found = ask(answer, measured, low, high, relevant, expected)
        yield found != verdict and (f"{measured} dB [{low}, {high}], relevant from {relevant}, expected {expected}: you"
                                    f" say {found!r}, but {reason}, so {verdict!r}.")


@self_check("8.4", solved="Commit it before anything is trained: then nobody can say that you chose it afterwards.")
def check_proposal(answer: Callable[[], tuple[Claim, Mapping[str, TrainingConfig]]]) -> Mistakes:
    """8.4: a claim with rule and words, and an experiment that differs in one thing."""
    claim, variants = ask(answer)
    conditions = (*claim.rule.reproduced, *claim.rule.same_shape)
    yield not all(claim.rule[:2]) and "The rule needs conditions for the first verdict and for the second."
    yield any(not isinstance(each, Condition) or each.words not in COMPARISONS for each in conditions) and (
        f"A condition compares in one of these words: {', '.join(COMPARISONS)}.")
    same = Finding(0.0, -1.0, 1.0, "")
    yield claim.rule.decide(same) != claim.rule.verdicts[-1] and (
        "If nothing changes, your rule still finds something: ask for the interval on one side of 0.")
    yield len({*claim.words}) < 3 and "Write what each of the three verdicts would mean, in a sentence of its own."
    yield len(variants) < 2 and "One training run compares nothing; give the run as it is, and the one with the change."
    things = {name for each in variants.values() for name, value in vars(MODERN).items() if vars(each)[name] != value}
    yield len(things - {"seed"}) != 1 and (
        f"The runs differ from MODERN in {', '.join(sorted(things)) or 'nothing'}; change one thing, and one only.")
