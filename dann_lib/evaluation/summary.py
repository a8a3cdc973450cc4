"""Medians over songs with bootstrap intervals, and the share of the possible that a network reaches.

The order of averaging matters as much as the network: the median of medians and the mean of means of one
published system differ by 5 dB. Here a score in a table is one number per song (for BSS Eval v4 the median
over its windows, as in the field), and a summary is the median over songs, with the mean beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from dann_lib.evaluation.scores import EXCLUDED, WINDOWS

if TYPE_CHECKING:
    import pandas as pd

N_RESAMPLES = 10_000
CONFIDENCE = 0.95

STATISTICS = ("median", "low", "high", "mean", "n_songs", "n_excluded", "n_windows", "n_windows_excluded")
"""Columns of `summarise` beside those that name a score."""

ENDLESS = 1e3
"""dB; stands for infinity in the bootstrap, since percentiles between infinities are undefined."""


def summarise(scores: pd.DataFrame, *, seed: int = 0, n_resamples: int = N_RESAMPLES) -> pd.DataFrame:
    """Median over songs of every score, with its interval.

    The interval is the percentile bootstrap over songs (Efron and Tibshirani, 1993, chapter 13): songs are
    drawn with replacement, as many as there are, and the median is taken; 95 % of the medians lie within.
    It says how far the figure would move with other songs of the same kind, not with another seed of the
    training.

    Args:
        scores: of `evaluate` or `read_scores`.
        seed: of the resampling; every row draws the same songs.
        n_resamples: times that songs are drawn.

    Returns:
        One row per `run, source, rate_hz, metric`, in the order of the table: `median, low, high, mean` in
        dB; `n_songs` that count; `n_excluded` songs that do not, for a silent source; `n_windows` of BSS
        Eval v4, and `n_windows_excluded` among them (0 for the other scores). `low` and `high` are NaN with
        fewer than two songs.
    """
    import pandas as pd

    keys = ["run", "source", "rate_hz"]
    counting = scores["metric"].isin([WINDOWS, EXCLUDED])
    counts = scores[counting].groupby([*keys, "metric"], sort=False)["value"].sum().to_dict()
    rows = []
    for (*group, metric), values in scores[~counting].groupby([*keys, "metric"], sort=False)["value"]:
        counted = values.dropna().to_numpy(dtype=np.float64)
        windowed = metric.endswith("_v4")
        windows = [int(counts.get((*group, name), 0)) if windowed else 0 for name in (WINDOWS, EXCLUDED)]
        n_songs = (len(counted), len(values) - len(counted))
        rows.append((*group, metric, *_centre(counted, seed, n_resamples), *n_songs, *windows))
    return pd.DataFrame(rows, columns=[*keys, "metric", *STATISTICS])


def as_text(summary: pd.DataFrame) -> str:
    """A table of `summarise` to be read: a row for each run and source, medians with their intervals."""
    text = [f"{row.median:.1f}" + ("" if np.isnan(row.low) else f" [{row.low:.1f}, {row.high:.1f}]")
            for row in summary.itertuples()]
    table = summary.assign(text=text).pivot(index=["run", "source"], columns="metric", values="text")
    rows = list(summary[["run", "source"]].drop_duplicates().itertuples(index=False, name=None))
    return table.reindex(index=rows, columns=summary["metric"].unique()).to_string()


def gap_closed(
    scores: pd.DataFrame, run: str, *, metric: str = "sdr",
    floor: str = "mixture", ceiling: str = "ideal_ratio_mask",
    seed: int = 0, n_resamples: int = N_RESAMPLES,
) -> pd.DataFrame:
    """Share of the gap between mixture and ideal ratio mask that a separator closes.

    `(median(run) - median(floor)) / (median(ceiling) - median(floor))`, of the songs that all three have a
    score for; 0 is no better than the mixture, 1 as good as the oracle. In the interval, songs are drawn
    for all three at once, as they are scored on the same ones.

    `metric` is one of `scores.METRICS`, `seed` that of the resampling; songs are drawn `n_resamples` times.

    Returns:
        One row per `source` and `rate_hz`: `gap_closed, low, high` (shares, not per cent), `n_songs`.

    Raises:
        ValueError: if a run or the metric is not in the table.
    """
    import pandas as pd

    runs = [run, floor, ceiling]
    wanted = scores[(scores["metric"] == metric) & scores["run"].isin(runs)]
    missing = sorted(set(runs) - set(wanted["run"]))
    if missing:
        known = ", ".join(scores["run"].unique())
        raise ValueError(f"the table has no {metric} of {', '.join(missing)}; its runs are {known}")
    rows = []
    for (source, rate_hz), group in wanted.groupby(["source", "rate_hz"], sort=False):
        by_song = group.pivot(index="song", columns="run", values="value")[list(dict.fromkeys(runs))].dropna()
        columns = tuple(_finite(by_song[name].to_numpy()) for name in runs)
        share = float(_share(*columns)) if len(by_song) else np.nan
        rows.append((source, rate_hz, share, *interval(columns, _share, seed, n_resamples), len(by_song)))
    return pd.DataFrame(rows, columns=["source", "rate_hz", "gap_closed", "low", "high", "n_songs"])


def shares(closed: pd.DataFrame) -> str:
    """What `gap_closed` gave, in words: each source with its share in %."""
    return ", ".join(f"{row.source} {100 * row.gap_closed:.0f} %" for row in closed.itertuples())


def _centre(values: np.ndarray, seed: int, n_resamples: int) -> tuple[float, float, float, float]:
    """Median, interval and mean; NaN where there are too few songs."""
    if not len(values):
        return np.nan, np.nan, np.nan, np.nan
    low, high = interval((_finite(values),), np.median, seed, n_resamples)
    with np.errstate(invalid="ignore"):
        return _endless(np.median(_finite(values))), _endless(low), _endless(high), float(np.mean(values))


def interval(
    columns: tuple[np.ndarray, ...], statistic: Callable[..., np.ndarray], seed: int = 0,
    n_resamples: int = N_RESAMPLES, paired: bool = True,
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a statistic over songs.

    Args:
        columns: one value per song in each.
        statistic: of the columns, along `axis`.
        seed: of the resampling.
        n_resamples: times that songs are drawn.
        paired: draw the same songs from all columns.

    Returns:
        Both ends; NaN with fewer than two songs.
    """
    from scipy.stats import bootstrap

    if min(map(len, columns)) < 2:
        return np.nan, np.nan
    result = bootstrap(
        columns, statistic, n_resamples=n_resamples, confidence_level=CONFIDENCE, method="percentile",
        paired=paired, vectorized=True, rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _share(run: np.ndarray, floor: np.ndarray, ceiling: np.ndarray, axis: int = -1) -> np.ndarray:
    low = np.median(floor, axis=axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (np.median(run, axis=axis) - low) / (np.median(ceiling, axis=axis) - low)


def _finite(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -ENDLESS, ENDLESS)


def _endless(value: float) -> float:
    """Back from `ENDLESS`: half of it can only be the middle between a score and infinity."""
    return float(np.sign(value) * np.inf if abs(value) >= ENDLESS / 3 else value)
