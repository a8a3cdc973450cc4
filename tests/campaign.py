"""Bad input without end: `python tests/campaign.py --minutes 10` damages files and messages, and counts how that ends.

Each input follows from the seed and its number alone, and goes through `main` of the command line, in forked children
with limits of time and memory that take many. What must not be: a traceback, a hang, a crash, a wrong stem, damage that
is not seen, a file lost. The exit code is 1 if there was any; such inputs are kept, with what repeats them.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import json
import math
import multiprocessing
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"  # a process for each core
sys.path.insert(0, str(Path(__file__).parents[1]))

import filelock  # noqa: F401 - this and others, so that no child needs a second for them
import joblib  # noqa: F401
import numpy as np
import scipy.stats  # noqa: F401
import soundfile
import torch
import torch._dynamo  # noqa: F401
from corpora import signals, wav_corpus, write_stem_file
from safetensors.torch import load_file, save_file

from dann_lib.__main__ import COMMANDS, main
from dann_lib.baselines import network_of
from dann_lib.checkpoint import save_weights
from dann_lib.config import TrainingConfig
from dann_lib.course.own_song import own_song
from dann_lib.training import train  # noqa: F401

LIMIT_S, LIMIT_BYTES, RATE_HZ = 20, 2**32, 22_050
FORK = multiprocessing.get_context("fork")
NAMES = ("song", "earlier", "...", "..", ".hidden", "-x", "~nouser", "a:b", "a\nb", "a\x01b", "naïve", "\udcff", " a ", "con",
         "n" * 200, "%s{}", "[a]*", "'\"", "vocals", "mixture", "rest", "ä" * 90, "x.stem", "\u202egpj", "--")
ODD = (None, True, -1, 0, 1, 3, 2**31, 2**63, -(2**63), 2.5, math.nan, math.inf, 1e38, "", "x", "\udcff", "../x", "nul \0",
       "n" * 300, [], [[]], [1, 2], {}, {"a": 1}, ["vocals"], ["other", "rest"])
WORDS = ("", "-1", "0", "1", "nan", "inf", "1e400", "x", "2.5", "9" * 30, "none", "1,2,9", "vocals=3", "vocals=1e9", "=", "cuda",
         "meta", "cpu:1", "small.safetensors", "small.safetensors/x", "n" * 300, "~nouser", "\udcff", "/dev/null", "/proc/x")
RUN = ("weights.safetensors", "history.csv", "config.json")
SEPARATE = ("separate", "--weights", "small.safetensors", "--out", "out", "--json", "--device", "cpu")
EVALUATE = ("evaluate", "--corpus", "corpus", "--weights", "small.safetensors", "--no-v4", "--out", "scores", "--jobs", "1")
TRAIN = ("train", "--corpus", "corpus", "--folder", "run", "--network", "cdae", "--sources", "vocals", "--n-chunk-frames", "16", "--device", "cpu")
COMMANDS_TO_KILL = {"prepare": ("prepare", "--corpus", "corpus", "--jobs", "2"), "evaluate": EVALUATE,
                    "train": (*TRAIN, "--epochs", "4"), "separate": (*SEPARATE, "plain.wav", "float.wav", "small.flac")}


class Result(NamedTuple):
    """Of an input, or some that were tried together."""

    well: int
    refused: int
    faults: list[str]


class Ended(NamedTuple):
    """How a command has ended, and what is wrong with that, whatever it was asked, or an empty string."""

    code: int
    out: str
    err: str
    fault: str

    def result(self, *faults: str) -> Result:
        return Result(int(self.code == 0), int(self.code != 0), [self.fault, *faults])


class Kept(Exception):
    """An input was to be kept, not tried."""


class Room:
    """A folder with whole files to take from, and the folder `case`, in which one input is made and tried."""

    def __init__(self, path: Path) -> None:
        self.path, self.case, self.whole, self.keep = path, path / "case", path / "whole", Path()
        self.whole.mkdir()
        self.case.mkdir()
        config = TrainingConfig(network_options={"channels": [1, 1, 1, 1], "bottleneck": 1, "skips": []}, n_chunk_frames=16)
        torch.manual_seed(0)
        save_weights(self.case / "small.safetensors", network_of(config), config)
        for number, (name, options) in enumerate({
            "plain.wav": {}, "float.wav": {"subtype": "FLOAT"}, "24.wav": {"subtype": "PCM_24"}, "ulaw.wav": {"subtype": "ULAW"},
            "rf64.wav": {"format": "RF64"}, "small.flac": {}, "small.ogg": {}, "small.mp3": {}, "small.aiff": {}, "small.caf": {},
            "small.au": {},
        }.items()):
            samples = signals(0.2, RATE_HZ, 1 + number % 2, number)["mixture"]
            soundfile.write(self.case / name, samples, RATE_HZ, **options)
        write_stem_file(self.case / "small.stem.mp4", signals(0.2))
        shutil.rmtree(self.case / ".small.stem.mp4")
        self.songs = sorted(path.name for path in self.case.iterdir() if path.suffix != ".safetensors")
        wav_corpus(self.case / "corpus", seconds=0.8, rate_hz=RATE_HZ, n_channels=1)
        self.made(*SEPARATE, "plain.wav")
        (self.case / "out/plain").rename(self.case / "out/earlier")
        self.made("prepare", "--corpus", "corpus")
        self.made(*EVALUATE)
        self.learned = {}
        for epochs in ("3", "2"):
            shutil.rmtree(self.case / "run", ignore_errors=True)
            self.made(*TRAIN, "--epochs", epochs)
            self.learned[epochs] = results(self.case / "run")
        self.whole.rmdir()
        self.case.rename(self.whole)
        self.expected: dict[str, tuple[float, dict[str, Any]]] = {}
        for name, command in COMMANDS_TO_KILL.items():
            self.fill_for(name)
            start = time.perf_counter()
            self.made(*command)
            self.expected[name] = time.perf_counter() - start, results(self.case)

    def made(self, *command: str) -> None:
        """Run a command that must end well."""
        if (ended := self.run(*command)).fault or ended.code:
            raise RuntimeError(f"{shlex.join(command)}: {ended.err}")

    def fill_for(self, command: str) -> None:
        """Make the folder new, with what a command reads."""
        songs = ("plain.wav", "float.wav", "small.flac")
        self.fill(*{"prepare": ("corpus",), "separate": ("small.safetensors", *songs)}.get(
            command, ("corpus", "cache", "small.safetensors")))

    def fill(self, *names: str) -> None:
        """Make the folder new, with some of the whole files."""
        if self.case.exists():
            shutil.rmtree(self.case)
        self.case.mkdir()
        for name in names:
            source, target = self.whole / name, self.case / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
        os.environ["DANN_CACHE"], tempfile.tempdir = str(self.case / "cache"), str(self.path)

    def run(self, *command: str) -> Ended:
        """Run a command of the command line in the folder, in this process."""
        if self.keep.name:
            subprocess.run(["cp", "-a", self.case, self.keep], check=True)
            (self.keep / "command.txt").write_bytes(os.fsencode(f"python -m dann_lib {shlex.join(command)}\n"))
            raise Kept
        os.chdir(self.case)
        os.environ["DANN_CACHE"], tempfile.tempdir = str(self.case / "cache"), str(self.path)
        usual, texts = [os.dup(1), os.dup(2)], []
        with open(self.path / "out", "w+b") as out, open(self.path / "err", "w+b") as err:
            os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
            try:
                code = main(list(command))
            except SystemExit as stop:
                code = stop.code
            except BaseException as error:
                print(f"Traceback: {error!r}", file=sys.stderr)
                code = 70
            sys.stdout.flush(), sys.stderr.flush()
            for number, stream in enumerate(usual, 1):
                os.dup2(stream, number), os.close(stream)
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        fault = "" if code == 0 or re.search(r"(^|\r)error: \S+ \S+", texts[1], re.M) else "no sentence"
        fault = fault if code in (0, 2) else f"exit code {code}"
        return Ended(code, *texts, "traceback" if code == 70 or "Traceback" in texts[1] else fault)


# What is damaged


def damaged(chance: Random, data: bytes) -> bytes:
    """A file of which bits, numbers or pieces are changed, most often near its beginning, or the end is cut off."""
    content = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        end = max(1, min(len(content), chance.choice((16, 64, 512, len(content), len(content)))))
        place, size, length = chance.randrange(end), chance.choice((1, 2, 4, 8)), chance.choice((1, 2, 4, 64, 1000))
        number = chance.choice((0, 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 1000, 768_000))
        match chance.randrange(7):
            case 0:
                content[place : place + 1] = bytes([(content + b"\0")[place] ^ 1 << chance.randrange(8)])
            case 1:
                content[place : place + size] = chance.randbytes(size)
            case 2:
                content[place : place + size] = number.to_bytes(8, chance.choice(("little", "big")))[-size:]
            case 3:
                del content[chance.randrange(len(content) + 1) :]
            case 4:
                del content[place : place + length]
            case 5:
                content[place:place] = chance.randbytes(length)
            case 6:
                content[place:place] = content[chance.randrange(end) :][:length]
    return bytes(content)


def odd_file(chance: Random, path: Path) -> None:
    """Put something else in the place of a file: what is damaged, or nothing, a folder, a pipe, a link."""
    data = path.read_bytes()
    path.unlink()
    match chance.randrange(12):
        case 0:
            path.mkdir()
        case 1:
            os.mkfifo(path)
        case 2:
            path.symlink_to(chance.choice((path.name, "nowhere", ".", "/dev/zero", "..")))
        case 3:
            pass
        case _:
            path.write_bytes(damaged(chance, data))


def odd_weights(chance: Random, path: Path) -> None:
    """Whole weights with an odd tensor or configuration, and no checksum, as older ones have none."""
    tensors = load_file(path)
    config = json.loads(TrainingConfig(network_options={"channels": [1] * 4, "bottleneck": 1, "skips": []}).to_json())
    name = chance.choice(sorted(tensors))
    kinds = (torch.float64, torch.int8, torch.bool, torch.complex64, torch.bfloat16)
    match chance.randrange(5):
        case 0:
            tensors[name] = torch.full_like(tensors[name], chance.choice((math.nan, math.inf, 1e38, -1e38, 1e20, 0.0)))
        case 1:
            tensors[name] = tensors[name].to(chance.choice(kinds))
        case 2:
            tensors[chance.choice((name, "more"))] = torch.zeros(chance.choice(((), (0,), (2, 2), (1, 1, 1, 1, 1))))
        case 3:
            options = config["network_options"]
            options[chance.choice(("channels", "bottleneck", "skips", "bands", "x"))] = chance.choice(ODD)
        case 4:
            config[chance.choice((*sorted(config), "sources", "order", "x"))] = chance.choice(ODD)
    save_file(tensors, path, metadata={"config": json.dumps(config)})


def odd_checkpoint(chance: Random, path: Path) -> None:
    """A checkpoint that is whole, but for an entry, at any depth, that is odd or missing."""
    whole = state = torch.load(path, weights_only=True)
    while True:
        key = chance.choice(list(state) if isinstance(state, dict) else range(len(state)))
        if not isinstance(state[key], dict | list) or not state[key] or chance.random() < 0.4:
            break
        state = state[key]
    state[key] = chance.choice((*ODD, torch.zeros(3), torch.full((1,), math.nan)))
    if chance.random() < 0.3:
        del state[key]
    torch.save(whole, path)


# How it ended


def files(folder: Path) -> dict[str, Any]:
    """What a folder holds, by relative paths: content of files, targets of links, kinds of others."""
    found = {}
    for path in folder.rglob("*"):
        link = os.readlink(path) if path.is_symlink() else None
        found[str(path.relative_to(folder))] = link or (path.read_bytes() if path.is_file() else path.lstat().st_mode)
    return found


def results(folder: Path) -> dict[str, Any]:
    """The same, without what differs between runs that end alike: how long it took."""
    found = {name: content for name, content in files(folder).items() if not name.endswith(".lock")}
    for name in [name for name in found if name.endswith("history.csv")]:
        found[name] = [row[:2] + row[3:] for row in csv.reader(found[name].decode(errors="replace").splitlines())]
    return {name: None if name.endswith("checkpoint.pt") else content for name, content in found.items()}


def lost(before: dict[str, Any], room: Room, *may_change: str) -> str:
    """Whether a file that was there has gone or changed, but for those whose names begin so."""
    after = files(room.case)
    gone = [name for name, content in before.items() if after.get(name) != content and not name.startswith(may_change)]
    return f"lost file {gone[0]}" if gone else ""


def wrong(answer: dict[str, Any], room: Room, song: str | None = None) -> str:
    """Whether stems are of another length or rate than is said, constant full scale, or do not add up to the song."""
    stems = [soundfile.read(room.case / path, always_2d=True) for path in answer["stems"].values()]
    shape = (round(answer["duration_s"] * answer["rate_hz"]), answer["n_channels"])
    if any(rate != answer["rate_hz"] or samples.shape != shape for samples, rate in stems):
        return "wrong stem: length, rate or channels"
    if any(np.ptp(samples) == 0 and abs(samples).max() > 0.9 for samples, _ in stems):
        return "wrong stem: constant full scale"
    if song and not any(answer["n_clipped"].values()):
        whole, total = soundfile.read(room.case / song, always_2d=True)[0], sum(samples for samples, _ in stems)
        if whole.shape != total.shape or abs(whole - total).max() > 1e-3:
            return "wrong stem: the sum is not the song"
    return ""


# What is tried


def audio(room: Room, chances: list[Random]) -> Result:
    """Songs, most of them damaged, some with odd names or endings; what is whole becomes stems that add up to it."""
    room.fill("small.safetensors", "out/earlier")
    songs: dict[str, bool] = {}
    for index, chance in enumerate(chances):
        base = chance.choice(("plain.wav", "float.wav", "24.wav", chance.choice(room.songs)))
        name = chance.choice(NAMES) if chance.random() < 0.3 else "song"
        ending = ".xyz" if chance.random() < 0.03 else Path(base).suffix
        path, whole, data = room.case / f"in/{index}/{name}{ending}", chance.random() < 0.1, (room.whole / base).read_bytes()
        path.parent.mkdir(parents=True)
        path.write_bytes(data if whole else damaged(chance, data))
        songs[str(path.relative_to(room.case))] = whole
    more = chances[0].choice(((), (), ("--format", "flac"), ("--bits", "24"), ("--gain", "vocals=3")))
    before = files(room.case)
    ended = room.run(*SEPARATE, *more, *songs)
    answers, faults = {}, [ended.fault, lost(before, room)]
    for line in ended.out.splitlines():
        answer = json.loads(line)
        answers[answer.get("song")] = answer
    for song, whole in songs.items():
        answer = answers.get(song, {})
        faults.append("" if answer or ended.fault else "no answer")
        faults.append("refused though fine" if whole and "error" in answer else "")
        if "stems" in answer:
            lossless = whole and not more and Path(song).suffix in (".wav", ".flac", ".aiff", ".caf", ".au")
            faults.append(wrong(answer, room, song if lossless else None))
    refused = sum("error" in answers.get(song, {"error": ""}) for song in songs)
    return Result(len(songs) - refused, refused, faults)


def weights(room: Room, chances: list[Random]) -> Result:
    """Damaged weights are refused, or give the same stems as whole ones; odd ones are refused, or give sound."""
    room.fill("small.safetensors", "plain.wav")
    path, is_odd = room.case / "small.safetensors", chances[0].random() < 0.5
    odd_weights(chances[0], path) if is_odd else odd_file(chances[0], path)
    before = files(room.case)
    ended, faults = room.run(*SEPARATE, "plain.wav"), []
    if ended.code == 0:
        faults.append(wrong(json.loads(ended.out), room, "plain.wav"))
        same = all(stem.read_bytes() == (room.case / "out/plain" / stem.name).read_bytes()
                   for stem in (room.whole / "out/earlier").glob("*.wav"))
        faults.append("" if is_odd or same else "damage unseen")
    return ended.result(lost(before, room), *faults)


def checkpoints(room: Room, chances: list[Random]) -> Result:
    """A file of a run is damaged: the run ends as it would have, or is refused with nothing changed."""
    chance = chances[0]
    room.fill("corpus", "cache", "run")
    path, is_odd, epochs = chance.choice(("checkpoint.pt",) * 3 + RUN), chance.random() < 0.3, chance.choice(("2", "3"))
    odd_checkpoint(chance, room.case / "run/checkpoint.pt") if is_odd else odd_file(chance, room.case / "run" / path)
    before = files(room.case)
    ended = room.run(*TRAIN, "--epochs", epochs)
    same = ended.code or is_odd or results(room.case / "run") == room.learned[epochs]
    finite = ended.code or all(value.isfinite().all() for value in load_file(room.case / "run" / RUN[0]).values())
    return ended.result(lost(before, room, *(() if ended.code else ("run/",))), "" if same else "damage unseen",
                        "" if finite else "wrong weights")


def caches(room: Room, chances: list[Random]) -> Result:
    """A file of a prepared corpus, or of its scores, is damaged, and made again; or that is refused."""
    chance = chances[0]
    room.fill("corpus", "cache", "scores", "small.safetensors")
    task = chance.choice(("verify", "prepare", "evaluate"))
    place = room.case / ("scores" if task == "evaluate" and chance.random() < 0.5 else "cache")
    for path in chance.sample(sorted(path for path in place.rglob("*") if path.is_file()), chance.choice((1, 1, 2))):
        odd_file(chance, path)
    before = files(room.case)
    ended = room.run(*{"verify": ("prepare", "--verify", "--corpus", "corpus"), "prepare": ("prepare", "--corpus", "corpus"),
                       "evaluate": EVALUATE}[task])
    same = ended.code or task != "verify" or results(room.case / "cache") == results(room.whole / "cache")
    return ended.result(lost(before, room, "cache/", "scores/"), "" if same else "damage unseen")


def corpora(room: Room, chances: list[Random]) -> Result:
    """Songs of a corpus with odd names, of odd files; those that are whole are prepared if any song is."""
    room.fill()
    places: dict[str, bool] = {}
    for index, chance in enumerate(chances):
        name = f"{chance.choice(NAMES) if chance.random() < 0.3 else 'song'}{index}"
        path = room.case / "corpus" / chance.choice(("train", "train", "test")) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(room.whole / "corpus/train/Band - train 0", path)
        n_odd = chance.choice((0, 1, 1, 2, 5))
        for file in chance.sample(sorted(path.iterdir()), n_odd):
            odd_file(chance, file)
        places[name] = n_odd == 0 and not name.startswith(".")
        match chance.randrange(20):
            case 0:
                (path.parent / f"{name}.stem.mp4").write_bytes(damaged(chance, (room.whole / "small.stem.mp4").read_bytes()))
            case 1:
                (path / f"{chance.choice(NAMES)}.wav").write_bytes((room.whole / "plain.wav").read_bytes())
                places[name] = False
            case 2:
                (path.parent / f"{index} link").symlink_to(chance.choice((f"{index} link", name, ".", "..", "nowhere")))
            case 3:
                os.mkfifo(path.parent / f"{index}.stem.mp4")
            case 4:
                (room.case / "corpus/metadata.csv").write_bytes(damaged(chance, b"name,split,genre\nsong,train,pop\n"))
    before = files(room.case)
    ended, fine = room.run("prepare", "--corpus", "corpus", "--json"), ""
    skipped = json.loads(ended.out)["skipped"] if ended.code == 0 else dict.fromkeys(places)
    if whole := [name for name in places if places[name] and name in skipped and ended.code == 0]:
        fine = f"refused though fine: {skipped[whole[0]]}"
    return Result(len(chances) - len(skipped), len(skipped), [ended.fault, lost(before, room), fine])


def options(room: Room, chances: list[Random]) -> Result:
    """Commands with odd values of their options."""
    chance = chances[0]
    room.fill("small.safetensors", "corpus", "cache", "run", "plain.wav")
    command = chance.choice(((*TRAIN, "--epochs", "3"), (*SEPARATE, "plain.wav"), EVALUATE, ("prepare", "--corpus", "corpus")))
    known = COMMANDS[command[0]][2]
    for name in chance.sample(sorted(set(known) - {"songs", "--epochs", "--download"}), chance.choice((1, 1, 2))):
        flag = known[name].get("action") in ("store_true",)
        command += (name,) if flag else (f"{name}={chance.choice((*WORDS, *known[name].get('choices', ())))}",)
    before = files(room.case)
    ended = room.run(*command)
    return ended.result(lost(before, room, *(("run/",) if command[0] == "train" and ended.code == 0 else ())))


def messages(room: Room, chances: list[Random]) -> Result:
    """What a browser sends to the panel, in any order and of any type: nothing escapes, nothing stays."""
    room.fill("small.safetensors", "plain.wav")
    data, sent = (room.case / "plain.wav").read_bytes(), []
    for chance in chances:
        size, half = chance.choice((len(data), len(data), chance.choice(ODD))), len(data) // 2
        offset = chance.choice((0, half, chance.choice(ODD)))
        content = {"kind": chance.choice(("begin", "piece", "piece", "piece", "fetch", "unreadable", chance.choice(ODD))),
                   "name": f"{chance.choice(NAMES)}.wav" if chance.random() < 0.8 else chance.choice(ODD), "size": size,
                   "offset": offset, "stem": chance.choice(("vocals", chance.choice(ODD))), "reason": chance.choice(ODD)}
        for name in chance.sample(sorted(content), chance.choice((0, 0, 0, 1, 2))):
            del content[name]
        piece = data[half:] if offset == half else data[:half]
        sent.append((content, chance.choice(([memoryview(piece)],) * 4 + ([], [b""], None))))
    if room.keep.name:
        room.keep.mkdir()
        (room.keep / "messages.txt").write_text("\n".join(map(repr, sent)), errors="backslashreplace")
        raise Kept
    panel, faults, n_failed = own_song({"small": room.case / "small.safetensors"}, room.case / "out"), [], 0
    with mock.patch.object(type(panel.browser), "send", lambda *_, **__: None):
        for content, buffers in sent:
            try:
                panel._answer(panel.browser, content, buffers)
            except Exception as error:
                faults.append(f"traceback {type(error).__name__}")
            if panel.job and panel.job.is_alive() and content.get("kind") != "begin":
                panel.job.join()
            n_failed += panel.phase == "failed"
            faults.append("no sentence" if re.search(r">\w+(Error|Exception): ", panel.message.value) else "")
        panel.end()
    faults.append("lost: received pieces stay" if list(room.path.glob("own-song-*")) else "")
    return Result(len(chances) - n_failed, n_failed, faults)


def kills(room: Room, chances: list[Random]) -> Result:
    """A command is killed at a random moment; the same one again ends well, with the results of one that was not."""
    name, *_ = chances[0].sample(sorted(COMMANDS_TO_KILL), 1)
    seconds, expected = room.expected[name]
    room.fill_for(name)
    before, process = files(room.case), FORK.Process(target=room.run, args=COMMANDS_TO_KILL[name])
    process.start()
    process.join(chances[0].uniform(0, seconds))
    process.kill()
    process.join()
    ended = room.run(*COMMANDS_TO_KILL[name])
    different = [path for path, content in results(room.case).items() if expected.get(path, b"") != content]
    different += set(expected) - set(results(room.case))
    return ended.result(lost(before, room), "refused after a kill" if ended.code else "",
                        f"lost or different after a kill: {different[0]}" if different else "")


KINDS = {audio: (6, 6), weights: (1, 3), checkpoints: (1, 3), caches: (1, 3), corpora: (6, 2), options: (1, 1), messages: (25, 1),
         kills: (1, 4)}
"""How many inputs are tried together, and the share of the time."""


# The campaign


def work(room: Room, seed: int, cases: list[tuple[Any, int, int]], pipe: Any) -> None:
    """Try cases in this process, which a parent looks after."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for kind, first, count in cases:
        start = time.perf_counter()
        try:
            result = kind(room, [Random(f"{seed} {kind.__name__} {first + index}") for index in range(count)])
        except Kept:
            result = None
        pipe.send((result, time.perf_counter() - start))


