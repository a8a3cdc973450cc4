"""How long a reproduction takes, and how much disk, before it starts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dann_lib import report
from dann_lib.reproduce.experiments import Budget, plan
from dann_lib.reproduce.learning import Machine

if TYPE_CHECKING:
    from dann_lib.corpus import Corpus

BYTES_PER_SECOND = 45_000
"""Of prepared song."""

SCORING_S = {True: 40.0, False: 2.0}
"""Seconds per excerpt of 7 s for all separators on one processor, with BSS Eval v4 and without."""


@dataclass(frozen=True)
class Estimate:
    """What a reproduction takes.

    Attributes:
        n_runs: networks to train.
        epochs: of all of them.
        hours: from now to the end, on this machine.
        gigabytes: of disk.
    """

    n_runs: int
    epochs: int
    hours: float
    gigabytes: float

    def __str__(self) -> str:
        return (f"{self.n_runs} training runs with {self.epochs} epochs together: about {self.hours:.1f} h on this "
                f"machine, {self.gigabytes:.1f} GB of disk")


def estimate(corpus: Corpus, budget: Budget, machine: Machine) -> Estimate:
    """How long everything takes from scratch, from the time of a few training steps on this machine.

    Args:
        corpus: the songs.
        budget: how long each run learns.
        machine: where it is trained.
    """
    runs = plan(budget)
    seconds = {split: sum(track.n_samples for track in corpus.select(split)) / corpus.sample_rate
               for split in ("train", "valid", "test")}
    learned = sum(
        run.config.epochs * (seconds["train"] + seconds[run.config.held_out] / 3)
        for run in runs if run.songs == "corpus"
    )
    scored = seconds["test"] / 7 * SCORING_S[budget.v4] / machine.jobs
    hours = (learned * seconds_per_second(machine) / machine.jobs + scored) / 3600
    gigabytes = (sum(seconds.values()) * BYTES_PER_SECOND + len(runs) * 12e6) / 1e9
    return Estimate(len(runs), sum(run.config.epochs for run in runs), hours, gigabytes)


def seconds_per_second(machine: Machine) -> float:
    """Time to learn from a second of music, with one run on its share of the machine."""
    import torch

    from dann_lib import spectrogram
    from dann_lib.baselines import build
    from dann_lib.devices import make_accelerator

    accelerator = make_accelerator(machine.device, machine.precision)
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // machine.jobs))
    try:
        network = build("dann").to(accelerator.device, memory_format=torch.channels_last).train()
        noise = torch.randn(2, report.N_FRAMES * report.HOP + report.HOP, device=accelerator.device)
        planes = spectrogram.frames(noise)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            with accelerator.autocast():
                loss = network(planes.contiguous(memory_format=torch.channels_last)).abs().mean()
            loss.backward()
            loss.item()
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return min(times) / (2 * report.N_FRAMES * report.HOP / report.SAMPLE_RATE)
