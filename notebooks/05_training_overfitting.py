# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · Train it, and stop in time
#
# At the end you have trained DANN as the report did, know why a gain on the *sound* decides whether it
# learns, and can tell the moment when a network stops learning and begins to memorise.
#
# **What you will learn**
#
# 1. to take one step of gradient descent, and to see what the gain does to the gradient;
# 2. to tell apart what SGD, momentum and Adam do with the same gradient;
# 3. to follow a run by two loss curves, of songs that were learned from and songs that were not (figure 8);
# 4. to provoke overfitting, and to stop before it, on validation songs and not on test songs;
# 5. to interrupt a run at any moment and go on, bit for bit.
#
# **What you need**: about a minute on two processor cores, 1 GB of memory, headphones. No network. The run is
# kept in `data/runs`, so that lessons 6 and 7 can use it.
#
# **What of the report is rebuilt**: section II.c, the gain and the batches of II.b, figure 8.
#
# Previous lesson: [4 · Take the skip connections away, one by one](04_skip_ablation.ipynb) · next lesson: [6
# · Put a number on what you hear](06_evaluation.ipynb)

# %%
import dataclasses
import functools

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from dann_lib import figures, lessons, player, report
from dann_lib.batches import Chunks, pretreat
from dann_lib.checkpoint import load_weights
from dann_lib.config import TrainingConfig
from dann_lib.corpus import open_corpus
from dann_lib.evaluation import sdr_sir_sar
from dann_lib.network import DANN, build
from dann_lib.separation import Separator
from dann_lib.training import l1_loss, train

# %% [markdown]
# ## 1. One step downhill
#
# The loss (3) of lesson 4 is a number that depends on every weight of the network:
#
# $$Loss = \sum_{i,j}^{m,n} |M_{l,i,j} * I_{i,j} - N_{l,i,j}| \quad (3)$$
#
# **Backpropagation** computes its **gradient**: for each weight, how much the loss changes if that weight
# does. A step of gradient descent moves all weights against it: $w \leftarrow w - \eta\, g$, with the
# **learning rate** $\eta$.
#
# **Predict:** the report's $\eta$ is 0.0001. Does a step ten times as long lower the loss ten times as much?
# A thousand times?

# %%
corpus = open_corpus("synthetic")
SMALL = {"channels": (4, 8, 16, 16), "bottleneck": 12}  # the small DANN of lesson 4
config = TrainingConfig(network_options=SMALL, n_chunk_frames=22, batch_size=2)
batch = next(Chunks(corpus.select("train"), config.n_chunk_frames).at_random(config, epoch=0))


def loss_and_gradient(gain: float) -> tuple[float, list[torch.Tensor], DANN]:
    """Of a fresh network, on the same chunks each time."""
    torch.manual_seed(0)
    network = DANN(**SMALL)
    mixtures, sources = pretreat(batch.waveforms, gain)
    loss = l1_loss(network(mixtures), mixtures, sources)
    loss.backward()
    return loss.item(), [weight.grad.clone() for weight in network.parameters()], network


# %%
@torch.no_grad()
def loss_after_step(rate: float, gain: float = report.GAIN) -> float:
    _, gradient, network = loss_and_gradient_once()
    for weight, slope in zip(network.parameters(), gradient, strict=True):
        weight -= rate * slope
    mixtures, sources = pretreat(batch.waveforms, gain)
    loss = l1_loss(network(mixtures), mixtures, sources).item()
    for weight, slope in zip(network.parameters(), gradient, strict=True):
        weight += rate * slope
    return loss


loss_and_gradient_once = functools.cache(lambda: loss_and_gradient(report.GAIN))
start = loss_and_gradient_once()[0]
rates = 10.0 ** np.arange(-6, -1.4, 0.5)
along = [loss_after_step(rate) for rate in rates]

# %%
best_rate = rates[int(np.argmin(along))]
figures.curves(
    {"after one step": (rates, along), "before": (rates, np.full(len(rates), start))},
    "learning rate",
    "loss (3)",
    logarithmic=True,
    description=(
        "Loss on two chunks after a single step of the given length, from the same start"
        f" ({start:.0f}). Too short: nothing happens. Too long: the step lands somewhere else, and the"
        f" loss can even grow. Lowest near {best_rate:.0e}."
    ),
)

