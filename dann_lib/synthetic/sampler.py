"""Playing notes with sampled instruments: General MIDI through the SoundFont that pretty_midi ships.

`midirenderer` is a complete SoundFont synthesizer (RustySynth) in a wheel without dependencies. It
honours tuning, velocity, envelopes and release.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path

import midirenderer
import mido
import numpy as np
import soundfile
from scipy.signal import resample_poly

from dann_lib.errors import CorpusError
from dann_lib.report import SONG_RATE

_TICKS_PER_SECOND = 10_000
_DRUM_CHANNEL = 9
_VOLUME, _EXPRESSION, _REVERB, _CHORUS = 7, 11, 91, 93


def soundfont_path() -> Path:
    """The SoundFont TimGM6mb (6 MB, General MIDI) in pretty_midi's folder, found without importing it.

    Raises:
        CorpusError: if pretty_midi or its SoundFont is missing.
    """
    spec = importlib.util.find_spec("pretty_midi")
    if spec is not None and spec.submodule_search_locations:
        path = Path(spec.submodule_search_locations[0]) / "TimGM6mb.sf2"
        if path.is_file():
            return path
    raise CorpusError(
        "the SoundFont TimGM6mb.sf2 was not found in the package pretty_midi; "
        "install it with: pip install pretty_midi"
    )


def play(
    soundfont: bytes, program: int, notes: Sequence[tuple[float, float, int, int]], seconds: float, drums: bool = False
) -> np.ndarray:
    """Render notes of one instrument, dry.

    Args:
        soundfont: content of the SoundFont file.
        program: General MIDI program from 0, or the drum kit.
        notes: start (s), duration (s), MIDI pitch, velocity.
        seconds: length of the result.
        drums: whether to play on the percussion channel.

    Returns:
        `(sample, channel)` float32 at 44.1 kHz, stereo, `round(seconds * 44100)` samples.
    """
    midi = _to_midi(program, notes, seconds, _DRUM_CHANNEL if drums else 0)
    wave, rate = soundfile.read(
        io.BytesIO(midirenderer.render_wave_from(soundfont, midi)), dtype="float32", always_2d=True
    )
    if rate != SONG_RATE:
        wave = resample_poly(wave, SONG_RATE, rate, axis=0)
    n_samples = round(seconds * SONG_RATE)
    played = np.zeros((n_samples, 2), np.float32)
    played[: len(wave)] = wave[:n_samples]
    return played


def _to_midi(program: int, notes: Sequence[tuple[float, float, int, int]], seconds: float, channel: int) -> bytes:
    """A MIDI file with one track, one tick being 0.1 ms."""
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=1_000_000))
    track.append(mido.Message("program_change", channel=channel, program=program))
    # The synthesizer's own room and chorus are off: the mixing desk adds the song's room.
    for control, value in ((_VOLUME, 127), (_EXPRESSION, 127), (_REVERB, 0), (_CHORUS, 0)):
        track.append(mido.Message("control_change", channel=channel, control=control, value=value))
    now = 0
    for tick, velocity, pitch in _events(notes):
        track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    # Rendering stops at the last event; an end-of-track after it lets the last notes ring.
    end = round((seconds + 0.1) * _TICKS_PER_SECOND)
    track.append(mido.Message("control_change", channel=channel, control=_CHORUS, value=0, time=max(0, end - now)))
    file = mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_SECOND)
    file.tracks.append(track)
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def _events(notes: Sequence[tuple[float, float, int, int]]) -> list[tuple[int, int, int]]:
    """Tick, velocity (0 ends the note), pitch; ends come before the starts of the same tick.

    A note is cut where the same pitch is struck again, since its end would silence the new one.
    """
    events: list[tuple[int, int, int]] = []
    by_pitch: dict[int, list[tuple[float, float, int, int]]] = {}
    for note in sorted(notes):
        by_pitch.setdefault(note[2], []).append(note)
    for pitch, struck in by_pitch.items():
        for note, following in zip(struck, [*struck[1:], None], strict=True):
            end = note[0] + note[1]
            if following is not None:
                end = min(end, following[0])
            start_tick = round(note[0] * _TICKS_PER_SECOND)
            end_tick = round(end * _TICKS_PER_SECOND)
            if end_tick > start_tick:
                events += [(start_tick, note[3], pitch), (end_tick, 0, pitch)]
    return sorted(events)
