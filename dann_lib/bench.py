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
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from dann_lib import report
from dann_lib.config import MODERN
from dann_lib.corpus import open_corpus
from dann_lib.files import replace_between, shipped_weights
from dann_lib.reproduce.processes import in_a_process, machine, medians, peak_memory, take_turns

MARKS = ("<!-- bench: written by `python -m dann_lib bench --readme README.md` -->", "<!-- end of the bench -->")
SONG_MINUTES = (1, 10, 60)
N_SONGS = (24, 150, 1500)


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


def measure_step(options: argparse.Namespace) -> dict[str, Any]:
    """A training step at the report's batch size, against the same in plain float32 eager PyTorch.

    Also its rate in floating-point operations, as a share of that of matrix products in the same precision.
    """
    from dann_lib.reproduce.measuring import step_rates

    precision = machine(options.precision)["precision"]
    ours, plain = take_turns((step_rates, precision, options.runs), (step_rates, None, options.runs))
    step, rate = ours["seconds"], ours["operations"] / ours["seconds"]
    ratio, share = plain["seconds"] / step, rate / ours["matrix_rate"]
    scaling = in_a_process(step_rates, precision, 1, threads=1)["seconds"] / step
    return {"precision": precision, "step_s": step, "plain_s": plain["seconds"], "ratio": ratio, "rate": rate,
            "share": share, "peak_mb": ours["peak_mb"], "scaling": scaling,
            "text": f"a training step {ratio:.1f} x as fast as plain PyTorch in float32 ({step:.2f} s for a batch "
            f"of {report.BATCH_SIZE}, {precision}), {100 * share:.0f} % of the rate of matrix products; "
            f"{scaling:.1f} x with {ours['threads']} threads in place of 1; peak {ours['peak_mb']:.0f} MB"}


def measure_separation(options: argparse.Namespace) -> dict[str, Any]:
    """From a 44.1 kHz stereo file to four stem files, against the length of the song."""
    seconds = options.song_seconds
    found = in_a_process(_separate, seconds, options.runs, options.precision)
    speed = seconds / found["seconds"]
    scaling = in_a_process(_separate, seconds, 1, options.precision, threads=1)["seconds"] / found["seconds"]
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
        found = medians(options.runs, **{
            name: partial(subprocess.run, [sys.executable, *words], check=True, capture_output=True)
            for name, words in commands.items()})
    return {**found, "text": f"`separate` of an MP3 file of 11 s takes {found['separate_s']:.1f} s, "
            f"{found['import_torch_s']:.1f} s of them to import PyTorch; `--help` {found['help_s']:.1f} s"}


def measure_preparation(options: argparse.Namespace) -> dict[str, Any]:
    """Preparing some songs against reading the same songs through musdb one by one."""
    ours, musdb = take_turns((_prepare, options.corpus), (_prepare, options.corpus, True))
    ratio = musdb["seconds"] / ours["seconds"]
    return {"seconds": ours["seconds"], "musdb_s": musdb["seconds"], "ratio": ratio,
            "text": f"preparing {ours['songs']} songs {ratio:.1f} x as fast as reading them through musdb"}


def measure_song_length(options: argparse.Namespace) -> dict[str, Any]:
    """How time and memory of `separate` grow with the length of the song."""
    rows = {minutes: in_a_process(_separate, 60.0 * minutes, 1, options.precision) for minutes in SONG_MINUTES}
    text = "; ".join(f"{minutes} min: {row['seconds']:.1f} s, {row['peak_mb']:.0f} MB" for minutes, row in rows.items())
    return {"minutes": rows, "text": f"songs of {text}"}