# %% [markdown]
# *What to notice.* The gradient tells the direction; it holds for short steps only. The report's 0.0001 is on
# the careful side of the valley for a *single* step. With momentum 0.9 each gradient goes on pushing for
# about ten steps, so the lasting effect is ten times as long.
#
# ## 2. What the gain does
#
# The report applies "a gain on the song in order to improve the calculation of the loss" (II.b) and does not
# say which. If the sound is multiplied by $a$, so are $I$ and $N$, and so is (3). The masks do not change, as
# DANN normalises its features.
#
# **Predict:** the loss is $a$ times as large. And the gradient? And what does that mean for $\eta$?

# %%
rows = []
for gain in (1, 30, 300, 30_000):
    loss, gradient, network = loss_and_gradient(gain)
    length = torch.sqrt(sum((slope**2).sum() for slope in gradient)).item()
    weights = torch.sqrt(sum((weight**2).sum() for weight in network.parameters())).item()
    rows.append(
        {
            "gain": gain,
            "loss (3)": loss,
            "length of the gradient": length,
            "step at 0.0001, in % of the weights": 100 * report.LEARNING_RATE * length / weights,
        }
    )
gains = pd.DataFrame(rows).set_index("gain")
lessons.table(gains, "{:.4g}", "a fresh network, the same two chunks")

# %%
growth = gains["length of the gradient"][30_000] / gains["length of the gradient"][300]
assert 90 < growth < 110
Markdown(
    f"A hundred times the gain, {growth:.0f} times the gradient. A gain of 300 at a learning rate of"
    f" 0.0001 is the same first step as no gain at a learning rate of {300 * report.LEARNING_RATE:.2f}."
    " **The gain is a learning rate in disguise.**"
)

# %% [markdown]
# Does it show in training? Sixteen updates with each gain, everything else as in the report. Losses at
# different gains cannot be compared as they are, so each is divided by the loss of *silence* for the same
# chunks (lesson 4): 1 is as good as giving nothing.

# %%
batches = [
    each
    for epoch in range(2)
    for each in Chunks(corpus.select("train"), config.n_chunk_frames).at_random(config, epoch)
][:16]
sgd = functools.partial(torch.optim.SGD, lr=report.LEARNING_RATE, momentum=report.MOMENTUM)


def learn(gain: float, optimizer: functools.partial) -> list[float]:
    """Loss divided by that of silence, before each update of a fresh network."""
    torch.manual_seed(0)
    network, course = DANN(**SMALL), []
    moves = optimizer(network.parameters())
    for each in batches:
        mixtures, sources = pretreat(each.waveforms, gain)
        loss = l1_loss(network(mixtures), mixtures, sources)
        loss.backward()
        moves.step()
        moves.zero_grad()
        course.append((loss / sources.abs().mean()).item())
    return course


# %%
updates = np.arange(len(batches))
by_gain = {gain: learn(gain, sgd) for gain in (1, 30, 300, 30_000)}
figures.curves(
    {f"gain {gain}": (updates, np.minimum(course, 4)) for gain, course in by_gain.items()},
    "updates",
    "loss / loss of silence",
    "Sixteen updates with SGD at 0.0001 and four gains; what is above 4 is cut off. In the end: "
    + ", ".join(f"gain {gain}: {course[-1]:.2f}" for gain, course in by_gain.items())
    + " of the loss of silence.",
)

# %% [markdown]
# *What to notice.* Without gain, 0.0001 hardly moves the network at all. With 300 it learns in a few updates.
# With 30 000 a step is nearly as long as the weights themselves, and throws the network out of the valley
# again and again. Between the two there is a wide range that works; we take 300 for the number that is
# missing in the report. It was chosen on the validation songs of the reference run:

# %%
lessons.reference("gains")

# %% [markdown]
# ## 3. SGD, momentum, Adam
#
# **Adam** divides each weight's step by the usual size of its own gradient, so its steps have the length of
# the learning rate whatever the gain. **Predict:** which of these curves changes if the gain is 1 instead of
# 300?

