# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1 · Open a song and hear what it is made of
#
# At the end you hold songs as five waveforms each, have checked to the last digit that a mixture is the sum
# of its sources, and know how many training examples 100 songs make.
#
# **What you will learn**
#
# 1. to open a corpus of music and to name its parts: song, mixture, source, stem;
# 2. to check that a mixture is the sum of its stems, and why a separation can be scored because of it;
# 3. to reduce a song to what the network gets, mono at 8.82 kHz, and to say in dB what that takes away;
# 4. to say what training, validation and test songs are for, and why the test songs have to wait;
# 5. to count chunks, and to find a slip in the report while doing so.
#
# **What you need**: about 8 s on two processor cores, 1 GB of memory, headphones. No network: the songs
# are composed and rendered by this project's own code, once (half a minute, 230 MB on disk).
#
# **What of the report is rebuilt**: section II.a (dataset) and the first half of II.b (pre-treatment). The
# report is Yorick Laly's *Detection of sounds with deep learning* (2018), which this course rebuilds in
# seven lessons.
#
# Next lesson: [2 · Turn a song into a picture and back](02_stft.ipynb)

# %%
import itertools

import numpy as np
import pandas as pd
import soundfile
import soxr
from IPython.display import Markdown

from dann_lib import figures, player, report, spectrogram
from dann_lib.course import lessons
from dann_lib.corpus import open_corpus

# %% [markdown]
# ## 1. Open a corpus
#
# A **corpus** is a collection of songs for which somebody kept the recordings of the single instruments. The
# report uses MUSDB18: 150 songs, each with the **mixture** (what you would hear on the radio) and four
# **stems**: vocals, drums, bass, and *other*, which is everything else.
#
# MUSDB18 is 5 GB large and has a licence of its own, so these lessons come with a small corpus in the same
# layout: 24 invented songs of 11 s in four genres, with sampled instruments and a synthetic singer. It is no
# replacement for real music, but everything that you do with it works the same with the real one (step 8).
#
# **Predict:** how many numbers are a second of a song in stereo at 44.1 kHz, mixture and stems together?

# %%
corpus = open_corpus("synthetic")
songs = pd.DataFrame([
    {"song": track.name, "split": track.split, **track.metadata}
    for track in corpus.tracks
])
songs[["song", "split", "genre", "n_instruments", "tempo_bpm", "key"]]

# %% [markdown]
# A song is a folder of five files. That is the layout of MUSDB18-HQ, the uncompressed version of MUSDB18.

# %% tags=["nbval-check-output"]
track = corpus.select("train")[4]
print(track.name)
for path in sorted(track.path.iterdir()):
    facts = soundfile.info(path)
    print(f"  {path.name:12} {facts.duration:5.2f} s", end="  ")
    print(f"{facts.samplerate} Hz  {facts.channels} channels")

# %% [markdown]
# *What to notice.* Mixture and stems are files of the same length, rate and channels: they start together and can
# be added sample by sample. In common words a *stem* is the file of a source; the *source* is what sounds in it.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
numbers = len(report.SIGNALS) * facts.channels * facts.samplerate
lessons.quick_check(
    "How many numbers are a second of a song, mixture and four stems, in stereo? "
    "How many of them does the network of this course get?",
    f"5 signals × {facts.channels} channels × {facts.samplerate} = {numbers:,} numbers."
    f" The network gets the mixture alone, in mono at {report.SAMPLE_RATE} Hz: "
    f"{numbers // report.SAMPLE_RATE} times fewer.",
)

# %% [markdown]
# ## 2. Hear the sources
#
# **Before you play:** which source do you expect to be the loudest, and which would you miss the least?

# %%
excerpt = slice(0, 7 * report.SAMPLE_RATE)
parts = {name: track.signal(name)[excerpt] for name in report.SIGNALS}
player.stems(
    {"stems": {name: parts[name] for name in report.SIGNALS[1:]}},
    mixture=parts["mixture"],
    title=track.name,
    description="The mixture and its four stems, mono at 8.82 kHz, at their own levels,"
    " nothing normalised. S plays a stem alone, M leaves it out.",
)

