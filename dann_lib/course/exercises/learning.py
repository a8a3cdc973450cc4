"""Self-checks of lesson 5: a step with momentum, the best mask of two losses, early stopping, remixing, a rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dann_lib.batches import REMIX_DB
from dann_lib.course.exercises.checking import Fact, Outcome, ask, self_check

CLOSE = 1.001
"""A mask is accepted whose loss is at most so many times the lowest one."""

LOSSES = (5.0, 4.0, 4.2, 4.1, 3.0, 3.2, 3.1, 3.3, 2.0, 1.0)
"""Losses with two pauses, of two and of three epochs."""


def check_momentum_step(answer: Callable[[float, float, float, float, float], tuple[float, float]]) -> Outcome:
    """5.1: weight and velocity after one step, with the convention of PyTorch."""
    weight, velocity, gradient, rate, momentum = 1.0, 3.0, 2.0, 0.1, 0.9

    def two(function: Callable) -> str | None:
        found = np.shape(ask(function, weight, velocity, gradient, rate, momentum))
        return None if found == (2,) else "Give back two numbers: the new weight, then the new velocity."

    def downhill(function: Callable) -> str | None:
        found = ask(function, weight, 0.0, gradient, rate, 0.0)[0]
        if np.isclose(found, weight + rate * gradient):
            return "Without momentum you go uphill: the gradient points to where the loss grows."
        return None if np.isclose(found, weight - rate * gradient) else (
            f"Without momentum it is plain gradient descent: from {weight:g}, with gradient {gradient:g} and rate "
            f"{rate:g}, to {weight - rate * gradient:g}. You get to {found:g}.")

    def value(function: Callable) -> str | None:
        found = np.array(ask(function, weight, velocity, gradient, rate, momentum), dtype=float)
        new = momentum * velocity + gradient
        mistakes = {
            (weight - rate * velocity, new): "The weight moves by the old velocity; bring that up to date first.",
            (weight - rate * gradient, new): "The weight does not feel the velocity; it follows the gradient alone.",
            (weight - rate * (gradient + momentum * new), new): "That looks ahead once more (Nesterov's variant).",
            (weight - momentum * velocity - rate * gradient, momentum * velocity + rate * gradient):
                "The rate is inside your velocity. With a constant rate that is nearly the same; PyTorch keeps it "
                "outside, so that a rate that changes acts on all of the velocity at once.",
        }
        damped = momentum * velocity + (1 - momentum) * gradient
        mistakes[weight - rate * damped, damped] = (
            "You weaken the new gradient by 1 − momentum, a running mean. Here all of it is added to the velocity.")
        for wrong, sentence in mistakes.items():
            if np.allclose(found, wrong):
                return sentence
        true = (weight - rate * new, new)
        return None if np.allclose(found, true) else (
            f"From weight {weight:g} and velocity {velocity:g}, {true[0]:.2f} and {true[1]:.2f} were expected, "
            f"{found[0]:.2f} and {found[1]:.2f} found. What is left of the old velocity, and what comes to it?")

    return self_check("5.1", answer, two, downhill, value, solved="That is torch.optim.SGD, for one weight.")


def check_best_masks(answer: Callable[[np.ndarray, np.ndarray], tuple[float, float]]) -> Outcome:
    """5.2: the mask value with the lowest L1 loss, and that with the lowest L2 loss."""
    random = np.random.default_rng(0)
    mixture = random.standard_normal(2001) * np.exp(1.5 * random.standard_normal(2001))
    source = mixture * (np.exp(1.2 * random.standard_normal(2001) - 1) + 0.3 * (np.abs(mixture) > 2))
    with_rest = np.append(mixture, np.zeros(9)), np.append(source, random.standard_normal(9))
    true = np.array([_weighted_median(source / mixture, np.abs(mixture)), source @ mixture / (mixture @ mixture)])

    def two(function: Callable) -> str | None:
        found = np.shape(ask(function, mixture, source))
        return None if found == (2,) else "Give back two numbers: the mask of L1, then that of L2."

    def value(function: Callable) -> str | None:
        found = np.array(ask(function, mixture, source), dtype=float)
        ratio = source / mixture
        if np.allclose(found[::-1], true, rtol=0.02):
            return "They are the wrong way round: first L1, then L2."
        if np.isclose(found[0], np.median(ratio), rtol=1e-3):
            return "L1: that is the plain median of the ratios. A bin counts by how loud the mixture is in it."
        if np.isclose(found[0], np.average(ratio, weights=np.abs(mixture)), rtol=1e-3):
            return "L1: that is the weighted mean of the ratios. Absolute values ask for the weighted median."
        if np.isclose(found[1], ratio.mean(), rtol=1e-3):
            return "L2: that is the plain mean of the ratios. Where does the slope of Σ(g I − N)² become zero?"
        if np.isclose(found[1], np.average(ratio, weights=np.abs(mixture)), rtol=1e-3):
            return "L2: the weights are the squares of the mixture, not its absolute values."
        for name, mask, best, power in zip(("L1", "L2"), found, true, (1, 2), strict=True):
            ours, lowest = (np.sum(np.abs(each * mixture - source) ** power) for each in (mask, best))
            if not ours <= CLOSE * lowest:
                return f"{name}: your mask {mask:.3f} has a loss of {ours:.5g}; the lowest there is, is {lowest:.5g}."
        return None

    def silent_bins(function: Callable) -> str | None:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.array(ask(function, *with_rest), dtype=float)
        return None if np.allclose(found, ask(function, mixture, source), rtol=0.01) else (
            "Where the mixture is 0, no mask changes anything, and the ratio divides by zero. Leave these bins out.")

    return self_check("5.2", answer, two, value, silent_bins,
                      solved="A weighted median and a weighted mean: the two losses ask different questions.")


def check_early_stop(answer: Callable[[Sequence[float], int], tuple[int, int]]) -> Outcome:
    """5.3: which epoch is kept, and how many were run."""

    def two(function: Callable) -> str | None:
        found = np.shape(ask(function, LOSSES, 3))
        return None if found == (2,) else "Give back two numbers: the epoch that is kept, then how many were run."

    def in_the_end(function: Callable) -> str | None:
        kept, run = ask(function, LOSSES, 20)
        if (kept, run) == (9, 9) or (kept, run) == (9, 10):
            return "Epochs are counted from 1, positions in a list from 0."
        return None if (kept, run) == (10, 10) else (
            f"With a patience of 20 nothing stops it: 10 epochs, and the last is the best. You find {kept}, {run}.")

    def value(function: Callable) -> str | None:
        for patience in (2, 3):
            found, true = tuple(ask(function, LOSSES, patience)), early_stop(LOSSES, patience)
            if found == true:
                continue
            if found[0] > found[1] or (found[0] == 10 and found[1] < 10):
                return f"You keep epoch {found[0]}, and the run is over after {found[1]}: nobody has seen it by then."
            if found == early_stop(LOSSES, patience + 1) and found != early_stop(LOSSES, patience):
                return f"You wait one epoch too long: with a patience of {patience}, it is over after epoch {true[1]}."
            if found == (len(LOSSES), len(LOSSES)):
                return "Your run never stops. Do you compare each loss with the lowest so far, or with the one before?"
            if found[0] == found[1]:
                return "What you keep is the last epoch. Keep the best one; the ones after it only showed that it was."
            if found[1] < true[1]:
                return f"You stop after epoch {found[1]}, too soon. How many epochs have passed since the lowest loss?"
            return (f"For losses {LOSSES} and a patience of {patience}, epoch {true[0]} of {true[1]} is kept; "
                    f"you keep {found[0]} of {found[1]}.")
        return None

    def ties(function: Callable) -> str | None:
        losses = (2.0, 1.0, 1.0, 1.0, 1.0)
        return None if tuple(ask(function, losses, 2)) == (2, 4) else (
            f"For {losses} and a patience of 2, an equal loss is no better one: epoch 2 of 4 is kept.")

    return self_check("5.3", answer, two, in_the_end, value, ties,
                      solved="The rule of the library's `patience`. What it costs are the epochs after the best one.")


def early_stop(losses: Sequence[float], patience: int) -> tuple[int, int]:
    """The epoch that is kept and the epochs that were run, both counted from 1."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best >= patience:
            return best + 1, epoch + 1
    return best + 1, len(losses)


