"""The prepared cache: every song once, as mono at 8.82 kHz (report, II.b), ready to be mapped into memory.

A folder holds for each song `<name>.npy`, float32 `(signal, sample)`, and `<name>.json`, which says what it
was made from; `index.json` gathers the latter, so that opening reads one file and asks the system for sizes
and dates only. Everything is written whole or not at all, so that an interrupted run goes on where it
stopped; a lock lets two processes share the work without doing it twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dann_lib.audio.ffmpeg import ensure_ffmpeg
from dann_lib.corpus.preparation import PREPARATION, file_checksum, prepare_song
from dann_lib.errors import AudioError
from dann_lib.files import atomic_write, output_errors

INDEX = "index.json"


@dataclass(frozen=True)
class SongFiles:
    """A song as it lies in a corpus.

    Attributes:
        id: `subset/name`, unique in a corpus.
        files: path of each signal, or of the one file that holds them all under `"stems"`.
        source: what the prepared song depends on: name in the corpus, size in bytes and time of last
            change in ns of each file.
    """

    id: str
    files: dict[str, Path]
    source: list[list[str | int]]


@dataclass(frozen=True)
class Entry:
    """What is known of a prepared song.

    Attributes:
        source: see `SongFiles`; empty if the song must be tried again in any case.
        skipped: why the song cannot be used, or an empty string.
        n_samples: length at `report.SAMPLE_RATE`.
        n_bytes: size of the prepared file.
        checksum: CRC-32 of the prepared file.
        rate_hz: sample rate of the song itself.
        n_channels: channels of the song itself.
        content: CRC-32 of each of the song's files, in the order of `source`.
    """

    source: list[list[str | int]]
    skipped: str = ""
    n_samples: int = 0
    n_bytes: int = 0
    checksum: int = 0
    rate_hz: int = 0
    n_channels: int = 0
    content: tuple[int, ...] = ()


def cache_folder(parent: Path, root: Path, kind: str) -> Path:
    """Where the prepared songs of a corpus lie.

    Args:
        parent: folder of all prepared corpora.
        root: the corpus.
        kind: its layout.

    Returns:
        `<parent>/<name of the corpus>-<key>`; the key stands for the place and `PREPARATION`.
    """
    made_from = json.dumps([str(root.resolve()), kind, PREPARATION])
    name = re.sub(r"[^\w.-]+", "_", root.resolve().name)[:60] or "corpus"
    return Path(parent) / f"{name}-{hashlib.sha256(made_from.encode()).hexdigest()[:12]}"


def prepared_path(folder: Path, song: str) -> Path:
    """The prepared file of a song, an array `(signal, sample)` of float32."""
    return folder / f"{song}.npy"


def open_cache(
    songs: Sequence[SongFiles], folder: Path, *, jobs: int | None = None, progress: bool = True,
    verify: bool = False,
) -> dict[str, Entry]:
    """The prepared songs; those that are missing, stale or damaged are prepared first, in parallel.

    Args:
        songs: all songs of the corpus.
        folder: of `cache_folder`.
        jobs: songs that are decoded at the same time; as many as there are processors if None.
        progress: show a bar over the songs.
        verify: compare checksums too, which reads every prepared file.

    Returns:
        What is known of each song, by its id.

    Raises:
        OutputError: if the cache cannot be written; songs that are done stay.
        AudioError: if songs need ffmpeg, and there is none.
    """
    entries = read_index(folder)
    if not verify and all(_is_fresh(entries.get(song.id), song, folder) for song in songs):
        return {song.id: entries[song.id] for song in songs}
    with _locked(folder):
        entries = {**entries, **read_index(folder)}
        entries = {song.id: _known(entries.get(song.id), song, folder) for song in songs}
        if verify:
            damaged = damaged_songs({name: entry for name, entry in entries.items() if entry}, folder, jobs)
            entries.update(dict.fromkeys(damaged))
        _remove_remains(folder)
        missing = [song for song in songs if entries[song.id] is None]
        if any("stems" in song.files for song in missing):
            ensure_ffmpeg()  # before a missing program looks like damaged songs
        with contextlib.closing(_prepare(missing, folder, jobs, progress)) as done:
            for song, entry in done:
                entries[song.id] = entry
        _write_json(folder / INDEX, {name: asdict(entry) for name, entry in entries.items()})
    return entries


def damaged_songs(entries: dict[str, Entry], folder: Path, jobs: int | None = None) -> tuple[str, ...]:
    """Compare the checksum of every prepared file.

    Args:
        entries: what `open_cache` returned.
        folder: of the same cache.
        jobs: files that are read at the same time.

    Returns:
        Ids of the songs whose prepared file is missing or not what was written.
    """
    def is_damaged(song: str) -> bool:
        try:
            return file_checksum(prepared_path(folder, song)) != entries[song].checksum
        except OSError:
            return True

    used = [song for song, entry in entries.items() if not entry.skipped]
    with ThreadPoolExecutor(n_jobs(jobs)) as pool:
        return tuple(song for song, bad in zip(used, pool.map(is_damaged, used), strict=True) if bad)


def read_index(folder: Path) -> dict[str, Entry]:
    """What is known of the prepared songs of a folder; nothing if its index is missing or damaged."""
    try:
        return {song: _entry(fields) for song, fields in json.loads((folder / INDEX).read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def n_jobs(jobs: int | None) -> int:
    """The number of jobs that was asked for, or one per processor that this process may use."""
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}; give 1 or more")
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return jobs or available or 1


def _is_fresh(entry: Entry | None, song: SongFiles, folder: Path) -> bool:
    """Whether the entry belongs to the song as it is now, and its file is whole as far as its size tells."""
    if entry is None or entry.source != song.source:
        return False
    try:
        return bool(entry.skipped) or prepared_path(folder, song.id).stat().st_size == entry.n_bytes
    except OSError:
        return False


def _known(entry: Entry | None, song: SongFiles, folder: Path) -> Entry | None:
    """The fresh entry of a song from the index, or else from its own file, or None."""
    if _is_fresh(entry, song, folder):
        return entry
    with contextlib.suppress(OSError, ValueError, TypeError):
        own = _entry(json.loads((folder / f"{song.id}.json").read_text()))
        return own if _is_fresh(own, song, folder) else None
    return None


def _prepare(
    songs: Sequence[SongFiles], folder: Path, jobs: int | None, progress: bool
) -> Iterator[tuple[SongFiles, Entry]]:
    """Prepare songs in threads: decoding runs in ffmpeg, libsndfile and soxr, which let the others run."""
    if not songs:
        return
    from tqdm.auto import tqdm

    stop = threading.Event()
    with ThreadPoolExecutor(n_jobs(jobs)) as pool:
        futures = {pool.submit(_prepare_song, song, folder, stop.is_set): song for song in songs}
        bar = tqdm(total=len(futures), desc="preparing songs", unit="song", disable=not progress, leave=False)
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
                bar.update()
        finally:
            bar.close()
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _prepare_song(song: SongFiles, folder: Path, stopped: Callable[[], bool]) -> Entry:
    """Prepare one song, or find out why that cannot be done, and write both down."""
    try:
        made = prepare_song(song.files, stopped)
    except AudioError as error:
        entry = Entry(song.source, skipped=str(error))
    except OSError as error:  # not the fault of the file: try again next time
        entry = Entry([], skipped=f"{error.strerror or error}")
    else:
        n_bytes, checksum = _write_array(prepared_path(folder, song.id), made.waveforms)
        entry = Entry(song.source, "", made.waveforms.shape[1], n_bytes, checksum, made.rate_hz,
                      made.n_channels, made.content)
    _write_json(folder / f"{song.id}.json", asdict(entry))
    return entry


def _write_array(path: Path, array: np.ndarray) -> tuple[int, int]:
    """Write an .npy file; its size in bytes and CRC-32. (`np.save` loses the reason when a disk is full.)"""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        file.write(header.getvalue())
        file.write(array.data)
    return len(header.getvalue()) + array.nbytes, zlib.crc32(array.data, zlib.crc32(header.getvalue()))


def _write_json(path: Path, content: object) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content))


def _entry(fields: dict) -> Entry:
    return Entry(**{**fields, "content": tuple(fields["content"])})


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process prepares a corpus at a time; another one waits, and then finds the work done."""
    from filelock import FileLock

    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _remove_remains(folder: Path) -> None:
    """Remove unfinished files of a process that was killed; the lock says that nobody is writing them."""
    remains: Iterable[Path] = (*folder.glob(".*.*"), *folder.glob("*/.*.*"))
    for path in remains:
        path.unlink(missing_ok=True)
