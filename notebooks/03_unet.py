# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 3 · Build the U-net, layer by layer
#
# At the end you have built DANN, the report's network, from parts of PyTorch, weight for weight as the
# library has it, and can say what each plane of numbers in it is for and what each skip connection carries.
#
# **What you will learn**
#
# 1. to compute max pooling (1) and up-sampling (2) as they stand in the report;
# 2. to say what a convolution looks for in a spectrogram, and how many weights it has;
# 3. to build DANN layer by layer as a class of your own, and to prove that it equals the library's;
# 4. to explain what is lost on the way down, and how skip connections bring it back;
# 5. to compare DANN with other networks by their weights, and to say how much of a song one output sees;
# 6. to multiply masks with a song, and to say why their level does not depend on that of the song.
#
# **What you need**: about 15 s on two processor cores, 1 GB of memory, headphones; the embedded songs of
# lesson 1.
#
# **What of the report is rebuilt**: figures 1, 3 and 4, equations (1) and (2).
#
# Previous lesson: [2 · Turn a song into a picture and back](02_stft.ipynb) ·
# next lesson: [4 · Take the skip connections away, one by one](04_skip_ablation.ipynb)

# %%
import copy

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from torch import nn
from torch.nn import functional

from dann_lib import baselines, figures, network, player, report, spectrogram
from dann_lib.course import lessons
from dann_lib.checkpoint import load_weights
from dann_lib.corpus import open_corpus
from dann_lib.files import reference_folder

# %%
corpus = open_corpus("synthetic")
track = corpus.select("train")[0]
mixture = torch.from_numpy(track.signal("mixture").copy())
planes = spectrogram.stft(mixture)[..., : report.N_FRAMES]
print("(part, freq, frame) =", tuple(planes.shape))

# %% [markdown]
# ## 1. Max pooling and up-sampling
#
# The encoder of a U-net makes the picture smaller, the decoder makes it larger again. The report prints one
# example of each (I.b):
#
# $$\text{MaxPool}\begin{pmatrix}1&2\\3&4\end{pmatrix}=4\quad(1)\qquad
# \text{UpSample}\begin{pmatrix}1&2\\3&4\end{pmatrix}=\begin{pmatrix}1.00&1.33&1.67&2.00\\1.67&2.00&2.33&2.67\\
# 2.33&2.67&3.00&3.33\\3.00&3.33&3.67&4.00\end{pmatrix}\quad(2)$$
#
# **Predict:** by which rule does 1.33 come about?

# %% tags=["nbval-check-output"]
example = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
print("(1) MaxPool: ", functional.max_pool2d(example, 2).item())
up = network.up_sample(example, (4, 4))[0, 0]
print("(2) UpSample:")
for row in up:
    print("   ", "  ".join(f"{value:.2f}" for value in row))

# %%
printed = [[1.00, 1.33, 1.67, 2.00], [1.67, 2.00, 2.33, 2.67], [2.33, 2.67, 3.00, 3.33], [3.00, 3.33, 3.67, 4.00]]
assert torch.allclose(up, torch.tensor(printed), atol=0.005)
lessons.show_source(network.up_sample)

# %% [markdown]
# *What to notice.* The four corners of the result are the four given numbers, and between them it goes in
# equal steps: *bilinear* interpolation with *aligned corners*. (Without aligned corners it would begin 1.00,
# 1.25: a difference that many figures of U-nets leave open, and that equation (2) decides.)
#
# Max pooling keeps one number of four. **Predict:** what does a spectrogram look like that was pooled once,
# twice, four times, and brought back by (2)?

# %%
loud = planes.norm(dim=0)[None, None]
views = {"as it is": (loud[0, 0] / loud.max()).numpy()}
small = loud
for times in range(1, report.N_POOLINGS + 1):
    small = functional.max_pool2d(small, 2)
    if times in (1, 2, 4):
        back = network.up_sample(small, loud.shape[-2:])[0, 0]
        views[f"pooled {times}×: {small.shape[-2]} × {small.shape[-1]}"] = (back / loud.max()).numpy()
figures.spectrograms(views, max_hz=2000, columns=2, description=(
    "The magnitudes of a song up to 2 kHz: as they are, and after one, two and four max poolings and "
    "up-samplings. The picture loses first the gaps between harmonics, then the harmonics and single drum hits."))

# %% [markdown]
# *What to notice.* After four poolings there is a rough map left: where it is loud, at which time. That is
# enough to say *that* a singer sings, and much too little to say which bins are hers. So the decoder needs
# help; step 8 is about that help.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
lessons.quick_check(
    f"A plane has 1025 × 88 = {loud.numel():,} numbers. How many are left after four poolings?",
    f"{small.shape[-2]} × {small.shape[-1]} = {small.numel()}, or {100 * small.numel() / loud.numel():.2f} %: each "
    "pooling keeps one of four, and drops a last row or column without a partner. So a network has to use *many* "
    "planes down there, each for something else.",
)

