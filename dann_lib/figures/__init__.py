"""The figures of the report, one function each, and the few plots that the lessons share.

All have one style, say what they show in words (`Drawing.description`), and give the same picture for the
same numbers. Figures 1, 3 and 4 are drawn from a network object, 2 from a song, 5 to 8 from histories,
9 from scores.
"""

from dann_lib.figures.results import figure_2, figure_5, figure_6, figure_7, figure_8, figure_9, intervals
from dann_lib.figures.scheme import figure_3, figure_4
from dann_lib.figures.signals import bars, curves, signed_image, spectrogram_image, spectrograms, waveforms
from dann_lib.figures.style import COLOURS, DB_LIMITS, Drawing, canvas, show, use_style
from dann_lib.figures.tracing import Layer, Stage, stages, trace
from dann_lib.figures.unet import figure_1

__all__ = [
    "COLOURS", "DB_LIMITS", "Drawing", "Layer", "Stage", "bars", "canvas", "curves", "figure_1", "figure_2", "figure_3",
    "figure_4", "figure_5", "figure_6", "figure_7", "figure_8", "figure_9", "intervals", "show", "signed_image",
    "spectrogram_image", "spectrograms", "stages", "trace", "use_style", "waveforms",
]
