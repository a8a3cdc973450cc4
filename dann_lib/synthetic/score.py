"""What a composed song is made of: notes, chords, sections, parts, and the sung line.

Musical time is counted in beats (quarter notes) from the start of the song, pitch in MIDI numbers
(60 is middle C, 12 to the octave), velocity from 1 to 127.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

BEATS_PER_BAR = 4
STEPS_PER_BEAT = 4
STEPS_PER_BAR = BEATS_PER_BAR * STEPS_PER_BEAT
"""Rhythms are written on a grid of sixteenth notes."""

TAIL = 0.35
"""Seconds after the last bar, in which the last notes and the room die away."""

PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "phrygian": (0, 1, 3, 5, 7, 8, 10)}
"""Semitones above the tonic."""

APART = ("vocals", "drums", "bass", "guitar", "keys", "other")
"""Stems of a song whose instruments are rendered apart."""

DUETS = ("singers", "guitars")
"""Types of which there can be two in a song."""

PLACES = ("first", "second")
"""Of these two; which of them has which is chance, as nothing in the sound says it."""

# Beat, beats, pitch and velocity of a note as it is written, before a player has touched it.
Event = tuple[float, float, int, float]


@dataclass(frozen=True)
class Note:
    """One played note.

    Attributes:
        start: beats from the start of the song, with the player's small deviation from the grid.
        beats: duration in beats.
        pitch: MIDI number; for drums, the General MIDI percussion key.
        velocity: 1 to 127.
    """

    start: float
    beats: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class SungNote:
    """One syllable: a pitch with a vowel, and perhaps a consonant before it.

    Attributes:
        start: beats from the start of the song.
        beats: duration in beats.
        pitch: MIDI number.
        vowel: one of "aeiou".
        consonant: one of "", "h", "s", "t", "k", "m", "n", "l".
        loudness: 0 to 1.
    """

    start: float
    beats: float
    pitch: int
    vowel: str
    consonant: str
    loudness: float


@dataclass(frozen=True)
class Chord:
    """A chord and where it sounds.

    Attributes:
        start: beats from the start of the song.
        beats: duration in beats.
        root: pitch class, 0 (C) to 11 (B).
        intervals: semitones above the root.
        numeral: the Roman numeral that it was composed as, relative to the major scale.
    """

    start: float
    beats: float
    root: int
    intervals: tuple[int, ...]
    numeral: str

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The chord's notes as numbers from 0 (C) to 11 (B)."""
        return frozenset((self.root + interval) % 12 for interval in self.intervals)

    def marks(self, row: str, on_start: bool = False) -> list[tuple[float, float, str]]:
        """Beat, beats until the next mark or the chord's end, and mark of what lies under the chord.

        Args:
            row: one bar, one character a step; `.` is a rest and left out.
            on_start: put an `x` on the chord's start if there is a rest.
        """
        first, span = round(self.start * STEPS_PER_BEAT), round(self.beats * STEPS_PER_BEAT)
        under = "".join(row[(first + step) % STEPS_PER_BAR] for step in range(span))
        if on_start and under[0] == ".":
            under = f"x{under[1:]}"
        steps = [step for step, mark in enumerate(under) if mark != "."]
        return [(self.start + step / STEPS_PER_BEAT, (end - step) / STEPS_PER_BEAT, under[step])
                for step, end in zip(steps, [*steps[1:], span], strict=False)]


@dataclass(frozen=True)
class Section:
    """A stretch of whole bars with one character.

    Attributes:
        name: "intro", "verse" or "chorus".
        start_bar: number of its first bar, from 0.
        bars: number of bars.
        energy: 0 to 1; louder, busier and brighter playing above 0.8.
    """

    name: str
    start_bar: int
    bars: int
    energy: float


@dataclass(frozen=True)
class Voice:
    """A singer.

    Attributes:
        name: "female voice", "tenor voice" or "baritone voice".
        low: lowest pitch, MIDI number.
        high: highest pitch, MIDI number.
        formant_scale: resonance frequencies relative to those of an adult man.
        breathiness: level of noise in the source, 0 to 1.
        tilt_db: spectral tilt of the source in dB per octave, added to that of the glottal pulse.
        roughness: slow random pitch and amplitude modulation, and saturation, 0 to 1.
        vibrato_hz: rate of the vibrato.
        vibrato_cents: its depth on a long note, from the centre to the top.
        doubled: whether the singer is recorded twice in the chorus.
    """

    name: str
    low: int
    high: int
    formant_scale: float
    breathiness: float
    tilt_db: float
    roughness: float
    vibrato_hz: float
    vibrato_cents: float
    doubled: bool


