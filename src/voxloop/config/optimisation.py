"""Settings of the optimisation: batches, epochs, learning rate. Pure."""

from __future__ import annotations

from typing import Any, Literal

from voxloop.config.base import Config, setting

#: the first three are what most use; LBFGS, SparseAdam and Muon of torch do not fit every network and are left out
Optimiser = Literal[
    "AdamW",
    "Adam",
    "SGD",
    "NAdam",
    "RAdam",
    "Adamax",
    "Adafactor",
    "Adadelta",
    "Adagrad",
    "RMSprop",
    "Rprop",
    "ASGD",
]


def _share_of_rate(default: float | None, words: str) -> Any:
    """A field that is a share of the learning rate."""
    return setting(default, words, group="Optimisation", unit="times", gt=0, le=1, log=True, advanced=True)


def encoder_rate_setting(empty: str) -> Any:
    """The field ``encoder_rate``; ``empty`` says what holds where nothing is given."""
    return _share_of_rate(None, f"learning rate of the encoder, as a share of that of the rest; empty: {empty}")


class OptimisationSettings(Config):
    """How the weights change."""

    batch_size: int = setting(8, "windows per step", group="Optimisation", ge=1, le=2048)
    accumulation: int = setting(
        1,
        "batches whose gradients are added up to one optimiser step",
        group="Optimisation",
        ge=1,
        le=1024,
        advanced=True,
    )
    epochs: int = setting(100, "rounds; each ends with a validation", group="Optimisation", ge=1, le=100_000, live=True)
    steps_per_epoch: int = setting(25, "optimiser steps in an epoch", group="Optimisation", ge=1, le=100_000)
    iterations: int | None = setting(
        None,
        "optimiser steps in all, instead of a number of epochs; empty: epochs x steps per epoch",
        group="Optimisation",
        unit="steps",
        ge=1,
        le=100_000_000,
        advanced=True,
    )
    max_minutes: float | None = setting(
        None,
        "fit the number of epochs into this time; empty: all of them",
        group="Optimisation",
        unit="minutes",
        gt=0,
        le=100_000,
    )
    learning_rate: float = setting(
        1e-3,
        "highest size of a step; a tenth of it suits a network that has learnt before",
        group="Optimisation",
        gt=0,
        le=1,
        log=True,
        live=True,
    )
    schedule: Literal["cosine", "constant", "plateau", "step", "one-cycle", "polynomial"] = setting(
        "cosine", "how the learning rate falls over the run", group="Optimisation"
    )
    warmup_steps: int = setting(
        20,
        "steps over which the learning rate rises at the start, with any schedule; at most a tenth of the run",
        group="Optimisation",
        ge=0,
        le=100_000,
        advanced=True,
    )
    drop_factor: float = setting(
        0.5,
        "schedules plateau and step: what the learning rate is multiplied with at each drop",
        group="Optimisation",
        unit="times",
        gt=0,
        lt=1,
        advanced=True,
    )
    plateau_patience: int = setting(
        5,
        "schedule plateau: epochs without improvement before the learning rate drops",
        group="Optimisation",
        unit="epochs",
        ge=1,
        le=100_000,
        advanced=True,
    )
    plateau_cooldown: int = setting(
        0,
        "schedule plateau: epochs after a drop that do not count as waiting",
        group="Optimisation",
        unit="epochs",
        ge=0,
        le=100_000,
        advanced=True,
    )
    step_epochs: int = setting(
        15,
        "schedule step: epochs between drops of the learning rate",
        group="Optimisation",
        unit="epochs",
        ge=1,
        le=100_000,
        advanced=True,
    )
    lowest_rate: float = setting(
        1e-6, "no schedule goes below this learning rate", group="Optimisation", ge=0, le=1, log=True, advanced=True
    )
    optimiser: Optimiser = setting(
        "AdamW",
        "rule that turns gradients into steps; AdamW, Adam and SGD (with Nesterov momentum) are what most use; Rprop "
        "finds the size of its steps by itself and follows neither learning rate nor schedule",
        group="Optimisation",
        advanced=True,
    )
    momentum: float = setting(
        0.9, "share of the last step that SGD and RMSprop go on with", group="Optimisation", ge=0, lt=1, advanced=True
    )
    freeze_encoder_epochs: int = setting(
        0,
        "epochs at the start in which the encoder, which knows something already, stays as it is",
        group="Optimisation",
        unit="epochs",
        ge=0,
        le=100_000,
    )
    unfrozen_rate: float = _share_of_rate(1.0, "learning rate after that phase, as a share of the one before")
    encoder_rate: float | None = encoder_rate_setting(
        "a tenth where it begins with weights of ImageNet, which a full rate would undo, else the same"
    )
    weight_decay: float = setting(
        0.01, "pull of the weights towards zero", group="Optimisation", ge=0, le=1, log=True, advanced=True
    )
    gradient_clip: float = setting(
        1.0, "largest norm of the gradient; 0: not limited", group="Optimisation", ge=0, le=1000, advanced=True
    )
    average_weights: float = setting(
        0.98,
        "share of the running average of the weights that a step keeps; it is what is saved; 0: none",
        group="Optimisation",
        ge=0,
        lt=1,
        advanced=True,
    )
