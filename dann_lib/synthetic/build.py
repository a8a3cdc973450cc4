"""Making the embedded corpus: all songs of the table, once, complete or not at all."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock
from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from dann_lib.errors import OutputError
from dann_lib.files import data_folder, output_errors, read_regular
from dann_lib.report import SIGNALS, STEMS
from dann_lib.synthetic.compose import compose_song
from dann_lib.synthetic.score import APART, Song
from dann_lib.synthetic.songs import SONGS, Entry
from dann_lib.synthetic.styles import STYLES

VERSION = 2
"""Raised with every change that alters the songs; a corpus of another version is made again."""

_STAMP = "corpus.json"
_TABLE = "metadata.csv"
_NEEDED_BYTES = 260_000_000


def make_corpus(
    root: Path | None = None, seed: int = 0, *, progress: bool = True, jobs: int | None = None
) -> Path:
    """Compose and render the embedded corpus in MUSDB18-HQ's layout, unless it is there already.

    `root` then holds `train/` (16 songs) and `test/` (8), each song a folder with `mixture.wav` and four
    stems, `metadata.csv`, and `corpus.json` with every file's size. About 230 MB. The songs are rendered
    into a temporary folder beside `root`, which takes its place when it is complete: an interruption
    leaves what was there before, and of two processes at once the later one waits for the other.

    Args:
        root: folder of the corpus; by default `synthetic` in the data folder.
        seed: the same seed gives the same samples, bit for bit on one machine.
        progress: whether to show a progress bar.
        jobs: processes that render at once; by default one per core.

    Returns:
        `root`.

    Raises:
        OutputError: if the folder cannot be written, the disk is too full, or `root` holds files that
            are no embedded corpus (they are left alone).
    """
    root = data_folder() / "synthetic" if root is None else Path(root)
    if is_complete(root, seed):
        return root
    with output_errors(root):
        _refuse_foreign(root)
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(root.parent / f".{root.name}.lock"):
            if not is_complete(root, seed):  # else another process has made it meanwhile
                for abandoned in root.parent.glob(f".{root.name}.new-*"):  # by a process that was killed
                    shutil.rmtree(abandoned, ignore_errors=True)
                _check_space(root)
                with tempfile.TemporaryDirectory(
                    prefix=f".{root.name}.new-", dir=root.parent, ignore_cleanup_errors=True
                ) as workshop:
                    fresh = Path(workshop) / "fresh"
                    _render_all(fresh, seed, progress, jobs)
                    if root.exists():
                        os.rename(root, Path(workshop) / "old")
                    os.rename(fresh, root)
    return root


def compose_entry(entry: Entry, seed: int = 0) -> Song:
    """Compose a song of the corpus with this seed again, to look at its chords, notes and melody."""
    return compose_song(entry.genre, entry.n_instruments, 1000 * seed + SONGS.index(entry), entry.name)


def compose_songs(
    folder: Path, n_songs: int, first_seed: int, apart: bool = False, *, progress: bool = True, jobs: int | None = None
) -> None:
    """Compose and render songs of all genres and numbers of instruments, about 11 s each, as folders of WAV files.

    Args:
        folder: gets a folder for each song; a corpus is a folder with `train` and `test`.
        n_songs: how many.
        first_seed: of the first song, the next one has the next; those of the embedded corpus are below 1000.
        apart: with stems for guitar and keys (`score.APART`) in place of MUSDB18's.
        progress: whether to show a progress bar.
        jobs: processes that render at once; by default one per core.

    Raises:
        OutputError: if the folder cannot be written.
    """
    genres = tuple(STYLES)
    songs = [compose_song(genres[place % 4], 4 + place // 4 % 5, first_seed + place) for place in range(n_songs)]
    _write_all({Path(folder) / song.name: song for song in songs}, apart, progress, jobs)


def is_complete(root: Path, seed: int = 0) -> bool:
    """Whether `root` holds this version of the corpus for this seed, with every file at its full size."""
    try:
        stamp = json.loads(read_regular(Path(root) / _STAMP))
        sizes = stamp.pop("bytes")
        return stamp == _stamp(seed) and bool(sizes) and all(
            (Path(root) / name).stat().st_size == size for name, size in sizes.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _render_all(folder: Path, seed: int, progress: bool, jobs: int | None) -> None:
    songs = {entry: compose_entry(entry, seed) for entry in SONGS}
    _write_all({folder / entry.folder: song for entry, song in songs.items()}, False, progress, jobs)
    rows = [{
        "name": song.name, "split": entry.split, "genre": song.genre, "n_instruments": song.n_instruments,
        "instruments": "; ".join(song.instruments), "tempo_bpm": song.tempo_bpm, "key": song.key,
        "seed": song.seed, "seconds": round(song.seconds, 3),
    } for entry, song in songs.items()]
    with open(folder / _TABLE, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    names = [_TABLE, *(f"{entry.folder}/{signal}.wav" for entry in SONGS for signal in SIGNALS)]
    stamp = {**_stamp(seed), "bytes": {name: (folder / name).stat().st_size for name in names}}
    (folder / _STAMP).write_text(json.dumps(stamp, indent=1), encoding="utf-8")


def _write_all(songs: Mapping[Path, Song], apart: bool, progress: bool, jobs: int | None) -> None:
    from dann_lib.synthetic.render import write_song

    work = Parallel(n_jobs=max(1, min(jobs or cpu_count(), len(songs))), return_as="generator_unordered")(
        delayed(write_song)(folder, song, APART if apart else STEMS) for folder, song in songs.items()
    )
    for _ in tqdm(work, total=len(songs), desc="composing songs", unit="song", leave=False, disable=not progress):
        pass


def _stamp(seed: int) -> dict[str, str | int]:
    return {"corpus": "dann_lib.synthetic", "version": VERSION, "seed": seed}


def _refuse_foreign(root: Path) -> None:
    """Never replace a folder with somebody else's files in it."""
    if not root.exists():
        return
    if not root.is_dir():
        raise OutputError(f"{root} is a file; the embedded corpus needs a folder: choose another path")
    ours = {"train", "test", _TABLE, _STAMP}
    songs = {entry.folder for entry in SONGS}
    found = [path.relative_to(root).as_posix() for path in (*root.iterdir(), *root.glob("*/*"))]
    foreign = [name for name in found if not Path(name).name.startswith(".") and name not in ours | songs]
    if foreign:
        raise OutputError(f"{root} holds {foreign[0]!r}, which is not of the embedded corpus; choose another "
                          "folder, or remove it")


def _check_space(root: Path) -> None:
    free = shutil.disk_usage(root.parent).free
    if free < _NEEDED_BYTES:
        raise OutputError(f"cannot write {root}: {free / 1e6:.0f} MB are free, {_NEEDED_BYTES / 1e6:.0f} MB are "
                          "needed; free some space or choose another folder")
