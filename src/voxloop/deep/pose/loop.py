"""The steps of a training on marked pictures, from its start or its last checkpoint. Knows not what is learned."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from voxloop.config.deep import DeepConfig
from voxloop.config.optimisation import OptimisationSettings
from voxloop.config.places import LoopSettings
from voxloop.deep.data.prefetch import Prefetcher
from voxloop.deep.networks.device import cores
from voxloop.deep.networks.network import count_parameters
from voxloop.deep.objective.optimisers import clip_gradient
from voxloop.deep.objective.optimisers import optimiser as make_optimiser
from voxloop.deep.pose.scores import PlaceScores
from voxloop.deep.training import checkpoint
from voxloop.deep.training.averaging import WeightAverage
from voxloop.deep.training.budget import PLAN_AFTER, TimeBudget
from voxloop.deep.training.live import live_values
from voxloop.deep.training.reporter import Reporter
from voxloop.deep.training.schedule import lowers_rate, rate
from voxloop.deep.training.shortage import halve_after_kill, within_memory
from voxloop.deep.training.state import TrainingState
from voxloop.errors import RunError
from voxloop.runs.context import TaskContext
from voxloop.runs.orders import LAST_WORD, Order
from voxloop.store.layout import RunPlace

#: times a run goes back to its last good state before it gives up
_FAILURES = 3
#: a training that has come to its end goes on, as time allows, for at least this part of an epoch
_WORTH = 4


class Subject(Protocol):
    """What a loop teaches."""

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        ...

    @property
    def networks(self) -> nn.ModuleDict:
        """Those that learn."""
        ...

    @property
    def held(self) -> int:
        """How many pictures are held out."""
        ...

    @property
    def looked_at(self) -> int:
        """Windows that a look at these takes, for the budget of time."""
        ...

    @property
    def words(self) -> str:
        """What is learned from what, for the log."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Of classes or nodes."""
        ...

    def cut(self, index: int, count: int) -> Any:
        """The windows of a step: a function of seed and ``index`` alone. On the CPU; called from another thread."""
        ...

    def loss(self, cut: Any) -> Tensor:
        """How far the networks are off on these windows."""
        ...

    def judge(self, networks: nn.ModuleDict) -> tuple[PlaceScores, Any]:
        """Loss and measures on what is held out, and what was answered; networks in evaluation mode, no gradients."""
        ...

    def show(self, answered: Any, epoch: int, tell: Callable[[str, int], object]) -> None:
        """Draw some of what is held out, as it was answered; ``tell`` each path."""
        ...

    def keep(self, networks: nn.ModuleDict) -> None:
        """Write the model folder."""
        ...

    def last_word(self) -> None:
        """Tell what the kept model reaches."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What has been settled, for a checkpoint."""
        ...


class SavedTraining:
    """The last checkpoint of a run, as far as there is one; read before what is learned from is put together."""

    def __init__(self, context: TaskContext, config: LoopSettings) -> None:
        last = checkpoint.newest(RunPlace(context.path).checkpoints)
        self.tensors, self.state = checkpoint.load(last) if last else ({}, {})
        self.threads = int(config.threads or self.state.get("threads") or cores())
        torch.set_num_threads(self.threads)
        torch.manual_seed(config.seed)


