"""From a composed song to its stems: sampled instruments, the singer, and a small mixing desk."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, fftconvolve, sosfilt

from dann_lib.files import output_errors
from dann_lib.report import SONG_RATE, STEMS
from dann_lib.synthetic.rhythm_section import kick_beats
from dann_lib.synthetic.sampler import play
from dann_lib.synthetic.score import Part, Song, random_for
from dann_lib.synthetic.voice import sing_melody

_FULL_SCALE = 32768
_PEAK_DB = -1.0
_CREST = {"vocals": 5.0, "drums": 7.0, "bass": 3.5, "other": 5.0}
"""Highest peak of a stem relative to its root mean square; a soft limiter keeps it."""

_FADE = 0.08
"""Seconds at the end."""

_VOCAL_ROOM = 0.16
_ROOM_SECONDS = {"rock": 0.45, "pop": 0.6, "metal": 0.4, "electro": 0.7}


def render_song(song: Song, stems: Sequence[str] = STEMS) -> dict[str, np.ndarray]:
    """Render a song to a mixture and its stems.

    The samples are whole multiples of 1/32768, as in a 16-bit file, and the mixture is exactly the sum
    of the stems. The highest peak of any signal is at -1 dBFS.

    Args:
        song: from `compose_song`.
        stems: `STEMS`, or `APART`; in the latter guitars, keyboards and other instruments are equally loud, and a
            stem that no instrument plays is silent.

    Returns:
        For the mixture and each stem, `(sample, channel)` float32 at 44.1 kHz, stereo.

    Raises:
        CorpusError: if the SoundFont is missing.
    """
    channels: dict[str, list[tuple[np.ndarray, float]]] = {stem: [] for stem in stems}
    for part in song.parts:
        if part.stem != "vocals":
            stem = part.stem if part.stem != "other" or stems == STEMS else _family(part)
            channels[stem].append((_play(song, part), part.room))
    channels["vocals"] = [(_sing(song), _VOCAL_ROOM)]
    room = _room(_ROOM_SECONDS[song.genre], random_for(song.seed, song.genre, "room"))
    waves = {stem: _finish(_in_room(played, room), _CREST.get(stem, _CREST["other"]),
                           song.levels_db.get(stem, song.levels_db["other"]))
             for stem, played in channels.items() if played}
    mixture = sum(waves.values())
    peak = max(float(np.abs(signal).max()) for signal in (mixture, *waves.values()))
    # Four roundings can add up to 2 steps; the peak stays far from the limit.
    scale = 10.0 ** (_PEAK_DB / 20.0) * _FULL_SCALE / peak
    steps = {stem: np.round(waves.get(stem, 0 * mixture) * scale).astype(np.int32) for stem in stems}
    steps["mixture"] = sum(steps.values())
    return {signal: (steps[signal] / _FULL_SCALE).astype(np.float32) for signal in ("mixture", *stems)}


def _family(part: Part) -> str:
    """The stem of an instrument in `APART`."""
    if "guitar" in part.name:
        return "guitar"
    return "other" if part.name in ("strings", "choir") else "keys"


def write_song(folder: Path, song: Song, stems: Sequence[str] = STEMS) -> None:
    """Render a song and write `mixture.wav`, `vocals.wav` and so on, 44.1 kHz stereo, 16 bits.

    Args:
        folder: is made if it is missing.
        song: from `compose_song`.
        stems: as in `render_song`.

    Raises:
        OutputError: if the folder cannot be written or the disk is full.
    """
    folder = Path(folder)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for signal, wave in render_song(song, stems).items():
            content = io.BytesIO()
            # Integers are stored as they are; libsndfile would scale floats by 32767.
            steps = np.round(wave * _FULL_SCALE).astype(np.int16)
            soundfile.write(content, steps, SONG_RATE, format="WAV", subtype="PCM_16")
            (folder / f"{signal}.wav").write_bytes(content.getvalue())


def _play(song: Song, part: Part) -> np.ndarray:
    """One instrument with its amplifier, place and level, dry, `(sample, channel)`."""
    notes = [(song.to_seconds(note.start), song.to_seconds(note.beats), note.pitch, note.velocity)
             for note in part.notes]
    wave = _normalise(play(part.program, notes, song.seconds, drums=part.stem == "drums"))
    if part.drive:
        wave = _normalise(_amplifier(wave, part.drive, part.stem))
    if part.stem == "other":
        wave = _filter(wave, 110.0, "highpass")
    if part.stem == "bass":
        wave = _bass_channel(wave)
    if part.ducked:
        wave = wave * _ducking(song, len(wave))[:, None]
    return _pan(wave, part.pan) * 10.0 ** (part.gain_db / 20.0)


def _sing(song: Song) -> np.ndarray:
    """The singer, dry, `(sample, channel)`, recorded again to both sides in the chorus if doubled."""
    lead = sing_melody(song, song.melody, random_for(song.seed, song.genre, "voice"))
    wave = np.stack([lead, lead], axis=1)
    if song.voice.doubled:
        chorus = tuple(note for note in song.melody if song.section_at(note.start).name == "chorus")
        for side, pan in (("left", -0.7), ("right", 0.7)):
            double = sing_melody(song, chorus, random_for(song.seed, song.genre, "double", side))
            wave = wave + 0.28 * _pan(np.stack([double, double], axis=1), pan)
    return _normalise(_filter(wave, 90.0, "highpass"))


def _in_room(channels: list[tuple[np.ndarray, float]], room: np.ndarray) -> np.ndarray:
    """Sum the players of a stem, each with its level of the room's reverberation."""
    send = sum(level * wave.mean(axis=1, keepdims=True) for wave, level in channels)
    return sum(wave for wave, _ in channels) + fftconvolve(send, room, axes=0)[: len(send)]


