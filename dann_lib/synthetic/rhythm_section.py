"""The drummer and the bassist."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from dann_lib.synthetic.harmony import nearest_pitch
from dann_lib.synthetic.score import BEATS_PER_BAR, STEPS_PER_BAR, STEPS_PER_BEAT, Chord, Event, Note, Song, humanise
from dann_lib.synthetic.styles import DrumRows

DRUM_KEYS = {
    "kick": 36, "snare": 38, "stick": 37, "clap": 39, "hat": 42, "open": 46, "ride": 51, "crash": 49,
    "china": 52, "tambourine": 54,
}
"""General MIDI percussion keys."""

TOMS = (50, 48, 47, 45, 43, 41)
"""From the highest to the lowest."""

_VELOCITIES = {"X": 116, "x": 94, "o": 42}
_LOUDNESS = {"hat": 0.95, "open": 0.80, "ride": 0.88, "crash": 0.85, "china": 0.72, "tambourine": 0.55, "clap": 0.9}

_EIGHTHS = "X.x.X.x.X.x.X.x."
_LOWEST_BASS = 31
"""G1: roots lie from here up, where records have their bass; the lowest string is E1."""


def play_drums(
    song: Song, patterns: tuple[DrumRows, DrumRows], timing_ms: float, rng: np.random.Generator
) -> tuple[Note, ...]:
    """Play a pattern with accents, ghost notes, a crash on each new section and fills between them.

    Args:
        song: with tempo and sections; its parts are ignored.
        patterns: of verse and chorus.
        timing_ms: standard deviation of the player's timing; no stroke is off by more than three times as much.
        rng: for dynamics, timing and fills.

    Returns:
        Notes in order of their start.
    """
    hits: set[Event] = set()
    for section in song.sections:
        first, last = section.start_bar, section.start_bar + section.bars - 1
        is_end = section is song.sections[-1]
        fill_from = int(rng.choice([12, STEPS_PER_BAR] if is_end else [8, 12, 12]))  # a step of the last bar
        for bar in range(first, last + 1):
            until = fill_from if bar == last else STEPS_PER_BAR
            hits.update(_bar_of_drums(patterns[section.name == "chorus"], bar, until, section.energy))
        if fill_from < STEPS_PER_BAR:
            hits.update(_fill(last, fill_from, section.energy, rng))
        if first > 0 or section.energy > 0.6:
            hits.add((first * BEATS_PER_BAR, 0.25, DRUM_KEYS["crash"], 108 * section.energy))
    shifts_ms = np.clip(rng.normal(0.0, timing_ms, len(hits)), -3 * timing_ms, 3 * timing_ms)
    return humanise(sorted(hits), shifts_ms / 1000 * song.tempo_bpm / 60, rng, swell=5.0, softest=12)


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
        rng: for dynamics and timing.

    Returns:
        Notes in order, one at a time; all of the chord or of the scale.
    """
    line: list[Event] = []
    for chord, following in zip(song.chords, [*song.chords[1:], song.chords[0]], strict=True):
        section = song.section_at(chord.start)
        is_chorus = section.name == "chorus"
        figure = figures[is_chorus]
        row = {"kick": kick_rows[is_chorus], "riff": riff}.get(figure, _EIGHTHS)
        root = _LOWEST_BASS + (chord.root - _LOWEST_BASS) % 12
        written = _BASS_FIGURES[figure](chord, root, _approach(root, following, song), row)
        line += [(beat, beats, pitch, velocity * (0.8 + 0.2 * section.energy))
                 for beat, beats, pitch, velocity in written]
    return humanise(line, rng.normal(0.0, timing_ms / 1000 * song.tempo_bpm / 60, len(line)), rng)


def _bar_of_drums(rows: DrumRows, bar: int, until: int, energy: float) -> Iterable[Event]:
    loudness = 0.72 + 0.28 * energy
    for name, row in rows.items():
        for step, mark in enumerate(row[:until]):
            if mark != ".":
                velocity = _VELOCITIES[mark] * loudness * _LOUDNESS.get(name, 1.0)
                yield (bar * STEPS_PER_BAR + step) / STEPS_PER_BEAT, 0.25, DRUM_KEYS[name], velocity


