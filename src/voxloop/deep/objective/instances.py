"""Learning objects: the losses of what tells them apart, and how such a network is scored and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from voxloop.config.deep import DeepConfig
from voxloop.deep.data.targets import FIRST, Make, evened, flow_targets, instance_targets, plane_targets
from voxloop.deep.data.training_data import TrainingData
from voxloop.deep.data.windows import TrainingImage
from voxloop.deep.objective.loss import PartialLoss
from voxloop.deep.objective.matching import Matcher
from voxloop.deep.objective.object_channels import ARROWS, CHANNELS
from voxloop.deep.transfer import pinned, runtime, sent
from voxloop.geometry import Spacing
from voxloop.model import ClassInfo, Output

#: depth is off by tenths where the others are off by ones
_DEPTH = 4.0
#: squared error of arrows of length 1
_ARROWS = 2.0


#: values of the targets of windows, and how much they count, 0 where they are not known: float32 (n, channels, ...)
Made = tuple[Tensor, Tensor]


class Criterion(Protocol):
    """A loss, and which classes of its logits and labels are scored and drawn."""

    def targets(self, labels: Tensor) -> Made | None:
        """What is learnt of labels, where finding that takes time of its own; None where labels are learnt as they are.

        On the device of the labels, which are looked at here: for those who prepare batches, not for a step.
        """
        ...

    def __call__(self, logits: Tensor, labels: Tensor, made: Any = None) -> Tensor:
        """The loss; ``made`` is what :meth:`targets` gave for these labels, which else is found now."""
        ...

    def loss_and_scored(self, logits: Tensor, labels: Tensor, made: Any = None) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, and logits (n, classes, ...) and labels (n, ...) to be scored, in any order of voxels."""
        ...

    def scored(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and labels of the classes that are scored and drawn, each voxel in its place."""
        ...

    def matcher(self) -> Matcher | None:
        """What scores separate objects; None where classes are learnt."""
        ...


def criterion_of(config: DeepConfig, data: TrainingData, spacing: Spacing, device: torch.device) -> Criterion:
    """The loss that a config asks for; ``spacing`` zyx is that of the network's voxels."""
    if not data.instances:
        return PartialLoss.of(config, data.classes, data.counts, device)
    kind = FlowLoss if config.target == "flow" else InstanceLoss
    weights = (config.cross_entropy, config.dice, config.object_weight)
    axes_spacing = spacing if config.volumetric else spacing[1:]
    return kind(axes_spacing, weights, by_plane=lone_planes(data.training_images))


def output_of(config: DeepConfig, data: TrainingData) -> tuple[tuple[ClassInfo, ...], Output]:
    """What comes out of the network: its channels, and how they are to be decoded."""
    if config.target == "flow":
        return ARROWS, Output(name="objects", kind="flow", channels=len(ARROWS))
    if data.instances:
        return CHANNELS, Output(name="objects", kind="boundary_distance", channels=len(CHANNELS))
    return data.classes, Output(name="classes", kind="semantic", channels=len(data.classes))


def lone_planes(images: Sequence[TrainingImage]) -> bool:
    """Whether labels lie on planes most of which have no labelled one next to them, along z."""
    alone = count = 0
    for image in images:
        anchors = chain.from_iterable(image.labelled.anchors.values())
        planes = {int(z) for at in anchors for z in at[:, 0]}
        alone += sum(z + 1 not in planes for z in planes)
        count += len(planes)
    return alone > 0.5 * count


class _ObjectLoss:
    """What losses of objects share. Small objects are heard beside large ones (:func:`targets.evened`).

    Parameters
    ----------
    spacing_um
        Voxel size of what the network sees, one number an axis of the windows.
    weights
        Of cross-entropy, of Dice, and of depth or arrows.
    by_plane
        Of blocks: what is learnt of objects is that within each plane. Where single planes are labelled, nothing is
        known of what lies above and below them, so it is never known in 3-D.
    """

    _make: Make

    def __init__(
        self,
        spacing_um: Sequence[float],
        weights: tuple[float, float, float] = (1.0, 0.5, 1.0),
        *,
        by_plane: bool = False,
    ) -> None:
        self._weights = weights
        self._spacing = tuple(spacing_um)
        self._by_plane = by_plane and len(self._spacing) == 3

    def targets(self, labels: Tensor) -> Made:
        """Values and how much they count, 0 where they are not known, float32 (n, channels, ...)."""
        crops = labels.cpu().numpy()
        found = [
            plane_targets(crop, self._spacing, self._make) if self._by_plane else self._make(crop, self._spacing)
            for crop in crops
        ]
        values = np.stack([one.values for one in found])
        known = np.stack([one.known * evened(crop) for one, crop in zip(found, crops, strict=True)])
        if runtime(labels.device) is None:
            return sent(values, labels.device), sent(known, labels.device)
        return sent(pinned(values), labels.device), sent(pinned(known), labels.device)

    def __call__(self, logits: Tensor, labels: Tensor, made: Made | None = None) -> Tensor:
        """``logits`` (n, channels, ...), ``labels`` (n, ...) uint8 as ``targets.code`` makes them."""
        return self._loss(logits.float(), *(self.targets(labels) if made is None else made))

    def _loss(self, logits: Tensor, values: Tensor, labelled: Tensor) -> Tensor:
        raise NotImplementedError

    def loss_and_scored(
        self, logits: Tensor, labels: Tensor, made: Made | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The loss and what is scored."""
        return self(logits, labels, made), *self.scored(logits, labels)

    @staticmethod
    def scored(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, 2, ...) and labels (n, ...) of background and objects: what is scored and drawn."""
        foreground = logits[:, :1]
        return torch.cat([torch.zeros_like(foreground), foreground], 1), labels.clamp_max(FIRST)

    def matcher(self) -> Matcher:
        """What counts the objects that are found again."""
        return Matcher(self._spacing)

    def _sum(self, *terms: Tensor) -> Tensor:
        return torch.stack([weight * term for weight, term in zip(self._weights, terms, strict=True)]).sum()


class InstanceLoss(_ObjectLoss):
    """Cross-entropy of foreground and boundary, Dice of foreground, squared error of depth, where each is known."""

    _make = staticmethod(instance_targets)

    def _loss(self, logits: Tensor, values: Tensor, labelled: Tensor) -> Tensor:
        each = F.binary_cross_entropy_with_logits(logits[:, :2], values[:, :2], reduction="none")
        depth = (logits[:, 2].sigmoid() - values[:, 2]) ** 2
        dice = _dice(logits[:, 0], values[:, 0], labelled[:, 0])
        return self._sum(_mean(each, labelled[:, :2]), dice, _DEPTH * _mean(depth, labelled[:, 2]))


class FlowLoss(_ObjectLoss):
    """Cross-entropy and Dice of foreground, squared error of arrows within objects whose middle is known.

    An arrow of the network is ``2 * sigmoid(logit) - 1``.
    """

    _make = staticmethod(flow_targets)

    def _loss(self, logits: Tensor, values: Tensor, labelled: Tensor) -> Tensor:
        each = F.binary_cross_entropy_with_logits(logits[:, 0], values[:, 0], reduction="none")
        dice = _dice(logits[:, 0], values[:, 0], labelled[:, 0])
        off = (2 * logits[:, 1:].sigmoid() - 1 - values[:, 1:]) ** 2
        return self._sum(_mean(each, labelled[:, 0]), dice, _ARROWS * _mean(off.sum(1), labelled[:, 1]))


def _dice(logits: Tensor, values: Tensor, labelled: Tensor) -> Tensor:
    inside = logits.sigmoid() * labelled
    return 1 - (2 * (inside * values).sum() + 1) / (inside.sum() + (values * labelled).sum() + 1)


def _mean(each: Tensor, labelled: Tensor) -> Tensor:
    return (each * labelled).sum() / labelled.sum().clamp_min(1e-6)
