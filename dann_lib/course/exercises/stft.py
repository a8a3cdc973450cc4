"""Self-checks of lesson 2: a bin by hand, an inverse by overlap-add, a binary mask, phases from magnitudes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dann_lib import report, spectrogram
from dann_lib.course.exercises.checking import Mistakes, ask, self_check, wrong_shape, wrong_value

USUAL = 0.1004
"""How much the magnitudes of the melody are off after 20 rounds of Griffin and Lim."""


@self_check("2.1", solved="1025 such sums are a frame; the fast Fourier transform gives the same numbers sooner.")
def check_bin(answer: Callable[[Tensor, int], complex]) -> Mistakes:
    """2.1: a bin of the Fourier transform of a frame."""
    frame, k = torch.from_numpy(np.random.default_rng(0).standard_normal(64)), 5
    true, twice_n, as_bins = (complex((frame * torch.exp(-2j * torch.pi * k * torch.arange(64) / n)).sum())
                              for n in (64, 128, 33))
    yield wrong_value(ask(answer, frame, k), true, "For a noise, {true:.3f} was expected and {found:.3f} found. "
                                                   "Is the wave at sample n turned by 2π k n / N?", {
        "The imaginary part has the wrong sign. It is minus the sum with the sine.": true.conjugate(),
        "That is the magnitude. Give real and imaginary part as one complex number.": abs(true),
        "The imaginary part is missing.": true.real,
        "You divide by the number of samples; the transform of this course is a plain sum.": true / len(frame),
        "The wave makes half as many turns as it should: 2π k n / N.": twice_n,
        "N is the number of samples in the frame, not the number of bins.": as_bins,
        "That is bin 0. Does the wave depend on k?": frame.sum(),
    }, shape="a bin is one number, the sum over all samples.", rtol=1e-4)
    yield wrong_value(ask(answer, frame[:50], k), torch.fft.rfft(frame[:50])[k], rtol=1e-4, otherwise=
                      "For a frame of another length it is wrong. Take N from the frame that you are given.")


@self_check("2.2", solved="It inverts any window and hop, and finds the nearest sound where a mask was at work.")
def check_inverse(answer: Callable[[Tensor, Tensor, int], Tensor]) -> Mistakes:
    """2.2: the inverse STFT by overlap-add, as least squares have it."""
    window, waveform = torch.hamming_window(64), _noise(640)
    planes, finer = (torch.stft(waveform, 64, hop, window=window, center=False, return_complex=True)
                     for hop in (32, 16))
    masked = planes * (planes.abs() > planes.abs().median())
    nearest = torch.istft(masked, 64, 32, window=window, center=False)  # Griffin and Lim, 1984, equation 6
    squares, ones, covered = (added(each[:, None].expand(64, 19), 32) for each in (window**2, window, torch.ones(64)))
    yield wrong_value(ask(answer, planes, window, 32), waveform, "The sound does not come back. Does frame t go to the "
                      "samples from t · hop on, and are all frames added?", {
        "You have put the frames one after the other. Frame t begins at sample t · hop, and they overlap.":
            torch.zeros(19 * 64),
        "Too loud where frames overlap: divide by the sum of the squared windows.": waveform * squares,
        "The window is still in it. Multiply each frame by it once more, then divide by the sum of the squared "
        "windows.": waveform * ones,
        "You divide by the sum of the windows. Each frame was multiplied by the window twice, so divide by the sum of "
        "their squares.": waveform * squares / ones,
        "You divide by the sum of the squared windows, but the frames hold the window only once: multiply each of them "
        "by it before adding.": waveform * ones / squares,
        "You take the mean where frames overlap; the windows do not weigh equally.": waveform * ones / covered,
    }, shape="19 frames of 64 samples, 32 apart, make (640,) samples.", atol=1e-4)
    yield wrong_value(ask(answer, finer, window, 16), waveform, atol=1e-4, otherwise=
                      "With a hop of a quarter of the window it is wrong. Use the hop that you are given.")
    yield wrong_value(ask(answer, masked, window, 32), nearest, atol=1e-4, otherwise=
                      "Unchanged frames come back right. Of masked ones yours is not the nearest sound: multiply each "
                      "frame by the window once more before adding, and divide by the sum of the squared windows.")


@self_check("2.3", solved="The ideal binary mask: of all masks of zeros and ones, the one with the smallest error in "
                          "the spectrogram.")
def check_binary_mask(answer: Callable[[Tensor, Tensor], Tensor]) -> Mistakes:
    """2.3: 1 where a source is louder than all the rest, else 0."""
    source, rest = _noise(2 * 40 * 30).reshape(2, 2, 40, 15)
    loud, loud_rest, loud_mixture = (planes.norm(dim=0) for planes in (source, rest, source + rest))
    found, true = torch.as_tensor(ask(answer, source, source + rest)), loud > loud_rest
    yield found.shape == source.shape and (
        "That is a mask for each part. Take the magnitude over both first, then compare: one mask for both.")
    yield wrong_shape(found, true.shape, "one number a place would be (40, 15).")
    yield not ((found == 0) | (found == 1)).all() and (
        f"There are values between {found.min():.2f} and {found.max():.2f}; a binary mask knows 0 and 1 only.")
    yield wrong_value(found, true, f"{float((found != true).float().mean()):.0%} of the places are wrong. "
                                   "Is it 1 just where the source's magnitude is above the rest's?", {
        "The mask keeps the others and drops the source; turn the comparison round.": ~true,
        "You compare with the whole mixture. Compare with the rest: the mixture without the source.":
            loud > loud_mixture,
        "You subtract magnitudes, and magnitudes do not add up (step 3). Subtract the spectrograms, then take the "
        "magnitude.": loud > loud_mixture - loud,
        "You compare real parts, which can be negative. Compare magnitudes over both parts.": source[0] > rest[0],
    })


@self_check("2.4", solved="A sound from magnitudes alone. Each round comes nearer, or stays; it never goes away.")
def check_phases(answer: Callable[[Tensor, int, int], Tensor]) -> Mistakes:
    """2.4: a sound with given magnitudes, by the method of Griffin and Lim."""
    n_samples = 2 * report.SAMPLE_RATE
    magnitude = spectrogram.stft(_melody(n_samples)).norm(dim=0)
    found = torch.as_tensor(ask(answer, magnitude, n_samples, 2))
    yield wrong_shape(found, (n_samples,), f"a waveform of {n_samples} samples was asked for.")
    yield not torch.isfinite(found).all() and (
        "There are values that are no numbers. Where a magnitude is 0, divide by something small instead.")
    few, many = (_mismatch(torch.as_tensor(ask(answer, magnitude, n_samples, rounds)).float(), magnitude)
                 for rounds in (1, 20))
    yield few > 2 and (
        "The sound is far too loud. Take the phase alone: divide real and imaginary part by their magnitude.")
    yield np.isclose(few, many, rtol=1e-3) and (
        "20 rounds give the same as one. Does each round go back and forth, keep the new phase, and restore the given "
        "magnitudes?")
    yield not many < few and (
        f"After 1 round the magnitudes are off by {few:.0%}, after 20 by {many:.0%}; they should come nearer.")
    yield not many < 1.5 * USUAL and (
        f"After 20 rounds the magnitudes are off by {many:.0%}, and {USUAL:.0%} are usual. Are the magnitudes the "
        "given ones in every round, and the phases those of the last?")


def _noise(n_samples: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(n_samples)).float()


def _melody(n_samples: int) -> Tensor:
    """Four notes of two partials with a click at the start of each, `(sample,)`."""
    time_s = torch.arange(n_samples) / report.SAMPLE_RATE
    since = torch.remainder(time_s, 0.5)
    pitch_hz = 220 * 2 ** (torch.floor(time_s / 0.5) / 4)
    notes = sum(torch.sin(2 * torch.pi * partial * pitch_hz * since) / partial for partial in (1, 2))
    return 0.2 * notes * torch.exp(-3 * since) + 0.1 * _noise(n_samples) * torch.exp(-80 * since)


def added(pieces: Tensor, hop: int) -> Tensor:
    """The sum of pieces `(sample, frame)` that begin every `hop` samples, `(sample,)`."""
    length, n_frames = pieces.shape
    size = (1, (n_frames - 1) * hop + length)
    return functional.fold(pieces[None], size, (1, length), stride=(1, hop)).flatten()


def _mismatch(waveform: Tensor, magnitude: Tensor) -> float:
    return float((spectrogram.stft(waveform).norm(dim=0) - magnitude).norm() / magnitude.norm())
