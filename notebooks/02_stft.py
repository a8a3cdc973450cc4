# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 · Turn a song into a picture and back
#
# At the end you can take a song apart into 1025 frequencies and put it together again without loss, and you
# know what the window, the phase and the low sample rate cost.
#
# **What you will learn**
#
# 1. to compute a frame of the short-time Fourier transform (STFT) by hand, and to say what bins and frames
#    are;
# 2. to say what real and imaginary part are, and to show and hear what a magnitude alone loses;
# 3. to invert the STFT, and to tell which windows and overlaps allow it; to cut a spectrogram into chunks
#    and stick them together without loss;
# 4. to trade frequency against time with the window's length, and to recognise leakage;
# 5. to hear what 8.82 kHz removes, and to check the report's 10 Hz;
# 6. to separate drums with a mask that knows the truth, and to say what no mask can do.
#
# **What you need**: about 15 s on two processor cores, 1 GB of memory, headphones; the embedded songs of
# lesson 1.
#
# **What of the report is rebuilt**: figure 2, and the transform of section II.b.
#
# Previous lesson: [1 · Open a song and hear what it is made of](01_data.ipynb) ·
# next lesson: [3 · Build the U-net, layer by layer](03_unet.ipynb)

# %%
import itertools
import time

import numpy as np
import pandas as pd
import soxr
import torch
from IPython.display import Markdown

from dann_lib import figures, network, player, report, spectrogram
from dann_lib.course import lessons, live
from dann_lib.corpus import open_corpus

# %%
corpus = open_corpus("synthetic")
track = corpus.select("test")[6]
song = {name: torch.from_numpy(track.signal(name).copy()) for name in report.SIGNALS}
mixture, drums = song["mixture"], song["drums"]
excerpt = slice(0, 44 * report.HOP)  # 5.1 s, to look at
heard = slice(report.SAMPLE_RATE, 4 * report.SAMPLE_RATE)  # 3 s, to listen to

# %% [markdown]
# ## 1. One frame by hand
#
# Take 2048 samples of the song: 0.23 s. Multiply them by a **window**, which fades them in and out, and
# compute the Fourier transform: how much of each frequency there is. The report takes a Hamming window of
# 2048 samples (II.b).
#
# **Predict:** 2048 real samples go in. How many complex numbers come out, and how far apart are they in Hz?

# %% tags=["nbval-check-output"]
t = 40
piece = mixture[t * report.HOP - report.N_FFT // 2 :][: report.N_FFT]
window = torch.hamming_window(report.N_FFT)
frame = torch.fft.rfft(piece * window)
bin_hz = report.SAMPLE_RATE / report.N_FFT
print(f"{report.N_FFT} samples -> {len(frame)} bins, {bin_hz:.2f} Hz apart,", end=" ")
print(f"from 0 to {report.SAMPLE_RATE / 2:.0f} Hz")

# %%
seconds = np.arange(report.N_FFT) / report.SAMPLE_RATE
figures.curves(
    {
        "samples": (seconds, piece),
        "window": (seconds, window * piece.abs().max()),
        "samples × window": (seconds, piece * window),
    },
    "time in the frame (s)",
    "amplitude (1 = full scale)",
    "One frame: 2048 samples of the mixture, the Hamming window (drawn as high as the "
    "samples), and their product, which fades in and out.",
)

# %% [markdown]
# *What to notice.* From 0 Hz to half the sample rate there are 1025 **bins**: 2048 real numbers became 1025
# pairs. Nothing is gained and nothing is lost, the first and the last bin are real. The narrower the bins are
# to be, the longer the frame has to be.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
here_ms = 1000 * report.N_FFT / report.SAMPLE_RATE
there_ms = 1000 * report.N_FFT / report.SONG_RATE
lessons.quick_check(
    "The same 2048 samples at 44.1 kHz: how long is a frame, and how far apart are the "
    "bins?",
    f"{there_ms:.0f} ms instead of {here_ms:.0f} ms, and {1000 / there_ms:.1f} Hz "
    f"instead of {1000 / here_ms:.1f} Hz: 5 times shorter and 5 times coarser. The "
    "window's length counts in seconds, not in samples.",
)

# %% [markdown]
# ## 2. All frames: the spectrogram
#
# The next frame starts 1024 samples later, so neighbours share half of their samples (the report's "overlap
# of 1024"). All frames side by side are the STFT. The library's function does what you did by hand, for each
# frame:

# %%
lessons.show_source(spectrogram.stft, spectrogram.frames)

# %% tags=["nbval-check-output"]
planes = {signal: spectrogram.stft(waveform) for signal, waveform in song.items()}
by_hand = spectrogram.from_complex(frame[:, None])[..., 0]
same = torch.allclose(planes["mixture"][..., t], by_hand, atol=1e-4)
print("(part, freq, frame) =", tuple(planes["mixture"].shape))
print("equal to the frame by hand:", same)

# %% [markdown]
# **Predict:** in such a picture, time goes to the right and frequency upwards. What does a hit of the drums
# look like? A long note of the bass? A voice?

# %%
figures.spectrograms(
    {name: planes[name] for name in ("mixture", "vocals", "drums", "bass")},
    "Spectrograms of the mixture, the vocals, the drums and the bass, on one scale of "
    "80 dB. Vocals: wavy lines in equal distances. Drums: vertical stripes. Bass: "
    "horizontal lines, strongest at the bottom.",
    columns=2,
)

# %% [markdown]
# *What to notice.* Tones are horizontal lines, hits are vertical ones, and a voice is a ladder of lines, its
# *harmonics*, which move up and down together. In the waveform the sources lay on top of each other; here
# they mostly use different places. A separator can work with scissors: keep these places, drop those. That is
# what a mask does (step 9).
#
# ## 3. Real and imaginary part, magnitude and phase
#
# What are the two numbers in each place? The transform holds the frame against two waves of the bin's
# frequency, sample by sample, and adds up how well they agree. With the windowed samples $x_n$ of a frame of
# $N = 2048$, bin $k$ is
#
# $$X_k = \underbrace{\sum_{n=0}^{N-1} x_n \cos\frac{2 \pi k n}{N}}_{\text{real part}}
# \; - \; i \; \underbrace{\sum_{n=0}^{N-1} x_n \sin\frac{2 \pi k n}{N}}_{\text{minus the imaginary part}}$$
#
# The **real part** says how much of the cosine is in the frame, the **imaginary part** how much of the
# (negative) sine. DANN gets these two.

# %% tags=["nbval-check-output"]
row = round(440 / bin_hz)
n = torch.arange(report.N_FFT, dtype=torch.float64)
angle = 2 * torch.pi * row * n / report.N_FFT
real = (piece * window * angle.cos()).sum()
imag = -(piece * window * angle.sin()).sum()
print("real part = sum with the cosine:", np.isclose(frame[row].real, real, atol=1e-4))
print("imaginary part = minus the sum with the sine:", end=" ")
print(np.isclose(frame[row].imag, imag, atol=1e-4))

# %% [markdown]
# Draw the pair as an arrow: real part to the right, imaginary part upwards. Its length is the **magnitude**,
# how loud the frequency is; its direction is the **phase**, where in its swing the tone is when the frame
# begins.
#
# **Predict:** a steady tone of 440 Hz. What do its real part, imaginary part and magnitude do from frame to
# frame?

# %%
seconds = torch.arange(4 * report.SAMPLE_RATE) / report.SAMPLE_RATE
tone = 0.5 * torch.sin(2 * torch.pi * 440 * seconds)
real, imag = spectrogram.stft(tone)[:, row, 1:31]

# %% jupyter={"source_hidden": true}
figure, (left, right) = figures.canvas(1, 2, height_in=2.9, width_ratios=(1, 2))
for number, (x, y) in enumerate(zip(real[:6], imag[:6], strict=True), start=1):
    left.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "->"})
    left.annotate(f"{number}", (1.15 * x, 1.15 * y), ha="center", va="center")