# %% [markdown]
# ## 2. What a convolution looks for
#
# A **convolution** moves a small table of weights, its **kernel**, over the picture, and at each place adds
# up weights times values. The result is a **feature map**: it is large where the picture looks like the
# kernel. Below, two kernels by hand: A is positive in the middle of three bins and negative above and below,
# for nine frames; B is A, turned by 90 degrees.
#
# **Predict:** which of the two finds the drums?

# %%
along_time = torch.tensor([[-0.5], [1.0], [-0.5]]).expand(3, 9)
kernels = {"kernel A: 3 bins × 9 frames": along_time, "kernel B: 9 bins × 3 frames": along_time.T}
picture = planes.norm(dim=0)[None, None, :465] ** 0.3
assert along_time.numel() == 27
figure, axes = figures.canvas(1, 2, height_in=3.2, sharey=True)
for axis, (title, kernel) in zip(axes, kernels.items(), strict=True):
    feature_map = functional.conv2d(picture, kernel[None, None], padding="same")[0, 0].relu()
    axis.imshow(feature_map, origin="lower", aspect="auto", vmax=feature_map.quantile(0.995), extent=(0, 10.2, 0, 2000))
    axis.set(title=title, xlabel="time (s)")
axes[0].set_ylabel("frequency (Hz)")
figures.show(figure, "Feature maps of two kernels up to 2 kHz, negative values cut off. Kernel A leaves the horizontal "
                     "lines of tones, kernel B the vertical lines of drum hits.")

# %% [markdown]
# *What to notice.* Two kernels of 27 numbers, one the other on its side, already tell tones from hits. DANN
# has thousands, and nobody writes them by hand: training finds them. And each next layer looks at *all*
# feature maps of the layer before, so it can look for patterns of patterns: "a ladder of harmonics that
# wobble", a voice.
#
# **Count before you run:** how many weights has a layer with 5 × 5 kernels from 8 to 24 maps? Does it depend
# on the length of the song?

# %% tags=["nbval-check-output"]
layer = nn.Conv2d(8, 24, 5, padding=2, bias=False)
print(f"24 kernels for 8 maps of 5 x 5: 24 * 8 * 25 = {layer.weight.numel()} weights")
values = 1025 * 88
print(f"a fully connected layer from one plane of 1025 x 88 to another: {values**2:,} weights")

# %% [markdown]
# ## 3. One block
#
# DANN is made of one kind of block, used thirteen times: a convolution, a **normalisation**, which takes the
# mean off each map and divides by its spread, and a **rectifier**, which sets negative numbers to zero.
#
# **Predict:** which of the three has weights? Which changes the number of planes, which that of bins and
# frames?

