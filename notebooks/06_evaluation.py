# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6 · Put a number on what you hear
#
# At the end you can compute SDR, SIR and SAR with a few inner products, know the floor and the ceiling
# between which a score means something, and can say how much a median over a handful of songs is worth.
#
# **What you will learn**
#
# 1. what a projection is, and how it splits an estimate into target, interference and artefacts: equation
#    (4);
# 2. to compute (5), (6) and (7) by hand, and to say what each of them sees and does not see;
# 3. to set a floor (the mixture) and ceilings (ideal masks, the low sample rate);
# 4. to read scores of several songs: box plot, median, bootstrap interval;
# 5. to tell two families of scores apart that share their names;
# 6. to test a claim with data, and to say "cannot tell" when that is the answer.
#
# **What you need**: about 40 s on two processor cores, 1 GB of memory, headphones. It uses the run of lesson
# 5, and trains it if it is not there (half a minute more).
#
# **What of the report is rebuilt**: section III with equations (4) to (7) and figure 9.
#
# Previous lesson: [5 · Train it, and stop in time](05_training_overfitting.ipynb) · next lesson: [7 ·
# Separate a song and listen](07_listening.ipynb)

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown
from scipy.stats import spearmanr

from dann_lib import figures, lessons, player, report
from dann_lib.corpus import open_corpus
from dann_lib.evaluation import (
    decompose,
    evaluate,
    gap_closed,
    oracles,
    rate_ceiling,
    sdr_sir_sar,
    summarise,
)
from dann_lib.reproduce import Evidence
from dann_lib.separation import Separator

# %%
corpus = open_corpus("synthetic")
songs = corpus.select("test")
run = lessons.live_run(corpus)
dann = Separator.of(run.network, run.config, device="cpu")
signals = np.array(songs[2].waveforms, dtype=np.float64)
sources = dict(zip(report.STEMS, signals[1:], strict=True))
estimate = dann(signals)[1].astype(np.float64)  # the drums
excerpt = slice(0, 5 * report.SAMPLE_RATE)
player.tracks(
    {"true drums": sources["drums"][excerpt], "DANN's estimate": estimate[excerpt]},
    description="How good is this estimate? Give it a mark from 1 to 10 before you go on.",
)

# %% [markdown]
# ## 1. How much of the estimate is drums?
#
# A waveform of $n$ samples is a vector with $n$ entries. Its length is $\|x\| = \sqrt{\langle x, x\rangle}$;
# its square is the sound's energy. How much of the true drums $s$ is in the estimate $\hat s$? Take that gain
# $\alpha$ which leaves the smallest rest $\|\hat s - \alpha s\|$.
#
# **Predict:** what does the rest look like as a function of $\alpha$: a line, a parabola, something else?

# %%
truth = sources["drums"]
alpha = estimate @ truth / (truth @ truth)
gains = np.linspace(-0.2, 1.6, 37) * max(alpha, 0.1)
rest = [np.sum((estimate - gain * truth) ** 2) / np.sum(estimate**2) for gain in gains]
figures.curves(
    {"what is left": (gains, rest)},
    "gain α",
    "energy of the rest / of the estimate",
    "Energy that is left of the estimate when α times the true drums is taken out: a parabola with its"
    f" lowest point at α = {alpha:.2f}.",
)

# %%
assert gains[int(np.argmin(rest))] == gains[np.argmin(np.abs(gains - alpha))]
correlation = (estimate - alpha * truth) @ truth / np.linalg.norm(estimate) / np.linalg.norm(truth)
assert abs(correlation) < 1e-9
Markdown(
    rf"The lowest point is at $\alpha = \langle \hat s, s\rangle / \|s\|^2 = {alpha:.3f}$. There the"
    r" rest is orthogonal to the true "
    f"drums (their correlation is {correlation:.0e}): no more drums can be found in it."
)

