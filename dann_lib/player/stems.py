"""The stem player: mixture, sources and estimates on one clock, with an A/B switch between variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import ArrayLike

from dann_lib import report
from dann_lib.errors import AudioError
from dann_lib.player.clips import audio, mp3_rate
from dann_lib.player.frame import Frame

MIXTURE = "mixture"


def stems(
    variants: Mapping[str, Mapping[str, ArrayLike]],
    mixture: ArrayLike | None = None,
    rate_hz: int = report.SAMPLE_RATE,
    title: str = "Stems",
    description: str = "",
    solo: str | None = None,
) -> Frame:
    """A player of stems: solo, mute and volume of each, and a switch between variants at the same place.

    All sounds are started together and only their gains change, so a switch is exact to the sample. No level is
    changed; samples beyond full scale are clipped and counted.

    Args:
        variants: name, such as "true" or "your run" → source → `(sample,)` or `(sample, channel)`.
        mixture: the mixture, which becomes the first variant.
        rate_hz: sample rate of all; 8.82 kHz is resampled, since MP3 does not know it.
        title: heading of the player.
        description: what to listen for, shown below.
        solo: the source that is to be heard alone at first.

    Raises:
        AudioError: as `audio`, or if there are no sounds, lengths differ, or variants have different sources.
        ValueError: if `solo` is no source.
    """
    sounds = _sounds(variants, mixture)
    names = list(dict.fromkeys(name for _, name in sounds))
    if solo is not None and solo not in names:
        raise ValueError(f"there is no source {solo!r} to be heard alone; choose among {', '.join(names)}")
    clips = {key: audio(waveform, rate_hz, f"{key[1]}, {key[0]}") for key, waveform in sounds.items()}
    clipped = sum(clip.n_clipped for clip in clips.values())
    words = [description or f"{title}: {', '.join(names)}."]
    words += [f"{clipped} samples beyond full scale were clipped."] if clipped else []
    return Frame("stems.js", {
        "tracks": [_track(variant, name, clip) for (variant, name), clip in clips.items()],
        "names": names, "variants": list(dict.fromkeys(variant for variant, _ in sounds)),
        "variant": next(iter(variants), MIXTURE) if solo else next(iter(sounds))[0],
        "solo": [solo] if solo else [], "position": 0.0, "rate": mp3_rate(rate_hz),
        "scale": [to_hex(mpl.colormaps["magma"](share)) for share in np.linspace(0, 1, 9)],
    }, title, " ".join(words), height_px=170 + 52 * len(names))


def _sounds(
    variants: Mapping[str, Mapping[str, ArrayLike]], mixture: ArrayLike | None
) -> dict[tuple[str, str], ArrayLike]:
    """Variant and source → waveform.

    Raises:
        AudioError: see `stems`.
    """
    sounds = {(MIXTURE, MIXTURE): mixture} if mixture is not None else {}
    sounds |= {(variant, name): waveform for variant, group in variants.items() for name, waveform in group.items()}
    if not sounds:
        raise AudioError("there are no sounds to play; give a mixture or a variant")
    lengths = {key: len(np.asarray(waveform)) for key, waveform in sounds.items()}
    if len(set(lengths.values())) > 1:
        found = "; ".join(f"{name} of {variant} {length}" for (variant, name), length in lengths.items())
        raise AudioError(f"the sounds differ in length (samples): {found}; cut them alike")
    groups = {variant: list(group) for variant, group in variants.items()}
    if any(set(group) != set(next(iter(groups.values()))) for group in groups.values()):
        raise AudioError(f"the variants have different sources: {groups}; give each the same")
    return sounds


def _track(variant: str, name: str, clip: Any) -> dict[str, Any]:
    level = None if clip.level_db <= -120 else round(clip.level_db, 1)
    return {"variant": variant, "name": name, "sound": clip.mp3, "level": level}
