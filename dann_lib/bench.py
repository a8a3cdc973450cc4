"""`python -m dann_lib bench`: what a user gets on this machine, as ratios to baselines of the same run.

Each measurement, and each baseline, runs in a process of its own: so its peak memory is its own, and a baseline has
the default settings of PyTorch. Seconds differ from machine to machine and from hour to hour; ratios of processes
that take turns differ much less.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import multiprocessing
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

from dann_lib import report
from dann_lib.config import MODERN, TrainingConfig
from dann_lib.corpus import open_corpus
from dann_lib.errors import DannError
from dann_lib.files import replace_between

MARKS = ("<!-- bench: written by `python -m dann_lib bench --readme README.md` -->", "<!-- end of the bench -->")
SONG_MINUTES = (1, 10, 60)
N_SONGS = (24, 150, 1500)
ROUNDS = 2
"""Times that the processes of a comparison take turns."""


def run(options: argparse.Namespace) -> None:
    """Measure, and print a line each; write the table into a README if asked to."""
    results = {"machine": machine(options.precision)}
    if not options.json:
        print(results["machine"]["text"], flush=True)
    for name in options.only or MEASUREMENTS:
        measure, aim = MEASUREMENTS[name]
        results[name] = measure(options)
        if not options.json:
            print(f"{name + ':':13}{results[name]['text']}" + (aim and f"   (aim: {aim})"), flush=True)
    if options.json:
        print(json.dumps(results))
    if options.readme:
        head = [f"*{results.pop('machine')['text']}.*", "", "| `bench` | measured |", "|---|---|"]
        rows = [f"| {name} | {result['text']} |" for name, result in results.items()]
        replace_between(options.readme, MARKS, "\n".join(head + rows))


def machine(precision: str | None = None) -> dict[str, Any]:
    """The processor, what it knows that matters here, and what is chosen on it."""
    import torch

    from dann_lib.devices import choose_precision

    told = dict(re.findall(r"^(model name|flags)\s*: (.*)$", _text("/proc/cpuinfo"), re.MULTILINE))
    flags = told.get("flags", "").split()
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    facts = {"processor": told.get("model name") or platform.processor() or platform.machine(), "instructions": known,
             "capability": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads(),
             "precision": precision or choose_precision(torch.device("cpu")), "system": platform.system(),
             "torch": torch.__version__}
    return {**facts, "text": f"{facts['processor']}, {', '.join(known) or 'no special instructions'}, "
            f"{facts['threads']} threads, {facts['precision']}, {facts['system']}, torch {facts['torch']}"}


def measure_step(options: argparse.Namespace) -> dict[str, Any]:
    """A training step at the report's batch size, against the same in plain float32 eager PyTorch.

    Also its rate in floating-point operations, as a share of that of matrix products in the same precision.
    """
    precision = machine(options.precision)["precision"]
    ours, plain = _take_turns((_steps, precision, options.runs), (_steps, None, options.runs))
    step, rate = ours["seconds"], ours["operations"] / ours["seconds"]
    ratio, share = plain["seconds"] / step, rate / ours["matrix_rate"]
    scaling = _in_a_process(_steps, precision, 1, threads=1)["seconds"] / step
    return {"precision": precision, "step_s": step, "plain_s": plain["seconds"], "ratio": ratio, "rate": rate,
            "share": share, "peak_mb": ours["peak_mb"], "scaling": scaling,
            "text": f"a training step {ratio:.1f} x as fast as plain PyTorch in float32 ({step:.2f} s for a batch "
            f"of {report.BATCH_SIZE}, {precision}), {100 * share:.0f} % of the rate of matrix products; "
            f"{scaling:.1f} x with {ours['threads']} threads in place of 1; peak {ours['peak_mb']:.0f} MB"}


def measure_separation(options: argparse.Namespace) -> dict[str, Any]:
    """From a 44.1 kHz stereo file to four stem files, against the length of the song."""
    seconds = options.song_seconds
    found = _in_a_process(_separate, seconds, options.runs, options.precision)
    speed = seconds / found["seconds"]
    scaling = _in_a_process(_separate, seconds, 1, options.precision, threads=1)["seconds"] / found["seconds"]
    return {**found, "times_real_time": speed, "scaling": scaling,
            "text": f"separation {speed:.0f} x real time, {seconds:.0f} s of 44.1 kHz stereo, from a file to four; "
            f"{scaling:.1f} x with {found['threads']} threads for the network in place of 1; "
            f"peak {found['peak_mb']:.0f} MB"}


def measure_command(options: argparse.Namespace) -> dict[str, Any]:
    """The command line from its start to its end: its help, and a song of 11 s as an MP3 file."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.mp3"
        soundfile.write(song, _noise(11.0), report.SONG_RATE)
        commands = {"separate_s": ["-m", "dann_lib", "separate", str(song), "--out", folder],
                    "help_s": ["-m", "dann_lib", "--help"], "import_torch_s": ["-c", "import torch"]}
        found = _medians(options.runs, **{
            name: partial(subprocess.run, [sys.executable, *words], check=True, capture_output=True)
            for name, words in commands.items()})
    return {**found, "text": f"`separate` of an MP3 file of 11 s takes {found['separate_s']:.1f} s, "
            f"{found['import_torch_s']:.1f} s of them to import PyTorch; `--help` {found['help_s']:.1f} s"}


