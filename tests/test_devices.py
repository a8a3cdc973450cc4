"""Memory and layout: what is freed is kept where the C library can, and both layouts compute the same."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest
import torch

from dann_lib import devices
from dann_lib.baselines import build
from dann_lib.config import TrainingConfig
from dann_lib.separation import Separator

RESIDENT_AFTER_FREEING = """
import torch
from pathlib import Path
from dann_lib.devices import keep_freed_memory

def resident_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

if {keep}:
    assert keep_freed_memory()
before = resident_mb()
tensor = torch.ones(75_000_000)
del tensor
print(resident_mb() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc: it has no such setting")
@pytest.mark.parametrize("keep", [True, False])
def test_memory_that_is_freed_stays_where_it_was_asked_for(keep):
    code = RESIDENT_AFTER_FREEING.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (float(done.stdout) > 200) == keep


def test_a_system_without_that_setting_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert devices.keep_freed_memory.__wrapped__() is False


def test_channels_come_last_where_it_pays():
    assert devices.memory_format("bf16", learning=True) == torch.channels_last
    assert devices.memory_format("float32", learning=True) == torch.contiguous_format
    assert devices.memory_format("float32", learning=False) == torch.channels_last


@torch.no_grad()
def test_the_layout_of_separation_changes_no_mask():
    torch.manual_seed(0)
    network, chunks = build("dann").eval(), 30 * torch.randn(2, 2, 1025, 32)
    expected = network(chunks)
    separator = Separator.of(network, TrainingConfig(), "cpu", "float32")
    torch.testing.assert_close(separator._masks(chunks), expected, atol=1e-4, rtol=1e-4)
