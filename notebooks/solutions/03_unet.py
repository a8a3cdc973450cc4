# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Solutions to lesson 3 · Build the U-net, layer by layer
#
# At the end you can compare your answers to the exercises of [lesson 3](../03_unet.ipynb) with worked ones.
# Try them there first: the checks say what is wrong, and one's own mistakes teach most.

# %% [markdown]
# ## Exercises
#
# Write where it says `raise NotImplementedError`, run the cell, then the two below it: the output to aim at,
# and a check that explains what is wrong.

# %%
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from dann_lib import figures, spectrogram
from dann_lib.course import exercises, lessons
from dann_lib.corpus import open_corpus
from dann_lib.course.exercises import unet
from dann_lib.network import convolution
from dann_lib.network import DANN, n_parameters, up_sample

# %%
track = open_corpus("synthetic").select("train")[0]
song = torch.from_numpy(track.signal("mixture").copy())
loudness = spectrogram.stft(song)[..., :88].norm(dim=0).numpy()

# %% [markdown]
# ### 3.1 · Warm-up: max pooling by hand
#
# Equation (1) for a whole picture: the largest of each square of two by two. Where the number of bins or
# frames is odd, the last one is left out. Write it with NumPy alone.
#
# <details><summary>Hint</summary>
#
# `picture[0::2, 0::2]` is the upper left number of each square, `picture[1::2, 0::2]` the one below. Cut the
# picture to even sizes first. `np.maximum` compares two pictures number by number.
#
# </details>

