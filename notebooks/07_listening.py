# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7 · Separate a song and listen
#
# At the end you have separated a song from a file into four, have heard what the scores of lesson 6 sound
# like, and can explain, with pencil and paper, where the reverberation in the report's results comes from.
#
# **What you will learn**
#
# 1. to separate a file of any rate and length, and why the stems add up to the song;
# 2. to listen in a useful order: truth, estimate, best possible, rest;
# 3. to see what masks for real and imaginary part do to the phase, and to hear it as an echo;
# 4. to separate a song of your own;
# 5. to say what this system cannot do, and which part of it is to blame.
#
# **What you need**: about 20 s on two processor cores, 1 GB of memory, headphones: this lesson is one for the
# ears. It uses the run of lesson 5, and trains it if it is not there (half a minute more).
#
# **What of the report is rebuilt**: the post-treatment of section II.b, the listening test of III.b.
#
# Previous lesson: [6 · Put a number on what you hear](06_evaluation.ipynb)

# %%
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import soxr
import torch
from IPython.display import Markdown

from dann_lib import figures, lessons, player, report, spectrogram
from dann_lib.corpus import open_corpus
from dann_lib.evaluation import oracles, rate_ceiling, sdr_sir_sar
from dann_lib.files import data_folder, reference_folder
from dann_lib.separation import Separator
from dann_lib.song_files import separate_file

# %% [markdown]
# ## 1. From a file to four files
#
# `separate_file` does the whole of II.b: it resamples the song to 8.82 kHz, computes the STFT, cuts it into
# chunks, lets the network make masks, applies them, sticks the chunks together, goes back to a waveform and
# to 44.1 kHz, and writes each source. It does so as a stream, so an hour of song needs no more memory than a
# minute.
#
# **Predict:** how long does it take for a song of 11 s?

# %% tags=["nbval-ignore-output"]
corpus = open_corpus("synthetic")
run = lessons.live_run(corpus)
separator = Separator.of(run.network, run.config, device="cpu")
track = corpus.select("test")[2]
done = separate_file(
    track.path / "mixture.wav", data_folder() / "separated" / track.name, separator, progress=False
)
Markdown(
    f"*{track.name}*: {done.duration_s:.1f} s of song at {done.rate_hz} Hz, {done.n_channels} channels,"
    " separated into "
    + ", ".join(path.name for path in done.stems.values())
    + f": {done.duration_s / done.elapsed_s:.0f} times faster than real time "
    f"on this computer. The files are in `data/separated/{track.name}`."
)

# %%
stems = {name: soundfile.read(path, dtype="float32")[0] for name, path in done.stems.items()}
song = soundfile.read(track.path / "mixture.wav", dtype="float32")[0]
difference = np.abs(sum(stems.values()) - song).max()
assert difference < 4 * 2**-15  # four files, each rounded to 16 bits
Markdown(
    f"The four stems add up to the song: largest difference {difference:.0e} of full scale, which is"
    " rounding to 16 bits."
)

# %% [markdown]
# *What to notice.* The network estimates three sources. `other` is what is left of the song at its full rate,
# so **nothing gets lost**: whatever the network misses is in `other`, also everything above 4.41 kHz.
#
# ## 2. Listen
#
# First the song, then for each source truth and estimate. **Before you play an estimate**, look at the
# picture and predict: what will be missing, and what will be there that should not be?

# %%
first = 6 * report.SONG_RATE
player.tracks(
    {"mixture": song[:first], **{f"{name}, estimate": stem[:first] for name, stem in stems.items()}},
    rate_hz=report.SONG_RATE,
    description="The song and the four files that were written, at their own levels.",
)

# %%
signals = np.array(track.waveforms)
estimates = separator(signals)
planes = {
    "true drums": signals[2],
    "estimate of the drums": estimates[1],
    "true vocals": signals[1],
    "estimate of the vocals": estimates[0],
}
figures.spectrograms(
    {
        name: spectrogram.stft(torch.from_numpy(np.ascontiguousarray(waveform)))
        for name, waveform in planes.items()
    },
    "Truth on the left, estimate on the right, drums above, vocals below. Hits of the drums are"
    " vertical lines, harmonics of the voice horizontal ones; in the estimates, look for lines of the"
    " wrong direction.",
    columns=2,
)

# %% [markdown]
# *What to notice.* The network has begun to tell vertical from horizontal: drums from voices. Harmonics that
# run through the estimate of the drums are **interference**, which SIR counts. Holes in the lines, and the
# hiss between them, are **artefacts**. Where it is unsure the network says little, and the estimate is darker
# than the truth.
#
# ## 3. How good could it be?
#
# The same song with two others: the **reference network**, the same DANN, trained on real songs for half an
# hour, which has never heard a song of this kind; and the ideal ratio mask of lesson 6, which knows the truth.
#
# **Predict:** real songs are more varied than ours, but different. Which of the two networks is better here?

