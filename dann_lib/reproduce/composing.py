"""Songs and duets composed for an experiment, as tracks at the working rate (report, III.b and conclusion)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from dann_lib import report
from dann_lib.corpus import Track
from dann_lib.corpus.corpus import Split
from dann_lib.files import atomic_write
from dann_lib.synthetic.build import VERSION
from dann_lib.synthetic.compose import compose_song
from dann_lib.synthetic.duets import PLACES, render_duet
from dann_lib.synthetic.render import APART, render_song

STEMS = {"song": report.STEMS, "apart": APART, "singers": PLACES, "guitars": PLACES}
"""What is composed → its stems: the usual ones, instruments apart, or two of the same type."""


class Composition(NamedTuple):
    """What is composed: those of equal genre and seed differ in the number of instruments alone."""

    genre: str
    n_instruments: int
    seed: int
    kind: str = "song"  # one of `STEMS`

    @property
    def name(self) -> str:
        """As in the table of scores: `genre instruments seed`, after the kind where it is no song."""
        words = (self.genre, self.n_instruments, self.seed)
        return " ".join(map(str, words if self.kind == "song" else (self.kind, *words)))


def compose(
    compositions: Sequence[Composition], folder: Path, split: Split = "test", progress: bool = True
) -> tuple[Track, ...]:
    """Render compositions as tracks of a split.

    Their waveforms are kept in `folder`; what is there already is not rendered again.

    Raises:
        ValueError: if there is no such genre, number of instruments or kind.
        OutputError: if the folder cannot be written.
    """
    paths = {each: folder / f"version-{VERSION}" / f"{each.name.replace(' ', '-')}.npy" for each in compositions}
    missing = [(each, path) for each, path in paths.items() if not path.exists()]
    work = Parallel(n_jobs=min(cpu_count(), max(1, len(missing))), return_as="generator_unordered")(
        delayed(_render)(*each) for each in missing
    )
    for _ in tqdm(work, total=len(missing), desc="composing songs", unit="song", leave=False,
                  disable=not progress or not missing):
        pass
    return tuple(
        Track(each.name, split, np.load(path, mmap_mode="r").shape[-1], path, report.SAMPLE_RATE, 1, path,
              {"genre": each.genre, "n_instruments": each.n_instruments}, ("mixture", *STEMS[each.kind]))
        for each, path in paths.items()
    )


def _render(composition: Composition, path: Path) -> None:
    genre, n_instruments, seed, kind = composition
    signals = (render_duet(kind, genre, seed) if kind in ("singers", "guitars")
               else render_song(compose_song(genre, n_instruments, seed), STEMS[kind]))
    stereo = np.stack([signals[name] for name in ("mixture", *STEMS[kind])])   # (signal, sample, channel)
    mono = np.ascontiguousarray(stereo.mean(axis=-1).T)                        # (sample, signal)
    low = soxr.resample(mono, report.SONG_RATE, report.SAMPLE_RATE).T
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.save(file, low.astype(np.float32))
