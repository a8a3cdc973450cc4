# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Solutions to lesson 5 · Train it, and stop in time
#
# At the end you can compare your answers to the exercises of [lesson 5](../05_training_overfitting.ipynb) with worked
# ones. Try them there first: the checks say what is wrong, and one's own mistakes teach most.

# %% [markdown]
# ## Exercises
#
# Write where it says `raise NotImplementedError`, run the cell, then the two below it: the output to aim at,
# and a check that explains what is wrong.

# %%
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import pandas as pd
import torch

# %%
from dann_lib import player, report
from dann_lib.course import exercises, lessons
from dann_lib.batches import Chunks, pretreat
from dann_lib.config import TrainingConfig
from dann_lib.corpus import open_corpus
from dann_lib.course.exercises import learning
from dann_lib.network import DANN
from dann_lib.reproduce import Evidence
from dann_lib.training import l1_loss

# %%
songs = open_corpus("synthetic")
settings = TrainingConfig(n_chunk_frames=22, batch_size=2)
of_twelve = replace(settings, batch_size=12)
twelve = next(Chunks(songs.select("train"), 22).at_random(of_twelve, epoch=0))
spectra, true_spectra = (
    each.numpy().astype(float) for each in pretreat(twelve.waveforms, report.GAIN)
)

# %% [markdown]
# ### 5.1 · Warm-up: a step with momentum
#
# Step 4 wrote momentum as two assignments: $v \leftarrow \mu v + g$, then $w \leftarrow w - \eta v$. Write them
# for one weight.
#
# <details><summary>Hint</summary>
#
# The order matters: the new velocity moves the weight.
#
# </details>

# %%
def momentum_step(
    weight: float, velocity: float, gradient: float, rate: float, momentum: float
) -> tuple[float, float]:
    """The new weight and the new velocity."""
    ### BEGIN SOLUTION
    velocity = momentum * velocity + gradient
    return weight - rate * velocity, velocity
    ### END SOLUTION


def path(momentum: float, steps: int = 12) -> list[float]:
    """Weights on the way down the parabola weight²/2: its gradient is the weight."""
    weights, velocity = [1.0], 0.0
    for _ in range(steps):
        w = weights[-1]
        w, velocity = momentum_step(w, velocity, w, 0.1, momentum)
        weights.append(w)
    return weights

# %% tags=["example", "5.1", "nbval-check-output"]
lessons.table(
    pd.DataFrame(
        {f"momentum {each}": path(each)[::3] for each in (0.0, 0.5, 0.9)},
        index=[f"step {step}" for step in range(0, 13, 3)],
    ).T,
    "{:.3f}",
    "weight",
)

# %% tags=["self-check"]
learning.check_momentum_step(momentum_step)

# %% [markdown]
# ### 5.2 · The mask that each loss wants
#
# One number $g$ for all bins, as in step 1. The L1 loss $\sum |g I - N|$ is lowest at the **weighted median** of the
# ratios $N/I$ with the weights $|I|$: half of the weight lies below it, half above. The L2 loss $\sum (g I - N)^2$ is
# lowest where its slope is zero. Compute both, without trying values.
#
# <details><summary>Hint</summary>
#
# Sort the ratios with `np.argsort`, add up their weights in that order with `np.cumsum`, and find the place of half
# of the sum with `np.searchsorted`. For L2, the slope is $2 \sum I (g I - N)$. Bins without mixture have no ratio.
#
# </details>

# %%
def best_masks(mixture: np.ndarray, source: np.ndarray) -> tuple[float, float]:
    """The mask values of lowest L1 and lowest L2 loss, for signals `(bin,)`."""
    ### BEGIN SOLUTION
    mixture, source = mixture[mixture != 0], source[mixture != 0]
    order = np.argsort(source / mixture)
    weight = np.cumsum(np.abs(mixture[order]))
    middle = order[np.searchsorted(weight, weight[-1] / 2)]
    median = source[middle] / mixture[middle]
    mean = mixture @ source / (mixture @ mixture)
    return float(median), float(mean)
    ### END SOLUTION

# %% tags=["example", "5.2", "nbval-check-output"]
lessons.table(
    pd.DataFrame({
        name: best_masks(spectra.ravel(), true_spectra[:, index].ravel())
        for index, name in enumerate(report.SOURCES)
    }, index=["L1", "L2"]),
    "{:.2f}",
    "best mask value over all bins of the twelve chunks of step 1",
)

# %% tags=["self-check"]
learning.check_best_masks(best_masks)

# %% [markdown]
# ### 5.3 · When to stop
#
# Losses on the validation songs come in, epoch after epoch. Stop as soon as `patience` epochs have passed without a
# lower one than the lowest so far. Give back the epoch that is kept, and how many epochs were run, both counted from 1.
# The example takes the losses of a run on real songs, with a gain of 3000, which is rather too much.
#
# <details><summary>Hint</summary>
#
# Go through the losses with `enumerate(losses, start=1)`, and remember the best epoch and its loss. Epochs that come
# after you stopped must not count, and not even be looked at.
#
# </details>

