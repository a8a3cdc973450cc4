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
# At the end you can say what each skip connection gives back of what pooling took away, have trained seven
# networks that differ in nothing else, and know when a loss curve only looks like learning.
#
# **What you will learn**
#
# 1. to measure how fine a mask has to be, and so what a network loses that sees coarse features only;
# 2. to read and compute the loss (3), and to compare it with the loss of *doing nothing*;
# 3. to set up an **ablation**: one experiment with one parameter, everything else held fixed;
# 4. to read loss curves honestly: start, end, and how much is chance.
#
# **What you need**: about 60 s on two processor cores, 1 GB of memory, headphones. No network. The
# trained networks are kept in `data/runs`, so a second run takes 10 s.
#
# **What of the report is rebuilt**: section I.c with equation (3) and figures 5, 6 and 7.
#
# Previous lesson: [3 · Build the U-net, layer by layer](03_unet.ipynb) · next lesson: [5 · Train it, and stop
# in time](05_training_overfitting.ipynb)

# %%
import dataclasses
import math

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from torch.nn import functional

# %%
from dann_lib import figures, player, report, spectrogram
from dann_lib.course import lessons
from dann_lib.batches import Chunks, pretreat
from dann_lib.config import TrainingConfig
from dann_lib.corpus import open_corpus
from dann_lib.evaluation import sdr_sir_sar
from dann_lib.evaluation.oracles import part_masks, ratio_mask
from dann_lib.network import DANN, n_parameters, up_sample
from dann_lib.separation import Separator
from dann_lib.training import Run, l1_loss

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
signals = np.array(corpus.select("test")[2].waveforms)
planes = spectrogram.to_complex(spectrogram.stft(torch.from_numpy(signals)))
mixture, *stems = planes
ideal = ratio_mask(torch.stack(stems))  # (source, freq, frame)

# %%
def coarse(mask: torch.Tensor, poolings: int) -> torch.Tensor:
    """Known only at 1/2^poolings of the resolution, and brought back by (2)."""
    if poolings == 0:
        return mask
    small = functional.avg_pool2d(mask[None], 2**poolings, ceil_mode=True)
    return up_sample(small, mask.shape[-2:])[0]


def masked(mask: torch.Tensor) -> np.ndarray:
    """Waveforms (source, sample) of the masked mixture."""
    estimates = spectrogram.from_complex(mask * mixture)
    return spectrogram.istft(estimates, signals.shape[-1]).numpy()


estimates = {poolings: masked(coarse(ideal, poolings)) for poolings in range(5)}

# %% jupyter={"source_hidden": true}
sdr = np.array([sdr_sir_sar(each, signals[1:]).sdr for each in estimates.values()])
lines = dict(zip(report.SOURCES, sdr.T, strict=False))
ends = [f"{name} {line[0]:.1f} → {line[4]:.1f} dB" for name, line in lines.items()]
figures.curves(
    {name: (list(estimates), line) for name, line in lines.items()},
    "poolings that the mask has gone through",
    "SDR (dB)",
    "SDR of ideal masks known at ever coarser resolution, in one song. No pooling → "
    f"four poolings: {'; '.join(ends)}.",
)

# %%
excerpt = slice(0, 6 * report.SAMPLE_RATE)
player.tracks(
    {
        "vocals, mask at full resolution": estimates[0][0, excerpt],
        "vocals, mask known at 1/4": estimates[2][0, excerpt],
        "vocals, mask known at 1/16": estimates[4][0, excerpt],
    },
    description="The same ideal mask, ever coarser: the other instruments come back "
    "between the harmonics of the voice.",
)

# %% jupyter={"source_hidden": true}
figure, axes = figures.canvas(1, 3, height_in=2.9, sharey=True)
for axis, poolings in zip(axes, (0, 2, 4), strict=True):
    mask = coarse(ideal, poolings)[0, :400, :60]
    image = axis.imshow(mask, origin="lower", aspect="auto", vmin=0, vmax=1)
    axis.set(title=f"mask known at 1/{2**poolings}", xlabel="frame")
