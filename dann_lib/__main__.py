"""The command line; `python -m dann_lib --help` lists what it can do."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from dann_lib import report
from dann_lib.config import PRESETS, TrainingConfig
from dann_lib.errors import CheckpointError, DannError, OutputError
from dann_lib.files import data_folder, shipped_weights

EPILOG = """
the whole way, on the songs that come with the course:
  python -m dann_lib prepare                        make and prepare the embedded corpus
  python -m dann_lib train --folder data/runs/mine  learn from it
  python -m dann_lib separate song.mp3 --weights data/runs/mine/weights.safetensors
  python -m dann_lib evaluate --weights data/runs/mine/weights.safetensors

the same on MUSDB18: add --corpus FOLDER to prepare, train and evaluate;
every experiment of the report: python -m dann_lib reproduce --corpus FOLDER
Exit codes: 0 done; 1 a lesson failed; 2 something about the input, said in one line; 70 a fault of
the program, with the name of a file for a report; 130 interrupted.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dann_lib", description="Separate songs into vocals, drums and bass with DANN.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (run, summary, settings) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=run.__doc__,
                                          formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        subparser.set_defaults(run=run)
        subparser.error = functools.partial(_usage_error, subparser, "--json" in (arguments or sys.argv))
        for argument, setting in settings.items():
            subparser.add_argument(argument, **setting)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115 - closed
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # closed, or a notebook's
            stream.reconfigure(errors="replace")  # names and arrows on a terminal that lacks some signs
    options = parser.parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
            return options.run(options) or 0
    except BrokenPipeError:
        return 0
    except (DannError, ValueError, FloatingPointError, OSError) as error:
        return _error(options, str(error))
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    except Exception as error:
        with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False, errors="replace") as file:
            traceback.print_exc(file=file)
        return _error(options, f"unforeseen {type(error).__name__}: {error}; please report it with {file.name}", 70)


def prepare(options: argparse.Namespace) -> None:
    """Open a corpus; the first time its songs are decoded to mono, 8.82 kHz."""
    from dann_lib.corpus import open_corpus

    start = time.perf_counter()
    corpus = open_corpus(options.corpus, download=options.download, jobs=options.jobs, verify=options.verify)
    seconds = time.perf_counter() - start
    splits = [track.split for track in corpus.tracks]
    result = {
        "corpus": corpus.name, "kind": corpus.kind, "fingerprint": corpus.fingerprint,
        **{split: splits.count(split) for split in ("train", "valid", "test")},
        "hours": round(sum(track.n_samples for track in corpus.tracks) / report.SAMPLE_RATE / 3600, 4),
        "skipped": dict(corpus.skipped), "seconds": round(seconds, 3),
    }
    _print(options, result, f"{corpus.name}: {len(splits)} songs ready ({result['train']} train, {result['valid']} "
           f"valid, {result['test']} test), {result['hours']:.2f} h, {len(corpus.skipped)} skipped, in {seconds:.1f} s")


def train(options: argparse.Namespace) -> None:
    """Train a network on the chunks of a corpus (report, II). Ctrl-C is safe: the same command goes on."""
    from dann_lib.checkpoint import HISTORY_COLUMNS
    from dann_lib.corpus import open_corpus
    from dann_lib.network import n_parameters
    from dann_lib.training import train

    chosen = {name: value for name, value in vars(options).items()
              if value is not None and hasattr(TrainingConfig, name)}
    preset = PRESETS[options.preset]
    chosen["network_options"] = preset.network_options if options.network == preset.network else {}
    if options.skips is not None:
        chosen["network_options"] = chosen["network_options"] | {"skips": options.skips}
    config = dataclasses.replace(preset, **chosen)
    run = train(open_corpus(options.corpus), config, options.folder, device=options.device,
                precision=options.precision, restart=options.restart)
    if int(os.environ.get("RANK", 0)) > 0:
        return
    last, best = run.history.iloc[-1], run.history.loc[run.history["test_loss"].idxmin()]
    result = {"weights": str(run.weights), "parameters": n_parameters(run.network), "lowest_epoch": int(best["epoch"]),
              "lowest_test_loss": float(best["test_loss"]), **{name: float(last[name]) for name in HISTORY_COLUMNS}}
    _print(options, result, f"{int(last['epoch'])} epochs, {int(last['update'])} updates in {last['seconds']:.0f} s: "
           f"training loss {last['train_loss']:.4g}, {config.held_out} loss {last['test_loss']:.4g} "
           f"(lowest {best['test_loss']:.4g}, epoch {int(best['epoch'])})\nweights: {run.weights}")


