"""Self-checks of lesson 1: the sum of the stems, levels, chunks, remixing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from dann_lib import report
from dann_lib.course.exercises.checking import Mistakes, Waveform, ask, self_check, wrong_value
from dann_lib.spectrogram import n_frames


@self_check("1.1", solved="Four stems that add up: three of them decide the fourth.")
def check_the_rest(answer: Callable[[Waveform, Waveform, Waveform, Waveform], Waveform]) -> Mistakes:
    """1.1: the fourth stem from the mixture and the other three."""
    stems = _noise(4)
    mixture = stems.sum(axis=0)
    yield wrong_value(
        ask(answer, mixture, *stems[:3]), stems[3],
        "Rest and stems together do not give the mixture. Are all three of them taken away, each once?", {
            "The sign is turned: take the three stems from the mixture, not the mixture from them.": -stems[3],
            "You have added the stems to the mixture, where they are already; take them away.": 2 * mixture - stems[3],
        }, shape=f"the mixture has {mixture.shape}.", atol=1e-5)


@self_check("1.2", solved="That is the number that a separator has to improve on.")
def check_level_against_the_rest(answer: Callable[[Waveform, Waveform], float]) -> Mistakes:
    """1.2: level of a stem relative to the rest of the mixture, in dB."""
    stem, rest = _noise(2)
    true, against_mixture = (10 * np.log10(np.mean(stem**2) / np.mean(each**2)) for each in (rest, stem + rest))
    found, louder = (ask(answer, each, each + rest) for each in (stem, 10 * stem))
    yield wrong_value(found, true, "For two noises, {true:.2f} dB were expected and {found:.2f} found. "
                      "Did you take the ratio of the mean squares, then 10 log₁₀?", {
        "You compare with the whole mixture, in which the stem is contained; compare with the rest alone.":
            against_mixture,
        "A stem ten times as large is 20 dB louder, and with you it is 10: for squares (energies) it is 10 log₁₀, for "
        "values before squaring 20 log₁₀.": np.mean(louder) - 10,
    }, shape="a level is one number.", atol=0.01)


@self_check("1.3", solved="100 songs of 4 minutes make about as many chunks as the report says, at 8.82 kHz only.")
def check_chunks(answer: Callable[[float, int], int]) -> Mistakes:
    """1.3: how many whole chunks a song gives."""
    true, twice, at_full_rate = (n_frames(240 * rate_hz) // report.N_FRAMES
                                 for rate_hz in (report.SAMPLE_RATE, 2 * report.SAMPLE_RATE, report.SONG_RATE))
    found = ask(answer, 240.0, report.SAMPLE_RATE)
    yield int(found) != found and f"{found} chunks: only whole ones count."
    yield wrong_value(int(found), true, "A song of 240 s at 8.82 kHz makes {true} whole chunks; you count {found}.", {
        "Twice too many: are neighbouring frames half a window, 1024 samples, apart with you?": twice,
    }, rtol=0)
    yield wrong_value(int(ask(answer, 240.0, report.SONG_RATE)), at_full_rate, rtol=0, otherwise=
                      "At 44.1 kHz it would be {true} chunks, you count {found}. "
                      "Does your function use the rate it is given?")


@self_check("1.4", solved="This is how training songs are multiplied in lesson 5: remixing makes new ones.")
def check_remix(answer: Callable[[Mapping[str, Waveform], Mapping[str, float]], Waveform]) -> Mistakes:
    """1.4: a mixture with other levels."""
    stems = dict(zip(report.SIGNALS[1:], _noise(4), strict=True))
    gains = {"vocals": 0.0, "drums": 6.0, "bass": -20.0, "other": 20.0}
    remix, by_10 = (sum(10 ** (gains[name] / per) * stem for name, stem in stems.items()) for per in (20, 10))
    yield wrong_value(ask(answer, stems, dict.fromkeys(stems, 0.0)), sum(stems.values()),
                      "With 0 dB for all, the remix has to be the mixture: 0 dB is a factor of 1.", atol=1e-4)
    yield wrong_value(
        ask(answer, stems, gains), remix,
        "The levels are not right. Does each stem get its own gain, 10 to the power of dB / 20?", {
            "20 dB are a factor of 10 in the waveform, with you it is 100. Divide dB by 20, not by 10.": by_10,
        }, atol=1e-4)


def _noise(n_signals: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal((n_signals, 2 * report.SAMPLE_RATE))
