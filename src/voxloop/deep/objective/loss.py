"""Loss over labelled voxels only. Pure torch: logits and labels in, one number out. 2-D and 3-D alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import torch
from segmentation_models_pytorch import losses as smp
from torch import Tensor
from torch.nn import functional as F

from voxloop.config.deep import DeepConfig
from voxloop.config.loss import LOSSES
from voxloop.config.parsing import parse_class_weights
from voxloop.errors import ConfigError, unknown
from voxloop.model import ClassInfo

#: target of an unlabelled voxel: what every term skips
IGNORE = -100


class Voxels:
    """What the terms of a loss are told, and what several of them ask of it, computed once.

    ``logits`` (n, classes, ...), ``target`` (n, ...) from 0 or IGNORE, ``weight`` of each voxel (n, ...) or None where
    all that are labelled count the same. On a CPU only labelled voxels are here.
    """

    def __init__(self, logits: Tensor, target: Tensor, weight: Tensor | None) -> None:
        self.logits, self.target, self.weight = logits, target, weight
        self.all_known = target.device.type == "cpu"

    @cached_property
    def logs(self) -> Tensor:
        """Logarithms of the probabilities."""
        return self.logits.log_softmax(1)

    @cached_property
    def shares(self) -> Tensor:
        """Probabilities."""
        return self.logs.exp()

    @cached_property
    def truth(self) -> Tensor:
        """The target as probabilities of 0 and 1, like ``logits``; zero where unlabelled."""
        hot = torch.zeros_like(self.logits).scatter_(1, self.target.clamp_min(0).unsqueeze(1), 1.0)
        return hot if self.all_known else hot * self.known.unsqueeze(1)

    @cached_property
    def known(self) -> Tensor:
        """1 where labelled, 0 elsewhere (n, ...)."""
        return (self.target != IGNORE).to(self.logits.dtype)

    def mean(self, each: Tensor) -> Tensor:
        """Of one number a voxel, over those that are labelled, as they weigh."""
        weight = self.known if self.weight is None else self.weight
        return (each * weight).sum() / weight.sum().clamp_min(1e-6)


Term = Callable[[Voxels], Tensor]


class PartialLoss:
    """Weighted sum of losses over voxels that are labelled.

    An unlabelled voxel (0) adds nothing to the loss and nothing to its gradient; a batch without labels gives 0.

    Parameters
    ----------
    cross_entropy, dice, generalised_dice, focal, tversky, lovasz, bce
        Weight of each term; 0: left out. Cross-entropy, focal loss (Lin et al. 2017, on the softmax) and BCE (one class
        against the rest) go voxel by voxel; Dice (Milletari et al. 2016), Tversky (Salehi et al. 2017), generalised
        Dice (Sudre et al. 2017) and Lovász-softmax (Berman et al. 2018) measure overlap, as the mean over the classes
        that occur in the batch.
    weights
        One weight a class for the terms that go voxel by voxel; None: all the same.
    boundary_weight, boundary_distance
        How much more a voxel at the border between two labelled classes counts in those terms, and the distance in
        voxels over which that falls to nothing.
    ignore_border
        Labels this close to the edge of a window, in voxels, do not count.
    """

    def __init__(
        self,
        *,
        cross_entropy: float = 0.0,
        dice: float = 0.0,
        generalised_dice: float = 0.0,
        focal: float = 0.0,
        tversky: float = 0.0,
        lovasz: float = 0.0,
        bce: float = 0.0,
        focal_gamma: float = 2.0,
        tversky_alpha: float = 0.3,
        tversky_beta: float = 0.7,
        weights: Tensor | None = None,
        boundary_weight: float = 0.0,
        boundary_distance: int = 5,
        ignore_border: int = 0,
    ) -> None:
        terms: list[tuple[float, Term]] = [
            (cross_entropy, partial(_focal, gamma=0.0)),
            (focal, partial(_focal, gamma=focal_gamma)),
            (bce, _bce),
            (dice, _dice),
            (tversky, _overlap(smp.TverskyLoss("multiclass", alpha=tversky_alpha, beta=tversky_beta, smooth=1.0))),
            (lovasz, _lovasz),
            (generalised_dice, _generalised_dice),
        ]
        self._terms = [(weight, term) for weight, term in terms if weight]
        self._weights = None if weights is None or bool((weights == 1).all()) else weights
        self._boundary = boundary_weight, boundary_distance
        self._border = ignore_border

    @classmethod
    def of(
        cls, config: DeepConfig, classes: Sequence[ClassInfo], counts: Sequence[int], device: torch.device
    ) -> PartialLoss:
        """The loss that a config asks for, for classes of which ``counts`` voxels are labelled."""
        return cls(
            **{name: getattr(config, name) for name in LOSSES},
            focal_gamma=config.focal_gamma,
            tversky_alpha=config.tversky_alpha,
            tversky_beta=config.tversky_beta,
            weights=torch.tensor(class_weights(config.class_weights, [c.name for c in classes], counts)).to(device),
            boundary_weight=config.boundary_weight,
            boundary_distance=config.boundary_distance,
            ignore_border=config.ignore_border,
        )

    def __call__(self, logits: Tensor, labels: Tensor, made: None = None) -> Tensor:
        """``logits`` (n, classes, ...), ``labels`` (n, ...) 0 = unlabelled, classes from 1."""
        return self.loss_and_scored(logits, labels)[0]

    @staticmethod
    def targets(labels: Tensor) -> None:
        """Classes are what is learnt, as they are."""

    def loss_and_scored(self, logits: Tensor, labels: Tensor, made: None = None) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, and logits and labels to be scored: on a CPU (1, classes, k) and (1, k) of what is labelled."""
        logits = logits.float()
        if self._border:
            labels = _without_border(labels, self._border)
        extra, distance = self._boundary
        near = near_boundary(labels, distance) if extra else None
        if labels.device.type == "cpu":  # strokes are a small part of a window; elsewhere counting them makes one wait
            rows = labels.flatten().nonzero().squeeze(1)
            labels = labels.flatten()[None, rows]
            if not len(rows):
                return logits.sum() * 0.0, logits.flatten(2)[:1, :, :0], labels
            logits = torch.stack(_voxels_at(logits, rows).unbind(1))[None]  # ten times as fast as to transpose it
            near = near.flatten()[None, rows] if near is not None else None
            target = labels.long() - 1
        else:
            target = torch.where(labels > 0, labels.long() - 1, IGNORE)
        weight = None
        if self._weights is not None or near is not None:
            weight = self._voxel_weights(logits, labels)
            weight = weight * (1 + extra * near) if near is not None else weight
        voxels = Voxels(logits, target, weight)
        return torch.stack([share * term(voxels) for share, term in self._terms]).sum(), logits, labels

    @staticmethod
    def scored(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and labels of the classes that are scored and drawn: these."""
        return logits, labels

    @staticmethod
    def matcher() -> None:
        """Classes have no separate objects."""

    def _voxel_weights(self, logits: Tensor, labels: Tensor) -> Tensor:
        voxel = (labels > 0).to(logits.dtype)
        if self._weights is not None:
            voxel = voxel * self._weights[(labels.long() - 1).clamp_min(0)]
        return voxel


def _voxels_at(logits: Tensor, rows: Tensor) -> Tensor:
    """Of logits (n, classes, ...), those of the voxels ``rows`` in the order of memory of labels: (k, classes)."""
    return logits.movedim(1, -1).flatten(0, -2).index_select(0, rows)


def _focal(voxels: Voxels, *, gamma: float) -> Tensor:
    """Cross-entropy in which voxels that are right already count less; with gamma 0 cross-entropy itself."""
    target = voxels.target
    if voxels.weight is None and not gamma:
        total = F.nll_loss(voxels.logs, target, ignore_index=IGNORE, reduction="sum")
        return total / (target.numel() if voxels.all_known else voxels.known.sum().clamp_min(1))
    each = F.nll_loss(voxels.logs, target, ignore_index=IGNORE, reduction="none")
    if gamma:
        each = (1 - torch.exp(-each)).clamp_min(1e-8) ** gamma * each
    return voxels.mean(each)


def _bce(voxels: Voxels) -> Tensor:
    return voxels.mean(F.binary_cross_entropy_with_logits(voxels.logits, voxels.truth, reduction="none").mean(1))


def _dice(voxels: Voxels) -> Tensor:
    """As ``smp.DiceLoss`` with ``smooth=1``, the mean over classes that occur; half its time, which every step pays."""
    predicted, truth = voxels.shares, voxels.truth
    if not voxels.all_known:
        predicted = predicted * voxels.known.unsqueeze(1)
    axes = [axis for axis in range(predicted.ndim) if axis != 1]
    labelled = truth.sum(axes)
    loss = 1 - (2 * (predicted * truth).sum(axes) + 2) / (predicted.sum(axes) + labelled + 2)
    occurs = labelled > 0
    return (loss * occurs).sum() / occurs.sum().clamp_min(1)


def _overlap(loss: Any) -> Term:
    """A loss of smp, which adds 0 for a class that does not occur, as the mean over those that do."""

    def term(voxels: Voxels) -> Tensor:
        # masking what is labelled anyhow takes a quarter of the loss's time
        loss.ignore_index = None if voxels.all_known else IGNORE
        classes = voxels.logits.shape[1]
        occurs = torch.zeros(classes + 1, device=voxels.logits.device)
        occurs.index_fill_(0, (voxels.target + 1).clamp_min(0).flatten(), 1.0)  # the first for what is unlabelled
        value: Tensor = loss(voxels.logits, voxels.target) * (classes / occurs[1:].sum().clamp_min(1))
        return value

    return term


def _lovasz(voxels: Voxels) -> Tensor:
    # with three axes it would take the first for pictures of one class
    logits, target = voxels.logits.unsqueeze(-1), voxels.target.unsqueeze(-1)
    value: Tensor = smp.LovaszLoss("multiclass", ignore_index=IGNORE)(logits, target)
    return value.sum()  # without any label it is empty


def _generalised_dice(voxels: Voxels) -> Tensor:
    from monai.losses.dice import GeneralizedDiceLoss  # slow to import, hence here

    if not voxels.known.any():
        return voxels.logits.sum() * 0.0
    value: Tensor = GeneralizedDiceLoss(batch=True)(voxels.shares * voxels.known.unsqueeze(1), voxels.truth)
    return value


def near_boundary(labels: Tensor, distance: int) -> Tensor:
    """1 where two labelled classes touch, falling linearly to 0 ``distance`` voxels away (along the axes); float."""
    edge = torch.zeros_like(labels, dtype=torch.bool)
    for axis in range(1, labels.ndim):
        first, second = labels.narrow(axis, 0, labels.shape[axis] - 1), labels.narrow(axis, 1, labels.shape[axis] - 1)
        touching = (first != second) & (first > 0) & (second > 0)
        edge.narrow(axis, 0, labels.shape[axis] - 1).logical_or_(touching)
        edge.narrow(axis, 1, labels.shape[axis] - 1).logical_or_(touching)
    pool = F.max_pool2d if labels.ndim == 3 else F.max_pool3d
    reached = edge.unsqueeze(1).float()
    near = reached.clone()
    for _ in range(distance - 1):
        reached = pool(reached, 3, 1, 1)
        near += reached
    return near.squeeze(1) / distance


def _without_border(labels: Tensor, border: int) -> Tensor:
    """Labels near the faces taken away; an axis of one plane has none."""
    inner = [slice(border, size - border) if size > 1 else slice(None) for size in labels.shape[1:]]
    out = torch.zeros_like(labels)
    out[:, *inner] = labels[:, *inner]
    return out


def class_weights(setting: str, names: Sequence[str], counts: Sequence[int]) -> list[float]:
    """One weight a class, from what ``class_weights`` of a config says.

    Raises ConfigError where numbers or names do not fit the classes.
    """
    weights = parse_class_weights(setting)
    if weights == "none":
        return [1.0] * len(names)
    if weights == "auto":
        return balanced_weights(list(counts))
    if isinstance(weights, dict):
        for name in weights:
            if name not in names:
                raise ConfigError(f"class_weights: {unknown('class', name, names)}")
        return [weights.get(name, 1.0) for name in names]
    if len(weights) != len(names):
        raise ConfigError(
            f"class_weights={setting!r} has {len(weights)} numbers for {len(names)} labelled classes "
            f"({', '.join(names)}); write {len(names)}, or by name like '{names[-1]}=5'"
        )
    return [float(number) for number in weights]


def balanced_weights(counts: list[int], largest: float = 10.0) -> list[float]:
    """Weights, mean 1, under which every class counts the same; none more than ``largest`` times another."""
    share = [max(count, 1) / max(sum(counts), 1) for count in counts]
    inverse = [1 / part for part in share]
    bounded = [min(value, largest * min(inverse)) for value in inverse]
    return [value * len(bounded) / sum(bounded) for value in bounded]
