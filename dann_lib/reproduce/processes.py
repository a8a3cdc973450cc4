"""The machine; time and memory of functions, each in a process of its own, taking turns."""

from __future__ import annotations

import multiprocessing
import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import psutil

from dann_lib.errors import DannError

ROUNDS = 2
"""Times that the processes of a comparison take turns."""


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


def take_turns(*tasks: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Run tasks in processes of their own, in turn; of each the fastest result."""
    results = [[in_a_process(*task) for task in tasks] for _ in range(ROUNDS)]
    return [min(of_one, key=lambda result: result["seconds"]) for of_one in zip(*results, strict=True)]


def in_a_process(function: Callable[..., dict], *arguments: Any, threads: int | None = None) -> dict[str, Any]:
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


def medians(runs: int, *, warm_up: bool = True, **tasks: Callable[[], Any]) -> dict[str, float]:
    """Median seconds of each task over `runs` rounds, the tasks in turn, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(runs + warm_up):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each[warm_up:]) for name, each in times.items()}


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""
