"""A prediction as layers over the picture, readable while it fills. Reads arrays by the piece; no widgets."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.panels.layers import ArrayLayer, Layer, class_dicts

if TYPE_CHECKING:
    from voxloop.prediction import Prediction

PREDICTION, UNCERTAINTY = "prediction", "uncertainty"


class Sure:
    """How sure a prediction is, uint8, as the opposite of how unsure; what is not predicted yet is not shown at all."""

    def __init__(self, unsure: Any) -> None:
        self._unsure = unsure

    def __getitem__(self, key: Any) -> np.ndarray:
        return 255 - np.asarray(self._unsure[key])


def prediction_layers(prediction: Prediction, *, unsure_visible: bool = False) -> list[Layer]:
    """Uncertainty below (hidden at first), the classes above: paler where less sure."""
    unsure: Any = None
    with suppress(PredictionError):
        unsure = prediction.stored("uncertainty")
    # the background is what is not coloured; it can be made visible in the list of layers
    classes = class_dicts(prediction.classes)
    for item, info in zip(classes, prediction.classes, strict=True):
        item["visible"] = not info.background
    found: list[Layer] = []
    if unsure is not None:
        found.append(ArrayLayer(UNCERTAINTY, "uncertainty", unsure, kind="scalar", opacity=0.6, visible=unsure_visible))
    said = ArrayLayer(
        PREDICTION, f"prediction {prediction.name}", prediction.stored("labels"), opacity=0.5,
        confidence=None if unsure is None else Sure(unsure),
    )  # fmt: skip
    said.state["classes"] = classes
    return [*found, said]
