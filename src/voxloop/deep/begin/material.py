"""Everything between labels on disk and the first step: data, windows, network. Takes no step.

A run and what is shown before it are put together by the same function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.choosing import settle_target
from voxloop.deep.begin.preparation import Preparation
from voxloop.deep.begin.sight import sight
from voxloop.deep.begin.starting import Arrangement, arrange, encoder_weights, load_start
from voxloop.deep.data.augment import Augmenter
from voxloop.deep.data.grayvalues import measure_intensities
from voxloop.deep.data.sampling import WindowSampler
from voxloop.deep.data.thin import thin_labels
from voxloop.deep.data.training_data import TrainingData, open_data
from voxloop.deep.data.windows import Geometry, validation_places, validation_window
from voxloop.deep.networks.device import autocast, lay_out, move_network, resolve_device, resolve_precision
from voxloop.deep.networks.network import AnyNetwork, NetworkConfig, build
from voxloop.deep.objective.instances import Criterion, criterion_of, output_of
from voxloop.deep.predict.predictor import Normalisation
from voxloop.errors import WorkspaceError
from voxloop.geometry import Shape
from voxloop.given import path_of
from voxloop.runs.context import QuietContext, TaskContext

#: windows of a validation, at most; fewer where they hold more voxels than a plane
_VALIDATION_WINDOWS, _FEWEST, _PLANE = 24, 6, 2**16
#: how many times more borders count where a class is thin, and over how many voxels
_THIN_WEIGHT, _THIN_DISTANCE = 2.0, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What the first process of a run has settled and later ones keep; nothing of it where a run begins.

    ``split`` is that of :meth:`TrainingData.split_to_json`, ``statistics`` those that intensities are scaled by,
    ``window`` zyx that of the network.
    """

    split: Mapping[str, Any] | None = None
    statistics: dict[str, Any] | None = None
    window: tuple[int, ...] | None = None

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Earlier:
        """From the state of a checkpoint; an empty one settles nothing."""
        window = state.get("window")
        return cls(
            split=state.get("split"),
            statistics=state.get("normalisation"),
            window=None if window is None else tuple(window),
        )


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a training with a config learns from, and what learns."""

    context: TaskContext
    config: DeepConfig
    data: TrainingData
    arrangement: Arrangement
    statistics: dict[str, Any]
    sampler: WindowSampler
    prepare: Preparation
    augment: Augmenter
    device: torch.device
    precision: torch.dtype
    chosen: str = ""  # how objects are learnt, in words, where nobody said so
    thin: tuple[str, ...] = ()  # classes that are membranes and walls below three voxels
    sight: Shape | None = None  # how far the network sees, voxels of the image zyx, where the split goes by it

    @property
    def scale(self) -> float:
        """In-plane size at which the network works."""
        return self.arrangement.scale

    @property
    def window(self) -> Shape:
        """Voxels of the network, zyx."""
        return self.arrangement.window

    @property
    def geometry(self) -> Geometry:
        """Windows in voxels of the image."""
        return self.arrangement.geometry

    @property
    def description(self) -> NetworkConfig:
        """The network."""
        return self.arrangement.description

    @property
    def thin_words(self) -> str:
        """What is done for classes that are thin; empty where none is."""
        if not self.thin:
            return ""
        size = "at full size, " if self.scale == 1 else ""
        return (
            f"{', '.join(self.thin)}: nowhere three voxels wide where painted, so the network works {size}with "
            f"borders between classes counting {1 + self.config.boundary_weight:g} times"
        )

    def raw(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows of a batch as they are cut: pixels (n, c, y, x), labels (n, y, x); with z in 3-D."""
        return self.sampler.batch(index, self.config.batch_size)

    def batch(self, index: int) -> tuple[Tensor, Tensor]:
        """What the network gets in a step, normalised and augmented: as :meth:`raw`, labels uint8."""
        return self.augment(*self.prepare(*self.raw(index)), index)

    def validation_windows(self) -> list[tuple[Tensor, Tensor]]:
        """What every epoch is validated on: prepared pixels and labels, one window each."""
        images, geometry = self.data.images, self.geometry
        limit = min(_VALIDATION_WINDOWS, max(_FEWEST, _VALIDATION_WINDOWS * _PLANE // geometry.voxels))
        windows = []
        for place in validation_places(images, geometry, limit, self.config.seed):
            pixels, labels = validation_window(images, place, geometry)
            windows.append(self.prepare(pixels[None], labels[None]))
        return windows

    def network(self, *, weights: bool = True) -> AnyNetwork:
        """The network on its device, with the weights that a run begins with; random ones without ``weights``.

        Seeds torch. Raises ConfigError where weights cannot be had or do not fit.
        """
        config = self.config
        torch.manual_seed(config.seed)
        network = build(self.description, encoder_weights(config, self.context) if weights else None)
        if network.origin:
            self.context.emit("log", text=network.origin)
        if weights and config.start_from:
            classes, _ = output_of(config, self.data)
            load_start(network, self.description, config.start_from, self.context, classes)
        move_network(network, self.device)
        return network

    def loss(self, network: AnyNetwork, criterion: Criterion, index: int) -> Tensor:
        """The loss of a network on a batch, in the precision of the config."""
        pixels, labels = self.batch(index)
        with autocast(self.device, self.precision):
            logits = network(lay_out(pixels))
        return criterion(logits, labels)

    def criterion(self) -> Criterion:
        """The loss that the config asks for."""
        return criterion_of(self.config, self.data, self.arrangement.spacing, self.device)

    def to_json(self) -> dict[str, Any]:
        """What :meth:`Earlier.from_json` makes of a checkpoint."""
        return {
            "split": self.data.split_to_json(),
            "normalisation": self.statistics,
            "window": list(self.window),
        }


def gather(
    context: TaskContext, config: DeepConfig, *, device: torch.device | None = None, earlier: Earlier | None = None
) -> Material:
    """Open the images and labels that a context names, and get ready to cut windows.

    Parameters
    ----------
    device
        Where the network computes; None: as the config says.
    earlier
        What the run that goes on had settled; None: a run begins.

    Raises
    ------
    LabelError
        Nothing, or only one class, is labelled.
    """
    earlier = earlier or Earlier()
    device = device or resolve_device(config.device)
    data = open_data(context, config, earlier.split)
    settled, chosen = settle_target(config, data, context)
    if settled.slices != config.slices:  # what is held out lies further away from what is seen
        data = open_data(context, settled, earlier.split)
    config = settled
    thin = thin_labels(data.images, _foreground(data), config.seed) if config.target == "semantic" else ()
    if thin:
        config = suit_thin(config)
    arrangement = arrange(config, data, earlier.window)
    far = sight(arrangement, config) if config.split == "apart" and earlier.split is None else None
    if far is not None:
        data = open_data(context, config, None, far)
    geometry = arrangement.geometry
    statistics = earlier.statistics or measure_intensities(data, geometry, config)
    normalise = Normalisation.of(statistics, data.channels, geometry.slices)
    return Material(
        context=context,
        config=config,
        data=data,
        arrangement=arrangement,
        statistics=statistics,
        sampler=WindowSampler.of(config, data, geometry),
        prepare=Preparation(normalise, arrangement.zoom, device),
        augment=Augmenter.of(config, data, geometry.slices, arrangement.spacing),
        device=device,
        precision=resolve_precision(config.precision, device),
        chosen=chosen,
        thin=tuple(data.classes[label - 1].name for label in thin),
        sight=far,
    )


def suit_thin(config: DeepConfig) -> DeepConfig:
    """Settings for membranes and walls below three voxels: full size, where that was open, and borders that count more.

    At half size they are hardly there, and a network that is a voxel off has lost them.
    """
    changes: dict[str, Any] = {}
    if config.scale == "auto":
        changes["scale"] = 1.0
    if not config.boundary_weight:
        changes |= {"boundary_weight": _THIN_WEIGHT, "boundary_distance": _THIN_DISTANCE}
    return config.changed(**changes) if changes else config


def _foreground(data: TrainingData) -> list[int]:
    """Labels of windows that are no background."""
    return [label for label, info in enumerate(data.classes, start=1) if not info.background]


def gather_now(workspace: Path, config: DeepConfig) -> Material:
    """The material of a run that began now, with the labels as they are. Nothing is written in the workspace."""
    return gather(QuietContext(workspace, label_state(workspace, config)), config)


def label_state(workspace: Path, config: DeepConfig) -> dict[str, Any]:
    """What a run with this config would learn from, as the labels are now (:func:`voxloop.store.teaching.freeze`)."""
    from voxloop.store import Store
    from voxloop.store.teaching import freeze

    with Store.open(workspace, read_only=True) as store:
        return freeze(store, config)


def gather_cached(state: dict[str, Any], workspace: Path, config: DeepConfig) -> Material:
    """As :func:`gather_now`, cached in a helper's ``state`` until settings or labels change."""
    facts = label_state(workspace, config)
    key = (config.to_json(), facts)
    if state.get("material", (None, None))[0] != key:
        state["material"] = (key, gather(QuietContext(workspace, facts), config))
    material: Material = state["material"][1]
    return material


def folder_of(workspace: Any) -> Path:
    """The folder of a :class:`voxloop.Workspace`, or the path itself."""
    return path_of(getattr(workspace, "path", workspace), error=WorkspaceError)
