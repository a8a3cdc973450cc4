"""Chords from Roman numerals, and voicings that move as little as possible from one to the next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from itertools import product

import numpy as np

from dann_lib.synthetic.score import BEATS_PER_BAR, Chord, Section

_NUMERALS = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
_QUALITIES = {
    "": (0, 4, 7), "m": (0, 3, 7), "5": (0, 7), "7": (0, 4, 7, 10), "m7": (0, 3, 7, 10), "maj7": (0, 4, 7, 11),
    "sus4": (0, 5, 7), "add9": (0, 4, 7, 14), "madd9": (0, 3, 7, 14), "dim": (0, 3, 6),
}


def parse_numeral(numeral: str) -> tuple[int, tuple[int, ...]]:
    """Read a Roman numeral such as "vi", "bVII", "V7", "IVmaj7" or "bII5".

    Degrees are those of the major scale, lowered by `b`; lower case is minor.

    Returns:
        Semitones of the root above the tonic, and the chord's intervals above its root.

    Raises:
        ValueError: if it is no numeral with a known quality.
    """
    match = re.fullmatch(r"(b?)([IViv]+)(5|7|maj7|sus4|add9|dim)?", numeral)
    if match is None or match[2].upper() not in _NUMERALS:
        raise ValueError(f"{numeral!r} is no Roman numeral such as 'vi', 'bVII' or 'V7'")
    suffix = match[3] or ""
    if match[2].islower() and suffix in ("", "7", "add9"):
        suffix = "m" + suffix
    return (_NUMERALS[match[2].upper()] - len(match[1])) % 12, _QUALITIES[suffix]


def lay_out_chords(
    tonic: int, sections: Sequence[Section], progressions: tuple[Sequence[str], Sequence[str]], per_bar: int
) -> tuple[Chord, ...]:
    """Place the verse's progression under intro and verse, and the chorus' under the chorus.

    Args:
        tonic: pitch class of the key.
        sections: of the song, in order.
        progressions: Roman numerals of verse and chorus; repeated or cut to fit. The verse starts
            with its progression's first chord, the chorus ends with its progression's last one.
        per_bar: chords per bar, 1 or 2.

    Returns:
        Chords in order, without gaps.
    """
    beats = BEATS_PER_BAR / per_bar
    chords = []
    for section in sections:
        n_chords = section.bars * per_bar
        is_chorus = section.name == "chorus"
        numerals, first = progressions[is_chorus], -n_chords if is_chorus else section.start_bar * per_bar
        for index in range(n_chords):
            numeral = numerals[(first + index) % len(numerals)]
            offset, intervals = parse_numeral(numeral)
            start = section.start_bar * BEATS_PER_BAR + index * beats
            chords.append(Chord(start, beats, (tonic + offset) % 12, intervals, numeral))
    return tuple(chords)


def voice_chords(chords: Sequence[Chord], centre: float, n_voices: int = 4) -> list[tuple[int, ...]]:
    """Choose an inversion of every chord so that the hand moves little (voice leading).

    Args:
        chords: in order.
        centre: MIDI pitch around which the voicings lie.
        n_voices: notes per voicing.

    Returns:
        One ascending voicing per chord, MIDI pitches within about an octave around `centre`.
    """
    voicings: list[tuple[int, ...]] = [()]
    for chord in chords:
        effort = partial(_effort, previous=voicings[-1], centre=centre)
        voicings.append(min(_inversions(chord, centre, n_voices), key=effort))
    return voicings[1:]


def nearest_pitch(pitch_class: int, target: float) -> int:
    """The pitch of that class which is nearest to `target` (MIDI numbers)."""
    return round((target - pitch_class) / 12) * 12 + pitch_class


def _inversions(chord: Chord, centre: float, n_voices: int) -> list[tuple[int, ...]]:
    classes = [(chord.root + interval) % 12 for interval in chord.intervals]
    lowest = [pitch for pitch in range(int(centre) - 9, int(centre) + 3) if pitch % 12 in classes]
    found = []
    for bottom, spread in product(lowest, (False, True)):
        stack = [pitch for pitch in range(bottom, bottom + 30) if pitch % 12 in classes]
        # An open voicing lifts the second note by an octave, as a pianist or a string section would.
        picked = [stack[0], *stack[2:]][:n_voices] if spread else stack[:n_voices]
        if set(chord.pitch_classes) <= {pitch % 12 for pitch in picked}:
            found.append(tuple(picked))
    return found or [tuple(nearest_pitch(c, centre) + 12 * (i // len(classes)) for i, c in enumerate(classes))]


def _effort(voicing: tuple[int, ...], previous: tuple[int, ...], centre: float) -> float:
    off_centre = abs(float(np.mean(voicing)) - centre)
    if len(previous) != len(voicing):
        return off_centre
    return float(np.abs(np.subtract(voicing, previous)).sum()) + 0.5 * off_centre
