"""Explorers of sound that compute in the page: the STFT to try out, and masks to draw and to hear.

No kernel is asked for anything: the page has the samples, and `dsp.js` transforms them as
`dann_lib.spectrogram` does.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import ArrayLike

from dann_lib import report, spectrogram
from dann_lib.errors import AudioError
from dann_lib.evaluation.projection import sdr_sir_sar
from dann_lib.figures import DB_LIMITS, Drawing, canvas, show, spectrogram_image, spectrograms
from dann_lib.figures.style import join
from dann_lib.player.clips import MP3_RATES, check_waveform, encode
from dann_lib.player.frame import Explorer, Frame, colour_map

MAX_AUDIO_BYTES = 185_000
"""Encoded audio of one explorer: 250 kB in a page, as base64."""

LOWER_RATES = (1, 2, 5, 10)
"""Whole parts of the sample rate that the STFT explorer offers: 44.1, 22.05, 8.82 and 4.41 kHz."""

_STILL_LENGTHS = (256, 2048, 8192)


def stft_explorer(
    waveforms: Mapping[str, ArrayLike], rate_hz: int = report.SAMPLE_RATE, description: str = ""
) -> Explorer:
    """Try out window, length, overlap and sample rate of the STFT, and hear what is lost of a sound (report, II.b).

    A tone, two tones 10 Hz apart (I.c) and clicks are added to the sounds that are given.

    Args:
        waveforms: title → `(sample,)` or `(sample, channel)`, a few seconds; 1 is full scale.
        rate_hz: sample rate of all; half, a fifth and a tenth of it can be chosen too.
        description: what to try; the list of controls if empty.

    Raises:
        AudioError: if there is no sound, one is unusable, or they are too long to be kept in a page.
    """
    if not waveforms:
        raise AudioError("there are no sounds to explore; give at least one")
    sounds = {title: np.clip(check_waveform(waveform, title), -1.0, 1.0) for title, waveform in waveforms.items()}
    data = {
        "sounds": _encoded(sounds, rate_hz), "rate": rate_hz, "colours": colour_map("magma", 33),
        "floor_db": DB_LIMITS[0],
        "rates": [rate_hz // part for part in LOWER_RATES if rate_hz % part == 0 and rate_hz / part >= 2000],
    }
    words = description or (
        f"The short-time Fourier transform of {join(list(sounds))}, of tones or of clicks: choose window, length, "
        "overlap and sample rate, keep everything or only a part of it, and hear the sound that is made from it again."
    )
    title, waveform = next(iter(sounds.items()))
    frame = Frame("stft_explorer.js", data, "Short-time Fourier transform to try out", words, height_px=640)
    return Explorer(frame, _still_of_lengths(title, waveform, rate_hz))


def mask_explorer(
    mixture: ArrayLike, sources: Mapping[str, ArrayLike], rate_hz: int = report.SAMPLE_RATE, target: str = "",
    description: str = "",
) -> Explorer:
    """Draw, threshold or take an ideal mask on a mixture's spectrogram; hear and score the result (report, II.b).

    One mask for the real and one for the imaginary part, values within 0 and 1, within ±1, or any. The score is
    equation (5). What the sources leave of the mixture counts as one more source in the ideal masks.

    Args:
        mixture: `(sample,)` or `(sample, channel)`, a few seconds; 1 is full scale.
        sources: name → true source, as long as the mixture.
        rate_hz: sample rate of all.
        target: the source that is wanted at first; the first one if empty.
        description: what to try; the list of controls if empty.

    Raises:
        AudioError: if a sound is unusable, lengths differ, the target is unknown, or they are too long for a page.
    """
    sounds = {"mixture": mixture, **sources}
    sounds = {title: np.clip(check_waveform(waveform, title), -1.0, 1.0) for title, waveform in sounds.items()}
    target = _checked_target(sounds, target)
    data = {
        "sounds": _encoded(sounds, rate_hz, exact=True), "n_samples": len(sounds["mixture"]), "rate": rate_hz,
        "n_fft": report.N_FFT, "hop": report.HOP, "target": target, "colours": colour_map("magma", 33),
        "mask_colours": colour_map("RdBu_r", 33), "floor_db": DB_LIMITS[0],
    }
    words = description or (
        f"The spectrogram of a mixture with a mask on it, to separate the {target} by hand: draw with the brush, erase "
        "what is quiet, or take an ideal mask; hear the result and read its SDR, equation (5)."
    )
    frame = Frame("mask_explorer.js", data, "Masks to draw and to hear", words, height_px=980)
    return Explorer(frame, _still_of_mask(sounds, target, rate_hz))


def _checked_target(sounds: Mapping[str, np.ndarray], target: str) -> str:
    """The wanted source; errors as in `mask_explorer`."""
    names = [name for name in sounds if name != "mixture"]
    if not names:
        raise AudioError("there are no true sources to compare with; give at least one beside the mixture")
    lengths = {name: len(waveform) for name, waveform in sounds.items()}
    if len(set(lengths.values())) > 1:
        raise AudioError(f"mixture and sources have different numbers of samples: {lengths}; cut them alike")
    if target and target not in names:
        raise AudioError(f"there is no source {target!r}; known are {', '.join(names)}")
    return target or names[0]


def _encoded(sounds: Mapping[str, np.ndarray], rate_hz: int, exact: bool = False) -> list[dict[str, Any]]:
    """Each sound as a file that browsers decode at its own rate: FLAC to the bit, or MP3 where that would be large.

    Raises:
        AudioError: if they are too long.
    """
    form = _flac if exact or rate_hz not in MP3_RATES else encode
    stored = [{"name": name, "audio": form(waveform, rate_hz), "n_samples": len(waveform)}
              for name, waveform in sounds.items()]
    n_bytes = sum(len(sound["audio"]) for sound in stored)
    if n_bytes > MAX_AUDIO_BYTES:
        seconds = max(map(len, sounds.values())) / rate_hz
        raise AudioError(
            f"{len(sounds)} sounds of up to {seconds:.1f} s take {n_bytes / 1000:.0f} kB, a page has room for "
            f"{MAX_AUDIO_BYTES / 1000:.0f} kB; give about {0.9 * seconds * MAX_AUDIO_BYTES / n_bytes:.1f} s"
        )
    return stored


def _flac(samples: np.ndarray, rate_hz: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, format="FLAC", subtype="PCM_16", compression_level=1.0)
    return buffer.getvalue()


def _still_of_lengths(title: str, waveform: np.ndarray, rate_hz: int) -> Drawing:
    """The sound seen through three windows."""
    figure, axes = canvas(1, len(_STILL_LENGTHS), height_in=2.9, sharey=True)
    for axis, length in zip(axes, _STILL_LENGTHS, strict=True):
        places = torch.stft(torch.from_numpy(waveform), length, length // 2, window=torch.hamming_window(length),
                            return_complex=True, pad_mode="constant")
        spectrogram_image(axis, places.abs().numpy(), None, rate_hz, length // 2)
        axis.set(
            xlabel="time (s)", xlim=(0, len(waveform) / rate_hz), ylim=(0, min(rate_hz / 2, 4410)),
            title=f"{length}: {1000 * length / rate_hz:.0f} ms, {rate_hz / length:.1f} Hz",
        )
    axes[0].set_ylabel("frequency (Hz)")
    return show(figure, (
        f"{title}, seen through Hamming windows of {join([str(n) for n in _STILL_LENGTHS])} samples with an overlap of "
        "a half. A short window shows when something happens, a long one at which frequency."
    ))


def _still_of_mask(sounds: Mapping[str, np.ndarray], target: str, rate_hz: int) -> Drawing:
    """Mixture, the result of the ideal ratio mask, and the true source."""
    waveforms = np.stack([*sounds.values()])  # (signal, sample)
    rest = waveforms[0] - waveforms[1:].sum(axis=0)
    planes = spectrogram.stft(torch.from_numpy(np.concatenate([waveforms, rest[None]])))
    magnitudes = torch.linalg.vector_norm(planes[1:], dim=1)
    at = list(sounds).index(target) - 1
    mask = magnitudes[at] / magnitudes.sum(dim=0).clamp_min(1e-20)
    result = spectrogram.istft(mask * planes[0], waveforms.shape[-1]).numpy()
    before, after = (sdr_sir_sar(each[None], waveforms[1:], [at]).sdr[0] for each in (waveforms[0], result))
    pictures = {
        "mixture": planes[0], f"ideal ratio mask for {target}": spectrogram.stft(torch.from_numpy(result)),
        f"true {target}": planes[1 + at],
    }
    return spectrograms(pictures, max_hz=rate_hz / 2, rate_hz=rate_hz, description=(
        f"Spectrograms of the mixture, of what the ideal ratio mask leaves of it for the {target}, and of the true "
        f"{target}. The mask, which knows the truth, brings the SDR from {before:.1f} to {after:.1f} dB."
    ))
