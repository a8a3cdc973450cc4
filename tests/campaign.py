"""Bad input without end: `python tests/campaign.py --minutes 10` damages files and messages, and counts how that ends.

Each input follows from the seed and its number alone, and goes through `main` of the command line, in forked children
with limits of time and memory that take many. What must not be: a traceback, a hang, a crash, a wrong stem, damage that
is not seen, a file lost. The exit code is 1 if there was any; such inputs are kept, with what repeats them.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
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
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"  # a process for each core
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import soundfile
import torch
from corpora import signals, wav_corpus, write_stem_file
from safetensors.torch import load_file, save_file

from dann_lib.__main__ import main
from dann_lib.baselines import network_of
from dann_lib.checkpoint import save_weights
from dann_lib.config import TrainingConfig
from dann_lib.course.own_song import own_song

LIMIT_S, LIMIT_BYTES, RATE_HZ = 20, 2**32, 22_050
FORK = multiprocessing.get_context("fork")
CONFIG = TrainingConfig(network_options={"channels": [1] * 4, "bottleneck": 1, "skips": []}, n_chunk_frames=16)
SONGS = {"plain.wav": {}, "float.wav": {"subtype": "FLOAT"}, "24.wav": {"subtype": "PCM_24"}, "a.flac": {}, "a.ogg": {},
         "law.wav": {"subtype": "ULAW"}, "64.wav": {"format": "RF64"}, "a.mp3": {}, "a.aiff": {}, "a.au": {}}
NAMES = ("song", "earlier", "...", "..", ".hidden", "-x", "~nouser", "a:b", "a\nb", "a\x01b", "naïve", "\udcff", " a ",
         "n" * 200, "%s{}", "[a]*", "'\"", "vocals", "mixture", "rest", "ä" * 90, "x.stem", "\u202egpj", "--", "con")
ODD = (None, True, -1, 0, 1, 3, 2**31, 2**63, -(2**63), 2.5, math.nan, math.inf, 1e38, "", "x", "\udcff", "../x",
       "nul \0", "n" * 300, [], [[]], [1, 2], {}, {"a": 1}, ["vocals"], ["other", "rest"])
SEPARATE = ("separate", "--weights", "small", "--out", "out", "--json", "--device", "cpu")
EVALUATE = ("evaluate", "--corpus", "corpus", "--weights", "small", "--no-v4", "--out", "scores", "--jobs", "1")
TRAIN = ("train", "--corpus", "corpus", "--folder", "run", "--network", "cdae", "--sources", "vocals",
         "--n-chunk-frames", "16", "--device", "cpu", "--epochs")


TASKS = {
    "separate": ((*SEPARATE, "plain.wav", "float.wav"), ("small", "plain.wav", "float.wav"), (), "small", "out/"),
    "train": ((*TRAIN, "3"), ("corpus", "cache"), ("run",), "run/*", "run/"),
    "finished": ((*TRAIN, "2"), ("corpus", "cache"), ("run",), "run/*", "run/"),
    "prepare": (("prepare", "--verify", "--corpus", "corpus"), ("corpus",), ("cache",), "cache/**/*", "cache/"),
    "evaluate": (EVALUATE, ("corpus", "cache", "small"), ("scores",), "[cs][ac]*/**/*", "scores/"),
}
"""Commands; what they read, what they may find of their own, what of these is damaged, and what they write."""


class Result(NamedTuple):
    """How many inputs ended well and were refused, and what is wrong with that: texts, of which empty ones are none."""

    well: int
    refused: int
    faults: list[str]


class Ended(NamedTuple):
    """How a command has ended, and what is wrong with that, whatever was asked."""

    code: int
    out: str
    err: str
    fault: str


class Kept(Exception):
    """An input was to be kept, not tried."""


class Room:
    """A folder with whole files to take from, and the folder `case`, in which an input is made and tried."""

    def __init__(self, path: Path) -> None:
        self.path, self.case, self.whole, self.keep = path, path / "case", path / "whole", Path()
        self.case.mkdir()
        torch.manual_seed(0)
        save_weights(self.case / "small", network_of(CONFIG), CONFIG)
        for number, (name, options) in enumerate(SONGS.items()):
            samples = signals(0.2, RATE_HZ, 1 + number % 2, number)["mixture"]
            soundfile.write(self.case / name, samples, RATE_HZ, **options)
        write_stem_file(self.case / "a.stem.mp4", signals(0.2))
        wav_corpus(self.case / "corpus", seconds=0.8, rate_hz=RATE_HZ, n_channels=1)
        for command, *_ in (TASKS[name] for name in TASKS if name != "train"):
            if (ended := self.run(*command)).code:
                raise RuntimeError(f"{shlex.join(command)}: {ended.err}")
        (self.case / "out/plain").rename(self.case / "out/earlier")
        self.case.rename(self.whole)
        self.expected: dict[str, tuple[float, dict[str, Any]]] = {}
        for name, (command, reads, *_) in TASKS.items():
            self.fill(*reads)
            start = time.perf_counter()
            self.run(*command)
            self.expected[name] = time.perf_counter() - start, results(self.case)

    def fill(self, *names: str) -> None:
        """Make the folder new, with some of the whole files."""
        if self.case.exists():
            shutil.rmtree(self.case)
        self.case.mkdir()
        for name in names:
            source, target = self.whole / name, self.case / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)

    def run(self, *command: str, number: int = 1) -> Ended:
        """Run a command of the command line in the folder, in this process; `number` parts those that run at once."""
        if self.keep.name:
            subprocess.run(["cp", "-a", self.case, self.keep], check=True)
            (self.keep / "command.txt").write_bytes(os.fsencode(f"python -m dann_lib {shlex.join(command)}\n"))
            raise Kept
        os.chdir(self.case)
        os.environ["DANN_CACHE"], tempfile.tempdir = str(self.case / "cache"), str(self.path)
        usual, texts = [os.dup(1), os.dup(2)], []
        with open(self.path / f"out{number}", "w+b") as out, open(self.path / f"err{number}", "w+b") as err:
            os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
            try:
                code = main(list(command))
            except SystemExit as stop:
                code = stop.code
            except BaseException as error:
                print(f"Traceback: {error!r}", file=sys.stderr)
                code = 70
            sys.stdout.flush(), sys.stderr.flush()
            for place, stream in enumerate(usual, 1):
                os.dup2(stream, place), os.close(stream)
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        fault = "" if code == 0 or re.search(r"(^|\r)error: \S+ \S+", texts[1], re.M) else "no sentence"
        fault = fault if code in (0, 2) else f"exit code {code}"
        return Ended(code, *texts, "traceback" if code == 70 or "Traceback" in texts[1] else fault)


# What is damaged, and how it ended


def damaged(chance: Random, data: bytes) -> bytes:
    """A file with other bits, numbers or pieces, most often near its beginning, or cut off."""
    content = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        end = max(1, min(len(content), chance.choice((16, 64, 512, len(content), len(content)))))
        place, size, length = chance.randrange(end), chance.choice((1, 2, 4, 8)), chance.choice((1, 2, 4, 64, 1000))
        number = chance.choice((0, 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 1000, 768_000))
        flipped = bytes([(content + b"\0")[place] ^ 1 << chance.randrange(8)])
        new = chance.choice((flipped, flipped, chance.randbytes(size), content[chance.randrange(end) :][:length], b"",
                             number.to_bytes(8, chance.choice(("little", "big")))[-size:]))
        content[place : place + chance.choice((len(new),) * 6 + (0, length, len(content)))] = new
    return bytes(content)


def odd_file(chance: Random, path: Path) -> None:
    """Put something else in the place of a file: what is damaged, or nothing, a folder, a pipe, a link."""
    data = damaged(chance, path.read_bytes())
    target = chance.choice((path.name, "nowhere", ".", "/dev/zero", ".."))
    path.unlink()
    others = path.mkdir, partial(os.mkfifo, path), partial(path.symlink_to, target), tuple
    chance.choice((*others, *[partial(path.write_bytes, data)] * 8))()


def odd_weights(chance: Random, path: Path) -> None:
    """Whole weights with an odd tensor or configuration, and no checksum, as older ones have none."""
    tensors, config = load_file(path), json.loads(CONFIG.to_json())
    name, value = chance.choice(sorted(tensors)), chance.choice((math.nan, math.inf, 1e38, -1e38, 1e20, 0.0))
    kind = chance.choice((torch.float64, torch.int8, torch.bool, torch.complex64, torch.bfloat16))
    shape = chance.choice(((), (0,), (2, 2), (1, 1, 1, 1, 1)))
    option = chance.choice(("channels", "bottleneck", "skips", "bands", "x"))
    chosen, key, odd = chance.choice((
        (tensors, name, torch.full_like(tensors[name], value)), (tensors, name, tensors[name].to(kind)),
        (tensors, chance.choice((name, "more")), torch.zeros(shape)),
        (config["network_options"], option, chance.choice(ODD)),
        (config, chance.choice((*sorted(config), "sources", "order", "x")), chance.choice(ODD))))
    chosen[key] = odd
    save_file(tensors, path, metadata={"config": json.dumps(config)})


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
    if isinstance(history := found.get("run/history.csv"), bytes):
        rows = csv.reader(history.decode(errors="replace").splitlines())
        found["run/history.csv"] = [row[:2] + row[3:] for row in rows]
    return {name: None if name.endswith("checkpoint.pt") else content for name, content in found.items()}


def lost(before: dict[str, Any], room: Room, *may_change: str) -> str:
    """Whether a file that was there has gone, or changed, but for those whose names begin so."""
    after = files(room.case)
    gone = [name for name, content in before.items() if not name.endswith(".lock") and (
        name not in after or (after[name] != content and not name.startswith(may_change)))]
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
        whole, _ = soundfile.read(os.fsencode(room.case / song), always_2d=True)
        total = sum(samples for samples, _ in stems)
        if whole.shape != total.shape or abs(whole - total).max() > 1e-3:
            return "wrong stem: the sum is not the song"
    return ""


# What is tried, each with a random generator for each input


def audio(room: Room, chances: list[Random]) -> Result:
    """Songs, most of them damaged, some with odd names or endings; what is whole becomes stems that add up to it."""
    room.fill("small", "out/earlier")
    songs: dict[str, bool] = {}
    for index, chance in enumerate(chances):
        base = chance.choice(("plain.wav", "float.wav", "24.wav", chance.choice((*SONGS, "a.stem.mp4"))))
        name = chance.choice(NAMES) if chance.random() < 0.3 else "song"
        path = room.case / f"in/{index}/{name}{'.xyz' if chance.random() < 0.03 else Path(base).suffix}"
        whole, data = chance.random() < 0.1, (room.whole / base).read_bytes()
        path.parent.mkdir(parents=True)
        path.write_bytes(data if whole else damaged(chance, data))
        songs[str(path.relative_to(room.case))] = whole
    more = chances[0].choice(((), (), ("--format", "flac"), ("--bits", "24"), ("--gain", "vocals=3")))
    before = files(room.case)
    ended = room.run(*SEPARATE, *more, *songs)
    answers = {(answer := json.loads(line)).get("song"): answer for line in ended.out.splitlines()}
    faults = [ended.fault, lost(before, room)]
    for song, whole in songs.items():
        answer = answers.get(song, {})
        faults.append("" if answer or ended.fault else "no answer")
        faults.append("refused though fine" if whole and "error" in answer else "")
        if "stems" in answer:
            lossless = whole and not more and Path(song).suffix in (".wav", ".flac", ".aiff", ".caf", ".au")
            faults.append(wrong(answer, room, song if lossless else None))
    refused = sum("error" in answers.get(song, {"error": ""}) for song in songs)
    return Result(len(songs) - refused, refused, faults)


def damage(*names: str, room: Room, chances: list[Random]) -> Result:
    """A file that a command reads, or has written before, is odd: it ends as if it were not, or refuses to work."""
    chance = chances[0]
    name = chance.choice(names)
    (command, reads, finds, victims, writes), (_, expected) = TASKS[name], room.expected[name]
    room.fill(*reads, *finds)
    victim = chance.choice(sorted(path for path in room.case.glob(victims) if path.is_file()))
    is_odd = name == "separate" and chance.random() < 0.5
    odd_weights(chance, victim) if is_odd else odd_file(chance, victim)
    before = files(room.case)
    ended, faults = room.run(*command), []
    if ended.code == 0 and name == "separate":
        faults = [wrong(answer := json.loads(line), room, answer["song"]) for line in ended.out.splitlines()]
    after = results(room.case)
    if ended.code == 0 and not is_odd and name != "evaluate":
        same = all(after.get(path) == content for path, content in expected.items() if path.startswith(writes))
        faults.append("" if same else "damage unseen")
    may_change = (writes, "cache/") if ended.code == 0 or victim.name != "checkpoint.pt" else ()
    return Result(int(ended.code == 0), int(ended.code != 0), [ended.fault, lost(before, room, *may_change), *faults])


def corpora(room: Room, chances: list[Random]) -> Result:
    """Songs of a corpus with odd names, of odd files; those that are whole are prepared if any song is."""
    room.fill()
    whole: dict[str, bool] = {}
    for index, chance in enumerate(chances):
        name = f"{chance.choice(NAMES) if chance.random() < 0.3 else 'song'}{index}"
        path = room.case / "corpus" / chance.choice(("train", "train", "test")) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(room.whole / "corpus/train/Band - train 0", path)
        n_odd = chance.choice((0, 1, 1, 2, 5))
        for file in chance.sample(sorted(path.iterdir()), n_odd):
            odd_file(chance, file)
        whole[name] = n_odd == 0
        one, extra = path.parent / f"{index}.stem.mp4", chance.randrange(20)
        if extra == 0:
            one.write_bytes(damaged(chance, (room.whole / "a.stem.mp4").read_bytes()))
        elif extra == 1:
            one.with_suffix("").symlink_to(chance.choice((f"{index}.stem", name, ".", "..", "nowhere")))
        elif extra == 2:
            os.mkfifo(one)
        elif extra == 3:
            (path.parents[1] / "metadata.csv").write_bytes(damaged(chance, b"name,split\nsong0,train\n"))
    before = files(room.case)
    ended = room.run("prepare", "--corpus", "corpus", "--json")
    skipped = json.loads(ended.out)["skipped"] if ended.code == 0 else whole
    fine = ended.code or not any(whole.get(name) for name in skipped)
    return Result(len(chances) - len(skipped), len(skipped), [
        ended.fault, lost(before, room), "" if fine else "refused though fine"])


def messages(room: Room, chances: list[Random]) -> Result:
    """What a browser sends to the panel, in any order and of any type: nothing escapes, nothing stays."""
    room.fill("small", "plain.wav")
    data, sent, faults, n_failed = (room.case / "plain.wav").read_bytes(), [], [], 0
    for chance in chances:
        half, odd = len(data) // 2, partial(chance.choice, ODD)
        content = {"kind": chance.choice(("begin", "piece", "piece", "piece", "fetch", "unreadable", odd())),
                   "name": f"{chance.choice(NAMES)}.wav" if chance.random() < 0.8 else odd(), "reason": odd(),
                   "size": chance.choice((len(data), len(data), odd())), "offset": chance.choice((0, half, odd())),
                   "stem": chance.choice(("vocals", odd()))}
        for name in chance.sample(sorted(content), chance.choice((0, 0, 0, 1, 2))):
            del content[name]
        piece = memoryview(data[half:] if content.get("offset") == half else data[:half])
        sent.append((content, chance.choice(([piece], [piece], [piece], [], [memoryview(b"")]))))
    if room.keep.name:
        room.keep.mkdir()
        (room.keep / "messages.txt").write_text("\n".join(map(repr, sent)), errors="backslashreplace")
        raise Kept
    tempfile.tempdir = str(room.path)
    panel = own_song({"small": room.case / "small"}, room.case / "out")
    with mock.patch.object(type(panel.browser), "send", lambda *_, **__: None):
        for content, buffers in sent:
            try:
                panel._answer(panel.browser, content, buffers)
            except Exception as error:
                faults.append(f"traceback {type(error).__name__}")
            if panel.job and content.get("kind") != "begin":
                panel.job.join()
            n_failed += panel.phase == "failed"
            faults += re.findall(r">(?:\w+Error|Exception):.*", panel.message.value)
        panel.end()
    faults.append("received pieces stay" if list(room.path.glob("own-song-*")) else "")
    return Result(len(chances) - n_failed, n_failed, faults)


def kills(room: Room, chances: list[Random]) -> Result:
    """A command is killed at a random moment; the same one again ends well, with the results of one that was not."""
    name = chances[0].choice(sorted(TASKS))
    (command, reads, *_), (seconds, expected) = TASKS[name], room.expected[name]
    room.fill(*reads)
    before, process = files(room.case), FORK.Process(target=room.run, args=command)
    if room.keep.name:
        room.run(*command)
    process.start()
    process.join(chances[0].uniform(0, seconds))
    process.kill()
    process.join()
    ended = room.run(*command)
    return Result(int(ended.code == 0), int(ended.code != 0), [
        ended.fault, lost(before, room), f"refused after a kill: {ended.err[-300:]}" if ended.code else "",
        different(expected, room, "after a kill")])


def pairs(room: Room, chances: list[Random]) -> Result:
    """The same command twice at once: one ends well, the other too or with a sentence, and nothing else is left.

    Or two songs of one name at once, of which neither may take the other's place.
    """
    name = chances[0].choice((*sorted(TASKS), "separate"))
    (command, reads, *_), (seconds, expected) = TASKS[name], room.expected[name]
    room.fill(*reads)
    song = chances[0].choice(("plain.wav", "more/plain.wav")) if name == "separate" else ""
    second = command
    if song:
        command, second = (*SEPARATE, "plain.wav"), (*SEPARATE, song)
        (room.case / "more").mkdir()
        shutil.copy2(room.case / "float.wav", room.case / "more/plain.wav")
    before = files(room.case)
    if room.keep.name:
        room.run(*command)
    here, there = FORK.Pipe(duplex=False)
    process = FORK.Process(target=lambda: there.send(room.run(*second, number=2)))
    process.start()
    there.close()
    time.sleep(chances[0].uniform(0, seconds))
    ended = [room.run(*command), here.recv()]
    process.join()
    n_well = sum(each.code == 0 for each in ended)
    faults = [*(each.fault for each in ended), lost(before, room)]
    faults.append("" if n_well else f"both refused: {ended[0].err[-300:]}")
    if song:
        lines = [json.loads(line) for each in ended for line in each.out.splitlines()]
        answers = [answer for answer in lines if "stems" in answer]
        faults += [wrong(answer, room, answer["song"]) for answer in answers]
        folders = {Path(answer["stems"]["vocals"]).parent for answer in answers}
        same = song == "plain.wav" or len(folders) == n_well
        faults.append("" if same else "wrong stem: one song in the place of another")
    else:
        faults.append(different(expected, room, "after two at once"))
    return Result(n_well, 2 - n_well, faults)


def different(expected: dict[str, Any], room: Room, when: str) -> str:
    """Whether there are other results than those of a command that was alone."""
    after = results(room.case)
    paths = [path for path in {**after, **expected} if after.get(path, b"") != expected.get(path, b"")]
    return f"different {when}: {paths[0]}" if paths else ""


KINDS = {"audio": (audio, 6, 6), "weights": (partial(damage, "separate"), 1, 3), "corpora": (corpora, 6, 3),
         "checkpoints": (partial(damage, "train", "finished"), 1, 3), "caches": (partial(damage, "prepare"), 1, 2),
         "scores": (partial(damage, "evaluate"), 1, 1), "messages": (messages, 25, 2),
         "kills": (kills, 1, 3), "pairs": (pairs, 1, 2)}
"""How an input of each class is tried, how many together, and the share of the time."""

Case = tuple[str, int, int]
"""Inputs: their class, the number of the first, and how many."""


# The campaign


def work(room: Room, seed: int, cases: list[Case], pipe: Any) -> None:
    """Try cases in this process, which a parent looks after."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for kind, first, count in cases:
        start, result = time.perf_counter(), Result(0, 0, [])
        with contextlib.suppress(Kept):
            chances = [Random(f"{seed} {kind} {first + index}") for index in range(count)]
            result = KINDS[kind][0](room=room, chances=chances)
        late = ["hang"] if time.perf_counter() - start > LIMIT_S else []
        pipe.send(result._replace(faults=[*filter(None, result.faults), *late]))


