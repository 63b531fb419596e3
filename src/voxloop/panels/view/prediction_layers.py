"""A prediction as layers over the picture, readable while it fills. Reads arrays by the piece; no widgets."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError
from voxloop.geometry import Box, plane_axes
from voxloop.panels.view.layers import ArrayLayer, Layer, class_dicts
from voxloop.panels.view.shapes import VectorShape

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
    layers: list[Layer] = []
    if unsure is not None:
        layers.append(
            ArrayLayer(UNCERTAINTY, "uncertainty", unsure, kind="scalar", opacity=0.6, visible=unsure_visible)
        )
    confidence = None if unsure is None else Sure(unsure)
    classes_layer = ArrayLayer(
        PREDICTION,
        f"prediction {prediction.name}",
        prediction.stored("labels"),
        opacity=0.5,
        confidence=confidence,
    )
    classes_layer.state["classes"] = classes
    return [*layers, classes_layer]


def frame(box: Box, axis: str, index: int | None = None, *, dashed: bool = False) -> VectorShape:
    """The outline of a box on plane ``index`` across ``axis``; on its first plane where none is named."""
    rows, columns = (box.along(name) for name in plane_axes(axis))
    corners = [(rows.start - 0.5, columns.start - 0.5), (rows.stop - 0.5, columns.stop - 0.5)]
    plane = box.along(axis).start if index is None else index
    return VectorShape("box", corners, axis=axis, index=plane, dashed=dashed)
