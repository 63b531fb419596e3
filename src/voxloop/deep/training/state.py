"""Where a training stands: what a checkpoint holds beside tensors, so that going on equals never stopping. Pure."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from voxloop.config.deep import DeepConfig

#: settings that may change while a run is running
LIVE = ("learning_rate", "patience", "epochs")
#: fewest validations that a time limit leaves room for
_VALIDATIONS = 8
#: a loss that no epoch has
_NEVER = 1e300
#: difference of the score that held-out labels cannot tell from chance: of very many cells, and of a single one
_NOISE, _NOISE_OF_ONE = 0.01, 0.25
#: share of the loss of a single held-out picture that cannot be told from chance
_NOISE_OF_LOSS = 0.2


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """Counters and decisions of a run.

    ``held_epochs`` are those in which the encoder stays as it is.

    ``total`` (now planned), ``most`` (as configured) and ``per_epoch`` are optimiser steps; ``rate_scale`` is what
    plateaus and failed steps have left of the learning rate; ``elapsed`` are seconds of training in all processes
    of the run.
    """

    total: int
    most: int
    per_epoch: int
    batch: int
    accumulation: int
    step: int = 0
    epoch: int = 0
    planned: bool = False
    plateau: int = 0
    rate_scale: float = 1.0
    failures: int = 0
    elapsed: float = 0.0
    kept: bool = False
    best_score: float = 0.0
    best_loss: float = _NEVER
    held_epochs: int = 0
    live: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, config: DeepConfig) -> TrainingState:
        most = config.iterations or config.epochs * config.steps_per_epoch
        return cls(
            total=most,
            most=most,
            per_epoch=config.steps_per_epoch,
            batch=config.batch_size,
            accumulation=config.accumulation,
            planned=config.max_minutes is None,
            held_epochs=config.freeze_encoder_epochs,
            live={name: getattr(config, name) for name in LIVE},
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrainingState:
        return cls(**{item.name: data[item.name] for item in fields(cls) if item.name in data})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def fit_into(self, seconds: float, step_s: float, validation_s: float, longer: bool = False) -> None:
        """Plan as many steps as ``seconds`` from now allow; a later plan lengthens the run only if told to."""
        self.planned = True
        room = self.step + int(max(0.0, seconds) / (step_s + validation_s / self.per_epoch))
        self.total = max(self.step, min(self.most if longer else self.total, room))
        self.per_epoch = max(1, min(self.per_epoch, math.ceil(self.total / _VALIDATIONS)))

    def halve(self) -> None:
        """Half as many windows at once, and as many times more of them, so that a step sees as many as before."""
        effective = self.batch * self.accumulation
        self.batch = self.batch // 2
        self.accumulation = math.ceil(effective / self.batch)

    def update(self, name: str, value: Any) -> None:
        """Take a live setting; more or fewer epochs move the end of the run."""
        self.live[name] = value
        if name == "epochs":
            self.total = self.most = max(self.step, value * self.per_epoch)

    def note_validation(
        self, score: float | None, loss: float, cells: int, least: float = 0.0, *, strict: bool = False
    ) -> bool:
        """Count an epoch's validation on so many held-out cells; True where its weights are to be kept.

        A few strokes cannot tell weights apart whose score differs by less than chance, which falls with the root of
        the number of cells; of those the newest are kept, which have seen and averaged most, unless ``strict``: then
        only a higher score than ever is better. Only a higher score or a lower loss than ever, by more than ``least``,
        ends a plateau. Without a score the loss alone decides, over so many held-out pictures: of those as low as any
        up to chance the newest are kept, which have learnt at the lowest rate.
        """
        first, before = self.best_loss == _NEVER, self.best_score
        progress = loss < self.best_loss - least or (score is not None and score > self.best_score + least)
        self.best_loss = min(self.best_loss, loss)
        self.plateau = 0 if progress else self.plateau + 1
        if score is None:
            chance = 0.0 if strict else _NOISE_OF_LOSS / math.sqrt(max(1, cells))
            return loss <= self.best_loss * (1 + chance)
        self.best_score = max(self.best_score, score)
        if strict:
            return first or score > before
        return score >= self.best_score - max(_NOISE, _NOISE_OF_ONE / math.sqrt(max(1, cells)))

    def let_go(self) -> bool:
        """End the phase with a held encoder before its time; False where it has ended, or there is none."""
        left = self.held_epochs - self.epoch
        if left <= 0:
            return False
        self.held_epochs, self.plateau = self.epoch, 0
        self.total = max(self.step, self.total - left * self.per_epoch)
        return True

    @property
    def exhausted(self) -> bool:
        """As many epochs without improvement as patience allows."""
        patience = self.live["patience"]
        return bool(patience) and self.plateau >= patience
