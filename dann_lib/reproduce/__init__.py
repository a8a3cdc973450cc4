"""The reproduction: every experiment of the report, its evidence, and the verdict on every claim.

`reproduce` trains, scores and measures what `plan` lists, goes on where it was interrupted, and
writes plain files; `Evidence` reads them, `ledger` draws the verdicts from them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dann_lib.files import data_folder, reference_folder, replace_between
from dann_lib.reproduce.evidence import Evidence, publish
from dann_lib.reproduce.experiments import Budget, TrainingRun, budget_for, plan

if TYPE_CHECKING:
    from dann_lib.corpus import Corpus
    from dann_lib.reproduce.learning import Machine

__all__ = ["Budget", "Evidence", "TrainingRun", "budget_for", "default_folder", "plan", "reproduce"]


def default_folder(corpus: Corpus) -> Path:
    """Where the results of a corpus go: `data/reference` for the excerpts, else `data/reproduced/NAME`."""
    return reference_folder() if corpus.name == "musdb18-7" else data_folder() / "reproduced" / corpus.name


def reproduce(
    corpus_name: str, out: Path | None = None, *, machine: Machine | None = None, budget: Budget | None = None,
    runs_folder: Path | None = None, progress: bool = True,
) -> Evidence:
    """Train, score and measure everything, and write the evidence, the ledger and the figures.

    It can be stopped at any time: trained epochs and scored songs are kept, and are not done again.

    Args:
        corpus_name: name or path of the corpus.
        out: folder of the results; `default_folder` if `None`.
        machine: device, precision and runs at the same time; what is here if `None`.
        budget: how long each run learns; by the corpus if `None`.
        runs_folder: where runs and scored songs are kept; in `data/runs/reproduce` if `None`.
        progress: show bars.

    Raises:
        CorpusError: if the corpus cannot be opened.
        OutputError: if a folder cannot be written.
    """
    from dann_lib.corpus import open_corpus
    from dann_lib.reproduce import drawing, ladder, ledger, measuring, scoring
    from dann_lib.reproduce.learning import Machine, train_all
    from dann_lib.separation import Separator

    corpus = open_corpus(corpus_name, progress=progress)
    machine = machine or Machine.here()
    budget = budget or budget_for(corpus.kind, sum(track.seconds for track in corpus.tracks) / 3600)
    folder, runs = runs_folder or data_folder() / "runs" / "reproduce" / corpus.name, plan(budget)
    train_all(runs, corpus_name, folder, machine, budget.beyond, progress)
    scores = scoring.score_all(runs, corpus, folder, budget, progress)
    masks = Separator.load(folder / f"{scoring.MODERN_RUN}-seed0" / "weights.safetensors", "cpu", "float32")
    measurements = measuring.measure(corpus, masks, budget.dann, progress)
    out = Path(out or default_folder(corpus))
    evidence = publish(runs, corpus, folder, out, scores, measurements, budget)
    outcomes = ledger.ledger(evidence)
    ledger.write_claims(outcomes, out)
    if out == reference_folder():
        readme = out.parents[1] / "README.md"
        replace_between(readme, ledger.MARKS, ledger.markdown(outcomes, "data/reference"))
        replace_between(readme, ladder.MARKS, ladder.markdown(evidence))
    drawing.draw_all(evidence)
    return evidence
