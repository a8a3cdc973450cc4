"""The players of the stem `other`: strumming, comping, pads, riffs, arpeggios, stabs and lead lines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dann_lib.synthetic.harmony import nearest_pitch, voice_chords
from dann_lib.synthetic.score import BEATS_PER_BAR, Note, Song
from dann_lib.synthetic.styles import PartStyle

_Event = tuple[float, float, int, float]
"""Beat, beats, pitch, velocity, before the player's own timing."""

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
    events = _ROLES[style.role](song, style, riff, rng)
    per_second = song.tempo_bpm / 60
    shifts = rng.normal(0.0, timing_ms / 1000 * per_second, len(events))
    swells = rng.normal(0.0, 4.0, len(events))
    notes = []
    for (beat, beats, pitch, velocity), shift, swell in zip(events, shifts, swells, strict=True):
        loudness = 0.72 + 0.28 * song.section_at(beat).energy
        notes.append(Note(max(0.0, beat + shift), beats, pitch, int(np.clip(velocity * loudness + swell, 1, 127))))
    return tuple(sorted(notes, key=lambda note: (note.start, note.pitch)))


def _strum(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> list[_Event]:
    """Five strings, down- and up-strokes; one string after the other, 11 ms apart."""
    verse, chorus = rng.choice(len(_STRUMS), 2, replace=False)
    delay = 0.011 * song.tempo_bpm / 60
    events: list[_Event] = []
    for chord, voicing in zip(song.chords, voice_chords(song.chords, style.centre, 5), strict=True):
        row = _STRUMS[chorus if song.section_at(chord.start).name == "chorus" else verse]
        for beat, beats, stroke in chord.marks(row):
            strings = voicing if stroke == "D" else voicing[:1:-1]
            velocity = 98 if stroke == "D" else 78
            events += [(beat + i * delay, max(beats - i * delay, 0.1), pitch, velocity - 2 * i)
                       for i, pitch in enumerate(strings)]
    return events


def _comp(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> list[_Event]:
    """Two hands: root (and octave) with each chord, voice-led chords in rhythm above."""
    verse, chorus = rng.choice(len(_COMPS), 2, replace=False)
    events: list[_Event] = []
    for chord, voicing in zip(song.chords, voice_chords(song.chords, style.centre, 3), strict=True):
        is_chorus = song.section_at(chord.start).name == "chorus"
        low = nearest_pitch(chord.root, style.centre - 17)
        events.append((chord.start, chord.beats * 0.95, low, 84))
        if is_chorus:
            events.append((chord.start, chord.beats * 0.95, low + 12, 76))
        for beat, beats, mark in chord.marks(_COMPS[chorus if is_chorus else verse]):
            velocity = 94 if mark == "X" else 80
            events += [(beat, beats * 0.9, pitch, velocity) for pitch in voicing]
    return events


def _pad(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> list[_Event]:
    """Held chords; a note that the next chord shares is tied over."""
    voicings = voice_chords(song.chords, style.centre, 4)
    events: list[_Event] = []
    for index, (chord, voicing) in enumerate(zip(song.chords, voicings, strict=True)):
        before = voicings[index - 1] if index % 2 == 1 else ()
        for pitch in voicing:
            if pitch in before:
                continue
            tied = index + 1 < len(voicings) and (index + 1) % 2 == 1 and pitch in voicings[index + 1]
            beats = chord.beats + (song.chords[index + 1].beats if tied else 0.0)
            events.append((chord.start, beats, pitch, 82))
    return events


def _riff(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> list[_Event]:
    """Power chords: accents ring, the rest is palm-muted on the root; the chorus lets chords ring."""
    events: list[_Event] = []
    for chord in song.chords:
        root = _OPEN_STRINGS - 2 + (chord.root - _OPEN_STRINGS + 2) % 12
        is_chorus = song.section_at(chord.start).name == "chorus"
        for beat, beats, mark in chord.marks("X.....X.X...X.x." if is_chorus else riff):
            if mark == "X":
                events += [(beat, beats * 0.95, root + interval, 104) for interval in (0, 7, 12)]
            else:
                events += [(beat, 0.11, root + interval, 84) for interval in (0, 7)]
    return events


def _arpeggio(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> list[_Event]:
    """Chord tones one after the other: eighths in the verse, sixteenths in the chorus of slower songs."""
    order = [(0, 1, 2, 3, 2, 1), (0, 2, 1, 3), (3, 2, 1, 0), (0, 1, 2, 3)][rng.integers(4)]
    events: list[_Event] = []
    count = 0
    for chord, voicing in zip(song.chords, voice_chords(song.chords, style.centre, 4), strict=True):
        fast = song.section_at(chord.start).name == "chorus" and song.tempo_bpm < 145
        row = "XoxoXoxoXoxoXoxo" if fast else "X.x.X.x.X.x.X.x."
        for beat, beats, mark in chord.marks(row):
            pitch = voicing[order[count % len(order)] % len(voicing)]
            events.append((beat, beats * 1.3, pitch, {"X": 96, "x": 84, "o": 74}[mark]))
            count += 1
    return events


def _stab(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> list[_Event]:
    """Short syncopated chords; the verse plays every chord long once."""
    row = _STABS[rng.integers(len(_STABS))]
    events: list[_Event] = []
    for chord, voicing in zip(song.chords, voice_chords(song.chords, style.centre, 4), strict=True):
        is_chorus = song.section_at(chord.start).name == "chorus"
        for beat, beats, mark in chord.marks(row if is_chorus else "X.....x...x....."):
            events += [(beat, beats * (0.6 if is_chorus else 0.9), pitch, 98 if mark == "X" else 86)
                       for pitch in voicing]
    return events


def _lead(song: Song, style: PartStyle, riff: str, rng: np.random.Generator) -> list[_Event]:
    """A melodic line: runs where the singer pauses, long chord tones above the singing."""
    events: list[_Event] = []
    pitch = style.centre
    ladder = [p for p in range(style.centre - 12, style.centre + 13) if p % 12 in song.scale]
    for chord in song.chords:
        half = chord.start
        while half < chord.start + chord.beats - 1e-6:
            sung = any(note.start < half + 1.5 and note.start + note.beats > half + 0.25 for note in song.melody)
            tones = sorted((p for p in ladder if p % 12 in chord.pitch_classes), key=lambda p: abs(p - pitch))
            if sung:
                pitch = tones[int(rng.integers(min(2, len(tones))))]
                events.append((half, 1.9, pitch, 82))
            else:
                pitch = tones[0]
                place = ladder.index(pitch)
                turn = int(rng.choice([-1, 1]))
                for i in range(4):
                    step = int(np.clip(place + turn * i, 0, len(ladder) - 1))
                    pitch = ladder[step]
                    events.append((half + i * 0.5, 0.48, pitch, 96 if i == 0 else 86))
            half += BEATS_PER_BAR / 2
    return events


_ROLES: dict[str, Callable[[Song, PartStyle, str, np.random.Generator], list[_Event]]] = {
    "strum": _strum, "comp": _comp, "pad": _pad, "riff": _riff, "arpeggio": _arpeggio, "stab": _stab,
    "lead": _lead,
}
