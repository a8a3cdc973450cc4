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
# 2. to listen in a useful order (truth, estimate, best possible, rest), at equal levels, and blind;
# 3. to see what masks for real and imaginary part do to the phase, and to hear it as an echo;
# 4. to separate a song of your own;
# 5. to say what this system cannot do, and which part of it is to blame.
#
# **What you need**: about 10 s on two processor cores, 1 GB of memory, headphones: this lesson is one for the
# ears. It uses the run of lesson 5, and trains it if it is not there (a quarter of a minute more).
#
# **What of the report is rebuilt**: the post-treatment of section II.b, the listening test of III.b.
#
# Previous lesson: [6 · Put a number on what you hear](06_evaluation.ipynb) · next lesson: [8 · Beyond the
# report](08_beyond.ipynb)

# %%
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import soxr
import torch
from IPython.display import Markdown

# %%
from dann_lib import figures, player, report, spectrogram
from dann_lib.course import lessons, live
from dann_lib.corpus import open_corpus
from dann_lib.evaluation import oracles, rate_ceiling, sdr_sir_sar
from dann_lib.files import data_folder, shipped_weights
from dann_lib.reproduce import Evidence
from dann_lib.reproduce.findings import pauses
from dann_lib.separation import Separator
from dann_lib.course.listening_test import item, listening_test
from dann_lib.course.own_song import own_song
from dann_lib.audio.stems import separate_file

# %% [markdown]
# ## 1. From a file to four files
#
# `separate_file` does the whole of II.b: it resamples the song to 8.82 kHz, computes the STFT, cuts it into
# chunks, lets the network make masks, applies them, joins the chunks again, goes back to a waveform and
# to 44.1 kHz, and writes each source. It does so as a stream, so an hour of song needs no more memory than a
# minute.
#
# **Predict:** how long does it take for a song of 11 s?

# %% tags=["nbval-ignore-output"]
corpus = open_corpus("synthetic")
run = lessons.live_run(corpus)
separator = Separator.of(run.network, run.config, device="cpu")
track = corpus.select("test")[2]
folder, mixture_file = data_folder() / "separated", track.path / "mixture.wav"
done = separate_file(mixture_file, folder / track.name, separator, progress=False)
Markdown(
    f"*{track.name}*: {done.duration_s:.1f} s of song at {done.rate_hz} Hz,"
    f" {done.n_channels} channels, separated into"
    f" {', '.join(path.name for path in done.stems.values())}:"
    f" {done.duration_s / done.elapsed_s:.0f} times faster than real time on this"
    f" computer. The files are in `data/separated/{track.name}`."
)

# %% [markdown]
# In the middle, between STFT and inverse, stands one method of the separator. It gets the frames of some chunks, for
# each channel of the song:

# %%
lessons.show_source(Separator.separate_spectrogram)

# %% [markdown]
# **Look for** what the network sees, and what its masks multiply. It sees `mono`, the mean of the channels with the
# gain of lesson 5, in chunks as long as those it has learned from; what is left at the end of the song is shown to it
# together with the frames before. The masks multiply *each channel* of the song, at the song's own level. By hand,
# for one chunk:

# %% tags=["nbval-check-output"]
signals = np.array(track.waveforms)  # mixture, vocals, drums, bass, other at 8.82 kHz
one_chunk = slice(0, run.config.n_chunk_frames)
planes = spectrogram.stft(torch.from_numpy(signals[:1].copy()))[..., one_chunk]
with torch.inference_mode():
    masks = run.network(planes * run.config.gain)[0]  # (source, part, freq, frame)
by_library = separator.separate_spectrogram(planes)[:, 0]  # of the only channel
print("the library's:", torch.allclose(masks * planes, by_library, atol=1e-3))

# %%
def read(path: Path) -> np.ndarray:
    """Samples of a file, `(sample, channel)`."""
    return soundfile.read(path, dtype="float32")[0]


stems = {name: read(path) for name, path in done.stems.items()}
song = read(mixture_file)
difference = np.abs(sum(stems.values()) - song).max()
assert difference < 4 * 2**-15  # four files, each rounded to 16 bits
Markdown(
    f"The four stems add up to the song: largest difference {difference:.0e} of full"
    " scale, which is rounding to 16 bits."
)