# %% [markdown]
# $\alpha s$ is the **projection** of the estimate on the true drums: its shadow in their direction. The
# report calls it $s_{target}$.
#
# ## 2. What is the rest? Equation (4)
#
# $$s_{output_j} = s_{target} + e_{interf} + e_{artif} \quad (4)$$
#
# The rest may hold other instruments, **interference**, and sounds that are in no source, **artefacts**. To
# tell them apart, project once more: on *all* true sources together. We look for gains $c$ with the smallest
# $\|\hat s - \sum_k c_k s_k\|$; they solve
#
# $$G\,c = d \qquad G_{kl} = \langle s_k, s_l\rangle \qquad d_k = \langle s_k, \hat s\rangle$$
#
# **Predict:** which of the four gains will be the largest? Which sign has the gain of the vocals?

# %%
S = np.stack(list(sources.values()))
G, d = S @ S.T, S @ estimate
c = np.linalg.solve(G, d)
s_target = alpha * truth
e_interf = c @ S - s_target
e_artif = estimate - c @ S
lessons.table(pd.DataFrame({"gain c": c}, index=report.STEMS).T, "{:.3f}")

# %%
assert np.allclose(s_target + e_interf + e_artif, estimate)  # equation (4)
assert all(abs(e_artif @ s) < 1e-6 * np.linalg.norm(e_artif) * np.linalg.norm(s) for s in S)
for mine, librarys in zip((s_target, e_interf, e_artif), decompose(estimate, S, target=1), strict=True):
    assert np.allclose(mine, librarys, atol=1e-9)
player.tracks(
    {"target": s_target[excerpt], "interference": e_interf[excerpt], "artefacts": e_artif[excerpt]},
    description="The three parts of the estimate, as (4) splits it. Added up, they are the estimate.",
)

# %% [markdown]
# *What to notice.* The artefacts do not sound like nothing. They are what is left of drums, voice and guitars
# when *one constant gain* per source is not enough to describe it: a drum whose cymbals are missing counts as
# target plus artefact. The metric is that strict.
#
# The report supposes that the instruments are mutually orthogonal. Then $G$ is diagonal. Are they?

# %%
norms = np.linalg.norm(S, axis=1)
cosines = [
    np.abs(np.corrcoef(np.asarray(song.waveforms[1:])))[np.triu_indices(4, 1)].max() for song in songs
]
cosine = pd.DataFrame(G / np.outer(norms, norms), index=report.STEMS, columns=report.STEMS)
lessons.table(cosine, "{:.3f}", "Cosine of the angle between true sources of this song")

# %%
Markdown(
    f"Nearly: the largest cosine in all {len(songs)} test songs is {max(cosines):.3f}, which is an"
    f" angle of {np.degrees(np.arccos(max(cosines))):.0f}° in place of 90°."
)

# %% [markdown]
# ## 3. Three ratios
#
# $$SDR = 10 \log_{10} \left( \frac{\|s_{target}\|^2}{\|e_{interf} + e_{artif}\|^2} \right) \quad (5)$$
#
# $$SIR = 10 \log_{10} \left( \frac{\|s_{target}\|^2}{\|e_{interf}\|^2} \right) \quad (6)$$
#
# $$SAR = 10 \log_{10} \left( \frac{\|s_{target} + e_{interf}\|^2}{\|e_{artif}\|^2} \right) \quad (7)$$
#
# They are in decibel: 0 dB is as much wanted as unwanted energy, 10 dB ten times as much, 20 dB a hundred
# times.


# %%
def decibel(above: np.ndarray, below: np.ndarray) -> float:
    return 10 * np.log10(np.sum(above**2) / np.sum(below**2))


sdr = decibel(s_target, e_interf + e_artif)  # (5)
sir = decibel(s_target, e_interf)  # (6)
sar = decibel(s_target + e_interf, e_artif)  # (7)
Markdown(f"By hand: SDR **{sdr:.2f} dB**, SIR **{sir:.2f} dB**, SAR **{sar:.2f} dB**")

# %% tags=["nbval-check-output"]
by_library = [float(ratio[0]) for ratio in sdr_sir_sar(estimate[None], S, targets=[1])]
assert np.allclose([sdr, sir, sar], by_library, atol=1e-6)
print("equal to dann_lib.evaluation")

# %% [markdown]
# Two things follow from the definitions alone. **Predict** both before you run the cell: what happens to the
# ratios if the estimate is made ten times as loud? Can SDR ever be higher than SIR?