def check_remix(answer: Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]) -> Outcome:
    """5.4: new songs from the stems of a batch."""
    stems = np.random.default_rng(0).standard_normal((12, 4, 300))

    def shapes(function: Callable) -> str | None:
        found = [np.shape(each) for each in ask(function, stems.copy(), np.random.default_rng(1))]
        expected = [(12, 300), (12, 4, 300)]
        return None if found == expected else f"Shapes {found}; {expected} were expected: mixture, then stems."

    def adds_up(function: Callable) -> str | None:
        mixture, remixed = ask(function, stems.copy(), np.random.default_rng(1))
        if np.allclose(mixture, stems.sum(axis=1)):
            return "The mixture is still that of the old stems. Add up the new ones."
        return None if np.allclose(mixture, remixed.sum(axis=1)) else (
            "The mixture is not the sum of its stems, so the network would be asked for something that is not there.")

    def repeats(function: Callable) -> str | None:
        before = stems.copy()
        one, same, other = (ask(function, before, np.random.default_rng(seed))[1] for seed in (1, 1, 2))
        if not np.array_equal(before, stems):
            return "You change the stems that you were given; the next epoch would start from them. Make new ones."
        if not np.array_equal(one, same):
            return "The same generator gives two results. Draw from `random` only, or no run can be repeated."
        return "Every draw gives the same remix; use `random`." if np.array_equal(one, other) else None

    return self_check("5.4", answer, shapes, adds_up, repeats, _exchange(stems), _levels(stems),
                      solved="Songs that nobody has played, with their true stems known: as many as you like.")


