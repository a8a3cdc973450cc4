"""The sung line: phrases with a shape, chord tones on strong beats, passing notes between, and breaths."""

from __future__ import annotations

import numpy as np

from dann_lib.synthetic.score import BEATS_PER_BAR, STEPS_PER_BEAT, Section, Song, SungNote, pick

_OPENINGS = (
    ((0, 2), (2, 2), (4, 2), (6, 4), (10, 2), (12, 4)),
    ((0, 4), (4, 2), (6, 2), (8, 4), (12, 4)),
    ((2, 2), (4, 2), (6, 2), (8, 4), (12, 2), (14, 2)),
    ((0, 3), (3, 3), (6, 2), (8, 4), (12, 2), (14, 2)),
)
_ENDINGS = (((0, 2), (2, 2), (4, 8)), ((0, 4), (4, 9)), ((0, 3), (3, 3), (6, 7)), ((0, 2), (2, 2), (4, 4), (8, 5)))
_CHORUS_OPENINGS = (((0, 6), (6, 2), (8, 8)), ((0, 4), (4, 4), (8, 6), (14, 2)), ((0, 3), (3, 3), (6, 6), (12, 4)))
_CHORUS_ENDINGS = (((0, 4), (4, 10)), ((0, 6), (6, 8)), ((0, 4), (4, 4), (8, 6)))
"""Rhythms of a bar: first step and length in steps of each syllable."""

_VOWELS = "aeiou"
_CONSONANTS = ("", "", "h", "s", "t", "k", "m", "n", "l", "l")
_FAST_BPM = 145


def sing(song: Song, rng: np.random.Generator) -> tuple[SungNote, ...]:
    """Write a melody for a singer.

    Phrases last two bars (four at fast tempi), the second bar ends in a long note and a rest. The
    rhythm of a section's first phrase returns in its later ones, so that they rhyme. An intro is not sung.

    Args:
        song: with tempo, sections, chords and the singer's range; its parts are ignored.
        rng: for rhythm, pitch and syllables.

    Returns:
        Syllables in order, one at a time.
    """
    syllables: list[SungNote] = []
    voice = song.voice
    pitch = (voice.low + voice.high) // 2 - 2
    for section in song.sections:
        if section.name == "intro":
            continue
        centre = (voice.low + voice.high) / 2 + (2.0 if section.name == "chorus" else -2.5)
        for phrase in _phrases(song, section, rng):
            for index, (beat, beats) in enumerate(phrase):
                arc = 2.5 * np.sin(np.pi * index / max(1, len(phrase) - 1))
                pitch = _next_pitch(song, beat, beats, pitch, centre + arc, rng)
                syllables.append(_syllable(beat, beats, pitch, section.energy, rng))
    return tuple(syllables)


def _phrases(song: Song, section: Section, rng: np.random.Generator) -> list[list[tuple[float, float]]]:
    """Beats and durations of each phrase's syllables."""
    is_chorus = section.name == "chorus"
    opening = pick(_CHORUS_OPENINGS if is_chorus else _OPENINGS, rng)
    ending = pick(_CHORUS_ENDINGS if is_chorus else _ENDINGS, rng)
    stretch = 2 if song.tempo_bpm >= _FAST_BPM else 1
    first, last = section.start_bar * BEATS_PER_BAR, (section.start_bar + section.bars) * BEATS_PER_BAR
    origins = range(first, last, BEATS_PER_BAR * stretch)
    phrases: list[list[tuple[float, float]]] = [[]]
    for index, origin in enumerate(origins):
        is_end = index % 2 == 1 or origin == origins[-1]
        for step, steps in ending if is_end else opening:
            beat, beats = origin + step * stretch / STEPS_PER_BEAT, steps * stretch / STEPS_PER_BEAT
            room = last - 0.5 - beat
            if room >= 0.4:
                phrases[-1].append((beat, min(beats, room)))
        if is_end:
            phrases.append([])
    return [phrase for phrase in phrases if phrase]


def _next_pitch(
    song: Song, beat: float, beats: float, previous: int, target: float, rng: np.random.Generator
) -> int:
    chord = song.chord_at(beat)
    strong = beats >= 1.0 or abs(beat - round(beat)) < 1e-6
    allowed = chord.pitch_classes if strong else song.scale
    candidates = np.array([p for p in range(song.voice.low, song.voice.high + 1) if p % 12 in allowed])
    leap = np.abs(candidates - previous)
    # Steps and thirds are preferred to repetition, repetition to leaps; the phrase's arc pulls gently.
    cost = np.where(leap == 0, 1.6, 0.45 * leap) + 0.22 * np.abs(candidates - target)
    weight = np.exp(-cost)
    return int(rng.choice(candidates, p=weight / weight.sum()))


def _syllable(beat: float, beats: float, pitch: int, energy: float, rng: np.random.Generator) -> SungNote:
    vowel = _VOWELS[rng.choice(5, p=[0.3, 0.2, 0.2, 0.2, 0.1])]
    consonant = pick(_CONSONANTS, rng)
    loudness = float(np.clip(0.45 + 0.45 * energy + rng.normal(0.0, 0.06), 0.3, 1.0))
    return SungNote(beat, beats, pitch, vowel, consonant, loudness)
