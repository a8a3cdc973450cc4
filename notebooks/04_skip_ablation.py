# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 4 · Take the skip connections away, one by one
#
# At the end you can say what each skip connection gives back of what pooling took away, have trained six
# networks that differ in nothing else, with three seeds each, and know when a loss curve only looks like learning.
#
# **What you will learn**
#
# 1. to measure how fine a mask has to be, and so what a network loses that sees coarse features only;
# 2. to read and compute the loss (3), and to compare it with the loss of *doing nothing*;
# 3. to set up an **ablation**: one experiment with one parameter, everything else held fixed;
# 4. to read loss curves honestly: start, end, and how much is chance.
#
# **What you need**: about 40 s on two processor cores, 1 GB of memory, headphones. No network.
#
# **What of the report is rebuilt**: section I.c with equation (3) and figures 5, 6 and 7.
#
# Previous lesson: [3 · Build the U-net, layer by layer](03_unet.ipynb) · next lesson: [5 · Train it, and stop
# in time](05_training_overfitting.ipynb)

# %%
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from tqdm.auto import tqdm

# %%
from dann_lib import figures, player, report, spectrogram
from dann_lib.course import lessons
from dann_lib.batches import pretreat
from dann_lib.corpus import open_corpus
from dann_lib.evaluation import sdr_sir_sar
from dann_lib.evaluation.oracles import part_masks, ratio_mask
from dann_lib.network import DANN, apply_masks, n_parameters, up_sample
from dann_lib.training import l1_loss

# %% [markdown]
# ## 1. What does pooling take away?
#
# Four poolings bring the spectrogram from 1025 × 88 down to 64 × 5. What passes through that bottleneck says
# *what* is there, but hardly *where*. A network without skip connections has to draw its masks from this
# alone. How good can a mask be that is only known at such a coarse resolution?
#
# We cheat to find out: take the *ideal* mask of a test song, computed from its true sources, average it over
# squares of 2 × 2, 4 × 4, 8 × 8 and 16 × 16 bins, and bring it back to full size with equation (2).
#
# **Predict:** how many dB of SDR do the vocals lose from no pooling to four? (SDR is lesson 6; higher is
# better.)

# %%
corpus = open_corpus("synthetic")
track = corpus.select("test")[2]
signals = np.array(track.waveforms)
mixture, *stems = spectrogram.to_complex(spectrogram.stft(torch.from_numpy(signals)))
ideal = ratio_mask(torch.stack(stems))  # (source, freq, frame)


# %%
def coarse(mask: torch.Tensor, poolings: int) -> torch.Tensor:
    """Known only at 1/2^poolings of the resolution, brought back by up-sampling (2)."""
    if poolings == 0:
        return mask
    small = torch.nn.functional.avg_pool2d(mask[None], 2**poolings, ceil_mode=True)
    return up_sample(small, mask.shape[-2:])[0]


def masked(mask: torch.Tensor) -> np.ndarray:
    """Waveforms (source, sample) of the masked mixture."""
    planes = spectrogram.from_complex(mask * mixture)
    return spectrogram.istft(planes, signals.shape[-1]).numpy()


# %%
estimates = {poolings: masked(coarse(ideal, poolings)) for poolings in range(5)}
sdr = np.array([sdr_sir_sar(each, signals[1:]).sdr for each in estimates.values()])

# %% jupyter={"source_hidden": true}
losses_db = "; ".join(
    f"{source} {sdr[0, index]:.1f} → {sdr[4, index]:.1f} dB"
    for index, source in enumerate(report.SOURCES)
)
figures.curves(
    {source: (list(estimates), sdr[:, i]) for i, source in enumerate(report.SOURCES)},
    "poolings that the mask has gone through",
    "SDR (dB)",
    "SDR of ideal masks known at ever coarser resolution, in one song."
    f" No pooling → four poolings: {losses_db}.",
)

# %%
excerpt = slice(0, 6 * report.SAMPLE_RATE)
player.tracks(
    {
        "vocals, mask at full resolution": estimates[0][0, excerpt],
        "vocals, mask known at 1/4": estimates[2][0, excerpt],
        "vocals, mask known at 1/16": estimates[4][0, excerpt],
    },
    description="The same ideal mask, ever coarser: the other instruments come back"
    " between the harmonics of the voice.",
)

