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
from torch import Tensor, nn
from torch.nn import functional

from dann_lib import baselines, figures, network, player, report, spectrogram
from dann_lib.course import lessons, live
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
small, views = loud, {"as it is": loud}
for times in range(1, report.N_POOLINGS + 1):
    small = functional.max_pool2d(small, 2)
    title = f"pooled {times}×: {small.shape[-2]} × {small.shape[-1]}"
    views[title] = network.up_sample(small, loud.shape[-2:])

# %% jupyter={"source_hidden": true}
assert torch.allclose(3 * (up - 1), torch.arange(4.0) + 2 * torch.arange(4.0)[:, None])
chosen = [list(views.items())[times] for times in (0, 1, 2, 4)]
figures.spectrograms(
    {title: view[0, 0].numpy() for title, view in chosen},
    "The magnitudes of a song up to 2 kHz: as they are, and after one, two and four "
    "max poolings and up-samplings. The picture loses first the gaps between "
    "harmonics, then the harmonics and single drum hits.",
    max_hz=2000, columns=2,
)

# %% [markdown]
# *What to notice.* After four poolings there is a rough map left: where it is loud, at which time. That is
# enough to say *that* a singer sings, and much too little to say which bins are hers. So the decoder needs
# help; step 8 is about that help.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
n_all, n_left = loud.numel(), small.numel()
lessons.quick_check(
    f"A plane has 1025 × 88 = {n_all:,} numbers. How many are left after four "
    "poolings?",
    f"{small.shape[-2]} × {small.shape[-1]} = {n_left}, or "
    f"{100 * n_left / n_all:.2f} %: each pooling keeps one of four, and drops a last "
    "row or column without a partner. So a network has to use *many* planes down "
    "there, each for something else.",
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
kernels = {"A: 3 bins × 9 frames": along_time, "B: 9 bins × 3 frames": along_time.T}
picture = planes.norm(dim=0)[None, None] ** 0.3
found = {
    title: functional.conv2d(picture, kernel[None, None], padding="same")[0, 0].relu()
    for title, kernel in kernels.items()
}

# %% jupyter={"source_hidden": true}
def draw(axis, values, title, max_hz, **options):
    """One plane of numbers over time and frequency."""
    options["extent"] = (0, 10.2, 0, report.SAMPLE_RATE / 2)
    image = axis.imshow(values, origin="lower", aspect="auto", **options)
    axis.set(title=title, xlabel="time (s)", ylim=(0, max_hz))
    return image


assert along_time.numel() == 27
figure, axes = figures.canvas(1, 2, height_in=3.2, sharey=True)
for axis, (title, values) in zip(axes, found.items(), strict=True):
    draw(axis, values, f"kernel {title}", 2000, vmax=values[:465].quantile(0.995))
axes[0].set_ylabel("frequency (Hz)")
figures.show(
    figure,
    "Feature maps of two kernels up to 2 kHz, negative values cut off. Kernel A leaves "
    "the horizontal lines of tones, kernel B the vertical lines of drum hits.",
)

# %% [markdown]
# And other sizes? The kernel below is 1 along its longer side and negative beside that line; 3 × 9 is A, 9 × 3 is B.
# The rectified map, up to 1, becomes a mask for the song: hear what the kernel has found.

# %%
def line_kernel(height: int, width: int) -> Tensor:
    """1 along the middle of the longer side; the numbers add up to 0."""
    across = min(height, width)
    kernel = torch.full((across, max(height, width)), -1 / max(across - 1, 1))
    kernel[across // 2] = 1
    return kernel if width >= height else kernel.T


def find(height=3, width=9):
    kernel = line_kernel(height, width)
    found = functional.conv2d(picture, kernel[None, None], padding="same")[0, 0]
    mask = (found.relu() / found.quantile(0.99)).clamp(max=1)
    sound = spectrogram.istft(mask * planes, 4 * report.SAMPLE_RATE)
    return draw_found(found, mask), player.audio(sound, title="what the mask keeps")

# %% jupyter={"source_hidden": true}
def draw_found(found: Tensor, mask: Tensor) -> figures.Drawing:
    figure, (left, right) = figures.canvas(1, 2, height_in=2.6, sharey=True)
    limit = float(found[:465].abs().quantile(0.995))
    look = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    draw(left, found, "feature map", 2000, **look)
    draw(right, mask, "rectified: the mask", 2000, vmin=0, vmax=1)
    left.set_ylabel("frequency (Hz)")
    share = 100 * float((mask * planes).square().sum() / planes.square().sum())
    words = f"The mask lets {share:.0f} % of the song's energy pass."
    return figures.show(figure, "Up to 2 kHz; red is positive, blue negative. " + words)

# %%
assert torch.equal(line_kernel(3, 9), along_time)
assert torch.equal(line_kernel(9, 3), along_time.T)
live.Control(find, height=[1, 3, 5, 9, 15], width=[1, 3, 5, 9, 15])

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
n_values = 1025 * 88
print(f"a fully connected layer from one plane to another: {n_values**2:,} weights")

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
        nn.GroupNorm(n_out, n_out),  # as many groups as maps: each map by itself
        nn.ReLU(),
    )


# %% tags=["nbval-check-output"]
torch.manual_seed(0)
song = planes[None] * report.GAIN
steps = [song]
for part in conv_block(2, 8, 3):
    steps.append(part(steps[-1]).detach())
    before, after = (tuple(each.shape[1:]) for each in steps[-2:])
    print(f"{type(part).__name__:15} {network.n_parameters(part):3} weights:", end=" ")
    print(before, "->", after)

# %% jupyter={"source_hidden": true}
convolved, normalised, rectified = steps[1:]
assert convolved[0, 4].abs().max() > 1000
assert normalised.mean().abs() < 1e-3 and abs(normalised.std() - 1) < 0.01
assert torch.equal(rectified, normalised.clamp(min=0))
figure, axes = figures.canvas(1, 3, height_in=3.2, sharey=True)
titles = ("convolved", "normalised", "rectified")
for axis, title, maps in zip(axes, titles, steps[1:], strict=True):
    limit = float(maps[0, 4].abs().quantile(0.995))
    look = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    image = draw(axis, maps[0, 4], title, 1000, **look)
    figure.colorbar(image, ax=axis, location="bottom", pad=0.02)
axes[0].set_ylabel("frequency (Hz)")
figures.show(
    figure,
    "One map up to 1 kHz after each part of the block; red is positive, blue negative. "
    "The values go into the thousands after the convolution, and are a few units after "
    "the normalisation; the rectifier leaves the red ones.",
)

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
shifted = functional.instance_norm(convolved + 1000)
bias_change = float((shifted - functional.instance_norm(convolved)).abs().max())
assert bias_change < 0.01
lessons.quick_check(
    "A convolution may have a *bias*, a number that is added to the whole map. Why "
    "does this one do without?",
    "The normalisation takes the mean off the map, and the bias with it: with a bias "
    f"of 1000 the map changes by no more than {bias_change:.0e}, which is rounding. "
    "The shift that counts is that of the normalisation.",
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
            nn.Sequential(conv_block(n_in, n, kernel), conv_block(n, n, kernel))
            for n_in, n, kernel in sizes
        )

    def forward(self, features: Tensor) -> tuple[list[Tensor], Tensor]:
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

# %% jupyter={"source_hidden": true}
def draw_maps(kept: list[Tensor], description: str) -> figures.Drawing:
    figure, axes = figures.canvas(2, len(kept), height_in=4.2, sharex=True, sharey=True)
    for stage, maps in enumerate(kept):
        liveliest = maps[0].flatten(1).std(dim=1).argsort(descending=True)
        for axis, number in zip(axes[:, stage], liveliest.tolist(), strict=False):
            values = maps[0, number].sqrt().numpy()
            look = {"vmax": np.quantile(values, 0.998), "interpolation": "nearest"}
            draw(axis, values, f"stage {stage + 1}, map {number}", 2000, **look)
            axis.title.set_fontsize(9)
            axis.set_xlabel("")
    figure.supxlabel("time (s)", fontsize=9.5)
    figure.supylabel("frequency (Hz)", fontsize=9.5)
    return figures.show(figure, description)


draw_maps(
    kept,
    "Two feature maps from each of the four encoder stages of the untrained network, "
    "up to 2 kHz; brighter is larger. From left to right the bins and frames become "
    "coarser. Fine lines of harmonics are seen in the first two stages; in the fourth "
    "there are blocks.",
)

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
        self.has_skip = [4 - stage in skips for stage in range(4)]  # Concat 4: stage 0
        below = zip((*MAPS[1:], NARROW), MAPS, self.has_skip, strict=True)
        n_in = [n_below + n_kept * has_skip for n_below, n_kept, has_skip in below]
        self.stages = nn.ModuleList(map(conv_block, n_in, MAPS, KERNELS))

    def forward(self, features: Tensor, kept: list[Tensor]) -> Tensor:
        for stage in (3, 2, 1, 0):
            features = network.up_sample(features, kept[stage].shape[-2:])
            if self.has_skip[stage]:
                features = torch.cat((features, kept[stage]), dim=1)
            features = self.stages[stage](features)
        return features

# %%
bottleneck, decoder = conv_block(MAPS[-1], NARROW, 3), Decoder(report.SKIPS)
mask_head = nn.Conv2d(MAPS[0], 6, 3, padding=1)
with torch.inference_mode():
    narrow = bottleneck(small)
    features = decoder(narrow, kept)
    masks = mask_head(features).unflatten(1, (3, 2))

# %% jupyter={"source_hidden": true} tags=["nbval-check-output"]
n_in = [stage[0].in_channels for stage in decoder.stages]
assert n_in[1] == 56 + 24 and n_in[0] == 24
assert narrow.shape[1:] == (24, 64, 5) and features.shape[2:] == (1025, 88)
print("bottleneck:", tuple(narrow.shape[1:]))
for stage in (3, 2, 1, 0):
    print(f"decoder stage {stage + 1}: {n_in[stage]} maps in, {MAPS[stage]} out")
print("decoded:   ", tuple(features.shape[1:]))
print("masks:     ", tuple(masks.shape), "(batch, source, part, freq, frame)")

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

    def forward(self, planes: Tensor) -> Tensor:
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
pairs = zip(mine.state_dict().items(), dann.state_dict().items(), strict=True)
rows = [
    (name, other, tuple(weights.shape), weights.numel(), torch.equal(weights, theirs))
    for (name, weights), (other, theirs) in pairs
    if weights.ndim == 4
]
columns = ["yours", "the library's", "maps out, maps in, kernel", "weights", "equal"]
table = pd.DataFrame(rows, columns=columns)
lessons.table(table, caption="all convolutions, weight for weight")

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
    print(f"skips {skips!s:10} {network.n_parameters(ours):7,} weights", end=", ")
    print("all masks equal:", same)
    assert same

# %% [markdown]
# Every weight has its place, and every mask is the same number, not about the same. So what
# holds for your class holds for DANN. The report's figure 1, drawn from the object that you have built: sizes,
# kernels and skip connections are read off a pass through it.

# %%
figures.figure_1(mine)

# %% [markdown]
# Two convolutions a stage on the way down, one on the way up: that is what the report calls **asymmetrical**.
# Finding out what there is to hear takes more work than drawing it at the right place. The report's own figure
# with the exact numbers of maps is not in its text: the sizes here are this project's choice, its reasons
# stand in the documentation of `dann_lib.network.DANN`.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
assert sum(isinstance(module, nn.GroupNorm) for module in mine.modules()) == 13
sizes = {name: weights.numel() for name, weights in mine.named_parameters()}
largest = max(sizes, key=sizes.get)
at_full = sum(size for name, size in sizes.items() if "stages.0." in name)
lessons.quick_check(
    "Where do most of the weights sit: where the maps are large, or where there are "
    "many of them?",
    "Where there are many, and where the kernels are large. The largest layer, "
    f"`{largest.removesuffix('.weight')}`, has {sizes[largest]:,} of all "
    f"{sum(sizes.values()):,}; encoder and decoder at full resolution have only "
    f"{at_full:,} together. Time is another matter: each weight at full resolution is "
    "used 1025 × 88 times.",
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
weights_file = reference_folder() / "weights" / "dann-modern.safetensors"
library, config = load_weights(weights_file)
trained = UNet(library.skips).eval()
take_weights(trained, library)
louder = planes[None] * config.gain
with torch.inference_mode():
    masks = {"random": mine(song)[0], "trained": trained(louder)[0]}
    kept_trained, _ = trained.encoder(louder)

# %% jupyter={"source_hidden": true}
draw_maps(
    kept_trained,
    "Two feature maps from each of the four encoder stages of the trained network, up "
    "to 2 kHz, of the same song. Stage 1 shows vertical lines of drum hits beside "
    "horizontal lines of tones; stage 3 shows clean ladders of harmonics; stage 4 "
    "shows broad bands of frequency.",
)

# %% jupyter={"source_hidden": true}
figure, axes = figures.canvas(2, 3, height_in=4.6, sharex=True, sharey=True)
for row, (name, three) in zip(axes, masks.items(), strict=True):
    for axis, source, mask in zip(row, report.SOURCES, three[:, 0], strict=True):
        look = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
        image = draw(axis, mask, f"{source}, {name}", 2000, **look)
        axis.set_xlabel("")
figure.supxlabel("time (s)", fontsize=9.5)
figure.supylabel("frequency (Hz)", fontsize=9.5)
figure.colorbar(image, ax=axes, label="mask of the real part", pad=0.01)
figures.show(
    figure,
    "Masks of the real part up to 2 kHz; red is positive, blue negative. Above, those "
    "of random weights, three mixtures of the same patches. Below, the trained ones: "
    "vocals above 250 Hz and along a melody, drums and bass almost only below.",
)

# %%
bands = {"below 100 Hz": slice(0, 24), "250 Hz to 2 kHz": slice(58, 465)}  # bins
means = pd.DataFrame({
    f"{source}, {name}": {band: mask[0, bins].mean() for band, bins in bands.items()}
    for name, three in masks.items()
    for source, mask in zip(report.SOURCES, three, strict=True)
}).T.astype(float)

# %% jupyter={"source_hidden": true}
low, high = (means[band] for band in bands)
assert abs(low["vocals, trained"]) < 0.05 < high["vocals, trained"]
assert low["drums, trained"] > high["drums, trained"]
assert low["bass, trained"] > high["bass, trained"]
lessons.table(means, "{:.2f}", "mean of the masks of the real part")

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
        "feature maps": kept[stage].shape[1],
        "resolution": f"1/{2**stage}",
        "from bin to bin (Hz)": 2**stage * report.SAMPLE_RATE / report.N_FFT,
        "from frame to frame (s)": 2**stage * report.HOP / report.SAMPLE_RATE,
        "in DANN": "yes" if dann.has_skip(stage) else "no",
    }
skip_table = pd.DataFrame(rows).T.infer_objects()
lessons.table(skip_table, "{:.2f}", "skip connections")

# %% [markdown]
# *What to notice.* Two notes are told apart if a bin fits between them, so for 20 Hz it takes Concat 3, and
# so it does for a quarter of a second. The inner connections carry what has been thought over longest, but
# coarsely; the outer ones are fine, but have hardly been sorted by instrument. The report's argument against
# Concat 4 is this: what comes from full resolution "is very close to the input" and brings back the
# instruments that should go. Whether that is so, lesson 4 tries.
#
# And what do they cost? **Predict:** which of the three adds most weights, and which fewest?

# %%
sizes = {}
for skips in variants:
    name = f"Concat {' + '.join(map(str, skips))}" if skips else "none"
    sizes[name] = network.n_parameters(network.DANN(skips))

# %% jupyter={"source_hidden": true}
between_hz = skip_table["from bin to bin (Hz)"]
between_s = skip_table["from frame to frame (s)"]
# Two peaks need a bin between them.
assert 2 * between_hz["Concat 3"] < 20 < 2 * between_hz["Concat 2"]
assert between_s["Concat 3"] < 0.25 < between_s["Concat 2"]
order = ["none", "Concat 3", "Concat 1", "Concat 2", "Concat 1 + 2 + 3"]
assert sorted(order, key=sizes.get) == order
figures.bars(sizes, "weights of DANN", form=",.0f")

# %% [markdown]
# *What to notice.* Each map that is carried over makes all kernels of a stage one map deeper.
# Concat 3 brings 24 maps to 3 × 3 kernels and costs next to nothing; Concat 2 brings 56 maps to 5 × 5 kernels.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
through, past = narrow.numel(), kept[1].numel()
lessons.quick_check(
    "How many numbers reach the decoder through the narrowest layer, and how many past "
    "it, through Concat 3?",
    f"Through it {through:,}, past it {past:,}: {past / through:.0f} times as many, "
    f"although Concat 3 costs only {sizes['Concat 3'] - sizes['none']:,} weights. For "
    f"one chunk of two planes, {planes.numel():,} numbers come in.",
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
weights = {
    name: network.n_parameters(baselines.build(name)) for name in baselines.NETWORKS
}
title = "weights, on a logarithmic axis"
figures.bars(weights, title, logarithmic=True, form=",.0f")

# %% tags=["nbval-check-output"]
for name in baselines.NETWORKS:
    with torch.inference_mode():
        shape = tuple(baselines.build(name).eval()(planes[None]).shape)
    print(f"{name:12} masks {shape}")

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
# Follow the kernels back from one place of the output: the part of the input that they join to it is its
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
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.Identity())
    for weight in probe.requires_grad_(False).parameters():
        weight.fill_(0.01)
    return probe


# %%
def influence(model: nn.Module, picture: Tensor) -> Tensor:
    """How much each place (freq, frame) can change one output in the middle."""
    picture = picture.clone().requires_grad_()
    middle = picture.shape[-2] // 2, picture.shape[-1] // 2
    model(picture)[0, 0, 0][middle].backward()
    return picture.grad.abs().sum(dim=(0, 1))


# %%
def receptive_field(model: network.DANN) -> tuple[int, int]:
    """Bins and frames that convolutions and poolings join to one output."""
    touched = influence(let_all_pass(model), torch.ones(1, 2, 513, 257)) > 0
    return int(touched.any(dim=1).sum()), int(touched.any(dim=0).sum())


bins_seen, frames_seen = receptive_field(network.DANN())
without = receptive_field(network.DANN(skips=()))

# %% jupyter={"source_hidden": true}
assert report.N_FRAMES < frames_seen < 257 and bins_seen < 513
assert without == (bins_seen, frames_seen)
bins_hz = bins_seen * report.SAMPLE_RATE / report.N_FFT
frames_s = frames_seen * report.HOP / report.SAMPLE_RATE
Markdown(
    f"Convolutions and poolings join one output of DANN to **{bins_seen} bins** "
    f"({bins_hz:.0f} Hz) and up to **{frames_seen} frames** ({frames_s:.0f} s; a chunk "
    f"has {report.N_FRAMES}). Without skip connections: {without[0]} bins, "
    f"{without[1]} frames."
)

# %% [markdown]
# *What to notice.* The depth alone decides how far a network's kernels reach: skip connections do not widen the
# view, they sharpen it. Every output is joined to the whole chunk in time, and to several hundred Hz above and
# below itself: room for a few harmonics of a voice.
#
# But the probe left the normalisation out, and that takes mean and spread over the *whole* map. **Predict:** put
# it back; how much of the gradient comes from bins that the kernels do not reach?

# %%
box = influence(let_all_pass(dann), torch.ones_like(song)) > 0
beyond, bins_all = {}, {}
for name, model, features in (("random", dann, song), ("trained", library, louder)):
    gradient = influence(model, features)
    beyond[name] = float(gradient[~box].sum() / gradient.sum())
    bins_all[name] = int((gradient > 0).any(dim=1).sum())

# %% jupyter={"source_hidden": true}
assert 0.05 < beyond["random"] < beyond["trained"] < 0.5
assert set(bins_all.values()) == {report.N_BINS}
Markdown(
    "With its normalisation, the output in the middle depends on **all "
    f"{report.N_BINS} bins**. Of its gradient, **{100 * beyond['random']:.0f} %** come "
    "from beyond the kernels' reach with random weights, "
    f"**{100 * beyond['trained']:.0f} %** with the trained ones."
)

# %% [markdown]
# *What to notice.* What comes from beyond the kernels' reach is no picture. It is two numbers for each map, mean
# and spread: how loud and how restless the chunk is as a whole. The trained network makes more of them than
# the random one.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
added = sum(layer.kernel[0] - 1 for layer in figures.trace(dann))
lessons.quick_check(
    "Leave the poolings out, and keep all kernels. How many bins do the kernels join "
    "to one output then?",
    f"Each kernel of k × k adds k − 1 bins: 1 + {added} = {1 + added} bins, "
    f"{(1 + added) * report.SAMPLE_RATE / report.N_FFT:.0f} Hz in all, in place of "
    f"{bins_seen} bins. After a pooling each kernel reaches twice as far for the same "
    "weights. That is what pooling is for, and why skip connections have to repair "
    "what it takes away.",
)

# %% [markdown]
# ## 11. Masks, multiplied
#
# The mask head gives six planes: for vocals, drums and bass, one mask for the real and one for the imaginary
# part. They are multiplied with the input (I.a):

# %%
lessons.show_source(network.apply_masks)

# %% tags=["nbval-check-output"]
estimates = {
    name: network.apply_masks(three[None], planes[None])
    for name, three in masks.items()
}
print("(batch, source, part, freq, frame):", tuple(estimates["trained"].shape))
all_ones = network.apply_masks(torch.ones(1, 3, *planes.shape), planes[None])
same = all(torch.equal(each, planes) for each in all_ones[0])
print("masks of 1 give the mixture:", same)

# %% [markdown]
# **Before you play:** what do random masks make of a song: noise, silence, or the song?

# %%
heard = slice(5 * report.SAMPLE_RATE, 10 * report.SAMPLE_RATE)
vocals = {
    name: spectrogram.istft(each[0, 0], heard.stop)[heard]
    for name, each in estimates.items()
}
player.tracks(
    {
        "mixture": mixture[heard],
        "“vocals” of random weights": vocals["random"],
        "vocals of the trained weights": vocals["trained"],
    },
    description="A song, what the random masks of your class make of it (the song is "
    "still there, rough and with wrong levels), and what the trained ones make of it "
    "(a voice, and little beside it).",
)

# %% [markdown]
# *What to notice.* Even a network that knows nothing gives a song, not noise: masks can only reshape what is
# there. That is the advantage of multiplying, and its limit: where the mixture is silent, no mask can add
# anything. What training adds is the choice of what to let through.
#
# **Predict:** the same song, ten times as loud. How do the masks change?

# %%
with torch.inference_mode():
    change = (mine(10 * song)[0] - masks["random"]).abs().max()
change = float(change / masks["random"].abs().max())

# %% jupyter={"source_hidden": true}
assert change < 1e-2
Markdown(
    "Largest change of the masks for a song that is 20 dB louder: "
    f"**{change:.1e}** of the largest value."
)

# %% [markdown]
# *What to notice.* The first thing after each convolution is the normalisation of step 3, of each map of each
# chunk (**instance normalisation**). A factor of ten cancels out, so the masks are the same for loud and for
# quiet songs, whatever the other songs of the batch are. And training needs it: without any normalisation,
# the report's learning rate and our gain of 300 make this network diverge.
#
# ## The report says / we find

# %% jupyter={"source_hidden": true}
times = weights["feedforward"] / weights["dann"]
finding = (
    f"DANN has {weights['dann']:,} weights, the feed-forward network "
    f"{weights['feedforward']:,}: {times:.0f} times as many. The three auto-encoders "
    f"of reference [1] have {weights['cdae']:,}. Whether the results are equal is not "
    "shown by counting."
)
lessons.claims_table(3, {"cnn-parameters": lessons.Verdict(finding, None)})

# %% [markdown]
# ## Quiz
#
# Decide before you unfold: the answer also says what is wrong with the others.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "Which part of DANN has no weights? (a) Max pooling. (b) A convolution. (c) The "
    "normalisation.",
    "**(a)** It only picks the largest of four numbers. (b) The one that you "
    f"counted, 5 × 5 from 8 to 24 maps, has {24 * 8 * 25:,}. (c) After mean and "
    "spread are taken out, two weights for each map put others in.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "Your song is twice as long. How many weights does DANN need for it? (a) As many "
    "as before. (b) Twice as many. (c) Four times as many.",
    f"**(a)** Its {network.n_parameters(dann):,} weights are used at every place "
    "alike. (c) is a fully connected layer from one plane to another: twice the "
    "numbers in, twice the numbers out. (b) would be one for a single output.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "What are skip connections for? (a) They make the network deeper. (b) They let "
    "an output see more of the song. (c) They bring back where things are.",
    f"**(c)** Poolings leave {narrow.numel():,} of {planes.numel():,} numbers at the "
    "narrowest layer, too few to say which bins. (a) They add no layer, they make "
    f"the next kernels deeper. (b) The kernels reach {bins_seen} bins with them and "
    f"{without[0]} without.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "The same song, ten times as loud. What happens? (a) Masks and estimates grow "
    "tenfold. (b) Masks stay, estimates grow tenfold. (c) Both stay.",
    "**(b)** The normalisation takes the factor out: the masks change by "
    f"{change:.0e} of the largest value. (a) forgets it. (c) forgets that the masks "
    "multiply the song as it is, ten times as loud.",
)

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
    raise NotImplementedError("write this part")


# %% tags=["example", "3.1", "nbval-check-output"]
exercises.aim("03_unet", "3.1", lambda: (
    [
        max_pool(np.arange(35.0).reshape(5, 7)).tolist(),
        max_pool(loudness).shape,
        max_pool(max_pool(loudness)).shape,
    ]
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
    lessons.table(
        pd.DataFrame(up_sample_by_hand(np.array([[1.0, 2.0], [3.0, 4.0]]), (4, 4))),
        "{:.2f}", "equation (2)",
    )
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
    return sum(
        n_weights(each.n_in, each.n_out, each.kernel[0], each is layers[-1])
        for each in layers
    )


# %% tags=["example", "3.3", "nbval-check-output"]
exercises.aim("03_unet", "3.3", lambda: (
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
exercises.aim("03_unet", "3.5", lambda: (
    lessons.table(
        pd.DataFrame([bill(budget) for budget in (300_000, 100_000, 40_000)]),
        "{:.0f} %", "networks on a budget",
    )
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
# 5. A fully connected network of the same kind has many times the weights. The kernels join one output of DANN
#    to a whole chunk in time and to several hundred Hz around it; the normalisation adds what each map is like
#    as a whole.
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
