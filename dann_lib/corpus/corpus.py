"""Opening a corpus: the embedded songs, MUSDB18 or MUSDB18-HQ, recognised by their layout (report, II.a)."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dann_lib import report
from dann_lib.audio.ffmpeg import import_musdb
from dann_lib.audio.reading import STREAMS, open_signals, read_audio
from dann_lib.corpus.cache import cache_folder, open_cache, preparation, prepared_file
from dann_lib.corpus.layouts import Kind, find_root, recognise, split_songs
from dann_lib.errors import CorpusError
from dann_lib.files import data_folder

Split = Literal["train", "valid", "test"]

SUBSETS = ("train", "valid", "test", "train+valid")
"""What `Corpus.select` knows."""


@dataclass(frozen=True)
class Track:
    """A song.

    Attributes:
        name: as its file or folder is called.
        split: `"train"`, `"valid"` or `"test"`.
        n_samples: length at `report.SAMPLE_RATE`.
        path: its `.stem.mp4`, or its folder of WAV files.
        rate: sample rate of the song itself in Hz, 44 100 in MUSDB18.
        n_channels: channels of the song itself.
        prepared: file of its waveforms.
        metadata: `genre`, `n_instruments` and what else the corpus states; often empty.
        signals: names of the mixture and of the stems.
    """

    name: str
    split: Split
    n_samples: int
    path: Path
    rate: int
    n_channels: int
    prepared: Path
    metadata: dict[str, Any] = field(default_factory=dict, compare=False)
    signals: tuple[str, ...] = report.SIGNALS

    @property
    def seconds(self) -> float:
        """Length in s."""
        return self.n_samples / report.SAMPLE_RATE

    @property
    def waveforms(self) -> np.memmap:
        """Mono waveforms `(signal, sample)` at `report.SAMPLE_RATE`, float32, ordered as `signals`.

        They are mapped from the cache, not read: only what is looked at comes into memory.

        Raises:
            CorpusError: if the prepared file has gone or is damaged.
        """
        try:
            waveforms = np.load(self.prepared, mmap_mode="r")
            if waveforms.shape != (len(self.signals), self.n_samples):
                raise ValueError(f"its shape is {waveforms.shape}")
        except (OSError, ValueError, EOFError) as error:
            raise CorpusError(f"the prepared file {self.prepared} is missing or damaged; open the corpus "
                              "again with verify=True") from error
        return waveforms

    def signal(self, name: str) -> np.ndarray:
        """One of the signals: its mono waveform `(sample,)` at `report.SAMPLE_RATE`.

        Raises:
            ValueError: if there is no such signal.
        """
        return self.waveforms[self._index(name)]

    def read(self, signal: str) -> np.ndarray:
        """One of the signals in full quality, from the song's own file: `(sample, channel)` float32 at `rate` Hz.

        Raises:
            AudioError: if the file cannot be read any more.
            ValueError: if there is no such signal.
        """
        index, file = self._index(signal), self.path / f"{signal}.wav"
        if self.path.is_dir():
            known = self.signals == report.SIGNALS or os.path.lexists(file)
            return read_audio(file)[0] if known else self.read_all()[index]
        return read_audio(self.path, STREAMS.index(signal))[0]

    def read_all(self) -> np.ndarray:
        """All signals in full quality: `(signal, sample, channel)` float32 at `rate` Hz.

        Faster than five times `read` where one file holds them all.

        Raises:
            AudioError: if the files cannot be read any more.
        """
        with open_signals(self.path, self.signals) as sound:
            return np.concatenate([block.swapaxes(0, 1) for block in sound.blocks], axis=1)

    def _index(self, name: str) -> int:
        if name not in self.signals:
            raise ValueError(f"there is no signal {name!r}; choose among {', '.join(self.signals)}")
        return self.signals.index(name)


@dataclass(frozen=True)
class Corpus:
    """Songs with their true sources.

    Attributes:
        name: name of its folder.
        root: its folder.
        kind: `"stems"` (MUSDB18), `"wav"` (MUSDB18-HQ), `"synthetic"` (the latter with a metadata table), or `"own"`
            (stems of other names).
        tracks: the songs, in the order of `musdb`: `train/`, then `test/`, by name.
        skipped: name and reason of each song that cannot be used.
        fingerprint: hash of splits, names, sizes and content of the songs, and of how they are prepared; the same
            wherever they lie.
        cache: folder of the prepared waveforms.
        sample_rate: of the prepared waveforms, in Hz.
    """

    name: str
    root: Path
    kind: Kind
    tracks: tuple[Track, ...]
    skipped: tuple[tuple[str, str], ...]
    fingerprint: str
    cache: Path
    sample_rate: int = report.SAMPLE_RATE

    def select(self, subset: str) -> tuple[Track, ...]:
        """The songs of a part of the corpus.

        Args:
            subset: `"train"` (without the validation songs), `"valid"`, `"test"` or `"train+valid"`.

        Raises:
            CorpusError: if there are none.
            ValueError: if there is no such subset.
        """
        if subset not in SUBSETS:
            raise ValueError(f"there is no subset {subset!r}; choose among {', '.join(SUBSETS)}")
        chosen = tuple(track for track in self.tracks if track.split in subset.split("+"))
        if not chosen:
            splits = [track.split for track in self.tracks]
            counts = ", ".join(f"{splits.count(split)} {split}" for split in ("train", "valid", "test"))
            raise CorpusError(f"{self.name} has no {subset} songs ({counts}); choose another subset or corpus")
        return chosen

    def as_musdb(self, **options: Any) -> Any:
        """The same corpus as a `musdb.DB` with its options; it looks into every file and takes seconds.

        Raises:
            AudioError: if there is no ffmpeg, without which `musdb` does not work.
        """
        return import_musdb().DB(root=str(self.root), is_wav=self.kind != "stems", **options)


def open_corpus(
    name_or_path: str | Path = "synthetic", *, cache: Path | None = None, download: bool = False,
    jobs: int | None = None, progress: bool = True, verify: bool = False,
) -> Corpus:
    """Open a corpus; the first time, its songs are decoded into the prepared cache.

    Args:
        name_or_path: `"synthetic"` (composed and rendered if need be); `"musdb18-7"`, the 7-s excerpts,
            at `MUSDB_PATH` or from an earlier download; or the folder of any MUSDB18 or MUSDB18-HQ corpus.
        cache: folder of all prepared corpora; `DANN_CACHE` or `data/cache` if None.
        download: fetch `"musdb18-7"` (140 MB) if it is not there.
        jobs: songs that are decoded at the same time; as many as there are processors if None.
        progress: show bars.
        verify: compare checksums of the prepared songs, and make damaged ones again.

    Returns:
        The corpus. Songs that cannot be used are left out with a warning; see `Corpus.skipped`.

    Raises:
        CorpusError: if there is no such corpus, it is empty, or none of its songs can be used.
        AudioError: if ffmpeg is needed and missing.
        OutputError: if the cache cannot be written.
        ValueError: if there are no jobs.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"{jobs} jobs prepare nothing; choose 1 or more, or None for as many as there are processors")
    root = find_root(name_or_path, download=download, jobs=jobs, progress=progress)
    kind, songs = recognise(root)
    parent = cache or os.environ.get("DANN_CACHE") or data_folder() / "cache"
    signals = songs[0].signals
    folder = cache_folder(Path(parent), root, kind, signals)
    prepared = open_cache(songs, folder, jobs=jobs, progress=progress, verify=verify)
    splits = split_songs(root, kind, [song for song in songs if not prepared[song.id].skipped])
    tracks, skipped, content = [], [], []
    for song in songs:
        known, name = prepared[song.id], song.id.partition("/")[2]
        if known.skipped:
            skipped.append((name, known.skipped))
            continue
        split, metadata = splits[song.id]
        tracks.append(Track(name, split, known.n_samples, song.path, known.rate_hz, known.n_channels,
                            prepared_file(folder, song.id), metadata, signals))
        content.append([song.id, split, [file[:2] for file in song.stamp], known.content])
    _report_skipped(root, len(songs), skipped)
    fingerprint = hashlib.sha256(json.dumps([preparation(signals), content]).encode()).hexdigest()
    return Corpus(root.name, root, kind, tuple(tracks), tuple(skipped), fingerprint, folder)


def _report_skipped(root: Path, n_songs: int, skipped: list[tuple[str, str]]) -> None:
    """Warn of songs that are left out; refuse a corpus of which nothing is left."""
    if not skipped:
        return
    listed = "; ".join(f"{name}: {reason}" for name, reason in skipped[:5])
    listed += f"; and {len(skipped) - 5} more" if len(skipped) > 5 else ""
    if len(skipped) == n_songs:
        raise CorpusError(f"none of the {n_songs} songs of {root} can be used ({listed}); check the files")
    warnings.warn(f"{len(skipped)} of {n_songs} songs of {root} are left out ({listed})", stacklevel=3)
