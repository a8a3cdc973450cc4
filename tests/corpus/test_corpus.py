"""Opening a corpus, its songs and splits, and the prepared cache when nothing goes wrong."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from corpora import HZ, is_intact, signals, wav_corpus, write_stem_file, write_wav_song

from dann_lib import report
from dann_lib.audio.ffmpeg import import_musdb
from dann_lib.corpus import Corpus, open_corpus
from dann_lib.corpus import cache as prepared_cache
from dann_lib.errors import CorpusError

VALIDATION = "Actions - One Minute Smile"
"""One of the songs that `musdb` keeps for validation."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = wav_corpus(tmp_path_factory.mktemp("data") / "songs")
    write_wav_song(root / "train" / VALIDATION, signals(seed=7))
    return root


@pytest.fixture(scope="module")
def corpus(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return open_corpus(root, cache=tmp_path_factory.mktemp("cache"), progress=False)


def test_waveforms_are_the_mean_of_the_channels_resampled(corpus, root):
    for track in corpus.tracks:
        for index, signal in enumerate(report.SIGNALS):
            stereo, _ = soundfile.read(track.path / f"{signal}.wav", dtype="float32")
            expected = soxr.resample(stereo.mean(axis=1), 44_100, 8820)
            np.testing.assert_allclose(track.waveforms[index], expected, atol=1e-6)
            np.testing.assert_array_equal(track.signal(signal), track.waveforms[index])
        assert track.waveforms.shape == (5, track.n_samples)
        assert track.waveforms.dtype == np.float32
        assert isinstance(track.waveforms, np.memmap)


def test_the_mixture_stays_the_sum_of_its_stems(corpus):
    mixture, *stems = corpus.tracks[0].waveforms
    np.testing.assert_allclose(sum(stems), mixture, atol=1e-6)


def test_resampling_does_not_alias(tmp_path):
    """A tone above 4.41 kHz disappears; naive decimation would fold 6 kHz to 2.82 kHz at full level."""
    time_s = np.arange(44_100)[:, None] / 44_100
    tones = {"vocals": 6000.0, "drums": 4000.0, "bass": 100.0, "other": 20_000.0}
    audio = {stem: np.sin(2 * np.pi * hz * time_s).astype(np.float32) for stem, hz in tones.items()}
    write_wav_song(tmp_path / "r/train/Tones", {"mixture": sum(audio.values()), **audio})
    track = open_corpus(tmp_path / "r", cache=tmp_path / "c", progress=False).tracks[0]
    rms = {stem: np.sqrt(np.mean(track.signal(stem)[100:-100] ** 2)) for stem in tones}
    assert rms["drums"] == pytest.approx(np.sqrt(0.5), rel=0.01)
    assert rms["bass"] == pytest.approx(np.sqrt(0.5), rel=0.01)
    assert rms["vocals"] < 1e-4
    assert rms["other"] < 1e-4


@pytest.mark.parametrize(("rate_hz", "n_channels"), [(8000, 1), (8820, 2), (22_050, 6), (48_000, 2), (96_000, 1),
                                                     (192_000, 2)])
def test_songs_of_any_rate_and_number_of_channels_are_prepared_at_the_same_rate(tmp_path, rate_hz, n_channels):
    audio = signals(0.5, rate_hz, n_channels)
    write_wav_song(tmp_path / "r/train/Song", audio, rate_hz)
    track = open_corpus(tmp_path / "r", cache=tmp_path / "c", progress=False).tracks[0]
    assert track.n_samples == pytest.approx(4410, abs=1)
    assert (track.rate, track.n_channels) == (rate_hz, n_channels)
    np.testing.assert_array_equal(track.read("bass"), audio["bass"])
    np.testing.assert_array_equal(track.read_all()[1], audio["vocals"])
    expected = soxr.resample(audio["bass"].mean(axis=1), rate_hz, 8820)
    np.testing.assert_allclose(track.signal("bass"), expected, atol=1e-6)
    assert np.argmax(np.abs(np.fft.rfft(expected))) / track.seconds == pytest.approx(HZ["bass"], abs=2)


def test_full_quality_comes_from_the_songs_own_file(corpus, root):
    track = corpus.tracks[0]
    for index, signal in enumerate(report.SIGNALS):
        original, rate = soundfile.read(track.path / f"{signal}.wav", dtype="float32")
        assert rate == track.rate
        np.testing.assert_array_equal(track.read(signal), original)
        np.testing.assert_array_equal(track.read_all()[index], original)


def test_an_unknown_signal_or_subset_is_refused_with_the_choices(corpus):
    with pytest.raises(ValueError, match="vocals, drums, bass"):
        corpus.tracks[0].signal("guitar")
    with pytest.raises(ValueError, match="vocals, drums, bass"):
        corpus.tracks[0].read("guitar")
    with pytest.raises(ValueError, match="train, valid, test"):
        corpus.select("dev")


def test_validation_songs_are_taken_from_train(corpus):
    names = {subset: [track.name for track in corpus.select(subset)] for subset in ("train", "valid", "test")}
    assert names == {"train": ["Band - train 0", "Band - train 1"], "valid": [VALIDATION],
                     "test": ["Band - test 0"]}
    assert [track.name for track in corpus.select("train+valid")] == [VALIDATION, *names["train"]]


def test_the_same_songs_in_the_same_order_as_musdb(corpus):
    musdb = corpus.as_musdb()
    assert [track.name for track in corpus.tracks] == [track.name for track in musdb]
    valid = corpus.as_musdb(subsets="train", split="valid")
    assert [track.name for track in corpus.select("valid")] == [track.name for track in valid]


def test_a_stem_corpus_is_recognised_and_equals_the_decoded_streams(tmp_path):
    write_stem_file(tmp_path / "r/train/Band - Song.stem.mp4", signals())
    write_stem_file(tmp_path / "r/test/Band - Other.stem.mp4", signals(seed=1, n_channels=1))
    corpus = open_corpus(tmp_path / "r", cache=tmp_path / "c", progress=False)
    assert corpus.kind == "stems"
    assert [track.n_channels for track in corpus.tracks] == [2, 1]
    for track in corpus.tracks:
        everything = track.read_all()
        for index, signal in enumerate(report.SIGNALS):
            full = track.read(signal)
            np.testing.assert_array_equal(everything[index], full)
            expected = soxr.resample(full.mean(axis=1), 44_100, 8820)
            np.testing.assert_allclose(track.signal(signal), expected, atol=1e-6)


@pytest.mark.parametrize(("names", "kind"), [
    ("mixture vocals drums bass other", "wav"), ("vocals drums bass other", "own"), ("mixture drums bass", "own"),
    ("mixture vocals drums bass other guitar", "own"), ("singer guitar other", "own"),
])
def test_songs_of_ones_own_have_any_stems_and_every_fifth_is_for_validation(tmp_path, names, kind):
    audio = {name: np.full((4410, 2), 0.125 * (index + 1)) for index, name in enumerate(names.split())}
    for song in "abcdef":
        write_wav_song(tmp_path / "r/train" / song, audio)
    corpus = open_corpus(tmp_path / "r", cache=tmp_path / "c", progress=False)
    assert [track.name for track in corpus.select("valid")] == ["e"] and corpus.kind == kind
    track = corpus.tracks[0]
    assert set(track.signals) == {"mixture", *audio}
    mixture = audio.get("mixture", sum(audio.values()))
    for name, expected in {**audio, "mixture": mixture}.items():
        np.testing.assert_array_equal(track.read(name), expected)
        np.testing.assert_array_equal(track.read_all()[track.signals.index(name)], expected)


def test_a_stem_that_only_some_songs_have_is_silent_elsewhere_and_musdb_stays_musdb(tmp_path):
    audio = signals(0.1)
    write_wav_song(tmp_path / "own/train/a", {name: audio[name] for name in ("drums", "bass")})
    write_wav_song(tmp_path / "own/train/b", {"drums": audio["drums"]})
    first, second = open_corpus(tmp_path / "own", cache=tmp_path / "c", progress=False).tracks
    assert first.signals == second.signals == ("mixture", "bass", "drums")
    assert first.split == "train" and second.split == "valid", "the last of fewer than five"
    assert not second.signal("bass").any() and np.array_equal(second.signal("mixture"), second.signal("drums"))
    write_wav_song(tmp_path / "hq/train" / VALIDATION, {**audio, "accompaniment": audio["bass"]})
    assert open_corpus(tmp_path / "hq", cache=tmp_path / "c", progress=False).tracks[0].signals == report.SIGNALS


@pytest.mark.parametrize("subset", ["train", "test"])
def test_a_root_with_one_subset_is_enough(tmp_path, subset):
    write_wav_song(tmp_path / "r" / subset / "Song", signals(0.1))
    corpus = open_corpus(tmp_path / "r", cache=tmp_path / "c", progress=False)
    assert [track.split for track in corpus.tracks] == [subset]
    assert corpus.kind == "wav"
    other = {"train": "test", "test": "train"}[subset]
    with pytest.raises(CorpusError, match=f"no {other} songs"):
        corpus.select(other)


def test_a_metadata_table_states_split_genre_and_instruments(tmp_path):
    root = wav_corpus(tmp_path / "r")
    with open(root / "metadata.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", "split", "genre", "n_instruments"])
        table.writerow(["Band - train 0", "train", "rock", 4])
        table.writerow(["Band - train 1", "valid", "electro", 7])
        table.writerow(["Band - test 0", "test", "pop", 5])
    corpus = open_corpus(root, cache=tmp_path / "c", progress=False)
    assert corpus.kind == "synthetic"
    assert corpus.select("valid")[0].metadata == {"genre": "electro", "n_instruments": 7}
    assert [track.split for track in corpus.tracks] == ["train", "valid", "test"]


