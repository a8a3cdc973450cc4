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
# 2. to read real and imaginary part, magnitude and phase, and to show that a magnitude alone is not enough;
# 3. to invert the STFT, and to cut it into chunks and stick them together, both without loss;
# 4. to trade frequency against time with the window's length, and to recognise leakage;
# 5. to hear what 8.82 kHz removes, and to check the report's 10 Hz;
# 6. to separate drums with a mask that knows the truth, the best that any mask of its kind can do.
#
# **What you need**: about 12 s on two processor cores, 1 GB of memory, headphones; the embedded songs of
# lesson 1.
#
# **What of the report is rebuilt**: figure 2, and the transform of section II.b.
#
# Previous lesson: [1 · Open a song and hear what it is made of](01_data.ipynb) ·
# next lesson: [3 · Build the U-net, layer by layer](03_unet.ipynb)

# %%
import time

import numpy as np
import soxr
import torch
from IPython.display import Markdown
from ipywidgets import interact

from dann_lib import figures, lessons, network, player, report, spectrogram
from dann_lib.corpus import open_corpus

# %%
corpus = open_corpus("synthetic")
track = corpus.select("test")[6]
song = {signal: torch.from_numpy(track.signal(signal).copy()) for signal in report.SIGNALS}
mixture, drums = song["mixture"], song["drums"]
excerpt = slice(0, 5 * report.SAMPLE_RATE)

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
print(f"{report.N_FFT} samples -> {len(frame)} bins, {report.SAMPLE_RATE / report.N_FFT:.2f} Hz apart, "
      f"from 0 to {report.SAMPLE_RATE / 2:.0f} Hz")

# %%
seconds = np.arange(report.N_FFT) / report.SAMPLE_RATE
figures.curves(
    {"samples": (seconds, piece), "window": (seconds, window * piece.abs().max()),
     "samples × window": (seconds, piece * window)},
    "time in the frame (s)", "amplitude (1 = full scale)",
    "One frame: 2048 samples of the mixture, the Hamming window (drawn as high as the samples), and their product, "
    "which fades in and out.",
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
print("(part, freq, frame) =", tuple(planes["mixture"].shape))
print("equal to the frame by hand:", torch.allclose(planes["mixture"][..., t], by_hand, atol=1e-4))

# %%
figures.spectrograms({name: planes[name] for name in ("mixture", "vocals", "drums", "bass")}, columns=2, description=(
    "Spectrograms of the mixture, the vocals, the drums and the bass, on one scale of 80 dB. Vocals: wavy lines in "
    "equal distances. Drums: vertical stripes. Bass: horizontal lines, strongest at the bottom."))

# %% [markdown]
# *What to notice.* Tones are horizontal lines, hits are vertical ones, and a voice is a ladder of lines, its
# *harmonics*, which move up and down together. In the waveform the sources lay on top of each other; here
# they mostly use different places. A separator can work with scissors: keep these places, drop those. That is
# what a mask does (step 8).
#
# ## 3. Real and imaginary part, magnitude and phase
#
# A complex number in each place: its **magnitude** says how loud the frequency is, its **phase** where in its
# swing it is at that moment. DANN gets the **real** and the **imaginary part**.
#
# **Predict:** a steady tone of 440 Hz. What do its real part, imaginary part and magnitude do from frame to
# frame?

# %%
tone = 0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(4 * report.SAMPLE_RATE) / report.SAMPLE_RATE)
row = round(440 * report.N_FFT / report.SAMPLE_RATE)
real, imag = spectrogram.stft(tone)[:, row, 1:31]
at = np.arange(1, 31) * report.HOP / report.SAMPLE_RATE
figures.curves(
    {"real part": (at, real), "imaginary part": (at, imag), "magnitude": (at, torch.hypot(real, imag))},
    "time (s)", "value in the bin of 440 Hz",
    "A steady tone, bin of 440 Hz, frame by frame: real and imaginary part swing between plus and minus, the "
    "magnitude above them is constant.",
)

