"""The claims of the report: text, experiment, measure, rule, words and figure of each, in one record.

A rule is made of conditions, which decide and from which its prose is written. The first rules were committed before
the experiments were run (c69166e); what that commit says in words is decided here with the same limits, with one
exception: it also calls claim "8.8-khz" "same shape, other size" where a source keeps less than 10 dB, whatever the
speed, which was never computed. That "overfitting" asks for every seed was left open there.

Some first rules turned out weak: an effect of any size counted, "faster" did not say when, and arithmetic got a verdict
made for experiments. These have a second rule, with words for every outcome, committed before the next runs; of the
runs before it knew the outcome. The claim says what changed and why, and the ledger has the verdicts of both rules.
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
"""What can become of a claim that an experiment tests."""

SUMS = ("adds up", "adds up in part", "does not add up")
"""What can become of one that is simply arithmetic."""

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


class Rule(NamedTuple):
    """The conditions of the first of three verdicts, those of the second, and what the three are called."""

    reproduced: tuple[Condition, ...]
    same_shape: tuple[Condition, ...]
    verdicts: tuple[str, str, str] = VERDICTS

    @property
    def criteria(self) -> dict[str, str]:
        """The rule in words, for each verdict but the last."""
        return {verdict: ", and ".join(map(str, each)) for verdict, each in zip(self.verdicts, self[:2], strict=False)}

    def __str__(self) -> str:
        parts = "; ".join(f"{verdict}: {words}" for verdict, words in self.criteria.items())
        return f"{parts}; else {self.verdicts[-1]}"

    def decide(self, finding: Finding) -> str:
        """The first of the verdicts whose conditions a finding meets."""
        met = (verdict for verdict, each in zip(self.verdicts, self[:2], strict=False)
               if all(condition.holds(finding) for condition in each))
        return next(met, self.verdicts[-1])


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
        rule: decides.
        words: what each verdict of the rule means here, a sentence each.
        first: the rule before this one; `None` if it is the first.
        changed: what is different in the rule, and why.
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
    rule: Rule
    words: tuple[str, str, str]
    first: Rule | None = None
    changed: str = ""

    @property
    def criterion(self) -> str:
        """The measure and the rule as one sentence, as in `claims.csv`."""
        return f"{self.measure} ({self.unit}); {self.rule}"

    def says(self, verdict: str) -> str:
        """What a verdict means here."""
        return self.words[self.rule.verdicts.index(verdict)]


def _interval(words: str, limit: float, over: Over = "") -> Condition:
    return Condition(words, limit, over, of="interval")


def _effect(words: str, relevant: float, reproduced: float) -> Rule:
    """Of a difference with an interval: all of the interval on one side of nothing, and a size in units of the claim.

    Below the `relevant` size an effect does not count, however sure it is.
    """
    size = {"above {:g}": "{:g} or more", "below {:g}": "at most {:g}"}[words]
    first, second = ((_interval(words, 0), Condition(size, limit)) for limit in (reproduced, relevant))
    return Rule(first, second)


def _against_concat_3(start: str, end: str, limit: float) -> Rule:
    """Ahead or behind at first, above or below at the end, by a limit in per cent; in every seed, or in the mean."""
    both = tuple((Condition(end, limit if end.startswith("above") else -limit, over),
                  Condition(start, limit if start.startswith("above") else -limit, over, findings.START))
                 for over in ("in every seed", "in the mean over the seeds"))
    return Rule(*both)


_LATER = (Condition("at most {:g}", 0.75, "in every seed", findings.PLACE),
          Condition("{:g} or more", 2, "in every seed", findings.AFTERWARDS))
_PLATEAU = (Condition("at most {:g}", 1, "in every seed"),
            Condition("{:g} or more", 2, "in every seed", findings.TRAINING_FALL))
"""The test loss stops falling before the run ends, and the training loss does not: the first rule, and the second."""

_ANY_SIZE = "The first rule counted an effect of any size; now one below {} does not count."
_AHEAD = ("The first rule counted a difference of any size, so that the third decimal of a loss could decide; now "
          "one of less than 1 % does not count.")

CLAIMS = (
    Claim(
        "numbers", "II.a, II.b", "The numbers of the report agree with each other.", 1, "arithmetic", "",
        "statements that follow from the others", "of 7", findings.numbers,
        Rule((Condition("{:g} or more", 7),), (Condition("{:g} or more", 4),), SUMS),
        ("Each statement follows from the others.", "Some statements contradict the others; most do not.",
         "Most statements contradict the others."),
        first=Rule((Condition("{:g} or more", 7),), (Condition("{:g} or more", 4),)),
        changed="Same limits, other words: this is arithmetic, and no experiment that could have another shape or "
                "size.",
    ),
    Claim(
        "8.8-khz", "II.b", "Working at 8.8 kHz is about 5 times faster and costs little quality.", 2, "rate",
        "treatment", "time of a training step on the same music at 44.1 kHz, divided by that at 8.82 kHz", "times",
        findings.low_rate,
        Rule((Condition("between {:g} and {:g}", (4, 6.25)),
              Condition("{:g} or more", 10, "for each source", findings.CEILING)), (Condition("above {:g}", 2),)),
        ("A step is about 5 times faster, and the true sources come through that rate with 10 dB or more.",
         "A step is more than twice as fast, but not about 5 times, or some source keeps less than 10 dB.",
         "A step is at most twice as fast."),
    ),
    Claim(
        "10-hz", "I.c", "The ear hears changes of 10 Hz, so the spectrogram must be that precise.", 2, "resolution",
        "resolution",
        "distance from which two equal tones show as two peaks, 3 dB apart from the dip, whatever their phases", "Hz",
        findings.ten_hertz, Rule((Condition("at most {:g}", 10),), (Condition("at most {:g}", 20),)),
        ("The spectrogram tells tones apart that are 10 Hz from each other; what the ear hears is not tested.",
         "The spectrogram needs more than 10 Hz, and at most twice that; what the ear hears is not tested.",
         "The spectrogram needs more than 20 Hz; what the ear hears is not tested."),
    ),
    Claim(
        "cnn-parameters", "I", "A CNN reaches a feed-forward network's result with far fewer parameters.", 3,
        "networks", "networks", "SDR of DANN minus that of the feed-forward network after equal updates, median over "
        "the test songs of the mean of sources and seeds", "dB", findings.cnn_parameters,
        Rule((_interval("above {:g}", -0.5), Condition("at most {:g}", 0.2, of=findings.SHARE)),
             (Condition("above {:g}", -0.5), Condition("below {:g}", 1, of=findings.SHARE))),
        ("DANN is not worse by 0.5 dB, with a fifth of the parameters or less.",
         "DANN is hardly worse, but that is not sure to 0.5 dB, or it has more than a fifth of the parameters.",
         "DANN is worse by 0.5 dB or more, or has as many parameters."),
    ),
    Claim(
        "near-skip", "I.c", "With the nearest skip connection alone (Concat 1) it cannot learn properly.", 4, "skips",
        "figure_5", "fall of the training loss below that of silence with Concat 1, as a share of that with Concat "
        "1+2+3", "%", findings.near_skip,
        Rule((Condition("below {:g}", 25, "in every seed"),), (Condition("below {:g}", 75, "in every seed"),)),
        ("Concat 1 goes less than a quarter of the way of the whole network, in every seed.",
         "Concat 1 learns, but goes less than three quarters of the way of the whole network, in every seed.",
         "Concat 1 goes three quarters of the way of the whole network or more, in one seed at least."),
    ),
    Claim(
        "concat-2-3", "I.c", "Concat 2 learns faster than Concat 3 and ends at a higher loss.", 4, "skips", "figure_6",
        "lowest test loss with Concat 2 minus that with Concat 3, in per cent of the latter", "%",
        partial(findings.against_concat_3, name="2"), _against_concat_3("below {:g}", "above {:g}", 1),
        ("Concat 2 is ahead of Concat 3 over the first third and ends above it, by more than 1 %, in every seed.",
         "Concat 2 is ahead of Concat 3 over the first third and ends above it by more than 1 %, in the mean, but "
         "not in every seed.",
         "It is not so that Concat 2 is ahead over the first third and ends above Concat 3, by more than 1 % in "
         "the mean."),
        first=_against_concat_3("below {:g}", "above {:g}", 0), changed=_AHEAD,
    ),
    Claim(
        "concat-2+3", "I.c", "Concat 2+3 learns more slowly than Concat 3 and ends at a lower loss.", 4, "skips",
        "figure_7", "lowest test loss with Concat 2+3 minus that with Concat 3, in per cent of the latter", "%",
        partial(findings.against_concat_3, name="2+3"), _against_concat_3("above {:g}", "below {:g}", 1),
        ("Concat 2+3 is behind Concat 3 over the first third and ends below it, by more than 1 %, in every seed.",
         "Concat 2+3 is behind Concat 3 over the first third and ends below it by more than 1 %, in the mean, but "
         "not in every seed.",
         "It is not so that Concat 2+3 is behind over the first third and ends below Concat 3, by more than 1 % in the "
         "mean."),
        first=_against_concat_3("above {:g}", "below {:g}", 0), changed=_AHEAD,
    ),
    Claim(
        "full-resolution", "I.c", "A skip connection at full resolution would bring the other instruments back.", 4,
        "skips", "skips", "SIR with Concat 1+2+3+4 minus that with Concat 1+2+3, median over the test songs of the "
        "mean of sources and seeds", "dB", findings.full_resolution,
        Rule((_interval("below {:g}", -0.5),), (_interval("below {:g}", 0), Condition("at most {:g}", -0.2))),
        ("With it, more of the other instruments is left, by more than 0.5 dB of SIR.",
         "With it, more of the other instruments is left, but that it is more than 0.5 dB of SIR is not sure.",
         "That it leaves more of the other instruments is not sure, or it is less than 0.2 dB of SIR."),
        first=Rule((_interval("below {:g}", -0.5),), (_interval("below {:g}", 0),)), changed=_ANY_SIZE.format("0.2 dB"),
    ),
    Claim(
        "sgd-gain", "II.b", "SGD at 0.0001 with momentum 0.9 trains it, and a gain improves the loss.", 5, "gains",
        "gains", "loss on the validation songs, in per cent of that of silence, with a gain of 300 minus that without "
        "gain", "points", findings.sgd_gain,
        Rule((Condition("below {:g}", -1, "in every seed"),
              Condition("below {:g}", 100, "in every seed", findings.GAINED)),
             (Condition("below {:g}", -1, "in the mean over the seeds"),)),
        ("With the gain it learns more than silence, and ends lower than without, by more than 1 point in every seed.",
         "With the gain it ends lower than without by more than 1 point in the mean, but not in every seed, or not "
         "below the loss of silence.",
         "The gain does not lower the loss by more than 1 point in the mean."),
        first=Rule((Condition("below {:g}", -1, "in every seed"),
                    Condition("below {:g}", 100, "in every seed", findings.GAINED)),
                   (Condition("below {:g}", 0, "in every seed"),)), changed=_ANY_SIZE.format("1 point"),
    ),
    Claim(
        "overfitting", "II.c", "The test loss stops falling after about 100 epochs; the training loss goes on.", 5,
        "report", "figure_8", "fall of the test loss from its mean over the second third of the run to that over the "
        "last, in per cent", "%", findings.overfitting,
        Rule((*_PLATEAU, Condition("between {:g} and {:g}", (50, 200), of=findings.BEGINNING)), _PLATEAU),
        ("In every seed the test loss falls by at most 1 % from the second third of the run to the last, the "
         "training loss by 2 % or more; and this plateau begins between epoch 50 and 200, whatever counts as level.",
         "In every seed the test loss falls by at most 1 % from the second third of the run to the last, the "
         "training loss by 2 % or more; but when this plateau begins depends on what counts as level, or it is not "
         "near epoch 100.",
         "In one seed at least, the test loss falls by more than 1 % from the second third of the run to the last, "
         "or the training loss by less than 2 %."),
        first=Rule((Condition("between {:g} and {:g}", (50, 200), of=findings.FIRST_NEAR), *_LATER), _LATER),
        changed="The first rule took the first epoch near the lowest loss for the end of the fall. That epoch "
                "moves by a factor of three with what counts as near; now thirds of the run are compared.",
    ),
    Claim(
        "high-sir", "III.b", "SIR is high while SDR and SAR are low, for all three instruments.", 6, "scores",
        "figure_9", "median SIR minus median SAR of the report's training over the test songs, mean of the seeds, "
        "smallest of the three sources", "dB", findings.high_sir,
        Rule((Condition("{:g} or more", 3, "for each source"), _interval("above {:g}", 0, "for each source")),
             (Condition("{:g} or more", 0.5, "for each source"),)),
        ("SIR is above SAR by 3 dB or more for each instrument.",
         "SIR is above SAR for each instrument, by less than 3 dB for one at least, or not surely.",
         "SIR is not above SAR by 0.5 dB for one instrument at least."),
        first=Rule((Condition("{:g} or more", 3, "for each source"), _interval("above {:g}", 0, "for each source")),
                   (Condition("above {:g}", 0, "for each source"),)), changed=_ANY_SIZE.format("0.5 dB"),
    ),
    Claim(
        "low-sar", "III.b", "SAR is low mainly because of the pre- and post-treatment.", 6, "treatment", "treatment",
        "share of the artefacts at 44.1 kHz that resampling and STFT leave without any network, smallest of the three "
        "sources", "%", findings.low_sar,
        Rule((Condition("above {:g}", 50, "for each source"),),
             (Condition("above {:g}", 50, "for one source or more"),)),
        ("The treatment makes more than half of the artefacts, for each source.",
         "The treatment makes more than half of the artefacts, but not for each source.",
         "The network makes half of the artefacts or more, for each source."),
    ),
    Claim(
        "few-instruments", "III.b", "The fewer instruments a song has, the better the result.", 6, "instruments",
        "instruments", "change of SDR with each instrument more, in songs that differ in nothing else by design", "dB",
        findings.few_instruments, _effect("below {:g}", relevant=-0.1, reproduced=-0.25),
        ("Each instrument more costs 0.25 dB or more.", "Each instrument more costs something, but less than 0.25 dB.",
         "That an instrument more costs anything is not sure, or it is less than 0.1 dB."),
        first=Rule((_interval("below {:g}", 0), Condition("at most {:g}", -0.25)), (_interval("below {:g}", 0),)),
        changed=_ANY_SIZE.format("0.1 dB"),
    ),
    Claim(
        "genre", "III.b", "Songs of the training genres are separated better, electronic music worse.", 6, "genre",
        "genre", "SDR that electronic songs lose when the training songs hold none, beyond what the other genres lose",
        "dB", findings.genre, _effect("above {:g}", relevant=0.25, reproduced=1),
        ("Electronic songs lose 1 dB or more when none was learned from, beyond what others lose.",
         "Electronic songs lose something when none was learned from, but less than 1 dB beyond what others lose.",
         "That electronic songs lose more than others is not sure, or it is less than 0.25 dB."),
        first=Rule((_interval("above {:g}", 0), Condition("{:g} or more", 1)), (_interval("above {:g}", 0),)),
        changed=_ANY_SIZE.format("0.25 dB"),
    ),
    Claim(
        "background", "III.b", "Instruments in the background come out worse.", 6, "scores", "background",
        "rank correlation of a source's level in the mixture with its SDR, smallest of the three sources", "Spearman",
        findings.background, _effect("above {:g}", relevant=0.2, reproduced=0.5),
        ("The quieter a source, the lower its SDR: a correlation of 0.5 or more for each source.",
         "The quieter a source, the lower its SDR, but the correlation is below 0.5 for one source at least.",
         "That quieter sources have a lower SDR is not sure for each source, or the correlation is below 0.2."),
        first=Rule((_interval("above {:g}", 0), Condition("{:g} or more", 0.5)), (_interval("above {:g}", 0),)),
        changed=_ANY_SIZE.format("0.2"),
    ),
    Claim(
        "reverberation", "III.b", "Separate real and imaginary masks, or resampling, add reverberation.", 7,
        "reverberation", "reverberation", "sound of a source spread to where it is silent, by the two masks, minus "
        "that by the same masks with the phase kept", "dB", findings.reverberation,
        _effect("above {:g}", relevant=0.5, reproduced=3),
        ("Two masks spread a source into its pauses by 3 dB more than masks that keep the phase.",
         "Two masks spread a source into its pauses more than masks that keep the phase, but by less than 3 dB.",
         "That two masks spread a source into its pauses more than masks that keep the phase is not sure, or it is "
         "less than 0.5 dB."),
        first=Rule((_interval("above {:g}", 0), Condition("{:g} or more", 3)), (_interval("above {:g}", 0),)),
        changed="The first rule counted an effect of any size, and gave \"same shape, other size\" for 0.016 dB; now "
                "one below 0.5 dB does not count.",
    ),
)
"""Every claim, in the order of the lessons that look at them."""

BEYOND = (
    Claim(
        "more-data", "conclusion", "A bigger and more diverse dataset improves the separation.", 8, "data", "data",
        "SDR with composed songs beside the real ones minus that with real ones alone, after equal updates, median "
        "over the test songs of the mean of sources and seeds", "dB", findings.more_data,
        _effect("above {:g}", relevant=0.1, reproduced=0.3),
        ("Composed songs beside the real ones add 0.3 dB or more.",
         "Composed songs beside the real ones add something, but less than 0.3 dB.",
         "That composed songs beside the real ones add anything is not sure, or it is less than 0.1 dB."),
    ),
    Claim(
        "bands", "conclusion",
        "Intervals of frequency, selected beforehand for each instrument, improve the separation.", 8, "bands",
        "data", "SDR of a network that learns with masks closed outside each instrument's band minus that without, "
        "median over the test songs of the mean of sources and seeds", "dB", findings.bands,
        _effect("above {:g}", relevant=0.1, reproduced=0.3),
        ("Closing masks outside the bands adds 0.3 dB or more.",
         "Closing masks outside the bands adds something, but less than 0.3 dB.",
         "That closing masks outside the bands adds anything is not sure, or it is less than 0.1 dB."),
    ),
    Claim(
        "more-instruments", "conclusion", "More instruments can be added to the separation.", 8, "instruments-apart",
        "instruments_apart", "what a network with five sources adds to the mixture's SDR for guitar and keys, median "
        "over composed songs, smaller of the two", "dB", findings.more_instruments,
        Rule((Condition("{:g} or more", 3, "for each source"), Condition("at most {:g}", 0.5, of=findings.LOST)),
             (Condition("{:g} or more", 1, "for each source"),)),
        ("Guitar and keys gain 3 dB or more on the mixture, and vocals, drums and bass lose at most 0.5 dB.",
         "Guitar and keys gain 1 dB or more on the mixture, but one of them less than 3 dB, or the old sources "
         "lose more than 0.5 dB.",
         "Guitar or keys gain less than 1 dB on the mixture."),
    ),
    Claim(
        "asked", "ours", "A network that is asked for one instrument does as well as one that gives all.", 8,
        "instruments-apart", "instruments_apart", "SDR of a network that is asked for each of five sources in turn "
                                                  "minus that of one that gives all, median over composed songs of "
                                                  "the mean of sources and seeds", "dB", findings.asked,
        Rule((_interval("above {:g}", -0.25),), (Condition("above {:g}", -0.5),)),
        ("The network that is asked is not worse by 0.25 dB.",
         "The network that is asked is less than 0.5 dB worse, but that it is less than 0.25 dB is not sure.",
         "The network that is asked is worse by 0.5 dB or more."),
    ),
    Claim(
        "same-type", "conclusion", "Two instruments of the same type can be separated if they play different melodies.",
        8, "duets", "duets", "what a network whose order of estimates is free adds to the mixture's SDR, median over "
        "composed duets of the mean of the two, smaller of two singers and two guitars", "dB", findings.same_type,
        Rule((Condition("{:g} or more", 3, "for each source"),), (Condition("{:g} or more", 1, "for each source"),)),
        ("Two singers and two guitars gain 3 dB or more on the mixture.",
         "Two singers and two guitars gain 1 dB or more on the mixture, but one pair less than 3 dB.",
         "Two singers or two guitars gain less than 1 dB on the mixture."),
    ),
    Claim(
        "free-order", "ours", "For two of the same type, training with a fixed order of the estimates fails.", 8,
        "duets", "duets", "SDR after training with a fixed order minus that with a free one, median over composed "
                          "duets", "dB",
        partial(findings.duet_choice, name="fixed"), _effect("below {:g}", relevant=-0.5, reproduced=-3),
        ("A fixed order costs 3 dB or more.", "A fixed order costs something, but less than 3 dB.",
         "That a fixed order costs anything is not sure, or it is less than 0.5 dB."),
    ),
    Claim(
        "remixed-duets", "ours", "Remixing, which helps elsewhere, hurts for two of the same type.", 8, "duets",
        "duets", "SDR after training on remixed duets minus that on duets as they are, order free, median over "
                 "composed duets",
        "dB", partial(findings.duet_choice, name="remixed"), _effect("below {:g}", relevant=-0.2, reproduced=-0.5),
        ("Remixing costs 0.5 dB or more.", "Remixing costs something, but less than 0.5 dB.",
         "That remixing costs anything is not sure, or it is less than 0.2 dB."),
    ),
)
"""What the report's conclusion proposes, and what goes with it; part of `CLAIMS` once the experiments are run."""
