"""Memory and time of a table of many objects in three dimensions: python benchmarks/objects_measured.py [OBJECTS]."""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from voxloop.geometry import Box
from voxloop.objects import measure_more, measure_objects
from voxloop.objects.fields import VoxelField


def main(wanted: int) -> None:
    """Balls on a grid, made when they are read, so that the memory is that of the measuring alone."""
    side, step = int(np.ceil(wanted ** (1 / 3))), 12
    shape = (side * step,) * 3
    rng = np.random.default_rng(0)
    radii = rng.uniform(2.5, 5.5, (side, side, side))

    def read(box: Box) -> np.ndarray:
        axes = [np.arange(a, b) for a, b in zip(box.start, box.stop, strict=True)]
        cells = [axis // step for axis in axes]
        z, y, x = np.ix_(*cells)
        apart = sum(((axis % step - step / 2) ** 2).reshape([-1 if a == b else 1 for b in range(3)]) for a, axis in
                    enumerate(axes))  # fmt: skip
        numbers = (z * side + y) * side + x + 1
        return np.where((apart <= radii[z, y, x] ** 2) & (numbers <= wanted), numbers, 0).astype(np.uint32)

    field = VoxelField(shape, read, (0.1, 0.1, 0.1))
    begun = time.perf_counter()
    table = measure_objects(field, workers=1)
    print(f"{len(table):,} objects of {np.prod(shape) / 1e9:.1f}e9 voxels: {time.perf_counter() - begun:.0f} s, "
          f"{_peak():.0f} MB")  # fmt: skip
    for group in ("contacts", "shape", "skeleton"):
        begun, spent = time.perf_counter(), time.process_time()
        more = measure_more(field, table, [group], workers=1)
        took, computing = time.perf_counter() - begun, time.process_time() - spent
        print(f"{group}, {more.shape[1]} columns: {took:.0f} s, {computing:.0f} s computing, {_peak():.0f} MB")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
