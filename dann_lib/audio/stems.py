"""A song from file to stem files, streaming: resampling, gains, and the rest (report, II.b)."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from tqdm.auto import tqdm

from dann_lib import report
from dann_lib.audio.reading import Sound, open_song
from dann_lib.errors import OutputError
from dann_lib.files import UNFINISHED, only_process, output_errors
from dann_lib.separation import Separator, check_sound, separate_stream

FORMATS = ("wav", "flac")
SUBTYPES = {16: "PCM_16", 24: "PCM_24"}
PCM = {"PCM_16": 2**15 - 1, "PCM_24": 2**23 - 1}
"""Full scale; whole numbers are written in half the time that libsndfile takes to round."""

SMALLER = {"wav": 1, "flac": 4}
"""Times that a file is smaller than its samples, at best."""

WAV_BYTES = 2**32 - 2**16
"""Of samples in a WAV file; more are written as RF64, the same for large files."""

GAINS_DB = (-100, 30)
"""Lowest and highest gain of a stem."""


class Separated(NamedTuple):
    """What `separate_file` wrote.

    Attributes:
        stems: file of each stem.
        rate_hz, n_channels: of the song and its stems.
        duration_s: length of the song.
        elapsed_s: how long it took.
        n_clipped: samples of each stem beyond full scale, which were limited.
        missing_s: seconds that the song's file announces and does not hold.
    """

    stems: dict[str, Path]
    rate_hz: int
    n_channels: int
    duration_s: float
    elapsed_s: float
    n_clipped: dict[str, int]
    missing_s: float


def separate_file(
    song: Path,
    folder: Path,
    separator: Separator,
    *,
    gains_db: Mapping[str, float] | None = None,
    file_format: str = "wav",
    bits: int = 16,
    progress: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> Separated:
    """Separate a song into the sources of the network and the rest, so that the stems add up to the song.

    The stems appear when all of them are complete; a run that fails leaves older ones untouched.

    Args:
        song: a WAV, FLAC, MP3 or OGG file of any rate, length and number of channels; other formats, and the
            mixture of a `.stem.mp4`, are decoded by ffmpeg.
        folder: where `vocals.wav`, `drums.wav`, … go.
        separator: the trained network.
        gains_db: level change of each stem in dB after separation (report, II.b); 0 where not given.
        file_format: `"wav"` or `"flac"`.
        bits: per sample, 16 or 24.
        progress: show a bar over the seconds of the song.
        on_progress: called with the samples that are done and those of the song; what it raises ends the
            separation, which then leaves nothing behind.

    Returns:
        The files, and what was measured on the way.

    Raises:
        AudioError: if the song is missing, no audio, empty, or it or a stem has samples that are no sound.
        OutputError: if the stems cannot be written, or one would replace the song.
        ValueError: if a gain names no stem or is out of `GAINS_DB`, or the format is not known.
    """
    gains = linear_gains(gains_db or {}, separator.stems)
    if file_format not in FORMATS or bits not in SUBTYPES:
        raise ValueError(f"{bits}-bit {file_format} is not known; choose wav or flac, 16 or 24 bits")
    refuse_to_replace([Path(song)], Path(folder), file_format, separator.stems)
    start = time.perf_counter()
    stems = separator.stems
    with open_song(song) as source, _new_stems(Path(folder), source, file_format, bits, stems) as (files, finished):
        counts = dict.fromkeys(stems, 0)
        with tqdm(total=max(source.frames, 0), unit="sample", unit_scale=True, disable=not progress,
                  leave=False, desc=f"separating {Path(song).name}") as bar:
            def advance(n_done: int) -> None:
                bar.update(n_done - bar.n)
                if on_progress is not None:
                    on_progress(n_done, source.frames)

            n_samples = _write_all(source, Path(song), separator, files, gains, counts, advance)
        written = finished()
    seconds, missing = (n / source.samplerate for n in (n_samples, max(0, source.announced - n_samples)))
    elapsed = time.perf_counter() - start
    return Separated(written, source.samplerate, source.channels, seconds, elapsed, counts, missing)


def separate_blocks(
    blocks: Iterator[np.ndarray], rate_hz: int, n_channels: int, separator: Separator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Separate a song that arrives in blocks, at its own rate.

    Args:
        blocks: arrays `(sample, channel)`, float32.
        rate_hz: their sample rate.
        n_channels: their number of channels.
        separator: the trained network.

    Yields:
        Pairs of the mixture `(sample, channel)` and the stems `(source, sample, channel)` of the same
        samples; together they are as long as the song.
    """
    down = soxr.ResampleStream(rate_hz, report.SAMPLE_RATE, n_channels, dtype="float32")
    n_sources = len(separator.config.sources)
    n_planes = n_channels * n_sources
    up = soxr.ResampleStream(report.SAMPLE_RATE, rate_hz, n_planes, dtype="float32")
    queue = _Queue(n_sources, n_channels)

    def low() -> Iterator[np.ndarray]:
        """The song at the working rate, `(channel, sample)`."""
        for block in blocks:
            queue.put(block)
            yield down.resample_chunk(block).T
        yield down.resample_chunk(np.zeros((0, n_channels), np.float32), last=True).T

    def high(estimates: np.ndarray, last: bool = False) -> np.ndarray:
        """`(source, channel, sample)` at the working rate → `(source, sample, channel)` at the song's."""
        samples = up.resample_chunk(np.ascontiguousarray(estimates.reshape(n_planes, -1).T), last=last)
        return samples.reshape(-1, n_sources, n_channels).swapaxes(0, 1)

    # One thread brings back what was separated last, while the network works on what comes next.
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[np.ndarray] | None = None
        for estimates in separate_stream(separator, low(), n_channels):
            if waiting is not None:
                yield queue.pair(waiting.result())
            waiting = pool.submit(high, estimates)
        if waiting is not None:
            yield queue.pair(waiting.result())
        yield queue.pair(high(np.zeros((n_sources, n_channels, 0), np.float32), last=True))
    yield queue.flush()