axes[0].set_ylabel("bin")
figure.colorbar(image, ax=axes, label="mask of the vocals", pad=0.01)
figures.show(
    figure,
    "The ideal mask of the vocals up to 1.7 kHz, at three resolutions. At full "
    "resolution each harmonic of the voice is a line of its own; at 1/4 the lines run "
    "together; at 1/16 there are only patches.",
)

# %% [markdown]
# *What to notice.* The coarsest mask still knows *when* somebody sings, but not *on which harmonics*, so it
# lets everything through that sounds at the same time in the same octave. This is an upper bound: a network
# without skip connections knows no more than these masks, and has to guess even those.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
apart_hz = 16 * report.SAMPLE_RATE / report.N_FFT
lessons.quick_check(
    "A mask is known at 1/16 of the resolution. How far is it from one of its bins to "
    "the next, and what interval is that for a voice at 440 Hz?",
    f"16 × {apart_hz / 16:.1f} Hz = {apart_hz:.0f} Hz: from 440 to "
    f"{440 + apart_hz:.0f} Hz are {12 * np.log2(1 + apart_hz / 440):.1f} semitones. "
    "Two notes closer than that get the same mask.",
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
    "no skip": (), "Concat 1": (1,), "Concat 2": (2,), "Concat 3": (3,),
    "Concat 2+3": (2, 3), "Concat 1+2+3": (1, 2, 3), "Concat 4": (4,),
}
SMALL = {"channels": (4, 8, 16, 16), "bottleneck": 12}

# %% jupyter={"source_hidden": true}
RESOLUTIONS = {1: "1/8", 2: "1/4", 3: "1/2", 4: "full"}
rows = {
    name: {
        "skips at": ", ".join(RESOLUTIONS[skip] for skip in skips) or "–",
        "parameters": n_parameters(DANN(skips, **SMALL)),
        "of the whole DANN": n_parameters(DANN(skips)),
    }
    for name, skips in VARIANTS.items()
}
lessons.table(pd.DataFrame(rows).T, caption="the networks of this lesson")

# %% [markdown]
# *What to notice.* The networks of this lesson have a tenth of DANN's parameters, so that seven of them train in a
# minute. Each skip connection adds weights, since the decoder's convolution gets more input. So they are not *quite*
# equal otherwise: keep that in mind for the comparison.
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
masks, truth = (each.expand(1, 1, 2, 2, 2) for each in (mask, wanted))
found = l1_loss(masks, mixed.expand(1, 2, 2, 2), truth)
print("equal:", torch.allclose(found, (mask * mixed - wanted).abs().mean()))

# %% [markdown]
# A loss of 95: is that good? You cannot know without something to compare with. Two answers need no learning
# at all: **silence** (all masks 0) and, looking at the solution, the **best masks between −1 and 1**.
#
# **Predict:** which loss has silence, compared with a fresh network's?

# %%
EXPERIMENT = TrainingConfig(
    network_options={"skips": (3,), **SMALL}, n_chunk_frames=22, batch_size=2, epochs=4,
    held_out="test",
)


# %%
def losses(subset: str) -> tuple[float, float]:
    """Of silence and of the best masks within ±1, over all chunks of the songs."""
    chunks, silent, best = Chunks(corpus.select(subset), 22), 0.0, 0.0
    for batch in chunks.in_order(EXPERIMENT):
        planes, truth = pretreat(batch.waveforms, EXPERIMENT.gain)
        pairs = zip(truth, planes, strict=True)
        masks = torch.stack([part_masks(*pair, 1.0) for pair in pairs])
        silent += batch.n_global * l1_loss(0 * masks, planes, truth).item()
        best += batch.n_global * l1_loss(masks, planes, truth).item()
    return silent / len(chunks), best / len(chunks)

# %% jupyter={"source_hidden": true}
assert 3 * 2 * report.N_BINS * report.N_FRAMES == 541_200
silence, best = {}, {}
for subset in ("train", "test"):
    silence[subset], best[subset] = losses(subset)
Markdown(
    f"Silence: **{silence['train']:.1f}** on the training songs, "
    f"**{silence['test']:.1f}** on the test songs. Best masks within ±1: "
    f"{best['train']:.1f} and {best['test']:.1f}."
)