# %%
louder = [float(ratio[0]) for ratio in sdr_sir_sar(10 * estimate[None], S, targets=[1])]
assert np.allclose(louder, by_library)  # the level does not matter
artefacts_share = np.sum(e_artif**2) / np.sum(s_target**2)
assert np.isclose(10 ** (-sdr / 10), 10 ** (-sir / 10) + artefacts_share)
snr = [decibel(truth, truth - factor * estimate) for factor in (1, 10)]
Markdown(
    "Ten times as loud, and all three are the same. A plain signal-to-noise ratio, ‖s‖² / ‖s − ŝ‖²,"
    f" falls from {snr[0]:.1f} dB to {snr[1]:.1f} dB. And SDR is never above SIR, since (5) has the"
    " same numerator and more in the denominator."
)

# %% [markdown]
# *What to notice.* "SIR is high and SDR is low", as the report finds, is therefore half a theorem: SDR
# *cannot* be the higher one. The question is by how much.
#
# ## 4. Floor and ceiling
#
# Is 3 dB a good score? Two kinds of separators that need no training frame it. The floor is to do nothing:
# hand in the **mixture** as estimate of everything. Ceilings are **oracles**, which look at the true sources
# to make the best mask of some kind. No network can see those.
#
# **Predict:** which is higher, the ideal binary mask (each bin goes to one source) or the ideal ratio mask
# (each bin is shared)?

# %%
everything = {**oracles(), "DANN": dann}
scores = evaluate(songs, everything, v4=False, jobs=1, progress=False)
medians = summarise(scores)
sdr_table = medians[medians["metric"] == "sdr"].pivot(index="run", columns="source", values="median")
lessons.table(
    sdr_table.loc[list(everything), list(report.SOURCES)], "{:.1f} dB", "median SDR over the test songs"
)

# %%
shown = ("mixture", "DANN", "ideal_binary_mask", "ideal_ratio_mask", "ideal_part_masks")
figures.bars(
    {source: {name: sdr_table.loc[name, source] for name in shown} for source in report.SOURCES},
    "median SDR (dB)",
    form=".1f",
)

# %% [markdown]
# *What to notice.* `ideal_part_masks` is the report's own kind of mask, one for the real and one for the
# imaginary part, kept within ±1. It beats the ratio mask by far, since it can turn the phase. So the report's
# idea has a high ceiling. Its network is a long way below: a mask for each part is much harder to guess than
# one for the magnitude, because the sign of a part looks like noise (lesson 2).
#
# How far up from the floor is DANN? The share of the way from the mixture to the ideal ratio mask, with 95 %
# intervals:

# %%
closed = gap_closed(scores, "DANN")
lessons.table(
    closed.set_index("source")[["gap_closed", "low", "high"]],
    "{:.0%}",
    "share of the way from the mixture to the ideal ratio mask",
)

# %% [markdown]
# ### The ceiling that 8.82 kHz imposes
#
# Everything above 4.41 kHz is gone before the network begins. We take the *true* sources through 8.82 kHz and
# back, and score them against the originals at 44.1 kHz.

# %%
ceilings = np.array([rate_ceiling(song) for song in songs])  # (song, ratio, source)
rate_sar = dict(zip(report.SOURCES, np.median(ceilings[:, 2], axis=0), strict=True))
at_44 = evaluate(songs, {"DANN": dann}, rate_hz=report.SONG_RATE, v4=False, jobs=1, progress=False)
sar_44 = at_44[at_44["metric"] == "sar"].groupby("source")["value"].median()
share = {source: 100 * 10 ** ((sar_44[source] - rate_sar[source]) / 10) for source in report.SOURCES}
rate_table = pd.DataFrame(
    {"SAR of the true sources, resampled": rate_sar, "SAR of DANN at 44.1 kHz": sar_44}
)
lessons.table(rate_table.loc[list(report.SOURCES)], "{:.1f} dB", "medians over the test songs")

# %% [markdown]
# *What to notice.* Drums suffer most, with their cymbals; the bass hardly. Even so the ceiling of the rate is
# far above DANN. What the network does is the larger part of the artefacts by far.
#
# ## 5. Eight songs, three boxes

