"""Composing a song from a genre, a number of instruments and a seed."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

from dann_lib.synthetic.comping import play_part
from dann_lib.synthetic.harmony import lay_out_chords
from dann_lib.synthetic.melody import sing
from dann_lib.synthetic.rhythm_section import play_bass, play_drums
from dann_lib.synthetic.score import Part, Section, Song, pick, random_for
from dann_lib.synthetic.styles import STYLES, TEMPI, Style

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
    if not 4 <= n_instruments <= 8:
        raise ValueError(f"{n_instruments} instruments asked for; a song has 4 to 8 "
                         "(voice, drums, bass, and one to five others)")
    style = STYLES[genre]
    song = _sketch(style, genre, seed, name or f"{genre} {n_instruments} {seed}")
    song = replace(song, melody=sing(song, random_for(seed, genre, "melody")))
    riff = pick(style.riffs, random_for(seed, genre, "riff"))  # guitars and bass share it
    # The first instrument of the style, then others in drawn order: fewer are a part of more.
    order = 1 + random_for(seed, genre, "others").permutation(len(style.parts) - 1)
    others = [
        Part(other.name, "other", other.program,
             play_part(song, other, riff, style.timing_ms, random_for(seed, genre, other.name)),
             other.gain_db, other.pan, other.room, other.drive, other.ducked)
        for other in [style.parts[index] for index in (0, *order)][: n_instruments - 3]
    ]
    return replace(song, parts=(*_rhythm_section(song, style, riff), *others))


def _sketch(style: Style, genre: str, seed: int, name: str) -> Song:
    """Tempo, key, form, chords, singer and balance; no notes yet."""
    rng = random_for(seed, genre, "sketch")
    bars = pick(style.bars, rng)
    lowest, highest = TEMPI[bars]
    tempo = int(rng.integers(lowest, highest + 1))
    mode = pick(style.modes, rng)
    tonic = int(rng.integers(12))
    verse, chorus = pick(style.progressions[mode], rng)
    starts = accumulate((length for _, length, _ in _FORMS[bars]), initial=0)
    sections = tuple(Section(part, start, length, energy)
                     for start, (part, length, energy) in zip(starts, _FORMS[bars], strict=False))
    per_bar = 2 if tempo < _SLOW_BPM or (bars < 6 and rng.random() < 0.4) else 1
    voice = pick(style.voices, rng)
    levels = {stem: round(level + float(rng.normal(0.0, 0.8)), 1) for stem, level in style.levels_db.items()}
    return Song(
        name=name, genre=genre, seed=seed, tempo_bpm=float(tempo), tonic=tonic, mode=mode, bars=bars,
        sections=sections, chords=lay_out_chords(tonic, sections, (verse.split(), chorus.split()), per_bar),
        parts=(), melody=(), voice=voice, levels_db={"vocals": 0.0, **levels},
    )


def _rhythm_section(song: Song, style: Style, riff: str) -> tuple[Part, Part]:
    rng = random_for(song.seed, song.genre, "rhythm section")
    patterns, figures = pick(style.drum_patterns, rng), pick(style.bass_figures, rng)
    kit, program = pick(style.kits, rng), pick(style.bass_programs, rng)
    drums = play_drums(song, patterns, style.timing_ms, random_for(song.seed, song.genre, "drums"))
    verse, chorus = (rows["kick"] for rows in patterns)
    bass = play_bass(song, figures, riff, (verse, chorus), style.timing_ms,
                     random_for(song.seed, song.genre, "bass"))
    electronic = song.genre == "electro"
    return (
        Part("drums", "drums", kit, drums, room=0.05 if song.genre == "metal" else 0.10),
        Part("synth bass" if electronic else "electric bass", "bass", program, bass, room=0.02,
             drive=1.5 if song.genre in ("rock", "metal") else 0.0, ducked=electronic),
    )