def _ducking(song: Song, n_samples: int) -> np.ndarray:
    """Gain `(sample,)` that drops to a third at every kick and recovers within 0.25 s."""
    time = np.arange(n_samples) / SONG_RATE
    gain = np.ones(n_samples)
    for kick in kick_beats(song.parts[0].notes):
        since = time - song.to_seconds(kick)
        # Down within 4 ms, without a click, up again with a time constant of 80 ms.
        dip = np.exp(-np.maximum(since, 0.0) / 0.08 + np.minimum(since, 0.0) / 0.004)
        gain = np.minimum(gain, 1.0 - 0.68 * dip)
    return gain


def _finish(wave: np.ndarray, crest: float, level_db: float) -> np.ndarray:
    """Limit a stem's peaks, fade its end out and set its root mean square."""
    wave = wave / np.sqrt(np.mean(wave**2))
    wave = crest * np.tanh(wave / crest)
    fade = round(_FADE * SONG_RATE)
    wave[-fade:] *= np.cos(np.linspace(0.0, np.pi / 2, fade))[:, None] ** 2
    return wave / np.sqrt(np.mean(wave**2)) * 10.0 ** (level_db / 20.0)


def _normalise(wave: np.ndarray) -> np.ndarray:
    """Root mean square 1 over the parts that sound, so that rests do not make an instrument louder."""
    blocks = wave[: len(wave) // 4410 * 4410].reshape(-1, 4410 * wave.shape[1])
    power = np.mean(blocks**2, axis=1)
    sounding = power > 1e-3 * power.max()
    return wave / np.sqrt(power[sounding].mean())


def _bass_channel(wave: np.ndarray) -> np.ndarray:
    """Both channels alike, without rumble, and dark, as records have it."""
    mono = _filter(wave.mean(axis=1, keepdims=True), 38.0, "highpass")
    return (_filter(mono, 200.0, "lowpass") + 0.12 * mono).repeat(2, axis=1)


def _amplifier(wave: np.ndarray, drive: float, stem: str) -> np.ndarray:
    """A tube-like stage, slightly asymmetric, and a loudspeaker that ends near 5 kHz."""
    pushed = np.tanh(drive * wave + 0.15) - np.tanh(0.15)
    if stem == "bass":
        return 0.8 * wave + 0.35 * _filter(pushed, 1500.0, "lowpass")
    return _filter(_filter(pushed, 4800.0, "lowpass"), 85.0, "highpass")


def _filter(wave: np.ndarray, cutoff_hz: float, kind: str) -> np.ndarray:
    return sosfilt(butter(2, cutoff_hz, kind, fs=SONG_RATE, output="sos"), wave, axis=0)


def _pan(wave: np.ndarray, pan: float) -> np.ndarray:
    """Constant-power balance; -1 is left, 1 is right."""
    angle = (pan + 1.0) * np.pi / 4.0
    return wave * (np.sqrt(2.0) * np.array([np.cos(angle), np.sin(angle)]))


def _room(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Impulse response `(sample, 2)` of unit energy: decaying noise, duller than the direct sound."""
    time = np.arange(round(seconds * SONG_RATE)) / SONG_RATE
    noise = rng.standard_normal((len(time), 2)) * np.exp(-6.9 * time / seconds)[:, None]
    noise[: round(0.008 * SONG_RATE)] = 0.0
    noise = _filter(_filter(noise, 5000.0, "lowpass"), 200.0, "highpass")
    return noise / np.sqrt((noise**2).sum(axis=0))
