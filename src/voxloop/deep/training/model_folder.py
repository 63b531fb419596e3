"""The model folder that a training keeps: its spec, its weights, and the network it holds. Knows no loop."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import torch
from torch import nn

from voxloop.deep.begin.material import Material
from voxloop.deep.networks.device import move_network
from voxloop.deep.networks.network import AnyNetwork, field_of
from voxloop.deep.objective.instances import output_of
from voxloop.deep.predict.model import load, write
from voxloop.deep.predict.predictor import Zoom
from voxloop.deep.transfer import runtime
from voxloop.geometry import Shape
from voxloop.model import ModelSpec
from voxloop.store.atomic import replace_folder
from voxloop.store.layout import RunPlace


class LateSpec:
    """The spec of a network, made when it is asked for: finding its receptive field would put off the first step.

    Beside a GPU, which would wait for that, the field is looked for in a thread from now on.
    """

    def __init__(self, material: Material, network: AnyNetwork) -> None:
        self._material, self._network = material, network
        self._made: ModelSpec | None = None
        self._ahead: Future[Shape | None] | None = None
        if runtime(material.device) is not None:
            self._ahead = Future()
            probe = copy.deepcopy(network)  # before its weights begin to move
            threading.Thread(target=_find_field, args=(probe, material, self._ahead), daemon=True).start()

    def __call__(self) -> ModelSpec:
        if self._made is None:
            description = self._material.description
            reach = field_of(self._network, description) if self._ahead is None else self._ahead.result()
            self._made = spec_of(self._material, self._network, reach)
        return self._made


def _find_field(network: AnyNetwork, material: Material, found: Future[Shape | None]) -> None:
    try:
        found.set_result(field_of(network, material.description))
    except Exception as error:
        found.set_exception(error)


def spec_of(material: Material, network: AnyNetwork, reach: Shape | None) -> ModelSpec:
    """What a trained network takes and gives, in voxels of the image; ``reach`` is its receptive field."""
    config, data, plan = material.config, material.data, material.arrangement
    zoom = plan.zoom
    classes, output = output_of(config, data)
    stride = network.stride if isinstance(network.stride, tuple) else (1, network.stride, network.stride)
    return ModelSpec(
        learner="deep",
        channels=data.channels,
        classes=classes,
        spacing_um=data.spacing_um,
        outputs=(output,),
        dimensions=plan.geometry.spatial,
        stride=_on_image(stride, zoom),
        halo=None if reach is None else _on_image(reach, zoom, config.neighbours // 2),
        window=_on_image(plan.window, zoom),
        normalisation=material.statistics,
        extra={
            "network": plan.description.to_json(),
            "slices": config.neighbours,
            "scale": plan.scale,
            "zoom": list(zoom),
            "title": plan.description.title,
            "target": config.target,
            **({"axes": config.axes} if config.across != (0,) else {}),
            **({"constrain": config.constrain} if config.constrain else {}),
        },
    )


def _on_image(size: Sequence[int], zoom: Zoom, more: int = 0) -> Shape:
    """Voxels of the network as voxels of the image, rounded up; ``more`` slices along z."""
    z, y, x = (math.ceil(n / factor) for n, factor in zip(size, zoom, strict=True))
    return z + more, y, x


def load_kept_network(run: Path, device: torch.device) -> nn.Module:
    """The network that a run keeps, in evaluation mode."""
    return move_network(load(RunPlace(run).model).module(), device).eval()


def write_model(folder: Path, spec: ModelSpec, network: nn.Module) -> None:
    """Put a model folder in place of the one there is."""
    temporary = folder.with_name(f".{folder.name}.new")
    write(temporary, spec, network.state_dict())
    replace_folder(temporary, folder)
