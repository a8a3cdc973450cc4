"""A whole song through a trained network, as a stream (report, II.b).

The song is resampled to 8.82 kHz, goes through the network chunk by chunk, and comes back at its own rate
and with its own channels: the masks are those of the mono mixture, applied to each channel. `other` is
the rest, so that the stems add up to the song. Memory does not grow with the length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dann_lib import report, spectrogram
from dann_lib.checkpoint import load_weights
from dann_lib.config import TrainingConfig
from dann_lib.devices import best_device, choose_precision
from dann_lib.network import SMALLEST, apply_masks

CHUNKS_AT_ONCE = 4
"""Chunks that go through the network together: 41 s of song."""


@dataclass(frozen=True)
class Separator:
    """A trained network, ready to separate.

    Attributes:
        network: one of `dann_lib.network`, in evaluation mode.
        config: what it was trained with; its gain and chunk length are used here too.
        device: where it computes.
        precision: `"bf16"` or `"float32"`.
    """

    network: nn.Module
    config: TrainingConfig
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "float32"

    @classmethod
    def load(cls, weights: Path, device: str | None = None, precision: str | None = None) -> Separator:
        """Read weights that training has written.

        Args:
            weights: a `.safetensors` file.
            device: `"cpu"`, `"cuda"`, `"mps"`; the best that there is if `None`.
            precision: `"bf16"` or `"float32"`; chosen by the device if `None`.

        Raises:
            CheckpointError: if the file is missing, damaged, a pickle, or of another network.
        """
        network, config = load_weights(weights)
        return cls.of(network, config, device, precision)

    @classmethod
    def of(
        cls, network: nn.Module, config: TrainingConfig, device: str | None = None, precision: str | None = None
    ) -> Separator:
        """Make a separator of a network in memory; arguments as in `load`."""
        chosen = torch.device(device or best_device())
        network = network.to(chosen, memory_format=torch.channels_last).eval()
        return cls(network, config, chosen, precision or choose_precision(chosen))

    @property
    def fingerprint(self) -> str:
        """A hash of the weights and the configuration: which separator this is."""
        digest = hashlib.sha256(self.config.to_json().encode())
        for name, value in sorted(self.network.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().float().numpy().tobytes())
        return digest.hexdigest()[:16]

    def __call__(self, signals: np.ndarray) -> np.ndarray:
        """Separate what `evaluation` hands over: only the mixture, the first signal, is looked at.

        Args:
            signals: `(signal, sample)`, mixture first, 8.82 kHz.

        Returns:
            Estimates `(source, sample)`.
        """
        return self.separate_waveform(signals[0])

    def separate_waveform(self, waveform: np.ndarray) -> np.ndarray:
        """Separate a song at the working rate.

        Args:
            waveform: `(sample,)` or `(channel, sample)`, 8.82 kHz.

        Returns:
            Estimates, `(source, sample)` or `(source, channel, sample)`.
        """
        channels = np.atleast_2d(np.asarray(waveform, dtype=np.float32))
        stream = Stream(self, len(channels))
        pieces = [*stream.feed(channels), *stream.finish()]
        estimates = np.concatenate(pieces, axis=-1)
        return estimates[:, 0] if np.ndim(waveform) == 1 else estimates

    @torch.inference_mode()
    def separate_spectrogram(self, planes: Tensor, before: Tensor | None = None) -> Tensor:
        """Mask some chunks of a song.

        What is left at the end is shorter than a chunk. Its masks are computed together with the frames before
        it, since the network has learned from whole chunks.

        Args:
            planes: `(channel, part, freq, frame)`, at the level of the song: whole chunks, then what is left.
            before: the frames before these, at least a chunk; None at the start of the song.

        Returns:
            Estimates `(source, channel, part, freq, frame)`.
        """
        mono = planes.mean(dim=0) * self.config.gain
        n_frames, length = planes.shape[-1], self.config.n_chunk_frames
        n_whole = n_frames - n_frames % length
        parts = []
        if n_whole:
            masks = self._masks(spectrogram.chunk(mono[..., :n_whole], length))
            parts.append(spectrogram.stitch(masks, n_whole))
        if n_whole < n_frames:
            parts.append(self._masks_of_the_rest(mono, before, n_frames - n_whole))
        masks = torch.cat(parts, dim=-1)
        return apply_masks(masks, planes).transpose(0, 1)

    def _masks_of_the_rest(self, mono: Tensor, before: Tensor | None, n_rest: int) -> Tensor:
        """Masks `(source, part, freq, frame)` of the last `n_rest` frames, seen in the last chunk of the song."""
        if before is not None:
            mono = torch.cat((before.mean(dim=0) * self.config.gain, mono), dim=-1)
        seen = mono[..., -self.config.n_chunk_frames :]
        padded = nn.functional.pad(seen, (0, max(0, SMALLEST[1] - seen.shape[-1])))
        return self._masks(padded[None])[0, ..., : seen.shape[-1]][..., -n_rest:]

    def _masks(self, chunks: Tensor) -> Tensor:
        """Masks `(chunk, source, part, freq, frame)` of `(chunk, part, freq, frame)`, as float32."""
        chunks = chunks.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self.network(chunks).float()


class Stream:
    """Separates a song that arrives piece by piece, at the working rate.

    What comes out, put together, is what the whole song at once would give.

    Args:
        separator: the network.
        n_channels: channels of the song.
    """

    def __init__(self, separator: Separator, n_channels: int) -> None:
        self.separator = separator
        self.block = CHUNKS_AT_ONCE * separator.config.n_chunk_frames
        self.n_in, self.n_out, self.n_frames = 0, 0, 0
        self.waiting = np.zeros((n_channels, spectrogram.PAD), dtype=np.float32)
        self.tail = torch.zeros(len(report.SOURCES), n_channels, report.HOP)
        self.tail_envelope = torch.zeros(report.HOP, dtype=torch.float64)
        self.before: Tensor | None = None

    def feed(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """Take the next samples `(channel, sample)`; yields estimates `(source, channel, sample)` that are final."""
        self.n_in += samples.shape[-1]
        self.waiting = np.concatenate((self.waiting, samples), axis=-1)
        needed = (self.block - 1) * report.HOP + report.N_FFT
        while self.waiting.shape[-1] >= needed:
            yield self._next(self.block)

    def finish(self) -> Iterator[np.ndarray]:
        """The song has ended; yields the estimates that are left."""
        left = spectrogram.n_frames(self.n_in) - self.n_frames
        missing = (left - 1) * report.HOP + report.N_FFT - self.waiting.shape[-1]
        self.waiting = np.pad(self.waiting, ((0, 0), (0, max(0, missing))))
        if left:
            yield self._next(left)
        rest = (self.tail / self.tail_envelope.clamp_min(1e-3).float()).numpy()
        yield rest[..., : self.n_in - self.n_out]

    def _next(self, n_frames: int) -> np.ndarray:
        """Separate the next frames; what no later frame overlaps is final."""
        n_samples = (n_frames - 1) * report.HOP + report.N_FFT
        planes = spectrogram.frames(torch.from_numpy(self.waiting[:, :n_samples]).to(self.separator.device))
        added = spectrogram.overlap_add(self.separator.separate_spectrogram(planes, self.before)).cpu()
        self.before = planes[..., -self.separator.config.n_chunk_frames :]
        envelope = spectrogram.window_envelope(n_frames)
        added[..., : report.HOP] += self.tail
        envelope[: report.HOP] += self.tail_envelope
        final = n_frames * report.HOP
        self.tail, self.tail_envelope = added[..., final:].clone(), envelope[final:].clone()
        self.waiting = self.waiting[:, final:]
        estimates = (added[..., :final] / envelope[:final].float()).numpy()
        if self.n_frames == 0:
            estimates = estimates[..., spectrogram.PAD :]
        self.n_frames += n_frames
        estimates = estimates[..., : self.n_in - self.n_out]
        self.n_out += estimates.shape[-1]
        return estimates