# %%
figures.waveforms(
    {name: track.signal(name) for name in report.SIGNALS},
    "The mixture above its four stems, on one scale. Drums are spikes; the bass is a "
    "chain of even notes; vocals come in phrases with rests between them.",
)

# %% [markdown]
# *What to notice.* In the picture of the mixture you cannot see the bass, though you can hear it at once.
# Your ear separates by frequency, and a waveform shows none. That is why the next lesson turns waveforms into
# spectrograms. The player shows some, too: press *Spectrogram*, and find each instrument.
#
# ## 3. A mixture is the sum of its stems
#
# In a studio the stems are played at the same time and added up. So for every sample $t$
#
# $$\text{mixture}(t) = \text{vocals}(t) + \text{drums}(t) + \text{bass}(t) + \text{other}(t)$$
#
# **Predict:** how large is the largest difference between the two sides, if full scale is 1?

# %%
full_quality = track.read_all()
difference = np.abs(full_quality[0] - full_quality[1:].sum(axis=0)).max()
prepared = np.abs(track.waveforms[0] - track.waveforms[1:].sum(axis=0)).max()

# %% jupyter={"source_hidden": true}
assert difference < 2e-4
assert prepared < 2e-4
Markdown(
    f"Largest difference in this song: **{difference:.1e}** in the files (44.1 kHz, "
    f"stereo) and **{prepared:.1e}** after resampling to 8.82 kHz, mono."
)

# %% [markdown]
# *What to notice.* Rounding is all that is left, also after resampling: taking a mean and filtering are
# *linear*, so they may be done before or after the sum. Separation is the way back, from one number per
# sample to four that add up to it. Infinitely many quadruples do, so the equation alone cannot tell which is
# right: the network has to *learn* what drums and voices are like. And since the true stems are known, its
# answer can be scored.
#
# (In MUSDB18's compressed files, each of the five streams was encoded by itself, so there the difference
# is larger, though not audible.)
#
# ## 4. From stereo to mono
#
# The report takes the mean of the two channels (II.b). What is equal on the left and on the right stays; what
# is different is lost. With *mid* $= (L + R)/2$ and *side* $= (L - R)/2$, mono is the mid alone.
#
# **Predict:** of which source does the most get lost?

# %%
def level_db(samples: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12)


left, right = full_quality[..., 0], full_quality[..., 1]
mid, side = (left + right) / 2, (left - right) / 2
side_db = {
    signal: level_db(side[index]) - level_db(mid[index])
    for index, signal in enumerate(report.SIGNALS)
}

# %% jupyter={"source_hidden": true}
assert min(side_db, key=side_db.get) == "bass"
assert max(side_db, key=side_db.get) == "other"
figures.bars(
    side_db,
    "level of the side, relative to the mid (dB)",
    "What mono takes away, for each signal of this song: level of the side relative to "
    "the mid, in dB. The longer a bar, the less is lost: -30 dB is a thousandth of the "
    "energy.",
    form=".1f",
)

# %% [markdown]
# *What to notice.* The bass stands in the middle, in this song as in most pop music, so mono costs it next to
# nothing; the other instruments, placed to the left and to the right, lose most. The network never sees
# *where* an instrument stands. A separator for stereo could use that.
#
# ## 5. From 44.1 kHz to 8.82 kHz
#
# Next the report resamples from 44.1 kHz to "8,8 kHz". A signal with $f$ samples per second holds frequencies
# below $f/2$ only, so all above 4.41 kHz is gone. In exchange there are 5 times fewer samples to compute
# with.
#
# **Predict:** how many per cent of the drums' energy lie above 4.41 kHz? And of the bass'?

# %%
mono = full_quality.mean(axis=-1)
spectrum = np.abs(np.fft.rfft(mono)) ** 2
hz = np.fft.rfftfreq(mono.shape[1], 1 / report.SONG_RATE)
above = spectrum[:, hz > report.SAMPLE_RATE / 2].sum(axis=1)
lost = dict(zip(report.SIGNALS, 100 * above / spectrum.sum(axis=1), strict=True))
figures.bars(lost, "energy above 4.41 kHz (%)", form=".2f")

