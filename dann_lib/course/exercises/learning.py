"""Self-checks of lesson 5: a step with momentum, the best mask of two losses, early stopping, remixing, a rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dann_lib.batches import REMIX_DB
from dann_lib.course.exercises.checking import Mistakes, ask, self_check, wrong_value

LOSSES = (5.0, 4.0, 4.2, 4.1, 3.0, 3.2, 3.1, 3.3, 2.0, 1.0)
"""Losses with two pauses, of two and of three epochs."""

STOPS = {2: (2, 4), 3: (5, 8), 4: (10, 10)}
"""Patience → the epoch of `LOSSES` that is kept, and how many are run, both counted from 1."""


@self_check("5.1", solved="That is torch.optim.SGD, for one weight.")
def check_momentum_step(answer: Callable[[float, float, float, float, float], tuple[float, float]]) -> Mistakes:
    """5.1: weight and velocity after one step, with the convention of PyTorch."""
    weight, velocity, gradient, rate, momentum = 1.0, 3.0, 2.0, 0.1, 0.9
    found = ask(answer, weight, velocity, gradient, rate, momentum)
    yield np.shape(found) != (2,) and "Give back two numbers: the new weight, then the new velocity."
    plain, below = ask(answer, weight, 0.0, gradient, rate, 0.0)[0], weight - rate * gradient
    yield wrong_value(plain, below, f"Without momentum it is plain gradient descent: from {weight:g}, with gradient "
                      f"{gradient:g} and rate {rate:g}, to {below:g}. You get to {plain:g}.", {
        "Without momentum you go uphill: the gradient points to where the loss grows.": weight + rate * gradient,
    })
    new, damped = momentum * velocity + gradient, momentum * velocity + (1 - momentum) * gradient
    yield wrong_value(found, (weight - rate * new, new), f"From weight {weight:g} and velocity {velocity:g}, "
                      "{true[0]:.2f} and {true[1]:.2f} were expected, {found[0]:.2f} and {found[1]:.2f} found. What is "
                      "left of the old velocity, and what comes to it?", {
        "The weight moves by the old velocity; bring that up to date first.": (weight - rate * velocity, new),
        "The weight does not feel the velocity; it follows the gradient alone.": (below, new),
        "That looks ahead once more (Nesterov's variant).": (weight - rate * (gradient + momentum * new), new),
        "The rate is inside your velocity. With a constant rate that is nearly the same; PyTorch keeps it outside, "
        "so that a rate that changes acts on all of the velocity at once.":
            (below - momentum * velocity, momentum * velocity + rate * gradient),
        "You weaken the new gradient by 1 − momentum, a running mean. Here all of it is added to the velocity.":
            (weight - rate * damped, damped),
    })


@self_check("5.2", solved="A weighted median and a weighted mean: the two losses ask different questions.")
def check_best_masks(answer: Callable[[np.ndarray, np.ndarray], tuple[float, float]]) -> Mistakes:
    """5.2: the mask value with the lowest L1 loss, and that with the lowest L2 loss."""
    random = np.random.default_rng(0)
    mixture = random.standard_normal(2001) * np.exp(1.5 * random.standard_normal(2001))
    source = mixture * (np.exp(1.2 * random.standard_normal(2001) - 1) + 0.3 * (np.abs(mixture) > 2))
    with_rest = np.append(mixture, np.zeros(9)), np.append(source, random.standard_normal(9))
    ratio, loud = source / mixture, np.abs(mixture)
    weighted, by_squares = (np.average(ratio, weights=loud**power) for power in (1, 2))
    true = np.quantile(ratio, 0.5, weights=loud, method="inverted_cdf"), by_squares
    found = ask(answer, mixture, source)
    yield np.shape(found) != (2,) and "Give back two numbers: the mask of L1, then that of L2."
    yield np.allclose(found[::-1], true, rtol=0.02) and "They are the wrong way round: first L1, then L2."
    for power, mask, best, mistakes in zip((1, 2), found, true, (
        {"L1: that is the plain median of the ratios. A bin counts by how loud the mixture is in it.": np.median(ratio),
         "L1: that is the weighted mean of the ratios. Absolute values ask for the weighted median.": weighted},
        {"L2: that is the plain mean of the ratios. Where does the slope of Σ(g I − N)² become zero?": ratio.mean(),
         "L2: the weights are the squares of the mixture, not its absolute values.": weighted},
    ), strict=True):
        ours, lowest = (np.sum(np.abs(each * mixture - source) ** power) for each in (mask, best))
        yield wrong_value(mask, mask if ours <= 1.001 * lowest else np.nan, f"L{power}: your mask {mask:.3f} has a "
                          f"loss of {ours:.5g}; the lowest there is, is {lowest:.5g}.", mistakes, rtol=1e-3)
    with np.errstate(divide="ignore", invalid="ignore"):
        again = ask(answer, *with_rest)
    yield wrong_value(again, found, rtol=0.01, otherwise=
                      "Where the mixture is 0, no mask changes anything, and the ratio divides by zero. Leave these "
                      "bins out.")


@self_check("5.3", solved="The rule of the library's `patience`. What it costs are the epochs after the best one.")
def check_early_stop(answer: Callable[[Sequence[float], int], tuple[int, int]]) -> Mistakes:
    """5.3: which epoch is kept, and how many were run."""
    yield np.shape(ask(answer, LOSSES, 3)) != (2,) and (
        "Give back two numbers: the epoch that is kept, then how many were run.")
    kept, run = ask(answer, LOSSES, 20)
    yield (kept, run) in ((9, 9), (9, 10)) and "Epochs are counted from 1, positions in a list from 0."
    yield (kept, run) != (10, 10) and (
        f"With a patience of 20 nothing stops it: 10 epochs, and the last is the best. You find {kept}, {run}.")
    for patience in (2, 3):
        (kept, run), true = ask(answer, LOSSES, patience), STOPS[patience]
        if (kept, run) == true:
            continue
        yield (kept > run or (kept == 10 and run < 10)) and (
            f"You keep epoch {kept}, and the run is over after {run}: nobody has seen it by then.")
        yield (kept, run) == STOPS[patience + 1] and (
            f"You wait one epoch too long: with a patience of {patience}, it is over after epoch {true[1]}.")
        yield (kept, run) == (10, 10) and (
            "Your run never stops. Do you compare each loss with the lowest so far, or with the one before?")
        yield kept == run and (
            "What you keep is the last epoch. Keep the best one; the ones after it only showed that it was.")
        yield run < true[1] and (
            f"You stop after epoch {run}, too soon. How many epochs have passed since the lowest loss?")
        yield (f"For losses {LOSSES} and a patience of {patience}, epoch {true[0]} of {true[1]} is kept; "
               f"you keep {kept} of {run}.")
    ties = (2.0, 1.0, 1.0, 1.0, 1.0)
    yield tuple(ask(answer, ties, 2)) != (2, 4) and (
        f"For {ties} and a patience of 2, an equal loss is no better one: epoch 2 of 4 is kept.")


@self_check("5.4", solved="Songs that nobody has played, with their true stems known: as many as you like.")
def check_remix(answer: Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]) -> Mistakes:
    """5.4: new songs from the stems of a batch."""
    stems, given = (np.random.default_rng(0).standard_normal((12, 4, 300)) for _ in range(2))
    mixture, remixed = ask(answer, given, np.random.default_rng(1))
    shapes, expected = [np.shape(mixture), np.shape(remixed)], [(12, 300), (12, 4, 300)]
    yield shapes != expected and f"Shapes {shapes}; {expected} were expected: mixture, then stems."
    yield wrong_value(mixture, remixed.sum(axis=1), "The mixture is not the sum of its stems, so the network would be "
                      "asked for something that is not there.", {
        "The mixture is still that of the old stems. Add up the new ones.": stems.sum(axis=1),
    })
    yield not np.array_equal(given, stems) and (
        "You change the stems that you were given; the next epoch would start from them. Make new ones.")
    same, other = (ask(answer, given, np.random.default_rng(seed))[1] for seed in (1, 2))
    yield not np.array_equal(remixed, same) and (
        "The same generator gives two results. Draw from `random` only, or no run can be repeated.")
    yield np.array_equal(remixed, other) and "Every draw gives the same remix; use `random`."
    chunks, places, gains = _origins(remixed, stems)
    yield chunks is None and (
        "A new stem is none of the old ones at another level. Exchange whole stems, and scale them.")
    yield (places != np.arange(4)).any() and (
        "Some stems have changed their row: drums have to stay drums, or the network learns to mix them up.")
    yield (chunks == np.arange(12)[:, None]).all() and (
        "No stem comes from another chunk; draw a new order of the chunks.")
    yield (chunks == chunks[:, :1]).all() and (
        "Each new chunk has all its stems from one old chunk. Draw an order of its own for each source.")
    level = 20 * np.log10(np.abs(gains))
    loudest = np.abs(level).max()
    yield np.ptp(level) < 1e-6 and "All stems are at one level. Draw a gain for each stem of each chunk."
    yield loudest > REMIX_DB + 0.01 and (
        f"Levels reach {loudest:.1f} dB; at most {REMIX_DB:g} dB either way were asked for. A gain in dB becomes a "
        "factor by 10^(dB/20).")
    yield (level.max() < 0.1 or level.min() > -0.1) and (
        f"Levels go one way only, from {level.min():.1f} to {level.max():.1f} dB; let them go both ways.")
    yield (np.allclose(level, level[:1]) or np.allclose(level, level[:, :1])) and (
        "Levels are the same along one of the two axes. Draw a gain for each stem of each chunk.")


@self_check("5.5", solved="Chosen on validation songs. Look at the test loss of this one rate, once, and report it.")
def check_choose_rate(answer: Callable[[Callable[[float], float], float, float, int], float]) -> Mistakes:
    """5.5: the learning rate with the lowest loss on the validation songs."""

    def tried(valley: float, broken: float = np.inf) -> tuple[float, dict[float, float]]:
        losses: dict[float, float] = {}

        def validation_loss(rate: float) -> float:
            return losses.setdefault(float(rate), np.nan if rate > broken else np.log10(rate / valley) ** 2)

        return float(ask(answer, validation_loss, 1e-5, 1.0, 11)), losses

    found, losses = tried(1e-3)
    yield not losses and "You never call validation_loss; there is nothing to choose by."
    yield len(losses) > 11 and f"You try {len(losses)} rates, and 11 were allowed: each is a whole training run."
    yield len(losses) < 5 and f"You try {len(losses)} rates only, and 11 were allowed."
    yield (min(losses) < 0.99e-5 or max(losses) > 1.01) and (
        f"You try rates from {min(losses):.2g} to {max(losses):.2g}; from 1e-5 to 1 was asked for.")
    yield found not in losses and (
        f"You choose {found:.3g}, a rate that was never tried. Is it the loss in place of the rate?")
    low = sum(rate < 1e-2 for rate in losses)
    yield low < len(losses) / 4 and (
        f"{len(losses) - low} of your {len(losses)} rates are above 0.01, and the range begins at 0.00001. Rates "
        "matter by their ratio: make equal factors between them.")
    for valley in (1e-4, 3e-2):
        found, losses = tried(valley)
        best, worst = min(losses, key=losses.get), max(losses, key=losses.get)
        yield found == worst and "You choose the rate with the highest loss."
        yield found != best and f"You choose {found:.3g}; of those that you tried, {best:.3g} is better."
    found, losses = tried(1e-2, broken=5e-3)
    finite = {rate: loss for rate, loss in losses.items() if loss == loss}
    yield np.isnan(losses.get(found, np.nan)) and (
        "You choose a run that exploded: its loss is NaN, neither smaller nor larger than any number.")
    yield found != min(finite, key=finite.get) and (
        "With runs that explode (loss NaN), you miss the best of the others.")


def _origins(remixed: np.ndarray, stems: np.ndarray) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Chunk, row and gain of the old stem that each new one is; no chunks if one is none of them."""
    old = stems.reshape(-1, stems.shape[-1])
    products, lengths = remixed @ old.T, np.linalg.norm(old, axis=1)
    cosines = np.abs(products) / lengths / np.linalg.norm(remixed, axis=-1, keepdims=True)
    best, gains = cosines.argmax(axis=-1), products / lengths**2
    chunks, places = np.divmod(best, stems.shape[1])
    known = cosines.max(axis=-1).min() > 0.999
    return chunks if known else None, places, np.take_along_axis(gains, best[..., None], axis=-1)[..., 0]