class PictureLoop:
    """A training under way; call :meth:`run`, then :meth:`close`."""

    def __init__(self, context: TaskContext, config: LoopSettings, subject: Subject, saved: SavedTraining) -> None:
        self._context, self._config, self._subject = context, config, subject
        self._descent = _descent_settings(config)
        self._folder = RunPlace(context.path).checkpoints
        self._threads = saved.threads
        self._networks = subject.networks.train()
        self._optimiser = make_optimiser(self._descent, self._networks)
        self._average = WeightAverage(self._networks, config.average_weights)
        if saved.state:
            self.state = TrainingState.from_json(saved.state["state"])
            groups = saved.state["groups"]
            checkpoint.unpack(saved.tensors, groups, self._networks, self._average.module, self._optimiser)
        else:
            self.state = TrainingState.begin(self._descent)
        self._halved = bool(saved.state) and halve_after_kill(context, self.state)
        self._budget = TimeBudget(self._descent, subject.looked_at)
        self._reporter = Reporter(context, self.state, list(subject.names))
        self._losses: list[Tensor] = []
        self._prefetch = self._ahead()
        self._begin(resumed=bool(saved.state))

    def _begin(self, *, resumed: bool) -> None:
        emit, subject = self._context.emit, self._subject
        if resumed:
            emit("resumed", step=self.state.step)
        self._reporter.log(
            f"{subject.words}; {count_parameters(self._networks) / 1e6:.1f} million weights, on {subject.device} with "
            f"{self._threads} threads"
        )
        if not subject.held and not resumed:
            emit("warning", text="nothing is held out, so nobody knows how good this gets; label a second picture")
        if not resumed or self._halved:
            self._save()
        self._reporter.resume_clock()

    def _ahead(self) -> Prefetcher[Any]:
        batch, spare = self.state.batch, self._subject.device.type != "cpu" or cores() > 1
        return Prefetcher(lambda index: self._subject.cut(index, batch), int(spare))

    # ---------------------------------------------------------------------------------------------------- the loop

    def run(self) -> str:
        """Train to the end, or until ordered otherwise; the run's last word."""
        while self.state.step < self.state.total:
            if word := self._ordered():
                return word
            if not self._step():
                continue
            state = self.state
            epoch_ended = state.step % state.per_epoch == 0 or state.step == state.total
            if epoch_ended:
                self._end_epoch()
                if state.exhausted and self._subject.held:
                    self._reporter.log(f"no improvement in {state.plateau} epochs: the best model is kept")
                    break
            if self._reporter.checkpoint_due(self._config.checkpoint_minutes, epoch_ended=epoch_ended):
                self._save()
        self._save()
        self._end()
        return "finished"

    def close(self) -> None:
        """End the threads, and tell the last steps."""
        self._prefetch.close()
        self._reporter.flush()

    def _ordered(self) -> str | None:
        """Obey the orders that have come; the word with which the run ends, if it does."""
        for order in self._context.orders():
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
        emit = self._context.emit
        for name, value in live_values(order, type(self._config), self._descent, emit):
            emit("updated", what=name, old=self.state.live[name], new=value, order=order.name)
            self.state.update(name, value)
            self._save_sound()  # a crash must not take it back

    # ---------------------------------------------------------------------------------------------------- a step

    def _step(self) -> bool:
        """One optimiser step; False where it is to be made again, smaller, or from an earlier state."""
        state = self.state
        learning_rate = rate(self._descent, state)
        loss = within_memory(lambda: self._find_gradient(learning_rate), self._optimiser, self._subject.device)
        if loss is None:
            self._halve()
            return False
        if within_memory(self._apply_gradient, self._optimiser, self._subject.device) is None:
            self._halve()
            self._rewind()  # what the optimiser keeps may be half made
            return False
        state.step += 1
        ends_epoch = state.step % state.per_epoch == 0 or state.step == state.total
        if not self._reporter.step(loss, learning_rate, state.batch * state.accumulation, now=ends_epoch):
            self._go_back()
            return False
        self._losses.append(loss)
        if self._budget.limited:
            self._keep_to_time()
        return True

    def _find_gradient(self, learning_rate: float) -> Tensor:
        state = self.state
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate * group.get("share", 1.0)
        self._optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._subject.device)
        for micro in range(state.accumulation):
            loss = self._subject.loss(self._prefetch(state.step * state.accumulation + micro)) / state.accumulation
            loss.backward()
            total += loss.detach()
        return total

    def _apply_gradient(self) -> bool:
        if self._config.gradient_clip:
            clip_gradient(self._networks, self._config.gradient_clip)
        self._optimiser.step()
        self._average.update(self.state.step)
        return True

    def _halve(self) -> None:
        state = self.state
        if state.batch == 1:
            raise RunError("there is not enough memory for a single window; use a smaller input_scale or fewer filters")
        state.halve()
        text = f"out of memory: goes on with batch_size {state.batch} and accumulation {state.accumulation}"
        self._context.emit("warning", text=text)
        self._prefetch.close()
        self._prefetch = self._ahead()

    def _go_back(self) -> None:
        """After a loss that is no number: the last good state, at half the learning rate."""
        failures = self.state.failures + 1
        if failures > _FAILURES:
            raise RunError(f"the loss was no number {failures} times; use a smaller learning_rate")
        self._rewind(failures=failures, rate_scale=self.state.rate_scale / 2)
        text = f"the loss was no number: back to step {self.state.step}, at half the learning rate"
        self._context.emit("warning", text=text)

    def _rewind(self, **changes: Any) -> None:
        """Go back to the last checkpoint. Live settings, batch size and the time taken stay what they are now."""
        last = checkpoint.newest(self._folder)
        assert last is not None  # written before the first step
        tensors, saved = checkpoint.load(last)
        now = self.state
        changes |= {"batch": now.batch, "accumulation": now.accumulation, "elapsed": now.elapsed, "live": now.live}
        self.state = self._reporter.state = replace(TrainingState.from_json(saved["state"]), **changes)
        checkpoint.unpack(tensors, saved["groups"], self._networks, self._average.module, self._optimiser)
        self._losses = []
        self._context.emit("resumed", step=self.state.step)

    # ---------------------------------------------------------------------------------------------------- an epoch

    def _end_epoch(self) -> None:
        state, subject = self.state, self._subject
        began = time.monotonic()
        state.epoch += 1
        train = float(torch.stack(self._losses).mean()) if self._losses else float("nan")
        self._losses = []
        told, best = None, True
        if subject.held:
            with self._average.evaluating() as networks:
                told, answered = subject.judge(networks)  # type: ignore[arg-type]
            best = state.note_validation(None, told.loss, subject.held, self._config.min_delta)
            if best:
                subject.show(answered, state.epoch, self._reporter.sample)
        self._reporter.epoch(PlaceScores(train), told, best)
        if best:
            self._keep()
        if lowers_rate(self._descent, state):
            state.rate_scale *= self._config.drop_factor
        if self._budget.limited:
            self._budget.note_validation(time.monotonic() - began)
            elapsed, step_s = self._reporter.clocked().elapsed, self._reporter.step_seconds()
            ended = state.step >= state.total
            self._budget.plan_again(state, elapsed, step_s, freely=2 * state.step < state.total)
            if ended and state.total - state.step < state.per_epoch / _WORTH:
                state.total = state.step  # a step or two more are not worth another validation
        self._reporter.resume_clock()

    def _keep_to_time(self) -> None:
        state, reporter = self.state, self._reporter
        elapsed, step_s = reporter.clocked().elapsed, reporter.step_seconds()
        if state.planned:
            self._budget.shorten(state, elapsed, step_s)
            return
        if state.step < PLAN_AFTER:
            return
        self._budget.plan(state, elapsed, step_s)
        reporter.log(f"{state.total} steps of {step_s:.2f} s fit into {self._config.max_minutes:g} minutes")

    # ---------------------------------------------------------------------------------------------------- what is kept

    def _save_sound(self) -> None:
        """Write a checkpoint, of an earlier state where a loss since the last look was no number."""
        if not self._reporter.flush():
            self._go_back()
        self._save()

    def _save(self) -> None:
        began = time.monotonic()
        tensors, groups = checkpoint.pack(self._networks, self._average.module, self._optimiser)
        state = {
            **self._subject.to_json(),
            "state": self._reporter.clocked().to_json(),
            "groups": groups,
            "threads": self._threads,
            "versions": {"torch": torch.__version__},
        }
        checkpoint.save(self._folder / "last", tensors, state)
        self._reporter.checkpoint("last", time.monotonic() - began)

    def _keep(self) -> None:
        self.state.kept = True
        self._subject.keep(self._average.module)  # type: ignore[arg-type]

    def _end(self) -> None:
        if not self.state.kept:
            self._keep()
        if self._subject.held:
            self._subject.last_word()


def _descent_settings(config: LoopSettings) -> DeepConfig:
    """What optimiser, schedule and budget read, as all trainings have it."""
    shared = {name: getattr(config, name) for name in OptimisationSettings.model_fields}
    weights = getattr(config, "encoder_weights", None) or None
    return DeepConfig(**shared, patience=config.patience, start_from=config.start_from, encoder_weights=weights)
