"""The songs of each experiment: a corpus, parts of one, and composed songs and duets (report, III.b and conclusion)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from dann_lib import report
from dann_lib.corpus import Corpus, Track, open_corpus
from dann_lib.corpus.corpus import Split
from dann_lib.files import atomic_write
from dann_lib.reproduce.experiments import Songs
from dann_lib.synthetic.build import VERSION
from dann_lib.synthetic.compose import compose_song
from dann_lib.synthetic.duets import render_duet
from dann_lib.synthetic.render import render_song
from dann_lib.synthetic.score import APART, DUETS, PLACES
from dann_lib.synthetic.styles import STYLES

FIRST_TO_SCORE, FIRST_TO_CHOOSE, FIRST_TO_LEARN = 5000, 7000, 9000
"""Seeds of composed songs begin here, for scores, for validation and for training; the embedded corpus' are below."""

STEMS = {"song": report.STEMS, "band": report.STEMS[1:], "apart": APART, "singers": PLACES, "guitars": PLACES}
"""What is composed → its stems: the usual ones, all but the singer's, instruments apart, or two of the same type."""


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


def file_of(composition: Composition, folder: Path) -> Path:
    """Where the waveforms of a composition are kept."""
    return folder / f"version-{VERSION}" / f"{composition.name.replace(' ', '-')}.npy"


def compose(
    compositions: Sequence[Composition], folder: Path, split: Split = "test", progress: bool = True
) -> tuple[Track, ...]:
    """Render compositions as tracks of a split.

    Their waveforms are kept in `folder`; what is there already is not rendered again.

    Raises:
        ValueError: if there is no such genre, number of instruments or kind.
        OutputError: if the folder cannot be written.
    """
    paths = {each: file_of(each, folder) for each in compositions}
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


def songs_of(songs: Songs, corpus_name: str, folder: Path, n_songs: int) -> Corpus:
    """What a run learns from.

    "real", "composed" and "both" are a corpus whose training songs are listed three times, as many composed songs
    three times in their place, or its own twice and the composed ones once: epochs of equal length, with the same
    held-out songs. "helped" is the corpus and composed drums, basses and accompaniments: remixing draws these from
    both, and singers from the corpus. "apart" are composed songs with guitar and keys apart, "singers" and "guitars"
    are duets.

    Args:
        songs: one of `experiments.Songs`.
        corpus_name: of the corpus that is reproduced on.
        folder: where composed songs are kept.
        n_songs: of the conclusion's experiments (`Budget.beyond`); the helpers are half as many again.
    """
    if songs in ("all genres", "without electro"):
        return part_of(open_corpus("synthetic", progress=False), songs)
    corpus = open_corpus(corpus_name, progress=False)
    if songs == "corpus":
        return corpus
    if songs == "helped":
        helpers = compose(mixed(FIRST_TO_LEARN, n_helpers(n_songs), "band"), folder, "train", progress=False)
        learned = corpus.select("train") + helpers
        rest = corpus.select("valid") + corpus.select("test")
    elif songs in ("real", "composed", "both"):
        real = corpus.select("train")[:n_songs]
        new = compose(mixed(FIRST_TO_LEARN, len(real)), folder, "train", progress=False)
        learned = {"real": real * 3, "composed": new * 3, "both": real * 2 + new}[songs]
        rest = corpus.select("valid") + corpus.select("test")
    else:
        written = partial(duets, songs) if songs in DUETS else apart
        learned = compose(written(FIRST_TO_LEARN, n_songs), folder, "train", progress=False)
        rest = compose(written(FIRST_TO_CHOOSE, n_songs // 4), folder, "valid", progress=False)
    names = " ".join((corpus.fingerprint, songs, str(VERSION), *(track.name for track in learned + rest)))
    return replace(corpus, tracks=learned + rest, fingerprint=sha256(names.encode()).hexdigest())


def n_helpers(n_songs: int) -> int:
    """How many composed songs help so many real ones: of five drummers that remixing can draw, three are composed."""
    return n_songs * 3 // 2


def mixed(first_seed: int, n_songs: int, kind: str = "song") -> list[Composition]:
    """All genres, with four to eight instruments."""
    genres = tuple(STYLES)
    return [Composition(genres[song % 4], 4 + song // 4 % 5, first_seed + song, kind) for song in range(n_songs)]


def apart(first_seed: int, n_songs: int) -> list[Composition]:
    """Rock and pop with seven or eight instruments, guitar and keys among them."""
    return [Composition(("rock", "pop")[song % 2], 7 + song // 2 % 2, first_seed + song, "apart")
            for song in range(n_songs)]


def duets(kind: str, first_seed: int, n_songs: int) -> list[Composition]:
    """Duets of a kind in all genres."""
    return [Composition(tuple(STYLES)[song % 4], 2, first_seed + song, kind) for song in range(n_songs)]


def part_of(corpus: Corpus, songs: Songs) -> Corpus:
    """The songs that a controlled run learns from: twelve of the embedded corpus, the same numbers of instruments.

    "all genres" has three training songs of each genre, "without electro" four of each of the other
    three; validation songs are learned from too, so that twelve are left.
    """
    left_out = {"rock": 4, "pop": 5, "metal": 7, "electro": 8}
    learned = [track for track in corpus.tracks if track.split != "test"]
    chosen = [track for track in learned if (
        track.metadata["genre"] != "electro" if songs == "without electro"
        else track.metadata["n_instruments"] != left_out[track.metadata["genre"]])]
    tracks = tuple(replace(track, split="train") for track in chosen) + corpus.select("test")
    fingerprint = sha256(" ".join((corpus.fingerprint, *(track.name for track in tracks))).encode()).hexdigest()
    return replace(corpus, tracks=tracks, fingerprint=fingerprint[: len(corpus.fingerprint)])


def _render(composition: Composition, path: Path) -> None:
    genre, n_instruments, seed, kind = composition
    signals = (render_duet(kind, genre, seed) if kind in DUETS
               else render_song(compose_song(genre, n_instruments, seed), APART if kind == "apart" else report.STEMS))
    stems = [signals[name] for name in STEMS[kind]]
    stereo = np.stack([np.sum(stems, axis=0), *stems])                         # (signal, sample, channel)
    mono = np.ascontiguousarray(stereo.mean(axis=-1).T)                        # (sample, signal)
    low = soxr.resample(mono, report.SONG_RATE, report.SAMPLE_RATE).T
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.save(file, low.astype(np.float32))
