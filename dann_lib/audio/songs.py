"""Songs by their names: a folder of its own for the stems of each, and several songs one after the other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from dann_lib.audio.reading import LENGTH_TOLERANCE_S
from dann_lib.audio.stems import FORMATS, linear_gains, refuse_to_replace, separate_file
from dann_lib.errors import DannError
from dann_lib.files import output_errors
from dann_lib.separation import Separator

NOTE = "separated-from.txt"
"""In a folder of stems: which song they are of."""

N_BYTES = 140
"""Of a folder's name, which may get a number."""


def safe_name(song: str) -> str:
    """A folder's name made of a song's file name: one part of a path, of 1 to `N_BYTES` bytes in UTF-8.

    The ending goes. What is a separator on any system or cannot be printed becomes `_`; no dot is at either end.
    """
    stem = Path(song).stem.removesuffix(".stem")
    kept = "".join(sign if sign.isprintable() and sign not in '/\\:*?"<>|' else "_" for sign in stem)
    return kept.strip(" .").encode()[:N_BYTES].decode(errors="ignore").rstrip(" .") or "song"


@contextlib.contextmanager
def stem_folder(
    out: Path, name: str, origin: str, inputs: Iterable[Path], stems: Sequence[str], file_format: str = "wav"
) -> Iterator[Path]:
    """A folder in `out` for the `stems` of a song `name`; it goes again if none are there when the block ends.

    If it holds the stems of another song, or of one that nobody knows, the next one is taken: `song`, `song 2`, …
    What tells songs of one name apart is their `origin`, such as the whole path; a note in the folder says it.

    Raises:
        OutputError: if the folder cannot be made, or a stem would replace one of the files `inputs`, or a folder.
    """
    first, note = out / safe_name(name), os.fsencode(f"{origin}\n")
    refuse_to_replace(inputs, first, file_format, stems)
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        places = (first if number == 1 else out / f"{first.name} {number}" for number in count(1))
        folder = next(place for place in places if _is_of(place, note, stems))
    try:
        refuse_to_replace(inputs, folder, file_format, stems)
        yield folder
    finally:
        if not _has_stems(folder, stems):
            with contextlib.suppress(OSError):
                (folder / NOTE).unlink()
                folder.rmdir()


def _is_of(folder: Path, note: bytes, stems: Sequence[str]) -> bool:
    """Whether a folder is, or now becomes, that of the song with this note; no two processes get the same."""
    if os.path.lexists(folder) and not folder.is_dir():
        return False
    folder.mkdir(exist_ok=True)
    if not _has_stems(folder, stems):
        with contextlib.suppress(FileExistsError), open(folder / NOTE, "xb") as file:
            file.write(note)
    return (folder / NOTE).is_file() and (folder / NOTE).read_bytes() == note


def _has_stems(folder: Path, stems: Sequence[str]) -> bool:
    return any((folder / f"{name}.{ending}").exists() for name in stems for ending in FORMATS)


def separate_songs(
    songs: list[Path], out: Path, separator: Separator, gains_db: dict[str, float], file_format: str, bits: int
) -> Iterator[tuple[dict[str, Any], str]]:
    """Separate songs as `separate_file` does, into folders in `out` that are chosen before the first one begins.

    Yields:
        Of each song what was done, as data and as a sentence. A bad one has the key `error`, and does not stop others.
    """
    linear_gains(gains_db, separator.stems)
    with contextlib.ExitStack() as kept:
        folders: list[Path | Exception] = []
        for song in songs:
            try:
                place = stem_folder(out, song.name, os.path.realpath(song), songs, separator.stems, file_format)
                folders.append(kept.enter_context(place))
            except (DannError, OSError) as error:
                folders.append(error)
        for song, folder in zip(songs, folders, strict=True):
            try:
                if isinstance(folder, Exception):
                    raise folder
                done = separate_file(song, folder, separator, gains_db=gains_db, file_format=file_format, bits=bits)
            except (DannError, OSError, ValueError) as error:
                text = str(error) if str(song) in str(error) else f"{song}: {error}"
                yield {"song": str(song), "error": text}, text
                continue
            speed = round(done.duration_s / done.elapsed_s, 1)
            text = f"{song.name}: {done.duration_s:.1f} s in {done.elapsed_s:.1f} s ({speed}x real time) → {folder}"
            if folder.name != safe_name(song.name):
                text += f" ({safe_name(song.name)} has stems of another song, or of one that nobody noted)"
            if done.missing_s > LENGTH_TOLERANCE_S:
                text += f"\nthe file ends {done.missing_s:.1f} s before it should, and so do the stems"
            if clipped := [name for name, n in done.n_clipped.items() if n]:
                counts = ", ".join(f"{done.n_clipped[name]} samples of {name}" for name in clipped)
                raised = any(gains_db.get(name, 0) > 0 for name in clipped)
                advice = "lower the gains" if raised else f"--gain {clipped[0]}=-6 would make room"
                text += f"\nlimited at full scale: {counts}; {advice}"
            yield {"song": str(song), **done._asdict(), "stems": {name: str(path) for name, path in done.stems.items()},
                   "times_real_time": speed}, text
