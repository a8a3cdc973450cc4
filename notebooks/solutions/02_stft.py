# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Solutions to lesson 2 · Turn a song into a picture and back
#
# At the end you can compare your answers to the exercises of [lesson 2](../02_stft.ipynb) with worked ones.
# Try them there first: the checks say what is wrong, and one's own mistakes teach most.

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
    ### BEGIN SOLUTION
    angle = 2 * torch.pi * k * torch.arange(len(frame)) / len(frame)
    return complex((frame * angle.cos()).sum(), -(frame * angle.sin()).sum())
    ### END SOLUTION

# %% tags=["example", "2.1", "nbval-check-output"]
lessons.table(
    pd.DataFrame(
        [(x.real, x.imag, abs(x)) for k in range(1, 7) for x in [one_bin(tone, k)]],
        columns=["real part", "imaginary part", "magnitude"],
        index=pd.RangeIndex(1, 7, name="bin"),
    ), "{:.2f}",
    "A tone that swings 3.25 times in a frame of 32 samples leaks into all bins.",
)

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
    ### BEGIN SOLUTION
    added = torch.zeros((frames.shape[1] - 1) * hop + len(window))
    squares = torch.zeros_like(added)
    for t in range(frames.shape[1]):
        place = slice(t * hop, t * hop + len(window))
        added[place] += torch.fft.irfft(frames[:, t], n=len(window)) * window
        squares[place] += window**2
    return added / squares
    ### END SOLUTION


window, whole = torch.hamming_window(512), song["mixture"][: 344 * 128]  # 5 s
quarters = torch.stft(
    whole, 512, 128, window=window, center=False, return_complex=True
)

# %% tags=["example", "2.2"]
figures.waveforms(
    {
        "mixture": whole,
        "from its frames": (back := overlap_and_add(quarters, window, 128)),
        "difference": back - whole,
    },
    "The mixture, the same from its frames of 512 samples, one every 128 samples, "
    "and the difference: a line.",
)

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
    ### BEGIN SOLUTION
    return (source.norm(dim=0) > (mixture - source).norm(dim=0)).float()
    ### END SOLUTION


def through_mask(source: str) -> torch.Tensor:
    """The waveform that the mask of a source makes of the mixture."""
    mask = binary_mask(planes[source], planes["mixture"])
    return spectrogram.istft(mask * planes["mixture"], n_samples)


# %% tags=["example", "2.3"]
player.tracks({
    f"{name}, {above_error_db(song[name], each):.1f} dB above the error":
    each[heard] for name in report.SOURCES for each in [through_mask(name)]
}, description="The three sources through their binary masks.")

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
    ### BEGIN SOLUTION
    guess = torch.stack((magnitude, torch.zeros_like(magnitude)))
    for _ in range(rounds):
        again = spectrogram.stft(spectrogram.istft(guess, n_samples))
        guess = magnitude * again / again.norm(dim=0).clamp_min(1e-9)
    return spectrogram.istft(guess, n_samples)
    ### END SOLUTION

# %% tags=["example", "2.4"]
player.tracks({
    f"rounds: {rounds}": find_phases(magnitude, n_samples, rounds)[heard]
    for rounds in (1, 10, 100)
}, description="The mixture from its magnitudes, after more and more rounds.")

# %% tags=["self-check"]
stft.check_phases(find_phases)
