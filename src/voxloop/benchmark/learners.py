"""Who answers in the benchmark: ours through the workspace, and peers on the same strokes. Paints nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.benchmark.stacks import Stack
from voxloop.config import ShallowConfig
from voxloop.config.presets import AUTO
from voxloop.errors import PredictionError, unknown
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.volumes import open_volume

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.workspace.workspace import Workspace

#: minutes that a network of ours has for a round
NETWORK_MINUTES = 3.0
#: labelled voxels that the forest of the peer learns from; more make it slow and no better
_FOREST_VOXELS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerAnswer:
    """What a learner says of a stack: anything :func:`voxloop.review.evaluate` takes, and what it cost.

    ``judged``: whether ``ws.score`` knows it, which it does of what the workspace itself predicted.
    """

    prediction: Any
    judged: bool = False


#: learns from the labels of a workspace as they are now; the seed is that of everything random
Learner = Callable[["Workspace", Stack, int], LearnerAnswer]


def learner_named(name: str) -> Learner:
    """A fresh learner. Raises PredictionError where there is none of this name."""
    if name not in LEARNERS:
        raise PredictionError(unknown("learner", name, LEARNERS))
    return LEARNERS[name]()


def _ours() -> Learner:
    def answer(ws: Workspace, stack: Stack, seed: int) -> LearnerAnswer:
        run = ws.train(ShallowConfig(seed=seed))
        run.wait()
        run.check()
        return LearnerAnswer(prediction=ws.predict(run).result, judged=True)

    return answer


def _network() -> Learner:
    earlier: list[str] = []

    def answer(ws: Workspace, stack: Stack, seed: int) -> LearnerAnswer:
        start = earlier[-1] if earlier else None
        run = ws.train(AUTO.changed(max_minutes=NETWORK_MINUTES, start_from=start, seed=seed))
        run.wait()
        run.check()
        earlier.append(run.name)
        return LearnerAnswer(prediction=ws.predict(run, probabilities=True).result, judged=True)

    return answer


def _forest() -> Learner:
    """scikit-image's trainable segmentation, as its gallery shows it, plane by plane."""
    features: list[np.ndarray] = []

    def answer(ws: Workspace, stack: Stack, seed: int) -> LearnerAnswer:
        from skimage.future import TrainableSegmenter

        if not features:
            features.extend(basic_features(plane) for plane in stack.image)
        labels = ws.labels().read()
        at = np.argwhere(labels > 0)
        if len(at) > _FOREST_VOXELS:
            at = np.random.default_rng(seed).permutation(at)[:_FOREST_VOXELS]
        forest = TrainableSegmenter().clf.set_params(random_state=seed, n_jobs=_threads())
        forest.fit(np.stack([features[z][y, x] for z, y, x in at]), labels[tuple(at.T)])
        shares = np.zeros((len(stack.classes), *stack.image.shape), np.float32)
        for z, plane in enumerate(features):
            rows = forest.predict_proba(plane.reshape(-1, plane.shape[-1]))
            shares[forest.classes_ - 1, z] = rows.T.reshape(-1, *plane.shape[:2])
        return LearnerAnswer(prediction=Remembered.of(ws, stack, shares))

    return answer


def basic_features(plane: np.ndarray) -> np.ndarray:
    """(y, x, feature) float32 of one plane: intensity, edges and texture at sigma 1 to 16."""
    from skimage.feature import multiscale_basic_features

    return np.asarray(multiscale_basic_features(plane, sigma_min=1, sigma_max=16))


def _threads() -> int:
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def _unet() -> Learner:
    def answer(ws: Workspace, stack: Stack, seed: int) -> LearnerAnswer:
        from voxloop.deep.plain_unet import answer as ask

        return LearnerAnswer(
            prediction=Remembered.of(ws, stack, ask(stack.image, ws.labels().read(), len(stack.classes), seed=seed))
        )

    return answer


LEARNERS: Mapping[str, Callable[[], Learner]] = {
    "shallow": _ours,
    "network": _network,
    "forest": _forest,
    "unet": _unet,
}
#: those of other programs
PEERS = ("forest", "unet")
#: learners in words
WORDS = {
    "shallow": "the pixel classifier as it opens",
    "network": f"preset auto, {NETWORK_MINUTES:g} minutes a round",
    "forest": "random forest of 100 on scikit-image's multiscale features",
    "unet": "a U-Net of segmentation-models-pytorch (ResNet-18), 200 steps",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Remembered:
    """A prediction in memory, as suggestions and scores read one."""

    stack: np.ndarray  # probabilities (class, z, y, x), uint8: 255 is certain
    classes: tuple[ClassInfo, ...]
    image: str
    level: str
    spacing_um: tuple[float, float, float]
    name: str = "peer"
    done: float = 1.0
    lineage: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, ws: Workspace, stack: Stack, probabilities: np.ndarray) -> Remembered:
        """From probabilities (class, z, y, x) 0..1, classes in the order of the level's values."""
        labels = ws.labels()
        level = labels.level
        infos = tuple(
            ClassInfo(value=one.value, name=one.name, color=one.color, background=one.background)
            for one in level.classes
        )
        return cls(
            stack=np.round(probabilities * 255).astype(np.uint8),
            classes=infos,
            image=labels.image,
            level=level.name,
            spacing_um=stack.spacing_um,
        )

    @property
    def path(self) -> Path:
        raise PredictionError("this prediction is in memory")

    @property
    def box(self) -> Box:
        return Box.whole(self.stack.shape[1:])

    @property
    def region(self) -> tuple[slice, slice, slice]:
        return self.box.slices

    @property
    def labels(self) -> DataArray:
        values = np.array([info.value for info in self.classes], np.uint8)
        return open_volume(values[self.stack.argmax(axis=0)], axes="zyx", spacing=self.spacing_um)

    @property
    def probabilities(self) -> DataArray:
        from xarray import DataArray

        return DataArray(self.stack, dims=("class", "z", "y", "x"))

    @property
    def uncertainty(self) -> DataArray:
        raise PredictionError("this prediction kept probabilities alone")
