"""What networks of animals, things and pictures begin with: weights of an earlier run, or of an encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from torch import nn

from voxloop.config.detect import DetectConfig
from voxloop.config.places import PlaceSettings
from voxloop.deep.begin.starting import ancestor, opened, take
from voxloop.deep.networks.imagenet import OFFLINE_ENCODER, installed_weights
from voxloop.deep.pose.backbone import BackboneConfig
from voxloop.deep.pose.pictures import Album
from voxloop.runs.context import TaskContext

_Config = TypeVar("_Config", bound=PlaceSettings)
#: coarsest maps that the encoder has which is taken where none is named
_STRIDES = (8, 16, 32)


def settle_encoder(config: _Config, album: Album, earlier: BackboneConfig | None = None) -> _Config:
    """The config with ``encoder="auto"`` settled; ``earlier`` is the network of the run whose weights it begins with.

    Of a plain one the width too, without which its weights would not fit.
    """
    if not isinstance(config, DetectConfig) or config.encoder != "auto":
        return config
    if earlier is not None:
        width = {} if earlier.encoder else {"filters": earlier.filters, "filters_rate": earlier.rate}
        return config.changed(encoder=earlier.encoder, **width)
    suits = album.axes == 2 and not album.boxes and config.max_stride in _STRIDES
    if not suits or not (config.encoder_weights or installed_weights(OFFLINE_ENCODER)):
        return config.changed(encoder="")
    return config.changed(encoder=OFFLINE_ENCODER, encoder_weights=config.encoder_weights or "imagenet")


def begin_with(network: nn.Module, context: TaskContext, name: str, load: Callable[[Path], object]) -> None:
    """Take the weights of an earlier run or model folder; ``load`` opens one and raises ModelError where it is none.

    Raises ConfigError where they do not fit.
    """
    from safetensors.torch import load_file

    from voxloop.deep.predict.model import WEIGHTS

    opened(name, context, load)  # says what is wrong with it
    take(network, load_file(ancestor(name, context) / WEIGHTS), name, context, least=0.5)


def tell_origin(network: nn.Module, context: TaskContext) -> None:
    """Log how much of a file of weights fits, once for each encoder that was given one."""
    for told in dict.fromkeys(getattr(module, "origin", "") for module in network.modules()):
        if told:
            context.emit("log", text=told)
