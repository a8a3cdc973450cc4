# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Solutions to lesson 7 · Separate a song and listen
#
# At the end you can compare your answers to the exercises of [lesson 7](../07_listening.ipynb) with worked ones.
# Try them there first: the checks say what is wrong, and one's own mistakes teach most.

# %% [markdown]
# ## Exercises
#
# Write where it says `raise NotImplementedError`, run the cell, then the two below it: the first shows what comes
# out beside the output to aim at, the second checks it and explains what is wrong. They use the reference network.
# Solutions are linked at the end of the lesson.

# %%
import numpy as np
import pandas as pd
import soxr
import torch
from torch import Tensor

# %%
from dann_lib import player, report, spectrogram
from dann_lib.course import exercises, lessons
from dann_lib.corpus import open_corpus
from dann_lib.evaluation import sdr_sir_sar
from dann_lib.evaluation.oracles import part_masks
from dann_lib.course.exercises import hearing
from dann_lib.files import shipped_weights
from dann_lib.separation import Separator

# %%
track = open_corpus("synthetic").select("test")[2]
mixture, *true_stems = np.array(track.waveforms)  # five signals at 8.82 kHz
weights = shipped_weights()
dann = Separator.load(weights, "cpu", "float32")
estimates = dann.separate_waveform(mixture)
passage = slice(0, 22_050)  # 2.5 s at 8.82 kHz

# %%
full_song, *full_truth = (  # at 44.1 kHz
    track.read(name).mean(axis=1) for name in report.SIGNALS
)
at_44 = soxr.resample(estimates.T, report.SAMPLE_RATE, report.SONG_RATE).T
full_estimates = at_44[:, : len(full_song)]

# %% [markdown]
# ### 7.1 · Warm-up: at the same level
#
# Of two equal sounds, the louder one pleases more. So before two versions are compared by ear, they get the same
# level: the same root mean square. Write the function that does it.
#
# <details><summary>Hint</summary>
#
# The root mean square of `x` is `np.sqrt(np.mean(x**2))`. One gain for all samples.
#
# </details>

