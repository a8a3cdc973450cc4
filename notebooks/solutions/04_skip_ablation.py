# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Solutions to lesson 4 · Take the skip connections away, one by one
#
# At the end you can compare your answers to the exercises of [lesson 4](../04_skip_ablation.ipynb) with worked ones.
# Try them there first: the checks say what is wrong, and one's own mistakes teach most.

# %% [markdown]
# ## Exercises
#
# Write where it says `raise NotImplementedError`, run the cell, then the two below it: the output to aim at,
# and a check that explains what is wrong.

# %%
import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import torch

from dann_lib import figures
from dann_lib.course import exercises, lessons
from dann_lib.config import TrainingConfig
from dann_lib.course.exercises import ablation
from dann_lib.network import DANN, n_parameters
from dann_lib.reproduce.evidence import Evidence

# %%
stored = Evidence.stored()
lowest = {
    run: stored.losses(f"skips-{run}").min(axis=1).round(2)
    for run in ("none", "1", "3", "2+3")
}
pairs = list(combinations(lowest, 2))

# %% [markdown]
# ### 4.1 · Warm-up: the loss (3)
#
# Write it for a batch, as the mean over everything. Masks and sources have the axes `(batch, source, part, freq,
# frame)`, the mixture has `(batch, part, freq, frame)`.
#
# <details><summary>Hint</summary>
#
# `mixture[:, None]` gives the mixture an axis of length 1 where the sources are; PyTorch repeats it for each of them.
#
# </details>

# %%
def loss(
    masks: torch.Tensor, mixture: torch.Tensor, sources: torch.Tensor
) -> torch.Tensor:
    """Mean absolute difference of masked mixture and source, one number."""
    ### BEGIN SOLUTION
    return (masks * mixture[:, None] - sources).abs().mean()
    ### END SOLUTION

# %% tags=["example", "4.1", "nbval-check-output"]
[
    loss(level * ones, torch.ones(1, 2, 4, 4), 0.25 * ones).item()
    for level in (0.0, 0.25, 1.0)
    for ones in [torch.ones(1, 3, 2, 4, 4)]
]

# %% tags=["self-check"]
ablation.check_loss(loss)

# %% [markdown]
# ### 4.2 · Could it be chance?
#
# Two networks, a few seeds each. If the network made no difference, the results could have been dealt to the
# two in any other way just as well. Go through all ways, and count in how many the two means are at least as
# far apart as they were. This is a *permutation test*.
#
# <details><summary>Hint</summary>
#
# `combinations(range(6), 3)` gives all ways to choose three places of six; the other three are the second
# group. Compare absolute differences, and subtract 1e-9 from what was seen, since equal numbers can differ in
# the last digit.
#
# </details>

# %%
def chance(first: Sequence[float], second: Sequence[float]) -> float:
    """Share of the ways to deal the results in which the means are as far apart."""
    ### BEGIN SOLUTION
    everything = np.array([*first, *second])
    seen = abs(np.mean(first) - np.mean(second))
    apart = []
    for chosen in combinations(range(len(everything)), len(first)):
        rest = np.delete(everything, chosen)
        apart.append(abs(everything[list(chosen)].mean() - rest.mean()))
    return float(np.mean(np.array(apart) >= seen - 1e-9))
    ### END SOLUTION

# %% tags=["example", "4.2", "nbval-check-output"]
lessons.table(
    pd.DataFrame(
        {
            "lowest losses": [f"{lowest[a]} and {lowest[b]}" for a, b in pairs],
            "chance": [chance(lowest[a], lowest[b]) for a, b in pairs],
        },
        index=[f"{a} against {b}" for a, b in pairs],
    ),
    "{:.2f}",
    "skip connections of the reference run",
)

# %% tags=["self-check"]
ablation.check_chance(chance)

# %% [markdown]
# ### 4.3 · As many weights
#
# A skip connection makes the next convolution deeper, so "no skip" has fewer weights than Concat 3. Make the
# comparison fair: find the narrowest bottleneck with which the small network without skip connections has at
# least as many weights.
#
# <details><summary>Hint</summary>
#
# Count upwards from 1 with `n_parameters(DANN((), channels=(4, 8, 16, 16), bottleneck=width))`.
#
# </details>

# %%
def bottleneck_for(n_weights: int) -> int:
    """The narrowest bottleneck that gives a network without skips so many weights."""
    ### BEGIN SOLUTION
    width = 1
    while n_parameters(DANN((), channels=(4, 8, 16, 16), bottleneck=width)) < n_weights:
        width += 1
    return width
    ### END SOLUTION

# %% tags=["example", "4.3", "nbval-check-output"]
{
    skips: bottleneck_for(n_parameters(DANN(skips, (4, 8, 16, 16), bottleneck=12)))
    for skips in ((), (3,), (2, 3))
}

# %% tags=["self-check"]
ablation.check_same_size(bottleneck_for)

# %% [markdown]
# ### 4.4 · Open end: an ablation of your own
#
# What else might matter: the length of the chunks, the batch, the gain, the momentum? Take *one* of them, and
# write the configurations of an experiment. Then train each with `lessons.train_live(corpus, config, "my-" +
# name)`, with two seeds, and draw the curves with `figures.figure_5`. What did you predict?

# %%
def variants(experiment: TrainingConfig) -> Mapping[str, TrainingConfig]:
    """At least three configurations that differ from each other in one option."""
    ### BEGIN SOLUTION
    return {
        f"gain {gain}": dataclasses.replace(experiment, gain=gain)
        for gain in (30.0, 300.0, 3000.0)
    }
    ### END SOLUTION

# %% tags=["example", "4.4", "nbval-check-output"]
pd.DataFrame(
    {
        name: {
            "network": config.network,
            "gain": config.gain,
            "momentum": config.momentum,
            "batch": config.batch_size,
        }
        for name, config in variants(
            dataclasses.replace(TrainingConfig(), n_chunk_frames=22)
        ).items()
    }
)

# %% tags=["self-check"]
ablation.check_ablation(variants)
