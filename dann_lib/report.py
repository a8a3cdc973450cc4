"""The report in numbers: every parameter with its section, every claim, every erratum.

Source: Yorick Laly, *Detection of sounds with deep learning*, 2A SICOM, 2017-2018. Sections are
named as in its table of contents: I.a to I.c (network), II.a to II.c (training), III.a and III.b (results).
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCES = ("vocals", "drums", "bass")
"""What DANN separates (II.a)."""

STEMS = (*SOURCES, "other")
"""The true sources of a song (II.a)."""

SIGNALS = ("mixture", *STEMS)
"""Everything that a corpus stores of a song."""

SONG_RATE = 44_100
"""Hz, of the songs (II.a)."""

DOWNSAMPLING = 5
"""Samples at 44.1 kHz per sample at the working rate (III.b: "5 times less samples")."""

SAMPLE_RATE = SONG_RATE // DOWNSAMPLING
"""8820 Hz, the working rate that II.b rounds to 8.8 kHz."""

WINDOW = "hamming"
N_FFT = 2048
"""Points of the window and of the Fourier transform (II.b)."""

OVERLAP = 1024
"""Samples shared by neighbouring windows (II.b)."""

HOP = N_FFT - OVERLAP
"""Samples from one frame to the next."""

N_BINS = N_FFT // 2 + 1
"""1025 frequency bins (II.b)."""

N_FRAMES = 88
"""Frames per chunk (II.b)."""

BATCH_SIZE = 16
"""Chunks per update, drawn at random (II.b)."""

N_CHUNKS = 2191
"""Training chunks that the report counts (II.b)."""

LEARNING_RATE = 1e-4
MOMENTUM = 0.9
"""SGD (II.c)."""

EPOCHS = 100
"""Epochs after which the report stops (II.c)."""

N_POOLINGS = 4
SKIPS = (1, 2, 3)
"""The skip connections of the final network (I.c: "we chooses to have 3 skip connection layers")."""

GAIN = 300.0
"""Factor on the waveform before the STFT. II.b applies "a gain" and does not say which: see `ERRATA`."""


VERDICTS = ("reproduced", "same shape, other size", "not reproduced", "cannot be told from the text")
"""What can become of a claim; which of them is decided by its criterion, written before its experiment was run."""


@dataclass(frozen=True)
class Claim:
    """A statement of the report that an experiment can test.

    Attributes:
        id: short name, used in tables.
        section: where the report says it.
        text: what it says, in our words.
        lesson: number of the notebook that looks at it.
        experiment: id of the experiment in `dann_lib.reproduce` that tests it.
        measure: the one number that decides.
        unit: of that number.
        reproduced: when the claim counts as reproduced.
        same_shape: when it counts as "same shape, other size"; in all other cases it is not reproduced.
    """

    id: str
    section: str
    text: str
    lesson: int
    experiment: str
    measure: str
    unit: str
    reproduced: str
    same_shape: str

    @property
    def criterion(self) -> str:
        """The measure and the rule as one sentence, as in `claims.csv`."""
        return (f"{self.measure} ({self.unit}); reproduced: {self.reproduced}; "
                f"same shape, other size: {self.same_shape}; else not reproduced")


@dataclass(frozen=True)
class Erratum:
    """A place where the report contradicts itself or leaves out a number, and what we do about it.

    Attributes:
        id: short name.
        section: where it stands.
        found: what the report says.
        reasoning: the arithmetic, or the measurement.
        choice: what this project does.
    """

    id: str
    section: str
    found: str
    reasoning: str
    choice: str


CLAIMS = (
    Claim(
        "numbers", "II.a, II.b", "The numbers of the report agree with each other.", 1, "arithmetic",
        "statements that follow from the others", "of 7", "all", "more than half",
    ),
    Claim(
        "8.8-khz", "II.b", "Working at 8.8 kHz is about 5 times faster and costs little quality.", 2, "rate",
        "time of a training step on the same music at 44.1 kHz, divided by that at 8.82 kHz", "times",
        "between 4 and 6.25, and the true sources through 8.82 kHz and back keep a median SDR of 10 dB for each source",
        "more than 2, or a source keeps less",
    ),
    Claim(
        "10-hz", "I.c", "The ear hears changes of 10 Hz, so the spectrogram must be that precise.", 2, "resolution",
        "distance from which two equal tones show as two peaks, 3 dB apart from the dip, whatever their phases", "Hz",
        "at most 10", "at most 20",
    ),
    Claim(
        "cnn-parameters", "I", "A CNN reaches a feed-forward network's result with far fewer parameters.", 3,
        "networks", "SDR of DANN minus that of the feed-forward network after equal updates, median over the test "
        "songs of the mean of the sources", "dB",
        "interval above -0.5, with at most a fifth of the parameters", "median above -0.5, with fewer parameters",
    ),
    Claim(
        "near-skip", "I.c", "With the nearest skip connection alone (Concat 1) it cannot learn properly.", 4, "skips",
        "fall of the training loss below that of silence with Concat 1, as a share of that with Concat 1+2+3", "%",
        "below 25 in every seed", "below 75 in every seed",
    ),
    Claim(
        "concat-2-3", "I.c", "Concat 2 learns faster than Concat 3 and ends at a higher loss.", 4, "skips",
        "lowest test loss with Concat 2 minus that with Concat 3, in per cent of the latter", "%",
        "above 0, and the mean test loss over the first third of the run lower with Concat 2, in every seed",
        "both in the mean over the seeds",
    ),
    Claim(
        "concat-2+3", "I.c", "Concat 2+3 learns more slowly than Concat 3 and ends at a lower loss.", 4, "skips",
        "lowest test loss with Concat 2+3 minus that with Concat 3, in per cent of the latter", "%",
        "below 0, and the mean test loss over the first third of the run higher with Concat 2+3, in every seed",
        "both in the mean over the seeds",
    ),
    Claim(
        "full-resolution", "I.c", "A skip connection at full resolution would bring the other instruments back.", 4,
        "skips", "SIR with Concat 1+2+3+4 minus that with Concat 1+2+3, median over the test songs of the mean of "
        "sources and seeds", "dB", "interval below -0.5", "interval below 0",
    ),
    Claim(
        "sgd-gain", "II.b", "SGD at 0.0001 with momentum 0.9 trains it, and a gain improves the loss.", 5, "gains",
        "loss on the validation songs, in per cent of that of silence, with a gain of 300 minus that without gain",
        "points", "below -1, and the loss with gain below that of silence, in every seed", "below 0 in every seed",
    ),
    Claim(
        "overfitting", "II.c", "The test loss stops falling after about 100 epochs; the training loss goes on.", 5,
        "report", "first epoch whose test loss is within 1 % of the lowest, with those within 2 % and within 0.5 %",
        "epochs", "between 50 and 200, in the first three quarters of the run, and the training loss falls by 2 % or "
        "more afterwards", "the same, at another epoch",
    ),
    Claim(
        "high-sir", "III.b", "SIR is high while SDR and SAR are low, for all three instruments.", 6, "scores",
        "median SIR minus median SAR of the report's training over the test songs, smallest of the three sources", "dB",
        "3 or more for each source, and each interval above 0", "above 0 for each source",
    ),
    Claim(
        "low-sar", "III.b", "SAR is low mainly because of the pre- and post-treatment.", 6, "treatment",
        "share of the artefacts at 44.1 kHz that resampling and STFT leave without any network, smallest of the three "
        "sources", "%", "above 50", "above 50 for one source or more",
    ),
    Claim(
        "few-instruments", "III.b", "The fewer instruments a song has, the better the result.", 6, "instruments",
        "change of SDR with each instrument more, in songs that differ in nothing else by design", "dB",
        "interval below 0, and -0.25 or less", "interval below 0",
    ),
    Claim(
        "genre", "III.b", "Songs of the training genres are separated better, electronic music worse.", 6, "genre",
        "SDR that electronic songs lose when the training songs hold none, beyond what the other genres lose", "dB",
        "interval above 0, and 1 or more", "interval above 0",
    ),
    Claim(
        "background", "III.b", "Instruments in the background come out worse.", 6, "scores",
        "rank correlation of a source's level in the mixture with its SDR, smallest of the three sources", "Spearman",
        "interval above 0, and 0.5 or more", "interval above 0",
    ),
    Claim(
        "reverberation", "III.b", "Separate real and imaginary masks, or resampling, add reverberation.", 7,
        "reverberation", "sound of a source spread to where it is silent, by the two masks, minus that by the same "
        "masks with the phase kept", "dB", "interval above 0, and 3 or more", "interval above 0",
    ),
)

ERRATA = (
    Erratum("chunk-length", "II.b", "88 frames are called 2 seconds.",
            "88 frames x 1024 samples = 90 112 samples: 2.04 s at 44.1 kHz, 10.2 s at 8.82 kHz. 2191 chunks of "
            "10.2 s are 6.2 hours, the length of the 100 training songs; 2191 chunks of 2 s are 1.2 hours.",
            "A chunk is 88 frames, 10.2 s at 8.82 kHz."),
    Erratum("rate", "II.b, III.b", "The songs are resampled to 8.8 kHz, and have 5 times fewer samples.",
            "44 100 / 5 = 8820 Hz; 44 100 / 8800 = 5.01.", "8820 Hz."),
    Erratum("skips", "I.c", "DANN has two skip connections in one paragraph and three in the next.",
            "Figure 7 compares Concat 3 with Concat 2+3; the last paragraph decides for three.",
            "Concat 1, 2 and 3 by default; any subset can be asked for."),
    Erratum("loss", "I.c, II.b", "Equation (3) is a sum; II.b averages over the batch.",
            "A sum over 1025 x 88 bins, 2 parts and 3 sources is 541 200 times a mean, and so is its gradient: "
            "0.0001 then overshoots. 0.0001 fits a mean.", "The mean over all elements; `l1_loss` can also sum."),
    Erratum("gain", "II.b", "A gain is applied to the song; its value is not given.",
            "The gradient of (3) is proportional to the gain. Without one, SGD at 0.0001 hardly moves; with 300 "
            "the network learns within tens of epochs; with 3000 it is worse.", "300."),
    Erratum("loss-indices", "I.c", "The index of M is i below the sum and l in the text.",
            "l is the instrument; i, j run over frequency and time.", "M is indexed (source, part, freq, frame)."),
    Erratum("layers", "I.a", "Figure 1 shows the layers; the text gives no channel counts.",
            "The text says thin layers, four poolings can be told from the skip connections, and max pooling and "
            "bilinear up-sampling are equations (1) and (2).", "See `dann_lib.network.DANN`."),
    Erratum("near-skip", "I.c", "Figure 5 is titled \"without skip connection\" and described as Concat 1.",
            "The text concludes from Concat 1 to the network without any.", "Both are trained."),
)