left.set(xlim=(-350, 350), ylim=(-350, 350), aspect="equal", title="frames 1 to 6")
left.set(xlabel="real part", ylabel="imaginary part")
at = np.arange(1, 31) * report.HOP / report.SAMPLE_RATE
right.plot(at, real, "-", label="real part")
right.plot(at, imag, "--", label="imaginary part")
right.plot(at, torch.hypot(real, imag), ":", label="magnitude")
right.set(xlabel="time (s)", ylabel="value in the bin of 440 Hz")
right.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
figures.show(
    figure,
    "A steady tone in the bin of 440 Hz. Left: the first six frames as arrows of equal "
    "length, each turned a little further. Right: real and imaginary part swing "
    "between plus and minus, a quarter of a swing apart; the magnitude above them is "
    "constant.",
)



# %% [markdown]
# *What to notice.* The arrow turns and keeps its length: the same sound, seen a little later. One part alone
# is sometimes large and sometimes zero, though the tone is always there. Only both together are the tone.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
turns = {hz: hz * report.HOP / report.SAMPLE_RATE for hz in (440, 443)}
lessons.quick_check(
    "The tone swings 440 times a second. Why does its real part swing so slowly? And "
    "what would it do for 443 Hz?",
    "From frame to frame the tone makes $440 \\cdot 1024 / 8820 = "
    f"{turns[440]:.2f}$ turns. Whole turns do not show: {turns[440] % 1:.2f} are left, "
    f"one swing in {1 / (turns[440] % 1):.0f} frames. At 443 Hz it is {turns[443]:.2f}:"
    " nearly half a turn is left, and the sign changes in nearly every frame. A few Hz "
    "decide, so the signs of a song look like noise.",
)

# %% jupyter={"source_hidden": true}
zoom = planes["vocals"][:, :280, 8:52].numpy()  # up to 1.2 kHz
rate = {"rate_hz": 560 * bin_hz, "hop": report.HOP * 280 / 1025}
figure, axes = figures.canvas(1, 3, height_in=3.2, sharex=True, sharey=True)
figures.signed_image(axes[0], zoom[0], np.abs(zoom).max(), **rate)
figures.signed_image(axes[1], zoom[1], np.abs(zoom).max(), **rate)
figures.spectrogram_image(axes[2], np.hypot(*zoom), **rate)
titles = ("real part", "imaginary part", "magnitude (dB)")
for axis, title in zip(axes, titles, strict=True):
    axis.set(title=title, xlabel="time (s)")
axes[0].set_ylabel("frequency (Hz)")
figures.show(
    figure,
    "The vocals up to 1.2 kHz. Real and imaginary part (red positive, blue negative) "
    "flicker from frame to frame and from bin to bin; the magnitude is smooth lines.",
)

# %% [markdown]
# *What to notice.* Signs flicker even where nothing changes in the music. So a network that looks at real and
# imaginary part sees a much more restless picture than one that looks at magnitudes. What would be lost with
# one of them, or with the phase?
#
# ### One part alone
#
# **Predict:** keep the real part, set the imaginary part to zero, and go back to a waveform. What becomes of a
# frame with one hit of a drum?