# %%
adam = functools.partial(torch.optim.Adam, lr=1e-3)
plain = functools.partial(torch.optim.SGD, lr=report.LEARNING_RATE)
optimizers = {
    "SGD, gain 300": learn(300, plain),
    "SGD with momentum, gain 300": by_gain[300],
    "Adam, gain 300": learn(300, adam),
    "Adam, gain 1": learn(1, adam),
}
figures.curves(
    {name: (updates, course) for name, course in optimizers.items()},
    "updates",
    "loss / loss of silence",
    "Sixteen updates with four optimisers. In the end: "
    + ", ".join(f"{name}: {course[-1]:.2f}" for name, course in optimizers.items())
    + " of the loss of silence.",
)

# %% [markdown]
# *What to notice.* Momentum makes SGD faster. The two curves of Adam lie on top of each other: it needs no
# gain, which is one reason why it is today's first choice. The report's SGD needs one of the right order.
# Sixteen updates are few, though: step 4 compares the two over a whole run.
#
# ## 4. The whole run
#
# Now the whole of DANN, half a million parameters, on all twelve training songs, with the report's SGD. After
# each epoch, the loss is also computed on the eight test songs, which the network never learns from. That is
# what the report does for figure 8. (Chunks of 22 frames in batches of 2, where the report has 88 and 16: our
# songs are few.)

# %%
run = lessons.train_live(corpus, lessons.LIVE_REPORT, "05-report")
figures.figure_8(run.history)

# %%
chunks = Chunks(corpus.select("test"), run.config.n_chunk_frames)
silence = 0.0
for each in chunks.in_order(run.config):
    _, sources = pretreat(each.waveforms, run.config.gain)
    silence += sources.abs().mean().item() * each.n_global / len(chunks)
last = run.history.iloc[-1]
Markdown(
    f"Loss of silence on the test songs: {silence:.1f}. After {last['epoch']:.0f} epochs and"
    f" {last['update']:.0f} updates DANN is at **{last['test_loss']:.1f}**."
)

# %% [markdown]
# *What to notice.* What is learned from the training songs helps with the test songs too: both curves fall.
# The distance between them is not overfitting yet (the songs differ in level; and the training loss is an
# average over an epoch in which the network still changes). Overfitting is when they part: one goes on
# falling, the other turns. Ten epochs do not get that far. The reference run went on for the report's 100
# epochs, on 80 real songs of 7 s, with chunks and batches as in the report and three seeds:

# %%
lessons.reference("figure_8")

# %% [markdown]
# *What to notice.* There it is, the report's figure 8: the training loss goes on falling, the test loss stays
# where it is. It comes after fewer epochs than in the report, and after far fewer updates: nine minutes of
# music are learned by heart sooner than six hours. The circle marks the lowest mean of the seeds, a matter of
# luck on a flat curve; the ledger therefore asks for the first epoch within one per cent of it.
#
# And with today's usual training? Adam, with a learning rate that rises and falls again (*one cycle*),
# everything else the same:

# %%
modern = lessons.live_run(corpus)
figures.curves(
    {
        "SGD, as in the report": (run.history["epoch"], run.history["test_loss"]),
        "Adam, one cycle": (modern.history["epoch"], modern.history["test_loss"]),
    },
    "epoch",
    "test loss (3)",
    "Test loss of the same network with two optimisers: SGD ends at"
    f" {run.history['test_loss'].iloc[-1]:.1f}, Adam with one cycle at"
    f" {modern.history['test_loss'].iloc[-1]:.1f}; silence is at {silence:.1f}.",
)

# %% [markdown]
# *What to notice.* Adam starts more slowly, as its learning rate has to rise first, and becomes smooth in the
# end, as the cycle ends in short steps. SGD's steps stay as long as they were. Lessons 6 and 7 take the
# network that Adam has trained.
#
# ## 5. Hear what was learned
#
# **Predict:** what does a mask of an untrained network sound like?

# %%
track = corpus.select("test")[2]
signals = np.array(track.waveforms)
torch.manual_seed(run.config.seed)
fresh = build(run.config.network, **run.config.network_options)
networks = {"before training": fresh, "after SGD": run.network, "after Adam": modern.network}
estimates = {name: Separator.of(each, run.config, "cpu")(signals) for name, each in networks.items()}
excerpt = slice(0, 6 * report.SAMPLE_RATE)
player.tracks(
    {
        "mixture": signals[0, excerpt],
        **{f"drums, {name}": each[1, excerpt] for name, each in estimates.items()},
        "true drums": signals[2, excerpt],
    },
    description=(
        "Drums of a test song, separated by DANN before and after your runs; at their own levels."
    ),
)

