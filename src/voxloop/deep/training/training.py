"""A training under way: what it learns from, what learns, and how far it is. Speaks by the run's context alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.material import Earlier, gather
from voxloop.deep.begin.memory import check_memory
from voxloop.deep.data.sampling import Mining
from voxloop.deep.networks.device import autocast, cores
from voxloop.deep.networks.network import count_parameters
from voxloop.deep.objective.metrics import WindowScores
from voxloop.deep.objective.validation import HeldOutWindow, draw_sample, evaluate
from voxloop.deep.predict.model import write_files
from voxloop.deep.training import checkpoint
from voxloop.deep.training.batches import Batches
from voxloop.deep.training.budget import PLAN_AFTER, TimeBudget
from voxloop.deep.training.deciding import Effort
from voxloop.deep.training.descent import Descent
from voxloop.deep.training.live import live_values
from voxloop.deep.training.model_folder import LateSpec, write_model
from voxloop.deep.training.pseudo_labels import open_teachers
from voxloop.deep.training.reporter import Reporter
from voxloop.deep.training.schedule import lowers_rate, rate
from voxloop.deep.training.settling import settle
from voxloop.deep.training.shortage import halve_after_kill
from voxloop.deep.training.state import TrainingState
from voxloop.deep.training.team import Team, own_device
from voxloop.errors import RunError
from voxloop.runs.context import TaskContext
from voxloop.runs.orders import LAST_WORD, Order
from voxloop.store.layout import RunPlace

#: times a run goes back to its last good state before it gives up
_FAILURES = 3
#: seconds between looks at a teacher who is not done
_LOOK = 0.02


class Training:
    """One process's part of a training, from its start or its last checkpoint; call :meth:`run`, then :meth:`close`.

    Parameters
    ----------
    context
        Of the run: its folder, settings, orders, and where events go.
    team
        The processes that share every batch; most often this one alone.
    """

    def __init__(self, context: TaskContext, config: DeepConfig, team: Team) -> None:
        self._context, self._config, self._team = context, config, team
        self._folder = RunPlace(context.path).checkpoints
        last = checkpoint.newest(self._folder)
        tensors, saved = checkpoint.load(last) if last else ({}, {})
        self._threads = config.threads or saved.get("threads") or max(1, cores() // team.size)
        torch.set_num_threads(self._threads)
        self._material = gather(
            context, config, device=own_device(config, team), earlier=Earlier.from_json(saved) if saved else None
        )
        self._mining = Mining(self._material.sampler) if config.hard_examples else None
        self._cells = sum(len(image.split.validation) for image in self._material.data.images)
        self._descent = self._build_network(resumed=bool(saved))
        judge = partial(HeldOutWindow.of, loss=self._descent.criterion)
        self._validation = [judge(*window) for window in self._material.validation_windows()]
        self._budget = TimeBudget(config, len(self._validation))
        self._spec = LateSpec(self._material, self._descent.network)
        self._begin_or_go_on(tensors, saved)

    # ---------------------------------------------------------------------------------------------------- beginning

    def _build_network(self, *, resumed: bool) -> Descent:
        material = self._material
        network = material.network(weights=not resumed)
        network.train()
        if not resumed:
            check_memory(network, self._config, material.window, material.device)
        return Descent(material, network, self._team, self._mining)

    def _begin_or_go_on(self, tensors: dict[str, Tensor], saved: dict[str, Any]) -> None:
        config, material, team = self._config, self._material, self._team
        self._classifier, self._pseudo_labels = open_teachers(material, self._folder, team, self._threads)
        self.state = TrainingState.from_json(saved["state"]) if saved else TrainingState.begin(config)
        if saved:
            self._restore(tensors, saved)
        halved = bool(saved) and team.size == 1 and halve_after_kill(self._context, self.state)
        self._descent.join_team()
        self._reporter = Reporter(self._context, self.state, [info.name for info in material.data.classes])
        self._reporter.begin(
            material, count_parameters(self._descent.network), self._threads, self._descent.kernels, resumed=bool(saved)
        )
        if not saved or halved:
            self._save()
        self._batches = Batches(
            material, self._pseudo_labels, team, self.state.batch, self._threads, self._descent.criterion.targets
        )

    def _restore(self, tensors: dict[str, Tensor], saved: dict[str, Any]) -> None:
        self._descent.restore(tensors, saved)
        if self._pseudo_labels:
            blocks, full = saved["pool"]
            self._pseudo_labels.restore(tensors, blocks, full)
        if self._mining:
            self._mining.restore(saved["mining"])

    # ---------------------------------------------------------------------------------------------------- the loop

    def run(self) -> str:
        """Train to the end, or until ordered otherwise; the run's last word."""
        while self.state.step < self.state.total:
            if word := self._ordered():
                return word
            if self._waits_for_teacher() or not self._step():
                continue
            state = self.state
            epoch_ended = state.step % state.per_epoch == 0 or state.step == state.total
            if epoch_ended:
                self._end_epoch()
                if state.exhausted and not self._let_go():
                    self._reporter.log(f"no improvement in {state.plateau} epochs: the best model is kept")
                    break
            if self._reporter.checkpoint_due(self._config.checkpoint_minutes, epoch_ended=epoch_ended):
                self._save()
        self._save()
        self._end()
        return "finished"

    def close(self) -> None:
        """End the threads, and tell the last steps."""
        self._batches.close()
        if self._classifier:
            self._classifier.close()
        if self._pseudo_labels:
            self._pseudo_labels.close()
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
        for name, value in live_values(order, DeepConfig, self._config, emit):
            emit("updated", what=name, old=self.state.live[name], new=value, order=order.name)
            self.state.update(name, value)
            self._save_sound()  # a crash must not take it back

    def _waits_for_teacher(self) -> bool:
        """Wait for pseudo-labels that are due by now; True where an order comes first."""
        pseudo_labels, classifier, state = self._pseudo_labels, self._classifier, self.state
        if not state.step and classifier and self._wait(lambda: classifier.ready):
            return True  # nothing is learnt before what the strokes tell at once
        if pseudo_labels is None or pseudo_labels.full:
            return False
        pseudo_labels.start()
        # a block an epoch, not when the machine is done: so a run can be repeated
        due = state.step % state.per_epoch == 0 and pseudo_labels.blocks < max(1, state.epoch)
        return due and self._wait(pseudo_labels.arrived)

    def _wait(self, ready: Callable[[], bool]) -> bool:
        """Wait; True where an order comes first. All of a team wait to the end, and hear orders at the next step."""
        while not ready():
            if self._team.size == 1 and self._context.peek():
                return True
            time.sleep(_LOOK)
        self._reporter.resume_clock()
        return False

    # ---------------------------------------------------------------------------------------------------- a step

    def _step(self) -> bool:
        """One optimiser step; False where it is to be made again, smaller, or from an earlier state."""
        state = self.state
        learning_rate = rate(self._config, state)
        loss = self._descent.find_gradient(self._batches, state, learning_rate)
        if loss is None:
            self._halve()
            return False
        if not self._descent.apply_gradient(state.step):
            self._halve()
            self._rewind()
            return False
        state.step += 1
        ends_epoch = state.step % state.per_epoch == 0 or state.step == state.total
        if not self._team.agree(
            self._reporter.step(loss, learning_rate, state.batch * state.accumulation, now=ends_epoch)
        ):
            self._go_back()
            return False
        if self._budget.limited:
            self._keep_to_time()
        return True

    def _halve(self) -> None:
        """After running out of memory: smaller batches, more of them. Raises RunError where they cannot be smaller."""
        state = self.state
        if state.batch == 1:
            raise RunError("there is not enough memory for a single window; use a smaller window, or a smaller network")
        state.halve()
        self._context.emit(
            "warning",
            text=f"out of memory: goes on with batch_size {state.batch} and accumulation "
            f"{state.accumulation}, the same number of windows a step",
        )
        self._batches.restart(state.batch)

    def _go_back(self) -> None:
        """After a loss that is no number: the last good state, at half the learning rate."""
        failures = self.state.failures + 1
        if failures > _FAILURES:
            raise RunError(
                f"the loss was no number {failures} times; use a smaller learning_rate, or precision='float32'"
            )
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
        self._descent.restore(tensors, saved)
        if self._mining:
            self._mining.restore(saved["mining"])
        self._batches.restart(self.state.batch)
        self._context.emit("resumed", step=self.state.step)

    # ---------------------------------------------------------------------------------------------------- an epoch

    def _end_epoch(self) -> None:
        config, state, material = self._config, self.state, self._material
        began = time.monotonic()
        state.epoch += 1
        scores = None
        while self._validation and scores is None:
            scores = self._descent.within_memory(self._validate)
            if scores is None:
                self._halve()  # gives back what training held
        best = scores is None or self._is_best(scores)
        self._reporter.epoch(self._descent.tally.scores(), scores, best)
        self._descent.restart_tally()
        if best:
            self._keep_model()
        if self._mining:
            self._mining.turn()
            self._batches.restart(state.batch)  # what was cut ahead knew other windows
        if self._pseudo_labels:
            with self._descent.average.evaluating() as network, autocast(material.device, material.precision):
                self._pseudo_labels.relabel(network, state.epoch, state.step / state.total)
        if lowers_rate(config, state):
            state.rate_scale *= config.drop_factor
        if state.epoch == state.held_epochs:
            state.plateau = 0  # what comes is another phase
        if config.keep_every and state.epoch % config.keep_every == 0:
            self._save(f"epoch-{state.epoch:05d}", model=True)
        if config.max_minutes:
            self._fit_time(time.monotonic() - began)

    def _let_go(self) -> bool:
        """Have the encoder learn from now on, where it was held and the rest learns nothing more."""
        plateau = self.state.plateau
        let_go = self.state.let_go()
        if let_go:
            self._reporter.log(f"no improvement in {plateau} epochs: from now on the encoder learns too")
        return let_go

    def _is_best(self, scores: WindowScores) -> bool:
        """Whether the weights of this epoch are to be kept."""
        by = self._config.best_by
        score = None if by == "loss" else scores.mean(by)
        return self.state.note_validation(
            score, scores.loss, self._cells, self._config.min_delta, strict=self._config.strict_best
        )

    def _validate(self) -> WindowScores:
        """Scores on the held-out windows; the first of them are drawn."""
        criterion, material, state = self._descent.criterion, self._material, self.state
        classes = material.data.classes
        drawn = self._config.samples if state.epoch % self._config.sample_every == 0 else 0
        with self._descent.average.evaluating() as network, autocast(material.device, material.precision):
            found, said = evaluate(network, self._validation, criterion, len(classes), together=state.batch, kept=drawn)
            scores: WindowScores = self._team.agree(found)
            judged = zip(self._validation, said, strict=False)
            samples = [(window.pixels, *criterion.scored(logits, window.labels)) for window, logits in judged]
        for number, (pixels, logits, labels) in enumerate(samples if self._team.leads else []):
            name = f"samples/{self.state.epoch:05d}-{number}.png"
            draw_sample(self._context.path / name, pixels[0], labels[0], logits[0], [info.color for info in classes])
            self._reporter.sample(name, number)
        return scores

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
        if self._pseudo_labels:
            self._budget.judging_s = self._pseudo_labels.window_seconds * len(self._validation)
        self._budget.plan(state, elapsed, step_s)
        self._agree_on_time()
        reporter.log(f"{state.total} steps of {step_s:.2f} s fit into {self._config.max_minutes:g} minutes")
        if words := self._budget.warning(state, elapsed, step_s):
            self._context.emit("warning", text=words)

    def _fit_time(self, validation_s: float) -> None:
        """Plan again: the machine may have slowed down since the plan was made."""
        state, pseudo_labels = self.state, self._pseudo_labels
        self._budget.note_validation(validation_s)
        busy = pseudo_labels is not None and state.epoch <= pseudo_labels.blocks + 1  # they took time until now
        early = 2 * state.step < state.total  # or something else did; later the learning rate would jump
        elapsed, step_s = self._reporter.clocked().elapsed, self._reporter.step_seconds()
        self._budget.plan_again(state, elapsed, step_s, freely=busy or early)
        self._agree_on_time()

    def _agree_on_time(self) -> None:
        self.state.total, self.state.per_epoch = self._team.agree((self.state.total, self.state.per_epoch))

    # ---------------------------------------------------------------------------------------------------- what is kept

    def _save_sound(self) -> None:
        """Write a checkpoint, of an earlier state where a loss since the last look was no number."""
        if not self._team.agree(self._reporter.flush()):
            self._go_back()
        self._save()

    def _save(self, name: str = "last", *, model: bool = False) -> None:
        """Write a checkpoint; with ``model``, one that is a model folder too."""
        if not self._team.leads:
            return
        began = time.monotonic()
        pseudo_labels, mining = self._pseudo_labels, self._mining
        packed, weights_state = self._descent.pack()
        packed |= pseudo_labels.tensors() if pseudo_labels else {}
        state = {
            **self._material.to_json(),
            "state": self._reporter.clocked().to_json(),
            **weights_state,
            "threads": self._threads,
            "versions": {"torch": torch.__version__},
            "pool": (pseudo_labels.blocks, pseudo_labels.full) if pseudo_labels else None,
            "mining": mining.to_json() if mining else None,
        }
        write_more = None
        if model:
            write_more = partial(write_files, spec=self._spec(), tensors=self._descent.average.module.state_dict())
        checkpoint.save(self._folder / name, packed, state, write_more)
        self._reporter.checkpoint(name, time.monotonic() - began)

    def _keep_model(self) -> None:
        self.state.kept = True
        if self._team.leads:
            write_model(RunPlace(self._context.path).model, self._spec(), self._descent.average.module)

    def _end(self) -> None:
        """The last word on the network, and which model is kept to predict with; where there is one at all."""
        if not self.state.kept:
            self._keep_model()
        if self._team.leads:
            minutes = self._reporter.clocked().elapsed / 60
            effort = Effort(steps=self.state.step, minutes=minutes, began_trained=bool(self._config.start_from))
            settle(self._context, self._material, self._descent.criterion, self._classifier, effort)