def _fill(bar: int, start: int, energy: float, rng: np.random.Generator) -> Iterable[Event]:
    """From the snare down the toms, over a kick on each beat; a beat may be broken into eighths."""
    beats = bar * BEATS_PER_BAR + np.arange(start, STEPS_PER_BAR) / STEPS_PER_BEAT
    keys = [DRUM_KEYS["snare"]] * max(1, len(beats) // 3)
    keys += [TOMS[i] for i in np.linspace(0, len(TOMS) - 1, len(beats) - len(keys)).round().astype(int)]
    rise = np.linspace(78, 118, len(beats)) * (0.75 + 0.25 * energy)
    for i, (beat, key, velocity) in enumerate(zip(beats.tolist(), keys, rise.tolist(), strict=True)):
        if i % 2 == 0 or rng.random() < 0.75:
            yield beat, 0.25, key, velocity
        if i % STEPS_PER_BEAT == 0:
            yield beat, 0.25, DRUM_KEYS["kick"], 88.0


def _approach(root: int, following: Chord, song: Song) -> int:
    """The scale's note next to the following root, from the side on which the line lies."""
    target = nearest_pitch(following.root, root)
    side = 1 if target <= root else -1
    near = [target + side * step for step in (1, 2) if (target + side * step) % 12 in song.scale]
    return near[0] if near and near[0] >= _LOWEST_BASS else root


def _fifth(chord: Chord, root: int) -> int:
    return root + next((interval for interval in chord.intervals if interval in (6, 7)), 0)


def _held(chord: Chord, root: int, approach: int, row: str) -> list[Event]:
    return [(chord.start, chord.beats * 0.75, root, 98),
            (chord.start + chord.beats * 0.75, chord.beats * 0.25, _fifth(chord, root), 86)]


def _on_row(chord: Chord, root: int, approach: int, row: str) -> list[Event]:
    return [(beat, beats * 0.92, root, 106 if mark == "X" else 94)
            for beat, beats, mark in chord.marks(row, on_start=True)]


def _eighths(chord: Chord, root: int, approach: int, row: str) -> list[Event]:
    line = [(beat, beats * 0.92, root, 106 if mark == "X" else 93) for beat, beats, mark in chord.marks(row)]
    beat, beats, _, velocity = line[-1]
    return [*line[:-1], (beat, beats, approach, velocity)]


def _walk(chord: Chord, root: int, approach: int, row: str) -> list[Event]:
    fifth, n_beats = _fifth(chord, root), round(chord.beats)
    pitches = [*(root, fifth, root + 12, fifth)[: n_beats - 1], approach]
    return [(chord.start + i, 0.9, pitch, 102 if i == 0 else 92) for i, pitch in enumerate(pitches)]


def _octaves(chord: Chord, root: int, approach: int, row: str) -> list[Event]:
    return [(beat, beats * 0.8, root + 12 * (i % 2), 104 - 8 * (i % 2))
            for i, (beat, beats, _) in enumerate(chord.marks(row))]


def _offbeat(chord: Chord, root: int, approach: int, row: str) -> list[Event]:
    return [(chord.start + beat + 0.5, 0.46, root, 106) for beat in range(round(chord.beats))]


def _sixteenths(chord: Chord, root: int, approach: int, row: str) -> list[Event]:
    return [(beat, 0.22, root + (12 if i % 8 == 6 else 0), 106 if mark == "X" else 90)
            for i, (beat, _, mark) in enumerate(chord.marks("XxxxXxxxXxxxXxxx"))]


_BASS_FIGURES: dict[str, Callable[[Chord, int, int, str], list[Event]]] = {
    "held": _held, "kick": _on_row, "riff": _on_row, "eighths": _eighths, "walk": _walk, "octaves": _octaves,
    "offbeat": _offbeat, "sixteenths": _sixteenths,
}