# %%
ratios = {
    "mixture as it is": sdr_sir_sar(signals[[0, 0, 0]], signals[1:]).sdr,
    **{name: sdr_sir_sar(each, signals[1:]).sdr for name, each in estimates.items()},
}
table = pd.DataFrame(ratios, index=report.SOURCES)
lessons.table(table, "{:.1f} dB", "SDR in this song (lesson 6); higher is better")

# %% [markdown]
# *What to notice.* Before training, random masks let a garbled mixture through. After half a minute the
# network has begun to tell drums from the rest, and it is careful: where it is not sure it says little, as
# (3) rewards. Twelve songs and half a minute do not make a good separator. They make one that has understood
# the task. And look at the sources one by one: a lower loss over all three does not mean a higher SDR for
# each.
#
# ## 6. Overfitting on purpose
#
# Overfitting comes fastest with many parameters and few songs. A feed-forward network, even a small one, has
# several times as many parameters as DANN, and no convolution that would have to treat all frequencies alike.
# So: the same twelve songs, and Adam.
#
# **Predict:** how far will the training loss fall, and what will the test loss do?

# %%
overfit = dataclasses.replace(
    config,
    network="feedforward",
    network_options={"context": 5, "width": 256},
    optimizer="adam",
    learning_rate=1e-3,
    batch_size=4,
    epochs=18,
    held_out="test",
)
overfitted = lessons.train_live(corpus, overfit, "05-overfitting")
figures.figure_8(overfitted.history)

# %% [markdown]
# *What to notice.* The report's figure 8 in fast motion: the training loss goes on falling, the test loss
# turns. From there on the network no longer learns *drums*, but *these* drums. The cures are more songs (the
# report had 100), songs that are remixed anew in each epoch (`remix=True`), fewer parameters, as in DANN, or
# stopping.
#
# ## 7. Stop in time, without looking at the test songs
#
# **Early stopping** keeps the weights of the best epoch, and stops when there was no better one for a while
# (**patience**). But best on which songs? The report watches the test songs. Then its 100 epochs are *chosen*
# on them, and the scores of lesson 6 come out too good, by how much nobody knows. So validation songs choose,
# and test songs are left for the end.

# %%
stopped = lessons.train_live(
    corpus, dataclasses.replace(overfit, held_out="valid", patience=5), "05-early-stopping"
)
both = overfitted.history[["epoch", "test_loss"]].merge(
    stopped.history[["epoch", "test_loss"]].rename(columns={"test_loss": "valid_loss"})
)
chosen = both.loc[both["valid_loss"].idxmin()]
figures.curves(
    {
        "validation songs": (both["epoch"], both["valid_loss"]),
        "test songs": (both["epoch"], both["test_loss"]),
    },
    "epoch",
    "loss (3)",
    f"The same run, watched on validation songs and on test songs. It stopped after {len(both)} of"
    f" {overfit.epochs} epochs; the validation songs choose epoch {chosen['epoch']:.0f}.",
)

# %%
peeked = overfitted.history["test_loss"].min()
end = overfitted.history.iloc[-1]
Markdown(
    f"Chosen on the validation songs: epoch {chosen['epoch']:.0f}, test loss"
    f" **{chosen['test_loss']:.2f}**. Chosen on the test songs themselves: **{peeked:.2f}**. The"
    f" difference, {chosen['test_loss'] - peeked:.2f}, is what peeking flatters. Without stopping,"
    f" after {end['epoch']:.0f} epochs, the test loss is {end['test_loss']:.2f}."
)

# %% [markdown]
# ## 8. Interrupt it, and go on
#
# Training on real music takes hours. The loop writes a checkpoint after each epoch: weights, momentum, state
# of the random numbers. A run that is interrupted and started again ends with the *same bits* as one that was
# not. Try it:

