"""`python -m dann_lib bench`: what a user gets on this machine, as ratios to baselines of the same run.

Each measurement, and each baseline, runs in a process of its own: so its peak memory is its own, and a baseline has
the default settings of PyTorch. Seconds differ from machine to machine and from hour to hour; ratios of processes
that take turns differ much less.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from dann_lib import report
from dann_lib.errors import DannError
from dann_lib.files import replace_between

AIMS = {"step": "at least 2.3 x plain PyTorch in float32", "loop": "at least 85 %",
        "separation": "at least 100 x real time, under 700 MB", "command": "under 3 s", "opening": "under 0.5 s"}
"""What each measurement should reach on two cores, with AVX2 and without bfloat16."""

MARKS = ("<!-- bench: written by `python -m dann_lib bench --readme README.md` -->", "<!-- end of the bench -->")
SONG_MINUTES = (1, 10, 60)
N_SONGS = (24, 150, 1500)
ROUNDS = 2
"""Times that the processes of a comparison take turns."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `python -m dann_lib bench`."""
    parser.add_argument("--only", action="append", choices=sorted(MEASUREMENTS), help="may be repeated (default: all)")
    parser.add_argument("--corpus", default="synthetic", help="songs to learn from, to prepare and to open")
    parser.add_argument("--song-seconds", type=float, default=240.0, help="length of the song that is separated")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each process; medians are printed")
    parser.add_argument("--precision", choices=("bf16", "float32"), help="(default: bf16 where the hardware has it)")
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of sentences")
    parser.add_argument("--readme", type=Path, metavar="FILE",
                        help="also write the table between the marks of the bench into this file")


