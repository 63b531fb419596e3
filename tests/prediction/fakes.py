"""A model of numpy alone, with a field of view that is known to the voxel."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from voxloop.model import ClassInfo, ModelSpec, Output, read_spec


def make_spec(
    *,
    planar: bool = True,
    radius: int = 3,
    stride: int = 4,
    classes: int = 2,
    channels: int = 1,
    known: bool = True,
    delay: float = 0.0,
) -> ModelSpec:
    steps = (1 if planar else stride, stride, stride)
    # filters, then means over cells of the stride: the field is the radius and what the cell adds
    reach = tuple(radius + step - 1 if not (planar and axis == 0) else 0 for axis, step in enumerate(steps))
    return ModelSpec(
        learner="fake",
        channels=channels,
        classes=tuple(ClassInfo(value=i + 1, name=f"class {i + 1}", background=i == 0) for i in range(classes)),
        outputs=(Output(name="classes", kind="semantic", channels=classes),),
        dimensions=2 if planar else 3,
        stride=steps,
        halo=reach if known else None,  # type: ignore[arg-type]
        extra={"radius": radius, "delay": delay},
        hash=hashlib.sha256(f"{planar}{radius}{stride}{classes}".encode()).hexdigest(),
    )


def objects_spec() -> ModelSpec:
    """Of a network that learnt objects: foreground, boundary, distance."""
    output = Output(name="objects", kind="boundary_distance", channels=3)
    return replace(make_spec(classes=3), outputs=(output,), hash=hashlib.sha256(b"objects").hexdigest())


@dataclass
class FakeModel:
    """Box filters of one radius, zeros outside (as networks pad), plus the mean of each cell of the stride; softmax."""

    spec: ModelSpec
    opened: int = 0

    @contextmanager
    def open(self, device: str = "auto", precision: str = "float32", threads: int | None = None) -> Iterator[object]:
        self.opened += 1
        yield self._forward

    def predict(self, block: np.ndarray) -> np.ndarray:
        return self._forward(block[None])[0]

    def _forward(self, batch: np.ndarray) -> np.ndarray:
        stride, radius = self.spec.stride, int(self.spec.extra["radius"])
        time.sleep(float(self.spec.extra["delay"]))
        assert all(n % s == 0 for n, s in zip(batch.shape[2:], stride, strict=True)), "block not aligned"
        x = batch.astype(np.float32).mean(axis=1)
        sizes = [1, *(2 * radius + 1 if axis or self.spec.dimensions == 3 else 1 for axis in range(3))]
        smooth = ndimage.uniform_filter(x, sizes, mode="constant")
        cells = smooth.reshape(len(x), *(k for n, s in zip(x.shape[1:], stride, strict=True) for k in (n // s, s)))
        coarse = cells.mean(axis=(2, 4, 6), keepdims=True)
        # twice as exact as what is given: how older NumPy rounds the last digit depends on where a block begins
        smooth = (cells + coarse).reshape(x.shape).astype(np.float64) / 50
        middles = np.linspace(3.5, 6.5, len(self.spec.classes))
        score = np.stack([-((smooth - middle) ** 2) for middle in middles], axis=1)
        score = np.exp(score - score.max(axis=1, keepdims=True))
        return (score / score.sum(axis=1, keepdims=True)).astype(np.float32)

    def save(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "spec.json").write_text(json.dumps(self.spec.to_json()))
        return folder


def load(folder: Path) -> FakeModel:
    return FakeModel(read_spec(folder))


def picture(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Smooth blobs as uint8."""
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, [0] * (len(shape) - 3) + [1, 3, 3], mode="wrap")
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def run(context: object) -> str:
    """The task, in a process that knows the fake learner."""
    from voxloop import model
    from voxloop.prediction import task

    model.LEARNERS["fake"] = "tests.prediction.fakes:load"
    return task.run(context)  # type: ignore[arg-type]


def fake_learner() -> object:
    """A plugin of dask workers that makes the fake learner known to them, also to those that start later."""
    from distributed import WorkerPlugin

    class FakeLearner(WorkerPlugin):
        def setup(self, worker: object) -> None:
            from voxloop import model

            model.LEARNERS["fake"] = "tests.prediction.fakes:load"

    return FakeLearner()