class _Queue:
    """Samples of the mixture that wait for their stems, and the other way round, so that pairs have equal length."""

    def __init__(self, n_sources: int, n_channels: int) -> None:
        self.mixture: list[np.ndarray] = []
        self.n_waiting = 0
        self.early = np.zeros((n_sources, 0, n_channels), np.float32)

    def put(self, block: np.ndarray) -> None:
        self.mixture.append(block)
        self.n_waiting += len(block)

    def pair(self, stems: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The next samples of the mixture and their stems; stems beyond the mixture wait."""
        stems = np.concatenate((self.early, stems), axis=1) if self.early.shape[1] else stems
        n_ready = min(stems.shape[1], self.n_waiting)
        self.early = stems[:, n_ready:]
        return self._take(n_ready), stems[:, :n_ready]

    def flush(self) -> tuple[np.ndarray, np.ndarray]:
        """What resampling has rounded away at the end: a few samples of mixture without stems."""
        mixture = self._take(self.n_waiting)
        return mixture, np.zeros((len(self.early), *mixture.shape), np.float32)

    def _take(self, n_samples: int) -> np.ndarray:
        joined = np.concatenate(self.mixture) if self.mixture else self.early[0, :0]
        self.mixture = [joined[n_samples:]]
        self.n_waiting -= n_samples
        return joined[:n_samples]


def _write_all(
    source: Sound, song: Path, separator: Separator, files: dict[str, soundfile.SoundFile],
    gains: dict[str, float], counts: dict[str, int], advance: Callable[[int], None],
) -> int:
    """Stream the song through the network into the files; the number of its samples."""
    n_samples, writing = 0, {}

    def finish_writing() -> None:
        for name, job in writing.items():
            counts[name] += job.result()

    with ThreadPoolExecutor(len(files)) as pool, output_errors(song.parent), _write_errors(files):
        pairs = separate_blocks(source.blocks, source.samplerate, source.channels, separator)
        for mixture, estimates in pairs:
            finish_writing()
            writing = {name: pool.submit(_write, files[name], gains[name], mixture, estimates, index)
                       for index, name in enumerate(separator.stems)}
            n_samples += len(mixture)
            file = files["other"]
            if file.format == "WAV" and n_samples * source.channels * (3 - ("16" in file.subtype)) > WAV_BYTES:
                raise OutputError("the stems of this song, whose length nobody stated, are too long for WAV files; "
                                  "choose FLAC")
            advance(n_samples)
        finish_writing()
    return n_samples


def _write(
    file: soundfile.SoundFile, gain: float, mixture: np.ndarray, estimates: np.ndarray, index: int
) -> int:
    """Write the stem `index` of a block at a gain; the number of samples beyond full scale.

    The last stem is what the estimates `(source, sample, channel)` leave of the mixture `(sample, channel)`.
    """
    samples = estimates[index] if index < len(estimates) else reduce(np.subtract, estimates, mixture)
    full_scale = PCM[file.subtype]
    scaled = samples * np.float32(gain * full_scale)
    n_clipped = 0
    if not max(scaled.max(initial=0.0), -scaled.min(initial=0.0)) <= full_scale:  # or no number
        check_sound(samples, f"the stem {Path(os.fsdecode(file.name)).stem}")
        n_clipped = int(np.count_nonzero(np.abs(scaled) > full_scale))
        np.clip(scaled, -full_scale, full_scale, out=scaled)
    np.rint(scaled, out=scaled)
    file.write(scaled.astype(np.int16) if file.subtype == "PCM_16" else scaled.astype(np.int32) << 8)
    return n_clipped


@contextlib.contextmanager
def _new_stems(
    folder: Path, source: Sound, file_format: str, bits: int, stems: Sequence[str]
) -> Iterator[tuple[dict[str, soundfile.SoundFile], Callable[[], dict[str, Path]]]]:
    """Open a file for each stem in a hidden folder beside the final ones; yields files and what moves them."""
    files: dict[str, soundfile.SoundFile] = {}

    def finished() -> dict[str, Path]:
        for file in files.values():
            file.close()
        paths = {name: folder / f"{name}.{file_format}" for name in files}
        with output_errors(folder):
            for path in paths.values():
                os.replace(hidden / path.name, path)
        return paths

    with only_process(folder):
        n_bytes = source.frames * source.channels * bits // 8  # of a stem; 0 if the length is not known
        needed, free = len(stems) * n_bytes // SMALLER[file_format], shutil.disk_usage(folder).free
        if needed > free:
            raise OutputError(f"the stems in {folder} would take {needed / 1e6:.0f} MB, and the disk has "
                              f"{free / 1e6:.0f} MB left; free some space or choose another folder")
        kind = "RF64" if file_format == "wav" and n_bytes > WAV_BYTES else file_format.upper()
        with output_errors(folder):
            hidden = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder))
        try:
            for name in stems:
                path = hidden / f"{name}.{file_format}"  # soundfile takes text that is UTF-8 alone
                files[name] = soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path, "w",
                                                  source.samplerate, source.channels, SUBTYPES[bits], format=kind)
            yield files, finished
        finally:
            for file in files.values():
                with contextlib.suppress(soundfile.LibsndfileError):
                    file.close()
            shutil.rmtree(hidden, ignore_errors=True)


def refuse_to_replace(inputs: Iterable[Path], folder: Path, file_format: str, stems: Sequence[str]) -> None:
    """Refuse, with an `OutputError`, if a stem in a folder would replace one of the inputs, or a folder."""
    for path in (folder / f"{name}.{file_format}" for name in stems):
        if path.is_dir():
            raise OutputError(f"the stem {path} cannot be written: there is a folder; choose another folder")
        if path.exists() and any(each.exists() and path.samefile(each) for each in inputs):
            raise OutputError(f"the stem {path} would replace a song that is read; choose another folder")


@contextlib.contextmanager
def _write_errors(files: dict[str, soundfile.SoundFile]) -> Iterator[None]:
    """The library does not say why it could not write; a look at the disk does."""
    try:
        yield
    except (soundfile.LibsndfileError, AssertionError) as error:
        folder = Path(os.fsdecode(next(iter(files.values())).name)).parent.parent
        free = shutil.disk_usage(folder).free
        reason = os.strerror(errno.ENOSPC).lower() if free < 2**20 else str(error) or "the stem was cut short"
        raise OutputError(f"cannot write the stems in {folder}: {reason}; choose another folder") from error


def linear_gains(gains_db: Mapping[str, float], stems: Sequence[str]) -> dict[str, float]:
    """Factors of all stems, for gains in dB.

    Raises:
        ValueError: if there is no such stem, or a gain is not within `GAINS_DB`.
    """
    if unknown := sorted(set(gains_db) - set(stems)):
        raise ValueError(f"there is no stem {', '.join(unknown)}; choose among {', '.join(stems)}")
    for name, gain in gains_db.items():
        if not GAINS_DB[0] <= gain <= GAINS_DB[1]:
            raise ValueError(f"the gain of {name} is {gain:g} dB; choose one from {GAINS_DB[0]} to {GAINS_DB[1]} dB")
    return {name: 10 ** (gains_db.get(name, 0.0) / 20) for name in stems}
