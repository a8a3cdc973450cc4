"""Sound from files: any format is opened in one way and read block by block; errors say what to do."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

try:
    import resource
except ImportError:  # Windows
    resource = None

from dann_lib import report
from dann_lib.audio import distant
from dann_lib.audio.ffmpeg import ensure_ffmpeg
from dann_lib.errors import AudioError, DannError

BLOCK_S = 10.0
"""Seconds of sound that are read at a time."""

BLOCK_BYTES = 2**25
"""What is read at a time at most, whatever rate and channels a file claims."""

STREAMS = ("mixture", "drums", "bass", "other", "vocals")
"""What the five audio streams of a `.stem.mp4` hold, in this order."""

LENGTH_TOLERANCE_S = 0.1
"""Files of one song may differ in length by this; beyond it, one of them was cut off."""

RATES_HZ = (1_000, 768_000)
"""Below there is no music, and a few kB would last for hours; beyond records no device: the header is wrong."""

FORMATS = ("aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,matroska,mlp,mov,mp3,mpc,mpc8,mpeg,"
           "mpegts,mxf,nut,ogg,oma,rm,shn,sox,tak,truehd,tta,voc,w64,wav,wsd,wtv,wv,xwma")
"""What ffmpeg may take a file for: no playlist, which would open other files, and no text, image or bare samples."""

PATIENCE_S = 15.0
"""A decoder that gives nothing for so long hangs, and is ended."""

DECODER_BYTES = 2**32
"""Memory that a decoder may take, where the system can limit it."""

PLAIN = (b"LIST", b"JUNK", b"PEAK", b"bext", b"fact", b"fmt ")
"""Parts of a WAV file that this process reads by itself, with samples in `PCM` or floating point."""

CRASHES = [-signal.Signals[name] for name in ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS")
           if name in signal.Signals.__members__]
MAX_CHANNELS = 32
READABLE = "WAV, FLAC, MP3 or OGG"


class Sound(NamedTuple):
    """A file, or the files of a song, that is open.

    Attributes:
        samplerate: in Hz.
        channels: of each signal.
        frames: samples that it holds; an estimate where ffmpeg decodes, and 0 where that is not known either.
        announced: samples that its header promises, more than `frames` in a file that was cut off; 0 if unknown.
        blocks: the samples, `(sample, channel)` or `(sample, signal, channel)`, float32, full scale at ±1. They
            raise `AudioError` with the place in s where the file is damaged or a sample is no finite number, and
            where there is no sample at all.
    """

    samplerate: int
    channels: int
    frames: int
    announced: int
    blocks: Iterator[np.ndarray]


class SongFacts(NamedTuple):
    """What a look through a song tells before it is separated.

    Attributes:
        seconds, rate_hz, n_channels: length, sample rate and number of channels.
        peak: largest absolute sample; 1 is full scale.
        missing_s: seconds that the file announces and does not hold.
    """

    seconds: float
    rate_hz: int
    n_channels: int
    peak: float
    missing_s: float


@contextlib.contextmanager
def open_song(song: Path, stream: int | None = None) -> Iterator[Sound]:
    """Open any audio file: by libsndfile, or what that cannot read, by ffmpeg.

    Whatever is not a plain WAV file is read in another process, of bounded memory and patience.

    Args:
        song: a WAV, FLAC, MP3 or OGG file, or another that ffmpeg knows, such as a `.stem.mp4`.
        stream: number of an audio stream, from 0, which is rounded to 16 bits as `musdb` does; the first, as it is,
            if None.

    Yields:
        The sound; its blocks are `(sample, channel)`.

    Raises:
        AudioError: if the file is missing, no audio, damaged, or has too many channels or too few streams.
        DannError: if ffmpeg is ended by the system or the user, which says nothing about the file.
    """
    song = Path(song)
    _check_regular(song)
    with contextlib.ExitStack() as stack:
        sound = None
        if stream is None and _is_plain_wav(song):
            with contextlib.suppress(soundfile.LibsndfileError, UnicodeEncodeError):  # a name that is no Unicode
                file = stack.enter_context(soundfile.SoundFile(song))
                read = partial(file.read, dtype="float32", always_2d=True)
                blocks = _blocks(read, file.samplerate, file.channels, song)
                sound = Sound(file.samplerate, file.channels, file.frames, distant.announced(file), blocks)
        elif stream is None:
            sound = stack.enter_context(_at_a_distance(song))
        if sound is None:
            rounded = [] if stream is None else ["-af", "aformat=sample_fmts=s16"]
            sound = stack.enter_context(_decoded(song, ["-map", f"0:a:{stream or 0}", *rounded]))
            sound = sound._replace(frames=round(_stated_seconds(song) * sound.samplerate))
        yield _checked(song, sound)


@contextlib.contextmanager
def open_signals(song: Path, signals: Sequence[str] = report.SIGNALS) -> Iterator[Sound]:
    """Open the mixture and the stems of a song side by side.

    Args:
        song: a `.stem.mp4`, of which one ffmpeg process decodes all streams; or a folder of WAV files.
        signals: their names, the mixture first. Of others than MUSDB18's, a stem that a song lacks is silent, and a
            mixture that is not there is the sum.

    Yields:
        The sound; its blocks are `(sample, signal, channel)` in the order of `signals`, and end with the shortest.

    Raises:
        AudioError: as `open_song`, or if the signals differ in rate, channels or (by more than
            `LENGTH_TOLERANCE_S`) in length.
        DannError: as `open_song`.
    """
    n_signals = len(report.SIGNALS)
    with contextlib.ExitStack() as stack:
        if os.path.isdir(song):
            sounds = {path: stack.enter_context(open_song(path)) for path in signal_files(song, signals)}
            (one, first), *_ = sounds.items()
            for path, sound in sounds.items():
                _check_alike(path, sound, one.stem, first)
            rows = [signals.index(path.stem) for path in sounds]
            if rows == [0]:
                raise AudioError(f"{song} has a mixture and no stem; add the files of its stems, or take it away")
            yield first._replace(blocks=_completed(_side_by_side(sounds.values()), rows, len(signals)))
        else:
            _check_regular(song)
            inputs = "".join(f"[0:a:{STREAMS.index(signal)}]" for signal in report.SIGNALS)
            merge = f"{inputs}amerge=inputs={n_signals},aformat=sample_fmts=s16[all]"
            merged = stack.enter_context(_decoded(song, ["-filter_complex", merge, "-map", "[all]"]))
            if merged.channels % n_signals:
                raise AudioError(f"{song} has streams of different numbers of channels; use another copy")
            n_channels = merged.channels // n_signals
            blocks = (block.reshape(-1, n_signals, n_channels) for block in merged.blocks)
            yield _checked(song, merged._replace(channels=n_channels, blocks=blocks))


def signal_files(song: Path, signals: Sequence[str] = report.SIGNALS) -> list[Path]:
    """The files of a song: those in its folder in the order of `signals`, or the one of all signals.

    Of signals that are not MUSDB18's, only the files that are there; a link that leads nowhere is not absence.
    """
    if not song.is_dir():
        return [song]
    files = [song / f"{signal}.wav" for signal in signals]
    return files if tuple(signals) == report.SIGNALS else [path for path in files if os.path.lexists(path)]


def _completed(blocks: Iterator[np.ndarray], rows: list[int], n_signals: int) -> Iterator[np.ndarray]:
    """Blocks `(sample, signal, channel)` of some signals as those of all: silence for a stem, the sum for a mixture."""
    for block in blocks:
        if len(rows) == n_signals:
            yield block
            continue
        whole = np.zeros((len(block), n_signals, block.shape[-1]), np.float32)
        whole[:, rows] = block
        if 0 not in rows:
            whole[:, 0] = block.sum(axis=1)
        yield whole


def read_audio(song: Path, stream: int | None = None, n_samples: int | None = None) -> tuple[np.ndarray, int]:
    """Read an audio file into memory.

    Args:
        song: as in `open_song`.
        stream: as in `open_song`.
        n_samples: how many samples; all if None.

    Returns:
        Samples `(sample, channel)`, float32, and the sample rate in Hz.

    Raises:
        AudioError: as `open_song`, or if the file has no samples.
    """
    blocks, n_read = [], 0
    with open_song(song, stream) as sound:
        for block in sound.blocks:
            blocks.append(block)
            n_read += len(block)
            if n_samples is not None and n_read >= n_samples:
                break
        return np.concatenate(blocks)[:n_samples], sound.samplerate


def look_through(song: Path) -> SongFacts:
    """Read a song once, to know what it is; takes about a second for an hour.

    Raises:
        AudioError: as `open_song`, or if the song has no samples.
    """
    with open_song(song) as sound:
        n_read, peak = 0, 0.0
        for block in sound.blocks:
            n_read += len(block)
            peak = max(peak, float(np.abs(block).max()))
    missing = max(0, sound.announced - n_read)
    return SongFacts(n_read / sound.samplerate, sound.samplerate, sound.channels, peak, missing / sound.samplerate)


def _check_regular(song: Path) -> None:
    """Refuse what is no regular file before it is opened: a pipe would let us wait, a device never end."""
    try:
        if not stat.S_ISREG(song.stat().st_mode):
            raise AudioError(f"{song} is no file but a folder, pipe or device; name a song ({READABLE})")
        song.open("rb").close()
    except FileNotFoundError as error:
        raise AudioError(f"there is no file {song}; name a song ({READABLE})") from error
    except (OSError, ValueError) as error:
        raise AudioError(f"{song} cannot be read ({getattr(error, 'strerror', error)}); name a song, or allow to "
                         "read it") from error


def _checked(song: Path, sound: Sound) -> Sound:
    """The same sound; rates and channels of which a header lies are refused before memory is taken for them."""
    if sound.channels > MAX_CHANNELS:
        raise AudioError(f"{song} has {sound.channels} channels; name a song with at most {MAX_CHANNELS}")
    lowest, highest = RATES_HZ
    if not lowest <= sound.samplerate <= highest:
        raise AudioError(f"{song} claims {sound.samplerate} Hz; music has {lowest} to {highest} Hz, so it is damaged "
                         "or no music: export it again")
    return sound


def _blocks(read: Callable[[int], np.ndarray], rate_hz: int, n_channels: int, song: Path) -> Iterator[np.ndarray]:
    """What `read` gives, until it gives nothing; the place in s is said of everything that is wrong."""
    size, position = max(1, min(int(BLOCK_S * rate_hz), BLOCK_BYTES // (4 * n_channels))), 0
    while True:
        try:
            block = read(size)
        except (soundfile.LibsndfileError, EOFError) as error:
            reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
            place = f"{position / rate_hz:.1f} s"
            raise AudioError(f"{song} is damaged after {place} ({reason}); use another copy") from error
        if len(block) == 0:
            break
        finite = np.isfinite(block)
        if not finite.all():
            place = f"{(position + int(np.argmin(finite.all(axis=1)))) / rate_hz:.2f} s"
            raise AudioError(f"{song} has a sample that is no finite number at {place}; export it again")
        position += len(block)
        yield block
    if position == 0:
        raise AudioError(f"{song} has no samples; name a song that can be heard")


def _is_plain_wav(song: Path) -> bool:
    """Whether this is a WAV file of bare samples and of nothing unusual before them."""
    with open(song, "rb") as file:
        plain, start = False, file.read(12)
        while start[:4] == b"RIFF" and start[8:] == b"WAVE":
            name, size = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
            if name not in PLAIN:
                return plain and name == b"data"
            content = file.read(16) if name == b"fmt " else b""
            if len(content) == 16:
                kind, n_channels, _, _, n_bytes, bits = struct.unpack("<HHIIHH", content)
                plain = kind in (1, 3, 0xFFFE) and 0 < 8 * n_bytes == n_channels * bits
            file.seek(size + size % 2 - len(content), os.SEEK_CUR)
    return False


def _stated_seconds(song: Path) -> float:
    """The length in s that a container states, or 0."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", f"file:{song}"]
    try:
        return float(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    except ValueError:
        return 0.0


def _check_alike(path: Path, sound: Sound, name: str, first: Sound) -> None:
    for found, expected, unit in ((sound.samplerate, first.samplerate, "Hz"),
                                  (sound.channels, first.channels, "channels")):
        if found != expected:
            raise AudioError(f"{path} has {found} {unit} and the {name} {expected}; export both again")
    seconds, expected = sound.frames / sound.samplerate, first.frames / sound.samplerate
    if abs(seconds - expected) > LENGTH_TOLERANCE_S:
        raise AudioError(f"{path} is {seconds:.2f} s long and the {name} {expected:.2f} s: one is cut off; use "
                         "another copy")


def _side_by_side(sounds: Iterable[Sound]) -> Iterator[np.ndarray]:
    for blocks in zip(*(sound.blocks for sound in sounds), strict=False):  # (sample, channel) of each signal
        size = min(map(len, blocks))
        yield np.stack([block[:size] for block in blocks], axis=1)


@contextlib.contextmanager
def _at_a_distance(song: Path) -> Iterator[Sound | None]:
    """What libsndfile reads in another process; None if it refuses the file."""
    with _decoder([sys.executable, "-I", distant.__file__, str(song)], song) as (read, failure):
        head = read(struct.calcsize(distant.HEADER))
        if len(head) < struct.calcsize(distant.HEADER):
            failure()
            yield None
        else:
            rate_hz, n_channels, n_held, n_announced = struct.unpack(distant.HEADER, head)
            blocks = _blocks(_samples(read, failure, n_channels, "=f4"), rate_hz, n_channels, song)
            yield Sound(rate_hz, n_channels, n_held, n_announced, blocks)


@contextlib.contextmanager
def _decoded(song: Path, mapping: list[str]) -> Iterator[Sound]:
    """What one ffmpeg process writes; its length is not known.

    The format is AU: a header that states rate and channels, so that no second process must probe the file, then
    samples. `-xerror` makes a damaged packet an error instead of a gap.
    """
    command = [ensure_ffmpeg(), "-nostdin", "-v", "error", "-xerror", "-format_whitelist", FORMATS,
               "-i", f"file:{song}", *mapping, "-vn", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
    with _decoder(command, song) as (read, failure):
        head = read(24)
        if len(head) < 24:
            reason = failure() or "it holds no sound"
            raise AudioError(f"{song} is no audio that can be read ({reason}); use another copy, or {READABLE}")
        _, data_start, _, _, rate_hz, n_channels = struct.unpack(">6I", head)
        read(data_start - len(head))
        samples = _samples(read, failure, n_channels, ">f4")
        yield Sound(rate_hz, n_channels, 0, 0, _blocks(samples, rate_hz, n_channels, song))


def _samples(
    read: Callable[[int], bytes], failure: Callable[[], str], n_channels: int, kind: str
) -> Callable[[int], np.ndarray]:
    """What gives the next samples `(sample, channel)` of a decoder, or raises `EOFError` where it has failed."""
    def samples(size: int) -> np.ndarray:
        data = read(4 * n_channels * size)
        if not data and (reason := failure()):
            raise EOFError(reason)
        whole = len(data) // (4 * n_channels) * n_channels
        return np.frombuffer(data, kind, whole).reshape(-1, n_channels).astype(np.float32)

    return samples


@contextlib.contextmanager
def _decoder(command: list[str], song: Path) -> Iterator[tuple[Callable[[int], bytes], Callable[[], str]]]:
    """A process whose output is read; yields what reads so many bytes of it, and what says why it has ended."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # Own session: an interrupt from the keyboard is for us, and must not look like a damaged file.
    with ThreadPoolExecutor(1) as pool, subprocess.Popen(command, **pipes, start_new_session=True) as process:
        # macOS, Windows; ended already, or under a lower limit of the user's own
        with contextlib.suppress(AttributeError, OSError, ValueError):
            resource.prlimit(process.pid, resource.RLIMIT_AS, (DECODER_BYTES, DECODER_BYTES))
        messages = pool.submit(process.stderr.read)  # at the same time, since a full pipe would stop it
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        def read(size: int) -> bytes:
            timer = threading.Timer(PATIENCE_S, end)
            timer.start()
            try:
                return process.stdout.read(size)
            finally:
                timer.cancel()

        def failure() -> str:
            if late.is_set():
                raise AudioError(f"{song} is no audio that can be read (nothing came for {PATIENCE_S:.0f} s); use "
                                 f"another copy, or {READABLE}")
            return _failure(process, messages, song)

        try:
            yield read, failure
        finally:
            process.kill()


def _failure(process: subprocess.Popen, messages: Future[bytes], song: Path) -> str:
    """Why a decoder has ended, or an empty string if all went well."""
    code = process.wait()
    text = messages.result().decode(errors="replace").strip()
    if code in CRASHES:
        return "the decoder crashed"
    if code < 0 or (code == 255 and "signal" in text):
        raise DannError(f"the decoder was stopped from outside while it read {song}; start again to go on")
    first = (text.splitlines() or [f"the decoder ended with {code}"])[0]
    first = re.sub(r"^\[.*?\] ", "", first).strip()  # without the `[part @ 0x55…]` before it
    return re.sub(r"(?<=not )on whitelist .*", "allowed", first) if code else ""
