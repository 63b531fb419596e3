"""Opening a huge zarr, reading planes, writing a multiscale volume, making and scoring a sample."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

OPEN_S, OPEN_MB, SAMPLE_S = 1.0, 40.0, 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller volumes to write and to score")
    depth = 64 if parser.parse_args().quick else 512
    import zarr

    from voxloop.review import evaluate
    from voxloop.volumes import open_volume, read_block, samples, save_volume, scales

    print(f"{'what':>38} {'seconds':>9} {'more MB':>9}  target")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        huge = Path(folder) / "huge.zarr"
        zarr.create_array(huge, shape=(1000, 10_000, 10_000), chunks=(16, 256, 256), dtype="uint8")
        open_volume(np.zeros((2, 2, 2), np.uint8))  # imports are not what is measured
        volume, seconds, grown = timed("open a 100 GB zarr", lambda: open_volume(huge), f"< {OPEN_S:.0f} s, a few MB")
        good &= seconds < OPEN_S and grown < OPEN_MB
        timed("its scales", lambda: scales(volume))
        timed("a 2048^2 piece of one plane", lambda: read_block(volume, (500, slice(0, 2048), slice(0, 2048))))
        timed("a whole plane (100 Mpx)", lambda: read_block(volume, (500,)))
        cube = np.random.default_rng(0).integers(0, 255, (depth, 1024, 1024), dtype=np.uint8)
        size = cube.nbytes / 1e6
        timed(f"write {size:.0f} MB, all scales", lambda: save_volume(cube, Path(folder) / "out.zarr", spacing=0.01))
        truth = 1 + (cube > 128).astype(np.uint8)
        timed(f"score {size:.0f} Mvoxels, two classes", lambda: evaluate(truth, truth))
        _, seconds, _ = timed("make the sample em", lambda: samples.load("em"), f"< {SAMPLE_S:.0f} s")
        good &= seconds < SAMPLE_S
    return 0 if good else 1


def timed(what: str, act: Callable[[], Any], target: str = "") -> tuple[Any, float, float]:
    before, start = peak_mb(), time.perf_counter()
    found = act()
    seconds, grown = time.perf_counter() - start, peak_mb() - before
    print(f"{what:>38} {seconds:9.3f} {grown:9.1f}  {target}", flush=True)
    return found, seconds, grown


def peak_mb() -> float:
    """High water of this process; what an act adds to it is what it needed beyond anything before."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    sys.exit(main())
