"""The stored results, written and read: plain files as one object (`data/reference`)."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dann_lib import report
from dann_lib.errors import DannError, OutputError
from dann_lib.files import atomic_write, output_errors, reference_folder
from dann_lib.reproduce.experiments import MAIN_RUNS, Budget, TrainingRun

if TYPE_CHECKING:
    import pandas as pd

    from dann_lib.corpus import Corpus

MANIFEST, SCORES, MEASUREMENTS, CLAIMS_FILE = "manifest.json", "scores.csv", "measurements.csv", "claims.csv"
TRIALS_FILE = "trials.csv"

LARGEST_BYTES = 20_000_000
"""Stored results are part of a clone, and stay below this."""


@dataclass(frozen=True)
class Evidence:
    """Losses, scores, measurements and provenance of a reproduction.

    Attributes:
        folder: with `manifest.json`, `scores.csv`, `measurements.csv`, `history/` and `weights/`.
        seen: what was looked at: places such as `scores.csv#L2-L451`, and the run or experiment of each.
    """

    folder: Path
    seen: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @staticmethod
    def stored(folder: Path | None = None) -> Evidence:
        """The results that came with the code, or those in another folder.

        Raises:
            DannError: if there are none.
        """
        evidence = Evidence(Path(folder or reference_folder()))
        missing = [name for name in (MANIFEST, SCORES, MEASUREMENTS) if not (evidence.folder / name).is_file()]
        if missing:
            found = f"{evidence.folder} has no {', '.join(missing)}"
            raise DannError(f"{found}; make them with `python -m dann_lib reproduce`")
        return evidence

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Corpus, runs, versions, commit, device, times."""
        return json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))

    @cached_property
    def scores(self) -> pd.DataFrame:
        """`run, song, source, rate_hz, metric, value`."""
        from dann_lib.evaluation import read_scores

        return read_scores(self.folder / SCORES)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The same of what was tried and left out (`ladder.TRIALS`); part of the results that came with the code."""
        from dann_lib.evaluation import read_scores

        return read_scores(self.folder / TRIALS_FILE)

    @cached_property
    def measurements(self) -> pd.DataFrame:
        """`experiment, case, song, source, quantity, unit, value`; see `measuring`."""
        import pandas as pd

        return pd.read_csv(self.folder / MEASUREMENTS, keep_default_na=False, na_values={"value": [""]})

    def run(self, name: str) -> dict[str, Any]:
        """What the manifest says of a run: configuration, seeds, parameters, updates, provenance.

        Raises:
            DannError: if there is no such run.
        """
        runs = self.manifest["runs"]
        if name not in runs:
            raise DannError(f"{self.folder} has no run {name!r}; its runs are {', '.join(runs)}")
        return runs[name]

    def histories(self, name: str) -> list[pd.DataFrame]:
        """Losses of a run, a table for each seed: `epoch, update, seconds, train_loss, test_loss`."""
        from dann_lib.checkpoint import load_history

        stems = [f"{name}-seed{seed}" for seed in self.run(name)["seeds"]]
        self.seen.update({f"history/{stem}.csv": stem for stem in stems})
        return [load_history(self.folder / "history" / f"{stem}.csv") for stem in stems]

    def losses(self, name: str, column: str = "test_loss") -> np.ndarray:
        """One loss of a run, `(seed, epoch)`."""
        return np.array([history[column].to_numpy() for history in self.histories(name)])

    def per_song(self, name: str, metric: str = "sdr", rate_hz: int = report.SAMPLE_RATE) -> pd.DataFrame:
        """Scores in dB: a row for each song, a column for each source; the mean over the seeds of a run.

        Raises:
            DannError: if there are no such scores.
        """
        scores = self.trials if name.startswith("trial-") else self.scores
        table = scores[scores["run"].str.fullmatch(rf"{re.escape(name)}(-seed\d+)?")]
        table = table[table["rate_hz"] == rate_hz]
        wanted = table[table["metric"] == metric]
        if not len(wanted):
            raise DannError(f"{self.folder / SCORES} has no {metric} of {name} at {rate_hz} Hz")
        for label, rows in table.groupby("run", sort=False):
            self._see(SCORES, rows, label)
        means = wanted.groupby(["song", "source"], sort=False)["value"].mean().unstack("source")
        return means[list(wanted["source"].unique())]

    def values(self, experiment: str, case: str = "", index: str = "source") -> pd.Series:
        """The measured values of an experiment, or of one of its cases, by a column of `measurements`."""
        chosen = self.measurements["experiment"] == experiment
        self._see(MEASUREMENTS, self.measurements[chosen], experiment)
        if case:
            chosen &= self.measurements["case"] == case
        return self.measurements[chosen].set_index(index)["value"]

    def _see(self, file: str, rows: pd.DataFrame, name: str) -> None:
        self.seen[f"{file}#L{rows.index.min() + 2}-L{rows.index.max() + 2}"] = name  # the first line has the titles

    def cost(self) -> str:
        """What the runs took that were looked at: updates, minutes, and the processor; empty if there was none."""
        names = set(self.seen.values())
        each = [one for run, known in self.manifest["runs"].items()
                for seed, one in zip(known["seeds"], known["each"], strict=True)
                if names & {f"{run}-seed{seed}", run if seed == 0 else ""}]
        if not each:
            return ""
        machines = sorted({f"{one.get('processor', one['machine'])}, {one['precision']}" for one in each})
        updates, minutes = sum(one["updates"] for one in each), sum(one["wall_s"] for one in each) / 60
        return (f"{len(each)} {'run' if len(each) == 1 else 'runs'}, {updates} updates, {minutes:.0f} min on "
                f"{' and '.join(machines)}")

    def silence(self, subset: str, gain: float) -> float:
        """Loss (3) of empty estimates on the songs of a subset, at a gain."""
        return gain * float(self.values("silence", subset).iloc[0])


def publish(
    runs: Sequence[TrainingRun], corpus: Corpus, folder: Path, out: Path, scores: pd.DataFrame,
    measurements: pd.DataFrame, budget: Budget,
) -> Evidence:
    """Write losses, weights, scores, measurements and manifest; ledger and figures are made from them afterwards.

    Args:
        runs: of the plan of `budget`, trained on `corpus`.
        corpus: the songs.
        folder: where the runs are.
        out: folder of the results; results of runs that are no longer in the plan are removed.
        scores: of `scoring.score_all`.
        measurements: of `measuring.measure`.
        budget: of the plan.

    Raises:
        OutputError: if a file cannot be written, or all together would be above 20 MB.
    """
    from dann_lib.evaluation import write_scores

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
            measurements.assign(value=[float(f"{value:.6g}") for value in measurements["value"]]).sort_values(
                "experiment", kind="stable").to_csv(path, index=False, lineterminator="\n")
        with atomic_write(out / MANIFEST) as path:
            path.write_text(json.dumps(_manifest(runs, corpus, folder, budget), indent=1) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    if size > LARGEST_BYTES:
        raise OutputError(f"{out} would hold {size / 1e6:.0f} MB, more than {LARGEST_BYTES / 1e6:.0f}; keep fewer runs")
    return Evidence(out)


def _manifest(runs: Sequence[TrainingRun], corpus: Corpus, folder: Path, budget: Budget) -> dict[str, Any]:
    """What the results were made from: corpus, and for each run configuration, seeds, size, provenance."""
    from dann_lib.baselines import network_of  # torch, which those who read the evidence need not wait for
    from dann_lib.checkpoint import load_history
    from dann_lib.network import n_parameters

    described: dict[str, Any] = {}
    for run in runs:
        history = load_history(folder / run.file_stem / "history.csv")
        lowest = history.loc[history["test_loss"].idxmin()]
        if run.name not in described:
            config = json.loads(run.config.to_json())
            del config["seed"]
            size = n_parameters(network_of(run.config))
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
        "songs": {split: len(corpus.select(split)) for split in ("train", "valid", "test")},
        "seconds": round(sum(track.n_samples for track in corpus.tracks) / corpus.sample_rate, 1),
        "composed_songs": budget.composed,
        "runs": described,
    }
