"""Self-checks of lesson 6: projection, the three ratios, an interval of a median, pairs of songs, a metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from dann_lib.course.exercises.checking import Mistakes, Waveform, ask, self_check, wrong_shape, wrong_value
from dann_lib.evaluation import interval, sdr_sir_sar

Interval = tuple[float, float]



def attempts(sources: np.ndarray, target: int) -> dict[str, Waveform]:
    """Estimates of one of all true sources `(stem, sample)`, each wrong in its own way, the mixture last."""
    truth, others = sources[target], sources.sum(axis=0) - sources[target]
    noise = np.random.default_rng(0).standard_normal(truth.shape)
    return {
        "half as loud": truth / 2,
        "with some of the others": truth + 0.2 * others,
        "with some noise": truth + 0.2 * np.std(truth) * noise,
        "one sample late": np.roll(truth, 1),
        "20 samples late": np.roll(truth, 20),
        "first half only": np.where(np.arange(len(truth)) < len(truth) // 2, truth, 0.0),
        "the mixture": truth + others,
    }


@self_check("6.1", solved="The rest is orthogonal: nothing of the source is in it.")
def check_projection(answer: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Mistakes:
    """6.1: the multiple of one vector that is closest to another one."""
    x, s = np.random.default_rng(0).standard_normal((2, 50)) + 0.4
    found, product = ask(answer, x, s), x @ s
    yield np.shape(found) == () and (
        "The result is one number, the gain. The projection is a vector: the gain times the source.")
    yield wrong_shape(found, s.shape, f"the source has {s.shape}.")
    left = abs((x - found) @ s) / np.linalg.norm(x) / np.linalg.norm(s)
    yield wrong_value(found, product / (s @ s) * s, f"The rest should be orthogonal to the source, and the cosine of "
                      f"their angle is {left:.2f}. Look at step 2 of the five in section 1.", {
        "That is the source projected on the estimate. The shadow lies along the source.": product / (x @ x) * x,
        "Divide by the squared length of the source; you divide by its length.": product / np.sqrt(s @ s) * s,
        "The gain still depends on how loud the source is: divide by its energy.": product * s,
        "That multiplies sample by sample. An inner product adds the products up, to one number.": x * s,
        "The right direction, with a wrong gain: divide by the energy of the source, not by that of the estimate.":
            product / (x @ x) * s,
    })


@self_check("6.2", solved="The same as the library's, even for sources that are not orthogonal.")
def check_three_ratios(answer: Callable[[Waveform, np.ndarray, int], tuple[float, float, float]]) -> Mistakes:
    """6.2: SDR, SIR and SAR of equations (5) to (7)."""
    noise = np.random.default_rng(0).standard_normal((4, 2000))
    sources = noise + 0.5 * noise[[1, 2, 3, 0]]  # they share something, so they are not orthogonal
    estimate = 0.7 * sources[1] + 0.3 * sources[2] + 0.3 * np.random.default_rng(1).standard_normal(2000)
    own = [estimate @ source / (source @ source) * source for source in sources]
    floor = np.linalg.lstsq(sources.T, estimate, rcond=None)[0] @ sources
    found = np.array(ask(answer, estimate, sources, 1), float)
    yield wrong_shape(found, (3,), "return SDR, SIR and SAR, three numbers.")
    for value, right, name, (mistake, above, below) in zip(found, _ratios(estimate, sources), ("SDR", "SIR", "SAR"), (
        ("that is the plain signal-to-noise ratio. Compare with the projection, not with the source itself.",
         sources[1], sources[1] - estimate),
        ("you project on each source by itself and add up, which is right for orthogonal sources only. These are not; "
         "solve G c = d for all gains at once.", own[1], sum(own) - own[1]),
        ("above the line stands target plus interference, equation (7).", own[1], estimate - floor),
    ), strict=True):
        yield wrong_value(value, right, f"{name}: {right:.2f} dB were expected, {value:.2f} found. Compute the three "
                          "parts of (4) first, and make sure that they add up to the estimate.", {
            "Each is twice what it should be: for energies it is 10 log₁₀, not 20.": 2 * right,
            "The signs are turned: what is wanted stands above the line.": -right,
            "These are ratios; give them in dB, 10 log₁₀ of them.": 10 ** (right / 10),
            f"{name}: {mistake}": 10 * np.log10(above @ above / (below @ below)),
        }, atol=0.02)
    yield wrong_value(ask(answer, estimate, sources, 2), _ratios(estimate, sources, 2), atol=0.02, otherwise=
                      "For another target the ratios are wrong. Does your function use the target that it is given?")


@self_check("6.3", solved="The interval of a median, with nothing supposed about how scores are distributed.")
def check_median_interval(answer: Callable[[np.ndarray, np.random.Generator], Interval]) -> Mistakes:
    """6.3: the bootstrap interval of a median."""
    values = np.random.default_rng(3).gamma(2.0, 2.0, 400) - 3.0
    draws = np.random.default_rng(0).choice(values, size=(10_000, len(values)))
    medians, of_few, ends = np.median(draws, axis=1), np.median(draws[:, :50], axis=1), [2.5, 97.5]
    found, *again = (ask(answer, values, np.random.default_rng(0)) for _ in range(4))
    yield wrong_shape(found, (2,), "return the lower and the upper end.")
    yield any(tuple(each) != tuple(found) for each in again) and (
        "The same random numbers give two results. Draw with the generator that the function is given.")
    yield found[0] > found[1] and "The lower end is above the upper one; exchange them."
    yield not found[1] - found[0] > 1e-9 and (
        "All draws have the same median. Draw with replacement, so that some songs come twice and some not at all.")
    yield _wrong_interval(found, np.percentile(medians, ends), {
        "These ends leave 10 % of the medians outside. For 95 % cut 2.5 % off on each side.":
            np.percentile(medians, [5, 95]),
        "That is where 95 % of the songs lie. Draw songs, take the median of each draw, and ask where those lie.":
            np.percentile(values, ends),
        "That is the box of a box plot, which holds half of the songs. Draw songs and look at the medians.":
            np.percentile(values, [25, 75]),
        "That is the interval of the mean. Take the median of each draw.": np.percentile(draws.mean(axis=1), ends),
        "Each draw holds too few songs with you. Draw as many as there are.": np.percentile(of_few, ends),
    })


@self_check("6.4", solved="What makes songs easy or hard cancels; what remains is the difference of the systems.")
def check_compare(answer: Callable[[pd.Series, pd.Series, np.random.Generator], tuple[float, ...]]) -> Mistakes:
    """6.4: two systems on the same songs."""
    random, songs = np.random.default_rng(0), [f"song {number}" for number in range(60)]
    hard = random.normal(3, 5, len(songs))
    first = pd.Series(hard + random.normal(0.5, 0.6, len(songs)), songs).drop("song 7")
    second = pd.Series(hard, songs).drop("song 21").sample(frac=1, random_state=1)  # in another order
    shared, apart = (first - second).dropna().to_numpy(), (first.to_numpy(), second.to_numpy())
    found = np.array(ask(answer, first, second, np.random.default_rng(0)), float)
    yield wrong_shape(found, (3,), "return the difference and both ends of its interval.")
    yield np.isnan(found).any() and (
        "There is a NaN. Some songs were scored for one of the systems only; leave those out.")
    true = np.median(shared)
    yield wrong_value(found[0], true, "The median of the differences is {true:.2f} dB; you find {found:.2f} dB.", {
        "The sign is turned: first minus second, so that it is positive where the first is better.": -true,
        "That is the difference of the medians, of two different songs. Subtract song by song first.":
            np.median(apart[0]) - np.median(apart[1]),
        "You subtract by position, but the tables have their songs in different orders. Pair them by name.":
            np.median(apart[0] - apart[1]),
        "That is the mean of the differences; the median was asked for.": shared.mean(),
    }, atol=1e-6)
    yield _wrong_interval(found[1:], interval((shared,), np.median), {
        "This interval is as wide as if the two had been scored on different songs. Draw the differences.":
            interval(apart, lambda a, b, axis: np.median(a, axis) - np.median(b, axis), paired=False),
    })


def _unlike_sdr(metric: Callable[[Waveform, np.ndarray, int], float]) -> str:
    pairs = "; ".join(f"“{better}” above “{worse}”" for better, worse in disagreements(metric, _tones(), 1)[:3])
    return f"Unlike SDR, it puts {pairs}. Listen to such a pair in the song: who is right?"


@self_check("6.5", solved=_unlike_sdr)
def check_metric(answer: Callable[[Waveform, np.ndarray, int], float]) -> Mistakes:
    """6.5: a metric of one's own, and where it disagrees with SDR."""
    sources = _tones()
    mixture, truth = (ask(answer, each, sources, 1) for each in (sources.sum(axis=0), sources[1] * (1 - 1e-9)))
    yield wrong_shape(mixture, (), "a score is one number.")
    yield np.isnan(mixture) and "For the mixture it gives NaN; a score is a number."
    yield truth == mixture and (
        f"The true source and the mixture both get {truth:.2f}. A score has to tell these two apart.")
    yield not truth > mixture and (
        f"The true source gets {truth:.2f} and the mixture {mixture:.2f}. Turn it round: higher has to be better.")
    yield not disagreements(answer, sources, 1) and (
        "It puts all estimates of `tries` in the same order as SDR, so it says nothing new. What does SDR punish that "
        "nobody hears, or forgive that everybody hears?")