# %%
def conv_block(n_in: int, n_out: int, kernel: int) -> nn.Sequential:
    """From `n_in` to `n_out` maps; bins and frames stay as they are."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, bias=False),
        nn.InstanceNorm2d(n_out, affine=True),
        nn.ReLU(),
    )


# %% tags=["nbval-check-output"]
torch.manual_seed(0)
song = planes[None] * report.GAIN
steps = [song]
for part in conv_block(2, 8, 3):
    steps.append(part(steps[-1]).detach())
    n_weights, shapes = network.n_parameters(part), [tuple(each.shape[1:]) for each in steps[-2:]]
    print(f"{type(part).__name__:15} {n_weights:3} weights: {shapes[0]} -> {shapes[1]}")

# %%
figure, axes = figures.canvas(1, 3, height_in=3.2, sharey=True)
extent = (0, 10.2, 0, report.SAMPLE_RATE / 2)
for axis, title, maps in zip(axes, ("convolved", "normalised", "rectified"), steps[1:], strict=True):
    limit, one = float(maps[0, 4].abs().quantile(0.995)), maps[0, 4]
    image = axis.imshow(one, origin="lower", aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, extent=extent)
    axis.set(title=title, xlabel="time (s)", ylim=(0, 1000))
    figure.colorbar(image, ax=axis, location="bottom", pad=0.02)
axes[0].set_ylabel("frequency (Hz)")
figures.show(figure, "One map up to 1 kHz after each part of the block; red is positive, blue negative. The values go "
                     "into the thousands after the convolution, and are a few units after the normalisation; the "
                     "rectifier leaves the red ones.")

# %%
assert steps[1][0, 4].abs().max() > 1000 and steps[2].mean().abs() < 1e-3 and abs(steps[2].std() - 1) < 0.01
assert steps[3].min() == 0 and torch.equal(steps[3], steps[2].clamp(min=0))

# %% [markdown]
# *What to notice.* Only the convolution changes the number of planes. A border of zeros, `padding`, lets the
# kernel go over the edge of the picture, so bins and frames stay. After the normalisation each map has mean 0
# and spread 1, however loud the song is; then two weights for each map, which training chooses, spread and
# shift it again. The rectifier looks harmless and is not: without it, two blocks in a row could do no more for
# a song than one wider convolution.
#
# The library has the same block:

# %%
lessons.show_source(network.convolution)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
shifted = functional.instance_norm(steps[1] + 1000)
bias_change = float((shifted - functional.instance_norm(steps[1])).abs().max())
assert bias_change < 0.01
lessons.quick_check(
    "A convolution may have a *bias*, a number that is added to the whole map. Why does this one do without?",
    f"The normalisation takes the mean off the map, and the bias with it: with a bias of 1000 the map changes by no "
    f"more than {bias_change:.0e}, which is rounding. The shift that counts is that of the normalisation.",
)

# %% [markdown]
# ## 4. Down: the encoder
#
# A stage of the **encoder** is two blocks, then max pooling (1). It gives away two things: the maps as they
# are before pooling, to be kept for later, and the smaller ones, for the next stage. On the way the planes get smaller
# and more: less *where*, more *what*.
#
# **Predict:** the input is 2 × 1025 × 88. Which sizes come out of the four poolings? (1025 is odd.)

# %%
MAPS = (8, 24, 56, 48)  # of the four stages
KERNELS = (3, 3, 5, 5)
NARROW = 24  # maps of the bottleneck


# %%
class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        sizes = zip((2, *MAPS[:3]), MAPS, KERNELS, strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(conv_block(n_in, n, kernel), conv_block(n, n, kernel)) for n_in, n, kernel in sizes)

    def forward(self, features: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        kept = []
        for stage in self.stages:
            kept.append(stage(features))
            features = functional.max_pool2d(kept[-1], 2)
        return kept, features


# %% tags=["nbval-check-output"]
torch.manual_seed(0)
encoder = Encoder()
with torch.inference_mode():
    kept, small = encoder(song)
print("in:            ", tuple(song.shape[1:]))
for stage, maps in enumerate(kept):
    print(f"stage {stage + 1} keeps: ", tuple(maps.shape[1:]))
print("passed on:     ", tuple(small.shape[1:]))


# %% [markdown]
# And what is *in* the maps? The network is not trained, so its kernels are random; even so they react to
# different things. From each stage, the two maps that vary most:

# %%
def draw_maps(kept: list[torch.Tensor], description: str) -> figures.Drawing:
    figure, axes = figures.canvas(2, len(kept), height_in=4.2, sharex=True, sharey=True)
    for column, maps in enumerate(kept):
        liveliest = maps[0].flatten(1).std(dim=1).argsort(descending=True)
        for row, number in enumerate(liveliest[:2].tolist()):
            picture = maps[0, number].sqrt().numpy()
            axes[row, column].imshow(picture, origin="lower", aspect="auto", vmax=np.quantile(picture, 0.998),
                                     extent=(0, 10.2, 0, report.SAMPLE_RATE / 2), interpolation="nearest")
            axes[row, column].set_title(f"stage {column + 1}, map {number}", fontsize=9)
            axes[row, column].set_ylim(0, 2000)
    figure.supxlabel("time (s)", fontsize=9.5)
    figure.supylabel("frequency (Hz)", fontsize=9.5)
    return figures.show(figure, description)


# %%
draw_maps(kept, "Two feature maps from each of the four encoder stages of the untrained network, up to 2 kHz; brighter "
                "is larger. From left to right the bins and frames become coarser. Fine lines of harmonics are seen in "
                "the first two stages; in the fourth there are blocks.")

# %% [markdown]
# *What to notice.* Pooling 1025 bins by two leaves 512: the last one, without a partner, is dropped. Each
# stage halves bins and frames, and has more maps than the one before, but for the fourth: there the network
# begins to narrow.
#
# ## 5. Through the narrow layer, and up: the decoder
#
# At the bottom sits the **bottleneck**, the narrowest layer: "thinner layer to compress more the
# information", says the report (I). Then a stage of the **decoder** is up-sampling (2) to the size of what the
# encoder kept, joining the two where there is a skip connection, and one block. Last comes the **mask head**:
# a bare convolution to six planes, real and imaginary part for vocals, drums and bass.
#
# **Compute:** the decoder's stage at half the resolution gets 56 maps from below, and has a skip connection.
# How many maps go into its block?

# %%
class Decoder(nn.Module):
    def __init__(self, skips: tuple[int, ...]) -> None:
        super().__init__()
        below = (*MAPS[1:], NARROW)
        self.has_skip = [4 - stage in skips for stage in range(4)]  # Concat 4 is at stage 0, full resolution
        n_in = [below[stage] + MAPS[stage] * self.has_skip[stage] for stage in range(4)]
        self.stages = nn.ModuleList(map(conv_block, n_in, MAPS, KERNELS))

    def forward(self, features: torch.Tensor, kept: list[torch.Tensor]) -> torch.Tensor:
        for stage in (3, 2, 1, 0):
            larger = functional.interpolate(features, kept[stage].shape[-2:], mode="bilinear", align_corners=True)
            joined = torch.cat((larger, kept[stage]), dim=1) if self.has_skip[stage] else larger
            features = self.stages[stage](joined)
        return features


# %% tags=["nbval-check-output"]
bottleneck, decoder = conv_block(MAPS[-1], NARROW, 3), Decoder(report.SKIPS)
mask_head = nn.Conv2d(MAPS[0], 6, 3, padding=1)
with torch.inference_mode():
    narrow = bottleneck(small)
    print("bottleneck:", tuple(narrow.shape[1:]))
    for stage in (3, 2, 1, 0):
        print(f"decoder stage {stage + 1}:", decoder.stages[stage][0].in_channels, "maps in,", MAPS[stage], "out")
    features = decoder(narrow, kept)
    print("decoded:   ", tuple(features.shape[1:]))
    print("masks:     ", tuple(mask_head(features).unflatten(1, (3, 2)).shape), "(batch, source, part, freq, frame)")

# %%
assert decoder.stages[1][0].in_channels == 56 + 24 and decoder.stages[0][0].in_channels == 24
assert narrow.shape[1:] == (24, 64, 5) and features.shape[2:] == (1025, 88)

# %% [markdown]
# *What to notice.* 56 + 24 = 80 maps go into stage 2: a skip connection makes the next kernels deeper, and
# nothing else. Stage 1 has none, so 24 go in. The up-sampling asks the kept maps for their size, and so finds
# the way back from 512 to 1025 bins. The mask head has no rectifier, since masks may be negative: real and
# imaginary part can have either sign (lesson 2).
#
# ## 6. The whole, equal to the library's
#
# Four parts, one behind the other. That is DANN:

# %%
class UNet(nn.Module):
    def __init__(self, skips: tuple[int, ...] = report.SKIPS) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.bottleneck = conv_block(MAPS[-1], NARROW, 3)
        self.decoder = Decoder(skips)
        self.mask_head = nn.Conv2d(MAPS[0], 6, 3, padding=1)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        kept, small = self.encoder(planes)
        features = self.decoder(self.bottleneck(small), kept)
        return self.mask_head(features).unflatten(1, (3, 2))


# %% [markdown]
# And this is what the library does, where one class holds all stages:

# %%
lessons.show_source(network.DANN.forward)

# %% [markdown]
# Are the two the same? Random weights come from a generator, so the same seed must give both the same ones,
# if they are built of the same layers in the same order.
#
# **Predict:** in which line of the table would a wrong kernel size show? And one map too many in the
# bottleneck?

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
mine = UNet().eval()
torch.manual_seed(0)
dann = network.DANN().eval()
rows = [(name, library, tuple(weights.shape), weights.numel(), torch.equal(weights, others))
        for (name, weights), (library, others)
        in zip(mine.state_dict().items(), dann.state_dict().items(), strict=True) if weights.ndim == 4]
columns = ["in your class", "in the library", "maps out, maps in, kernel", "weights", "all equal"]
lessons.table(pd.DataFrame(rows, columns=columns), caption="all convolutions, weight for weight")

# %% [markdown]
# *What to notice.* Every line says where a layer sits, how many maps go in and out, and how large its kernel
# is; if one of these differed, so would the numbers drawn for it and for all layers after it.
#
# Equal weights are not yet an equal network: the layers have to be *used* in the same way. So the second
# proof gives your class the weights of a library network with other random numbers, for each choice of skip
# connections, and compares the masks of a song to the last bit. `load_state_dict` refuses weights of another
# shape.

# %%
def take_weights(mine: nn.Module, library: nn.Module) -> None:
    """Give your class all weights of the library's, in their order."""
    values = library.state_dict().values()
    mine.load_state_dict(dict(zip(mine.state_dict(), values, strict=True)))


