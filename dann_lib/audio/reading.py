"""Reading a song that is to be separated: any format, in blocks, with clear errors."""

from __future__ import annotations

import contextlib
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from dann_lib.audio.decoding import check_finite
from dann_lib.audio.ffmpeg import ensure_ffmpeg
from dann_lib.errors import AudioError

BLOCK_S = 10.0
"""Seconds of song that are read at a time."""

MAX_CHANNELS = 32
READABLE = "WAV, FLAC, MP3 and OGG"


class SongFacts(NamedTuple):
    """What a look through a song tells before it is separated.

    Attributes:
        seconds: its length.
        rate_hz: sample rate.
        n_channels: number of channels.
        peak: largest absolute sample; 1 is full scale.
        missing_s: seconds that the file announces and does not hold.
    """

    seconds: float
    rate_hz: int
    n_channels: int
    peak: float
    missing_s: float


def look_through(song: Path) -> SongFacts:
    """Read a song once, to know what it is; takes about a second for an hour.

    Raises:
        AudioError: as `open_song` and `read_blocks`, or if the song has no samples.
    """
    with open_song(song) as source:
        n_read, peak = 0, 0.0
        for block in read_blocks(source, song):
            n_read += len(block)
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
        if n_read == 0:
            raise AudioError(f"{song} has no samples; name a song that can be heard")
        rate, channels = source.samplerate, source.channels
        announced = max(source.frames, _announced_by_wav(song))
    return SongFacts(n_read / rate, rate, channels, peak, max(0, announced - n_read) / rate)


def _announced_by_wav(song: Path) -> int:
    """Samples that the header of a WAV file promises; 0 for other files and for streams of unknown length."""
    with open(song, "rb") as file:
        head = file.read(4096)
    place = head.find(b"data")
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE" or place < 0 or len(head) < place + 8:
        return 0
    block_bytes = struct.unpack_from("<H", head, head.find(b"fmt ") + 20)[0]
    n_bytes = struct.unpack_from("<I", head, place + 4)[0]
    return n_bytes // block_bytes if block_bytes and n_bytes < 2**32 - 2**16 else 0


@contextlib.contextmanager
def open_song(song: Path) -> Iterator[soundfile.SoundFile]:
    """Open a song; what libsndfile cannot read is decoded by ffmpeg into a temporary file.

    Args:
        song: a WAV, FLAC, MP3 or OGG file, or another that ffmpeg knows, such as a `.stem.mp4`.

    Raises:
        AudioError: if the file is missing, no audio, or has too many channels.
    """
    if not Path(song).is_file():
        raise AudioError(f"there is no file {song}; name a song ({READABLE})")
    with contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(soundfile.SoundFile(song))
        except (soundfile.LibsndfileError, TypeError) as error:
            decoded = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "song.wav"
            _decode(song, decoded, error)
            source = stack.enter_context(soundfile.SoundFile(decoded))
        if source.channels > MAX_CHANNELS:
            raise AudioError(f"{song} has {source.channels} channels; at most {MAX_CHANNELS} are separated")
        yield source


def read_blocks(source: soundfile.SoundFile, song: Path) -> Iterator[np.ndarray]:
    """The samples of an open song in blocks `(sample, channel)`, float32.

    Args:
        source: the open song.
        song: its name, for errors.

    Raises:
        AudioError: if the file is damaged, or a sample is NaN or infinite; with the place in seconds.
    """
    size, position = int(BLOCK_S * source.samplerate), 0
    while True:
        try:
            block = source.read(size, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"{song} is damaged after {position / source.samplerate:.1f} s ({error}); use another copy"
            ) from error
        if len(block) == 0:
            return
        check_finite(block, source.samplerate, str(song), position)
        position += len(block)
        yield block


def _decode(song: Path, decoded: Path, reason: Exception) -> None:
    """The first sound in another format, such as the mixture of a `.stem.mp4`, as a WAV file, by ffmpeg.

    Raises:
        AudioError: with `reason`, if ffmpeg finds no sound either.
    """
    command = [ensure_ffmpeg(), "-v", "error", "-nostdin", "-i", str(song), "-map", "0:a:0", "-c:a", "pcm_f32le",
               "-rf64", "auto", str(decoded)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise AudioError(f"{song} is no audio that can be read ({reason}); {READABLE} are") from reason