def tried(room: Room, seed: int, cases: list[Case]) -> Iterator[tuple[Case, Result]]:
    """Each case with its result; one that ends its process, or takes too long, is told from those beside it."""
    while cases:
        here, there = FORK.Pipe(duplex=False)
        process = FORK.Process(target=work, args=(room, seed, cases, there))
        process.start()
        there.close()
        fault = ""
        while cases and not fault:
            case, *rest = cases
            try:
                fault = "" if here.poll(LIMIT_S * case[2] + 5) else "hang"
                result = Result(0, 0, [fault]) if fault else here.recv()
            except EOFError:
                result = Result(0, 0, [fault := "crash"])
            yield case, result
            cases = rest
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()


def share(index: int, n_shares: int, seed: int, end: float, most: int, keep: Path) -> dict[str, Counter]:
    """Try every so-many-th input until the time is up, or there were `most` batches of each class."""
    table, spent = {kind: Counter() for kind in KINDS}, Counter()
    firsts = {kind: itertools.count(index, n_shares) for kind in KINDS}
    with new_room() as room:
        while time.time() < end and firsts:
            kind = min(firsts, key=lambda kind: spent[kind] / KINDS[kind][2])
            start, size = time.perf_counter(), KINDS[kind][1]
            n_batches = min(most, 1 if kind in ("kills", "pairs") else 20)  # what was trained in a process stays in it
            cases = [(kind, size * number, size) for number in itertools.islice(firsts[kind], n_batches)]
            for case, result in list(tried(room, seed, cases)):  # a list, so that the room is free for others
                table[kind].update({"inputs": size, "well": result.well, "refused": result.refused})
                alone = [(kind, case[1] + place, 1) for place in range(size)] if result.faults and size > 1 else []
                found = [each for each in list(tried(room, seed, alone)) if each[1].faults] or [(case, result)]
                for each, (_, _, faults) in found:
                    if faults:
                        table[kind][faults[0].split(": ")[0]] += 1
                        room.keep = keep / "-".join(map(str, each))
                        room.keep.parent.mkdir(parents=True, exist_ok=True)
                        list(tried(room, seed, [each]))
                        (room.keep / "faults.txt").write_text("\n".join(faults))
                        room.keep = Path()
            spent[kind] += time.perf_counter() - start
            if most < 20:
                del firsts[kind]
    return table


