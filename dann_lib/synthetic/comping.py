"""The players of the stem `other`: strumming, comping, pads, riffs, arpeggios, stabs and lead lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np

from dann_lib.synthetic.harmony import nearest_pitch, voice_chords
from dann_lib.synthetic.score import BEATS_PER_BAR, Chord, Event, Note, Song, humanise, pick
from dann_lib.synthetic.styles import PartStyle

_STRUMS = ("D...D.U.D.U.D.U.", "D.U.D.U.D.UDD.U.", "D...D.DU.UD.D.DU", "D.DUD.DU.UDUD.DU")
_COMPS = ("X...x...x...x...", "X..x..x.X..x..x.", "X.....x.x...X...", "X..x..x...x.x...", "..x...x...x...x.")
_STABS = ("X..x..x...x.x...", "..X...X...X...X.", "X..X..X.X..X..X.", "x..x..X...x..X..")
_OPEN_STRINGS = 40
"""E2, the lowest note of a guitar."""


def play_part(
    song: Song, style: PartStyle, riff: str, timing_ms: float, rng: np.random.Generator
) -> tuple[Note, ...]:
    """Let one instrument accompany the song in its role.

    Args:
        song: with tempo, sections, chords and melody; its parts are ignored.
        style: role, register and instrument.
        riff: 16 steps, for the role "riff".
        timing_ms: standard deviation of the player's timing.
        rng: for the choice of pattern, dynamics and timing.

    Returns:
        Notes in order of their start.
    """
    events = [
        (beat, beats, pitch, velocity * (0.72 + 0.28 * song.section_at(beat).energy))
        for beat, beats, pitch, velocity in _ROLES[style.role](song, style, riff, rng)
    ]
    shifts = rng.normal(0.0, timing_ms / 1000 * (song.tempo_bpm / 60), len(events))
    return humanise(events, shifts, rng)


def _voiced(song: Song, style: PartStyle, n_voices: int) -> Iterator[tuple[Chord, tuple[int, ...], bool]]:
    """Each chord with its voicing, and whether it lies in the chorus."""
    for chord, voicing in zip(song.chords, voice_chords(song.chords, style.centre, n_voices), strict=True):
        yield chord, voicing, song.section_at(chord.start).name == "chorus"


def _strum(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> Iterator[Event]:
    """Five strings, down- and up-strokes; one string after the other, 11 ms apart."""
    verse, chorus = rng.choice(_STRUMS, 2, replace=False)
    delay = 0.011 * song.tempo_bpm / 60
    for chord, voicing, is_chorus in _voiced(song, style, 5):
        for beat, beats, stroke in chord.marks(chorus if is_chorus else verse):
            strings, velocity = (voicing, 98) if stroke == "D" else (voicing[:1:-1], 78)
            for i, pitch in enumerate(strings):
                yield beat + i * delay, max(beats - i * delay, 0.1), pitch, velocity - 2 * i


def _comp(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> Iterator[Event]:
    """Two hands: root (and octave) with each chord, voice-led chords in rhythm above."""
    verse, chorus = rng.choice(_COMPS, 2, replace=False)
    for chord, voicing, is_chorus in _voiced(song, style, 3):
        low = nearest_pitch(chord.root, style.centre - 17)
        yield chord.start, chord.beats * 0.95, low, 84
        if is_chorus:
            yield chord.start, chord.beats * 0.95, low + 12, 76
        for beat, beats, mark in chord.marks(chorus if is_chorus else verse):
            for pitch in voicing:
                yield beat, beats * 0.9, pitch, 94 if mark == "X" else 80


def _pad(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> Iterator[Event]:
    """Held chords, two by two; a note that both share is tied over."""
    voiced = list(_voiced(song, style, 4))
    for index, (chord, voicing, _) in enumerate(voiced):
        if index % 2 == 1:
            before = voiced[index - 1][1]
            yield from ((chord.start, chord.beats, pitch, 82) for pitch in voicing if pitch not in before)
        else:
            following, then, _ = voiced[index + 1] if index + 1 < len(voiced) else (chord, (), False)
            for pitch in voicing:
                yield chord.start, chord.beats + (following.beats if pitch in then else 0.0), pitch, 82


def _riff(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> Iterator[Event]:
    """Power chords: accents ring, the rest is palm-muted on the root; the chorus lets chords ring."""
    for chord in song.chords:
        root = _OPEN_STRINGS - 2 + (chord.root - _OPEN_STRINGS + 2) % 12
        is_chorus = song.section_at(chord.start).name == "chorus"
        for beat, beats, mark in chord.marks("X.....X.X...X.x." if is_chorus else riff):
            if mark == "X":
                yield from ((beat, beats * 0.95, root + interval, 104) for interval in (0, 7, 12))
            else:
                yield from ((beat, 0.11, root + interval, 84) for interval in (0, 7))


def _arpeggio(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> Iterator[Event]:
    """Chord tones one after the other: eighths in the verse, sixteenths in the chorus of slower songs."""
    order = cycle(pick([(0, 1, 2, 3, 2, 1), (0, 2, 1, 3), (3, 2, 1, 0), (0, 1, 2, 3)], rng))
    for chord, voicing, is_chorus in _voiced(song, style, 4):
        row = "XoxoXoxoXoxoXoxo" if is_chorus and song.tempo_bpm < 145 else "X.x.X.x.X.x.X.x."
        for beat, beats, mark in chord.marks(row):
            yield beat, beats * 1.3, voicing[next(order) % len(voicing)], {"X": 96, "x": 84, "o": 74}[mark]


def _stab(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> Iterator[Event]:
    """Short syncopated chords; the verse plays every chord long once."""
    chorus = pick(_STABS, rng)
    for chord, voicing, is_chorus in _voiced(song, style, 4):
        for beat, beats, mark in chord.marks(chorus if is_chorus else "X.....x...x....."):
            for pitch in voicing:
                yield beat, beats * (0.6 if is_chorus else 0.9), pitch, 98 if mark == "X" else 86


def _lead(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> Iterator[Event]:
    """A melodic line: runs where the singer pauses, long chord tones above the singing."""
    pitch = style.centre
    ladder = [p for p in range(style.centre - 12, style.centre + 13) if p % 12 in song.scale]
    for chord in song.chords:
        for half in np.arange(chord.start, chord.start + chord.beats - 1e-6, BEATS_PER_BAR / 2).tolist():
            sung = any(note.start < half + 1.5 and note.start + note.beats > half + 0.25 for note in song.melody)
            tones = sorted((p for p in ladder if p % 12 in chord.pitch_classes), key=lambda p: abs(p - pitch))
            if sung:
                pitch = pick(tones[:2], rng)
                yield half, 1.9, pitch, 82
            else:
                place, turn = ladder.index(tones[0]), int(rng.choice([-1, 1]))
                for i in range(4):
                    pitch = ladder[int(np.clip(place + turn * i, 0, len(ladder) - 1))]
                    yield half + i * 0.5, 0.48, pitch, 96 if i == 0 else 86


_ROLES: dict[str, Callable[[Song, PartStyle, str, np.random.Generator], Iterator[Event]]] = {
    "strum": _strum, "comp": _comp, "pad": _pad, "riff": _riff, "arpeggio": _arpeggio, "stab": _stab,
    "lead": _lead,
}
