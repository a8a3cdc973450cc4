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
# At the end you have built DANN, the report's network, from its parts, know the size of every plane of
# numbers in it, and can say what each skip connection carries.
#
# **What you will learn**
#
# 1. to compute max pooling (1) and up-sampling (2) as they stand in the report;
# 2. to say what a convolution looks for in a spectrogram, and how many weights it has;
# 3. to build DANN stage by stage, and to read its figure;
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
import torch
from IPython.display import Markdown
from torch import nn
from torch.nn import functional

from dann_lib import figures, lessons, network, player, report, spectrogram
from dann_lib.corpus import open_corpus

# %%
corpus = open_corpus("synthetic")
track = corpus.select("train")[0]
mixture = torch.from_numpy(track.signal("mixture").copy())
planes = spectrogram.stft(mixture)[..., : report.N_FRAMES]
level = spectrogram.magnitude_db(planes)
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
views, loud = {"as it is": 10 ** (level.numpy() / 20)}, planes.norm(dim=0)[None, None]
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
# help; step 5 is about that help.
#
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
# ## 3. Build DANN
#
# Now stage by stage. A stage of the **encoder** is two convolutions, each followed by a normalisation (step
# 8) and by a rectifier, which sets negative numbers to zero; then max pooling (1). A stage of the **decoder**
# is up-sampling (2), joining what comes through the skip connection, and one convolution. This is the
# library's own code:

# %%
lessons.show_source(network.DANN.forward)

# %% [markdown]
# **Predict:** the input is 2 × 1025 × 88. Which sizes come out of the four poolings? (1025 is odd.)
#
# The cell below does the same one part after the other.

# %% tags=["nbval-check-output"]
torch.manual_seed(0)
dann = network.DANN().eval()
features, encoded = planes[None] * report.GAIN, []
with torch.inference_mode():
    for stage, block in enumerate(dann.encoder):
        encoded.append(block(features))
        features = dann.pool(encoded[-1])
        print(f"encoder {stage + 1}: {tuple(encoded[-1].shape[1:])}, pooled to {tuple(features.shape[1:])}")
    features = dann.bottleneck(features)
    print(f"bottleneck: {tuple(features.shape[1:])}")

# %% tags=["nbval-check-output"]
with torch.inference_mode():
    for stage in reversed(range(report.N_POOLINGS)):
        features = network.up_sample(features, encoded[stage].shape[-2:])
        if dann.has_skip(stage):
            features = torch.cat((features, encoded[stage]), dim=1)
        joined = tuple(features.shape[1:])
        features = dann.decoder[stage](features)
        print(f"decoder {stage + 1}: {joined} in, {tuple(features.shape[1:])} out")
    masks = dann.masks(features).unflatten(1, (3, 2))
    print("masks (batch, source, part, freq, frame):", tuple(masks.shape))
    print("equal to the network as a whole:", torch.equal(masks, dann(planes[None] * report.GAIN)))

# %% [markdown]
# *What to notice.* Pooling 1025 bins by two leaves 512, the last one is dropped; the up-sampling asks the
# encoder for its size and so finds the way back to 1025. Most feature maps are in the middle stages, and the
# narrowest layer is **thin**: "thinner layer to compress more the information", says the report (I).
#
# ## 4. The report's figure 1
#
# Drawn from the network object that you just ran: sizes, kernels and skip connections are read off a pass
# through it.

# %%
figures.figure_1(dann)

# %% [markdown]
# *What to notice.* Two convolutions a stage on the way down, one on the way up: that is what the report calls
# **asymmetrical**. Finding out what there is to hear takes more work than drawing it at the right place. The
# report's own figure with the exact numbers of maps is not in its text: the sizes here are this project's
# choice, its reasons stand in the documentation of `dann_lib.network.DANN`.
#
# And what is *in* the maps? The network is not trained, so its kernels are random; even so they react to
# different things.

