"""Scores: SDR, SIR and SAR of the report, BSS Eval v4, oracles, tables and intervals (report, III).

`evaluate` makes the table of scores per song, `summarise` the medians with their intervals, `gap_closed`
the share of the way from the mixture to the ideal ratio mask. Importing this loads neither museval nor
pandas.
"""

from dann_lib.evaluation.bss_eval import bss_eval_v4, with_other
from dann_lib.evaluation.oracles import oracles, rate_ceiling
from dann_lib.evaluation.projection import Components, Ratios, decompose, sdr_sir_sar
from dann_lib.evaluation.scores import METRICS, evaluate
from dann_lib.evaluation.store import COLUMNS, read_scores, run_names, write_scores
from dann_lib.evaluation.summary import as_text, gap_closed, interval, shares, summarise
from dann_lib.evaluation.waveforms import Separator, load_signals

__all__ = [
    "COLUMNS", "METRICS", "Components", "Ratios", "Separator", "as_text", "bss_eval_v4", "decompose",
    "evaluate", "gap_closed", "interval", "load_signals", "oracles", "rate_ceiling", "read_scores", "run_names",
    "sdr_sir_sar", "shares", "summarise", "with_other", "write_scores",
]
