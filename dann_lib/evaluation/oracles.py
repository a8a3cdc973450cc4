"""Separators that set the floor and the ceiling: the mixture as it is, and ideal masks.

They are functions with the interface of a trained network (`waveforms.Separator`): signals
`(signal, sample)` go in, estimates `(source, sample)` of the first `n_sources` stems come out. A network
looks at the mixture alone; an oracle looks at the true sources as well, which nobody has in practice. All
use the STFT of the report (II.b), so that they bound what a mask on this spectrogram can do.

Median SDR of (5) over the 50 test excerpts of MUSDB18 at 8.82 kHz, in dB, for vocals, drums and bass:
mixture -4.6, -4.2, -6.4; binary mask 9.5, 7.8, 6.3; ratio mask 9.5, 7.9, 6.2 (power: 10.2, 8.8, 7.1);
separate real and imaginary masks within ±1: 16.2, 15.0, 13.9.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from dann_lib import report, spectrogram
from dann_lib.evaluation.projection import Ratios, sdr_sir_sar
from dann_lib.evaluation.waveforms import Separator, Track, load_signals, resample

N_SOURCES = len(report.SOURCES)


def oracles(rate_hz: int = report.SAMPLE_RATE, n_sources: int = N_SOURCES) -> dict[str, Separator]:
    """All baselines and oracles by the name of their run; `rate_ceiling` where scores are taken above 8.82 kHz.

    They give estimates of the first `n_sources` stems.
    """
    separators: dict[str, Separator] = {
        "mixture": mixture,
        "ideal_binary_mask": ideal_binary_mask,
        "ideal_ratio_mask": ideal_ratio_mask,
        "ideal_ratio_mask_power": partial(ideal_ratio_mask, exponent=2.0),
        "ideal_part_masks": ideal_part_masks,
        "ideal_part_masks_2": partial(ideal_part_masks, bound=2.0),
        "ideal_complex_mask": ideal_complex_mask,
        "true_magnitude": true_magnitude,
    }
    if rate_hz != report.SAMPLE_RATE:
        separators["rate_ceiling"] = true_sources
    if n_sources != N_SOURCES:
        return {name: partial(separator, n_sources=n_sources) for name, separator in separators.items()}
    return separators


def mixture(signals: np.ndarray, n_sources: int = N_SOURCES) -> np.ndarray:
    """Give the mixture as the estimate of every source: what any separation has to beat.

    A quarter of it, as in SiSEC 2018, so that the four estimates (`other` included) add up to the mixture.
    The ratios (5) to (7) do not see the level; the SDR of BSS Eval v4 does.
    """
    return np.repeat(signals[:1] / (len(signals) - 1), n_sources, axis=0)


def true_sources(signals: np.ndarray, n_sources: int = N_SOURCES) -> np.ndarray:
    """Give the true sources at 8.82 kHz: scored at the song's rate, they show what the low rate costs."""
    return np.array(signals[1 : 1 + n_sources])


def ideal_binary_mask(signals: np.ndarray, n_sources: int = N_SOURCES) -> np.ndarray:
    """Give each bin to its loudest source (Wang, 2005, doi:10.1007/0-387-22794-6_12)."""
    song, stems = _spectrograms(signals)
    return _waveforms(binary_mask(stems, n_sources) * song, signals)


def ideal_ratio_mask(
    signals: np.ndarray, exponent: float = 1.0, n_sources: int = N_SOURCES
) -> np.ndarray:
    """Share each bin out in proportion to the true sources' magnitudes.

    Exponent 1 shares magnitudes out; it is this project's `ideal_ratio_mask`. Exponent 2 shares energies out,
    as the Wiener filter does, and scores 0.7 to 0.9 dB more; it is `ideal_ratio_mask_power`, which published
    tables call IRM2 (Liutkus and Badeau, 2015, https://hal.science/hal-01110028, on the exponent). The
    phase is the mixture's.
    """
    song, stems = _spectrograms(signals)
    return _waveforms(ratio_mask(stems, exponent, n_sources) * song, signals)


