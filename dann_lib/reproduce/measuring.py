"""What the treatment around the network does, measured without a score: speed, resolution, reverberation, treatment."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from dann_lib import report, spectrogram
from dann_lib.baselines import build
from dann_lib.batches import Chunks, pretreat
from dann_lib.config import TrainingConfig
from dann_lib.devices import keep_freed_memory, memory_format
from dann_lib.evaluation.waveforms import Track, resample
from dann_lib.reproduce.processes import medians
from dann_lib.separation import Separator
from dann_lib.training import l1_loss

if TYPE_CHECKING:
    import pandas as pd

    from dann_lib.corpus import Corpus

COLUMNS = ("experiment", "case", "song", "source", "quantity", "unit", "value")
"""Of the table of measurements."""

Row = tuple[str, str, str, str, str, str, float]

DIP_DB = 3.0
"""Two peaks count as two if the spectrum between them lies so much below the lower one."""

SILENT_DB = -30.0
"""A block of a source is silent if its energy lies so much below that of its loudest block."""

BLOCK_S = 0.01


def measure(corpus: Corpus, separator: Separator, dann: dict[str, Any], progress: bool = True) -> pd.DataFrame:
    """All measurements of a corpus: one value per row, with `COLUMNS`.

    `separator` is the trained network whose masks are looked at; `dann` are the arguments of the network whose
    training step is timed.
    """
    import pandas as pd

    rows: list[Row] = [*loss_of_silence(corpus), *step_times(dann), *tone_distances()]
    for track in tqdm(corpus.select("test"), desc="measuring", unit="song", leave=False, disable=not progress):
        rows += [*spread_of_masks(track, separator), *spread_of_resampling(track), *active_stems(track)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def loss_of_silence(corpus: Corpus) -> list[Row]:
    """Loss (3) of empty estimates at a gain of 1, on the chunks of each subset: what learning has to beat."""
    rows, config = [], TrainingConfig()
    for subset in ("train", "valid", "test"):
        chunks, total = Chunks(corpus.select(subset), config.n_chunk_frames), 0.0
        for batch in chunks.in_order(config):
            mixture, sources = pretreat(batch.waveforms, 1.0)
            total += batch.n_global * float(l1_loss(torch.zeros_like(sources), mixture, sources))
        rows.append(("silence", subset, "", "", "loss (3) at gain 1", "1", total / len(chunks)))
    return rows


def training_step(
    network: nn.Module, waveforms: Tensor, autocast: Callable[[], AbstractContextManager] = nullcontext, *,
    layout: torch.memory_format = torch.contiguous_format,
) -> Callable[[], float]:
    """A training step as `training` does it, to be timed: pretreatment, loss (3), gradients, SGD.

    Args:
        network: learns, on the device of the waveforms.
        waveforms: `(batch, signal, sample)`, the mixture first.
        autocast: precision of the network, such as `Accelerator.autocast`; float32 by default.
        layout: of the features in memory; see `devices.memory_format`.

    Returns:
        Does one step each time it is called, and returns how long it took in seconds.
    """
    network = network.to(memory_format=layout).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=report.LEARNING_RATE, momentum=report.MOMENTUM)

    def step() -> float:
        start = time.perf_counter()
        mixture, sources = pretreat(waveforms, 1.0)
        with autocast():
            masks = network(mixture.contiguous(memory_format=layout))
        loss = l1_loss(masks.float(), mixture, sources)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # waits for an accelerator
        return time.perf_counter() - start

    return step


def step_rates(precision: str | None, runs: int) -> dict[str, Any]:
    """Training steps at the report's batch size as `train` does them, or in plain PyTorch if `precision` is None.

    Returns:
        Median `seconds` of a step, its floating-point `operations`, the `matrix_rate` of matrix products in the same
        precision, in such operations per second, and `threads`.
    """
    from torch.utils.flop_counter import FlopCounterMode

    layout = torch.contiguous_format
    if precision is not None:
        keep_freed_memory()
        layout = memory_format(precision, learning=True)
    torch.manual_seed(0)
    n_samples = (report.N_FRAMES - 1) * report.HOP + report.N_FFT
    waveforms = torch.randn(report.BATCH_SIZE, 1 + len(report.SOURCES), n_samples)
    autocast = partial(torch.autocast, "cpu", torch.bfloat16, enabled=precision == "bf16")
    step = training_step(build("dann"), waveforms, autocast, layout=layout)
    left, right = torch.randn(2, 2048, 2048).to(torch.bfloat16 if precision == "bf16" else torch.float32)

    def products() -> None:
        for _ in range(10):
            left @ right

    with FlopCounterMode(display=False) as counter:
        step()
    times = medians(runs, step=step, products=products)
    return {"seconds": times["step"], "operations": counter.get_total_flops(),
            "matrix_rate": 10 * 2 * 2048**3 / times["products"], "threads": torch.get_num_threads()}


def step_times(dann: dict[str, Any], seconds: float = 10.2, repeats: int = 5) -> list[Row]:
    """Time of a training step on the same length of noise, at the songs' rate and at the working rate.

    In turns, `repeats` times after one that is not counted, so that what else the machine does falls on both. At
    44.1 kHz, STFT and network (`DANN` with the arguments `dann`) are the same, and there are five times as many frames.
    """
    random, network = torch.Generator().manual_seed(0), build("dann", **dann)
    steps = {
        rate: training_step(network, torch.randn(1, 1 + len(report.SOURCES), int(seconds * rate), generator=random))
        for rate in (report.SONG_RATE, report.SAMPLE_RATE)
    }
    times = [{rate: step() for rate, step in steps.items()} for _ in range(repeats + 1)][1:]
    return [("rate", f"{rate} Hz", "", f"repeat {number}", "training step", "s", time_s)
            for number, each in enumerate(times) for rate, time_s in each.items()]


def tone_distances(trials: int = 100, largest_hz: float = 80.0, step_hz: float = 0.5) -> list[Row]:
    """From which distance in Hz on two equal tones show as two peaks in a frame, always and in half of the cases.

    At both rates, with so many trials of random position and phases, at distances in steps up to the largest.
    """
    random, rows = np.random.default_rng(0), []
    distances = np.arange(step_hz, largest_hz + step_hz, step_hz)
    for rate in (report.SAMPLE_RATE, report.SONG_RATE):
        low, phases = random.uniform(0.1, 0.35, trials) * rate, random.uniform(0, 2 * np.pi, (trials, 2))
        missed = ~np.array([_two_peaks(low, low + gap, phases, rate) for gap in distances])  # (distance, trial)
        after_last = np.where(missed.any(axis=0), len(distances) - missed[::-1].argmax(axis=0), 0)
        smallest = distances[np.minimum(after_last, len(distances) - 1)]
        for case, value in (("always", smallest.max()), ("in half of the cases", np.median(smallest))):
            rows.append(("resolution", f"{rate} Hz", "", case, "distance of two tones", "Hz", float(value)))
    return rows


def spread_of_masks(track: Track, separator: Separator) -> list[Row]:
    """How much of a source's sound the masks spread to where the source itself is silent, in a song's first chunk.

    The masks that the network makes from the mixture are applied to the source alone: no other
    instrument can be heard, so what sounds in the source's pauses is the masks' doing. "phase kept" has the
    same magnitudes, but the source's phase; "one mask" takes the mean of the two masks for both parts.
    """
    length = (separator.config.n_chunk_frames - 1) * report.HOP
    signals = torch.from_numpy(np.array(track.waveforms[: 1 + len(report.SOURCES), :length], dtype=np.float32))
    mixture, *sources = spectrogram.stft(signals)                              # (part, freq, frame) each
    masks = _masks(separator, mixture[None])                                   # (source, part, freq, frame)
    rows = []
    for source, waveform, truth, mask in zip(report.SOURCES, signals[1:].numpy(), sources, masks, strict=True):
        cases = {"source itself": truth, "two masks": mask * truth, "phase kept": _with_phase_of(truth, mask * truth),
                 "one mask": mask.mean(dim=0) * truth}
        rows += [_spread(track, case, source, spectrogram.istft(planes, waveform.shape[-1]).numpy(), waveform)
                 for case, planes in cases.items()]
    return rows


def spread_of_resampling(track: Track) -> list[Row]:
    """The same for the way up to 44.1 kHz and back, and no masks, in the whole song."""
    low = np.array(track.waveforms[1 : 1 + len(report.SOURCES)], dtype=np.float32)
    high = resample(low, report.SAMPLE_RATE, report.SONG_RATE, 5 * low.shape[-1])
    back = resample(high, report.SONG_RATE, report.SAMPLE_RATE, low.shape[-1])
    return [_spread(track, "resampling", *each) for each in zip(report.SOURCES, back, low, strict=True)]


def _spread(track: Track, case: str, source: str, heard: np.ndarray, waveform: np.ndarray) -> Row:
    return ("reverberation", case, track.name, source, "spread", "dB", spread_db(heard, waveform, report.SAMPLE_RATE))


def active_stems(track: Track) -> list[Row]:
    """How many of the four stems are heard at a time, in the mean over the song."""
    stems = np.array(track.waveforms[1:], dtype=np.float32)
    blocks = _block_energy(stems, report.SAMPLE_RATE // 10)
    loud = blocks > 10 ** (SILENT_DB / 10) * max(float(blocks.max()), 1e-20)
    return [("instruments", "active stems", track.name, "", "mean", "stems", float(loud.sum(axis=0).mean()))]


def spread_db(heard: np.ndarray, source: np.ndarray, rate_hz: int) -> float:
    """Energy of a treated source `(sample,)` in the blocks where the source itself is silent, relative to all of it.

    Returns:
        dB, at most 0; NaN if the source has fewer than 20 silent blocks of 10 ms, or is silent throughout.
    """
    size = int(BLOCK_S * rate_hz)
    truth, energy = _block_energy(source[None], size)[0], _block_energy(heard[None], size)[0]
    silent = truth < 10 ** (SILENT_DB / 10) * truth.max(initial=0.0)
    if silent.sum() < 20 or energy.sum() <= 0:
        return float("nan")
    return float(10 * np.log10(max(energy[silent].sum() / energy.sum(), 1e-12)))


class PhaseKept:
    """A separator with its magnitudes, and the mixture's phase: what the two masks do to the phase, undone."""

    def __init__(self, separator: Separator) -> None:
        self.separator = separator
        self.fingerprint = f"phase kept {separator.fingerprint}"

    def __call__(self, signals: np.ndarray) -> np.ndarray:
        """Signals `(signal, sample)`, mixture first → estimates `(source, sample)`, at the working rate."""
        planes = spectrogram.stft(torch.from_numpy(np.concatenate((signals[:1], self.separator(signals)))))
        return spectrogram.istft(_with_phase_of(planes[:1], planes[1:]), signals.shape[-1]).numpy()


