"""From trained runs to `data/reference`: losses, weights, scores, measurements, manifest, ledger, figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dann_lib.baselines import build
from dann_lib.checkpoint import load_history
from dann_lib.errors import OutputError
from dann_lib.evaluation import write_scores
from dann_lib.files import atomic_write, output_errors
from dann_lib.network import n_parameters
from dann_lib.reproduce.evidence import MANIFEST, MEASUREMENTS, SCORES, Evidence
from dann_lib.reproduce.experiments import MAIN_RUNS, Budget, TrainingRun

if TYPE_CHECKING:
    from dann_lib.corpus import Corpus

LARGEST_BYTES = 20_000_000
"""Stored results are part of a clone, and stay below this."""


def publish(
    runs: Sequence[TrainingRun], corpus: Corpus, folder: Path, out: Path, scores: pd.DataFrame,
    measurements: pd.DataFrame, budget: Budget,
) -> Evidence:
    """Write the evidence; the ledger and the figures are made from it afterwards.

    Args:
        runs: of the plan, trained.
        corpus: the songs.
        folder: where the runs are.
        out: folder of the results; results of runs that are no longer in the plan are removed.
        scores: of `scoring.score_all`.
        measurements: of `measuring.measure`.
        budget: of the plan.

    Raises:
        OutputError: if a file cannot be written, or all together would be above 20 MB.
    """
    with output_errors(out):
        for name in ("history", "weights"):
            shutil.rmtree(out / name, ignore_errors=True)
            (out / name).mkdir(parents=True)
        for run in runs:
            shutil.copy(folder / run.file_stem / "history.csv", out / "history" / f"{run.file_stem}.csv")
            if run.label in MAIN_RUNS:
                shutil.copy(folder / run.file_stem / "weights.safetensors", out / "weights" / f"{run.name}.safetensors")
        write_scores(scores.assign(value=scores["value"].round(4)), out / SCORES)
        with atomic_write(out / MEASUREMENTS) as path:
            measurements.assign(value=[float(f"{value:.6g}") for value in measurements["value"]]).to_csv(
                path, index=False, lineterminator="\n")
        with atomic_write(out / MANIFEST) as path:
            path.write_text(json.dumps(manifest(runs, corpus, folder, budget), indent=1) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    if size > LARGEST_BYTES:
        raise OutputError(f"{out} would hold {size / 1e6:.0f} MB, more than {LARGEST_BYTES / 1e6:.0f}; keep fewer runs")
    return Evidence(out)


def manifest(runs: Sequence[TrainingRun], corpus: Corpus, folder: Path, budget: Budget) -> dict[str, Any]:
    """What the results were made from: corpus, and for each run configuration, seeds, size, provenance."""
    splits = [track.split for track in corpus.tracks]
    described: dict[str, Any] = {}
    for run in runs:
        history = load_history(folder / run.file_stem / "history.csv")
        lowest = history.loc[history["test_loss"].idxmin()]
        if run.name not in described:
            config = json.loads(run.config.to_json())
            del config["seed"]
            size = n_parameters(build(run.config.network, **run.config.network_options))
            described[run.name] = {"experiment": run.experiment, "songs": run.songs, "config": config,
                                   "parameters": size, "seeds": [], "each": []}
        described[run.name]["seeds"].append(run.config.seed)
        described[run.name]["each"].append({
            "epochs": len(history), "updates": int(history["update"].iloc[-1]),
            "wall_s": float(history["seconds"].iloc[-1]), "lowest_loss": float(lowest["test_loss"]),
            "lowest_epoch": int(lowest["epoch"]),
            **json.loads((folder / run.file_stem / "provenance.json").read_text()),
        })
    return {
        "corpus": corpus.name, "kind": corpus.kind, "fingerprint": corpus.fingerprint,
        "songs": {split: splits.count(split) for split in ("train", "valid", "test")},
        "seconds": round(sum(track.n_samples for track in corpus.tracks) / corpus.sample_rate, 1),
        "composed_songs": budget.composed,
        "runs": described,
    }