def ideal_part_masks(signals: np.ndarray, bound: float = 1.0, n_sources: int = N_SOURCES) -> np.ndarray:
    """Apply the ideal of the report's own masks: one for the real, one for the imaginary part (I.a, II.b).

    Unbounded they would give the source itself, which bounds nothing, through values that no network reaches:
    their 99.9th percentile is above 200, as a part of the mixture is often near zero. Within ±1 they have
    the range of a ratio mask and a sign; what they gain over it comes from the sign and from being two.
    Within ±2 they may also amplify.
    """
    song, stems = _spectrograms(signals)
    parts = spectrogram.from_complex(stems[:n_sources]), spectrogram.from_complex(song)
    return _waveforms(spectrogram.to_complex(part_masks(*parts, bound) * parts[1]), signals)


def ideal_complex_mask(signals: np.ndarray, bound: float = 1.0, n_sources: int = N_SOURCES) -> np.ndarray:
    """Apply one complex number per bin, of bounded magnitude.

    Williamson, Wang and Wang, 2016, doi:10.1109/TASLP.2015.2512042.
    """
    song, stems = _spectrograms(signals)
    wanted, available = stems[:n_sources], bound * song.abs()
    return _waveforms(wanted * (available / wanted.abs().clamp_min(1e-20)).clamp_max(1.0), signals)


def true_magnitude(signals: np.ndarray, n_sources: int = N_SOURCES) -> np.ndarray:
    """Give the true magnitude the phase of the mixture: what not estimating the phase costs."""
    song, stems = _spectrograms(signals)
    return _waveforms(torch.polar(stems[:n_sources].abs(), song.angle()), signals)


def rate_ceiling(track: Track) -> Ratios:
    """Score the true sources, resampled down and up: the ceiling that 8.82 kHz alone imposes (report, II.b).

    The same as the run `rate_ceiling` of a table at the song's rate.

    Returns:
        Ratios of vocals, drums and bass against the song's own files in mono, in dB.
    """
    originals = load_signals(track, track.rate)
    low = true_sources(np.asarray(track.waveforms))
    estimates = resample(low, report.SAMPLE_RATE, track.rate, originals.shape[-1])
    return sdr_sir_sar(estimates, originals[1:])


def binary_mask(stems: Tensor, n_sources: int = N_SOURCES) -> Tensor:
    """1 where a source is the loudest one, else 0: complex `(stem, freq, frame)` → `(source, freq, frame)`."""
    magnitudes = stems.abs()                    # (stem, freq, frame)
    loudest = magnitudes.amax(dim=0)            # (freq, frame)
    return ((magnitudes[:n_sources] == loudest) & (loudest > 0)).to(magnitudes.dtype)


def ratio_mask(stems: Tensor, exponent: float = 1.0, n_sources: int = N_SOURCES) -> Tensor:
    """The share of each source in a bin: complex `(stem, freq, frame)` → `(source, freq, frame)`.

    Between 0 and 1, and 0 where all are silent; of magnitude with exponent 1, of energy with 2.
    """
    powers = stems.abs().pow(exponent)          # (stem, freq, frame)
    return powers[:n_sources] / powers.sum(dim=0).clamp_min(1e-20)


def part_masks(sources: Tensor, song: Tensor, bound: float) -> Tensor:
    """Divide sources by the mixture `(part, freq, frame)`, limited to ±`bound`; 0 where the mixture is.

    Sources and masks are `(source, part, freq, frame)`.
    """
    return torch.where(song == 0, 0.0, sources / song).clamp(-bound, bound)


def _spectrograms(signals: np.ndarray) -> tuple[Tensor, Tensor]:
    """Complex spectrograms of the mixture `(freq, frame)` and the stems `(stem, freq, frame)`."""
    planes = spectrogram.stft(torch.from_numpy(np.array(signals, dtype=np.float32)))
    song, stems = spectrogram.to_complex(planes).split((1, len(signals) - 1))
    return song[0], stems


def _waveforms(estimates: Tensor, signals: np.ndarray) -> np.ndarray:
    """Complex `(source, freq, frame)` → `(source, sample)`, as long as the signals."""
    return spectrogram.istft(spectrogram.from_complex(estimates), signals.shape[-1]).numpy()