# %%
low = soxr.resample(mono[0], report.SONG_RATE, report.SAMPLE_RATE)
back = soxr.resample(low, report.SAMPLE_RATE, report.SONG_RATE)
first = slice(0, 5 * report.SONG_RATE)
player.tracks(
    {"44.1 kHz": mono[0, first], "8.82 kHz": back[first]},
    rate_hz=report.SONG_RATE,
    description="The same mixture in mono, before and after resampling to 8.82 kHz "
    "and back.",
)

# %% [markdown]
# *What to notice.* In energy the loss is small, since music has most of it in low frequencies. To the ear it
# is larger: listen to the cymbals, whose sparkle is all above 4.41 kHz. "It doesn't affect a lot the quality
# of the song", says the report; lesson 2 listens to exactly what is missing.
#
# ## 6. How loud is each source?
#
# One more number decides how hard separation is: how loud a source is beside the rest of the mixture. At 0 dB
# it is as loud as everything else together.
#
# **Predict:** on which side of 0 dB do most vocals lie?

# %%
def against_the_rest_db(waveforms: np.ndarray, source: str) -> float:
    stem = waveforms[report.SIGNALS.index(source)]
    return level_db(stem) - level_db(waveforms[0] - stem)


levels = pd.DataFrame([
    {source: against_the_rest_db(each.waveforms, source) for source in report.SOURCES}
    for each in corpus.tracks
])

# %% jupyter={"source_hidden": true}
assert (levels < 0).all(axis=None)
figure, axis = figures.canvas(height_in=2.4)
for row, source in enumerate(reversed(report.SOURCES)):
    dots = {"color": figures.COLOURS[source], "alpha": 0.6}
    axis.plot(levels[source], [row] * len(levels), "o", **dots)
    axis.plot(levels[source].median(), row, "|", color="black", markersize=22)
axis.set(yticks=range(3), yticklabels=report.SOURCES[::-1], ylim=(-0.5, 2.5))
axis.set_xlabel("level relative to all other sources (dB)")
medians = ", ".join(f"{name} {value:.1f} dB" for name, value in levels.median().items())
figures.show(
    figure,
    "Level of each source relative to the rest of its mixture; a dot for each of "
    f"{len(levels)} songs, a black line at the median: {medians}.",
)



# %% [markdown]
# *What to notice.* All dots lie left of 0 dB: each source is quieter than the rest. Were you to hand in the
# mixture itself as your "separated vocals", this very number would be your score (SDR, lesson 6). It is what
# a separator has to improve on, and the further left a dot lies, the more has to be taken away. The report
# finds the same: instruments in the background come out worse (III.b).

# %% jupyter={"source_hidden": true} tags=["remove-input"]
song, source = levels.stack().idxmin()
lessons.quick_check(
    "A source lies at -10 dB. What share of the mixture's energy is it, if sources do "
    "not cancel each other? And which source of which song here is the hardest by this "
    "number?",
    "$10^{-10/10} = 0.1$ of the energy of the rest, so 1/11 or "
    f"{100 / 11:.0f} % of the mixture. Here it is the {source} of "
    f"“{corpus.tracks[song].name}”, at {levels[source][song]:.1f} dB.",
)

# %% [markdown]
# ## 7. Three kinds of songs
#
# **Training songs** are what the network learns from. **Test songs** are for the final figures. If you look
# at them before, and choose whatever does best on them, your figures describe your choice and no longer tell
# how well an unknown song will be separated. For choosing, some songs are taken out of the training set:
# **validation songs**.
#
# **Predict:** may a song stand in two of the three?

# %% tags=["nbval-check-output"]
counts = pd.crosstab([songs["split"]], songs["genre"], margins=True, margins_name="all")
counts.loc[["train", "valid", "test", "all"]]

# %% tags=["nbval-check-output"]
names = {
    split: {each.name for each in corpus.select(split)}
    for split in ("train", "valid", "test")
}
for one, other in itertools.combinations(names, 2):
    print(f"songs in {one} and in {other}: {len(names[one] & names[other])}")

# %% tags=["nbval-check-output"]
pd.crosstab(songs["split"], songs["n_instruments"]).loc[list(names)]

