"""The campaign of bad input: a short one finds nothing, and it does find what somebody broke."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign forks")

CODE = """
import os, sys
from pathlib import Path
import soundfile
sys.path.insert(0, sys.argv[1])
import campaign

def broken(arguments, main=campaign.main):
    found = [Path(name).exists() for name in ("run", "scores")]
    code = main(arguments)
    match arguments[0], *found:
        case "separate", *_ if Path("in").exists():
            [soundfile.write(stem, [0.0], 22_050) for stem in Path("out").glob("song*/vocals.*")]
        case "train", True, _:
            os.abort()
        case "evaluate", _, True:
            Path("small").unlink()
        case "prepare", *_ if "--json" in arguments:
            {}["key"]
    return code

if "broken" in sys.argv:
    campaign.main = broken
sys.exit(campaign.campaign(10, 0, Path("kept"), most=1, n_shares=1))
"""


@pytest.mark.parametrize(("state", "faults"), [
    ("whole", []), ("broken", ["wrong stem", "crash", "lost file small", "traceback"]),
])
def test_a_campaign_finds_what_is_broken_and_nothing_else(tmp_path, state, faults):
    done = subprocess.run([sys.executable, "-c", CODE, Path(__file__).parent, state], cwd=tmp_path, capture_output=True,
                          text=True, check=False)
    assert done.returncode == bool(faults), done.stdout + done.stderr
    assert [fault for fault in faults if fault not in done.stdout] == [], done.stdout
    kept = {path.name.split("-")[0] for path in tmp_path.glob("kept/*")}
    assert kept - {"kills", "pairs"} == ({"audio", "checkpoints", "corpora", "scores"} if faults else set())
