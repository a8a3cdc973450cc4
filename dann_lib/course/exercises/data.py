"""Self-checks of lesson 1: the sum of the stems, levels, chunks, remixing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from dann_lib import report
from dann_lib.course.exercises.checking import Outcome, ask, self_check

Waveform = np.ndarray
"""`(sample,)`; 1 is full scale."""


def check_the_rest(answer: Callable[[Waveform, Waveform, Waveform, Waveform], Waveform]) -> Outcome:
    """1.1: the fourth stem from the mixture and the other three."""
    stems = _noise(4)
    mixture = stems.sum(axis=0)

    def shape(function: Callable) -> str | None:
        found = np.shape(ask(function, mixture, *stems[:3]))
        return None if found == mixture.shape else f"The result has shape {found}; the mixture has {mixture.shape}."

    def value(function: Callable) -> str | None:
        found = ask(function, mixture, *stems[:3])
        if np.allclose(found, -stems[3], atol=1e-5):
            return "The sign is turned: take the three stems from the mixture, not the mixture from them."
        if np.allclose(found, mixture + stems[:3].sum(axis=0), atol=1e-5):
            return "You have added the stems to the mixture, where they are already; take them away."
        return None if np.allclose(found, stems[3], atol=1e-5) else (
            "Rest and stems together do not give the mixture. Are all three of them taken away, each once?")

    return self_check("1.1", answer, shape, value, solved="Four stems that add up: three of them decide the fourth.")


def check_level_against_the_rest(answer: Callable[[Waveform, Waveform], float]) -> Outcome:
    """1.2: level of a stem relative to the rest of the mixture, in dB."""
    stem, rest = _noise(2)

    def size(function: Callable) -> str | None:
        found = ask(function, stem, stem + rest)
        return None if np.ndim(found) == 0 else f"The result has shape {np.shape(found)}; a level is one number."

    def value(function: Callable) -> str | None:
        found, louder = (float(ask(function, factor * stem, factor * stem + rest)) for factor in (1, 10))
        true = 10 * np.log10(np.mean(stem**2) / np.mean(rest**2))
        against_mixture = 10 * np.log10(np.mean(stem**2) / np.mean((stem + rest) ** 2))
        if np.isclose(found, against_mixture, atol=0.01):
            return "You compare with the whole mixture, in which the stem is contained; compare with the rest alone."
        if np.isclose(louder - found, 10, atol=0.01):
            return ("A stem ten times as large is 20 dB louder, and with you it is 10: for squares (energies) it is "
                    "10 log₁₀, for values before squaring 20 log₁₀.")
        return None if np.isclose(found, true, atol=0.01) else (
            f"For two noises, {true:.2f} dB were expected and {found:.2f} found. "
            "Did you take the ratio of the mean squares, then 10 log₁₀?")

    return self_check("1.2", answer, size, value, solved="That is the number that a separator has to improve on.")


def check_chunks(answer: Callable[[float, int], int]) -> Outcome:
    """1.3: how many whole chunks a song gives."""

    def kind(function: Callable) -> str | None:
        found = ask(function, 240.0, report.SAMPLE_RATE)
        return None if int(found) == found else f"{found} chunks: only whole ones count."

    def value(function: Callable) -> str | None:
        found, true = int(ask(function, 240.0, report.SAMPLE_RATE)), _chunks(240.0, report.SAMPLE_RATE)
        if found == _chunks(240.0, report.SAMPLE_RATE * 2):
            return "Twice too many: are neighbouring frames half a window, 1024 samples, apart with you?"
        return None if found == true else f"A song of 240 s at 8.82 kHz makes {true} whole chunks; you count {found}."

    def rate(function: Callable) -> str | None:
        found, true = int(ask(function, 240.0, report.SONG_RATE)), _chunks(240.0, report.SONG_RATE)
        return None if found == true else (
            f"At 44.1 kHz it would be {true} chunks, you count {found}. Does your function use the rate it is given?")

    return self_check("1.3", answer, kind, value, rate,
                      solved="100 songs of 4 minutes make about as many chunks as the report says, at 8.82 kHz only.")


def check_remix(answer: Callable[[Mapping[str, Waveform], Mapping[str, float]], Waveform]) -> Outcome:
    """1.4: a mixture with other levels."""
    stems = dict(zip(report.SIGNALS[1:], _noise(4), strict=True))
    gains = {"vocals": 0.0, "drums": 6.0, "bass": -20.0, "other": 20.0}

    def same(function: Callable) -> str | None:
        found = ask(function, stems, dict.fromkeys(stems, 0.0))
        return None if np.allclose(found, sum(stems.values()), atol=1e-4) else (
            "With 0 dB for all, the remix has to be the mixture: 0 dB is a factor of 1.")

    def value(function: Callable) -> str | None:
        found = ask(function, stems, gains)
        true = sum(10 ** (gains[name] / 20) * stem for name, stem in stems.items())
        if np.allclose(found, sum(10 ** (gains[name] / 10) * stem for name, stem in stems.items()), atol=1e-3):
            return "20 dB are a factor of 10 in the waveform, with you it is 100. Divide dB by 20, not by 10."
        return None if np.allclose(found, true, atol=1e-4) else (
            "The levels are not right. Does each stem get its own gain, 10 to the power of dB / 20?")

    return self_check("1.4", answer, same, value,
                      solved="This is how training songs are multiplied in lesson 5: remixing makes new ones.")


def _noise(n_signals: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal((n_signals, 2 * report.SAMPLE_RATE))


def _chunks(seconds: float, rate_hz: int) -> int:
    return int(seconds * rate_hz / report.HOP + 1) // report.N_FRAMES
