"""A corpus small enough to train on in a test: sources that differ in frequency, two seconds each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dann_lib import report

HZ = {"vocals": 900.0, "drums": 2500.0, "bass": 90.0, "other": 1700.0}


@dataclass(frozen=True)
class TinyTrack:
    name: str
    split: str
    waveforms: np.ndarray
    signals: tuple[str, ...] = report.SIGNALS

    @property
    def n_samples(self) -> int:
        return self.waveforms.shape[-1]


@dataclass(frozen=True)
class TinyCorpus:
    tracks: tuple[TinyTrack, ...]
    fingerprint: str = "tiny"

    def select(self, subset: str) -> tuple[TinyTrack, ...]:
        return tuple(track for track in self.tracks if track.split in subset.split("+"))


def tiny_track(seed: int, split: str, seconds: float = 2.2) -> TinyTrack:
    """Four amplitude-modulated tones and their sum, `(signal, sample)`."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * report.SAMPLE_RATE)) / report.SAMPLE_RATE
    stems = []
    for stem in report.STEMS:
        beat = 0.5 + 0.5 * np.sin(2 * np.pi * random.uniform(0.5, 3) * time + random.uniform(0, 6))
        tone = np.sin(2 * np.pi * HZ[stem] * random.uniform(0.9, 1.1) * time + random.uniform(0, 6))
        stems.append(0.2 * beat * tone)
    return TinyTrack(f"song {seed}", split, np.stack((np.sum(stems, axis=0), *stems)).astype(np.float32))


def tiny_corpus(n_train: int = 5, n_test: int = 3, seconds: float = 2.2) -> TinyCorpus:
    splits = ["train"] * n_train + ["valid"] * n_test + ["test"] * n_test
    return TinyCorpus(tuple(tiny_track(seed, split, seconds) for seed, split in enumerate(splits)))
