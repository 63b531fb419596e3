"""The one loop of all trainings: orders, steps, epochs, checkpoints, what is done when something goes wrong.

What is learned from what is up to its kinds: windows of voxels (:mod:`training`), places and pictures
(:mod:`voxloop.deep.pose.loop`). Speaks by the run's context alone.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from voxloop.config.deep import DeepConfig
from voxloop.config.places import LoopSettings
from voxloop.deep.training import checkpoint
from voxloop.deep.training.budget import PLAN_AFTER, TimeBudget
from voxloop.deep.training.live import live_values
from voxloop.deep.training.reporter import EpochScores, Reporter
from voxloop.deep.training.saved import SavedTraining
from voxloop.deep.training.schedule import lowers_rate, rate
from voxloop.deep.training.shortage import halve_after_kill
from voxloop.deep.training.state import TrainingState
from voxloop.deep.training.steps import WeightSteps
from voxloop.deep.training.team import Team
from voxloop.errors import RunError
from voxloop.runs.context import TaskContext
from voxloop.runs.orders import LAST_WORD, Order
from voxloop.store.layout import RunPlace

#: times a run goes back to its last good state before it gives up
_FAILURES = 3
#: a training that has come to its end goes on, as time allows, for at least this part of an epoch
_WORTH = 4


class TrainingLoop(ABC):
    """A training under way, from its start or its last checkpoint; call :meth:`run`, then :meth:`close`.

    A kind sets ``_steps``, ``_budget`` and ``_reporter`` before it is run: the first two itself, all the rest by
    :meth:`_take_up`.

    Parameters
    ----------
    context
        Of the run: its folder, settings, orders, and where events go.
    config
        The settings of the run.
    settings
        What optimiser, schedule and budget read of them.
    """

    _steps: WeightSteps
    _budget: TimeBudget
    _reporter: Reporter
    #: what helps where a single window does not fit, and where the loss is no number
    _smaller: str
    _calmer: str

    def __init__(
        self,
        context: TaskContext,
        config: DeepConfig | LoopSettings,
        settings: DeepConfig,
        saved: SavedTraining,
        team: Team,
    ) -> None:
        self._context, self._team = context, team
        self._config, self._settings = config, settings
        self._folder = RunPlace(context.path).checkpoints
        self._threads, self._resumed = saved.threads, saved.resumed
        self._halved = False
        self.state = TrainingState.from_json(saved.state["state"]) if saved.resumed else TrainingState.begin(settings)

    def _take_up(self, saved: SavedTraining, names: Sequence[str]) -> None:
        """Go on where the last process was, or begin; ``names`` are those of classes, for events."""
        if saved.resumed:
            self._steps.restore(saved.tensors, saved.state)
            self._put_back(saved.state)
            self._halved = self._team.size == 1 and halve_after_kill(self._context, self.state)
        self._reporter = Reporter(self._context, self.state, list(names))

    def _save_first(self) -> None:
        """Write the checkpoint that a run goes back to before there is another."""
        if not self._resumed or self._halved:
            self._save()

    # ---------------------------------------------------------------------------------------------------- of each kind

    @abstractmethod
    def _find_gradient(self, learning_rate: float) -> Tensor | None:
        """Add up the gradients of a step; its loss, None where memory did not suffice."""

    @abstractmethod
    def _restart(self) -> None:
        """Throw away what was cut ahead."""

    @abstractmethod
    def _train_scores(self) -> EpochScores:
        """Of the steps of the epoch that ends now; the next one counts from nothing."""

    @property
    @abstractmethod
    def _judges(self) -> bool:
        """Whether anything is held out."""

    @abstractmethod
    def _validate(self) -> Any:
        """Scores (:class:`EpochScores`) on what is held out."""

    @abstractmethod
    def _is_best(self, scores: Any) -> bool:
        """Whether the weights of this epoch are to be kept."""

    @abstractmethod
    def _after_epoch(self) -> None:
        """Make ready for the next epoch."""

    @abstractmethod
    def _packed(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and facts of a checkpoint beside those of the weights."""

    @abstractmethod
    def _put_back(self, saved: dict[str, Any]) -> None:
        """Take facts of a checkpoint again, after the weights."""

    @abstractmethod
    def _write_model(self) -> None:
        """Write the model folder."""

    @abstractmethod
    def _last_word(self) -> None:
        """Say what the kept model is worth."""

    def _waits(self) -> bool:
        """Wait for what a step needs; True where an order comes first."""
        return False

    def _doubt(self, elapsed: float, step_s: float) -> str:
        """What is to be said of the first plan; empty where nothing is."""
        return ""

    def _plans_freely(self) -> bool:
        """Whether something took time until now that takes none from now on."""
        return False

    def _goes_on_anyhow(self) -> bool:
        """Whether there is more to learn where nothing improves."""
        return False

    # ---------------------------------------------------------------------------------------------------- the loop

    def run(self) -> str:
        """Train to the end, or until ordered otherwise; the run's last word."""
        while self.state.step < self.state.total:
            if word := self._ordered():
                return word
            if self._waits() or not self._step():
                continue
            state = self.state
            epoch_ended = state.step % state.per_epoch == 0 or state.step == state.total
            if epoch_ended:
                self._end_epoch()
                if state.exhausted and not self._goes_on_anyhow():
                    self._reporter.log(f"no improvement in {state.plateau} epochs: the best model is kept")
                    break
            if self._reporter.checkpoint_due(self._config.checkpoint_minutes, epoch_ended=epoch_ended):
                self._save()
        self._save()
        self._end()
        return "finished"

    def close(self) -> None:
        """End the threads, and tell the last steps."""
        self._reporter.flush()

    def _ordered(self) -> str | None:
        """Obey the orders that have come; the word with which the run ends, if it does."""
        for order in self._team.orders(self._context):
            if order.kind == "update":
                self._update(order)
                continue
            if order.kind == "pause":
                self._save_sound()
            if order.kind == "stop":
                self._end()
            return LAST_WORD[order.kind]
        return None

    def _update(self, order: Order) -> None:
        """Take the live settings of an order; what cannot change is said, not ignored."""
        emit = self._context.emit
        for name, value in live_values(order, type(self._config), self._settings, emit):
            emit("updated", what=name, old=self.state.live[name], new=value, order=order.name)
            self.state.update(name, value)
            self._save_sound()  # a crash must not take it back

    # ---------------------------------------------------------------------------------------------------- a step

    def _step(self) -> bool:
        """One optimiser step; False where it is to be made again, smaller, or from an earlier state."""
        state = self.state
        learning_rate = rate(self._settings, state)
        loss = self._find_gradient(learning_rate)
        if loss is None:
            self._halve()
            return False
        if not self._steps.apply_gradient(state.step):
            self._halve()
            self._rewind()
            return False
        state.step += 1
        ends_epoch = state.step % state.per_epoch == 0 or state.step == state.total
        now = ends_epoch or state.step == 1  # what comes after the first may take seconds
        if not self._team.agree(self._reporter.step(loss, learning_rate, state.batch * state.accumulation, now=now)):
            self._go_back()
            return False
        if self._budget.limited:
            self._keep_to_time()
        return True

    def _halve(self) -> None:
        """After running out of memory: smaller batches, more of them. Raises RunError where they cannot be smaller."""
        state = self.state
        if state.batch == 1:
            raise RunError(f"there is not enough memory for a single window; {self._smaller}")
        state.halve()
        self._context.emit(
            "warning",
            text=f"out of memory: goes on with batch_size {state.batch} and accumulation "
            f"{state.accumulation}, the same number of windows a step",
        )
        self._restart()

    def _go_back(self) -> None:
        """After a loss that is no number: the last good state, at half the learning rate."""
        failures = self.state.failures + 1
        if failures > _FAILURES:
            raise RunError(f"the loss was no number {failures} times; {self._calmer}")
        failed_at = self.state.step
        self._rewind(failures=failures, rate_scale=self.state.rate_scale / 2)
        text = f"the loss was no number at step {failed_at}: back to step {self.state.step}, at half the learning rate"
        self._context.emit("warning", text=text)

    def _rewind(self, **changes: Any) -> None:
        """Go back to the last checkpoint. Live settings, batch size and the time taken stay what they are now."""
        last = checkpoint.newest(self._folder)
        assert last is not None  # written before the first step
        tensors, saved = checkpoint.load(last)
        now = self.state
        changes |= {"batch": now.batch, "accumulation": now.accumulation, "elapsed": now.elapsed}
        self.state = self._reporter.state = replace(TrainingState.from_json(saved["state"]), **changes)
        for name, value in now.live.items():
            if self.state.live[name] != value:
                self.state.update(name, value)
        self._steps.restore(tensors, saved)
        self._put_back(saved)
        self._restart()
        self._context.emit("resumed", step=self.state.step)

    # ---------------------------------------------------------------------------------------------------- an epoch

    def _end_epoch(self) -> None:
        state = self.state
        began = time.monotonic()
        state.epoch += 1
        scores = None
        while self._judges and scores is None:
            scores = self._steps.within_memory(self._validate)
            if scores is None:
                self._halve()  # gives back what training held
        best = scores is None or self._is_best(scores)
        self._reporter.epoch(self._train_scores(), scores, best)
        if best:
            self._keep()
        if lowers_rate(self._settings, state):
            state.rate_scale *= self._settings.drop_factor
        if state.epoch == state.held_epochs:
            state.plateau = 0  # what comes is another phase
        self._after_epoch()
        if self._budget.limited:
            self._fit_time(time.monotonic() - began)
        self._reporter.resume_clock()

    def _keep_to_time(self) -> None:
        """After a step: make a plan once steps have been timed, and from then on leave out what no longer fits."""
        state, reporter = self.state, self._reporter
        if state.planned:
            if self._team.size == 1:
                self._budget.shorten(state, reporter.clocked().elapsed, reporter.step_seconds())
            return
        if state.step < PLAN_AFTER:
            return
        elapsed, step_s = reporter.clocked().elapsed, reporter.step_seconds()
        self._budget.plan(state, elapsed, step_s)
        self._agree_on_time()
        reporter.log(f"{state.total} steps of {step_s:.2f} s fit into {self._config.max_minutes:g} minutes")
        if words := self._doubt(elapsed, step_s):
            self._context.emit("warning", text=words)

    def _fit_time(self, validation_s: float) -> None:
        """Plan again: the machine may have slowed down since the plan was made."""
        state = self.state
        self._budget.note_validation(validation_s)
        early = 2 * state.step < state.total  # later the learning rate would jump
        elapsed, step_s = self._reporter.clocked().elapsed, self._reporter.step_seconds()
        ended = state.step >= state.total
        self._budget.plan_again(state, elapsed, step_s, freely=early or self._plans_freely())
        if ended and state.total - state.step < state.per_epoch / _WORTH:
            state.total = state.step  # a step or two more are not worth another validation
        self._agree_on_time()

    def _agree_on_time(self) -> None:
        self.state.total, self.state.per_epoch = self._team.agree((self.state.total, self.state.per_epoch))

    # ---------------------------------------------------------------------------------------------------- what is kept

    def _save_sound(self) -> None:
        """Write a checkpoint, of an earlier state where a loss since the last look was no number."""
        if not self._team.agree(self._reporter.flush()):
            self._go_back()
        self._save()

    def _save(self, name: str = "last", write_more: Callable[[Path], object] | None = None) -> None:
        """Write a checkpoint; ``write_more`` adds files to it."""
        if not self._team.leads:
            return
        began = time.monotonic()
        tensors, weights_state = self._steps.pack()
        more, facts = self._packed()
        state = {
            **facts,
            "state": self._reporter.clocked().to_json(),
            **weights_state,
            "threads": self._threads,
            "versions": {"torch": torch.__version__},
        }
        checkpoint.save(self._folder / name, {**tensors, **more}, state, write_more)
        self._reporter.checkpoint(name, time.monotonic() - began)

    def _keep(self) -> None:
        self.state.kept = True
        if self._team.leads:
            self._write_model()

    def _end(self) -> None:
        """The last word on the network; where there is one at all."""
        if not self.state.kept:
            self._keep()
        if self._team.leads:
            self._last_word()