# %% [markdown]
# *What to notice.* The network estimates three sources. `other` is what is left of the song at its full rate,
# so **nothing gets lost**: whatever the network misses is in `other`, also everything above 4.41 kHz.

# %% jupyter={"source_hidden": true}
def energy_above(waveform: np.ndarray, hz: float) -> float:
    """Energy of `(sample, channel)` at 44.1 kHz above a frequency."""
    n_fft = 2 ** int(np.ceil(np.log2(len(waveform))))  # a power of two is fast
    power = np.abs(np.fft.rfft(waveform, n_fft, axis=0)) ** 2
    return float(power[int(n_fft * hz / report.SONG_RATE) :].sum())

# %% jupyter={"source_hidden": true} tags=["remove-input"]
of_other, of_drums = (
    100 * energy_above(stems[name], 4410) / energy_above(song, 4410)
    for name in ("other", "drums")
)
assert of_other > 99 > 1 > of_drums
lessons.quick_check(
    "The drummer's cymbals hiss mostly above 4.41 kHz."
    " In which of the four files is this hiss?",
    f"In `other`, which has {of_other:.1f} % of the song's energy above 4.41 kHz;"
    f" `drums.wav` has {of_drums:.1g} %. No mask reaches up there, and what no mask"
    " takes stays in the rest.",
)

# %% [markdown]
# ## 2. Listen
#
# The report listens "to better understand why the separation is good or not with one song than with another"
# (II.c). That needs a method. Listen to a source in this order, and put one question at a time:
#
# | listen to | ask |
# |---|---|
# | the truth | what is there: attacks, held notes, breath? |
# | the estimate | which other instruments come through? what is in no source: holes, gurgling, hiss? |
# | the best possible | which of these faults would stay with a perfect network? |
# | the rest | what of the source was left behind? |
#
# First the four files.

# %%
passage_s = 4, 7  # where all instruments play
passage = slice(*(each * report.SONG_RATE for each in passage_s))
player.stems(
    {"estimates": {name: stem[passage] for name, stem in stems.items()}},
    mixture=song[passage],
    rate_hz=report.SONG_RATE,
    title=track.name,
    description="The song and the four files that were written, at their own levels.",
)

# %% [markdown]
# Then truth and estimate as pictures. **Before you look**, predict for drums and vocals: what will be missing,
# and what will be there that should not be?

# %%
estimates = separator(signals)
compared = {
    "true drums": signals[2], "estimate of the drums": estimates[1],
    "true vocals": signals[1], "estimate of the vocals": estimates[0],
}

# %% jupyter={"source_hidden": true}
waveforms = {name: torch.from_numpy(each.copy()) for name, each in compared.items()}
figures.spectrograms(
    {name: spectrogram.stft(waveform) for name, waveform in waveforms.items()},
    "Truth on the left, estimate on the right, drums above, vocals below. Hits of the"
    " drums are vertical lines, harmonics of the voice horizontal ones; in the"
    " estimates, look for lines of the wrong direction.",
    columns=2,
)

# %%
def level_db(waveform: np.ndarray) -> float:
    """Root mean square in dB below full scale."""
    return float(10 * np.log10(np.mean(np.square(waveform, dtype=np.float64))))


quieter = {name: level_db(estimates[index]) - level_db(signals[1 + index])
           for index, name in enumerate(report.SOURCES)}
assert max(quieter.values()) < 0
figures.bars(quieter, "level of the estimate relative to the truth (dB)", form=".1f")

# %% [markdown]
# *What to notice.* The network has begun to tell vertical from horizontal: drums from voices. Harmonics that
# run through the estimate of the drums are **interference**, which SIR counts. Holes in the lines, and the
# hiss between them, are **artefacts**. Where it is unsure the network says little, so all estimates are
# quieter than the truth; the ratios (5) to (7) do not see that, but your ears do.
#
# ## 3. How good could it be?
#
# The same song with two others: the **reference network**, a DANN of the same size, trained for three quarters of an
# hour on real songs and on drums, basses and accompaniments composed like these, but on no singer of this kind; and
# the ideal ratio mask of lesson 6, which knows the truth.
#
# **Predict:** which of the two networks is better here, and for which source is that least sure?