# %%
of_dann = scores[scores["run"] == "DANN"]
figures.figure_9(of_dann)

# %% [markdown]
# How to read it: the line is the **median**, half of the songs lie above it. The box holds the middle half.
# The dots are the songs themselves, and with eight of them they say more than the box.
#
# The reference run scored the 50 test songs, after the report's training (SGD, 100 epochs), and after today's
# (Adam, remixed songs, and minus the signal-to-noise ratio as the loss, since (3) rewards saying little):

# %%
lessons.reference("figure_9")

# %%
lessons.reference("figure_9_modern")

# %%
evidence = Evidence.stored()
reached = gap_closed(evidence.scores[evidence.scores["rate_hz"] == report.SAMPLE_RATE], "dann-modern")
lessons.table(
    reached.set_index("source")[["gap_closed", "low", "high"]],
    "{:.0%}",
    "reference run: share of the way from the mixture to the ideal ratio mask, 50 test songs",
)

# %% [markdown]
# With other songs the median would be another one. How different? We cannot get other songs, but we can draw
# eight from ours, with replacement, again and again, and look at the medians: the **bootstrap**.
#
# **Predict:** how wide is the middle 95 % of those medians?

# %%
values = of_dann.query("metric == 'sdr' and source == 'drums'")["value"].to_numpy()
random = np.random.default_rng(0)
draws = np.median(random.choice(values, size=(10_000, len(values))), axis=1)
low, high = np.percentile(draws, [2.5, 97.5])
row = medians.query("run == 'DANN' and metric == 'sdr' and source == 'drums'").iloc[0]
assert abs(low - row["low"]) < 0.6
assert abs(high - row["high"]) < 0.6
Markdown(
    f"Drums: median SDR {np.median(values):.1f} dB, 95 % interval **{low:.1f} to {high:.1f} dB**, mean"
    f" {values.mean():.1f} dB. `summarise` says {row['low']:.1f} to {row['high']:.1f} dB."
)

# %%
table = medians[medians["run"] == "DANN"].assign(
    score=lambda frame: [
        f"{each.median:.1f} [{each.low:.1f}, {each.high:.1f}]" for each in frame.itertuples()
    ]
)
table.pivot(index="source", columns="metric", values="score").loc[
    list(report.SOURCES), ["sir", "sdr", "sar"]
]

# %%
per_song = of_dann[of_dann["metric"] == "sdr"].pivot(index="song", columns="source", values="value")[
    list(report.SOURCES)
]
facts = pd.DataFrame([{"song": song.name, **song.metadata} for song in songs]).set_index("song")[
    ["genre", "n_instruments"]
]
lessons.table(facts.join(per_song), "{:.1f} dB", "SDR of DANN, song by song")

# %% [markdown]
# *What to notice.* Songs differ among each other by more than most published systems do. So compare two
# separators on the *same* songs, and give intervals. Fifty songs, as in the report, still leave about ±1 dB.
#
# ## 6. Another family with the same names
#
# Published tables use **BSS Eval v4**. Its scores are taken second by second; it forgives a filter of 512
# taps between source and estimate; its SDR is a plain signal-to-noise ratio, which does depend on the level.
# Never put its numbers beside those of (5) to (7).

# %%
both = evaluate(songs[:2], {"mixture": oracles()["mixture"], "DANN": dann}, jobs=1, progress=False)
wanted = both[both["metric"].isin(["sdr", "sdr_v4", "sir", "sir_v4", "sar", "sar_v4"])]
families = wanted.groupby(["run", "metric"], sort=False)["value"].median().unstack("metric")
lessons.table(
    families, "{:.1f} dB", "The same estimates, two families: medians over two songs and three sources"
)

