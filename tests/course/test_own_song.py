"""The panel for a song of one's own, without a browser: files arrive in pieces, whatever they hold."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from dann_lib.audio.reading import look_through
from dann_lib.course import own_song as module
from dann_lib.course.own_song import OwnSong, own_song

RATE = 22_050


@pytest.fixture(scope="module")
def panel(tmp_path_factory) -> Iterator[OwnSong]:
    """One panel for all tests: it goes on whatever it is given. Its messages to the browser are kept in `sent`."""
    widget = own_song(folder=tmp_path_factory.mktemp("panel") / "stems")
    widget.sent = []
    object.__setattr__(widget.browser, "send", lambda content, buffers=None: widget.sent.append((content, buffers)))
    yield widget
    widget.end()


def tell(panel: OwnSong, **content: Any) -> None:
    """A message as the browser sends it."""
    buffers = [memoryview(content.pop("data"))] if "data" in content else []
    panel._answer(panel.browser, content, buffers)


def hand_over(panel: OwnSong, path: Path, name: str | None = None, piece: int = 50_000) -> None:
    """Send a file as the browser does, a piece whenever one is asked for; wait for the result."""
    data = path.read_bytes()
    tell(panel, kind="begin", name=name or path.name, size=len(data))
    while panel.sent and panel.sent[-1][0].get("kind") == "next":
        offset = panel.sent.pop()[0]["offset"]
        tell(panel, kind="piece", offset=offset, data=data[offset: offset + piece])
    panel.job.join()


def words(panel: OwnSong) -> str:
    return html.unescape(re.sub("<[^>]*>", "", panel.message.value))


def song(path: Path, seconds: float = 3.0, channels: int = 2, level: float = 0.3, **options: Any) -> Path:
    noise = np.random.default_rng(0).uniform(-level, level, (int(seconds * RATE), channels))
    soundfile.write(path, noise, RATE, **options)
    return path


def stems_in(panel: OwnSong, name: str) -> list[np.ndarray]:
    return [soundfile.read(panel.folder / name / f"{stem['name']}.wav")[0] for stem in panel.browser.stems]


@pytest.mark.parametrize("by_path", [False, True], ids=["sent", "named"])
def test_a_song_becomes_stems_a_player_and_downloads(panel, tmp_path, by_path):
    path = song(tmp_path / "tune.flac")
    if by_path:
        panel.path.value = str(path)
        panel.start.click()
        panel.job.join()
    else:
        hand_over(panel, path)
    assert panel.phase == "done", words(panel)
    assert "3 s, 22050 Hz, stereo" in words(panel)
    assert "<iframe" in panel.stems.value
    assert [stem["name"] for stem in panel.browser.stems] == ["vocals", "drums", "bass", "other"]
    assert panel.browser.stems[0]["file"] == "tune - vocals.wav"
    assert np.abs(sum(stems_in(panel, "tune")) - soundfile.read(path)[0]).max() < 4 / 2**15
    assert path.is_file()


def test_a_stem_is_handed_out_to_the_byte(panel, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PIECE_BYTES", 10_001)
    hand_over(panel, song(tmp_path / "bytes.wav"))
    panel.sent.clear()
    data = b""
    tell(panel, kind="fetch", stem="drums", offset=0)
    while True:
        (content, buffers), = panel.sent
        panel.sent.clear()
        data += buffers[0]
        if content["last"]:
            break
        tell(panel, kind="fetch", stem="drums", offset=len(data))
    assert data == (panel.folder / "bytes" / "drums.wav").read_bytes()


def test_six_channels_stay_six_and_a_name_with_folders_stays_inside(panel, tmp_path):
    hand_over(panel, song(tmp_path / "surround.wav", channels=6), name="../../surround.wav")
    assert panel.phase == "done" and "6 channels" in words(panel)
    assert soundfile.info(panel.folder / "surround" / "bass.wav").channels == 6


def test_no_name_leaves_the_folder_or_takes_that_of_another_song(panel, tmp_path):
    for channels in (1, 2, 1):
        hand_over(panel, song(tmp_path / "same.wav", channels=channels), name="...wav")
        assert panel.phase == "done", words(panel)
    assert [soundfile.info(panel.folder / name / "bass.wav").channels for name in ("song", "song 2")] == [1, 2]
    assert not list(panel.folder.glob("*.wav")) and not list(panel.folder.parent.glob("*.wav"))
    assert not (panel.folder / "song 3").exists()


def no_audio(path: Path) -> Path:
    path.write_bytes(b"these are letters, no sound" * 100)
    return path


def cut(path: Path) -> Path:
    song(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    return path


def not_finite(path: Path) -> Path:
    samples = np.zeros((RATE, 2), np.float32)
    samples[RATE // 2] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return path


@pytest.mark.parametrize(("make", "name", "expected"), [
    (no_audio, "letter.mp3", "letter.mp3 is no audio"),
    (lambda path: song(path, level=0.0), "rest.wav", "rest.wav is silent"),
    (cut, "cut.flac", "damaged"),
    (not_finite, "broken.wav", "broken.wav"),
    (lambda path: song(path, seconds=0), "nothing.wav", "no samples"),
])
def test_what_cannot_be_separated_gets_a_sentence(panel, tmp_path, make, name, expected):
    hand_over(panel, make(tmp_path / name))
    assert panel.phase == "failed" and 'role="alert"' in panel.message.value
    assert expected in words(panel) and "own-song-" not in words(panel), words(panel)
    assert not list((panel.folder / Path(name).stem).glob("**/*.wav"))
    assert not panel.browser.busy and not panel.start.disabled, "the panel goes on after a failure"


def test_what_is_empty_missing_or_unreadable_is_refused(panel, tmp_path):
    tell(panel, kind="begin", name="empty.wav", size=0)
    assert panel.phase == "failed" and "empty.wav is empty" in words(panel)
    tell(panel, kind="begin", name="moved.wav", size=9)
    inbox = panel._inbox.parent
    tell(panel, kind="unreadable", reason="it has gone")
    assert panel.phase == "failed" and "moved.wav cannot be read: it has gone" in words(panel) and not inbox.exists()
    tell(panel, kind="fetch", stem="piano", offset=0)
    assert panel.phase == "failed" and "piano" in words(panel)
    panel.path.value = str(tmp_path / "nowhere.wav")
    panel.start.click()
    panel.job.join()
    assert panel.phase == "failed" and f"there is no file {tmp_path / 'nowhere.wav'}" in words(panel)


def test_a_truncated_wav_is_separated_as_far_as_it_goes_and_said(panel, tmp_path):
    hand_over(panel, cut(tmp_path / "cut.wav"))
    assert panel.phase == "done"
    assert "ends 1.0 s before it should" in words(panel)


def test_a_look_through_tells_what_a_wav_lacks(tmp_path):
    whole = look_through(song(tmp_path / "whole.wav"))
    assert (whole.seconds, whole.missing_s, whole.n_channels) == (3.0, 0.0, 2)
    assert whole.peak == pytest.approx(0.3, abs=1e-3)
    assert look_through(cut(tmp_path / "cut.wav")).missing_s == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("content", [
    None, [], "begin", {}, {"kind": 7}, {"kind": "begin"}, {"kind": "begin", "name": 3, "size": 9},
    {"kind": "begin", "name": "x.wav", "size": "9"}, {"kind": "begin", "name": "x.wav", "size": -9},
    {"kind": "begin", "name": "x.wav", "size": 2**80}, {"kind": "fetch", "stem": [], "offset": 0},
    {"kind": "fetch", "stem": "vocals", "offset": -1}, {"kind": "fetch", "stem": "vocals", "offset": 0.5},
])
def test_no_message_reaches_the_kernel_as_an_exception(panel, content):
    panel._answer(panel.browser, content, [])
    assert panel.phase == "failed" and panel._inbox is None
    assert not re.search(r"\b[A-Z]\w+(Error|Exception)\b", words(panel)), words(panel)


@pytest.mark.parametrize("name", ["\ud800.wav", "a\0b.w\0v", "/", "..", "x" * 300 + ".wav", "song." + "x" * 300])
def test_any_name_is_received(panel, name):
    tell(panel, kind="begin", name=name, size=10)
    tell(panel, kind="piece", offset=0, data=b"x" * 5)
    assert panel.phase == "receiving"
    panel.cancel.click()


@pytest.mark.parametrize("data", [b"", b"x" * 11])
def test_a_piece_that_was_not_announced_ends_the_song_and_starts_no_job(panel, data):
    tell(panel, kind="begin", name="tune.wav", size=10)
    job = panel.job
    tell(panel, kind="piece", offset=0, data=data)
    assert panel.phase == "failed" and "tune.wav does not arrive" in words(panel) and panel.job is job


def test_cancelling_while_it_arrives_keeps_nothing(panel):
    tell(panel, kind="begin", name="tune.wav", size=10**6)
    inbox = panel._inbox
    tell(panel, kind="piece", offset=0, data=b"x" * 1000)
    assert panel.phase == "receiving" and inbox.exists()
    panel.cancel.click()
    assert panel.phase == "waiting" and not inbox.parent.exists()
    tell(panel, kind="piece", offset=1000, data=b"x" * 1000)
    assert panel.phase == "waiting", "a late piece is ignored"


def test_cancelling_while_it_separates_keeps_nothing(panel, tmp_path):
    """As soon as something is separated, so before all of it is."""
    panel.progress.observe(lambda change: change.new and panel.phase == "separating" and panel.cancel.click(), "value")
    hand_over(panel, song(tmp_path / "long.wav", seconds=60), piece=10**8)
    panel.progress.unobserve_all("value")
    assert panel.phase == "waiting" and words(panel) == "Cancelled. Nothing was kept."
    assert not list((panel.folder / "long").glob("**/*.wav"))