def measure_preparation(options: argparse.Namespace) -> dict[str, Any]:
    """Preparing some songs against reading the same songs through musdb one by one."""
    ours, musdb = _take_turns((_prepare, options.corpus), (_prepare, options.corpus, True))
    ratio = musdb["seconds"] / ours["seconds"]
    return {"seconds": ours["seconds"], "musdb_s": musdb["seconds"], "ratio": ratio,
            "text": f"preparing {ours['songs']} songs {ratio:.1f} x as fast as reading them through musdb"}


def measure_song_length(options: argparse.Namespace) -> dict[str, Any]:
    """How time and memory of `separate` grow with the length of the song."""
    rows = {minutes: _in_a_process(_separate, 60.0 * minutes, 1, options.precision) for minutes in SONG_MINUTES}
    text = "; ".join(f"{minutes} min: {row['seconds']:.1f} s, {row['peak_mb']:.0f} MB" for minutes, row in rows.items())
    return {"minutes": rows, "text": f"songs of {text}"}


def measure_corpus_size(options: argparse.Namespace) -> dict[str, Any]:
    """How opening, memory and the first batch grow with the number of prepared songs (links to the same songs)."""
    rows = {}
    for n_songs in N_SONGS:
        with tempfile.TemporaryDirectory() as folder:
            root, cache = _part_of(options.corpus, Path(folder), n_songs), Path(folder) / "cache"
            _in_a_process(_open, root, cache)  # prepares the songs
            rows[n_songs] = _in_a_process(_open, root, cache)
    text = "; ".join(f"{n_songs}: opened in {1000 * row['seconds']:.0f} ms, first batch {1000 * row['batch_s']:.0f} "
                     f"ms, {row['peak_mb'] - row['before_mb']:.0f} MB more" for n_songs, row in rows.items())
    return {"songs": rows, "text": f"prepared songs, {text}"}


MEASUREMENTS: dict[str, tuple[Callable[[argparse.Namespace], dict[str, Any]], str]] = {
    "step": (measure_step, "at least 2.3 x plain PyTorch in float32"),
    "loop": (lambda options: _in_a_process(_loop, options.corpus, options.precision, options.runs), "at least 85 %"),
    "separation": (measure_separation, "at least 100 x real time, under 700 MB"),
    "command": (measure_command, "under 3 s"),
    "preparation": (measure_preparation, ""),
    "opening": (lambda options: _in_a_process(_open, options.corpus), "under 0.5 s"),
    "song-length": (measure_song_length, ""),
    "corpus-size": (measure_corpus_size, ""),
}
"""What measures, and what it should reach on two cores, with AVX2 and without bfloat16."""