def _exchange(stems: np.ndarray) -> Fact:
    """Stems come from other chunks, each by itself, and keep their place."""
    def fact(function: Callable) -> str | None:
        chunks, places, _ = _origins(ask(function, stems.copy(), np.random.default_rng(1))[1], stems)
        if chunks is None:
            return "A new stem is none of the old ones at another level. Exchange whole stems, and scale them."
        if not np.array_equal(places, np.broadcast_to(np.arange(stems.shape[1]), places.shape)):
            return "Some stems have changed their row: drums have to stay drums, or the network learns to mix them up."
        if np.array_equal(chunks, np.arange(len(stems))[:, None] + 0 * chunks):
            return "No stem comes from another chunk; draw a new order of the chunks."
        if (chunks == chunks[:, :1]).all():
            return "Each new chunk has all its stems from one old chunk. Draw an order of its own for each source."
        return None

    return fact


def _levels(stems: np.ndarray) -> Fact:
    """Levels differ from stem to stem, within the limits."""
    def fact(function: Callable) -> str | None:
        _, _, gains = _origins(ask(function, stems.copy(), np.random.default_rng(1))[1], stems)
        level = 20 * np.log10(np.abs(gains))
        if np.ptp(level) < 1e-6:
            return "All stems are at one level. Draw a gain for each stem of each chunk."
        if np.abs(level).max() > REMIX_DB + 0.01:
            return (f"Levels reach {np.abs(level).max():.1f} dB; at most {REMIX_DB:g} dB either way were asked for. "
                    "A gain in dB becomes a factor by 10^(dB/20).")
        if level.max() < 0.1 or level.min() > -0.1:
            return f"Levels go one way only, from {level.min():.1f} to {level.max():.1f} dB; let them go both ways."
        if np.allclose(level, level[:1]) or np.allclose(level, level[:, :1]):
            return "Levels are the same along one of the two axes. Draw a gain for each stem of each chunk."
        return None

    return fact


def check_choose_rate(answer: Callable[[Callable[[float], float], float, float, int], float]) -> Outcome:
    """5.5: the learning rate with the lowest loss on the validation songs."""

    def tried(function: Callable, valley: float, broken: float = np.inf) -> tuple[float, dict[float, float]]:
        losses: dict[float, float] = {}

        def validation_loss(rate: float) -> float:
            losses[float(rate)] = float("nan") if rate > broken else (np.log10(rate) - np.log10(valley)) ** 2
            return losses[float(rate)]

        return float(ask(function, validation_loss, 1e-5, 1.0, 11)), losses

    def range_of_tries(function: Callable) -> str | None:
        found, losses = tried(function, 1e-3)
        if not losses:
            return "You never call validation_loss; there is nothing to choose by."
        if len(losses) > 11:
            return f"You try {len(losses)} rates, and 11 were allowed: each is a whole training run."
        if len(losses) < 5:
            return f"You try {len(losses)} rates only, and 11 were allowed."
        if min(losses) < 0.99e-5 or max(losses) > 1.01:
            return f"You try rates from {min(losses):.2g} to {max(losses):.2g}; from 1e-5 to 1 was asked for."
        if found not in losses:
            return f"You choose {found:.3g}, a rate that was never tried. Is it the loss in place of the rate?"
        return None

    def logarithmic(function: Callable) -> str | None:
        losses = tried(function, 1e-3)[1]
        low = sum(rate < 1e-2 for rate in losses)
        return None if low >= len(losses) / 4 else (
            f"{len(losses) - low} of your {len(losses)} rates are above 0.01, and the range begins at 0.00001. Rates "
            "matter by their ratio: make equal factors between them.")

    def lowest(function: Callable) -> str | None:
        for valley in (1e-4, 3e-2):
            found, losses = tried(function, valley)
            if found == max(losses, key=losses.get):
                return "You choose the rate with the highest loss."
            if found != min(losses, key=losses.get):
                return f"You choose {found:.3g}; of those that you tried, {min(losses, key=losses.get):.3g} is better."
        return None

    def exploded(function: Callable) -> str | None:
        found, losses = tried(function, 1e-2, broken=5e-3)
        finite = {rate: loss for rate, loss in losses.items() if loss == loss}
        if np.isnan(losses.get(found, np.nan)):
            return "You choose a run that exploded: its loss is NaN, neither smaller nor larger than any number."
        return None if found == min(finite, key=finite.get) else (
            "With runs that explode (loss NaN), you miss the best of the others.")

    return self_check("5.5", answer, range_of_tries, logarithmic, lowest, exploded,
                      solved="Chosen on validation songs. Look at the test loss of this one rate, once, and report it.")


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _origins(remixed: np.ndarray, stems: np.ndarray) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Chunk, row and gain of the old stem that each new one is; no chunks if one is none of them."""
    old = stems.reshape(-1, stems.shape[-1])
    gains = np.einsum("cst,ot->cso", remixed, old) / np.sum(old**2, axis=1)
    alike = np.abs(gains) * np.linalg.norm(old, axis=1) / np.linalg.norm(remixed, axis=-1, keepdims=True)
    best = alike.argmax(axis=-1)
    chunks, places = np.divmod(best, stems.shape[1])
    known = np.take_along_axis(alike, best[..., None], axis=-1) > 0.999
    return chunks if known.all() else None, places, np.take_along_axis(gains, best[..., None], axis=-1)[..., 0]