# %% jupyter={"source_hidden": true}
vocals = {
    f"mask known at 1/{2**poolings}": coarse(ideal, poolings)[0, :400, :60]
    for poolings in (0, 2, 4)
}
figure, axes = figures.canvas(1, 3, height_in=2.9, sharey=True)
look = {"origin": "lower", "aspect": "auto", "vmin": 0, "vmax": 1, "cmap": "viridis"}
for axis, (name, mask) in zip(axes, vocals.items(), strict=True):
    image = axis.imshow(mask, **look)
    axis.set(title=name, xlabel="frame")
axes[0].set_ylabel("bin")
figure.colorbar(image, ax=axes, label="mask of the vocals", pad=0.01)
figures.show(
    figure,
    "The ideal mask of the vocals up to 1.7 kHz, at three resolutions. At full"
    " resolution each harmonic of the voice is a line of its own; at 1/4 the lines"
    " run together; at 1/16 there are only patches.",
)

# %% [markdown]
# *What to notice.* The coarsest mask still knows *when* somebody sings, but not *on which harmonics*, so it
# lets everything through that sounds at the same time in the same octave. This is an upper bound: a network
# without skip connections knows no more than these masks, and has to guess even those.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
bin_hz = report.SAMPLE_RATE / report.N_FFT
wide_hz = 16 * bin_hz
lessons.quick_check(
    "A mask is known at 1/16 of the resolution. How far from each other are its bins,"
    " and what interval is that for a voice at 440 Hz?",
    f"16 × {bin_hz:.1f} Hz = {wide_hz:.0f} Hz: from 440 to {440 + wide_hz:.0f} Hz are"
    f" {12 * np.log2(1 + wide_hz / 440):.1f} semitones. Two notes closer than that get"
    " the same mask.",
)

# %% [markdown]
# ## 2. What a skip connection is
#
# It takes the encoder's features before a pooling and lays them beside the decoder's, at the same resolution
# (report, I.c). In code it is one line, `torch.cat`.
#
# **Look for it:** which `if` decides on a skip connection, and what does the decoder get where there is none?

# %%
lessons.show_source(DANN.forward)

# %% [markdown]
# There are four places for it. The report counts them from the bottleneck: **Concat 1** at 1/8 of the
# resolution, **2** at 1/4, **3** at 1/2, and one at full resolution, which it rejects; we call that **Concat
# 4**.

# %%
VARIANTS = {
    "no skip": (), "Concat 1": (1,), "Concat 2": (2,),
    "Concat 3": (3,), "Concat 2+3": (2, 3), "Concat 4": (4,),
}
SMALL = {"channels": (4, 8, 16, 16), "bottleneck": 12}

# %% jupyter={"source_hidden": true}
places = ("1/8", "1/4", "1/2", "full")
columns = {
    "skips at": [
        ", ".join(places[skip - 1] for skip in skips) or "–"
        for skips in VARIANTS.values()
    ],
    "parameters": [n_parameters(DANN(each, **SMALL)) for each in VARIANTS.values()],
    "of the whole DANN": [n_parameters(DANN(each)) for each in VARIANTS.values()],
}
table = pd.DataFrame(columns, index=list(VARIANTS))
lessons.table(table, caption="the networks of this lesson")

# %% [markdown]
# *What to notice.* The networks of this lesson are small, so that a run takes a second or two. Each skip connection
# adds weights, since the decoder's convolution gets more input. So they are not *quite* equal otherwise: keep that in
# mind for the comparison (exercise 4.3 mends it).
#
# ## 3. The loss (3), and the loss of doing nothing
#
# $$Loss = \sum_{i,j}^{m,n} |M_{l,i,j} * I_{i,j} - N_{l,i,j}| \quad (3)$$
#
# $I$ is the mixture's spectrogram, $M_l$ the mask for instrument $l$, $N_l$ the true spectrogram of that
# instrument; all are real numbers, since real and imaginary part are planes of their own. By hand, for one
# source and 2 × 2 bins:

# %% tags=["nbval-check-output"]
mixed = torch.tensor([[1.0, -2.0], [3.0, 0.5]])  # I
wanted = torch.tensor([[0.8, -1.0], [0.0, 0.5]])  # N
mask = torch.tensor([[1.0, 0.5], [0.1, 0.0]])  # M
print("masked:", (mask * mixed).tolist())
print("loss (3) as a sum: ", (mask * mixed - wanted).abs().sum().item())
print("loss (3) as a mean:", (mask * mixed - wanted).abs().mean().item())