def test_opening_a_prepared_corpus_decodes_nothing(corpus, root, monkeypatch):
    def refuse(*arguments: object) -> None:
        raise AssertionError("a prepared song was decoded again")

    monkeypatch.setattr(prepared_cache, "prepare_song", refuse)
    again = open_corpus(root, cache=corpus.cache.parent, progress=False)
    assert again == corpus


def test_opening_a_prepared_corpus_needs_neither_musdb_nor_ffmpeg(corpus, root):
    code = (
        "import sys; from dann_lib.corpus import open_corpus;"
        "c = open_corpus(sys.argv[1], cache=sys.argv[2]); c.tracks[0].waveforms.sum();"
        "assert not {'musdb', 'librosa', 'torch', 'pandas', 'tqdm.auto'} & set(sys.modules)"
    )
    environment = {**os.environ, "PATH": os.devnull, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code, root, corpus.cache.parent], env=environment,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_only_a_changed_song_is_prepared_again_and_songs_may_come_and_go(tmp_path):
    root = wav_corpus(tmp_path / "r")
    before = open_corpus(root, cache=tmp_path / "c", progress=False)
    times = {track.name: track.prepared.stat().st_mtime_ns for track in before.tracks}
    write_wav_song(root / "train/Band - train 1", signals(0.3, seed=99))
    after = open_corpus(root, cache=tmp_path / "c", progress=False)
    changed = [track.name for track in after.tracks if track.prepared.stat().st_mtime_ns != times[track.name]]
    assert changed == ["Band - train 1"]
    assert after.tracks[1].n_samples == 2646
    assert after.fingerprint != before.fingerprint
    write_wav_song(root / "test/New", signals(0.1))
    shutil.rmtree(root / "train/Band - train 0")
    corpus = open_corpus(root, cache=tmp_path / "c", progress=False)
    assert [track.name for track in corpus.tracks] == ["Band - train 1", "Band - test 0", "New"]


