"""Self-checks of lesson 6: projection, the three ratios, an interval of a median, pairs of songs, a metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from dann_lib.course.exercises.checking import Outcome, ask, self_check
from dann_lib.evaluation import interval, sdr_sir_sar

Waveform = np.ndarray
"""`(sample,)`; 1 is full scale."""

Interval = tuple[float, float]

SURE, CLOSE = 0.05, 0.12
"""A bootstrap interval is random: off by how much of its width it is surely, and possibly, the right one."""


def attempts(sources: np.ndarray, target: int) -> dict[str, Waveform]:
    """Estimates of a source that are wrong in one way each, from the right one to the mixture.

    Args:
        sources: `(stem, sample)`, all true sources.
        target: which of them is estimated.
    """
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


def check_projection(answer: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Outcome:
    """6.1: the multiple of one vector that is closest to another one."""
    x, s = np.random.default_rng(0).standard_normal((2, 50)) + 0.4

    def shape(function: Callable) -> str | None:
        found = np.shape(ask(function, x, s))
        if found == ():
            return "The result is one number, the gain. The projection is a vector: the gain times the source."
        return None if found == s.shape else f"The result has shape {found}; the source has {s.shape}."

    def value(function: Callable) -> str | None:
        found, product = np.asarray(ask(function, x, s)), x @ s
        mistakes = (
            (product / (x @ x) * x, "That is the source projected on the estimate. The shadow lies along the source."),
            (product / np.sqrt(s @ s) * s, "Divide by the squared length of the source; you divide by its length."),
            (product * s, "The gain still depends on how loud the source is: divide by its energy."),
            (x * s, "That multiplies sample by sample. An inner product adds the products up, to one number."),
            (product / (x @ x) * s, "The right direction, with a wrong gain: divide by the energy of the source, not "
                                    "by that of the estimate."),
        )
        for wrong, sentence in mistakes:
            if np.allclose(found, wrong):
                return sentence
        left = abs((x - found) @ s) / np.linalg.norm(x) / np.linalg.norm(s)
        return None if np.allclose(found, product / (s @ s) * s) else (
            f"The rest should be orthogonal to the source, and the cosine of their angle is {left:.2f}. "
            "Look at step 2 of the five in section 1.")

    return self_check("6.1", answer, shape, value, solved="The rest is orthogonal: nothing of the source is in it.")


def check_three_ratios(answer: Callable[[Waveform, np.ndarray, int], tuple[float, float, float]]) -> Outcome:
    """6.2: SDR, SIR and SAR of equations (5) to (7)."""
    sources = _related_sources()
    estimate = 0.7 * sources[1] + 0.3 * sources[2] + 0.3 * np.random.default_rng(1).standard_normal(sources.shape[1])
    true = _ratios(estimate, sources)

    def three(function: Callable) -> str | None:
        found = np.shape(ask(function, estimate, sources, 1))
        return None if found == (3,) else f"The result has shape {found}; return SDR, SIR and SAR, three numbers."

    def scale(function: Callable) -> str | None:
        found = np.array(ask(function, estimate, sources, 1), float)
        mistakes = (
            (2 * true, "Each is twice what it should be: for energies it is 10 log₁₀, not 20."),
            (-true, "The signs are turned: what is wanted stands above the line."),
            (10 ** (true / 10), "These are ratios; give them in dB, 10 log₁₀ of them."),
        )
        return next((sentence for wrong, sentence in mistakes if np.allclose(found, wrong, atol=0.02)), None)

    def each(function: Callable) -> str | None:
        found = dict(zip(("SDR", "SIR", "SAR"), np.array(ask(function, estimate, sources, 1), float), strict=True))
        for (name, value), right, (wrong, sentence) in zip(
            found.items(), true, _mistakes_in_ratios(estimate, sources), strict=True
        ):
            if np.isclose(value, wrong, atol=0.02):
                return sentence
            if not np.isclose(value, right, atol=0.02):
                return (f"{name}: {right:.2f} dB were expected, {value:.2f} found. Compute the three parts of (4) "
                        "first, and make sure that they add up to the estimate.")
        return None

    def which(function: Callable) -> str | None:
        other = np.array(ask(function, estimate, sources, 2), float)
        right = _ratios(estimate, sources, 2)
        return None if np.allclose(other, right, atol=0.02) else (
            "For another target the ratios are wrong. Does your function use the target that it is given?")

    return self_check("6.2", answer, three, scale, each, which,
                      solved="The same as the library's, even for sources that are not orthogonal.")


def check_median_interval(answer: Callable[[np.ndarray, np.random.Generator], Interval]) -> Outcome:
    """6.3: the bootstrap interval of a median."""
    values = np.random.default_rng(3).gamma(2.0, 2.0, 400) - 3.0
    draws = np.random.default_rng(0).choice(values, size=(10_000, len(values)))
    medians, means = np.median(draws, axis=1), draws.mean(axis=1)

    def ends(function: Callable) -> str | None:
        found = ask(function, values, np.random.default_rng(0))
        if np.shape(found) != (2,):
            return f"The result has shape {np.shape(found)}; return the lower and the upper end."
        if found[0] > found[1]:
            return "The lower end is above the upper one; exchange them."
        return None if found[1] - found[0] > 1e-9 else (
            "All draws have the same median. Draw with replacement, so that some songs come twice and some not at all.")

    def value(function: Callable) -> str | None:
        found = tuple(map(float, ask(function, values, np.random.default_rng(0))))
        return _nearest(found, {
            "": tuple(np.percentile(medians, [2.5, 97.5])),
            "These ends leave 10 % of the medians outside. For 95 % cut 2.5 % off on each side.":
                tuple(np.percentile(medians, [5, 95])),
            "That is where 95 % of the songs lie. Draw songs, take the median of each draw, and ask where those lie.":
                tuple(np.percentile(values, [2.5, 97.5])),
            "That is the box of a box plot, which holds half of the songs. Draw songs and look at the medians.":
                tuple(np.percentile(values, [25, 75])),
            "That is the interval of the mean. Take the median of each draw.":
                tuple(np.percentile(means, [2.5, 97.5])),
            "Each draw holds too few songs with you. Draw as many as there are.":
                tuple(np.percentile(np.median(draws[:, :50], axis=1), [2.5, 97.5])),
        })

    def repeatable(function: Callable) -> str | None:
        found = {tuple(ask(function, values, np.random.default_rng(0))) for _ in range(4)}
        return None if len(found) == 1 else (
            "The same random numbers give two results. Draw with the generator that the function is given.")

    return self_check("6.3", answer, ends, value, repeatable,
                      solved="The interval of a median, with nothing supposed about how scores are distributed.")


def check_compare(
    answer: Callable[[pd.Series, pd.Series, np.random.Generator], tuple[float, float, float]]
) -> Outcome:
    """6.4: two systems on the same songs."""
    first, second = _two_systems()
    shared = (first - second).dropna().to_numpy()
    apart = [column.to_numpy() for column in (first, second)]
    true = (float(np.median(shared)), *interval((shared,), np.median))

    def three(function: Callable) -> str | None:
        found = np.array(ask(function, first, second, np.random.default_rng(0)), float)
        if found.shape != (3,):
            return f"The result has shape {found.shape}; return the difference and both ends of its interval."
        if np.isnan(found).any():
            return "There is a NaN. Some songs were scored for one of the systems only; leave those out."
        return None

    def middle(function: Callable) -> str | None:
        found = float(ask(function, first, second, np.random.default_rng(0))[0])
        mistakes = {
            -true[0]: "The sign is turned: first minus second, so that it is positive where the first is better.",
            float(np.median(apart[0]) - np.median(apart[1])):
                "That is the difference of the medians, of two different songs. Subtract song by song first.",
            float(np.median(apart[0] - apart[1])):
                "You subtract by position, but the tables have their songs in different orders. Pair them by name.",
            float(np.mean(shared)): "That is the mean of the differences; the median was asked for.",
        }
        for wrong, sentence in mistakes.items():
            if np.isclose(found, wrong, atol=1e-6):
                return sentence
        return None if np.isclose(found, true[0], atol=1e-6) else (
            f"The median of the differences is {true[0]:.2f} dB; you find {found:.2f} dB.")

    def ends(function: Callable) -> str | None:
        found = ask(function, first, second, np.random.default_rng(0))
        wide = interval(tuple(apart), lambda a, b, axis: np.median(a, axis) - np.median(b, axis), paired=False)
        return _nearest((float(found[1]), float(found[2])), {
            "": true[1:],
            "This interval is as wide as if the two had been scored on different songs. Draw the differences.": wide,
        })

    return self_check("6.4", answer, three, middle, ends,
                      solved="What makes songs easy or hard cancels; what remains is the difference of the systems.")


def check_metric(answer: Callable[[Waveform, np.ndarray, int], float]) -> Outcome:
    """6.5: a metric of one's own, and where it disagrees with SDR."""
    sources = _tones()
    tries = {"the truth": sources[1] * (1 - 1e-9), **attempts(sources, 1)}

    def number(function: Callable) -> str | None:
        found = ask(function, tries["the mixture"], sources, 1)
        if np.ndim(found) != 0:
            return f"The result has shape {np.shape(found)}; a score is one number."
        return "For the mixture it gives NaN; a score is a number." if np.isnan(float(found)) else None

    def direction(function: Callable) -> str | None:
        truth, mixture = (float(ask(function, tries[name], sources, 1)) for name in ("the truth", "the mixture"))
        if truth == mixture:
            return f"The true source and the mixture both get {truth:.2f}. A score has to tell these two apart."
        return None if truth > mixture else (
            f"The true source gets {truth:.2f} and the mixture {mixture:.2f}. Turn it round: higher has to be better.")

    def disagrees(function: Callable) -> str | None:
        return None if disagreements(function, sources, 1) else (
            "It puts all estimates of `tries` in the same order as SDR, so it says nothing new. What does SDR punish "
            "that nobody hears, or forgive that everybody hears?")

    outcome = self_check("6.5", answer, number, direction, disagrees, solved="")
    if outcome.state != "solved":
        return outcome
    pairs = "; ".join(f"“{better}” above “{worse}”" for better, worse in disagreements(answer, sources, 1)[:3])
    return replace(outcome, text=f"Unlike SDR, it puts {pairs}. Listen to such a pair in the song: who is right?")


