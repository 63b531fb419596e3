"""What a training with a config would be given: data, windows, network. For previews, which take no step that counts.

Gathered from a workspace's labels as they are now, by the same functions as a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.preparation import Preparation
from voxloop.deep.begin.starting import Arrangement, arrange, encoder_weights, load_start
from voxloop.deep.data.augment import Augmenter
from voxloop.deep.data.grayvalues import measure_intensities
from voxloop.deep.data.sampling import WindowSampler
from voxloop.deep.data.training_data import TrainingData, open_data
from voxloop.deep.data.windows import Geometry
from voxloop.deep.networks.device import autocast, laid_out, placed, resolve_device, resolve_precision
from voxloop.deep.networks.network import AnyNetwork, NetworkConfig, build
from voxloop.deep.objective.instances import Criterion, criterion_of
from voxloop.deep.predict.predictor import Normalisation
from voxloop.geometry import Shape


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything between labels on disk and the first step."""

    workspace: Path
    config: DeepConfig
    data: TrainingData
    arrangement: Arrangement
    sampler: WindowSampler
    prepare: Preparation
    augment: Augmenter
    device: torch.device

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

    def raw(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows of a batch as they are cut: pixels (n, c, y, x), labels (n, y, x); with z in 3-D."""
        return self.sampler.batch(index, self.config.batch_size)

    def batch(self, index: int) -> tuple[Tensor, Tensor]:
        """What the network gets in a step, normalised and augmented: as :meth:`raw`, labels uint8."""
        return self.augment(*self.prepare(*self.raw(index)), index)

    def network(self) -> AnyNetwork:
        """The network with the weights that a run would begin with."""
        torch.manual_seed(self.config.seed)
        quiet = SimpleNamespace(
            path=self.workspace / "runs" / "-", workspace=self.workspace, emit=lambda *_, **__: None
        )
        network = build(self.description, encoder_weights(self.config, quiet))
        if self.config.start_from:
            load_start(network, self.description, self.config.start_from, quiet, self.data.classes)
        placed(network, self.device)
        return network

    def loss(self, network: AnyNetwork, criterion: Criterion, index: int) -> Tensor:
        """The loss of a network on a batch, in the precision of the config."""
        pixels, labels = self.batch(index)
        with autocast(self.device, resolve_precision(self.config.precision, self.device)):
            logits = network(laid_out(pixels))
        return criterion(logits, labels)

    def criterion(self) -> Criterion:
        """The loss that the config asks for."""
        return criterion_of(self.config, self.data, self.arrangement.spacing, self.device)


def gather(workspace: Path, config: DeepConfig, facts: Mapping[str, Any] | None = None) -> Material:
    """Open images and labels and get ready to cut windows.

    Parameters
    ----------
    facts
        What is learnt from, as :func:`label_state` tells it; None: labels as they are now.

    Raises
    ------
    LabelError
        Nothing, or only one class, is labelled.
    """
    device = resolve_device(config.device)
    facts = label_state(workspace, config) if facts is None else facts
    context = SimpleNamespace(workspace=workspace, config=facts)
    data = open_data(context, config, None)
    arrangement = arrange(config, data)
    geometry = arrangement.geometry
    sampler = WindowSampler.of(config, data, geometry)
    statistics = measure_intensities(data, geometry, config)
    return Material(
        workspace=workspace,
        config=config,
        data=data,
        arrangement=arrangement,
        sampler=sampler,
        prepare=Preparation(Normalisation.of(statistics, data.channels, geometry.slices), arrangement.zoom, device),
        augment=Augmenter.of(config, data, geometry.slices, arrangement.spacing),
        device=device,
    )


def label_state(workspace: Path, config: DeepConfig) -> dict[str, Any]:
    """What a run with this config would learn from, as the labels are now (:func:`voxloop.store.teaching.freeze`)."""
    from voxloop.store import Store
    from voxloop.store.teaching import freeze

    with Store.open(workspace, read_only=True) as store:
        return freeze(store, config)


def kept(state: dict[str, Any], workspace: Path, config: DeepConfig) -> Material:
    """The material of a config, kept in a helper's ``state`` until settings or labels change."""
    facts = label_state(workspace, config)
    key = (config.to_json(), facts)
    if state.get("material", (None, None))[0] != key:
        state["material"] = (key, gather(workspace, config, facts))
    found: Material = state["material"][1]
    return found


def folder_of(workspace: Any) -> Path:
    """The folder of a :class:`voxloop.Workspace`, or the path itself."""
    return Path(getattr(workspace, "path", workspace))