# %% [markdown]
# *What to notice.* Genres and numbers of instruments are balanced, so that lesson 6 can ask whether either
# matters. In MUSDB18 it is 86 training, 14 validation and 50 test songs. The report has no validation songs:
# it watches the loss on the test songs to decide when to stop (II.c). Lessons 4 and 5 rebuild its figures
# that way, and say what it does to the result.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
assert not names["train"] & names["test"]
assert not names["valid"] & (names["train"] | names["test"])
lessons.quick_check(
    "You train ten networks, score each on the test songs, and publish the best score. "
    "What is wrong with it?",
    "The best of ten is partly the luckiest of ten: it was chosen for luck that it had "
    "on these songs and has not on others. Choose on the validation songs "
    f"({len(names['valid'])} here), then score the one network that was chosen on the "
    f"test songs ({len(names['test'])} here), once.",
)

# %% [markdown]
# ## 8. How many chunks do 100 songs make?
#
# The network does not get whole songs but **chunks** of 88 frames, and a frame starts every 1024 samples
# (lesson 2 shows what a frame is). The report says that a chunk "corresponds to 2 seconds of the song", and
# that the training songs make 2191 chunks.
#
# **Compute before you go on:** how long is a chunk at 44.1 kHz? At 8.82 kHz? Which of the two fits 2191
# chunks?

# %% tags=["nbval-check-output"]
samples = report.N_FRAMES * report.HOP
print(f"a chunk: {report.N_FRAMES} frames x {report.HOP} samples = {samples} samples")
for rate in (report.SONG_RATE, report.SAMPLE_RATE):
    seconds = samples / rate
    hours = report.N_CHUNKS * seconds / 3600
    print(f"at {rate:5} Hz: {seconds:5.2f} s; 2191 chunks last {hours:.1f} hours")

# %%
n_chunks = sum(
    spectrogram.n_frames(each.n_samples) // report.N_FRAMES
    for each in corpus.select("train")
)
minutes = sum(each.seconds for each in corpus.tracks) / 60

# %% jupyter={"source_hidden": true}
Markdown(
    "MUSDB18's 150 songs last about 10 hours, its 100 training songs two thirds of "
    f"that. So 2191 chunks are chunks of **{samples / report.SAMPLE_RATE:.1f} s**: the "
    "report's 2 s belong to a song that was not resampled. The embedded corpus lasts "
    f"{minutes:.1f} minutes in all, and its training songs make **{n_chunks} chunks**, "
    f"{report.N_CHUNKS / n_chunks:.0f} times fewer than the report had: enough to see "
    "everything work, too little to separate real music well."
)

# %% [markdown]
# ### The same with real music
#
# Everything in these lessons takes any corpus in place of `"synthetic"`:
#
# ```python
# corpus = open_corpus("/music/musdb18")            # MUSDB18: 150 files .stem.mp4
# corpus = open_corpus("/music/musdb18hq")          # MUSDB18-HQ: WAV files
# corpus = open_corpus("musdb18-7", download=True)  # 7 s of each song: 140 MB
# ```
#
# `open_corpus` sees by itself which of them it has got, and downloads only when asked to. The first time, it
# decodes all songs to 8.82 kHz and keeps them in a cache; from then on the corpus opens at once. MUSDB18 is
# free for education and research; see [its page](https://sigsep.github.io/datasets/musdb.html).
#
# ## The report says / we find

# %% jupyter={"source_hidden": true}
found = {
    "chunk-length": f"88 frames are {samples / report.SAMPLE_RATE:.1f} s at 8.82 kHz",
    "rate": f"44 100 / 5 = {report.SONG_RATE / 5:.0f} Hz, 5 times fewer samples",
}
rows = ["| section | the report says | we find | so here |", "|---|---|---|---|"]
for each in report.ERRATA:
    if each.id in found:
        cells = (each.section, each.found, found[each.id], each.choice)
        rows.append(f"| {' | '.join(cells)} |")
Markdown("\n".join(rows))

