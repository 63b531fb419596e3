"""What is settled before the first step: window size, intensity statistics, weights of an ancestor. Knows no loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from voxloop.config.deep import WINDOW_STRIDE, DeepConfig
from voxloop.deep.data import TrainingData
from voxloop.deep.windows import Geometry, read_pixels, spread_places, window_region
from voxloop.errors import ConfigError, ModelError, VolumeError
from voxloop.geometry import Shape
from voxloop.model import ClassInfo

#: in-plane size of an automatic window
_AUTO = 256
#: side from which planes are halved: what is resolved there is many voxels wide as a rule
_LARGE = 384
#: windows that intensities are measured on
_MEASURED = 24


def network_scale(config: DeepConfig, data: TrainingData) -> float:
    """In-plane size at which the network works; ``auto`` halves planes that are large in every image."""
    if not isinstance(config.scale, str):
        return config.scale
    return 0.5 if _smallest_side(data) >= _LARGE else 1.0


def window_size(config: DeepConfig, data: TrainingData, scale: float) -> Shape:
    """The window in voxels of the network, zyx; ``auto`` is no larger than the smallest image needs."""
    if not isinstance(config.window, str):
        return config.window
    smallest = _smallest_side(data) * scale
    size = min(_AUTO, max(2, -(-round(smallest) // WINDOW_STRIDE)) * WINDOW_STRIDE)
    return 1, size, size


def _smallest_side(data: TrainingData) -> int:
    return min(min(image.shape[1:]) for image in data.images)


def measure_intensities(data: TrainingData, geometry: Geometry, seed: int) -> dict[str, Any]:
    """Mean and standard deviation of each channel, from windows spread over the images.

    Raises VolumeError where a channel holds no number.
    """
    single = Geometry(height=min(geometry.height, 256), width=min(geometry.width, 256))
    sums = np.zeros((3, data.channels))
    for place in spread_places(data.teaching, single, _MEASURED, seed):
        values = read_pixels(data.images[place.image], window_region(place, single), 1).reshape(data.channels, -1)
        known = np.isfinite(values)
        values = np.where(known, values, 0).astype(np.float64)
        sums += [known.sum(1), values.sum(1), (values**2).sum(1)]
    count, total, squares = sums
    if (count == 0).any():
        channels = ", ".join(str(i) for i in np.flatnonzero(count == 0))
        raise VolumeError(f"channel {channels} holds no numbers (NaN or infinite) around the labels; look at the image")
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    deviation[deviation < 1e-6 * np.maximum(np.abs(mean), 1e-12)] = 1.0  # a flat channel tells nothing; leave it at 0
    return {"kind": "mean_deviation", "mean": mean.tolist(), "deviation": deviation.tolist()}


def load_start(network: nn.Module, start: str, context: Any, classes: Sequence[ClassInfo]) -> None:
    """Take the weights of an earlier run, or of a model folder.

    Tensors are matched by name and shape; the last layer is kept only where the classes are the same. Raises
    ConfigError where the network is another one.
    """
    from voxloop.deep.model import load

    folder = ancestor(start, context)
    try:
        model = load(folder)
    except ModelError as error:
        raise ConfigError(f"start_from={start!r}: {error}") from error
    given = model._built().state_dict()
    own = network.state_dict()
    same = [info.value for info in model.spec.classes] == [info.value for info in classes]
    fitting = {
        name: value for name, value in given.items()
        if name in own and own[name].shape == value.shape and (same or "segmentation_head" not in name)
    }  # fmt: skip
    if len(fitting) < 0.9 * len(own):
        raise ConfigError(
            f"start_from={start!r} is {model.spec.extra.get('title', 'another network')}, which fits {len(fitting)} of "
            f"{len(own)} tensors of this network; use its architecture, encoder, decoder_width and slices"
        )
    network.load_state_dict(fitting, strict=False)
    context.emit("log", text=f"starts from {start!r}: {len(fitting)} of {len(own)} tensors")


def ancestor(name: str, context: Any, setting: str = "start_from") -> Path:
    """The model folder of an earlier run, or a model folder itself. Raises ConfigError, naming the setting."""
    runs = context.path.parent
    for folder in (runs / name / "model", Path(name), Path(name) / "model", context.workspace / name):
        if (folder / "spec.json").is_file():
            return folder
    raise ConfigError(f"{setting}={name!r} is neither a run with a model in {runs} nor a model folder")