# %% tags=["nbval-check-output"]
variants = [(), (1,), (2,), (3,), (2, 3), (1, 2, 3)]
part = song[..., :32]
for skips in variants:
    ours, library = UNet(skips).eval(), network.DANN(skips).eval()
    take_weights(ours, library)
    with torch.inference_mode():
        same = torch.equal(ours(part), library(part))
    print(f"skips {skips!s:10} {network.n_parameters(ours):7,} weights, all masks equal: {same}")
    assert same

# %% [markdown]
# Every weight has its place, and every mask is the same number, not about the same. So what
# holds for your class holds for DANN. The report's figure 1, drawn from the object that you have built: sizes,
# kernels and skip connections are read off a pass through it.

# %%
figures.figure_1(mine)

# %%
assert sum(isinstance(module, nn.InstanceNorm2d) for module in mine.modules()) == 13

# %% [markdown]
# Two convolutions a stage on the way down, one on the way up: that is what the report calls **asymmetrical**.
# Finding out what there is to hear takes more work than drawing it at the right place. The report's own figure
# with the exact numbers of maps is not in its text: the sizes here are this project's choice, its reasons
# stand in the documentation of `dann_lib.network.DANN`.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
sizes = {name.removesuffix(".weight"): weights.numel() for name, weights in mine.named_parameters()}
largest = max(sizes, key=sizes.get)
lessons.quick_check(
    "Where do most of the weights sit: where the maps are large, or where there are many of them?",
    f"Where there are many, and where the kernels are large. The largest layer, `{largest}`, has {sizes[largest]:,} of "
    f"all {sum(sizes.values()):,}; encoder and decoder at full resolution have only "
    f"{sum(n for name, n in sizes.items() if 'stages.0.' in name):,} together. Time is another matter: each weight at "
    "full resolution is used 1025 × 88 times.",
)

