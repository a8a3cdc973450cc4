"""Exercises of the lessons: self-checks that explain, example outputs, and one source for task and solution.

The source is `notebooks/solutions/NN_name.py`. `write_exercises` takes the solutions out and puts the rest
into the lesson. There is a module of checks for each lesson: `data`, `stft`, `unet`, `ablation`, `learning`,
`scoring`, `hearing`.
"""

from dann_lib.exercises.checking import Aim, Outcome, aim, ask, self_check
from dann_lib.exercises.source import BLANK, blanked, write_exercises

__all__ = ["BLANK", "Aim", "Outcome", "aim", "ask", "blanked", "self_check", "write_exercises"]