# %%
figure, axes = figures.canvas(1, 3, height_in=3.2, sharex=True, sharey=True)
zoom = planes["vocals"][:, :280, 8:52].numpy()
largest, hop_hz = np.abs(zoom).max(), 280 / 1025 * report.SAMPLE_RATE
for axis, plane, title in zip(axes, zoom, ("real part", "imaginary part"), strict=False):
    figures.signed_image(axis, plane, largest, hop_hz, report.HOP * hop_hz / report.SAMPLE_RATE)
    axis.set(title=title, xlabel="time (s)")
figures.spectrogram_image(axes[2], np.hypot(*zoom), None, hop_hz, report.HOP * hop_hz / report.SAMPLE_RATE)
axes[2].set(title="magnitude (dB)", xlabel="time (s)")
axes[0].set_ylabel("frequency (Hz)")
figures.show(figure, "The vocals up to 1.2 kHz. Real and imaginary part (red positive, blue negative) flicker from "
                     "frame to frame and from bin to bin; the magnitude shows smooth lines.")

# %% [markdown]
# *What to notice.* Signs flicker even where nothing changes in the music. So a network that looks at real and
# imaginary part sees a much more restless picture than one that looks at magnitudes. Then why not drop the
# phase?
#
# **Predict:** what does a song sound like if every magnitude is kept and every phase is set to zero? And with
# random phases?

# %%
magnitude = torch.linalg.vector_norm(planes["mixture"], dim=0)
angle = 2 * torch.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
without_phase = torch.stack((magnitude, torch.zeros_like(magnitude)))
random_phase = torch.stack((magnitude * angle.cos(), magnitude * angle.sin()))
player.tracks({
    "as it was": mixture[excerpt],
    "phase set to zero": spectrogram.istft(without_phase, len(mixture))[excerpt],
    "random phase": spectrogram.istft(random_phase, len(mixture))[excerpt],
}, description="The same magnitudes with three phases. Without its phase the song buzzes or sounds like from a tunnel.")

# %% [markdown]
# *What to notice.* All three have the same magnitudes before the inverse transform. The phase holds the
# attacks of the drums and keeps neighbouring frames together. Most separators keep the phase of the mixture
# and estimate magnitudes only; the report lets the network handle both parts, and suspects that the
# reverberation which it hears comes from phases that were changed (lesson 7 looks into that).
#
# ## 4. There and back
#
# The inverse STFT adds the frames up again, each multiplied by the window once more, and divides by the sum
# of the squared windows. **Predict:** how large is the error, if full scale is 1?

# %%
error = (spectrogram.istft(planes["mixture"], len(mixture)) - mixture).abs().max().item()
Markdown(f"Largest error there and back: **{error:.1e}**, that is {20 * np.log10(error):.0f} dB: "
         "nothing that one can hear.")

# %%
assert error < 1e-5

# %% [markdown]
# So the picture holds all of the song. Whatever is wrong with a separated song comes from the masks and from
# 8.82 kHz, not from the transform.
#
# ## 5. Leakage
#
# A tone of one frequency should be one bin. It is not: 2048 samples are a cut-out, and the cut makes the tone
# **leak** into other bins. Fading in and out, as the Hamming window does, helps.
#
# **Predict:** which leaks further, no window (a *rectangular* one) or the Hamming window? Which has the
# narrower peak?

# %%
off_grid = torch.sin(2 * torch.pi * 100.5 / report.N_FFT * torch.arange(report.N_FFT))
hz = np.fft.rfftfreq(report.N_FFT, 1 / report.SAMPLE_RATE)
windows = {"rectangular": torch.ones(report.N_FFT), "Hamming (the report's)": window,
           "Hann": torch.hann_window(report.N_FFT)}
lines = {}
for name, shape in windows.items():
    level = 20 * torch.log10(torch.fft.rfft(off_grid * shape).abs() / shape.sum() * 2 + 1e-6)
    lines[name] = (hz[60:142], level[60:142])
figures.curves(lines, "frequency (Hz)", "level (dB)",
               "A tone half-way between two bins, seen through three windows. Rectangular: a narrow peak on a "
               "broad base. Hamming: a wider peak, and below it a nearly flat floor. Hann: the widest peak at the "
               "foot, but a base that falls off further and further.")

