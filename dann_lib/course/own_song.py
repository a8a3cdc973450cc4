"""A panel to separate a song of one's own: choose, drop or name a file, watch, cancel, listen, download.

A file that the browser sends arrives in pieces, so its size does not matter; the song is separated in a thread, so the
kernel stays usable. What is wrong with a file is said in the panel.
"""

from __future__ import annotations

import hashlib
import html
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path

import ipywidgets
import soundfile

from dann_lib import player
from dann_lib.audio.reading import SongFacts, look_through
from dann_lib.audio.songs import safe_name, stem_folder
from dann_lib.audio.stems import Separated, separate_file
from dann_lib.errors import AudioError, DannError
from dann_lib.files import data_folder, shipped_weights
from dann_lib.separation import Separator

PIECE_BYTES = 2**22
"""Bytes that travel at a time; a notebook's connection takes 10 MiB at most."""

PREVIEW_S = 180.0
"""Seconds of a long song that the player gets; the files hold all of it."""

CANCELLED = "Cancelled. Nothing was kept."

SILENT = 10 ** (-70 / 20)
"""Peak below which there is nothing to separate."""


def own_song(weights: Mapping[str, Path] | None = None, folder: Path | None = None) -> OwnSong:
    """The panel; a kernel is needed for as long as it shall work.

    Args:
        weights: name → weights to choose among; the shipped network if `None`.
        folder: where the stems go, in a folder with the song's name; `data/separated` if `None`.
    """
    shipped = {"reference network": shipped_weights()}
    return OwnSong(weights or shipped, Path(folder or data_folder() / "separated"))