# %%
def early_stop(losses: Sequence[float], patience: int) -> tuple[int, int]:
    """The epoch whose weights are kept, and the number of epochs that were run."""
    ### BEGIN SOLUTION
    kept, lowest = 0, float("inf")
    for epoch, loss in enumerate(losses, start=1):
        if loss < lowest:
            kept, lowest = epoch, loss
        if epoch - kept == patience:
            break
    return kept, epoch
    ### END SOLUTION

# %%
real_losses = Evidence.stored().losses("gain-3000")[0]  # one for each epoch

# %% tags=["example", "5.3", "nbval-check-output"]
pd.DataFrame(
    {f"patience {each}": early_stop(real_losses, each) for each in (1, 2, 3)},
    index=["epoch kept", "epochs run"],
)

# %% tags=["self-check"]
learning.check_early_stop(early_stop)

# %% [markdown]
# ### 5.4 · New songs for nothing
#
# Twelve songs are few. **Remixing** makes more: take the stems of a batch of chunks, give each source its own new
# order of the chunks, so that the drums of one song meet the bass of another, change each stem's level by up to 6 dB
# either way, and add up. The library does it with `remix=True` (and changes speed and sign as well).
#
# <details><summary>Hint</summary>
#
# `random.permutation(n)` is a new order, `random.uniform(-6, 6, (n, 4, 1))` are levels in dB; a level of $x$ dB is a
# factor of $10^{x/20}$. The mixture is the sum over the sources.
#
# </details>

# %%
def remix(
    stems: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """New mixtures (chunk, sample), and their stems (chunk, source, sample)."""
    ### BEGIN SOLUTION
    n_chunks, n_sources, _ = stems.shape
    orders = [random.permutation(n_chunks) for _ in range(n_sources)]
    exchanged = np.stack([stems[order, s] for s, order in enumerate(orders)], axis=1)
    levels = 10 ** (random.uniform(-6, 6, (n_chunks, n_sources, 1)) / 20)
    remixed = levels * exchanged
    return remixed.sum(axis=1), remixed
    ### END SOLUTION

# %%
four_seconds = slice(20_000, 55_280)
four_songs = 0.5 * np.stack(
    [song.waveforms[1:, four_seconds] for song in songs.select("train")[:4]]
)

# %% tags=["example", "5.4"]
player.tracks(
    {"a song as it is": four_songs[0].sum(axis=0)} | {
        f"remix {number}": mixture for number, mixture in
        enumerate(remix(four_songs, np.random.default_rng(0))[0][:2], start=1)
    },
    description="A song, and two made of the stems of four. "
                "They are no music; the network does not mind.",
)

# %% tags=["self-check"]
learning.check_remix(remix)

# %% [markdown]
# ### 5.5 · Open end: a learning rate, chosen on validation songs
#
# `validation_loss(rate)` trains the small DANN with Adam, six updates only, and computes its loss on the validation
# songs. Write what chooses the rate. A run can explode: its loss is then NaN. Then go on by yourself: six updates
# favour long steps, so try more of them, SGD at several gains, another seed. Does the choice stay the same? And is the
# test loss of the chosen rate, which you compute once, in the end, as low as the validation loss promised?

# %%
of_sixteen = replace(settings, batch_size=16)
held_out = next(Chunks(songs.select("valid"), 22).in_order(of_sixteen))

# %%
def validation_loss(rate: float) -> float:
    """After six updates, divided by that of silence."""
    torch.manual_seed(0)
    network = DANN(channels=(4, 8, 16, 16), bottleneck=12)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    for batch in islice(Chunks(songs.select("train"), 22).at_random(settings, 0), 6):
        mixtures, sources = pretreat(batch.waveforms, report.GAIN)
        l1_loss(network(mixtures), mixtures, sources).backward()
        optimizer.step()
        optimizer.zero_grad()
    mixtures, sources = pretreat(held_out.waveforms, report.GAIN)
    with torch.no_grad():
        loss = l1_loss(network.eval()(mixtures), mixtures, sources)
    return (loss / sources.abs().mean()).item()

# %%
def choose_rate(
    validation_loss: Callable[[float], float], lowest: float, highest: float, tries: int
) -> float:
    """The rate between the two with the lowest validation loss, in so many tries."""
    ### BEGIN SOLUTION
    rates = np.geomspace(lowest, highest, tries)
    losses = [validation_loss(rate) for rate in rates]
    return float(rates[np.nanargmin(losses)])
    ### END SOLUTION

# %% tags=["example", "5.5"]
{"rate of the lowest loss on validation songs":
    choose_rate(validation_loss, 1e-4, 1.0, 5)}

# %% tags=["self-check"]
learning.check_choose_rate(choose_rate)
