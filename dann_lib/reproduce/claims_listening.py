"""Claims on the sound: from scores per song, measurements and arithmetic (report, II.b and III.b)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from dann_lib import report
from dann_lib.evaluation.summary import interval
from dann_lib.reproduce.controlled import describe
from dann_lib.reproduce.evidence import Evidence
from dann_lib.reproduce.experiments import MODERN_RUN, REPORT_RUN
from dann_lib.reproduce.finding import Finding, decide, each, median, span

ALL_GENRES, WITHOUT_ELECTRO = "embedded-all-genres", "embedded-without-electro"

STATEMENTS: tuple[tuple[str, bool], ...] = (
    ("8.8 kHz is a fifth of 44.1 kHz, rounded", round(report.SONG_RATE / report.DOWNSAMPLING / 1000, 1) == 8.8),
    ("5 times fewer samples at 8.8 kHz", round(report.SONG_RATE / 8800) == report.DOWNSAMPLING),
    ("nothing above 4.4 kHz is left at 8.8 kHz", round(report.SAMPLE_RATE / 2000, 1) == 4.4),
    ("a transform of 2048 points has 1025 frequencies", report.N_FFT // 2 + 1 == report.N_BINS),
    ("88 frames are 2 seconds at 8.82 kHz", round(report.N_FRAMES * report.HOP / report.SAMPLE_RATE) == 2),
    ("2191 chunks of 2 seconds are 100 songs of 3 minutes or more", report.N_CHUNKS * 2 / 100 >= 180),
    ("two skip connections are three", len((2, 3)) == len(report.SKIPS)),
)
"""What the report says in numbers, and whether it follows from its other numbers (`report.ERRATA`)."""


def numbers(_: Evidence) -> Finding:
    """The arithmetic of the report."""
    wrong = [text for text, holds in STATEMENTS if not holds]
    n_right = len(STATEMENTS) - len(wrong)
    seconds = [report.N_FRAMES * report.HOP / rate for rate in (report.SAMPLE_RATE, report.SONG_RATE)]
    return Finding(
        n_right, np.nan, np.nan, decide(not wrong, n_right > len(STATEMENTS) / 2),
        f"Wrong: {'; '.join(wrong)}. 88 frames last {seconds[0]:.1f} s, or {seconds[1]:.2f} s at 44.1 kHz.",
    )


def low_rate(evidence: Evidence) -> Finding:
    """Speed at 8.82 kHz, and what that rate leaves of the true sources."""
    slow, fast = (
        evidence.values("rate", f"{rate} Hz")["value"].to_numpy() for rate in (report.SONG_RATE, report.SAMPLE_RATE)
    )
    ratios = slow / fast
    ceiling = evidence.per_song("rate_ceiling", rate_hz=report.SONG_RATE).median()
    middle = float(np.median(ratios))
    return Finding(
        middle, float(ratios.min()), float(ratios.max()),
        decide(4 <= middle <= 6.25 and bool((ceiling >= 10).all()), middle > 2),
        f"SDR of the true sources through 8.82 kHz and back, in dB: {each(report.SOURCES, ceiling)}.",
    )


def ten_hertz(evidence: Evidence) -> Finding:
    """From which distance on two tones are told apart."""
    found = {
        rate: evidence.values("resolution", f"{rate} Hz").set_index("source")["value"]
        for rate in (report.SAMPLE_RATE, report.SONG_RATE)
    }
    always, half = found[report.SAMPLE_RATE]["always"], found[report.SAMPLE_RATE]["in half of the cases"]
    spacing = report.SAMPLE_RATE / report.N_FFT
    return Finding(
        always, half, always, decide(always <= 10, always <= 20),
        f"In half of the cases {half:.1f} Hz suffice; at 44.1 kHz {found[report.SONG_RATE]['always']:.0f} Hz are "
        f"needed. Bins are {spacing:.1f} Hz apart, a window lasts {1000 * report.N_FFT / report.SAMPLE_RATE:.0f} ms. "
        "What the ear hears is not tested.",
    )


def high_sir(evidence: Evidence) -> Finding:
    """SIR against SAR and SDR of the report's training."""
    scores = {metric: evidence.per_song(REPORT_RUN, metric) for metric in ("sir", "sdr", "sar")}
    differences = {
        source: _median_difference(scores["sir"][source], scores["sar"][source]) for source in report.SOURCES
    }
    smallest = min(differences.values())
    listed = "; ".join(f"{metric.upper()} {each(report.SOURCES, scores[metric].median())}" for metric in scores)
    modern = "; ".join(f"{metric.upper()} {each(report.SOURCES, evidence.per_song(MODERN_RUN, metric).median())}"
                       for metric in scores)
    return Finding(
        *smallest,
        decide(all(value >= 3 and low > 0 for value, low, _ in differences.values()),
               all(value > 0 for value, *_ in differences.values())),
        f"In dB: {listed}. With Adam and remixing: {modern}.",
    )


