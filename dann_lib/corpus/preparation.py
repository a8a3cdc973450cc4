"""Preparing a song for the network: mono, 8.82 kHz (report, II.b), decoded block by block."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dann_lib import report
from dann_lib.errors import AudioError, DannError

PREPARATION = {"version": 1, "rate_hz": report.SAMPLE_RATE, "signals": report.SIGNALS, "channels": "mean",
               "resampling": "soxr HQ"}
"""What a prepared song depends on besides its files; a change makes another cache."""


class Prepared(NamedTuple):
    """A prepared song.

    Attributes:
        waveforms: `(signal, sample)`, float32, mono at `report.SAMPLE_RATE`, ordered as `report.SIGNALS`.
        rate_hz: sample rate of the song itself.
        n_channels: channels of the song itself.
        content: CRC-32 of each of its files.
    """

    waveforms: np.ndarray
    rate_hz: int
    n_channels: int
    content: tuple[int, ...]


class PreparationStopped(DannError):
    """Another song could not be written, or the user interrupted."""


def prepare_song(files: Mapping[str, Path], stopped: Callable[[], bool] = lambda: False) -> Prepared:
    """Decode the five signals of a song, take the mean of the channels, and resample without aliasing.

    Only the result is held in memory, not the song.

    Args:
        files: path of each signal of `report.SIGNALS`, or of the one file of all under `"stems"`.
        stopped: asked between blocks of 10 s whether to give up.

    Raises:
        AudioError: if a file is damaged, missing, no audio, or has samples that are no finite numbers.
        OSError: if a file may not be read.
        PreparationStopped: if `stopped` says so.
    """
    import soxr

    from dann_lib.audio.decoding import open_stem_file, open_wav_files

    for path in filter(Path.exists, files.values()):
        with open(path, "rb"):  # the system says plainly what libraries report as a damaged file
            pass
    n_signals = len(report.SIGNALS)
    with open_stem_file(files["stems"]) if "stems" in files else open_wav_files(files) as song:
        resampler = soxr.ResampleStream(song.rate_hz, report.SAMPLE_RATE, n_signals, dtype="float32")
        blocks = []
        for block in song.blocks:
            if stopped():
                raise PreparationStopped("the preparation was stopped; open the corpus again to go on")
            blocks.append(resampler.resample_chunk(_mono(block), last=False))
        blocks.append(resampler.resample_chunk(np.zeros((0, n_signals), np.float32), last=True))
    waveforms = _joined(blocks)
    if waveforms.shape[1] == 0:
        raise AudioError("the song has no samples")
    content = tuple(file_checksum(path) for path in files.values())
    return Prepared(waveforms, song.rate_hz, song.n_channels, content)


def file_checksum(path: Path) -> int:
    """CRC-32 of a file's content.

    Raises:
        OSError: if it cannot be read.
    """
    checksum = 0
    with open(path, "rb") as file:
        while block := file.read(2**20):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _mono(block: np.ndarray) -> np.ndarray:
    """Mean over the channels of `(sample, signal, channel)`."""
    total = block[..., 0].copy()
    for channel in range(1, block.shape[2]):
        total += block[..., channel]
    return total / np.float32(block.shape[2])


def _joined(blocks: list[np.ndarray]) -> np.ndarray:
    """Blocks `(sample, signal)` as one array `(signal, sample)`; each is let go once it is copied."""
    end = sum(map(len, blocks))
    joined = np.empty((len(report.SIGNALS), end), np.float32)
    while blocks:
        block = blocks.pop()
        joined[:, end - len(block) : end] = block.T
        end -= len(block)
    return joined
