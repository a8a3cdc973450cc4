"""Equations (4) to (7): closed forms, limit cases, and three other programs where the definitions meet."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from dann_lib.evaluation import decompose, projection, sdr_sir_sar


@pytest.fixture(scope="module")
def orthonormal() -> np.ndarray:
    """Five waveforms of energy 1 that have nothing in common: four sources, and noise from none of them."""
    return np.linalg.qr(np.random.default_rng(0).standard_normal((9000, 5)))[0].T


@pytest.fixture(scope="module")
def song() -> tuple[np.ndarray, np.ndarray]:
    """Estimates `(4, sample)` and correlated true sources `(4, sample)`."""
    random = np.random.default_rng(1)
    references = random.standard_normal((4, 9000)) + 0.3 * random.standard_normal(9000)
    leak = np.eye(4) + 0.2 * random.standard_normal((4, 4))
    return leak @ references + 0.3 * random.standard_normal((4, 9000)), references


def test_ratios_of_orthogonal_sources_are_those_of_their_gains(orthonormal):
    sources, noise = orthonormal[:4], orthonormal[4]
    estimate = 3.0 * sources[1] + 0.4 * sources[0] + 0.3 * sources[3] + 0.2 * noise
    ratios = sdr_sir_sar(estimate[None], sources, targets=[1])
    assert ratios.sdr[0] == pytest.approx(10 * np.log10(9 / (0.25 + 0.04)))
    assert ratios.sir[0] == pytest.approx(20 * np.log10(3 / 0.5))
    assert ratios.sar[0] == pytest.approx(10 * np.log10(9.25 / 0.04))


def test_the_mixture_of_equal_sources_has_one_part_in_four_of_each(orthonormal):
    mixture = orthonormal[:4].sum(axis=0)
    ratios = sdr_sir_sar(np.stack([mixture] * 4), orthonormal[:4])
    np.testing.assert_allclose(ratios.sdr, 10 * np.log10(1 / 3))
    np.testing.assert_allclose(ratios.sir, 10 * np.log10(1 / 3))
    assert np.isposinf(ratios.sar).all()


def test_the_components_add_up_and_are_orthogonal(song):
    estimates, references = song
    target, interference, artefacts = decompose(estimates[2], references, 2)
    np.testing.assert_allclose(target + interference + artefacts, estimates[2], atol=1e-12)
    energy = estimates[2] @ estimates[2]
    assert abs(target @ (interference + artefacts)) < 1e-12 * energy
    assert np.abs(references @ artefacts).max() < 1e-12 * energy


def test_ratios_are_those_of_the_components(song):
    estimates, references = song
    ratios = sdr_sir_sar(estimates, references)
    for index in range(4):
        target, interference, artefacts = decompose(estimates[index], references, index)
        pairs = (target, interference + artefacts), (target, interference), (target + interference, artefacts)
        expected = [10 * np.log10(np.sum(above**2) / np.sum(below**2)) for above, below in pairs]
        assert [ratio[index] for ratio in ratios] == pytest.approx(expected)


def test_the_level_of_estimates_and_sources_changes_nothing(song):
    estimates, references = song
    levels = np.array([[1e-3], [-2.0], [40.0], [1.0]])
    np.testing.assert_allclose(
        sdr_sir_sar(estimates * levels, references * levels[::-1]), sdr_sir_sar(estimates, references), rtol=1e-9
    )


def test_sdr_is_the_scale_invariant_sdr_and_never_above_sir(song):
    estimates, references = song
    ratios = sdr_sir_sar(estimates, references)
    for sdr, estimate, truth in zip(ratios.sdr, estimates, references, strict=True):
        scaled = (estimate @ truth) / (truth @ truth) * truth
        assert sdr == pytest.approx(10 * np.log10(np.sum(scaled**2) / np.sum((scaled - estimate) ** 2)))
    assert (ratios.sdr <= ratios.sir).all()


def test_agrees_with_fast_bss_eval(song):
    fast_bss_eval = pytest.importorskip("fast_bss_eval")
    import torch

    estimates, references = song
    theirs = fast_bss_eval.bss_eval_sources(
        torch.from_numpy(references), torch.from_numpy(estimates), filter_length=1, compute_permutation=False
    )
    np.testing.assert_allclose(sdr_sir_sar(estimates, references), np.stack(theirs), atol=1e-6)


def test_agrees_with_museval_for_filters_of_one_tap(song):
    from dann_lib.audio.ffmpeg import ensure_ffmpeg

    ensure_ffmpeg()
    from museval import metrics

    estimates, references = song
    sdr, _, sir, sar, _ = metrics.bss_eval(
        references, estimates, window=np.inf, hop=np.inf, filters_len=1, bsseval_sources_version=True
    )
    np.testing.assert_allclose(
        sdr_sir_sar(estimates, references), [sdr[:, 0], sir[:, 0], sar[:, 0]], atol=1e-6
    )


def test_agrees_with_mir_eval_where_filters_cannot_help():
    """512 taps explain about 512 x 2 / 200 000 of white noise: 0.02 dB of what a single gain leaves."""
    separation = pytest.importorskip("mir_eval").separation
    random = np.random.default_rng(2)
    references = random.standard_normal((2, 200_000))
    estimates = np.array([[1.0, 0.4], [0.1, 0.7]]) @ references + 0.3 * random.standard_normal((2, 200_000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = separation.bss_eval_sources(references, estimates, compute_permutation=False)[:3]
    np.testing.assert_allclose(sdr_sir_sar(estimates, references), theirs, atol=0.1)


def test_perfect_estimates_are_infinitely_good(song):
    assert np.isposinf(sdr_sir_sar(0.5 * song[1], song[1])).all()


def test_a_silent_source_cannot_be_scored_and_disturbs_no_other(song):
    estimates, references = song
    without = np.delete(references, 1, axis=0)
    silent = references.copy()
    silent[1] = 0
    ratios = sdr_sir_sar(estimates, silent)
    assert np.isnan([ratio[1] for ratio in ratios]).all()
    np.testing.assert_allclose(
        [ratio[[0, 2, 3]] for ratio in ratios], sdr_sir_sar(estimates[[0, 2, 3]], without), rtol=1e-9
    )


def test_rounding_noise_is_silence(song):
    estimates, references = song
    quiet = references.copy()
    quiet[1] *= 1e-6
    assert np.isnan(sdr_sir_sar(estimates, quiet).sdr[1])
    quiet[1] *= 1e3
    assert np.isfinite(sdr_sir_sar(estimates, quiet).sdr[1])


def test_limit_cases(orthonormal):
    inf, nan, sources = np.inf, np.nan, orthonormal[:4]
    for estimate, references, expected in (
        (np.zeros(9000), np.zeros((4, 9000)), (nan, nan, nan)),     # a song of silence has no score
        (np.zeros(9000), sources, (-inf, nan, nan)),                # a silent estimate has the worst SDR
        (sources[1], sources, (-inf, -inf, inf)),                   # pure interference
    ):
        np.testing.assert_array_equal(np.ravel(sdr_sir_sar(estimate[None], references)), expected)


def test_a_stem_stored_twice_changes_no_other_projection(song):
    estimates, references = song
    twice = np.concatenate((references, references[[3]]))
    np.testing.assert_allclose(
        sdr_sir_sar(estimates[:3], twice), sdr_sir_sar(estimates[:3], references), rtol=1e-9
    )


def test_a_quiet_stem_is_not_taken_for_a_dependent_one(orthonormal):
    """A stem 60 dB down explains what leaks from it as interference, not as artefacts."""
    references = orthonormal[:4] * np.array([[1.0], [1.0], [1.0], [1e-3]])
    estimate = orthonormal[0] + 0.1 * orthonormal[3]
    ratios = sdr_sir_sar(estimate[None], references)
    assert ratios.sir[0] == pytest.approx(20)
    assert np.isposinf(ratios.sar[0])


def test_blocks_give_what_the_whole_gives(song, monkeypatch):
    whole = sdr_sir_sar(*song)
    monkeypatch.setattr(projection, "BLOCK", 1000)
    np.testing.assert_allclose(sdr_sir_sar(*song), whole, rtol=1e-10)


def test_single_precision_input_is_computed_in_double_precision(song):
    estimates, references = song
    low = sdr_sir_sar(estimates.astype(np.float32), references.astype(np.float32))
    assert low.sdr.dtype == np.float64
    np.testing.assert_allclose(low, sdr_sir_sar(estimates, references), atol=1e-5)


@pytest.mark.parametrize(
    ("estimates", "references", "message"),
    [
        (np.ones((3, 10)), np.ones((4, 11)), "same number of samples"),
        (np.ones(10), np.ones((4, 10)), "source, sample"),
        (np.ones((3, 0)), np.ones((4, 0)), "no samples"),
        (np.ones((5, 10)), np.ones((4, 10)), "targets"),
        (np.full((3, 10), np.nan), np.ones((4, 10)), "estimates hold NaN"),
        (np.ones((3, 10)), np.full((4, 10), np.inf), "references hold NaN"),
    ],
)
def test_unusable_input_is_named(estimates, references, message):
    with pytest.raises(ValueError, match=message), np.errstate(all="ignore"):
        sdr_sir_sar(estimates, references)