# %%
def max_pool(picture: np.ndarray) -> np.ndarray:
    """`(freq, frame)` → `(freq // 2, frame // 2)`."""
    ### BEGIN SOLUTION
    n_bins, n_frames = (size // 2 * 2 for size in picture.shape)
    even = picture[:n_bins, :n_frames]
    upper = np.maximum(even[0::2, 0::2], even[0::2, 1::2])
    lower = np.maximum(even[1::2, 0::2], even[1::2, 1::2])
    return np.maximum(upper, lower)
    ### END SOLUTION

# %% tags=["example", "3.1", "nbval-check-output"]
[
    max_pool(np.arange(35.0).reshape(5, 7)).tolist(),
    max_pool(loudness).shape,
    max_pool(max_pool(loudness)).shape,
]

# %% tags=["self-check"]
unet.check_max_pool(max_pool)

# %% [markdown]
# ### 3.2 · Up-sampling by hand
#
# Equation (2) for any size. Along one direction, new place $i$ of $n$ lies at $i\,(m - 1)/(n - 1)$ among the $m$
# old ones, so that first and last lie on each other. Its value is between its two neighbours, the nearer one
# counting more. *Bilinear* means: so along the bins, and then so along the frames.
#
# <details><summary>Hint</summary>
#
# The share of old place $j$ in a new one at distance $d$ is $1 - d$, or 0 beyond a distance of 1. Write all
# shares as a matrix, new places × old ones: `np.maximum(0, 1 - abs(new[:, None] - old))`. The result is
# `shares_of_bins @ picture @ shares_of_frames.T`.
#
# </details>

# %%
def up_sample_by_hand(picture: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """`(freq, frame)` → `size`, linear in between, corners aligned."""
    ### BEGIN SOLUTION
    shares = []
    for n_old, n_new in zip(picture.shape, size, strict=True):
        places = np.linspace(0, n_old - 1, n_new)
        shares.append(np.maximum(0, 1 - np.abs(places[:, None] - np.arange(n_old))))
    return shares[0] @ picture @ shares[1].T
    ### END SOLUTION

# %% tags=["example", "3.2", "nbval-check-output"]
lessons.table(
    pd.DataFrame(up_sample_by_hand(np.array([[1.0, 2.0], [3.0, 4.0]]), (4, 4))),
    "{:.2f}", "equation (2)",
)

# %% tags=["self-check"]
unet.check_up_sample(up_sample_by_hand)

# %% [markdown]
# ### 3.3 · Count the weights of a layer
#
# How many weights has a convolution with $k \times k$ kernels from one number of maps to another? With a
# *bias*, each map that comes out gets one number more, which is added everywhere.
#
# <details><summary>Hint</summary>
#
# Each map that comes out has one kernel, and the kernel has $k \times k$ weights for *each* map that goes in.
#
# </details>

# %%
def n_weights(n_in: int, n_out: int, kernel: int, bias: bool = False) -> int:
    """Weights of a convolution."""
    ### BEGIN SOLUTION
    return n_out * (n_in * kernel**2 + bias)
    ### END SOLUTION

# %%
def n_weights_of_all(network: DANN) -> int:
    """Those of all convolutions of a DANN; the last one, for the masks, has a bias."""
    layers = figures.trace(network, 65, 32)
    return sum(
        n_weights(each.n_in, each.n_out, each.kernel[0], each is layers[-1])
        for each in layers
    )

# %% tags=["example", "3.3", "nbval-check-output"]
lessons.table(
    pd.DataFrame({
        f"skips {skips}": {
            "in convolutions": n_weights_of_all(DANN(skips)),
            "in all": n_parameters(DANN(skips)),
        } for skips in ((), (3,), (1, 2, 3))
    }).T,
    caption="weights of DANN; those that are not in convolutions are in "
    "normalisations, two for each map",
)

# %% tags=["self-check"]
unet.check_n_weights(n_weights)

# %% [markdown]
# ### 3.4 · Give an auto-encoder a skip connection
#
# The class below is a small auto-encoder: one pooling down, a narrow layer, one up-sampling, masks. Give it a
# skip connection: the decoder shall get the encoder's maps, as they were before pooling, beside those from the
# narrow layer. Two things change, one in each method.
#
# <details><summary>Hint</summary>
#
# `torch.cat((…, …), dim=1)` lays maps beside each other. The decoder then takes more maps than 4: how many?
#
# </details>

# %%
class AutoEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = convolution(2, 8, 3)
        self.bottleneck = convolution(8, 4, 3)
        self.decoder = convolution(4, 8, 3)
        self.masks = nn.Conv2d(8, 6, 3, padding=1)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        maps = self.encoder(planes)
        narrow = self.bottleneck(functional.max_pool2d(maps, 2))
        decoded = self.decoder(up_sample(narrow, maps.shape[-2:]))
        return self.masks(decoded).unflatten(1, (3, 2))

# %%
class WithSkip(AutoEncoder):
    def __init__(self) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.decoder = convolution(4 + 8, 8, 3)
        ### END SOLUTION

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        maps = self.encoder(planes)
        narrow = self.bottleneck(functional.max_pool2d(maps, 2))
        joined = torch.cat((up_sample(narrow, maps.shape[-2:]), maps), dim=1)
        return self.masks(self.decoder(joined)).unflatten(1, (3, 2))
        ### END SOLUTION

# %% tags=["example", "3.4"]
figures.figure_4(WithSkip())

# %% tags=["self-check"]
unet.check_skip(WithSkip)

# %% [markdown]
# ### 3.5 · Open end: a network on a budget
#
# A network for a telephone, for a hearing aid: you may spend only so many weights. Write a function that gives
# a network for any budget, and spends most of it. You are free in how: narrower stages
# (`DANN(channels=…, bottleneck=…)`), fewer skip connections, or a class of your own. Where would you save
# first, and what do you expect to lose? Train two designs of the same budget with `lessons.train_live(corpus,
# config, "my-" + name)`, as lesson 4 does, and compare.

# %%
def design(budget: int) -> nn.Module:
    """A network with at most `budget` weights, and at least 80 % of them."""
    ### BEGIN SOLUTION
    # Weights grow with the square of the width.
    width = 1.1 * (budget / n_parameters(DANN())) ** 0.5
    while True:
        channels = [max(2, round(width * maps)) for maps in (8, 24, 56, 48)]
        network = DANN(channels=channels, bottleneck=max(2, round(width * 24)))
        if n_parameters(network) <= budget:
            return network
        width *= 0.98
    ### END SOLUTION

# %%
def bill(budget: int) -> dict[str, str | float]:
    """What a design of yours spends."""
    yours = design(budget)
    return {
        "budget": f"{budget:,}",
        "weights": f"{n_parameters(yours):,}",
        "spent": 100 * n_parameters(yours) / budget,
        "feature maps of all layers": sum(
            layer.n_out for layer in figures.trace(yours, 65, 32)),
    }

# %% tags=["example", "3.5", "nbval-check-output"]
lessons.table(
    pd.DataFrame([bill(budget) for budget in (300_000, 100_000, 40_000)]),
    "{:.0f} %", "networks on a budget",
)

# %% tags=["self-check"]
unet.check_design(design)
