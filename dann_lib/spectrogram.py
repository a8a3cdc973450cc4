"""STFT and its inverse, real and imaginary part, chunks of 88 frames (report, II.b).

The transform is centred: frame `t` looks at the samples `t * HOP - N_FFT / 2` to `t * HOP + N_FFT / 2`,
with zeros where the song has none. So the spectrogram of a chunk needs half a window of the song on
either side, and `chunk_samples` cuts exactly that: chunks of a waveform are chunks of its spectrogram.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dann_lib import report

PAD = report.N_FFT // 2
"""Samples of context that a chunk needs on either side."""


def stft(waveform: Tensor) -> Tensor:
    """The spectrogram of a waveform as real and imaginary part (report, II.b).

    Hamming window of 2048 samples, overlap of 1024, Fourier transform of 2048 points.

    Args:
        waveform: `(…, sample)`, at least one sample.

    Returns:
        `(…, part, freq, frame)`: 2 parts, 1025 bins, `n_frames(sample)` frames.

    Raises:
        ValueError: if the waveform has no samples.
    """
    n_samples = waveform.shape[-1]
    if n_samples == 0:
        raise ValueError("the waveform has no samples; at least one is needed")
    padded = functional.pad(waveform, (PAD, PAD))           # (…, sample)
    return frames(padded)[..., : n_frames(n_samples)]       # (…, part, freq, frame)


def istft(spectrogram: Tensor, n_samples: int) -> Tensor:
    """The waveform whose spectrogram is nearest to `spectrogram` (Griffin and Lim, 1984, equation 6).

    The exact inverse of `stft`; after masking, where no waveform has exactly that spectrogram, the
    nearest in the sense of least squares.

    Args:
        spectrogram: `(…, part, freq, frame)`.
        n_samples: length of the result; at most `(frame - 1) * HOP + N_FFT / 2`.

    Returns:
        `(…, sample)`.

    Raises:
        ValueError: if the spectrogram is too short for `n_samples`.
    """
    given, needed = spectrogram.shape[-1], n_frames(n_samples)
    if needed > given:
        raise ValueError(
            f"{given} frames were given, {n_samples} samples need {needed}")
    song = slice(PAD, PAD + n_samples)
    added = overlap_add(spectrogram)[..., song]             # (…, sample)
    envelope = window_envelope(given, device=added.device)  # (sample,)
    return added / envelope[song].to(added.dtype)


def chunk(spectrogram: Tensor, n_chunk_frames: int = report.N_FRAMES) -> Tensor:
    """Cut a song's spectrogram `(part, freq, frame)` into chunks of equal length (report, II.b).

    88 frames are 10.2 s at 8.82 kHz. The last chunk is padded with zeros; `stitch` drops the padding again.

    Returns:
        `(chunk, part, freq, frame)`, with `n_chunk_frames` frames each.

    Raises:
        ValueError: if the spectrogram has no frames.
    """
    if spectrogram.shape[-1] == 0:
        raise ValueError("the spectrogram has no frames; at least one is needed")
    missing = -spectrogram.shape[-1] % n_chunk_frames
    padded = functional.pad(spectrogram, (0, missing))      # (part, freq, frame)
    return padded.unflatten(-1, (-1, n_chunk_frames)).movedim(-2, 0).contiguous()


def stitch(chunks: Tensor, n_song_frames: int) -> Tensor:
    """Stick chunks `(chunk, …, freq, frame)` together in the order in which they were cut (report, II.b).

    Returns:
        `(…, freq, frame)` with `n_song_frames` frames; what the last chunk has beyond is dropped.

    Raises:
        ValueError: if the chunks have fewer frames than the song.
    """
    n_chunks, n_chunk_frames = chunks.shape[0], chunks.shape[-1]
    if n_chunks * n_chunk_frames < n_song_frames:
        raise ValueError(f"{n_chunks} chunks of {n_chunk_frames} frames cannot make {n_song_frames} frames")
    return chunks.movedim(0, -2).flatten(-2)[..., :n_song_frames]


def chunk_samples(waveform: np.ndarray, first_frame: int, n_chunk_frames: int = report.N_FRAMES) -> np.ndarray:
    """Cut from a waveform `(…, sample)` what the frames `first_frame` and following look at.

    `frames(chunk_samples(waveform, f, n))` equals `stft(waveform)[..., f : f + n]`, so that only the
    samples of a chunk are read from a memory-mapped song.

    Returns:
        `(…, sample)` with `(n_chunk_frames - 1) * HOP + N_FFT` samples, zero outside of the song.
    """
    start = first_frame * report.HOP - PAD
    length = (n_chunk_frames - 1) * report.HOP + report.N_FFT
    piece = np.zeros((*waveform.shape[:-1], length), dtype=np.float32)
    left, right = max(start, 0), min(start + length, waveform.shape[-1])
    if right > left:
        piece[..., left - start : right - start] = waveform[..., left:right]
    return piece


def frames(samples: Tensor) -> Tensor:
    """The spectrogram of samples that already have their context, without padding.

    Args:
        samples: `(…, sample)`, at least `N_FFT`.

    Returns:
        `(…, part, freq, frame)` with `1 + (sample - N_FFT) // HOP` frames.
    """
    flat = samples.reshape(-1, samples.shape[-1])           # (signal, sample)
    planes = torch.stft(                                    # (signal, freq, frame)
        flat, report.N_FFT, report.HOP, window=_window(samples.dtype, samples.device),
        center=False, return_complex=True,
    )
    return from_complex(planes).reshape(*samples.shape[:-1], 2, report.N_BINS, -1)


def overlap_add(spectrogram: Tensor) -> Tensor:
    """Windowed inverse Fourier transform of each frame, added up where frames overlap.

    Args:
        spectrogram: `(…, part, freq, frame)`.

    Returns:
        `(…, sample)` with `(frame - 1) * HOP + N_FFT` samples, still to be divided by
        `window_envelope`.
    """
    spectra = to_complex(spectrogram).transpose(-1, -2)     # (…, frame, freq)
    pieces = torch.fft.irfft(spectra, n=report.N_FFT)       # (…, frame, sample)
    pieces = pieces * _window(pieces.dtype, pieces.device)
    first = pieces[..., : report.HOP].flatten(-2)           # (…, sample)
    second = pieces[..., report.HOP :].flatten(-2)          # half a window later
    later = report.HOP
    return functional.pad(first, (0, later)) + functional.pad(second, (later, 0))


def window_envelope(n_song_frames: int, device: torch.device | None = None) -> Tensor:
    """The sum of squared windows under `n_song_frames` frames: `(sample,)`, always above 0.006."""
    squared = _window(torch.float64, device) ** 2
    first, second = (half.repeat(n_song_frames) for half in squared.split(report.HOP))
    return functional.pad(first, (0, report.HOP)) + functional.pad(second, (report.HOP, 0))


def n_frames(n_samples: int) -> int:
    """Frames of a song of `n_samples` samples."""
    return 1 + n_samples // report.HOP


def to_complex(spectrogram: Tensor) -> Tensor:
    """`(…, part, freq, frame)` real → `(…, freq, frame)` complex."""
    return torch.complex(*spectrogram.unbind(-3))


def from_complex(spectrogram: Tensor) -> Tensor:
    """`(…, freq, frame)` complex → `(…, part, freq, frame)` real."""
    return torch.stack((spectrogram.real, spectrogram.imag), dim=-3)


def magnitude_db(spectrogram: Tensor) -> Tensor:
    """Level of each bin in dB below the loudest one: `(…, part, freq, frame)` → `(…, freq, frame)`.

    Between -80 and 0; all -80 for silence.
    """
    magnitude = torch.linalg.vector_norm(spectrogram, dim=-3)
    peak = magnitude.max().clamp_min(torch.finfo(magnitude.dtype).tiny)
    return 20 * torch.log10((magnitude / peak).clamp_min(1e-4))


@lru_cache(maxsize=8)
def _window(dtype: torch.dtype, device: torch.device | None) -> Tensor:
    return torch.hamming_window(report.N_FFT, periodic=True, dtype=dtype, device=device)
