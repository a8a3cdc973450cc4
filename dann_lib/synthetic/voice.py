"""Singing by formant synthesis: a glottal source with a gliding pitch, through the vowels' resonances.

The source-filter model of G. Fant, *Acoustic Theory of Speech Production* (1960): the vocal folds give
pulses of air (here A. E. Rosenberg's pulse, 1971), the vocal tract is a cascade of resonances (formants),
the lips radiate the derivative. The tract changes 172 times a second, in the short-time spectrum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, rfft
from scipy.ndimage import gaussian_filter1d

from dann_lib.report import SONG_RATE
from dann_lib.synthetic.score import Song, SungNote, Voice

FORMANTS = {
    "a": (700.0, 1220.0, 2600.0), "e": (500.0, 1800.0, 2500.0), "i": (310.0, 2200.0, 2950.0),
    "o": (480.0, 880.0, 2550.0), "u": (330.0, 830.0, 2300.0),
}
"""Hz, of an adult man, after G. E. Peterson and H. L. Barney (1952)."""

_UPPER_FORMANTS = (3400.0, 4200.0, 5300.0, 6400.0, 7500.0, 8600.0, 9700.0, 10800.0)
"""Hz; vowels leave these where they are. The first two lie close, which gives trained voices their ring."""

_LOWER_BANDWIDTHS = (80.0, 95.0, 130.0)
_UPPER_BANDWIDTHS = (200.0, 260.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0)
_NASALS = ("m", "n", "l")
_NOISES = {"s": (6500.0, 1800.0, 0.10), "t": (3800.0, 1600.0, 0.025), "k": (1900.0, 700.0, 0.025),
           "h": (1500.0, 1500.0, 0.08)}
"""Centre (Hz), width (Hz) and duration (s) of the consonants' noise."""

_BRIGHTNESS_DB = 4.0
"""Per octave above 500 Hz: a microphone close to the mouth, set by the long-term spectrum of records."""

_HOP = 256
_WINDOW = 1024
_N_FFT = 2048
_CONTROL_RATE = SONG_RATE / _HOP


class _Gesture(NamedTuple):
    """What a singer's muscles do, at `_CONTROL_RATE`: all arrays `(frame,)`, `formants` `(frame, 3)`."""

    pitch: np.ndarray
    level: np.ndarray
    air: np.ndarray
    formants: np.ndarray
    noise_level: np.ndarray
    noise_centre: np.ndarray
    noise_width: np.ndarray


