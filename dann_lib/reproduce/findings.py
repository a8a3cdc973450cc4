"""What the evidence says about each claim: the number that decides, and the numbers around it.

Losses and parameters first (report, I and II), then scores per song, measurements and arithmetic (II.b and III.b).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dann_lib import report
from dann_lib.reproduce.evidence import Evidence
from dann_lib.reproduce.experiments import ALL_GENRES, MODERN_RUN, NETWORKS, REPORT_RUN, WITHOUT_ELECTRO
from dann_lib.synthetic.score import DUETS

if TYPE_CHECKING:
    import pandas as pd

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

SHARE = "DANN's share of the feed-forward network's parameters"
START = "the mean test loss over the first third of the updates, minus that with Concat 3, in per cent of the latter,"
GAINED = "the loss with gain, in per cent of that of silence,"
FIRST_NEAR = "the first epoch whose test loss is within 1 % of the lowest"
PLACE, AFTERWARDS = "its place in the run", "the further fall of the training loss in per cent"
TRAINING_FALL = "the fall of the training loss likewise"
LOST = "what vocals, drums and bass lose in dB"
BEGINNING = "the first epoch within 2 % and within 0.5 % of the lowest test loss"
CEILING = "the median SDR in dB of the true sources through 8.82 kHz and back"
"""Quantities beside the measure on which rules look; a rule calls them by these names."""

Interval = tuple[float, float, float]


class Finding(NamedTuple):
    """A number in the unit of the claim, both ends of its interval (NaN if it has none), and the numbers around it.

    `found` has these in a sentence or two; `quantities` are what else a rule looks at, by name: "each" is the
    measure for each seed or source.
    """

    measured: float
    low: float
    high: float
    found: str
    quantities: Mapping[str, np.ndarray | Sequence[float] | float] = {}


def median(values: pd.DataFrame | pd.Series | np.ndarray) -> Interval:
    """Median over songs, with its 95 % bootstrap interval; songs without a value are left out."""
    column = np.asarray(values, dtype=np.float64)
    column = column[np.isfinite(column)]
    return float(np.median(column)), *_interval((column,), np.median)


def spread(values: Sequence[float] | np.ndarray) -> Interval:
    """Mean over seeds, with the lowest and the highest."""
    return float(np.mean(values)), float(np.min(values)), float(np.max(values))


def cnn_parameters(evidence: Evidence) -> Finding:
    """DANN against the feed-forward network, at equal updates."""
    scores = {name: evidence.per_song(f"network-{name}").mean(axis=1) for name in NETWORKS}
    sizes = {name: evidence.run(f"network-{name}")["parameters"] for name in NETWORKS}
    listed = "; ".join(f"{name} {size / 1e6:.2f} M parameters, {_minus(scores[name].median())} dB"
                       for name, size in sizes.items())
    return Finding(
        *median(scores["dann"] - scores["feedforward"]),
        f"The feed-forward network has {sizes['feedforward'] / sizes['dann']:.0f} times as many parameters. "
        f"Median SDR: {listed}.",
        {SHARE: sizes["dann"] / sizes["feedforward"]},
    )


def near_skip(evidence: Evidence) -> Finding:
    """Training loss with Concat 1, against Concat 1+2+3 and silence."""
    silence = evidence.silence("train", report.GAIN)
    none, one, whole = (silence - evidence.losses(f"skips-{name}", "train_loss").min(axis=1)
                        for name in ("none", "1", "1+2+3"))
    shares, without = 100 * one / whole, np.mean(100 * none / whole)
    return Finding(*spread(shares), f"Without any skip connection it is {without:.0f} %.", {"each": shares})


def against_concat_3(evidence: Evidence, name: str) -> Finding:
    """How fast the skip connections `name` of `experiments.SKIPS` learn, and how low they end."""
    losses, others = evidence.losses(f"skips-{name}"), evidence.losses("skips-3")
    third = max(1, losses.shape[1] // 3)
    last, updates = (evidence.histories(f"skips-{name}")[0]["update"].iloc[at] for at in (third - 1, -1))
    start = 100 * (losses[:, :third].mean(axis=1) / others[:, :third].mean(axis=1) - 1)
    end = 100 * (losses.min(axis=1) / others.min(axis=1) - 1)
    lowest = [each.min(axis=1).mean() for each in (losses, others)]
    return Finding(
        *spread(end),
        f"Over the first {last} of {updates} updates the mean test loss of Concat {name} minus that of Concat 3 is "
        f"{_span(spread(start))} %. Lowest test loss {lowest[0]:.1f} and {lowest[1]:.1f}.",
        {"each": end, START: start},
    )


def full_resolution(evidence: Evidence) -> Finding:
    """SIR with and without the skip connection at full resolution."""
    with_fourth, without = "skips-1+2+3+4", "skips-1+2+3"
    sir, sdr, sar = (median(_gain(evidence, with_fourth, without, metric)) for metric in ("sir", "sdr", "sar"))
    losses = [evidence.losses(name).min(axis=1).mean() for name in (with_fourth, without)]
    return Finding(*sir, f"SDR {_span(sdr)} dB, SAR {_span(sar)} dB; lowest test loss {losses[0]:.1f} with it and "
                         f"{losses[1]:.1f} without.")


def sgd_gain(evidence: Evidence) -> Finding:
    """Loss on the validation songs with and without gain, relative to that of silence."""
    curves = gain_curves(evidence)
    with_gain = curves[report.GAIN][:, -1]
    change = with_gain - curves[1.0][:, -1]
    listed = ", ".join(f"{gain:g}: {losses[0, -1]:.0f} %" for gain, losses in curves.items())
    return Finding(*spread(change), f"Loss in per cent of silence, first seed, by gain: {listed}.",
                   {"each": change, GAINED: with_gain})


def overfitting(evidence: Evidence) -> Finding:
    """When the test loss of the report's training stops falling."""
    tests, trains = (evidence.losses(REPORT_RUN, column) for column in ("test_loss", "train_loss"))
    n_epochs = tests.shape[1]
    # The first epoch, from 1, whose loss is within so many per cent of the lowest, for each seed.
    first = {percent: 1 + (tests <= tests.min(axis=1, keepdims=True) * (1 + percent / 100)).argmax(axis=1)
             for percent in (2.0, 1.0, 0.5)}
    after = 100 * (1 - trains[:, -1] / trains[np.arange(len(trains)), first[1.0] - 1])
    third = max(1, n_epochs // 3)
    falls, learned = (100 * (1 - each[:, -third:].mean(axis=1) / each[:, -2 * third :][:, :third].mean(axis=1))
                      for each in (tests, trains))
    ends = float(first[2.0].min()), float(first[0.5].max())
    updates = evidence.histories(REPORT_RUN)[0]["update"].iloc[-1] / n_epochs
    of_report = report.EPOCHS * math.ceil(report.N_CHUNKS / report.BATCH_SIZE)
    return Finding(
        *spread(falls),
        f"The training loss falls by {_span(spread(learned))} %. The first epoch near the lowest test loss is "
        f"{ends[0]:.0f} to {ends[1]:.0f}, by seed and by what counts as near (2 % to 0.5 %). An epoch here has "
        f"{updates:.0f} updates; the report's 100 epochs have {of_report}: {of_report / updates:.0f} of these.",
        {"each": falls, TRAINING_FALL: learned, BEGINNING: ends, FIRST_NEAR: float(np.median(first[1.0])),
         PLACE: first[1.0] / n_epochs, AFTERWARDS: after},
    )


def numbers(_: Evidence) -> Finding:
    """The arithmetic of the report."""
    wrong = [text for text, holds in STATEMENTS if not holds]
    seconds = [report.N_FRAMES * report.HOP / rate for rate in (report.SAMPLE_RATE, report.SONG_RATE)]
    return Finding(
        len(STATEMENTS) - len(wrong), np.nan, np.nan,
        f"Wrong: {'; '.join(wrong)}. 88 frames last {seconds[0]:.1f} s, or {seconds[1]:.2f} s at 44.1 kHz.",
    )


def low_rate(evidence: Evidence) -> Finding:
    """Speed at 8.82 kHz, and what that rate leaves of the true sources."""
    slow, fast = (evidence.values("rate", f"{rate} Hz") for rate in (report.SONG_RATE, report.SAMPLE_RATE))
    ratios = slow / fast
    ceiling = evidence.per_song("rate_ceiling", rate_hz=report.SONG_RATE).median()
    return Finding(
        float(np.median(ratios)), float(ratios.min()), float(ratios.max()),
        f"SDR of the true sources through 8.82 kHz and back, in dB: {_each(ceiling)}.", {CEILING: ceiling},
    )


def ten_hertz(evidence: Evidence) -> Finding:
    """From which distance on two tones are told apart."""
    low, high = (evidence.values("resolution", f"{rate} Hz") for rate in (report.SAMPLE_RATE, report.SONG_RATE))
    always, half = low["always"], low["in half of the cases"]
    return Finding(
        always, half, always,
        f"In half of the cases {half:.1f} Hz suffice; at 44.1 kHz {high['always']:.0f} Hz are needed. Bins are "
        f"{report.SAMPLE_RATE / report.N_FFT:.1f} Hz apart, a window lasts "
        f"{1000 * report.N_FFT / report.SAMPLE_RATE:.0f} ms. What the ear hears is not tested.",
    )


def high_sir(evidence: Evidence) -> Finding:
    """SIR against SAR and SDR of the report's training."""
    sir, sar = (evidence.per_song(REPORT_RUN, metric) for metric in ("sir", "sar"))
    differences = [_median_difference(sir[source], sar[source]) for source in report.SOURCES]
    listed, modern = ("; ".join(f"{metric.upper()} {_each(evidence.per_song(run, metric).median())}"
                                for metric in ("sir", "sdr", "sar")) for run in (REPORT_RUN, MODERN_RUN))
    return Finding(
        *min(differences), f"In dB: {listed}. With Adam and remixing: {modern}.",
        {"each": [value for value, *_ in differences], "interval": [ends for _, *ends in differences]},
    )


def low_sar(evidence: Evidence) -> Finding:
    """Artefacts of treatment alone, as a share of those of the whole."""
    alone, whole = (evidence.per_song(run, "sar", report.SONG_RATE) for run in ("treatment", REPORT_RUN))
    shares = {source: median(100 * 10 ** ((whole[source] - alone[source]) / 10)) for source in report.SOURCES}
    each = {source: share[0] for source, share in shares.items()}
    return Finding(
        *min(shares.values()),
        f"Shares in per cent: {_each(each)}. SAR at 44.1 kHz in dB: treatment alone {_each(alone.median())}; DANN "
        f"{_each(whole.median())}.", {"each": list(each.values())},
    )


def few_instruments(evidence: Evidence) -> Finding:
    """SDR against the number of instruments, in songs that are otherwise the same."""
    slopes = composed_scores(evidence, ALL_GENRES).groupby(["genre", "seed"]).apply(
        lambda rows: np.polyfit(rows["instruments"], rows["sdr"], 1)[0])
    stems = evidence.values("instruments", "active stems", "song")
    scores = evidence.per_song(MODERN_RUN).mean(axis=1)
    real = _rank(stems.reindex(scores.index), scores)
    return Finding(
        *median(slopes), f"{len(slopes)} composed songs, each with 4 to 8 instruments. Test songs: rank correlation of "
        f"active stems and SDR {_span(real, '.2f')}.",
    )


def genre(evidence: Evidence) -> Finding:
    """What leaving electronic songs out of the training costs them, and the others."""
    lost = genre_losses(evidence)
    electro, others = lost["electro"].to_numpy(), lost.drop("electro").to_numpy()
    by_genre = composed_scores(evidence, ALL_GENRES).groupby("genre")["sdr"].median().sort_values()
    return Finding(
        float(np.median(electro) - np.median(others)),
        *_interval((electro, others), _difference_of_medians, paired=False),
        f"Electronic songs lose {_minus(np.median(electro))} dB, others {_minus(np.median(others))} dB. Trained on all "
        f"genres, median SDR in dB: {_each(by_genre)}. The test songs' files do not say their genres.",
    )


def background(evidence: Evidence) -> Finding:
    """Rank correlation of level and SDR."""
    level, scores = evidence.per_song("mixture"), evidence.per_song(REPORT_RUN)
    ranks, added = ({source: _rank(level[source], table[source]) for source in report.SOURCES}
                    for table in (scores, scores - level))
    each, of_added = (_each({source: rank[0] for source, rank in of.items()}, ".2f") for of in (ranks, added))
    return Finding(
        *min(ranks.values()),
        f"{each}. Correlation of level and of what the network adds to the mixture's SDR: {of_added}.",
    )


def reverberation(evidence: Evidence) -> Finding:
    """Sound spread to a source's pauses by masks with and without their effect on the phase, and by resampling."""
    table = pauses(evidence)
    resampling = median((table["resampling"] - table["source itself"]).groupby("song").mean())
    phase = _gain(evidence, f"{MODERN_RUN}-phase-kept", MODERN_RUN)
    return Finding(
        *median((table["two masks"] - table["phase kept"]).groupby("song").mean()),
        f"Resampling adds {_span(resampling)} dB. Sound in the pauses, median in dB of the source: "
        f"{_each(table.median())}. SDR changes by {_span(median(phase), '.2f')} dB if the estimate keeps its "
        "magnitudes and takes the mixture's phase.",
    )


def more_data(evidence: Evidence) -> Finding:
    """Composed songs beside the real ones, and in their place, on the real test songs."""
    added, alone = (median(_gain(evidence, name, "data-real")) for name in ("data-both", "data-composed"))
    medians = "; ".join(_each(evidence.per_song(f"data-{name}").median()) for name in ("real", "composed", "both"))
    return Finding(*added, f"Composed songs alone, against real ones alone: {_span(alone)} dB. Median SDR in dB "
                           f"of real, composed, both: {medians}.")


def more_instruments(evidence: Evidence) -> Finding:
    """Five sources in place of three, on composed songs: what the new ones reach, and what it costs the old ones."""
    five, mixture = evidence.per_song("five-sources"), evidence.per_song("mixture-apart")
    new = {source: median(five[source] - mixture[source]) for source in five if source not in report.SOURCES}
    three = evidence.per_song("three-sources")
    lost = median((three - five[list(three)]).mean(axis=1))
    return Finding(
        *min(new.values()), f"Improvement in dB: {'; '.join(f'{name} {_span(each)}' for name, each in new.items())}. "
        f"Vocals, drums and bass lose {_span(lost)} dB.",
        {"each": [each[0] for each in new.values()], LOST: lost[0]})


def asked(evidence: Evidence) -> Finding:
    """A network that is asked for one source against one that gives all five."""
    each = (evidence.per_song("asked") - evidence.per_song("five-sources")).median()
    return Finding(*median(_gain(evidence, "asked", "five-sources")), f"In dB: {_each(each)}.")


def bands(evidence: Evidence) -> Finding:
    """Masks that are closed outside each source's band: learned so, and closed afterwards."""
    learned, afterwards = (median(_gain(evidence, name, "data-real")) for name in ("bands", "data-real-closed"))
    return Finding(*learned, f"Closed after training: {_span(afterwards)} dB. Bands in Hz: {_bands(evidence)}.")


def same_type(evidence: Evidence) -> Finding:
    """Improvement on the mixture for two singers and two guitars, when the order of the estimates is free."""
    each = {kind: median(_gain(evidence, f"{kind}-free", f"mixture-{kind}")) for kind in DUETS}
    found = "; ".join(f"two {kind} {_span(one)}" for kind, one in each.items())
    return Finding(*min(each.values()), f"In dB: {found}.", {"each": [one[0] for one in each.values()]})


def duet_choice(evidence: Evidence, name: str) -> Finding:
    """What "fixed" order or "remixed" training changes for two of the same type, less than the free order without."""
    each = {kind: median(_gain(evidence, f"{kind}-{name}", f"{kind}-free")) for kind in DUETS}
    both = np.concatenate([_gain(evidence, f"{kind}-{name}", f"{kind}-free") for kind in DUETS])
    return Finding(*median(both), f"In dB: {'; '.join(f'two {kind} {_span(one)}' for kind, one in each.items())}.")


def _bands(evidence: Evidence) -> str:
    limits = evidence.run("bands")["config"]["network_options"]["bands"]
    hz = report.SAMPLE_RATE / report.N_FFT
    return ", ".join(f"{source} {low * hz:.0f} to {high * hz:.0f}"
                     for source, (low, high) in zip(report.SOURCES, limits, strict=True))


def gain_curves(evidence: Evidence) -> dict[float, np.ndarray]:
    """Loss on the validation songs, in per cent of that of silence, `(seed, epoch)` for each gain."""
    runs = {name: run["config"]["gain"] for name, run in evidence.manifest["runs"].items() if name.startswith("gain-")}
    return {gain: 100 * evidence.losses(name) / evidence.silence("valid", gain) for name, gain in runs.items()}


def genre_losses(evidence: Evidence) -> pd.Series:
    """SDR (dB) lost without electronic training songs, by genre and seed of the composed songs."""
    with_all, without = (composed_scores(evidence, run) for run in (ALL_GENRES, WITHOUT_ELECTRO))
    return (with_all["sdr"] - without["sdr"]).groupby([with_all["genre"], with_all["seed"]]).mean()


def composed_scores(evidence: Evidence, run: str) -> pd.DataFrame:
    """A row for each composed song: genre, instruments, seed, and SDR in the mean of sources and seeds."""
    scores = evidence.per_song(run).mean(axis=1)
    genres, counts, seeds = zip(*(song.rsplit(" ", 2) for song in scores.index), strict=True)  # `Composition.name`
    return scores.to_frame("sdr").assign(genre=genres, instruments=list(map(int, counts)), seed=seeds)


def pauses(evidence: Evidence) -> pd.DataFrame:
    """Sound in a source's pauses in dB: a row for each song and source that has some, a column for each case."""
    return evidence.values("reverberation", index=["song", "source", "case"]).unstack("case").dropna()


def _gain(evidence: Evidence, run: str, other: str, metric: str = "sdr") -> pd.Series:
    """What a run has more than another of a score in dB, for each song, in the mean of its sources."""
    return (evidence.per_song(run, metric) - evidence.per_song(other, metric)).mean(axis=1)


def _rank(x: pd.Series, y: pd.Series) -> Interval:
    """Spearman's rank correlation over songs, with its 95 % bootstrap interval."""
    both = _pairs(x, y)
    draws = np.random.default_rng(0).integers(both.shape[1], size=(2000, both.shape[1]))
    low, high = np.nanpercentile(_spearman(both[:, draws]), [2.5, 97.5])
    return float(_spearman(both)), float(low), float(high)


def _spearman(pairs: np.ndarray) -> np.ndarray:
    """Correlation of ranks along the last axis of `(2, …, song)`; 0 where one of the two is the same everywhere."""
    from scipy.stats import rankdata

    ranks = rankdata(pairs, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    one, other = ranks
    size = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    return np.where(size > 0, (one * other).sum(axis=-1) / np.where(size > 0, size, 1), 0.0)


def _median_difference(one: pd.Series, other: pd.Series) -> Interval:
    """Difference of two medians over the same songs, with its interval."""
    both = _pairs(one, other)
    return float(_difference_of_medians(*both)), *_interval(tuple(both), _difference_of_medians)


def _pairs(one: pd.Series, other: pd.Series) -> np.ndarray:
    """Both values of each song that has both, `(2, song)`."""
    both = np.array(one.align(other))
    return both[:, ~np.isnan(both).any(axis=0)]


def _interval(samples: tuple[np.ndarray, ...], statistic: Callable[..., np.ndarray], paired: bool = True) -> tuple:
    from dann_lib.evaluation.summary import interval  # with torch: seconds, for those who read the stored verdicts

    return interval(samples, statistic, paired=paired)


def _difference_of_medians(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.median(one, axis=axis) - np.median(other, axis=axis)


def _span(values: Interval, form: str = ".1f") -> str:
    """`1.2 [0.9, 1.5]`."""
    return "{} [{}, {}]".format(*(_minus(value, form) for value in values))


def _each(values: pd.Series | Mapping[str, float], form: str = ".1f") -> str:
    """`vocals 1.2, drums 0.9, bass 1.5`."""
    return ", ".join(f"{name} {_minus(value, form)}" for name, value in values.items())


def _minus(value: float, form: str = ".1f") -> str:
    """A number as text, with a true minus sign, and none before nothing."""
    text = f"{value:{form}}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
