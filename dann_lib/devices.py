"""Devices, precision, layout and memory, processes (`accelerate`)."""

from __future__ import annotations

import ctypes
from functools import lru_cache

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import patch_environment


def best_device() -> str:
    """`"cuda"`, `"mps"` or `"cpu"`, the first of them that is there."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_precision(device: torch.device) -> str:
    """`"bf16"` where the hardware multiplies bfloat16 by itself, else `"float32"`.

    There a training step in bfloat16 autocast takes half the time of one in float32 or less, with the same
    loss to about four digits; elsewhere it is emulated, and ten times slower.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu":
        supported = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return "bf16" if supported else "float32"
    return "float32"


def memory_format(precision: str, learning: bool) -> torch.memory_format:
    """How features lie in memory: with the channels last where that is faster.

    Convolutions of few channels are faster so, and in bfloat16 a whole training step is. In float32 a step is
    slower, since normalisation takes longer on the way back; without gradients it is faster. Each precision but
    `"bf16"` counts as float32.
    """
    return torch.channels_last if precision == "bf16" or not learning else torch.contiguous_format


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, for the next time; whether it does.

    The C library of Linux (glibc) gives each large block back to the system, which clears it before it comes again:
    up to half the time of a training step in float32. Threads share one pool, so that none keeps its own.
    Other systems stay as they are.
    """
    m_trim_threshold, m_mmap_threshold, m_arena_max = -1, -3, -8
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows
        return False
    mallopt(m_arena_max, 1)
    return all(mallopt(option, 2**31 - 1) == 1 for option in (m_mmap_threshold, m_trim_threshold))


def make_accelerator(device: str | None = None, precision: str | None = None) -> Accelerator:
    """The `accelerate` object that knows devices, processes and precision (that of `choose_precision` if `None`).

    Raises:
        ValueError: if there is no such precision, or no such device: `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`.
    """
    if precision not in (None, "bf16", "float32"):
        raise ValueError(f"precision is {precision!r}; choose bf16 or float32")
    check_device(device)
    keep_freed_memory()
    with patch_environment(**({} if device in (None, "cpu") else {"ACCELERATE_TORCH_DEVICE": device})):
        # One process may train several networks: forget the precision of the last one, keep its processes.
        AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
        state = PartialState(cpu=device == "cpu")
        precision = precision or choose_precision(state.device)
        return Accelerator(cpu=device == "cpu", mixed_precision="bf16" if precision == "bf16" else "no")


def check_device(device: str | None) -> None:
    """Raise a `ValueError` with a sentence if a device is not there."""
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    there = [f"{name}{place}" for name, n in counts.items() for place in ("", *(f":{i}" for i in range(n))) if n]
    if device is not None and device not in there:
        raise ValueError(f"device {device!r} is not available here; choose one of {', '.join(there)}")