def run(options: argparse.Namespace) -> int:
    """Measure, and print a line each; write the table into a README if asked to."""
    results: dict[str, Any] = {"machine": machine(options.precision)}
    _tell(options, results["machine"]["text"])
    for name in options.only or MEASUREMENTS:
        results[name] = MEASUREMENTS[name](options)
        aim = f"   (aim: {AIMS[name]})" if name in AIMS else ""
        _tell(options, f"{name + ':':13}{results[name]['text']}{aim}")
    if options.json:
        print(json.dumps(results))
    if options.readme:
        replace_between(options.readme, MARKS, table(results))
    return 0


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table, the machine above it."""
    rows = [f"| {name} | {result['text']} |" for name, result in results.items() if name != "machine"]
    head = ["| `bench` | measured |", "|---|---|"]
    return "\n".join([f"*{results['machine']['text']}.*", "", *head, *rows])


def machine(precision: str | None = None) -> dict[str, Any]:
    """The processor, what it knows that matters here, and what is chosen on it."""
    import torch

    from dann_lib.devices import choose_precision

    chosen = precision or choose_precision(torch.device("cpu"))
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    flags = " ".join(line for line in _lines("/proc/cpuinfo") if line.startswith("flags")).split()
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    facts = {"processor": names[0] if names else platform.processor() or platform.machine(), "instructions": known,
             "capability": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads(),
             "precision": chosen, "system": platform.system(), "torch": torch.__version__}
    return {**facts, "text": f"{facts['processor']}, {', '.join(known) or 'no special instructions'}, "
                             f"{facts['threads']} threads, {chosen}, {facts['system']}, torch {facts['torch']}"}


def measure_step(options: argparse.Namespace) -> dict[str, Any]:
    """A training step at the report's batch size, against the same in plain float32 eager PyTorch.

    Also its rate in floating-point operations, as a share of that of matrix products in the same precision.
    """
    precision = machine(options.precision)["precision"]
    ours, plain = _take_turns((_steps, precision, options.runs), (_steps, None, options.runs))
    one_thread = _in_a_process(_steps, precision, 1, threads=1)
    step, ratio = ours["seconds"], plain["seconds"] / ours["seconds"]
    rate, n_threads = ours["operations"] / step, ours["threads"]
    return {"precision": precision, "step_s": step, "plain_s": plain["seconds"], "ratio": ratio, "rate": rate,
            "share": rate / ours["matrix_rate"], "peak_mb": ours["peak_mb"],
            "scaling": one_thread["seconds"] / step,
            "text": f"a training step {ratio:.1f} x as fast as plain PyTorch in float32 ({step:.2f} s for a batch "
                    f"of {report.BATCH_SIZE}, {precision}), {100 * rate / ours['matrix_rate']:.0f} % of the rate of "
                    f"matrix products; {one_thread['seconds'] / step:.1f} x with {n_threads} threads in place of 1; "
                    f"peak {ours['peak_mb']:.0f} MB"}


def measure_loop(options: argparse.Namespace) -> dict[str, Any]:
    """The updates of `train`, with reading, remixing, STFT and checkpoints, against the bare step on one batch."""
    found = _in_a_process(_loop, options.corpus, options.precision, options.runs)
    share = found["bare_s"] / found["loop_s"]
    return {**found, "share": share,
            "text": f"`train` makes {100 * share:.0f} % of the updates of the bare step ({found['loop_s']:.2f} s an "
                    f"update of {found['chunks']} remixed chunks); peak {found['peak_mb']:.0f} MB"}


def measure_separation(options: argparse.Namespace) -> dict[str, Any]:
    """From a 44.1 kHz stereo file to four stem files, against the length of the song."""
    every = _in_a_process(_separate, options.song_seconds, options.runs, options.precision)
    one = _in_a_process(_separate, options.song_seconds, 1, options.precision, threads=1)
    speed = options.song_seconds / every["seconds"]
    return {**every, "times_real_time": speed, "scaling": one["seconds"] / every["seconds"],
            "text": f"separation {speed:.0f} x real time, {options.song_seconds:.0f} s of 44.1 kHz stereo, from a file "
                    f"to four; {one['seconds'] / every['seconds']:.1f} x with {every['threads']} threads "
                    f"for the network in place of 1; peak {every['peak_mb']:.0f} MB"}


def measure_preparation(options: argparse.Namespace) -> dict[str, Any]:
    """Preparing some songs against reading the same songs through musdb one by one."""
    ours, musdb = _take_turns((_prepare, options.corpus), (_read_through_musdb, options.corpus))
    ratio = musdb["seconds"] / ours["seconds"]
    return {"seconds": ours["seconds"], "musdb_s": musdb["seconds"], "ratio": ratio,
            "text": f"preparing {ours['songs']} songs {ratio:.1f} x as fast as reading them through musdb"}


def measure_opening(options: argparse.Namespace) -> dict[str, Any]:
    """Opening a corpus that is prepared, and its first batch."""
    found = _in_a_process(_open, options.corpus)
    return {**found, "text": f"opening {found['songs']} prepared songs {1000 * found['seconds']:.0f} ms"}


def measure_command(options: argparse.Namespace) -> dict[str, Any]:
    """The command line from its start to its end: its help, and a song of 11 s as an MP3 file."""
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.mp3"
        soundfile.write(song, _noise(11.0), report.SONG_RATE)
        commands = {"separate": ["separate", str(song), "--out", folder], "help": ["--help"],
                    "torch": ["-c", "import torch"]}
        times = {name: [] for name in commands}
        for round_number in range(options.runs + 1):
            for name, words in commands.items():
                start = time.perf_counter()
                module = [] if name == "torch" else ["-m", "dann_lib"]
                subprocess.run([sys.executable, *module, *words], check=True, capture_output=True)
                times[name] += [time.perf_counter() - start] if round_number else []
    separate, help_s, torch_s = (statistics.median(times[name]) for name in commands)
    return {"separate_s": separate, "help_s": help_s, "import_torch_s": torch_s,
            "text": f"`separate` of an MP3 file of 11 s takes {separate:.1f} s, {torch_s:.1f} s of them to "
                    f"import PyTorch; `--help` {help_s:.1f} s"}


def measure_song_length(options: argparse.Namespace) -> dict[str, Any]:
    """How time and memory of `separate` grow with the length of the song."""
    rows = {minutes: _in_a_process(_separate, 60.0 * minutes, 1, options.precision) for minutes in SONG_MINUTES}
    text = "; ".join(f"{minutes} min: {row['seconds']:.1f} s, {row['peak_mb']:.0f} MB" for minutes, row in rows.items())
    return {"minutes": rows, "text": f"songs of {text}"}


def measure_corpus_size(options: argparse.Namespace) -> dict[str, Any]:
    """How opening, memory and the first batch grow with the number of prepared songs (links to the same songs)."""
    rows = {n_songs: _in_a_process(_open, options.corpus, n_songs) for n_songs in N_SONGS}
    text = "; ".join(f"{n_songs}: opened in {1000 * row['seconds']:.0f} ms, first batch {1000 * row['batch_s']:.0f} "
                     f"ms, {row['peak_mb'] - row['before_mb']:.0f} MB more" for n_songs, row in rows.items())
    return {"songs": rows, "text": f"prepared songs, {text}"}


MEASUREMENTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "step": measure_step, "loop": measure_loop, "separation": measure_separation, "command": measure_command,
    "preparation": measure_preparation, "opening": measure_opening, "song-length": measure_song_length,
    "corpus-size": measure_corpus_size,
}


def _steps(precision: str | None, runs: int) -> dict[str, Any]:
    """In a process of its own: training steps as `train` does them, or in plain PyTorch if `precision` is None."""
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
    type_ = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(2048, 2048).to(type_) for _ in range(2))

    def products() -> None:
        for _ in range(10):
            left @ right

    with FlopCounterMode(display=False) as counter:
        step()
    times = _alternate({"step": step, "products": products}, runs)
    return {"seconds": statistics.median(times["step"]), "operations": counter.get_total_flops(),
            "matrix_rate": 10 * 2 * 2048**3 / statistics.median(times["products"]), "threads": torch.get_num_threads()}


def _loop(corpus: str, precision: str | None, runs: int) -> dict[str, Any]:
    """In a process of its own: epochs of today's training, each followed by as many bare steps on one batch."""
    from dann_lib.batches import pretreat
    from dann_lib.config import MODERN
    from dann_lib.corpus import open_corpus
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

        times = _alternate({"loop": loop, "bare": bare}, runs)
    return {name + "_s": statistics.median(values) / n_updates for name, values in times.items()} | {
        "chunks": len(batch.waveforms)}