def tried(room: Room, seed: int, cases: list[tuple[Any, int, int]]) -> Iterator[tuple[tuple[Any, int, int], Result]]:
    """Each case with its result; one that ends its process, or takes too long, is told from those beside it."""
    todo = list(cases)
    while todo:
        here, there = FORK.Pipe(duplex=False)
        process = FORK.Process(target=work, args=(room, seed, todo, there))
        process.start()
        there.close()
        count, fault = 1, ""
        with contextlib.suppress(EOFError):
            while todo and not fault:
                count = todo[0][2]
                if here.poll(LIMIT_S * count + 5):
                    fault = "crash"  # if nothing can be received
                    result, seconds = here.recv()
                    fault = ""
                    late = "hang" if seconds > LIMIT_S else ""
                    yield todo.pop(0), result and result._replace(faults=[*filter(None, (*result.faults, late))])
                else:
                    fault = "hang"
        if fault:
            yield todo.pop(0), Result(0, 0, [fault])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()


def share(index: int, n_shares: int, seed: int, end: float, most: int, keep: Path, only: list[Any]) -> dict[str, Counter]:
    """Try every so-many-th input until the time is up, or there were `most` batches of each kind."""
    torch.set_num_threads(1)
    table = {kind.__name__: Counter() for kind in KINDS}
    spent, firsts = Counter(), {kind: itertools.count(index, n_shares) for kind in only}
    with tempfile.TemporaryDirectory(prefix="campaign-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        with ProcessPoolExecutor(1, FORK) as pool:  # nothing is trained in this process, or its children could not train
            room = pool.submit(Room, Path(folder)).result()
        while time.time() < end and firsts:
            kind = min(firsts, key=lambda kind: spent[kind] / KINDS[kind][1])
            start, size = time.perf_counter(), KINDS[kind][0]
            cases = [(kind, size * number, size) for number in itertools.islice(firsts[kind], min(most, 1 if kind is kills else 20))]
            for case, result in list(tried(room, seed, cases)):  # before others use the room
                table[kind.__name__].update({"inputs": case[2], "well": result.well, "refused": result.refused})
                alone = [(kind, case[1] + place, 1) for place in range(case[2])] if result.faults and case[2] > 1 else []
                found = [each for each in list(tried(room, seed, alone)) if each[1].faults] or [(case, result)]
                for (_, first, count), each in found:
                    if each.faults:
                        table[kind.__name__].update(each.faults[:1])
                        room.keep = keep / f"{kind.__name__}-{first}-{count}"
                        room.keep.parent.mkdir(parents=True, exist_ok=True)
                        list(tried(room, seed, [(kind, first, count)]))
                        room.keep.mkdir(exist_ok=True)
                        (room.keep / "faults.txt").write_text("\n".join(each.faults))
                        room.keep = Path()
            spent[kind] += time.perf_counter() - start
            if most < 20:
                del firsts[kind]
    return table


def campaign(minutes: float, seed: int, keep: Path, most: int, n_shares: int) -> int:
    """Try inputs for so long, print how they ended, and return the exit code."""
    end = time.time() + 60 * minutes
    arguments = n_shares, seed, end, most, keep.resolve(), list(KINDS)
    with ProcessPoolExecutor(n_shares, FORK) as pool:
        tables = [each.result() for each in [pool.submit(share, index, *arguments) for index in range(n_shares)]]
    table = {kind.__name__: sum((each[kind.__name__] for each in tables), Counter()) for kind in KINDS}
    usual, failed = ("inputs", "well", "refused"), 0
    print(f"seed {seed}, {minutes:g} minutes\n\n| class | inputs | ended well | refused with a sentence | failures |\n|{'---|' * 5}")
    for name, counts in {**table, "all": sum(table.values(), Counter())}.items():
        faults = "; ".join(f"{n} {fault}" for fault, n in counts.items() if fault not in usual)
        failed = sum(n for fault, n in counts.items() if fault not in usual)
        print(f"| {name} | {' | '.join(str(counts[each]) for each in usual)} | {faults or '0'} |")
    print(f"\n{failed} failures" + (f", kept in {keep}" if failed else ""))
    return int(failed > 0)


def repeat(seed: int, which: str) -> int:
    """Try one input, or some that were tried together, again: `audio-12-1`, as its folder is called."""
    name, first, count = which.split("-")
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        with ProcessPoolExecutor(1, FORK) as pool:
            room = pool.submit(Room, Path(folder)).result()
        ((_, result),) = tried(room, seed, [(globals()[name], int(first), int(count))])
        print(result)
        print(*(path.read_text(errors="replace") for path in (room.path / "out", room.path / "err") if path.exists()))
    return int(bool(result.faults))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "campaign", help="folder of what failed")
    parser.add_argument("--batches", type=int, default=10**9, help="of each kind, then it ends")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", help="one that was kept, by the name of its folder")
    chosen = parser.parse_args()
    sys.exit(repeat(chosen.seed, chosen.repeat) if chosen.repeat else campaign(
        chosen.minutes, chosen.seed, chosen.keep, chosen.batches, chosen.processes))
