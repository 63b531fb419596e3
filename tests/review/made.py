"""Predictions in memory, of the shape of the real ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.review.confidence import uncertainty
from voxloop.volumes import open_volume

CLASSES = (ClassInfo(value=1, name="background", background=True), ClassInfo(value=2, name="disc"))
SHAPE = (6, 200, 260)


@dataclass
class Made:
    """A prediction in memory, of the shape of the real one."""

    probability: np.ndarray  # of the second class
    keeps: tuple[str, ...] = ("probabilities", "uncertainty")
    measure: str = "margin"
    name: str = "predict-1"
    image: str = "image"
    level: str = "labels"
    classes: tuple[ClassInfo, ...] = CLASSES
    done: float = 1.0
    lineage: dict[str, Any] = field(default_factory=dict)

    @property
    def box(self) -> Box:
        return Box.whole(self.probability.shape)

    @property
    def _stack(self) -> np.ndarray:
        return np.stack([1 - self.probability, self.probability])

    @property
    def labels(self):
        return open_volume((1 + (self.probability > 0.5)).astype(np.uint8))

    @property
    def probabilities(self):
        if "probabilities" not in self.keeps:
            raise PredictionError("not kept")
        return SimpleNamespace(data=np.round(self._stack * 255).astype(np.uint8))

    @property
    def uncertainty(self):
        if "uncertainty" not in self.keeps:
            raise PredictionError("not kept")
        return SimpleNamespace(data=uncertainty(self._stack, self.measure), attrs={"measure": self.measure})
