"""A server for the tests: started, waited for, ended."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def arguments_of(target: str) -> list[str]:
    """With what Python is started by `make TARGET`."""
    recipe = subprocess.run(["make", "--dry-run", "--old-file=.venv/.installed", "VENV=.venv", target], cwd=REPOSITORY,
                            capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
    return shlex.split(recipe.stdout.splitlines()[-1])[1:]


@contextlib.contextmanager
def serving(arguments: list[str], log: Path, cwd: Path, **environment: str) -> Iterator[str]:
    """Run `python …`, a server that says its address, with its token if it has one; yields it as soon as it answers."""
    with open(log, "w") as output:
        server = subprocess.Popen([sys.executable, *arguments], stdout=output, stderr=output, cwd=cwd,
                                  env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment})
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        server.wait()


def _address(server: subprocess.Popen, log: Path) -> str:
    while server.poll() is None:
        found = re.search(r"http://(127\.0\.0\.1|localhost):\d+(/\?token=\w+(?=\s))?", log.read_text())
        if found:
            with contextlib.suppress(OSError), urllib.request.urlopen(found[0]):
                return found[0]
        time.sleep(0.1)
    raise RuntimeError(f"the server ended:\n{log.read_text()[-2000:]}")
