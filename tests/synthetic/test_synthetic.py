"""The embedded corpus: its files, its balance, and that what is heard is what was composed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile

from dann_lib.audio.ffmpeg import import_musdb
from dann_lib.corpus import open_corpus
from dann_lib.errors import DannError, OutputError
from dann_lib.report import DOWNSAMPLING, HOP, N_FFT, N_FRAMES, SIGNALS, SONG_RATE, STEMS
from dann_lib.synthetic import SONGS, build, compose_entry, compose_song, compose_songs, make_corpus, render
from dann_lib.synthetic.duets import render_duet
from dann_lib.synthetic.harmony import parse_numeral, voice_chords
from dann_lib.synthetic.render import write_song
from dann_lib.synthetic.rhythm_section import DRUM_KEYS, TOMS
from dann_lib.synthetic.score import APART, DUETS, PLACES

GENRES = ("rock", "pop", "metal", "electro")


def read(root: Path, entry, signal: str) -> np.ndarray:
    return soundfile.read(root / entry.folder / f"{signal}.wav", dtype="int16", always_2d=True)[0].astype(np.int32)


def level_db(wave: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(wave, dtype=float)) + 1e-12))


@pytest.fixture(scope="module")
def rendered(synthetic_root):
    """One song of the corpus per genre: as it was composed, and its stems `(sample, channel)`."""
    return [(compose_entry(entry), {stem: read(synthetic_root, entry, stem) / 32768 for stem in STEMS})
            for entry in SONGS[1:16:4]]


# The corpus on the disk


def test_the_layout_is_that_of_musdb18_hq_in_less_than_250_mb(synthetic_root):
    assert sorted(path.name for path in synthetic_root.iterdir()) == ["corpus.json", "metadata.csv", "test", "train"]
    assert [len(list((synthetic_root / folder).iterdir())) for folder in ("train", "test")] == [16, 8]
    for entry in SONGS:
        assert {path.name for path in (synthetic_root / entry.folder).iterdir()} == {f"{s}.wav" for s in SIGNALS}
    assert sum(path.stat().st_size for path in synthetic_root.rglob("*") if path.is_file()) < 250e6


def test_every_song_is_16_bit_stereo_at_44100_hz_and_longer_than_one_chunk(synthetic_root):
    chunk = N_FFT + (N_FRAMES - 1) * HOP
    for entry in SONGS:
        infos = [soundfile.info(synthetic_root / entry.folder / f"{signal}.wav") for signal in SIGNALS]
        assert {(info.samplerate, info.channels, info.subtype) for info in infos} == {(SONG_RATE, 2, "PCM_16")}
        assert len({info.frames for info in infos}) == 1
        assert 10.4 <= infos[0].duration <= 11.2
        assert infos[0].frames // DOWNSAMPLING >= chunk


def test_the_mixture_is_the_exact_sum_of_its_stems_and_nothing_clips(synthetic_root):
    for entry in SONGS:
        mixture = read(synthetic_root, entry, "mixture")
        stems = [read(synthetic_root, entry, stem) for stem in STEMS]
        np.testing.assert_array_equal(mixture, sum(stems))
        peak = max(np.abs(signal).max() for signal in (mixture, *stems)) / 32768
        assert 20 * np.log10(peak) == pytest.approx(-1.0, abs=0.01)


def test_the_stems_are_balanced_like_a_record_and_sound_in_most_of_the_song(synthetic_root):
    for entry in SONGS:
        waves = {signal: read(synthetic_root, entry, signal) / 32768 for signal in SIGNALS}
        levels = {signal: level_db(wave) for signal, wave in waves.items()}
        relative = {stem: levels[stem] - levels["mixture"] for stem in STEMS}
        assert -20 < levels["mixture"] < -13
        assert abs(relative["vocals"] - relative["drums"]) < 4
        assert all(-10 < value < -3 for value in relative.values()), (entry.name, relative)
        # As composed, which depends on genre and seed alone: more instruments do not make `other` louder.
        composed = compose_entry(entry).levels_db
        assert {stem: levels[stem] - levels["vocals"] for stem in STEMS} == pytest.approx(composed, abs=0.02)
        for stem in STEMS:
            blocks = waves[stem][: len(waves[stem]) // 4410 * 4410].reshape(-1, 8820)
            sounding = np.mean(10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12) > levels[stem] - 35)
            assert sounding > (0.65 if stem == "vocals" else 0.8), (entry.name, stem)
            assert sounding < 1.0 or stem != "vocals", f"{entry.name}: the singer rests"


def test_a_song_written_again_is_bit_identical(synthetic_root, tmp_path):
    entry = SONGS[12]
    write_song(tmp_path, compose_entry(entry))
    for signal in SIGNALS:
        again = (tmp_path / f"{signal}.wav").read_bytes()
        assert again == (synthetic_root / entry.folder / f"{signal}.wav").read_bytes(), signal


def test_musdb_reads_it(synthetic_root):
    tracks = import_musdb().DB(root=str(synthetic_root), is_wav=True, subsets="test")
    assert [track.name for track in tracks] == sorted(entry.name for entry in SONGS if entry.split == "test")
    track = tracks[0]
    stems = sum(track.targets[stem].audio for stem in STEMS)
    frames = soundfile.info(synthetic_root / "test" / track.name / "mixture.wav").frames
    assert track.audio.shape == (frames, 2)
    np.testing.assert_allclose(track.audio, stems, atol=1e-6)


# The table


def test_the_table_agrees_with_the_songs(synthetic_root):
    table = pd.read_csv(synthetic_root / "metadata.csv")
    assert list(table.columns) == ["name", "split", "genre", "n_instruments", "instruments", "tempo_bpm", "key",
                                   "seed", "seconds"]
    for entry, row in zip(SONGS, table.itertuples(), strict=True):
        song = compose_entry(entry)
        assert (row.name, row.split, row.genre) == (entry.name, entry.split, entry.genre)
        assert row.instruments.split("; ") == list(song.instruments)
        assert row.n_instruments == entry.n_instruments == len(set(song.instruments))
        frames = soundfile.info(synthetic_root / entry.folder / "mixture.wav").frames
        assert row.seconds == pytest.approx(frames / SONG_RATE, abs=2e-3)
        assert row.tempo_bpm == song.tempo_bpm


def test_genres_and_instruments_are_balanced_over_the_splits(synthetic_root):
    table = pd.read_csv(synthetic_root / "metadata.csv")
    counts = table.groupby(["genre", "split"]).size().unstack()
    assert set(counts.index) == set(GENRES)
    assert (counts["train"] == 3).all() and (counts["valid"] == 1).all() and (counts["test"] == 2).all()
    folder = table["split"].replace("valid", "train")
    assert (table.groupby(["genre", folder])["n_instruments"].mean() == 6).all()
    assert sorted(table[table["split"] == "valid"]["n_instruments"]) == [4, 5, 7, 8]


def test_names_are_unique_and_no_band_plays_in_two_splits():
    names = [entry.name for entry in SONGS]
    bands = [name.split(" - ")[0] for name in names]
    assert len(set(names)) == len(set(bands)) == 24


# Composing


@pytest.mark.parametrize("genre", GENRES)
def test_more_instruments_change_nothing_else(genre):
    few, many = (compose_song(genre, count, seed=5) for count in (4, 8))
    assert (few.n_instruments, many.n_instruments) == (4, 8)
    assert replace(many, parts=many.parts[: len(few.parts)], name=few.name) == few


def test_seeds_and_genres_give_different_songs():
    melodies = {compose_song(genre, 4, seed).melody for genre in GENRES for seed in range(5)}
    assert len(melodies) == 20
    assert compose_song("rock", 6, 3) == compose_song("rock", 6, 3)


def test_every_song_has_the_promised_length_and_parts_that_play():
    for genre, seed in product(GENRES, range(12)):
        song = compose_song(genre, 8, seed)
        assert 10.4 <= song.seconds <= 11.2
        assert [part.stem for part in song.parts] == ["drums", "bass", *["other"] * 5]
        assert all(len(part.notes) > 4 for part in song.parts)
        assert sum(chord.beats for chord in song.chords) == song.bars * 4


@pytest.mark.parametrize(("arguments", "words"), [(("jazz", 5, 0), "rock, pop, metal, electro"),
                                                  (("rock", 3, 0), "4 to 8"), (("rock", 9, 0), "4 to 8")])
def test_unknown_genres_and_impossible_ensembles_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        compose_song(*arguments)


def test_numerals_are_read_as_musicians_read_them():
    read = {numeral: parse_numeral(numeral) for numeral in ("vi", "bVII", "V7", "bII5")}
    assert read == {"vi": (9, (0, 3, 7)), "bVII": (10, (0, 4, 7)), "V7": (7, (0, 4, 7, 10)), "bII5": (1, (0, 7))}
    with pytest.raises(ValueError, match="Roman numeral"):
        parse_numeral("IX")


def test_voice_leading_moves_each_voice_by_a_third_on_average_at_most():
    for entry in SONGS:
        chords = compose_entry(entry).chords
        voicings = voice_chords(chords, 62, 4)
        for chord, voicing in zip(chords, voicings, strict=True):
            assert {pitch % 12 for pitch in voicing} == chord.pitch_classes
        moves = [np.abs(np.subtract(a, b)).mean() for a, b in pairwise(voicings) if len(a) == len(b)]
        assert np.mean(moves) <= 4.0, entry.name


def test_bass_notes_belong_to_the_chord_or_the_scale_and_lie_low():
    for entry in SONGS:
        song = compose_entry(entry)
        for note in song.parts[1].notes:
            allowed = song.scale | song.chord_at(note.start + 0.1).pitch_classes
            assert note.pitch % 12 in allowed, entry.name
            assert 28 <= note.pitch <= 55


def test_drums_keep_to_the_grid_of_sixteenths_with_dynamics_and_fills():
    for entry in SONGS:
        song = compose_entry(entry)
        starts = np.array([note.start for note in song.parts[0].notes])
        off_grid = np.abs(starts * 4 - np.round(starts * 4)) / 4 * 60 / song.tempo_bpm
        assert off_grid.max() <= 0.02
        velocities = [note.velocity for note in song.parts[0].notes]
        assert np.std(velocities) > 8
        chorus = song.sections[-1].start_bar * 4
        toms_or_snares = [n for n in song.parts[0].notes if chorus - 1.1 < n.start < chorus - 0.1
                          and n.pitch in (DRUM_KEYS["snare"], *TOMS)]
        assert len(toms_or_snares) >= 2, "a fill leads into the chorus"


def test_the_singer_keeps_to_chord_tones_on_long_notes_and_to_the_range():
    for entry in SONGS:
        song = compose_entry(entry)
        for note, following in zip(song.melody, [*song.melody[1:], None], strict=True):
            assert song.voice.low <= note.pitch <= song.voice.high
            assert following is None or note.start + note.beats <= following.start + 1e-6
            if note.beats >= 1.0:
                assert note.pitch % 12 in song.chord_at(note.start).pitch_classes


# Rendering: what is heard is what was composed


def test_the_sung_pitch_follows_the_melody(rendered):
    for song, signals in rendered:
        mono = librosa.resample(signals["vocals"].mean(axis=1), orig_sr=SONG_RATE, target_sr=11025)
        tracked = librosa.yin(mono, fmin=70, fmax=900, sr=11025, frame_length=1024, hop_length=256)
        time = np.arange(len(tracked)) * 256 / 11025
        errors = []
        for note in song.melody:
            start, end = song.to_seconds(note.start) + 0.07, song.to_seconds(note.start + note.beats) - 0.06
            heard = tracked[(time > start) & (time < end)]
            if np.isfinite(heard).any():
                errors.append(1200 * np.log2(np.nanmedian(heard) / librosa.midi_to_hz(note.pitch)))
        assert len(errors) > 0.8 * len(song.melody)
        assert np.median(np.abs(errors)) < 25, song.genre
        assert np.mean(np.abs(errors) < 50) > 0.75, song.genre


def test_drum_strokes_are_heard_on_the_grid(rendered):
    for song, signals in rendered:
        onsets = librosa.onset.onset_detect(y=signals["drums"].mean(axis=1), sr=SONG_RATE, hop_length=256,
                                            backtrack=False, units="time")
        step = song.to_seconds(0.25)
        # The onset function's peak lies a little after the stroke.
        distance = np.abs((onsets - 0.012) / step - np.round((onsets - 0.012) / step)) * step
        assert len(onsets) > 12
        assert np.mean(distance < 0.025) > 0.9, song.genre


def test_the_bass_sounds_at_the_written_pitch(rendered):
    for song, signals in rendered:
        note = max(song.parts[1].notes, key=lambda note: note.beats)
        start, end = song.to_seconds(note.start) + 0.03, song.to_seconds(note.start + note.beats)
        mono = signals["bass"].mean(axis=1)[int(start * SONG_RATE) : int(end * SONG_RATE)]
        spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), 2**19))
        frequency = np.arange(len(spectrum)) * SONG_RATE / 2**19
        expected = librosa.midi_to_hz(note.pitch)
        near = (frequency > expected * 0.94) & (frequency < expected * 1.06)
        found = frequency[near][spectrum[near].argmax()]
        # A tone of 0.2 s at 60 Hz is known to half a semitone, no better.
        assert abs(1200 * np.log2(found / expected)) < 50, song.genre
        assert spectrum[near].max() > 0.1 * spectrum.max(), song.genre


def test_bass_lies_low_and_drums_are_broad(rendered):
    for song, signals in rendered:
        power = {stem: np.abs(np.fft.rfft(signals[stem].mean(axis=1), 2**19)) ** 2 for stem in ("bass", "drums")}
        frequency = np.fft.rfftfreq(2**19, 1 / SONG_RATE)
        assert power["bass"][frequency < 300].sum() > 0.8 * power["bass"].sum(), song.genre
        assert power["drums"][frequency > 4000].sum() > 0.01 * power["drums"].sum(), song.genre
        assert power["drums"][frequency < 150].sum() > 0.1 * power["drums"].sum(), song.genre


def test_the_accompaniment_plays_the_chords(rendered):
    for song, signals in rendered:
        chroma = librosa.feature.chroma_cqt(y=signals["other"].mean(axis=1), sr=SONG_RATE, hop_length=1024)
        time = np.arange(chroma.shape[1]) * 1024 / SONG_RATE
        right = []
        for chord in song.chords:
            start, end = song.to_seconds(chord.start), song.to_seconds(chord.start + chord.beats)
            heard = chroma[:, (time > start + 0.1) & (time < end)].mean(axis=1)
            inside = sorted(chord.pitch_classes)
            outside = sorted(set(range(12)) - chord.pitch_classes)
            right.append(heard[inside].mean() > 1.5 * heard[outside].mean())
        assert np.mean(right) >= 0.8, song.genre


# Making the corpus


@pytest.fixture
def two_songs(monkeypatch):
    """A corpus of two songs, made in this process; their files hold the seed of the song and no sound."""
    monkeypatch.setattr(build, "SONGS", SONGS[:2])
    monkeypatch.setattr(render, "write_song", write_seed)


def write_seed(folder: Path, song, *_) -> None:
    folder.mkdir(parents=True)
    for signal in SIGNALS:
        (folder / f"{signal}.wav").write_text(f"{song.seed:5000}")


def remains(folder: Path) -> list[str]:
    """What lies in a folder beside locks."""
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def make(root: Path, seed: int = 0) -> Path:
    return make_corpus(root, seed, progress=False, jobs=1)


def test_a_complete_corpus_is_left_alone_and_a_damaged_one_is_made_again(two_songs, tmp_path):
    root = make(tmp_path / "songs")
    path = root / SONGS[0].folder / "bass.wav"
    content, made_at = path.read_bytes(), path.stat().st_mtime_ns
    make(root)
    assert path.stat().st_mtime_ns == made_at
    path.write_bytes(content[:1000])
    assert not build.is_complete(root)
    make(root)
    assert path.read_bytes() == content
    (root / SONGS[1].folder / "mixture.wav").unlink()
    assert build.is_complete(make(root))
    (stamp := root / build._STAMP).unlink()
    os.mkfifo(stamp)
    assert not build.is_complete(root)
    assert remains(tmp_path) == ["songs"]


def test_an_interruption_keeps_the_old_corpus_and_leaves_no_half_one(two_songs, tmp_path, monkeypatch):
    root = make(tmp_path / "songs")

    def interrupted(folder: Path, song, *_) -> None:
        write_seed(folder, song)
        if song.name == SONGS[1].name:
            raise KeyboardInterrupt

    monkeypatch.setattr(render, "write_song", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(root, seed=1)
    assert build.is_complete(root, seed=0)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "others")
    assert remains(tmp_path) == ["songs"]


def test_two_processes_at_once_make_one_corpus(tmp_path):
    script = (
        "import sys; from pathlib import Path; from dann_lib.synthetic import build; build.SONGS = build.SONGS[8:9]; "
        "root = build.make_corpus(Path(sys.argv[1]), progress=False, jobs=1); assert build.is_complete(root)"
    )
    root = tmp_path / "songs"
    runs = [subprocess.Popen([sys.executable, "-c", script, str(root)]) for _ in range(2)]
    assert [run.wait(timeout=600) for run in runs] == [0, 0]
    assert remains(tmp_path) == ["songs"]


def test_a_full_disk_is_one_clear_sentence(two_songs, tmp_path, monkeypatch):
    def full(folder: Path, song, *_) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(render, "write_song", full)
    with pytest.raises(OutputError, match="disk is full"):
        make(tmp_path / "songs")
    assert remains(tmp_path) == []


def test_too_little_space_is_said_before_the_work_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(build.shutil, "disk_usage", lambda path: build.shutil._ntuple_diskusage(10, 9, 1_000_000))
    with pytest.raises(OutputError, match="1 MB are free"):
        make(tmp_path / "songs")


def test_a_folder_with_other_files_and_a_path_through_a_file_are_refused(tmp_path):
    precious = tmp_path / "train" / "My Band - My Song"
    precious.mkdir(parents=True)
    with pytest.raises(OutputError, match="My Band"):
        make(tmp_path)
    assert precious.is_dir()
    (tmp_path / "file").write_text("no folder")
    for root in (tmp_path / "file", tmp_path / "file" / "songs"):
        with pytest.raises(DannError, match="choose another"):
            make(root)


@pytest.mark.parametrize("kind", DUETS)
def test_a_duet_has_two_melodies_of_the_same_type_at_the_same_time(kind):
    duet, again = render_duet(kind, "pop", 3), render_duet(kind, "pop", 3)
    first, second = (duet[place][:, 0].astype(float) for place in PLACES)
    np.testing.assert_array_equal(duet["mixture"], again["mixture"])
    np.testing.assert_allclose(duet["mixture"][:, 0], first + second, atol=1e-6)
    assert np.abs(duet["mixture"]).max() < 1
    assert first.std() == pytest.approx(second.std(), rel=1e-3), "equally loud"
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.5, "different melodies"
    blocks = [(wave[: len(wave) // 4410 * 4410].reshape(-1, 4410) ** 2).mean(axis=1) for wave in (first, second)]
    sounding = [block > 1e-3 * block.max() for block in blocks]
    assert (sounding[0] & sounding[1]).mean() > 0.5


def test_composed_songs_with_instruments_apart_are_a_corpus_and_add_up(tmp_path):
    compose_songs(tmp_path / "band/train", 2, 9000, apart=True, progress=False)
    corpus = open_corpus(tmp_path / "band", cache=tmp_path / "cache", progress=False)
    assert [track.name for track in corpus.tracks] == ["pop 4 9001", "rock 4 9000"]
    for track in corpus.tracks:
        signals = {signal: track.read(signal) for signal in track.signals}
        assert set(signals) == {"mixture", *APART}
        np.testing.assert_array_equal(signals["mixture"], sum(signals[stem] for stem in APART))
    assert signals["guitar"].any() and not signals["other"].any(), "rock has no strings"
