"""The stored results: plain files that anyone can read, as one object (`data/reference`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dann_lib import report
from dann_lib.errors import DannError
from dann_lib.files import reference_folder

if TYPE_CHECKING:
    import pandas as pd

MANIFEST, SCORES, MEASUREMENTS, CLAIMS = "manifest.json", "scores.csv", "measurements.csv", "claims.csv"


@dataclass(frozen=True)
class Evidence:
    """Losses, scores, measurements and provenance of a reproduction.

    Attributes:
        folder: with `manifest.json`, `scores.csv`, `measurements.csv`, `history/` and `weights/`.
    """

    folder: Path

    @staticmethod
    def stored(folder: Path | None = None) -> Evidence:
        """The results that came with the code, or those in another folder.

        Raises:
            DannError: if there are none.
        """
        evidence = Evidence(Path(folder or reference_folder()))
        missing = [name for name in (MANIFEST, SCORES, MEASUREMENTS) if not (evidence.folder / name).is_file()]
        if missing:
            raise DannError(
                f"{evidence.folder} has no {', '.join(missing)}; make them with `python -m dann_lib reproduce`"
            )
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
    def measurements(self) -> pd.DataFrame:
        """`experiment, case, song, source, quantity, unit, value`; see `measuring`."""
        import pandas as pd

        return pd.read_csv(self.folder / MEASUREMENTS, keep_default_na=False, na_values={"value": [""]},
                           float_precision="round_trip")

    def run(self, name: str) -> dict[str, Any]:
        """What the manifest says of a run: configuration, seeds, parameters, updates, provenance.

        Raises:
            DannError: if there is no such run.
        """
        runs = self.manifest["runs"]
        if name not in runs:
            raise DannError(f"{self.folder} has no run {name!r}; its runs are {', '.join(runs)}")
        return runs[name]

    def seeds(self, name: str) -> list[int]:
        """Seeds of a run."""
        return list(self.run(name)["seeds"])

    def histories(self, name: str) -> list[pd.DataFrame]:
        """Losses of a run, a table for each seed: `epoch, update, seconds, train_loss, test_loss`."""
        from dann_lib.checkpoint import load_history

        return [load_history(self.folder / "history" / f"{name}-seed{seed}.csv") for seed in self.seeds(name)]

    def losses(self, name: str, column: str = "test_loss") -> np.ndarray:
        """One loss of a run, `(seed, epoch)`."""
        return np.array([history[column].to_numpy() for history in self.histories(name)])

    def per_song(self, name: str, metric: str = "sdr", rate_hz: int = report.SAMPLE_RATE) -> pd.DataFrame:
        """Scores in dB: a row for each song, a column for each source; the mean over the seeds of a run.

        Raises:
            DannError: if there are no such scores.
        """
        labels = [name]
        if name in self.manifest["runs"]:
            labels += [f"{name}-seed{seed}" for seed in self.seeds(name) if seed]
        table = self.scores
        wanted = table[table["run"].isin(labels) & (table["metric"] == metric) & (table["rate_hz"] == rate_hz)]
        if not len(wanted):
            raise DannError(f"{self.folder / SCORES} has no {metric} of {name} at {rate_hz} Hz")
        means = wanted.groupby(["song", "source"], sort=False)["value"].mean().unstack("source")
        return means[list(report.SOURCES)]

    def values(self, experiment: str, case: str) -> pd.DataFrame:
        """The measurements of one case of an experiment."""
        table = self.measurements
        return table[(table["experiment"] == experiment) & (table["case"] == case)]

    def silence(self, subset: str, gain: float) -> float:
        """Loss (3) of empty estimates on the songs of a subset, at a gain."""
        return gain * float(self.values("silence", subset)["value"].iloc[0])
