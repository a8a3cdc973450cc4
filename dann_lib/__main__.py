"""The steps of the course from a shell; `python -m dann_lib --help` lists them."""

from __future__ import annotations

import argparse
import sys
import warnings

from dann_lib.commands import COMMANDS
from dann_lib.errors import DannError

EPILOG = """
the whole way, on the songs that come with the course:
  python -m dann_lib prepare                        make and prepare the embedded corpus
  python -m dann_lib train --folder data/runs/mine  learn from it
  python -m dann_lib separate song.mp3 --weights data/runs/mine/weights.safetensors
  python -m dann_lib evaluate --weights data/runs/mine/weights.safetensors

the same on MUSDB18: add --corpus FOLDER to prepare, train and evaluate;
every experiment of the report: python -m dann_lib reproduce --corpus FOLDER
Exit codes: 0 done; 1 a lesson failed; 2 something about the input, said in one line; 130 interrupted.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dann_lib", description="Separate songs into vocals, drums and bass with DANN.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name, help=command.help, description=command.description,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return options.run(options) or 0
    except (DannError, ValueError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