def disagreements(metric: Callable, sources: np.ndarray, target: int) -> list[tuple[str, str]]:
    """Pairs of `attempts` that a metric puts in the other order than SDR (5), the one it prefers first."""
    tries = attempts(sources, target)
    ours = {name: float(metric(attempt, sources, target)) for name, attempt in tries.items()}
    sdr = {name: _ratios(attempt, sources, target)[0] for name, attempt in tries.items()}
    ordered = [sorted(pair, key=ours.get, reverse=True) for pair in combinations(tries, 2)]
    return [(a, b) for a, b in ordered if ours[a] > ours[b] and sdr[a] < sdr[b] - 0.01]


def _ratios(estimate: Waveform, sources: np.ndarray, target: int = 1) -> np.ndarray:
    return np.array([float(ratio[0]) for ratio in sdr_sir_sar(estimate[None], sources, targets=[target])])


def _wrong_interval(found: Interval, true: Interval, mistakes: Mapping[str, Interval]) -> str | None:
    """What is wrong with a bootstrap interval: the sentence of the mistake that comes closest; `None` if nothing is.

    It is random: off by 5 % of its width it is surely the right one, by 12 % possibly.
    """
    intervals = {"": true, **mistakes}
    off = {sentence: np.abs(np.subtract(found, ends)).max() for sentence, ends in intervals.items()}
    best = "" if off[""] < 0.05 * np.ptp(true) else min(off, key=off.get)
    return best if off[best] < 0.12 * np.ptp(intervals[best]) else (
        f"About {true[0]:.2f} to {true[1]:.2f} were expected, and {found[0]:.2f} to {found[1]:.2f} found. "
        "Are there enough draws, each of as many songs as there are?")


def _tones() -> np.ndarray:
    """Four sources `(stem, sample)` of one second each: notes that fade away, at different times."""
    time = np.arange(8820) / 8820
    starts, frequencies = np.array([[0.0, 0.5], [0.1, 0.6], [0.2, 0.55], [0.3, 0.8]]), (440, 1300, 110, 660)
    return np.stack([
        0.2 * sum(np.sin(2 * np.pi * f * time) * np.exp(-8 * (time - start)) * (time >= start) for start in pair)
        for pair, f in zip(starts, frequencies, strict=True)
    ])
