"""The benchmark of the loop with the sizes that docs/benchmarks.md states; ``voxloop benchmark`` has all choices."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from voxloop.benchmark.stacks import names


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, two rounds, made-up data; the same code")
    parser.add_argument(
        "--to", type=Path, default=Path("voxloop-benchmark.json"), help="the file that rows are added to"
    )
    parser.add_argument("--full", action="store_true", help="all stacks, five seeds, all peers: many hours")
    chosen = parser.parse_args()
    command = [sys.executable, "-c", "from voxloop.cli import main; main()", "benchmark", "--to", str(chosen.to)]
    if chosen.quick:
        sizes = ["--data", "em", "--seeds", "1", "--rounds", "2", "--voxels", "200000"]
        return subprocess.call([*command, *sizes, "--learner", "shallow,forest"])
    if not chosen.full:
        sizes = ["--data", "em,nuclei", "--seeds", "2", "--rounds", "4", "--voxels", "150000"]
        return subprocess.call([*command, *sizes, "--learner", "shallow,forest", "--strategy", "ours,random,all"])
    sizes = ["--data", ",".join(names()), "--seeds", "5", "--rounds", "5", "--voxels", "150000"]
    ways = [
        ["--learner", "shallow", "--strategy", "ours,random,uncertainty,oracle,all"],
        ["--learner", "forest", "--strategy", "random,all"],
        ["--learner", "shallow", "--strategy", "ours,random", "--start", "slices"],
        ["--learner", "unet", "--strategy", "random"],
    ]
    return max(subprocess.call([*command, *sizes, *way]) for way in ways)


if __name__ == "__main__":
    raise SystemExit(main())
