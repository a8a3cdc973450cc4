"""Reading audio: finding ffmpeg, decoding the five signals of a song in one go, plain audio files."""

from __future__ import annotations

import contextlib
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from dann_lib import report
from dann_lib.audio.ffmpeg import ensure_ffmpeg, import_musdb
from dann_lib.errors import AudioError, DannError

__all__ = ["DecodingStopped", "Song", "check_finite", "ensure_ffmpeg", "import_musdb", "open_stem_file",
           "open_wav_files", "read_audio", "read_stream"]

BLOCK_SAMPLES = 441_000
"""Samples of a song that are decoded at a time: 10 s at 44.1 kHz."""

STREAMS = ("mixture", "drums", "bass", "other", "vocals")
"""What the five audio streams of a `.stem.mp4` hold, in this order."""

LENGTH_TOLERANCE_S = 0.1
"""Files of one song may differ in length by this; beyond it, one of them was cut off."""


class Song(NamedTuple):
    """A song that is being decoded.

    Attributes:
        rate_hz: its sample rate.
        n_channels: channels of each signal.
        blocks: arrays `(sample, signal, channel)`, float32, signals in the order of `report.SIGNALS`.
    """

    rate_hz: int
    n_channels: int
    blocks: Iterator[np.ndarray]


class DecodingStopped(DannError):
    """ffmpeg was ended by the system or the user, which says nothing about the file."""


