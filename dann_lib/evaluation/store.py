"""Scores as files: one table, and one small file per song and separator from which a run resumes."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dann_lib.errors import DannError
from dann_lib.evaluation.waveforms import Separator, Track
from dann_lib.files import atomic_write, read_regular

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("run", "song", "source", "rate_hz", "metric", "value")
"""Of every table of scores."""

VERSION = 1
"""Of the scores; a higher one makes every stored file stale. Raise it when a definition changes."""


def read_scores(path: Path) -> pd.DataFrame:
    """Read a table of scores, a CSV file with the columns `COLUMNS`; values come back bit for bit.

    Raises:
        DannError: if the file is missing, or is no table of scores.
    """
    import pandas as pd

    types = {**dict.fromkeys(COLUMNS, str), "rate_hz": "int64", "value": "float64"}
    try:
        # A song may be called "NA"; only a value can be missing.
        content = io.BytesIO(read_regular(Path(path)))
        table = pd.read_csv(content, dtype=types, keep_default_na=False, na_values={"value": [""]})
    except (OSError, ValueError) as error:
        raise DannError(f"{path} cannot be read as a table of scores: {error}") from error
    if tuple(table.columns) != COLUMNS:
        raise DannError(f"{path} has the columns {', '.join(table.columns)}; expected {', '.join(COLUMNS)}")
    return table


def write_scores(scores: pd.DataFrame, path: Path) -> None:
    """Write a table of scores, whole or not at all.

    Raises:
        OutputError: if it cannot be written; an older file stays.
    """
    with atomic_write(path) as temporary:
        scores.to_csv(temporary, index=False, columns=list(COLUMNS), lineterminator="\n")


def fingerprint(separator: Separator, run: str) -> str:
    """What tells one separator from another: its attribute `fingerprint`, or the name of a function.

    Raises:
        ValueError: if that of this `run` has neither, so that stored scores could be of another one.
    """
    stated = getattr(separator, "fingerprint", None)
    if stated is not None:
        return str(stated)
    if isinstance(separator, functools.partial):
        return f"{fingerprint(separator.func, run)} {separator.args} {sorted(separator.keywords.items())}"
    name = getattr(separator, "__qualname__", "<")
    if "<" in name:
        raise ValueError(
            f"the separator {run!r} has no fingerprint, so stored scores could not be recognised; give it "
            "an attribute `fingerprint`, or evaluate without `out`"
        )
    return f"{separator.__module__}.{name}"


def run_names(weights: Iterable[Path], taken: Iterable[str] = ()) -> dict[str, Path]:
    """A name for each file of weights: of its run, whose folder it is in, or its own if it is not called `weights`.

    Where two have one name, or one has a name that is `taken`, folders above are added until they differ.
    """
    files = {os.path.abspath(path): path for path in weights}
    parts = {path: (Path(path).parent if Path(path).stem == "weights" else Path(path).with_suffix("")).parts
             for path in files}
    names = {}
    for path, own in parts.items():
        others = [*((name,) for name in taken), *(other for each, other in parts.items() if each != path)]
        n = next((n for n in range(1, len(own)) if all(own[-n:] != other[-n:] for other in others)), 0)
        names["/".join(own[-n:])] = files[path]
    return names


def stamp(track: Track, separator_fingerprint: str) -> str:
    """Hash of all that a song's scores depend on: song, separator, and definitions.

    The song is known by its length and by every few hundredth sample, since hashing hours of song would
    take longer than resuming.
    """
    waveforms = track.waveforms
    digest = hashlib.sha256(f"{VERSION} {separator_fingerprint} {waveforms.shape}".encode())
    step = max(1, waveforms.shape[-1] // 512)
    digest.update(np.ascontiguousarray(waveforms[:, ::step]).tobytes())
    return digest.hexdigest()[:16]


def score_file(out: Path, run: str, track: Track, rate_hz: int, separator_fingerprint: str, v4: bool) -> Path:
    """Where the scores of a song by a separator lie."""
    name = f"{safe_name(track.name)}-{rate_hz}-{stamp(track, separator_fingerprint)}{'-v4' if v4 else ''}.csv"
    return Path(out) / safe_name(run) / name


def load(path: Path, run: str, song: str, v4: bool, n_rows: int) -> pd.DataFrame | None:
    """Stored scores of a song by a separator; `None` if there are none, or they are stale or damaged.

    Without `v4`, those of a run with `v4` are taken and its rows left out. `n_rows` are expected.
    """
    for stored in (path, path.with_name(f"{path.stem.removesuffix('-v4')}-v4.csv")):
        try:
            table = read_scores(stored)
        except DannError:
            continue
        if not v4:
            table = table[~table["metric"].str.endswith("_v4")]
        of_song = (table["run"] == run) & (table["song"] == song)
        if len(table) == n_rows and of_song.all() and stored.read_bytes().endswith(b"\n"):
            return table
    return None


def save(scores: pd.DataFrame, path: Path) -> None:
    """Store the scores of a song by a separator as `score_file` says, and remove those that they replace.

    Raises:
        OutputError: if it cannot be written.
    """
    write_scores(scores, path)
    kept = path.stem.removesuffix("-v4").rsplit("-", 1)[0]
    for other in path.parent.glob(f"{kept}-*.csv"):
        if re.fullmatch(r"[0-9a-f]{16}(-v4)?", other.stem[len(kept) + 1 :]) and other != path:
            other.unlink(missing_ok=True)


def safe_name(name: str) -> str:
    """Make a file name of any name: the same if it is plain and short, else with a hash to be unique."""
    plain = re.sub(r"[^A-Za-z0-9_. -]", "_", name)[:80].strip(" .")
    if plain == name:
        return plain
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}".lstrip("-")