def test_the_fingerprint_is_of_the_content_not_of_place_or_time(corpus, root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "elsewhere")
    moved = open_corpus(copy, cache=tmp_path / "c", progress=False)
    assert moved.fingerprint == corpus.fingerprint
    bass = copy / "test/Band - test 0/bass.wav"
    samples = bytearray(bass.read_bytes())
    samples[-1] ^= 1
    bass.write_bytes(samples)
    assert open_corpus(copy, cache=tmp_path / "c", progress=False).fingerprint != corpus.fingerprint


def test_two_corpora_of_one_name_do_not_share_a_cache(tmp_path):
    first, second = wav_corpus(tmp_path / "a/songs"), wav_corpus(tmp_path / "b/songs", n_train=1)
    caches = {open_corpus(root, cache=tmp_path / "c", progress=False).cache for root in (first, second)}
    assert len(caches) == 2


def test_any_number_of_jobs_gives_the_same(tmp_path, corpus, root):
    for jobs in (1, 3):
        again = open_corpus(root, cache=tmp_path / str(jobs), jobs=jobs, progress=False)
        assert again.fingerprint == corpus.fingerprint
        for one, other in zip(again.tracks, corpus.tracks, strict=True):
            np.testing.assert_array_equal(one.waveforms, other.waveforms)
    with pytest.raises(ValueError, match="0 jobs prepare nothing; choose 1 or more"):
        open_corpus(root, cache=tmp_path / "1", jobs=0, progress=False)