# %% [markdown]
# The library's loss does the same for all bins, parts and sources at once. It takes the mean, since the
# report's learning rate fits that (the sum is 541 200 times larger, and so would each step of the training
# be):

# %%
lessons.show_source(l1_loss)

# %% tags=["nbval-check-output"]
masks = mask.expand(1, 1, 2, 2, 2)  # (batch, source, part, freq, frame)
of_one = l1_loss(masks, mixed.expand(1, 2, 2, 2), wanted.expand(1, 1, 2, 2, 2))
assert torch.allclose(of_one, (mask * mixed - wanted).abs().mean())
assert 3 * 2 * report.N_BINS * report.N_FRAMES == 541_200
print("equal")

# %% [markdown]
# A loss of 95: is that good? You cannot know without something to compare with. Two answers need no learning
# at all: **silence** (all masks 0) and, looking at the solution, the **best masks between −1 and 1**. Here they are
# for one piece of a song: 32 frames of its lowest 128 bins, 3.7 s up to 550 Hz.

# %%
waveforms = torch.from_numpy(signals[None, : 1 + len(report.SOURCES)])
whole = pretreat(waveforms, report.GAIN)  # mixture and sources, all bins and frames
piece, truth = (planes[..., :128, 32:64].contiguous() for planes in whole)
silence = l1_loss(torch.zeros_like(truth), piece, truth).item()
best = l1_loss(part_masks(truth[0], piece[0], 1.0)[None], piece, truth).item()
Markdown(f"Silence: **{silence:.0f}**. Best masks within ±1: **{best:.0f}**.")

# %% [markdown]
# *What to notice.* Silence is a strong opponent: at most times and frequencies most sources *are* silent, and
# an L1 loss rewards a network for getting those right. A curve that falls to the loss of silence and stays
# there has learned to say nothing. Keep the line of silence in the next figures in mind.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "Why does the loss of a *perfect* network not reach 0 here, if its masks stay"
    " between -1 and 1?",
    "Where the sources cancel each other, a source is larger than the mixture, and no"
    " mask within ±1 makes it so. The best masks of this kind take"
    f" {100 * (1 - best / silence):.0f} % off the loss of silence; the rest is out of"
    " reach.",
)

# %% [markdown]
# ## 4. The experiment
#
# Can a network draw a fine mask at all, if its details have to pass through the bottleneck? To ask just that, we give
# all networks the easiest task there is: **learn one piece by heart**. The same 3.7 s in each of 100 updates; no other
# songs, nothing to generalise (that is lesson 5). If details get lost on the way, it shows here.
#
# One loop, one argument, three seeds for each network. (The optimiser is Adam with a step of 0.01, so that seconds are
# enough; lesson 5 compares it with the report's.)
#
# **Predict:** write down an order, from the network that will learn best to the one that will learn worst.


# %%
def fresh(skips: tuple[int, ...], seed: int) -> DANN:
    torch.manual_seed(seed)
    return DANN(skips, **SMALL)


