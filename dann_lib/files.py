"""Files that are either written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dann_lib.errors import OutputError

UNFINISHED = ".unfinished-"
"""What names of files and folders begin with until they are whole."""

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file would be larger than the system allows; raise the limit or choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EISDIR: "a folder has the name of this file; remove it or choose another folder",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "there is no permission to write there; choose another folder"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "a part of the path is a file, not a folder; choose another folder"),
}


def data_folder() -> Path:
    """The folder of everything that is generated: `DANN_DATA`, or `data/` beside the package."""
    return Path(os.environ.get("DANN_DATA") or Path(__file__).resolve().parents[1] / "data")


def shipped_weights() -> Path:
    """The network that `separate`, the panel and lesson 7 take: the last one of `reproduce.experiments.MAIN_RUNS`."""
    return reference_folder() / "weights" / "dann-best.safetensors"


def reference_folder() -> Path:
    """The folder of the stored results, which comes with the code: `data/reference`."""
    return Path(__file__).resolve().parents[1] / "data" / "reference"


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file so that a reader sees the old one or the new one, never a part; missing folders are made.

    It yields a temporary path in the same folder, with the same suffix, to be written by the caller, which replaces
    `path` when the block ends, and is removed when the block fails. An older file stays where an `OutputError` says
    that the folder cannot be made or written, or the disk is full.
    """
    path = Path(path)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=UNFINISHED, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o644)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def only_process(folder: Path, needed: bool = True) -> Iterator[None]:
    """Make a folder and keep other processes out of it while it is written; what a killed one left unfinished goes.

    An `OutputError` names the process that is writing there. Nothing happens unless it is `needed`.
    """
    if not needed:
        return (yield)
    from filelock import FileLock, Timeout  # the system's own, which ends with the process, however that ends

    owner = folder / ".lock"
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(owner, timeout=1)
        try:
            lock.acquire()
        except Timeout:
            number = ""
            with contextlib.suppress(OSError):  # Windows lets nobody read it
                number = read_regular(owner).decode(errors="replace")
            who = f"process {number}" if number else "another process"
            raise OutputError(f"{who} is writing in {folder}; wait for it, or choose another folder") from None
    try:
        with contextlib.suppress(OSError):
            owner.write_text(str(os.getpid()))
        for path in folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink()  # who waits for it looks whether it is still there
        lock.release()


def read_regular(path: Path) -> bytes:
    """Read a file, but no pipe or device, which could let us wait for ever: it counts as missing, with an `OSError`."""
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return path.read_bytes()


def replace_between(path: Path, marks: tuple[str, str], text: str) -> None:
    """Put a text between two marks of a file; without marks or file nothing happens. Errors are of `atomic_write`."""
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, mark, rest = old.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if mark and end:
        with atomic_write(path) as temporary:
            temporary.write_text(f"{before}{mark}\n{text}\n{end}{after}", encoding="utf-8")


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` about space, quota or permission to write `path` into an `OutputError`, one clear sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REASONS:
            raise
        raise OutputError(f"cannot write {path}: {_REASONS[error.errno]}") from error
