"""The live overlay: from an acknowledged stroke to first pixels and to the whole visible crop, through the helper."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from voxloop.helper import Helper
from voxloop.volumes import open_volume
from voxloop.workspace.workspace import Workspace

CROP = 900
TARGETS = {"first pixels": 0.5, "whole crop": 1.5}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer strokes, the same code")
    strokes = 5 if parser.parse_args().quick else 20
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        save(rng, Path(folder, "stack.zarr"))
        volume = open_volume(Path(folder, "stack.zarr"))
        with (
            Workspace.create(Path(folder, "ws"), image=volume, classes=["cell", "ground"]) as ws,
            Helper(ws.path) as helper,
        ):
            labels = ws.labels()
            ask(helper, ws, labels, index=24)  # as the label panel does when it opens: the helper is up by then
            cold = {}
            for value, row in ((1, 200), (2, 420)):
                labels.paint(axis="z", index=24, points=[(row, 250), (row + 20, 400)], radius=5, value=value)
            cold["first strokes on a plane"] = ask(helper, ws, labels, index=24)
            labels.paint(axis="z", index=25, points=[(300, 250), (330, 300)], radius=5, value=1)
            cold["next plane, nothing cached"] = ask(helper, ws, labels, index=25)
            ask(helper, ws, labels, index=24)
            found = []
            for _ in range(strokes):
                at = rng.integers(150, 700, 2)
                end = at + rng.integers(-100, 100, 2)
                labels.paint(
                    axis="z", index=24, points=[tuple(at), tuple(end)], radius=5, value=int(rng.integers(1, 3))
                )
                found.append(ask(helper, ws, labels, index=24))
            memory = psutil.Process(helper.pid).memory_info().rss / 2**20
    print(f"visible crop {CROP} x {CROP} of planes of 2048 x 2048 voxels, {strokes} strokes, seconds")
    print(f"{'':28s} {'median':>8s} {'p95':>8s} {'target':>8s}")
    for number, (name, target) in enumerate(TARGETS.items()):
        values = sorted(one[number] for one in found)
        p95 = values[min(len(values) - 1, int(0.95 * len(values)))]
        print(f"{name:28s} {statistics.median(values):8.3f} {p95:8.3f} {target:8.1f}")
    print(f"{'of that, learning':28s} {statistics.median(one[2] for one in found):8.3f}")
    for name, (first, whole, learning) in cold.items():
        print(f"{name + ':':28s} first pixels {first:.3f}, whole crop {whole:.3f}, of that learning {learning:.3f}")
    print(f"memory of the helper {memory:.0f} MB")
    return 0


def ask(helper: Helper, ws: Workspace, labels: Any, index: int) -> tuple[float, float, float]:
    """Seconds to the first part, to the last, and until the strokes were learnt."""
    first: list[float] = []
    view = {"axis": "z", "index": index, "box": [[0, CROP], [0, CROP]], "step": 1}
    began = time.perf_counter()
    answer = helper.request(
        "live",
        image=ws.images.names[0],
        level=labels.level.name,
        view=view,
        sequence=labels.sequence,
        on_part=lambda part: first.append(time.perf_counter() - began),
    )
    done = answer.result(120)
    whole = time.perf_counter() - began
    return first[0] if first else whole, whole, done["train_s"]


def save(rng: np.random.Generator, path: Path) -> None:
    """A stack of smooth blobs under noise, 48 x 2048 x 2048, chunked as a stack on disk is."""
    import zarr
    from scipy import ndimage

    blobs = ndimage.gaussian_filter(rng.normal(size=(1024, 1024)).astype(np.float32), 12).repeat(2, 0).repeat(2, 1)
    blobs /= blobs.std()
    group = zarr.open_group(path, mode="w")
    array = group.create_array("0", shape=(48, 2048, 2048), chunks=(16, 256, 256), dtype="uint8")
    for z in range(0, 48, 16):
        noise = rng.normal(0, 25, (16, 2048, 2048)).astype(np.float32)
        array[z : z + 16] = np.clip(128 + 40 * np.tanh(2 * blobs) + noise, 0, 255).astype(np.uint8)
    axes: list[Any] = [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    scale: list[Any] = [{"type": "scale", "scale": [20.0, 5.0, 5.0]}]
    datasets: list[Any] = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"name": "stack", "axes": axes, "datasets": datasets}]}


if __name__ == "__main__":
    raise SystemExit(main())