# %% [markdown]
# ## 7. What the maps of a trained network show
#
# The reference run trained this network for half an hour on real songs; its weights are in the repository. They
# fit into your class as well.
#
# **Predict:** what has training done to the maps of step 4? And which of the three masks, for vocals, drums
# and bass, will be empty below 100 Hz?

# %%
library, config = load_weights(reference_folder() / "weights" / "dann-modern.safetensors")
trained = UNet(library.skips).eval()
take_weights(trained, library)
with torch.inference_mode():
    kept_trained, _ = trained.encoder(planes[None] * config.gain)
draw_maps(kept_trained, "Two feature maps from each of the four encoder stages of the trained network, up to 2 kHz, of "
                        "the same song. Stage 1 shows vertical lines of drum hits beside horizontal lines of tones; "
                        "stage 3 shows clean ladders of harmonics; stage 4 shows broad bands of frequency.")

# %%
with torch.inference_mode():
    masks = {"random": mine(song)[0], "trained": trained(planes[None] * config.gain)[0]}
figure, axes = figures.canvas(2, 3, height_in=4.6, sharex=True, sharey=True)
for row, (name, three) in zip(axes, masks.items(), strict=True):
    for axis, source, mask in zip(row, report.SOURCES, three[:, 0], strict=True):
        image = axis.imshow(mask, origin="lower", aspect="auto", cmap="RdBu_r", vmin=-1, vmax=1, extent=extent)
        axis.set(title=f"{source}, {name}", ylim=(0, 2000))
figure.supxlabel("time (s)", fontsize=9.5)
figure.supylabel("frequency (Hz)", fontsize=9.5)
figure.colorbar(image, ax=axes, label="mask of the real part", pad=0.01)
figures.show(figure, "Masks of the real part up to 2 kHz; red is positive, blue negative. Above, those of random "
                     "weights, three mixtures of the same patches. Below, the trained ones: vocals above 250 Hz and "
                     "along a melody, drums and bass almost only below.")

# %%
low, high = slice(0, 24), slice(58, 465)  # bins below 100 Hz, and from 250 Hz to 2 kHz
means = {f"{source}, {name}": {"below 100 Hz": three[index, 0, low].mean().item(),
                               "250 Hz to 2 kHz": three[index, 0, high].mean().item()}
         for name, three in masks.items() for index, source in enumerate(report.SOURCES)}
assert abs(means["vocals, trained"]["below 100 Hz"]) < 0.05 < means["vocals, trained"]["250 Hz to 2 kHz"]
assert all(means[f"{source}, trained"]["below 100 Hz"] > means[f"{source}, trained"]["250 Hz to 2 kHz"]
           for source in ("drums", "bass"))
lessons.table(pd.DataFrame(means).T, "{:.2f}", "mean of the masks of the real part")

# %% [markdown]
# *What to notice.* The random network has maps too, and even sharp ones: what it lacks is a choice. Training has
# made maps for hits, for harmonics, for registers, and masks that let through what one instrument would play.
# That no voice sings below 100 Hz nobody told it; 80 songs did. Its kernels are shared by all frequencies, so
# how does it know that it is low? By what it sees around, the edge of the picture included: step 10 measures
# how far that is.
#
# Walk through the trained network yourself. Which stage is the last in which you recognise the song?

# %%
player.network_explorer(library, planes * config.gain, n_maps=12)

# %% [markdown]
# *What to notice.* From left to right along the U, places become fewer and maps more abstract; on the way up they
# become places again. The estimates at the end are the masks times the input.

# %% [markdown]
# ## 8. From the auto-encoder to skip connections
#
# Without skip connections all that the decoder gets to know has to pass through the narrowest layer. That is
# a **deep auto-encoder** (figure 3):

# %%
figures.figure_3(network.DANN(skips=()))

# %%
figures.figure_4(dann)

