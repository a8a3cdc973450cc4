"""SDR, SIR and SAR of equations (4) to (7), by projection on the true sources (report, III.a).

This is one family of scores. BSS Eval v4 (`bss_eval`) is another one with the same names: its ratios are
taken window by window, forgive a filter of 512 taps, and its SDR depends on the level. They are never mixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

BLOCK = 2**18
"""Samples held in double precision at a time: an hour of song needs no more memory than half a minute."""

SILENCE = 1e-10
"""A source 100 dB below the loudest one is silent: 16-bit rounding noise alone is at -98 dB of full scale."""

NOTHING = 1e-24
"""Part of an estimate's energy (-240 dB) below which double precision cannot tell a component from zero."""

DEPENDENT = 1e-12
"""Relative eigenvalue below which true sources count as linearly dependent."""


class Ratios(NamedTuple):
    """Equations (5) to (7) in dB, one value per estimate, float64."""

    sdr: np.ndarray             # signal to distortion, equation (5)
    sir: np.ndarray             # signal to interference, equation (6)
    sar: np.ndarray             # signal to artefacts, equation (7)


class Components(NamedTuple):
    """Equation (4): three waveforms `(sample,)` whose sum is the estimate."""

    target: np.ndarray          # s_target, what is left of the wanted source
    interference: np.ndarray    # e_interf, what comes from the other sources
    artefacts: np.ndarray       # e_artif, what comes from no source


def sdr_sir_sar(
    estimates: np.ndarray, references: np.ndarray, targets: Sequence[int] | None = None
) -> Ratios:
    r"""SDR, SIR and SAR of equations (4) to (7).

    Let $\hat s$ be the estimate of the true source $s_j$, among all true sources $s_1 … s_K$ of the song.

    1. $s_{target} = \alpha s_j$ with $\alpha = ⟨\hat s, s_j⟩ / ‖s_j‖^2$: the projection of the estimate on
       its true source. One gain, no filter.
    2. $P\hat s = \sum_k c_k s_k$ is the projection on all true sources: the gains $c$ that make
       $‖\hat s - \sum_k c_k s_k‖$ smallest solve $G c = d$ with $G_{kl} = ⟨s_k, s_l⟩$, $d_k = ⟨s_k, \hat s⟩$.
       The report supposes that sources are orthogonal (III.a); then $c_j = \alpha$. Real ones nearly are; $G$
       accounts for the rest, so that what two sources share is not counted twice.
    3. $e_{interf} = P\hat s - s_{target}$ and $e_{artif} = \hat s - P\hat s$. They add up: (4).

    The projections are nested, hence $s_{target} ⊥ e_{interf} + e_{artif}$ and $P\hat s ⊥ e_{artif}$. So
    (5) is the scale-invariant SDR (Le Roux et al., 2019, arXiv:1811.02508): the level of an estimate
    changes none of the three. And as $e_{interf} ⊥ e_{artif}$, their energies add up, so that
    $10^{-SDR/10} = 10^{-SIR/10} + ‖e_{artif}‖^2/‖s_{target}‖^2$: SDR is never above SIR.

    Limit cases:

    - a silent true source (`SILENCE`): nothing to find, NaN for all three, for its estimate;
    - a silent estimate of an audible source: SDR is -inf, so that giving nothing does not count as
      nothing given; SIR and SAR are NaN (0/0);
    - no interference (artefacts): SIR (SAR) is inf; neither: SDR is inf. Less than -240 dB is none;
    - an estimate without any of its source: SDR and SIR are -inf, unless they are 0/0: then NaN;
    - linearly dependent true sources (a stem stored twice): the projection exists and is the same for
      every solution $c$; the one of least norm is taken.

    Args:
        estimates: `(source, sample)`, any level.
        references: `(stem, sample)`, all true sources of the song, `other` too.
        targets: which stem each estimate is meant to be; by default the first ones in order.

    Returns:
        dB, arrays `(source,)`.

    Raises:
        ValueError: if shapes do not fit, or there are NaN or infinite samples.
    """
    targets = _checked(estimates, references, targets)
    own, joint, audible, whole = _gains(estimates, references, targets)
    energies = np.zeros((4, len(estimates)))                # (component, source)
    for estimate, truth in _blocks(estimates, references):
        target = own[:, None] * truth[targets]              # (source, sample)
        projected = joint @ truth                           # (source, sample)
        parts = (target, projected - target, estimate - projected, projected)
        energies += [np.sum(part * part, axis=-1) for part in parts]
    energies[energies <= NOTHING * whole] = 0.0
    target, interference, artefacts, projected = energies   # (source,)
    sdr = _decibels(target, interference + artefacts)       # (5)
    sir = _decibels(target, interference)                   # (6)
    sar = _decibels(projected, artefacts)                   # (7)
    sdr[(projected == 0) & (artefacts == 0)] = -np.inf      # a silent estimate
    for ratio in (sdr, sir, sar):
        ratio[~audible] = np.nan
    return Ratios(sdr, sir, sar)


