"""What the player plays is what it was given: length, level, nothing normalised, faults named."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from dann_lib import player
from dann_lib.errors import AudioError
from dann_lib.figures import COLOURS


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
    with pytest.raises(AudioError, match="at least one"):
        player.tracks({})


def test_stereo_is_averaged():
    left = tone()
    clip = player.audio(np.stack((left, np.zeros_like(left)), axis=1))
    assert clip.level_db == pytest.approx(level_db(left / 2), abs=0.01)


def test_titles_are_text_not_markup():
    page = player.tracks({"<b>drums</b> & \"bass\"": tone()}, description="1 < 2")._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;drums&lt;/b&gt; &amp; &quot;bass&quot;" in page
    assert "1 &lt; 2" in page


def test_ten_seconds_are_small():
    noise = 0.1 * np.random.default_rng(0).standard_normal(88_200)
    assert len(player.audio(noise)._repr_html_()) < 100_000


# Frames and the stem player


def song(seed: int = 0, n_samples: int = 17_640) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


@pytest.fixture(scope="module")
def stems() -> player.Frame:
    true = {"vocals": tone(), "drums": 0.1 * tone(hz=700.0)}
    return player.stems({"true": true, "your <run>": {"vocals": 0.5 * tone()}}, mixture=true["vocals"] + true["drums"],
                        title="A & B", description="Listen to the </script> of the drums.")


def inside(frame: player.Frame) -> tuple[str, dict]:
    """The page inside the frame as a browser reads it, and its data."""
    srcdoc = re.search(r'srcdoc="([^"]*)"', frame._repr_html_())[1]
    page = html.unescape(srcdoc)
    return page, json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_a_frame_holds_all_that_it_needs(stems):
    page, _ = inside(stems)
    assert page == stems.document()
    addresses = set(re.findall(r"(?:https?:)?//[a-z]+\.[a-z][^\s\"]*", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}, "an address outside of the page"
    assert not re.search(r"\b(?:src|href)=", page)
    modules = re.findall(r'^modules\["([\w-]+\.js)"\] = ', page, re.MULTILINE)
    assert modules[-1] == "stems.js" and len(set(modules)) == len(modules), "no module twice"
    for name in modules:
        code = page.split(f'modules["{name}"] = ')[1].split("\n})();")[0]
        needed = re.findall(r'modules\["([\w-]+\.js)"\];', code)
        assert set(needed) <= set(modules[:modules.index(name)]), f"{name} comes before what it imports"


def test_the_player_has_each_track_as_it_was_given(stems):
    _, data = inside(stems)
    assert data["title"] == "A & B" and data["variants"] == ["true", "your <run>"]
    levels = {}
    for track in data["tracks"]:
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(track["sound"])))
        assert rate == data["rate"] == 22_050
        assert len(samples) / rate == pytest.approx(2.0, abs=2 * 1152 / rate)
        levels[track["version"], track["source"]] = level_db(samples)
    assert levels["true", "vocals"] == pytest.approx(level_db(tone()), abs=0.2)
    assert levels["true", "vocals"] - levels["true", "drums"] == pytest.approx(20, abs=0.3)
    assert levels["true", "vocals"] - levels["your <run>", "vocals"] == pytest.approx(6.02, abs=0.2)
    assert set(levels) == {(None, "mixture"), ("true", "vocals"), ("true", "drums"), ("your <run>", "vocals")}


@pytest.mark.parametrize("rate_hz", [8820, 22_050, 44_100])
def test_the_encoder_shifts_no_track(rate_hz):
    """Neither a quiet track nor a full one comes later than it was given."""
    waveform = song(n_samples=2 * rate_hz)
    sources = {"as given": waveform, "quiet": 0.01 * waveform, "clipped": np.clip(50 * waveform, -1, 1)}
    frame = player.stems({"true": sources}, rate_hz=rate_hz)
    shifts = set()
    for track in frame.data["tracks"]:
        samples, rate = soundfile.read(io.BytesIO(track["sound"]))
        given = soxr.resample(waveform, rate_hz, rate)
        size = len(samples) + len(given)
        product = np.fft.irfft(np.fft.rfft(samples, size) * np.conj(np.fft.rfft(given, size)), size)
        shifts.add(int(np.argmax(product)))
    assert shifts == {0}


def test_the_description_is_read_without_the_player(stems):
    page = stems._repr_html_()
    caption = re.search(r"<figcaption[^>]*>(.*?)</figcaption>", page)[1]
    assert html.unescape(caption) == repr(stems) == "Listen to the </script> of the drums."
    assert 'title="A &amp; B"' in page
    fallback = re.search(r">([^<>]*)</iframe>", page)[1]
    assert "trusted" in fallback


def test_the_same_song_gives_the_same_bytes(stems):
    again = player.stems({"true": {"vocals": song()}}, description="x")
    assert again._repr_html_() == player.stems({"true": {"vocals": song()}}, description="x")._repr_html_()
    assert again._repr_html_() != player.stems({"true": {"vocals": song(1)}}, description="x")._repr_html_()


def test_clipped_samples_are_counted_in_the_description():
    loud = song()
    loud[:4] = 2.0
    assert "4 samples beyond full scale were clipped" in repr(player.stems({"true": {"vocals": loud}}))


@pytest.mark.parametrize(("variants", "mixture", "message"), [
    ({}, song(), "at least one for each version"),
    ({"true": {}}, song(), "at least one for each version"),
    ({"true": {"vocals": song(), "drums": song()[:-1]}}, None, r"vocals \(true\): 17640, drums \(true\): 17639"),
    ({"true": {"vocals": song()}}, song()[1:], "mixture: 17639"),
    ({"true": {"vocals": np.full(9, np.nan)}}, None, r"'vocals \(true\)' has 9 samples that are NaN"),
    ({"true": {"mixture": song()}}, None, "give it as `mixture`"),
])
def test_stems_that_do_not_fit_together_are_named(variants, mixture, message):
    with pytest.raises(AudioError, match=message):
        player.stems(variants, mixture)


def test_a_source_can_be_heard_alone_at_first():
    assert player.stems({"true": {"vocals": song()}}, song(), solo="vocals").data["solo"] == ["vocals"]
    assert player.stems({"true": {"vocals": song()}}, song()).data["solo"] == ["mixture"]
    assert player.stems({"true": {"vocals": song()}}).data["solo"] == []
    with pytest.raises(ValueError, match="choose among vocals"):
        player.stems({"true": {"vocals": song()}}, solo="trumpet")


@pytest.mark.parametrize(("change", "message"), [
    ({"module": "nothing.js"}, "no module 'nothing.js'; known are .*stems.js"),
    ({"title": " "}, "no title"),
    ({"description": ""}, "no description"),
    ({"data": {"x": float("nan")}}, "cannot be written as JSON"),
    ({"data": {"x": np.zeros(3)}}, "ndarray is not known to JSON"),
])
def test_a_frame_that_nobody_could_use_is_refused(change, message):
    fields = {"module": "stems.js", "data": {}, "title": "A title", "description": "A description.", **change}
    with pytest.raises(ValueError, match=message):
        player.Frame(**fields)


def test_the_player_has_the_colours_of_the_figures():
    """The style sheet says them again, since a page cannot ask Python."""
    style = (Path(player.__file__).parent / "js" / "player.css").read_text(encoding="utf-8")
    light = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", style.split("}")[0]))
    assert {name: light[name] for name in COLOURS} == dict(COLOURS)


def test_a_live_module_gets_what_python_sets_and_messages_go_both_ways(stems):
    widget = stems.live()
    state = widget.get_state()
    assert state["live"] is True and state["title"] == "A & B"
    assert [track["sound"] for track in state["tracks"]] == [track["sound"] for track in stems.data["tracks"]]
    assert "https:" not in state["_esm"] and "https:" not in state["_css"]
    changed, said = [], []
    widget.observe(lambda change: changed.append(change["new"]), "solo")
    widget.on_msg(lambda _, content, buffers: said.append((content, buffers)))
    widget.solo = ["drums"]
    widget._handle_custom_msg({"kind": "piece"}, [b"12"])  # what the page sends
    assert widget.get_state("solo") == {"solo": ["drums"]} and changed == [["drums"]]
    assert said == [({"kind": "piece"}, [b"12"])]
