"""Where a corpus lies and which songs it has: names and folders, the layouts, the download, the splits."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import socket
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from dann_lib import report
from dann_lib.audio.ffmpeg import import_musdb
from dann_lib.audio.reading import signal_files
from dann_lib.corpus.cache import Original
from dann_lib.errors import CorpusError
from dann_lib.files import data_folder, output_errors

Kind = Literal["synthetic", "stems", "wav", "own"]

STEM_SUFFIX = ".stem.mp4"
METADATA = "metadata.csv"
EXCERPTS = "musdb18-7"
CHOICES = f'"synthetic", "{EXCERPTS}", or the folder of a MUSDB18 or MUSDB18-HQ corpus (with train/ or test/)'
LAYOUTS = (f"train/*{STEM_SUFFIX} (MUSDB18) or train/<song>/mixture.wav (MUSDB18-HQ), or the same in test/; stems of "
           "your own have any names: train/<song>/guitar.wav")
DOWNLOAD_TIMEOUT_S = 30.0


def find_root(
    name_or_path: str | Path, *, download: bool = False, jobs: int | None = None, progress: bool = True
) -> Path:
    """The folder of a corpus; arguments as in `open_corpus`, `jobs` render the embedded one.

    Raises:
        CorpusError: if there is no such corpus, or the download fails.
    """
    if name_or_path == "synthetic":
        from dann_lib.synthetic import make_corpus

        return make_corpus(progress=progress, jobs=jobs).resolve()
    if name_or_path == EXCERPTS:
        return _find_excerpts(download)
    root = Path(os.path.expanduser(name_or_path))  # unlike Path's, these never fail: not at ~nouser, nor at long names
    if os.path.isdir(root):
        return root.resolve()
    found = "is a file" if os.path.exists(root) else "does not exist, or may not be seen"
    raise CorpusError(f"{root} {found}; a corpus is {CHOICES}")


def recognise(root: Path) -> tuple[Kind, list[Original]]:
    """The layout of the corpus in a folder, and its songs in the order of `musdb`.

    Raises:
        CorpusError: if it has no songs in a known layout.
    """
    stems, wavs = [], []
    paths = [(subset, path) for subset in ("train", "test") for path in _visible(root / subset)]
    signals = _signals([path for _, path in paths if os.path.isdir(path)])
    for subset, path in paths:
        if os.path.isdir(path):
            if stamp := _stamp(root, path, signals):  # a folder that holds a part of its files at least
                wavs.append(Original(f"{subset}/{path.name}", path, stamp, signals))
        elif path.name.endswith(STEM_SUFFIX):
            stems.append(Original(f"{subset}/{path.name.removesuffix(STEM_SUFFIX)}", path, _stamp(root, path)))
    if stems and wavs:
        raise CorpusError(f"{root} mixes {len(stems)} {STEM_SUFFIX} files and {len(wavs)} folders of WAV "
                          "files; put them into two folders")
    if not stems and not wavs:
        found = [path.name for path in _visible(root)]
        listed = ", ".join([*found[:5], "…"][: len(found)])
        what = f"has no songs (it holds {listed})" if found else "is empty"
        raise CorpusError(f"{root} {what}; expected {LAYOUTS}")
    if stems:
        return "stems", stems
    if signals != report.SIGNALS:
        return "own", wavs
    return "synthetic" if (root / METADATA).is_file() else "wav", wavs


def split_songs(root: Path, kind: Kind, songs: list[Original]) -> dict[str, tuple[str, dict[str, Any]]]:
    """The split and what else is stated of each song, by its id.

    The validation songs of MUSDB18 are `musdb`'s own fixed list; where none of these is there, every fifth song, or the
    last of fewer. An embedded corpus states its own.
    """
    table = _metadata(root) if kind == "synthetic" else {}
    names = [song.id.partition("/")[2] for song in songs if song.id.startswith("train/")]
    known = set() if table or kind == "own" else _musdb_validation_songs() & set(names)
    validation = set() if table else known or set(names[4::5] or names[1:][-1:])
    splits = {}
    for song in songs:
        subset, _, name = song.id.partition("/")
        stated = dict(table.get(name, {}))
        split = "valid" if subset == "train" and name in validation else subset
        splits[song.id] = (stated.pop("split", split), stated)
    return splits


def _find_excerpts(download: bool) -> Path:
    stated = os.environ.get("MUSDB_PATH")
    if stated and os.path.isdir(os.path.expanduser(stated)):
        return Path(os.path.expanduser(stated)).resolve()
    root = data_folder() / EXCERPTS
    if download and not os.path.isdir(root / "train"):
        _download(root)
    if os.path.isdir(root / "train"):
        return root.resolve()
    place = f"MUSDB_PATH is {stated}, which is no folder" if stated else "MUSDB_PATH is not set"
    raise CorpusError(
        f"the excerpts {EXCERPTS} are not on this machine ({place}, and there is nothing in {root}); set "
        "MUSDB_PATH to their folder, or ask for the download of 140 MB (download=True, or --download)"
    )


def _download(root: Path) -> None:
    """Let `musdb` download into a folder beside `root`, which gets its name when everything is there."""
    musdb = import_musdb()
    timeout = socket.getdefaulttimeout()
    with output_errors(root):
        root.parent.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)
        with output_errors(root), contextlib.redirect_stdout(sys.stderr):  # stdout is for results
            musdb.DB(root=str(room), download=True)
            os.chmod(room, 0o755)
            try:
                os.replace(room, root)
            except OSError:
                if not os.path.isdir(root / "train"):  # otherwise another process was faster
                    raise
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:
        raise CorpusError(f"{EXCERPTS} could not be downloaded ({error}); check the network, or copy the "
                          "folder from elsewhere and set MUSDB_PATH to it") from error
    finally:
        socket.setdefaulttimeout(timeout)
        shutil.rmtree(room, ignore_errors=True)


def _visible(folder: Path) -> list[Path]:
    """What a folder holds, sorted, without hidden files; nothing if it does not exist."""
    try:
        os.stat(os.path.join(folder, "."))  # tells whether it may be entered too
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CorpusError(f"{folder} cannot be read ({error.strerror}); allow to read it") from error


def _signals(songs: list[Path]) -> tuple[str, ...]:
    """What folders of WAV files hold: MUSDB18's signals if one has all of them and nothing more, else their own stems.

    In MUSDB18 itself other files do not count.
    """
    named = []
    for song in songs:
        with contextlib.suppress(OSError):  # preparing it will tell
            files = [name for name in os.listdir(song) if name.endswith(".wav") and not name.startswith(".")]
            named.append({name.removesuffix(".wav") for name in files})
    known, names = set(report.SIGNALS), set().union(*named)
    whole = any(known <= each for each in named)
    if not names or (whole and (names == known or _musdb_validation_songs() & {song.name for song in songs})):
        return report.SIGNALS
    return ("mixture", *sorted(names - {"mixture"}))


def _stamp(root: Path, song: Path, signals: tuple[str, ...] = report.SIGNALS) -> list[list[str | int]]:
    """Name, size in bytes and time of last change in ns of each file of a song that exists."""
    stamp = []
    for path in signal_files(song, signals):
        name = path.relative_to(root).as_posix()
        try:
            status = path.stat()
            stamp.append([name, status.st_size, status.st_mtime_ns])
        except FileNotFoundError:
            pass
        except OSError:  # a loop of links, or no permission: preparing it will tell
            stamp.append([name, -1, -1])
    return stamp


def _musdb_validation_songs() -> set[str]:
    """The list that `musdb.DB(split="valid")` uses, without importing `musdb`, which needs ffmpeg."""
    import yaml

    spec = find_spec("musdb")
    if spec is None or not spec.submodule_search_locations:
        raise CorpusError("the package musdb, which lists the validation songs, is missing; install it")
    setup = Path(spec.submodule_search_locations[0]) / "configs" / "mus.yaml"
    return set(yaml.safe_load(setup.read_text(encoding="utf-8"))["validation_tracks"])


def _metadata(root: Path) -> dict[str, dict[str, Any]]:
    """The rows of the metadata table by name; whole numbers as int, other numbers as float."""
    try:
        with open(root / METADATA, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{root / METADATA} cannot be read ({error}); make the corpus again") from error
    if any("name" not in row for row in rows):
        raise CorpusError(f"{root / METADATA} has no column name; make the corpus again")
    return {row.pop("name"): {key: _number(value) for key, value in row.items()} for row in rows}


def _number(text: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except (TypeError, ValueError):
            pass
    return text