# %% [markdown]
# Figure 4 is the same with **skip connections**: feature maps of the encoder are laid beside those of the
# decoder (*concatenated*). The report numbers them from the inside: Concat 1 is next to the narrowest layer,
# Concat 3 at half the resolution. Concat 4 would be at full resolution; the report rejects it.
#
# **Predict:** which Concat can tell two notes apart that are 20 Hz apart? Which can place a drum hit to a
# quarter of a second?

# %%
rows = {}
for skip in range(1, 5):
    stage = report.N_POOLINGS - skip
    rows[f"Concat {skip}"] = {
        "feature maps": kept[stage].shape[1], "resolution": f"1/{2**stage}",
        "bins are apart (Hz)": 2**stage * report.SAMPLE_RATE / report.N_FFT,
        "frames are apart (s)": 2**stage * report.HOP / report.SAMPLE_RATE,
        "in DANN": "yes" if dann.has_skip(stage) else "no",
    }
skip_table = pd.DataFrame(rows).T.infer_objects()
lessons.table(skip_table, "{:.2f}", "skip connections")

# %%
apart_hz, apart_s = skip_table["bins are apart (Hz)"], skip_table["frames are apart (s)"]
assert 2 * apart_hz["Concat 3"] < 20 < 2 * apart_hz["Concat 2"]  # two peaks need a bin between them
assert apart_s["Concat 3"] < 0.25 < apart_s["Concat 2"]

# %% [markdown]
# *What to notice.* Two notes are told apart if a bin fits between them, so for 20 Hz it takes Concat 3, and
# so it does for a quarter of a second. The inner connections carry what has been thought over longest, but
# coarsely; the outer ones are fine, but have hardly been sorted by instrument. The report's argument against
# Concat 4 is this: what comes from full resolution "is very close to the input" and brings back the
# instruments that should go. Whether that is so, lesson 4 tries.
#
# And what do they cost? **Predict:** which of the three adds most weights, and which fewest?

# %%
sizes = {f"Concat {' + '.join(map(str, skips))}" if skips else "none": network.n_parameters(network.DANN(skips=skips))
         for skips in variants}
figures.bars(sizes, "weights of DANN", form=",.0f")

# %%
assert sizes["none"] < sizes["Concat 3"] < sizes["Concat 1"] < sizes["Concat 2"] < sizes["Concat 1 + 2 + 3"]

# %% [markdown]
# *What to notice.* Each map that is carried over makes all kernels of a stage one map deeper.
# Concat 3 brings 24 maps to 3 × 3 kernels and costs next to nothing; Concat 2 brings 56 maps to 5 × 5 kernels.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
through, past = narrow.numel(), {skip: kept[report.N_POOLINGS - skip].numel() for skip in report.SKIPS}
lessons.quick_check(
    "How many numbers reach the decoder through the narrowest layer, and how many past it, through Concat 3?",
    f"Through it {through:,}, past it {past[3]:,}: {past[3] / through:.0f} times as many, although Concat 3 costs only "
    f"{sizes['Concat 3'] - sizes['none']:,} weights. For one chunk of two planes, {planes.numel():,} numbers come in.",
)

# %% [markdown]
# ## 9. Compared with other networks
#
# "A CNN can give the same results as a feedforward neural network but with far less parameters" (I). Four
# networks with one interface, a spectrogram in and masks out:
#
# - `dann`, a convolutional U-net;
# - `autoencoder`, fully connected, frame by frame, through a narrow layer and back;
# - `feedforward`, fully connected, 15 frames in and the masks of the middle one out;
# - `cdae`, the convolutional denoising auto-encoders of the report's reference [1], one for each source.
#
# **Predict:** order them by their number of weights.

# %%
weights = {name: network.n_parameters(baselines.build(name)) for name in baselines.NETWORKS}
figures.bars(weights, "weights, on a logarithmic axis", logarithmic=True, form=",.0f")

# %% tags=["nbval-check-output"]
with torch.inference_mode():
    for name in baselines.NETWORKS:
        print(f"{name:12} masks {tuple(baselines.build(name).eval()(planes[None]).shape)}")

# %% [markdown]
# *What to notice.* A fully connected layer has a weight of its own for each pair of frequencies; a
# convolution uses the same few everywhere, since a harmonic looks alike at 300 Hz and at 600 Hz, now and
# later. So far these are only counts: whether the *results* are the same has to be trained and scored.
# `build("feedforward")` fits into the training of lesson 5 without another change. The reference run did that
# on real songs, with the same number of updates for each (SDR is the ratio of lesson 6; higher is better):

# %%
lessons.reference("networks")

# %% [markdown]
# ## 10. How far does one output see?
#
# Follow the connections back from one place of the output: the part of the input that can change it is its
# **receptive field**.
#
# **Predict:** the widest kernel has 5 × 5 weights. Does one output see a tenth of the chunk, half, all of it?
#
# To measure it, replace what depends on values (normalisation, maximum, signs) by
# something that lets everything pass, and take the gradient.