# %% [markdown]
# *What to notice.* Leakage of a loud source covers a quiet one in bins where it has no business. The Hamming
# window pays for its low floor with a peak that is twice as wide.
#
# ## 6. Frequency against time
#
# Bins are `rate / window length` apart, and a window lasts `window length / rate`: the product is always 1. A
# longer window sees frequencies more finely, and times more coarsely. **Predict:** what do drums look like
# with a window of 8192 samples?

# %%
def with_window(length: int, waveform: torch.Tensor = mixture[excerpt]) -> torch.Tensor:
    return torch.stft(waveform, length, length // 2, window=torch.hamming_window(length), return_complex=True)


def show_window(length: int = 2048) -> figures.Drawing:
    figure, axis = figures.canvas(height_in=2.6)
    figures.spectrogram_image(axis, with_window(length).abs().numpy(), hop=length // 2)
    axis.set(xlabel="time (s)", ylabel="frequency (Hz)", ylim=(0, 2000), xlim=(0, 5),
             title=f"{length} samples: {length / report.SAMPLE_RATE:.2f} s, {report.SAMPLE_RATE / length:.1f} Hz")
    return figures.show(figure, f"The mixture up to 2 kHz, seen through a window of {length} samples.")

# %% [markdown]
# Choose a window length; the figure below shows three of them at once.

# %% tags=["nbval-ignore-output"]
_ = interact(show_window, length=[256, 512, 1024, 2048, 4096, 8192])

# %%
figure, axes = figures.canvas(1, 3, height_in=3.2, sharey=True)
for axis, length in zip(axes, (256, 2048, 8192), strict=True):
    figures.spectrogram_image(axis, with_window(length).abs().numpy(), hop=length // 2)
    axis.set(xlabel="time (s)", ylim=(0, 2000), xlim=(1, 4),
             title=f"{length}: {1000 * length / report.SAMPLE_RATE:.0f} ms, {report.SAMPLE_RATE / length:.1f} Hz")
axes[0].set_ylabel("frequency (Hz)")
figures.show(figure, "The same three seconds through windows of 256, 2048 and 8192 samples. Short: sharp vertical "
                     "stripes, blurred tones. Long: sharp horizontal lines, drum hits smeared over a second.")

# %% [markdown]
# Hear it: keep the loudest 3 % of all places and drop the rest, as a very greedy separator might.

# %%
def loudest(length: int, share: float = 0.03) -> torch.Tensor:
    places = with_window(length)
    kept = places * (places.abs() >= places.abs().flatten().quantile(1 - share))
    return torch.istft(kept, length, length // 2, window=torch.hamming_window(length), length=excerpt.stop)


player.tracks({f"window of {length} samples": loudest(length) for length in (256, 2048, 8192)},
              description="The loudest 3 % of the places, for three window lengths. The short window keeps the "
                          "drums and loses the tones, the long one keeps the tones and smears the drums.")

# %% [markdown]
# *What to notice.* No window suits all sources: drums want a short one, bass and voice a long one. 2048
# samples at 8.82 kHz are a compromise that leans towards tones: 232 ms is long (at 44.1 kHz, the same 2048
# samples would be 46 ms).
#
# ## 7. Can it tell 10 Hz?
#
# The report wants a precise spectrogram "since the human ear is able to hear 10 Hz variation" (I.c). Bins are
# closer than that. But two tones are only told apart if there is a dip between their peaks. **Predict:** for
# which distances is there one?

# %%
def dip_db(distance_hz: float, start_hz: float = 440.0) -> float:
    time_s = torch.arange(report.N_FFT) / report.SAMPLE_RATE
    tones = [torch.exp(2j * torch.pi * f * time_s) for f in (start_hz, start_hz + distance_hz)]
    power = sum(torch.fft.fft(each * window, n=64 * report.N_FFT).abs() ** 2 for each in tones)
    at = [round(f * 64 * report.N_FFT / report.SAMPLE_RATE) for f in (start_hz, start_hz + distance_hz / 2)]
    return float(10 * torch.log10(power[at[0]] / power[at[1]]))


dips = {f"{distance} Hz apart": max(0.0, dip_db(distance)) for distance in (2, 5, 7, 10, 15, 20)}
figures.bars(dips, "dip between the two peaks (dB)", form=".1f")

# %%
assert dips["5 Hz apart"] == 0 and dips["10 Hz apart"] > 3

# %%
time_s = torch.arange(int(1.5 * report.SAMPLE_RATE)) / report.SAMPLE_RATE
two = {f"440 Hz, then {high} Hz": torch.cat([0.2 * torch.sin(2 * torch.pi * f * time_s) for f in (440, high)])
       for high in (442, 450)}
player.tracks(two, description="Two tones after one another. Can you hear 10 Hz? And 2 Hz?")

# %%
places = ["input, Concat 4", "Concat 3", "Concat 2", "Concat 1", "narrowest layer"]
rows = [f"| 1/{2**depth} | {place} | {2**depth * report.SAMPLE_RATE / report.N_FFT:.1f} Hz | "
        f"{2**depth * report.HOP / report.SAMPLE_RATE:.2f} s |" for depth, place in enumerate(places)]
head = ["| resolution | where in DANN | bins are apart | frames are apart |", "|---|---|---|---|"]
Markdown("\n".join([*head, *rows]))

# %% [markdown]
# *What to notice.* At 10 Hz there is a clear dip, at 5 Hz there is none: the transform holds the report's 10
# Hz, just so. Inside DANN every pooling doubles the distance of the bins (lesson 3): half the resolution,
# where Concat 3 starts, is the last one below 10 Hz. That gives the report's wish for three skip connections
# a meaning in numbers. Practised ears hear a good deal less than 10 Hz near 440 Hz: see the review under
# *Further reading*.
#
# ## 8. What is above 4.41 kHz?
#
# Lesson 1 counted how little energy that is. Now hear it by itself.

# %%
full = track.read("mixture").mean(axis=1)
low = soxr.resample(full, report.SONG_RATE, report.SAMPLE_RATE)
low = soxr.resample(low, report.SAMPLE_RATE, report.SONG_RATE)[: len(full)]
first = slice(0, 4 * report.SONG_RATE)
player.tracks({"44.1 kHz": full[first], "after 8.82 kHz": low[first], "what is missing": (full - low)[first]},
              rate_hz=report.SONG_RATE, description="The mixture, what 8.82 kHz keeps of it, and the difference.")

# %% [markdown]
# *And what is it worth?* The report does it "in order to accelerate". Time one pass of DANN through 10 s of
# song at 8.82 kHz and through the 5 times longer spectrogram that the same 10 s have at 44.1 kHz:

# %%
dann = network.DANN().eval()


@torch.inference_mode()
def pass_seconds(n_frames: int) -> float:
    planes_in = torch.randn(1, 2, report.N_BINS, n_frames)
    times = []
    for _ in range(2):
        start = time.perf_counter()
        dann(planes_in)
        times.append(time.perf_counter() - start)
    return min(times)


speed_up = pass_seconds(5 * report.N_FRAMES) / pass_seconds(report.N_FRAMES)
Markdown(f"At 44.1 kHz the same song takes **{speed_up:.1f} times** as long.")

# %% [markdown]
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
figures.figure_2(planes["mixture"][..., shown], masked[..., shown], "drums", max_hz=2000)

# %%
estimate = spectrogram.istft(masked, len(drums))
ratio_of_magnitudes = (planes["drums"].norm(dim=0) / planes["mixture"].norm(dim=0).clamp_min(1e-9)).clamp(0, 1)
estimate_by_magnitude = spectrogram.istft(ratio_of_magnitudes * planes["mixture"], len(drums))
player.tracks({
    "mixture": mixture[excerpt], "drums, ideal mask for each part": estimate[excerpt],
    "drums, ideal mask of magnitudes": estimate_by_magnitude[excerpt], "the true drums": drums[excerpt],
}, description="What masks can do that know the truth, between the mixture and the true drums.")

# %%
def error_db(estimated: torch.Tensor) -> float:
    return float(10 * torch.log10(drums.square().sum() / (drums - estimated).square().sum()))


errors = {"mixture as it is": error_db(mixture), "one ideal mask of magnitudes": error_db(estimate_by_magnitude),
          "ideal mask for each part": error_db(estimate)}
figures.bars(errors, "energy of the drums over that of the error (dB)", form=".1f")

# %%
assert errors["mixture as it is"] < errors["one ideal mask of magnitudes"] < errors["ideal mask for each part"]

# %% [markdown]
# *What to notice.* A mask between 0 and 1 cannot change a sign. Where another source has turned the sign of
# the mixture, the best it can do is 0. Where two sources meet in one place, a mask lets both pass or neither.
# Masks for each part can do more than a mask of magnitudes, which keeps the phase of the mixture. Without any
# limit, $N / I$ would be perfect, and wild: divisions by nearly zero. So DANN's masks have no limits, but the
# loss looks at $M \cdot I$, never at $M$ (lesson 5).
#
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
naive = spectrogram.stft(mixture[cut:])[..., :n_frames]
samples = spectrogram.chunk_samples(track.signal("mixture"), report.N_FRAMES, n_frames)
context = spectrogram.frames(torch.from_numpy(samples))
second = chunks[1][..., :n_frames]
wrong, right = [float((each - second).abs().max() / second.abs().max()) for each in (naive, context)]
Markdown(f"Largest difference from the chunk of the whole song: **{wrong:.1e}** of the loudest place if the piece is "
         f"cut without its neighbours, **{right:.1e}** with half a window of context on either side (`chunk_samples`).")

# %%
assert right < 1e-5 < wrong

# %% [markdown]
# *What to notice.* The first frame of a chunk looks at samples from before the cut. With that context, a
# chunk can be cut from a stored waveform as it is needed, and a training run never has to hold spectrograms,
# which are four times as large.
#
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

# %%
verdicts = {
    "8.8-khz": lessons.Verdict(
        f"DANN needs {speed_up:.1f} times less time on this machine. What is missing is little in energy, and well "
        "audible in cymbals; lesson 6 puts the cost into dB.", speed_up > 3),
    "10-hz": lessons.Verdict(
        f"Bins are {report.SAMPLE_RATE / report.N_FFT:.1f} Hz apart, two tones 10 Hz apart show a dip of "
        f"{dips['10 Hz apart']:.0f} dB: the transform is that precise. Practised ears hear less than 10 Hz.",
        dips["10 Hz apart"] > 3),
}
lessons.claims_table(2, verdicts)

# %% [markdown]
# ## Try it
#
# 1. *Warm-up.* In step 9, make the mask for the vocals instead. Which source gains most from an ideal mask?
# 2. *A filter.* Set all bins below 200 Hz to zero, go back to a waveform, and listen. Which instrument is
#    gone?
# 3. *A binary mask.* Let the mask be 1 where the drums are louder than all the rest, else 0. How many dB does
#    that cost? Where do you hear it?
# 4. *Open end.* Keep the magnitudes and throw the phases away, and find phases that fit with the method of
#    Griffin and Lim (below): transform back and forth, and restore the magnitudes each time. How many rounds
#    until it sounds like the song?
#
# ## Recap
#
# 1. A frame is a windowed piece of 2048 samples; its transform has 1025 bins, 4.3 Hz apart; a frame starts
#    every 1024 samples.
# 2. Magnitude is loudness, phase is timing; without the phase the song falls apart. DANN gets both as real
#    and imaginary part.
# 3. The STFT can be inverted, and chunks of it can be stuck together, without loss.
# 4. Fine in frequency is coarse in time. Windows leak; the Hamming window trades a wider peak for a low
#    floor.
# 5. 8.82 kHz makes everything 5 times cheaper, and takes the sparkle of cymbals. Tones 10 Hz apart can just
#    be told apart.
# 6. A mask keeps and drops places of the mixture; even one that knows the truth is not perfect where sources
#    overlap.
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
#
# Previous lesson: [1 · Open a song and hear what it is made of](01_data.ipynb) ·
# next lesson: [3 · Build the U-net, layer by layer](03_unet.ipynb)
