"""The panel for a song of one's own, without a browser: files arrive in pieces, whatever they hold."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from dann_lib.audio.reading import look_through
from dann_lib.course import own_song as module
from dann_lib.course.own_song import own_song

RATE = 22_050


@pytest.fixture
def panel(tmp_path):
    """A panel whose messages to the browser are kept in `sent`."""
    widget = own_song(folder=tmp_path / "stems")
    widget.sent = []
    object.__setattr__(widget, "send", lambda content, buffers=None: widget.sent.append((content, buffers)))
    yield widget
    widget.desk.close()


def tell(panel: Any, **content: Any) -> None:
    """A message as the browser sends it."""
    buffers = [memoryview(content.pop("data"))] if "data" in content else []
    panel.desk._answer(panel, content, buffers)


def hand_over(panel: Any, path: Path, name: str | None = None, piece: int = 50_000) -> None:
    """Send a file as the browser does, a piece whenever one is asked for; wait for the result."""
    data = path.read_bytes()
    tell(panel, kind="begin", name=name or path.name, size=len(data))
    while panel.sent and panel.sent[-1][0].get("kind") == "next":
        offset = panel.sent.pop()[0]["offset"]
        tell(panel, kind="piece", offset=offset, data=data[offset: offset + piece])
    if panel.desk.job is not None:
        panel.desk.job.join(60)


def song(path: Path, seconds: float = 3.0, channels: int = 2, level: float = 0.3, **options: Any) -> Path:
    noise = np.random.default_rng(0).uniform(-level, level, (int(seconds * RATE), channels))
    soundfile.write(path, noise, RATE, **options)
    return path


def test_a_song_becomes_stems_a_player_and_downloads(panel, tmp_path):
    path = song(tmp_path / "tune.flac")
    hand_over(panel, path)
    assert panel.phase == "done", panel.message
    assert "3 s, 22050 Hz, stereo" in panel.message
    assert "<iframe" in panel.player
    assert [stem["name"] for stem in panel.stems] == ["vocals", "drums", "bass", "other"]
    written = [soundfile.read(tmp_path / "stems" / "tune" / f"{stem['name']}.wav")[0] for stem in panel.stems]
    original = soundfile.read(path)[0]
    assert np.abs(sum(written) - original).max() < 4 / 2**15


def test_a_stem_is_handed_out_to_the_byte(panel, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PIECE_BYTES", 10_001)
    hand_over(panel, song(tmp_path / "tune.wav"))
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
    assert data == (tmp_path / "stems" / "tune" / "drums.wav").read_bytes()


def test_six_channels_stay_six(panel, tmp_path):
    hand_over(panel, song(tmp_path / "surround.wav", channels=6))
    assert panel.phase == "done" and "6 channels" in panel.message
    assert soundfile.info(tmp_path / "stems" / "surround" / "bass.wav").channels == 6


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


@pytest.mark.parametrize(("make", "name", "words"), [
    (no_audio, "letter.mp3", "letter.mp3 is no audio"),
    (lambda path: song(path, level=0.0), "rest.wav", "rest.wav is silent"),
    (cut, "cut.flac", "damaged"),
    (not_finite, "broken.wav", "broken.wav"),
    (lambda path: song(path, seconds=0), "nothing.wav", "no samples"),
])
def test_what_cannot_be_separated_gets_a_sentence(panel, tmp_path, make, name, words):
    hand_over(panel, make(tmp_path / name))
    assert panel.phase == "failed"
    assert words in panel.message and "own-song-" not in panel.message, panel.message
    assert not list((tmp_path / "stems").glob("**/*.wav"))
    hand_over(panel, song(tmp_path / "good.wav"))
    assert panel.phase == "done", "the panel goes on after a failure"


def test_an_empty_file_and_a_missing_message_are_refused(panel):
    tell(panel, kind="begin", name="empty.wav", size=0)
    assert panel.phase == "failed" and "empty.wav is empty" in panel.message
    tell(panel, kind="fetch", stem="vocals", offset=0)
    assert panel.phase == "failed"


def test_a_truncated_wav_is_separated_as_far_as_it_goes_and_said(panel, tmp_path):
    hand_over(panel, cut(tmp_path / "cut.wav"))
    assert panel.phase == "done"
    assert "ends 1.0 s before it should" in panel.message


def test_a_look_through_tells_what_a_wav_lacks(tmp_path):
    whole = look_through(song(tmp_path / "whole.wav"))
    assert (whole.seconds, whole.missing_s, whole.n_channels) == (3.0, 0.0, 2)
    assert whole.peak == pytest.approx(0.3, abs=1e-3)
    assert look_through(cut(tmp_path / "cut.wav")).missing_s == pytest.approx(1.0, abs=0.01)


def test_cancelling_while_it_arrives_keeps_nothing(panel, tmp_path):
    tell(panel, kind="begin", name="tune.wav", size=10**6)
    inbox = panel.desk._inbox
    tell(panel, kind="piece", offset=0, data=b"x" * 1000)
    assert panel.phase == "receiving" and inbox.exists()
    tell(panel, kind="cancel")
    assert panel.phase == "waiting" and not inbox.exists()
    tell(panel, kind="piece", offset=1000, data=b"x" * 1000)
    assert panel.phase == "waiting", "a late piece is ignored"


def test_cancelling_while_it_separates_keeps_nothing(panel, tmp_path):
    data = song(tmp_path / "long.wav", seconds=400).read_bytes()
    tell(panel, kind="begin", name="long.wav", size=len(data))
    tell(panel, kind="piece", offset=0, data=data)
    deadline = time.monotonic() + 60
    while panel.share == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    tell(panel, kind="cancel")
    panel.desk.job.join(60)
    assert panel.phase == "waiting" and panel.message.startswith("Cancelled")
    assert not list((tmp_path / "stems").glob("**/*.wav"))


def test_a_name_with_folders_in_it_stays_inside(panel, tmp_path):
    hand_over(panel, song(tmp_path / "tune.wav"), name="../../elsewhere.wav")
    assert panel.phase == "done"
    assert (tmp_path / "stems" / "elsewhere" / "vocals.wav").is_file()