# %% [markdown]
# *What to notice.* The mixture as an estimate has a SAR far above 60 dB: it holds nothing but the true
# sources, so it has no artefacts at all. A single ratio can be perfect where the separation is useless; read
# all three. And the two columns called SDR differ by several dB for the very same sound.
#
# For orientation, medians of published systems on MUSDB18's test songs, at 44.1 kHz in stereo, BSS Eval v4
# (SiSEC 2018 and the systems' own papers). They are another family, another rate and other songs than
# everything above.
#
# | SDR in dB | vocals | drums | bass |
# |---|---|---|---|
# | mixture as estimate | 1.1 | 1.3 | 0.7 |
# | Wave-U-Net (STL2) | 3.3 | 4.2 | 3.2 |
# | denoising auto-encoder with skip connections (JY3) | 5.7 | 4.7 | 3.7 |
# | Open-Unmix | 6.3 | 5.7 | 5.2 |
# | ideal ratio mask, power | 9.4 | 8.5 | 7.1 |
#
# ## 7. When is it good? Level, instruments, genre
#
# The report listens and finds: few instruments are easier, background instruments harder, electronic music
# worse. Three claims, three plots. **Predict** for each whether eight songs are enough to tell.

# %%
mixture_sdr = scores.query("run == 'mixture' and metric == 'sdr'").pivot(
    index="song", columns="source", values="value")
level = mixture_sdr.loc[per_song.index, list(report.SOURCES)]
count = facts.loc[per_song.index, "n_instruments"]

# %%
figure, axes = figures.canvas(1, 2, height_in=3.2, sharey=True)
for index, source in enumerate(report.SOURCES):
    dots = {"marker": "o", "linestyle": "", "color": figures.COLOURS[source], "label": source}
    axes[0].plot(level[source], per_song[source], **dots)
    axes[1].plot(count + 0.12 * (index - 1), per_song[source], **dots)
axes[0].axline((0, 0), slope=1, color="#888888", linewidth=1, linestyle="--", label="as the mixture")
axes[0].set(xlabel="SDR of the mixture: level of the source (dB)", ylabel="SDR of DANN (dB)",
            xlim=(level.min().min() - 1, level.max().max() + 1))
axes[1].set(xlabel="instruments in the song", ylim=(per_song.min().min() - 1, per_song.max().max() + 1))
axes[0].legend()
figures.show(figure, "SDR of DANN for each song and source: on the left over the level of the source in "
             "the mixture, on the right over the number of instruments. A dot above the dashed line is a "
             "gain over the mixture.")

# %% [markdown]
# A plot can be turned into one number: **Spearman's rank correlation**, 1 if one quantity always grows with
# the other, −1 if it always falls, 0 if there is no order. The bootstrap gives its interval. If that holds 0,
# the songs cannot tell.


# %%
def correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Spearman's rank correlation over songs (first axis), with its 95 % interval."""
    chosen = np.random.default_rng(0).integers(len(x), size=(1000, len(x)))
    values = [spearmanr(np.ravel(x[rows]), np.ravel(y[rows])).statistic for rows in chosen]
    return spearmanr(np.ravel(x), np.ravel(y)).statistic, *np.nanpercentile(values, [2.5, 97.5])


centred = per_song - per_song.median()  # so that only differences between songs count
by_level = correlation(level.to_numpy(), per_song.to_numpy())
by_count = correlation(np.repeat(count.to_numpy(float)[:, None], 3, axis=1), centred.to_numpy())
by_genre = centred.mean(axis=1).groupby(facts["genre"]).mean().sort_values()
Markdown(
    f"Level and SDR: {by_level[0]:.2f} [{by_level[1]:.2f}, {by_level[2]:.2f}]. Instruments and SDR:"
    f" {by_count[0]:.2f} [{by_count[1]:.2f}, {by_count[2]:.2f}]. SDR above the median of all songs, by"
    " genre: "
    + ", ".join(f"{genre} {value:+.1f} dB" for genre, value in by_genre.items())
    + "."
)

# %% [markdown]
# Eight songs cannot tell much. The reference run has fifty real ones for the first question, and for the other
# two **controlled experiments**: composed songs in which one thing changes and nothing else.

# %%
lessons.reference("background")

# %%
lessons.reference("instruments")

# %%
lessons.reference("genre")

# %% [markdown]
# ## The report says / we find
#
# Your run: DANN after half a minute of training on twelve songs, scored on eight; one seed.


# %%
def verdict(interval: tuple[float, float, float], expected: int) -> bool | None:
    """Whether the sign is the expected one; None if the interval holds 0."""
    value, low, high = interval
    return None if low <= 0 <= high else bool(np.sign(value) == expected)


