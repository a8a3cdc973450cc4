"""`python -m dann_lib bench`: ratios of this machine, each against a baseline of the same run.

Each measurement runs in a process of its own, so that its peak memory is its own. Seconds differ from
machine to machine and from hour to hour; ratios of alternating runs differ much less.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from dann_lib import report
from dann_lib.errors import DannError
from dann_lib.files import atomic_write

AIMS = {"step": "at least 2x plain", "separation": "at least 100x real time", "preparation": "at least 2x musdb",
        "opening": "under 0.5 s"}
"""What each measurement should reach on two cores."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `python -m dann_lib bench`."""
    parser.add_argument("--only", action="append", choices=sorted(MEASUREMENTS), help="may be repeated (default: all)")
    parser.add_argument("--peer", action="append", default=[], choices=sorted(PEERS),
                        help="separate the same audio with another project's network; may be repeated")
    parser.add_argument("--corpus", default="synthetic", help="songs to prepare and to open")
    parser.add_argument("--song-seconds", type=float, default=240.0, help="length of the song that is separated")
    parser.add_argument("--runs", type=int, default=5, help="counted runs; the median is printed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")


def run(options: argparse.Namespace) -> int:
    """Measure, print a line each, and write the JSON file if asked to.

    Raises:
        OutputError: if the JSON file cannot be written.
    """
    tasks: dict[str, tuple[Callable[..., dict[str, Any]], tuple[Any, ...]]] = {
        name: (MEASUREMENTS[name], (options,)) for name in options.only or MEASUREMENTS
    }
    tasks |= {f"peer {name}": (_peer, (name, options)) for name in options.peer}
    results: dict[str, Any] = {"machine": _machine()}
    print(results["machine"]["text"])
    for name, (function, arguments) in tasks.items():
        results[name] = _in_a_process(function, *arguments)
        aim = f"   (aim: {AIMS[name]})" if name in AIMS else ""
        print(f"{name + ':':18}{results[name]['text']}{aim}", flush=True)
    if options.json:
        with atomic_write(options.json) as temporary:
            temporary.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def measure_step(options: argparse.Namespace) -> dict[str, Any]:
    """A training step as `training` does it against the same network in plain float32 eager PyTorch.

    Also the rate in floating-point operations, against that of a matrix multiplication in the same precision.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from dann_lib.baselines import build
    from dann_lib.devices import choose_precision
    from dann_lib.training import l1_loss

    precision = choose_precision(torch.device("cpu"))
    mixture = torch.randn(report.BATCH_SIZE, 2, report.N_BINS, report.N_FRAMES)
    sources = torch.randn(report.BATCH_SIZE, len(report.SOURCES), 2, report.N_BINS, report.N_FRAMES)

    def stepper(ours: bool) -> Callable[[], None]:
        torch.manual_seed(0)
        network = build("dann")
        network = network.to(memory_format=torch.channels_last) if ours else network
        inputs = mixture.contiguous(memory_format=torch.channels_last) if ours else mixture
        optimizer = torch.optim.SGD(network.parameters(), lr=report.LEARNING_RATE, momentum=report.MOMENTUM)

        def step() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=ours and precision == "bf16"):
                masks = network(inputs)
            l1_loss(masks.float(), mixture, sources).backward()
            optimizer.step()
            optimizer.zero_grad()

        return step

    plain, ours = stepper(ours=False), stepper(ours=True)
    with FlopCounterMode(display=False) as counter:
        plain()
    times = _alternate({"plain": plain, "ours": ours}, options.runs)
    ratio = statistics.median(a / b for a, b in zip(times["plain"], times["ours"], strict=True))
    step_s, operations = statistics.median(times["ours"]), counter.get_total_flops()
    peak = _matrix_rate(torch.bfloat16 if precision == "bf16" else torch.float32)
    return {
        "precision": precision, "step_s": step_s, "plain_s": statistics.median(times["plain"]), "ratio": ratio,
        "operations": operations, "rate": operations / step_s, "matrix_rate": peak,
        "fraction": operations / step_s / peak,
        "text": f"{ratio:.2f}x plain float32 ({precision}, {step_s:.2f} s a batch of {report.BATCH_SIZE}); "
                f"{operations / step_s / 1e9:.0f} GFLOP/s, {100 * operations / step_s / peak:.0f} % of matrix products",
    }


def measure_separation(options: argparse.Namespace) -> dict[str, Any]:
    """From a 44.1 kHz stereo file to four stem files, against the length of the song."""
    from dann_lib.audio.stems import separate_file
    from dann_lib.baselines import build
    from dann_lib.config import TrainingConfig
    from dann_lib.separation import Separator

    separator = Separator.of(build("dann"), TrainingConfig(), "cpu")
    with tempfile.TemporaryDirectory() as folder:
        song = _noise_file(Path(folder) / "song.wav", options.song_seconds)
        times = _alternate(
            {"ours": lambda: separate_file(song, Path(folder) / "stems", separator, progress=False)}, options.runs
        )["ours"]
    speed = options.song_seconds / statistics.median(times)
    return {"seconds": statistics.median(times), "times_real_time": speed, "precision": separator.precision,
            "text": f"{speed:.0f}x real time, file to files, {options.song_seconds:.0f} s at 44.1 kHz stereo"}


def measure_preparation(options: argparse.Namespace) -> dict[str, Any]:
    """Preparing some songs against reading the same songs through musdb one by one."""
    from dann_lib.corpus import open_corpus

    corpus = open_corpus(options.corpus, progress=False)
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part"
        for track in corpus.tracks[:6] + corpus.tracks[-2:]:
            link = part / track.path.relative_to(corpus.root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(track.path, target_is_directory=track.path.is_dir())
        songs = open_corpus(part, cache=Path(folder) / "first", progress=False).as_musdb()

        def through_musdb() -> None:
            for song in songs:
                for signal in (song, *(song.sources[stem] for stem in report.STEMS)):
                    signal.audio  # noqa: B018 (reading is the work)

        def ours() -> None:
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                open_corpus(part, cache=Path(cache), progress=False)

        times = _alternate({"musdb": through_musdb, "ours": ours}, min(options.runs, 3))
    ratio = statistics.median(a / b for a, b in zip(times["musdb"], times["ours"], strict=True))
    return {"songs": len(songs), "seconds": statistics.median(times["ours"]),
            "musdb_s": statistics.median(times["musdb"]), "ratio": ratio,
            "text": f"{ratio:.1f}x musdb one by one ({len(songs)} songs of {corpus.name})"}


def measure_opening(options: argparse.Namespace) -> dict[str, Any]:
    """Opening a corpus that is prepared."""
    from dann_lib.corpus import open_corpus

    n_songs = len(open_corpus(options.corpus, progress=False).tracks)
    times = _alternate({"ours": lambda: open_corpus(options.corpus, progress=False)}, options.runs)["ours"]
    seconds = statistics.median(times)
    return {"seconds": seconds, "songs": n_songs, "text": f"{seconds:.3f} s for {n_songs} prepared songs"}


MEASUREMENTS = {"step": measure_step, "separation": measure_separation, "preparation": measure_preparation,
                "opening": measure_opening}


def _openunmix() -> Callable[[np.ndarray], Any]:
    import torch
    from openunmix.model import OpenUnmix, Separator

    targets = {name: OpenUnmix(nb_bins=2049, nb_channels=2, hidden_size=512) for name in report.STEMS}
    separator = Separator(target_models=targets, niter=1, n_fft=4096, n_hop=1024, sample_rate=report.SONG_RATE).eval()
    return lambda song: separator(torch.from_numpy(song.T)[None])


def _demucs() -> Callable[[np.ndarray], Any]:
    import torch
    from demucs.apply import apply_model
    from demucs.htdemucs import HTDemucs

    model = HTDemucs(sources=list(report.STEMS)).eval()
    return lambda song: apply_model(model, torch.from_numpy(song.T)[None], shifts=0)


PEERS = {"openunmix": _openunmix, "demucs": _demucs}


def _peer(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Another project's network, with random weights, on the same audio in memory."""
    import torch

    seconds = min(options.song_seconds, 60.0)
    try:
        separate = PEERS[name]()
    except Exception as error:  # whatever keeps another project from importing is the reason to print
        reason = f"{type(error).__name__}: {error}"
        return {"reason": reason, "text": f"not measured, since {name} cannot be used here ({reason})"}
    song = _noise(seconds)
    with torch.inference_mode():
        start = time.perf_counter()
        separate(song)
        elapsed = time.perf_counter() - start
    return {"seconds": elapsed, "times_real_time": seconds / elapsed,
            "text": f"{seconds / elapsed:.1f}x real time, array to arrays, random weights"}


