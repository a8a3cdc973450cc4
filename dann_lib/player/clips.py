"""Plain sounds in a notebook; samples beyond full scale are clipped, and the caption counts them."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import ArrayLike

from dann_lib import report
from dann_lib.errors import AudioError

MP3_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Sample rates in Hz that MP3 knows and every browser plays."""

_LEVEL_FLOOR_DB = -120.0


@dataclass(frozen=True)
class Clip:
    """A sound as an HTML audio element; the last line of a cell shows it.

    Attributes:
        title: its name.
        description: what is to be heard, with the level and anything that had to be cut.
        mp3: the encoded sound.
        seconds: its length.
        level_db: root mean square in dB below full scale; -120 for silence.
        n_clipped: samples beyond full scale that were cut off.
    """

    title: str
    description: str
    mp3: bytes
    seconds: float
    level_db: float
    n_clipped: int

    @property
    def caption(self) -> str:
        """Title, description, length, level and warnings, as shown below the controls."""
        level = "silence" if self.level_db <= _LEVEL_FLOOR_DB else f"{self.level_db:.0f} dB"
        facts = [f"{self.seconds:.1f} s", level]
        if self.n_clipped:
            facts.append(f"{self.n_clipped} samples beyond full scale were clipped")
        words = " — ".join(filter(None, (self.title, self.description)))
        return f"{words} ({', '.join(facts)})".strip()

    def element(self) -> tuple[str, str]:
        """The audio element alone, and the caption as HTML."""
        label, source = html.escape(self.caption), base64.b64encode(self.mp3).decode()
        return (f'<audio controls preload="metadata" aria-label="{label}" style="width:100%;max-width:28em" '
                f'src="data:audio/mpeg;base64,{source}"></audio>'), label

    def _repr_html_(self) -> str:
        element, label = self.element()
        return (f'<figure style="margin:0.4em 0">{element}'
                f'<figcaption style="max-width:44em">{label}</figcaption></figure>')

    def __repr__(self) -> str:
        return f"Sound: {self.caption}"


@dataclass(frozen=True)
class Clips:
    """Several sounds in a list, at the levels that they have beside each other, and what is to be heard."""

    clips: tuple[Clip, ...]
    description: str = ""

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<div style="display:flex;flex-wrap:wrap;align-items:center;gap:0.2em 1em">'
            f'<span style="flex:0 0 20em;max-width:100%">{label}</span>'
            f'<span style="flex:1 1 16em">{element}</span></div>'
            for element, label in map(Clip.element, self.clips)
        )
        caption = f"<figcaption>{html.escape(self.description)}</figcaption>" if self.description else ""
        return f'<figure style="margin:0.4em 0">{rows}{caption}</figure>'

    def __repr__(self) -> str:
        return "Sounds: " + "; ".join(clip.caption for clip in self.clips)


def audio(waveform: ArrayLike, rate_hz: int = report.SAMPLE_RATE, title: str = "", description: str = "") -> Clip:
    """A sound to play in a notebook, at its own level.

    Args:
        waveform: `(sample,)`, or `(sample, channel)` as `Track.read` gives it, which is averaged; 1 is full scale.
        rate_hz: its sample rate; 8.82 kHz is resampled to 22.05 kHz, since MP3 does not know it.
        title: its name.
        description: what to listen for.

    Raises:
        AudioError: if there are no samples, or some are not finite, or it is no waveform.
    """
    samples = check_waveform(waveform, title)
    power = float(np.mean(np.square(np.clip(samples, -1.0, 1.0), dtype=np.float64)))
    level_db = 10 * np.log10(power) if power > 10 ** (_LEVEL_FLOOR_DB / 10) else _LEVEL_FLOOR_DB
    n_clipped = int(np.count_nonzero(np.abs(samples) > 1.0))
    return Clip(title, description, encode(samples, rate_hz), len(samples) / rate_hz, level_db, n_clipped)


def tracks(waveforms: Mapping[str, ArrayLike], rate_hz: int = report.SAMPLE_RATE, description: str = "") -> Clips:
    """Several sounds to compare, below each other: title → `(sample,)` or `(sample, channel)`, all at `rate_hz`.

    None is made louder or quieter; `description` says what to listen for.

    Raises:
        AudioError: as `audio`, or if there are none.
    """
    if not waveforms:
        raise AudioError("there are no sounds to play; give at least one")
    return Clips(tuple(audio(waveform, rate_hz, title) for title, waveform in waveforms.items()), description)


def mp3_rate(rate_hz: int) -> int:
    """The sample rate in Hz that a sound gets as MP3: its own, or the next known one from twice as high."""
    if rate_hz in MP3_RATES:
        return rate_hz
    return next((known for known in MP3_RATES if known >= 2 * rate_hz), MP3_RATES[-1])


def check_waveform(waveform: ArrayLike, title: str) -> np.ndarray:
    """The waveform as mono float32 `(sample,)`.

    Raises:
        AudioError: naming the sound and what is wrong.
    """
    name = f"the sound {title!r}" if title else "the sound"
    samples = np.asarray(waveform, dtype=np.float32)
    if samples.ndim == 2 and samples.shape[0] >= samples.shape[1]:
        samples = samples.mean(axis=1)
    if samples.ndim != 1:
        raise AudioError(f"{name} has shape {samples.shape}; expected (sample,) or (sample, channel)")
    if samples.size == 0:
        raise AudioError(f"{name} has no samples; at least one is needed")
    n_bad = int(np.count_nonzero(~np.isfinite(samples)))
    if n_bad:
        raise AudioError(f"{name} has {n_bad} samples that are NaN or infinite; find out where they come from")
    return samples


def encode(samples: np.ndarray, rate_hz: int) -> bytes:
    """Mono MP3 of `(sample,)`, limited to ±1, at `mp3_rate(rate_hz)`; all of one length are delayed alike."""
    rate, samples = mp3_rate(rate_hz), np.clip(samples, -1.0, 1.0)
    if rate != rate_hz:
        samples = soxr.resample(samples, rate_hz, rate)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE",
                    compression_level=0.1)
    return buffer.getvalue()