# %%
def let_all_pass(model: network.DANN) -> network.DANN:
    probe = copy.deepcopy(model)
    probe.pool = nn.AvgPool2d(2)
    for module in list(probe.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.InstanceNorm2d):
                setattr(module, name, nn.Identity())
    for weight in probe.requires_grad_(False).parameters():
        weight.fill_(0.01)
    return probe


# %%
def receptive_field(model: network.DANN) -> tuple[int, int]:
    picture = torch.ones(1, 2, 513, 257, requires_grad=True)
    let_all_pass(model)(picture)[0, 0, 0, 256, 128].backward()
    touched = picture.grad.abs().sum(dim=(0, 1)) > 0
    return int(touched.any(dim=1).sum()), int(touched.any(dim=0).sum())


without, (bins_seen, frames_seen) = receptive_field(network.DANN(skips=())), receptive_field(network.DANN())
bins_hz, frames_s = bins_seen * report.SAMPLE_RATE / report.N_FFT, frames_seen * report.HOP / report.SAMPLE_RATE
Markdown(f"One output of DANN sees **{bins_seen} bins** ({bins_hz:.0f} Hz) and up to "
         f"**{frames_seen} frames** ({frames_s:.0f} s; a chunk has {report.N_FRAMES}). "
         f"Without skip connections: {without[0]} bins, {without[1]} frames.")

# %%
assert report.N_FRAMES < frames_seen < 257 and bins_seen < 513, "the picture must be larger than what is seen"
assert without == (bins_seen, frames_seen)

# %% [markdown]
# *What to notice.* The depth alone decides how far a network sees: skip connections do not widen the view,
# they sharpen it. Every output sees the whole chunk in time, and several hundred Hz above and below itself:
# room for a few harmonics of a voice.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
convolutions = figures.trace(dann)
no_pooling = 1 + sum(layer.kernel[0] - 1 for layer in convolutions)
lessons.quick_check(
    "Leave the poolings out, and keep all kernels. How many bins does one output see then?",
    f"Each kernel of k × k lets it see k − 1 bins more: 1 + {no_pooling - 1} = {no_pooling} bins, "
    f"{no_pooling * report.SAMPLE_RATE / report.N_FFT:.0f} Hz in all, in place of {bins_seen} bins. After a pooling "
    "each kernel reaches twice as far for the same weights. That is what pooling is for, and why skip connections have "
    "to repair what it takes away.",
)

# %% [markdown]
# ## 11. Masks, multiplied
#
# The mask head gives six planes: for vocals, drums and bass, one mask for the real and one for the imaginary
# part. They are multiplied with the input (I.a):

# %%
lessons.show_source(network.apply_masks)

# %% tags=["nbval-check-output"]
estimates = {name: network.apply_masks(three[None], planes[None]) for name, three in masks.items()}
print("(batch, source, part, freq, frame):", tuple(estimates["trained"].shape))
all_ones = network.apply_masks(torch.ones(1, 3, *planes.shape), planes[None])
print("masks of 1 give the mixture:", all(torch.equal(each, planes) for each in all_ones[0]))

# %% [markdown]
# **Before you play:** what do random masks make of a song: noise, silence, or the song?

# %%
n_samples, shown = (report.N_FRAMES - 1) * report.HOP, slice(5 * report.SAMPLE_RATE, 10 * report.SAMPLE_RATE)
vocals = {name: spectrogram.istft(each[0, 0], n_samples) for name, each in estimates.items()}
player.tracks(
    {"mixture": mixture[shown], "“vocals” of random weights": vocals["random"][shown],
     "vocals of the trained weights": vocals["trained"][shown]},
    description="A song, what the random masks of your class make of it (the song is still there, rough and with wrong "
                "levels), and what the trained ones make of it (a voice, and little beside it).")

# %% [markdown]
# *What to notice.* Even a network that knows nothing gives a song, not noise: masks can only reshape what is
# there. That is the advantage of multiplying, and its limit: where the mixture is silent, no mask can add
# anything. What training adds is the choice of what to let through.
#
# **Predict:** the same song, ten times as loud. How do the masks change?

# %%
with torch.inference_mode():
    louder = mine(10 * song)[0]
change = float((louder - masks["random"]).abs().max() / masks["random"].abs().max())
Markdown(f"Largest change of the masks for a song that is 20 dB louder: **{change:.1e}** of the largest value.")

# %%
assert change < 1e-2

# %% [markdown]
# *What to notice.* The first thing after each convolution is the normalisation of step 3, of each map of each
# chunk (**instance normalisation**). A factor of ten cancels out, so the masks are the same for loud and for
# quiet songs, whatever the other songs of the batch are. And training needs it: without any normalisation,
# the report's learning rate and our gain of 300 make this network diverge.
#
# ## The report says / we find

