"""What is settled before the first step: window size, intensity statistics, weights of an ancestor. Knows no loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from voxloop.config.deep import DeepConfig
from voxloop.config.parsing import WINDOW_STRIDE
from voxloop.deep.data import TrainingData
from voxloop.deep.device import resolve_device
from voxloop.deep.instances import output_of
from voxloop.deep.networks import NetworkConfig
from voxloop.deep.planning import plan_levels, plan_window
from voxloop.deep.predictor import Zoom
from voxloop.deep.windows import Geometry, read_pixels, spread_places
from voxloop.errors import ConfigError, ModelError, VolumeError
from voxloop.geometry import Shape, Spacing
from voxloop.model import ClassInfo

#: in-plane size of an automatic window
_AUTO = 256
#: side from which planes are halved: what is resolved there is many voxels wide as a rule
_LARGE = 384
#: windows that intensities are measured on
_MEASURED = 24
#: voxels of an automatic window of a 3-D network, on a CPU and elsewhere
_VOXELS, _VOXELS_GPU = 2**16, 2**20
#: share of the free memory that an automatic window may plan to use
_ROOM = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """What is settled about windows and network before anything is built.

    ``window`` zyx is in voxels of the network, ``geometry`` in voxels of the image; ``zoom`` zyx is the size at which
    the network works.
    """

    scale: float
    zoom: Zoom
    window: Shape
    geometry: Geometry
    description: NetworkConfig
    spacing: Spacing


def arrange(config: DeepConfig, data: TrainingData, window: Sequence[int] | None = None) -> Arrangement:
    """Scale, window, levels and network of a training.

    Parameters
    ----------
    window
        That of the run which goes on; None: as the config says.
    """
    scale = network_scale(config, data)
    zoom = network_zoom(config, data, scale)
    z, y, x = (step / factor for step, factor in zip(data.spacing_um, zoom, strict=True))
    if window is not None:
        size: Shape = (int(window[0]), int(window[1]), int(window[2]))
    elif config.volumetric:
        size = block_size(config, data, zoom, (z, y, x))
    else:
        size = window_size(config, data, scale)
    depth, height, width = (max(1, round(n / factor)) for n, factor in zip(size, zoom, strict=True))
    geometry = Geometry(
        depth=depth,
        height=height,
        width=width,
        slices=config.neighbours,
        volumetric=config.volumetric,
        axes=config.across,
    )
    return Arrangement(
        scale=scale, zoom=zoom, window=size, geometry=geometry, spacing=(z, y, x),
        description=describe(config, data, size, (z, y, x)),
    )  # fmt: skip


def describe(config: DeepConfig, data: TrainingData, window: Shape, spacing: Spacing) -> NetworkConfig:
    """The network of a config; the levels of a 3-D one follow voxel size and window."""
    outputs = output_of(config, data)[1].channels
    if not config.volumetric:
        return NetworkConfig(
            architecture=config.architecture, encoder=config.encoder, channels=data.channels * config.slices,
            outputs=outputs, decoder_width=config.decoder_width,
        )  # fmt: skip
    levels = plan_levels(spacing, window, config.levels)
    return NetworkConfig(
        architecture=config.architecture, channels=data.channels, outputs=outputs, width=config.width,
        kernels=levels.kernels, strides=levels.strides, spacing=spacing, residual=config.residual,
        normalisation=config.normalisation,
    )  # fmt: skip


def network_zoom(config: DeepConfig, data: TrainingData, scale: float) -> Zoom:
    """The scale along each axis: in 3-D slices are scaled too, where their distance is not the coarser anyhow."""
    spacing = data.spacing_um
    deep = config.volumetric and scale < 1 and spacing[0] <= spacing[1] / scale**0.5
    return (scale if deep else 1.0, scale, scale)


def block_size(config: DeepConfig, data: TrainingData, zoom: Zoom, spacing: Spacing) -> Shape:
    """The window of a 3-D network, in its voxels.

    ``auto``: as deep as it is wide in micrometres, no larger than image and labels with their surroundings need, of a
    size that a step takes seconds for, smaller where memory is short.
    """
    if not isinstance(config.window, str):
        return config.window
    from voxloop.deep.forecast import free_memory, memory_of
    from voxloop.deep.networks import build

    device = resolve_device(config.device)
    extent = _useful_extent(data, zoom, spacing)
    voxels = _VOXELS if device.type == "cpu" else _VOXELS_GPU
    while True:
        window = plan_window(spacing, extent, voxels)
        window = (window[0], max(16, window[1]), max(16, window[2]))
        with torch.random.fork_rng(devices=[]):  # not as meta tensors: SwinUNETR asks some for their numbers
            network = build(describe(config, data, window, spacing))
        if voxels <= 2**12 or memory_of(network, config, window)(config.batch_size) <= _ROOM * free_memory(device):
            return window
        voxels //= 2


def _useful_extent(data: TrainingData, zoom: Zoom, spacing: Spacing) -> Shape:
    """Voxels of the network zyx beyond which a window shows nothing new in any image: the image, or what surrounds the
    labels by half their own extent, whichever is smaller."""
    found = []
    for image in data.teaching:
        boxes = [image.split.grid.box(cell) for cell in image.labelled.counts]
        boxes = boxes or [(slice(0, image.shape[0]), slice(0, image.shape[1]), slice(0, image.shape[2]))]
        for axis in range(3):
            low, high = min(b[axis].start for b in boxes), max(b[axis].stop for b in boxes)
            ratio = image.relative[axis] if image.relative else 1.0
            found.append((min(image.shape[axis], 2 * (min(high, image.shape[axis]) - low)) * ratio, axis))
    z, y, x = (max(1, round(max(n for n, a in found if a == axis) * zoom[axis])) for axis in range(3))
    least = 16 * min(spacing)  # strokes on a slice are seen with some of what lies above and below
    z, y, x = (
        max(n, min(round(least / step), whole))
        for n, step, whole in zip((z, y, x), spacing, _largest(data, zoom), strict=True)
    )
    return z, y, x


def _largest(data: TrainingData, zoom: Zoom) -> list[int]:
    return [max(1, round(max(i.shape[axis] for i in data.images) * zoom[axis])) for axis in range(3)]


def network_scale(config: DeepConfig, data: TrainingData) -> float:
    """In-plane size at which the network works; ``auto`` halves planes that are large in every image."""
    if not isinstance(config.scale, str):
        return config.scale
    return 0.5 if _smallest_side(data) >= _LARGE else 1.0


def window_size(config: DeepConfig, data: TrainingData, scale: float) -> Shape:
    """The window of a network of planes in its voxels, zyx; ``auto`` is no larger than the smallest image needs."""
    if not isinstance(config.window, str):
        return config.window
    smallest = _smallest_side(data) * scale
    size = min(_AUTO, max(2, -(-round(smallest) // WINDOW_STRIDE)) * WINDOW_STRIDE)
    return 1, size, size


def _smallest_side(data: TrainingData) -> int:
    """In voxels of the training."""
    sides = [
        round(size * ratio)
        for image in data.images
        for size, ratio in zip(image.shape[1:], (image.relative or (1.0, 1.0, 1.0))[1:], strict=True)
    ]
    return min(sides)


def measure_intensities(data: TrainingData, geometry: Geometry, seed: int) -> dict[str, Any]:
    """Mean and standard deviation of each channel, from windows spread over the images.

    Raises VolumeError where a channel holds no number.
    """
    single = Geometry(height=min(geometry.height, 256), width=min(geometry.width, 256))
    sums = np.zeros((3, data.channels))
    for place in spread_places(data.teaching, single, _MEASURED, seed):
        values = read_pixels(data.images[place.image], place, single).reshape(data.channels, -1)
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


def load_start(
    network: nn.Module, description: NetworkConfig, start: str, context: Any, classes: Sequence[ClassInfo]
) -> None:
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
        if name in own and own[name].shape == value.shape and (same or description.head not in name)
    }  # fmt: skip
    if len(fitting) < 0.9 * len(own):
        raise ConfigError(
            f"start_from={start!r} is {model.spec.extra.get('title', 'another network')}, which fits {len(fitting)} of "
            f"{len(own)} tensors of this network ({description.title}); use its architecture and the settings of its "
            f"network"
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