# %%
few = dataclasses.replace(corpus, tracks=(*corpus.select("train")[:2], *corpus.select("test")[:1]))
quick = dataclasses.replace(config, epochs=4, held_out="test")
straight = train(
    few, quick, lessons.live_folder("05-straight"), device="cpu", restart=True, progress=False
)
folder = lessons.live_folder("05-in-two-parts")
train(few, dataclasses.replace(quick, epochs=2), folder, device="cpu", restart=True, progress=False)
resumed = train(few, quick, folder, device="cpu", progress=False)  # goes on at epoch 3

# %% tags=["nbval-check-output"]
weights = [each.network.state_dict() for each in (straight, resumed)]
print("the same bits:", all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0]))
print("files of a run:", ", ".join(sorted(path.name for path in folder.iterdir())))
network, config_inside = load_weights(resumed.weights)
print(
    "read again:", type(network).__name__, "with skips", network.skips, "and gain", config_inside.gain
)

# %% [markdown]
# *What to notice.* Weights are stored as `safetensors`, with the configuration inside. The usual format of
# Python, a pickle, can run any program when it is opened, so this library refuses to read one.
#
# From a shell, the same is `python -m dann_lib train`, also on several GPUs. Ctrl-C is safe: the same command
# goes on.
#
# ## The report says / we find
#
# Your run: the embedded corpus, one seed, chunks of 22 frames in batches of 4.

# %%
turned = overfitted.history.loc[overfitted.history["test_loss"].idxmin()]
parts = bool(turned["epoch"] < end["epoch"] and end["train_loss"] < turned["train_loss"])
lessons.claims_table(5, {
    "overfitting": lessons.Verdict(
        f"a network with many parameters: lowest test loss {turned['test_loss']:.1f} in epoch "
        f"{turned['epoch']:.0f}, {end['test_loss']:.1f} in the end, while the training loss falls from "
        f"{turned['train_loss']:.1f} to {end['train_loss']:.1f}. The shape is the report's; in which epoch "
        "it happens depends on network and songs", parts),
    "sgd-gain": lessons.Verdict(
        f"after 16 updates the loss is {by_gain[1][-1]:.2f} of that of silence without gain, "
        f"{by_gain[300][-1]:.2f} with 300, {by_gain[30_000][-1]:.2f} with 30 000",
        by_gain[300][-1] < by_gain[1][-1]),
})

# %% [markdown]
# ## Try it
#
# 1. *Warm-up.* Draw the curves of step 2 for gains of 1000, 3000 and 10 000. How wide is the range that
#    works?
# 2. *No gain.* Which learning rate makes SGD at gain 1 learn as fast as at gain 300? Predict it from step 2,
#    then try.
# 3. *Open end.* How many songs does it take? Repeat step 6 with 2, 4, 8 and 12 songs (step 8 shows how), and
#    plot the lowest test loss over the number of songs. Then set `remix=True` for two. What is a remix worth,
#    in songs?
#
# ## Recap
#
# 1. The gradient is proportional to the gain, so the gain acts as a learning rate; 0.0001 needs one of about
#    300.
# 2. Momentum adds up gradients of the last ten steps or so; Adam rescales them, and does not care about the
#    gain.
# 3. Two curves: training and held-out songs. Overfitting is where they part.
# 4. Many parameters and few songs overfit. Validation songs decide when to stop; test songs only tell how
#    well it went.
# 5. A checkpoint holds all that the run depends on, random numbers too; then a resumed run is the same run.
#
# ## Further reading
#
# - D. P. Kingma, J. Ba: *Adam: A Method for Stochastic Optimization*, 2015.
#   [arXiv:1412.6980](https://arxiv.org/abs/1412.6980)
# - D. Ulyanov, A. Vedaldi, V. Lempitsky: *Instance Normalization*, 2016. [arXiv:1607.08022](https://arxiv.org/abs/1607.08022)
# - S. Uhlich et al.: *Improving music source separation based on deep neural networks through data
#   augmentation and network blending*, 2017: remixing.
#   [doi:10.1109/ICASSP.2017.7952158](https://doi.org/10.1109/ICASSP.2017.7952158)
# - L. Prechelt: *Early Stopping – But When?*, 1998.
#   [doi:10.1007/3-540-49430-8_3](https://doi.org/10.1007/3-540-49430-8_3)
#
# Previous lesson: [4 · Take the skip connections away, one by one](04_skip_ablation.ipynb) · next lesson: [6
# · Put a number on what you hear](06_evaluation.ipynb)