# %%
def at_level_of(sound: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The sound `(sample,)`, as loud as the reference."""
    ### BEGIN SOLUTION
    gain = np.sqrt(np.mean(reference**2) / np.mean(sound**2))
    return gain * sound
    ### END SOLUTION

# %%
bass, true_bass = estimates[2, passage], true_stems[2][passage]

# %% tags=["example", "7.1"]
player.tracks(
    {
        "true bass": true_bass,
        "estimate": bass,
        "estimate, as loud as the truth": at_level_of(bass, true_bass),
    },
    description="The level stands behind each sound."
                " Does the judgement of the estimate change with it?",
)

# %% tags=["self-check"]
hearing.check_level(at_level_of)

# %% [markdown]
# ### 7.2 · A fair truth
#
# A stem file is at 44.1 kHz, and the estimate in it ends at 4.41 kHz. Beside the true drums it sounds dull,
# whatever the network did. Make the truth that it could have reached: what 8.82 kHz can hold of a sound, at
# 44.1 kHz again, with as many samples. **Predict:** which source gains most by this, and how many dB?
#
# <details><summary>Hint</summary>
#
# `soxr.resample(samples, from_hz, to_hz)`, there and back, filters on both ways. `report.SONG_RATE` and
# `report.SAMPLE_RATE` are the two rates.
#
# </details>

# %%
def as_it_could_be(truth: np.ndarray) -> np.ndarray:
    """The part below 4.41 kHz of a sound `(sample,)` at 44.1 kHz, as long as before."""
    ### BEGIN SOLUTION
    low = soxr.resample(truth, report.SONG_RATE, report.SAMPLE_RATE)
    back = soxr.resample(low, report.SAMPLE_RATE, report.SONG_RATE)[: len(truth)]
    return np.pad(back, (0, len(truth) - len(back)))
    ### END SOLUTION

# %% tags=["example", "7.2"]
lessons.table(
    pd.DataFrame({
        name: sdr_sir_sar(full_estimates, np.array(truth)).sdr
        for name, truth in (
            ("beside the whole truth", full_truth),
            ("beside the fair one", [as_it_could_be(each) for each in full_truth]),
        )
    }, index=report.SOURCES),
    "{:.2f} dB",
    "SDR of the reference network's stems at 44.1 kHz",
)

# %% tags=["self-check"]
hearing.check_band_limit(as_it_could_be)

# %% [markdown]
# ### 7.3 · The echo alone
#
# Step 4 showed that masks $a$ and $b$ for the two parts give the frame times $(a + b)/2$, and the frame played
# backwards times $(a - b)/2$. Split masked planes into these two. The first is what *one* mask for both parts
# would give. The table then says how loud the echo is, and what the SDR is without it. **Predict:** the ideal
# masks know the truth. Do they have an echo?
#
# <details><summary>Hint</summary>
#
# A frame that is played backwards has the same real part, and the imaginary part with the other sign.
# `masks[:, :1]` are the masks for the real part, `(source, 1, freq, frame)`: they multiply both parts of the planes.
#
# </details>

# %%
def direct_and_echo(planes: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Two spectrograms like `masks`: `(source, part, freq, frame)`.

    Of planes `(part, freq, frame)`, a sound's spectrogram.
    """
    ### BEGIN SOLUTION
    real, imaginary = masks[:, :1], masks[:, 1:]
    backwards = torch.stack((planes[0], -planes[1]))
    return (real + imaginary) / 2 * planes, (real - imaginary) / 2 * backwards
    ### END SOLUTION

# %%
def energy(spectra: Tensor) -> Tensor:
    """Of each spectrogram `(source, part, freq, frame)`: `(source,)`."""
    return spectra.square().sum((1, 2, 3))


def with_and_without(planes: Tensor, masks: Tensor) -> np.ndarray:
    """Level of the echo, SDR with it and without it, in dB: `(number, source)`."""
    direct, echo = direct_and_echo(planes, masks)
    level = 10 * torch.log10(energy(echo) / energy(direct))
    both = torch.stack((direct + echo, direct))
    sounds = spectrogram.istft(both, first.shape[-1]).numpy()
    ratios = [sdr_sir_sar(each, first[1:]).sdr for each in sounds]
    return np.array([level.numpy(), *ratios])

# %%
length = (report.N_FRAMES - 1) * report.HOP  # one chunk of 88 frames
first = np.array([mixture, *true_stems])[:, :length]
planes, *stem_planes = spectrogram.stft(torch.from_numpy(first))
with torch.inference_mode():  # (source, part, freq, frame)
    network_masks = dann.network(planes[None] * dann.config.gain)[0]
two_masks = {
    "reference DANN": network_masks,
    "ideal masks within ±1": part_masks(torch.stack(stem_planes[:3]), planes, 1.0),
}

# %% tags=["example", "7.3"]
lessons.table(
    pd.DataFrame({
        f"{name}, {source}": with_and_without(planes, masks)[:, index]
        for name, masks in two_masks.items()
        for index, source in enumerate(report.SOURCES)
    }, index=["echo beside the direct part", "SDR with echo", "SDR without"]).T,
    "{:.1f} dB",
    "Two masks for each source, and one for both parts",
)

# %% tags=["self-check"]
hearing.check_echo(direct_and_echo)

# %% [markdown]
# ### 7.4 · Four stems at the song's own rate
#
# Now the way back of II.b, as `separate_file` takes it: three estimates at 8.82 kHz, the song at 44.1 kHz. Bring the
# estimates to the rate of the song, make them as long, and put the rest of the song behind them as `other`.
#
# <details><summary>Hint</summary>
#
# `soxr.resample` wants time in the first axis: turn the array with `.T`, and the result again. Where are the cymbals
# above 4.41 kHz, then?
#
# </details>

# %%
def four_stems(song: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    """Stems `(4, sample)` at 44.1 kHz of a song `(sample,)` at that rate.

    The estimates `(3, sample)` are at 8.82 kHz.
    """
    ### BEGIN SOLUTION
    high = soxr.resample(estimates.T, report.SAMPLE_RATE, report.SONG_RATE).T
    high = high[:, : len(song)]
    high = np.pad(high, ((0, 0), (0, len(song) - high.shape[1])))
    return np.concatenate((high, [song - high.sum(axis=0)]))
    ### END SOLUTION

# %%
def energy_db(waveform: np.ndarray, from_hz: float) -> float:
    """Energy from a frequency upwards in dB, at 44.1 kHz."""
    power = np.abs(np.fft.rfft(waveform)) ** 2
    first_bin = int(len(waveform) * from_hz / report.SONG_RATE)
    return float(10 * np.log10(power[first_bin:].sum() / len(waveform)))


def energies_of(stems: np.ndarray) -> lessons.Shown:
    """Energy of each stem, and how far their sum is from the song."""
    error = np.abs(stems.sum(axis=0) - full_song).max()
    rows = {"all of it": 0, "above 4.5 kHz": 4500}
    columns = {row: [energy_db(s, hz) for s in stems] for row, hz in rows.items()}
    caption = f"Energy of the stems. Their sum misses the song by {error:.5f}."
    return lessons.table(pd.DataFrame(columns, report.STEMS), "{:.0f} dB", caption)

# %% tags=["example", "7.4"]
energies_of(four_stems(full_song, estimates))

# %% tags=["self-check"]
hearing.check_four_stems(four_stems)

# %% [markdown]
# ### 7.5 · Open end: how much echo do you hear?
#
# Make a blind test. `draw_key` draws which sound comes at each trial; `by_luck` says how probable it is that
# somebody who guesses has as many right answers, or more. The trials below are vocals as they are (A), or with a
# mask of 1 for the real and `B_MASK` for the imaginary part (B). Take the test; then move `B_MASK` towards 1, draw
# with another seed, and find the echo that you can just still hear. How far below it is the echo of DANN (7.3)?
# Then test what you like: your network, resampling, another network. Write down before you listen how many trials
# it will be, and how much luck you allow.

# %%
B_MASK, SEED, N_TRIALS = 0.3, 2018, 5


def draw_key(n_trials: int, random: np.random.Generator) -> str:
    """A letter for each trial, A or B, such as "ABBAB"."""
    ### BEGIN SOLUTION
    return "".join(random.choice(["A", "B"], n_trials))
    ### END SOLUTION


def by_luck(n_right: int, n_trials: int) -> float:
    """Probability of `n_right` or more right answers for somebody who guesses."""
    ### BEGIN SOLUTION
    from math import comb

    return sum(comb(n_trials, k) for k in range(n_right, n_trials + 1)) / 2**n_trials
    ### END SOLUTION

# %%
voice = true_stems[0][passage]
masks = torch.tensor([1.0, B_MASK])[:, None, None]
voice_planes = spectrogram.stft(torch.from_numpy(voice.copy()))
with_echo = spectrogram.istft(masks * voice_planes, len(voice)).numpy()
with_echo *= np.sqrt(np.mean(voice**2) / np.mean(with_echo**2))  # equal levels
echo_db = 20 * np.log10((1 - B_MASK) / (1 + B_MASK))
print(f"echo: {echo_db:.1f} dB beside the direct part")

# %%
def my_key() -> str:
    """The key of this test, the same each time."""
    return draw_key(N_TRIALS, np.random.default_rng(SEED))

# %% tags=["example", "7.5"]
player.tracks(
    {"A, as it is": voice, "B, with the echo": with_echo} | {
        f"trial {trial}": {"A": voice, "B": with_echo}[letter]
        for trial, letter in enumerate(my_key(), start=1)
    },
    description="Two sounds that you know, and trials that you do not."
                " Which of the two is each of them?",
)

# %%
MY_ANSWERS = ""  # such as "ABBAB"
hearing.reveal(MY_ANSWERS, my_key, by_luck)

# %% tags=["self-check"]
hearing.check_blind_test(draw_key, by_luck)
