"""What the explorers of sound carry: samples to the bit, the right rates, a picture with true numbers, clear errors."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import soundfile
import torch

from dann_lib import player, report
from dann_lib.errors import AudioError
from dann_lib.evaluation.oracles import ideal_ratio_mask
from dann_lib.evaluation.projection import sdr_sir_sar
from dann_lib.player import explore_sound

RATE = report.SAMPLE_RATE


@pytest.fixture(scope="module")
def stems() -> dict[str, np.ndarray]:
    """Two seconds of a tone that wavers, noise in bursts, a low tone, and a hum."""
    t = np.arange(2 * RATE) / RATE
    noise = np.random.default_rng(0).standard_normal(len(t))
    return {
        "vocals": 0.2 * np.sin(2 * np.pi * 600 * t + 8 * np.sin(2 * np.pi * 3 * t)),
        "drums": 0.1 * noise * (t % 0.5 < 0.1),
        "bass": 0.2 * np.sin(2 * np.pi * 90 * t),
        "other": 0.05 * np.sin(2 * np.pi * 1500 * t),
    }


def test_the_page_has_the_samples_to_16_bit(stems):
    mixture = sum(stems.values())
    data = player.mask_explorer(mixture, stems).frame.data
    assert [sound["name"] for sound in data["sounds"]] == ["mixture", *stems]
    for sound, waveform in zip(data["sounds"], (mixture, *stems.values()), strict=True):
        samples, rate = soundfile.read(io.BytesIO(sound["audio"]))
        assert rate == RATE
        assert np.abs(samples - waveform).max() <= 2.0**-15


def test_a_full_rate_offers_the_rates_of_the_course_and_a_low_one_only_lower_ones():
    full = player.stft_explorer({"noise": np.random.default_rng(0).uniform(-0.1, 0.1, 44100)}, 44100)
    assert full.frame.data["rates"] == [44100, 22050, 8820, 4410]
    assert player.stft_explorer({"tone": np.zeros(8820)}).frame.data["rates"] == [8820, 4410]


def test_the_still_picture_says_the_sdr_of_the_ideal_ratio_mask(stems):
    mixture = sum(stems.values())
    explorer = player.mask_explorer(mixture, {name: stems[name] for name in report.SOURCES}, target="drums")
    signals = np.stack([mixture, *stems.values()]).astype(np.float32)
    at = list(stems).index("drums")
    scores = [
        sdr_sir_sar(estimate[None], signals[1:], [at]).sdr[0]
        for estimate in (mixture, ideal_ratio_mask(signals)[at])
    ]
    numbers = [float(text) for text in re.findall(r"-?\d+\.\d", explorer.still.description)]
    assert numbers == pytest.approx(scores, abs=0.06)


def test_an_explorer_says_what_it_is_and_fetches_nothing(stems):
    page = player.mask_explorer(sum(stems.values()), stems)._repr_html_()
    assert len(page) < 600_000
    assert page.count("<figcaption") == 2
    assert "data-still" in page
    assert re.search(r'<img alt="Spectrograms of the mixture', page)
    assert not re.search(r"(src|href)=.{0,6}https?:", page)


def test_too_long_sounds_are_refused_with_a_length_that_fits():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 30 * RATE)
    with pytest.raises(AudioError, match=r"2 sounds of up to 30\.0 s take \d+ kB.* give about [\d.]+ s") as refused:
        player.mask_explorer(noise, {"vocals": noise / 2})
    seconds = float(re.search(r"give about ([\d.]+) s", str(refused.value))[1])
    short = noise[: int(seconds * RATE)]
    stored = explore_sound._encoded({"mixture": short, "vocals": short / 2}, RATE, exact=True)
    assert sum(len(sound["audio"]) for sound in stored) <= explore_sound.MAX_AUDIO_BYTES


@pytest.mark.parametrize(
    ("mixture", "sources", "target", "message"),
    [
        (np.zeros(100), {}, "", "no true sources"),
        (np.zeros(100), {"bass": np.zeros(99)}, "", "different numbers of samples"),
        (np.zeros(100), {"bass": np.zeros(100)}, "drums", "no source 'drums'; known are bass"),
        (np.full(100, np.nan), {"bass": np.zeros(100)}, "", "'mixture' has 100 samples that are NaN"),
        (np.zeros(0), {"bass": np.zeros(0)}, "", "no samples"),
    ],
)
def test_what_cannot_be_explored_is_refused(mixture, sources, target, message):
    with pytest.raises(AudioError, match=message):
        player.mask_explorer(mixture, sources, target=target)
    with pytest.raises(AudioError, match="no sounds to explore"):
        player.stft_explorer({})


def test_silence_can_be_explored():
    silence = torch.zeros(RATE)
    assert "silence" in repr(player.stft_explorer({"silence": silence}))
    assert "bass" in player.mask_explorer(silence, {"bass": silence}).still.description