# %% [markdown]
# *What to notice.* Silence is a strong opponent: at most times and frequencies most sources *are* silent, and
# an L1 loss rewards a network for getting those right. A curve that falls to the loss of silence and stays
# there has learned to say nothing. Keep the dash-dotted lines of the next figures in mind.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
share = 100 * (1 - best["test"] / silence["test"])
lessons.quick_check(
    "Why does the loss of a *perfect* network not reach 0 here, if its masks stay "
    "between -1 and 1?",
    "Where the sources cancel each other, a source is larger than the mixture, and no "
    f"mask within ±1 makes it so. The best masks of this kind take {share:.0f} % off "
    "the loss of silence on the test songs; the rest is out of reach.",
)

# %% [markdown]
# ## 4. The experiment
#
# One configuration, one parameter. All networks get the same songs in the same order, the report's SGD,
# learning rate, momentum and gain. (Chunks of 22 frames in batches of 2, where the report has 88 and 16: our
# corpus is small, and 24 updates an epoch are better than one.) The two networks of figure 7 are trained
# twice, with two seeds.
#
# **Predict:** write down an order, from the network that will learn best to the one that will learn worst.


# %%
def run(skips: tuple[int, ...], seed: int) -> Run:
    options = {"skips": skips, **SMALL}
    config = dataclasses.replace(EXPERIMENT, network_options=options, seed=seed)
    name = f"04-skips-{''.join(map(str, skips)) or 'none'}-seed-{seed}"
    return lessons.train_live(corpus, config, name)


twice = ("Concat 3", "Concat 2+3")
runs = {
    name: [run(skips, seed) for seed in ((0, 1) if name in twice else (0,))]
    for name, skips in VARIANTS.items()
}
histories = {name: [each.history for each in group] for name, group in runs.items()}

# %% jupyter={"source_hidden": true}
def with_silence(names: list[str]) -> dict[str, list[pd.DataFrame]]:
    """Histories, and a line for silence."""
    flat = histories[names[0]][0][["epoch"]].assign(
        train_loss=silence["train"], test_loss=silence["test"])
    return {**{name: histories[name] for name in names}, "silence": [flat]}


figures.figure_5(with_silence(["no skip", "Concat 1"]))

# %% [markdown]
# *What to notice.* Both curves fall steeply at first, and one could call that learning. They fall to the loss
# of silence. What comes after is the question: does a curve stay there, or does it leave the line at last?
# The report draws this curve, titles it "without skip connection layer", and concludes that such a network
# cannot learn (its text describes Concat 1, so we train both).
#
# Your networks are small and had a few seconds. The **reference run** trained the whole DANN on real songs,
# with three seeds each; here is its figure 5, drawn from the stored losses by the same function:

# %%
lessons.reference("figure_5")

# %%
figures.figure_6(with_silence(["Concat 2", "Concat 3"]))

# %%
lessons.reference("figure_6")

# %%
figures.figure_7(with_silence(["Concat 3", "Concat 2+3"]))

# %%
lessons.reference("figure_7")

# %% [markdown]
# *What to notice.* Compare starts and ends separately: "learns faster" is a statement about the left of the
# figure, "converges to a higher loss" one about the right. The band in figure 7 reaches from one seed to the
# other. And four epochs are no convergence.
#
# ## 5. All at once
#
# The axis shows how much of the way from silence (0 %) to the best masks within ±1 (100 %) each network has
# gone on the test songs, with its lowest test loss (the mean of the seeds, where there are two).
#
# **Predict:** how many per cent does the best one reach?


# %%
def lowest(name: str) -> float:
    return float(np.mean([each["test_loss"].min() for each in histories[name]]))


def way(name: str) -> float:
    return 100 * (silence["test"] - lowest(name)) / (silence["test"] - best["test"])


ways = {name: way(name) for name in VARIANTS}
figures.bars(ways, "way from silence to the best masks (%)", form=".1f")

