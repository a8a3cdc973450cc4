"""Small corpora in the layouts of MUSDB18 and MUSDB18-HQ, for the tests."""

from __future__ import annotations

import json
import subprocess
import zlib
from pathlib import Path

import numpy as np
import soundfile

from dann_lib import report
from dann_lib.audio.ffmpeg import ensure_ffmpeg
from dann_lib.audio.reading import STREAMS
from dann_lib.corpus import Corpus

HZ = {"vocals": 880.0, "drums": 2500.0, "bass": 80.0, "other": 440.0}


def signals(
    seconds: float = 0.5, rate_hz: int = report.SONG_RATE, n_channels: int = 2, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return a tone and some noise for each stem, and their sum: arrays `(sample, channel)`, float32."""
    random = np.random.default_rng(seed)
    n_samples = round(seconds * rate_hz)
    time = np.arange(n_samples)[:, None] / rate_hz
    levels = random.uniform(0.05, 0.2, (4, n_channels))
    stems = {
        stem: (level * np.sin(2 * np.pi * hz * time) + 0.01 * random.standard_normal((n_samples, n_channels)))
        for (stem, hz), level in zip(HZ.items(), levels, strict=True)
    }
    songs = {"mixture": sum(stems.values()), **stems}
    return {name: samples.astype(np.float32) for name, samples in songs.items()}


def write_wav_song(folder: Path, audio: dict[str, np.ndarray], rate_hz: int = report.SONG_RATE) -> Path:
    """Write a song as MUSDB18-HQ stores it, with float samples."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, samples in audio.items():
        soundfile.write(folder / f"{name}.wav", samples, rate_hz, subtype="FLOAT")
    return folder


def write_stem_file(path: Path, audio: dict[str, np.ndarray], rate_hz: int = report.SONG_RATE) -> Path:
    """Write a song as MUSDB18 stores it: five AAC streams in one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [ensure_ffmpeg(), "-nostdin", "-v", "error", "-y"]
    wavs = write_wav_song(path.parent / f".{path.name}", audio, rate_hz)
    for stream in STREAMS:
        command += ["-i", str(wavs / f"{stream}.wav")]
    for index in range(len(STREAMS)):
        command += ["-map", f"{index}:a"]
    subprocess.run([*command, "-c:a", "aac", "-b:a", "256k", "-f", "mp4", str(path)], check=True)
    return path


def wav_corpus(root: Path, n_train: int = 2, n_test: int = 1, **options: float) -> Path:
    """Write a corpus of short songs in MUSDB18-HQ's layout."""
    for subset, count in (("train", n_train), ("test", n_test)):
        for number in range(count):
            audio = signals(seed=number + 100 * (subset == "test"), **options)
            write_wav_song(root / subset / f"Band - {subset} {number}", audio)
    return root


def is_intact(corpus: Corpus) -> bool:
    """Whether every prepared file of a corpus is what was written."""
    known = {track: json.loads(track.prepared.with_suffix(".json").read_text()) for track in corpus.tracks}
    return all(zlib.crc32(track.prepared.read_bytes()) == known[track]["checksum"] for track in known)