def separate(options: argparse.Namespace) -> int:
    """Separate songs of any length, rate and number of channels; the stems add up to the song."""
    from dann_lib.audio.songs import separate_songs
    from dann_lib.separation import Separator

    separator = Separator.load(options.weights or newest_weights(), options.device, options.precision)
    failed = []
    for result, sentence in separate_songs(options.songs, options.out, separator, dict(options.gain), options.format,
                                           options.bits):
        if "error" in result:
            failed.append(result["song"])
            _error(options, sentence, song=result["song"])
        else:
            _print(options, result, sentence)
    if failed and len(options.songs) > 1:
        _error(options, f"{len(failed)} of {len(options.songs)} songs failed: {', '.join(failed)}")
    return 2 if failed else 0


def newest_weights() -> Path:
    """The weights that `separate` takes: the shipped ones, else one's own newest, else `CheckpointError`."""
    reference = shipped_weights()
    own = sorted((data_folder() / "runs").glob("*/weights.safetensors"), key=lambda path: path.stat().st_mtime)
    if not reference.is_file() and not own:
        raise CheckpointError("no weights were named and none were trained; run: python -m dann_lib train")
    return reference if reference.is_file() else own[-1]


def evaluate(options: argparse.Namespace) -> None:
    """SDR, SIR, SAR of equations (4) to (7), and BSS Eval v4, per song and in the median."""
    from dann_lib import evaluation
    from dann_lib.corpus import open_corpus
    from dann_lib.separation import Separator

    oracles = {} if options.no_oracles else evaluation.oracles(options.rate)
    files = evaluation.run_names(options.weights, oracles)
    networks = {name: Separator.load(path, "cpu") for name, path in files.items()}
    corpus = open_corpus(options.corpus)
    stems = corpus.tracks[0].signals[1:]
    usual = report.SOURCES if set(report.SOURCES) <= set(stems) else stems
    sources = min((network.config.sources for network in networks.values()), key=len, default=usual)
    if not options.no_oracles:
        oracles = evaluation.oracles(options.rate, len(sources))
    if not (separators := {**oracles, **networks}):
        raise ValueError("there is nothing to score; name --weights, or leave out --no-oracles")
    folder = options.out / f"{corpus.name}-{corpus.fingerprint[:8]}"
    scores = evaluation.evaluate(corpus.select(options.subset), separators, out=folder / "songs",
                                 rate_hz=options.rate, v4=not options.no_v4, sources=sources, jobs=options.jobs)
    path = folder / f"scores-{options.subset}-{options.rate}.csv"
    evaluation.write_scores(scores, path)
    summary = evaluation.summarise(scores)
    result = {"scores": str(path), "songs": int(scores["song"].nunique()), "failed": scores.attrs.get("failed", {}),
              "summary": json.loads(summary.to_json(orient="records"))}
    lines = [evaluation.as_text(summary)]
    for name in () if options.no_oracles else networks:
        closed = evaluation.gap_closed(scores, name)
        result[f"gap_closed {name}"] = json.loads(closed.to_json(orient="records"))
        lines.append(f"{name} closes of the gap between mixture and ideal ratio mask: {evaluation.shares(closed)}")
    _print(options, result, "\n".join((*lines, f"scores of {result['songs']} songs: {path}")))


def reproduce(options: argparse.Namespace) -> None:
    """Do the experiments of the report's claims, and write all results; stopped, the same command goes on."""
    from dann_lib.corpus import open_corpus
    from dann_lib.reproduce import budget_for, default_folder, reproduce
    from dann_lib.reproduce.learning import Machine, estimate
    from dann_lib.reproduce.ledger import counts, ledger

    corpus = open_corpus(options.corpus)
    machine = Machine.here(options.device, options.precision, options.jobs)
    budget = budget_for(corpus.kind, sum(track.seconds for track in corpus.tracks) / 3600)
    needed, out = estimate(corpus, budget, machine), options.out or default_folder(corpus)
    planned = {**dataclasses.asdict(needed), "corpus": corpus.name, "out": str(out)}
    _print(options, planned, f"{corpus.name}: {needed} → {out}")
    if options.dry_run:
        return
    evidence = reproduce(options.corpus, out, machine=machine, budget=budget)
    verdicts = counts(ledger(evidence))
    _print(options, {"out": str(out), "verdicts": verdicts},
           "; ".join(f"{count} {verdict}" for verdict, count in verdicts.items()) + f"\nresults: {out}")


def bench(options: argparse.Namespace) -> None:
    """Measure training, separation, preparation and opening against baselines of the same run."""
    from dann_lib import bench

    bench.run(options)