class OwnSong(ipywidgets.VBox):
    """The widgets, and what stands behind them: takes a song, separates it, hands the stems out.

    Attributes:
        phase: waiting, receiving, separating, done or failed.
        job: the thread that separates, if there is one.
        browser: what runs in the page: it sends a file, and asks for stems.
    """

    def __init__(self, weights: Mapping[str, Path], folder: Path) -> None:
        self.folder, self.phase = folder, "waiting"
        self.job: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._name, self._size, self._received = "", 0, 0
        self._inbox: Path | None = None
        self._files: dict[str, Path] = {}
        self.browser = player.Frame(
            "own_song.js", {"busy": False, "stems": [], "piece_bytes": PIECE_BYTES},
            "Separate a song of your own", "The song stays on this computer.").live()
        self.browser.on_msg(self._answer)
        self.path = ipywidgets.Text(placeholder="or its path on this computer", layout={"width": "28em"})
        self.start = ipywidgets.Button(description="Separate this file")
        self.start.on_click(self._take_path)
        self.network = ipywidgets.Dropdown(options=dict(weights), description="Network")
        self.network.layout.display = None if len(weights) > 1 else "none"
        self.progress = ipywidgets.FloatProgress(max=1.0)
        self.cancel = ipywidgets.Button(description="Cancel")
        self.cancel.on_click(self._cancel)
        self._working = ipywidgets.HBox([self.progress, self.cancel], layout={"display": "none"})
        self.message, self.stems = ipywidgets.HTML(), ipywidgets.HTML()
        super().__init__([self.browser, ipywidgets.HBox([self.path, self.start, self.network]), self._working,
                          self.message, self.stems])

    def end(self) -> None:
        """End what is running, and remove what was received."""
        self._cancelled.set()
        if self.job is not None:
            self.job.join()
        self._clear()

    def _answer(self, _: object, content: object, buffers: Sequence[memoryview]) -> None:
        """A message of the browser; nothing that goes wrong may reach the kernel, or end what is being separated."""
        try:
            match content:
                case {"kind": "begin", "name": str(name), "size": int(size)}:
                    self._begin(Path(name.encode(errors="replace").decode()).name or "song", size)
                case {"kind": "piece" | "unreadable"} if self.phase != "receiving":
                    pass  # of one that was cancelled
                case {"kind": "piece", "offset": self._received}:
                    self._take_piece(b"".join(buffers))
                case {"kind": "unreadable", "reason": reason}:
                    raise AudioError(f"{self._name} cannot be read: {reason}. Was it moved, or is it a folder?")
                case {"kind": "fetch", "stem": str(stem), "offset": int(offset)} if offset >= 0:
                    self._hand_out(stem, offset)
                case _:
                    raise AudioError("the page sent what this panel does not know; load the page again")
        except Exception as error:
            if self.phase != "separating":
                self._fail(error)

    def _begin(self, name: str, size: int) -> None:
        self.end()
        self._name, self._size, self._received = name, size, 0
        if size <= 0:
            raise AudioError(f"{name} is empty; choose a song (WAV, FLAC, MP3, OGG or M4A)")
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if free < 2 * size:
            raise AudioError(f"{name} has {size / 1e6:.0f} MB, and the disk has {free / 1e6:.0f} MB left")
        ending = re.search(r"(\.[A-Za-z0-9]{1,8})?$", name)[0]
        self._inbox = Path(tempfile.mkdtemp(prefix="own-song-")) / f"song{ending}"
        self._say("receiving", f"Receiving {name} …")
        self.browser.send({"kind": "next", "offset": 0})

    def _take_piece(self, piece: bytes) -> None:
        if not 0 < len(piece) <= self._size - self._received:
            raise AudioError(f"{self._name} does not arrive as it was announced; choose it again")
        with open(self._inbox, "ab") as file:
            self._received += file.write(piece)
        if self._received == self._size:
            return self._separate(self._inbox)
        self.progress.value = self._received / self._size
        self.browser.send({"kind": "next", "offset": self._received})

    def _take_path(self, _: object) -> None:
        self.end()
        song = Path(os.path.expanduser(self.path.value.strip()))
        self._name = song.name
        self._separate(song)

    def _cancel(self, _: object) -> None:
        self._cancelled.set()
        if self.phase == "receiving":
            self._clear()
            self._say("waiting", CANCELLED)

    def _hand_out(self, stem: str, offset: int) -> None:
        """Send a piece of a stem; the browser asks for one after the other and saves them as a file."""
        if stem not in self._files:
            raise AudioError(f"there is no stem {stem}; load the page again")
        with open(self._files[stem], "rb") as file:
            file.seek(offset)
            piece, last = file.read(PIECE_BYTES), not file.read(1)
        self.browser.send({"kind": "piece", "stem": stem, "offset": offset, "last": last}, [piece])

    def _separate(self, song: Path) -> None:
        self._cancelled.clear()
        self._say("separating", f"Looking at {self._name} …")
        self.job = threading.Thread(target=self._work, args=(song, self.network.value), daemon=True)
        self.job.start()

    def _work(self, song: Path, weights: Path) -> None:
        """The thread: look, separate, show."""
        try:
            facts = look_through(song)
            if facts.peak < SILENT:
                raise AudioError(f"{self._name} is silent; there is nothing to separate")
            self._say("separating", f"Separating {_described(facts)} …")
            with open(song, "rb") as file:  # what tells it from others of its name: where it is, or what was sent
                sent = self._inbox is not None
                origin = hashlib.file_digest(file, "sha256").hexdigest() if sent else os.path.realpath(song)
            separator = Separator.load(weights)
            with stem_folder(self.folder, self._name, origin, [song], separator.stems) as folder:
                result = separate_file(song, folder, separator, progress=False, on_progress=self._advance)
            self._show(result, facts)
        except CancelledError:
            self._say("waiting", CANCELLED)
        except Exception as error:
            self._fail(error)
        finally:
            self._clear()

    def _advance(self, n_done: int, n_samples: int) -> None:
        if self._cancelled.is_set():
            raise CancelledError
        self.progress.value = min(1.0, n_done / max(n_samples, 1))

    def _show(self, result: Separated, facts: SongFacts) -> None:
        """The player with the stems and their sum, and what there is to download."""
        n_samples = int(PREVIEW_S * result.rate_hz)
        estimates = {name: soundfile.read(path, n_samples, dtype="float32", always_2d=True)[0].mean(axis=1)
                     for name, path in result.stems.items()}
        preview = " The player has the first three minutes, the files have all." if facts.seconds > PREVIEW_S else ""
        stems = player.stems(
            {"estimates": estimates}, mixture=sum(estimates.values()), rate_hz=result.rate_hz, title=self._name,
            description=f"{self._name} and its stems, at their own levels.{preview}")
        self._files, folder = result.stems, next(iter(result.stems.values())).parent
        missing = f" The file ends {facts.missing_s:.1f} s before it should." if facts.missing_s > 0.1 else ""
        clipped = [name for name, count in result.n_clipped.items() if count]
        loud = f" Limited where they were beyond full scale: {', '.join(clipped)}." if clipped else ""
        self._say("done", f"{_described(facts)}, separated in {result.elapsed_s:.0f} s.{missing}{loud} Files: {folder}",
                  stems._repr_html_())

    def _say(self, phase: str, text: str, stems: str = "") -> None:
        """Show where it stands; stems of a song before go when the next one comes."""
        busy, role = phase in ("receiving", "separating"), "alert" if phase == "failed" else "status"
        self.progress.value, self._working.layout.display = 0.0, None if busy else "none"
        self.path.disabled = self.start.disabled = self.network.disabled = self.browser.busy = busy
        self.message.value = f'<p role="{role}">{html.escape(text)}</p>'
        self.stems.value = stems
        self.browser.stems = [
            {"name": name, "file": f"{safe_name(self._name)} - {path.name}", "bytes": path.stat().st_size}
            for name, path in (self._files.items() if stems else ())]
        self.phase = phase

    def _fail(self, error: Exception) -> None:
        """Say what went wrong, with the name that the listener knows in place of the temporary one."""
        text = str(error) if isinstance(error, DannError) else f"{type(error).__name__}: {error}"
        inbox = str(self._inbox or self._name)
        self._clear()
        self._say("failed", text.replace(inbox, self._name))

    def _clear(self) -> None:
        """Remove what was received."""
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            shutil.rmtree(inbox.parent, ignore_errors=True)


def _described(facts: SongFacts) -> str:
    channels = {1: "mono", 2: "stereo"}.get(facts.n_channels, f"{facts.n_channels} channels")
    return f"{facts.seconds:.0f} s, {facts.rate_hz} Hz, {channels}"