def low_sar(evidence: Evidence) -> Finding:
    """Artefacts of treatment alone, as a share of those of the whole."""
    rate = report.SONG_RATE
    alone = evidence.per_song("treatment", "sar", rate)
    whole = evidence.per_song(REPORT_RUN, "sar", rate)
    shares = {source: median(100 * 10 ** ((whole[source] - alone[source]) / 10)) for source in report.SOURCES}
    smallest = min(shares.values())
    more_than_half = [share[0] > 50 for share in shares.values()]
    return Finding(
        *smallest, decide(all(more_than_half), any(more_than_half)),
        f"Shares in per cent: {each(report.SOURCES, [share[0] for share in shares.values()])}. SAR at 44.1 kHz in dB: "
        f"treatment alone {each(report.SOURCES, alone.median())}; DANN {each(report.SOURCES, whole.median())}.",
    )


def few_instruments(evidence: Evidence) -> Finding:
    """SDR against the number of instruments, in songs that are otherwise the same."""
    slopes = median(instrument_slopes(evidence))
    stems = evidence.values("instruments", "active stems").set_index("song")["value"]
    scores = evidence.per_song(MODERN_RUN).mean(axis=1)
    real = _rank(stems.reindex(scores.index), scores)
    return Finding(
        *slopes, decide(slopes[2] < 0 and slopes[0] <= -0.25, slopes[2] < 0),
        f"{len(instrument_slopes(evidence))} composed songs, each with 4 to 8 instruments. Test songs: rank "
        f"correlation of active stems and SDR {span(real, '.2f')}.",
    )


def genre(evidence: Evidence) -> Finding:
    """What leaving electronic songs out of the training costs them, and the others."""
    lost = genre_losses(evidence)
    electro, others = lost["electro"].to_numpy(), lost.drop("electro").to_numpy()
    measured = float(np.median(electro) - np.median(others))
    low, high = interval((electro, others), _difference_of_medians, paired=False)
    before = evidence.per_song(ALL_GENRES).mean(axis=1)
    by_genre = before.groupby([describe(song)[0] for song in before.index]).median().sort_values()
    return Finding(
        measured, low, high, decide(low > 0 and measured >= 1, low > 0),
        f"Electronic songs lose {np.median(electro):.1f} dB, others {np.median(others):.1f} dB. Trained on all genres, "
        f"median SDR in dB: {each(list(by_genre.index), by_genre)}. The test songs' files do not say their genres."
        .replace(" -", " −"),
    )


def background(evidence: Evidence) -> Finding:
    """Rank correlation of level and SDR."""
    level, scores = evidence.per_song("mixture"), evidence.per_song(REPORT_RUN)
    ranks = {source: _rank(level[source], scores[source]) for source in report.SOURCES}
    smallest = min(ranks.values())
    gain = {source: _rank(level[source], scores[source] - level[source])[0] for source in report.SOURCES}
    return Finding(
        *smallest, decide(smallest[1] > 0 and smallest[0] >= 0.5, smallest[1] > 0),
        f"{each(report.SOURCES, [rank[0] for rank in ranks.values()], '.2f')}. Correlation of level and of what the "
        f"network adds to the mixture's SDR: {each(report.SOURCES, list(gain.values()), '.2f')}.",
    )


