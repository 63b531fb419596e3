"""How many steps fit into the minutes of a run, all that comes before and after them counted. Takes no step."""

from __future__ import annotations

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.enough import ENOUGH_STEPS, FORWARD, few_steps
from voxloop.deep.training.state import TrainingState

#: optimiser steps after which their time is known well enough to plan with
PLAN_AFTER = 3
#: seconds that ending takes in any case: files that are synced, a process that ends
_ENDING = 1.0
#: of the steps planned, in the second half of the run, so many more are taken where there is time after all: the
#: learning rate has fallen, and a longer plan would raise it again
_LONGER = 1.15


class TimeBudget:
    """The minutes of a run.

    Parameters
    ----------
    windows
        What each validation, and the judgement at the end, look at.
    """

    def __init__(self, config: DeepConfig, windows: int) -> None:
        self._config, self._windows = config, windows
        self._validation_s: float | None = None
        self.judging_s = 0.0  # what the judgement at the end takes beside the network, where that is known

    @property
    def limited(self) -> bool:
        return self._config.max_minutes is not None

    def note_validation(self, seconds: float) -> None:
        """How long a validation took, with what belongs to an epoch's end."""
        self._validation_s = seconds

    def plan(self, state: TrainingState, elapsed: float, step_s: float) -> None:
        """Make the first plan; the run may be as long as configured."""
        state.fit_into(self._left(elapsed, step_s), step_s, self._validation(step_s))

    def plan_again(self, state: TrainingState, elapsed: float, step_s: float, *, freely: bool) -> None:
        """Plan the rest at the end of an epoch; ``freely``: as long as time allows, else not much longer."""
        longest = state.most if freely else min(state.most, round(_LONGER * state.total))
        before, state.most = state.most, longest
        state.fit_into(self._left(elapsed, step_s), step_s, self._validation(step_s), longer=True)
        state.most = before

    def shorten(self, state: TrainingState, elapsed: float, step_s: float) -> None:
        """Plan fewer steps where the machine has slowed down; never more."""
        each = step_s + self._validation(step_s) / state.per_epoch
        room = state.step + int(max(0.0, self._left(elapsed, step_s)) / each)
        state.total = max(state.step, min(state.total, room))

    def warning(self, state: TrainingState, elapsed: float, step_s: float) -> str:
        """What is to be said of a plan of too few steps; empty where they suffice."""
        if state.total >= min(ENOUGH_STEPS, state.most) or self._config.start_from:
            return ""
        return few_steps(state.total, self._config.max_minutes or 0, step_s, elapsed + self._ending(step_s))

    def _left(self, elapsed: float, step_s: float) -> float:
        return 60 * (self._config.max_minutes or 0) - elapsed - self._ending(step_s)

    def _validation(self, step_s: float) -> float:
        if self._validation_s is not None:
            return self._validation_s
        return FORWARD * step_s * self._windows / (self._config.batch_size * self._config.accumulation)

    def _ending(self, step_s: float) -> float:
        return _ENDING + self._validation(step_s) + self.judging_s