def course(options: argparse.Namespace) -> int:
    """Run the eight lessons from top to bottom, in order, and write them as pages that work offline."""
    from dann_lib.course.runner import build

    return build(options.notebooks or None, options.out, options.write, not options.no_run,
                 not options.without_solutions)


def grade(options: argparse.Namespace) -> None:
    """Mark the exercises of students' notebooks, or your own. This runs the code that was written in them, which can
    do whatever it could do in your Jupyter: the limits stop what does not end, not what means harm.
    """
    from dann_lib.course.grading import grade

    grade(options.folder, options.out, options.seconds, options.gigabytes)


def _print(options: argparse.Namespace, result: dict[str, Any], sentence: str) -> None:
    try:
        print(json.dumps(result) if options.json else sentence, flush=True)
    except OSError as error:  # what is done stays done, but nobody will read of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise OutputError(f"cannot write to standard output: {error.strerror}") from error


def _usage_error(parser: argparse.ArgumentParser, as_json: bool, message: str) -> NoReturn:
    """Say what argparse found wrong, where the results go as well."""
    parser.print_usage(sys.stderr)
    sys.exit(_error(argparse.Namespace(json=as_json), message))


def _error(options: argparse.Namespace, text: str, code: int = 2, **more: str) -> int:
    """Say what is wrong on standard error and, as JSON, where the results go; returns the exit code."""
    with contextlib.suppress(OSError, OutputError):
        print(f"error: {text}", file=sys.stderr, flush=True)
        if getattr(options, "json", False):
            _print(options, {**more, "error": text}, "")
    return code