# %%
weights = shipped_weights()
reference = Separator.load(weights, "cpu", "float32")
all_estimates = {
    "your DANN": estimates,
    "reference DANN": reference(signals),
    "ideal ratio mask": oracles()["ideal_ratio_mask"](signals),
    "truth": signals[1:4],
}

# %% jupyter={"source_hidden": true}
excerpt = slice(*(each * report.SAMPLE_RATE for each in passage_s))
player.stems(
    {
        name: dict(zip(report.SOURCES, each[:, excerpt], strict=True))
        for name, each in all_estimates.items()
    },
    mixture=signals[0, excerpt],
    solo="drums",
    title="Three estimates and the truth",
    description="Your network, the reference network, the best mask of its kind, and"
                " the truth, at their own levels; switch between them while it plays."
                " A better network could come as close to the truth as the mask does.",
)

# %%
scored = {"mixture": signals[[0, 0, 0]], **all_estimates}
del scored["truth"]
table = pd.DataFrame(
    {name: sdr_sir_sar(each, signals[1:]).sdr for name, each in scored.items()},
    index=report.SOURCES,
)
better = table.index[table["reference DANN"] > table["your DANN"]]
lessons.table(
    table,
    "{:.1f} dB",
    "SDR (5) in this song. The reference network is the better one for:"
    f" {', '.join(better) or 'no source'}.",
)

# %% [markdown]
# *What to notice.* Do these numbers rank the sounds as your ears do? Where they do not, ask what the metric
# looks at. But ask your ears, too: they are easily led. Of two sounds that differ in nothing but their level, the
# louder one pleases more, and the one with the better name sounds better. So a listening test that counts has **equal
# levels** (exercise 7.1) and is **blind**: an unknown sound X is one of two known ones, A and B, and the listener says
# which.
#
# **Predict:** somebody is right in 9 of 12 trials. How many of those who only guess do as well?

# %%
guesses = np.random.default_rng(0).integers(0, 2, size=(100_000, 12))
n_right = guesses.sum(axis=1)  # right answers of each guesser
as_well = {f"{n} or more": 100 * np.mean(n_right >= n) for n in range(6, 13)}
figures.bars(
    as_well,
    "100 000 guessers: how many are right so often in 12 trials (%)",
    form=".1f",
)

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
needed = next(n for n in range(13) if np.mean(n_right >= n) < 0.05)
by_luck, one_less = (100 * np.mean(n_right >= n) for n in (needed, needed - 1))
in_five = 100 * (1 - (1 - by_luck / 100) ** 5)
lessons.quick_check(
    "You give luck a chance of 5 %. How many of 12 have to be right? And if a friend"
    " takes the test five times and tells you of the best one?",
    f"{needed} of 12: guessers reach that in {by_luck:.1f} % of the tests, and"
    f" {needed - 1} in {one_less:.1f} %. In five tests, a guesser reaches it at least"
    f" once with a probability of {in_five:.0f} %. The number of trials is decided"
    " before, and all of them count.",
)

# %% [markdown]
# Now the test itself, with this song: first tell your network's drums and vocals from the truth, then rate six
# versions without knowing which is which. The truth is hidden among them, and two **anchors** that have to be worse.
# All end at 4.41 kHz and have the same level. In the end your ratings stand beside SDR, SIR and SAR.

# %%
items = []
for index, source in ((1, "drums"), (0, "vocals")):
    versions = {name: all_estimates[name][index, excerpt] for name in table.columns[1:]}
    items.append(
        item(source, signals[0, excerpt], signals[1:, excerpt], index, versions)
    )
listening_test(items, pair=("your DANN", "hidden reference"))

# %% [markdown]
# *What to notice.* The dull anchor ends at 1 kHz and is otherwise perfect: it has a high SDR, and few will like it. No
# ratio of energies knows what a listener misses. The button *Save my results* keeps your ratings in a file of yours,
# which `dann_lib.course.listening_test.read_ratings` reads and `ratings_figure` draws.
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
    """Time from the first to the last sample above `floor_db`, relative to the peak."""
    level = np.abs(response)
    loud = np.flatnonzero(level > 10 ** (floor_db / 20) * level.max())
    return 1000 * (loud[-1] - loud[0]) / rate_hz


