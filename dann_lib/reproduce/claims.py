"""The claims of the report: text, experiment, measure, rule and figure of each, in one record.

A rule is made of conditions, which decide and from which its prose is written. The rules were committed before the
experiments were run (c69166e). What that commit says in words is decided here with the same limits, with one
exception: it also calls claim "8.8-khz" "same shape, other size" where a source keeps less than 10 dB, whatever the
speed, which was never computed. The stored verdicts are the same either way. That "overfitting" asks for every seed was
left open there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from dann_lib.reproduce import findings
from dann_lib.reproduce.evidence import Evidence
from dann_lib.reproduce.findings import Finding

VERDICTS = ("reproduced", "same shape, other size", "not reproduced")
"""What can become of a claim."""

COMPARISONS: dict[str, Callable[..., np.ndarray]] = {
    "above {:g}": np.greater, "below {:g}": np.less, "{:g} or more": np.greater_equal, "at most {:g}": np.less_equal,
    "between {:g} and {:g}": lambda values, low, high: (low <= values) & (values <= high),
}
"""Words → the comparison that they stand for."""

Over = Literal["", "in every seed", "in the mean over the seeds", "for each source", "for one source or more"]


class Condition(NamedTuple):
    """A comparison with one or two limits, in `words` of `COMPARISONS`; as text it is a part of a sentence.

    `over` says which seeds or sources have to meet it, the measured number alone if empty. It is a condition `of` the
    measure if empty, of both ends of its "interval", or of a quantity of the finding.
    """

    words: str
    limit: float | tuple[float, float]
    over: Over = ""
    of: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.of, self.words.format(*np.atleast_1d(self.limit)), self.over)))

    def holds(self, finding: Finding) -> bool:
        """Whether a finding meets it."""
        known = {"": finding.measured, "interval": (finding.low, finding.high), **finding.quantities}
        values = np.asarray(known[self.of or ("each" if self.over else "")])
        if self.over == "in the mean over the seeds":
            values = values.mean()
        met = COMPARISONS[self.words](values, *np.atleast_1d(self.limit))
        return bool(np.any(met) if self.over == "for one source or more" else np.all(met))


@dataclass(frozen=True)
class Claim:
    """A statement of the report that an experiment can test.

    Attributes:
        id: short name, used in tables.
        section: where the report says it.
        text: what it says, in our words.
        lesson: number of the notebook that looks at it.
        experiment: id of the experiment that tests it (`experiments.TrainingRun`, `measuring`).
        figure: name of the drawing that shows it (`drawing.DRAWINGS`); empty if none does.
        measure: the one number that decides.
        unit: of that number.
        find: what the evidence says.
        reproduced: the conditions that all hold where the claim counts as reproduced.
        same_shape: likewise for "same shape, other size"; in all other cases it is not reproduced.
    """

    id: str
    section: str
    text: str
    lesson: int
    experiment: str
    figure: str
    measure: str
    unit: str
    find: Callable[[Evidence], Finding]
    reproduced: tuple[Condition, ...]
    same_shape: tuple[Condition, ...]

    @property
    def rules(self) -> dict[str, tuple[Condition, ...]]:
        """The conditions of each verdict but the last."""
        return dict(zip(VERDICTS, (self.reproduced, self.same_shape), strict=False))

    @property
    def criteria(self) -> dict[str, str]:
        """The rule in words."""
        return {verdict: ", and ".join(map(str, conditions)) for verdict, conditions in self.rules.items()}

    @property
    def criterion(self) -> str:
        """The measure and the rule as one sentence, as in `claims.csv`."""
        rule = "; ".join(f"{verdict}: {words}" for verdict, words in self.criteria.items())
        return f"{self.measure} ({self.unit}); {rule}; else {VERDICTS[-1]}"

    def decide(self, finding: Finding) -> str:
        """The first of `VERDICTS` whose conditions a finding meets."""
        met = (verdict for verdict, rule in self.rules.items() if all(each.holds(finding) for each in rule))
        return next(met, VERDICTS[-1])


def _interval(words: str, limit: float, over: Over = "") -> Condition:
    return Condition(words, limit, over, of="interval")


_LATER = (Condition("at most {:g}", 0.75, "in every seed", findings.PLACE),
          Condition("{:g} or more", 2, "in every seed", findings.AFTERWARDS))
"""The test loss stops falling before the run ends, and the training loss does not."""

CLAIMS = (
    Claim(
        "numbers", "II.a, II.b", "The numbers of the report agree with each other.", 1, "arithmetic", "",
        "statements that follow from the others", "of 7", findings.numbers,
        (Condition("{:g} or more", 7),), (Condition("{:g} or more", 4),),
    ),
    Claim(
        "8.8-khz", "II.b", "Working at 8.8 kHz is about 5 times faster and costs little quality.", 2, "rate",
        "treatment", "time of a training step on the same music at 44.1 kHz, divided by that at 8.82 kHz", "times",
        findings.low_rate,
        (Condition("between {:g} and {:g}", (4, 6.25)), Condition("{:g} or more", 10, "for each source",
                                                                  findings.CEILING)),
        (Condition("above {:g}", 2),),
    ),
    Claim(
        "10-hz", "I.c", "The ear hears changes of 10 Hz, so the spectrogram must be that precise.", 2, "resolution",
        "resolution",
        "distance from which two equal tones show as two peaks, 3 dB apart from the dip, whatever their phases", "Hz",
        findings.ten_hertz, (Condition("at most {:g}", 10),), (Condition("at most {:g}", 20),),
    ),
    Claim(
        "cnn-parameters", "I", "A CNN reaches a feed-forward network's result with far fewer parameters.", 3,
        "networks", "networks", "SDR of DANN minus that of the feed-forward network after equal updates, median over "
        "the test songs of the mean of the sources", "dB", findings.cnn_parameters,
        (_interval("above {:g}", -0.5), Condition("at most {:g}", 0.2, of=findings.SHARE)),
        (Condition("above {:g}", -0.5), Condition("below {:g}", 1, of=findings.SHARE)),
    ),
    Claim(
        "near-skip", "I.c", "With the nearest skip connection alone (Concat 1) it cannot learn properly.", 4, "skips",
        "figure_5", "fall of the training loss below that of silence with Concat 1, as a share of that with Concat "
        "1+2+3", "%", findings.near_skip,
        (Condition("below {:g}", 25, "in every seed"),), (Condition("below {:g}", 75, "in every seed"),),
    ),
    Claim(
        "concat-2-3", "I.c", "Concat 2 learns faster than Concat 3 and ends at a higher loss.", 4, "skips", "figure_6",
        "lowest test loss with Concat 2 minus that with Concat 3, in per cent of the latter", "%",
        partial(findings.against_concat_3, name="2"),
        *((Condition("above {:g}", 0, over), Condition("below {:g}", 0, over, findings.START))
          for over in ("in every seed", "in the mean over the seeds")),
    ),
    Claim(
        "concat-2+3", "I.c", "Concat 2+3 learns more slowly than Concat 3 and ends at a lower loss.", 4, "skips",
        "figure_7", "lowest test loss with Concat 2+3 minus that with Concat 3, in per cent of the latter", "%",
        partial(findings.against_concat_3, name="2+3"),
        *((Condition("below {:g}", 0, over), Condition("above {:g}", 0, over, findings.START))
          for over in ("in every seed", "in the mean over the seeds")),
    ),
    Claim(
        "full-resolution", "I.c", "A skip connection at full resolution would bring the other instruments back.", 4,
        "skips", "skips", "SIR with Concat 1+2+3+4 minus that with Concat 1+2+3, median over the test songs of the "
        "mean of sources and seeds", "dB", findings.full_resolution,
        (_interval("below {:g}", -0.5),), (_interval("below {:g}", 0),),
    ),
    Claim(
        "sgd-gain", "II.b", "SGD at 0.0001 with momentum 0.9 trains it, and a gain improves the loss.", 5, "gains",
        "gains", "loss on the validation songs, in per cent of that of silence, with a gain of 300 minus that without "
        "gain", "points", findings.sgd_gain,
        (Condition("below {:g}", -1, "in every seed"), Condition("below {:g}", 100, "in every seed", findings.GAINED)),
        (Condition("below {:g}", 0, "in every seed"),),
    ),
    Claim(
        "overfitting", "II.c", "The test loss stops falling after about 100 epochs; the training loss goes on.", 5,
        "report", "figure_8", "first epoch whose test loss is within 1 % of the lowest, with those within 2 % and "
        "within 0.5 %", "epochs", findings.overfitting,
        (Condition("between {:g} and {:g}", (50, 200)), *_LATER), _LATER,
    ),
    Claim(
        "high-sir", "III.b", "SIR is high while SDR and SAR are low, for all three instruments.", 6, "scores",
        "figure_9", "median SIR minus median SAR of the report's training over the test songs, smallest of the three "
        "sources", "dB", findings.high_sir,
        (Condition("{:g} or more", 3, "for each source"), _interval("above {:g}", 0, "for each source")),
        (Condition("above {:g}", 0, "for each source"),),
    ),
    Claim(
        "low-sar", "III.b", "SAR is low mainly because of the pre- and post-treatment.", 6, "treatment", "treatment",
        "share of the artefacts at 44.1 kHz that resampling and STFT leave without any network, smallest of the three "
        "sources", "%", findings.low_sar,
        (Condition("above {:g}", 50, "for each source"),), (Condition("above {:g}", 50, "for one source or more"),),
    ),
    Claim(
        "few-instruments", "III.b", "The fewer instruments a song has, the better the result.", 6, "instruments",
        "instruments", "change of SDR with each instrument more, in songs that differ in nothing else by design", "dB",
        findings.few_instruments,
        (_interval("below {:g}", 0), Condition("at most {:g}", -0.25)), (_interval("below {:g}", 0),),
    ),
    Claim(
        "genre", "III.b", "Songs of the training genres are separated better, electronic music worse.", 6, "genre",
        "genre", "SDR that electronic songs lose when the training songs hold none, beyond what the other genres lose",
        "dB", findings.genre,
        (_interval("above {:g}", 0), Condition("{:g} or more", 1)), (_interval("above {:g}", 0),),
    ),
    Claim(
        "background", "III.b", "Instruments in the background come out worse.", 6, "scores", "background",
        "rank correlation of a source's level in the mixture with its SDR, smallest of the three sources", "Spearman",
        findings.background,
        (_interval("above {:g}", 0), Condition("{:g} or more", 0.5)), (_interval("above {:g}", 0),),
    ),
    Claim(
        "reverberation", "III.b", "Separate real and imaginary masks, or resampling, add reverberation.", 7,
        "reverberation", "reverberation", "sound of a source spread to where it is silent, by the two masks, minus "
        "that by the same masks with the phase kept", "dB", findings.reverberation,
        (_interval("above {:g}", 0), Condition("{:g} or more", 3)), (_interval("above {:g}", 0),),
    ),
)
"""Every claim, in the order of the lessons that look at them."""