# %% jupyter={"source_hidden": true}
per_song = report.N_CHUNKS * samples / report.SAMPLE_RATE / 100
finding = (
    f"2 s does not fit 88 frames; 2191 chunks of {samples / report.SAMPLE_RATE:.1f} s "
    f"are {per_song / 60:.1f} minutes for each of 100 songs, as long as songs are, and "
    f"of 2 s they are {report.N_CHUNKS * 2 / 100:.0f} s"
)
lessons.claims_table(1, {"numbers": lessons.Verdict(finding, False)})

# %% [markdown]
# This table stands at the end of every lesson: what the report says, what you have just found, and what the
# **reference run** measured, which trained on real songs for hours, once, and is kept in `data/reference`. Its
# verdict follows a rule that was written down before the result was known. Here, where there is nothing to
# train, it counts the statements that follow from the others.

# %% [markdown]
# ## Quiz
#
# Decide before you unfold: the answer also says what is wrong with the others.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "You have a mixture and its true vocals, drums and bass. Can you get *other* "
    "without a network? (a) No: one equation cannot give four signals. (b) Only in "
    "mono. (c) Yes, to the last digit.",
    "**(c)** Take the three stems away from the mixture: what is left differs from "
    f"*other* by {prepared:.0e} at most in this song. (a) holds as long as more than "
    "one stem is unknown. (b) The sum holds in each channel, before and after the "
    "mean.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "What is gone before the network sees the song? (a) The sparkle of the cymbals. "
    "(b) Most of the bass. (c) A voice that stands in the middle.",
    f"**(a)** It is above 4.41 kHz, with {lost['drums']:.1f} % of the drums' energy "
    f"in this song. (b) The bass has {lost['bass']:.2g} % up there, and its side lies "
    f"{-side_db['bass']:.0f} dB below its mid. (c) What is equal on the left and on "
    "the right is all in their mean.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "The vocals lie 6 dB below all the rest. You hand in the mixture as your vocals. "
    "Your score (SDR)? (a) 0 dB. (b) −6 dB. (c) It depends on the network.",
    "**(b)** The rest is your error, and it is 6 dB louder than the vocals. In these "
    f"songs the median would be {levels['vocals'].median():.1f} dB. (a) takes vocals "
    "as loud as all the rest together. (c) There was no network: this is the score "
    "to beat.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "A chunk has 88 frames of 1024 samples. At twice the sample rate, how much of a "
    "song does it hold? (a) Half. (b) As much. (c) Twice as much.",
    f"**(a)** Its {samples:,} samples last {samples / report.SAMPLE_RATE:.1f} s at "
    f"8.82 kHz and {samples / report.SONG_RATE:.1f} s at 44.1 kHz. (b) mistakes "
    "samples for seconds. (c) is the wrong way round: more samples a second are used "
    "up sooner.",
)

# %% [markdown]
# ## Exercises
#
# Write where it says `raise NotImplementedError`, run the cell, then the two below it: the first shows what comes
# out beside the output to aim at, the second checks it and explains what is wrong. Solutions are linked at the end of
# the lesson.

# %%
from collections.abc import Mapping

import numpy as np

from dann_lib import figures, player, report
from dann_lib.course import exercises
from dann_lib.corpus import open_corpus
from dann_lib.course.exercises import data

song = open_corpus("synthetic").select("train")[0]
mixture = song.signal("mixture")
stems = {name: song.signal(name) for name in report.SIGNALS[1:]}
heard = slice(0, 4 * report.SAMPLE_RATE)  # 4 s, to listen to


# %% [markdown]
# ### 1.1 · Warm-up: the stem that is missing
#
# Somebody gives you the mixture and three stems, and forgets *other*. Get it back.
#
# <details><summary>Hint</summary>
#
# Solve the equation of step 3 for `other`.
#
# </details>

# %%
def the_rest(
    mixture: np.ndarray, vocals: np.ndarray, drums: np.ndarray, bass: np.ndarray
) -> np.ndarray:
    """The fourth stem, `(sample,)`."""
    raise NotImplementedError("write this part")


# %% tags=["example", "1.1"]
exercises.aim("01_data", "1.1", lambda: (
    player.tracks({
        "from the rest": the_rest(mixture, *map(stems.get, report.SOURCES))[heard],
        "as it was given": stems["other"][heard],
    }, description="The stem other, twice. Both have to sound alike.")
))

