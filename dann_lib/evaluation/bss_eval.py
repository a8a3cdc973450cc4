"""BSS Eval v4 (Stöter, Liutkus and Ito, 2018, arXiv:1804.06267), computed by `museval`.

Beside the equations (5) to (7) of the report this is another family of scores, the one of published
tables: window by window, with a filter of 512 taps between true source and estimate for ISR, SIR and SAR,
and with an SDR that is the plain signal-to-noise ratio, which changes with the level of the estimate.
"""

from __future__ import annotations

import warnings

import numpy as np

from dann_lib.audio.ffmpeg import ensure_ffmpeg

METRICS = ("sdr_v4", "isr_v4", "sir_v4", "sar_v4")
"""Names in the tables of scores, in museval's order: distortion, image, interference, artefacts."""

FULL_SCALE = 2**15
"""Steps of a 16-bit file between silence and full scale."""


def bss_eval_v4(
    estimates: np.ndarray, references: np.ndarray, rate_hz: int, window_s: float = 1.0
) -> dict[str, np.ndarray]:
    """Scores of BSS Eval v4, window by window.

    The convention of the field is the median over the windows of a song (`numpy.nanmedian`), then the median
    over songs.

    `museval` scores no window in which any true source or any estimate is all zero: its values are NaN, for
    every source. The last samples that fill no window are not scored. Beyond that, a stem which is silent
    throughout the song is left out with its estimate, since `museval` refuses such a song; nothing can
    interfere from it. An estimate which is silent throughout leaves no window to score.

    The true sources are rounded to 16 bits, as the field's files are. Resampling to 8.82 kHz leaves next to
    nothing just below 4.41 kHz, where the filters of 512 taps may then be arbitrarily large; `museval`
    fits them to the whole song and cuts the filtered sources into windows, whose edges fall into that empty
    band. Without a noise floor there, the vocals of the ideal ratio mask get a median SIR of -12 dB over the 50
    test excerpts, with it 13 dB; the SDR is 9.7 dB either way.

    Args:
        estimates: `(stem, sample)`, one for each reference, at the level at which they are heard; the
            estimate of `other` is the rest, see `with_other`.
        references: `(stem, sample)`, all true sources, full scale at ±1.
        rate_hz: sample rate of both.
        window_s: length of a window, and the step to the next one, in s.

    Returns:
        `sdr_v4`, `isr_v4`, `sir_v4`, `sar_v4` → dB, `(stem, window)`, NaN where a window is excluded.

    Raises:
        AudioError: if there is no ffmpeg, without which `museval` cannot be imported.
        ValueError: if the shapes differ, the window is empty, or there are NaN or infinite samples.
    """
    window = round(window_s * rate_hz)
    if np.ndim(references) != 2 or np.shape(estimates) != np.shape(references):
        raise ValueError(
            f"estimates {np.shape(estimates)} and references {np.shape(references)} must both be "
            "(stem, sample), of the same shape; add the estimate of `other` with `with_other`"
        )
    if window < 1 or references.shape[-1] == 0:
        raise ValueError("window and song must be at least one sample long")
    for name, waveforms in (("estimates", estimates), ("references", references)):
        if not np.isfinite(waveforms).all():
            raise ValueError(f"the {name} hold NaN or infinite samples; finite ones are needed")
    n_windows = max(1, references.shape[-1] // window)  # whole ones only, and one for a song that is shorter
    scores = np.full((len(METRICS), len(references), n_windows), np.nan)
    rounded = np.round(np.asarray(references, np.float64) * FULL_SCALE) / FULL_SCALE
    audible = np.any(rounded != 0, axis=-1)
    if audible.any() and np.any(estimates[audible] != 0, axis=-1).all():
        # A stack of (stem, sample, channel) in double precision, as museval computes.
        guess = np.asarray(estimates[audible], np.float64)[..., None]
        scores[:, audible] = _museval_scores(guess, rounded[audible][..., None], window)
    return dict(zip(METRICS, scores, strict=True))


def with_other(estimates: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """Add the estimate of `other`, what the estimates `(source, sample)` leave of the mixture `(sample,)`.

    Returns:
        `(source + 1, sample)`, the sum of which is the mixture.
    """
    return np.concatenate((estimates, (mixture - np.sum(estimates, axis=0))[None]))


def _museval_scores(estimates: np.ndarray, references: np.ndarray, window: int) -> np.ndarray | float:
    """`(metric, stem, window)`; NaN where the true sources allow no projection."""
    ensure_ffmpeg()  # museval imports musdb, which fails without ffmpeg on PATH
    import museval

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return np.stack(museval.evaluate(references, estimates, win=window, hop=window, padding=False))
        except (np.linalg.LinAlgError, AttributeError) as error:
            # Where the system is singular, museval 0.4.1 looks for an error class that NumPy 2 has moved.
            if isinstance(error, AttributeError) and "linalg" not in str(error):
                raise
            return np.nan
