"""Lesson 1: its own functions agree with the library, and its self-checks explain typical mistakes."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_code import definitions

from dann_lib import report
from dann_lib.course.exercises import data


def test_level_is_that_of_the_mean_square():
    level_db = definitions("01_data", "level_db")["level_db"]
    samples = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    assert level_db(samples) == pytest.approx(20 * np.log10(np.sqrt(np.mean(samples.astype(float) ** 2))), abs=1e-4)
    assert level_db(10 * samples) - level_db(samples) == pytest.approx(20, abs=1e-4)


def test_a_source_as_loud_as_the_rest_is_at_0_db():
    against = definitions("01_data", "level_db", "against_the_rest_db")["against_the_rest_db"]
    noise = np.random.default_rng(0).standard_normal((4, 8820))
    waveforms = np.concatenate([noise.sum(axis=0, keepdims=True), noise])
    rest = waveforms[0] - waveforms[1]
    waveforms[1] *= np.sqrt(np.mean(rest**2) / np.mean(waveforms[1] ** 2))
    waveforms[0] = rest + waveforms[1]
    assert against(waveforms, "vocals") == pytest.approx(0, abs=1e-6)


def test_the_rest_has_a_sign_and_takes_each_stem_once():
    assert "sign" in data.check_the_rest(lambda m, v, d, b: v + d + b - m).text
    assert "added" in data.check_the_rest(lambda m, v, d, b: m + v + d + b).text
    assert "each once" in data.check_the_rest(lambda m, v, d, b: m - v - d).text
    assert "shape" in data.check_the_rest(lambda m, v, d, b: m[:10]).text


def test_levels_compare_with_the_rest_and_count_energies():
    def ratio(a: np.ndarray, b: np.ndarray) -> float:
        return np.mean(a**2) / np.mean(b**2)

    check = data.check_level_against_the_rest
    assert "rest alone" in check(lambda stem, mix: 10 * np.log10(ratio(stem, mix))).text
    assert "10 log" in check(lambda stem, mix: 5 * np.log10(ratio(stem, mix - stem))).text
    assert "one number" in check(lambda stem, mix: stem - mix).text


def test_chunks_are_whole_and_follow_the_rate():
    assert "whole" in data.check_chunks(lambda seconds, rate: seconds * rate / report.HOP / report.N_FRAMES).text
    half = report.HOP // 2
    assert "Twice" in data.check_chunks(lambda seconds, rate: (int(seconds * rate) // half + 1) // report.N_FRAMES).text
    fixed = data.check_chunks(lambda seconds, rate: (int(seconds * 8820) // report.HOP + 1) // report.N_FRAMES)
    assert "rate" in fixed.text


def test_a_remix_at_0_db_is_the_mixture_and_20_db_are_a_factor_of_10():
    assert "factor of 1" in data.check_remix(lambda stems, gains: sum(gains[name] * stems[name] for name in stems)).text
    energies = data.check_remix(lambda stems, gains: sum(10 ** (gains[name] / 10) * stems[name] for name in stems))
    assert "factor of 10" in energies.text