def reverberation(evidence: Evidence) -> Finding:
    """Sound spread to a source's pauses by masks with and without their effect on the phase, and by resampling."""
    spread = spreads(evidence)
    measured = median((spread["two masks"] - spread["phase kept"]).groupby("song").mean())
    table = spread.median()
    resampling = median((spread["resampling"] - spread["source itself"]).groupby("song").mean())
    phase = evidence.per_song(f"{MODERN_RUN}-phase-kept").mean(axis=1) - evidence.per_song(MODERN_RUN).mean(axis=1)
    return Finding(
        *measured, decide(measured[1] > 0 and measured[0] >= 3, measured[1] > 0),
        f"Resampling adds {span(resampling)} dB. Sound in the pauses, median in dB of the source: "
        f"{each(list(table.index), table)}. SDR changes by {span(median(phase), '.2f')} dB if the estimate keeps its "
        "magnitudes and takes the mixture's phase.",
    )


def instrument_slopes(evidence: Evidence) -> pd.Series:
    """Change of SDR (dB) per instrument, for each genre and seed of the composed songs."""
    table = composed_scores(evidence, ALL_GENRES)
    return table.groupby(["genre", "seed"]).apply(lambda rows: np.polyfit(rows["instruments"], rows["sdr"], 1)[0])


def genre_losses(evidence: Evidence) -> pd.Series:
    """SDR (dB) lost without electronic training songs, by genre and seed of the composed songs."""
    with_all, without = (composed_scores(evidence, run) for run in (ALL_GENRES, WITHOUT_ELECTRO))
    return (with_all["sdr"] - without["sdr"]).groupby([with_all["genre"], with_all["seed"]]).mean()


def composed_scores(evidence: Evidence, run: str) -> pd.DataFrame:
    """A row for each composed song: genre, instruments, seed, and SDR in the mean of sources and seeds."""
    scores = evidence.per_song(run).mean(axis=1)
    facts = [describe(song) for song in scores.index]
    return pd.DataFrame(facts, columns=["genre", "instruments", "seed"], index=scores.index).assign(sdr=scores)


def spreads(evidence: Evidence) -> pd.DataFrame:
    """Spread in dB: a row for each song and source that has pauses, a column for each case."""
    table = evidence.measurements
    rows = table[(table["experiment"] == "reverberation")].dropna(subset="value")
    return rows.pivot(index=["song", "source"], columns="case", values="value").dropna()


def _rank(x: pd.Series, y: pd.Series) -> tuple[float, float, float]:
    """Spearman's rank correlation over songs, with its 95 % bootstrap interval."""
    both = pd.concat([x, y], axis=1).dropna().to_numpy().T
    draws = np.random.default_rng(0).integers(both.shape[1], size=(2000, both.shape[1]))
    low, high = np.nanpercentile(_spearman(both[:, draws]), [2.5, 97.5])
    return float(_spearman(both)), float(low), float(high)


def _spearman(pairs: np.ndarray) -> np.ndarray:
    """Correlation of ranks along the last axis of `(2, …, song)`; 0 where one of the two is the same everywhere."""
    ranks = rankdata(pairs, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    one, other = ranks
    size = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    return np.where(size > 0, (one * other).sum(axis=-1) / np.where(size > 0, size, 1), 0.0)


def _median_difference(one: pd.Series, other: pd.Series) -> tuple[float, float, float]:
    """Difference of two medians over the same songs, with its interval."""
    both = pd.concat([one, other], axis=1).dropna().to_numpy().T
    return float(_difference_of_medians(*both)), *interval((both[0], both[1]), _difference_of_medians)


def _difference_of_medians(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.median(one, axis=axis) - np.median(other, axis=axis)


TESTS = {
    "numbers": numbers, "8.8-khz": low_rate, "10-hz": ten_hertz, "high-sir": high_sir, "low-sar": low_sar,
    "few-instruments": few_instruments, "genre": genre, "background": background, "reverberation": reverberation,
}
"""Claim → its test."""
