"""A blind listening test: A/B/X, and ratings as in MUSHRA, of separations of one's own.

All versions are at 8.82 kHz, so all end at 4.41 kHz alike, and all have the level of the reference: what is
left to hear is the separation. The order is drawn at random in the browser; nothing tells which is which until
the end. Results are saved to a file of the listener's, which `read_ratings` reads.

References: ITU-R BS.1534-3 (MUSHRA) for hidden reference, anchors and the scale from 0 to 100; ITU-R BS.1116-3
for the comparison with a hidden reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.signal import firwin, oaconvolve

from dann_lib import player, report
from dann_lib.errors import AudioError, DannError
from dann_lib.evaluation import sdr_sir_sar
from dann_lib.player.clips import encode as encode_mp3

if TYPE_CHECKING:
    import pandas as pd

    from dann_lib.figures import Drawing

REFERENCE, ANCHOR, MIXTURE = "hidden reference", "anchor: below 1 kHz", "anchor: mixture"
"""Names of what a test adds to the estimates: the truth, and two versions that have to be worse."""

ANCHOR_HZ = 1000.0
"""Where the low-pass anchor ends: MUSHRA's 3.5 kHz would hardly be heard below 4.41 kHz."""


@dataclass(frozen=True)
class Item:
    """One excerpt to rate.

    Attributes:
        name: such as "drums of a song".
        reference: the true source, `(sample,)` at 8.82 kHz.
        versions: name → `(sample,)`; hidden reference and anchors among them, all at the reference's level.
        ratios: name → SDR, SIR and SAR of (5)–(7) in dB, which do not depend on the level; `None` for none.
    """

    name: str
    reference: np.ndarray
    versions: dict[str, np.ndarray]
    ratios: dict[str, tuple[float | None, ...]]


def item(name: str, mixture: ArrayLike, sources: ArrayLike, which: int, estimates: Mapping[str, ArrayLike]) -> Item:
    """Prepare an excerpt: add hidden reference and anchors, match the levels, score.

    Args:
        name: such as "drums of a song".
        mixture: `(sample,)` at 8.82 kHz.
        sources: the true sources `(source, sample)`, other among them.
        which: index of the source that is to be rated.
        estimates: name → estimate of that source, `(sample,)`.

    Raises:
        AudioError: if lengths differ, or the source is silent in this excerpt.
    """
    mixture, sources = np.asarray(mixture, np.float32), np.asarray(sources, np.float32)
    reference, low_pass = sources[which], firwin(255, ANCHOR_HZ, fs=report.SAMPLE_RATE)
    versions = {REFERENCE: reference, **{key: np.asarray(value, np.float32) for key, value in estimates.items()},
                MIXTURE: mixture, ANCHOR: oaconvolve(reference, low_pass, mode="same").astype(np.float32)}
    wrong = {key: value.shape for key, value in versions.items() if value.shape != mixture.shape}
    if wrong or sources.shape[1:] != mixture.shape:
        raise AudioError(f"{wrong or sources.shape} beside a mixture of {mixture.shape}; all have to be as long")
    if _rms(reference) < 1e-4:
        raise AudioError(f"{name} is silent in this excerpt; choose another place, there is nothing to rate")
    ratios = {key: _ratios(value, sources, which) for key, value in versions.items()}
    levels = {key: max(_rms(value), 1e-9) for key, value in versions.items()}
    loudest = max(np.abs(value).max() * _rms(reference) / levels[key] for key, value in versions.items())
    matched = {key: min(1.0, 1 / loudest) * value * _rms(reference) / levels[key] for key, value in versions.items()}
    return Item(name, matched[REFERENCE], matched, ratios)


def listening_test(items: Sequence[Item], pair: tuple[str, str] | None = None, n_trials: int = 8) -> player.Frame:
    """The test, to be taken in the browser; it needs no kernel.

    Args:
        items: what `item` has prepared.
        pair: names of the two versions of the A/B/X test; the first estimate and the hidden reference if `None`.
        n_trials: comparisons of the A/B/X test.

    Raises:
        ValueError: if there are no items, or they have different versions.
    """
    names = [list(each.versions) for each in items]
    if not items or any(each != names[0] for each in names):
        raise ValueError(f"the items have the versions {names}; give at least one item, and all the same versions")
    chosen = pair or (next(name for name in names[0] if name not in (REFERENCE, ANCHOR, MIXTURE)), REFERENCE)
    data = {
        "items": [{"name": each.name, "versions": [
            {"name": name, "sound": encode_mp3(sound, report.SAMPLE_RATE), "ratios": each.ratios[name]}
            for name, sound in each.versions.items()]} for each in items],
        "reference": REFERENCE, "pair": list(chosen), "n_trials": n_trials,
    }
    words = (f"A blind test of {len(items)} excerpt{'s' * (len(items) > 1)}: tell two versions apart, then rate "
             f"{len(names[0])} of them without knowing which is which. All end at 4.41 kHz and have the same level.")
    return player.Frame("listening_test.js", data, "Listening test", words)


def read_ratings(path: Path) -> pd.DataFrame:
    """A file that the test has saved: `item, version, rating, sdr, sir, sar`.

    Raises:
        DannError: if it is no such file.
    """
    import pandas as pd

    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        return pd.DataFrame(content["ratings"])[["item", "version", "rating", "sdr", "sir", "sar"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DannError(f"{path} is no file of the listening test ({error}); save one with its button") from error


def ratings_figure(ratings: pd.DataFrame) -> Drawing:
    """Ratings, as `read_ratings` gives them, against SDR, SIR and SAR, with the rank correlation of each."""
    from scipy.stats import spearmanr

    from dann_lib import figures

    figure, axes = figures.canvas(1, 3, height_in=2.8, sharey=True)
    found = []
    for axis, metric in zip(axes, ("sdr", "sir", "sar"), strict=True):
        rated = ratings[np.isfinite(ratings[metric])]
        for (version, group), marker in zip(rated.groupby("version", sort=False), "os^Dv*Ph", strict=False):
            axis.plot(group[metric], group["rating"], marker, alpha=0.8, label=version)
        rank = spearmanr(rated[metric], rated["rating"]).statistic if len(rated) > 2 else float("nan")
        found.append(f"{metric.upper()} {rank:.2f}")
        axis.set(xlabel=f"{metric.upper()} (dB)", ylim=(-3, 103))
    axes[0].set_ylabel("rating")
    axes[-1].legend(fontsize=7)
    return figures.show(figure, f"Ratings of {len(ratings)} versions against their ratios; the hidden reference has no "
                                f"finite ratio and is left out. Rank correlation: {', '.join(found)}.")


def _ratios(estimate: np.ndarray, sources: np.ndarray, which: int) -> tuple[float | None, ...]:
    """SDR, SIR, SAR in dB; `None` for what is not finite, as of the reference itself."""
    values = (float(ratio[0]) for ratio in sdr_sir_sar(estimate[None], sources, targets=[which]))
    return tuple(value if np.isfinite(value) and value < 100 else None for value in values)


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


