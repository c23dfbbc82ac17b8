"""Starts the benchmarks as `python benchmarks/run.py`: see `--help`, and `benchmarks.command`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, Python looks beside it first, where `bench` and `load` are no packages.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from benchmarks.command import main

    sys.exit(main())
