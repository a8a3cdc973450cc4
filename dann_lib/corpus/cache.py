"""The prepared cache: every song once, as mono at 8.82 kHz (report, II.b), ready to be mapped into memory.

A folder holds for each song `<name>.npy`, float32 `(signal, sample)`, and `<name>.json`, which says what it was
made from, so that opening reads no audio. Both are written whole or not at all, so that an interrupted run goes on
where it stopped; a lock lets two processes share the work without doing it twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from dann_lib import report
from dann_lib.audio.ffmpeg import ensure_ffmpeg
from dann_lib.audio.reading import open_signals, signal_files
from dann_lib.errors import AudioError
from dann_lib.files import atomic_write, output_errors, read_regular

HEADER_BYTES = 128
"""What `.npy` files begin with."""


@dataclass(frozen=True)
class Original:
    """A song as it lies in a corpus.

    Attributes:
        id: `subset/name`, unique in a corpus.
        path: its `.stem.mp4`, or its folder of WAV files.
        stamp: what the prepared song depends on: name in the corpus, size in bytes and time of last change in ns
            of each file.
        signals: names of the mixture and of the stems.
    """

    id: str
    path: Path
    stamp: list[list[str | int]]
    signals: tuple[str, ...] = report.SIGNALS


@dataclass(frozen=True)
class Prepared:
    """What is known of a prepared song.

    Attributes:
        stamp: of the original; empty if the song must be tried again in any case.
        skipped: why the song cannot be used, or an empty string.
        n_samples: length at `report.SAMPLE_RATE`.
        n_bytes: size of the prepared file.
        checksum: CRC-32 of the prepared file.
        rate_hz, n_channels: of the original.
        content: CRC-32 of each of the original's files, in the order of `stamp`.
    """

    stamp: list[list[str | int]]
    skipped: str = ""
    n_samples: int = 0
    n_bytes: int = 0
    checksum: int = 0
    rate_hz: int = 0
    n_channels: int = 0
    content: list[int] = field(default_factory=list)


def preparation(signals: Sequence[str]) -> dict[str, Any]:
    """What a prepared song depends on besides its files; a change makes another cache."""
    return {"version": 1, "rate_hz": report.SAMPLE_RATE, "signals": signals, "channels": "mean",
            "resampling": "soxr HQ"}


def cache_folder(parent: Path, root: Path, kind: str, signals: Sequence[str] = report.SIGNALS) -> Path:
    """Where the prepared songs of the corpus at `root` lie in the folder of all prepared corpora.

    That is `<parent>/<name of the corpus>-<key>`; the key stands for the place, the layout and `preparation`.
    """
    made_from = json.dumps([str(root.resolve()), kind, preparation(signals)])
    name = re.sub(r"[^\w.-]+", "_", root.resolve().name)[:60] or "corpus"
    return Path(parent) / f"{name}-{hashlib.sha256(made_from.encode()).hexdigest()[:12]}"


def prepared_file(folder: Path, song_id: str) -> Path:
    """The file of a prepared song; a name too long for a file system, with what is added to it, is cut."""
    subset, _, name = song_id.partition("/")
    if len(os.fsencode(name)) > 200:
        name = f"{os.fsencode(name)[:40].decode(errors='ignore')}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"
    return folder / subset / f"{name}.npy"


def open_cache(
    songs: Sequence[Original], folder: Path, *, jobs: int | None = None, progress: bool = True, verify: bool = False
) -> dict[str, Prepared]:
    """What is known of each prepared song, by its id; those that are missing, stale or damaged are prepared first.

    Args:
        songs: all songs of the corpus.
        folder: of `cache_folder`.
        jobs: songs that are decoded at the same time; as many as there are processors if None.
        progress: show a bar over the songs.
        verify: compare checksums too, which reads every prepared file.

    Raises:
        OutputError: if the cache cannot be written; songs that are done stay.
        AudioError: if songs need ffmpeg, and there is none.
    """
    known = {song.id: _known(song, folder, verify) for song in songs}
    if None not in known.values():
        return known
    from filelock import FileLock

    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with output_errors(folder / ".lock"), FileLock(folder / ".lock"):
            # While this process waited, another one may have done the work.
            known = {song.id: known[song.id] or _known(song, folder, verify) for song in songs}
            known |= _prepare_all([song for song in songs if known[song.id] is None], folder, jobs, progress)
    return known


def prepare_song(song: Path, signals: Sequence[str] = report.SIGNALS) -> tuple[np.ndarray, int, int]:
    """Decode the signals of a song, take the mean of the channels, and resample without aliasing.

    Only the result is held in memory, not the song, which is a `.stem.mp4` or a folder of WAV files.

    Returns:
        Waveforms `(signal, sample)`, float32, ordered as `signals`; rate and channels of the original.

    Raises:
        AudioError: if a file is damaged, missing, no audio, or has samples that are no finite numbers.
    """
    n_signals = len(signals)
    with open_signals(song, signals) as sound:
        resampler = soxr.ResampleStream(sound.samplerate, report.SAMPLE_RATE, n_signals, dtype="float32")
        blocks = []
        for block in sound.blocks:                                         # (sample, signal, channel)
            mono = sum(np.moveaxis(block, -1, 0)) / np.float32(sound.channels)
            blocks.append(resampler.resample_chunk(mono, last=False))      # (sample, signal)
        blocks.append(resampler.resample_chunk(np.zeros((0, n_signals), np.float32), last=True))
    waveforms = np.empty((n_signals, sum(map(len, blocks))), np.float32)
    if waveforms.size == 0:
        raise AudioError(f"{song} is shorter than a sample at {report.SAMPLE_RATE} Hz; use another copy")
    np.concatenate([block.T for block in blocks], axis=1, out=waveforms)
    return waveforms, sound.samplerate, sound.channels


def _known(song: Original, folder: Path, verify: bool) -> Prepared | None:
    """What is known of a song if it belongs to the song as it is now, and the prepared file is whole.

    That is told by its size, and by its checksum if `verify`.
    """
    path = prepared_file(folder, song.id)
    try:
        noted = json.loads(read_regular(path.with_suffix(".json")))
        if noted.pop("record", None) not in (None, zlib.crc32(json.dumps(noted).encode())):  # older ones have none
            return None
        known = Prepared(**noted)
        n_bytes = HEADER_BYTES + 4 * len(song.signals) * known.n_samples
        whole = known.skipped or path.stat().st_size == known.n_bytes == n_bytes
        types = [list(map(type, vars(record).values())) for record in (known, Prepared([]))]
        fresh = whole and known.stamp == song.stamp and types[0] == types[1]
        return known if fresh and (known.skipped or not verify or _checksum(path) == known.checksum) else None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _prepare_all(songs: Sequence[Original], folder: Path, jobs: int | None, progress: bool) -> dict[str, Prepared]:
    """Prepare songs in threads, since ffmpeg, libsndfile and soxr let each other run; write them down in this one.

    So nothing is written any more once this has ended, for whatever reason.
    """
    from joblib import Parallel, delayed
    from tqdm.auto import tqdm

    for path in (*folder.glob(".*.*"), *folder.glob("*/.*.*")):  # unfinished files of a process that was killed;
        if not path.is_dir():                                    # the lock says that nobody is writing them
            path.unlink(missing_ok=True)
    if any(song.path.is_file() for song in songs):
        ensure_ffmpeg()  # before a missing program looks like damaged songs
    work = Parallel(n_jobs=-1 if jobs is None else jobs, backend="threading", return_as="generator_unordered")(
        delayed(_prepare)(song) for song in songs
    )
    bar = tqdm(work, total=len(songs), desc="preparing songs", unit="song", leave=False, disable=not progress)
    with warnings.catch_warnings(), contextlib.closing(work), bar:
        warnings.filterwarnings("ignore", "[0-9]+ tasks")  # joblib's, of songs that an error or interruption leaves
        return {
            song: _write(prepared_file(folder, song), prepared, waveforms)
            for song, prepared, waveforms in bar
        }


def _prepare(song: Original) -> tuple[str, Prepared, np.ndarray | None]:
    """The waveforms of a song, or why there are none."""
    try:
        # First, since the system says plainly what libraries report as a damaged file.
        content = [_checksum(file) for file in signal_files(song.path, song.signals) if file.is_file()]
        waveforms, rate_hz, n_channels = prepare_song(song.path, song.signals)
    except AudioError as error:
        return song.id, Prepared(song.stamp, skipped=str(error).replace(f"{song.path.parent}{os.sep}", "")), None
    except OSError as error:  # not the fault of the file: try again next time
        return song.id, Prepared([], skipped=error.strerror or str(error)), None
    prepared = Prepared(song.stamp, n_samples=waveforms.shape[1], rate_hz=rate_hz, n_channels=n_channels,
                        content=content)
    return song.id, prepared, waveforms


def _write(path: Path, prepared: Prepared, waveforms: np.ndarray | None) -> Prepared:
    """Write waveforms, if there are any, and what is known of them."""
    if waveforms is not None:
        with atomic_write(path) as temporary, open(temporary, "wb") as file:
            # Not np.save, which loses the reason when a disk is full.
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(waveforms))
            file.write(waveforms.data)
        prepared = replace(prepared, n_bytes=path.stat().st_size, checksum=_checksum(path))
    with atomic_write(path.with_suffix(".json")) as temporary:
        noted = asdict(prepared)
        temporary.write_text(json.dumps({**noted, "record": zlib.crc32(json.dumps(noted).encode())}))
    return prepared


def _checksum(path: Path) -> int:
    """CRC-32 of a file's content."""
    checksum = 0
    with open(path, "rb") as file:
        while block := file.read(2**20):
            checksum = zlib.crc32(block, checksum)
    return checksum