@contextlib.contextmanager
def new_room() -> Iterator[Room]:
    """A room in memory where that can be; it is made in another process, since one that has trained must not fork."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    for name in ("filelock", "joblib", "scipy.stats", "torch._dynamo", "dann_lib.training"):
        importlib.import_module(name)  # so that no child needs a second for them
    with tempfile.TemporaryDirectory(prefix="campaign-", dir=memory) as folder:
        torch.set_num_threads(1)
        with ProcessPoolExecutor(1, FORK) as pool:
            room = pool.submit(Room, Path(folder)).result()
        yield room


def campaign(minutes: float, seed: int, keep: Path, most: int = 10**9, n_shares: int = os.cpu_count() or 1) -> int:
    """Try inputs for so long, print how they ended, and return the exit code."""
    end, usual = time.time() + 60 * minutes, ("inputs", "well", "refused")
    with ProcessPoolExecutor(n_shares, FORK) as pool:
        jobs = [pool.submit(share, index, n_shares, seed, end, most, keep.resolve()) for index in range(n_shares)]
        tables = [job.result() for job in jobs]
    table = {kind: sum((each[kind] for each in tables), Counter()) for kind in KINDS}
    print("| class | inputs | ended well | refused with a sentence | failures |", "|---" * 5 + "|", sep="\n")
    for kind, counts in {**table, "all": sum(table.values(), Counter())}.items():
        faults = {fault: n for fault, n in counts.items() if fault not in usual}
        listed = "; ".join(f"{n} {fault}" for fault, n in faults.items()) or "0"
        print(f"| {kind} | {' | '.join(str(counts[each]) for each in usual)} | {listed} |")
    print(f"seed {seed}, {minutes:g} minutes, {sum(faults.values())} failures", f"in {keep}" if faults else "")
    return int(bool(faults))


def repeat(seed: int, kept: str) -> int:
    """Try inputs again, by the name of the folder in which they were kept, and print how they ended."""
    kind, first, count = kept.split("-")
    with new_room() as room:
        ((_, result),) = tried(room, seed, [(kind, int(first), int(count))])
        texts = [path.read_text(errors="replace") for path in sorted(room.path.glob("???[12]"))]
        print(*texts, result, sep="\n")
    return int(bool(result.faults))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("data/campaign"), help="folder of the inputs that failed")
    parser.add_argument("--repeat", help="the name of a folder in there: try it again")
    chosen = parser.parse_args()
    sys.exit(repeat(chosen.seed, chosen.repeat) if chosen.repeat else
             campaign(chosen.minutes, chosen.seed, chosen.keep))