def test_the_default_cache_can_be_named_in_the_environment(root, tmp_path, monkeypatch):
    monkeypatch.setenv("DANN_CACHE", str(tmp_path / "there"))
    assert open_corpus(root, progress=False).cache.parent == tmp_path / "there"
    monkeypatch.delenv("DANN_CACHE")
    monkeypatch.setenv("DANN_DATA", str(tmp_path / "data"))
    assert open_corpus(root, progress=False).cache.parent == tmp_path / "data/cache"


def test_the_excerpts_are_found_at_musdb_path(root, tmp_path, monkeypatch):
    monkeypatch.setenv("MUSDB_PATH", str(root))
    monkeypatch.setenv("DANN_DATA", str(tmp_path))
    assert open_corpus("musdb18-7", progress=False).root == root
    monkeypatch.delenv("MUSDB_PATH")
    with pytest.raises(CorpusError, match=r"MUSDB_PATH is not set.*download"):
        open_corpus("musdb18-7", progress=False)
    shutil.copytree(root, tmp_path / "musdb18-7")
    assert open_corpus("musdb18-7", progress=False).root == tmp_path / "musdb18-7"


@pytest.mark.slow
def test_opening_a_corpus_of_10_hours_keeps_nothing_but_its_index_in_memory(tmp_path):
    """60 songs of 10 minutes: 6.35 GB of waveforms, in sparse files that take no room on the disk."""
    folder, root = _simulated_corpus(tmp_path, n_songs=60, seconds=600)
    code = """
import sys, psutil, numpy as np
from dann_lib.corpus import open_corpus
open_corpus(sys.argv[1], cache=sys.argv[2])
before = psutil.Process().memory_info().rss
corpus = open_corpus(sys.argv[1], cache=sys.argv[2])
highest, total = 0, 0.0
for track in corpus.tracks:
    total += float(track.waveforms[:, 900_000:990_112].sum())
    highest = max(highest, psutil.Process().memory_info().rss)
hours = sum(track.seconds for track in corpus.tracks) / 3600
print(hours, (highest - before) / 2**20, total)
"""
    pytest.importorskip("psutil")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code, root, folder.parent], capture_output=True, text=True,
                          env=environment, check=False)
    assert done.returncode == 0, done.stderr
    hours, megabytes, _ = map(float, done.stdout.split())
    assert hours == pytest.approx(10.0)
    assert megabytes < 30