def disagreements(metric: Callable, sources: np.ndarray, target: int) -> list[tuple[str, str]]:
    """Pairs of `attempts` that a metric puts in the other order than SDR (5), the one it prefers first."""
    tries = attempts(sources, target)
    ours = {name: float(metric(attempt, sources, target)) for name, attempt in tries.items()}
    sdr = {name: _ratios(attempt, sources, target)[0] for name, attempt in tries.items()}
    ordered = [sorted(pair, key=ours.get, reverse=True) for pair in combinations(tries, 2)]
    return [(a, b) for a, b in ordered if ours[a] > ours[b] and sdr[a] < sdr[b] - 0.01]


def _ratios(estimate: Waveform, sources: np.ndarray, target: int = 1) -> np.ndarray:
    return np.array([float(ratio[0]) for ratio in sdr_sir_sar(estimate[None], sources, targets=[target])])


def _mistakes_in_ratios(estimate: Waveform, sources: np.ndarray) -> list[tuple[float, str]]:
    """What each of the three ratios becomes by its most likely mistake, and a sentence on it."""
    def energy(waveform: Waveform) -> float:
        return float(waveform @ waveform)

    own = [estimate @ source / (source @ source) * source for source in sources]
    target, others = own[1], sum(own) - own[1]
    floor = np.linalg.lstsq(sources.T, estimate, rcond=None)[0] @ sources
    return [
        (10 * np.log10(energy(sources[1]) / energy(sources[1] - estimate)),
         "SDR: that is the plain signal-to-noise ratio. Compare with the projection, not with the source itself."),
        (10 * np.log10(energy(target) / energy(others)),
         "SIR: you project on each source by itself and add up, which is right for orthogonal sources only. These are "
         "not; solve G c = d for all gains at once."),
        (10 * np.log10(energy(target) / energy(estimate - floor)),
         "SAR: above the line stands target plus interference, equation (7)."),
    ]


