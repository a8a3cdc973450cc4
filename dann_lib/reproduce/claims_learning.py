"""Claims on the network and its training: from loss curves and parameters (report, I and II)."""

from __future__ import annotations

import math

import numpy as np

from dann_lib import report
from dann_lib.reproduce.evidence import Evidence
from dann_lib.reproduce.experiments import NETWORKS, REPORT_RUN, SKIPS, skips_title
from dann_lib.reproduce.finding import Finding, decide, median, span, spread

FULL_SKIPS, WITH_FOURTH = "skips-1+2+3", "skips-1+2+3+4"


def cnn_parameters(evidence: Evidence) -> Finding:
    """DANN against the feed-forward network, at equal updates."""
    scores = {name: evidence.per_song(f"network-{name}").mean(axis=1) for name in NETWORKS}
    sizes = {name: evidence.run(f"network-{name}")["parameters"] for name in NETWORKS}
    measured = median(scores["dann"] - scores["feedforward"])
    ratio = sizes["feedforward"] / sizes["dann"]
    listed = "; ".join(
        f"{name} {sizes[name] / 1e6:.2f} M parameters, {scores[name].median():.1f} dB" for name in NETWORKS
    )
    return Finding(
        *measured, decide(measured[1] > -0.5 and ratio >= 5, measured[0] > -0.5 and ratio > 1),
        f"The feed-forward network has {ratio:.0f} times as many parameters. Median SDR: {listed}.".replace(" -", " −"),
    )


def near_skip(evidence: Evidence) -> Finding:
    """Training loss with Concat 1, against Concat 1+2+3 and silence."""
    silence = evidence.silence("train", report.GAIN)
    falls = {
        name: silence - evidence.losses(f"skips-{name}", "train_loss").min(axis=1) for name in ("none", "1", "1+2+3")
    }
    shares = 100 * falls["1"] / falls["1+2+3"]
    without = float(np.mean(100 * falls["none"] / falls["1+2+3"]))
    return Finding(
        *spread(shares), decide(bool((shares < 25).all()), bool((shares < 75).all())),
        f"Without any skip connection it is {without:.0f} %.",
    )


def concat_2_3(evidence: Evidence) -> Finding:
    """Concat 2 against Concat 3."""
    return _pair(evidence, "2", "3", faster=True, lower=False)


def concat_2_and_3(evidence: Evidence) -> Finding:
    """Concat 2+3 against Concat 3."""
    return _pair(evidence, "2+3", "3", faster=False, lower=True)


def full_resolution(evidence: Evidence) -> Finding:
    """SIR with and without the skip connection at full resolution."""
    change = {
        metric: (evidence.per_song(WITH_FOURTH, metric) - evidence.per_song(FULL_SKIPS, metric)).mean(axis=1)
        for metric in ("sir", "sdr", "sar")
    }
    measured = median(change["sir"])
    losses = [evidence.losses(name).min(axis=1).mean() for name in (WITH_FOURTH, FULL_SKIPS)]
    return Finding(
        *measured, decide(measured[2] < -0.5, measured[2] < 0),
        f"SDR {span(median(change['sdr']))} dB, SAR {span(median(change['sar']))} dB; lowest test loss {losses[0]:.1f} "
        f"with it and {losses[1]:.1f} without.",
    )


def sgd_gain(evidence: Evidence) -> Finding:
    """Loss on the validation songs with and without gain, relative to that of silence."""
    ends = {
        gain: 100 * evidence.losses(f"gain-{gain:g}")[:, -1] / evidence.silence("valid", gain)
        for gain in (1.0, report.GAIN)
    }
    change = ends[report.GAIN] - ends[1.0]
    others = [name for name in evidence.manifest["runs"] if name.startswith("gain-")]
    listed = ", ".join(f"{name.removeprefix('gain-')}: {_end_of_gain(evidence, name):.0f} %" for name in others)
    improves = bool((change < -1).all() and (ends[report.GAIN] < 100).all())
    return Finding(
        *spread(change), decide(improves, bool((change < 0).all())),
        f"Loss in per cent of silence, first seed, by gain: {listed}.",
    )


def overfitting(evidence: Evidence) -> Finding:
    """When the test loss of the report's training stops falling."""
    tests, trains = (evidence.losses(REPORT_RUN, column) for column in ("test_loss", "train_loss"))
    n_epochs = tests.shape[1]
    first = {percent: np.array([_first_within(losses, percent) for losses in tests]) for percent in (2.0, 1.0, 0.5)}
    after = np.array([
        100 * (1 - train[-1] / train[epoch - 1]) for train, epoch in zip(trains, first[1.0], strict=True)
    ])
    measured = float(np.median(first[1.0]))
    stopped = bool((first[1.0] <= 0.75 * n_epochs).all() and (after >= 2).all())
    updates = evidence.histories(REPORT_RUN)[0]["update"].iloc[-1] / n_epochs
    of_report = report.EPOCHS * math.ceil(report.N_CHUNKS / report.BATCH_SIZE)
    return Finding(
        measured, float(first[2.0].min()), float(first[0.5].max()), decide(stopped and 50 <= measured <= 200, stopped),
        f"The training loss falls by another {after.mean():.0f} % to epoch {n_epochs}. An epoch here has {updates:.0f} "
        f"updates; the report's 100 epochs have {of_report}: {of_report / updates:.0f} epochs of these songs.",
    )


def _pair(evidence: Evidence, one: str, other: str, *, faster: bool, lower: bool) -> Finding:
    """Whether skip connections `one` learn faster, or slower, than `other`, and end lower, or higher."""
    losses = {name: evidence.losses(f"skips-{name}") for name in (one, other)}
    third = max(1, losses[one].shape[1] // 3)
    start = losses[one][:, :third].mean(axis=1) - losses[other][:, :third].mean(axis=1)
    end = 100 * (losses[one].min(axis=1) / losses[other].min(axis=1) - 1)
    signs = (-1 if faster else 1, -1 if lower else 1)
    in_every_seed = (signs[0] * start > 0).all() and (signs[1] * end > 0).all()
    in_the_mean = signs[0] * start.mean() > 0 and signs[1] * end.mean() > 0
    mean = {name: each_loss.min(axis=1).mean() for name, each_loss in losses.items()}
    return Finding(
        *spread(end), decide(bool(in_every_seed), bool(in_the_mean)),
        f"Over the first {third} epochs the mean test loss of Concat {one} minus that of Concat {other} is "
        f"{span(spread(start))}. Lowest test loss {mean[one]:.1f} and {mean[other]:.1f}.",
    )


def _end_of_gain(evidence: Evidence, name: str) -> float:
    gain = evidence.run(name)["config"]["gain"]
    return float(100 * evidence.losses(name)[0, -1] / evidence.silence("valid", gain))


def _first_within(losses: np.ndarray, percent: float) -> int:
    """The first epoch, from 1, whose loss is within so many per cent of the lowest."""
    return int(np.flatnonzero(losses <= losses.min() * (1 + percent / 100))[0]) + 1


def lowest_losses(evidence: Evidence) -> dict[str, tuple[float, float, float]]:
    """Lowest test loss of each network of the ablation: mean over seeds, lowest, highest."""
    return {skips_title(name): spread(evidence.losses(f"skips-{name}").min(axis=1)) for name in SKIPS}




TESTS = {
    "cnn-parameters": cnn_parameters, "near-skip": near_skip, "concat-2-3": concat_2_3, "concat-2+3": concat_2_and_3,
    "full-resolution": full_resolution, "sgd-gain": sgd_gain, "overfitting": overfitting,
}
"""Claim → its test."""
