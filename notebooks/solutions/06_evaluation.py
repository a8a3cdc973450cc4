# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Solutions to lesson 6 · Put a number on what you hear
#
# At the end you can compare your answers to the exercises of [lesson 6](../06_evaluation.ipynb) with worked ones.
# Try them there first: the checks say what is wrong, and one's own mistakes teach most.

# %% [markdown]
# ## Exercises
#
# Write where it says `raise NotImplementedError`, run the cell, then the two below it: the output to aim at,
# and a check that explains what is wrong.

# %%
import numpy as np
import pandas as pd
import torch

from dann_lib import player, report, spectrogram
from dann_lib.course import exercises, lessons
from dann_lib.corpus import open_corpus
from dann_lib.evaluation import sdr_sir_sar
from dann_lib.course.exercises import scoring
from dann_lib.reproduce import Evidence

# %%
song = open_corpus("synthetic").select("test")[2]
five_seconds = slice(3 * report.SAMPLE_RATE, 8 * report.SAMPLE_RATE)
true_sources = np.array(song.waveforms[1:, five_seconds], dtype=np.float64)
DRUMS = report.STEMS.index("drums")
tries = scoring.attempts(true_sources, DRUMS)  # of the drums, each wrong in one way
stored = Evidence.stored()  # the reference run: scores of 50 songs

# %% [markdown]
# ### 6.1 · Warm-up: the shadow
#
# Project one vector on another: the multiple of `s` that is closest to `x`. It works for two numbers as for a song.
#
# <details><summary>Hint</summary>
#
# `x @ s` is the inner product. Section 1 says which gain the multiple has.
#
# </details>

# %%
def shadow_of(x: np.ndarray, s: np.ndarray) -> np.ndarray:
    """The projection of `x` on `s`, a vector like `s`."""
    ### BEGIN SOLUTION
    return x @ s / (s @ s) * s
    ### END SOLUTION

# %% tags=["example", "6.1", "nbval-check-output"]
lessons.table(
    pd.DataFrame({
        str(x): shadow_of(np.array(x, float), np.array([4.0, 1.0]))
        for x in ([3, 3.5], [6, 7], [-1, 4], [8, 2])
    }, index=["first", "second"]).T,
    "{:.2f}",
    "Shadows of four vectors on (4, 1)",
)

# %% tags=["self-check"]
scoring.check_projection(shadow_of)

# %% [markdown]
# ### 6.2 · SDR, SIR and SAR
#
# Split the estimate as (4) does, and compute (5), (6) and (7). The true sources need not be orthogonal.
# **Predict** before you look: what do the three say of an estimate that is 20 samples late, and of one whose second
# half is missing? (An SAR of 300 dB is infinity but for rounding.)
#
# <details><summary>Hint</summary>
#
# With `S` of shape `(stem, sample)`, `np.linalg.solve(S @ S.T, S @ estimate)` are the gains of all sources. First
# write the three parts, then the ratios.
#
# </details>

# %%
def three_ratios(
    estimate: np.ndarray, sources: np.ndarray, target: int
) -> tuple[float, float, float]:
    """SDR, SIR, SAR in dB of an estimate `(sample,)` of one of `(stem, sample)`."""
    ### BEGIN SOLUTION
    truth = sources[target]
    wanted = estimate @ truth / (truth @ truth) * truth
    floor = np.linalg.solve(sources @ sources.T, sources @ estimate) @ sources
    interference, artefacts = floor - wanted, estimate - floor

    def decibel(above: np.ndarray, below: np.ndarray) -> float:
        return 10 * np.log10((above @ above) / (below @ below))

    sdr = decibel(wanted, interference + artefacts)
    return sdr, decibel(wanted, interference), decibel(floor, artefacts)
    ### END SOLUTION

# %%
five = ("with some of the others", "with some noise", "one sample late",
        "20 samples late", "first half only")

# %% tags=["example", "6.2"]
lessons.table(
    pd.DataFrame(
        {name: three_ratios(tries[name], true_sources, DRUMS) for name in five},
        index=["SDR", "SIR", "SAR"],
    ).T,
    "{:.1f} dB",
)

# %% tags=["self-check"]
scoring.check_three_ratios(three_ratios)

# %% [markdown]
# ### 6.3 · How well is a median known?
#
# Draw as many songs as there are, with replacement, 10 000 times. Take the median of each draw. Return the two ends
# between which 95 % of these medians lie.
#
# <details><summary>Hint</summary>
#
# `random.choice(values, size=(n_draws, n_songs))` makes all draws at once. `np.percentile` takes a list.
#
# </details>

