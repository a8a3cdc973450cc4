"""The drummer and the bassist."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dann_lib.synthetic.harmony import nearest_pitch
from dann_lib.synthetic.score import BEATS_PER_BAR, STEPS_PER_BAR, STEPS_PER_BEAT, Chord, Note, Song
from dann_lib.synthetic.styles import DrumPattern

DRUM_KEYS = {
    "kick": 36, "snare": 38, "stick": 37, "clap": 39, "hat": 42, "open": 46, "ride": 51, "crash": 49,
    "china": 52, "tambourine": 54,
}
"""General MIDI percussion keys."""

TOMS = (50, 48, 47, 45, 43, 41)
"""From the highest to the lowest."""

_VELOCITIES = {"X": 116, "x": 94, "o": 42}
_LOUDNESS = {"hat": 0.95, "open": 0.80, "ride": 0.88, "crash": 0.85, "china": 0.72, "tambourine": 0.55, "clap": 0.9}
_Line = list[tuple[float, float, int, float]]
"""Beat, beats, pitch, velocity."""

_LOWEST_BASS = 31
"""G1: roots lie from here up, where records have their bass; the lowest string is E1."""


def play_drums(song: Song, pattern: DrumPattern, timing_ms: float, rng: np.random.Generator) -> tuple[Note, ...]:
    """Play a pattern with accents, ghost notes, a crash on each new section and fills between them.

    Args:
        song: with tempo and sections; its parts are ignored.
        pattern: of the style.
        timing_ms: standard deviation of the player's timing.
        rng: for dynamics, timing and fills.

    Returns:
        Notes in order of their start; the beats 0 of the bars lie on the grid to within `timing_ms`.
    """
    hits: list[tuple[float, int, float]] = []
    for index, section in enumerate(song.sections):
        rows = pattern.chorus if section.name == "chorus" else pattern.verse
        for bar in range(section.start_bar, section.start_bar + section.bars):
            is_last = bar == section.start_bar + section.bars - 1
            fill_from = _fill_start(song, index, rng) if is_last else STEPS_PER_BAR
            hits += _bar_of_drums(rows, bar, fill_from, section.energy)
            if fill_from < STEPS_PER_BAR:
                hits += _fill(bar, fill_from, section.energy, rng)
        if index > 0 or section.energy > 0.6:
            hits.append((section.start_bar * BEATS_PER_BAR, DRUM_KEYS["crash"], 108 * section.energy))
    return _perform(hits, song, timing_ms, rng)


def kick_beats(drums: tuple[Note, ...]) -> list[float]:
    """Beats at which the kick sounds, without repetition."""
    return sorted({note.start for note in drums if note.pitch == DRUM_KEYS["kick"]})


def play_bass(
    song: Song, figures: tuple[str, str], riff: str, kick_rows: tuple[str, str], timing_ms: float,
    rng: np.random.Generator,
) -> tuple[Note, ...]:
    """Play roots, fifths and octaves in the figure of each section, locked to the kick or the riff.

    Args:
        song: with tempo, sections and chords; its parts are ignored.
        figures: of verse and chorus: "held", "kick", "eighths", "walk", "octaves", "offbeat",
            "sixteenths" or "riff".
        riff: 16 steps, for the figure "riff".
        kick_rows: the kick's 16 steps in verse and chorus, for the figure "kick".
        timing_ms: standard deviation of the player's timing.
        rng: for dynamics, timing and ornaments.

    Returns:
        Notes in order, one at a time; all of the chord or of the scale.
    """
    lines: _Line = []
    for index, chord in enumerate(song.chords):
        section = song.section_at(chord.start)
        is_chorus = section.name == "chorus"
        figure = figures[is_chorus]
        rows = {"kick": kick_rows[is_chorus], "riff": riff}
        following = song.chords[(index + 1) % len(song.chords)]
        line = _BASS_FIGURES[figure](chord, following, rows.get(figure, ""), song)
        lines += [(beat, beats, pitch, velocity * (0.8 + 0.2 * section.energy))
                  for beat, beats, pitch, velocity in line]
    jitter = rng.normal(0.0, timing_ms / 1000 * song.tempo_bpm / 60, len(lines))
    loudness = rng.normal(0.0, 4.0, len(lines))
    return tuple(
        Note(max(0.0, beat + shift), beats, pitch, int(np.clip(velocity + swell, 1, 127)))
        for (beat, beats, pitch, velocity), shift, swell in zip(lines, jitter, loudness, strict=True)
    )


def _bar_of_drums(
    rows: dict[str, str], bar: int, until: int, energy: float
) -> list[tuple[float, int, float]]:
    loudness = 0.72 + 0.28 * energy
    return [
        ((bar * STEPS_PER_BAR + step) / STEPS_PER_BEAT, DRUM_KEYS[name],
         _VELOCITIES[mark] * loudness * _LOUDNESS.get(name, 1.0))
        for name, row in rows.items()
        for step, mark in enumerate(row[:until])
        if mark != "."
    ]


def _fill_start(song: Song, index: int, rng: np.random.Generator) -> int:
    """Step of the bar at which the fill before the next section begins."""
    if index == len(song.sections) - 1:
        return int(rng.choice([12, STEPS_PER_BAR]))
    return int(rng.choice([8, 12, 12]))


def _fill(bar: int, start: int, energy: float, rng: np.random.Generator) -> list[tuple[float, int, float]]:
    steps = np.arange(start, STEPS_PER_BAR)
    # A fill runs from the snare down the toms; a beat may be broken into eighths.
    keys = [DRUM_KEYS["snare"]] * max(1, len(steps) // 3)
    keys += [TOMS[i] for i in np.linspace(0, len(TOMS) - 1, len(steps) - len(keys)).round().astype(int)]
    kept = [i for i in range(len(steps)) if i % 2 == 0 or rng.random() < 0.75]
    rise = np.linspace(78, 118, len(steps)) * (0.75 + 0.25 * energy)
    hits = [((bar * STEPS_PER_BAR + steps[i]) / STEPS_PER_BEAT, keys[i], float(rise[i])) for i in kept]
    pulse = range(start, STEPS_PER_BAR, STEPS_PER_BEAT)
    return hits + [((bar * STEPS_PER_BAR + step) / STEPS_PER_BEAT, DRUM_KEYS["kick"], 88.0) for step in pulse]


def _perform(
    hits: list[tuple[float, int, float]], song: Song, timing_ms: float, rng: np.random.Generator
) -> tuple[Note, ...]:
    hits = sorted(set(hits))
    shifts = np.clip(rng.normal(0.0, timing_ms, len(hits)), -3 * timing_ms, 3 * timing_ms)
    swells = rng.normal(0.0, 5.0, len(hits))
    return tuple(sorted(
        (Note(max(0.0, beat + shift / 1000 * song.tempo_bpm / 60), 0.25, key, int(np.clip(velocity + swell, 12, 127)))
         for (beat, key, velocity), shift, swell in zip(hits, shifts, swells, strict=True)),
        key=lambda note: (note.start, note.pitch),
    ))


def _root(chord: Chord) -> int:
    return _LOWEST_BASS + (chord.root - _LOWEST_BASS) % 12


def _fifth(chord: Chord) -> int:
    interval = next((i for i in chord.intervals if i in (6, 7)), 0)
    return _root(chord) + interval


def _approach(chord: Chord, following: Chord, song: Song) -> int:
    """The scale's note next to the following root, from the side on which the line lies."""
    target = nearest_pitch(following.root, _root(chord))
    side = 1 if target <= _root(chord) else -1
    near = [target + side * step for step in (1, 2) if (target + side * step) % 12 in song.scale]
    return near[0] if near and near[0] >= _LOWEST_BASS else _root(chord)