click = np.zeros(report.SONG_RATE, dtype=np.float32)
click[20_000] = 1
there = soxr.resample(click, report.SONG_RATE, report.SAMPLE_RATE)
there_and_back = soxr.resample(there, report.SAMPLE_RATE, report.SONG_RATE)

# %%
low = torch.zeros(report.SAMPLE_RATE)
low[4_350] = 1


def with_masks(waveform: torch.Tensor, real: float, imaginary: float) -> np.ndarray:
    """A sound `(sample,)` after one mask value for each part."""
    masks = torch.tensor([real, imaginary])[:, None, None]
    return spectrogram.istft(spectrogram.stft(waveform) * masks, len(waveform)).numpy()


masked = {
    f"real × 1, imaginary × {b:g}": with_masks(low, 1.0, b) for b in (1.0, 0.5, 0.0)
}

# %%
smears = {
    "resampling, there and back": smear_ms(there_and_back, report.SONG_RATE),
    **{name: smear_ms(each, report.SAMPLE_RATE) for name, each in masked.items()},
}
figures.bars(smears, "length of the click at −40 dB (ms)", form=".1f")

# %% jupyter={"source_hidden": true}
shown = slice(4_350 - 2_200, 4_350 + 2_200)
figures.waveforms(
    {name: each[shown] for name, each in masked.items()},
    "A click, and what becomes of it when the real and the imaginary part are"
    " multiplied by different numbers: other clicks appear, before and after it, within"
    " the length of a window (0.23 s).",
    start_s=shown.start / report.SAMPLE_RATE,
)

# %% jupyter={"source_hidden": true}
_, halved, _ = masked.values()  # real × 1, imaginary × 0.5
echoed_at = np.flatnonzero(np.abs(halved) > 0.01)
first_ms, *_, last_ms = 1000 * (echoed_at - 4_350) / report.SAMPLE_RATE
window_ms = 1000 * report.N_FFT / report.SAMPLE_RATE
resampled_ms, _, masked_ms, _ = smears.values()
assert resampled_ms < 10 < 100 < masked_ms
assert -window_ms < first_ms < 0 < last_ms < window_ms
Markdown(
    f"*What to notice.* Resampling rings for {resampled_ms:.1f} ms, which nobody hears"
    " as a room. Different masks for the two parts make **echoes**, here from"
    f" {-first_ms:.0f} ms *before* the sound to {last_ms:.0f} ms after it. The window"
    f" is {window_ms:.0f} ms long, and no echo can be farther away."
)

# %% [markdown]
# Pencil and paper tell why. The Fourier transform of a frame $x(t)$ has a real part that belongs to its even
# half, and an imaginary part that belongs to its odd half:
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
by_formula = (a + b) / 2 * frame + (a - b) / 2 * backwards
print("formula holds:", np.allclose(masked_frame, by_formula))

# %% [markdown]
# **Compute** where the echoes of the click have to be: it stands at sample 4350, in two frames, whose middles
# are the samples 4096 and 5120.

# %% tags=["nbval-check-output"]
middles = report.HOP * np.array([4, 5])
print("mirrored at the middle of each frame:", 2 * middles - 4_350)
print("found, the click itself among them:  ", echoed_at)
assert set(echoed_at) == {4_350, *(2 * middles - 4_350)}

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
def echo_db(a: float, b: float) -> float:
    """Level of the reversed part relative to the direct one."""
    return 20 * np.log10(abs(a - b) / abs(a + b))


lessons.quick_check(
    "How loud is the echo of masks 1 and 0.5? Of 1 and 0? And what do 1 and −1 give?",
    f"{-echo_db(1, 0.5):.1f} dB below the direct sound; {abs(echo_db(1, 0)):.0f} dB, as"
    " loud as the sound itself; and for 1 and −1 nothing but the echo: each frame is"
    " played backwards, and the direct sound is gone.",
)

# %% [markdown]
# Does DANN do that? **Predict:** whose masks for the two parts differ more, those of your run or those of the
# reference network, which has learned for much longer? The level of the reversed part follows from the masks,
# bin by bin, weighted with the energy of the mixture:


