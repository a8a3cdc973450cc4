"""Training every run of the plan: how long that takes, several at once, each with a note of where it came from."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from dann_lib import report
from dann_lib.errors import DannError
from dann_lib.files import atomic_write
from dann_lib.reproduce import processes
from dann_lib.reproduce.experiments import Budget, TrainingRun, plan
from dann_lib.reproduce.songs import n_helpers, songs_of

if TYPE_CHECKING:
    from dann_lib.corpus import Corpus

PACKAGES = ("torch", "numpy", "accelerate", "musdb", "museval", "soxr")
"""Whose versions are noted."""

BYTES_PER_SECOND = 45_000
"""Of prepared song."""

COMPOSED_S = 11.0
"""Seconds of a composed song."""

SCORING_S = {True: 40.0, False: 2.0}
"""Seconds per excerpt of 7 s for all separators on one processor, with BSS Eval v4 and without."""


@dataclass(frozen=True)
class Machine:
    """Where the runs are trained: device and precision of `training.train`, and how many at the same time."""

    device: str | None = None
    precision: str | None = None
    jobs: int = 1

    @staticmethod
    def here(device: str | None = None, precision: str | None = None, jobs: int | None = None) -> Machine:
        """One run at a time on an accelerator; on processors, one run for each core.

        Two runs on a core each take less time than two runs one after the other on both.
        """
        from dann_lib.devices import best_device

        on_cpu = (device or best_device()) == "cpu"
        return Machine(device, precision, jobs or (cpu_count() if on_cpu else 1))


def train_all(
    runs: Sequence[TrainingRun], corpus_name: str, folder: Path, machine: Machine, n_songs: int, progress: bool
) -> None:
    """Train what is not yet trained; each run in a folder of its own below `folder`, where it goes on if interrupted.

    `n_songs` is `Budget.beyond`.

    Raises:
        DannError: if runs failed, once all others are done.
    """
    files = ("weights.safetensors", "provenance.json")
    todo = [run for run in runs if _n_epochs(folder, run) < run.config.epochs
            or not all((folder / run.file_stem / name).is_file() for name in files)]
    total, over = sum(run.config.epochs for run in runs), threading.Event()
    with tqdm(total=total, unit="epoch", desc="training", leave=False, disable=not progress) as bar:

        def watch() -> None:
            while not over.wait(1.0):  # runs are in other processes; what they have done is in their folders
                bar.update(sum(_n_epochs(folder, run) for run in runs) - bar.n)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            errors = Parallel(machine.jobs)(
                delayed(_train)(run, corpus_name, folder, machine, n_songs) for run in todo)
        finally:
            over.set()
            watcher.join()
    failed = [f"{run.file_stem}: {error}" for run, error in zip(todo, errors, strict=True) if error]
    if failed:
        raise DannError(f"{len(failed)} of {len(runs)} runs failed ({'; '.join(failed)}); the others are kept")


def _train(run: TrainingRun, corpus_name: str, folder: Path, machine: Machine, n_songs: int) -> str:
    """Train a run and note its provenance beside it; why it failed, or nothing."""
    import torch

    from dann_lib.training import train

    if machine.jobs > 1:
        torch.set_num_threads(max(1, cpu_count() // machine.jobs))
    try:
        corpus = songs_of(run.songs, corpus_name, folder / "composed", n_songs)
        train(corpus, run.config, folder / run.file_stem, device=machine.device, precision=machine.precision,
              progress=False)
        note = {**_provenance(machine), "corpus": corpus.name, "fingerprint": corpus.fingerprint,
                "songs": {split: len(corpus.select(split)) for split in (run.config.train_on, run.config.held_out)}}
        with atomic_write(folder / run.file_stem / "provenance.json") as path:
            path.write_text(json.dumps(note, indent=1) + "\n")
    except (DannError, ArithmeticError, ValueError, RuntimeError) as error:
        return str(error) or type(error).__name__
    return ""


def _n_epochs(folder: Path, run: TrainingRun) -> int:
    """Epochs that a run has behind it."""
    try:
        lines = (folder / run.file_stem / "history.csv").read_bytes().splitlines()
    except OSError:
        return 0
    return min(run.config.epochs, len(lines) - 1)


def _provenance(machine: Machine) -> dict[str, Any]:
    """What a result was made with: commit, versions, processor, device."""
    from dann_lib.devices import make_accelerator

    accelerator, facts = make_accelerator(machine.device, machine.precision), processes.machine()
    return {
        "commit": _commit(),
        "processor": ", ".join((facts["processor"], *facts["instructions"])),
        "device": accelerator.device.type,
        "precision": accelerator.mixed_precision.replace("no", "float32"),
        "processors": os.cpu_count(),
        "runs_at_once": machine.jobs,
        "machine": platform.machine(),
        "versions": {"python": platform.python_version(),
                     **{name: importlib.metadata.version(name) for name in PACKAGES}},
    }


def _commit() -> str:
    """The commit of this code, with `+changes` where files differ from it; "unknown" outside a clone."""
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True,
                              check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "..")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


@dataclass(frozen=True)
class Estimate:
    """What a reproduction takes: networks to train, epochs of all of them, hours on this machine, gigabytes of disk."""

    n_runs: int
    epochs: int
    hours: float
    gigabytes: float

    def __str__(self) -> str:
        return (f"{self.n_runs} training runs with {self.epochs} epochs together: about {self.hours:.1f} h on this "
                f"machine, {self.gigabytes:.1f} GB of disk")


def estimate(corpus: Corpus, budget: Budget, machine: Machine) -> Estimate:
    """How long everything takes from scratch, from the time of a few training steps on this machine."""
    runs = plan(budget)
    seconds = {split: sum(track.n_samples for track in corpus.select(split)) / corpus.sample_rate
               for split in ("train", "valid", "test")}
    steps = {_size(run): _seconds_per_second(machine, run) for run in runs}
    learned = 0.0
    for run in runs:
        first, held_out = _seconds_of_songs(run, seconds, budget)
        learned += run.config.epochs * steps[_size(run)] * (first + held_out / 3)  # without the way back
    scored = seconds["test"] / 7 * SCORING_S[budget.v4] / machine.jobs
    gigabytes = (sum(seconds.values()) * BYTES_PER_SECOND + len(runs) * 12e6) / 1e9
    hours = (learned / machine.jobs + scored) / 3600
    return Estimate(len(runs), sum(run.config.epochs for run in runs), hours, gigabytes)


def _seconds_of_songs(run: TrainingRun, seconds: Mapping[str, float], budget: Budget) -> tuple[float, float]:
    """Seconds of music that an epoch learns from, and of what is held out (see `songs.songs_of`)."""
    if run.songs == "corpus":
        return seconds["train"], seconds[run.config.held_out]
    if run.songs == "helped":
        return seconds["train"] + n_helpers(budget.beyond) * COMPOSED_S, seconds[run.config.held_out]
    if run.songs in ("real", "composed", "both"):
        return 3 * seconds["train"], seconds["valid"]
    if run.songs in ("all genres", "without electro"):
        return 12 * COMPOSED_S, 8 * COMPOSED_S
    return budget.beyond * COMPOSED_S, budget.beyond // 4 * COMPOSED_S


def _size(run: TrainingRun) -> str:
    """The same for networks of equal size."""
    return repr((run.config.network, run.config.network_options, run.config.sources))


def _seconds_per_second(machine: Machine, run: TrainingRun) -> float:
    """Time to learn from a second of music, with one run on its share of the machine."""
    import torch

    from dann_lib.baselines import network_of
    from dann_lib.devices import make_accelerator, memory_format
    from dann_lib.reproduce.measuring import training_step

    accelerator, threads = make_accelerator(machine.device, machine.precision), torch.get_num_threads()
    torch.set_num_threads(max(1, threads // machine.jobs))
    try:
        noise = torch.randn(2, 1 + len(run.config.sources), report.N_FRAMES * report.HOP, device=accelerator.device)
        layout = memory_format(accelerator.mixed_precision, learning=True)
        step = training_step(network_of(run.config).to(accelerator.device), noise, accelerator.autocast, layout=layout)
        fastest = min(step() for _ in range(3))
    finally:
        torch.set_num_threads(threads)
    return fastest / (len(noise) * noise.shape[-1] / report.SAMPLE_RATE)
