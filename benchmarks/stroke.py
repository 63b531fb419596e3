"""Kernel side of a brush stroke: journal on disk, labels in memory changed, dirty rectangle ready to send.

Strokes of radius 10 and 200 pixels length on planes of all three axes, in a small and in a huge volume, against the
plain alternative: a read-modify-write of the zarr array per stroke (which keeps no journal and cannot undo).
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from voxloop.store import Labels, Store
from voxloop.store.chunks import chunk_shape
from voxloop.store.document import ImageInfo
from voxloop.store.strokes import stroke

RADIUS, LENGTH, POINTS = 10, 200, 60
MEDIAN_MS, P95_MS = 15.0, 30.0
VOLUMES = {"512^3": (512, 512, 512), "10^12 voxels": (10_000, 10_000, 10_000)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer strokes")
    parser.add_argument("--many", type=int, default=None, help="strokes of the endurance test (0: none)")
    options = parser.parse_args()
    strokes = 40 if options.quick else 200
    many = options.many if options.many is not None else 1_000 if options.quick else 10_000
    print(f"target: median < {MEDIAN_MS:.0f} ms, p95 < {P95_MS:.0f} ms; CPU: what it costs on a busy machine too")
    print(f"{'volume':>14} {'plane':>6} {'median ms':>10} {'p95 ms':>8} {'CPU ms':>8}")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in VOLUMES.items():
            store = workspace(Path(folder) / name.split()[0], shape)
            with store:
                for axis, plane in zip("zyx", ("xy", "xz", "yz"), strict=True):
                    median, p95 = report(name, plane, *paint(store.labels(), axis, strokes))
                    good &= median < MEDIAN_MS and p95 < P95_MS
        for axis, plane in zip("zyx", ("xy", "xz", "yz"), strict=True):
            times = plain(Path(folder) / f"plain-{axis}.zarr", VOLUMES["512^3"], axis, strokes // 4)
            report("plain zarr", plane, *times, note="  no journal, no undo, not synced")
        if many:
            endurance(Path(folder) / "many", many)
    return 0 if good else 1


def workspace(path: Path, shape: tuple[int, int, int]) -> Store:
    """A workspace with two classes on an image that is never opened."""
    store = Store.create(path)
    store.levels.add("labels", ["object", "background"])
    info = ImageInfo(name="image", source="nowhere.zarr", shape=shape, spacing_um=(0.04, 0.01, 0.01))
    store.change(images=(info,))
    return store


def line(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A wavy polyline of LENGTH pixels somewhere in the plane."""
    angle = rng.uniform(0, 2 * np.pi)
    along = np.linspace(-LENGTH / 2, LENGTH / 2, POINTS)
    wave = 6 * np.sin(along / 20)
    direction, across = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])
    centre = rng.uniform(LENGTH / 2 + 20, np.array(size) - LENGTH / 2 - 20)
    return centre + along[:, None] * direction + wave[:, None] * across


def report(name: str, plane: str, times: np.ndarray, cpu: np.ndarray, note: str = "") -> tuple[float, float]:
    median, p95 = np.percentile(times, [50, 95]) * 1e3
    print(f"{name:>14} {plane:>6} {median:10.2f} {p95:8.2f} {np.median(cpu) * 1e3:8.2f}{note}", flush=True)
    return float(median), float(p95)


def paint(labels: Labels, axis: str, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each stroke, and CPU seconds of its thread, up to the pixels that go to the screen."""
    rng = np.random.default_rng(seed)
    at = "zyx".index(axis)
    sizes = tuple(n for i, n in enumerate(labels.shape) if i != at)
    times, cpu = [], []
    for number in range(count + 5):
        points, index = line(rng, sizes), int(rng.integers(labels.shape[at]))  # type: ignore[arg-type]
        start, busy = time.perf_counter(), time.thread_time()
        edit = labels.paint(axis=axis, index=index, points=points, radius=RADIUS, value=1 + number % 2)
        box = [part for i, part in enumerate(edit.region) if i != at]
        labels.plane(axis, index, box)
        times.append(time.perf_counter() - start)
        cpu.append(time.thread_time() - busy)
        time.sleep(0.02)
    return np.array(times[5:]), np.array(cpu[5:])


def plain(path: Path, shape: tuple[int, int, int], axis: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The same strokes as a read-modify-write of a zarr array with the same chunks."""
    import zarr

    array = zarr.create_array(store=path, shape=shape, chunks=chunk_shape(shape), dtype="uint8")
    rng = np.random.default_rng(0)
    at = "zyx".index(axis)
    sizes = tuple(n for i, n in enumerate(shape) if i != at)
    spacing = tuple(s for i, s in enumerate((0.04, 0.01, 0.01)) if i != at)
    times, cpu = [], []
    for number in range(count + 2):
        points, index = line(rng, sizes), int(rng.integers(shape[at]))  # type: ignore[arg-type]
        start, busy = time.perf_counter(), time.process_time()  # zarr works on a thread of its own
        found = stroke(points, RADIUS * min(spacing), spacing, sizes)  # type: ignore[arg-type]
        assert found is not None
        region = [slice(o, o + n) for o, n in zip(found.origin, found.mask.shape, strict=True)]
        region.insert(at, slice(index, index + 1))
        values = np.asarray(array[tuple(region)])
        values[np.expand_dims(found.mask, at)] = 1 + number % 2
        array[tuple(region)] = values
        times.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
    return np.array(times[2:]), np.array(cpu[2:])


def endurance(path: Path, count: int) -> None:
    """Memory over many strokes, and how long the workspace takes to open after them."""
    shape = VOLUMES["10^12 voxels"]
    with workspace(path, shape) as store:
        labels = store.labels()
        rng = np.random.default_rng(1)
        before = memory()
        start = time.perf_counter()
        for number in range(count):
            points, index = line(rng, shape[1:]), int(rng.integers(shape[0]))
            labels.paint(index=index, points=points, radius=RADIUS, value=1 + number % 2)
        seconds = time.perf_counter() - start
        grown = memory() - before
        total = labels.counts()
    start = time.perf_counter()
    with Store.open(path) as store:
        labels = store.labels()
        opened = time.perf_counter() - start
        assert labels.counts() == total
        assert labels.can_undo
        start = time.perf_counter()
        labels.undo()
        undone = time.perf_counter() - start
        size = store.size()
    print(f"\n{count} strokes on xy without a pause in 10^12 voxels: {seconds / count * 1e3:.2f} ms each; ", end="")
    print(f"memory +{grown / 2**20:.0f} MB (peak {peak() / 2**20:.0f} MB); reopened in {opened:.2f} s; ", end="")
    print(f"first undo {undone * 1e3:.1f} ms; journal {size['journal'] / 2**20:.1f} MB, ", end="")
    print(f"array {size['labels'] / 2**20:.1f} MB; chunks {len(labels.touched())}")


def memory() -> int:
    """Resident bytes now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    raise SystemExit(main())