# %%
def reversed_level_db(separator: Separator, mixture: np.ndarray) -> dict[str, float]:
    """Level of the reversed part relative to the direct one, for each source."""
    planes = spectrogram.stft(torch.from_numpy(mixture.copy())) * separator.config.gain
    chunks = spectrogram.chunk(planes, separator.config.n_chunk_frames)
    with torch.inference_mode():
        a, b = separator.network(chunks).unbind(dim=2)  # (chunk, source, freq, frame)
    energy = chunks.square().sum(dim=1, keepdim=True)
    direct, reverse = (
        (each**2 * energy).sum(dim=(0, 2, 3)) for each in ((a + b) / 2, (a - b) / 2)
    )
    levels = 10 * torch.log10(reverse / direct)  # (source,)
    return dict(zip(report.SOURCES, levels.tolist(), strict=True))

# %%
reversed_db = {
    "your DANN": reversed_level_db(separator, signals[0]),
    "reference DANN": reversed_level_db(reference, signals[0]),
}
highest = [max(levels.values()) for levels in reversed_db.values()]
assert highest[1] < min(-25, highest[0])
figures.bars(
    reversed_db,
    "level of the reversed part relative to the direct one (dB)",
    form=".1f",
)

# %% [markdown]
# *What to notice.* The reference network has learned nearly the same mask for both parts, although nothing
# told it to: its echo is more than 25 dB below the sound. A network that has learned for a short time is
# not that far.
#
# And the phase? A mask with one positive number per bin leaves the phase of the mixture as it is. That is
# wrong too, but in its own way. **Predict:** which masks come closest to the true phase? Below is the mean error,
# weighted with the energy of the true source (0° is right, 90° is what guessing gives).


# %%
def complex_planes(waveform: np.ndarray) -> torch.Tensor:
    """Spectrogram `(freq, frame)` of a waveform `(sample,)`."""
    samples = torch.from_numpy(np.array(waveform, dtype=np.float32))
    return spectrogram.to_complex(spectrogram.stft(samples))