# %%
reference = Separator.load(reference_folder() / "weights" / "dann-modern.safetensors", "cpu", "float32")
all_estimates = {"your DANN": estimates, "reference DANN": reference(signals),
                 "ideal ratio mask": oracles()["ideal_ratio_mask"](signals), "truth": signals[1:4]}
excerpt = slice(0, 6 * report.SAMPLE_RATE)
player.tracks(
    {f"{source}: {name}": each[index, excerpt]
     for index, source in enumerate(report.SOURCES[:2]) for name, each in all_estimates.items()},
    description=(
        "Your network, the reference network, the best mask of its kind, and the truth. The distance to the mask"
        " is for a better network to close."
    ),
)

# %%
table = pd.DataFrame(
    {
        name: sdr_sir_sar(each, signals[1:]).sdr
        for name, each in (("mixture", signals[[0, 0, 0]]), *list(all_estimates.items())[:3])
    },
    index=report.SOURCES,
)
lessons.table(table, "{:.1f} dB", "SDR (5) in this song")

# %% [markdown]
# Do these numbers rank the sounds as your ears do? Where they do not, trust your ears, and ask what the
# metric looks at.
#
# ## 4. Where does the reverberation come from?
#
# "During the listening, we can also hear some reverberation", writes the report (III.b), and suspects two
# causes: the resampling to 44.1 kHz, or the masks for real and imaginary part, which change the phase. Both
# can be tested with the shortest sound there is, a **click**. A reverberation would smear it.
#
# **Predict:** which of the two smears a click by more than 10 ms?


# %%
def smear_ms(response: np.ndarray, rate_hz: int, floor_db: float = -40) -> float:
    """Time between the first and the last sample above `floor_db`, relative to the peak."""
    loud = np.flatnonzero(np.abs(response) > 10 ** (floor_db / 20) * np.abs(response).max())
    return 1000 * (loud[-1] - loud[0]) / rate_hz


click = np.zeros(report.SONG_RATE, dtype=np.float32)
click[20_000] = 1
there_and_back = soxr.resample(
    soxr.resample(click, report.SONG_RATE, report.SAMPLE_RATE), report.SAMPLE_RATE, report.SONG_RATE
)

low = torch.zeros(report.SAMPLE_RATE)
low[4_350] = 1
parts = spectrogram.stft(low)
masked = {
    f"real × {a}, imaginary × {b}": (
        spectrogram.istft(parts * torch.tensor([a, b])[:, None, None], len(low)).numpy()
    )
    for a, b in ((1.0, 1.0), (1.0, 0.5), (1.0, 0.0))
}

# %%
smears = {
    "resampling, there and back": smear_ms(there_and_back, report.SONG_RATE),
    **{name: smear_ms(each, report.SAMPLE_RATE) for name, each in masked.items()},
}
figures.bars(smears, "length of the click at −40 dB (ms)", form=".1f")

# %%
shown = slice(4_350 - 2_200, 4_350 + 2_200)
figures.waveforms(
    {name: each[shown] for name, each in masked.items()},
    start_s=shown.start / report.SAMPLE_RATE,
    description=(
        "A click, and what becomes of it when the real and the imaginary part are multiplied by"
        " different numbers: other clicks appear, before and after it, within the length of a window"
        " (0.23 s)."
    ),
)

# %% [markdown]
# *What to notice.* Resampling rings for a few milliseconds, which nobody hears as a room. Different masks for
# the two parts make **echoes**, up to 0.2 s away and even *before* the sound. Pencil and paper tell why. The
# Fourier transform of a frame $x(t)$ has a real part that belongs to its even half, and an imaginary part
# that belongs to its odd half:
#
# $$\text{real} \leftrightarrow \tfrac{1}{2}\,[x(t) + x(-t)]$$
#
# $$\text{imaginary} \leftrightarrow \tfrac{1}{2}\,[x(t) - x(-t)]$$
#
# with $t$ counted from the middle of the frame. Multiply the first by $a$ and the second by $b$, and add up:
#
# $$\tfrac{a + b}{2}\; x(t) \;+\; \tfrac{a - b}{2}\; x(-t)$$
#
# So wherever the masks differ, **the frame comes back played backwards**, at the level $|a - b| / |a + b|$.
# Let us check the formula on one frame.

# %% tags=["nbval-check-output"]
frame = np.random.default_rng(0).standard_normal(report.N_FFT)
a, b = 1.0, 0.4
spectrum = np.fft.rfft(frame)
masked_frame = np.fft.irfft(a * spectrum.real + 1j * b * spectrum.imag)
backwards = np.roll(frame[::-1], 1)
print("formula holds:", np.allclose(masked_frame, (a + b) / 2 * frame + (a - b) / 2 * backwards))

