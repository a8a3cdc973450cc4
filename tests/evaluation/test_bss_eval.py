"""BSS Eval v4 through museval: windows, exclusions, and what sets it apart from the equations of the report."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from dann_lib.evaluation import bss_eval_v4, sdr_sir_sar, with_other

RATE = 4000


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Estimates and true sources `(2, sample)`, 3.5 s."""
    random = np.random.default_rng(3)
    references = 0.1 * random.standard_normal((2, 14_000))
    return references[::1] + 0.3 * references[::-1] + 0.02 * random.standard_normal((2, 14_000)), references


def test_sdr_is_the_plain_signal_to_noise_ratio_of_each_second(pair):
    estimates, references = pair
    scores = bss_eval_v4(estimates, references, RATE)
    for window in range(3):
        part = slice(window * RATE, (window + 1) * RATE)
        truth, guess = references[:, part], estimates[:, part]
        plain = 10 * np.log10(np.sum(truth**2, -1) / np.sum((guess - truth) ** 2, -1))
        np.testing.assert_allclose(scores["sdr_v4"][:, window], plain, atol=1e-2)


def test_windows_last_one_second_at_the_given_rate(pair):
    estimates, references = pair
    assert bss_eval_v4(estimates, references, RATE)["sdr_v4"].shape == (2, 3)
    assert bss_eval_v4(estimates, references, 2 * RATE)["sdr_v4"].shape == (2, 1)
    assert bss_eval_v4(estimates, references, 10 * RATE)["sdr_v4"].shape == (2, 1)


def test_equals_museval_with_its_own_windows(pair):
    estimates, references = pair
    scores = bss_eval_v4(estimates, references, RATE)
    import museval  # after `bss_eval_v4`, which puts ffmpeg on PATH

    rounded = np.round(references * 2**15) / 2**15
    theirs = museval.evaluate(rounded[..., None], estimates[..., None], win=RATE, hop=RATE)
    np.testing.assert_array_equal(list(scores.values()), theirs)
    exact = museval.evaluate(references[..., None], estimates[..., None], win=RATE, hop=RATE)
    np.testing.assert_allclose(list(scores.values()), exact, atol=0.05)
    assert list(scores) == ["sdr_v4", "isr_v4", "sir_v4", "sar_v4"]


def test_the_level_changes_sdr_v4_and_not_the_sdr_of_the_report(pair):
    estimates, references = pair
    quiet = 0.5 * estimates
    before, after = bss_eval_v4(estimates, references, RATE), bss_eval_v4(quiet, references, RATE)
    assert np.abs(before["sdr_v4"] - after["sdr_v4"]).min() > 1
    np.testing.assert_allclose(before["sir_v4"], after["sir_v4"], atol=1e-6)
    np.testing.assert_allclose(sdr_sir_sar(estimates, references).sdr, sdr_sir_sar(quiet, references).sdr)


def test_an_empty_band_below_half_the_rate_spoils_no_score():
    """Resampling leaves that band empty; without a noise floor museval then gives SIR -36 dB and SAR 0 dB."""
    random = np.random.default_rng(5)
    spectrum = np.fft.rfft(random.standard_normal((2, 14_000)))
    spectrum[:, 6300:] = 0
    references = 0.1 * np.fft.irfft(spectrum)
    estimates = references + 0.3 * references[::-1] + 1e-4 * random.standard_normal((2, 14_000))
    scores, projected = bss_eval_v4(estimates, references, RATE), sdr_sir_sar(estimates, references)
    np.testing.assert_allclose(np.median(scores["sir_v4"], axis=-1), projected.sir, atol=1)
    assert scores["sar_v4"].min() > 30


def test_windows_in_which_anything_is_silent_are_excluded_for_all(pair):
    estimates, references = (array.copy() for array in pair)
    references[0, RATE : 2 * RATE] = 0
    scores = bss_eval_v4(estimates, references, RATE)
    for values in scores.values():
        np.testing.assert_array_equal(np.isnan(values), [[False, True, False]] * 2)
    estimates[1, :RATE] = 0
    np.testing.assert_array_equal(np.isnan(bss_eval_v4(estimates, references, RATE)["sdr_v4"])[0], [1, 1, 0])


def test_a_stem_that_never_plays_is_left_out(pair):
    estimates, references = pair
    silent = np.concatenate((references, np.zeros((1, references.shape[1]))))
    guess = np.concatenate((estimates, np.ones((1, references.shape[1]))))
    scores, without = bss_eval_v4(guess, silent, RATE), bss_eval_v4(estimates, references, RATE)
    assert np.isnan(scores["sdr_v4"][2]).all()
    np.testing.assert_array_equal(scores["sdr_v4"][:2], without["sdr_v4"])


def test_a_silent_estimate_and_a_stem_stored_twice_do_not_break(pair):
    estimates, references = pair
    scores = bss_eval_v4(estimates * np.array([[1.0], [0.0]]), references, RATE)
    assert all(np.isnan(values).all() for values in scores.values())
    assert bss_eval_v4(estimates, references[[0, 0]], RATE)["sdr_v4"].shape == (2, 3)


def test_the_estimate_of_other_is_the_rest():
    random = np.random.default_rng(4)
    estimates, mixture = random.standard_normal((3, 50)), random.standard_normal(50)
    np.testing.assert_allclose(with_other(estimates, mixture).sum(axis=0), mixture)


def test_unusable_estimates_are_refused_with_advice(pair):
    estimates, references = pair
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="estimates hold NaN or infinite"):
            bss_eval_v4(np.where(np.arange(14_000) == 5, bad, estimates), references, RATE)
    with pytest.raises(ValueError, match="with_other"):
        bss_eval_v4(estimates[:1], references, RATE)


def test_importing_evaluation_loads_nothing_heavy():
    code = "import dann_lib.evaluation, sys; print([m for m in ('museval', 'musdb', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