def phase_error(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Mean phase difference in degrees, weighted with the energy of the truth."""
    each, true = complex_planes(estimate), complex_planes(truth)
    angle = torch.rad2deg((each * true.conj()).angle().abs())
    return float((angle * true.abs() ** 2).sum() / (true.abs() ** 2).sum())

# %%
by_parts = oracles()["ideal_part_masks"](signals)
errors = pd.DataFrame({
    name: [phase_error(*pair) for pair in zip(each, signals[1:4], strict=True)]
    for name, each in {**scored, "ideal masks for the two parts": by_parts}.items()
}, index=report.SOURCES).T

# %%
assert (errors.iloc[-1] < errors.iloc[:-1].min()).all()  # the ideal masks are the best
lessons.table(
    errors,
    "{:.0f}°",
    "error of the phase, weighted with the energy of the true source",
)

# %% [markdown]
# *What to notice.* Ideal masks for the two parts make the phase *better* than the mixture's: that is what
# they could do, and the echo is the means by which they do it (exercise 7.3). The networks' masks do not reach
# that. So the report's second suspicion is right in principle, and its first one is not: masks that differ
# leave an echo, resampling does not.
#
# To hear it, take the true vocals, and masks of 1 and 0.3:

# %%
echoed = with_masks(torch.from_numpy(signals[1].copy()), 1.0, 0.3)
player.tracks(
    {"true vocals": signals[1, excerpt], "real × 1, imaginary × 0.3": echoed[excerpt]},
    description="The second one sounds as if it were sung in a hall: the echo is the"
                " voice itself, played backwards frame by frame.",
)

# %% [markdown]
# And with other masks? **Predict** two pairs without any echo, and one in which the echo is all there is.

# %%
singing, sung = torch.from_numpy(signals[1].copy()), excerpt


def echo(a=1.0, b=0.5):
    click, sound = with_masks(low, a, b), with_masks(singing, a, b)
    share = abs(a - b) / abs(a + b) if a + b else np.inf
    words = f"Masks a = {a} and b = {b}: |a − b| / |a + b| = {share:.2f}."
    both = {"click": low[shown], "through the masks": click[shown]}
    return figures.waveforms(both, words), player.audio(sound[sung], title="vocals")


live.Control(echo, a=[0.25, 0.5, 0.75, 1], b=[-1, -0.5, 0, 0.25, 0.5, 0.75, 1])

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
# The ledger of lesson 6 gives other numbers for the same measurement. Which of the two is right?

# %%
in_pauses = pauses(Evidence.stored())  # dB: a row for each source of a song with pauses
two_ways = pd.DataFrame({
    "of songs (figure)": in_pauses.groupby("song").mean().median(),
    "of sources (ledger)": in_pauses.median(),
}).T[["source itself", "resampling", "one mask", "phase kept", "two masks"]]
lessons.table(two_ways.rename_axis(columns=None), "{:.1f} dB", "sound in the pauses")

# %% jupyter={"source_hidden": true}
itself, resampled, *all_masked = two_ways.to_numpy().T
assert np.abs(resampled - itself).max() < 0.05
assert np.ptp(all_masked, axis=0).max() < 0.05
assert (np.min(all_masked, axis=0) > itself + 1).all()
n_songs = in_pauses.groupby("song").ngroups
Markdown(
    f"Both. The figure first takes the mean over the sources of a song, then the median"
    f" of {n_songs} songs. The ledger takes the median of all {len(in_pauses)} sources"
    " that have pauses, so a song counts once for each of them. Songs, excerpts and"
    " network are the same. In both ways the three kinds of masks differ by less than"
    " 0.05 dB, and so does resampling from the source itself: the answer is the same,"
    " the number is not. Whoever gives a median has to say of what."
)

# %% [markdown]
# ## 5. Gains, and a track to practise with
#
# "We apply a different gain for each instrument to increase the volume" (II.b). `gains_db` does that when
# files are written. And the song without drums is the song minus their estimate.
#
# **Predict:** which part of the drum kit will you still hear in it, with this network, and with a perfect one?

# %%
practice = song - stems["drums"]
perfect = song - track.read("drums")
player.tracks(
    {
        "song": song[passage],
        "without drums": practice[passage],
        "what a perfect separation would give": perfect[passage],
    },
    rate_hz=report.SONG_RATE,
    description="Three seconds for drummers to play along with."
                " Cymbals stay in the second one.",
)

# %% jupyter={"source_hidden": true}
whole, above = (
    10 * np.log10(
        energy_above(practice - perfect, hz) / energy_above(track.read("drums"), hz)
    )
    for hz in (0, 4410)
)
assert abs(above) < 0.5
Markdown(
    "*What to notice.* Above 4.41 kHz the drums are all still there"
    f" ({above:+.1f} dB): a mask that ends at 4.41 kHz cannot take cymbals away."
    f" All that differs from the perfect track lies at {whole:+.1f} dB beside the"
    " drums: drums that are left, and other instruments that are missing."
)

# %% [markdown]
# A mixing desk: a gain in dB for each stem. What you hear is read from the file that it writes, `mix.wav`.

# %%
four, hz = stems, done.rate_hz
mix_file, played = folder / track.name / "mix.wav", passage


def mix(vocals=0, drums=-40, bass=0, other=0):
    gains_db = {"vocals": vocals, "drums": drums, "bass": bass, "other": other}
    mixed = sum(10 ** (db / 20) * four[name] for name, db in gains_db.items())
    soundfile.write(mix_file, mixed, hz)
    peak = f"Peak: {np.abs(mixed).max():.2f} of full scale; a file cuts what is above."
    return player.audio(read(mix_file)[played], hz, "mix.wav"), peak


gains = [-40, -12, -6, -3, 0, 3, 6, 12]
live.Control(mix, vocals=gains, drums=gains, bass=gains, other=gains)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
factor = 10 ** (6 / 20)
too_much_db = level_db(song) - level_db((factor - 1) * stems["drums"])
lessons.quick_check(
    "You write the drums with a gain of 6 dB, the other stems as they are, and mix all"
    " four. Do you get the song?",
    f"No: one with drums {factor:.2f} times as large. What is too much lies"
    f" {too_much_db:.0f} dB below the song. Stems add up only at equal gains, which is"
    " why `separate_file` takes the rest before it applies them.",
)

# %% [markdown]
# ## 6. Your own song
#
# Run the cell and choose a song, or drop one on the panel. It stays on your computer. (`make app` opens the same panel
# by itself.) **Before you play it**, say which stem will come out best, and why: which source is loud in it, and
# what does it have in common with the songs that the network has learned from?

# %% tags=["nbval-ignore-output"]
own_song({
    "reference network": weights,
    "your network": lessons.live_folder("05") / "weights.safetensors",
})

# %% [markdown]
# The same in two lines of code, here with a gain for the drums (II.b), for a page without Python behind it:

# %%
MY_SONG = ""  # such as "/music/my_song.mp3"

path = Path(MY_SONG) if MY_SONG else mixture_file
name = path.stem if MY_SONG else track.name
target = folder / f"{name} (louder drums)"
result = separate_file(path, target, separator, gains_db={"drums": 3.0}, progress=False)
drums, rate = soundfile.read(result.stems["drums"], stop=4 * result.rate_hz)
player.audio(
    drums,
    rate_hz=rate,
    title=f"drums of {name}",
    description="3 dB louder than the network made them",
)

# %% [markdown]
# *What to notice.* Do not expect much: this network has seen twelve synthetic songs for a quarter of a minute. The
# reference network is better with real music; give `separate_file` the Separator `reference` above in place of
# `separator`. Or train one yourself, which takes an hour or more:
#
# ```text
# python -m dann_lib prepare  --corpus /music/musdb18
# python -m dann_lib train    --corpus /music/musdb18 --preset best --folder data/runs/mine
# python -m dann_lib separate my_song.mp3 --weights data/runs/mine/weights.safetensors
# python -m dann_lib evaluate --corpus /music/musdb18 --weights data/runs/mine/weights.safetensors
# ```

# %% tags=["nbval-check-output"]
print(len(corpus.select("train")), "songs to learn from")

# %% [markdown]
# ## 7. What it cannot do
#
# **Before you read on**, list what you have heard go wrong, in this lesson or with your own song. Which of it
# would a longer training mend?
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
# *What to notice.* Only the last one is a matter of training and data. The others are decided by the
# representation, before any network learns anything. Test the second one: a song with the drums on the left
# and the voice on the right, which anybody separates by listening with one ear.

# %%
stereo = signals[[2, 1]]  # left: drums, right: vocals
heard = separator.separate_waveform(stereo)[0]  # the vocals, (channel, sample)
wrong_side = 100 * float((heard[0] ** 2).sum() / (heard**2).sum())
assert wrong_side > 0.01
Markdown(
    f"Of the energy of the vocals' estimate, {wrong_side:.1f} % come from the left,"
    " where nobody sings."
)

# %% [markdown]
# ## The report says / we find
#
# Your run: one song, DANN after a quarter of a minute of training.

# %% jupyter={"source_hidden": true}
ceiling = rate_ceiling(track)
of_yours = reversed_db["your DANN"].values()
lessons.claims_table(7, {
    "reverberation": lessons.Verdict(
        f"resampling lengthens a click to {resampled_ms:.1f} ms, masks of 1 and 0.5 to"
        f" {masked_ms:.0f} ms; in this song your DANN's masks make a reversed part of"
        f" {min(of_yours):.0f} to {max(of_yours):.0f} dB. True for the masks, not for"
        f" the resampling: alone it leaves a SAR of {ceiling.sar.min():.0f} dB or more",
        bool(masked_ms > 50 > resampled_ms),
    )
})

# %% [markdown]
# And with this, all claims of the report have been looked at:

# %%
lessons.all_claims()

# %% [markdown]
# ## Quiz
#
# Decide before you unfold: the answer also says what is wrong with the others.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "The network does not recognise a flute. Where is it? (a) In the stem `other`. "
    "(b) Lost. (c) A bit in each of the four.",
    "**(a)** `other` is the song minus the three estimates, so what no mask takes is "
    f"there, and all four add up to the song but for {difference:.0e} of full scale. "
    "(b) cannot be, then. (c) holds for what masks take by mistake.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "Listeners prefer the second of two versions. It is 3 dB louder. What do you "
    "know? (a) The second is better. (b) Little. (c) SDR would have said so.",
    "**(b)** Louder pleases more. The estimates of this lesson are up to "
    f"{-min(quieter.values()):.1f} dB quieter than the truth, so levels have to be "
    "made equal first. (a) may be the level alone. (c) SDR by (5) does not see a "
    "level.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "Which of these makes an echo? (a) Resampling. (b) A mask of 0.5 for both parts. "
    "(c) Masks of 1 and 0.5 for the two parts.",
    "**(c)** Where the masks differ, the frame comes back reversed: the click gets "
    f"{masked_ms:.0f} ms long. (a) It gets {resampled_ms:.1f} ms long, which nobody "
    "hears as an echo. (b) Equal masks only make it quieter.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "You train ten times as long, on more music. Which fault can go away? (a) "
    "Cymbals in the wrong stem. (b) Drums on the left in the vocals' left. (c) "
    "Failing on music of a new kind.",
    "**(c)** What it knows comes from what it has heard. (a) Above 4.41 kHz no mask "
    f"reaches, and {of_other:.1f} % of that energy stays in `other`. (b) Masks come "
    "from the mean of the channels: with a voice on the right alone, "
    f"{wrong_side:.1f} % of its estimate came from the left.",
)

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
    raise NotImplementedError("write this part")


# %%
bass, true_bass = estimates[2, passage], true_stems[2][passage]

# %% tags=["example", "7.1"]
exercises.aim("07_listening", "7.1", lambda: (
    player.tracks(
        {
            "true bass": true_bass,
            "estimate": bass,
            "estimate, as loud as the truth": at_level_of(bass, true_bass),
        },
        description="The level stands behind each sound."
                    " Does the judgement of the estimate change with it?",
    )
))

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
    raise NotImplementedError("write this part")


# %% tags=["example", "7.2"]
exercises.aim("07_listening", "7.2", lambda: (
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
))

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
    raise NotImplementedError("write this part")


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
exercises.aim("07_listening", "7.3", lambda: (
    lessons.table(
        pd.DataFrame({
            f"{name}, {source}": with_and_without(planes, masks)[:, index]
            for name, masks in two_masks.items()
            for index, source in enumerate(report.SOURCES)
        }, index=["echo beside the direct part", "SDR with echo", "SDR without"]).T,
        "{:.1f} dB",
        "Two masks for each source, and one for both parts",
    )
))

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
    raise NotImplementedError("write this part")


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
exercises.aim("07_listening", "7.4", lambda: (
    energies_of(four_stems(full_song, estimates))
))

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
    raise NotImplementedError("write this part")


def by_luck(n_right: int, n_trials: int) -> float:
    """Probability of `n_right` or more right answers for somebody who guesses."""
    raise NotImplementedError("write this part")


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
exercises.aim("07_listening", "7.5", lambda: (
    player.tracks(
        {"A, as it is": voice, "B, with the echo": with_echo} | {
            f"trial {trial}": {"A": voice, "B": with_echo}[letter]
            for trial, letter in enumerate(my_key(), start=1)
        },
        description="Two sounds that you know, and trials that you do not."
                    " Which of the two is each of them?",
    )
))

# %%
MY_ANSWERS = ""  # such as "ABBAB"
hearing.reveal(MY_ANSWERS, my_key, by_luck)

# %% tags=["self-check"]
hearing.check_blind_test(draw_key, by_luck)

# %% [markdown]
# ## Recap
#
# 1. Separation is: resample, STFT, masks, inverse, resample; `other` is the rest, so the stems add up.
# 2. Listen in pairs: truth and estimate, estimate and oracle. Interference and artefacts sound different. What
#    is to count is heard at equal levels, blind, and compared with luck.
# 3. Different masks for real and imaginary part bring back each frame reversed; a well trained DANN's masks differ
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
# Previous lesson: [6 · Put a number on what you hear](06_evaluation.ipynb) · [Solutions of the
# exercises](solutions/07_listening.ipynb) · next lesson: [8 · Beyond the report](08_beyond.ipynb)
