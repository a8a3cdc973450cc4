"""Self-checks of lesson 2: a bin by hand, an inverse by overlap-add, a binary mask, phases from magnitudes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dann_lib import report, spectrogram
from dann_lib.course.exercises.checking import Outcome, ask, self_check


def check_bin(answer: Callable[[Tensor, int], complex]) -> Outcome:
    """2.1: a bin of the Fourier transform of a frame."""
    frame, k = torch.from_numpy(np.random.default_rng(0).standard_normal(64)), 5
    true = complex(torch.fft.rfft(frame)[k])

    def one_number(function: Callable) -> str | None:
        found = np.shape(ask(function, frame, k))
        return None if found == () else f"The result has shape {found}; a bin is one number, the sum over all samples."

    def value(function: Callable) -> str | None:
        found = complex(ask(function, frame, k))
        mistakes = {
            true.conjugate(): "The imaginary part has the wrong sign. It is minus the sum with the sine.",
            complex(abs(true)): "That is the magnitude. Give real and imaginary part as one complex number.",
            complex(true.real): "The imaginary part is missing.",
            true / len(frame): "You divide by the number of samples; the transform of this course is a plain sum.",
            complex(torch.fft.fft(frame, n=128)[k]): "The wave makes half as many turns as it should: 2π k n / N.",
            _with_bins_for_samples(frame, k): "N is the number of samples in the frame, not the number of bins.",
            complex(frame.sum()): "That is bin 0. Does the wave depend on k?",
        }
        for wrong, sentence in mistakes.items():
            if np.isclose(found, wrong, rtol=1e-4):
                return sentence
        return None if np.isclose(found, true, rtol=1e-4) else (
            f"For a noise, {true:.3f} was expected and {found:.3f} found. Is the wave at sample n turned by "
            "2π k n / N?")

    def any_length(function: Callable) -> str | None:
        found, other = complex(ask(function, frame[:50], k)), complex(torch.fft.rfft(frame[:50])[k])
        return None if np.isclose(found, other, rtol=1e-4) else (
            "For a frame of another length it is wrong. Take N from the frame that you are given.")

    return self_check("2.1", answer, one_number, value, any_length,
                      solved="1025 such sums are a frame; the fast Fourier transform gives the same numbers sooner.")


def check_inverse(answer: Callable[[Tensor, Tensor, int], Tensor]) -> Outcome:
    """2.2: the inverse STFT by overlap-add, as least squares have it."""
    window, waveform = torch.hamming_window(64), _noise(640)
    planes = _transform(waveform, window, 32)

    def shape(function: Callable) -> str | None:
        found = tuple(torch.as_tensor(ask(function, planes, window, 32)).shape)
        if found == (planes.shape[1] * len(window),):
            return "You have put the frames one after the other. Frame t begins at sample t · hop, and they overlap."
        return None if found == (640,) else (
            f"The result has shape {found}; {planes.shape[1]} frames of 64 samples, 32 apart, make (640,) samples.")

    def value(function: Callable) -> str | None:
        found = torch.as_tensor(ask(function, planes, window, 32))
        squares, ones = _added(window**2, planes.shape[1]), _added(window, planes.shape[1])
        covered = _added(torch.ones(64), planes.shape[1])
        mistakes = (
            (waveform * squares, "Too loud where frames overlap: divide by the sum of the squared windows."),
            (waveform * ones, "The window is still in it. Multiply each frame by it once more, then divide by the sum "
                              "of the squared windows."),
            (waveform * squares / ones, "You divide by the sum of the windows. Each frame was multiplied by the window "
                                        "twice, so divide by the sum of their squares."),
            (waveform * ones / squares, "You divide by the sum of the squared windows, but the frames hold the window "
                                        "only once: multiply each of them by it before adding."),
            (waveform * ones / covered, "You take the mean where frames overlap; the windows do not weigh equally."),
        )
        for wrong, sentence in mistakes:
            if torch.allclose(found.float(), wrong, atol=1e-4):
                return sentence
        return None if torch.allclose(found.float(), waveform, atol=1e-4) else (
            "The sound does not come back. Does frame t go to the samples from t · hop on, and are all frames added?")

    def overlap(function: Callable) -> str | None:
        found = torch.as_tensor(ask(function, _transform(waveform, window, 16), window, 16))
        return None if found.shape == waveform.shape and torch.allclose(found.float(), waveform, atol=1e-4) else (
            "With a hop of a quarter of the window it is wrong. Use the hop that you are given.")

    def changed(function: Callable) -> str | None:
        masked = planes * (planes.abs() > planes.abs().median())
        found = torch.as_tensor(ask(function, masked, window, 32))
        return None if torch.allclose(found.float(), _least_squares(masked, window, 32), atol=1e-4) else (
            "Unchanged frames come back right. Of masked ones yours is not the nearest sound: multiply each frame by "
            "the window once more before adding, and divide by the sum of the squared windows.")

    return self_check("2.2", answer, shape, value, overlap, changed,
                      solved="It inverts any window and hop, and finds the nearest sound where a mask was at work.")


def check_binary_mask(answer: Callable[[Tensor, Tensor], Tensor]) -> Outcome:
    """2.3: 1 where a source is louder than all the rest, else 0."""
    source, rest = _noise(2 * 40 * 30).reshape(2, 2, 40, 15)
    mixture = source + rest
    loud = {name: plane.norm(dim=0) for name, plane in (("source", source), ("rest", rest), ("mixture", mixture))}
    true = loud["source"] > loud["rest"]

    def shape(function: Callable) -> str | None:
        found = tuple(torch.as_tensor(ask(function, source, mixture)).shape)
        if found == (2, 40, 15):
            return "That is a mask for each part. Take the magnitude over both first, then compare: one mask for both."
        return None if found == (40, 15) else f"The result has shape {found}; one number a place would be (40, 15)."

    def two_values(function: Callable) -> str | None:
        found = torch.as_tensor(ask(function, source, mixture)).double()
        return None if bool(((found == 0) | (found == 1)).all()) else (
            f"There are values between {found.min():.2f} and {found.max():.2f}; a binary mask knows 0 and 1 only.")

    def value(function: Callable) -> str | None:
        found = torch.as_tensor(ask(function, source, mixture)).bool()
        mistakes = (
            (~true, "The mask keeps the others and drops the source; turn the comparison round."),
            (loud["source"] > loud["mixture"], "You compare with the whole mixture. Compare with the rest: the mixture "
                                               "without the source."),
            (loud["source"] > loud["mixture"] - loud["source"],
             "You subtract magnitudes, and magnitudes do not add up (step 3). Subtract the spectrograms, then take "
             "the magnitude."),
            (source[0] > rest[0], "You compare real parts, which can be negative. Compare magnitudes over both parts."),
        )
        for wrong, sentence in mistakes:
            if torch.equal(found, wrong):
                return sentence
        share = float((found != true).float().mean())
        return None if share == 0 else (
            f"{share:.0%} of the places are wrong. Is it 1 just where the source's magnitude is above the rest's?")

    return self_check("2.3", answer, shape, two_values, value,
                      solved="The ideal binary mask: of all masks of zeros and ones, the one with the smallest error "
                             "in the spectrogram.")


def check_phases(answer: Callable[[Tensor, int, int], Tensor]) -> Outcome:
    """2.4: a sound with given magnitudes, by the method of Griffin and Lim."""
    n_samples = 2 * report.SAMPLE_RATE
    magnitude = spectrogram.stft(_melody(n_samples)).norm(dim=0)

    def off(function: Callable, rounds: int) -> float:
        found = torch.as_tensor(ask(function, magnitude, n_samples, rounds)).float()
        return float((spectrogram.stft(found).norm(dim=0) - magnitude).norm() / magnitude.norm())

    def shape(function: Callable) -> str | None:
        found = torch.as_tensor(ask(function, magnitude, n_samples, 2))
        if tuple(found.shape) != (n_samples,):
            return f"The result has shape {tuple(found.shape)}; a waveform of {n_samples} samples was asked for."
        if not bool(torch.isfinite(found).all()):
            return "There are values that are no numbers. Where a magnitude is 0, divide by something small instead."
        return None

    def falls(function: Callable) -> str | None:
        few, many = off(function, 1), off(function, 20)
        if few > 2:
            return "The sound is far too loud. Take the phase alone: divide real and imaginary part by their magnitude."
        if np.isclose(few, many, rtol=1e-3):
            return ("20 rounds give the same as one. Does each round go back and forth, keep the new phase, and "
                    "restore the given magnitudes?")
        return None if many < few else (
            f"After 1 round the magnitudes are off by {few:.0%}, after 20 by {many:.0%}; they should come nearer.")

    def near(function: Callable) -> str | None:
        found, usual = off(function, 20), _usual_mismatch(magnitude, n_samples, 20)
        return None if found < 1.5 * usual else (
            f"After 20 rounds the magnitudes are off by {found:.0%}, and {usual:.0%} are usual. Are the magnitudes the "
            "given ones in every round, and the phases those of the last?")

    return self_check("2.4", answer, shape, falls, near,
                      solved="A sound from magnitudes alone. Each round comes nearer, or stays; it never goes away.")


def _noise(n_samples: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(n_samples)).float()


def _melody(n_samples: int) -> Tensor:
    """Four notes of two partials with a click at the start of each, `(sample,)`."""
    time_s = torch.arange(n_samples) / report.SAMPLE_RATE
    since = torch.remainder(time_s, 0.5)
    pitch_hz = 220 * 2 ** (torch.floor(time_s / 0.5) / 4)
    notes = sum(torch.sin(2 * torch.pi * partial * pitch_hz * since) / partial for partial in (1, 2))
    return 0.2 * notes * torch.exp(-3 * since) + 0.1 * _noise(n_samples) * torch.exp(-80 * since)


def _with_bins_for_samples(frame: Tensor, k: int) -> complex:
    angle = 2 * torch.pi * k * torch.arange(len(frame), dtype=frame.dtype) / (len(frame) // 2 + 1)
    return complex((frame * torch.exp(-1j * angle)).sum())


def _transform(waveform: Tensor, window: Tensor, hop: int) -> Tensor:
    """Complex `(freq, frame)`; frame `t` begins at sample `t * hop`."""
    return torch.stft(waveform, len(window), hop, window=window, center=False, return_complex=True)


def _least_squares(planes: Tensor, window: Tensor, hop: int) -> Tensor:
    """The sound whose transform is nearest to `planes` (Griffin and Lim, 1984, equation 6), `(sample,)`."""
    pieces = torch.fft.irfft(planes, n=len(window), dim=0) * window[:, None]
    squares = (window**2)[:, None].expand_as(pieces)
    added, weight = (_fold(each, hop) for each in (pieces, squares))
    return added / weight


def _added(window: Tensor, n_frames: int) -> Tensor:
    return _fold(window[:, None].expand(-1, n_frames), len(window) // 2)


def _fold(pieces: Tensor, hop: int) -> Tensor:
    length, n_frames = pieces.shape
    size = (1, (n_frames - 1) * hop + length)
    return functional.fold(pieces[None], size, (1, length), stride=(1, hop)).flatten()


def _usual_mismatch(magnitude: Tensor, n_samples: int, rounds: int) -> float:
    planes = torch.stack((magnitude, torch.zeros_like(magnitude)))
    for _ in range(rounds):
        planes = spectrogram.stft(spectrogram.istft(planes, n_samples))
        planes = magnitude * planes / planes.norm(dim=0).clamp_min(1e-9)
    again = spectrogram.stft(spectrogram.istft(planes, n_samples))
    return float((again.norm(dim=0) - magnitude).norm() / magnitude.norm())