def _skips(text: str) -> list[int]:
    try:
        return [] if text == "none" else [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list such as 1,2,3, nor none") from None


def _jobs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of jobs; choose 1 or more")
    return int(text)


def _gain(text: str) -> tuple[str, float]:
    stem, _, level = text.partition("=")
    try:
        return stem, float(level)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no STEM=DB such as vocals=3") from None


FLAG = {"action": "store_true"}
CORPUS = {"--corpus": {"default": "synthetic",
                       "help": "synthetic, musdb18-7, or the folder of a MUSDB18 or MUSDB18-HQ corpus, or of songs "
                               "with stems of any names"}}
PRECISION = {"--precision": {"choices": ("bf16", "float32"), "help": "(default: bf16 where the hardware has it)"}}
DEVICE = {"--device": {"help": "cpu, cuda, cuda:1 or mps (default: the best there is)"}, **PRECISION}
JSON = {"--json": {**FLAG, "help": "print one JSON object a line in place of sentences"}}
CHANGES = {
    f"--{name.replace('_', '-')}": {
        "type": type_, "help": f"in place of the preset's ({getattr(TrainingConfig, name)})"}
    for type_, names in ((str, ("optimizer", "schedule", "loss", "held_out", "train_on")),
                         (float, ("learning_rate", "momentum", "gain")),
                         (int, ("n_chunk_frames", "batch_size", "epochs", "patience", "seed")))
    for name in names
}
MEASUREMENTS = ("command", "corpus-size", "loop", "opening", "preparation", "separation", "song-length", "step")

COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int | None], str, dict[str, dict[str, Any]]]] = {
    "prepare": (prepare, "decode a corpus into the cache that training reads", {
        **CORPUS,
        "--download": {**FLAG, "help": "fetch musdb18-7 (140 MB) if it is not there"},
        "--verify": {**FLAG, "help": "compare all checksums, and repair"},
        "--jobs": {"type": _jobs, "help": "songs decoded at the same time (default: all processors)"},
        **JSON}),
    "train": (train, "train a network, or go on with an interrupted run", {
        **CORPUS,
        "--folder": {"type": Path, "default": data_folder() / "runs" / "dann",
                     "help": "where weights, checkpoint and history go; a run in it is gone on with"},
        "--preset": {"choices": tuple(PRESETS), "default": "report",
                     "help": "report: SGD as in II.c; modern: Adam, one cycle, a loss in dB, remixed songs; best: the "
                             "same with layers across all bins"},
        "--network": {"default": TrainingConfig.network, "help": "dann, asked, autoencoder, feedforward or cdae"},
        "--sources": {"nargs": "+", "metavar": "STEM",
                      "help": f"what to separate: stems of the corpus (default: {' '.join(report.SOURCES)})"},
        "--skips": {"type": _skips, "help": "skip connections of dann: 1,2,3 or none"},
        **CHANGES,
        "--remix": {"action": argparse.BooleanOptionalAction, "help": "draw each source from another song"},
        "--restart": {**FLAG, "help": "forget the run in the folder"},
        **DEVICE, **JSON}),
    "separate": (separate, "split songs into vocals, drums, bass and other, or what the network has learned", {
        "songs": {"nargs": "+", "type": Path, "help": "WAV, FLAC, MP3 or OGG files"},
        "--weights": {"type": Path, "help": "a .safetensors file (default: the reference's, or your newest)"},
        "--out": {"type": Path, "default": data_folder() / "separated",
                  "help": "each song's stems go into a folder of its name in here, replacing its older ones; where "
                          "another song of that name has stems, the folder gets a number"},
        "--gain": {"action": "append", "default": [], "type": _gain, "metavar": "STEM=DB",
                   "help": "level change of a stem, -100 to 30 dB, such as vocals=3; may be repeated"},
        "--format": {"choices": ("wav", "flac"), "default": "wav", "help": "of the stems"},
        "--bits": {"type": int, "choices": (16, 24), "default": 16, "help": "per sample"},
        **DEVICE, **JSON}),
    "evaluate": (evaluate, "score networks and oracles on the songs of a corpus", {
        **CORPUS,
        "--weights": {"type": Path, "action": "append", "default": [],
                      "help": "trained networks to score; may be repeated (default: oracles and mixture alone)"},
        "--subset": {"choices": ("train", "valid", "test"), "default": "test", "help": "songs to score"},
        "--rate": {"type": int, "choices": (report.SAMPLE_RATE, report.SONG_RATE), "default": report.SAMPLE_RATE,
                   "help": "Hz at which estimates and sources are compared"},
        "--no-v4": {**FLAG, "help": "leave out BSS Eval v4, which takes the most time"},
        "--no-oracles": {**FLAG, "help": "score the networks alone"},
        "--out": {"type": Path, "default": data_folder() / "scores",
                  "help": "scores of each song; what is there is not computed again"},
        "--jobs": {"type": _jobs, "help": "songs scored at the same time (default: all processors)"},
        **JSON}),
    "reproduce": (reproduce, "every experiment of the report, and the verdict on every claim", {
        "--corpus": {"default": "musdb18-7",
                     "help": "musdb18-7 (hours on two cores), the folder of MUSDB18 or MUSDB18-HQ (days on a GPU), "
                             "or synthetic (minutes, to see that everything runs)"},
        "--out": {"type": Path, "help": "folder of the results (default: data/reference for musdb18-7, else "
                                        "data/reproduced/NAME)"},
        "--dry-run": {**FLAG, "help": "say what would be done and how long it takes, and stop"},
        "--jobs": {"type": _jobs, "help": "runs trained at the same time (default: one per core; 1 on a GPU)"},
        **DEVICE, **JSON}),
    "bench": (bench, "speed and memory of this machine, as ratios", {
        "--only": {"action": "append", "choices": MEASUREMENTS, "help": "may be repeated (default: all)"},
        "--corpus": {"default": "synthetic", "help": "songs to learn from, to prepare and to open"},
        "--song-seconds": {"type": float, "default": 240.0, "help": "length of the song that is separated"},
        "--runs": {"type": int, "default": 5, "help": "counted runs of each process; medians are printed"},
        **PRECISION, **JSON,
        "--readme": {"type": Path, "metavar": "FILE",
                     "help": "also write the table between the marks of the bench into this file"}}),
    "course": (course, "run the lessons and write them as pages", {
        "notebooks": {"nargs": "*", "metavar": "NOTEBOOK",
                      "help": "files, or names such as 03 or 03_unet (default: all lessons)"},
        "--out": {"type": Path, "default": data_folder() / "course", "help": "folder of the pages"},
        "--write": {**FLAG, "help": "bring exercises up to date, and store the lessons with outputs beside their .py"},
        "--no-run": {**FLAG, "help": "only write the pages, from what is stored"},
        "--without-solutions": {**FLAG, "help": "leave out the solutions, the answers, and what leads there"}}),
    "grade": (grade, "mark the exercises of a class, or your own", {
        "folder": {"nargs": "?", "type": Path, "help": "of notebooks, or of a folder for each student (else: yours)"},
        "--out": {"type": Path, "default": data_folder() / "grades", "help": "folder of grades.html and grades.csv"},
        "--seconds": {"type": float, "default": 60.0, "help": "that an exercise may take"},
        "--gigabytes": {"type": float, "default": 4.0, "help": "of memory that a notebook may take"}}),
}
"""What runs, whose docstring is the description; a line of help; and the arguments, as `argparse` takes them."""

if __name__ == "__main__":
    sys.exit(main())