# %%
def median_interval(
    values: np.ndarray, random: np.random.Generator
) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median of `values`, one per song."""
    ### BEGIN SOLUTION
    draws = random.choice(values, size=(10_000, len(values)))
    low, high = np.percentile(np.median(draws, axis=1), [2.5, 97.5])
    return float(low), float(high)
    ### END SOLUTION

# %%
sdr_of_songs = stored.per_song("dann-modern")  # a row for each song, dB

# %% tags=["example", "6.3", "nbval-check-output"]
lessons.table(
    pd.DataFrame({
        source: (
            scores.median(),
            *median_interval(scores.to_numpy(), np.random.default_rng(0)),
        )
        for source, scores in sdr_of_songs.items()
    }, index=["median", "from", "to"]).T,
    "{:.1f} dB",
    "SDR of 50 songs, reference run",
)

# %% tags=["self-check"]
scoring.check_median_interval(median_interval)

# %% [markdown]
# ### 6.4 · Two systems, the same songs
#
# Compare two systems honestly: median of the differences, first minus second, song by song, and its 95 % interval.
# Each table of scores is a `pandas.Series` with the names of the songs as its index. The tables may have them in other
# orders, and a song may be missing from one of them. Use `median_interval` of 6.3.
#
# <details><summary>Hint</summary>
#
# Two `Series` that are subtracted are paired by their index. Where a song is missing, the difference is NaN.
#
# </details>

# %%
def compare(
    first: pd.Series, second: pd.Series, random: np.random.Generator
) -> tuple[float, float, float]:
    """Median of the differences in dB, and both ends of its interval."""
    ### BEGIN SOLUTION
    difference = (first - second).dropna()
    return float(difference.median()), *median_interval(difference.to_numpy(), random)
    ### END SOLUTION

# %%
PAIRS = {
    "Concat 1+2+3 − Concat 3": ("skips-1+2+3", "skips-3"),
    "ratio mask − binary mask": ("ideal_ratio_mask", "ideal_binary_mask"),
}
tables = {name: [stored.per_song(run) for run in runs] for name, runs in PAIRS.items()}

# %% tags=["example", "6.4", "nbval-check-output"]
lessons.table(
    pd.DataFrame({
        f"{name}, {source}":
            compare(ours[source], theirs[source], np.random.default_rng(0))
        for name, (ours, theirs) in tables.items() for source in report.SOURCES
    }, index=["difference", "from", "to"]).T,
    "{:+.2f} dB",
    "SDR on 50 songs."
    " Which of these differences can the songs tell from none?",
)

# %% tags=["self-check"]
scoring.check_compare(compare)

# %% [markdown]
# ### 6.5 · Open end: a metric of your own
#
# SDR punishes what nobody hears, and forgives what everybody hears. Write a metric that hears more as you do: one
# number, higher is better. The check wants it to put the truth above the mixture, and to disagree with SDR somewhere.
# Then find out where yours is fooled: every metric is.
#
# Ideas: compare `magnitudes`, which hardly know a delay; levels in dB, so that quiet sounds count; only what is left
# in the pauses of the source.

# %%
def magnitudes(waveform: np.ndarray) -> np.ndarray:
    """The report's spectrogram without its phase, `(freq, frame)`."""
    parts = spectrogram.stft(torch.from_numpy(waveform.astype(np.float32)))
    return spectrogram.to_complex(parts).abs().double().numpy()


def my_metric(estimate: np.ndarray, sources: np.ndarray, target: int) -> float:
    """A score of an estimate `(sample,)` of `sources[target]`; higher is better."""
    ### BEGIN SOLUTION
    wanted, found = magnitudes(sources[target]), magnitudes(estimate)
    gain = np.sum(wanted * found) / np.sum(found**2)
    rest = np.sum((wanted - gain * found) ** 2)
    return float(10 * np.log10(np.sum(wanted**2) / max(rest, 1e-12)))
    ### END SOLUTION

# %%
def sdr(estimate: np.ndarray) -> float:
    """SDR (5) in dB of an estimate of the drums."""
    return float(sdr_sir_sar(estimate[None], true_sources, targets=[DRUMS]).sdr[0])

# %% tags=["example", "6.5"]
lessons.table(
    pd.DataFrame({
        name: (sdr(attempt), my_metric(attempt, true_sources, DRUMS))
        for name, attempt in tries.items()
    }, index=["SDR (dB)", "own metric"]).T,
    "{:.1f}",
    "Estimates of the drums, scored by SDR and by a metric of one's own (magnitudes"
    " only)",
)

# %%
three = ("20 samples late", "with some of the others", "first half only")
player.tracks(
    {name: tries[name] for name in three},
    description="Three estimates of the drums."
                " Does your metric put them in the order in which you do?",
)

# %% tags=["self-check"]
scoring.check_metric(my_metric)