middle = medians.query("run == 'DANN'").pivot(index="source", columns="metric", values="median")
middle = middle.loc[list(report.SOURCES)]
sir_leads = (middle["sir"] > middle[["sdr", "sar"]].max(axis=1) + 1).all()
ratios = "; ".join(f"{source} SIR {each.sir:.1f}, SDR {each.sdr:.1f}, SAR {each.sar:.1f} dB"
                   for source, each in middle.iterrows())
shares = ", ".join(f"{value:.0f} % ({source})" for source, value in share.items())
rank = {"level": "{:.2f} [{:.2f}, {:.2f}]".format(*by_level), "count": "{:.2f} [{:.2f}, {:.2f}]".format(*by_count)}

# %%
lessons.claims_table(6, {
    "high-sir": lessons.Verdict(f"{ratios} (how high SIR is depends on the training)", bool(sir_leads)),
    "low-sar": lessons.Verdict(f"of DANN's artefacts at 44.1 kHz, resampling explains {shares}",
                               bool(min(share.values()) > 50)),
    "few-instruments": lessons.Verdict(f"rank correlation {rank['count']} over {len(songs)} songs",
                                       verdict(by_count, -1)),
    "genre": lessons.Verdict(
        f"lowest {by_genre.index[0]}, highest {by_genre.index[-1]}; but two songs of each are few, and this "
        "network has learned from all four genres", None),
    "background": lessons.Verdict(f"rank correlation of level and SDR {rank['level']}", verdict(by_level, 1)),
})

# %% [markdown]
# ## The ledger: every claim of the report
#
# All sixteen, with the numbers behind each verdict. The rules are in `dann_lib.report.CLAIMS`; they were
# written down before the experiments were run. A claim that fails is as good a result as one that holds.

# %%
lessons.ledger()

# %% [markdown]
# ## Try it
#
# 1. *Warm-up.* Make an estimate of your own: $0.8$ times the true drums plus $0.3$ times the true bass.
#    Predict its three ratios by hand, then compute them.
# 2. *Cheat the metric.* Delay the true drums by one sample, then by 20, and score them. Can you hear what SDR
#    makes such a fuss about? What does BSS Eval v4 say (`dann_lib.evaluation.bss_eval_v4`)?
# 3. *Open end.* Mean or median, of songs or of all sources together? Compute four honest averages of
#    `scores`, and find the one that makes DANN look best.
#
# ## Recap
#
# 1. A projection is the closest multiple of a source; its rest is orthogonal. Two projections give the three
#    parts of (4).
# 2. (5) sees everything that is wrong, (6) other instruments only, (7) what is in no source only; none sees
#    the level. SDR ≤ SIR, always.
# 3. The mixture is the floor; ideal masks are ceilings, and resampling is another one, far above DANN.
# 4. A median needs its interval; eight songs give a wide one.
# 5. BSS Eval v4 is another family.
# 6. A claim about songs needs songs: "cannot tell" is a result.
#
# ## Further reading
#
# - E. Vincent, R. Gribonval, C. Févotte: *Performance measurement in blind audio source separation*, 2006,
#   the report's reference [4]. [doi:10.1109/TSA.2005.858005](https://doi.org/10.1109/TSA.2005.858005)
# - J. Le Roux, S. Wisdom, H. Erdogan, J. R. Hershey: *SDR – half-baked or well done?*, 2019.
#   [arXiv:1811.02508](https://arxiv.org/abs/1811.02508)
# - F.-R. Stöter, A. Liutkus, N. Ito: *The 2018 Signal Separation Evaluation Campaign*: BSS Eval v4 and the
#   systems above. [arXiv:1804.06267](https://arxiv.org/abs/1804.06267)
# - F.-R. Stöter, S. Uhlich, A. Liutkus, Y. Mitsufuji: *Open-Unmix*, 2019.
#   [doi:10.21105/joss.01667](https://doi.org/10.21105/joss.01667)
#
# Previous lesson: [5 · Train it, and stop in time](05_training_overfitting.ipynb) · next lesson: [7 ·
# Separate a song and listen](07_listening.ipynb)
