"""The sample picture of a training run: input, labels, prediction, confidence side by side. Knows no runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voxloop.geometry import Box
from voxloop.shallow.model import ShallowModel
from voxloop.shallow.table import Example

#: side of what is shown, voxels
SIDE = 256


def draw(path: Path, model: ShallowModel, example: Example) -> None:
    """Write a PNG of the window of the image in which most is labelled."""
    import imageio.v3 as iio

    window = busiest(example)
    outer = window.grow(model.spec.halo or (0, 0, 0)).aligned(model.spec.stride).clip(example.shape)
    block = example.read(outer)
    inner = window.within(outer)
    with model.open() as predictor:
        probabilities = predictor.region(block, inner)[:, 0]
    values = model.normalisation(block)[0, *inner.slices][0]
    gray = (np.clip(values / 5 + 0.5, 0, 1) * 255).astype(np.uint8)
    palette = np.array([[int(c.color[i : i + 2], 16) for i in (1, 3, 5)] for c in model.spec.classes], float)
    confidence = (probabilities.max(axis=0) * 255).astype(np.uint8)
    panels = [
        np.repeat(gray[..., None], 3, axis=-1),
        _tinted(gray, _labels(example, window, model), palette, 0.8),
        _tinted(gray, probabilities.argmax(axis=0), palette, 0.4),
        np.repeat(confidence[..., None], 3, axis=-1),
    ]
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    iio.imwrite(temporary, np.concatenate(panels, axis=1), extension=".png")
    temporary.replace(path)


def busiest(example: Example) -> Box:
    """The window of one plane around the middle of the labels of the plane with most of them."""
    planes, counts = np.unique(example.labelled.at[:, 0], return_counts=True)
    z = int(planes[counts.argmax()])
    middle = np.median(example.labelled.at[example.labelled.at[:, 0] == z, 1:], axis=0)
    start = [max(0, min(int(at) - SIDE // 2, size - SIDE)) for at, size in zip(middle, example.shape[1:], strict=True)]
    return Box.at((z, *start), (1, SIDE, SIDE)).clip(example.shape)


def _labels(example: Example, window: Box, model: ShallowModel) -> np.ndarray:
    """Positions of the labelled classes in a window's plane, -1 where nothing is labelled."""
    out = np.full(window.shape[1:], -1)
    start, stop = np.array(window.start), np.array(window.stop)
    at, values = example.labelled.at, example.labelled.values
    inside = ((at >= start) & (at < stop)).all(axis=1)
    y, x = (at[inside, 1:] - start[1:]).T
    out[y, x] = np.searchsorted([info.value for info in model.spec.classes], values[inside])
    return out


def _tinted(gray: np.ndarray, classes: np.ndarray, palette: np.ndarray, opacity: float) -> np.ndarray:
    base = np.repeat(gray[..., None], 3, axis=-1).astype(float)
    marked = classes >= 0
    base[marked] = (1 - opacity) * base[marked] + opacity * palette[classes[marked]]
    return base.astype(np.uint8)
