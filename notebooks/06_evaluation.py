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
# 4. to read a box plot of 50 songs honestly: spread and uncertainty, pairs of songs, and averages that mislead;
# 5. to tell two families of scores apart that share their names;
# 6. to test a claim with data, and to say "cannot tell" when that is the answer.
#
# **What you need**: about 25 s on two processor cores, 1 GB of memory, headphones. It uses the run of lesson
# 5, and trains it if it is not there (a quarter of a minute more).
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

from dann_lib import figures, player, report
from dann_lib.course import lessons, live
from dann_lib.corpus import open_corpus

# %%
from dann_lib.evaluation import bss_eval_v4, decompose, evaluate, gap_closed, interval
from dann_lib.evaluation import oracles, projection, rate_ceiling, sdr_sir_sar
from dann_lib.evaluation import summarise
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

# %%
excerpt = slice(0, 5 * report.SAMPLE_RATE)
player.tracks(
    {"true drums": sources["drums"][excerpt], "DANN's estimate": estimate[excerpt]},
    description="How good is this estimate?"
                " Give it a mark from 1 to 10 before you go on.",
)

# %% [markdown]
# ## 1. A projection is a shadow
#
# Take two arrows in a plane: $s$, the truth, and $\hat s$, the estimate. How much of $s$ is in $\hat s$? Go along
# the line of $s$ to the point $g s$ that is closest to $\hat s$. Five steps lead there, and to a score:
#
# 1. The squared distance is $\|\hat s - g s\|^2 = \|\hat s\|^2 - 2 g \langle \hat s, s\rangle + g^2 \|s\|^2$: a
#    parabola in $g$.
# 2. Its slope is zero at the gain $g = \alpha = \langle \hat s, s\rangle / \|s\|^2$. The point $\alpha s$ is the
#    **projection** of $\hat s$ on $s$, its shadow when light falls at right angles to $s$. The report calls it
#    $s_{target}$.
# 3. The rest $\hat s - \alpha s$ is **orthogonal** to $s$: $\langle \hat s - \alpha s, s\rangle = \langle \hat s,
#    s\rangle - \alpha \|s\|^2 = 0$. No more of $s$ can be found in it.
# 4. So shadow and rest are the two short sides of a right triangle, and Pythagoras holds: $\|\hat s\|^2 =
#    \|\alpha s\|^2 + \|\hat s - \alpha s\|^2$.
# 5. Squared lengths are energies. Wanted energy by unwanted energy is $\|\alpha s\|^2 / \|\hat s - \alpha s\|^2 =
#    \cot^2 \theta$, where $\theta$ is the angle between the two arrows. In dB it will be the SDR.
#
# **Predict:** the truth is (4, 1), the estimate (3, 3.5). Sketch the shadow. Is more of the estimate right, or
# wrong? And what changes if the estimate is twice as long?


