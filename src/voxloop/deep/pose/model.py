"""A trained learner of places on disk, and opened: pictures in, instances out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.deep.pose.mark_model import MarkModel, checked_spec
from voxloop.errors import ConfigError
from voxloop.model import ClassInfo, ModelSpec, Output

if TYPE_CHECKING:
    import torch
    from torch import nn

    from voxloop.deep.pose.finding import Finder, Found
    from voxloop.deep.pose.plan import PlacePlan
    from voxloop.geometry import Box


@dataclass(frozen=True, slots=True)
class PlaceFinder:
    """An opened learner of places."""

    _make: Callable[[], Finder]
    _plan: PlacePlan

    @property
    def names(self) -> tuple[str, ...]:
        """Nodes, or classes."""
        return self._plan.names

    @property
    def axes(self) -> int:
        """2 in frames, 3 in volumes."""
        return self._plan.stages[0].backbone.axes

    def volume(
        self, read: Callable[[Box], np.ndarray], shape: tuple[int, ...], threshold: float | None = None
    ) -> Found:
        """Instances of a volume, tile by tile; ``read`` gives raw grays (c, z, y, x) of a box."""
        from voxloop.deep.pose.pictures import AlbumPicture, nothing

        return self._make().find([AlbumPicture("volume", None, shape, read, nothing(3))], threshold)[0]

    def frames(self, frames: np.ndarray, threshold: float | None = None) -> list[Found]:
        """Instances of frames (n, c, y, x) of raw grays, surest first; coordinates (y, x) in pixels."""
        from voxloop.deep.pose.pictures import pictures_of

        if not len(frames):
            return []
        # of each batch a finder of its own: grays are kept by the name of a picture
        return self._make().find(pictures_of(frames), threshold)


class PlaceModel(MarkModel):
    """Networks that find animals, points or boxes. Cheap to hold; the weights are read when it is opened.

    Attributes
    ----------
    spec
        What it takes; ``extra["plan"]`` says what it finds and how.
    """

    @property
    def answers(self) -> str:
        return f"this model finds {self.plan.kind}, it says nothing of each voxel; ws.predict(run, ...) finds them"

    @property
    def plan(self) -> PlacePlan:
        from voxloop.deep.pose.plan import PlacePlan

        return PlacePlan.from_json(self.spec.extra["plan"])

    @contextmanager
    def opened(
        self, device: str = "auto", precision: str = "auto", threads: int | None = None
    ) -> Iterator[PlaceFinder]:
        """The networks on a device, ready to find; the thread count of torch is put back afterwards."""
        from voxloop.deep.networks.device import resolve_precision
        from voxloop.deep.pose.backbone import without_normalisation
        from voxloop.deep.pose.finding import Finder
        from voxloop.deep.pose.pictures import Reader

        plan, grays = self.plan, self.spec.normalisation
        with self._on(device, threads) as where:
            number = resolve_precision(precision, where)
            networks = {name: without_normalisation(one) for name, one in self.networks(where).items()}
            yield PlaceFinder(lambda: Finder(plan, networks, Reader.of(grays), where, number), plan)

    def networks(self, device: torch.device) -> dict[str, nn.Module]:
        """The networks by stage, in evaluation mode. Raises ModelError where the weights do not fit."""
        from voxloop.deep.networks.device import move_network

        stages = self._filled(lambda: build_networks(self.plan))
        return {name: move_network(network, device).eval() for name, network in stages.items()}


def load(folder: str | Path) -> PlaceModel:
    """Open a model folder. Raises ModelError where something is missing, truncated or changed."""
    folder = Path(folder)
    return PlaceModel(checked_spec(folder, "plan", "what it finds"), folder)


def build_networks(plan: PlacePlan, encoder_weights: str | None = None) -> nn.ModuleDict:
    """A ``ModuleDict`` with a network for each stage. Raises ConfigError where weights are for no encoder of it."""
    from torch import nn

    from voxloop.deep.networks.imagenet import OFFLINE_ENCODER
    from voxloop.deep.pose.backbone import Backbone

    if encoder_weights == "imagenet" and not any(stage.backbone.encoder for stage in plan.stages):
        if plan.stages[0].backbone.axes == 3:
            raise ConfigError(
                "encoder_weights='imagenet' are of an encoder of planes, and this image is a volume; leave "
                "encoder_weights empty"
            )
        raise ConfigError(
            "encoder_weights='imagenet': the plain U-Net has no encoder of others; name one, like "
            f"encoder={OFFLINE_ENCODER!r}"
        )
    return nn.ModuleDict({stage.name: Backbone(stage.backbone, encoder_weights) for stage in plan.stages})


def spec_of(
    plan: PlacePlan, learner: str, colors: Sequence[str], channels: int, spacing: Any, statistics: dict[str, Any]
) -> ModelSpec:
    """What a trained learner takes and gives."""
    shown = list(colors) or ["#e69f00"]
    classes = tuple(
        ClassInfo(value=number + 1, name=name, color=shown[number % len(shown)])
        for number, name in enumerate(plan.names)
    )
    return ModelSpec(
        learner=learner,
        channels=channels,
        classes=classes,
        outputs=(Output(name=plan.kind, kind="points", channels=len(plan.names)),),
        spacing_um=spacing,
        dimensions=plan.stages[0].backbone.axes,
        halo=None,
        normalisation=statistics,
        extra={"plan": plan.to_json(), "title": f"{plan.pipeline}, {', '.join(plan.names)}"},
    )
