"""The listening test: what is compared, at which level, and what is hidden."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
import soundfile

from dann_lib import report
from dann_lib.course.listening_test import (
    ANCHOR,
    MIXTURE,
    REFERENCE,
    Item,
    item,
    listening_test,
    ratings_figure,
    read_ratings,
)
from dann_lib.errors import AudioError, DannError


@pytest.fixture(scope="module")
def drums() -> Item:
    """Two seconds of noise as sources; an estimate with some interference and some noise."""
    generator = np.random.default_rng(0)
    sources = 0.1 * generator.standard_normal((4, 2 * report.SAMPLE_RATE)).astype(np.float32)
    estimate = 0.4 * (sources[1] + 0.3 * sources[0] + 0.03 * generator.standard_normal(sources.shape[1]))
    return item("drums of noise", sources.sum(axis=0), sources, 1, {"an estimate": estimate.astype(np.float32)})


def rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(waveform.astype(float) ** 2)))


def test_hidden_reference_and_anchors_are_among_the_versions(drums):
    assert list(drums.versions) == [REFERENCE, "an estimate", MIXTURE, ANCHOR]


def test_all_versions_have_one_level_and_none_clips(drums):
    levels = [20 * np.log10(rms(each)) for each in drums.versions.values()]
    assert max(levels) - min(levels) < 0.01
    assert all(np.abs(each).max() <= 1 for each in drums.versions.values())


def test_levels_are_lowered_together_where_one_would_clip():
    sources = (0.2 * np.random.default_rng(1).choice([-1, 1], (4, 8820))).astype(np.float32)
    spiky = np.zeros(8820, np.float32)
    spiky[::100] = 1
    loud = item("loud", sources.sum(axis=0), sources, 0, {"spikes": spiky})
    assert np.abs(loud.versions["spikes"]).max() == pytest.approx(1)
    assert rms(loud.versions["spikes"]) == pytest.approx(rms(loud.reference), rel=1e-3)


def test_the_low_pass_anchor_has_nothing_above_its_limit(drums):
    spectrum = np.abs(np.fft.rfft(drums.versions[ANCHOR])) ** 2
    hz = np.fft.rfftfreq(len(drums.versions[ANCHOR]), 1 / report.SAMPLE_RATE)
    assert spectrum[hz > 1200].sum() < 1e-4 * spectrum.sum()


def test_the_better_version_has_the_higher_ratio_and_the_reference_none(drums):
    assert drums.ratios[REFERENCE][0] is None
    assert drums.ratios["an estimate"][0] > drums.ratios[MIXTURE][0]
    assert drums.ratios["an estimate"][1] == pytest.approx(20 * np.log10(1 / 0.3), abs=0.5)


def test_what_cannot_be_rated_is_refused():
    sources = np.zeros((4, 8820), np.float32)
    with pytest.raises(AudioError, match="silent in this excerpt"):
        item("nothing", sources[0], sources, 0, {})
    sources[:] = 0.1
    with pytest.raises(AudioError, match="as long"):
        item("short", sources[0], sources, 0, {"short": sources[0, :10]})
    with pytest.raises(ValueError, match="at least one item"):
        listening_test([])


def test_the_page_holds_the_sounds_at_one_rate_and_the_ratios(drums):
    frame = listening_test([drums], n_trials=3)
    versions = frame.model()["items"][0]["versions"]
    assert frame.model()["pair"] == ["an estimate", REFERENCE]
    for version in versions:
        sound, rate = soundfile.read(io.BytesIO(version["sound"]))
        assert rate >= 2 * 8820
        assert len(sound) / rate == pytest.approx(2, abs=0.1)
        spectrum = np.abs(np.fft.rfft(sound)) ** 2
        hz = np.fft.rfftfreq(len(sound), 1 / rate)
        assert spectrum[hz > 4600].sum() < 1e-3 * spectrum.sum(), "all end at 4.41 kHz"
    page = frame._repr_html_()
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "") and "https://" not in page
    assert base64.b64encode(versions[0]["sound"]).decode() in page


def test_ratings_are_read_back_and_drawn(tmp_path):
    rows = [{"item": "drums", "version": name, "rating": rating, "sdr": sdr, "sir": 2.0 * rating, "sar": -rating}
            for name, rating, sdr in (("a", 80, 9.0), ("b", 40, 3.0), ("c", 10, -5.0), (REFERENCE, 100, None))]
    path = tmp_path / "listening-test.json"
    path.write_text(json.dumps({"ratings": rows}))
    drawing = ratings_figure(read_ratings(path))
    assert "SDR 1.00" in drawing.description and len(drawing.figure.axes) == 3
    path.write_text("{}")
    with pytest.raises(DannError, match="no file of the listening test"):
        read_ratings(path)
