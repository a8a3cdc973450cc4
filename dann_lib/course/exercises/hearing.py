"""Self-checks of lesson 7: equal levels, the band of 8.82 kHz, the echo of two masks, four stems, a blind test."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
import soxr
import torch
from torch import Tensor

from dann_lib import report
from dann_lib.course.exercises.checking import Mistakes, Waveform, ask, self_check, wrong_value

DrawKey = Callable[[int, np.random.Generator], str]
ByLuck = Callable[[int, int], float]


@self_check("7.1", solved="Now the louder one can no longer win by being louder.")
def check_level(answer: Callable[[Waveform, Waveform], Waveform]) -> Mistakes:
    """7.1: a sound at the level of another one."""
    random = np.random.default_rng(0)
    sound, reference = random.standard_normal(2000), 0.3 * random.laplace(size=3000)
    gain, peaks = _rms(reference) / _rms(sound), np.abs(reference).max() / np.abs(sound).max()
    found = ask(answer, sound, reference)
    yield wrong_value(found, gain * sound, f"The result has a root mean square of {_rms(found):.3f}, the reference "
                      f"{_rms(reference):.3f}. Multiply all samples by one gain that makes them equal.", {
        "The result is one number, the gain. Give the sound back, multiplied by it.": gain,
        "The result is as long as the reference. Only the level is to be taken from it.": reference,
        "The sound comes back as it was.": sound,
        "The gain is squared with you: a ratio of energies needs a root before it multiplies samples.": gain**2 * sound,
        "The wrong way round: what is quieter than the reference has to become louder.": sound / gain,
        "You make the peaks equal. Two sounds with the same peak can be 10 dB apart to the ear; compare root mean "
        "squares.": peaks * sound,
        "Longer sounds come out louder: take the mean of the squares, not their sum.":
            gain * np.sqrt(len(reference) / len(sound)) * sound,
    }, shape=f"the sound has {sound.shape}.")


@self_check("7.2", solved="All that is left to hear now is the separation; the low rate is on both sides.")
def check_band_limit(answer: Callable[[Waveform], Waveform]) -> Mistakes:
    """7.2: what 8.82 kHz can hold of a sound at 44.1 kHz, at 44.1 kHz again."""
    seconds = np.arange(report.SONG_RATE) / report.SONG_RATE
    inside, *above = (np.sin(2 * np.pi * hz * seconds) for hz in (1000, 6000, 12_000))  # 8.82 kHz can hold one of them
    found = np.asarray(ask(answer, inside), float)
    yield found.shape == (len(inside) // report.DOWNSAMPLING,) and (
        "The result is at 8.82 kHz. Bring it back to 44.1 kHz, so that it can be compared sample by sample.")
    yield found.shape != inside.shape and f"{len(inside)} samples go in, {found.shape} come out."
    loud, middle = _level_db(found, 1000), slice(5000, -5000)
    yield _level_db(found, 7820) > -40 and (
        "A tone of 1000 Hz brings a new one at 7820 Hz. On the way up, samples have to be interpolated by a filter, "
        "not repeated or filled with zeros.")
    yield abs(loud) > 0.1 and f"A tone of 1000 Hz, which 8.82 kHz can hold, changes its level by {loud:.1f} dB."
    yield wrong_value(found[middle], inside[middle], atol=0.02, otherwise=
                      "A tone that should stay as it is comes at another time. Use a filter without delay.")
    for tone, hz in zip(above, (6000, 12_000), strict=True):
        found = np.asarray(ask(answer, tone), float)
        folded = abs(hz - report.SAMPLE_RATE * round(hz / report.SAMPLE_RATE))
        yield _level_db(found, folded) > -40 and (
            f"A tone of {hz} Hz comes back as one of {folded} Hz. Taking every fifth sample folds it down (lesson 1); "
            "it has to be filtered first, as a resampler does.")
        yield _level_db(found, hz) > -40 and (
            f"A tone of {hz} Hz is still there. The highest frequency is half of the sample rate: 4410 Hz, not 8820.")


@self_check("7.3", solved="Two masks are one mask for both parts, and one more for the same frame played backwards.")
def check_echo(answer: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Mistakes:
    """7.3: the direct and the reversed part of masked planes."""
    random = torch.Generator().manual_seed(0)
    planes, masks = torch.randn(2, 9, 7, generator=random), torch.rand(3, 2, 9, 7, generator=random)
    even = masks.mean(dim=1, keepdim=True).expand_as(masks)
    odd, flipped = masks[:, :1] - even, planes * torch.tensor([1.0, -1.0])[:, None, None]
    found = ask(answer, planes, masks)
    yield (not isinstance(found, (tuple, list)) or len(found) != 2) and (
        "Return two spectrograms: the direct part, and the echo.")
    shapes = [tuple(each.shape) for each in found]
    yield shapes != [tuple(masks.shape)] * 2 and (
        f"The results have the shapes {shapes}; expected {tuple(masks.shape)} twice. A mask for both parts has an axis "
        "of length 1 where they are: masks[:, :1] keeps it, masks[:, 0] does not.")
    direct, echo = found
    incomplete = "Direct part and echo do not add up to what the two masks give. Start from the formula in step 4."
    complete = torch.allclose(direct + echo, masks * planes, atol=1e-5)
    yield wrong_value(direct, even * planes, "They add up, but the direct part is not the song times one mask for both "
                                             "parts." if complete else incomplete, {
        "The direct part is twice as large: it is the mean of the masks, not their sum.": 2 * even * planes,
        "You have exchanged the two: the direct part belongs to what the masks have in common.": odd * flipped,
        "Both parts get the real mask, which holds a piece of the echo as well; take the mean.": masks[:, :1] * planes,
    }, atol=1e-5)
    yield wrong_value(echo, odd * flipped, incomplete, {
        "The echo has to be played backwards: reversing a frame turns the sign of its imaginary part.": odd * planes,
        "The sign of the echo is turned: it is real minus imaginary mask.": -odd * flipped,
        "That is the mask of the echo. Apply it to the planes.": odd,
    }, atol=1e-5)


@self_check("7.4", solved="Whatever the network misses, and all above 4.41 kHz, is in `other`: nothing is lost.")
def check_four_stems(answer: Callable[[Waveform, np.ndarray], np.ndarray]) -> Mistakes:
    """7.4: three estimates at 8.82 kHz and a song at 44.1 kHz make four stems that add up."""
    random = np.random.default_rng(0)
    estimates = random.standard_normal((3, 2001)).cumsum(axis=1)
    song, longer = (random.standard_normal(n_samples) for n_samples in (10_003, 10_009))
    found, of_longer = (np.asarray(ask(answer, each, estimates.copy())) for each in (song, longer))
    for each, stems in ((song, found), (longer, of_longer)):
        yield stems.shape != (4, len(each)) and (
            f"A song of {len(each)} samples makes stems of shape {stems.shape}; expected {(4, len(each))}. Resampling "
            "can give a few samples more or fewer than the song has: cut, or add zeros.")
    middle = slice(200, 9800)
    ideal = soxr.resample(estimates.T, report.SAMPLE_RATE, report.SONG_RATE).T[:, middle]
    error = np.abs(found[:3, middle] - ideal).max() / np.abs(ideal).max()
    yield np.allclose(found[:3, middle], np.repeat(estimates, report.DOWNSAMPLING, axis=1)[:, middle], atol=1e-3) and (
        "Each sample stands there five times, which adds tones above 4.41 kHz; resample with a filter.")
    yield not error < 0.01 and (
        f"The first three stems are {100 * error:.0f} % away from the estimates at 44.1 kHz. Did you resample along "
        "time? soxr takes (sample, channel).")
    other, left = song - found[:3].sum(axis=0), np.abs(found.sum(axis=0) - song).max()
    yield wrong_value(found[3], other, f"The four stems miss the song by up to {left:.2f}. "
                                       "Take the rest at the full rate.", {
        "`other` is the whole song with you; the three estimates have to be taken away from it.": song,
        "The sign of `other` is turned: song minus estimates.": -other,
    }, rtol=0, atol=1e-4)


@self_check("7.5", solved="Drawn fairly, and counted fairly. What you now can tell apart, you can hear.")
def check_blind_test(draw_key: DrawKey, by_luck: ByLuck) -> Mistakes:
    """7.5: a key with the right letters and no pattern, and the probability of at least so many right answers."""
    found = ask(draw_key, 9, np.random.default_rng(0))
    yield (not isinstance(found, str) or bool(set(found) - set("AB"))) and (
        f"The key is {found!r}; expected a text of the letters A and B, such as 'ABBAB'.")
    yield len(found) != 9 and f"The key of 9 trials has {len(found)} letters."
    keys = [{ask(draw_key, 40, np.random.default_rng(seed)) for _ in range(3)} for seed in (0, 1)]
    yield any(len(each) > 1 for each in keys) and (
        "The same generator gives different keys. Draw with the one that your function is given.")
    yield keys[0] == keys[1] and "All generators give the same key. Draw it, do not write it down."
    random = np.random.default_rng(2)
    letters = np.array([list(ask(draw_key, 10, random)) for _ in range(2000)]) == "A"
    share, same = letters.mean(), np.mean(letters[:, 1:] == letters[:, :-1])
    yield abs(share - 0.5) > 0.03 and (
        f"{100 * share:.0f} % of the letters are A: who always says A would seem to hear something.")
    yield set(letters.sum(axis=1)) == {5} and (
        "There are as many A as B in every key, so who counts knows the last answer. Draw each letter anew.")
    yield not abs(same - 0.5) < 0.03 and (
        f"{100 * same:.0f} % of the letters are like the one before. A listener could follow the pattern; draw each "
        "letter anew.")
    found, all_right, none = (float(ask(by_luck, *result)) for result in ((3, 4), (10, 10), (0, 10)))
    yield not 0 <= found <= 1 and f"by_luck(3, 4) is {found:.3g}; a probability lies between 0 and 1."
    yield wrong_value((none, all_right), (1, all_right), "0 of 10 or more is always reached; "
                                                         f"by_luck(0, 10) is {none:.3g}.", {
        "by_luck(0, 10) is as small as by_luck(10, 10): you compute the probability of exactly so many. Better results "
        "count as well.": (0.5**10, 0.5**10),
        "That is the probability of at most so many right answers; who does as well has at least as many.":
            (0.5**10, 1),
        "By luck, nobody gets all right with you. Who does as well has at least as many, not more.": (none, 0),
    })
    for n_right, n_trials in ((9, 12), (6, 10), (20, 20), (1, 1)):
        found = float(ask(by_luck, n_right, n_trials))
        true = sum(comb(n_trials, k) for k in range(n_right, n_trials + 1)) / 2**n_trials
        yield wrong_value(found, true, f"by_luck({n_right}, {n_trials}) is {found:.4g}; {true:.4g} was expected. Of "
                          f"all 2^{n_trials} ways to answer, how many have {n_right} or more right?", {
            "Twice the probability, a test on both sides. Only more right answers than by luck are a sign.":
                2 * true if true < 0.5 else np.nan,
        }, rtol=1e-6)


def reveal(answers: str, draw: Callable[[], str], by_luck: ByLuck) -> str:
    """What a listener's answers, such as "ABBA", are worth; `draw` gives the true letters, once there are answers."""
    given = answers.strip().upper()
    if not given:
        return "Listen to the trials above, write a letter for each, and run this cell again."
    key = draw()
    if len(given) != len(key) or set(given) - set("AB"):
        return f"{answers!r} is no answer to {len(key)} trials; write a letter, A or B, for each of them."
    n_right = sum(a == b for a, b in zip(given, key, strict=True))
    return (f"{n_right} of {len(key)} right; the key was {key}. Who only guesses does as well with a probability of "
            f"{100 * by_luck(n_right, len(key)):.1f} %.")


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform))))


def _level_db(waveform: Waveform, hz: float) -> float:
    """Level of a frequency in a second of sound, in dB below a tone of amplitude 1."""
    wave = np.exp(-2j * np.pi * hz * np.arange(len(waveform)) / report.SONG_RATE)
    found = np.abs(np.sum(np.hanning(len(waveform)) * waveform * wave)) / (len(waveform) / 4)
    return float(20 * np.log10(max(found, 1e-9)))
