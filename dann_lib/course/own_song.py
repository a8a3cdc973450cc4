"""A panel to separate a song of one's own: choose or drop a file, watch, cancel, listen, download.

The browser sends the file in pieces and waits for each to be taken, so its size does not matter; the song is
separated in a thread, so the kernel stays usable. What is wrong with a file is said in the panel.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dann_lib import player
from dann_lib.audio.reading import SongFacts, look_through, read_audio
from dann_lib.audio.stems import Separated, separate_file
from dann_lib.errors import AudioError, DannError
from dann_lib.files import data_folder, reference_folder
from dann_lib.separation import Separator

if TYPE_CHECKING:
    from anywidget import AnyWidget

PIECE_BYTES = 2**22
"""Bytes that travel at a time; a notebook's connection takes 10 MiB at most."""

PREVIEW_S = 180.0
"""Seconds of a long song that the player gets; the files hold all of it."""

SILENT = 10 ** (-70 / 20)
"""Peak below which there is nothing to separate."""


class Cancelled(Exception):
    """The listener does not want it any more."""


def own_song(weights: Mapping[str, Path] | None = None, folder: Path | None = None) -> AnyWidget:
    """The panel; a kernel is needed for as long as it shall work.

    Args:
        weights: name → weights to choose among; the shipped network if `None`.
        folder: where the stems go, in a folder with the song's name; `data/separated` if `None`.
    """
    shipped = {"reference network": reference_folder() / "weights" / "dann-modern.safetensors"}
    choices = {name: Path(path) for name, path in (weights or shipped).items()}
    frame = player.Frame("own_song.js", {
        "weights": list(choices), "chosen": next(iter(choices)), "phase": "waiting", "message": "", "share": 0.0,
        "player": "", "stems": [], "piece_bytes": PIECE_BYTES,
    }, "Separate a song of your own", "The song stays on this computer.")
    panel = frame.live()
    panel.desk = Desk(panel, choices, Path(folder or data_folder() / "separated"))
    return panel