def decompose(estimate: np.ndarray, references: np.ndarray, target: int) -> Components:
    """The three components of equation (4) as waveforms, to be heard or drawn.

    Args:
        estimate: `(sample,)`.
        references: `(stem, sample)`, all true sources of the song.
        target: which stem the estimate is meant to be.

    Returns:
        Three waveforms that add up to the estimate; the first two are zero where the stem is silent.

    Raises:
        ValueError: as `sdr_sir_sar`.
    """
    estimates = np.asarray(estimate)[None]
    own, joint, *_ = _gains(estimates, references, _checked(estimates, references, [target]))
    truth = np.asarray(references, dtype=np.float64)
    s_target, projected = own[0] * truth[target], joint[0] @ truth
    return Components(s_target, projected - s_target, estimates[0].astype(np.float64) - projected)


def _gains(
    estimates: np.ndarray, references: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gains of the projection on one source `(source,)` and on all of them `(source, stem)`.

    Then whether that one source is audible, and the energy of the estimate: `(source,)`.
    """
    n_sources, n_stems = len(estimates), len(references)
    gram, cross = np.zeros((n_stems, n_stems)), np.zeros((n_sources, n_stems))
    energy = np.zeros(n_sources)
    for estimate, truth in _blocks(estimates, references):
        gram += truth @ truth.T                             # (stem, stem)
        cross += estimate @ truth.T                         # (source, stem)
        energy += np.sum(estimate**2, axis=-1)              # (source,)
    for name, values in (("references", gram), ("estimates", energy)):
        if not np.isfinite(values).all():
            raise ValueError(
                f"the {name} hold NaN or infinite samples; finite ones are needed")
    # Sources of length 1, so that a quiet one is not mistaken for a dependent one;
    # silent ones drop out.
    norms = np.sqrt(np.diag(gram))                          # (stem,)
    audible = np.diag(gram) > SILENCE * np.diag(gram).max(initial=0.0)
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=audible)
    correlation = gram * np.outer(scale, scale)             # (stem, stem)
    inverse = np.linalg.pinv(correlation, rcond=DEPENDENT, hermitian=True)
    scaled = cross * scale                                  # (source, stem)
    own = scaled[np.arange(n_sources), targets] * scale[targets]
    return own, scaled @ inverse * scale, audible[targets], energy


def _blocks(
    estimates: np.ndarray, references: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same samples of both, in double precision, block by block."""
    for start in range(0, references.shape[-1], BLOCK):
        part = slice(start, start + BLOCK)
        yield tuple(np.asarray(each[:, part], np.float64) for each in (estimates, references))


def _decibels(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10.0 * np.log10(above / below)


def _checked(
    estimates: np.ndarray, references: np.ndarray, targets: Sequence[int] | None
) -> np.ndarray:
    """The stem that each estimate is meant to be, `(source,)`."""
    shapes = np.shape(estimates), np.shape(references)
    if [len(shape) for shape in shapes] != [2, 2] or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f"estimates {shapes[0]} and references {shapes[1]} must both be "
            "(source, sample), with the same number of samples"
        )
    if references.shape[-1] == 0:
        raise ValueError("the waveforms have no samples; at least one is needed")
    n_sources, n_stems = len(estimates), len(references)
    chosen = np.asarray(range(n_sources) if targets is None else targets, dtype=int)
    if len(chosen) != n_sources or np.any((chosen < 0) | (chosen >= n_stems)):
        raise ValueError(
            f"{n_sources} estimates need as many targets, each among the {n_stems} "
            f"references; got {chosen.tolist()}"
        )
    return chosen