@dataclass(frozen=True)
class Part:
    """One player: an instrument and what it plays.

    Attributes:
        name: the instrument, unique in the song.
        stem: "drums", "bass" or "other".
        program: General MIDI program from 0, or the drum kit for the stem "drums".
        notes: in order of their start.
        gain_db: level relative to the other parts of the stem.
        pan: -1 (left) to 1 (right).
        room: level of the room's reverberation relative to the direct sound, linear.
        drive: 0 (clean) to about 10 (heavily distorted amplifier).
        ducked: whether the level gives way to every kick ("side-chain", electro).
    """

    name: str
    stem: str
    program: int
    notes: tuple[Note, ...]
    gain_db: float = 0.0
    pan: float = 0.0
    room: float = 0.15
    drive: float = 0.0
    ducked: bool = False


@dataclass(frozen=True)
class Song:
    """A composed song, before it is rendered.

    Change one property with `dataclasses.replace` for a controlled experiment, for example
    `replace(song, parts=song.parts[:3])`.

    Attributes:
        name: "Artist - Title", or a technical name.
        genre: "rock", "pop", "metal" or "electro".
        seed: what it was composed from.
        tempo_bpm: quarter notes per minute.
        tonic: pitch class of the key, 0 (C) to 11 (B).
        mode: a key of `SCALES`.
        bars: length in bars of four beats.
        sections: in order, without gaps.
        chords: in order, without gaps.
        parts: drums, bass, then one or more of stem "other".
        melody: the sung line.
        voice: who sings it.
        levels_db: root mean square of each stem relative to the vocals, by stem.
    """

    name: str
    genre: str
    seed: int
    tempo_bpm: float
    tonic: int
    mode: str
    bars: int
    sections: tuple[Section, ...]
    chords: tuple[Chord, ...]
    parts: tuple[Part, ...]
    melody: tuple[SungNote, ...]
    voice: Voice
    levels_db: dict[str, float] = field(hash=False)

    @property
    def n_instruments(self) -> int:
        """Players: the singer, the drummer, the bassist, and each part of `other` count one."""
        return 1 + len(self.parts)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the players, the singer first."""
        return (self.voice.name, *(part.name for part in self.parts))

    @property
    def key(self) -> str:
        """For example "F# minor"."""
        return f"{PITCH_NAMES[self.tonic]} {self.mode}"

    @property
    def scale(self) -> frozenset[int]:
        """Pitch classes of the key's scale."""
        return frozenset((self.tonic + step) % 12 for step in SCALES[self.mode])

    @property
    def seconds(self) -> float:
        """Length of the rendered song, `TAIL` included."""
        return self.to_seconds(self.bars * BEATS_PER_BAR) + TAIL

    def to_seconds(self, beats: float) -> float:
        """Seconds of a time or a length in beats."""
        return beats * 60.0 / self.tempo_bpm

    def section_at(self, beat: float) -> Section:
        """The section in which a beat lies; the last one for any later time."""
        bar = beat / BEATS_PER_BAR + 1e-6
        return [section for section in self.sections if section.start_bar <= bar][-1]

    def chord_at(self, beat: float) -> Chord:
        """The chord that sounds at a beat; the last one for any later time."""
        return [chord for chord in self.chords if chord.start <= beat + 1e-6][-1]


def random_for(seed: int, *names: str) -> np.random.Generator:
    """A random generator of its own for one aspect of a song, which `names` tell.

    With one generator per aspect, adding an instrument leaves every other part as it was: songs that
    differ in the number of instruments alone can be compared.
    """
    return np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])


def pick(options: Sequence[Any], rng: np.random.Generator) -> Any:
    """One of the options, each as likely as the others."""
    return options[rng.integers(len(options))]


def humanise(
    events: Sequence[Event], shifts: np.ndarray, rng: np.random.Generator, swell: float = 4.0, softest: int = 1
) -> tuple[Note, ...]:
    """Notes as somebody plays them: off the grid, and never twice equally loud.

    Args:
        events: the notes as they are written.
        shifts: deviation of each in beats.
        rng: for the dynamics.
        swell: standard deviation of the velocity.
        softest: least velocity.

    Returns:
        Notes in order of their start.
    """
    swells = rng.normal(0.0, swell, len(events))
    notes = [
        Note(max(0.0, beat + shift), beats, pitch, int(np.clip(velocity + louder, softest, 127)))
        for (beat, beats, pitch, velocity), shift, louder in zip(events, shifts, swells, strict=True)
    ]
    return tuple(sorted(notes, key=lambda note: (note.start, note.pitch)))
