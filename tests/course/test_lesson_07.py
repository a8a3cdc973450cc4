"""Lesson 7: its own functions measure what they say, and its self-checks explain typical mistakes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import soxr
import torch
from lesson_code import definitions, drive
from torch import Tensor

from dann_lib import report, spectrogram
from dann_lib.course.exercises import hearing

Masked = tuple[Tensor, Tensor]


def rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(waveform**2)))


def at_level_of(sound: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return rms(reference) / rms(sound) * sound


def there_and_back(truth: np.ndarray) -> np.ndarray:
    low = soxr.resample(truth, report.SONG_RATE, report.SAMPLE_RATE)
    return soxr.resample(low, report.SAMPLE_RATE, report.SONG_RATE)[: len(truth)]


def cut_above(truth: np.ndarray, hz: float) -> np.ndarray:
    spectrum = np.fft.rfft(truth)
    spectrum[int(hz * len(truth) / report.SONG_RATE):] = 0
    return np.fft.irfft(spectrum, len(truth))


def even(masks: Tensor) -> Tensor:
    return (masks[:, :1] + masks[:, 1:]) / 2


def odd(masks: Tensor) -> Tensor:
    return (masks[:, :1] - masks[:, 1:]) / 2


def backwards(planes: Tensor) -> Tensor:
    return torch.stack((planes[0], -planes[1]))


def direct_and_echo(planes: Tensor, masks: Tensor) -> Masked:
    return even(masks) * planes, odd(masks) * backwards(planes)


def four_stems(song: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    high = soxr.resample(estimates.T, report.SAMPLE_RATE, report.SONG_RATE).T[:, : len(song)]
    high = np.pad(high, ((0, 0), (0, len(song) - high.shape[1])))
    return np.concatenate((high, [song - high.sum(axis=0)]))


def with_other(song: np.ndarray, estimates: np.ndarray, other: Callable[..., np.ndarray]) -> np.ndarray:
    high = four_stems(song, estimates)[:3]
    return np.concatenate((high, [other(song, high)]))


def repeated(song: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    high = np.pad(np.repeat(estimates, 5, axis=1)[:, : len(song)], ((0, 0), (0, max(0, len(song) - 10_005))))
    return np.concatenate((high, [song - high.sum(axis=0)]))


def draw(n_trials: int, random: np.random.Generator) -> str:
    return "".join(random.choice(["A", "B"], n_trials))


def luck(n_right: int, n_trials: int) -> float:
    from scipy.stats import binom

    return float(binom.sf(n_right - 1, n_trials, 0.5))


def exactly(n_right: int, n_trials: int) -> float:
    return luck(n_right, n_trials) - luck(n_right + 1, n_trials)


def test_the_length_of_a_click_is_measured_between_its_first_and_last_loud_sample():
    smear_ms = definitions("07_listening", "smear_ms")["smear_ms"]
    response = np.zeros(1000)
    response[[100, 300, 900]] = 1, -0.011, 0.009  # the last one is more than 40 dB down
    assert smear_ms(response, 1000) == pytest.approx(200)
    assert smear_ms(response, 1000, floor_db=-60) == pytest.approx(800)


def test_the_error_of_the_phase_is_0_for_the_truth_180_turned_and_90_for_noise():
    lesson = definitions("07_listening", "complex_planes", "phase_error")
    truth, other = np.random.default_rng(0).standard_normal((2, 30_000)).astype(np.float32)
    assert lesson["phase_error"](3 * truth, truth) == pytest.approx(0, abs=0.1)
    assert lesson["phase_error"](-truth, truth) == pytest.approx(180, abs=0.1)
    assert lesson["phase_error"](other, truth) == pytest.approx(90, abs=2)


def test_the_level_of_the_reversed_part_is_that_of_the_formula():
    lesson = definitions("07_listening", "reversed_level_db")["reversed_level_db"]

    class Constant(torch.nn.Module):
        def forward(self, chunks: Tensor) -> Tensor:
            return torch.tensor([[1.0, 0.5], [1.0, 0.0], [0.2, 0.3]]).reshape(1, 3, 2, 1, 1) * torch.ones_like(
                chunks)[:, None]

    class Given:
        network = Constant()
        config = type("Config", (), {"gain": 300.0, "n_chunk_frames": 22})()

    waveform = np.random.default_rng(0).standard_normal(60_000).astype(np.float32)
    found = lesson(Given, waveform)
    assert list(found) == list(report.SOURCES)
    expected = [20 * np.log10(abs(a - b) / (a + b)) for a, b in ((1, 0.5), (1, 1e-9), (0.2, 0.3))]
    assert list(found.values()) == pytest.approx(expected, abs=0.01)


def test_direct_part_and_echo_are_the_frame_and_the_frame_backwards():
    """The solution of 7.3 against the time domain: one frame, without a window."""
    frame = torch.from_numpy(np.random.default_rng(0).standard_normal(report.N_FFT))
    planes = spectrogram.from_complex(torch.fft.rfft(frame)[:, None])
    masks = torch.tensor([1.0, 0.4], dtype=torch.float64).reshape(1, 2, 1, 1).expand(1, 2, report.N_BINS, 1)
    direct, echo = (torch.fft.irfft(spectrogram.to_complex(each)[0, :, 0]) for each in direct_and_echo(planes, masks))
    assert torch.allclose(direct, 0.7 * frame) and torch.allclose(echo, 0.3 * frame.flip(0).roll(1))


def test_a_band_limit_by_fourier_transform_is_solved_too():
    assert hearing.check_band_limit(lambda truth: cut_above(truth, 4410)).state == "solved"


def test_answers_are_counted_and_compared_with_luck():
    assert "Listen to the trials" in hearing.reveal("", lambda: "ABBA", luck)
    assert "write a letter" in hearing.reveal("ABB", lambda: "ABBA", luck)
    assert "write a letter" in hearing.reveal("ABXA", lambda: "ABBA", luck)
    text = hearing.reveal(" abba ", lambda: "ABBB", luck)
    assert "3 of 4 right" in text and "31.2 %" in text


MISTAKES = {
    hearing.check_level: [
        (lambda sound, reference: rms(reference) / rms(sound), "the gain"),
        (lambda sound, reference: reference, "Only the level"),
        (lambda sound, reference: sound, "as it was"),
        (lambda sound, reference: (rms(reference) / rms(sound)) ** 2 * sound, "squared"),
        (lambda sound, reference: rms(sound) / rms(reference) * sound, "wrong way round"),
        (lambda sound, reference: np.abs(reference).max() / np.abs(sound).max() * sound, "peaks"),
        (lambda sound, reference: np.linalg.norm(reference) / np.linalg.norm(sound) * sound, "not their sum"),
        (lambda sound, reference: 2 * at_level_of(sound, reference), "one gain"),
    ],
    hearing.check_band_limit: [
        (lambda truth: soxr.resample(truth, report.SONG_RATE, report.SAMPLE_RATE), "at 8.82 kHz"),
        (lambda truth: there_and_back(truth)[:-7], "samples go in"),
        (lambda truth: np.repeat(truth[::5], 5), "repeated"),
        (lambda truth: 0.5 * there_and_back(truth), "changes its level"),
        (lambda truth: np.roll(there_and_back(truth), 30), "another time"),
        (lambda truth: soxr.resample(truth[::5].copy(), report.SAMPLE_RATE, report.SONG_RATE), "every fifth sample"),
        (lambda truth: cut_above(truth, 8820), "half of the sample rate"),
        (lambda truth: truth, "still there"),
    ],
    hearing.check_echo: [
        (lambda planes, masks: masks * planes, "two spectrograms"),
        (lambda planes, masks: ((masks[:, 0] + masks[:, 1]) / 2 * planes[0], masks[:, 0]), "axis of length 1"),
        (lambda planes, masks: tuple(2 * each for each in direct_and_echo(planes, masks)), "not their sum"),
        (lambda planes, masks: direct_and_echo(planes, masks)[::-1], "exchanged"),
        (lambda planes, masks: (masks[:, :1] * planes, direct_and_echo(planes, masks)[1]), "real mask"),
        (lambda planes, masks: (even(masks) * planes, odd(masks) * planes), "imaginary part"),
        (lambda planes, masks: (even(masks) * planes, -odd(masks) * backwards(planes)), "sign of the echo"),
        (lambda planes, masks: (even(masks) * planes, odd(masks).expand_as(masks)), "Apply it"),
        (lambda planes, masks: (even(masks) * planes, 0 * masks), "add up"),
        (lambda planes, masks: (0 * masks, masks * planes), "one mask for both parts"),
    ],
    hearing.check_four_stems: [
        (lambda song, estimates: np.concatenate((estimates, [estimates[0]])), "Resampling can give"),
        (repeated, "five times"),
        (lambda song, estimates: 2 * four_stems(song, estimates), "away from the estimates"),
        (lambda song, estimates: with_other(song, estimates, lambda song, high: song), "the whole song"),
        (lambda song, estimates: with_other(song, estimates, lambda song, high: high.sum(axis=0) - song), "sign"),
        (lambda song, estimates: with_other(song, estimates, lambda song, high: song - high[0]), "miss the song"),
    ],
    (lambda answer: hearing.check_blind_test(answer, luck)): [
        (lambda n, random: list("AB" * n)[:n], "a text"),
        (lambda n, random: "AB", "9 trials"),
        (lambda n, random: draw(n, np.random.default_rng()), "different keys"),
        (lambda n, random: ("AB" * n)[:n], "Draw it"),
        (lambda n, random: "".join(random.choice(["A", "B"], n, p=[0.7, 0.3])), "% of the letters are A"),
        (lambda n, random: "".join(random.permutation(list(("AB" * n)[:n]))), "who counts"),
        (lambda n, random: (random.choice(["AB", "BA"]) * n)[:n], "who counts"),
        (lambda n, random: "".join(2 * letter for letter in draw(n, random))[:n], "the one before"),
    ],
    (lambda answer: hearing.check_blind_test(draw, answer)): [
        (lambda right, n: 100 * luck(right, n), "between 0 and 1"),
        (exactly, "exactly so many"),
        (lambda right, n: 1 - luck(right + 1, n), "at most"),
        (lambda right, n: luck(right + 1, n), "not more"),
        (lambda right, n: min(1.0, 2 * luck(right, n)), "both sides"),
        (lambda right, n: right / n if right < n else 0.5**n, "always reached"),
        (lambda right, n: 1 - right / (n + 1), "was expected"),
    ],
}


@pytest.mark.parametrize(("check", "answer", "words"), [
    (check, *case) for check, cases in MISTAKES.items() for case in cases])
def test_mistakes_are_explained(check: Callable, answer: Callable, words: str):
    outcome = check(answer)
    assert outcome.state == "wrong" and words in outcome.text


def test_the_sliders_of_the_masks_have_an_echo_where_the_two_differ():
    names = ("low", "with_masks", "echo", "echo_sliders")
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, 9000)).float()
    given = definitions("07_listening", *names, singing=noise, sung=slice(0, 9000), shown=slice(2150, 6550))
    shown = drive(given["echo_sliders"])
    assert "= 0.00." in shown[1, 1] and "= inf." in shown[1, -1] and "= 0.60." in shown[0.25, 1]


def test_the_mixing_desk_plays_the_file_that_it_writes(tmp_path):
    stems = dict(zip(report.STEMS, np.random.default_rng(0).uniform(-0.1, 0.1, (4, 9000, 2)), strict=True))
    given = definitions("07_listening", "read", "mix", "gains", "mix_sliders", four=stems, hz=report.SONG_RATE,
                        mix_file=tmp_path / "mix.wav", played=slice(0, 9000))
    assert len(drive(given["mix_sliders"])) == 17
    given["mix"](vocals=6, drums=-40, bass=0, other=-40)
    expected = 10 ** (6 / 20) * stems["vocals"] + stems["bass"] + 0.01 * (stems["drums"] + stems["other"])
    assert np.abs(given["read"](tmp_path / "mix.wav") - expected).max() < 2**-15