# %% [markdown]
# *What to notice.* There are two groups: networks that have left silence behind, and networks that have not
# yet. Within the second group the order means nothing. And no network here has gone far: a minute is short.
# The reference run, with 360 updates on real songs and three seeds, can tell more of them apart:

# %%
lessons.reference("skips")

# %% [markdown]
# ## 6. How much of it is chance?
#
# A network starts with random weights, and chunks come in random order. **Predict:** is the difference
# between the two networks of figure 7 larger than that between two seeds of the same network?

# %%
ends = {name: [each["test_loss"].min() for each in histories[name]] for name in twice}
gap_seeds = max(abs(first - second) for first, second in ends.values())
gap_networks = abs(lowest("Concat 3") - lowest("Concat 2+3"))

# %% jupyter={"source_hidden": true}
is_chance = gap_networks <= gap_seeds
chance = "no larger than chance" if is_chance else "more than that between two seeds"
values = [f"{name}: {one:.2f} and {other:.2f}" for name, (one, other) in ends.items()]
Markdown(
    f"{'; '.join(values)}. Two seeds differ by up to **{gap_seeds:.2f}**, the two "
    f"networks by **{gap_networks:.2f}** in the mean: the difference is {chance}."
)

# %% [markdown]
# *What to notice.* When a network leaves the loss of silence is a matter of luck to a good part. A figure
# with one curve for each network, as in the report and in most papers of its time, cannot tell luck from
# merit.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
n_ways = math.comb(6, 3)
lessons.quick_check(
    "You have three seeds of each of two networks. All three of the first end lower "
    "than all three of the second. How likely is that by chance, if there is no "
    "difference?",
    f"There are {n_ways} ways to deal six results to two networks of three, and one of "
    f"them is this: 1 in {n_ways}, or {100 / n_ways:.0f} %. But had you not said before "
    "which network should end lower, the opposite would have caught your eye as well: "
    f"2 in {n_ways}, or {200 / n_ways:.0f} %. Exercise 4.2 computes this *two-sided* "
    "chance. Three seeds can hint; they cannot prove.",
)

# %% [markdown]
# ## 7. The connection that the report rejects
#
# "… is very close to the input spectrogram and it will add all the instruments we want to suppress from the
# song", says the report of Concat 4, without trying it. If so, its estimates must hold more of the other
# instruments. SIR measures just that (equation (6), lesson 6). We separate the test songs with Concat 3 and
# with Concat 4.
#
# **Predict:** which of the two has the higher SIR?


# %%
def median_ratios(name: str) -> pd.Series:
    """Median SDR, SIR and SAR of a network over test songs and sources, in dB."""
    separator = Separator.of(runs[name][0].network, EXPERIMENT, device="cpu")
    songs = [np.array(each.waveforms) for each in corpus.select("test")]
    ratios = [sdr_sir_sar(separator(each), each[1:]) for each in songs]
    return pd.Series(np.median(ratios, axis=(0, 2)), ["SDR", "SIR", "SAR"])


pair = ("Concat 3", "Concat 4")
ratios = pd.DataFrame({name: median_ratios(name) for name in pair}).T
lessons.table(ratios, "{:.1f} dB", "median over test songs and sources")

# %%
drums = {"true drums": signals[2, excerpt]}
for name in ("no skip", "Concat 3", "Concat 4"):
    separator = Separator.of(runs[name][0].network, EXPERIMENT, device="cpu")
    drums[f"drums, {name}"] = separator(signals)[1, excerpt]
player.tracks(
    drums,
    description="Drums of a test song; compare the levels beside the names.",
)

# %% [markdown]
# *What to notice.* Two networks that had a few seconds each are compared here, with one seed: this is a way
# to ask, not an answer. The reference run asks it with three seeds, and adds Concat 4 to the whole of DANN
# (the bars of step 5, and the table below): SIR does fall.
#
# ## The report says / we find
#
# Your run is short: four epochs on twelve songs of 11 s, networks with a tenth of DANN's parameters, one or
# two seeds.