def _steps(precision: str | None, runs: int) -> dict[str, Any]:
    """Training steps as `train` does them, or in plain PyTorch if `precision` is None."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from dann_lib.baselines import build
    from dann_lib.devices import keep_freed_memory, memory_format
    from dann_lib.reproduce.measuring import training_step

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
    times = _medians(runs, step=step, products=products)
    return {"seconds": times["step"], "operations": counter.get_total_flops(),
            "matrix_rate": 10 * 2 * 2048**3 / times["products"], "threads": torch.get_num_threads()}


def _loop(corpus: str, precision: str | None, runs: int) -> dict[str, Any]:
    """The updates of `train`, with reading, remixing, STFT and checkpoints, against the bare step on one batch."""
    from dann_lib.batches import pretreat
    from dann_lib.devices import make_accelerator
    from dann_lib.training import Trainer

    config = dataclasses.replace(MODERN, epochs=runs + 1)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(open_corpus(corpus, progress=False), config, Path(folder), make_accelerator("cpu", precision))
        batch = next(iter(trainer.chunks.at_random(config, 0)))
        planes = pretreat(batch.waveforms, config.gain)
        n_updates = -(-len(trainer.chunks) // config.batch_size)

        def loop() -> None:
            trainer.learn()
            trainer.save()

        def bare() -> None:
            for _ in range(n_updates):
                trainer.accelerator.backward(trainer.loss_of(*planes, len(batch.waveforms)))
                trainer.optimizer.step()
                trainer.optimizer.zero_grad()

        times = _medians(runs, loop=loop, bare=bare)
    loop_s, bare_s = times["loop"] / n_updates, times["bare"] / n_updates
    return {"loop_s": loop_s, "bare_s": bare_s, "share": bare_s / loop_s,
            "text": f"`train` makes {100 * bare_s / loop_s:.0f} % of the updates of the bare step ({loop_s:.2f} s an "
            f"update of {len(batch.waveforms)} remixed chunks); peak {peak_memory() / 1e6:.0f} MB"}


def _separate(song_seconds: float, runs: int, precision: str | None) -> dict[str, Any]:
    """A file of noise to the files of its stems."""
    import torch

    from dann_lib.audio.stems import separate_file
    from dann_lib.baselines import build
    from dann_lib.separation import Separator

    separator = Separator.of(build("dann"), TrainingConfig(), "cpu", precision)
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        with soundfile.SoundFile(song, "w", report.SONG_RATE, 2) as file:
            for start in range(0, int(song_seconds), 60):
                file.write(_noise(min(60.0, song_seconds - start)))
        separate = partial(separate_file, song, Path(folder) / "stems", separator, progress=False)
        return {**_medians(runs, warm_up=song_seconds <= 600, seconds=separate), "threads": torch.get_num_threads()}


def _prepare(corpus: str, through_musdb: bool = False) -> dict[str, Any]:
    """Preparing some songs, or reading them through musdb; both for the second time."""
    with tempfile.TemporaryDirectory() as folder:
        part = _part_of(corpus, Path(folder))
        opened = open_corpus(part, cache=Path(folder) / "first", progress=False)
        if not through_musdb:
            again = partial(open_corpus, part, cache=Path(folder) / "second", progress=False)
            return {**_medians(1, warm_up=False, seconds=again), "songs": len(opened.tracks)}
        songs = opened.as_musdb()

        def read() -> None:
            for song in songs:
                for signal in (song, *(song.sources[stem] for stem in report.STEMS)):
                    signal.audio  # noqa: B018 (reading is the work)

        return _medians(1, seconds=read)


def _open(root: Path | str, cache: Path | None = None) -> dict[str, Any]:
    """Opening a prepared corpus, and its first batch."""
    from dann_lib.batches import Chunks

    before = peak_memory() / 1e6
    found = _medians(3, seconds=partial(open_corpus, root, cache=cache, progress=False))
    opened = open_corpus(root, cache=cache, progress=False)
    chunks = Chunks(opened.select("train")).at_random(MODERN, 0)
    found |= _medians(1, warm_up=False, batch_s=lambda: next(iter(chunks)))
    return {**found, "songs": len(opened.tracks), "before_mb": before,
            "text": f"opening {len(opened.tracks)} prepared songs {1000 * found['seconds']:.0f} ms"}


def _part_of(corpus: str, folder: Path, n_songs: int = 8) -> Path:
    """A corpus of links to the songs of another one, again and again until there are enough."""
    whole, part = open_corpus(corpus, progress=False), folder / "part"
    for number, track in zip(range(n_songs), itertools.cycle(whole.tracks), strict=False):
        link = part / track.path.relative_to(whole.root)
        if number >= len(whole.tracks):
            link = link.with_name(f"{number} {link.name}")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(track.path, target_is_directory=track.path.is_dir())
    return part


def _take_turns(*tasks: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Run tasks in processes of their own, in turn; of each the fastest result."""
    results = [[_in_a_process(*task) for task in tasks] for _ in range(ROUNDS)]
    return [min(of_one, key=lambda result: result["seconds"]) for of_one in zip(*results, strict=True)]


def _in_a_process(function: Callable[..., dict], *arguments: Any, threads: int | None = None) -> dict[str, Any]:
    """Run a function in a fresh process, and add its peak memory."""
    before = (os.putenv, ("OMP_NUM_THREADS", str(threads))) if threads else ()  # PyTorch, not yet imported, reads it
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), *before) as pool:
        try:
            return {**pool.submit(function, *arguments).result(), "peak_mb": pool.submit(peak_memory).result() / 1e6}
        except BrokenProcessPool:
            raise DannError(f"{function.__name__} ended without a result; is there enough memory?") from None


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes.

    Linux also tells it through `getrusage`, but counts the parent's memory in, as it was when the process began.
    """
    if peak := re.search(r"^VmHWM:\s*(\d+)", _text("/proc/self/status"), re.MULTILINE):
        return int(peak[1]) * 1024
    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):
        return memory.peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)


def _medians(runs: int, *, warm_up: bool = True, **tasks: Callable[[], Any]) -> dict[str, float]:
    """Median seconds of each task over `runs` rounds, the tasks in turn, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(runs + warm_up):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each[warm_up:]) for name, each in times.items()}


def _noise(seconds: float) -> np.ndarray:
    """Stereo noise `(sample, channel)` at 44.1 kHz."""
    return (0.1 * np.random.default_rng(0).standard_normal((int(seconds * report.SONG_RATE), 2))).astype(np.float32)


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""
