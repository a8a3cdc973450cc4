"""The stem player: a mixture and its sources in several versions, synchronised to the sample."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dann_lib import report
from dann_lib.errors import AudioError
from dann_lib.figures.style import DB_LIMITS
from dann_lib.player.clips import check_waveform, encode, mp3_rate
from dann_lib.player.frame import Frame, colour_map

MIXTURE = "mixture"
"""Name of the row that is no source."""

_ROW_PX = 56


def stems(
    variants: Mapping[str, Mapping[str, ArrayLike]],
    mixture: ArrayLike | None = None,
    rate_hz: int = report.SAMPLE_RATE,
    title: str = "",
    description: str = "",
    solo: str | None = None,
) -> Frame:
    """A player of sources in several versions, switched at the same position without a gap or a click.

    Every track plays at its own level. With a mixture, that is what is heard first; else all sources together.

    Args:
        variants: name of the version, such as `true` or `your run` → source → `(sample,)` or `(sample, channel)`,
            which is averaged. A version may lack a source.
        mixture: what the sources were, or are to be, separated from.
        rate_hz: sample rate of all.
        title: name of the player.
        description: what to listen for.
        solo: the source that is heard alone at first.

    Raises:
        AudioError: if there are no sounds, their lengths differ, or one of them cannot be played.
        ValueError: if `solo` is none of them.
    """
    waveforms = _collect(variants, mixture)
    sources = list(dict.fromkeys(source for _, source in waveforms))
    if solo is not None and solo not in sources:
        raise ValueError(f"there is no {solo!r} to be heard alone; choose among {', '.join(sources)}")
    first = solo or (None if mixture is None else MIXTURE)
    n_clipped = sum(int(np.count_nonzero(np.abs(samples) > 1.0)) for samples in waveforms.values())
    words = [description or f"{title or 'The song'}: {', '.join(sources)}. Versions: {', '.join(variants)}."]
    if n_clipped:
        words.append(f"({n_clipped} samples beyond full scale were clipped.)")
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # minutes of a song take seconds
        sounds = list(pool.map(lambda samples: encode(samples, rate_hz), waveforms.values()))
    data: dict[str, Any] = {
        "tracks": [{"source": source, "version": version, "sound": sound}
                   for (version, source), sound in zip(waveforms, sounds, strict=True)],
        "sources": sources, "variants": list(variants), "mixture": None if mixture is None else MIXTURE,
        "rate": mp3_rate(rate_hz), "max_hz": rate_hz / 2, "floor_db": DB_LIMITS[0],
        "colours": colour_map("magma", 17),
        "solo": [first] if first else [],
    }
    return Frame("stems.js", data, title or "Stem player", " ".join(words), 190 + _ROW_PX * len(sources))


def _collect(
    variants: Mapping[str, Mapping[str, ArrayLike]], mixture: ArrayLike | None
) -> dict[tuple[str | None, str], np.ndarray]:
    """`(version, source)` → `(sample,)`, the mixture first, under no version; errors as in `stems`."""
    waveforms = {} if mixture is None else {(None, MIXTURE): check_waveform(mixture, MIXTURE)}
    for version, sources in variants.items():
        for source, waveform in sources.items():
            if source == MIXTURE:
                raise AudioError(f"{version!r} has a source named {MIXTURE!r}; give it as `mixture`")
            waveforms[version, source] = check_waveform(waveform, f"{source} ({version})")
    if not variants or any(not sources for sources in variants.values()):
        raise AudioError("there are no sources to play; give at least one for each version")
    if len({len(samples) for samples in waveforms.values()}) > 1:
        found = ", ".join(f"{source} ({version}): {len(samples)}" if version else f"{source}: {len(samples)}"
                          for (version, source), samples in waveforms.items())
        raise AudioError(f"the tracks differ in their number of samples ({found}); expected the same for all")
    return waveforms
