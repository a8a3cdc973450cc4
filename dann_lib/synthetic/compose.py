"""Composing a song from a genre, a number of instruments and a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dann_lib.synthetic.comping import play_part
from dann_lib.synthetic.harmony import lay_out_chords
from dann_lib.synthetic.melody import sing
from dann_lib.synthetic.rhythm_section import play_bass, play_drums
from dann_lib.synthetic.score import Part, Section, Song, random_for
from dann_lib.synthetic.styles import STYLES, PartStyle, Style

MIN_INSTRUMENTS, MAX_INSTRUMENTS = 4, 8
"""Singer, drummer, bassist and one to five players of `other`."""

_FORMS = {
    4: (("verse", 2, 0.7), ("chorus", 2, 1.0)),
    5: (("intro", 1, 0.6), ("verse", 2, 0.7), ("chorus", 2, 1.0)),
    6: (("intro", 1, 0.6), ("verse", 2, 0.7), ("chorus", 3, 1.0)),
    7: (("intro", 1, 0.8), ("verse", 3, 0.75), ("chorus", 3, 1.0)),
    8: (("intro", 1, 0.8), ("verse", 3, 0.75), ("chorus", 4, 1.0)),
}
"""Name, bars and energy of the sections, by length in bars."""

_SLOW_BPM = 100
"""Songs below this tempo may change the chord twice a bar."""


def compose_song(genre: str, n_instruments: int, seed: int, name: str = "") -> Song:
    """Compose a song of 10.4 to 11.2 s.

    Every player has a random generator of its own, so two songs with the same genre and seed differ in
    the additional instruments alone. The level of the stem `other` does not depend on their number:
    density can be studied apart from loudness (report, III.b).

    Args:
        genre: "rock", "pop", "metal" or "electro".
        n_instruments: 4 to 8; the singer (overdubs of the same singer included), the drummer with the
            whole kit, the bassist, and each instrument of the stem `other` count one.
        seed: any whole number from 0; the same seed gives the same song.
        name: of the song; by default genre, number and seed.

    Returns:
        The song, to be rendered by `render_song`.

    Raises:
        ValueError: if the genre or the number of instruments is not one of the above.
    """
    if genre not in STYLES:
        raise ValueError(f"genre {genre!r} is not known; choose one of {', '.join(STYLES)}")
    if not MIN_INSTRUMENTS <= n_instruments <= MAX_INSTRUMENTS:
        raise ValueError(
            f"{n_instruments} instruments asked for; a song has {MIN_INSTRUMENTS} to {MAX_INSTRUMENTS} "
            "(voice, drums, bass, and one to five others)"
        )
    style = STYLES[genre]
    sketch = _sketch(style, genre, seed, name or f"{genre} {n_instruments} {seed}")
    sketch = replace(sketch, melody=sing(sketch, random_for(seed, genre, "melody")))
    others = _choose_others(style, n_instruments - 3, random_for(seed, genre, "others"))
    return replace(sketch, parts=(*_rhythm_section(sketch, style), *_others(sketch, style, others)))


def _sketch(style: Style, genre: str, seed: int, name: str) -> Song:
    """Tempo, key, form, chords, singer and balance; no notes yet."""
    rng = random_for(seed, genre, "sketch")
    bars = int(rng.choice(list(style.tempi)))
    lowest, highest = style.tempi[bars]
    tempo = int(rng.integers(lowest, highest + 1))
    mode = style.modes[rng.integers(len(style.modes))]
    tonic = int(rng.integers(12))
    verse, chorus = style.progressions[mode][rng.integers(len(style.progressions[mode]))]
    progressions = {"verse": verse.split(), "chorus": chorus.split()}
    sections = _form(bars)
    per_bar = 2 if tempo < _SLOW_BPM or (bars < 6 and rng.random() < 0.4) else 1
    voice = style.voices[rng.integers(len(style.voices))]
    levels = {stem: round(level + float(rng.normal(0.0, 0.8)), 1) for stem, level in style.levels_db.items()}
    return Song(
        name=name, genre=genre, seed=seed, tempo_bpm=float(tempo), tonic=tonic, mode=mode, bars=bars,
        sections=sections, chords=lay_out_chords(tonic, sections, progressions, per_bar), parts=(), melody=(),
        voice=voice, levels_db={"vocals": 0.0, **levels},
    )


def _form(bars: int) -> tuple[Section, ...]:
    sections, start = [], 0
    for name, length, energy in _FORMS[bars]:
        sections.append(Section(name, start, length, energy))
        start += length
    return tuple(sections)


def _riff(song: Song, style: Style) -> str:
    """The rhythm that guitars and bass share, the same for all of them."""
    rng = random_for(song.seed, song.genre, "riff")
    return style.riffs[rng.integers(len(style.riffs))] if style.riffs else ""


def _rhythm_section(song: Song, style: Style) -> tuple[Part, Part]:
    rng = random_for(song.seed, song.genre, "rhythm section")
    pattern = style.drum_patterns[rng.integers(len(style.drum_patterns))]
    figures = style.bass_figures[rng.integers(len(style.bass_figures))]
    kit, program = int(rng.choice(style.kits)), int(rng.choice(style.bass_programs))
    drums = play_drums(song, pattern, style.timing_ms, random_for(song.seed, song.genre, "drums"))
    kicks = (pattern.verse["kick"], pattern.chorus["kick"])
    bass = play_bass(song, figures, _riff(song, style), kicks, style.timing_ms,
                     random_for(song.seed, song.genre, "bass"))
    synthetic = song.genre == "electro"
    return (
        Part("drums", "drums", kit, drums, room=0.05 if song.genre == "metal" else 0.10),
        Part("synth bass" if synthetic else "electric bass", "bass", program, bass, room=0.02,
             drive=1.5 if song.genre in ("rock", "metal") else 0.0, ducked=synthetic),
    )


def _choose_others(style: Style, count: int, rng: np.random.Generator) -> list[PartStyle]:
    """The first instrument of the style, then others in drawn order: fewer are a part of more."""
    order = 1 + rng.permutation(len(style.parts) - 1)
    return [style.parts[0], *(style.parts[index] for index in order)][:count]


def _others(song: Song, style: Style, others: Sequence[PartStyle]) -> tuple[Part, ...]:
    riff = _riff(song, style)
    return tuple(
        Part(
            name=other.name, stem="other", program=other.program,
            notes=play_part(song, other, riff, style.timing_ms, random_for(song.seed, song.genre, other.name)),
            gain_db=other.gain_db, pan=other.pan, room=other.room, drive=other.drive, ducked=other.ducked,
        )
        for other in others
    )
