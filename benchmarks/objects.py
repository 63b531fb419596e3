"""Labelling by the block against cc3d and scipy on the whole, plain blockwise peers, and the watershed."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SHARE = 0.5
BLOCK = (64, 256, 256)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller volume")
    parser.add_argument("--alone", metavar="ZARR", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.alone:
        return alone(Path(chosen.alone))
    import cc3d
    import zarr
    from scipy import ndimage as ndi

    shape = (128, 256, 256) if chosen.quick else (512, 512, 512)
    memory(shape)  # first: a child begins with the high water of its parent
    mask = blobs(shape)
    print(f"{mask.size / 1e6:.0f} Mvoxels, {mask.mean():.0%} of them objects\n{'what':>44} {'s':>7} {'Mvox/s':>8}")
    whole, fastest = timed(
        "cc3d, whole volume in memory, faces", lambda: cc3d.connected_components(mask, connectivity=6)
    )
    del whole
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "mask.zarr"
        zarr.create_array(source, data=mask.view(np.uint8), chunks=BLOCK)
        from voxloop.objects import label_components

        label_components(mask[:4], Path(folder) / "warm.zarr")
        runs = {}
        for name, given in (("array", mask.view(np.uint8)), ("zarr", source)):
            out = Path(folder) / f"from-{name}.zarr"
            runs[name] = timed(
                f"voxloop, from {name} to OME-Zarr",
                lambda given=given, out=out: label_components(given, out, scales=False, overwrite=True),
            )
        expected, count = ndi.label(mask)
        got = runs["zarr"][0]
        equal = got.count == count and all(
            np.array_equal(np.asarray(got.labels[z : z + 16]), expected[z : z + 16]) for z in range(0, shape[0], 16)
        )
        del expected
        share = runs["array"][1] / fastest
        print(f"share of cc3d: from array {share:.2f}, from zarr {runs['zarr'][1] / fastest:.2f}; target {SHARE}")
        print(f"{count} objects, equal to scipy.ndimage.label on the whole: {equal}")
    return 0 if equal and share >= SHARE else 1


def memory(shape: tuple[int, int, int]) -> None:
    """Peak memory at a quarter of the volume, all of it, and four times as much."""
    import zarr

    slab = blobs((64, *shape[1:])).view(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        for depth in (shape[0] // 4, shape[0], 4 * shape[0]):
            path = Path(folder) / f"{depth}.zarr"
            stored = zarr.create_array(path, shape=(depth, *shape[1:]), chunks=BLOCK, dtype="uint8")
            for start in range(0, depth, 64):
                stored[start : start + 64] = slab[: depth - start]
            subprocess.run([sys.executable, "-m", "benchmarks.objects", "--alone", str(path)], check=True)


def alone(path: Path) -> int:
    """Peak memory of labelling one zarr in a process of its own."""
    from benchmarks.volumes import peak_mb
    from voxloop.objects import label_components
    from voxloop.volumes import open_volume

    volume = open_volume(path)
    with tempfile.TemporaryDirectory() as folder:
        label_components(np.zeros((4, 8, 8), np.uint8), Path(folder) / "warm.zarr")
        before = peak_mb()
        label_components(path, Path(folder) / "out.zarr", scales=False)
        print(
            f"peak memory of {volume.size / 1e6:.0f} Mvoxels: {peak_mb():.0f} MB ({before:.0f} MB before)", flush=True
        )
    return 0


def blobs(shape: tuple[int, int, int]) -> np.ndarray:
    """Smooth blobs, a few voxels to tens of them across, of every shape; the same on each run."""
    from scipy import ndimage as ndi

    coarse = [n // 4 for n in shape]
    noise = ndi.gaussian_filter(np.random.default_rng(0).standard_normal(coarse, np.float32), 1.6)
    mask = np.zeros(shape, bool)
    for z in range(0, coarse[0]):  # slab by slab: the machine may be small
        part = noise[max(0, z - 1) : z + 2]
        fine = ndi.zoom(part, 4, order=1, grid_mode=True, mode="nearest")
        begin = 4 * (z - max(0, z - 1))
        mask[4 * z : 4 * z + 4] = fine[begin : begin + 4] > noise.std() * 0.9
    return mask


def timed(what: str, act: Callable[[], Any], size: int = 0) -> tuple[Any, float]:
    """What came out, and million voxels a second: best of two."""
    best = 0.0
    for _ in range(2):
        start = time.perf_counter()
        found = act()
        seconds = time.perf_counter() - start
        voxels = size or (found.labels.size if hasattr(found, "labels") else found.size)
        best = max(best, voxels / seconds / 1e6)
    print(f"{what:>44} {voxels / best / 1e6:7.2f} {best:8.1f}", flush=True)
    return found, best


if __name__ == "__main__":
    sys.exit(main())
