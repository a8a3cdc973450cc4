"""Songs for the controlled experiments: one thing changes, by composition, and nothing else (report, III.b)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from dann_lib import report
from dann_lib.files import atomic_write

FIRST_SEED = 5000
"""Seeds of these songs begin here; the embedded corpus' are all below."""


@dataclass(frozen=True)
class ComposedSong:
    """A song that is in no corpus, at the working rate.

    Attributes:
        genre: of `synthetic.compose_song`.
        n_instruments: likewise.
        seed: likewise; songs of equal genre and seed differ in the number of instruments alone.
        path: file with its waveforms.
        rate: of the waveforms in Hz.
    """

    genre: str
    n_instruments: int
    seed: int
    path: Path
    rate: int = report.SAMPLE_RATE

    @property
    def name(self) -> str:
        """As in the table of scores: `genre instruments seed`."""
        return f"{self.genre} {self.n_instruments} {self.seed}"

    @property
    def waveforms(self) -> np.ndarray:
        """Mono waveforms `(signal, sample)` at `report.SAMPLE_RATE`, float32."""
        return np.load(self.path)

    def read(self, signal: str) -> np.ndarray:
        """One signal as `(sample, channel)`, at the working rate."""
        return self.waveforms[report.SIGNALS.index(signal)][:, None]


def compose_songs(
    per_kind: int, instruments: Sequence[int], folder: Path, progress: bool = True
) -> list[ComposedSong]:
    """Compose songs of every genre, each with several numbers of instruments, and keep them.

    Args:
        per_kind: songs of each genre.
        instruments: numbers of instruments that each of them has in turn, 4 to 8.
        folder: of the waveforms; what is there already is not rendered again.
        progress: show a bar.
    """
    from dann_lib.synthetic.build import VERSION
    from dann_lib.synthetic.styles import STYLES

    songs = [
        ComposedSong(genre, count, seed, folder / f"version-{VERSION}" / f"{genre}-{count}-{seed}.npy")
        for genre in STYLES
        for seed in range(FIRST_SEED, FIRST_SEED + per_kind)
        for count in instruments
    ]
    missing = [song for song in songs if not song.path.exists()]
    work = Parallel(n_jobs=min(cpu_count(), max(1, len(missing))), return_as="generator_unordered")(
        delayed(_render)(song) for song in missing
    )
    for _ in tqdm(work, total=len(missing), desc="composing songs", unit="song", leave=False,
                  disable=not progress or not missing):
        pass
    return songs


def describe(name: str) -> tuple[str, int, str]:
    """Genre, number of instruments and seed of a song by its name.

    Raises:
        ValueError: if it is no name of a composed song.
    """
    genre, count, seed = name.rsplit(" ", 2)
    return genre, int(count), seed


def _render(song: ComposedSong) -> None:
    import soxr

    from dann_lib.synthetic.compose import compose_song
    from dann_lib.synthetic.render import render_song

    signals = render_song(compose_song(song.genre, song.n_instruments, song.seed))
    stereo = np.stack([signals[name] for name in report.SIGNALS])
    mono = np.ascontiguousarray(stereo.mean(axis=-1).T)
    low = soxr.resample(mono, report.SONG_RATE, report.SAMPLE_RATE).T
    with atomic_write(song.path) as path:
        np.save(path, low.astype(np.float32))
