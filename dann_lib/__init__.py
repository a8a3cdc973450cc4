"""DANN: separating a song into vocals, drums and bass, as a course and as a tool.

The modules follow the way of the data: `report` (the numbers of the 2018 report), `synthetic`,
`corpus`, `spectrogram`, `network`, `training`, `separation`, `evaluation`, `figures`, `player`.
"""

__version__ = "0.1.0"
