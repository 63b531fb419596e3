"""What is settled before the first step: window size, network, weights of an ancestor. Knows no loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.sizing import block_size, window_size
from voxloop.deep.data.extent import geometry_of, network_scale, network_zoom
from voxloop.deep.data.planning import plan_levels
from voxloop.deep.data.training_data import TrainingData
from voxloop.deep.data.windows import Geometry
from voxloop.deep.networks.network import NetworkConfig
from voxloop.deep.networks.volumetric import legal_width
from voxloop.deep.objective.instances import output_of
from voxloop.deep.predict.model import WEIGHTS, load
from voxloop.deep.predict.predictor import Zoom
from voxloop.errors import ConfigError, ModelError
from voxloop.geometry import Shape, Spacing
from voxloop.model import ClassInfo
from voxloop.runs.context import TaskContext
from voxloop.runs.outcome import file_of_weights, model_named

Opened = TypeVar("Opened")
#: levels that SegResNet keeps however flat the window is
_FEWEST = 3


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
        size = block_size(config, data, zoom, (z, y, x), lambda window: describe(config, data, window, (z, y, x)))
    else:
        size = window_size(config, data, scale, lambda: describe(config, data, (1, 1, 1), (z, y, x)))
    geometry = geometry_of(config, size, zoom)
    return Arrangement(
        scale=scale,
        zoom=zoom,
        window=size,
        geometry=geometry,
        spacing=(z, y, x),
        description=describe(config, data, size, (z, y, x)),
    )


def describe(config: DeepConfig, data: TrainingData, window: Shape, spacing: Spacing) -> NetworkConfig:
    """The network of a config; the levels of a 3-D one follow voxel size and window."""
    outputs = output_of(config, data)[1].channels
    if not config.volumetric:
        return NetworkConfig(
            architecture=config.architecture,
            encoder=config.encoder,
            channels=data.channels * config.slices,
            outputs=outputs,
            decoder_width=config.decoder_width,
            depth=config.levels,
        )
    levels = plan_levels(spacing, window, config.levels)
    network = NetworkConfig(
        architecture=config.architecture,
        channels=data.channels,
        outputs=outputs,
        width=legal_width(config.architecture, config.width),
        filters=config.filters or (),
        kernels=levels.kernels,
        strides=levels.strides,
        spacing=spacing,
        residual=config.residual,
        normalisation=config.normalisation,
    )
    while config.architecture == "SegResNet" and len(network.strides) > _FEWEST and _wasteful(network, window):
        network = replace(network, kernels=network.kernels[:-1], strides=network.strides[:-1])
    return network


def _wasteful(network: NetworkConfig, window: Shape) -> bool:
    """Whether the network would pad an axis, which the planned levels stopped to halve, to twice its voxels or more."""
    return any(whole >= 2 * side for whole, side in zip(network.padded(window), window, strict=True))


def encoder_weights(config: DeepConfig, context: TaskContext) -> str | None:
    """What the encoder begins with: None, ``"imagenet"`` or a file, that of an earlier run by its name.

    None where the whole network goes on from earlier weights. Raises ConfigError where there is no such run.
    """
    return None if config.start_from else weights_named(config.encoder_weights, context)


def weights_named(given: str | None, context: TaskContext) -> str | None:
    """None, ``"imagenet"`` or a file: a run is known by its name. Raises ConfigError where there is no such run."""
    if not given or given == "imagenet":
        return given or None
    if Path(given).suffix:
        return file_of_weights(context.layout, given)
    return str(ancestor(given, context, "encoder_weights") / WEIGHTS)


def load_start(
    network: nn.Module, description: NetworkConfig, start: str, context: TaskContext, classes: Sequence[ClassInfo]
) -> None:
    """Take the weights of an earlier run, or of a model folder.

    Tensors are matched by name and shape; the last layer is kept only where the classes are the same. Raises
    ConfigError where the network is another one.
    """
    model = opened(start, context, load)
    same = [info.value for info in model.spec.classes] == [info.value for info in classes]
    given = model.module().state_dict()
    kept = given if same else {name: value for name, value in given.items() if description.head not in name}
    other = (
        f"{model.spec.extra.get('title', 'another network')}; this is {description.title}: use its architecture and "
        f"the settings of its network"
    )
    take(network, kept, start, context, least=0.9, other=other)


def opened(start: str, context: TaskContext, load: Callable[[Path], Opened]) -> Opened:
    """What ``load`` opens of an earlier run or model folder. Raises ConfigError where there is none that it opens."""
    folder = ancestor(start, context)
    try:
        return load(folder)
    except ModelError as error:
        raise ConfigError(f"start_from={start!r}: {error}") from error


def take(
    network: nn.Module,
    given: Mapping[str, torch.Tensor],
    start: str,
    context: TaskContext,
    *,
    least: float,
    other: str = "another network",
) -> None:
    """Give a network the tensors whose name and shape it has, and log how many.

    Raises ConfigError, saying that it is the other, where less than this share of the network is among them.
    """
    own = network.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if len(fitting) < least * len(own):
        raise ConfigError(f"start_from={start!r} fits {len(fitting)} of {len(own)} tensors; it is {other}")
    network.load_state_dict(fitting, strict=False)
    context.emit("log", text=f"starts from {start!r}: {len(fitting)} of {len(own)} tensors")


def ancestor(name: str, context: TaskContext, setting: str = "start_from") -> Path:
    """The model folder of an earlier run, or a model folder itself. Raises ConfigError, naming the setting."""
    return model_named(context.layout, name, setting)