# %% jupyter={"source_hidden": true}
def compare(first: str, second: str) -> tuple[str, bool, bool]:
    """Numbers for a pair; whether the first is faster, and whether it ends lower."""
    early, late = [], []
    for name in (first, second):
        early.append(np.mean([each["test_loss"][1] for each in histories[name]]))
        late.append(lowest(name))
    text = (
        f"after 2 epochs {first} {early[0]:.1f}, {second} {early[1]:.1f}; "
        f"lowest {late[0]:.1f} and {late[1]:.1f}"
    )
    return text, early[0] < early[1], late[0] < late[1]


furthest = max(ways.values())
text_23, faster_2, lower_2 = compare("Concat 2", "Concat 3")
text_33, faster_23, lower_23 = compare("Concat 2+3", "Concat 3")
sir = ratios["SIR"]
found = {
    "near-skip": "of the way from silence to the best masks, Concat 1 has gone "
    f"{way('Concat 1'):.1f} %, the network without any skip {way('no skip'):.1f} %, "
    f"the best one {furthest:.1f} %",
    "concat-2-3": text_23,
    "concat-2+3": f"{text_33}; two seeds differ by up to {gap_seeds:.1f}",
    "full-resolution": f"Concat 4: lowest test loss {lowest('Concat 4'):.1f}, median "
    f"SIR {sir['Concat 4']:.1f} dB; Concat 3: {lowest('Concat 3'):.1f}, "
    f"{sir['Concat 3']:.1f} dB",
}

# %%
agrees = {
    "near-skip": way("Concat 1") < 0.25 * furthest,
    "concat-2-3": bool(faster_2 and not lower_2),
    "concat-2+3": None if is_chance else bool(lower_23 and not faster_23),
    "full-resolution": bool(sir["Concat 4"] < sir["Concat 3"]),
}
verdicts = {claim: lessons.Verdict(found[claim], agrees[claim]) for claim in found}
lessons.claims_table(4, verdicts)

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
SMALL = {"channels": (4, 8, 16, 16), "bottleneck": 12}


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


ones, mixture = torch.ones(1, 3, 2, 4, 4), torch.ones(1, 2, 4, 4)

# %% tags=["example", "4.1", "nbval-check-output"]
exercises.aim("04_skip_ablation", "4.1", lambda: (
    [loss(level * ones, mixture, 0.25 * ones).item() for level in (0.0, 0.25, 1.0)]
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
    """Share of all ways to deal the results with means at least as far apart."""
    raise NotImplementedError("write this part")


# %% tags=["example", "4.2", "nbval-check-output"]
exercises.aim("04_skip_ablation", "4.2", lambda: (
    lessons.table(
        pd.DataFrame({
            "lowest test losses": [f"{lowest[a]} and {lowest[b]}" for a, b in pairs],
            "chance": [chance(lowest[a], lowest[b]) for a, b in pairs],
        }, index=[f"{a} against {b}" for a, b in pairs]),
        "{:.2f}", "skip connections of the reference run",
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
# Count upwards from 1 with `n_parameters(DANN((), **SMALL | {"bottleneck": width}))`.
#
# </details>

# %%
def bottleneck_for(n_weights: int) -> int:
    """Maps of the bottleneck that give the network without skips as many weights."""
    raise NotImplementedError("write this part")


# %% tags=["example", "4.3", "nbval-check-output"]
exercises.aim("04_skip_ablation", "4.3", lambda: (
    {skips: bottleneck_for(n_parameters(DANN(skips, **SMALL)))
     for skips in ((), (3,), (2, 3))}
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


# %%
def options(config: TrainingConfig) -> dict[str, str | float]:
    """Those that an ablation might change."""
    return {
        "network": config.network, "gain": config.gain, "momentum": config.momentum,
        "batch": config.batch_size, "frames": config.n_chunk_frames,
    }


experiment = TrainingConfig(n_chunk_frames=22, batch_size=2, epochs=6)

# %% tags=["example", "4.4", "nbval-check-output"]
exercises.aim("04_skip_ablation", "4.4", lambda: (
    pd.DataFrame({
        name: options(config) for name, config in variants(experiment).items()
    })
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
# 3. An ablation changes one thing: here one argument, `skips`, in one loop.
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
