"""A training under way: what it learns from, what learns, and how far it is. Speaks by the run's context alone."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxloop.config.deep import DeepConfig
from voxloop.deep.begin.memory import check_memory, ran_out
from voxloop.deep.begin.preparation import Preparation
from voxloop.deep.begin.starting import arrange, encoder_weights, load_start
from voxloop.deep.data.augment import Augmenter
from voxloop.deep.data.grayvalues import measure_intensities
from voxloop.deep.data.prefetch import Prefetcher
from voxloop.deep.data.sampling import Mining, WindowSampler
from voxloop.deep.data.training_data import open_data
from voxloop.deep.data.windows import validation_places, validation_window
from voxloop.deep.networks.device import autocast, cores, laid_out, placed, resolve_precision
from voxloop.deep.networks.network import build, count_parameters
from voxloop.deep.objective.instances import criterion_of, output_of
from voxloop.deep.objective.metrics import Scores
from voxloop.deep.objective.optimisers import hold_encoder
from voxloop.deep.objective.optimisers import optimiser as make_optimiser
from voxloop.deep.objective.validation import Tally, draw_sample, evaluate
from voxloop.deep.predict.predictor import Normalisation
from voxloop.deep.training import checkpoint
from voxloop.deep.training.averaging import WeightAverage
from voxloop.deep.training.examination import examine
from voxloop.deep.training.kept import kept_network, spec_of, write_model
from voxloop.deep.training.reporter import Reporter
from voxloop.deep.training.schedule import drops, rate
from voxloop.deep.training.state import LIVE, TrainingState
from voxloop.deep.training.teacher import Pool, wanted
from voxloop.deep.training.team import Team, own_device
from voxloop.errors import ConfigError, RunError
from voxloop.model import ModelSpec
from voxloop.runs.orders import LAST_WORD

#: optimiser steps after which their time is known well enough to plan with
_PLAN_AFTER = 10
#: windows that judge the network after every epoch, at most; fewer where they hold more voxels than a plane
_VALIDATION_WINDOWS, _FEWEST, _PLANE = 24, 6, 2**16
#: times a run goes back to its last good state before it gives up
_FAILURES = 3
#: seconds between looks at a teacher who is not done
_LOOK = 0.02

Batch = tuple[np.ndarray, np.ndarray]


class Training:
    """One process's part of a training, from its start or its last checkpoint; call :meth:`run`, then :meth:`close`.

    Parameters
    ----------
    context
        Of the run: its folder, settings, orders, and where events go.
    team
        The processes that share every batch; most often this one alone.
    """

    def __init__(self, context: Any, config: DeepConfig, team: Team) -> None:
        self._context, self._config, self._team = context, config, team
        self._folder = context.path / "checkpoints"
        self._resumed = checkpoint.find(self._folder, "last")
        tensors, saved = checkpoint.load(self._resumed) if self._resumed else ({}, {})
        self._use_device(saved)
        self._open_data(saved)
        self._build_network()
        self._begin_or_go_on(tensors, saved)

    # ---------------------------------------------------------------------------------------------------- beginning

    def _use_device(self, saved: dict[str, Any]) -> None:
        self._device = own_device(self._config, self._team)
        self._precision = resolve_precision(self._config.precision, self._device)
        self._threads = self._config.threads or saved.get("threads") or max(1, cores() // self._team.size)
        torch.set_num_threads(self._threads)
        torch.manual_seed(self._config.seed)

    def _open_data(self, saved: dict[str, Any]) -> None:
        config = self._config
        self._data = data = open_data(self._context, config, saved.get("split"))
        self._plan = plan = arrange(config, data, saved.get("window"))
        geometry = plan.geometry
        self._sampler = WindowSampler.of(config, data, geometry)
        self._mining = Mining(self._sampler) if config.hard_examples else None
        self._statistics = saved.get("normalisation") or measure_intensities(data, geometry, config)
        normalise = Normalisation.of(self._statistics, data.channels, geometry.slices)
        self._prepare = prepare = Preparation(normalise, plan.zoom, self._device)
        self._augment = Augmenter.of(config, data, geometry.slices, plan.spacing)
        many = min(_VALIDATION_WINDOWS, max(_FEWEST, _VALIDATION_WINDOWS * _PLANE // geometry.voxels))
        places = validation_places(data.images, geometry, many, config.seed)
        self._cells = sum(len(image.split.judging) for image in data.images)
        self._held_out = [
            prepare(*(part[None] for part in validation_window(data.images, place, geometry))) for place in places
        ]

    def _build_network(self) -> None:
        config, description = self._config, self._plan.description
        self._network = network = build(description, None if self._resumed else encoder_weights(config, self._context))
        if config.start_from and not self._resumed:
            load_start(network, description, config.start_from, self._context, output_of(config, self._data)[0])
        self._spec: ModelSpec | None = None
        placed(network, self._device).train()
        if not self._resumed:
            check_memory(network, config, self._plan.window, self._device)
        self._average = WeightAverage(network, config.average_weights)
        self._criterion = criterion_of(config, self._data, self._plan.spacing, self._device)
        self._optimiser = make_optimiser(config, network)

    def _begin_or_go_on(self, tensors: dict[str, Tensor], saved: dict[str, Any]) -> None:
        config, data, team = self._config, self._data, self._team
        self._pool: Pool | None = None
        if wanted(config, data):
            notes = self._folder / ("teacher" if team.leads else f"teacher-{team.rank}")
            self._pool = Pool(config, data, self._plan.geometry, self._prepare, self._plan.zoom, notes)
        self.state = TrainingState.from_json(saved["state"]) if saved else TrainingState.begin(config)
        self._tally = self._new_tally()
        if saved:
            checkpoint.unpack(tensors, saved["groups"], self._network, self._average.module, self._optimiser)
            self._tally.restore(saved["tally"])
            if self._pool:
                blocks, full = saved["pool"]
                self._pool.restore(tensors, blocks, full, self._context)
            if self._mining:
                self._mining.restore(saved["mining"])
        self._together = team.joined(self._network)
        self._reporter = Reporter(self._context, self.state, [info.name for info in data.classes])
        self._reporter.begin(
            data,
            self._plan.description,
            count_parameters(self._network),
            self._plan.window,
            self._threads,
            self._device,
            resumed=bool(saved),
        )
        if not saved:
            self._save()
        self._batches = self._prefetch()

    def _new_tally(self) -> Tally:
        return Tally(len(self._data.classes), self._device)

    # ---------------------------------------------------------------------------------------------------- the loop

    def run(self) -> str:
        """Train to the end, or until ordered otherwise; the run's last word."""
        state = self.state
        while state.step < state.total:
            if word := self._ordered():
                return word
            if self._waits_for_teacher():
                continue
            if not self._step():
                state = self.state  # another one, where the run went back
                continue
            if state.step % state.per_epoch == 0 or state.step == state.total:
                self._end_epoch()
                if state.exhausted:
                    self._reporter.log(f"no improvement in {state.plateau} epochs: the best model is kept")
                    break
            if self._reporter.checkpoint_due(self._config.checkpoint_minutes):
                self._save()
        self._save()
        if not state.kept:
            self._keep_model()
        if self._team.leads:
            self._examine()
        return "finished"

    def close(self) -> None:
        """End the threads, and tell the last steps."""
        self._batches.close()
        if self._pool:
            self._pool.close()
        self._reporter.flush()

    def _ordered(self) -> str | None:
        """Obey the orders that have come; the word with which the run ends, if it does."""
        for order in self._team.orders(self._context):
            if order.kind == "update":
                self._update(order)
                continue
            if order.kind == "pause":
                self._save()
            if order.kind == "stop" and not self.state.kept:
                self._keep_model()
            return LAST_WORD[order.kind]
        return None

    def _update(self, order: Any) -> None:
        """Take the live settings of an order; what cannot change is said, not ignored."""
        emit = self._context.emit
        for name, value in order.values.items():
            if name not in LIVE:
                text = f"{name!r} cannot change while a run is running; {', '.join(LIVE)} can"
                emit("warning", text=text, order=order.name)
                continue
            try:
                value = getattr(DeepConfig(**{name: value}), name)
            except ConfigError as error:
                emit("warning", text=str(error), order=order.name)
                continue
            emit("updated", what=name, old=self.state.live[name], new=value, order=order.name)
            self.state.update(name, value)

    def _waits_for_teacher(self) -> bool:
        """Whether what the teacher is to say by now is still to come; orders are heard meanwhile."""
        pool, state = self._pool, self.state
        if pool is None or not state.step or pool.full:
            return False
        pool.start(self._context)
        due = state.step % state.per_epoch == 0 and pool.blocks < state.epoch  # not when the machine is done
        if not due or pool.arrived():
            return False
        time.sleep(_LOOK)
        if self._team.size == 1:
            return True
        while not pool.arrived():  # all of a team wait here, and hear orders again at the next step
            time.sleep(_LOOK)
        return False

    # ---------------------------------------------------------------------------------------------------- a step

    def _step(self) -> bool:
        """One optimiser step; False where it is to be made again, smaller, or from an earlier state."""
        config, state = self._config, self.state
        now = rate(config, state)
        for group in self._optimiser.param_groups:
            group["lr"] = now
        hold_encoder(self._network, state.epoch < config.freeze_encoder_epochs)
        self._optimiser.zero_grad(set_to_none=True)
        try:
            loss = self._descend()
        except RuntimeError as error:
            if self._team.size > 1 or not ran_out(error):
                raise
            self._halve()
            return False
        if config.gradient_clip:
            self._clip(config.gradient_clip)
        self._optimiser.step()
        self._average.update(state.step)
        state.step += 1
        ends_epoch = state.step % state.per_epoch == 0 or state.step == state.total
        if not self._team.agree(self._reporter.step(loss, now, state.batch * state.accumulation, now=ends_epoch)):
            self._go_back()
            return False
        if not state.planned and state.step >= _PLAN_AFTER:
            self._plan_time()
        return True

    def _clip(self, most: float) -> None:
        """Scale the gradient down to a norm; on a CPU it is left alone where it is smaller already."""
        if self._device.type != "cpu":  # to look would make it wait
            nn.utils.clip_grad_norm_(self._network.parameters(), most)
            return
        found = [parameter for parameter in self._network.parameters() if parameter.grad is not None]
        norm = nn.utils.get_total_norm([parameter.grad for parameter in found if parameter.grad is not None])
        if not norm <= most:
            nn.utils.clip_grads_with_norm_(found, most, norm)

    def _descend(self) -> Tensor:
        """Add up the gradients of a step; its loss."""
        state = self.state
        total = torch.zeros((), device=self._device)
        for micro in range(state.accumulation):
            loss = self._loss(state.step * state.accumulation + micro)
            (loss / state.accumulation).backward()
            total += loss.detach() / state.accumulation
        return total

    def _loss(self, index: int) -> Tensor:
        """The loss of a batch: of windows with strokes, and of those that the teacher labelled."""
        config, criterion, pool, size = self._config, self._criterion, self._pool, self.state.batch
        raw, marked = self._batches(index)
        told = pool.share(index, size) if pool else 0
        own, mine = size - told, self._team.part(size)
        cut = max(0, min(own, mine.stop) - mine.start)
        parts = [self._prepare(raw[:cut], marked[:cut])] if cut else []
        if pool and mine.stop > own:
            seen, said = pool.batch(index, told)
            here = slice(max(0, mine.start - own), mine.stop - own)
            parts.append((seen[here], said[here]))
        pixels, labels = parts[0] if len(parts) == 1 else (torch.cat(part) for part in zip(*parts, strict=True))
        pixels, labels = self._augment(pixels, labels, index * self._team.size + self._team.rank)
        with autocast(self._device, self._precision):
            logits = self._together(laid_out(pixels))
        logits, labels = self._team.whole(logits, labels)
        loss, said, truth = criterion.judged(logits[:own], labels[:own])
        if own:
            self._tally.add(said, truth, loss)
        if self._mining:
            with torch.no_grad():
                each = [criterion(logits[i : i + 1], labels[i : i + 1]).item() for i in range(own)]
            self._mining.note(index, each)
        if told:
            weight = config.teacher_weight / (1 + config.teacher_weight) if own else 1.0
            loss = (1 - weight) * loss + weight * criterion(logits[own:], labels[own:])
        return loss

    def _prefetch(self) -> Prefetcher[Batch]:
        size, mine, pool, sampler = self.state.batch, self._team.part(self.state.batch), self._pool, self._sampler

        def cut(index: int) -> Batch:
            own = size - (pool.share(index, size) if pool else 0)  # by the time it is needed not more, perhaps fewer
            return sampler.batch(index, max(1, min(own, mine.stop) - mine.start), mine.start)

        spare = self._device.type != "cpu" or self._threads < cores()
        return Prefetcher(cut, int(spare) if self._config.workers is None else self._config.workers)

    def _prefetch_anew(self) -> None:
        """Throw away the batches that were prepared ahead."""
        self._batches.close()
        self._batches = self._prefetch()

    def _halve(self) -> None:
        """After running out of memory: smaller batches, more of them. Raises RunError where they cannot be smaller."""
        state = self.state
        if state.batch == 1:
            raise RunError("there is not enough memory for a single window; use a smaller window, or a smaller network")
        state.halve()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._context.emit(
            "warning",
            text=f"out of memory: goes on with batch_size {state.batch} and accumulation "
            f"{state.accumulation}, the same number of windows a step",
        )
        self._prefetch_anew()

    def _go_back(self) -> None:
        """After a loss that is no number: the last good state, at half the learning rate."""
        failures = self.state.failures + 1
        if failures > _FAILURES:
            raise RunError(
                f"the loss was no number {failures} times; use a smaller learning_rate, or precision='float32'"
            )
        last = checkpoint.find(self._folder, "last")
        assert last is not None  # written before the first step
        tensors, saved = checkpoint.load(last)
        bad, slower = self.state.step, self.state.rate_scale / 2
        self.state = replace(TrainingState.from_json(saved["state"]), failures=failures, rate_scale=slower)
        self._reporter.state = self.state
        checkpoint.unpack(tensors, saved["groups"], self._network, self._average.module, self._optimiser)
        self._tally.restore(saved["tally"])
        text = f"the loss was no number at step {bad}: back to step {self.state.step}, at half the learning rate"
        self._context.emit("warning", text=text)
        self._context.emit("resumed", step=self.state.step)

    # ---------------------------------------------------------------------------------------------------- an epoch

    def _end_epoch(self) -> None:
        config, state = self._config, self.state
        began = time.monotonic()
        state.epoch += 1
        scores = self._validate() if self._held_out else None
        best = scores is None or self._judge(scores)
        self._reporter.epoch(self._tally.scores(), scores, best)
        self._tally = self._new_tally()
        if best:
            self._keep_model()
        if self._mining:
            self._mining.turn()
            self._prefetch_anew()  # what was prepared ahead knew other windows
        if self._pool:
            with self._average.evaluating() as judged, autocast(self._device, self._precision):
                self._pool.relabel(judged, state.epoch, state.step / state.total)
        if drops(config, state):
            state.rate_scale *= config.drop_factor
        if config.keep_every and state.epoch % config.keep_every == 0:
            self._save(f"epoch-{state.epoch:05d}")
        if config.max_minutes:
            self._fit_time(time.monotonic() - began)

    def _judge(self, scores: Scores) -> bool:
        """Whether the weights of this epoch are to be kept."""
        by = self._config.best_by
        score = None if by == "loss" else scores.mean(by)
        return self.state.judge(score, scores.loss, self._cells, self._config.min_delta)

    def _validate(self) -> Scores:
        """Scores on the held-out windows; the first of them are drawn."""
        criterion, classes = self._criterion, self._data.classes
        with self._average.evaluating() as judged, autocast(self._device, self._precision):
            scores: Scores = self._team.agree(evaluate(judged, self._held_out, criterion, len(classes)))
            drawn = self._config.samples if self.state.epoch % self._config.sample_every == 0 else 0
            samples = [(pixels, *criterion.scored(judged(pixels), labels)) for pixels, labels in self._held_out[:drawn]]
        for number, (pixels, logits, labels) in enumerate(samples if self._team.leads else []):
            name = f"samples/{self.state.epoch:05d}-{number}.png"
            draw_sample(self._context.path / name, pixels[0], labels[0], logits[0], [info.color for info in classes])
            self._reporter.sample(name, number)
        return scores

    def _plan_time(self) -> None:
        """Fit the run into its time, from the speed seen so far."""
        state, config, reporter = self.state, self._config, self._reporter
        begin = time.perf_counter()
        if self._held_out:
            with self._average.evaluating() as judged:
                evaluate(judged, self._held_out, self._criterion, len(self._data.classes))
        seconds = time.perf_counter() - begin
        state.fit_into((config.max_minutes or 0) * 60 - reporter.clocked().elapsed, reporter.step_seconds(), seconds)
        reporter.log(f"{state.total} steps of {reporter.step_seconds():.2f} s fit into {config.max_minutes:g} minutes")
        self._agree_on_time()

    def _fit_time(self, validation_s: float) -> None:
        """Plan again: the machine may have slowed down since the plan was made."""
        state, reporter = self.state, self._reporter
        left = 60 * (self._config.max_minutes or 0) - reporter.clocked().elapsed
        busy = self._pool is not None and state.epoch <= self._pool.blocks + 1  # the teacher took time until now
        early = 2 * state.step < state.total  # or something else did; later the learning rate would jump
        state.fit_into(left, reporter.step_seconds(), validation_s, longer=busy or early)
        self._agree_on_time()

    def _agree_on_time(self) -> None:
        self.state.total, self.state.per_epoch = self._team.agree((self.state.total, self.state.per_epoch))

    # ---------------------------------------------------------------------------------------------------- what is kept

    def _save(self, name: str = "last") -> None:
        """Write a checkpoint."""
        if not self._team.leads:
            return
        pool, mining = self._pool, self._mining
        packed, groups = checkpoint.pack(self._network, self._average.module, self._optimiser)
        packed |= pool.tensors() if pool else {}
        checkpoint.save(
            self._folder / name,
            packed,
            {
                "state": self._reporter.clocked().to_json(),
                "groups": groups,
                "tally": self._tally.to_json(),
                "split": self._data.held(),
                "normalisation": self._statistics,
                "threads": self._threads,
                "window": list(self._plan.window),
                "versions": {"torch": torch.__version__},
                "pool": (pool.blocks, pool.full) if pool else None,
                "mining": mining.to_json() if mining else None,
            },
        )
        self._reporter.checkpoint(name)

    def _keep_model(self) -> None:
        self.state.kept = True
        if not self._team.leads:
            return
        # made late: probing the receptive field would put off the first step
        self._spec = self._spec or spec_of(self._config, self._data, self._plan, self._statistics, self._network)
        write_model(self._context.path / "model", self._spec, self._average.module)

    def _examine(self) -> None:
        """What the kept model reaches on the labels that were held out to the end."""
        verdict = examine(
            kept_network(self._context.path, self._device),
            self._data,
            self._plan.geometry,
            self._prepare,
            self._sampler,
            self._criterion,
            self._config.seed,
        )
        if verdict:
            self._context.emit("test", **verdict)