class Desk:
    """What stands behind the panel: takes pieces, separates, hands stems out.

    Attributes:
        panel: its widget; `phase` is waiting, receiving, separating, done or failed.
        weights: name → file.
        folder: where the stems go.
        job: the thread that separates, if there is one.
    """

    def __init__(self, panel: AnyWidget, weights: dict[str, Path], folder: Path) -> None:
        self.panel, self.weights, self.folder = panel, weights, folder
        self.job: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._name, self._size, self._received = "", 0, 0
        self._inbox: Path | None = None
        self._stems: dict[str, Path] = {}
        panel.on_msg(self._answer)

    def close(self) -> None:
        """End what is running, and remove what was received."""
        self._cancelled.set()
        if self.job is not None and self.job is not threading.current_thread():
            self.job.join()
        self._clear()

    def _answer(self, _: object, content: dict[str, Any], buffers: list[memoryview]) -> None:
        """A message of the browser; nothing that goes wrong may reach the kernel."""
        kinds = {"begin": self._begin, "piece": self._piece, "cancel": self._cancel, "fetch": self._fetch}
        try:
            kinds[content["kind"]](content, buffers)
        except (DannError, OSError, KeyError) as error:
            self._fail(_sentence(error, self._inbox, self._name))

    def _begin(self, content: dict[str, Any], _: list[memoryview]) -> None:
        self.close()
        self._cancelled.clear()
        self._name, self._size, self._received = Path(content["name"]).name, int(content["size"]), 0
        if self._size == 0:
            raise AudioError(f"{self._name} is empty; choose a song ({_KINDS})")
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if free < 2 * self._size:
            raise AudioError(f"{self._name} has {self._size / 1e6:.0f} MB, and the disk has {free / 1e6:.0f} MB left")
        self._inbox = Path(tempfile.mkdtemp(prefix="own-song-")) / f"song{Path(self._name).suffix}"
        self._inbox.touch()
        self._say("receiving", f"Receiving {self._name} …", 0.0, stems=[], player="")
        self.panel.send({"kind": "next", "offset": 0})

    def _piece(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        if self._inbox is None or content["offset"] != self._received:
            return  # of a file that was cancelled
        with open(self._inbox, "ab") as file:
            self._received += file.write(buffers[0])
        if self._received < self._size:
            self.panel.share = self._received / self._size
            self.panel.send({"kind": "next", "offset": self._received})
            return
        self.job = threading.Thread(target=self._work, args=(self._inbox, self.panel.chosen), daemon=True)
        self.job.start()

    def _cancel(self, content: dict[str, Any], _: list[memoryview]) -> None:
        self._cancelled.set()
        if self.job is None or not self.job.is_alive():
            self._clear()
            self._say("waiting", "Cancelled. Nothing was kept.")

    def _fetch(self, content: dict[str, Any], _: list[memoryview]) -> None:
        """Send a piece of a stem; the browser asks for one after the other and saves them as a file."""
        path, offset = self._stems[content["stem"]], int(content["offset"])
        with open(path, "rb") as file:
            file.seek(offset)
            piece = file.read(PIECE_BYTES)
        last = offset + len(piece) >= path.stat().st_size
        self.panel.send({"kind": "piece", "stem": content["stem"], "offset": offset, "last": last}, [piece])

    def _work(self, song: Path, chosen: str) -> None:
        """The thread: look, separate, show."""
        try:
            self._say("separating", f"Looking at {self._name} …", 0.0)
            facts = look_through(song)
            if facts.peak < SILENT:
                raise AudioError(f"{self._name} is silent; there is nothing to separate")
            self._say("separating", f"Separating {_described(facts)} …", 0.0)
            separator = Separator.load(self.weights[chosen])
            result = separate_file(song, self.folder / Path(self._name).stem, separator, progress=False,
                                   on_progress=self._advance)
            self._show(song, result, facts)
        except Cancelled:
            self._say("waiting", "Cancelled. Nothing was kept.")
        except Exception as error:
            self._fail(_sentence(error, song, self._name))
        finally:
            self._clear()

    def _advance(self, n_done: int, n_samples: int) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self.panel.share = min(1.0, n_done / max(n_samples, 1))

    def _show(self, song: Path, result: Separated, facts: SongFacts) -> None:
        """The player with the song and its stems, and what there is to download."""
        n_samples = int(PREVIEW_S * result.rate_hz)
        waveforms = {name: _mono(path, n_samples) for name, path in {"mixture": song, **result.stems}.items()}
        mixture = waveforms.pop("mixture")
        preview = " The player has the first three minutes, the files have all." if facts.seconds > PREVIEW_S else ""
        stems = player.stems({"estimates": waveforms}, mixture=mixture, rate_hz=result.rate_hz, title=self._name,
                             description=f"{self._name} and its stems, at their own levels.{preview}")
        self._stems = result.stems
        missing = f" The file ends {facts.missing_s:.1f} s before it should." if facts.missing_s > 0.1 else ""
        clipped = [name for name, count in result.n_clipped.items() if count]
        loud = f" Limited where they were beyond full scale: {', '.join(clipped)}." if clipped else ""
        files = [{"name": name, "file": f"{Path(self._name).stem} - {path.name}", "bytes": path.stat().st_size}
                 for name, path in result.stems.items()]
        folder = next(iter(result.stems.values())).parent
        self._say("done", f"{_described(facts)}, separated in {result.elapsed_s:.0f} s.{missing}{loud} Files: {folder}",
                  1.0, player=stems._repr_html_(), stems=files)

    def _say(self, phase: str, message: str, share: float = 0.0, **traits: Any) -> None:
        with self.panel.hold_sync():
            self.panel.set_trait("message", message)
            self.panel.set_trait("share", share)
            for name, value in traits.items():
                self.panel.set_trait(name, value)
            self.panel.set_trait("phase", phase)

    def _fail(self, sentence: str) -> None:
        self._clear()
        self._say("failed", sentence)

    def _clear(self) -> None:
        """Remove what was received."""
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(inbox.parent)


_KINDS = "WAV, FLAC, MP3, OGG or M4A"


def _mono(path: Path, n_samples: int) -> np.ndarray:
    """The first samples of a file, `(sample,)`, the mean of its channels."""
    return read_audio(path, n_samples=n_samples)[0].mean(axis=1)


def _described(facts: SongFacts) -> str:
    channels = {1: "mono", 2: "stereo"}.get(facts.n_channels, f"{facts.n_channels} channels")
    return f"{facts.seconds:.0f} s, {facts.rate_hz} Hz, {channels}"


def _sentence(error: BaseException, song: Path | None, name: str) -> str:
    """What went wrong, with the name that the listener knows in place of the temporary one."""
    text = str(error) if isinstance(error, DannError) else f"{type(error).__name__}: {error}"
    return text.replace(str(song), name) if song is not None else text