def _separate(song_seconds: float, runs: int, precision: str | None) -> dict[str, Any]:
    """In a process of its own: a file of noise to the files of its stems."""
    import soundfile
    import torch

    from dann_lib.audio.stems import separate_file
    from dann_lib.baselines import build
    from dann_lib.config import TrainingConfig
    from dann_lib.separation import Separator

    separator = Separator.of(build("dann"), TrainingConfig(), "cpu", precision)
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        with soundfile.SoundFile(song, "w", report.SONG_RATE, 2) as file:
            for start in range(0, int(song_seconds), 60):
                file.write(_noise(min(60.0, song_seconds - start)))
        times = _alternate(
            {"ours": lambda: separate_file(song, Path(folder) / "stems", separator, progress=False)}, runs,
            warm_up=song_seconds <= 600)["ours"]
    return {"seconds": statistics.median(times), "threads": torch.get_num_threads()}


def _prepare(corpus: str) -> dict[str, Any]:
    """In a process of its own: preparing some songs."""
    from dann_lib.corpus import open_corpus

    with tempfile.TemporaryDirectory() as folder:
        part = _part_of(corpus, Path(folder))
        n_songs = len(open_corpus(part, cache=Path(folder) / "first", progress=False).tracks)
        start = time.perf_counter()
        open_corpus(part, cache=Path(folder) / "second", progress=False)
        return {"seconds": time.perf_counter() - start, "songs": n_songs}