def learn_by_heart(network: DANN) -> np.ndarray:
    """Let a network see one piece 100 times; its loss each time."""
    optimizer, losses = torch.optim.Adam(network.parameters(), lr=0.01), []
    for _ in range(100):
        loss = l1_loss(network(piece), piece, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


# %%
networks = {
    name: [fresh(skips, seed) for seed in (0, 1, 2)] for name, skips in VARIANTS.items()
}
every = [network for of_seeds in networks.values() for network in of_seeds]
torch.set_num_threads(1)  # maps this small are not worth two cores for one network
with ThreadPoolExecutor(2) as pool:
    curves = [*tqdm(pool.map(learn_by_heart, every), total=len(every), unit="network")]
losses = {name: curves[3 * place :][:3] for place, name in enumerate(networks)}

# %% jupyter={"source_hidden": true}
ends = {name: np.array(each)[:, -1] for name, each in losses.items()}


def draw(*names: str) -> figures.Drawing:
    """The mean over three seeds by update, and the loss of silence."""
    updates = np.arange(1, 101)
    lines = {name: (updates, np.mean(losses[name], axis=0)) for name in names}
    lines["silence"] = (updates, np.full(100, silence))
    texts = [f"{name} {', '.join(map('{:.0f}'.format, ends[name]))}" for name in names]
    return figures.curves(
        lines, "update", "loss (3)",
        f"Loss while one piece is learned by heart, mean of three seeds. Silence:"
        f" {silence:.0f}. At the end, seed by seed: {'; '.join(texts)}.",
    )


draw("no skip", "Concat 1")

# %% [markdown]
# *What to notice.* Both curves fall, and one could call that learning. How far do they come? The report draws this
# curve, titles it "without skip connection layer", and concludes that such a network cannot learn (its text describes
# Concat 1, so we train both).
#
# Your networks are small and know one piece. The **reference run** trained the whole DANN on real songs with the
# report's SGD, with three seeds each; here is its figure 5, drawn from the stored losses:

# %%
lessons.reference("figure_5")

# %%
draw("Concat 2", "Concat 3")

# %%
lessons.reference("figure_6")

# %%
draw("Concat 3", "Concat 2+3")

# %%
lessons.reference("figure_7")

# %% [markdown]
# *What to notice.* Compare starts and ends separately: "learns faster" is a statement about the left of the
# figure, "converges to a higher loss" one about the right. The bands in the reference figures reach from the lowest
# seed to the highest. And a hundred updates are no convergence.
#
# ## 5. All at once
#
# The axis shows how much of the way from silence (0 %) to the best masks within ±1 (100 %) each network has
# gone: the mean of its three seeds.
#
# **Predict:** how many per cent does the best one reach?


# %%
def way(name: str) -> np.ndarray:
    return 100 * (silence - ends[name]) / (silence - best)


figures.bars(
    {name: way(name).mean() for name in VARIANTS},
    "way from silence to the best masks (%), mean of three seeds",
    form=".0f",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
coarse_names, fine_names = ("no skip", "Concat 1"), ("Concat 3", "Concat 2+3")
n_parted = np.sum(
    np.max([way(name) for name in coarse_names], axis=0)
    < np.min([way(name) for name in fine_names], axis=0)
)
lowest_fine = min(way(name).min() for name in fine_names)
highest_coarse = max(way(name).max() for name in coarse_names)
order = sorted(VARIANTS, key=lambda name: -way(name).mean())
Markdown(
    f"*What to notice.* In **{n_parted} of 3 seeds** both networks with a connection at"
    " 1/2 of the resolution come further than the two that know nothing finer than"
    f" 1/8: the ones at least {lowest_fine:.0f} %, the others at most"
    f" {highest_coarse:.0f} %. Your order, by the mean: {', '.join(order)}. This is"
    " step 1 again, now with networks that had to find their masks themselves."
)

# %% [markdown]
# The reference run, with 360 updates on real songs and three seeds, asks more: whether the connections help on songs
# that were not learned.

# %%
lessons.reference("skips")

# %% [markdown]
# ## 6. How much of it is chance?
#
# A network starts with random weights. **Predict:** is the difference between the two networks of figure 7 larger than
# that between two seeds of the same network?

# %%
pair = ("Concat 3", "Concat 2+3")
gap_seeds = max(np.ptp(ends[name]) for name in pair)
gap_networks = abs(np.subtract(*(ends[name].mean() for name in pair)))
is_chance = gap_networks <= gap_seeds
verdict = "no larger than" if is_chance else "larger than"
Markdown(
    "; ".join(f"{name}: {', '.join(map('{:.0f}'.format, ends[name]))}" for name in pair)
    + f". Seeds of one network differ by up to **{gap_seeds:.0f}**, the two networks by"
    f" **{gap_networks:.0f}** in the mean: {verdict} what chance does."
)

# %% [markdown]
# *What to notice.* How far a network comes is a matter of luck to a good part. A figure with one curve for each
# network, as in the report and in most papers of its time, cannot tell luck from merit.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
n_splits = 20  # ways to choose 3 of 6
lessons.quick_check(
    "You have three seeds of each of two networks. All three of the first end lower"
    " than all three of the second. How likely is just that by chance, if there is no"
    " difference? And that either of them ends lower than the other in all three?",
    f"There are {n_splits} ways to deal six results to two networks of three. In one"
    f" of them the first has the three lowest: {100 / n_splits:.0f} %. In two, one of"
    f" the networks has: {100 * 2 / n_splits:.0f} %. Three seeds can hint; they cannot"
    " prove. Exercise 4.2 computes it.",
)

# %% [markdown]
# ## 7. The connection that the report rejects
#
# "… is very close to the input spectrogram and it will add all the instruments we want to suppress from the
# song", says the report of Concat 4, without trying it. If so, its estimates must hold more of the other
# instruments. SIR measures just that (equation (6), lesson 6). We let the networks with Concat 3 and with Concat 4 play
# the piece that they have learned.
#
# **Predict:** which of the two has the higher SIR?


# %%
def heard(planes: torch.Tensor) -> np.ndarray:
    """The piece as waveforms (source, sample); above 550 Hz there is nothing."""
    above = (0, 0, 0, report.N_BINS - planes.shape[-2])
    padded = torch.nn.functional.pad(planes[0] / report.GAIN, above)
    return spectrogram.istft(padded, 31 * report.HOP).numpy()


true_stems = heard(truth)
estimates = {
    name: [
        heard(apply_masks(each(piece), piece).detach()) for each in networks[name]
    ]
    for name in ("no skip", "Concat 3", "Concat 4")
}

# %%
ratios = pd.DataFrame(
    {
        name: np.median([sdr_sir_sar(each, true_stems) for each in group], axis=(0, 2))
        for name, group in estimates.items()
    },
    index=["SDR", "SIR", "SAR"],
).T
lessons.table(ratios, "{:.1f} dB", "median over sources and seeds")

# %%
player.tracks(
    {
        "true vocals": true_stems[0],
        **{f"vocals, {name}": group[0][0] for name, group in estimates.items()},
    },
    description="Vocals of the piece up to 550 Hz, as three networks have learned them;"
    " compare the levels, which stand beside the names.",
)

# %% [markdown]
# *What to notice.* Small networks and one piece: this is a way to ask, not an answer. The reference run asks it with
# the whole DANN and three seeds, and adds Concat 4 to it (the bars of step 5, and the table below): SIR does fall.
#
# ## The report says / we find
#
# Your run is short: a hundred updates on one piece, networks with a tenth of DANN's parameters, three seeds. It tells
# what a network *can* draw, not what it learns from other songs.


# %%
def compare(first: str, second: str) -> tuple[str, bool, bool]:
    """Numbers for a pair; whether the first is faster, and whether it ends lower."""
    early = [np.mean(losses[name], axis=0)[19] for name in (first, second)]
    late = [ends[name].mean() for name in (first, second)]
    text = (
        f"after 20 updates {first} {early[0]:.0f}, {second} {early[1]:.0f};"
        f" after 100 {late[0]:.0f} and {late[1]:.0f}"
    )
    return text, early[0] < early[1], late[0] < late[1]


# %%
text_23, faster_2, lower_2 = compare("Concat 2", "Concat 3")
text_33, faster_23, lower_23 = compare("Concat 2+3", "Concat 3")
sir = ratios["SIR"]

# %% jupyter={"source_hidden": true}
def show_way(name: str) -> str:
    """Of each seed, from the lowest to the highest."""
    return ", ".join(f"{share:.0f}" for share in sorted(way(name)))


found = {
    "near-skip": "of the way from silence to the best masks, Concat 1 has gone"
    f" {show_way('Concat 1')} %, the network without any skip {show_way('no skip')} %,"
    f" Concat 3 {show_way('Concat 3')} %",
    "concat-2-3": text_23,
    "concat-2+3": f"{text_33}; seeds differ by up to {gap_seeds:.0f}",
    "full-resolution": f"median SIR of the piece: Concat 4 {sir['Concat 4']:.1f} dB,"
    f" Concat 3 {sir['Concat 3']:.1f} dB",
}

# %%
agrees = {
    "near-skip": bool(way("Concat 1").max() < way("Concat 3").min()),
    "concat-2-3": faster_2 and not lower_2,
    "concat-2+3": None if is_chance else lower_23 and not faster_23,
    "full-resolution": bool(sir["Concat 4"] < sir["Concat 3"]),
}
verdicts = {claim: lessons.Verdict(found[claim], agrees[claim]) for claim in found}
lessons.claims_table(4, verdicts)

# %% [markdown]
# ## Quiz
#
# Decide before you unfold: the answer also says what is wrong with the others.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "A loss falls to that of silence and stays there. What has the network learned? "
    "(a) Nothing. (b) To give next to nothing. (c) All that can be learned.",
    "**(b)** Silence is right wherever a source does not play, and an L1 loss "
    f"rewards that. (a) It had to learn to be quiet. (c) Silence is at {silence:.0f} "
    f"here, the best masks at {best:.0f}; networks can stay there and leave it later.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "One run of A ends at a lower loss than one run of B. What do you know? (a) A is "
    "better. (b) B has to be trained longer. (c) Not much yet.",
    "**(c)** First ask how far two seeds of the *same* network differ: here by up to "
    f"{gap_seeds:.0f}, and the two networks of figure 7 by {gap_networks:.0f} in the "
    "mean. (a) and (b) are stories about a difference that may be luck.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "Which of the report's three connections carries the finest detail? (a) Concat "
    "1. (b) Concat 3. (c) All the same.",
    "**(b)** It leaves the encoder at 1/2 of the resolution, where bins are "
    f"{2 * bin_hz:.1f} Hz apart. (a) It is counted from the bottleneck: Concat 1 is "
    f"at 1/8, where they are {8 * bin_hz:.0f} Hz apart. (c) Each "
    "pooling halves it.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "A network learns one piece by heart. What does its loss show? (a) What masks it "
    "can draw. (b) How it will do on other songs. (c) Both.",
    "**(a)** It shows what gets through the network: "
    f"{max(way(name).mean() for name in VARIANTS):.0f} % of the way in the best mean, "
    f"{min(way(name).mean() for name in VARIANTS):.0f} % in the lowest. (b) and (c) "
    "need songs that were not learned from, as in the reference run.",
)

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
    raise NotImplementedError("write this part")


# %% tags=["example", "4.1", "nbval-check-output"]
exercises.aim("04_skip_ablation", "4.1", lambda: (
    [
        loss(level * ones, torch.ones(1, 2, 4, 4), 0.25 * ones).item()
        for level in (0.0, 0.25, 1.0)
        for ones in [torch.ones(1, 3, 2, 4, 4)]
    ]
))

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
    raise NotImplementedError("write this part")


# %% tags=["example", "4.2", "nbval-check-output"]
exercises.aim("04_skip_ablation", "4.2", lambda: (
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
))

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
    raise NotImplementedError("write this part")


# %% tags=["example", "4.3", "nbval-check-output"]
exercises.aim("04_skip_ablation", "4.3", lambda: (
    {
        skips: bottleneck_for(n_parameters(DANN(skips, (4, 8, 16, 16), bottleneck=12)))
        for skips in ((), (3,), (2, 3))
    }
))

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
    raise NotImplementedError("write this part")


# %% tags=["example", "4.4", "nbval-check-output"]
exercises.aim("04_skip_ablation", "4.4", lambda: (
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
))

# %% tags=["self-check"]
ablation.check_ablation(variants)

# %% [markdown]
# ## Recap
#
# 1. A mask known at 1/16 of the resolution cannot follow harmonics: four poolings cost several dB, even for a
#    perfect mask.
# 2. The loss (3) is the absolute difference of masked mixture and source; its value means something only
#    beside that of silence.
# 3. An ablation changes one thing: here one argument, `skips`, in one loop. Learning a piece by heart asks what a
#    network *can* draw, not what it learns for other songs.
# 4. Start, end and chance are three things to read off a curve; a second seed shows how much is chance.
#
# ## Further reading
#
# - O. Ronneberger, P. Fischer, T. Brox: *U-Net: Convolutional Networks for Biomedical Image Segmentation*,
#   2015. [arXiv:1505.04597](https://arxiv.org/abs/1505.04597)
# - H. Zhao et al.: *The Sound of Pixels*, 2018, the report's reference [2].
#   [arXiv:1804.03160](https://arxiv.org/abs/1804.03160)
# - H. Li et al.: *Visualizing the Loss Landscape of Neural Nets*, 2018: what skip connections do to training.
#   [arXiv:1712.09913](https://arxiv.org/abs/1712.09913)
# - X. Bouthillier et al.: *Accounting for Variance in Machine Learning Benchmarks*, 2021: how much is chance.
#   [arXiv:2103.03098](https://arxiv.org/abs/2103.03098)
#
# Previous lesson: [3 · Build the U-net, layer by layer](03_unet.ipynb) · [Solutions of the
# exercises](solutions/04_skip_ablation.ipynb) · next lesson: [5 · Train it, and stop in
# time](05_training_overfitting.ipynb)
