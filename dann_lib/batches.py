"""Batches of chunks for training (report, II.b), as they are or remixed.

All draws follow from the seed and the epoch alone, and each process of a distributed run takes its share
of the same global batch. So a run can be resumed, or spread over processes, and sees the same chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soxr
import torch
from torch import Tensor

from dann_lib import report, spectrogram
from dann_lib.config import TrainingConfig
from dann_lib.errors import CorpusError

if TYPE_CHECKING:
    from dann_lib.corpus import Track

REMIX_DB = 6.0
"""Levels of remixed sources vary by up to so many dB either way."""

SPEED_OCTAVES = 0.1
"""Speeds of remixed sources, and with them their pitch, vary by up to so many octaves either way: 7 %."""

FADE_S = 0.01
"""Of songs that are shorter than a chunk, so that their end can meet their beginning."""


class Batch(NamedTuple):
    """The share that a process has of a batch of chunks."""

    waveforms: Tensor  # (batch, signal, sample): mixture, then sources, with the context of the STFT
    n_global: int  # chunks of this batch over all processes


def pretreat(waveforms: Tensor, gain: float) -> tuple[Tensor, Tensor]:
    """Gain and STFT (report, II.b), on the device where the waveforms are.

    Args:
        waveforms: `(batch, signal, sample)`, the mixture first.
        gain: factor on the waveforms.

    Returns:
        The mixture `(batch, part, freq, frame)` and the sources `(batch, source, part, freq, frame)`.
    """
    planes = spectrogram.frames(waveforms * gain)  # (batch, signal, part, freq, frame)
    return planes[:, 0], planes[:, 1:]


class Chunks:
    """The chunks of some songs.

    What is left at the end of a song beyond its last whole chunk is not used, as in the report, whose
    2191 spectrograms all have 88 frames. Where every song is shorter than a chunk, the longest song is
    the chunk, since frames of zeros teach nothing.

    Args:
        tracks: songs with `n_samples`, `waveforms` and the names of its `signals`.
        n_chunk_frames: frames per chunk.
        sources: which of the stems are given, in this order.

    Raises:
        CorpusError: if there are no songs, or none has one of the sources.
    """

    def __init__(
        self, tracks: Sequence[Track], n_chunk_frames: int = report.N_FRAMES, sources: Sequence[str] = report.SOURCES
    ) -> None:
        if not tracks:
            raise CorpusError("there are no songs to cut into chunks; choose a subset that has some")
        self.tracks, self.sources = tuple(tracks), tuple(sources)
        stems = dict.fromkeys(stem for track in tracks for stem in track.signals[1:])
        self.with_stem = {stem: [track for track in tracks if stem in track.signals] for stem in stems}
        if missing := [source for source in sources if source not in stems]:
            raise CorpusError(f"the songs have no {', '.join(missing)}; choose among {', '.join(stems)}")
        lengths = [spectrogram.n_frames(track.n_samples) for track in tracks]
        self.n_chunk_frames = min(n_chunk_frames, max(lengths))
        self.places = [
            (song, start * self.n_chunk_frames)
            for song, length in enumerate(lengths)
            for start in range(max(1, length // self.n_chunk_frames))
        ]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def n_chunk_samples(self) -> int:
        """Samples of a chunk, with the context of the STFT."""
        return (self.n_chunk_frames - 1) * report.HOP + report.N_FFT

    def in_order(self, config: TrainingConfig, rank: int = 0, n_processes: int = 1) -> Iterator[Batch]:
        """Every chunk once, in order: the pass that computes a loss without learning."""
        for first in range(0, len(self), config.batch_size):
            chosen = range(first, min(first + config.batch_size, len(self)))
            mine = [self._as_it_is(index) for index in chosen[rank::n_processes]]
            yield self._batch(mine, len(chosen))

    def at_random(
        self, config: TrainingConfig, epoch: int, rank: int = 0, n_processes: int = 1
    ) -> Iterator[Batch]:
        """One epoch: every chunk once in random order, or as many remixed ones (report, II.b).

        The seed and the number of the epoch decide every draw. Process `rank` gets its share of each batch.
        """
        random = np.random.default_rng((config.seed, epoch))
        order = random.permutation(len(self))
        for first in range(0, len(self), config.batch_size):
            chosen = order[first : first + config.batch_size]
            draws = random.integers(2**63, size=len(chosen))
            mine = [
                self._remixed(np.random.default_rng(draw)) if config.remix else self._as_it_is(index)
                for index, draw in list(zip(chosen, draws, strict=True))[rank::n_processes]
            ]
            yield self._batch(mine, len(chosen))

    def _as_it_is(self, index: int) -> np.ndarray:
        """Mixture and sources of one chunk, `(signal, sample)`."""
        song, frame = self.places[index]
        track = self.tracks[song]
        rows = [0, *(track.signals.index(source) for source in self.sources)]
        return spectrogram.chunk_samples(track.waveforms, frame, self.n_chunk_frames)[rows]

    def _remixed(self, random: np.random.Generator) -> np.ndarray:
        """A chunk whose stems come from different songs, places and levels: mixture and sources `(signal, sample)`."""
        stems = {}
        for stem, tracks in self.with_stem.items():
            track = tracks[random.integers(len(tracks))]
            piece = _varied(track.waveforms[track.signals.index(stem)], self.n_chunk_samples, random)
            level = 10 ** (random.uniform(-REMIX_DB, REMIX_DB) / 20)
            stems[stem] = piece * np.float32(level * random.choice((-1, 1)))
        return np.stack((np.sum(list(stems.values()), axis=0), *(stems[source] for source in self.sources)))

    def _batch(self, pieces: list[np.ndarray], n_global: int) -> Batch:
        if not pieces:  # more processes than chunks: silence adds neither to the loss nor to the gradients
            pieces = [np.zeros((1 + len(self.sources), self.n_chunk_samples), dtype=np.float32)]
        return Batch(torch.from_numpy(np.stack(pieces)), n_global)


def _varied(waveform: np.ndarray, n_samples: int, random: np.random.Generator) -> np.ndarray:
    """A piece of a waveform `(sample,)` from a random place at a random speed, `(n_samples,)`.

    A song that is shorter than that begins anywhere, and goes on at its beginning.
    """
    speed = 2 ** random.uniform(-SPEED_OCTAVES, SPEED_OCTAVES)
    needed = int(np.ceil(n_samples * speed)) + 1
    if len(waveform) > needed:
        start = int(random.integers(len(waveform) - needed))
        piece = np.array(waveform[start : start + needed])
    else:
        fade = np.minimum(1.0, np.arange(len(waveform)) / (FADE_S * report.SAMPLE_RATE)).astype(np.float32)
        piece = np.resize(np.roll(waveform * fade * fade[::-1], int(random.integers(len(waveform)))), needed)
    changed = soxr.resample(piece, speed * report.SAMPLE_RATE, report.SAMPLE_RATE)[:n_samples]
    return np.pad(changed, (0, n_samples - len(changed)))