def test_preparing_holds_the_result_in_memory_and_not_the_song(tmp_path):
    """A WAV song of 2 minutes is 212 MB as float; what is prepared of it is 21 MB."""
    import tracemalloc

    folder = tmp_path / "r/train/Long"
    folder.mkdir(parents=True)
    n_samples = 120 * 44_100
    for signal in report.SIGNALS:  # sparse: a header and a hole
        soundfile.write(folder / f"{signal}.wav", np.zeros((1, 2)), 44_100, subtype="PCM_16")
        with open(folder / f"{signal}.wav", "r+b") as file:
            file.seek(4)
            file.write((36 + 4 * n_samples).to_bytes(4, "little"))
            file.seek(40)
            file.write((4 * n_samples).to_bytes(4, "little"))
            file.truncate(44 + 4 * n_samples)
    tracemalloc.start()
    try:
        corpus = open_corpus(tmp_path / "r", cache=tmp_path / "c", progress=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert corpus.tracks[0].seconds == 120
    assert peak < 135e6


def _simulated_corpus(tmp_path: Path, n_songs: int, seconds: int) -> tuple[Path, Path]:
    """Make a corpus of tiny files whose prepared cache claims and has long songs; return cache and root."""
    root = tmp_path / "songs"
    one = write_wav_song(root / "train/Song 000", signals(0.01))
    for number in range(1, n_songs):
        subset = "train" if number < 2 * n_songs // 3 else "test"
        shutil.copytree(one, root / subset / f"Song {number:03}")
    corpus = open_corpus(root, cache=tmp_path / "cache", progress=False)
    n_samples = seconds * report.SAMPLE_RATE
    for track in corpus.tracks:
        known = json.loads(track.prepared.with_suffix(".json").read_text())
        with open(track.prepared, "wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (5, n_samples)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + 20 * n_samples)
            known.update(n_samples=n_samples, n_bytes=file.tell() + 20 * n_samples, record=None)
        track.prepared.with_suffix(".json").write_text(json.dumps(known))
    return corpus.cache, root


def test_the_embedded_corpus_opens_by_name(synthetic_root, tmp_path):
    corpus = open_corpus("synthetic", cache=tmp_path, progress=False)
    assert corpus.kind == "synthetic"
    assert corpus.root == synthetic_root.resolve()
    assert len(corpus.select("train+valid")) >= 16
    assert len(corpus.select("test")) >= 8
    assert len(corpus.select("valid")) >= 1
    assert all({"genre", "n_instruments"} <= set(track.metadata) for track in corpus.tracks)
    assert all(track.seconds > 10.3 for track in corpus.tracks)
    assert is_intact(corpus)


def test_real_songs_equal_musdb_mean_and_resampled(musdb_path, tmp_path):
    few = _some_real_songs(musdb_path, tmp_path / "few")
    corpus = open_corpus(few, cache=tmp_path / "c", progress=False)
    musdb = import_musdb().DB(root=str(few), is_wav=corpus.kind != "stems")
    assert [track.name for track in corpus.tracks] == [track.name for track in musdb]
    for track, original in zip(corpus.tracks, musdb, strict=True):
        for signal in report.SIGNALS:
            stereo = original.audio if signal == "mixture" else original.sources[signal].audio
            np.testing.assert_allclose(track.read(signal), stereo, atol=1e-6)
            expected = soxr.resample(stereo.mean(axis=1), original.rate, 8820)
            np.testing.assert_allclose(track.signal(signal), expected, atol=2e-6)


def test_real_songs_have_the_fixed_validation_split(musdb_path, tmp_path):
    few = _some_real_songs(musdb_path, tmp_path / "few", names=(VALIDATION, "ANiMAL - Rockshow"))
    corpus = open_corpus(few, cache=tmp_path / "c", progress=False)
    musdb = import_musdb().DB(root=str(few), is_wav=corpus.kind != "stems", subsets="train", split="valid")
    assert [track.name for track in corpus.select("valid")] == [track.name for track in musdb]


def _some_real_songs(musdb_path: Path, root: Path, names: tuple[str, ...] = ()) -> Path:
    """Make a corpus of links to a few real songs."""
    for subset in ("train", "test"):
        songs = sorted(path for path in (musdb_path / subset).iterdir() if not path.name.startswith("."))
        named = [path for path in songs if path.name.removesuffix(".stem.mp4") in names]
        (root / subset).mkdir(parents=True)
        for path in named + songs[:1]:
            if not (root / subset / path.name).exists():
                (root / subset / path.name).symlink_to(path)
    return root