# %%
def project(x: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Project one vector on another: the multiple of `s` that is closest to `x`."""
    return x @ s / (s @ s) * s


truth_2d, estimate_2d = np.array([4.0, 1.0]), np.array([3.0, 3.5])
shadow = project(estimate_2d, truth_2d)
rest_2d = estimate_2d - shadow
angle = np.arctan2(np.linalg.norm(rest_2d), np.linalg.norm(shadow))
sdr_2d = 10 * np.log10(shadow @ shadow / (rest_2d @ rest_2d))

# %% jupyter={"source_hidden": true}
energy_2d = estimate_2d @ estimate_2d
assert abs(rest_2d @ truth_2d) < 1e-12  # step 3
assert np.isclose(energy_2d, shadow @ shadow + rest_2d @ rest_2d)  # step 4
assert np.isclose(sdr_2d, 20 * np.log10(1 / np.tan(angle)))  # step 5

# %% jupyter={"source_hidden": true}
figure, plane = figures.canvas(height_in=3.4)
colours, beside = figures.COLOURS, {"textcoords": "offset points"}
along, up = np.transpose([(0, 0), shadow]), np.transpose([shadow, estimate_2d])
plane.plot(*along, color=colours["drums"], linewidth=6, alpha=0.4)
plane.plot(*up, color=colours["vocals"], linestyle="--")
plane.annotate("shadow αs", shadow / 2, xytext=(0, -18), **beside)
plane.annotate("rest", (shadow + estimate_2d) / 2, xytext=(6, 0), **beside)
for text, end, name in (
    ("truth s", truth_2d, "drums"), ("estimate ŝ", estimate_2d, "mixture")
):
    arrow = {"arrowstyle": "->", "color": colours[name], "lw": 1.8}
    plane.annotate("", end, (0, 0), arrowprops=arrow)
    plane.annotate(text, end, xytext=(5, 3), **beside)

# %% jupyter={"source_hidden": true}
plane.set(xlim=(0, 5), ylim=(-0.3, 4), aspect="equal")
plane.set(xlabel="first number", ylabel="second number")
figures.show(
    figure,
    "Truth and estimate are arrows from the same point. The shadow of the estimate lies"
    f" along the truth and is {np.linalg.norm(shadow):.2f} long; the rest (dashed)"
    " leads from its end to the estimate, at a right angle, and is"
    f" {np.linalg.norm(rest_2d):.2f} long.",
)

# %% jupyter={"source_hidden": true}
degrees = np.arange(2, 89)
ratio_db = 20 * np.log10(1 / np.tan(np.radians(degrees)))
figures.curves(
    {"10 log₁₀ of shadow² / rest²": (degrees, ratio_db)},
    "angle between estimate and truth (°)",
    "ratio (dB)",
    "The ratio of the energies of shadow and rest, in dB, falls with the angle between"
    " estimate and truth, through 0 dB at 45°. The two arrows above stand at"
    f" {np.degrees(angle):.0f}°, which makes {sdr_2d:.1f} dB.",
)

# %% [markdown]
# *What to notice.* A longer estimate has a longer shadow and a longer rest, in the same proportion: only the
# **angle** counts. At 45° the two are equally long. And the score has no end on either side: at 0° it is
# infinitely high, at 90° infinitely low.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
at_45 = 20 * np.log10(1 / np.tan(np.pi / 4))
ten_db, twenty_db = np.degrees(np.arctan(10 ** (-np.array([10, 20]) / 20)))
lessons.quick_check(
    "An estimate stands at 45° to the truth. How many dB is that? At which angle are"
    " 10 dB reached, at which 20 dB?",
    f"45° are {abs(at_45):.0f} dB: as much wanted as unwanted energy. 10 dB are reached"
    f" at {ten_db:.1f}°, 20 dB at {twenty_db:.1f}°. Ten decibel more mean that the rest"
    " has a tenth of the energy, beside the same shadow.",
)

# %% [markdown]
# ## 2. The same with a hundred thousand numbers
#
# A waveform of $n$ samples is a vector with $n$ entries, an arrow in $n$ dimensions. Nobody can see it, but
# inner products, lengths and angles are computed in the same way. $\|x\|^2 = \langle x, x\rangle$ is the sound's
# energy.
#
# **Predict:** the true drums and DANN's estimate of them: is the angle nearer to 10°, 40° or 80°?

# %%
truth = sources["drums"]
alpha = estimate @ truth / (truth @ truth)
s_target = project(estimate, truth)  # the point of section 1, α s
gains = np.linspace(-0.2, 1.6, 37) * max(alpha, 0.1)
rest = [np.sum((estimate - g * truth) ** 2) / np.sum(estimate**2) for g in gains]
figures.curves(
    {"what is left": (gains, rest)},
    "gain g",
    "energy of the rest / of the estimate",
    "Energy that is left of the estimate when g times the true drums is taken out:"
    f" a parabola with its lowest point at g = α = {alpha:.2f}.",
)

# %% jupyter={"source_hidden": true}
assert gains[int(np.argmin(rest))] == gains[np.argmin(np.abs(gains - alpha))]
rest_of_drums = estimate - s_target
lengths = [np.linalg.norm(each) for each in (estimate, s_target, rest_of_drums, truth)]
assert abs(rest_of_drums @ truth) < 1e-9 * lengths[2] * lengths[3]
angle_drums = np.arccos(lengths[1] / lengths[0])
Markdown(
    r"The lowest point is at $\alpha = \langle \hat s, s\rangle / \|s\|^2 ="
    f" {alpha:.3f}$, and the rest there is orthogonal to the true drums. The angle"
    f" between estimate and truth is **{np.degrees(angle_drums):.0f}°**,"
    f" in {len(truth)} dimensions."
)

# %% [markdown]
# *What to notice.* The parabola is the one of section 1. $\alpha$ is the level at which the estimate holds the drums;
# below 1, the network is too quiet about them. The score does not mind, only the angle counts.
#
# ## 3. What is the rest? Equation (4)
#
# $$s_{output_j} = s_{target} + e_{interf} + e_{artif} \quad (4)$$
#
# The rest may hold other instruments, **interference**, and sounds that are in no source, **artefacts**. To
# tell them apart, project once more, on *all* true sources together:
#
# 1. Whatever can be mixed from the true sources, $\sum_k g_k s_k$ with any gains, makes up a flat space: of two
#    sources it is a plane, the floor of the figure below. The estimate hangs above it.
# 2. The closest point of the floor is $P\hat s = \sum_k c_k s_k$, the shadow at noon. As in section 1, the rest must be
#    orthogonal to *every* source, or more could be taken out: $\langle s_k, \hat s - \sum_l c_l s_l\rangle = 0$ for
#    each $k$.
# 3. These are as many equations as there are gains: $G\,c = d$, with $G_{kl} = \langle s_k, s_l\rangle$ and $d_k =
#    \langle s_k, \hat s\rangle$.
# 4. What is not on the floor is in no source: $e_{artif} = \hat s - P\hat s$.
# 5. On the floor, what is not along $s_j$ comes from the others: $e_{interf} = P\hat s - s_{target}$. Adding up
#    gives (4).
#
# **Predict:** which two of the three parts meet at a right angle?

# %%
floor = np.array([[1.0, 0.1, 0.0], [0.15, 0.8, 0.0]])  # spanned by true drums and bass
estimate_3d = np.array([0.8, 0.55, 0.5])
on_floor = np.linalg.solve(floor @ floor.T, floor @ estimate_3d) @ floor
target_3d = project(estimate_3d, floor[0])
parts_3d = np.stack([target_3d, on_floor - target_3d, estimate_3d - on_floor])
products = parts_3d @ parts_3d.T  # the inner product of each part with each

# %% jupyter={"source_hidden": true}
assert np.allclose(parts_3d.sum(axis=0), estimate_3d)  # equation (4)
assert np.allclose(products, np.diag(np.diag(products)))  # each two are orthogonal

# %% jupyter={"source_hidden": true}
figure, space = figures.canvas(height_in=3.8, subplot_kw={"projection": "3d"})
corners_x, corners_y = [0, 1.1, 1.1, 0], [0, 0, 0.9, 0.9]
space.plot_trisurf(corners_x, corners_y, [0, 0, 0, 0], color="#dddddd", alpha=0.3)
for text, arrow in zip(("true drums", "true bass"), floor, strict=True):
    space.plot(*np.transpose([np.zeros(3), arrow]), color="#777777", linewidth=1)
    space.text(*arrow, text)
whole = np.transpose([np.zeros(3), estimate_3d])
space.plot(*whole, color=colours["mixture"], label="estimate")
corners = np.cumsum([np.zeros(3), *parts_3d], axis=0)
for place, text in enumerate(("target", "interference", "artefacts")):
    colour = colours[("drums", "bass", "vocals")[place]]
    look = {"color": colour, "linestyle": ("-", "--", ":")[place], "linewidth": 3}
    space.plot(*corners[place : place + 2].T, label=text, **look)

# %% jupyter={"source_hidden": true}
space.set(xlim=(0, 1.1), ylim=(0, 0.9), zlim=(0, 0.6))
space.set_box_aspect((1.1, 0.9, 0.6), zoom=1.1)
space.view_init(elev=24, azim=-110)
space.set_axis_off()
space.legend(loc="upper left")
figures.show(
    figure,
    "The estimate as an arrow in space; the true drums and the true bass span the"
    " floor. From the origin the target leads along the drums, the interference from"
    " there across the floor to the point below the estimate, and the artefacts"
    " straight up to it. All three meet at right angles.",
)

# %% [markdown]
# *What to notice.* *All* pairs are orthogonal. The artefacts stand upright on the floor. And the shadow of the
# whole estimate on $s_j$ is that of its floor part alone, so the interference is orthogonal to the target, even
# where the true sources are not orthogonal to each other. So Pythagoras holds twice: the energies of the three parts
# add up to that of the estimate.
#
# Now the song. **Predict:** which of the four gains will be the largest? Which sign has the gain of the vocals?

# %%
S = np.stack(list(sources.values()))
G, d = S @ S.T, S @ estimate
c = np.linalg.solve(G, d)
e_interf = c @ S - s_target
e_artif = estimate - c @ S
parts = np.stack([s_target, e_interf, e_artif])
lessons.table(pd.DataFrame({"gain c": c}, index=report.STEMS).T, "{:.3f}")

# %% jupyter={"source_hidden": true}
lengths = np.linalg.norm(e_artif) * np.linalg.norm(S, axis=1)
assert np.allclose(parts.sum(axis=0), estimate)  # equation (4)
assert np.all(np.abs(S @ e_artif) < 1e-6 * lengths)  # orthogonal to each source
assert np.allclose(parts, decompose(estimate, S, target=1), atol=1e-9)
player.tracks(
    dict(zip(("target", "interference", "artefacts"), parts[:, excerpt], strict=True)),
    description="The three parts of the estimate, as (4) splits it."
                " Added up, they are the estimate.",
)

# %% [markdown]
# *What to notice.* The artefacts do not sound like nothing. They are what is left of drums, voice and guitars
# when *one constant gain* per source is not enough to describe it: a drum whose cymbals are missing counts as
# target plus artefact. The metric is that strict. The report calls $s_{target}$ "a distorted version" of the true
# source; how much distortion is forgiven is for the metric to choose, and step 7 meets one that forgives more.
#
# The report supposes that the instruments are mutually orthogonal. Then $G$ is diagonal, and $c_j = \alpha$. Are
# they? Its other hypothesis, no noise but interference and artefacts, holds by construction: all that is not on the
# floor is *called* artefact.

# %%
def cosines(stems: np.ndarray) -> np.ndarray:
    """Cosine of the angle between each two stems: `(stem, sample)` → `(stem, stem)`."""
    directions = stems / np.linalg.norm(stems, axis=1, keepdims=True)
    return directions @ directions.T


lessons.table(
    pd.DataFrame(cosines(S), index=report.STEMS, columns=report.STEMS),
    "{:.3f}",
    "cosine of the angle between true sources of this song",
)

# %% jupyter={"source_hidden": true}
largest = max(
    np.abs(cosines(np.array(song.waveforms[1:], float)))[np.triu_indices(4, 1)].max()
    for song in songs
)
Markdown(
    f"Nearly: the largest cosine in all {len(songs)} test songs is {largest:.3f},"
    f" which is an angle of {np.degrees(np.arccos(largest)):.0f}° in place of 90°."
)

# %% [markdown]
# ## 4. Three ratios
#
# $$SDR = 10 \log_{10} \left( \frac{\|s_{target}\|^2}{\|e_{interf} + e_{artif}\|^2} \right) \quad (5)$$
#
# $$SIR = 10 \log_{10} \left( \frac{\|s_{target}\|^2}{\|e_{interf}\|^2} \right) \quad (6)$$
#
# $$SAR = 10 \log_{10} \left( \frac{\|s_{target} + e_{interf}\|^2}{\|e_{artif}\|^2} \right) \quad (7)$$
#
# As the parts are orthogonal, three energies are all it takes. Call those of target, interference and artefacts
# $T$, $I$ and $A$. Then $SDR$ is $T / (I + A)$, $SIR$ is $T / I$ and $SAR$ is $(T + I) / A$, in decibel: 0 dB is as
# much wanted as unwanted energy, 10 dB ten times as much, 20 dB a hundred times.
#
# **Predict** from what you heard: is $I$ or $A$ the larger one? Which of the three ratios is the smallest?

# %%
names = ("target T", "interference I", "artefacts A")
energies = 100 * np.sum(parts**2, axis=1) / np.sum(estimate**2)
assert np.isclose(energies.sum(), 100)  # Pythagoras, twice
figures.bars(
    dict(zip(names, energies, strict=True)),
    "share of the estimate's energy (%)",
    form=".1f",
)

# %%
def decibel(above: np.ndarray, below: np.ndarray) -> float:
    """The ratio of two waveforms' energies in dB."""
    return 10 * np.log10(np.sum(above**2) / np.sum(below**2))


sdr = decibel(s_target, e_interf + e_artif)  # (5)
sir = decibel(s_target, e_interf)  # (6)
sar = decibel(s_target + e_interf, e_artif)  # (7)
Markdown(f"By hand: SDR **{sdr:.2f} dB**, SIR **{sir:.2f} dB**, SAR **{sar:.2f} dB**")

# %% jupyter={"source_hidden": true}
t, i, a = energies
assert np.allclose([sdr, sir, sar], 10 * np.log10([t / (i + a), t / i, (t + i) / a]))

# %% [markdown]
# The library does the same for several estimates at once:

# %%
lessons.show_source(sdr_sir_sar, projection._gains)

# %% [markdown]
# **Look for** the two projections: `own` are the gains $\alpha$ on each estimate's own source, `joint` the gains $c$ on
# all of them. `_gains` takes the inner products $G$ and $d$ (there `gram` and `cross`), as you did; only it
# brings all sources to the same length first, and leaves silent ones out. From `for` on it is (4), block by block, so
# that an hour of song fits into memory: what is kept of each part is its energy.

# %% tags=["nbval-check-output"]
by_library = np.ravel(sdr_sir_sar(estimate[None], S, targets=[1]))
print("equal to yours:", np.allclose([sdr, sir, sar], by_library, atol=1e-6))

# %% [markdown]
# Two things follow from the definitions alone. **Predict** both before you run the cell: what happens to the
# ratios if the estimate is made ten times as loud? Can SDR ever be higher than SIR?

# %%
louder = np.ravel(sdr_sir_sar(10 * estimate[None], S, targets=[1]))
snr = [decibel(truth, truth - factor * estimate) for factor in (1, 10)]
Markdown(
    "Ten times as loud, and all three are the same. A plain signal-to-noise ratio,"
    f" ‖s‖² / ‖s − ŝ‖², falls from {snr[0]:.1f} dB to {snr[1]:.1f} dB. And SDR is never"
    " above SIR, since (5) has the same numerator and more in the denominator."
)

# %% jupyter={"source_hidden": true}
below_sdr, below_sir, below_sar = (10 ** (-ratio / 10) for ratio in (sdr, sir, sar))
assert np.allclose(louder, by_library)  # the level does not matter
assert np.isclose(below_sdr, below_sir + below_sar * (1 + below_sir))

# %% [markdown]
# *What to notice.* "SIR is high and SDR is low", as the report finds, is therefore half a theorem: SDR
# *cannot* be the higher one. The question is by how much. And the last `assert` says more: two of the three ratios
# decide the third.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
given_sdr, given_sir = 3.0, 10.0
interference, unwanted = 10 ** (-given_sir / 10), 10 ** (-given_sdr / 10)  # if T = 1
third = 10 * np.log10((1 + interference) / (unwanted - interference))
lessons.quick_check(
    f"A paper gives SDR {given_sdr:.0f} dB and SIR {given_sir:.0f} dB, and forgets SAR."
    " What is it, if both are (5) and (6)?",
    f"Let T = 1. Then I = {interference:.3f} and I + A = {unwanted:.3f},"
    f" so A = {unwanted - interference:.3f}, and (7) gives {third:.1f} dB."
    " Three ratios, but two numbers.",
)

# %% [markdown]
# Now make an estimate yourself: the true drums, some of the bass, some noise. **Predict** which bars and which ratios
# each slider moves. The projection is your `shadow_of` as soon as exercise 6.1 is written, and `project` until then.

# %%
hiss = np.random.default_rng(0).normal(0, truth.std(), len(truth))


def shadow(x: np.ndarray, s: np.ndarray) -> np.ndarray:
    try:
        return globals().get("shadow_of", project)(x, s)
    except NotImplementedError:
        return project(x, s)

# %%
def made_up(level=1.0, bass=0.3, noise=0.1):
    made = level * truth + bass * sources["bass"] + noise * hiss
    wanted, on_floor = shadow(made, truth), np.linalg.solve(G, S @ made) @ S
    three = wanted, on_floor - wanted, made - on_floor
    sound = player.audio(made[excerpt], title="your estimate")
    return bars_and_ratios(*three), sound

# %% jupyter={"source_hidden": true}
def bars_and_ratios(wanted, interference, artefacts) -> figures.Drawing:
    three = dict(zip(names, (wanted, interference, artefacts), strict=True))
    ratios = {
        "SDR": decibel(wanted, interference + artefacts),
        "SIR": decibel(wanted, interference),
        "SAR": decibel(wanted + interference, artefacts),
    }
    written = [f"{name} {db:.1f} dB" for name, db in ratios.items() if db < 100]
    written += [f"{name} endless" for name, db in ratios.items() if db >= 100]
    return figures.bars(
        {name: np.mean(each**2) / np.mean(truth**2) for name, each in three.items()},
        "energy / energy of the true drums", f"{', '.join(written)}.", form=".3f",
    )

# %%
steps = [0, 0.03, 0.1, 0.3, 1, 3]
live.Control(made_up, level=[0.1, 0.3, 1, 3], bass=steps, noise=steps)

# %% [markdown]
# ## 5. Floor and ceiling
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
sdr_table = medians[medians["metric"] == "sdr"].pivot(
    index="run", columns="source", values="median"
).loc[list(everything), list(report.SOURCES)]

# %%
in_words = {
    **{name: name.replace("_", " ") for name in everything},
    "ideal_ratio_mask_power": "ideal ratio mask, energies shared",
    "ideal_part_masks": "ideal masks for two parts, ±1",
    "ideal_part_masks_2": "ideal masks for two parts, ±2",
    "true_magnitude": "true magnitude, mixture's phase",
}
lessons.table(
    sdr_table.rename(index=in_words).rename_axis(index=None, columns=None),
    "{:.1f} dB",
    "median SDR over the test songs",
)

# %% jupyter={"source_hidden": true}
shown = "mixture", "DANN", "ideal_binary_mask", "ideal_ratio_mask", "ideal_part_masks"
figures.bars(
    {
        source: {in_words[name]: column[name] for name in shown}
        for source, column in sdr_table.items()
    },
    "median SDR (dB)",
    form=".1f",
)

# %% [markdown]
# *What to notice.* The ideal masks for two parts are the report's own kind of mask, one for the real and one for the
# imaginary part, kept within ±1 (or ±2). They beat the ratio mask by far, since they can turn the phase. So the
# report's idea has a high ceiling. Its network is a long way below: a mask for each part is much harder to guess than
# one for the magnitude, because the sign of a part looks like noise (lesson 2).
#
# How far up from the floor is DANN? The share of the way from the mixture to the ideal ratio mask, with 95 %
# intervals:

# %%
def way_up(scores: pd.DataFrame, run: str, caption: str) -> lessons.Shown:
    """Share of the way from the mixture to the ideal ratio mask, with its interval."""
    closed = gap_closed(scores, run).set_index("source")[["gap_closed", "low", "high"]]
    columns = ["share of the way", "from", "to"]
    return lessons.table(
        closed.set_axis(columns, axis=1).rename_axis(None), "{:.0%}", caption
    )


caption = "from the mixture to the ideal ratio mask"
way_up(scores, "DANN", f"your run, {caption}, 8 test songs")

# %% jupyter={"source_hidden": true} tags=["remove-input"]
floor_sdr, ceiling_sdr = sdr_table.loc[["mixture", "ideal_ratio_mask"], "bass"]
way = 100 * -floor_sdr / (ceiling_sdr - floor_sdr)
lessons.quick_check(
    "A separator has a median SDR of 0 dB for the bass of these songs."
    " Is it of any use?",
    f"The mixture itself has {floor_sdr:.1f} dB and the ideal ratio mask"
    f" {ceiling_sdr:.1f} dB, so 0 dB are {way:.0f} % of the way. Without floor and"
    " ceiling, 0 dB says nothing.",
)

# %% [markdown]
# ### The ceiling that 8.82 kHz imposes
#
# Everything above 4.41 kHz is gone before the network begins. We take the *true* sources through 8.82 kHz and
# back, and score them against the originals at 44.1 kHz.

# %%
ceilings = np.array([rate_ceiling(song) for song in songs])  # (song, ratio, source)
at_44 = evaluate(
    songs, {"DANN": dann}, rate_hz=report.SONG_RATE, v4=False, jobs=1, progress=False
)
sar_44 = at_44[at_44["metric"] == "sar"].groupby("source")["value"].median()
rate_sar = pd.DataFrame({
    "true sources, resampled": np.median(ceilings[:, 2], axis=0),
    "DANN at 44.1 kHz": sar_44[list(report.SOURCES)],
}).rename_axis(None)
lessons.table(rate_sar, "{:.1f} dB", "SAR, medians over the test songs")

# %% jupyter={"source_hidden": true}
above_dann = rate_sar["DANN at 44.1 kHz"] - rate_sar["true sources, resampled"]
share = (100 * 10 ** (above_dann / 10)).to_dict()  # of DANN's artefacts, in per cent
assert max(share.values()) < 50

# %% [markdown]
# *What to notice.* Drums suffer most, with their cymbals; the bass hardly. Even so the ceiling of the rate is
# far above DANN. What the network does is the larger part of the artefacts by far.
#
# ## 6. Read a box plot honestly
#
# Figure 9 of the report is three box plots. First yours, of eight songs, then those of the reference run, of the 50
# test songs: after the report's training (SGD, 100 epochs), and after today's (Adam, remixed songs, and minus the
# signal-to-noise ratio as the loss, since (3) rewards saying little).

# %%
of_dann = scores[scores["run"] == "DANN"]
figures.figure_9(of_dann)

# %% [markdown]
# A dot is a song. Choose one, and hear what has this score: estimate and truth, at the same place.

# %%
two_seconds = slice(4 * report.SAMPLE_RATE, 6 * report.SAMPLE_RATE)
sounds = {}
for song in songs:
    waveforms = np.array(song.waveforms)
    sounds[song.name] = dann(waveforms)[:, two_seconds], waveforms[1:4, two_seconds]
player.songs_explorer(scores, sounds, run="DANN", title="Your run, song by song")

# %%
lessons.reference("figure_9")

# %%
lessons.reference("figure_9_modern")

# %%
evidence = Evidence.stored()
real_scores = evidence.scores[evidence.scores["rate_hz"] == report.SAMPLE_RATE]
player.songs_explorer(
    real_scores, run="dann-modern", title="The 50 test songs, today's training"
)

# %%
way_up(real_scores, "dann-modern", f"reference run, {caption}, 50 test songs")

# %% [markdown]
# ### Spread is not uncertainty
#
# A box plot shows how *songs* differ: the line is the **median**, half of the songs lie above it; the box holds the
# middle half; the whiskers reach to the last song within one and a half boxes. It does not show how well the
# *median* is known. With other songs it would be another one, but how different? We cannot get other songs, but
# we can draw 50 from ours, with replacement, again and again, and look at the medians: the **bootstrap**. The middle
# 95 % of them are the interval.
#
# **Predict:** the vocals below spread over more than 30 dB. How wide is the interval of their median? And which
# of the two, box or interval, would be narrower with 200 songs?


# %%
def bootstrap_medians(values: np.ndarray, n_songs: int | None = None) -> np.ndarray:
    """Medians of songs drawn with replacement, by default as many as there are."""
    random = np.random.default_rng(0)
    draws = random.choice(values, size=(10_000, n_songs or len(values)))
    return np.median(draws, axis=1)


modern = evidence.per_song("dann-modern")  # SDR (5) in dB: a row for each song
values = modern["vocals"].to_numpy()
low, high = np.percentile(bootstrap_medians(values), [2.5, 97.5])
lower, upper = np.percentile(values, [25, 75])

# %% jupyter={"source_hidden": true}
assert np.ptp(values) > 30
assert np.allclose([low, high], interval((values,), np.median), atol=0.3)

# %% jupyter={"source_hidden": true}
figure, axis = figures.canvas(height_in=2.5)
look = {"color": colours["vocals"], "alpha": 0.55}
scattered = 2 + 0.15 * np.sin(2.4 * np.arange(len(values)))
axis.plot(values, scattered, "o", markersize=4, markeredgewidth=0, **look)
axis.boxplot(
    values, orientation="horizontal", positions=[1], widths=0.5, showfliers=False,
    medianprops={"color": "black", "linewidth": 2},
)
axis.plot([low, high], [0.2, 0.2], linewidth=7, solid_capstyle="butt", **look)
median = np.median(values)
axis.plot(median, 0.2, "|", color="black", markersize=14, markeredgewidth=2)
axis.set_yticks([2, 1, 0.2], ["the songs", "their box plot", "median and its interval"])
axis.set(xlabel="SDR of the vocals (dB)", ylim=(-0.2, 2.4))
axis.grid(True, axis="x")

# %% jupyter={"source_hidden": true}
figures.show(
    figure,
    f"SDR of the vocals of {len(values)} songs, three times. Dots: from"
    f" {values.min():.0f} to {values.max():.0f} dB. Box: the middle half, {lower:.1f}"
    f" to {upper:.1f} dB. Bar: the median, {median:.1f} dB, with its 95 % interval,"
    f" {low:.1f} to {high:.1f} dB.",
)

# %%
sizes = [5, 10, 20, 50, 100, 200]
random = np.random.default_rng(0)
box, bar = [], []  # widths in dB
for n in sizes:
    quartiles = np.percentile(random.choice(values, (2000, n)), [25, 75], axis=1)
    box.append(np.mean(quartiles[1] - quartiles[0]))
    bar.append(np.ptp(np.percentile(bootstrap_medians(values, n), [2.5, 97.5])))
assert bar[-1] < 0.5 * bar[2] and box[-1] > 0.8 * box[2] and 0.8 < bar[3] / 2 < 1.3

# %% jupyter={"source_hidden": true}
figures.curves(
    {
        "box: middle half of the songs": (sizes, box),
        "95 % interval of the median": (sizes, bar),
    },
    "songs",
    "width (dB)",
    "Width of box and 95 % interval if songs like these were more or fewer. The box"
    f" stays about as wide, {box[-1]:.1f} dB with 200 songs; the interval shrinks from"
    f" {bar[0]:.1f} dB with 5 to {bar[3]:.1f} with 50 and {bar[-1]:.1f} with 200.",
)

# %% [markdown]
# *What to notice.* The box is about songs and stays; the interval is about our knowledge and shrinks, roughly with
# the square root of the number of songs. A box plot without the number of songs hides half of what matters. With 50
# songs, as in the report, this median is known to about a decibel on either side. Your eight songs, with the intervals
# in brackets:

# %% jupyter={"source_hidden": true}
of_yours = medians[medians["run"] == "DANN"]
written = [
    f"{median:.1f} [{low:.1f}, {high:.1f}]"
    for median, low, high in of_yours[["median", "low", "high"]].to_numpy()
]
lessons.table(
    of_yours.assign(score=written)
    .pivot(index="source", columns="metric", values="score")
    .loc[list(report.SOURCES), ["sir", "sdr", "sar"]]
    .rename(columns=str.upper)
    .rename_axis(index=None, columns=None),
    caption="dB, medians over your eight songs",
)

# %%
per_song = of_dann[of_dann["metric"] == "sdr"].pivot(
    index="song", columns="source", values="value"
)[list(report.SOURCES)]
facts = pd.DataFrame(
    {song.name: song.metadata for song in songs}, index=["genre", "n_instruments"]
).T.rename(columns={"n_instruments": "instruments"})
lessons.table(facts.join(per_song), "{:.1f} dB", "SDR of DANN, song by song")

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
needed = (bar[3] / 0.5) ** 2 * sizes[3]
lessons.quick_check(
    f"With {sizes[3]} songs the interval of the median is {bar[3]:.1f} dB wide."
    " How many songs would make it half a decibel wide?",
    "The width falls with the square root of the number:"
    f" {sizes[3]} × ({bar[3]:.1f} / 0.5)² is about {round(needed, -2):.0f}."
    " MUSDB18 has 50 test songs, so a difference of half a decibel between two medians"
    " is nothing to rely on.",
)

# %% [markdown]
# ### Compare two systems on the same songs
#
# Lesson 4 trained networks with Concat 3 alone and with Concat 1+2+3. Which is better for the drums? The reference
# run scored both on the same 50 songs (mean of three seeds).
#
# **Predict:** their medians lie close, and the boxes overlap almost wholly. Can 50 songs tell the two apart
# nevertheless?

# %%
pair = pd.DataFrame({
    "Concat 3": evidence.per_song("skips-3")["drums"],
    "Concat 1+2+3": evidence.per_song("skips-1+2+3")["drums"],
})
three, all_three = pair.to_numpy().T  # the same song in each place
difference = all_three - three
n_better = np.sum(difference > 0)

# %% jupyter={"source_hidden": true}
figure, (boxes, by_song) = figures.canvas(1, 2, height_in=3.0, width_ratios=[1, 1.4])
look = {"widths": 0.5, "medianprops": {"color": "black", "linewidth": 2}}
boxes.boxplot(pair.to_numpy(), tick_labels=list(pair), **look)
boxes.set_ylabel("SDR of the drums (dB)")
by_song.bar(np.arange(len(difference)), np.sort(difference), color=colours["drums"])
by_song.axhline(0, color="#888888", linewidth=0.8)
by_song.set(xlabel="songs, sorted", ylabel="Concat 1+2+3 minus Concat 3 (dB)")
figures.show(
    figure,
    "Left: box plots of the SDR of the drums with Concat 3 and with Concat 1+2+3; the"
    " boxes overlap almost wholly. Right: the difference song by song, sorted; it is"
    f" above zero for {n_better} of {len(difference)} songs.",
)

# %%
def between_medians(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    """Difference of the medians of two sets of songs."""
    return np.median(a, axis=axis) - np.median(b, axis=axis)


of_medians = between_medians(all_three, three)
unpaired = interval((all_three, three), between_medians, paired=False)
paired = interval((difference,), np.median)

# %% tags=["nbval-check-output"]
assert of_medians < 0 < paired[0] and unpaired[0] < 0 < unpaired[1]
rows = {
    "difference of the medians, songs drawn apart": (of_medians, *unpaired),
    "median of the differences, pairs drawn": (np.median(difference), *paired),
}
lessons.table(
    pd.DataFrame(rows, index=["dB", "from", "to"]).T,
    "{:+.2f}",
    "Concat 1+2+3 minus Concat 3, SDR of the drums, 95 % intervals;"
    f" Concat 1+2+3 is better in {n_better} of {len(difference)} songs",
)

# %% [markdown]
# *What to notice.* The two differences do not even have the same sign. Concat 1+2+3 is better for most songs; but the
# two medians belong to two different songs, and subtracting them compares those. A song that is hard is hard for
# both networks: in the difference song by song its difficulty cancels, and what remains is the doing of the network.
# So compare **pairs**, and give the interval of the difference. Two intervals that overlap, one for each system, prove
# nothing.
#
# ### Averages that mislead
#
# Papers seldom say how they average. **Predict:** one system, one table of 50 songs. By how many dB can honest
# averages differ?

# %%
def without_the_worst(scores: pd.Series) -> float:
    return scores.drop(scores.idxmin()).mean()


averages = pd.DataFrame({
    "median over songs": modern.median(),
    "mean over songs": modern.mean(),
    "mean without the worst song": modern.apply(without_the_worst),
    "mean of the ratios, then dB": 10 * np.log10((10 ** (modern / 10)).mean()),
    "best of the 50 songs": modern.max(),
}).T[list(report.SOURCES)].rename_axis(columns=None)

# %% tags=["nbval-check-output"]
pulled = averages["vocals"].diff()["mean without the worst song"]
assert 0.4 < pulled < 0.6
lessons.table(averages, "{:.1f} dB", "SDR of one network (today's training), 50 songs")

# %% [markdown]
# *What to notice.* One song pulls the mean of the vocals down by half a decibel, since a ratio in dB has no lower
# end. The median does not mind, and that is why the field uses it. The mean of the ratios is ruled by the few best
# songs. More traps, and what to do:
#
# - **Silence.** Where a source is silent, there is no ratio. Leaving such songs or windows out is right; not saying how
#   many is not. An estimate that is silent has an SDR of −∞, and must not be left out.
# - **Windows and songs.** A median over all windows of all songs weighs long songs more. Take a number for each song
#   first, then average over songs; songs are what is drawn at random, windows of a song resemble each other.
# - **Seeds.** An interval over songs says nothing about another training. Compare seeds as well (below).
# - **Choosing on the test songs.** The best of ten epochs, seeds or settings by test score is too good by chance
#   (lesson 5).
# - **Many comparisons.** With 95 % intervals, one of twenty comparisons without any difference excludes 0.

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
of_sdr = real_scores[real_scores["metric"] == "sdr"].groupby(["run", "source"])["value"]
by_seed = of_sdr.median().unstack("source").loc[
    ["dann-report", "dann-report-seed1", "dann-report-seed2"], [*report.SOURCES]
].round(1)
each = [f"{name} {', '.join(map(str, values))} dB" for name, values in by_seed.items()]
lessons.quick_check(
    "The report trained once. How much could its figure 9 owe to the seed?",
    "The reference run trained it three times, with nothing changed but the seed."
    f" Median SDR of the 50 songs: {'; '.join(each)}. The seed alone moves a median by"
    f" up to {(by_seed.max() - by_seed.min()).max():.1f} dB, and no box plot shows it.",
)

# %% [markdown]
# ## 7. Another family with the same names
#
# Published tables use **BSS Eval v4** (`museval`). The same idea, other choices:
#
# | | equations (5) to (7) | BSS Eval v4 |
# |---|---|---|
# | taken over | the whole song | windows of 1 s; the median over the windows is the song's score |
# | the floor is spanned by | the sources: one gain each | each source and its 511 delayed copies: a filter each |
# | SDR is | $T / (I + A)$ | a plain signal-to-noise ratio: energy of $s$ by that of $s - \hat s$ |
# | the level | does not matter | matters for SDR; the filter forgives it in SIR and SAR |
# | a fourth ratio | – | ISR: what the filter had to change of the source |
# | not scored | songs in which the source is silent | windows in which *any* source or estimate is all zero |
#
# Four estimates of the drums that need no network, and the mixture. **Predict** which of the scores fall: half as loud;
# one sample late (0.1 ms); 20 samples late (2.3 ms); with some bass in it.

# %%
five_s = S[:, 3 * report.SAMPLE_RATE : 8 * report.SAMPLE_RATE]
drums, bass = five_s[1], five_s[2]
tries = {
    "half as loud": drums / 2,
    "1 sample late": np.roll(drums, 1),
    "20 samples late": np.roll(drums, 20),
    "with some bass": drums + 0.3 * bass,
    "the mixture": five_s.sum(axis=0) / 4,
}

# %%
def both_families(attempt: np.ndarray) -> dict[str, float]:
    """Scores in dB of an estimate of the drums, beside true estimates of the others."""
    estimates = np.stack([five_s[0], attempt, *five_s[2:]])
    ours = np.ravel(sdr_sir_sar(attempt[None], five_s, targets=[1]))
    v4 = bss_eval_v4(estimates, five_s, report.SAMPLE_RATE)
    theirs = [np.nanmedian(v4[name][1]) for name in ("sdr_v4", "sir_v4", "sar_v4")]
    columns = "SDR (5)", "SIR (6)", "SAR (7)", "SDR v4", "SIR v4", "SAR v4"
    return dict(zip(columns, [*ours, *theirs], strict=True))

# %%
families = pd.DataFrame({name: both_families(tries[name]) for name in tries}).T
lessons.table(families, "{:.1f}", "Estimates of the drums, scored by two families (dB)")

# %% jupyter={"source_hidden": true}
late = families.loc["20 samples late"]
assert late["SDR (5)"] < -10 and late["SAR v4"] > 20
assert np.isclose(families.loc["half as loud", "SDR v4"], 6, atol=0.1)

# %%
compared = ("20 samples late", "with some bass")
player.tracks(
    {"true drums": drums, **{name: tries[name] for name in compared}},
    description="The true drums, the same 2.3 ms late, and the same with some bass."
                " Which is the worst estimate?",
)

# %% [markdown]
# *What to notice.* Half as loud is perfect for (5), and 6 dB for v4, since half of the drums is missing from the
# plain difference. A delay that nobody hears ruins (5) and (7): a shifted waveform is nearly orthogonal to itself. The
# filter of v4 forgives it in SIR and SAR, not in SDR. And the mixture has next to no artefacts: it holds nothing
# but the true sources. A single ratio can be perfect where the separation is useless; read all three.
#
# The same in the reference run, for real songs and a real network:

# %% tags=["nbval-check-output"]
runs = {
    "mixture": "mixture",
    "dann-modern": "DANN, today's training",
    "ideal_ratio_mask": "ideal ratio mask",
}
metrics = ["sdr", "sdr_v4", "sir", "sir_v4", "sar", "sar_v4"]
of_vocals = real_scores[real_scores["source"] == "vocals"].groupby(["run", "metric"])
two_families = of_vocals["value"].median().unstack("metric").loc[list(runs), metrics]
lessons.table(
    two_families.rename(index=runs).rename_axis(index=None, columns=None)
    .rename(columns=lambda name: name.upper().replace("_V4", " v4")),
    "{:.1f} dB",
    "Vocals, medians over 50 songs at 8.82 kHz",
)

# %% jupyter={"source_hidden": true} tags=["remove-input", "nbval-check-output"]
assert 25 < two_families.loc["mixture", "sar"] < 35
gap = two_families["sdr_v4"] - two_families["sdr"]
lessons.quick_check(
    "A paper reports an SDR of 6 dB for the vocals at 44.1 kHz, by BSS Eval v4."
    " You measure 4 dB by (5) at 8.82 kHz. Who is better?",
    "Cannot tell. For the very same sounds, v4 minus (5) is"
    f" {gap['mixture']:.1f} dB for the mixture, {gap['dann-modern']:.1f} dB for DANN"
    f" and {gap['ideal_ratio_mask']:.1f} dB for the ideal ratio mask: not even a"
    " constant that could be taken off. Score both with one family, at one rate,"
    " on the same songs.",
)

# %% [markdown]
# Here the mixture does have artefacts, at −30 dB: the files of MUSDB18 are compressed with loss, mixture and stems each
# by itself, so that a mixture is not quite the sum of its stems.
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
# ## 8. When is it good? Level, instruments, genre
#
# The report listens and finds: few instruments are easier, background instruments harder, electronic music
# worse. Three claims, three plots. **Predict** for each whether eight songs are enough to tell.

# %%
level = scores.query("run == 'mixture' and metric == 'sdr'").pivot(
    index="song", columns="source", values="value"
).loc[per_song.index, list(report.SOURCES)]
count = facts.loc[per_song.index, "instruments"].astype(float)

# %% jupyter={"source_hidden": true}
figure, axes = figures.canvas(1, 2, height_in=3.2, sharey=True)
dashed = {"color": "#888888", "linewidth": 1, "linestyle": "--"}
axes[0].axline((0, 0), slope=1, label="as the mixture", **dashed)
for index, source in enumerate(report.SOURCES):
    dots = {"marker": "osD"[index], "linestyle": "", "color": colours[source]}
    axes[0].plot(level[source], per_song[source], label=source, **dots)
    axes[1].plot(count + 0.12 * (index - 1), per_song[source], **dots)

# %% jupyter={"source_hidden": true}
axes[0].set(xlabel="SDR of the mixture: level of the source (dB)")
axes[0].set(xlim=(level.min().min() - 1, level.max().max() + 1))
axes[0].set(ylim=(per_song.min().min() - 1, per_song.max().max() + 1))
axes[0].set(ylabel="SDR of DANN (dB)")
axes[1].set(xlabel="instruments in the song")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
figures.show(
    figure,
    "SDR of DANN for each song and source: on the left over the level of the source in"
    " the mixture, on the right over the number of instruments. A dot above the dashed"
    " line is a gain over the mixture.",
)

# %% [markdown]
# A plot can be turned into one number: **Spearman's rank correlation**, 1 if one quantity always grows with
# the other, −1 if it always falls, 0 if there is no order. The bootstrap gives its interval. If that holds 0,
# the songs cannot tell.


# %%
def correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Spearman's rank correlation over songs (first axis), with its 95 % interval."""
    def rank(rows: np.ndarray) -> float:
        return spearmanr(np.ravel(x[rows]), np.ravel(y[rows])).statistic

    draws = np.random.default_rng(0).integers(len(x), size=(1000, len(x)))
    low, high = np.nanpercentile([rank(rows) for rows in draws], [2.5, 97.5])
    return rank(np.arange(len(x))), low, high

# %%
centred = per_song - per_song.median()  # so that only differences between songs count
by_level = correlation(level.to_numpy(), per_song.to_numpy())
by_count = correlation(np.tile(count.to_numpy()[:, None], 3), centred.to_numpy())
by_genre = centred.mean(axis=1).groupby(facts["genre"]).mean().sort_values()
ranks = ["{:.2f} [{:.2f}, {:.2f}]".format(*each) for each in (by_level, by_count)]
Markdown(
    f"Level and SDR: {ranks[0]}. Instruments and SDR: {ranks[1]}. SDR above the median"
    " of all songs, by genre: "
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
# *What to notice.* In real songs, the level decides; the number of instruments, with the level held, does not; and
# a genre is separated worse if the network has never heard it. Where songs differ in everything at once, as yours
# do, a plot of one thing over another shows all of them mixed; changing *one* thing is what tells them apart.
#
# ## The report says / we find
#
# Your run: DANN after a quarter of a minute of training on twelve songs, scored on eight; one seed.


# %% jupyter={"source_hidden": true}
def verdict(interval: tuple[float, float, float], expected: int) -> bool | None:
    """Whether the sign is the expected one; None if the interval holds 0."""
    value, low, high = interval
    return None if low <= 0 <= high else bool(np.sign(value) == expected)


middle = of_yours.pivot(index="source", columns="metric", values="median")
middle = middle.loc[list(report.SOURCES)]
sir_leads = bool((middle["sir"] > middle[["sdr", "sar"]].max(axis=1) + 1).all())
ratios = "; ".join(
    f"{source} SIR {each.sir:.1f}, SDR {each.sdr:.1f}, SAR {each.sar:.1f} dB"
    for source, each in middle.iterrows()
)
shares = ", ".join(f"{value:.0f} % ({source})" for source, value in share.items())

# %% jupyter={"source_hidden": true}
found = {
    "high-sir": (f"{ratios} (how high SIR is depends on the training)", sir_leads),
    "low-sar": (f"of DANN's artefacts at 44.1 kHz, resampling explains {shares}",
                min(share.values()) > 50),
    "few-instruments": (f"rank correlation {ranks[1]} over {len(songs)} songs",
                        verdict(by_count, -1)),
    "genre": (f"lowest {by_genre.index[0]}, highest {by_genre.index[-1]}; but two songs"
              " of each are few, and this network has learned from all four", None),
    "background": (f"rank correlation of level and SDR {ranks[0]}",
                   verdict(by_level, 1)),
}
lessons.claims_table(6, {
    claim: lessons.Verdict(*outcome) for claim, outcome in found.items()
})

# %% [markdown]
# ### The ledger: every claim of the report
#
# All of them, with the numbers behind each verdict; the last seven go beyond the report (lesson 8). The rules are in
# `dann_lib.reproduce.claims`; the first of each was written down before the experiments were run. Some turned out
# weak: an effect of any size counted. These have a second rule, and where it says otherwise, the first verdict stands
# beside it. A claim that fails is as good a result as one that holds.

# %%
lessons.ledger()

# %% [markdown]
# ## Quiz
#
# Decide before you unfold: the answer also says what is wrong with the others.

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "An estimate is made twice as loud. What does its SDR by equation (5) do? (a) It "
    "rises by 6 dB. (b) It falls. (c) It stays.",
    "**(c)** Only the angle to the truth counts: the drums of step 4 keep their "
    f"{by_library[0]:.1f} dB. (a) Shadow and rest both grow. (b) is what a plain "
    "difference does: half as loud, perfect drums get "
    f"{families.loc['half as loud', 'SDR v4']:.0f} dB in BSS Eval v4.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "An estimate has SIR 15 dB and SAR 2 dB. What is wrong with it? (a) Other "
    "instruments come through. (b) Holes, gurgling, hiss. (c) It is too quiet.",
    "**(b)** Little interference, many artefacts; they alone hold the SDR down to "
    f"{-10 * np.log10(10**-1.5 + 10**-0.2 * (1 + 10**-1.5)):.1f} dB. (a) would be a "
    "low SIR. (c) None of the three ratios sees the level.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "The boxes of two systems overlap. Is one of them better? (a) No. (b) The one "
    "with the higher median. (c) Boxes cannot tell.",
    "**(c)** Look at the difference song by song. For the drums in step 6 it is "
    f"above zero in {n_better} of {len(difference)} songs, its interval is "
    f"{paired[0]:.2f} to {paired[1]:.2f} dB, and the medians differ by "
    f"{of_medians:.2f} dB. So (b) picks the wrong one, and (a) misses it.",
)

# %% jupyter={"source_hidden": true} tags=["remove-input"]
lessons.quick_check(
    "You score four times as many songs. What gets about half as wide? (a) The "
    "interval of the median. (b) The box. (c) Both.",
    f"**(a)** From 50 to 200 songs it goes from {bar[3]:.1f} to {bar[-1]:.1f} dB. (b) "
    f"The box is about how songs differ, and more songs differ as much: {box[3]:.1f} "
    f"and {box[-1]:.1f} dB. So (c) is wrong as well.",
)

# %% [markdown]
# ## Exercises
#
# Write where it says `raise NotImplementedError`, run the cell, then the two below it: the output to aim at,
# and a check that explains what is wrong.

# %%
import numpy as np
import pandas as pd
import torch

from dann_lib import player, report, spectrogram
from dann_lib.course import exercises, lessons
from dann_lib.corpus import open_corpus
from dann_lib.evaluation import sdr_sir_sar
from dann_lib.course.exercises import scoring
from dann_lib.reproduce import Evidence

# %%
song = open_corpus("synthetic").select("test")[2]
five_seconds = slice(3 * report.SAMPLE_RATE, 8 * report.SAMPLE_RATE)
true_sources = np.array(song.waveforms[1:, five_seconds], dtype=np.float64)
DRUMS = report.STEMS.index("drums")
tries = scoring.attempts(true_sources, DRUMS)  # of the drums, each wrong in one way
stored = Evidence.stored()  # the reference run: scores of 50 songs


# %% [markdown]
# ### 6.1 · Warm-up: the shadow
#
# Project one vector on another: the multiple of `s` that is closest to `x`. It works for two numbers as for a song.
#
# <details><summary>Hint</summary>
#
# `x @ s` is the inner product. Section 1 says which gain the multiple has.
#
# </details>

# %%
def shadow_of(x: np.ndarray, s: np.ndarray) -> np.ndarray:
    """The projection of `x` on `s`, a vector like `s`."""
    raise NotImplementedError("write this part")


# %% tags=["example", "6.1", "nbval-check-output"]
exercises.aim("06_evaluation", "6.1", lambda: (
    lessons.table(
        pd.DataFrame({
            str(x): shadow_of(np.array(x, float), np.array([4.0, 1.0]))
            for x in ([3, 3.5], [6, 7], [-1, 4], [8, 2])
        }, index=["first", "second"]).T,
        "{:.2f}",
        "Shadows of four vectors on (4, 1)",
    )
))

# %% tags=["self-check"]
scoring.check_projection(shadow_of)


# %% [markdown]
# ### 6.2 · SDR, SIR and SAR
#
# Split the estimate as (4) does, and compute (5), (6) and (7). The true sources need not be orthogonal.
# **Predict** before you look: what do the three say of an estimate that is 20 samples late, and of one whose second
# half is missing? (An SAR of 300 dB is infinity but for rounding.)
#
# <details><summary>Hint</summary>
#
# With `S` of shape `(stem, sample)`, `np.linalg.solve(S @ S.T, S @ estimate)` are the gains of all sources. First
# write the three parts, then the ratios.
#
# </details>

# %%
def three_ratios(
    estimate: np.ndarray, sources: np.ndarray, target: int
) -> tuple[float, float, float]:
    """SDR, SIR, SAR in dB of an estimate `(sample,)` of one of `(stem, sample)`."""
    raise NotImplementedError("write this part")


# %%
five = ("with some of the others", "with some noise", "one sample late",
        "20 samples late", "first half only")

# %% tags=["example", "6.2"]
exercises.aim("06_evaluation", "6.2", lambda: (
    lessons.table(
        pd.DataFrame(
            {name: three_ratios(tries[name], true_sources, DRUMS) for name in five},
            index=["SDR", "SIR", "SAR"],
        ).T,
        "{:.1f} dB",
    )
))

# %% tags=["self-check"]
scoring.check_three_ratios(three_ratios)


# %% [markdown]
# ### 6.3 · How well is a median known?
#
# Draw as many songs as there are, with replacement, 10 000 times. Take the median of each draw. Return the two ends
# between which 95 % of these medians lie.
#
# <details><summary>Hint</summary>
#
# `random.choice(values, size=(n_draws, n_songs))` makes all draws at once. `np.percentile` takes a list.
#
# </details>

# %%
def median_interval(
    values: np.ndarray, random: np.random.Generator
) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median of `values`, one per song."""
    raise NotImplementedError("write this part")


# %%
sdr_of_songs = stored.per_song("dann-modern")  # a row for each song, dB

# %% tags=["example", "6.3", "nbval-check-output"]
exercises.aim("06_evaluation", "6.3", lambda: (
    lessons.table(
        pd.DataFrame({
            source: (
                scores.median(),
                *median_interval(scores.to_numpy(), np.random.default_rng(0)),
            )
            for source, scores in sdr_of_songs.items()
        }, index=["median", "from", "to"]).T,
        "{:.1f} dB",
        "SDR of 50 songs, reference run",
    )
))

# %% tags=["self-check"]
scoring.check_median_interval(median_interval)


# %% [markdown]
# ### 6.4 · Two systems, the same songs
#
# Compare two systems honestly: median of the differences, first minus second, song by song, and its 95 % interval.
# Each table of scores is a `pandas.Series` with the names of the songs as its index. The tables may have them in other
# orders, and a song may be missing from one of them. Use `median_interval` of 6.3.
#
# <details><summary>Hint</summary>
#
# Two `Series` that are subtracted are paired by their index. Where a song is missing, the difference is NaN.
#
# </details>

# %%
def compare(
    first: pd.Series, second: pd.Series, random: np.random.Generator
) -> tuple[float, float, float]:
    """Median of the differences in dB, and both ends of its interval."""
    raise NotImplementedError("write this part")


# %%
PAIRS = {
    "Concat 1+2+3 − Concat 3": ("skips-1+2+3", "skips-3"),
    "ratio mask − binary mask": ("ideal_ratio_mask", "ideal_binary_mask"),
}
tables = {name: [stored.per_song(run) for run in runs] for name, runs in PAIRS.items()}

# %% tags=["example", "6.4", "nbval-check-output"]
exercises.aim("06_evaluation", "6.4", lambda: (
    lessons.table(
        pd.DataFrame({
            f"{name}, {source}":
                compare(ours[source], theirs[source], np.random.default_rng(0))
            for name, (ours, theirs) in tables.items() for source in report.SOURCES
        }, index=["difference", "from", "to"]).T,
        "{:+.2f} dB",
        "SDR on 50 songs."
        " Which of these differences can the songs tell from none?",
    )
))

# %% tags=["self-check"]
scoring.check_compare(compare)


# %% [markdown]
# ### 6.5 · Open end: a metric of your own
#
# SDR punishes what nobody hears, and forgives what everybody hears. Write a metric that hears more as you do: one
# number, higher is better. The check wants it to put the truth above the mixture, and to disagree with SDR somewhere.
# Then find out where yours is fooled: every metric is.
#
# Ideas: compare `magnitudes`, which hardly know a delay; levels in dB, so that quiet sounds count; only what is left
# in the pauses of the source.

# %%
def magnitudes(waveform: np.ndarray) -> np.ndarray:
    """The report's spectrogram without its phase, `(freq, frame)`."""
    parts = spectrogram.stft(torch.from_numpy(waveform.astype(np.float32)))
    return spectrogram.to_complex(parts).abs().double().numpy()


def my_metric(estimate: np.ndarray, sources: np.ndarray, target: int) -> float:
    """A score of an estimate `(sample,)` of `sources[target]`; higher is better."""
    raise NotImplementedError("write this part")


# %%
def sdr(estimate: np.ndarray) -> float:
    """SDR (5) in dB of an estimate of the drums."""
    return float(sdr_sir_sar(estimate[None], true_sources, targets=[DRUMS]).sdr[0])


# %% tags=["example", "6.5"]
exercises.aim("06_evaluation", "6.5", lambda: (
    lessons.table(
        pd.DataFrame({
            name: (sdr(attempt), my_metric(attempt, true_sources, DRUMS))
            for name, attempt in tries.items()
        }, index=["SDR (dB)", "own metric"]).T,
        "{:.1f}",
        "Estimates of the drums, scored by SDR and by a metric of one's own (magnitudes"
        " only)",
    )
))

# %%
three = ("20 samples late", "with some of the others", "first half only")
player.tracks(
    {name: tries[name] for name in three},
    description="Three estimates of the drums."
                " Does your metric put them in the order in which you do?",
)

# %% tags=["self-check"]
scoring.check_metric(my_metric)

# %% [markdown]
# ## Recap
#
# 1. A projection is the closest multiple of a source; its rest is orthogonal. Two projections, on the own source
#    and on all of them, give the three parts of (4).
# 2. (5) sees everything that is wrong, (6) other instruments only, (7) what is in no source only; none sees
#    the level. SDR ≤ SIR, always, and two of the three decide the third.
# 3. The mixture is the floor; ideal masks are ceilings, and resampling is another one, far above DANN.
# 4. A box shows how songs differ, an interval how well the median is known. Two systems are compared song by song;
#    how scores were averaged belongs to the score.
# 5. BSS Eval v4 is another family: windows, a filter of 512 taps, and an SDR that depends on the level.
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
# - B. Efron: *Bootstrap Methods: Another Look at the Jackknife*, 1979.
#   [doi:10.1214/aos/1176344552](https://doi.org/10.1214/aos/1176344552)
# - F.-R. Stöter, S. Uhlich, A. Liutkus, Y. Mitsufuji: *Open-Unmix*, 2019.
#   [doi:10.21105/joss.01667](https://doi.org/10.21105/joss.01667)
#
# Previous lesson: [5 · Train it, and stop in time](05_training_overfitting.ipynb) · [Solutions of the
# exercises](solutions/06_evaluation.ipynb) · next lesson: [7 · Separate a song and
# listen](07_listening.ipynb)
