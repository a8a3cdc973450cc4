"""Self-checks of lesson 7: equal levels, the band of 8.82 kHz, the echo of two masks, four stems, a blind test."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
import soxr
import torch
from torch import Tensor

from dann_lib import report
from dann_lib.course.exercises.checking import Fact, Outcome, ask, self_check

Waveform = np.ndarray
"""`(sample,)`; 1 is full scale."""

Separate = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
DrawKey = Callable[[int, np.random.Generator], str]
ByLuck = Callable[[int, int], float]

TONES_HZ = (1000, 6000, 12_000)
"""Tones to try a band limit with: one that 8.82 kHz can hold, two that it cannot."""


def check_level(answer: Callable[[Waveform, Waveform], Waveform]) -> Outcome:
    """7.1: a sound at the level of another one."""
    random = np.random.default_rng(0)
    sound, reference = random.standard_normal(2000), 0.3 * random.laplace(size=3000)

    def shape(function: Callable) -> str | None:
        found = np.shape(ask(function, sound, reference))
        if found == ():
            return "The result is one number, the gain. Give the sound back, multiplied by it."
        if found == reference.shape:
            return "The result is as long as the reference. Only the level is to be taken from it."
        return None if found == sound.shape else f"The result has shape {found}; the sound has {sound.shape}."

    def value(function: Callable) -> str | None:
        found = np.asarray(ask(function, sound, reference), float)
        gain, peaks = _rms(reference) / _rms(sound), np.abs(reference).max() / np.abs(sound).max()
        mistakes = (
            (sound, "The sound comes back as it was."),
            (gain**2 * sound, "The gain is squared with you: a ratio of energies needs a root before it multiplies "
                               "samples."),
            (sound / gain, "The wrong way round: what is quieter than the reference has to become louder."),
            (peaks * sound, "You make the peaks equal. Two sounds with the same peak can be 10 dB apart to the ear; "
                            "compare root mean squares."),
            (gain * np.sqrt(len(reference) / len(sound)) * sound,
             "Longer sounds come out louder: take the mean of the squares, not their sum."),
        )
        for wrong, sentence in mistakes:
            if np.allclose(found, wrong):
                return sentence
        return None if np.allclose(found, gain * sound) else (
            f"The result has a root mean square of {_rms(found):.3f}, the reference {_rms(reference):.3f}. "
            "Multiply all samples by one gain that makes them equal.")

    return self_check("7.1", answer, shape, value, solved="Now the louder one can no longer win by being louder.")


def check_band_limit(answer: Callable[[Waveform], Waveform]) -> Outcome:
    """7.2: what 8.82 kHz can hold of a sound at 44.1 kHz, at 44.1 kHz again."""
    seconds = np.arange(report.SONG_RATE) / report.SONG_RATE
    inside, above, highest = (np.sin(2 * np.pi * hz * seconds) for hz in TONES_HZ)

    def length(function: Callable) -> str | None:
        found = np.shape(ask(function, inside))
        if found == (len(inside) // report.DOWNSAMPLING,):
            return "The result is at 8.82 kHz. Bring it back to 44.1 kHz, so that it can be compared sample by sample."
        return None if found == inside.shape else f"{len(inside)} samples go in, {found} come out."

    def kept(function: Callable) -> str | None:
        found = np.asarray(ask(function, inside), float)
        loud, image_hz = _level_db(found, TONES_HZ[0]), report.SAMPLE_RATE - TONES_HZ[0]
        if _level_db(found, image_hz) > -40:
            return (f"A tone of {TONES_HZ[0]} Hz brings a new one at {image_hz} Hz. On the way up, samples have to be "
                    "interpolated by a filter, not repeated or filled with zeros.")
        if abs(loud) > 0.1:
            return f"A tone of {TONES_HZ[0]} Hz, which 8.82 kHz can hold, changes its level by {loud:.1f} dB."
        middle = slice(5000, -5000)
        return None if np.allclose(found[middle], inside[middle], atol=0.02) else (
            "A tone that should stay as it is comes at another time. Use a filter without delay.")

    def gone(function: Callable) -> str | None:
        for tone, hz in ((above, TONES_HZ[1]), (highest, TONES_HZ[2])):
            found = np.asarray(ask(function, tone), float)
            folded = abs(hz - report.SAMPLE_RATE * round(hz / report.SAMPLE_RATE))
            if _level_db(found, folded) > -40:
                return (f"A tone of {hz} Hz comes back as one of {folded} Hz. Taking every fifth sample folds it down "
                        "(lesson 1); it has to be filtered first, as a resampler does.")
            if _level_db(found, hz) > -40:
                return (f"A tone of {hz} Hz is still there. The highest frequency is half of the sample rate: "
                        f"{report.SAMPLE_RATE // 2} Hz, not {report.SAMPLE_RATE}.")
        return None

    return self_check("7.2", answer, length, kept, gone,
                      solved="All that is left to hear now is the separation; the low rate is on both sides.")


def check_echo(answer: Separate) -> Outcome:
    """7.3: the direct and the reversed part of masked planes."""
    planes, masks = _planes_and_masks()
    even, odd = (masks[:, :1] + masks[:, 1:]) / 2, (masks[:, :1] - masks[:, 1:]) / 2
    flipped = planes * torch.tensor([1.0, -1.0])[:, None, None]

    def shape(function: Separate) -> str | None:
        found = ask(function, planes, masks)
        if not isinstance(found, (tuple, list)) or len(found) != 2:
            return "Return two spectrograms: the direct part, and the echo."
        shapes = [tuple(each.shape) for each in found]
        return None if shapes == [tuple(masks.shape)] * 2 else (
            f"The results have the shapes {shapes}; expected {tuple(masks.shape)} twice. A mask for both parts has an "
            "axis of length 1 where they are: masks[:, :1] keeps it, masks[:, 0] does not.")

    def value(function: Separate) -> str | None:
        direct, echo = ask(function, planes, masks)
        mistakes = (
            (direct, 2 * even * planes, "The direct part is twice as large: it is the mean of the masks, not their "
                                        "sum."),
            (direct, odd * flipped, "You have exchanged the two: the direct part belongs to what the masks have in "
                                    "common."),
            (direct, masks[:, :1] * planes, "Both parts get the real mask, which holds a piece of the echo as well; "
                                            "take the mean."),
            (echo, odd * planes, "The echo has to be played backwards: reversing a frame turns the sign of its "
                                 "imaginary part."),
            (echo, -odd * flipped, "The sign of the echo is turned: it is real minus imaginary mask."),
            (echo, odd, "That is the mask of the echo. Apply it to the planes."),
        )
        for found, wrong, sentence in mistakes:
            if torch.allclose(found, wrong.expand_as(masks), atol=1e-5):
                return sentence
        if not torch.allclose(direct + echo, masks * planes, atol=1e-5):
            return "Direct part and echo do not add up to what the two masks give. Start from the formula in step 4."
        return None if torch.allclose(direct, even * planes, atol=1e-5) else (
            "They add up, but the direct part is not the song times one mask for both parts.")

    return self_check("7.3", answer, shape, value,
                      solved="Two masks are one mask for both parts, and one more for the same frame played backwards.")


def check_four_stems(answer: Callable[[Waveform, np.ndarray], np.ndarray]) -> Outcome:
    """7.4: three estimates at 8.82 kHz and a song at 44.1 kHz make four stems that add up."""
    random = np.random.default_rng(0)
    estimates = random.standard_normal((3, 2001)).cumsum(axis=1)
    songs = {n_samples: random.standard_normal(n_samples) for n_samples in (10_003, 10_009)}
    ideal = soxr.resample(estimates.T, report.SAMPLE_RATE, report.SONG_RATE).T[:, 200:9800]

    def shape(function: Callable) -> str | None:
        for n_samples, song in songs.items():
            found = np.shape(ask(function, song, estimates.copy()))
            if found != (4, n_samples):
                return (f"A song of {n_samples} samples makes stems of shape {found}; expected {(4, n_samples)}. "
                        "Resampling can give a few samples more or fewer than the song has: cut, or add zeros.")
        return None

    def estimate(function: Callable) -> str | None:
        found = np.asarray(ask(function, songs[10_003], estimates.copy()))[:3, 200:9800]
        if np.allclose(found, np.repeat(estimates, report.DOWNSAMPLING, axis=1)[:, 200:9800], atol=1e-3):
            return "Each sample stands there five times, which adds tones above 4.41 kHz; resample with a filter."
        error = np.abs(found - ideal).max() / np.abs(ideal).max()
        return None if error < 0.01 else (
            f"The first three stems are {100 * error:.0f} % away from the estimates at 44.1 kHz. Did you resample "
            "along time? soxr takes (sample, channel).")

    def rest(function: Callable) -> str | None:
        song = songs[10_003]
        stems = np.asarray(ask(function, song, estimates.copy()))
        if np.allclose(stems[3], song):
            return "`other` is the whole song with you; the three estimates have to be taken away from it."
        if np.allclose(stems[3], stems[:3].sum(axis=0) - song, atol=1e-4):
            return "The sign of `other` is turned: song minus estimates."
        left = np.abs(stems.sum(axis=0) - song).max()
        return None if left < 1e-4 else (
            f"The four stems miss the song by up to {left:.2f}. Take the rest at the full rate.")

    return self_check("7.4", answer, shape, estimate, rest,
                      solved="Whatever the network misses, and all above 4.41 kHz, is in `other`: nothing is lost.")


def check_blind_test(draw_key: DrawKey, by_luck: ByLuck) -> Outcome:
    """7.5: a key drawn at random, and the probability of a result by luck."""
    facts: tuple[Fact, ...] = (*_facts_of_key(), *_facts_of_luck())
    return self_check("7.5", (draw_key, by_luck), *facts,
                      solved="Drawn fairly, and counted fairly. What you now can tell apart, you can hear.")


def reveal(answers: str, draw: Callable[[], str], by_luck: ByLuck) -> str:
    """What a listener's answers are worth.

    Args:
        answers: a letter for each trial, such as "ABBA"; empty before the test.
        draw: gives the key, the true letters; not called before there are answers.
        by_luck: the reader's function.
    """
    given = answers.strip().upper()
    if not given:
        return "Listen to the trials above, write a letter for each, and run this cell again."
    key = draw()
    if len(given) != len(key) or set(given) - set("AB"):
        return f"{answers!r} is no answer to {len(key)} trials; write a letter, A or B, for each of them."
    n_right = sum(a == b for a, b in zip(given, key, strict=True))
    return (f"{n_right} of {len(key)} right; the key was {key}. Who only guesses does as well with a probability of "
            f"{100 * by_luck(n_right, len(key)):.1f} %.")


def _facts_of_key() -> tuple[Fact, ...]:
    """A key has the right letters, as many as wanted, and no pattern."""

    def letters(functions: tuple[DrawKey, ByLuck]) -> str | None:
        found = ask(functions[0], 9, np.random.default_rng(0))
        if not isinstance(found, str) or set(found) - set("AB"):
            return f"The key is {found!r}; expected a text of the letters A and B, such as 'ABBAB'."
        return None if len(found) == 9 else f"The key of 9 trials has {len(found)} letters."

    def repeatable(functions: tuple[DrawKey, ByLuck]) -> str | None:
        keys = [{ask(functions[0], 40, np.random.default_rng(seed)) for _ in range(3)} for seed in (0, 1)]
        if any(len(each) > 1 for each in keys):
            return "The same generator gives different keys. Draw with the one that your function is given."
        return None if keys[0] != keys[1] else "All generators give the same key. Draw it, do not write it down."

    def fair(functions: tuple[DrawKey, ByLuck]) -> str | None:
        random = np.random.default_rng(2)
        keys = np.array([list(ask(functions[0], 10, random)) for _ in range(2000)]) == "A"
        share, same = keys.mean(), np.mean(keys[:, 1:] == keys[:, :-1])
        if abs(share - 0.5) > 0.03:
            return f"{100 * share:.0f} % of the letters are A: who always says A would seem to hear something."
        if set(keys.sum(axis=1)) == {5}:
            return "There are as many A as B in every key, so who counts knows the last answer. Draw each letter anew."
        return None if abs(same - 0.5) < 0.03 else (
            f"{100 * same:.0f} % of the letters are like the one before. A listener could follow the pattern; draw "
            "each letter anew.")

    return letters, repeatable, fair


def _facts_of_luck() -> tuple[Fact, ...]:
    """A probability, of at least so many right answers."""

    def limits(functions: tuple[DrawKey, ByLuck]) -> str | None:
        found = float(ask(functions[1], 3, 4))
        if not 0 <= found <= 1:
            return f"by_luck(3, 4) is {found:.3g}; a probability lies between 0 and 1."
        all_right, none = float(ask(functions[1], 10, 10)), float(ask(functions[1], 0, 10))
        if np.isclose(none, 0.5**10) and np.isclose(all_right, 0.5**10):
            return ("by_luck(0, 10) is as small as by_luck(10, 10): you compute the probability of exactly so many. "
                    "Better results count as well.")
        if np.isclose(none, 0.5**10) and np.isclose(all_right, 1):
            return "That is the probability of at most so many right answers; who does as well has at least as many."
        if np.isclose(all_right, 0):
            return "By luck, nobody gets all right with you. Who does as well has at least as many, not more."
        return None if np.isclose(none, 1) else f"0 of 10 or more is always reached; by_luck(0, 10) is {none:.3g}."

    def value(functions: tuple[DrawKey, ByLuck]) -> str | None:
        for n_right, n_trials in ((9, 12), (6, 10), (20, 20), (1, 1)):
            found = float(ask(functions[1], n_right, n_trials))
            true = sum(comb(n_trials, k) for k in range(n_right, n_trials + 1)) / 2**n_trials
            if np.isclose(found, min(1.0, 2 * true)) and true < 0.5:
                return "Twice the probability, a test on both sides. Only more right answers than by luck are a sign."
            if not np.isclose(found, true, rtol=1e-6):
                return (f"by_luck({n_right}, {n_trials}) is {found:.4g}; {true:.4g} was expected. Of all 2^{n_trials} "
                        f"ways to answer, how many have {n_right} or more right?")
        return None

    return limits, value


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform))))


def _level_db(waveform: Waveform, hz: float) -> float:
    """Level of a frequency in a second of sound, in dB below a tone of amplitude 1."""
    wave = np.exp(-2j * np.pi * hz * np.arange(len(waveform)) / report.SONG_RATE)
    found = np.abs(np.sum(np.hanning(len(waveform)) * waveform * wave)) / (len(waveform) / 4)
    return float(20 * np.log10(max(found, 1e-9)))


def _planes_and_masks() -> tuple[Tensor, Tensor]:
    """Random planes `(part, freq, frame)`, and masks `(source, part, freq, frame)` for them."""
    random = torch.Generator().manual_seed(0)
    return torch.randn(2, 9, 7, generator=random), torch.rand(3, 2, 9, 7, generator=random)
