# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Solutions to lesson 1 · Open a song and hear what it is made of
#
# At the end you can compare your answers to the exercises of [lesson 1](../01_data.ipynb) with worked ones.
# Try them there first: the checks say what is wrong, and one's own mistakes teach most.

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
    ### BEGIN SOLUTION
    return mixture - vocals - drums - bass
    ### END SOLUTION

# %% tags=["example", "1.1"]
player.tracks({
    "from the rest": the_rest(mixture, *map(stems.get, report.SOURCES))[heard],
    "as it was given": stems["other"][heard],
}, description="The stem other, twice. Both have to sound alike.")

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
    ### BEGIN SOLUTION
    rest = mixture - stem
    return float(10 * np.log10(np.mean(stem**2) / np.mean(rest**2)))
    ### END SOLUTION

# %% tags=["example", "1.2"]
figures.bars(
    {name: level_against_the_rest_db(stem, mixture)
     for name, stem in stems.items()},
    "level relative to the rest (dB)", form=".1f",
)

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
    ### BEGIN SOLUTION
    frames = int(seconds * rate_hz) // report.HOP + 1
    return frames // report.N_FRAMES
    ### END SOLUTION

# %% tags=["example", "1.3"]
{f"{minutes} min at {rate} Hz": count_chunks(60 * minutes, rate)
 for minutes in (1, 4) for rate in (report.SAMPLE_RATE, report.SONG_RATE)}

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
    ### BEGIN SOLUTION
    return sum(10 ** (gains_db[name] / 20) * stem for name, stem in stems.items())
    ### END SOLUTION

# %% tags=["example", "1.4"]
player.tracks({
    "as it is": remix(stems, dict.fromkeys(stems, 0))[heard],
    "for karaoke": remix(stems, dict.fromkeys(stems, 0) | {"vocals": -60})[heard],
    "for drummers": remix(stems, dict.fromkeys(stems, 0) | {"drums": -60})[heard],
}, description="Three mixes of one song.")

# %% tags=["self-check"]
data.check_remix(remix)