# %% tags=["self-check"]
data.check_the_rest(the_rest)


# %% [markdown]
# ### 1.2 · How loud beside all the others?
#
# Step 6 drew the level of a source relative to the rest of its mixture. Write the function that computes it:
# ratio of the mean squares, in dB.
#
# <details><summary>Hint</summary>
#
# The rest is the mixture minus the stem. For mean squares, dB are $10 \log_{10}$ of the ratio.
#
# </details>

# %%
def level_against_the_rest_db(stem: np.ndarray, mixture: np.ndarray) -> float:
    """Level of a stem `(sample,)` relative to all else in the mixture, in dB."""
    raise NotImplementedError("write this part")


# %% tags=["example", "1.2"]
exercises.aim("01_data", "1.2", lambda: (
    figures.bars(
        {name: level_against_the_rest_db(stem, mixture)
         for name, stem in stems.items()},
        "level relative to the rest (dB)", form=".1f",
    )
))

# %% tags=["self-check"]
data.check_level_against_the_rest(level_against_the_rest_db)


# %% [markdown]
# ### 1.3 · Count the chunks of a song
#
# A frame starts every 1024 samples, from the first sample to the last; a chunk has 88 frames; what is left over
# at the end of a song is not trained on. How many chunks does a song of a given length make at a given rate?
#
# <details><summary>Hint</summary>
#
# A song of $n$ samples has $\lfloor n / 1024 \rfloor + 1$ frames. `//` divides and rounds down.
#
# </details>

# %%
def count_chunks(seconds: float, rate_hz: int) -> int:
    """Whole chunks of 88 frames in a song."""
    raise NotImplementedError("write this part")


# %% tags=["example", "1.3"]
exercises.aim("01_data", "1.3", lambda: (
    {f"{minutes} min at {rate} Hz": count_chunks(60 * minutes, rate)
     for minutes in (1, 4) for rate in (report.SAMPLE_RATE, report.SONG_RATE)}
))

# %% tags=["self-check"]
data.check_chunks(count_chunks)


# %% [markdown]
# ### 1.4 · Open end: your own mix
#
# Write a mixing desk: stems and gains in dB in, a new mixture out. Then make a version for karaoke, one for
# practising drums, and one in which you can no longer tell that there is a bass. At how many dB is that?

# %%
def remix(stems: Mapping[str, np.ndarray], gains_db: Mapping[str, float]) -> np.ndarray:
    """A mixture `(sample,)` in which each stem is louder by its gain."""
    raise NotImplementedError("write this part")


# %% tags=["example", "1.4"]
exercises.aim("01_data", "1.4", lambda: (
    player.tracks({
        "as it is": remix(stems, dict.fromkeys(stems, 0))[heard],
        "for karaoke": remix(stems, dict.fromkeys(stems, 0) | {"vocals": -60})[heard],
        "for drummers": remix(stems, dict.fromkeys(stems, 0) | {"drums": -60})[heard],
    }, description="Three mixes of one song.")
))

# %% tags=["self-check"]
data.check_remix(remix)

# %% [markdown]
# ## Recap
#
# 1. A corpus holds songs; a song is a mixture and its stems, one per source: vocals, drums, bass, other.
# 2. The mixture is the sum of its stems, before and after resampling; that is why an estimate can be compared
#    with the truth.
# 3. The network gets mono at 8.82 kHz: what differs between left and right is lost, and all above 4.41 kHz.
# 4. Training songs teach, validation songs choose, test songs tell the final figures and nothing else.
# 5. A chunk is 88 frames of 1024 samples: 10.2 s at 8.82 kHz, not 2 s.
#
# ## Further reading
#
# - Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner: *The MUSDB18 corpus for music
#   separation*, 2017. [doi:10.5281/zenodo.1117372](https://doi.org/10.5281/zenodo.1117372)
# - F.-R. Stöter, A. Liutkus, N. Ito: *The 2018 Signal Separation Evaluation Campaign*, 2018.
#   [arXiv:1804.06267](https://arxiv.org/abs/1804.06267)
#
# [Solutions of the exercises](solutions/01_data.ipynb) · next lesson: [2 · Turn a song into a picture and
# back](02_stft.ipynb)
