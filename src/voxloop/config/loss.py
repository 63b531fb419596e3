"""Settings of the loss. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator

from voxloop.config.base import Config, setting
from voxloop.config.parsing import parse_class_weights

#: settings that are weights of losses; the loss is their sum
LOSSES = ("cross_entropy", "dice", "focal", "tversky", "generalised_dice", "lovasz", "bce")

_CLASSES = {"target": ("auto", "semantic")}
_OBJECTS = {"target": ("auto", "instances", "flow")}


class LossSettings(Config):
    """What counts as a mistake, and how much."""

    cross_entropy: float = setting(1.0, "weight of the cross-entropy", group="Loss", ge=0, le=100)
    dice: float = setting(0.5, "weight of the Dice loss", group="Loss", ge=0, le=100)
    focal: float = setting(
        0.0,
        "weight of the focal loss: cross-entropy that dwells on voxels that are still wrong",
        group="Loss",
        ge=0,
        le=100,
        when=_CLASSES,
    )
    focal_gamma: float = setting(
        2.0,
        "how little the focal loss minds what is right already",
        group="Loss",
        ge=0,
        le=10,
        advanced=True,
        when=_CLASSES,
    )
    tversky: float = setting(
        0.0,
        "weight of the Tversky loss: Dice that tells false alarms from misses",
        group="Loss",
        ge=0,
        le=100,
        advanced=True,
        when=_CLASSES,
    )
    tversky_alpha: float = setting(
        0.3,
        "what a false alarm costs in the Tversky loss",
        group="Loss",
        ge=0,
        le=1,
        advanced=True,
        when=_CLASSES,
    )
    tversky_beta: float = setting(
        0.7,
        "what a miss costs in the Tversky loss",
        group="Loss",
        ge=0,
        le=1,
        advanced=True,
        when=_CLASSES,
    )
    generalised_dice: float = setting(
        0.0,
        "weight of the generalised Dice loss, in which rare classes count most",
        group="Loss",
        ge=0,
        le=100,
        advanced=True,
        when=_CLASSES,
    )
    lovasz: float = setting(
        0.0,
        "weight of the Lovász loss, which follows the IoU itself; for the end of a training, from earlier weights",
        group="Loss",
        label="Lovász",
        ge=0,
        le=100,
        advanced=True,
        when=_CLASSES,
    )
    bce: float = setting(
        0.0,
        "weight of the binary cross-entropy of each class against the rest",
        group="Loss",
        label="BCE",
        ge=0,
        le=100,
        advanced=True,
        when=_CLASSES,
    )
    class_weights: str = setting(
        "auto",
        "none; auto: a rare class counts as much as a frequent one; or numbers in the order of the classes "
        "like 1, 2, 5, or by name like mito=5; for cross-entropy, focal loss and BCE",
        group="Loss",
        choices=("none", "auto"),
        when=_CLASSES,
    )
    boundary_weight: float = setting(
        0.0,
        "how many times more voxels count where two classes touch, which keeps neighbours apart; for "
        "cross-entropy, focal loss and BCE",
        group="Loss",
        unit="times",
        ge=0,
        le=50,
        when=_CLASSES,
    )
    boundary_distance: int = setting(
        5,
        "how far from there that reaches, falling to nothing",
        group="Loss",
        unit="voxels",
        ge=1,
        le=50,
        advanced=True,
        when=_CLASSES,
    )
    object_weight: float = setting(
        1.0,
        "how much the depth within objects, or the arrows to their middle, count beside cross-entropy and Dice of "
        "object and boundary",
        group="Loss",
        unit="times",
        ge=0,
        le=100,
        advanced=True,
        when=_OBJECTS,
    )
    ignore_border: int = setting(
        0,
        "labels this close to the edge of a window do not count: the network sees half of their surroundings",
        group="Loss",
        unit="voxels",
        ge=0,
        le=100,
        advanced=True,
    )

    @field_validator("class_weights", mode="before")
    @classmethod
    def _parse_class_weights(cls, value: Any) -> Any:
        found = parse_class_weights(value)
        if isinstance(found, dict):
            return ", ".join(f"{name}={weight:g}" for name, weight in found.items())
        return found if isinstance(found, str) else ", ".join(f"{weight:g}" for weight in found)
