"""Training every run of the plan: several at once, resumable, each with a note of where it came from."""

from __future__ import annotations

import importlib.metadata
import json
import multiprocessing
import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joblib import cpu_count
from tqdm.auto import tqdm

from dann_lib.errors import DannError
from dann_lib.files import atomic_write
from dann_lib.reproduce.experiments import Songs, TrainingRun

if TYPE_CHECKING:
    from dann_lib.corpus import Corpus

PACKAGES = ("torch", "numpy", "accelerate", "musdb", "museval", "soxr")
"""Whose versions are noted."""


@dataclass(frozen=True)
class Machine:
    """Where the runs are trained.

    Attributes:
        device: as of `training.train`; chosen by itself if `None`.
        precision: likewise.
        jobs: runs at the same time, which share the processors.
    """

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


def train_all(runs: Sequence[TrainingRun], corpus_name: str, folder: Path, machine: Machine, progress: bool) -> None:
    """Train what is not yet trained; each run in a folder of its own, where it goes on if it was interrupted.

    Args:
        runs: of the plan.
        corpus_name: name or path of the corpus.
        folder: holds a folder for each run.
        machine: where.
        progress: show a bar over all epochs of all runs.

    Raises:
        DannError: if runs failed, once all others are done.
    """
    todo = [run for run in runs if n_epochs(folder, run) < run.config.epochs or not is_finished(folder, run)]
    failed: dict[str, Exception] = {}
    with tqdm(total=sum(run.config.epochs for run in runs), unit="epoch", desc="training", leave=False,
              disable=not progress) as bar:
        for run, error in _train_some(todo, corpus_name, folder, machine):
            bar.update(sum(n_epochs(folder, each) for each in runs) - bar.n)
            if run and error:
                failed[run.file_stem] = error
    if failed:
        reasons = "; ".join(f"{name}: {error}" for name, error in failed.items())
        raise DannError(f"{len(failed)} of {len(runs)} runs failed ({reasons}); the others are kept")


def _train_some(
    runs: Sequence[TrainingRun], corpus_name: str, folder: Path, machine: Machine
) -> Iterator[tuple[TrainingRun | None, Exception | None]]:
    """Train runs; yields each with its error when it ends, and now and then nothing, so that a bar can move."""
    if machine.jobs == 1:
        for run in runs:
            yield run, _error(lambda run=run: train_one(run, corpus_name, folder, machine))
        return
    with ProcessPoolExecutor(machine.jobs, multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(train_one, run, corpus_name, folder, machine): run for run in runs}
        try:
            while waiting:
                done, _ = wait(waiting, timeout=1.0)
                for future in done:
                    yield waiting.pop(future), _error(future.result)
                yield None, None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _error(work: Callable[[], object]) -> Exception | None:
    try:
        work()
    except (DannError, ArithmeticError, ValueError, RuntimeError) as error:
        return error
    return None


def train_one(run: TrainingRun, corpus_name: str, folder: Path, machine: Machine) -> None:
    """Train a run and note its provenance beside it."""
    import torch

    from dann_lib.corpus import open_corpus
    from dann_lib.training import train

    if machine.jobs > 1:
        torch.set_num_threads(max(1, cpu_count() // machine.jobs))
    corpus = part_of(open_corpus(corpus_name if run.songs == "corpus" else "synthetic", progress=False), run.songs)
    train(corpus, run.config, folder / run.file_stem, device=machine.device, precision=machine.precision,
          progress=False)
    note = {**provenance(machine), "corpus": corpus.name, "fingerprint": corpus.fingerprint,
            "songs": {split: len(corpus.select(split)) for split in (run.config.train_on, run.config.held_out)}}
    with atomic_write(folder / run.file_stem / "provenance.json") as path:
        path.write_text(json.dumps(note, indent=1) + "\n")


def part_of(corpus: Corpus, songs: Songs) -> Corpus:
    """The songs that a controlled run learns from: twelve of the embedded corpus, the same numbers of instruments.

    "all genres" has three training songs of each genre, "without electro" four of each of the other
    three; validation songs are learned from too, so that twelve are left. "corpus" is everything.
    """
    if songs == "corpus":
        return corpus
    left_out = {"rock": 4, "pop": 5, "metal": 7, "electro": 8}
    learned = [track for track in corpus.tracks if track.split != "test"]
    if songs == "without electro":
        chosen = [track for track in learned if track.metadata["genre"] != "electro"]
    else:
        chosen = [track for track in learned
                  if track.metadata["n_instruments"] != left_out[track.metadata["genre"]]]
    tracks = tuple(replace(track, split="train") for track in chosen) + corpus.select("test")
    fingerprint = sha256(" ".join((corpus.fingerprint, *(track.name for track in tracks))).encode()).hexdigest()
    return replace(corpus, tracks=tracks, fingerprint=fingerprint[: len(corpus.fingerprint)])


def n_epochs(folder: Path, run: TrainingRun) -> int:
    """Epochs that a run has behind it."""
    history = folder / run.file_stem / "history.csv"
    try:
        return min(run.config.epochs, len(history.read_bytes().splitlines()) - 1)
    except OSError:
        return 0


def is_finished(folder: Path, run: TrainingRun) -> bool:
    """Whether weights, history and provenance of a run are there."""
    names = ("weights.safetensors", "history.csv", "provenance.json")
    return all((folder / run.file_stem / name).is_file() for name in names)


def provenance(machine: Machine) -> dict[str, Any]:
    """What a result was made with: commit, versions, processor, device."""
    from dann_lib.devices import make_accelerator

    accelerator = make_accelerator(machine.device, machine.precision)
    return {
        "commit": commit(),
        "device": accelerator.device.type,
        "precision": accelerator.mixed_precision.replace("no", "float32"),
        "processors": os.cpu_count(),
        "runs_at_once": machine.jobs,
        "machine": platform.machine(),
        "versions": {"python": platform.python_version(),
                     **{name: importlib.metadata.version(name) for name in PACKAGES}},
    }


def commit() -> str:
    """The commit of this code, with `+changes` where files differ from it; "unknown" outside a clone."""
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True,
                              check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "..")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