def _in_a_process(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Run a measurement in a fresh process, and add its peak memory."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        raise DannError(f"{function.__name__} ended without a result; is there enough memory?") from None
    finally:
        process.join()
    if "error" in result:
        raise DannError(result["error"])
    result["text"] += f"; peak {result['peak_mb']:.0f} MB"
    return result


def _child(sender: Any, function: Callable[..., dict[str, Any]], arguments: tuple[Any, ...]) -> None:
    try:
        result = function(*arguments)
        result["peak_mb"] = peak_memory() / 1e6
    except DannError as error:
        result = {"error": str(error)}
    sender.send(result)


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes.

    Linux also tells it through `getrusage`, but counts the parent's memory in, as it was when the process began.
    """
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024
    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):
        return memory.peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)


def _alternate(tasks: dict[str, Callable[[], Any]], runs: int) -> dict[str, list[float]]:
    """Seconds of each task over `runs` rounds, the tasks in turn, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for round_number in range(runs + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if round_number:
                times[name].append(time.perf_counter() - start)
    return times


def _matrix_rate(dtype: Any, size: int = 2048) -> float:
    """Floating-point operations per second of a matrix product of this machine, the best of some."""
    import torch

    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    times = _alternate({"product": lambda: left @ right}, 10)["product"]
    return 2 * size**3 / min(times)


def _noise(seconds: float) -> np.ndarray:
    """Stereo noise `(sample, channel)` at 44.1 kHz."""
    return (0.1 * np.random.default_rng(0).standard_normal((int(seconds * report.SONG_RATE), 2))).astype(np.float32)


def _noise_file(path: Path, seconds: float) -> Path:
    import soundfile

    soundfile.write(path, _noise(seconds), report.SONG_RATE)
    return path


def _machine() -> dict[str, Any]:
    import torch

    processors = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    return {"processors": processors, "system": platform.system(), "torch": torch.__version__,
            "text": f"{processors} processors, {platform.system()} {platform.machine()}, torch {torch.__version__}, "
                    f"{torch.get_num_threads()} threads"}
