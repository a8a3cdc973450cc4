"""What the player plays is what it was given: length, level, nothing normalised, faults named."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import soundfile

from dann_lib import player
from dann_lib.errors import AudioError


def tone(seconds: float = 2.0, rate_hz: int = 8820, amplitude: float = 0.3, hz: float = 440.0) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def decode(page: str) -> tuple[np.ndarray, int]:
    data = base64.b64decode(re.search(r"data:audio/mpeg;base64,([^\"]+)", page)[1])
    return soundfile.read(io.BytesIO(data))


def level_db(samples: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(samples)))


@pytest.mark.parametrize("rate_hz", [8000, 8820, 22050, 44100, 96000])
def test_the_sound_keeps_its_length_and_level(rate_hz):
    waveform = tone(rate_hz=rate_hz)
    samples, rate = decode(player.audio(waveform, rate_hz)._repr_html_())
    assert rate in player.MP3_RATES
    # An encoder may add a block or two of 1152 samples where a player does not know its delay.
    assert len(samples) / rate == pytest.approx(2.0, abs=2 * 1152 / rate)
    assert level_db(samples) == pytest.approx(level_db(waveform), abs=0.5)


def test_the_frequency_stays():
    samples, rate = decode(player.audio(tone(hz=1234.0))._repr_html_())
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.argmax(spectrum) * rate / len(samples) == pytest.approx(1234.0, abs=1.0)


def test_quiet_sounds_stay_quiet_beside_loud_ones():
    clips = player.tracks({"loud": tone(), "quiet": tone(amplitude=0.03)}).clips
    assert clips[0].level_db - clips[1].level_db == pytest.approx(20, abs=0.1)
    loud, quiet = (decode(clip._repr_html_())[0] for clip in clips)
    assert level_db(loud) - level_db(quiet) == pytest.approx(20, abs=0.5)


def test_clipping_is_counted_and_stated():
    waveform = tone()
    waveform[100:103] = 1.5
    clip = player.audio(waveform, title="too loud")
    assert clip.n_clipped == 3
    assert "3 samples beyond full scale were clipped" in clip._repr_html_()
    assert player.audio(tone()).n_clipped == 0


def test_silence_plays_and_says_so():
    clip = player.audio(np.zeros(8820), title="a rest")
    assert "silence" in clip.caption
    assert np.abs(decode(clip._repr_html_())[0]).max() < 1e-4


@pytest.mark.parametrize(("waveform", "message"), [
    (np.array([0.0, np.nan, np.inf]), "'broken' has 2 samples that are NaN or infinite"),
    (np.zeros(0), "'broken' has no samples"),
    (np.zeros((2, 3, 4)), "expected \\(sample,\\) or \\(sample, channel\\)"),
    (np.zeros((2, 500)), "has shape \\(2, 500\\)"),
])
def test_what_cannot_be_played_is_named(waveform, message):
    with pytest.raises(AudioError, match=message):
        player.audio(waveform, title="broken")


def test_stereo_is_averaged():
    left = tone()
    clip = player.audio(np.stack((left, np.zeros_like(left)), axis=1))
    assert clip.level_db == pytest.approx(level_db(left / 2), abs=0.01)


def test_titles_are_text_not_markup():
    page = player.tracks({"<b>drums</b> & \"bass\"": tone()}, description="1 < 2")._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;drums&lt;/b&gt; &amp; &quot;bass&quot;" in page
    assert "1 &lt; 2" in page


def test_no_sounds_are_refused():
    with pytest.raises(AudioError, match="at least one"):
        player.tracks({})


def test_ten_seconds_are_small():
    noise = 0.1 * np.random.default_rng(0).standard_normal(88_200)
    assert len(player.audio(noise)._repr_html_()) < 100_000