def _read_through_musdb(corpus: str) -> dict[str, Any]:
    """In a process of its own: the same songs, read by musdb."""
    from dann_lib.corpus import open_corpus

    with tempfile.TemporaryDirectory() as folder:
        part = _part_of(corpus, Path(folder))
        songs = open_corpus(part, cache=Path(folder) / "cache", progress=False).as_musdb()

        def read() -> None:
            for song in songs:
                for signal in (song, *(song.sources[stem] for stem in report.STEMS)):
                    signal.audio  # noqa: B018 (reading is the work)

        return {"seconds": _alternate({"musdb": read}, 1)["musdb"][0]}


def _part_of(corpus: str, folder: Path, n_songs: int = 8) -> Path:
    """A corpus of links to the songs of another one, again and again until there are enough."""
    from dann_lib.corpus import open_corpus

    whole, part = open_corpus(corpus, progress=False), folder / "part"
    for number in range(n_songs):
        track = whole.tracks[number % len(whole.tracks)]
        place = track.path.relative_to(whole.root)
        link = part / place if number < len(whole.tracks) else part / place.parent / f"{number} {place.name}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(track.path, target_is_directory=track.path.is_dir())
    return part


def _open(corpus: str, n_songs: int | None = None) -> dict[str, Any]:
    """In a process of its own: opening a prepared corpus, or one of so many links to its songs, and its first batch."""
    from dann_lib.batches import Chunks
    from dann_lib.config import MODERN
    from dann_lib.corpus import open_corpus

    with tempfile.TemporaryDirectory() as folder:
        root, cache = corpus, None
        if n_songs is not None:
            root, cache = _part_of(corpus, Path(folder), n_songs), Path(folder) / "cache"
            _in_a_process(_open_once, root, cache)
        before = peak_memory() / 1e6
        times = _alternate({"open": lambda: open_corpus(root, cache=cache, progress=False)}, 3)["open"]
        opened = open_corpus(root, cache=cache, progress=False)
        start = time.perf_counter()
        next(iter(Chunks(opened.select("train")).at_random(MODERN, 0)))
        return {"seconds": statistics.median(times), "songs": len(opened.tracks), "before_mb": before,
                "batch_s": time.perf_counter() - start}


def _open_once(root: Path, cache: Path) -> dict[str, Any]:
    from dann_lib.corpus import open_corpus

    open_corpus(root, cache=cache, progress=False)
    return {}


def _take_turns(*tasks: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Run tasks in processes of their own, in turn; of each the result with the median time."""
    results = [[_in_a_process(*task) for task in tasks] for _ in range(ROUNDS)]
    return [min(of_one, key=lambda result: result["seconds"]) for of_one in zip(*results, strict=True)]


def _in_a_process(
    function: Callable[..., dict[str, Any]], *arguments: Any, threads: int | None = None
) -> dict[str, Any]:
    """Run a function in a fresh process, and add its peak memory."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, function, arguments))
    before = os.environ.get("OMP_NUM_THREADS")
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    try:
        process.start()
    finally:
        os.environ.pop("OMP_NUM_THREADS", None)
        os.environ.update({"OMP_NUM_THREADS": before} if before is not None else {})
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        raise DannError(f"{function.__name__} ended without a result; is there enough memory?") from None
    finally:
        process.join()
    if "error" in result:
        raise DannError(result["error"])
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
    peak = next((line for line in _lines("/proc/self/status") if line.startswith("VmHWM")), None)
    if peak is not None:
        return int(peak.split()[1]) * 1024
    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):
        return memory.peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)


def _alternate(
    tasks: dict[str, Callable[[], Any]], runs: int, warm_up: bool = True
) -> dict[str, list[float]]:
    """Seconds of each task over `runs` rounds, the tasks in turn, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for round_number in range(runs + warm_up):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if round_number >= warm_up:
                times[name].append(time.perf_counter() - start)
    return times


def _noise(seconds: float) -> np.ndarray:
    """Stereo noise `(sample, channel)` at 44.1 kHz."""
    return (0.1 * np.random.default_rng(0).standard_normal((int(seconds * report.SONG_RATE), 2))).astype(np.float32)


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _tell(options: argparse.Namespace, sentence: str) -> None:
    if not options.json:
        print(sentence, flush=True)
