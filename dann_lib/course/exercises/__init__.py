"""Exercises of the lessons: self-checks that explain, example outputs, and one source for task and solution.

The source is `notebooks/solutions/NN_name.py`. `source.write_exercises` takes the solutions out and puts the
rest into the lesson; lessons do without that module, which takes long to import. There is a module of checks for
each lesson: `data`, `stft`, `unet`, `ablation`, `learning`, `scoring`, `hearing`, `beyond`.
"""

from dann_lib.course.exercises.checking import Aim, Outcome, aim

__all__ = ["Aim", "Outcome", "aim"]
