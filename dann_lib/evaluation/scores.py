"""The table of scores: every separator on every song, resumable per song, songs in parallel."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import torch
from tqdm.auto import tqdm

from dann_lib import report
from dann_lib.errors import DannError, OutputError
from dann_lib.evaluation import bss_eval, store
from dann_lib.evaluation.projection import sdr_sir_sar
from dann_lib.evaluation.store import COLUMNS
from dann_lib.evaluation.waveforms import Separator, Track, load_signals, resample

if TYPE_CHECKING:
    import pandas as pd

PROJECTION_METRICS = ("sdr", "sir", "sar")
"""Equations (5) to (7), in dB."""

METRICS = (*PROJECTION_METRICS, *bss_eval.METRICS)
"""Every score in dB."""

WINDOWS, EXCLUDED = "windows_v4", "excluded_v4"
"""Rows that count the windows of BSS Eval v4: all of them, and those without a score."""


def evaluate(
    tracks: Sequence[Track], separators: Mapping[str, Separator], *, out: Path | None = None,
    rate_hz: int = report.SAMPLE_RATE, v4: bool = True, sources: Sequence[str] = report.SOURCES,
    jobs: int | None = None, progress: bool = True,
) -> pd.DataFrame:
    """Score separators on songs, in mono.

    Every separator works at 8.82 kHz. At another `rate_hz` its estimates are resampled (report, II.b) and
    compared with the songs' own files, so that what the low rate costs is part of the score.

    The scores of BSS Eval v4 are medians over the windows of the song; the estimate of `other`, which
    `museval` needs, is the rest of the mixture. They take hundreds of times as long as (5) to (7): per separator
    about 1 s for an excerpt of 7 s and 10 s for a song of 4 minutes at 8.82 kHz, on one core.

    With `out`, each song and separator leaves a file, and what is there already is not computed again, unless
    the song or the separator (its `fingerprint`) has changed.

    Args:
        tracks: songs with their true sources.
        separators: name of the run → separator; see `oracles.oracles` and `separation.Separator`. They
            are pickled where several songs are scored at once.
        out: folder of the per-song files; nothing is stored if `None`.
        rate_hz: 8820 or the rate of the songs, 44 100.
        v4: also score with BSS Eval v4.
        sources: what is scored; a network that gives more is scored on these.
        jobs: songs at the same time, each on one thread; as many as there are processors if `None`, or one
            if a separator computes on an accelerator.
        progress: show a bar over the songs.

    Returns:
        One score per row: `run, song, source, rate_hz, metric, value`. `metric` is one of `METRICS`, in dB,
        or `windows_v4` or `excluded_v4`, counts. A value is NaN where a source is silent. Songs that failed
        are missing, named in a warning and in `attrs["failed"]`: song → reason.

    Raises:
        DannError: if all songs failed, or there are none.
        OutputError: if the files of `out` cannot be written.
        ValueError: if two songs have the same name, or `out` is given and a separator has no fingerprint.
    """
    _check(tracks, separators)
    named = "" if tuple(sources) == report.SOURCES else f" {', '.join(sources)}"
    fingerprints = {run: store.fingerprint(separators[run], run) + named if out else "" for run in separators}
    n_rows = len(sources) * (len(METRICS) + 2 if v4 else len(PROJECTION_METRICS))
    tables, failed, todo = [], {}, []
    for track in tracks:
        missing = {}
        for run in separators:
            path = store.score_file(out, run, track, rate_hz, fingerprints[run], v4) if out else None
            known = store.load(path, run, track.name, v4, n_rows) if path else None
            if known is None:
                missing[run] = separators[run], path
            else:
                tables.append(known)
        if missing:
            todo.append((track, missing))
    jobs = _n_jobs(jobs, len(todo), separators)
    with tqdm(total=len(tracks), initial=len(tracks) - len(todo), unit="song", desc="scoring",
              disable=not progress, leave=False) as bar, \
            joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        for name, made, reason in joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(
            joblib.delayed(_score_track)(track, missing, rate_hz, v4, sources, jobs > 1) for track, missing in todo
        ):
            tables += made
            if reason:
                failed[name] = reason
            bar.update()
    return _collect(tables, tracks, separators, failed)


def score_song(
    estimates: np.ndarray, signals: np.ndarray, rate_hz: int = report.SAMPLE_RATE, v4: bool = True,
    sources: Sequence[str] = report.SOURCES,
) -> list[tuple[str, str, float]]:
    """Score the estimates `(source, sample)` of one song: rows `(source, metric, value)`.

    The truth is `(signal, sample)`: mixture, these sources, and the other stems, at the same rate.

    Raises:
        ValueError: if shapes do not fit, or there are NaN or infinite samples.
    """
    ratios = sdr_sir_sar(estimates, signals[1:])
    columns = dict(zip(PROJECTION_METRICS, ratios, strict=True))
    if v4:
        truth, rest = np.split(signals[1:], [len(sources)])
        if len(rest):  # museval wants estimates of everything: the rest is one stem
            truth, estimates = np.stack((*truth, rest.sum(axis=0))), bss_eval.with_other(estimates, signals[0])
        windows = bss_eval.bss_eval_v4(estimates, truth, rate_hz)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no window may have a score
            columns |= {metric: np.nanmedian(values, axis=-1) for metric, values in windows.items()}
        excluded = np.isnan(windows["sdr_v4"])  # (stem, window)
        columns[WINDOWS] = np.full(len(excluded), excluded.shape[-1])
        columns[EXCLUDED] = np.sum(excluded, axis=-1)
    return [
        (source, metric, float(values[index]))
        for index, source in enumerate(sources) for metric, values in columns.items()
    ]


def _score_track(
    track: Track, missing: Mapping[str, tuple[Separator, Path | None]], rate_hz: int, v4: bool,
    sources: Sequence[str], one_thread: bool,
) -> tuple[str, list[pd.DataFrame], str]:
    """Score a song in the missing runs, and store what is done; its name, a table a run, and what went wrong.

    That is reported, not raised: whatever a separator or a file does, the other songs go on.
    """
    import pandas as pd

    if one_thread:
        torch.set_num_threads(1)
    tables: list[pd.DataFrame] = []
    where = ""
    try:
        order = [0, *_rows(sources, track.signals, "song")]
        order += [row for row in range(len(track.signals)) if row not in order]
        low = load_signals(track)[order]
        truth = low if rate_hz == report.SAMPLE_RATE else load_signals(track, rate_hz)[order]
        for run, (separator, path) in missing.items():
            where = f"{run}: "
            estimates = resample(_separate(separator, low, sources), report.SAMPLE_RATE, rate_hz, truth.shape[-1])
            rows = [(run, track.name, source, rate_hz, metric, value)
                    for source, metric, value in score_song(estimates, truth, rate_hz, v4, sources)]
            table = pd.DataFrame(rows, columns=list(COLUMNS))
            if path is not None:
                store.save(table, path)
            tables.append(table)
    except OutputError:
        raise  # the next song could not be stored either
    except Exception as error:
        return track.name, tables, f"{where}{type(error).__name__}: {error}"
    return track.name, tables, ""


def _separate(separator: Separator, signals: np.ndarray, sources: Sequence[str]) -> np.ndarray:
    given = getattr(getattr(separator, "config", None), "sources", sources)
    estimates = np.asarray(separator(signals))
    expected = (len(given), signals.shape[-1])
    if estimates.shape != expected:
        raise ValueError(f"the separator gave estimates of shape {estimates.shape}; {expected} was expected")
    return estimates[_rows(sources, given, "network")]


def _rows(sources: Sequence[str], names: Sequence[str], what: str) -> list[int]:
    """Where the sources stand among the names of a song's signals or of a network's sources."""
    if missing := [source for source in sources if source not in names]:
        raise ValueError(f"the {what} has no {', '.join(missing)}; it has {', '.join(names)}")
    return [list(names).index(source) for source in sources]


def _collect(
    tables: list[pd.DataFrame], tracks: Sequence[Track], separators: Mapping[str, Separator],
    failed: dict[str, str],
) -> pd.DataFrame:
    """One table in the order of separators and songs; failures are named."""
    import pandas as pd

    if len(failed) == len(tracks):
        name, reason = next(iter(failed.items()))
        raise DannError(f"none of the {len(tracks)} songs could be scored; {name}: {reason}")
    table = pd.concat(tables, ignore_index=True)
    order = {"run": list(separators), "song": [track.name for track in tracks]}
    table = table.sort_values(["run", "song"], kind="stable", ignore_index=True,
                              key=lambda column: column.map(order[column.name].index))
    if failed:
        listed = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        warnings.warn(f"{len(failed)} of {len(tracks)} songs could not be scored ({listed})", stacklevel=3)
    table.attrs["failed"] = failed
    return table


def _check(tracks: Sequence[Track], separators: Mapping[str, Separator]) -> None:
    names = [track.name for track in tracks]
    if not names or not separators:
        raise DannError(
            f"there are {len(names)} songs and {len(separators)} separators; at least one of each is needed"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"several songs are called {', '.join(twice)}; their scores could not be told apart")


def _n_jobs(jobs: int | None, n_songs: int, separators: Mapping[str, Any]) -> int:
    if jobs is None:
        devices = (getattr(separator, "device", None) for separator in separators.values())
        jobs = 1 if any(getattr(device, "type", "cpu") != "cpu" for device in devices) else joblib.cpu_count()
    return max(1, min(jobs, n_songs))
