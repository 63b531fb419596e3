"""A small world to train in: a synthetic volume, sparse labels in RAM, a context that listens to a list."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from voxloop.config.augment import Augmentation
from voxloop.config.deep import DeepConfig
from voxloop.deep.data.labelled_image import LabelledImage
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.runs.history import History
from voxloop.store.layout import Layout

CLASSES = (
    ClassInfo(value=1, name="outside", color="#0072b2", background=True),
    ClassInfo(value=3, name="disc", color="#e69f00"),  # values need not be consecutive
)
TINY = {
    "encoder": "tu-test_efficientnet",
    "decoder_width": 0.0625,
    "window": "1,64,64",
    "batch_size": 2,
    "threads": 1,
    "steps_per_epoch": 5,
    "epochs": 2,
    "warmup_steps": 2,
    "device": "cpu",
    "samples": 1,
    "workers": 1,
    "learning_rate": 5e-3,
    "compare_with": "none",
}


@dataclass
class Touched:
    box: Box
    counts: dict[int, int]

    @property
    def region(self) -> tuple[slice, slice, slice]:
        return self.box.slices


@dataclass
class MemoryLabels:
    """A label array that lives in RAM."""

    array: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.array.shape  # type: ignore[return-value]

    def read(self, region: object) -> np.ndarray:
        return self.array[Box.of(region, self.shape).slices]

    def touched(self) -> list[Touched]:
        found = []
        for box in Box.whole(self.shape).blocks((16, 128, 128)):
            values, counts = np.unique(self.array[box.slices], return_counts=True)
            per_value = {int(v): int(n) for v, n in zip(values, counts, strict=True) if v}
            if per_value:
                found.append(Touched(box, per_value))
        return found


@dataclass
class ListeningContext:
    """A run's context whose events are a list and whose orders the test gives."""

    path: Path
    config: dict[str, Any]
    workspace: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    at_step: dict[int, Any] = field(default_factory=dict)
    asked: int = 0
    history: History = field(default_factory=History)
    began: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.config["settings"])

    @property
    def layout(self) -> Layout:
        return Layout.of_run(self.path)

    def emit(self, kind: str, **fields: Any) -> None:
        self.events.append({"kind": kind, **fields})

    def orders(self) -> list[Any]:
        self.asked += 1
        found = self.at_step.pop(self.asked, None)
        return [found] if found else []

    def peek(self) -> list[Any]:
        return []

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]


def discs(shape: tuple[int, int, int] = (6, 160, 160), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bright discs on a noisy ground: uint8 picture and bool truth."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[1], : shape[2]]
    truth = np.zeros(shape, bool)
    for z in range(shape[0]):
        for _ in range(12):
            cy, cx = rng.uniform(0, shape[1]), rng.uniform(0, shape[2])
            truth[z] |= (y - cy) ** 2 + (x - cx) ** 2 < rng.uniform(6, 16) ** 2
    raw = 90 + 60 * truth + rng.normal(0, 18, shape)
    return raw.clip(0, 255).astype(np.uint8), truth


def scribbles(truth: np.ndarray, every: int = 3, seed: int = 0) -> np.ndarray:
    """Sparse labels (values 1 and 3) on every third slice: short horizontal strokes."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(truth.shape, np.uint8)
    for z in range(0, truth.shape[0], every):
        for _ in range(60):
            y, x = int(rng.integers(truth.shape[1] - 3)), int(rng.integers(truth.shape[2] - 16))
            labels[z, y : y + 2, x : x + 14] = np.where(truth[z, y : y + 2, x : x + 14], 3, 1)
    return labels


def volume_of(array: np.ndarray, spacing: tuple[float, float, float] = (0.01, 0.01, 0.01), **options: Any) -> Any:
    import dask.array as da

    from voxloop.volumes.volume import make_volume

    return make_volume(da.from_array(array, chunks=64), spacing_um=spacing, **options)


@pytest.fixture(scope="session")
def world() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    raw, truth = discs()
    return raw, truth, scribbles(truth)


@pytest.fixture
def sources(world: tuple[np.ndarray, np.ndarray, np.ndarray]) -> list[LabelledImage]:
    raw, _, labels = world
    return [LabelledImage(name="image", volume=volume_of(raw), labels=MemoryLabels(labels))]


@pytest.fixture
def tiny() -> DeepConfig:
    return DeepConfig(**TINY, augmentation=Augmentation.none())


@pytest.fixture
def workspace(tmp_path: Path, world: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple[Path, dict[str, int]]:
    """A real workspace on disk with the scribbles painted; its path and the label state that a run freezes."""
    from voxloop.store import Store

    raw, _, labels = world
    store = Store.create(tmp_path / "ws", image=volume_of(raw), classes=["outside", "unused", "disc"])
    try:
        name = store.images.names[0]
        found = store.labels()
        found.write(None, labels)
        found.flush()
        return store.path, {f"{found.level.name}/{name}": found.sequence}
    finally:
        store.close()


@pytest.fixture
def context(workspace: tuple[Path, dict[str, int]], tiny: DeepConfig) -> ListeningContext:
    path, sequences = workspace
    run = path / "runs" / "deep-1"
    run.mkdir(parents=True)
    return ListeningContext(path=run, config={"settings": tiny.to_json(), "labels": sequences}, workspace=path)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The builders of this file, for tests that need another world."""
    return SimpleNamespace(
        labels=MemoryLabels,
        volume=volume_of,
        discs=discs,
        scribbles=scribbles,
        classes=CLASSES,
        settings=TINY,
        source=lambda raw, labels, **options: LabelledImage(
            name="image", volume=volume_of(raw, **options), labels=MemoryLabels(labels)
        ),
    )