# %% [markdown]
# Does your network do that? The masks that DANN makes for this song, bin by bin, weighted with the energy of
# the mixture:

# %%
mixture = spectrogram.stft(torch.from_numpy(signals[0]))
gained = mixture[:, :, : report.N_FRAMES] * run.config.gain
with torch.inference_mode():
    masks = run.network(gained[None])[0]  # (source, part, freq, frame)
even, odd = (masks[:, 0] + masks[:, 1]) / 2, (masks[:, 0] - masks[:, 1]) / 2
energy = gained.square().sum(dim=0)
echo_db = 10 * torch.log10((odd**2 * energy).sum(dim=(1, 2)) / (even**2 * energy).sum(dim=(1, 2)))
figures.bars(
    dict(zip(report.SOURCES, echo_db.tolist(), strict=True)),
    "level of the reversed part relative to the direct one (dB)",
    form=".1f",
)

# %% [markdown]
# And the phase? A mask with one positive number per bin leaves the phase of the mixture as it is. That is
# wrong too, but in its own way. The mean error of the phase, weighted with the energy of the true source (0°
# is right, 90° is what guessing gives):


# %%
def complex_planes(waveform: np.ndarray) -> torch.Tensor:
    samples = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))
    return spectrogram.to_complex(spectrogram.stft(samples))


