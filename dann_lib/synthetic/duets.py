"""Two instruments of the same type in one song, each with a melody of its own (report, conclusion)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dann_lib.synthetic.compose import compose_song
from dann_lib.synthetic.melody import sing
from dann_lib.synthetic.sampler import play
from dann_lib.synthetic.score import DUETS, PLACES, Song, SungNote, pick, random_for
from dann_lib.synthetic.styles import STYLES
from dann_lib.synthetic.voice import sing_melody

_GUITAR_PROGRAM = 27
"""General MIDI: electric guitar, clean."""

_OCTAVE = 12


def render_duet(kind: str, genre: str, seed: int) -> dict[str, np.ndarray]:
    """Render two singers or two guitars who play different melodies over the same chords, equally loud.

    Both guitars have the same sound; the singers have each a voice of the genre, which can be the same.

    Args:
        kind: one of `score.DUETS`.
        genre: "rock", "pop", "metal" or "electro".
        seed: any whole number from 0; the same seed gives the same duet.

    Returns:
        `mixture` and each of `PLACES`, `(sample, channel)` float32 at 44.1 kHz, stereo; the mixture is their sum.

    Raises:
        ValueError: if there is no such kind or genre.
    """
    if kind not in DUETS:
        raise ValueError(f"there are no two {kind!r}; choose among {', '.join(DUETS)}")
    song, waves = compose_song(genre, 4, seed), {}
    for place in PLACES:
        random = random_for(seed, genre, kind, place)
        voiced = replace(song, voice=pick(STYLES[genre].voices, random))
        line = sing(voiced, random)
        wave = sing_melody(voiced, line, random) if kind == "singers" else _pluck(song, line)
        wave = wave.reshape(len(wave), -1).mean(axis=1)                         # (sample,)
        waves[place] = (0.05 * wave / np.sqrt(np.mean(wave**2))).astype(np.float32)
    stereo = {name: np.repeat(wave[:, None], 2, axis=1) for name, wave in waves.items()}
    return {"mixture": sum(stereo.values()), **stereo}


def _pluck(song: Song, line: tuple[SungNote, ...]) -> np.ndarray:
    """A melody on a guitar, an octave lower than a singer has it: `(sample, channel)`."""
    notes = [(song.to_seconds(note.start), song.to_seconds(note.beats), note.pitch - _OCTAVE,
              round(127 * note.loudness)) for note in line]
    return play(_GUITAR_PROGRAM, notes, song.seconds)