# %%
times = weights["feedforward"] / weights["dann"]
lessons.claims_table(3, {"cnn-parameters": lessons.Verdict(
    f"DANN has {weights['dann']:,} weights, the feed-forward network {weights['feedforward']:,}: {times:.0f} times "
    f"as many. The three auto-encoders of reference [1] have {weights['cdae']:,}. Whether the results are equal "
    "is not shown by counting.", None)})

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
song = torch.from_numpy(open_corpus("synthetic").select("train")[0].signal("mixture").copy())
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
    raise NotImplementedError("write this part")


# %% tags=["example", "3.1", "nbval-check-output"]
exercises.aim("03_unet", "3.1", lambda: (
    [max_pool(np.arange(35.0).reshape(5, 7)).tolist(), max_pool(loudness).shape, max_pool(max_pool(loudness)).shape]
))

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
    raise NotImplementedError("write this part")


# %% tags=["example", "3.2", "nbval-check-output"]
exercises.aim("03_unet", "3.2", lambda: (
    lessons.table(pd.DataFrame(up_sample_by_hand(np.array([[1.0, 2.0], [3.0, 4.0]]), (4, 4))), "{:.2f}", "equation (2)")
))

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
    raise NotImplementedError("write this part")


# %%
def n_weights_of_all(network: DANN) -> int:
    """Those of all convolutions of a DANN; the last one, for the masks, has a bias."""
    layers = figures.trace(network, 65, 32)
    return sum(n_weights(each.n_in, each.n_out, each.kernel[0], each is layers[-1]) for each in layers)


# %% tags=["example", "3.3", "nbval-check-output"]
exercises.aim("03_unet", "3.3", lambda: (
    lessons.table(pd.DataFrame({
        f"skips {skips}": {"in convolutions": n_weights_of_all(DANN(skips)), "in all": n_parameters(DANN(skips))}
        for skips in ((), (3,), (1, 2, 3))
    }).T, caption="weights of DANN; those that are not in convolutions are in normalisations, two for each map")
))

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
        raise NotImplementedError("write this part")

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError("write this part")


# %% tags=["example", "3.4"]
exercises.aim("03_unet", "3.4", lambda: (
    figures.figure_4(WithSkip())
))

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
    raise NotImplementedError("write this part")


# %% tags=["example", "3.5", "nbval-check-output"]
exercises.aim("03_unet", "3.5", lambda: (
    lessons.table(pd.DataFrame([
        {"budget": f"{budget:,}", "weights": f"{n_parameters(yours):,}", "spent": 100 * n_parameters(yours) / budget,
         "feature maps of all layers": sum(layer.n_out for layer in figures.trace(yours, 65, 32))}
        for budget in (300_000, 100_000, 40_000) for yours in [design(budget)]
    ]), "{:.0f} %", "networks on a budget")
))

# %% tags=["self-check"]
unet.check_design(design)

# %% [markdown]
# ## Recap
#
# 1. Max pooling (1) keeps the largest of four; up-sampling (2) fills in equal steps between aligned corners.
# 2. A convolution marks where the picture looks like its kernel; its weights are counted by kernels, not by
#    the size of the picture.
# 3. DANN: four stages of two blocks down, a narrow layer, four stages of one block up, six masks. Your class
#    and the library's give the same numbers to the last bit, for the same weights.
# 4. Down the way, places are lost; skip connections hand them over, the outer ones finer and less sorted.
# 5. A fully connected network of the same kind has many times the weights. One output of DANN sees a whole
#    chunk.
# 6. The masks multiply real and imaginary part; thanks to normalisation they do not depend on the level of
#    the song.
#
# ## Further reading
#
# - O. Ronneberger, P. Fischer, T. Brox: *U-Net: convolutional networks for biomedical image segmentation*,
#   2015. [arXiv:1505.04597](https://arxiv.org/abs/1505.04597)
# - E. M. Grais, M. D. Plumbley: *Single channel audio source separation using convolutional denoising
#   autoencoders*, 2017 (the report's reference [1]). [arXiv:1703.08019](https://arxiv.org/abs/1703.08019)
# - H. Zhao et al.: *The sound of pixels*, 2018 (the report's reference [2]).
#   [arXiv:1804.03160](https://arxiv.org/abs/1804.03160)
# - D. Ulyanov, A. Vedaldi, V. Lempitsky: *Instance Normalization*, 2016. [arXiv:1607.08022](https://arxiv.org/abs/1607.08022)
#
# Previous lesson: [2 · Turn a song into a picture and back](02_stft.ipynb) · [Solutions of the
# exercises](solutions/03_unet.ipynb) · next lesson: [4 · Take the skip connections away, one by
# one](04_skip_ablation.ipynb)