# %%
figure, axes = figures.canvas(2, 4, height_in=4.0)
for column, (stage, maps) in enumerate(zip(range(4), encoded, strict=True)):
    for row, number in enumerate((1, 4)):
        picture = maps[0, number, : maps.shape[2] // 2].sqrt().numpy()
        axes[row, column].imshow(picture, origin="lower", aspect="auto", vmax=np.quantile(picture, 0.998))
        axes[row, column].set_title(f"stage {stage + 1}, map {number}", fontsize=9)
        axes[row, column].tick_params(labelsize=8)
for axis in axes[1]:
    axis.set_xlabel("frame")
for axis in axes[:, 0]:
    axis.set_ylabel("bin")
figures.show(figure, "Two feature maps from each of the four encoder stages of the untrained network, lower half of "
                     "the bins. From left to right the number of bins and frames halves, and the picture "
                     "becomes coarser.")

# %% [markdown]
# ## 5. From the auto-encoder to skip connections
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
rows = []
for skip in range(1, 5):
    stage = report.N_POOLINGS - skip
    bin_hz = 2**stage * report.SAMPLE_RATE / report.N_FFT
    rows.append(f"| Concat {skip} | {encoded[stage].shape[1]} | 1/{2**stage} | {bin_hz:.1f} Hz | "
                f"{2**stage * report.HOP / report.SAMPLE_RATE:.2f} s | {'yes' if dann.has_skip(stage) else 'no'} |")
head = ["| | feature maps | resolution | bins are apart | frames are apart | in DANN |", "|---|---|---|---|---|---|"]
Markdown("\n".join([*head, *rows]))

# %% [markdown]
# *What to notice.* The inner connections carry what has been thought over longest, but coarsely; the outer
# ones are fine, but have hardly been sorted by instrument. The report's argument against Concat 4 is this:
# what comes from full resolution "is very close to the input" and brings back the instruments that should go.
# Whether that is so, lesson 4 tries.
#
# What do skip connections cost? They add no layers; they only make the next kernel deeper.

# %%
variants = [(), (1,), (2,), (3,), (2, 3), (1, 2, 3)]
sizes = {f"Concat {' + '.join(map(str, skips))}" if skips else "none": network.n_parameters(network.DANN(skips=skips))
         for skips in variants}
figures.bars(sizes, "weights of DANN", form=",.0f")

# %%
assert sizes["none"] == min(sizes.values()) and sizes["Concat 1 + 2 + 3"] == max(sizes.values())

# %% [markdown]
# ## 6. Compared with other networks
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
weights = {name: network.n_parameters(network.build(name)) for name in network.NETWORKS}
figures.bars(weights, "weights, on a logarithmic axis", logarithmic=True, form=",.0f")

# %% tags=["nbval-check-output"]
with torch.inference_mode():
    for name in network.NETWORKS:
        print(f"{name:12} masks {tuple(network.build(name).eval()(planes[None]).shape)}")

# %% [markdown]
# *What to notice.* A fully connected layer has a weight of its own for each pair of frequencies; a
# convolution uses the same few everywhere, since a harmonic looks alike at 300 Hz and at 600 Hz, now and
# later. So far these are only counts: whether the *results* are the same has to be trained and scored.
# `build("feedforward")` fits into the training of lesson 5 without another change. The reference run did that
# on real songs, with the same number of updates for each (SDR is the ratio of lesson 6; higher is better):

# %%
lessons.reference("networks")

# %% [markdown]
# ## 7. How far does one output see?
#
# Follow the connections back from one place of the output: the part of the input that can change it is its
# **receptive field**. To measure it, replace what depends on values (normalisation, maximum, signs) by
# something that lets everything pass, and take the gradient.

# %%
def let_all_pass(model: network.DANN) -> network.DANN:
    probe = copy.deepcopy(model)
    probe.pool = nn.AvgPool2d(2)
    for module in list(probe.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.InstanceNorm2d):
                setattr(module, name, nn.Identity())
    for weight in probe.parameters():
        weight.data.fill_(0.01)
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
#
# ## 8. Masks, multiplied
#
# The last layer gives six planes: for vocals, drums and bass, one mask for the real and one for the imaginary
# part. They are multiplied with the input (I.a):

# %%
lessons.show_source(network.apply_masks)

# %% tags=["nbval-check-output"]
estimates = network.apply_masks(masks, planes[None])
print("(batch, source, part, freq, frame):", tuple(estimates.shape))
all_ones = network.apply_masks(torch.ones_like(masks), planes[None])
print("masks of 1 give the mixture:", all(torch.equal(each, planes) for each in all_ones[0]))

# %%
n_samples = (report.N_FRAMES - 1) * report.HOP
untrained = spectrogram.istft(estimates[0, 0], n_samples)
shown = slice(0, 5 * report.SAMPLE_RATE)
player.tracks({"mixture": mixture[shown], "\"vocals\" of the untrained network": untrained[shown]},
              description="What random masks make of a song: the song is still there, rough and with wrong levels.")

# %% [markdown]
# *What to notice.* Even a network that knows nothing gives a song, not noise: masks can only reshape what is
# there. That is the advantage of multiplying, and its limit: where the mixture is silent, no mask can add
# anything.
#
# **Predict:** the same song, ten times as loud. How do the masks change?

# %%
with torch.inference_mode():
    louder = dann(10 * planes[None] * report.GAIN)
change = float((louder - masks).abs().max() / masks.abs().max())
Markdown(f"Largest change of the masks for a song that is 20 dB louder: **{change:.1e}** of the largest value.")

# %%
assert change < 1e-2

# %% [markdown]
# *What to notice.* The first thing after each convolution is **instance normalisation**: it takes the mean off
# each map of a chunk and divides by its spread. A factor of ten cancels out, so the masks are the same for
# loud and for quiet songs, whatever the other songs of the batch are. And training needs it: without any
# normalisation, the report's learning rate and our gain of 300 make this network diverge.
#
# ## The report says / we find

# %%
times = weights["feedforward"] / weights["dann"]
lessons.claims_table(3, {"cnn-parameters": lessons.Verdict(
    f"DANN has {weights['dann']:,} weights, the feed-forward network {weights['feedforward']:,}: {times:.0f} times "
    f"as many. The three auto-encoders of reference [1] have {weights['cdae']:,}. Whether the results are equal "
    "is not shown by counting.", None)})

# %% [markdown]
# ## Try it
#
# 1. *Warm-up.* Draw `figures.figure_1(network.DANN(skips=(2,)))`. What has changed beside the arrows, and
#    why?
# 2. *A network of your own.* Find `channels` and `bottleneck` with which `DANN` has less than 100 000
#    weights. Where do most of them sit? Draw it.
# 3. *A rule for sizes.* Write a function that gives the sizes of the four encoder stages for any number of
#    bins and frames, and check it against `figures.trace(network, n_bins, n_frames)`.
# 4. *Open end.* Replace max pooling by the mean (`dann.pool = nn.AvgPool2d(2)`) and look at step 1 again.
#    Which would you expect to keep quiet instruments, which the loud ones?
#
# ## Recap
#
# 1. Max pooling (1) keeps the largest of four; up-sampling (2) fills in equal steps between aligned corners.
# 2. A convolution marks where the picture looks like its kernel; its weights are counted by kernels, not by
#    the size of the picture.
# 3. DANN: four stages down, a narrow layer, four stages up, six masks.
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
# Previous lesson: [2 · Turn a song into a picture and back](02_stft.ipynb) ·
# next lesson: [4 · Take the skip connections away, one by one](04_skip_ablation.ipynb)
