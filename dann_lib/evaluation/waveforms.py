"""Songs and estimates at the rate at which they are scored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from dann_lib import report

Separator = Callable[[np.ndarray], np.ndarray]
"""Signals `(signal, sample)` at 8.82 kHz: mixture, sources, other stems → estimates `(source, sample)`.

A trained network looks at the mixture alone, which comes first; an oracle looks at the true sources too.
"""


class Track(Protocol):
    """What is needed of a song; `corpus.Track` has it."""

    name: str
    rate: int
    signals: tuple[str, ...]

    @property
    def waveforms(self) -> np.ndarray:
        """Mono signals `(signal, sample)` at 8.82 kHz."""

    def read(self, signal: str) -> np.ndarray:
        """A signal in full quality, `(sample, channel)` at `rate` Hz."""


def load_signals(track: Track, rate_hz: int = report.SAMPLE_RATE) -> np.ndarray:
    """All signals of a song in mono, the mean of the channels (report, II.b).

    At 8820 Hz they are the prepared waveforms, else the song's own files, resampled where `rate_hz` is not theirs.

    Returns:
        `(signal, sample)` in the order of the track's signals, float32.
    """
    if rate_hz == report.SAMPLE_RATE:
        return np.array(track.waveforms, dtype=np.float32)
    signals = [track.read(signal).mean(axis=-1, dtype=np.float32) for signal in track.signals]
    n_samples = min(map(len, signals))
    stacked = np.stack([signal[:n_samples] for signal in signals])
    return resample(stacked, track.rate, rate_hz, round(n_samples * rate_hz / track.rate))


def resample(waveforms: np.ndarray, from_hz: int, to_hz: int, n_samples: int) -> np.ndarray:
    """Band-limited resampling of `(source, sample)` to `(source, n_samples)`, float32; cut, or padded with zeros."""
    import soxr

    changed = np.asarray(waveforms, dtype=np.float32)
    if from_hz != to_hz:
        changed = soxr.resample(np.ascontiguousarray(changed.T), from_hz, to_hz).T
    changed = changed[:, :n_samples]
    return np.pad(changed, ((0, 0), (0, n_samples - changed.shape[-1])))