# %%
hit = drums[26 * report.HOP - report.N_FFT // 2 :][: report.N_FFT] * window
bins = torch.fft.rfft(hit)
halves = {
    "both parts": hit,
    "real part alone": torch.fft.irfft(bins.real + 0j),
    "imaginary part alone": torch.fft.irfft(1j * bins.imag),
}

# %% jupyter={"source_hidden": true}
mirrored = (hit[1:] + hit[1:].flip(0)) / 2
assert torch.allclose(halves["real part alone"][1:], mirrored, atol=1e-5)
figures.waveforms(
    halves,
    "A windowed frame of the drums with a hit at the beginning. Real part alone: half "
    "the hit, and its mirror image at the end of the frame. Imaginary part alone: the "
    "same, the image upside down. Added up, the images cancel and the hit is whole.",
)

# %%
real, imag = planes["drums"]
zero = torch.zeros_like(real)
from_real = spectrogram.istft(torch.stack((real, zero)), len(drums))
from_imag = spectrogram.istft(torch.stack((zero, imag)), len(drums))

# %% jupyter={"source_hidden": true}
assert torch.allclose(from_real + from_imag, drums, atol=1e-5)
player.tracks(
    {
        "both parts": drums[heard],
        "real part alone": from_real[heard],
        "imaginary part alone": from_imag[heard],
    },
    description="The drums from both parts, from the real part alone, from the "
    "imaginary part alone. One part alone plays an echo of each hit, backwards in "
    "time, before or after it.",
)



# %% [markdown]
# *What to notice.* The real part holds what is symmetric about the middle of the frame, the imaginary part
# what is antisymmetric. Neither knows by itself whether a hit was early or late. A separator that gets one of
# them wrong mixes a frame with its mirror image.
#
# ### The magnitude alone
#
# Real parts add up, and so do imaginary parts: the transform is linear, and the picture of the mixture is the
# sum of the pictures of its sources. **Predict:** do magnitudes add up?

# %%
stems = report.SIGNALS[1:]
difference = sum(planes[stem] for stem in stems) - planes["mixture"]
parts_error = float(difference.abs().max() / planes["mixture"].abs().max())
magnitudes = {signal: plane.norm(dim=0) for signal, plane in planes.items()}
sums = {signal: magnitude.sum() for signal, magnitude in magnitudes.items()}
excess = float(sum(sums[stem] for stem in stems) / sums["mixture"] - 1)

# %% jupyter={"source_hidden": true}
assert parts_error < 1e-5 and excess > 0.1
Markdown(
    f"The stems' parts add up to those of the mixture but for **{parts_error:.0e}** of "
    f"the largest. Their magnitudes add up to **{100 * excess:.0f} %** more than the "
    "mixture's."
)



# %% [markdown]
# Where two sources meet, their arrows point in different directions, and the mixture is shorter than both
# lengths together. So even from the true magnitudes one could not put the mixture together.
#
# **Predict:** what does a song sound like if every magnitude is kept and every phase is set to zero? And with
# random phases?

# %%
magnitude = magnitudes["mixture"]
random = torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
angle = 2 * torch.pi * random
without_phase = torch.stack((magnitude, torch.zeros_like(magnitude)))
random_phase = torch.stack((magnitude * angle.cos(), magnitude * angle.sin()))
player.tracks({
    "as it was": mixture[heard],
    "phase set to zero": spectrogram.istft(without_phase, len(mixture))[heard],
    "random phase": spectrogram.istft(random_phase, len(mixture))[heard],
}, description=(
    "The same magnitudes with three phases. Without its phase the song buzzes, or "
    "sounds like from a tunnel."
))

# %%
def mismatch(made_up: torch.Tensor) -> float:
    """How far it is from any sound: what changes if one goes back and forth."""
    again = spectrogram.stft(spectrogram.istft(made_up, len(mixture)))
    return float((again.norm(dim=0) - made_up.norm(dim=0)).norm() / made_up.norm())


made_up = (without_phase, random_phase)
mismatches = [mismatch(each) for each in (planes["mixture"], *made_up)]

# %% jupyter={"source_hidden": true}
assert mismatches[0] < 1e-4 < 0.3 < min(mismatches[1:])
as_it_was, at_zero, at_random = (f"{100 * each:.0f} %" for each in mismatches)
Markdown(
    f"Once back and forth, and the magnitudes have changed by **{as_it_was}** with the "
    f"song's own phases, by **{at_zero}** with phase zero and by **{at_random}** with "
    "random phases."
)



# %% [markdown]
# *What to notice.* The phase holds the attacks of the drums and keeps neighbouring frames together. Frames
# overlap, so they have to agree on the samples that they share; with made-up phases they do not, and there is
# *no* sound with this spectrogram. The inverse gives the nearest one. Most separators keep the phase of the
# mixture and estimate magnitudes only; the report lets the network handle both parts, and suspects that the
# reverberation which it hears comes from phases that were changed (lesson 7 looks into that).
#
# ## 4. There and back
#
# The inverse STFT adds the frames up again, each multiplied by the window once more, and divides by the sum
# of the squared windows. **Predict:** how large is the error, if full scale is 1?

# %%
lessons.show_source(spectrogram.istft, spectrogram.overlap_add)

# %%
back = spectrogram.istft(planes["mixture"], len(mixture))
error = (back - mixture).abs().max().item()

# %% jupyter={"source_hidden": true}
assert error < 1e-5
Markdown(
    f"Largest error there and back: **{error:.1e}**, that is "
    f"{20 * np.log10(error):.0f} dB: nothing that one can hear."
)



# %% [markdown]
# So the picture holds all of the song. Whatever is wrong with a separated song comes from the masks and from
# 8.82 kHz, not from the transform.
#
# ### Other windows, other overlaps
#
# The same two steps with any window and overlap, from PyTorch:

# %%
WINDOWS = {
    "Hamming": torch.hamming_window,
    "Hann": torch.hann_window,
    "rectangular": torch.ones,
}


def picture(
    waveform: torch.Tensor,
    length: int = 2048, overlap: float = 0.5, window: str = "Hamming",
) -> torch.Tensor:
    return torch.stft(
        waveform, length, round(length * (1 - overlap)), window=WINDOWS[window](length),
        pad_mode="constant", return_complex=True,
    )

# %%
def sound(
    planes: torch.Tensor,
    length: int = 2048, overlap: float = 0.5, window: str = "Hamming",
) -> torch.Tensor:
    return torch.istft(
        planes, length, round(length * (1 - overlap)), window=WINDOWS[window](length),
        length=excerpt.stop,
    )

# %%
def smallest_sum(
    length: int = 2048, overlap: float = 0.5, window: str = "Hamming"
) -> float:
    """The smallest sum of squared windows, by which the inverse has to divide."""
    squares = WINDOWS[window](length).square()
    return float(squares.reshape(-1, round(length * (1 - overlap))).sum(dim=0).min())

# %% [markdown]
# To hear what is lost if somebody *changes* the picture, keep the loudest 3 % of all places and drop the rest,
# as a very greedy separator might.
#
# **Predict:** which of nine combinations cannot be inverted? And if frames do not overlap at all, what does
# one hear once something was changed?

# %%
def loudest(planes: torch.Tensor, share: float = 0.03) -> torch.Tensor:
    return planes * (planes.abs() >= planes.abs().flatten().quantile(1 - share))


def above_error_db(true: torch.Tensor, estimate: torch.Tensor) -> float:
    error = true - estimate
    return float(10 * torch.log10(true.square().sum() / error.square().sum()))

# %%
def there_and_back(**choice: str | float) -> tuple[str, str]:
    """Largest error of the unchanged picture; dB above the error of the changed one."""
    if smallest_sum(**choice) == 0:
        return "impossible", "impossible"
    there = picture(mixture[excerpt], **choice)
    largest = (sound(there, **choice) - mixture[excerpt]).abs().max()
    above_db = above_error_db(mixture[excerpt], sound(loudest(there), **choice))
    return f"{largest:.0e}", f"{above_db:.1f} dB"

# %% jupyter={"source_hidden": true}
rows = {}
for name, overlap in itertools.product(WINDOWS, (0, 0.5, 0.75)):
    untouched, changed = there_and_back(window=name, overlap=overlap)
    smallest = smallest_sum(window=name, overlap=overlap)
    rows[name, f"{100 * overlap:.0f} %"] = {
        "numbers a sample": f"{2 * report.N_BINS / report.N_FFT / (1 - overlap):.0f}",
        "smallest sum of squared windows": f"{smallest:.3f}",
        "largest error, unchanged": untouched,
        "song above the error, loudest 3 % kept": changed,
    }
table = pd.DataFrame(rows).T.rename_axis(["window", "overlap"])
lessons.table(table, caption="Windows of 2048 samples.")

# %%
kept = {
    overlap: sound(loudest(picture(mixture[excerpt], overlap=overlap)), overlap=overlap)
    for overlap in (0, 0.5, 0.75)
}

# %% jupyter={"source_hidden": true}
scores = [above_error_db(mixture[excerpt], estimate) for estimate in kept.values()]
assert scores[0] + 3 < scores[1] < scores[2] < scores[1] + 1
player.tracks(
    {f"overlap {100 * overlap:.0f} %": kept[overlap][heard] for overlap in kept},
    description="The loudest 3 % of the places, Hamming window, three overlaps. "
    "Without overlap there is a crackle at every edge of a frame, four times a second.",
)

# %% [markdown]
# Your turn: change all three, and listen while it plays.

# %%
def greedy(length=2048, overlap=0.5, share=0.03):
    kept = loudest(picture(mixture[excerpt], length, overlap), share)
    back = sound(kept, length, overlap)
    figure, axis = figures.canvas(height_in=2.4)
    hop = round(length * (1 - overlap))
    figures.spectrogram_image(axis, kept.abs().numpy(), hop=hop)
    axis.set(xlabel="time (s)", ylabel="frequency (Hz)", ylim=(0, 2000))
    above_db = above_error_db(mixture[excerpt], back)
    words = f"The {kept.count_nonzero():,} loudest places, up to 2 kHz. Song above the"
    drawn = figures.show(figure, f"{words} error: {above_db:.1f} dB.")
    return drawn, player.audio(back[heard], title="what is kept")

# %%
live.Control(
    greedy, length=[2**n for n in range(7, 14)], overlap=[0, 0.5, 0.75, 0.875],
    share=[0.003, 0.01, 0.03, 0.1, 0.3, 1],
)

# %% [markdown]
# *What to notice.* Untouched, nearly every choice comes back: it is enough that no sample is multiplied by
# zero in all frames that hold it. A mask is where they part. Without overlap, what a mask does ends abruptly
# at the edge of the frame, and the Hamming window, which is small there, makes the error large as it is
# divided out. With half a window of overlap each frame fades into the next. Three quarters are a little
# better still, for twice as many numbers: the report's half is a good bargain.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
lessons.quick_check(
    "Why can a Hann window without overlap not be inverted, and a Hamming window can?",
    f"The Hann window begins at {torch.hann_window(report.N_FFT)[0]:.0f}: the first "
    "sample of each frame is multiplied by 0, and no other frame has it. It is gone. "
    f"The Hamming window begins at {window[0]:.2f}, so one can divide by it; the "
    f"division makes errors there {1 / window[0]:.1f} times as large.",
)

# %% [markdown]
# ## 5. Leakage
#
# A tone of one frequency should be one bin. It is not: 2048 samples are a cut-out, and the cut makes the tone
# **leak** into other bins. Fading in and out, as the Hamming window does, helps.
#
# **Predict:** which leaks further, no window (a *rectangular* one) or the Hamming window? Which has the
# narrower peak?

# %%
def level_db(waveform: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
    magnitude = torch.fft.rfft(waveform * window).abs() / window.sum() * 2
    return 20 * torch.log10(magnitude + 1e-6)


turn = 2 * torch.pi * torch.arange(report.N_FFT, dtype=torch.float64) / report.N_FFT
two_tones = torch.sin(100.5 * turn) + 0.005 * torch.sin(134 * turn)
levels = {
    name: level_db(two_tones, make(report.N_FFT, dtype=torch.float64))[60:160]
    for name, make in WINDOWS.items()
}

# %% jupyter={"source_hidden": true}
above_db = {name: level[74] - level[[70, 78]].mean() for name, level in levels.items()}
assert abs(above_db.pop("rectangular")) < 2 < 10 < min(above_db.values())
hz = np.arange(60, 160) * bin_hz
figures.curves(
    {name: (hz, level) for name, level in levels.items()},
    "frequency (Hz)",
    "level (dB)",
    "A tone of 433 Hz, half-way between two bins, and one of 577 Hz that is 46 dB "
    "weaker, through three windows. Rectangular: a narrow peak on a broad base, in "
    "which the weak tone drowns. Hamming and Hann: a wider peak, and the weak tone "
    "stands out. Hamming's floor is nearly flat, Hann's falls off further and further.",
)



# %% [markdown]
# *What to notice.* Leakage of a loud source covers a quiet one in bins where it has no business: without a
# window the weak tone is lost, though there is nothing else near it. The Hamming window pays for its low floor
# with a peak that is twice as wide.
#
# ## 6. Frequency against time
#
# Bins are `rate / window length` apart, and a window lasts `window length / rate`: the product is always 1. A
# longer window sees frequencies more finely, and times more coarsely. **Predict:** what do drums look like
# with a window of 8192 samples?


# %%
at_full_rate = track.read("mixture").mean(axis=1)
four_seconds = at_full_rate[report.SONG_RATE : 5 * report.SONG_RATE]
player.stft_explorer(
    {"the song": four_seconds},
    report.SONG_RATE,
    description="Choose window, length, overlap and sample rate (the network gets 8.82 "
    "kHz), keep only the loudest places, and hear what is left. Try a tone and clicks, "
    "too. The figure and the sounds below show three lengths side by side.",
)

# %% jupyter={"source_hidden": true}
figure, axes = figures.canvas(1, 3, height_in=3.2, sharey=True)
for axis, length in zip(axes, (256, 2048, 8192), strict=True):
    magnitude = picture(mixture[excerpt], length).abs().numpy()
    figures.spectrogram_image(axis, magnitude, hop=length // 2)
    ms, hz = 1000 * length / report.SAMPLE_RATE, report.SAMPLE_RATE / length
    axis.set(title=f"{length}: {ms:.0f} ms, {hz:.1f} Hz", xlabel="time (s)")
    axis.set(ylim=(0, 2000), xlim=(1, 4))
axes[0].set_ylabel("frequency (Hz)")
figures.show(
    figure,
    "The same three seconds through windows of 256, 2048 and 8192 samples. Short: sharp"
    " vertical stripes, blurred tones. Long: sharp horizontal lines, drum hits smeared "
    "over a second.",
)

# %%
kept = {
    length: sound(loudest(picture(mixture[excerpt], length)), length)
    for length in (256, 2048, 8192)
}
player.tracks(
    {f"window of {length} samples": kept[length][heard] for length in kept},
    description="The loudest 3 % of the places, for three window lengths. The short "
    "window keeps the drums and loses the tones, the long one keeps the tones and "
    "smears the drums.",
)

# %% [markdown]
# Which window suits which source? One that packs the source into few places, so that a mask can take them and
# leave the rest. **Predict:** which source wants the shortest window?

# %%
LENGTHS = [128, 256, 512, 1024, 2048, 4096, 8192]


def packed(waveform: torch.Tensor, length: int, share: float = 0.01) -> float:
    """Energy in the loudest share of the places, in per cent of all."""
    energy = picture(waveform, length).abs().square().flatten()
    loud = energy.topk(int(share * len(energy))).values
    return 100 * float(loud.sum() / energy.sum())


shares = {
    source: [packed(song[source], length) for length in LENGTHS]
    for source in report.SOURCES
}

# %% jupyter={"source_hidden": true}
best = {source: LENGTHS[np.argmax(values)] for source, values in shares.items()}
assert best["drums"] < best["vocals"] <= report.N_FFT <= best["bass"]
figure, axis = figures.canvas(height_in=2.8)
for source, dash in zip(report.SOURCES, ("-", "--", "-."), strict=True):
    look = {"color": figures.COLOURS[source], "marker": "o", "markersize": 4}
    axis.plot(LENGTHS, shares[source], dash, label=source, **look)
axis.set_xscale("log", base=2)
axis.set(xticks=LENGTHS, xticklabels=LENGTHS, xlabel="window length (samples)")
axis.set_ylabel("energy in 1 % of places (%)")
axis.grid(True)
axis.legend(loc="lower center", ncols=3)
text = ", ".join(f"{source} {length}" for source, length in best.items())
figures.show(
    figure,
    "How much of its energy each source has in the loudest 1 % of the places, over the "
    f"window length. The best length: {text} samples. Drums fall off with longer "
    "windows, bass and vocals with shorter ones.",
)



# %% [markdown]
# *What to notice.* No window suits all sources: drums want a short one, bass and voice a long one. 2048
# samples at 8.82 kHz are a compromise that leans towards tones: 232 ms is long (at 44.1 kHz, the same 2048
# samples would be 46 ms). In this song it is the best choice for voice and bass, and not bad for the drums.
#
# ## 7. Can it tell 10 Hz?
#
# The report wants a precise spectrogram "since the human ear is able to hear 10 Hz variation" (I.c). Bins are
# closer than that. But two tones are only told apart if there is a dip between their peaks. **Predict:** for
# which distances is there one?

# %%
def dip_db(distance_hz: float, start_hz: float = 440.0) -> float:
    """How far the power between two peaks lies below the peak at `start_hz`."""
    n_fine = 64 * report.N_FFT
    turn = 2j * torch.pi * torch.arange(report.N_FFT) / report.SAMPLE_RATE
    power = torch.zeros(n_fine)
    for hz in (start_hz, start_hz + distance_hz):
        power += torch.fft.fft(torch.exp(turn * hz) * window, n=n_fine).abs() ** 2
    peak = round(start_hz * n_fine / report.SAMPLE_RATE)
    middle = round((start_hz + distance_hz / 2) * n_fine / report.SAMPLE_RATE)
    return float(10 * torch.log10(power[peak] / power[middle]))

# %%
dips = {f"{hz} Hz apart": max(0.0, dip_db(hz)) for hz in (2, 5, 7, 10, 15, 20)}
figures.bars(dips, "dip between the two peaks (dB)", form=".1f")



# %%
turn = 2 * torch.pi * torch.arange(int(1.5 * report.SAMPLE_RATE)) / report.SAMPLE_RATE
first, *second = (0.2 * torch.sin(hz * turn) for hz in (440, 442, 450))
player.tracks(
    {
        "440 Hz, then 442 Hz": torch.cat((first, second[0])),
        "440 Hz, then 450 Hz": torch.cat((first, second[1])),
    },
    description="Two tones after one another. Can you hear 10 Hz? And 2 Hz?",
)

# %% jupyter={"source_hidden": true}
assert dips["5 Hz apart"] == 0 and dips["10 Hz apart"] > 3
places = ["input, Concat 4", "Concat 3", "Concat 2", "Concat 1", "narrowest layer"]
rows = [
    "| resolution | where in DANN | from bin to bin | from frame to frame |",
    "|---|---|---|---|",
]
for depth, place in enumerate(places):
    hz, s = 2**depth * bin_hz, 2**depth * report.HOP / report.SAMPLE_RATE
    rows.append(f"| 1/{2**depth} | {place} | {hz:.1f} Hz | {s:.2f} s |")
Markdown("\n".join(rows))

# %% [markdown]
# *What to notice.* At 10 Hz there is a clear dip, at 5 Hz there is none: the transform holds the report's 10
# Hz, just so. Inside DANN every pooling doubles the distance of the bins (lesson 3): half the resolution,
# where Concat 3 starts, is the last one below 10 Hz. That gives the report's wish for three skip connections
# a meaning in numbers. Practised ears hear a good deal less than 10 Hz near 440 Hz: see the review under
# *Further reading*.
#
# ## 8. What is above 4.41 kHz?
#
# Lesson 1 counted how little energy that is. Now hear it by itself. **Before you play:** which instruments will
# be in what is missing?

# %%
low = soxr.resample(at_full_rate, report.SONG_RATE, report.SAMPLE_RATE)
low = soxr.resample(low, report.SAMPLE_RATE, report.SONG_RATE)[: len(at_full_rate)]
first = slice(report.SONG_RATE, 4 * report.SONG_RATE)
player.tracks(
    {
        "44.1 kHz": at_full_rate[first],
        "after 8.82 kHz": low[first],
        "what is missing": (at_full_rate - low)[first],
    },
    rate_hz=report.SONG_RATE,
    description="The mixture, what 8.82 kHz keeps of it, and the difference.",
)

# %% [markdown]
# *What to notice.* What is missing is hiss to the ear: cymbals, the noise of a snare drum, the *s* of a voice.
# Melody and bass line have nothing there. No mask can bring it back.
#
# And what is it worth? The report does it "in order to accelerate". Time one pass of DANN through 10 s of
# song at 8.82 kHz and through the 5 times longer spectrogram that the same 10 s have at 44.1 kHz:
#
#

# %%
dann = network.DANN().eval()


@torch.inference_mode()
def pass_seconds(n_frames: int) -> float:
    planes_in, times = torch.randn(1, 2, report.N_BINS, n_frames), []
    for _ in range(2):
        start = time.perf_counter()
        dann(planes_in)
        times.append(time.perf_counter() - start)
    return min(times)


slower = pass_seconds(5 * report.N_FRAMES) / pass_seconds(report.N_FRAMES)
print("at 44.1 kHz it takes more than 3 times as long:", slower > 3)

# %% [markdown]
# *What to notice.* Five times as many frames are five times as many multiplications. A clock shows it only
# roughly: print `slower` a few times.
#
# ## 9. Masks
#
# A **mask** $M$ has a number for each place of the spectrogram $I$, and $M \cdot I$ is the estimate of a
# source. DANN gives two masks for each source, one for the real part and one for the imaginary part (I.a).
# What is the best that this can do? Since we know the true drums $N$, we can take the ideal mask $M = N / I$
# in each part, limited to between 0 and 1.
#
# **Predict:** would the drums come out perfectly without the limit? And with it?

# %%
def ideal_mask(source: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    return (source / torch.where(whole.abs() < 1e-9, 1e-9, whole)).clamp(0, 1)


masked = ideal_mask(planes["drums"], planes["mixture"]) * planes["mixture"]
shown = slice(0, report.N_FRAMES)
figures.figure_2(
    planes["mixture"][..., shown], masked[..., shown], "drums", max_hz=2000
)

# %%
magnitude_mask = ideal_mask(magnitudes["drums"], magnitudes["mixture"])
by_part = spectrogram.istft(masked, len(drums))
by_magnitude = spectrogram.istft(magnitude_mask * planes["mixture"], len(drums))
player.tracks(
    {
        "mixture": mixture[heard],
        "drums, ideal mask for each part": by_part[heard],
        "drums, ideal mask of magnitudes": by_magnitude[heard],
        "the true drums": drums[heard],
    },
    description="What masks can do that know the truth, between the mixture and the "
    "true drums.",
)

# %%
errors = {
    "mixture as it is": above_error_db(drums, mixture),
    "one ideal mask of magnitudes": above_error_db(drums, by_magnitude),
    "ideal mask for each part": above_error_db(drums, by_part),
}

# %% jupyter={"source_hidden": true}
assert list(errors.values()) == sorted(errors.values())
figures.bars(errors, "energy of the drums over that of the error (dB)", form=".1f")



# %% [markdown]
# And without the limit? **Predict:** in how many places is $N / I$ below 0 or above 1?

# %%
places = planes["mixture"].abs() > 1e-6
values = planes["drums"][places] / planes["mixture"][places]
outside = float(((values < 0) | (values > 1)).float().mean())
median, rare = np.quantile(values.abs().numpy(), [0.5, 0.999])

# %% jupyter={"source_hidden": true}
assert 0.4 < outside < 0.6 and rare > 50
Markdown(
    "The unlimited mask of the drums lies outside of 0 … 1 in "
    f"**{100 * outside:.0f} %** of the places. Its absolute value is **{median:.1f}** "
    f"in the median and above **{rare:.0f}** in one place of a thousand."
)



# %% [markdown]
# *What to notice.* What masks **can** do: wherever one source is alone, take it whole, with the right phase, for
# nothing. What they **cannot**: a mask of magnitudes keeps the phase of the mixture, and lets both pass or
# neither where two sources meet. A mask between 0 and 1 cannot change a sign; where the other sources have
# turned the sign of the mixture, the best it can do is 0. No mask makes something from nothing: where the
# sources cancel each other, or above 4.41 kHz, there is nothing to multiply. Masks for each part can do more,
# and without a limit $N / I$ would be perfect, and wild: divisions by nearly zero. So DANN's masks have no
# limits, but the loss looks at $M \cdot I$, never at $M$ (lesson 5).
#
# Separate the drums by hand: how near do you come to the ideal masks, and what gives you away?

# %%
sources = {source: song[source][heard] for source in report.SOURCES}
player.mask_explorer(mixture[heard], sources, target="drums")

# %% jupyter={"source_hidden": true} tags=["remove-input"]
in_drums, in_mixture = (planes[name][0].flatten() for name in ("drums", "mixture"))
smaller = torch.minimum(in_drums.abs(), in_mixture.abs())
place = torch.where(in_drums * in_mixture < 0, smaller, 0).argmax()
true, whole = in_drums[place].item(), in_mixture[place].item()
lessons.quick_check(
    f"In one place of this song the real part of the drums is {true:.1f}, that of the "
    f"mixture {whole:.1f}. What is the sum of the other sources there? What would the "
    "ideal mask be, and what does the limit make of it?",
    f"The others add up to {whole - true:.1f}: they have turned the sign. The ideal "
    f"mask is the quotient, {true / whole:.1f}; limited, it is 0, and all of the drums "
    "in this place are lost.",
)

# %% [markdown]
# ## 10. Cut into chunks, stick together
#
# DANN sees chunks of 88 frames. Afterwards "we stick them together in the same order we cut them" (II.b).

# %% tags=["nbval-check-output"]
chunks = spectrogram.chunk(planes["mixture"])
whole = spectrogram.stitch(chunks, planes["mixture"].shape[-1])
print("(chunk, part, freq, frame) =", tuple(chunks.shape))
print("the same spectrogram again:", torch.equal(whole, planes["mixture"]))

# %% [markdown]
# **Predict:** instead, cut the *waveform* after 88 × 1024 samples and transform the second piece by itself.
# Is that the same?

# %%
cut = report.N_FRAMES * report.HOP
n_frames = planes["mixture"].shape[-1] - report.N_FRAMES
second = chunks[1][..., :n_frames]
naive = spectrogram.stft(mixture[cut:])[..., :n_frames]
samples = spectrogram.chunk_samples(mixture.numpy(), report.N_FRAMES, n_frames)
context = spectrogram.frames(torch.from_numpy(samples))

# %% jupyter={"source_hidden": true}
wrong, right = (
    float((each - second).abs().max() / second.abs().max()) for each in (naive, context)
)
assert right < 1e-5 < wrong
Markdown(
    f"Largest difference from the chunk of the whole song: **{wrong:.1e}** of the "
    f"loudest place if the piece is cut without its neighbours, **{right:.1e}** with "
    "half a window of context on either side (`chunk_samples`)."
)



# %% [markdown]
# *What to notice.* The first frame of a chunk looks at samples from before the cut. With that context, a
# chunk can be cut from a stored waveform as it is needed, and a training run never has to hold spectrograms.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
in_spectrogram, in_waveform = chunks[0].numel(), report.N_FRAMES * report.HOP
lessons.quick_check(
    "How many numbers has the spectrogram of a chunk, and how many has the waveform it "
    "was made from?",
    f"2 parts × {report.N_BINS} bins × {report.N_FRAMES} frames = {in_spectrogram:,}, "
    f"from {report.N_FRAMES} × {report.HOP} = {in_waveform:,} samples: "
    f"{in_spectrogram / in_waveform:.0f} times as many, since neighbouring frames share"
    " half of their samples. That is why not every spectrogram is that of a sound.",
)

# %% [markdown]
# ## The reference run
#
# Step 7 added up the power of two tones. In a real frame they also interfere, and whether there is a dip
# depends on their phases. The reference run tried a hundred pairs for each distance:

# %%
lessons.reference("resolution")

# %% [markdown]
# And this is what 8.82 kHz, the STFT and the way back cost on 50 real songs, without any network, beside what
# DANN loses (SAR is the ratio of lesson 6; higher is better):

# %%
lessons.reference("treatment")

# %% [markdown]
# ## The report says / we find

# %% jupyter={"source_hidden": true}
is_slower = "more" if slower > 3 else "not more"
verdicts = {
    "8.8-khz": lessons.Verdict(
        "There are 5 times fewer frames, and without that DANN takes "
        f"{is_slower} than 3 times as long on this machine. What is missing is little "
        "in energy, and well audible in cymbals; lesson 6 puts the cost into dB.",
        slower > 3,
    ),
    "10-hz": lessons.Verdict(
        f"Bins are {bin_hz:.1f} Hz apart, two tones 10 Hz apart show a dip of "
        f"{dips['10 Hz apart']:.0f} dB: the transform is that precise. Practised ears "
        "hear less than 10 Hz.",
        dips["10 Hz apart"] > 3,
    ),
}
lessons.claims_table(2, verdicts)

# %% [markdown]
# ## Quiz
#
# Decide before you unfold: the answer also says what is wrong with the others.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "A window of 4096 samples in place of 2048. What changes? (a) Bins and frames "
    "both get finer. (b) Bins get closer, drum hits get blurred. (c) Bins get wider, "
    "drum hits sharper.",
    f"**(b)** Bins are {bin_hz / 2:.1f} Hz apart in place of {bin_hz:.1f} Hz, and a "
    f"window lasts {2000 / bin_hz:.0f} ms in place of {1000 / bin_hz:.0f} ms. (a) "
    "cannot be: the product of the two is always 1. (c) is what a shorter window "
    "does.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "Keep all magnitudes of a song and set all phases to zero. What do you hear? (a) "
    "A buzz. (b) The song: ears hear magnitudes. (c) Silence.",
    "**(a)** Neighbouring frames share samples and no longer agree on them. No sound "
    "has this spectrogram: once back and forth changes its magnitudes by "
    f"{100 * mismatches[1]:.0f} %. (b) Attacks and timing are in the phase. (c) The "
    "energy is still there.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    f"Bins are {bin_hz:.1f} Hz apart. Are two tones told apart that are 5 Hz apart? "
    "(a) Yes, bins are closer than that. (b) No. (c) Only if they are equally loud.",
    "**(b)** A tone is wider than a bin, since the window leaks. At 5 Hz the dip "
    f"between the two peaks is {dips['5 Hz apart']:.0f} dB, at 10 Hz "
    f"{dips['10 Hz apart']:.0f} dB. (a) takes the distance of the bins for the width "
    "of a tone. (c) They were equally loud.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "A mask of magnitudes, between 0 and 1, knows the true sources. Where is its "
    "estimate wrong? (a) Nowhere. (b) Where a source plays alone. (c) Where two "
    "sources meet.",
    "**(c)** There the phase is that of the mixture, and both pass or neither. For "
    f"the drums the true sound lies {errors['one ideal mask of magnitudes']:.1f} dB "
    "above the error. (a) would be infinitely many dB. (b) There the mask is 1, and "
    "magnitude and phase are right.",
)

# %% [markdown]
# ## Exercises
#
# Write where it says `raise NotImplementedError`, run the cell, then the two below it: the first shows what comes
# out beside the output to aim at, the second checks it and explains what is wrong. Solutions are linked at the end of
# the lesson.

# %%
import pandas as pd
import torch

from dann_lib import figures, player, report, spectrogram
from dann_lib.course import exercises, lessons, live
from dann_lib.corpus import open_corpus
from dann_lib.course.exercises import stft

track = open_corpus("synthetic").select("test")[6]
song = {name: torch.from_numpy(track.signal(name).copy()) for name in report.SIGNALS}
planes = {name: spectrogram.stft(waveform) for name, waveform in song.items()}
magnitude, n_samples = planes["mixture"].norm(dim=0), len(song["mixture"])
heard = slice(report.SAMPLE_RATE, 4 * report.SAMPLE_RATE)  # 3 s to listen to

# %%
tone = torch.sin(2 * torch.pi * 3.25 * torch.arange(32, dtype=torch.float64) / 32)


def above_error_db(true: torch.Tensor, estimate: torch.Tensor) -> float:
    error = true - estimate
    return float(10 * torch.log10(true.square().sum() / error.square().sum()))


# %% [markdown]
# ### 2.1 · Warm-up: a bin by hand
#
# Step 3 wrote bin $k$ of a frame as two sums. Compute it without a Fourier transform from a library: one complex
# number from a frame of any length.
#
# <details><summary>Hint</summary>
#
# `torch.arange(len(frame))` is $n$. Multiply sample by sample, with `torch.cos` for the real part and `torch.sin` for
# the imaginary one, then sum up. `complex(a, b)` makes $a + i b$ of two numbers. Mind the minus.
#
# </details>

# %%
def one_bin(frame: torch.Tensor, k: int) -> complex:
    """Bin `k` of the Fourier transform of a frame `(sample,)`."""
    raise NotImplementedError("write this part")


# %% tags=["example", "2.1", "nbval-check-output"]
exercises.aim("02_stft", "2.1", lambda: (
    lessons.table(
        pd.DataFrame(
            [(x.real, x.imag, abs(x)) for k in range(1, 7) for x in [one_bin(tone, k)]],
            columns=["real part", "imaginary part", "magnitude"],
            index=pd.RangeIndex(1, 7, name="bin"),
        ), "{:.2f}",
        "A tone that swings 3.25 times in a frame of 32 samples leaks into all bins.",
    )
))

# %% tags=["self-check"]
stft.check_bin(one_bin)


# %% [markdown]
# ### 2.2 · The way back: overlap and add
#
# Frames come in, the waveform goes out, for any window and hop. Frame $t$ begins at sample $t \cdot \text{hop}$.
# Transform each frame back, multiply it by the window once more, and add it to the samples it came from. At the same
# places, add up the squared windows. In the end divide.
#
# <details><summary>Hint</summary>
#
# Start with two tensors of zeros, as long as the result: $(\text{frames} - 1) \cdot \text{hop} + \text{window length}$.
# `torch.fft.irfft(frames[:, t], n=len(window))` is the windowed frame `t`. In a loop over the frames,
# `result[start : start + len(window)] += …` adds one of them.
#
# </details>

# %%
def overlap_and_add(
    frames: torch.Tensor, window: torch.Tensor, hop: int
) -> torch.Tensor:
    """The waveform `(sample,)` of complex frames `(freq, frame)`."""
    raise NotImplementedError("write this part")


window, whole = torch.hamming_window(512), song["mixture"][: 344 * 128]  # 5 s
quarters = torch.stft(
    whole, 512, 128, window=window, center=False, return_complex=True
)

# %% tags=["example", "2.2"]
exercises.aim("02_stft", "2.2", lambda: (
    figures.waveforms(
        {
            "mixture": whole,
            "from its frames": (back := overlap_and_add(quarters, window, 128)),
            "difference": back - whole,
        },
        "The mixture, the same from its frames of 512 samples, one every 128 samples, "
        "and the difference: a line.",
    )
))

# %% tags=["self-check"]
stft.check_inverse(overlap_and_add)


# %% [markdown]
# And by ear: your function on frames of which only the loudest places are kept, as in step 4. What does a bug sound
# like? Forget to divide, or take the wrong hop.

# %%
def by_your_function(length=512, overlap=0.75, share=1.0):
    window, hop = torch.hamming_window(length), round(length * (1 - overlap))
    frames = torch.stft(
        whole, length, hop, window=window, center=False, return_complex=True
    )
    level = frames.abs().flatten().quantile(1 - share)
    back = overlap_and_add(frames * (frames.abs() >= level), window, hop)
    above_db = above_error_db(whole[: len(back)], back)
    words = f"Song above the error: {above_db:.1f} dB."
    return player.audio(back[heard], title="from your function"), words


# %%
live.Control(
    by_your_function, length=[128, 512, 2048], overlap=[0, 0.5, 0.75],
    share=[0.003, 0.01, 0.03, 0.1, 0.3, 1],
)


# %% [markdown]
# ### 2.3 · A mask of zeros and ones
#
# The *ideal binary mask* is 1 where the source is louder than all the rest, else 0. It is the best that scissors can
# do. Is it better or worse than the ideal mask of magnitudes of step 9, and where do you hear it?
#
# <details><summary>Hint</summary>
#
# The rest is the mixture without the source: subtract before you take magnitudes. The magnitude of a spectrogram
# `(part, freq, frame)` is `.norm(dim=0)`.
#
# </details>

# %%
def binary_mask(source: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
    """Zeros and ones `(freq, frame)`, from spectrograms `(part, freq, frame)`."""
    raise NotImplementedError("write this part")


def through_mask(source: str) -> torch.Tensor:
    """The waveform that the mask of a source makes of the mixture."""
    mask = binary_mask(planes[source], planes["mixture"])
    return spectrogram.istft(mask * planes["mixture"], n_samples)


# %% tags=["example", "2.3"]
exercises.aim("02_stft", "2.3", lambda: (
    player.tracks({
        f"{name}, {above_error_db(song[name], each):.1f} dB above the error":
        each[heard] for name in report.SOURCES for each in [through_mask(name)]
    }, description="The three sources through their binary masks.")
))

# %% tags=["self-check"]
stft.check_binary_mask(binary_mask)


# %% [markdown]
# ### 2.4 · Open end: find the phases
#
# Only magnitudes are left: what would the song be? D. W. Griffin and J. S. Lim (below) start from any phases and go
# round: back to a waveform, forth to a spectrogram, keep its phases, restore the magnitudes. Write it, starting from
# phase zero. Then try: after how many rounds does it sound like the song? What if you start with random phases, or
# with those of another song? What if you start the drums' magnitudes with the phases of the mixture, as most
# separators do?

# %%
def find_phases(magnitude: torch.Tensor, n_samples: int, rounds: int) -> torch.Tensor:
    """A waveform of `n_samples` with nearly these magnitudes `(freq, frame)`."""
    raise NotImplementedError("write this part")


# %% tags=["example", "2.4"]
exercises.aim("02_stft", "2.4", lambda: (
    player.tracks({
        f"rounds: {rounds}": find_phases(magnitude, n_samples, rounds)[heard]
        for rounds in (1, 10, 100)
    }, description="The mixture from its magnitudes, after more and more rounds.")
))

# %% tags=["self-check"]
stft.check_phases(find_phases)

# %% [markdown]
# ## Recap
#
# 1. A frame is a windowed piece of 2048 samples; its transform has 1025 bins, 4.3 Hz apart; a frame starts
#    every 1024 samples.
# 2. Real and imaginary part say how much of a cosine and of a sine there is. Together they are magnitude and
#    phase, loudness and timing; one part alone is the frame and its mirror image, the magnitude alone a buzz.
# 3. The STFT can be inverted as long as no sample is lost in all its frames; overlap is what keeps changes
#    from crackling. Chunks of it can be stuck together without loss.
# 4. Fine in frequency is coarse in time. Windows leak; the Hamming window trades a wider peak for a low
#    floor.
# 5. 8.82 kHz makes everything 5 times cheaper, and takes the sparkle of cymbals. Tones 10 Hz apart can just
#    be told apart.
# 6. A mask keeps and drops places of the mixture; even one that knows the truth is not perfect where sources
#    overlap, and none makes something from nothing.
#
# ## Further reading
#
# - J. B. Allen, L. R. Rabiner: *A unified approach to short-time Fourier analysis and synthesis*, 1977.
#   [doi:10.1109/PROC.1977.10770](https://doi.org/10.1109/PROC.1977.10770)
# - F. J. Harris: *On the use of windows for harmonic analysis with the discrete Fourier transform*, 1978.
#   [doi:10.1109/PROC.1978.10837](https://doi.org/10.1109/PROC.1978.10837)
# - D. W. Griffin, J. S. Lim: *Signal estimation from modified short-time Fourier transform*, 1984.
#   [doi:10.1109/TASSP.1984.1164317](https://doi.org/10.1109/TASSP.1984.1164317)
# - C. Micheyl, L. Xiao, A. J. Oxenham: *Characterizing the dependence of pure-tone frequency difference
#   limens on frequency, duration, and level*, 2012.
#   [PMC3455123](https://pmc.ncbi.nlm.nih.gov/articles/PMC3455123/)
# - D. S. Williamson, Y. Wang, D. Wang: *Complex ratio masking for monaural speech separation*, 2016: masks for
#   real and imaginary part. [doi:10.1109/TASLP.2015.2512042](https://doi.org/10.1109/TASLP.2015.2512042)
#
# Previous lesson: [1 · Open a song and hear what it is made of](01_data.ipynb) · [Solutions of the
# exercises](solutions/02_stft.ipynb) · next lesson: [3 · Build the U-net, layer by layer](03_unet.ipynb)
