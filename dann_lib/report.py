"""The report in numbers: every parameter with its section, every erratum.

Source: Yorick Laly, *Detection of sounds with deep learning*, 2A SICOM, 2017-2018. Sections are
named as in its table of contents: I.a to I.c (network), II.a to II.c (training), III.a and III.b (results).
"""

from __future__ import annotations

from typing import NamedTuple

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


class Erratum(NamedTuple):
    """A place where the report contradicts itself or leaves out a number; our arithmetic or measurement; our choice."""

    id: str
    section: str
    found: str
    reasoning: str
    choice: str


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
