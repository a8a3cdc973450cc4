# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Solutions to lesson 8 · Beyond the report
#
# At the end you can compare your answers to the exercises of [lesson 8](../08_beyond.ipynb) with worked ones.
# Try them there first: the checks say what is wrong, and one's own mistakes teach most.

# %% [markdown]
# ## Exercises
#
# Write where it says `raise NotImplementedError`, run the cell, then the two below it: the output to aim at,
# and a check that explains what is wrong.

# %%
import dataclasses
from collections.abc import Mapping
from itertools import permutations

import numpy as np
import torch

# %%
from dann_lib import report, spectrogram
from dann_lib.config import MODERN, TrainingConfig
from dann_lib.corpus import open_corpus
from dann_lib.course import exercises
from dann_lib.course.exercises import beyond
from dann_lib.reproduce.claims import Claim, Condition, Rule
from dann_lib.reproduce.evidence import Evidence
from dann_lib.reproduce.findings import Finding
from dann_lib.training import snr_loss

# %%
songs = open_corpus("synthetic").select("train")
powers = {
    source: np.sum(
        [
            spectrogram.stft(torch.from_numpy(np.array(song.signal(source))))
            .square().sum(dim=(0, 2)).numpy()
            for song in songs
        ],
        axis=0,
    )
    for source in report.SOURCES
}

# %% [markdown]
# ### 8.1 · Warm-up: the band of a source
#
# `power` holds the energy of a source in each bin. Give the first and the last bin of a band that leaves at most a
# `share` of the energy below it, and at most the same share above.
#
# <details><summary>Hint</summary>
#
# `np.cumsum(power) / power.sum()` is the share up to each bin. The first bin is where it is above `share`; the last is
# where the same sum from the other end is.
#
# </details>

# %%
def band(power: np.ndarray, share: float) -> tuple[int, int]:
    """First and last bin of the band that holds all but a share at either end."""
    ### BEGIN SOLUTION
    below = np.cumsum(power) / power.sum()
    above = np.cumsum(power[::-1]) / power.sum()
    return int(np.argmax(below > share)), len(power) - 1 - int(np.argmax(above > share))
    ### END SOLUTION

# %% tags=["example", "8.1", "nbval-check-output"]
{
    source: [round(hz * end) for end in band(power, 0.01)]
    for hz in [report.SAMPLE_RATE / report.N_FFT]
    for source, power in powers.items()
}

# %% tags=["self-check"]
beyond.check_band(band)

# %% [markdown]
# ### 8.2 · The loss in any order
#
# Write the permutation-invariant loss for any number of sources: for each chunk the mean over the sources of
# `snr_loss` in the order that fits best, then the mean over the chunks.
#
# <details><summary>Hint</summary>
#
# `permutations(range(n))` gives the orders; `sources[:, order]` is a batch in one of them. Stack the losses `(order,
# chunk)`, take the lowest of each chunk, then the mean.
#
# </details>

# %%
print(*permutations(("a", "b", "c")))

# %%
def free_loss(
    masks: torch.Tensor, mixture: torch.Tensor, sources: torch.Tensor
) -> torch.Tensor:
    """Loss in dB, one number, of masks (batch, source, part, freq, frame)."""
    ### BEGIN SOLUTION
    each = torch.stack(
        [
            snr_loss(masks, mixture, sources[:, order]).mean(dim=1)
            for order in permutations(range(sources.shape[1]))
        ]
    )
    return each.min(dim=0).values.mean()
    ### END SOLUTION

# %% tags=["example", "8.2", "nbval-check-output"]
[
    round(free_loss(masks, torch.ones(1, 2, 4, 4), truth).item(), 2)
    for truth in [torch.arange(2.0).view(1, 2, 1, 1, 1).expand(1, 2, 2, 4, 4)]
    for masks in (truth, truth.flip(1), 0.5 * torch.ones_like(truth))
]

# %% tags=["self-check"]
beyond.check_free_loss(free_loss)

# %% [markdown]
# ### 8.3 · A verdict
#
# An effect was measured, with its 95 % interval from `low` to `high`. It is "reproduced" if the whole interval is above
# 0 and the measured value is as large as `expected`, or larger; "same shape, other size" if the interval is above 0 and
# the value is `relevant` or larger; else "not reproduced".
#
# <details><summary>Hint</summary>
#
# Ask first what makes both good verdicts impossible.
#
# </details>

# %%
def verdict(
    measured: float, low: float, high: float, relevant: float, expected: float
) -> str:
    """What the rule says of an effect in dB."""
    ### BEGIN SOLUTION
    if low <= 0 or measured < relevant:
        return "not reproduced"
    return "reproduced" if measured >= expected else "same shape, other size"
    ### END SOLUTION

# %% tags=["example", "8.3", "nbval-check-output"]
[
    verdict(0.016, 0.009, 0.03, 0.5, 3.0),
    verdict(1.2, 0.9, 1.7, 0.5, 3.0),
    verdict(3.0, 2.0, 4.0, 0.5, 3.0),
]

# %% tags=["self-check"]
beyond.check_verdict(verdict)

# %% [markdown]
# ### 8.4 · Open end: a claim of your own
#
# Which sentence about separation do you believe, and could be wrong? Write it as a claim: the one number that decides,
# a rule with a relevant size, and what each verdict would mean; and the runs that test it, which differ in one thing.
# `lessons.train_live(corpus, config, "my-" + name)` trains one; `python -m dann_lib evaluate` scores it.

# %%
sure = Condition("above {:g}", 0, of="interval")
print(Rule((sure, Condition("{:g} or more", 1)), (sure,)))


def later(evidence: Evidence) -> Finding:
    """Computes the number from what was measured; to be written with the runs."""
    raise FileNotFoundError(evidence.folder)


# Two runs that differ in one thing:
pair = {"as it is": MODERN, "short": dataclasses.replace(MODERN, n_chunk_frames=44)}

# %%
def proposal() -> tuple[Claim, Mapping[str, TrainingConfig]]:
    """A claim with its rule, and the configurations of its experiment."""
    ### BEGIN SOLUTION
    large, relevant = (Condition("{:g} or more", limit) for limit in (0.3, 0.1))
    claim = Claim(
        "remix", "ours", "Remixing improves the separation.", 8, "remix", "",
        "SDR with remixing minus that without, median over the test songs", "dB",
        later, Rule((sure, large), (sure, relevant)),
        ("0.3 dB or more.", "Something, but less than 0.3 dB.", "Not sure, or less."),
    )
    return claim, {"remixed": MODERN, "plain": dataclasses.replace(MODERN, remix=False)}
    ### END SOLUTION

# %% tags=["example", "8.4", "nbval-check-output"]
{"claim": proposal()[0].text, "runs": list(proposal()[1])}

# %% tags=["self-check"]
beyond.check_proposal(proposal)