def read_audio(path: str | Path) -> tuple[np.ndarray, int]:
    """Read any audio file; of a file with several streams, the first.

    Args:
        path: WAV, FLAC, OGG, MP3 through libsndfile; everything else through ffmpeg.

    Returns:
        Samples `(sample, channel)` as float32, full scale at ±1, and the sample rate in Hz.

    Raises:
        AudioError: if the file is missing, is no audio, or is empty.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"there is no file {path}; name an audio file")
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, TypeError):
        samples, rate_hz = read_stream(path, 0)
    if len(samples) == 0:
        raise AudioError(f"{path} has no samples; name an audio file that can be heard")
    return samples, rate_hz


def read_stream(path: Path, stream: int) -> tuple[np.ndarray, int]:
    """Read one audio stream of a file through ffmpeg, as 16-bit samples like `musdb`.

    Args:
        path: any file that ffmpeg knows.
        stream: number of the audio stream, from 0.

    Returns:
        Samples `(sample, channel)` as float32, and the sample rate in Hz.

    Raises:
        AudioError: if there is no such stream, or it is damaged.
    """
    with _ffmpeg_stream(path, ["-map", f"0:a:{stream}"]) as (rate_hz, n_channels, blocks):
        return np.concatenate([np.zeros((0, n_channels), np.float32), *blocks]), rate_hz


@contextlib.contextmanager
def open_stem_file(path: Path) -> Iterator[Song]:
    """Decode the five streams of a `.stem.mp4` with one ffmpeg process, block by block.

    The samples are those of `musdb` (16 bit), which starts a process for each stream and reads it whole.

    Args:
        path: a file with the streams of `STREAMS`.

    Yields:
        The song; its blocks end with the shortest stream.

    Raises:
        AudioError: if the file is damaged, or has other streams.
        DecodingStopped: if ffmpeg is killed.
    """
    inputs = "".join(f"[0:a:{STREAMS.index(signal)}]" for signal in report.SIGNALS)
    merge = ["-filter_complex", f"{inputs}amerge=inputs={len(report.SIGNALS)}[all]", "-map", "[all]"]
    n_signals = len(report.SIGNALS)
    with _ffmpeg_stream(path, merge) as (rate_hz, n_merged, blocks):
        if n_merged % n_signals:
            raise AudioError(f"{path.name} has streams of different numbers of channels; use another copy")
        n_channels = n_merged // n_signals
        yield Song(rate_hz, n_channels, (block.reshape(-1, n_signals, n_channels) for block in blocks))


@contextlib.contextmanager
def open_wav_files(files: Mapping[str, Path]) -> Iterator[Song]:
    """Read the five files of a song side by side, block by block.

    Args:
        files: path of each signal of `report.SIGNALS`.

    Yields:
        The song; its blocks end with the shortest file.

    Raises:
        AudioError: if a file is missing, damaged or no audio, or if the files differ in rate, channels
            or (by more than `LENGTH_TOLERANCE_S`) in length.
    """
    with contextlib.ExitStack() as stack:
        opened = {}
        for signal in report.SIGNALS:
            path = files[signal]
            if not path.is_file():
                raise AudioError(f"{path.name} is missing")
            try:
                opened[signal] = stack.enter_context(soundfile.SoundFile(path))
            except (soundfile.LibsndfileError, TypeError) as error:
                raise AudioError(f"{path.name} is no audio that can be read ({_reason(error)})") from error
        mixture = opened["mixture"]
        for signal, file in opened.items():
            _check_alike(files, signal, file, mixture)
        n_samples = min(file.frames for file in opened.values())
        yield Song(mixture.samplerate, mixture.channels, _wav_blocks(files, opened, n_samples))


def check_finite(samples: np.ndarray, rate_hz: int, name: str, start: int = 0) -> None:
    """Refuse samples that are not numbers or are infinite.

    Args:
        samples: `(sample, …)`.
        rate_hz: sample rate, to say where.
        name: what the samples are, to say which.
        start: position of the first of them in the song, in samples.

    Raises:
        AudioError: if there is one, with its time in s.
    """
    finite = np.isfinite(samples)
    if not finite.all():
        first = int(np.argmin(finite.reshape(len(samples), -1).all(axis=1)))
        raise AudioError(
            f"{name} has a sample that is no finite number at {(start + first) / rate_hz:.2f} s; "
            "export it again"
        )


def _check_alike(
    files: Mapping[str, Path], signal: str, file: soundfile.SoundFile, mixture: soundfile.SoundFile
) -> None:
    name = files[signal].name
    if file.samplerate != mixture.samplerate:
        raise AudioError(f"{name} has {file.samplerate} Hz and the mixture {mixture.samplerate} Hz")
    if file.channels != mixture.channels:
        raise AudioError(f"{name} has {file.channels} channels and the mixture {mixture.channels}")
    if abs(file.frames - mixture.frames) > LENGTH_TOLERANCE_S * mixture.samplerate:
        seconds, expected = file.frames / file.samplerate, mixture.frames / file.samplerate
        raise AudioError(f"{name} is {seconds:.2f} s long and the mixture {expected:.2f} s: one is cut off")


def _wav_blocks(
    files: Mapping[str, Path], opened: Mapping[str, soundfile.SoundFile], n_samples: int
) -> Iterator[np.ndarray]:
    for start in range(0, n_samples, BLOCK_SAMPLES):
        size = min(BLOCK_SAMPLES, n_samples - start)
        block = np.empty((size, len(opened), opened["mixture"].channels), np.float32)
        for index, (signal, file) in enumerate(opened.items()):
            name = files[signal].name
            try:
                samples = file.read(size, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise AudioError(f"{name} is damaged ({_reason(error)}); use another copy") from error
            if len(samples) < size:
                raise AudioError(f"{name} ends after {(start + len(samples)) / file.samplerate:.2f} s; "
                                 "it is cut off")
            check_finite(samples, file.samplerate, name, start)
            block[:, index] = samples
        yield block


@contextlib.contextmanager
def _ffmpeg_stream(path: Path, mapping: list[str]) -> Iterator[tuple[int, int, Iterator[np.ndarray]]]:
    """Rate, channels and blocks `(sample, channel)` of what one ffmpeg process writes.

    Its format is AU: a header that states rate and channels, so that no second process must probe the
    file, then 16-bit samples. `-xerror` makes a damaged packet an error instead of a gap.
    """
    program = ensure_ffmpeg()
    command = [program, "-nostdin", "-v", "error", "-xerror", "-i", str(path), *mapping, "-vn",
               "-c:a", "pcm_s16be", "-f", "au", "pipe:1"]
    with tempfile.TemporaryFile() as messages:
        # Own session: an interrupt from the keyboard is for us, and must not look like a damaged file.
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=messages, start_new_session=True)
        try:
            head = process.stdout.read(24)
            if len(head) < 24:
                _check_end(process, messages, path)
                raise AudioError(f"{path.name} has no samples; use another copy")
            _, data_start, _, _, rate_hz, n_channels = struct.unpack(">6I", head)
            process.stdout.read(data_start - len(head))
            yield rate_hz, n_channels, _pcm_blocks(process, messages, path, n_channels)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def _pcm_blocks(
    process: subprocess.Popen, messages: tempfile._TemporaryFileWrapper, path: Path, n_channels: int
) -> Iterator[np.ndarray]:
    size = BLOCK_SAMPLES * n_channels * 2
    while data := process.stdout.read(size):
        whole = len(data) - len(data) % (2 * n_channels)
        samples = np.frombuffer(data[:whole], ">i2").reshape(-1, n_channels)
        yield samples.astype(np.float32) / np.float32(2**15)
    _check_end(process, messages, path)


def _check_end(process: subprocess.Popen, messages: tempfile._TemporaryFileWrapper, path: Path) -> None:
    code = process.wait()
    messages.seek(0)
    text = messages.read().decode(errors="replace").strip()
    if code < 0 or (code == 255 and "signal" in text):
        raise DecodingStopped(f"ffmpeg was stopped from outside while it read {path}; start again to go on")
    if code != 0:
        lines = [line.strip() for line in text.splitlines() if line.strip()] or [f"ffmpeg ended with {code}"]
        reason = _without_address(lines[0])
        raise AudioError(f"{path.name} is damaged or no audio ({reason}); use another copy")


def _without_address(line: str) -> str:
    """Return a message of ffmpeg without the `[part @ 0x55…]` before it."""
    return line.split("] ", 1)[1] if line.startswith("[") and "] " in line else line


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).strip().rstrip(".")