def treatment(signals: np.ndarray) -> np.ndarray:
    """Put the true sources through STFT and inverse, without a network (report, II.b)."""
    planes = spectrogram.stft(torch.from_numpy(np.array(signals[1 : 1 + len(report.SOURCES)], dtype=np.float32)))
    return spectrogram.istft(planes, signals.shape[-1]).numpy()


def _with_phase_of(truth: Tensor, planes: Tensor) -> Tensor:
    """Planes `(…, part, freq, frame)` with their own magnitudes and the phase of `truth`."""
    magnitude = spectrogram.to_complex(planes).abs()
    phase = spectrogram.to_complex(truth).angle().expand_as(magnitude)
    return spectrogram.from_complex(torch.polar(magnitude, phase))


@torch.inference_mode()
def _masks(separator: Separator, mixture: Tensor) -> Tensor:
    """Masks `(source, part, freq, frame)` that the network makes of one mixture `(1, part, freq, frame)`."""
    estimates = separator.separate_spectrogram(mixture)[:, 0]
    return torch.where(mixture[0] == 0, 0.0, estimates / mixture[0])


def _block_energy(waveforms: np.ndarray, size: int) -> np.ndarray:
    """`(signal, sample)` → mean square of each block `(signal, block)`."""
    n_blocks = waveforms.shape[-1] // size
    blocks = waveforms[:, : n_blocks * size].reshape(len(waveforms), n_blocks, size)
    return np.mean(np.square(blocks, dtype=np.float64), axis=-1)


def _two_peaks(low_hz: np.ndarray, high_hz: np.ndarray, phases: np.ndarray, rate: int) -> list[bool]:
    """Whether each pair of tones shows as two peaks in a frame: the bins between fall far enough below both."""
    time_s, window = np.arange(report.N_FFT) / rate, np.hamming(report.N_FFT + 1)[:-1]
    tones = sum(np.cos(2 * np.pi * hz[:, None] * time_s + phase[:, None])
                for hz, phase in zip((low_hz, high_hz), phases.T, strict=True))
    power = np.abs(np.fft.rfft(tones * window)) ** 2                          # (trial, freq)
    bins = [np.rint(hz * report.N_FFT / rate).astype(int) for hz in (low_hz, high_hz)]
    return [right - left >= 2
            and 10 * np.log10(min(each[left], each[right]) / max(each[left + 1 : right].min(), 1e-30)) >= DIP_DB
            for each, left, right in zip(power, *bins, strict=True)]
