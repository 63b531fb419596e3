"""The shallow learner: accuracy from a few strokes within a minute, and the rates of its parts."""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.config import ShallowConfig
from voxloop.geometry import Box
from voxloop.machine import machine
from voxloop.runs.context import QuietContext
from voxloop.shallow.learner import result, train

SLICES = (3, 9, 16, 22, 28)
SPACING = (0.005, 0.005, 0.005)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller samples, the same code")
    quick = parser.parse_args().quick
    rows = [*mitochondria(quick), *rates(quick)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{'what':58s} {'measured':>12s} {'target':>10s}")
    for what, measured, target in rows:
        print(f"{what:58s} {measured:>12s} {target:>10s}")
    print(f"peak memory {peak:.2f} GB, {machine().cores} cores")
    return 0


Row = tuple[str, str, str]


def mitochondria(quick: bool) -> Iterator[Row]:
    """Strokes on five slices; IoU on slices at least two away from any of them, and the seconds it took."""
    folder = Path(os.environ.get("VOXLOOP_DATA", "")) / "fibsem_mitochondria"
    if not folder.is_dir():
        yield "mitochondria: VOXLOOP_DATA does not name the real data", "skipped", ""
        return
    import tifffile

    from voxloop.review.simulate import simulate
    from voxloop.volumes import open_volume, read_block
    from voxloop.workspace.workspace import Workspace

    truth = tifffile.imread(folder / "mitochondria.tif") > 0
    far = [z for z in range(truth.shape[0]) if min(abs(z - s) for s in SLICES) >= 2]
    for seed in (0,) if quick else (0, 1, 2):
        with tempfile.TemporaryDirectory() as temporary:
            volume = open_volume(folder / "raw.tif", spacing=SPACING)
            with Workspace.create(Path(temporary, "ws"), image=volume, classes=["mitochondria", "background"]) as ws:
                # five strokes a slice are a first round; more of them stand for a user who went on labelling
                simulate(ws, np.where(truth, 1, 2), slices=SLICES, strokes=40, share=0.05, seed=seed)
                labels = ws.labels()
                share = sum(labels.counts().get(v, 0) for v in (1, 2)) / truth[list(SLICES)].size
                sequences = {f"{labels.level.name}/{labels.image}": labels.sequence}
                for name, config in (
                    ("auto", ShallowConfig()),
                    ("within planes", ShallowConfig(dimensions="2d")),
                    ("forest", ShallowConfig(classifier="forest")),
                ):
                    began = time.perf_counter()
                    run = Listener(Path(temporary, name), ws.path, sequences, config)
                    train(run)
                    trained = time.perf_counter() - began
                    shown = predict_slices(result(run.path), partial(read_block, volume), truth.shape, far)
                    seconds = time.perf_counter() - began
                    iou = float((shown & truth[far]).sum() / (shown | truth[far]).sum())
                    what = f"mitochondria, {name}, strokes {seed} ({share:.1%} of their slices)"
                    yield f"{what}: IoU", f"{iou:.3f}", ">= 0.45"
                    yield f"  train {trained:.1f} s, with {len(far)} slices predicted", f"{seconds:.1f} s", "<= 60 s"


def predict_slices(model: Any, read: Any, shape: tuple[int, ...], slices: list[int]) -> np.ndarray:
    """Where the first class is the most probable, on some slices; neighbouring ones in one go."""
    found = []
    with model.open() as predictor:
        for _, group in groupby(slices, key=lambda z: z - slices.index(z)):
            run = list(group)
            wanted = Box.whole(shape).cut("z", run[0], run[-1] + 1)
            outer = wanted.grow(model.spec.halo).aligned(model.spec.stride).clip(shape)
            found.append(predictor.region(read(outer), wanted.within(outer)))
    return np.concatenate(found, axis=1).argmax(axis=0) == 0


class Listener(QuietContext):
    """A training whose model lies in a folder of its own."""

    def __init__(self, path: Path, workspace: Path, labels: dict[str, int], config: ShallowConfig) -> None:
        super().__init__(workspace, {"labels": labels, "settings": config.to_json()})
        self._workspace = workspace
        self.path = path
        path.mkdir()

    @property
    def workspace(self) -> Path:
        return self._workspace


def rates(quick: bool) -> Iterator[Row]:
    """Features and whole predictions, in million voxels a second, all cores; scikit-image for comparison."""
    from skimage.feature import multiscale_basic_features

    from voxloop.shallow.fitting import fit

    rng = np.random.default_rng(0)
    side = 512 if quick else 1024
    plane = rng.integers(0, 255, (1, side, side)).astype(np.uint8)
    cube = rng.integers(0, 255, (32, side // 4, side // 4)).astype(np.uint8)
    for name, image, dimensions in (("plane", plane, "2d"), ("cube", cube, "3d")):
        labels = np.zeros(image.shape, np.uint8)
        labels[:, :8, :64], labels[:, 100:108, :64] = 1, 2
        spacing = (1.0, 1.0, 1.0)
        for kind in ("network", "forest"):
            model = fit(ShallowConfig(dimensions=dimensions, classifier=kind), [(image, labels)], spacing)
            seconds = best(lambda model=model, image=image: model.predict(image[None]))
            size = " x ".join(map(str, image.shape))
            yield f"{name} {size}, {model.bank.count} features, {kind}", f"{image.size / seconds / 1e6:.2f} Mvox/s", ""
    seconds = best(
        lambda: multiscale_basic_features(plane[0].astype(np.float32), sigma_min=0.8, sigma_max=12.8, workers=2)
    )
    yield "scikit-image's basic features alone, same sigmas, plane", f"{plane.size / seconds / 1e6:.2f} Mvox/s", ""


def best(action: Any, times: int = 3) -> float:
    """The quickest of a few, seconds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        found.append(time.perf_counter() - began)
    return min(found)


if __name__ == "__main__":
    raise SystemExit(main())
