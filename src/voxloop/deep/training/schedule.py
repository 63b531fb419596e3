"""Learning rate by step. Pure."""

from __future__ import annotations

import math

from voxloop.config.deep import DeepConfig
from voxloop.deep.training.state import TrainingState

#: share of the highest rate at the end of a falling schedule
FLOOR = 0.01


def rate(config: DeepConfig, state: TrainingState) -> float:
    """The learning rate of the step that comes next.

    The setting as it is now, what plateaus and failed steps have left of it, and the schedule; never below
    ``lowest_rate``, warm-up aside.
    """
    step, total = state.step, state.total
    high = float(state.live["learning_rate"]) * state.rate_scale
    if config.freeze_encoder_epochs and state.epoch >= state.held_epochs:
        high *= config.unfrozen_rate
    if config.schedule == "one-cycle" and config.freeze_encoder_epochs:  # one cycle a phase
        step, total = _phase(state)
    rise = min(config.warmup_steps, total // 10)
    fall = high * factor(config.schedule, step, total, rise, config.step_epochs * state.per_epoch, config.drop_factor)
    return max(fall, min(high, config.lowest_rate)) * min(1.0, (step + 1) / rise if rise else 1.0)


def _phase(state: TrainingState) -> tuple[int, int]:
    """Steps done, and in all, of the phase with a held encoder or of the one after it."""
    held = min(state.held_epochs * state.per_epoch, state.total)
    if state.epoch < state.held_epochs:
        return min(state.step, held), held
    return max(0, state.step - held), max(1, state.total - held)


def factor(kind: str, step: int, total: int, warmup: int, every: int = 1, drop: float = 0.5) -> float:
    """What the highest learning rate is multiplied with at ``step`` of ``total``, the warm-up left out.

    ``plateau`` and ``constant`` are 1: the plateau rule acts through ``rate_scale``. ``step`` multiplies with ``drop``
    after every ``every`` steps.
    """
    share = min(1.0, max(0, step - warmup) / max(1, total - warmup))
    match kind:
        case "one-cycle":
            return _one_cycle(min(1.0, step / max(total, 1)))
        case "cosine":
            return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * share))
        case "polynomial":
            return max(FLOOR, float((1 - share) ** 0.9))
        case "step":
            return float(drop ** (step // max(1, every)))
        case _:
            return 1.0


def lowers_rate(config: DeepConfig, state: TrainingState) -> bool:
    """Whether an epoch without improvement lowers the learning rate (schedule ``plateau``)."""
    waited = state.plateau - config.plateau_patience
    return (
        config.schedule == "plateau"
        and waited >= 0
        and waited % (config.plateau_patience + config.plateau_cooldown) == 0
    )


def _one_cycle(share: float) -> float:
    """Up in the first 30 %, down to 1/100 after (Smith 2018)."""
    low, high = (0.04, share / 0.3) if share < 0.3 else (FLOOR, 1 - (share - 0.3) / 0.7)
    return low + (1 - low) * 0.5 * (1 - math.cos(math.pi * high))