def phase_error(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute phase difference in degrees, weighted with the energy of the truth."""
    each, true = complex_planes(estimate), complex_planes(truth)
    angle = torch.rad2deg((each * true.conj()).angle().abs())
    return float((angle * true.abs() ** 2).sum() / (true.abs() ** 2).sum())


# %%
candidates = {"mixture": signals[[0, 0, 0]], "ideal ratio mask": all_estimates["ideal ratio mask"], "DANN": estimates,
              "ideal masks for the two parts": oracles()["ideal_part_masks"](signals)}
errors = {name: [phase_error(*pair) for pair in zip(each, signals[1:4], strict=True)]
          for name, each in candidates.items()}
lessons.table(pd.DataFrame(errors, index=report.SOURCES), "{:.0f}°",
              "error of the phase, weighted with the energy of the true source")

# %% [markdown]
# *What to notice.* Ideal masks for the two parts make the phase *better* than the mixture's: that is what
# they could do. The network's masks do not reach that; where they differ, they turn the phase in a direction
# that is as often wrong as right, and leave an echo. So the report's second suspicion is right, and its first
# one is not.
#
# To hear it, take the true vocals, and masks of 1 and 0.3:

# %%
voice = torch.from_numpy(signals[1].copy())
echoed = spectrogram.istft(
    spectrogram.stft(voice) * torch.tensor([1.0, 0.3])[:, None, None], len(voice)
).numpy()
player.tracks(
    {"true vocals": signals[1, excerpt], "real × 1, imaginary × 0.3": echoed[excerpt]},
    description=(
        "The second one sounds as if sung in a hall: the echo is made of the voice itself, reversed,"
        " frame by frame."
    ),
)

# %% [markdown]
# How much of that is in a trained network? The reference run put the masks of DANN on the true sources of 50
# real songs, one at a time, and measured what then sounds in their pauses:

# %%
lessons.reference("reverberation")

# %% [markdown]
# *What to notice.* Two masks, the same two with the phase kept, and one mask for both parts smear alike: the
# masks that DANN has learned from real songs hardly differ between the parts, so the reversed echo stays far
# below what it could be. What does smear, a little, is masking itself, since a frame lasts 232 ms. And
# resampling leaves the pauses as they were.
#
# ## 5. Gains, and a track to practise with
#
# "We apply a different gain for each instrument to increase the volume" (II.b). `gains_db` does that when
# files are written. And the song without drums is the song minus their estimate:

# %%
practice = song - stems["drums"]
perfect = song - track.read("drums")
player.tracks(
    {
        "song": song[:first],
        "without drums": practice[:first],
        "what a perfect separation would give": perfect[:first],
    },
    rate_hz=report.SONG_RATE,
    description=(
        "For drummers to play along. Cymbals stay in the second one: a mask that ends at 4.41 kHz"
        " cannot take them away."
    ),
)

# %% [markdown]
# ## 6. Your own song
#
# Put the path of a WAV, FLAC, MP3 or OGG file between the quotes and run the cell. It stays on your computer.

# %%
MY_SONG = ""  # such as "/music/my_song.mp3"

path = Path(MY_SONG) if MY_SONG else track.path / "mixture.wav"
name = path.stem if MY_SONG else track.name
result = separate_file(
    path,
    data_folder() / "separated" / f"{name} (louder drums)",
    separator,
    gains_db={"drums": 3.0},
    progress=False,
)
drums, rate = soundfile.read(result.stems["drums"], stop=6 * result.rate_hz)
player.audio(
    drums, rate_hz=rate, title=f"drums of {name}", description="3 dB louder than the network made them"
)

# %% [markdown]
# Do not expect much: this network has seen twelve synthetic songs for half a minute. The reference network is
# better with real music; give `separate_file` the Separator `reference` above in place of `separator`. Or train
# one yourself, which takes an hour or more:
#
# ```text
# python -m dann_lib prepare  --corpus /music/musdb18
# python -m dann_lib train    --corpus /music/musdb18 --preset modern --folder data/runs/mine
# python -m dann_lib separate my_song.mp3 --weights data/runs/mine/weights.safetensors
# python -m dann_lib evaluate --corpus /music/musdb18 --weights data/runs/mine/weights.safetensors
# ```
#
# ## 7. What it cannot do
#
# | limit | why | which lesson |
# |---|---|---|
# | nothing above 4.41 kHz is separated | the sample rate of 8.82 kHz | 1, 2 |
# | left and right are treated alike | masks come from the mono mixture | 1 |
# | sources that share a bin cannot be parted | a mask gives each bin one factor | 2 |
# | echoes and wrong phase | masks for real and imaginary part differ | 7 |
# | two guitars stay together | there is no source "guitar", let alone "second guitar" | 3 |
# | music unlike the training songs | the network knows what it has learned from | 5, 6 |
#
# ## The report says / we find
#
# Your run: one song, DANN after half a minute of training.

# %%
ceiling = rate_ceiling(track)
lessons.claims_table(
    7,
    {
        "reverberation": lessons.Verdict(
            f"resampling lengthens a click to {smears['resampling, there and back']:.1f} ms, masks of 1"
            f" and 0.5 to {smears['real × 1.0, imaginary × 0.5']:.0f} ms; in this song DANN's masks"
            f" make a reversed part of {echo_db.min():.0f} to {echo_db.max():.0f} dB. True for the"
            f" masks, not for the resampling, which alone leaves a SAR of {ceiling.sar.min():.0f} dB or"
            " more",
            bool(smears["real × 1.0, imaginary × 0.5"] > 50 > smears["resampling, there and back"]),
        )
    },
)

# %% [markdown]
# And with this, all claims of the report have been looked at:

# %%
lessons.all_claims()

# %% [markdown]
# ## Try it
#
# 1. *Warm-up.* Separate another test song: change the index in step 1. Which one comes out best? Were the
#    scores of lesson 6 right?
# 2. *One mask for both.* Replace DANN's two masks of each source by their mean (`even` in step 4), go back to
#    a waveform, and listen. Is the echo gone? What do SDR and SAR say?
# 3. *Open end.* Train with `python -m dann_lib train --preset modern` for ten minutes, name the new weights
#    with `Separator.load`, and run this lesson again. What has become better first: interference or
#    artefacts?
#
# ## Recap
#
# 1. Separation is: resample, STFT, masks, inverse, resample; `other` is the rest, so the stems add up.
# 2. Listen in pairs: truth and estimate, estimate and oracle. Interference and artefacts sound different.
# 3. Different masks for real and imaginary part bring back each frame reversed; a trained DANN's masks differ
#    so little that it is hardly heard. Resampling is innocent.
# 4. Your own song goes through the same two lines of code.
# 5. Most limits are those of the representation (rate, mono, masks), others those of the data.
#
# ## Further reading
#
# - D. S. Williamson, Y. Wang, D. Wang: *Complex Ratio Masking for Monaural Speech Separation*, 2016: a better
#   mask for two parts. [doi:10.1109/TASLP.2015.2512042](https://doi.org/10.1109/TASLP.2015.2512042)
# - D. Griffin, J. Lim: *Signal estimation from modified short-time Fourier transform*, 1984: the way back
#   from masks. [doi:10.1109/TASSP.1984.1164317](https://doi.org/10.1109/TASSP.1984.1164317)
# - R. Hennequin et al.: *Spleeter: a fast and efficient music source separation tool with pre-trained
#   models*, 2020: U-nets that were trained for longer.
#   [doi:10.21105/joss.02154](https://doi.org/10.21105/joss.02154)
# - A. Défossez: *Hybrid Spectrogram and Waveform Source Separation*, 2021: where the field went from here.
#   [arXiv:2111.03600](https://arxiv.org/abs/2111.03600)
#
# Previous lesson: [6 · Put a number on what you hear](06_evaluation.ipynb)