def _nearest(found: Interval, candidates: Mapping[str, Interval]) -> str | None:
    """The sentence of the interval that is closest to the one found; `None` if it is the right one, named ""."""
    off = {sentence: max(abs(found[0] - low), abs(found[1] - high)) for sentence, (low, high) in candidates.items()}
    low, high = candidates[""]
    best = "" if off[""] < SURE * (high - low) else min(off, key=off.get)
    if best == "" and off[""] < CLOSE * (high - low):
        return None
    if best and off[best] < CLOSE * (candidates[best][1] - candidates[best][0]):
        return best
    return (f"About {low:.2f} to {high:.2f} were expected, and {found[0]:.2f} to {found[1]:.2f} found. "
            "Are there enough draws, each of as many songs as there are?")


def _related_sources() -> np.ndarray:
    """Four noises `(stem, sample)` that share something, so that they are not orthogonal."""
    noise = np.random.default_rng(0).standard_normal((4, 2000))
    return noise + 0.5 * noise[[1, 2, 3, 0]]


def _two_systems() -> tuple[pd.Series, pd.Series]:
    """SDR of two systems in dB, by song; in other orders, and each lacks a song that the other has."""
    random = np.random.default_rng(0)
    songs = [f"song {number}" for number in range(60)]
    hard = random.normal(3, 5, len(songs))
    second = pd.Series(hard, songs)
    first = pd.Series(hard + random.normal(0.5, 0.6, len(songs)), songs)
    return first.drop("song 7"), second.drop("song 21").sample(frac=1, random_state=1)


def _tones() -> np.ndarray:
    """Four sources `(stem, sample)` of one second each: notes that fade away, at different times."""
    time = np.arange(8820) / 8820
    starts, frequencies = np.array([[0.0, 0.5], [0.1, 0.6], [0.2, 0.55], [0.3, 0.8]]), (440, 1300, 110, 660)
    return np.stack([
        0.2 * sum(np.sin(2 * np.pi * f * time) * np.exp(-8 * (time - start)) * (time >= start) for start in pair)
        for pair, f in zip(starts, frequencies, strict=True)
    ])
