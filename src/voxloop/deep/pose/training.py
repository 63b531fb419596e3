"""A training of places under way, from its start or its last checkpoint. Speaks by the run's context alone."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from voxloop.config.deep import DeepConfig
from voxloop.config.detect import DetectConfig
from voxloop.config.optimisation import OptimisationSettings
from voxloop.config.pose import PoseConfig
from voxloop.deep.begin.memory import ran_out
from voxloop.deep.begin.starting import ancestor
from voxloop.deep.data.prefetch import Prefetcher
from voxloop.deep.networks.device import autocast, cores, lay_out, move_network, resolve_device, resolve_precision
from voxloop.deep.networks.network import count_parameters
from voxloop.deep.objective.optimisers import clip_gradient
from voxloop.deep.objective.optimisers import optimiser as make_optimiser
from voxloop.deep.pose import judging
from voxloop.deep.pose.finding import Finder
from voxloop.deep.pose.last_word import last_word
from voxloop.deep.pose.lessons import Lesson, MapLoss, Teacher
from voxloop.deep.pose.model import build_networks, load, spec_of, write_places
from voxloop.deep.pose.pictures import Reader, open_album, statistics
from voxloop.deep.pose.plan import PlacePlan, plan_of
from voxloop.deep.pose.scores import PlaceScores
from voxloop.deep.pose.split import hold_out
from voxloop.deep.training import checkpoint
from voxloop.deep.training.averaging import WeightAverage
from voxloop.deep.training.budget import PLAN_AFTER, TimeBudget
from voxloop.deep.training.reporter import Reporter
from voxloop.deep.training.schedule import lowers_rate, rate
from voxloop.deep.training.state import LIVE, TrainingState
from voxloop.errors import ConfigError, ModelError, RunError
from voxloop.runs.context import TaskContext
from voxloop.runs.orders import LAST_WORD, Order
from voxloop.store.layout import RunPlace

#: times a run goes back to its last good state before it gives up
_FAILURES = 3
#: held-out pictures that are looked at after every epoch, at most; at the end all are
_JUDGED = 32


class PlaceTraining:
    """One training of a :class:`PoseConfig` or a :class:`DetectConfig`; call :meth:`run`, then :meth:`close`."""

    def __init__(self, context: TaskContext, config: PoseConfig | DetectConfig) -> None:
        self._context, self._config = context, config
        self._descent = _descent_settings(config)
        self._folder = RunPlace(context.path).checkpoints
        last = checkpoint.newest(self._folder)
        tensors, saved = checkpoint.load(last) if last else ({}, {})
        self._threads = config.threads or saved.get("threads") or cores()
        torch.set_num_threads(self._threads)
        self._device = resolve_device(config.device)
        self._precision = resolve_precision(config.precision, self._device)
        self._album = open_album(context.workspace, {**context.config, "as": "pose" if _is_pose(config) else "detect"})
        self._learnt, self._held = hold_out(self._album.pictures, config.validation_share, config.seed)
        if saved:
            self.plan = PlacePlan.from_json(saved["plan"])
            mean, std = saved["statistics"]["mean"], saved["statistics"]["std"]
        else:
            self.plan = plan_of(config, self._album)
            mean, std = statistics(self._learnt)
        self._statistics = {"mean": mean, "std": std}
        self._reader = Reader(mean, std)
        self._criterion = MapLoss(config)
        torch.manual_seed(config.seed)
        self._networks = self._build(resumed=bool(saved))
        self._optimiser = make_optimiser(self._descent, self._networks)
        self._average = WeightAverage(self._networks, config.average_weights)
        self._teachers = {
            stage.name: Teacher(self.plan, stage, self._learnt, self._reader, config, number)
            for number, stage in enumerate(self.plan.stages)
        }
        self._examples = {name: teacher.examples(self._held) for name, teacher in self._teachers.items()}
        self.state = TrainingState.from_json(saved["state"]) if saved else TrainingState.begin(self._descent)
        if saved:
            checkpoint.unpack(tensors, saved["groups"], self._networks, self._average.module, self._optimiser)
        self._budget = TimeBudget(self._descent, sum(len(own) for own in self._examples.values()))
        self._reporter = Reporter(context, self.state, list(self.plan.names))
        self._prefetch = self._ahead()
        self._epoch_losses: list[Tensor] = []
        self._begin(resumed=bool(saved))

    # ---------------------------------------------------------------------------------------------------- beginning

    def _build(self, *, resumed: bool) -> Any:
        config = self._config
        weights = config.encoder_weights or None if not resumed else None
        networks = build_networks(self.plan, weights)
        if config.start_from and not resumed:
            _begin_with(networks, self._context, config.start_from)
        for name in list(networks.keys()):
            networks[name] = move_network(networks[name], self._device)
        return networks.train()

    def _begin(self, *, resumed: bool) -> None:
        emit, plan = self._context.emit, self.plan
        if resumed:
            emit("resumed", step=self.state.step)
        windows = " and ".join(
            f"{stage.name} at {stage.scale[-1]:g} times, windows of {' x '.join(map(str, stage.window))}"
            for stage in plan.stages
        )
        count = sum(len(picture.places) for picture in self._learnt)
        self._reporter.log(
            f"{plan.pipeline}: {windows}; {count_parameters(self._networks) / 1e6:.1f} million weights, on "
            f"{self._device} with {self._threads} threads; {len(self._learnt)} pictures with {count} labelled teach, "
            f"{len(self._held)} are held out"
        )
        if not self._held and not resumed:
            emit("warning", text="nothing is held out, so nobody knows how good this gets; label a second picture")
        if not resumed:
            self._save()
        self._reporter.resume_clock()

    def _ahead(self) -> Prefetcher[dict[str, Lesson]]:
        state = self.state
        batch, workers = state.batch, 1 if self._device.type != "cpu" or cores() > 1 else 0
        return Prefetcher(
            lambda index: {name: teacher.lesson(index, batch) for name, teacher in self._teachers.items()}, workers
        )

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
                if state.exhausted and self._held:
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
                self._reporter.flush()
                self._save()
            if order.kind == "stop":
                self._end()
            return LAST_WORD[order.kind]
        return None

    def _update(self, order: Order) -> None:
        emit = self._context.emit
        for name, value in order.values.items():
            if name not in LIVE:
                text = f"{name!r} cannot change while a run is running; {', '.join(LIVE)} can"
                emit("warning", text=text, order=order.name)
                continue
            try:
                value = getattr(type(self._config)(**{name: value}), name)
            except ConfigError as error:
                emit("warning", text=str(error), order=order.name)
                continue
            emit("updated", what=name, old=self.state.live[name], new=value, order=order.name)
            self.state.update(name, value)
            self._save()  # a crash must not take it back

    # ---------------------------------------------------------------------------------------------------- a step

    def _step(self) -> bool:
        """One optimiser step; False where it is to be made again, smaller, or from an earlier state."""
        state = self.state
        learning_rate = rate(self._descent, state)
        try:
            loss = self._descend(learning_rate)
        except RuntimeError as error:
            if not ran_out(error):
                raise
            loss = None
        if loss is None:
            self._halve()
            return False
        state.step += 1
        ends_epoch = state.step % state.per_epoch == 0 or state.step == state.total
        if not self._reporter.step(loss, learning_rate, state.batch * state.accumulation, now=ends_epoch):
            self._go_back()
            return False
        self._epoch_losses.append(loss)
        if self._budget.limited:
            self._keep_to_time()
        return True

    def _descend(self, learning_rate: float) -> Tensor:
        state = self.state
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate * group.get("share", 1.0)
        self._optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._device)
        for micro in range(state.accumulation):
            for name, lesson in self._prefetch(state.step * state.accumulation + micro).items():
                there = lesson.to(self._device)
                with autocast(self._device, self._precision):
                    answer = self._networks[name](lay_out(there.pixels))
                loss = self._criterion(answer, there) / state.accumulation
                loss.backward()
                total += loss.detach()
        if self._config.gradient_clip:
            clip_gradient(self._networks, self._config.gradient_clip)
        self._optimiser.step()
        self._average.update(state.step)
        return total

    def _halve(self) -> None:
        state = self.state
        self._optimiser.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
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
        last = checkpoint.newest(self._folder)
        assert last is not None  # written before the first step
        tensors, saved = checkpoint.load(last)
        now = self.state
        self.state = self._reporter.state = replace(
            TrainingState.from_json(saved["state"]),
            failures=failures,
            rate_scale=now.rate_scale / 2,
            batch=now.batch,
            accumulation=now.accumulation,
            elapsed=now.elapsed,
            live=now.live,
        )
        checkpoint.unpack(tensors, saved["groups"], self._networks, self._average.module, self._optimiser)
        text = f"the loss was no number: back to step {self.state.step}, at half the learning rate"
        self._context.emit("warning", text=text)
        self._context.emit("resumed", step=self.state.step)

    # ---------------------------------------------------------------------------------------------------- an epoch

    def _end_epoch(self) -> None:
        state = self.state
        began = time.monotonic()
        state.epoch += 1
        train = float(torch.stack(self._epoch_losses).mean()) if self._epoch_losses else float("nan")
        self._epoch_losses = []
        told: PlaceScores | None = None
        best = True
        if self._held:
            with self._average.evaluating() as networks:
                loss = judging.loss_of(networks, self._examples, self._criterion)  # type: ignore[arg-type]
                finder = self._finder(networks)
                told = PlaceScores(loss, judging.measures(finder, self.plan, self._held[:_JUDGED], self._tolerance))
                best = state.note_validation(None, loss, len(self._held), self._config.min_delta)
                if best:
                    self._show(finder)
        self._reporter.epoch(PlaceScores(train), told, best)
        if best:
            self._keep_model()
        if lowers_rate(self._descent, state):
            state.rate_scale *= self._config.drop_factor
        if self._budget.limited:
            self._budget.note_validation(time.monotonic() - began)
            elapsed, step_s = self._reporter.clocked().elapsed, self._reporter.step_seconds()
            self._budget.plan_again(state, elapsed, step_s, freely=2 * state.step < state.total)
        self._reporter.resume_clock()

    @property
    def _tolerance(self) -> float:
        asked = getattr(self._config, "tolerance", "auto")
        stage = self.plan.stages[-1]
        return 2 * stage.sigma[-1] / stage.scale[-1] if asked == "auto" else float(asked)

    def _finder(self, networks: Any) -> Finder:
        return Finder(self.plan, dict(networks.items()), self._reader, self._device, self._precision)

    def _show(self, finder: Finder) -> None:
        for number, picture in enumerate(self._held[: self._config.samples]):
            name = f"samples/{self.state.epoch:05d}-{number}.png"
            judging.draw_places(self._context.path / name, picture, finder, self.plan)
            self._reporter.sample(name, number)

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

    def _save(self) -> None:
        began = time.monotonic()
        tensors, groups = checkpoint.pack(self._networks, self._average.module, self._optimiser)
        state = {
            "state": self._reporter.clocked().to_json(),
            "groups": groups,
            "plan": self.plan.to_json(),
            "statistics": self._statistics,
            "threads": self._threads,
            "versions": {"torch": torch.__version__},
        }
        checkpoint.save(self._folder / "last", tensors, state)
        self._reporter.checkpoint("last", time.monotonic() - began)

    def _keep_model(self) -> None:
        self.state.kept = True
        album, learner = self._album, "pose" if _is_pose(self._config) else "detect"
        spec = spec_of(self.plan, learner, album.colors, album.channels, album.spacing_um, self._statistics)
        write_places(RunPlace(self._context.path).model, spec, self._average.module)

    def _end(self) -> None:
        """The last word: the kept model on what was held out."""
        if not self.state.kept:
            self._keep_model()
        if self._held:
            last_word(
                self._context, self._config, self._held, self._reader, self._tolerance, self._device, self._precision
            )


def _is_pose(config: object) -> bool:
    return isinstance(config, PoseConfig)


def _descent_settings(config: PoseConfig | DetectConfig) -> DeepConfig:
    """What optimiser, schedule and budget read, as all trainings have it."""
    shared = {name: getattr(config, name) for name in OptimisationSettings.model_fields}
    return DeepConfig(
        **shared, patience=config.patience, start_from=config.start_from, encoder_weights=config.encoder_weights or None
    )


def _begin_with(networks: Any, context: TaskContext, name: str) -> None:
    """Take the weights of an earlier run or model folder. Raises ConfigError where they do not fit."""
    folder = ancestor(name, context)
    try:
        earlier = build_networks(load(folder).plan)
        from safetensors.torch import load_file

        from voxloop.deep.predict.model import WEIGHTS

        tensors = load_file(folder / WEIGHTS)
        earlier.load_state_dict(tensors)
    except ModelError as error:
        raise ConfigError(f"start_from={name!r}: {error}") from error
    own = networks.state_dict()
    fitting = {key: value for key, value in tensors.items() if key in own and own[key].shape == value.shape}
    if len(fitting) < len(own) / 2:
        raise ConfigError(f"start_from={name!r} is another network: {len(fitting)} of {len(own)} tensors fit")
    networks.load_state_dict(fitting, strict=False)
