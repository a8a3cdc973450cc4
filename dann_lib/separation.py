"""A whole song through a trained network, as a stream (report, II.b).

The song, resampled to 8.82 kHz, goes through the network chunk by chunk, and comes back at its own rate with its own
channels: the masks are those of the mono mixture. The rest is a stem too, so that all add up; memory does not grow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dann_lib import report, spectrogram
from dann_lib.checkpoint import checksum, load_weights
from dann_lib.config import TrainingConfig
from dann_lib.devices import best_device, check_device, choose_precision, keep_freed_memory, memory_format
from dann_lib.errors import AudioError
from dann_lib.network import SMALLEST, apply_masks

N_THREADS = torch.get_num_threads()
"""Threads that PyTorch computes with, one for each core unless it is told otherwise."""

LOUDEST = 1000.0
"""Times full scale, 60 dB above it; what is beyond, or no number, is no sound."""


@dataclass(frozen=True)
class Separator:
    """A trained network, ready to separate."""

    network: nn.Module  # in evaluation mode
    config: TrainingConfig  # what it was trained with; its gain and chunk length are used here too
    device: torch.device
    precision: str  # "bf16" or "float32"

    @classmethod
    def load(cls, weights: Path, device: str | None = None, precision: str | None = None) -> Separator:
        """Read weights that training has written; device and precision are the best if `None`.

        A `CheckpointError` says that the file is missing, damaged, a pickle, or of another network.
        """
        return cls.of(*load_weights(weights), device, precision)

    @classmethod
    def of(
        cls, network: nn.Module, config: TrainingConfig, device: str | None = None, precision: str | None = None
    ) -> Separator:
        """Make a separator of a network in memory; a `ValueError` says that there is no such device."""
        check_device(device)
        chosen = torch.device(device or best_device())
        keep_freed_memory()
        precision = precision or choose_precision(chosen)
        layout = memory_format(precision, learning=False)
        return cls(network.to(chosen, memory_format=layout).eval(), config, chosen, precision)

    @property
    def stems(self) -> tuple[str, ...]:
        """Of a song: the sources, and the rest, called `other`, or `rest` where `other` is a source."""
        return (*self.config.sources, "rest" if "other" in self.config.sources else "other")

    @property
    def fingerprint(self) -> str:
        """A hash of the weights and the configuration: which separator this is."""
        return checksum(self.network.state_dict(), self.config.to_json())

    def __call__(self, signals: np.ndarray) -> np.ndarray:
        """Estimates `(source, sample)` of `(signal, sample)`, 8.82 kHz, of which only the first is looked at."""
        return self.separate_waveform(signals[0])

    def separate_waveform(self, waveform: np.ndarray) -> np.ndarray:
        """Estimates `(source, [channel,] sample)` of a song `([channel,] sample)` at 8.82 kHz; as `separate_stream`."""
        channels = np.atleast_2d(np.asarray(waveform, dtype=np.float32))
        estimates = np.concatenate([*separate_stream(self, [channels], len(channels))], axis=-1)
        return estimates[:, 0] if np.ndim(waveform) == 1 else estimates

    @torch.inference_mode()
    def separate_spectrogram(self, planes: Tensor, n_before: int = 0) -> Tensor:
        """Mask some chunks of a song.

        What is left at the end is shorter than a chunk. Its masks are computed together with the
        frames before it, since the network has learned from whole chunks.

        `planes` are `(channel, part, freq, frame)`, at the level of the song: whole chunks, then what is
        left. Their first `n_before` frames are there to be seen, and get no estimates, which are
        `(source, channel, part, freq, frame)`.
        """
        mono = planes.mean(dim=0) * self.config.gain        # (part, freq, frame)
        n_frames, length = planes.shape[-1] - n_before, self.config.n_chunk_frames
        n_rest = n_frames % length
        whole = mono[..., n_before : n_before + n_frames - n_rest]
        masks = []                              # each (source, part, freq, frame)
        if n_rest < n_frames:
            chunks = spectrogram.chunk(whole, length)       # (chunk, part, freq, frame)
            masks.append(spectrogram.stitch(self._masks(chunks), n_frames - n_rest))
        if n_rest:
            seen = mono[..., -length:]
            missing = max(0, SMALLEST[1] - seen.shape[-1])  # in a very short song
            last = self._masks(nn.functional.pad(seen, (0, missing))[None])[0]
            masks.append(last[..., : seen.shape[-1]][..., -n_rest:])
        estimates = apply_masks(torch.cat(masks, dim=-1), planes[..., n_before:])
        return estimates.transpose(0, 1)

    def _masks(self, chunks: Tensor) -> Tensor:
        """Masks `(chunk, source, part, freq, frame)` of `(chunk, part, freq, frame)`, as float32."""
        chunks = chunks.contiguous(memory_format=memory_format(self.precision, learning=False))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self.network(chunks).float()


def separate_stream(separator: Separator, pieces: Iterable[np.ndarray], n_channels: int) -> Iterator[np.ndarray]:
    """Separate a song that arrives in pieces `(channel, sample)`, at 8.82 kHz.

    The estimates `(source, channel, sample)`, put together, are what the whole song at once would give. Chunks do not
    depend on each other: on a CPU each core takes the next one and computes it alone, so that none waits for another.
    An `AudioError` says that a sample, or what the network makes of it, is no number or beyond `LOUDEST`.
    """
    n_workers = N_THREADS if separator.device.type == "cpu" else 1
    cut = _Cut(pieces, n_channels, separator.config.n_chunk_frames)
    tail = torch.zeros(len(separator.config.sources), n_channels, report.HOP)
    tail_envelope = torch.zeros(report.HOP, dtype=torch.float64)
    n_done = -spectrogram.PAD
    for added in _in_order(partial(_separate_samples, separator), cut, n_workers):
        final = added.shape[-1] - report.HOP  # what no later frame overlaps
        envelope = spectrogram.window_envelope(final // report.HOP)
        added[..., : report.HOP] += tail
        envelope[: report.HOP] += tail_envelope
        tail, tail_envelope = added[..., final:].clone(), envelope[final:].clone()
        estimates = (added[..., :final] / envelope[:final].float()).numpy()
        yield check_sound(estimates[..., max(0, -n_done) : cut.n_samples - n_done], "what the network gives")
        n_done += final
    rest = (tail / tail_envelope.clamp_min(1e-3).float()).numpy()
    yield rest[..., max(0, -n_done) : max(0, cut.n_samples - n_done)]


def check_sound(samples: np.ndarray, what: str) -> np.ndarray:
    """The samples as they are, or an `AudioError` if one is no number or beyond `LOUDEST`."""
    peak = max(samples.max(initial=0.0), -samples.min(initial=0.0))
    if not peak <= LOUDEST:
        advice = "choose other weights" if "network" in what else "export it again, full scale is 1"
        raise AudioError(f"{what} is no sound: a sample is {peak:.3g}; {advice}")
    return samples


class _Cut:
    """The samples under each chunk of a song, out of pieces of any length.

    They are `(channel, sample)` with the context of the STFT, and come with how many frames at their beginning were
    in the chunk before: none, but where the end of the song is seen together with it.
    """

    def __init__(self, pieces: Iterable[np.ndarray], n_channels: int, n_chunk_frames: int) -> None:
        self.pieces, self.n_chunk_frames = pieces, n_chunk_frames
        self.waiting = np.zeros((n_channels, spectrogram.PAD), dtype=np.float32)
        self.n_samples = 0

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        length = self.n_chunk_frames * report.HOP  # from one chunk to the next
        before = self.waiting[:, :0]
        n_frames = 0
        for piece in self.pieces:
            check_sound(piece, f"the song at {self.n_samples / report.SAMPLE_RATE:.0f} s")
            self.n_samples += piece.shape[-1]
            self.waiting = np.concatenate((self.waiting, piece), axis=-1)
            while self.waiting.shape[-1] >= length + report.N_FFT - report.HOP:
                yield self.waiting[:, : length + report.N_FFT - report.HOP], 0
                before, self.waiting = self.waiting[:, :length], self.waiting[:, length:]
                n_frames += self.n_chunk_frames
        n_left = spectrogram.n_frames(self.n_samples) - n_frames
        missing = (n_left - 1) * report.HOP + report.N_FFT - self.waiting.shape[-1]
        rest = np.pad(self.waiting, ((0, 0), (0, max(0, missing))))
        yield np.concatenate((before, rest), axis=-1), before.shape[-1] // report.HOP


@torch.no_grad()
def _separate_samples(separator: Separator, samples: np.ndarray, n_before: int) -> Tensor:
    """Estimates `(source, channel, sample)` of the frames after the first `n_before`, still to be overlapped."""
    planes = spectrogram.frames(torch.from_numpy(samples).to(separator.device))  # (channel, part, freq, frame)
    return spectrogram.overlap_add(separator.separate_spectrogram(planes, n_before)).cpu()


def _in_order(
    task: Callable[..., Tensor], arguments: Iterable[tuple[Any, ...]], n_workers: int
) -> Iterator[Tensor]:
    """Results of a task in the order of its arguments; each worker computes on one thread of its own."""
    pending: deque[Future[Tensor]] = deque()
    pool = ThreadPoolExecutor(n_workers, initializer=torch.set_num_threads, initargs=(-(-N_THREADS // n_workers),))
    try:
        for each in arguments:
            pending.append(pool.submit(task, *each))
            if len(pending) > n_workers + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(N_THREADS)  # threads to come would else have as many as the last one asked for