def measure_corpus_size(options: argparse.Namespace) -> dict[str, Any]:
    """How opening, memory and the first batch grow with the number of prepared songs (links to the same songs)."""
    rows = {}
    for n_songs in N_SONGS:
        with tempfile.TemporaryDirectory() as folder:
            root, cache = _part_of(options.corpus, Path(folder), n_songs), Path(folder) / "cache"
            in_a_process(_open, root, cache)  # prepares the songs
            rows[n_songs] = in_a_process(_open, root, cache)
    text = "; ".join(f"{n_songs}: opened in {1000 * row['seconds']:.0f} ms, first batch {1000 * row['batch_s']:.0f} "
                     f"ms, {row['peak_mb'] - row['before_mb']:.0f} MB more" for n_songs, row in rows.items())
    return {"songs": rows, "text": f"prepared songs, {text}"}


MEASUREMENTS: dict[str, tuple[Callable[[argparse.Namespace], dict[str, Any]], str]] = {
    "step": (measure_step, "at least 2.3 x plain PyTorch in float32"),
    "loop": (lambda options: in_a_process(_loop, options.corpus, options.precision, options.runs), "at least 85 %"),
    "separation": (measure_separation, "at least 100 x real time, under 700 MB"),
    "command": (measure_command, "under 3 s"),
    "preparation": (measure_preparation, ""),
    "opening": (lambda options: in_a_process(_open, options.corpus), "under 0.5 s"),
    "song-length": (measure_song_length, ""),
    "corpus-size": (measure_corpus_size, ""),
}
"""What measures, and what it should reach on two cores, with AVX2 and without bfloat16."""


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

        times = medians(runs, loop=loop, bare=bare)
    loop_s, bare_s = times["loop"] / n_updates, times["bare"] / n_updates
    return {"loop_s": loop_s, "bare_s": bare_s, "share": bare_s / loop_s,
            "text": f"`train` makes {100 * bare_s / loop_s:.0f} % of the updates of the bare step ({loop_s:.2f} s an "
            f"update of {len(batch.waveforms)} remixed chunks); peak {peak_memory() / 1e6:.0f} MB"}


def _separate(song_seconds: float, runs: int, precision: str | None) -> dict[str, Any]:
    """A file of noise to the files of its stems."""
    import torch

    from dann_lib.audio.stems import separate_file
    from dann_lib.separation import Separator

    separator = Separator.load(shipped_weights(), "cpu", precision)
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        with soundfile.SoundFile(song, "w", report.SONG_RATE, 2) as file:
            for start in range(0, int(song_seconds), 60):
                file.write(_noise(min(60.0, song_seconds - start)))
        separate = partial(separate_file, song, Path(folder) / "stems", separator, progress=False)
        return {**medians(runs, warm_up=song_seconds <= 600, seconds=separate), "threads": torch.get_num_threads()}


def _prepare(corpus: str, through_musdb: bool = False) -> dict[str, Any]:
    """Preparing some songs, or reading them through musdb; both for the second time."""
    with tempfile.TemporaryDirectory() as folder:
        part = _part_of(corpus, Path(folder))
        opened = open_corpus(part, cache=Path(folder) / "first", progress=False)
        if not through_musdb:
            again = partial(open_corpus, part, cache=Path(folder) / "second", progress=False)
            return {**medians(1, warm_up=False, seconds=again), "songs": len(opened.tracks)}
        songs = opened.as_musdb()

        def read() -> None:
            for song in songs:
                for signal in (song, *(song.sources[stem] for stem in report.STEMS)):
                    signal.audio  # noqa: B018 (reading is the work)

        return medians(1, seconds=read)


def _open(root: Path | str, cache: Path | None = None) -> dict[str, Any]:
    """Opening a prepared corpus, and its first batch."""
    from dann_lib.batches import Chunks

    before = peak_memory() / 1e6
    found = medians(3, seconds=partial(open_corpus, root, cache=cache, progress=False))
    opened = open_corpus(root, cache=cache, progress=False)
    chunks = Chunks(opened.select("train")).at_random(MODERN, 0)
    found |= medians(1, warm_up=False, batch_s=lambda: next(iter(chunks)))
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


def _noise(seconds: float) -> np.ndarray:
    """Stereo noise `(sample, channel)` at 44.1 kHz."""
    return (0.1 * np.random.default_rng(0).standard_normal((int(seconds * report.SONG_RATE), 2))).astype(np.float32)