def sing_melody(song: Song, notes: tuple[SungNote, ...], rng: np.random.Generator) -> np.ndarray:
    """Synthesize the sung line of a song, or a part of it, dry.

    Args:
        song: gives the voice, the tempo and the length.
        notes: what to sing.
        rng: for jitter, noise and vibrato.

    Returns:
        `(sample,)` float32 at 44.1 kHz, peak 1, `round(song.seconds * 44100)` samples; silence if there
        is nothing to sing.
    """
    n_samples = round(song.seconds * SONG_RATE)
    if not notes:
        return np.zeros(n_samples, np.float32)
    # Only the stretch that is sung is computed, with the breath before it and the end's decay.
    first = max(0, int((song.to_seconds(notes[0].start) - 0.5) * _CONTROL_RATE))
    stop = min(n_samples, int((song.to_seconds(notes[-1].start + notes[-1].beats) + 0.4) * SONG_RATE))
    gesture = _Gesture(*(curve[first:] for curve in _gesture(song, notes, n_samples // _HOP + 2, rng)))
    n_sung = stop - first * _HOP
    voiced = _glottal_source(gesture, song.voice, n_sung, rng)
    air = rng.standard_normal(n_sung, dtype=np.float32)
    sung = _vocal_tract(voiced, air, gesture, song.voice)
    if song.voice.roughness > 0.3:
        sung = np.tanh(2.5 * sung / np.abs(sung).max())
    whole = np.zeros(n_samples, np.float32)
    whole[first * _HOP : stop] = sung / np.abs(sung).max()
    return whole


def _pitch_curve(song: Song, notes: tuple[SungNote, ...], n_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Pitch `(frame,)` in MIDI numbers with glides, scoops, vibrato and jitter.

    Vibrato sets in 0.25 s after the start of a long note and grows for 0.3 s.
    """
    time = np.arange(n_frames) / _CONTROL_RATE
    pitch = np.full(n_frames, float(notes[0].pitch))
    vibrato = np.zeros(n_frames)
    end = -1.0
    for note in notes:
        start = song.to_seconds(note.start)
        pitch[time >= start] = note.pitch
        if start - end > 0.1:
            # A phrase begins a little below its first note.
            pitch[(time >= start - 0.1) & (time < start + 0.03)] = note.pitch - 1.0
        end = song.to_seconds(note.start + note.beats)
        onset = np.clip((time - start - 0.25) / 0.3, 0.0, 1.0) * ((time >= start) & (time < end))
        vibrato = np.maximum(vibrato, onset)
    rate = song.voice.vibrato_hz * (1.0 + 0.04 * gaussian_filter1d(rng.standard_normal(n_frames), 30) * 8)
    phase = 2 * np.pi * (np.cumsum(rate) / _CONTROL_RATE + rng.random())
    depth = gaussian_filter1d(vibrato, 4) * song.voice.vibrato_cents / 100.0
    jitter = gaussian_filter1d(rng.standard_normal(n_frames), 3.0) * (0.12 + 0.35 * song.voice.roughness)
    # A glide of about 60 ms from note to note.
    return gaussian_filter1d(pitch, 0.022 * _CONTROL_RATE, mode="nearest") + depth * np.sin(phase) + jitter


def _gesture(song: Song, notes: tuple[SungNote, ...], n_frames: int, rng: np.random.Generator) -> _Gesture:
    """Translate syllables into pitch, level, breath, formants and consonants over time."""
    time = np.arange(n_frames) / _CONTROL_RATE
    level, air, nasal = np.zeros(n_frames), np.zeros(n_frames), np.zeros(n_frames)
    noise_level, centre, width = np.zeros(n_frames), np.full(n_frames, 3000.0), np.full(n_frames, 1000.0)
    formants = np.empty((n_frames, 3))
    formants[:] = FORMANTS[notes[0].vowel]
    previous_end = -1.0
    for note in notes:
        start, end = song.to_seconds(note.start), song.to_seconds(note.start + note.beats)
        formants[time >= start - 0.04] = FORMANTS[note.vowel]
        swell = 1.0 + 0.12 * np.sin(np.pi * np.clip((time - start) / max(end - start, 0.1), 0.0, 1.0))
        during = (time >= start) & (time < end - 0.015)
        level[during] = (note.loudness * swell)[during]
        if note.consonant in _NASALS:
            hum = (time >= start - 0.02) & (time < start + 0.055)
            nasal[hum] = 1.0
            level[hum] = 0.45 * note.loudness
        elif note.consonant in _NOISES:
            frequency, breadth, duration = _NOISES[note.consonant]
            burst = (time >= start - duration) & (time < start + 0.012)
            noise_level[burst], centre[burst], width[burst] = note.loudness, frequency, breadth
            level[(time >= start - duration - 0.03) & (time < start)] = 0.0
        if start - previous_end > 0.35:
            breath = (time >= start - 0.32) & (time < start - 0.10)
            air[breath] = 0.25
        previous_end = end
    formants[nasal > 0] = (260.0, 1100.0, 2300.0)
    return _Gesture(
        pitch=_pitch_curve(song, notes, n_frames, rng),
        level=gaussian_filter1d(level, 2.2), air=gaussian_filter1d(air, 6.0),
        formants=gaussian_filter1d(formants, 4.5, axis=0, mode="nearest") * song.voice.formant_scale,
        noise_level=gaussian_filter1d(noise_level, 1.2), noise_centre=centre, noise_width=width,
    )


def _glottal_source(gesture: _Gesture, voice: Voice, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Air flow through the vocal folds `(sample,)`: Rosenberg's pulse, with shimmer and subharmonics."""
    frame_time, sample_time = np.arange(len(gesture.pitch)) * _HOP, np.arange(n_samples)
    frequency = 440.0 * 2.0 ** ((np.interp(sample_time, frame_time, gesture.pitch) - 69.0) / 12.0)
    phase = np.cumsum(frequency) / SONG_RATE
    position = phase % 1.0
    opening, closing = 0.42, 0.18
    rising = 0.5 * (1.0 - np.cos(np.pi * position / opening))
    falling = np.cos(0.5 * np.pi * (position - opening) / closing)
    flow = np.where(position < opening, rising, np.where(position < opening + closing, falling, 0.0))
    shimmer = np.interp(sample_time, frame_time, gaussian_filter1d(rng.standard_normal(len(frame_time)), 2.0))
    growl = 1.0 + 0.3 * voice.roughness * np.cos(np.pi * phase)
    level = np.interp(sample_time, frame_time, gesture.level)
    return (flow - 0.3) * level * growl * (1.0 + 0.06 * shimmer)


def _vocal_tract(voiced: np.ndarray, air: np.ndarray, gesture: _Gesture, voice: Voice) -> np.ndarray:
    """Filter source and noise frame by frame, `(sample,)` in and out."""
    frequencies = np.fft.rfftfreq(_N_FFT, 1.0 / SONG_RATE)
    n_frames = len(voiced) // _HOP + 1
    pitch_hz = 440.0 * 2.0 ** ((gesture.pitch[:n_frames] - 69.0) / 12.0)
    response = _formant_response(gesture.formants[:n_frames], pitch_hz, voice, frequencies)
    octaves = np.log2(np.maximum(frequencies, 500.0) / 500.0)
    radiation = (frequencies / 500.0) * 10.0 ** ((_BRIGHTNESS_DB + voice.tilt_db) * octaves / 20.0)
    # Equal effort should give vowels of similar loudness: even out most of the resonances' own gain.
    strength = np.sqrt(np.mean(np.abs(response[:, 5:230] / _octave_slope(frequencies[5:230])) ** 2, axis=1))
    response /= strength[:, None] ** 0.8
    breath = 0.15 * voice.breathiness * gesture.level + 0.012 * gesture.air
    away = (frequencies[None] - gesture.noise_centre[:n_frames, None]) / gesture.noise_width[:n_frames, None]
    hiss = 0.35 * gesture.noise_level[:n_frames, None] * np.exp(-0.5 * away**2)
    spectrum = _spectra(voiced, n_frames) * response * radiation
    spectrum += _spectra(air, n_frames) * (response * breath[:n_frames, None] * radiation / _octave_slope(frequencies)
                                           + hiss)
    return _overlap_add(irfft(spectrum, _N_FFT), len(voiced))


def _octave_slope(frequencies: np.ndarray) -> np.ndarray:
    """The source's spectrum after radiation: amplitude falls with the frequency, 6 dB per octave."""
    return np.maximum(frequencies, 50.0) / 500.0


def _formant_response(
    formants: np.ndarray, pitch_hz: np.ndarray, voice: Voice, frequencies: np.ndarray
) -> np.ndarray:
    """Complex gain `(frame, freq)` of the cascade of resonances, 1 at 0 Hz."""
    formants = formants.copy()
    # Singers raise the first formant to the pitch, or high notes would lose their fundamental.
    formants[:, 0] = np.maximum(formants[:, 0], 1.02 * pitch_hz)
    formants[:, 1] = np.maximum(formants[:, 1], 1.15 * formants[:, 0])
    denominator = np.ones((1, len(frequencies)), np.complex64)
    for centre, bandwidth in zip(_UPPER_FORMANTS, _UPPER_BANDWIDTHS, strict=True):
        denominator = denominator * _resonance(np.array([centre * voice.formant_scale]), bandwidth, frequencies)
    for centre, bandwidth in zip(formants.T, _LOWER_BANDWIDTHS, strict=True):
        denominator = denominator * _resonance(centre, bandwidth, frequencies)
    return 1.0 / denominator


def _resonance(centre: np.ndarray, bandwidth: float, frequencies: np.ndarray) -> np.ndarray:
    """Inverse of a resonance's gain `(frame, freq)`, 1 at 0 Hz."""
    relative = (frequencies / centre[:, None]).astype(np.float32)
    inverse = np.empty(relative.shape, np.complex64)
    inverse.real = 1.0 - relative**2
    inverse.imag = relative * (bandwidth / centre[:, None]).astype(np.float32)
    return inverse


def _spectra(signal: np.ndarray, n_frames: int) -> np.ndarray:
    """Short-time spectra `(frame, freq)` with a Hann window, frame `i` centred at sample `i * _HOP`."""
    padded = np.zeros((n_frames - 1) * _HOP + _WINDOW + _HOP, np.float32)
    padded[_WINDOW // 2 : _WINDOW // 2 + len(signal)] = signal[: len(padded) - _WINDOW // 2]
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[:: _HOP][:n_frames]
    return rfft(frames * np.hanning(_WINDOW + 1)[:-1].astype(np.float32), _N_FFT).astype(np.complex64)


def _overlap_add(frames: np.ndarray, n_samples: int) -> np.ndarray:
    """Sum the filtered frames in their places, `(sample,)`."""
    per_frame = _N_FFT // _HOP
    blocks = np.zeros((len(frames) + per_frame, _HOP), np.float32)
    for shift in range(per_frame):
        blocks[shift : shift + len(frames)] += frames[:, shift * _HOP : (shift + 1) * _HOP]
    total = blocks.ravel()[_WINDOW // 2 :] * (2.0 * _HOP / _WINDOW)
    return total[:n_samples]
