"""Baselines and oracles: what bounds a separation from below and above."""

from __future__ import annotations

import os
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch

from dann_lib import report, spectrogram
from dann_lib.evaluation import oracles, rate_ceiling, sdr_sir_sar
from dann_lib.evaluation.oracles import (
    binary_mask,
    ideal_complex_mask,
    ideal_part_masks,
    ideal_ratio_mask,
    mixture,
    part_masks,
    ratio_mask,
    true_sources,
)
from dann_lib.evaluation.waveforms import load_signals, resample


@pytest.fixture(scope="module")
def signals() -> np.ndarray:
    """A song `(signal, sample)` of noise that overlaps in time and in frequency."""
    random = np.random.default_rng(5)
    stems = random.standard_normal((4, 30_000)) * np.abs(random.standard_normal((4, 30))).repeat(1000, axis=1)
    stems = np.apply_along_axis(lambda stem: np.convolve(stem, random.standard_normal(8), "same"), 1, stems)
    return np.concatenate((stems.sum(axis=0, keepdims=True), stems)).astype(np.float32)


@pytest.fixture(scope="module")
def stems(signals) -> torch.Tensor:
    """Complex `(stem, freq, frame)`."""
    return spectrogram.to_complex(spectrogram.stft(torch.from_numpy(signals[1:])))


@pytest.mark.parametrize("name", oracles(report.SONG_RATE))
def test_an_oracle_is_a_separator_like_a_network(name, signals):
    separator = pickle.loads(pickle.dumps(oracles(report.SONG_RATE)[name]))
    estimates = separator(signals)
    assert estimates.shape == (3, signals.shape[1])
    assert np.isfinite(estimates).all()


def test_oracles_are_better_the_more_they_are_told(signals):
    sdr = {name: sdr_sir_sar(separator(signals), signals[1:]).sdr for name, separator in oracles().items()}
    order = ["mixture", "ideal_ratio_mask", "ideal_ratio_mask_power", "ideal_part_masks", "ideal_part_masks_2"]
    for worse, better in pairwise(order):
        assert (sdr[worse] < sdr[better]).all(), f"{better} should be above {worse}"
    assert (sdr["ideal_part_masks"] < sdr["ideal_complex_mask"]).all()


def test_four_quarters_of_the_mixture_are_the_mixture(signals):
    np.testing.assert_allclose(mixture(signals).sum(axis=0) * 4 / 3, signals[0], rtol=1e-5)


def test_ratio_masks_share_out_all_there_is(stems):
    for exponent in (1.0, 2.0):
        masks = ratio_mask(stems, exponent)
        assert masks.min() >= 0
        assert (masks.sum(dim=0) <= 1 + 1e-6).all()
        other = stems.abs()[3] ** exponent / (stems.abs() ** exponent).sum(dim=0)
        torch.testing.assert_close(masks.sum(dim=0) + other, torch.ones_like(other))


def test_a_bin_belongs_to_its_loudest_source(stems):
    masks = binary_mask(stems)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert (masks.sum(dim=0) <= 1).all()
    loudest = stems.abs().argmax(dim=0)
    for source in range(3):
        torch.testing.assert_close(masks[source], (loudest == source).float())


def test_nothing_is_given_to_anyone_where_all_are_silent():
    silence = torch.zeros(4, 3, 2, dtype=torch.complex64)
    assert not binary_mask(silence).any()
    assert not ratio_mask(silence).any()
    assert not part_masks(torch.ones(3, 2, 3, 2), torch.zeros(2, 3, 2), bound=1.0).any()


def test_separate_masks_may_be_negative_and_stay_within_their_bound(stems):
    song = spectrogram.from_complex(stems.sum(dim=0))
    masks = part_masks(spectrogram.from_complex(stems[:3]), song, bound=1.5)
    assert masks.shape == (3, 2, report.N_BINS, stems.shape[-1])
    assert masks.min() == -1.5 and masks.max() == 1.5


@pytest.mark.parametrize("separator", [ideal_part_masks, ideal_complex_mask])
def test_masks_without_bound_give_the_sources_themselves(separator, signals):
    np.testing.assert_allclose(separator(signals, bound=1e9), true_sources(signals), atol=2e-3)


def test_a_song_with_one_source_is_its_own_separation(signals):
    alone = np.zeros_like(signals)
    alone[[0, 2]] = signals[2]
    np.testing.assert_allclose(ideal_ratio_mask(alone)[1], alone[2], atol=1e-4)
    np.testing.assert_allclose(ideal_ratio_mask(alone)[[0, 2]], 0, atol=1e-6)


class Tone:
    """A song of tones: vocals at 1 kHz and 8 kHz, equally loud; drums at 12 kHz; bass at 100 Hz."""

    name, rate, signals = "tones", report.SONG_RATE, report.SIGNALS
    tones = ("vocals", (1000, 8000)), ("drums", (12_000,)), ("bass", (100,)), ("other", (500,))

    def read(self, signal: str) -> np.ndarray:
        time = np.arange(2 * self.rate) / self.rate
        stems = {stem: sum(np.sin(2 * np.pi * hz * time) for hz in tones) for stem, tones in self.tones}
        wave = sum(stems.values()) if signal == "mixture" else stems[signal]
        return np.stack((wave, 0.5 * wave), axis=1).astype(np.float32)

    @property
    def waveforms(self) -> np.ndarray:
        return resample(load_signals(self, self.rate), self.rate, report.SAMPLE_RATE, 2 * report.SAMPLE_RATE)


def test_the_low_rate_costs_what_lies_above_it():
    """Half of the vocals' energy lies above 4.41 kHz: 0 dB. All of the drums' does; none of the bass's."""
    ceiling = rate_ceiling(Tone())
    assert ceiling.sdr[0] == pytest.approx(0, abs=0.1)
    assert ceiling.sdr[1] < -20
    assert ceiling.sdr[2] > 25


def test_songs_are_scored_in_mono_and_resampled_to_the_length_that_is_asked_for():
    np.testing.assert_allclose(load_signals(Tone(), report.SONG_RATE)[3], 0.75 * Tone().read("bass")[:, 0], atol=1e-6)
    waveforms = np.ones((3, 1001), np.float32)
    assert resample(waveforms, 8820, 44_100, 5003).shape == (3, 5003)
    assert resample(waveforms, 8820, 8820, 900).shape == (3, 900)


@pytest.mark.skipif(not os.environ.get("MUSDB_PATH"), reason="MUSDB_PATH is not set: no real songs to test with")
def test_ceilings_of_real_songs_are_the_known_ones(musdb_path):
    """Median SDR of (5) over the 50 test excerpts, at 8.82 kHz."""
    from dann_lib.corpus import open_corpus

    songs = [np.asarray(track.waveforms) for track in open_corpus(musdb_path, progress=False).select("test")]
    if len(songs) != 50 or max(song.shape[1] for song in songs) > 8 * report.SAMPLE_RATE:
        pytest.skip("these are not the 7-s excerpts, for which the figures are known")
    known = {
        "mixture": (-4.6, -4.2, -6.4),
        "ideal_binary_mask": (9.5, 7.8, 6.3),
        "ideal_ratio_mask": (9.5, 7.9, 6.2),
        "ideal_ratio_mask_power": (10.2, 8.8, 7.1),
        "ideal_part_masks": (16.2, 15.0, 13.9),
    }
    for name, sdr in known.items():
        separator = oracles()[name]
        median = np.median([sdr_sir_sar(separator(song), song[1:]).sdr for song in songs], axis=0)
        np.testing.assert_allclose(median, sdr, atol=0.1, err_msg=name)