def _held(chord: Chord, following: Chord, row: str, song: Song) -> _Line:
    return [(chord.start, chord.beats * 0.75, _root(chord), 98),
            (chord.start + chord.beats * 0.75, chord.beats * 0.25, _fifth(chord), 86)]


def _on_row(chord: Chord, following: Chord, row: str, song: Song) -> _Line:
    return [(beat, beats * 0.92, _root(chord), 106 if mark == "X" else 94)
            for beat, beats, mark in chord.marks(row, on_start=True)]


def _eighths(chord: Chord, following: Chord, row: str, song: Song) -> _Line:
    line = [(beat, beats * 0.92, _root(chord), 106 if mark == "X" else 93)
            for beat, beats, mark in chord.marks("X.x.X.x.X.x.X.x.")]
    beat, beats, _, velocity = line[-1]
    return [*line[:-1], (beat, beats, _approach(chord, following, song), velocity)]


def _walk(chord: Chord, following: Chord, row: str, song: Song) -> _Line:
    n_beats = round(chord.beats)
    pitches = [_root(chord), _fifth(chord), _root(chord) + 12, _fifth(chord)][:n_beats]
    pitches[-1] = _approach(chord, following, song)
    return [(chord.start + i, 0.9, pitch, 102 if i == 0 else 92) for i, pitch in enumerate(pitches)]


def _octaves(chord: Chord, following: Chord, row: str, song: Song) -> _Line:
    return [(beat, beats * 0.8, _root(chord) + 12 * (i % 2), 104 - 8 * (i % 2))
            for i, (beat, beats, _) in enumerate(chord.marks("X.x.X.x.X.x.X.x."))]


def _offbeat(chord: Chord, following: Chord, row: str, song: Song) -> _Line:
    beats = np.arange(round(chord.beats))
    return [(chord.start + beat + 0.5, 0.46, _root(chord), 106) for beat in beats]


def _sixteenths(chord: Chord, following: Chord, row: str, song: Song) -> _Line:
    return [(beat, 0.22, _root(chord) + (12 if i % 8 == 6 else 0), 106 if mark == "X" else 90)
            for i, (beat, _, mark) in enumerate(chord.marks("XxxxXxxxXxxxXxxx"))]


_BASS_FIGURES: dict[str, Callable[[Chord, Chord, str, Song], _Line]] = {
    "held": _held, "kick": _on_row, "riff": _on_row, "eighths": _eighths, "walk": _walk, "octaves": _octaves,
    "offbeat": _offbeat, "sixteenths": _sixteenths,
}
