"""Playing notes with sampled instruments: General MIDI through the SoundFont that pretty_midi ships.

`midirenderer` is a complete SoundFont synthesizer (RustySynth) in a wheel without dependencies. It
honours tuning, velocity, envelopes and release.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from functools import cache
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

_Played = tuple[float, float, int, int]
"""Start (s), duration (s), MIDI pitch, velocity."""


def play(program: int, notes: Sequence[_Played], seconds: float, drums: bool = False) -> np.ndarray:
    """Render notes of one instrument, dry.

    Args:
        program: General MIDI program from 0, or the drum kit.
        notes: start (s), duration (s), MIDI pitch, velocity.
        seconds: length of the result.
        drums: whether to play on the percussion channel.

    Returns:
        `(sample, channel)` float32 at 44.1 kHz, stereo, `round(seconds * 44100)` samples.

    Raises:
        CorpusError: if pretty_midi or its SoundFont is missing.
    """
    midi = _to_midi(program, notes, seconds, _DRUM_CHANNEL if drums else 0)
    # (sample, channel) at 48 kHz
    wave, rate = soundfile.read(io.BytesIO(midirenderer.render_wave_from(_soundfont(), midi)), dtype="float32")
    wave = resample_poly(wave, SONG_RATE, rate, axis=0)
    n_samples = round(seconds * SONG_RATE)
    played = np.zeros((n_samples, 2), np.float32)
    played[: len(wave)] = wave[:n_samples]
    return played


@cache
def _soundfont() -> bytes:
    """TimGM6mb (6 MB, General MIDI) from pretty_midi's folder, found without importing it."""
    spec = importlib.util.find_spec("pretty_midi")
    for folder in spec.submodule_search_locations if spec else ():
        path = Path(folder) / "TimGM6mb.sf2"
        if path.is_file():
            return path.read_bytes()
    raise CorpusError("the SoundFont TimGM6mb.sf2 was not found in the package pretty_midi; "
                      "install it with: pip install pretty_midi")


def _to_midi(program: int, notes: Sequence[_Played], seconds: float, channel: int) -> bytes:
    """A MIDI file with one track, one tick being 0.1 ms."""
    track = mido.MidiTrack([
        mido.MetaMessage("set_tempo", tempo=1_000_000),
        mido.Message("program_change", channel=channel, program=program),
    ])
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
    content = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_SECOND, tracks=[track]).save(file=content)
    return content.getvalue()


def _events(notes: Sequence[_Played]) -> list[tuple[int, int, int]]:
    """Tick, velocity (0 ends the note), pitch; ends come before the starts of the same tick.

    A note is cut where the same pitch is struck again, since its end would silence the new one.
    """
    events: list[tuple[int, int, int]] = []
    by_pitch = sorted(notes, key=lambda note: (note[2], note))
    for note, following in zip(by_pitch, [*by_pitch[1:], None], strict=True):
        start, seconds, pitch, velocity = note
        end = start + seconds
        if following is not None and following[2] == pitch:
            end = min(end, following[0])
        start_tick, end_tick = round(start * _TICKS_PER_SECOND), round(end * _TICKS_PER_SECOND)
        if end_tick > start_tick:
            events += [(start_tick, velocity, pitch), (end_tick, 0, pitch)]
    return sorted(events)
